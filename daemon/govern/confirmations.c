#include "daemon/govern/confirmations.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/govern/queue_watch.h"
#include "daemon/govern/signature_check.h"
#include "daemon/govern/tracker.h"

#include <stdlib.h>
#include <string.h>

struct question {
	struct confirmations *owner;
	struct safe_tx_id id;
	const struct config_target *target;
	struct proposal_id proposal;
	uint64_t chain_id;
	struct address safe;
	struct hash32 safe_tx_hash;
	unsigned confirmations, threshold; /* as stored */
	bool has_signers;
	struct hash32 signers; /* of the Safe, when it was asked last */
	bool was_signed;       /* it had as many as it needed, maybe before a restart */
	unsigned approvals;    /* on chain, by those signers ... */
	uint64_t approvals_at; /* ... at this epoch of the lane */
	struct mono due;
	int64_t interval_ms; /* between two questions, as it was last */
	struct backoff backoff;
	unsigned asked;
	struct mono lost_since; /* the service does not know it; 0: it does */
	uint64_t denied_at; /* the head at which the chain first denied a confirmation; 0: never */
	struct service_call *call;     /* under way, else NULL */
	struct signature_check *check; /* under way, else NULL */
};

struct confirmations {
	struct lane *lane;
	struct question **questions; /* by id */
	size_t count, room;
};

struct confirmations *confirmations_new(struct lane *lane)
{
	struct confirmations *confirmations = xcalloc(1, sizeof(*confirmations));

	confirmations->lane = lane;
	return confirmations;
}

static void question_free(struct question *question)
{
	service_cancel(question->call);
	signature_check_cancel(question->check);
	free(question);
}

void confirmations_free(struct confirmations *confirmations)
{
	if (confirmations == NULL)
		return;
	for (size_t i = 0; i < confirmations->count; i++)
		question_free(confirmations->questions[i]);
	free(confirmations->questions);
	free(confirmations);
}

/* Where the question about the row is, or belongs. */
static size_t place_of(const struct confirmations *confirmations, struct safe_tx_id id)
{
	size_t low = 0, high = confirmations->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (confirmations->questions[middle]->id.n < id.n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct confirmations *confirmations, size_t at, const struct safe_tx_row *row)
{
	struct question *question = xcalloc(1, sizeof(*question));

	question->owner = confirmations;
	question->id = row->id;
	question->proposal = row->proposal;
	question->chain_id = row->chain_id;
	question->safe = row->safe;
	question->safe_tx_hash = row->safe_tx_hash;
	if (confirmations->count == confirmations->room) {
		confirmations->room = 2 * confirmations->room + 16;
		confirmations->questions = xrealloc(
		        confirmations->questions, confirmations->room * sizeof(struct question *));
	}
	memmove(&confirmations->questions[at + 1], &confirmations->questions[at],
	        (confirmations->count - at) * sizeof(struct question *));
	confirmations->questions[at] = question;
	confirmations->count++;
}

static struct question *question_of(struct confirmations *confirmations,
                                    const struct config_target *target,
                                    const struct safe_tx_row *row)
{
	size_t at = place_of(confirmations, row->id);

	if (at == confirmations->count || confirmations->questions[at]->id.n != row->id.n)
		insert(confirmations, at, row);
	struct question *question = confirmations->questions[at];
	question->target = target;
	question->confirmations = row->confirmations;
	question->threshold = row->threshold;
	question->was_signed = row->was_signed;
	return question;
}

/* --- counting -----------------------------------------------------------------------------------
 */

/* What the owners' own transactions on chain say, without any service. */
static struct seen_log_list approvals_of(const struct question *question, struct arena *arena)
{
	struct seen_log_list logs;

	logs = store_log_find(question->owner->lane->parts->store, arena, question->chain_id,
	                      &question->safe, event_topic0(EVENT_HASH_APPROVED),
	                      &question->safe_tx_hash);
	return logs;
}

static bool has_approved(const struct seen_log_list *logs, const struct address *owner)
{
	for (size_t i = 0; i < logs->count; i++) {
		const struct seen_log *log = &logs->items[i];
		struct hash32 topics[3] = {log->topic0};
		struct event event;
		if (log->data.len != 2 * sizeof(topics[0]))
			continue;
		memcpy(&topics[1], log->data.data, log->data.len);
		if (event_decode(&event, &log->address, topics, ARRAY_LEN(topics),
		                 bytes_of(NULL, 0)) == 0 &&
		    address_equal(&event.approval.owner, owner))
			return true;
	}
	return false;
}

static bool has_confirmed(const struct proposal_confirmation *confirmations, size_t count,
                          const struct address *owner)
{
	for (size_t i = 0; i < count; i++)
		if (confirmations[i].verified && address_equal(&confirmations[i].owner, owner))
			return true;
	return false;
}

/* Owners of today whose confirmation was verified: by its signature, by the chain's word about it,
 * or by what they did on chain themselves. */
static unsigned count_valid(const struct question *question,
                            const struct proposal_confirmation *confirmations, size_t count,
                            const struct safe_view *safe)
{
	struct arena arena = {0};
	struct seen_log_list approvals = approvals_of(question, &arena);
	unsigned valid = 0;

	for (size_t i = 0; i < safe->owner_count; i++)
		valid += has_confirmed(confirmations, count, &safe->owners[i]) ||
		         has_approved(&approvals, &safe->owners[i]);
	arena_free(&arena);
	return valid;
}

static void store_count(struct question *question, unsigned confirmations, unsigned threshold)
{
	struct lane *lane = question->owner->lane;
	char subject[SUBJECT_SIZE];

	if (confirmations == question->confirmations && threshold == question->threshold)
		return;
	question->confirmations = confirmations;
	question->threshold = threshold;
	store_begin(lane->parts->store);
	store_safe_tx_set_confirmations(lane->parts->store, question->id, confirmations, threshold);
	store_commit(lane->parts->store);
	log_info(proposal_subject(subject, question->proposal),
	         "confirmed by %u of %u owners needed", confirmations, threshold);
	lane_changed(lane);
	lane_wake(lane); /* it may be executable now */
}

static bool is_denied(const struct proposal_confirmation *confirmation)
{
	return !confirmation->verified && confirmation->needs_chain;
}

/* The service may have seen a block that we have not: only what a later block denies, too, is a
 * lie.
 */
static bool is_denied_for_good(struct question *question,
                               const struct proposal_confirmation *confirmations, size_t count)
{
	uint64_t head = question->owner->lane->head.number;
	bool denied = false;

	for (size_t i = 0; i < count; i++)
		denied |= is_denied(&confirmations[i]);
	if (!denied)
		question->denied_at = 0;
	else if (question->denied_at == 0)
		question->denied_at = head;
	return denied && head > question->denied_at;
}

/* A service that shows what is not there lies, or was lied to. */
static void tell_denied(struct question *question,
                        const struct proposal_confirmation *confirmations, size_t count)
{
	bool for_good = is_denied_for_good(question, confirmations, count);
	char subject[SUBJECT_SIZE], owner[ADDRESS_TEXT_SIZE];
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= !confirmations[i].verified;
	if (!any)
		lane_alarm_clear(question->owner->lane, ALARM_CONFIRMATION_DENIED,
		                 proposal_subject(subject, question->proposal));
	for (size_t i = 0; i < count; i++)
		if (!confirmations[i].verified && (for_good || !confirmations[i].needs_chain))
			lane_alarm(
			        question->owner->lane, ALARM_CONFIRMATION_DENIED,
			        proposal_subject(subject, question->proposal),
			        "the service shows a confirmation by %s that %s: it does not count",
			        address_text(owner, &confirmations[i].owner),
			        confirmations[i].needs_chain ? "the chain denies"
			                                     : "is not their signature");
}

/* Who could execute it a moment ago cannot any more. */
static void tell_lost(struct question *question)
{
	bool enough = question->threshold > 0 && question->confirmations >= question->threshold;
	char subject[SUBJECT_SIZE];

	question->was_signed |= enough;
	if (enough)
		lane_alarm_clear(question->owner->lane, ALARM_CONFIRMATIONS_LOST,
		                 proposal_subject(subject, question->proposal));
	else if (question->was_signed)
		lane_alarm(question->owner->lane, ALARM_CONFIRMATIONS_LOST,
		           proposal_subject(subject, question->proposal),
		           "it was signed by enough owners; now %u of %u count, since the Safe's "
		           "signers changed: others have to sign it",
		           question->confirmations, question->threshold);
}

static void note(struct question *question, const struct proposal_confirmation *confirmations,
                 size_t count)
{
	const struct safe_view *safe;

	tell_denied(question, confirmations, count);
	if (tracker_safe(question->owner->lane->tracker, &question->safe, &safe) != 0)
		return; /* it stopped answering meanwhile */
	store_count(question, count_valid(question, confirmations, count, safe), safe->threshold);
	tell_lost(question);
}

/* Approvals on chain count at once; what the service said before stays until it is asked again. */
static void note_approvals(struct question *question, const struct safe_view *safe)
{
	uint64_t epoch = question->owner->lane->epoch;

	if (!question->has_signers || question->approvals_at != epoch ||
	    !hash32_equal(&safe->signers, &question->signers))
		question->approvals = count_valid(question, NULL, 0, safe);
	question->approvals_at = epoch;
	if (question->approvals > question->confirmations)
		store_count(question, question->approvals, safe->threshold);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void checked(const struct error *error, const struct proposal_confirmation *confirmations,
                    size_t count, void *arg)
{
	struct question *question = arg;
	char subject[SUBJECT_SIZE];

	question->check = NULL;
	if (error == NULL)
		note(question, confirmations, count);
	else
		log_unusual(proposal_subject(subject, question->proposal),
		            "could not verify its confirmations: %s", error->text);
}

/* A service answers from copies that may be behind. */
enum { LOST_AFTER_POLLS = 5 };

/* Nobody is asked to sign it any more; who has signatures already can execute it all the same. */
static void note_lost(struct question *question)
{
	struct mono now = clock_mono();
	char subject[SUBJECT_SIZE], hash[HASH32_TEXT_SIZE];

	if (question->lost_since.ms == 0)
		question->lost_since = now;
	if (now.ms - question->lost_since.ms >=
	    LOST_AFTER_POLLS * question->target->service.poll_ms)
		lane_alarm(question->owner->lane, ALARM_QUEUE_LOST,
		           proposal_subject(subject, question->proposal),
		           "its transaction %s is not in the Safe's queue any more, and was not "
		           "executed: nobody is asked to sign it",
		           hash32_text(hash, &question->safe_tx_hash));
}

static void note_found(struct question *question)
{
	char subject[SUBJECT_SIZE];

	lane_alarm_clear(question->owner->lane, ALARM_QUEUE_LOST,
	                 proposal_subject(subject, question->proposal));
	question->lost_since.ms = 0;
}

static void take(struct question *question, const struct proposal_tx *tx)
{
	note_found(question);
	signature_check_cancel(question->check);
	question->check = NULL;
	if (signature_check_needed(tx))
		question->check =
		        signature_check_start(question->owner->lane, tx, checked, question);
	else
		note(question, tx->confirmations, tx->confirmation_count);
}

void confirmations_queue_seen(struct confirmations *confirmations, const struct queue_view *view)
{
	for (size_t q = 0; q < confirmations->count; q++) {
		struct question *question = confirmations->questions[q];
		if (!address_equal(&view->safe.safe, &question->safe))
			continue;
		for (size_t i = 0; i < view->count; i++)
			if (hash32_equal(&view->items[i].safe_tx_hash, &question->safe_tx_hash)) {
				question->due.ms = clock_mono().ms + question->interval_ms;
				take(question, &view->items[i]);
			}
	}
}

static int read_answer(struct arena *arena, struct proposal_tx *tx, const struct question *question,
                       struct bytes body, struct error *error)
{
	const struct proposal_api *api = proposal_api_of(question->target->service.kind);
	const struct proposal_place place = {question->chain_id, question->safe};
	int rc = api->parse_tx(arena, tx, &place, body, error);

	if (rc == 0 && !hash32_equal(&tx->safe_tx_hash, &question->safe_tx_hash))
		rc = error_set(
		        error, ERR_DENIED,
		        "the service answers with another transaction than the one asked for");
	return rc;
}

static void answered(const struct service_result *result, void *arg)
{
	struct question *question = arg;
	struct arena arena = {0};
	struct proposal_tx tx;
	struct error error = result->error;
	char subject[SUBJECT_SIZE];

	question->call = NULL;
	proposal_subject(subject, question->proposal);
	if (error.code == 0 && read_answer(&arena, &tx, question, result->body, &error) == 0) {
		backoff_worked(&question->backoff);
		lane_alarm_clear(question->owner->lane, ALARM_CONFIRMATIONS_UNREADABLE, subject);
		take(question, &tx);
	} else {
		backoff_failed(&question->backoff, clock_mono(),
		               service_retry_max_ms(question->target));
		if (result->retry_after_ms > 0)
			question->due.ms = clock_mono().ms + result->retry_after_ms;
		if (error.code == ERR_NOT_FOUND)
			note_lost(question);
		if (error.code == ERR_DENIED || error.code == ERR_INVALID)
			lane_alarm(question->owner->lane, ALARM_CONFIRMATIONS_UNREADABLE, subject,
			           "its confirmations cannot be read: %s", error.text);
		else
			log_unusual(subject, "could not ask for its confirmations: %s", error.text);
	}
	arena_free(&arena);
}

int64_t confirmations_poll(struct confirmations *confirmations, struct service *service,
                           const struct config_target *target, const struct safe_tx_row *row)
{
	struct question *question = question_of(confirmations, target, row);
	struct mono now = clock_mono();
	int64_t wait = question->due.ms - now.ms;
	const struct safe_view *safe;
	struct buf path = {0};

	/* Without the chain's owners the answer says nothing: after the next tick. */
	if (tracker_safe(confirmations->lane->tracker, &row->safe, &safe) != 0)
		return confirmations->lane->config->poll_ms;
	/* With other signers the same signatures count otherwise: asked again at once. */
	bool others = question->has_signers && !hash32_equal(&safe->signers, &question->signers);
	if (others)
		wait = 0;
	note_approvals(question, safe);
	question->has_signers = true;
	question->signers = safe->signers;
	if (service == NULL)
		return confirmations->lane->config->poll_ms;
	if (backoff_wait_ms(&question->backoff, now) > wait)
		wait = backoff_wait_ms(&question->backoff, now);
	if (wait > 0)
		return wait;
	int64_t next = service_interval_ms(target->service.poll_ms,
	                                   lane_age_ms(confirmations->lane, row->posted_at));
	question->due.ms = now.ms + next;
	question->interval_ms = next;
	/* Now and then the whole queue is read instead of the one transaction: it says the same,
	 * and what else people brought there. */
	if (++question->asked % QUEUE_WATCH_EVERY == 0 &&
	    queue_watch_want(confirmations->lane->queue_watch, &row->safe))
		return next;
	if (question->call == NULL) {
		service_api(service)->path_transaction(&path, &row->safe_tx_hash);
		question->call = service_send(service, buf_text(&path), bytes_of(NULL, 0), answered,
		                              question);
		buf_free(&path);
	}
	return next;
}

void confirmations_keep(struct confirmations *confirmations, const struct safe_tx_list *open)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < confirmations->count; i++) {
		struct question *question = confirmations->questions[i];
		while (at < open->count && open->items[at].id.n < question->id.n)
			at++;
		if (at < open->count && open->items[at].id.n == question->id.n &&
		    open->items[at].status == SAFE_TX_QUEUED)
			confirmations->questions[kept++] = question;
		else
			question_free(question);
	}
	confirmations->count = kept;
}
