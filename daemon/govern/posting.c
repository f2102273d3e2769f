#include "daemon/govern/fill.h"
#include "daemon/govern/posting.h"

#include "common/base/log.h"
#include "common/governance/proposal_origin.h"
#include "common/store/store_event.h"
#include "daemon/govern/nonces.h"
#include "daemon/govern/queue_watch.h"
#include "daemon/govern/scheduled.h"
#include "daemon/govern/tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As long as a request may be under way, and some more. */
enum { LATE_ARRIVAL_MS = 30 * 1000 };

struct posting {
	struct lane *lane;
	struct service *service;
	const struct config_target *target;
	posting_fn *done;
	void *arg;
	struct arena arena;
	struct safe_tx_row row; /* a copy, data in the arena */
	struct safe_tx tx;      /* what is hashed, signed and posted */
	bool has_key;
	struct address sender;
	bool was_posting; /* an earlier try may have been accepted by the service */
	struct proposal_delegate *delegations; /* of the sender */
	size_t delegation_count;
	struct queue_look *look;
	struct service_call *call;
	struct posting_result result;
};

static void posting_free(struct posting *posting)
{
	queue_look_cancel(posting->look);
	service_cancel(posting->call);
	arena_free(&posting->arena);
	free(posting);
}

void posting_cancel(struct posting *posting)
{
	if (posting != NULL)
		posting_free(posting);
}

static void finish(struct posting *posting)
{
	struct posting_result result = posting->result;
	posting_fn *done = posting->done;
	void *arg = posting->arg;

	posting_free(posting);
	done(&result, arg);
}

static void fail(struct posting *posting, int code, const char *text)
{
	error_set(&posting->result.error, (enum err)code, "%s", text);
	finish(posting);
}

static struct safe_tx tx_of_row(const struct safe_tx_row *row)
{
	return (struct safe_tx){
	        .chain_id = row->chain_id,
	        .safe = row->safe,
	        .to = row->to,
	        .data = row->data,
	        .operation = row->operation,
	        .nonce = row->nonce,
	};
}

static struct proposal_place place_of(const struct posting *posting)
{
	return (struct proposal_place){posting->row.chain_id, posting->row.safe};
}

static int parse_tx(struct posting *posting, struct proposal_tx *out, struct bytes body,
                    struct error *error)
{
	const struct proposal_place place = place_of(posting);

	return service_api(posting->service)->parse_tx(&posting->arena, out, &place, body, error);
}

/* --- what the store says now --------------------------------------------------------------------
 */

/* Whether the proposal does this with the measurement. */
static bool does(struct store *store, struct arena *arena, const struct proposal *proposal,
                 struct measurement_id id, enum action action)
{
	struct proposal_id *carriers;
	size_t count = store_measurement_carriers(store, arena, id, action, &carriers);

	for (size_t i = 0; i < count; i++)
		if (carriers[i].n == proposal->id.n)
			return true;
	return false;
}

static bool still_wanted(struct store *store, struct arena *arena, const struct proposal *proposal)
{
	struct measurement_list served;

	store_proposal_measurements(store, arena, proposal->id, &served);
	for (size_t i = 0; i < served.count; i++) {
		const struct measurement *m = &served.items[i];
		if (m->status == MEASUREMENT_HELD ||
		    does(store, arena, proposal, m->id, m->wanted ? ACTION_REMOVE : ACTION_ADD))
			return false;
	}
	return true;
}

bool posting_allowed(struct store *store, struct arena *arena, const struct proposal *proposal,
                     enum purpose purpose)
{
	bool withdrawing = (proposal->flags & FLAG_WITHDRAWING) != 0;

	/* It is of one nonce alone, which something of no use holds. */
	if (purpose == PURPOSE_REJECT)
		return true;
	if (lifecycle_is_terminal(proposal->state))
		return false;
	switch (purpose) {
	case PURPOSE_SCHEDULE:
	case PURPOSE_APPLY:
	case PURPOSE_EXECUTE:
		return !withdrawing && still_wanted(store, arena, proposal);
	case PURPOSE_REJECT:
		break;
	case PURPOSE_CANCEL:
		return withdrawing &&
		       (proposal->state == STATE_TIMELOCK || proposal->state == STATE_EXECUTE);
	}
	die("no such purpose: %d", (int)purpose);
}

/* People and the tracker go on while service, chain and signer are asked: each step that leaves a
 * trace looks again. */
static bool still_open(struct posting *posting)
{
	struct safe_tx_row now;

	return store_safe_tx_get(posting->lane->parts->store, &posting->arena, posting->row.id,
	                         &now) == 0 &&
	       (now.status == SAFE_TX_DRAFTED || now.status == SAFE_TX_POSTING);
}

static bool still_allowed(struct posting *posting)
{
	struct store *store = posting->lane->parts->store;
	struct proposal proposal;

	return !posting->lane->stopped && still_open(posting) &&
	       store_proposal_get(store, &posting->arena, posting->row.proposal, &proposal) == 0 &&
	       (posting_allowed(store, &posting->arena, &proposal, posting->row.purpose) ||
	        fill_allowed(store, &posting->arena, &proposal, &posting->row));
}

/* Nobody can have seen it under this nonce. */
static void give_nonce_up(struct posting *posting)
{
	struct store *store = posting->lane->parts->store;

	if (!still_open(posting))
		return;
	store_begin(store);
	store_safe_tx_unassign(store, posting->row.id);
	store_commit(store);
	posting->row.has_nonce = false;
}

/* --- in the queue
 * --------------------------------------------------------------------------------- */

/* A further attempt that took the nonce of the one before stands for it from now on. */
static void supersede(struct posting *posting)
{
	struct store *store = posting->lane->parts->store;
	struct safe_tx_list txs;

	store_safe_tx_list(store, &posting->arena, posting->row.proposal, &txs);
	for (size_t i = 0; i < txs.count; i++) {
		const struct safe_tx_row *old = &txs.items[i];
		if (old->purpose == posting->row.purpose && old->attempt < posting->row.attempt &&
		    old->status == SAFE_TX_QUEUED && old->nonce == posting->row.nonce)
			store_safe_tx_supersede(store, old->id, posting->row.id);
	}
}

static void queued(struct posting *posting, const char *how)
{
	struct store *store = posting->lane->parts->store;
	char hash[HASH32_TEXT_SIZE];

	if (!still_open(posting)) {
		finish(posting);
		return;
	}
	store_begin(store);
	store_safe_tx_set_status(store, posting->row.id, SAFE_TX_QUEUED, NULL, 0);
	supersede(posting);
	store_event_add(
	        store, "safe-tx", posting->result.subject, "%s: %s transaction %s, nonce %llu", how,
	        purpose_name(posting->row.purpose), hash32_text(hash, &posting->row.safe_tx_hash),
	        (unsigned long long)posting->row.nonce);
	store_commit(store);
	log_info(posting->result.subject, "%s: %s transaction with nonce %llu", how,
	         purpose_name(posting->row.purpose), (unsigned long long)posting->row.nonce);
	posting->result.queued = true;
	finish(posting);
}

static void read_back(const struct service_result *result, void *arg)
{
	struct posting *posting = arg;
	struct proposal_tx tx;
	struct error error;

	posting->call = NULL;
	if (result->error.code != 0) {
		posting->result.retry_after_ms = result->retry_after_ms;
		fail(posting, ERR_UNAVAILABLE, result->error.text);
		return;
	}
	if (parse_tx(posting, &tx, result->body, &error) != 0)
		fail(posting, ERR_UNAVAILABLE, error.text);
	else if (!hash32_equal(&tx.safe_tx_hash, &posting->row.safe_tx_hash))
		fail(posting, ERR_UNAVAILABLE, "the service answers with another transaction");
	else if (!tx.trusted)
		fail(posting, ERR_UNAVAILABLE, "the service took it but does not trust it");
	else
		queued(posting, "proposed");
}

static void ask_by_hash(struct posting *posting, service_fn *done)
{
	struct buf path = {0};

	service_api(posting->service)->path_transaction(&path, &posting->row.safe_tx_hash);
	posting->call =
	        service_send(posting->service, buf_text(&path), bytes_of(NULL, 0), done, posting);
	buf_free(&path);
}

/* --- posting
 * --------------------------------------------------------------------------------------- */

static void post_answered(const struct service_result *result, void *arg)
{
	struct posting *posting = arg;

	posting->call = NULL;
	if (result->error.code == ERR_DENIED && !posting->was_posting)
		give_nonce_up(posting); /* refused and never accepted before */
	if (result->error.code != 0) {
		posting->result.retry_after_ms = result->retry_after_ms;
		fail(posting, result->error.code, result->error.text);
		return;
	}
	ask_by_hash(posting, read_back);
}

/* What the signers see beside the proposal: kind, value and the hash of the strongest evidence. */
static struct proposal_note note_of(struct posting *posting, const struct call *call,
                                    const struct measurement_list *served)
{
	struct proposal_note note = {
	        .action = call->action, .kind = call->kind, .value = call->value};
	enum evidence_level best = 0;

	for (size_t i = 0; i < served->count; i++) {
		struct evidence_list list;
		if (!hash32_equal(&served->items[i].value, &call->value))
			continue;
		store_evidence_list(posting->lane->parts->store, &posting->arena,
		                    served->items[i].id, &list);
		for (size_t k = 0; k < list.count; k++)
			if (list.items[k].level > best) {
				best = list.items[k].level;
				note.evidence = list.items[k].artifact_sha256;
			}
	}
	return note;
}

static void make_origin(struct posting *posting, char origin[PROPOSAL_ORIGIN_SIZE])
{
	struct store *store = posting->lane->parts->store;
	struct proposal proposal;
	struct measurement_list served;

	origin[0] = '\0';
	if (store_proposal_get(store, &posting->arena, posting->row.proposal, &proposal) != 0)
		return;
	struct safe_tx_list txs;
	store_safe_tx_list(store, &posting->arena, proposal.id, &txs);
	if (fill_is(&txs, &posting->row)) {
		snprintf(origin, PROPOSAL_ORIGIN_SIZE,
		         "{\"name\":\"registrard\",\"note\":\"empty: fills a hole below p%lld\"}",
		         (long long)proposal.id.n);
		return;
	}
	store_proposal_measurements(store, &posting->arena, proposal.id, &served);
	struct proposal_note *notes =
	        arena_array(&posting->arena, proposal.call_count, sizeof(*notes));
	for (size_t i = 0; i < proposal.call_count; i++)
		notes[i] = note_of(posting, &proposal.calls[i], &served);
	proposal_origin(origin, posting->row.purpose, notes, proposal.call_count);
}

static void signed_one(const struct error *error, const uint8_t signature[65],
                       const struct hash32 *safe_tx_hash, void *arg)
{
	struct posting *posting = arg;
	const struct proposal_place place = place_of(posting);
	char origin[PROPOSAL_ORIGIN_SIZE];
	struct buf body = {0}, path = {0};

	if (error != NULL) {
		fail(posting, error->code, error->text);
		return;
	}
	if (!hash32_equal(safe_tx_hash, &posting->row.safe_tx_hash)) {
		fail(posting, ERR_DENIED, "the signer computed another safeTxHash");
		return;
	}
	if (!still_allowed(posting)) {
		if (!posting->was_posting)
			give_nonce_up(posting);
		finish(posting);
		return;
	}
	make_origin(posting, origin);
	service_api(posting->service)
	        ->propose_body(&body, &posting->tx, &posting->sender, signature, origin);
	service_api(posting->service)->path_propose(&path, &place);
	posting->call = service_send(posting->service, buf_text(&path), buf_bytes(&body),
	                             post_answered, posting);
	buf_free(&path);
	buf_free(&body);
}

static void sign(struct posting *posting)
{
	posting->tx = tx_of_row(&posting->row);
	signer_sign_safe_tx(posting->lane->parts->signer, posting->target->name,
	                    posting->row.purpose, &posting->tx, signed_one, posting);
}

/* --- the nonce
 * --------------------------------------------------------------------------------------- */

static bool assign(struct posting *posting, uint64_t nonce, bool competes)
{
	struct store *store = posting->lane->parts->store;
	struct error error;
	int rc;

	posting->row.nonce = nonce;
	posting->row.has_nonce = true;
	posting->row.shares = competes;
	posting->tx = tx_of_row(&posting->row);
	posting->row.safe_tx_hash = safe_tx_hash(&posting->tx);
	const struct hash32 *hash = &posting->row.safe_tx_hash;
	store_begin(store);
	rc = competes ? store_safe_tx_compete(store, posting->row.id, nonce, hash, &error)
	              : store_safe_tx_assign(store, posting->row.id, nonce, hash, &error);
	store_commit(store);
	if (rc != 0)
		fail(posting, ERR_UNAVAILABLE, error.text);
	return rc == 0;
}

/* What displaces others says whom, in the log, before it is posted. */
static void tell_displaced(struct posting *posting, const struct queue_view *view)
{
	struct store *store = posting->lane->parts->store;
	struct proposal_id whose;

	store_begin(store);
	for (size_t i = 0; i < view->count; i++)
		if (view->items[i].tx.nonce == posting->row.nonce)
			store_event_add(store, "safe-tx", posting->result.subject,
			                "%s %u: with nonce %llu it displaces %s",
			                purpose_name(posting->row.purpose), posting->row.attempt,
			                (unsigned long long)posting->row.nonce,
			                nonces_whose(posting->lane, &posting->arena,
			                             &view->items[i], &whose));
	store_commit(store);
}

static bool is_delegate(const struct posting *posting, const struct safe_view *safe)
{
	for (size_t i = 0; i < posting->delegation_count; i++) {
		const struct proposal_delegate *d = &posting->delegations[i];
		if (address_equal(&d->delegate, &posting->sender) &&
		    (d->every_safe || address_equal(&d->safe, &safe->safe)) &&
		    safe_view_is_owner(safe, &d->delegator))
			return true;
	}
	return false;
}

/* An owner's signature would be a confirmation, which is for people to give. */
static const char *sender_problem(const struct posting *posting, const struct safe_view *safe)
{
	if (!safe_view_is_owner(safe, &posting->sender))
		return is_delegate(posting, safe)
		               ? NULL
		               : "the proposer key is no delegate of an owner of the "
		                 "Safe, so its service would refuse the proposal; an "
		                 "owner has to add it as a delegate";
	if (safe->threshold == 1)
		return "the proposer key is an owner of a Safe with threshold 1: its signature "
		       "alone would "
		       "execute; use a delegate's key";
	if (!posting->target->proposer_may_confirm)
		return "the proposer key is an owner of the Safe, so its signature would be a "
		       "confirmation; use "
		       "a delegate's key (or set proposer_may_confirm: yes)";
	return NULL;
}

/* The queue may be ahead of the store: a copy restored from an older backup has forgotten what was
 * posted since, and people post, too. The same call is not asked for twice. */
static bool asked_already(struct posting *posting, const struct queue_view *view,
                          struct error *error)
{
	const struct safe_view *read;
	struct proposal proposal;
	char hash[HASH32_TEXT_SIZE];

	if ((posting->row.purpose != PURPOSE_SCHEDULE && posting->row.purpose != PURPOSE_APPLY) ||
	    store_proposal_get(posting->lane->parts->store, &posting->arena, posting->row.proposal,
	                       &proposal) != 0)
		return false;
	/* What left the queue since the last tick was executed in blocks whose logs are not read.
	 */
	if (tracker_safe(posting->lane->tracker, &posting->row.safe, &read) == 0 &&
	    read->nonce != view->safe.nonce) {
		lane_doubt(posting->lane);
		error_set(error, ERR_UNAVAILABLE,
		          "the Safe's nonce moved since the logs were read");
		return true;
	}
	for (size_t i = 0; i < proposal.call_count; i++) {
		struct contract_call call = {.to = proposal.calls[i].to,
		                             .data = proposal.calls[i].data};
		struct hash32 operation;
		if (scheduled_elsewhere(posting->lane, &posting->arena, &proposal.timelock, &call,
		                        &proposal.operation_id, &operation)) {
			error_set(error, ERR_DENIED,
			          "operation %s of the timelock makes one of its calls already",
			          hash32_text(hash, &operation));
			return true;
		}
	}
	struct queue_view others =
	        nonces_without(view, posting->lane, &posting->arena, &posting->row);
	const struct proposal_tx *other =
	        queue_watch_overlap(posting->lane, &posting->arena, &others, &proposal);
	if (other == NULL || (posting->row.has_nonce &&
	                      hash32_equal(&other->safe_tx_hash, &posting->row.safe_tx_hash)))
		return false;
	error_set(error, ERR_DENIED,
	          "the Safe's queue asks for one of its calls already, with nonce %llu: %s",
	          (unsigned long long)other->tx.nonce, hash32_text(hash, &other->safe_tx_hash));
	return true;
}

static void allocate_and_sign(struct posting *posting, const struct queue_view *view)
{
	struct proposal proposal;

	if (store_proposal_get(posting->lane->parts->store, &posting->arena, posting->row.proposal,
	                       &proposal) != 0)
		die("a Safe transaction without its proposal");
	struct nonce_choice choice =
	        nonces_choose(view, posting->lane, &posting->arena, &posting->row, &proposal);
	if (!assign(posting, choice.nonce, choice.competes))
		return;
	if (choice.competes)
		tell_displaced(posting, view);
	/* What was taken now may have filled one; another may be left below what is pending. */
	nonces_alarm_hole(view, posting->lane, &posting->arena, posting->target->name);
	sign(posting);
}

/* The queued transaction that is this very one, unless another row of ours stands for it. */
static const struct proposal_tx *find_same(struct posting *posting, const struct queue_view *view)
{
	const struct proposal_tx *same = queue_find_same(view, &posting->row);
	struct safe_tx_row own;

	if (same != NULL &&
	    store_safe_tx_find(posting->lane->parts->store, &posting->arena, posting->row.chain_id,
	                       &posting->row.safe, &same->safe_tx_hash, &own) == 0 &&
	    own.id.n != posting->row.id.n && own.status <= SAFE_TX_QUEUED)
		return NULL;
	return same;
}

static const struct proposal_tx *find_hash(const struct queue_view *view, const struct hash32 *hash)
{
	for (size_t i = 0; i < view->count; i++)
		if (hash32_equal(&view->items[i].safe_tx_hash, hash))
			return &view->items[i];
	return NULL;
}

/* What was sent shortly before a crash may still arrive: only after that is it certain that nobody
 * has it. */
static void forget_if_lost(struct posting *posting)
{
	struct store *store = posting->lane->parts->store;
	int64_t age = clock_wall().ms - posting->row.posted_at.ms;

	if (posting->row.has_nonce && age < 0 && still_open(posting)) {
		store_begin(store);
		store_safe_tx_repost(store, posting->row.id);
		store_commit(store);
	} else if (posting->row.has_nonce && age >= LATE_ARRIVAL_MS) {
		give_nonce_up(posting);
		lane_track(posting->lane);
	}
}

/* A rejection has one nonce, which something else holds by its nature. */
static void reject_in_queue(struct posting *posting, const struct queue_view *view)
{
	struct store *store = posting->lane->parts->store;
	bool there = find_hash(view, &posting->row.safe_tx_hash) != NULL;
	const char *problem;

	if (posting->row.nonce < view->safe.nonce && still_open(posting)) {
		store_begin(store);
		store_safe_tx_set_status(store, posting->row.id, SAFE_TX_WITHDRAWN, NULL, 0);
		store_commit(store);
		finish(posting);
	} else if (!there && (!posting->has_key || !still_allowed(posting))) {
		finish(posting);
	} else if (!there && (problem = sender_problem(posting, &view->safe)) != NULL) {
		fail(posting, ERR_DENIED, problem);
	} else if (posting->row.status == SAFE_TX_POSTING ||
	           assign(posting, posting->row.nonce, false)) {
		if (there)
			queued(posting, "found in the Safe's queue");
		else
			sign(posting);
	}
}

static void queue_seen(const struct error *error, int64_t retry_after_ms,
                       const struct queue_view *seen, void *arg)
{
	struct posting *posting = arg;
	struct queue_view view;

	posting->look = NULL;
	if (error != NULL) {
		posting->result.retry_after_ms = retry_after_ms;
		fail(posting, error->code, error->text);
		return;
	}
	/* What others ask for is taken over first: this draft may give way to it. */
	queue_watch_seen(posting->lane->queue_watch, seen);
	view = *seen;
	if (posting->row.purpose == PURPOSE_REJECT) {
		reject_in_queue(posting, &view);
		return;
	}
	/* What stands in the queue already, whoever put it there, is taken over and not asked
	 * twice. */
	const struct proposal_tx *same = find_same(posting, &view);
	struct proposal_tx found = {0};
	if (same != NULL)
		found = *same;
	nonces_drop_dead(&view, posting->lane, &posting->arena);
	/* Asked by hash before: the service never had it, so nobody can have signed it. */
	if (posting->row.has_nonce && nonces_lost(&view, &posting->row))
		give_nonce_up(posting);
	/* Its answer about the one transaction may lag behind its queue. */
	if (posting->row.has_nonce && find_hash(&view, &posting->row.safe_tx_hash) != NULL) {
		queued(posting, "found in the Safe's queue");
		return;
	}
	if (same != NULL && !posting->row.has_nonce && still_open(posting)) {
		if (assign(posting, found.tx.nonce,
		           nonces_held(posting->lane, &posting->arena, &posting->row.safe,
		                       found.tx.nonce)))
			queued(posting, "found in the Safe's queue");
		return;
	}
	if (!posting->has_key || !still_allowed(posting)) {
		forget_if_lost(posting);
		finish(posting);
		return;
	}
	const char *problem = sender_problem(posting, &view.safe);
	struct error overlap;
	if (problem != NULL)
		fail(posting, ERR_DENIED, problem);
	else if (asked_already(posting, &view, &overlap)) {
		/* The service never had it: without its nonce it can give way to what is there. */
		if (posting->row.has_nonce && !posting->was_posting && overlap.code == ERR_DENIED)
			give_nonce_up(posting);
		fail(posting, overlap.code, overlap.text);
	} else if (posting->row.has_nonce)
		sign(posting);
	else
		allocate_and_sign(posting, &view);
}

static void look_at_queue(struct posting *posting)
{
	struct queue_ask ask = {.lane = posting->lane,
	                        .service = posting->service,
	                        .safe = posting->row.safe,
	                        .arena = &posting->arena};

	posting->look = queue_look_start(&ask, queue_seen, posting);
}

static void delegations_answered(const struct service_result *result, void *arg)
{
	struct posting *posting = arg;
	struct error error;

	posting->call = NULL;
	if (result->error.code != 0) {
		posting->result.retry_after_ms = result->retry_after_ms;
		fail(posting, ERR_UNAVAILABLE, result->error.text);
	} else if (proposal_parse_delegates(
	                   &posting->arena, &posting->delegations, &posting->delegation_count,
	                   arena_copy(&posting->arena, result->body), &error) != 0) {
		fail(posting, ERR_UNAVAILABLE, error.text);
	} else {
		look_at_queue(posting);
	}
}

/* Whose delegate is our key? Asked first, so that the queue is read as late as possible. */
static void begin(struct posting *posting)
{
	const struct proposal_place place = place_of(posting);
	struct buf path = {0};

	if (!posting->has_key) {
		look_at_queue(posting);
		return;
	}
	service_api(posting->service)->path_delegations(&path, &place, &posting->sender);
	posting->call = service_send(posting->service, buf_text(&path), bytes_of(NULL, 0),
	                             delegations_answered, posting);
	buf_free(&path);
}

static bool untrusted(struct posting *posting, const struct service_result *result)
{
	struct proposal_tx tx;

	return result->error.code == 0 && parse_tx(posting, &tx, result->body, NULL) == 0 &&
	       hash32_equal(&tx.safe_tx_hash, &posting->row.safe_tx_hash) && !tx.trusted;
}

/* A row left in `posting` by a crash or a lost answer: does the service have it? */
static void asked_first(const struct service_result *result, void *arg)
{
	struct posting *posting = arg;

	if (result->error.code == ERR_NOT_FOUND) {
		posting->call = NULL;
		posting->was_posting = false;
		begin(posting);
	} else if (posting->has_key && untrusted(posting, result)) {
		/* Somebody put it there without a signature: ours makes it trusted. */
		posting->call = NULL;
		begin(posting);
	} else {
		read_back(result, arg);
	}
}

struct posting *posting_start(struct lane *lane, struct service *service,
                              const struct safe_tx_row *row, const struct proposal *proposal,
                              posting_fn *done, void *arg)
{
	struct posting *posting = xcalloc(1, sizeof(*posting));

	posting->lane = lane;
	posting->service = service;
	posting->target = lane_target(lane, proposal->target);
	posting->done = done;
	posting->arg = arg;
	posting->row = *row;
	posting->row.data = arena_copy(&posting->arena, row->data);
	posting->has_key = signer_address(lane->parts->signer, posting->target->name,
	                                  SIGNER_PROPOSER, &posting->sender);
	posting->was_posting = row->status == SAFE_TX_POSTING;
	posting->result = (struct posting_result){
	        .retry_after_ms = -1,
	        .look_again_ms = posting->target->service.poll_ms,
	        .retry_max_ms = service_retry_max_ms(posting->target),
	};
	proposal_subject(posting->result.subject, row->proposal);
	if (row->status == SAFE_TX_POSTING)
		ask_by_hash(posting, asked_first);
	else
		begin(posting);
	return posting;
}
