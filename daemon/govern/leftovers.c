#include "daemon/govern/leftovers.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/governance/path.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "daemon/govern/delay_log.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/posting.h"
#include "daemon/govern/proposer.h"
#include "daemon/govern/queue.h"
#include "daemon/govern/queue_watch.h"
#include "daemon/govern/reads.h"
#include "daemon/govern/rejections.h"
#include "daemon/govern/tracker.h"

#include <inttypes.h>
#include <stdlib.h>

/* A Safe's nonce at the final block that was read last. */
struct final_nonce {
	struct address safe;
	uint64_t nonce;
};

/* What is remembered of one leftover between tries; lost at a restart without harm. */
struct item {
	struct item *next;
	struct safe_tx_id id;
	struct backoff backoff;
	struct mono since, next_look;
};

struct leftovers {
	struct lane *lane;
	struct loop_timer *timer;
	struct chain_op *op; /* the nonces at finality */
	struct arena asked_arena;
	struct final_nonce *asked;
	size_t asked_count;
	struct final_nonce *finals; /* as of final_block */
	size_t final_count;
	uint64_t final_block; /* 0: not read yet */
	struct backoff backoff;
	struct queue_look *look; /* of one row */
	struct arena look_arena;
	struct safe_tx_row row;
	struct item *items;
};

static void timer_fired(void *arg)
{
	leftovers_run(arg);
}

struct leftovers *leftovers_new(struct lane *lane)
{
	struct leftovers *leftovers = xcalloc(1, sizeof(*leftovers));

	leftovers->lane = lane;
	leftovers->timer = loop_timer_new(lane->parts->loop, timer_fired, leftovers);
	return leftovers;
}

void leftovers_free(struct leftovers *leftovers)
{
	if (leftovers == NULL)
		return;
	chain_cancel(leftovers->op);
	queue_look_cancel(leftovers->look);
	loop_timer_free(leftovers->timer);
	arena_free(&leftovers->asked_arena);
	arena_free(&leftovers->look_arena);
	while (leftovers->items != NULL) {
		struct item *next = leftovers->items->next;
		free(leftovers->items);
		leftovers->items = next;
	}
	free(leftovers->finals);
	free(leftovers);
}

static struct item *item_of(struct leftovers *leftovers, struct safe_tx_id id)
{
	for (struct item *item = leftovers->items; item != NULL; item = item->next)
		if (item->id.n == id.n)
			return item;
	struct item *item = xcalloc(1, sizeof(*item));
	item->id = id;
	item->since = clock_mono();
	item->next = leftovers->items;
	leftovers->items = item;
	return item;
}

/* --- what became of no use ----------------------------------------------------------------------
 */

static bool has_executed(const struct safe_tx_list *txs, const struct lane *lane)
{
	for (size_t i = 0; i < txs->count; i++)
		if (txs->items[i].purpose <= PURPOSE_APPLY &&
		    txs->items[i].status == SAFE_TX_EXECUTED &&
		    txs->items[i].tx_block <= lane->final.number)
			return true;
	return false;
}

static uint64_t scheduled_block(struct lane *lane, struct arena *arena,
                                const struct proposal *proposal)
{
	struct store *store = lane->parts->store;
	struct delay_added added;
	struct seen_log_list logs;

	if (proposal->model == MODEL_DELAY) {
		const struct delay_log of = {store, proposal->chain_id, &proposal->timelock};
		return delay_added_find(&added, &of, arena, &proposal->operation_id,
		                        proposal->drafted_after) == 0
		               ? added.log.block_number
		               : 0;
	}
	logs = store_log_find(store, arena, proposal->chain_id, &proposal->timelock,
	                      event_topic0(EVENT_CALL_SCHEDULED), &proposal->operation_id);
	return logs.count > 0 ? logs.items[logs.count - 1].block_number : 0;
}

/* The operation stands in the timelock (the entry in the module) for good, whoever brought it
 * there: once more it can only revert, or would be there twice. */
static bool is_scheduled(struct lane *lane, struct arena *arena, const struct proposal *proposal)
{
	if (!lifecycle_has_timelock(proposal->model) || proposal->state < STATE_TIMELOCK ||
	    proposal->state > STATE_EXECUTED)
		return false;
	uint64_t block = scheduled_block(lane, arena, proposal);
	return block > proposal->drafted_after && block <= lane->final.number;
}

/* Whether what the row was to do is over, so that no reorganisation brings its use back. */
static bool is_over(struct lane *lane, struct arena *arena, const struct proposal *proposal,
                    const struct safe_tx_row *row)
{
	struct safe_tx_list txs;

	if (lifecycle_is_terminal(proposal->state))
		return true;
	if (row->purpose != PURPOSE_SCHEDULE && row->purpose != PURPOSE_APPLY)
		return false;
	store_safe_tx_list(lane->parts->store, arena, proposal->id, &txs);
	return has_executed(&txs, lane) || is_scheduled(lane, arena, proposal);
}

/* In the queue it still counts as one to be signed: it does not any more. */
static void retire(struct lane *lane, struct arena *arena, const struct safe_tx_row *row)
{
	struct store *store = lane->parts->store;
	struct proposal proposal;

	if (row->status != SAFE_TX_QUEUED || row->purpose == PURPOSE_REJECT ||
	    store_proposal_get(store, arena, row->proposal, &proposal) != 0 ||
	    !is_over(lane, arena, &proposal, row))
		return;
	store_begin(store);
	store_safe_tx_set_status(store, row->id, SAFE_TX_WITHDRAWN, NULL, 0);
	store_commit(store);
	lane_wake(lane);
}

/* --- whose nonce was used -----------------------------------------------------------------------
 */

static bool find_final(const struct leftovers *leftovers, const struct address *safe, uint64_t *out)
{
	for (size_t i = 0; i < leftovers->final_count; i++)
		if (address_equal(&leftovers->finals[i].safe, safe)) {
			*out = leftovers->finals[i].nonce;
			return true;
		}
	return false;
}

static bool ran(struct lane *lane, struct arena *arena, const struct safe_tx_row *row,
                enum event_type type, struct seen_log *out)
{
	struct seen_log_list logs;

	logs = store_log_find(lane->parts->store, arena, row->chain_id, &row->safe,
	                      event_topic0(type), &row->safe_tx_hash);
	if (logs.count > 0)
		*out = logs.items[logs.count - 1];
	return logs.count > 0;
}

/* True when the row is over: its nonce was used, at finality. */
static bool settle(struct leftovers *leftovers, struct arena *arena, const struct safe_tx_row *row)
{
	struct store *store = leftovers->lane->parts->store;
	enum safe_tx_status status = SAFE_TX_REPLACED;
	struct seen_log log;
	bool known = false;
	uint64_t nonce;

	if (!find_final(leftovers, &row->safe, &nonce) || row->nonce >= nonce)
		return false;
	store_begin(store);
	if (row->status == SAFE_TX_WITHDRAWN) {
		store_safe_tx_set_gone(store, row->id);
	} else {
		if ((known = ran(leftovers->lane, arena, row, EVENT_SAFE_SUCCESS, &log)))
			status = SAFE_TX_EXECUTED;
		else if ((known = ran(leftovers->lane, arena, row, EVENT_SAFE_FAILURE, &log)))
			status = SAFE_TX_FAILED;
		else if (row->status == SAFE_TX_DRAFTED)
			status = SAFE_TX_WITHDRAWN;
		store_safe_tx_set_status(store, row->id, status, known ? &log.tx_hash : NULL,
		                         known ? log.block_number : 0);
	}
	store_commit(store);
	lane_changed(leftovers->lane);
	return true;
}

static void finals_answered(const struct error *error, const struct chain_read_result *results,
                            size_t count, void *arg)
{
	struct leftovers *leftovers = arg;
	struct lane *lane = leftovers->lane;

	(void)count;
	leftovers->op = NULL;
	if (error != NULL) {
		leftovers->final_block = 0; /* still to be read */
		backoff_failed(&leftovers->backoff, clock_mono(), chain_retry_max_ms(lane->config));
		loop_timer_set(leftovers->timer,
		               backoff_wait_ms(&leftovers->backoff, clock_mono()));
		return;
	}
	backoff_worked(&leftovers->backoff);
	leftovers->finals = xrealloc(leftovers->finals,
	                             (leftovers->asked_count + 1) * sizeof(*leftovers->finals));
	leftovers->final_count = 0;
	for (size_t i = 0; i < leftovers->asked_count; i++) {
		struct final_nonce *known = &leftovers->finals[leftovers->final_count];
		known->safe = leftovers->asked[i].safe;
		leftovers->final_count += reads_u64(&known->nonce, &results[i]) == 0;
	}
	leftovers_run(leftovers);
}

static void ask_finals(struct leftovers *leftovers, const struct safe_tx_list *rows)
{
	struct lane *lane = leftovers->lane;
	struct reads reads = {.arena = &leftovers->asked_arena};

	arena_free(&leftovers->asked_arena);
	leftovers->asked_count = 0;
	leftovers->asked =
	        arena_array(&leftovers->asked_arena, rows->count, sizeof(*leftovers->asked));
	for (size_t i = 0; i < rows->count; i++) {
		bool known = false;
		for (size_t k = 0; k < leftovers->asked_count; k++)
			known |= address_equal(&leftovers->asked[k].safe, &rows->items[i].safe);
		if (known)
			continue;
		leftovers->asked[leftovers->asked_count++].safe = rows->items[i].safe;
		reads_add_view(&reads, &rows->items[i].safe, VIEW_SAFE_NONCE);
	}
	leftovers->final_block = lane->final.number;
	leftovers->op = chain_read_many(lane->chain, &lane->final, reads.items, reads.count,
	                                finals_answered, leftovers);
}

/* --- the way out --------------------------------------------------------------------------------
 */

/* Another one of ours holds the nonce: the row dies with it. */
static bool has_rival(struct store *store, struct arena *arena, const struct safe_tx_row *row)
{
	struct safe_tx_list rivals;

	store_safe_tx_at_nonce(store, arena, row->chain_id, &row->safe, row->nonce, &rivals);
	for (size_t i = 0; i < rivals.count; i++)
		if (rivals.items[i].purpose != PURPOSE_REJECT &&
		    (rivals.items[i].status == SAFE_TX_POSTING ||
		     rivals.items[i].status == SAFE_TX_QUEUED))
			return true;
	return false;
}

/* Something of ours is about to take a nonce, which may be this one. */
static bool is_awaited(struct leftovers *leftovers, struct arena *arena,
                       const struct safe_tx_row *row)
{
	struct lane *lane = leftovers->lane;
	struct store *store = lane->parts->store;
	struct safe_tx_list open;
	struct address sender;

	store_safe_tx_open(store, arena, row->chain_id, &open);
	for (size_t i = 0; i < open.count; i++) {
		const struct safe_tx_row *next = &open.items[i];
		struct proposal proposal;
		if (next->status == SAFE_TX_DRAFTED && !next->has_nonce &&
		    address_equal(&next->safe, &row->safe) &&
		    store_proposal_get(store, arena, next->proposal, &proposal) == 0 &&
		    posting_allowed(store, arena, &proposal, next->purpose) &&
		    signer_address(lane->parts->signer, proposal.target, SIGNER_PROPOSER, &sender))
			return true;
	}
	return false;
}

static bool is_above(struct leftovers *leftovers, struct arena *arena,
                     const struct safe_tx_row *row, const struct queue_view *view)
{
	uint64_t *own;
	size_t count = store_safe_nonces(leftovers->lane->parts->store, arena, row->chain_id,
	                                 &row->safe, &own);

	for (size_t i = 0; i < view->count; i++)
		if (view->items[i].tx.nonce > row->nonce)
			return true;
	return count > 0 && own[count - 1] > row->nonce;
}

static void reject(struct leftovers *leftovers, const struct safe_tx_row *row,
                   const struct proposal *proposal)
{
	struct lane *lane = leftovers->lane;
	struct store *store = lane->parts->store;
	char subject[SUBJECT_SIZE], safe[ADDRESS_TEXT_SIZE];

	proposal_subject(subject, row->proposal);
	store_begin(store);
	rejections_add(store, row);
	lane_alarm_once(lane, ALARM_LEFT_IN_QUEUE, subject,
	                "its %s transaction with nonce %" PRIu64
	                " of the Safe %s can bring nothing any more (%s is %s), and what has a "
	                "higher nonce waits behind it: sign its rejection, with the same nonce",
	                purpose_name(row->purpose), row->nonce, address_text(safe, &row->safe),
	                subject, proposal_state_name(proposal->state));
	store_commit(store);
	draft_file_write(lane, row->proposal);
	lane_changed(lane);
	lane_wake(lane);
}

static void set_gone(struct leftovers *leftovers, const struct safe_tx_row *row)
{
	struct store *store = leftovers->lane->parts->store;

	store_begin(store);
	store_safe_tx_set_gone(store, row->id);
	store_commit(store);
}

/* How the queue stands says what is to be done. */
static void decide(struct leftovers *leftovers, struct arena *arena,
                   const struct proposal *proposal, const struct queue_view *view)
{
	const struct safe_tx_row *row = &leftovers->row;
	const struct proposal_tx *there = NULL;
	bool other = false, above = is_above(leftovers, arena, row, view);

	for (size_t i = 0; i < view->count; i++) {
		const struct proposal_tx *tx = &view->items[i];
		struct safe_tx_row own;
		if (tx->tx.nonce != row->nonce)
			continue;
		if (hash32_equal(&tx->safe_tx_hash, &row->safe_tx_hash))
			there = tx;
		else
			other |= store_safe_tx_find(leftovers->lane->parts->store, arena,
			                            row->chain_id, &row->safe, &tx->safe_tx_hash,
			                            &own) != 0 ||
			         own.status != SAFE_TX_WITHDRAWN;
	}
	if (other)
		return; /* that one can be executed in its place */
	bool fresh = there != NULL && there->confirmation_count == 0 && !above;
	if (fresh && row->deleted)
		return; /* while the queue was being read: the next look does not show it */
	if (there == NULL && !above && view->partial)
		return; /* it may be what could not be read */
	if (there == NULL && !above)
		set_gone(leftovers, row);
	else if (!fresh || !proposer_forget(leftovers->lane->proposer, proposal, row, true))
		reject(leftovers, row, proposal);
}

static void queue_seen(const struct error *error, int64_t retry_after_ms,
                       const struct queue_view *view, void *arg)
{
	struct leftovers *leftovers = arg;
	struct lane *lane = leftovers->lane;
	struct store *store = lane->parts->store;
	struct item *item = item_of(leftovers, leftovers->row.id);
	struct mono now = clock_mono();
	struct arena arena = {0};
	struct safe_tx_row row;
	struct proposal proposal;

	(void)retry_after_ms;
	leftovers->look = NULL;
	if (error != NULL) {
		backoff_failed(&item->backoff, now, SERVICE_RETRY_MAX_MS);
	} else {
		backoff_worked(&item->backoff);
		queue_watch_seen(lane->queue_watch, view);
		if (store_safe_tx_get(store, &arena, leftovers->row.id, &row) == 0 &&
		    row.status == SAFE_TX_WITHDRAWN && row.nonce >= view->safe.nonce &&
		    store_proposal_get(store, &arena, row.proposal, &proposal) == 0 &&
		    !rejections_exist(store, &arena, &row) && !has_rival(store, &arena, &row) &&
		    !is_awaited(leftovers, &arena, &row)) {
			leftovers->row = row;
			decide(leftovers, &arena, &proposal, view);
		}
	}
	arena_free(&arena);
	arena_free(&leftovers->look_arena);
	leftovers_run(leftovers);
}

static void look_at_queue(struct leftovers *leftovers, const struct safe_tx_row *row,
                          struct service *service, const struct config_target *target)
{
	struct item *item = item_of(leftovers, row->id);
	struct mono now = clock_mono();
	struct queue_ask ask = {.lane = leftovers->lane,
	                        .service = service,
	                        .safe = row->safe,
	                        .arena = &leftovers->look_arena};

	item->next_look.ms =
	        now.ms + service_interval_ms(target->service.poll_ms, now.ms - item->since.ms);
	leftovers->row = *row;
	leftovers->row.data = bytes_of(NULL, 0);
	leftovers->look = queue_look_start(&ask, queue_seen, leftovers);
}

/* Nobody can say where people who import files put it, if anywhere. */
static void tell_unplaced(struct leftovers *leftovers, const struct safe_tx_row *row,
                          const struct proposal *proposal, const struct config_target *target)
{
	struct lane *lane = leftovers->lane;
	struct store *store = lane->parts->store;
	char subject[SUBJECT_SIZE];

	if (target->service.kind == SERVICE_NONE)
		draft_file_write_reject(lane, proposal, row);
	store_begin(store);
	store_safe_tx_set_gone(store, row->id);
	if (target->service.kind == SERVICE_NONE)
		store_event_add(store, "safe-tx", proposal_subject(subject, row->proposal),
		                "%s %u is of no use any more: drafts/%s-reject-%s-%u is for where "
		                "somebody put it into the Safe's queue",
		                purpose_name(row->purpose), row->attempt, subject,
		                purpose_name(row->purpose), row->attempt);
	store_commit(store);
}

/* How long until something is due; below 0: nothing is. */
static int64_t consider(struct leftovers *leftovers, struct arena *arena,
                        const struct safe_tx_row *row)
{
	struct lane *lane = leftovers->lane;
	struct store *store = lane->parts->store;
	const struct config_target *target;
	struct proposal proposal;

	if (store_proposal_get(store, arena, row->proposal, &proposal) != 0 ||
	    (target = lane_target(lane, proposal.target)) == NULL)
		return -1;
	struct service *service = proposer_service(lane->proposer, target);
	if (row->has_nonce && service != NULL &&
	    (rejections_exist(store, arena, row) || has_rival(store, arena, row))) {
		proposer_forget(lane->proposer, &proposal, row, false);
		return -1;
	}
	if (!is_over(lane, arena, &proposal, row))
		return -1;
	if (!row->has_nonce) {
		tell_unplaced(leftovers, row, &proposal, target);
		return -1;
	}
	if (service == NULL) {
		if (!rejections_exist(store, arena, row))
			reject(leftovers, row, &proposal);
		return -1;
	}
	struct item *item = item_of(leftovers, row->id);
	struct mono now = clock_mono();
	int64_t wait = item->next_look.ms - now.ms, backoff = backoff_wait_ms(&item->backoff, now);
	if (wait < backoff)
		wait = backoff;
	if (wait > 0)
		return wait;
	if (is_awaited(leftovers, arena, row))
		return target->service.poll_ms;
	look_at_queue(leftovers, row, service, target);
	return -1;
}

/* What the tracker saw at the head spares the question: nothing of it was used. */
static bool is_read(const struct leftovers *leftovers, const struct safe_tx_list *rows)
{
	const struct safe_view *view;
	bool used = false;

	for (size_t i = 0; i < rows->count; i++)
		used |= rows->items[i].has_nonce &&
		        (tracker_safe(leftovers->lane->tracker, &rows->items[i].safe, &view) != 0 ||
		         view->nonce > rows->items[i].nonce);
	return !used || leftovers->final_block == leftovers->lane->final.number;
}

static void forget(struct leftovers *leftovers, const struct safe_tx_list *rows)
{
	for (struct item **link = &leftovers->items; *link != NULL;) {
		struct item *item = *link;
		bool there = false;
		for (size_t i = 0; i < rows->count; i++)
			there |= rows->items[i].id.n == item->id.n;
		if (there) {
			link = &item->next;
			continue;
		}
		*link = item->next;
		free(item);
	}
}

static void run(struct leftovers *leftovers, struct arena *arena)
{
	struct lane *lane = leftovers->lane;
	struct safe_tx_list rows;
	int64_t wait_ms = -1;

	store_safe_tx_left(lane->parts->store, arena, lane->config->chain_id, &rows);
	forget(leftovers, &rows);
	if (!is_read(leftovers, &rows)) {
		if (backoff_ready(&leftovers->backoff, clock_mono()))
			ask_finals(leftovers, &rows);
		return;
	}
	for (size_t i = 0; i < rows.count && leftovers->look == NULL; i++) {
		const struct safe_tx_row *row = &rows.items[i];
		if (row->has_nonce && settle(leftovers, arena, row))
			continue;
		retire(lane, arena, row);
		if (row->status != SAFE_TX_WITHDRAWN)
			continue;
		int64_t wait = consider(leftovers, arena, row);
		if (wait >= 0 && (wait_ms < 0 || wait < wait_ms))
			wait_ms = wait;
	}
	if (wait_ms >= 0 && leftovers->look == NULL)
		loop_timer_set(leftovers->timer, wait_ms);
}

void leftovers_run(struct leftovers *leftovers)
{
	struct lane *lane = leftovers->lane;
	struct arena arena = {0};

	if (lane->stopped || !lane->tracked || leftovers->op != NULL || leftovers->look != NULL)
		return;
	/* What the store says must be as new as what is decided by it. */
	if (tracker_is_looking(lane->tracker)) {
		loop_timer_set(leftovers->timer, lane->config->poll_ms);
		return;
	}
	run(leftovers, &arena);
	arena_free(&arena);
}
