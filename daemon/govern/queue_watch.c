#include "daemon/govern/queue_watch.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "daemon/govern/adopt.h"
#include "daemon/govern/blockage.h"
#include "daemon/govern/contested.h"
#include "daemon/govern/proposer.h"

#include <stdlib.h>
#include <string.h>

/* One Safe with a service that keeps its queue. */
struct watched {
	struct queue_watch *owner;
	const struct config_target *target; /* one of those that use it */
	bool due;
	struct proposal_id awaited; /* one that is in the way of something in the queue; 0: none */
	struct queue_look *look;    /* under way, else NULL */
	struct arena arena;         /* of the look */
	struct backoff backoff;
	struct mono looked; /* last started; 0: never */
};

struct queue_watch {
	struct lane *lane;
	struct watched *items;
	size_t count;
	bool started; /* fresh_from is set */
	uint64_t fresh_from;
	struct loop_timer *timer;
};

static void timer_fired(void *arg)
{
	queue_watch_run(arg);
}

static struct watched *watched_of(struct queue_watch *watch, const struct address *safe)
{
	for (size_t i = 0; i < watch->count; i++)
		if (address_equal(&watch->items[i].target->safe, safe))
			return &watch->items[i];
	return NULL;
}

struct queue_watch *queue_watch_new(struct lane *lane)
{
	const struct config *config = lane->parts->config;
	struct queue_watch *watch = xcalloc(1, sizeof(*watch));

	watch->lane = lane;
	watch->timer = loop_timer_new(lane->parts->loop, timer_fired, watch);
	watch->items = xcalloc(config->target_count + 1, sizeof(*watch->items));
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		if (target->chain != lane->config || target->service.kind == SERVICE_NONE ||
		    !lifecycle_has_safe(target->model) || watched_of(watch, &target->safe) != NULL)
			continue;
		watch->items[watch->count++] =
		        (struct watched){.owner = watch, .target = target, .due = true};
	}
	return watch;
}

void queue_watch_free(struct queue_watch *watch)
{
	if (watch == NULL)
		return;
	for (size_t i = 0; i < watch->count; i++) {
		queue_look_cancel(watch->items[i].look);
		arena_free(&watch->items[i].arena);
	}
	loop_timer_free(watch->timer);
	free(watch->items);
	free(watch);
}

/* --- what stands in a queue ---------------------------------------------------------------------
 */

/* One transaction being looked at. */
struct looked {
	struct lane *lane;
	struct arena *arena;
	const struct proposal_tx *tx;
	const struct governed_way *way;
	struct adopted found;
	const char *where;
	struct proposal_id contested; /* who is in its way; 0: nobody */
};

static const char *where_of(struct arena *arena, const struct proposal_tx *tx)
{
	char hash[HASH32_TEXT_SIZE], who[ADDRESS_TEXT_SIZE];

	return arena_printf(arena, "transaction %s with nonce %llu of the Safe's queue, by %s",
	                    hash32_text(hash, &tx->safe_tx_hash), (unsigned long long)tx->tx.nonce,
	                    tx->has_proposer ? address_text(who, &tx->proposer) : "nobody named");
}

static void tell(const struct looked *looked, const char *what)
{
	adopt_tell(
	        looked->lane, looked->way->targets[0]->name, &looked->tx->tx.safe,
	        &looked->tx->safe_tx_hash,
	        arena_printf(looked->arena, "%s, %s: %s", looked->where, what, looked->found.text));
}

/* The very transaction that a draft of ours is: posting takes it over as ours. */
static bool is_draft_of_ours(struct lane *lane, struct arena *arena, const struct safe_tx *tx)
{
	struct safe_tx_list open;

	store_safe_tx_open(lane->parts->store, arena, lane->config->chain_id, &open);
	for (size_t i = 0; i < open.count; i++) {
		const struct safe_tx_row *row = &open.items[i];
		if (row->status == SAFE_TX_DRAFTED && address_equal(&row->safe, &tx->safe) &&
		    address_equal(&row->to, &tx->to) && bytes_equal(row->data, tx->data) &&
		    row->operation == tx->operation)
			return true;
	}
	return false;
}

static bool has_open_execute(struct lane *lane, struct arena *arena, struct proposal_id id)
{
	struct safe_tx_list txs;

	store_safe_tx_list(lane->parts->store, arena, id, &txs);
	for (size_t i = 0; i < txs.count; i++)
		if (txs.items[i].purpose == PURPOSE_EXECUTE &&
		    txs.items[i].status <= SAFE_TX_QUEUED)
			return true;
	return false;
}

static bool nonce_is_free(struct lane *lane, struct arena *arena, const struct safe_tx *tx)
{
	struct safe_tx_list open;

	store_safe_tx_open(lane->parts->store, arena, lane->config->chain_id, &open);
	for (size_t i = 0; i < open.count; i++)
		if (open.items[i].has_nonce && open.items[i].nonce == tx->nonce &&
		    address_equal(&open.items[i].safe, &tx->safe))
			return false;
	return true;
}

/* People execute what is in the timelock by themselves: followed as that proposal's execution. */
static void take_execution(const struct looked *looked)
{
	struct lane *lane = looked->lane;
	struct store *store = lane->parts->store;
	const struct safe_tx *tx = &looked->tx->tx;
	struct proposal proposal;
	struct error error;

	if (adopt_find_operation(lane, looked->arena, &looked->way->way.timelock,
	                         &looked->found.operation_id, &proposal) != 0 ||
	    has_open_execute(lane, looked->arena, proposal.id) ||
	    !nonce_is_free(lane, looked->arena, tx))
		return;
	store_begin(store);
	const struct safe_tx_row fresh = {
	        .proposal = proposal.id,
	        .purpose = PURPOSE_EXECUTE,
	        .safe = tx->safe,
	        .to = tx->to,
	        .data = tx->data,
	        .operation = tx->operation,
	};
	struct safe_tx_id row = store_safe_tx_add(store, &fresh);
	if (store_safe_tx_assign(store, row, tx->nonce, &looked->tx->safe_tx_hash, &error) != 0)
		die("a free nonce is taken: %s", error.text);
	store_safe_tx_set_status(store, row, SAFE_TX_QUEUED, NULL, 0);
	store_commit(store);
	lane_changed(lane);
}

static void tell_cancellation(const struct looked *looked)
{
	struct proposal proposal;

	if (adopt_find_operation(looked->lane, looked->arena, &looked->way->way.timelock,
	                         &looked->found.operation_id, &proposal) == 0)
		tell(looked, arena_printf(looked->arena, "made by others, would cancel p%lld",
		                          (long long)proposal.id.n));
}

static void take_proposal(struct looked *looked)
{
	const struct adopt_offer offer = {.way = looked->way,
	                                  .found = &looked->found,
	                                  .tx = looked->tx,
	                                  .where = looked->where,
	                                  .drafted_after = looked->lane->final.number};

	if (!is_draft_of_ours(looked->lane, looked->arena, &looked->tx->tx))
		looked->contested = adopt_take(looked->lane, looked->arena, &offer);
}

static void take_ours(struct looked *looked)
{
	/* Several operations in one transaction: each becomes a proposal when it is scheduled. */
	if (looked->found.parts != 1)
		return;
	switch (looked->found.purpose) {
	case PURPOSE_SCHEDULE:
	case PURPOSE_APPLY:
		take_proposal(looked);
		return;
	case PURPOSE_EXECUTE:
		take_execution(looked);
		return;
	case PURPOSE_CANCEL:
		tell_cancellation(looked);
		return;
	case PURPOSE_REJECT:
		return;
	}
}

static struct proposal_id look_at(struct lane *lane, struct arena *arena,
                                  const struct proposal_tx *tx)
{
	struct looked looked = {.lane = lane, .arena = arena, .tx = tx};
	struct safe_tx_row known;

	if (store_safe_tx_find(lane->parts->store, arena, lane->config->chain_id, &tx->tx.safe,
	                       &tx->safe_tx_hash, &known) == 0)
		return looked.contested;
	looked.way = ways_read_safe_tx(&looked.found, arena, lane, &tx->tx);
	looked.where = where_of(arena, tx);
	switch (looked.found.verdict) {
	case ADOPT_UNRELATED:
		break;
	case ADOPT_FOREIGN:
		tell(&looked, "is more than registry calls and none of ours");
		break;
	case ADOPT_OURS:
		take_ours(&looked);
		break;
	}
	return looked.contested;
}

void queue_watch_seen(struct queue_watch *watch, const struct queue_view *view)
{
	struct watched *watched = watched_of(watch, &view->safe.safe);
	struct arena arena = {0};

	blockage_seen(watch->lane->blockage, view);
	if (watched != NULL) {
		watched->due &= watched->look != NULL;
		watched->awaited = (struct proposal_id){0};
	}
	contested_begin(watch->lane->contested, watched);
	for (size_t i = 0; i < view->count; i++) {
		struct proposal_id contested = look_at(watch->lane, &arena, &view->items[i]);
		if (watched != NULL && contested.n != 0)
			watched->awaited = contested;
	}
	contested_end(watch->lane->contested);
	arena_free(&arena);
}

static bool shares_call(const struct adopted *found, const struct proposal *proposal)
{
	for (size_t i = 0; i < found->call_count; i++)
		for (size_t k = 0; k < proposal->call_count; k++)
			if (address_equal(&found->calls[i].call.to, &proposal->calls[k].to) &&
			    bytes_equal(found->calls[i].call.data, proposal->calls[k].data))
				return true;
	return false;
}

const struct proposal_tx *queue_watch_overlap(const struct lane *lane, struct arena *arena,
                                              const struct queue_view *view,
                                              const struct proposal *proposal)
{
	for (size_t i = 0; i < view->count; i++) {
		struct adopted found;
		if (ways_read_safe_tx(&found, arena, lane, &view->items[i].tx) != NULL &&
		    found.verdict == ADOPT_OURS && shares_call(&found, proposal))
			return &view->items[i];
	}
	return NULL;
}

/* --- when to look -------------------------------------------------------------------------------
 */

bool queue_watch_want(struct queue_watch *watch, const struct address *safe)
{
	struct watched *watched = watched_of(watch, safe);

	if (watched == NULL || proposer_service(watch->lane->proposer, watched->target) == NULL)
		return false;
	/* However many transactions wait there, one look now and then is enough for all. */
	if (clock_mono().ms - watched->looked.ms <
	    QUEUE_WATCH_EVERY * watched->target->service.poll_ms)
		return false;
	watched->due = true;
	loop_timer_set(watch->timer, 0);
	return true;
}

static void looked(const struct error *error, int64_t retry_after_ms, const struct queue_view *view,
                   void *arg)
{
	struct watched *watched = arg;
	struct queue_watch *watch = watched->owner;
	struct mono now = clock_mono();

	watched->look = NULL;
	if (error == NULL) {
		backoff_worked(&watched->backoff);
		watched->due = false;
		queue_watch_seen(watch, view);
		proposer_queue_seen(watch->lane->proposer, view);
	} else {
		if (watched->backoff.failures == 0)
			log_unusual(watched->target->name,
			            "looking into the Safe's queue waits: %s", error->text);
		backoff_failed(&watched->backoff, now, service_retry_max_ms(watched->target));
		if (retry_after_ms > 0 && watched->backoff.next.ms < now.ms + retry_after_ms)
			watched->backoff.next.ms = now.ms + retry_after_ms;
	}
	arena_free(&watched->arena);
	queue_watch_run(watch);
}

/* What was in the way of something in the queue has ended. */
static bool way_is_free(struct queue_watch *watch, const struct watched *watched)
{
	struct arena arena = {0};
	struct proposal proposal;
	bool ended =
	        watched->awaited.n != 0 && (store_proposal_get(watch->lane->parts->store, &arena,
	                                                       watched->awaited, &proposal) != 0 ||
	                                    lifecycle_is_terminal(proposal.state));

	arena_free(&arena);
	return ended;
}

void queue_watch_run(struct queue_watch *watch)
{
	struct mono now = clock_mono();
	int64_t wait_ms = -1;

	for (size_t i = 0; i < watch->count; i++) {
		struct watched *watched = &watch->items[i];
		watched->due |= way_is_free(watch, watched);
		struct service *service = proposer_service(watch->lane->proposer, watched->target);
		if (!watched->due || watched->look != NULL || service == NULL)
			continue;
		int64_t wait = backoff_wait_ms(&watched->backoff, now);
		if (wait > 0) {
			wait_ms = wait_ms < 0 || wait < wait_ms ? wait : wait_ms;
			continue;
		}
		struct queue_ask ask = {.lane = watch->lane,
		                        .service = service,
		                        .safe = watched->target->safe,
		                        .arena = &watched->arena};
		watched->looked = now;
		watched->look = queue_look_start(&ask, looked, watched);
	}
	if (wait_ms >= 0)
		loop_timer_set(watch->timer, wait_ms);
}

/* --- what a Safe ran ----------------------------------------------------------------------------
 */

static void act_on_execution(struct queue_watch *watch, struct arena *arena,
                             const struct seen_log *log)
{
	struct lane *lane = watch->lane;
	struct watched *watched = watched_of(watch, &log->address);
	struct safe_tx_row known;

	if (store_safe_tx_find(lane->parts->store, arena, lane->config->chain_id, &log->address,
	                       &log->key, &known) == 0)
		return;
	if (watched != NULL && log->block_number > watch->fresh_from)
		watched->due = true;
}

void queue_watch_ticked(struct queue_watch *watch)
{
	struct lane *lane = watch->lane;
	struct store *store = lane->parts->store;
	const struct hash32 topics[] = {*event_topic0(EVENT_SAFE_SUCCESS),
	                                *event_topic0(EVENT_SAFE_FAILURE)};
	struct arena arena = {0};
	struct seen_log_list logs;

	/* What is older than the first tick is history: one look after the start is enough. */
	if (!watch->started)
		watch->fresh_from = lane->head.number;
	watch->started = true;
	logs = store_log_unacted(store, &arena, lane->config->chain_id, topics, ARRAY_LEN(topics),
	                         lane->head.number);
	if (logs.count > 0) {
		store_begin(store);
		for (size_t i = 0; i < logs.count; i++) {
			act_on_execution(watch, &arena, &logs.items[i]);
			store_log_acted(store, lane->config->chain_id, &logs.items[i]);
		}
		store_commit(store);
	}
	arena_free(&arena);
}
