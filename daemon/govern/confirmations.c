#include "daemon/govern/confirmations.h"

#include "common/base/log.h"
#include "daemon/govern/tracker.h"

#include <stdlib.h>

struct question {
	struct question *next;
	struct confirmations *owner;
	struct safe_tx_id id;
	const struct config_target *target;
	struct proposal_id proposal;
	uint64_t chain_id;
	struct address safe;
	struct hash32 safe_tx_hash;
	unsigned confirmations, threshold; /* as stored */
	struct mono due;
	struct backoff backoff;
	struct service_call *call; /* under way, else NULL */
};

struct confirmations {
	struct lane *lane;
	struct question *questions;
};

struct confirmations *confirmations_new(struct lane *lane)
{
	struct confirmations *confirmations = xcalloc(1, sizeof(*confirmations));

	confirmations->lane = lane;
	return confirmations;
}

void confirmations_free(struct confirmations *confirmations)
{
	if (confirmations == NULL)
		return;
	while (confirmations->questions != NULL) {
		struct question *next = confirmations->questions->next;
		service_cancel(confirmations->questions->call);
		free(confirmations->questions);
		confirmations->questions = next;
	}
	free(confirmations);
}

static struct question *question_of(struct confirmations *confirmations,
                                    const struct config_target *target,
                                    const struct safe_tx_row *row)
{
	struct question *question = confirmations->questions;

	while (question != NULL && question->id.n != row->id.n)
		question = question->next;
	if (question == NULL) {
		question = xcalloc(1, sizeof(*question));
		question->owner = confirmations;
		question->id = row->id;
		question->proposal = row->proposal;
		question->chain_id = row->chain_id;
		question->safe = row->safe;
		question->safe_tx_hash = row->safe_tx_hash;
		question->next = confirmations->questions;
		confirmations->questions = question;
	}
	question->target = target;
	question->confirmations = row->confirmations;
	question->threshold = row->threshold;
	return question;
}

/* Confirmations that count now: a signature that recovers to its owner, who is an owner today. What
 * only the chain can verify (contracts, approved hashes) counts when its owner is one. */
static unsigned count_valid(const struct tx_service_tx *tx, const struct safe_view *safe)
{
	unsigned count = 0;

	for (size_t i = 0; i < tx->confirmation_count; i++) {
		const struct tx_service_confirmation *c = &tx->confirmations[i];
		count += (c->verified || c->needs_chain) && safe_view_is_owner(safe, &c->owner);
	}
	return count;
}

static void note(struct question *question, const struct tx_service_tx *tx)
{
	struct lane *lane = question->owner->lane;
	const struct safe_view *safe;
	char subject[SUBJECT_SIZE];

	if (tracker_safe(lane->tracker, &question->safe, &safe) != 0)
		return; /* it stopped answering meanwhile */
	unsigned confirmations = count_valid(tx, safe);
	if (confirmations == question->confirmations && safe->threshold == question->threshold)
		return;
	store_begin(lane->parts->store);
	store_safe_tx_set_confirmations(lane->parts->store, question->id, confirmations,
	                                safe->threshold);
	store_commit(lane->parts->store);
	log_info(proposal_subject(subject, question->proposal),
	         "confirmed by %u of %u owners needed", confirmations, safe->threshold);
	lane_changed(lane);
	lane_wake(lane); /* it may be executable now */
}

static int read_answer(struct arena *arena, struct tx_service_tx *tx,
                       const struct question *question, struct bytes body, struct error *error)
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
	struct tx_service_tx tx;
	struct error error = result->error;
	char subject[SUBJECT_SIZE];

	question->call = NULL;
	proposal_subject(subject, question->proposal);
	if (error.code == 0 && read_answer(&arena, &tx, question, result->body, &error) == 0) {
		backoff_worked(&question->backoff);
		note(question, &tx);
	} else {
		backoff_failed(&question->backoff, clock_mono(),
		               service_retry_max_ms(question->target));
		if (result->retry_after_ms > 0)
			question->due.ms = clock_mono().ms + result->retry_after_ms;
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
	if (backoff_wait_ms(&question->backoff, now) > wait)
		wait = backoff_wait_ms(&question->backoff, now);
	if (wait > 0)
		return wait;
	int64_t next =
	        service_interval_ms(target->service.poll_ms, clock_wall().ms - row->posted_at.ms);
	question->due.ms = now.ms + next;
	if (question->call == NULL) {
		service_api(service)->path_transaction(&path, &row->safe_tx_hash);
		question->call = service_send(service, buf_text(&path), bytes_of(NULL, 0), answered,
		                              question);
		buf_free(&path);
	}
	return next;
}

static bool is_queued(const struct safe_tx_list *open, struct safe_tx_id id)
{
	for (size_t i = 0; i < open->count; i++)
		if (open->items[i].id.n == id.n)
			return open->items[i].status == SAFE_TX_QUEUED;
	return false;
}

void confirmations_keep(struct confirmations *confirmations, const struct safe_tx_list *open)
{
	for (struct question **link = &confirmations->questions; *link != NULL;) {
		struct question *question = *link;
		if (is_queued(open, question->id)) {
			link = &question->next;
			continue;
		}
		*link = question->next;
		service_cancel(question->call);
		free(question);
	}
}
