#include "daemon/govern/blockage.h"

#include "common/base/log.h"
#include "common/store/store_blocked.h"
#include "daemon/govern/nonces.h"
#include "daemon/govern/live.h"
#include "daemon/govern/queue_watch.h"
#include "daemon/govern/tracker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_NAMED = 5, /* of those in front, for people */
	MOST_LOOKED_AT = 1000,
};

/* One entry of a queue as it was last read. */
struct entry {
	uint64_t nonce;
	struct hash32 hash;
	bool has_proposer;
	struct address proposer;
	size_t signatures;
};

/* A Safe's queue as it was last read; lost at a restart without harm. */
struct memory {
	struct memory *next;
	struct address safe;
	struct wall at;
	struct entry *entries;
	size_t count;
};

struct blockage {
	struct lane *lane;
	struct loop_timer *timer;
	struct memory *memories;
	/* How it all stood at the last comparison: as long as it does, another finds the same. */
	const struct live *live; /* held; NULL: something may be different */
	uint64_t safe_moves;
};

static void forget_last(struct blockage *blockage)
{
	live_drop(blockage->live);
	blockage->live = NULL;
}

static void timer_fired(void *arg)
{
	struct blockage *blockage = arg;

	forget_last(blockage);
	blockage_run(blockage);
}

struct blockage *blockage_new(struct lane *lane)
{
	struct blockage *blockage = xcalloc(1, sizeof(*blockage));

	blockage->lane = lane;
	blockage->timer = loop_timer_new(lane->parts->loop, timer_fired, blockage);
	return blockage;
}

void blockage_free(struct blockage *blockage)
{
	if (blockage == NULL)
		return;
	while (blockage->memories != NULL) {
		struct memory *next = blockage->memories->next;
		free(blockage->memories->entries);
		free(blockage->memories);
		blockage->memories = next;
	}
	forget_last(blockage);
	loop_timer_free(blockage->timer);
	free(blockage);
}

/* --- what a queue held --------------------------------------------------------------------------
 */

static struct memory *memory_of(const struct blockage *blockage, const struct address *safe)
{
	struct memory *memory = blockage->memories;

	while (memory != NULL && !address_equal(&memory->safe, safe))
		memory = memory->next;
	return memory;
}

void blockage_seen(struct blockage *blockage, const struct queue_view *view)
{
	struct memory *memory = memory_of(blockage, &view->safe.safe);

	if (memory == NULL) {
		memory = xcalloc(1, sizeof(*memory));
		memory->safe = view->safe.safe;
		memory->next = blockage->memories;
		blockage->memories = memory;
	}
	free(memory->entries);
	memory->entries = xcalloc(view->count + 1, sizeof(*memory->entries));
	memory->count = view->count;
	memory->at = clock_wall();
	for (size_t i = 0; i < view->count; i++) {
		const struct proposal_tx *tx = &view->items[i];
		memory->entries[i] = (struct entry){.nonce = tx->tx.nonce,
		                                    .hash = tx->safe_tx_hash,
		                                    .has_proposer = tx->has_proposer,
		                                    .proposer = tx->proposer,
		                                    .signatures = tx->confirmation_count};
	}
	nonces_queue_seen(view, blockage->lane);
	forget_last(blockage);
	blockage_run(blockage);
}

/* --- a Safe's nonces from its own on ------------------------------------------------------------
 */

/* One nonce that is still to come. */
struct place {
	const struct safe_tx_row *own[2]; /* ours that hold it, at most two are named */
	const struct entry *other;        /* somebody's, as its queue was last read; NULL: none */
};

/* What is known of one Safe in one pass: the same for all that wait there. */
struct order {
	struct order *next;
	const struct safe_view *safe;
	const struct memory *memory; /* NULL: its queue was not read yet */
	struct place *places;        /* from the Safe's own nonce on */
	size_t count;
};

static struct place *place_of(const struct order *order, uint64_t nonce)
{
	if (nonce < order->safe->nonce || nonce - order->safe->nonce >= order->count)
		return NULL;
	return &order->places[nonce - order->safe->nonce];
}

static void take_own(struct order *order, const struct safe_tx_list *open)
{
	for (size_t i = 0; i < open->count; i++) {
		const struct safe_tx_row *row = &open->items[i];
		struct place *place = place_of(order, row->nonce);
		if (place == NULL || !address_equal(&row->safe, &order->safe->safe) ||
		    (row->status != SAFE_TX_POSTING && row->status != SAFE_TX_QUEUED))
			continue;
		if (place->own[0] == NULL)
			place->own[0] = row;
		else
			place->own[1] = row;
	}
}

static struct order *order_new(const struct blockage *blockage, struct arena *arena,
                               const struct safe_view *safe, const struct safe_tx_list *open)
{
	struct order *order = arena_alloc(arena, sizeof(*order));
	uint64_t last = safe->nonce;

	for (size_t i = 0; i < open->count; i++)
		if (open->items[i].nonce > last && address_equal(&open->items[i].safe, &safe->safe))
			last = open->items[i].nonce;
	/* Somebody may propose whatever nonce, and what is adopted has it. */
	*order = (struct order){
	        .safe = safe,
	        .memory = memory_of(blockage, &safe->safe),
	        .count = last - safe->nonce < MOST_LOOKED_AT ? (size_t)(last - safe->nonce)
	                                                     : MOST_LOOKED_AT,
	};
	order->places = arena_array(arena, order->count + 1, sizeof(*order->places));
	take_own(order, open);
	for (size_t i = 0; order->memory != NULL && i < order->memory->count; i++) {
		struct place *place = place_of(order, order->memory->entries[i].nonce);
		if (place != NULL && place->other == NULL)
			place->other = &order->memory->entries[i];
	}
	return order;
}

/* --- one transaction that waits ------------------------------------------------------------------
 */

struct waiting {
	struct blockage *blockage;
	struct arena *arena;
	const struct safe_tx_row *row;
	const struct config_target *target; /* NULL: left the configuration */
	const struct order *order;
};

/* Whether the queue was read after our transaction took its place in it: only then a gap in it is
 * one. */
static bool is_known(const struct waiting *waiting)
{
	const struct memory *memory = waiting->order->memory;

	return memory != NULL && memory->at.ms > waiting->row->posted_at.ms;
}

static const char *own_text(const struct waiting *waiting, const struct place *place)
{
	const struct safe_tx_row *a = place->own[0], *b = place->own[1];

	if (b == NULL && a->purpose == PURPOSE_REJECT)
		return arena_printf(waiting->arena, "the empty transaction of p%lld",
		                    (long long)a->proposal.n);
	if (b == NULL)
		return arena_printf(waiting->arena, "the %s transaction of p%lld",
		                    purpose_name(a->purpose), (long long)a->proposal.n);
	return arena_printf(waiting->arena,
	                    "the %s transaction of p%lld or the %s transaction of p%lld",
	                    purpose_name(a->purpose), (long long)a->proposal.n,
	                    purpose_name(b->purpose), (long long)b->proposal.n);
}

/* Who holds the nonce, in words. */
static const char *who_holds(const struct waiting *waiting, const struct place *place)
{
	const struct entry *entry = place->other;
	char hash[HASH32_TEXT_SIZE], who[ADDRESS_TEXT_SIZE];

	if (place->own[0] != NULL)
		return own_text(waiting, place);
	if (entry == NULL)
		return is_known(waiting) ? "nothing, a hole" : "not known: its queue was not read";
	struct safe_tx_row own;
	if (store_safe_tx_find(waiting->blockage->lane->parts->store, waiting->arena,
	                       waiting->row->chain_id, &waiting->row->safe, &entry->hash,
	                       &own) == 0)
		return arena_printf(waiting->arena,
		                    "the %s transaction of p%lld, which can bring nothing any more",
		                    purpose_name(own.purpose), (long long)own.proposal.n);
	return arena_printf(waiting->arena, "%s, which is not ours%s%s",
	                    hash32_text(hash, &entry->hash),
	                    entry->has_proposer ? ", proposed by " : "",
	                    entry->has_proposer ? address_text(who, &entry->proposer) : "");
}

/* Everything in front, and the lowest hole. */
struct front {
	const char *text;
	bool unknown, hole;
	uint64_t hole_nonce;
};

static struct front look_in_front(const struct waiting *waiting)
{
	const struct order *order = waiting->order;
	struct front front = {.text = ""};
	uint64_t first = order->safe->nonce, count = waiting->row->nonce - first;

	for (uint64_t i = 0; i < count && i < order->count; i++) {
		const struct place *place = &order->places[i];
		bool empty = place->own[0] == NULL && place->other == NULL;
		front.unknown |= empty && !is_known(waiting);
		if (empty && is_known(waiting) && !front.hole) {
			front.hole = true;
			front.hole_nonce = first + i;
		}
		if (i < MOST_NAMED)
			front.text = arena_printf(waiting->arena, "%s%snonce %" PRIu64 ": %s",
			                          front.text, i > 0 ? "; " : "", first + i,
			                          who_holds(waiting, place));
	}
	if (count > MOST_NAMED)
		front.text = arena_printf(waiting->arena, "%s; and %" PRIu64 " more", front.text,
		                          count - MOST_NAMED);
	return front;
}

static void alarm_when_due(const struct waiting *waiting, const struct blocked *blocked,
                           const struct front *front)
{
	struct lane *lane = waiting->blockage->lane;
	const struct safe_tx_row *row = waiting->row;
	char subject[SUBJECT_SIZE], since[WALL_TEXT_SIZE], safe[ADDRESS_TEXT_SIZE];

	proposal_subject(subject, row->proposal);
	address_text(safe, &row->safe);
	if (front->hole)
		lane_alarm(lane, ALARM_NONCE_HOLE, subject,
		           "nothing holds nonce %" PRIu64
		           " of the Safe %s: its %s transaction with nonce %" PRIu64
		           " cannot run until something does",
		           front->hole_nonce, safe, purpose_name(row->purpose), row->nonce);
	else
		lane_alarm_clear(lane, ALARM_NONCE_HOLE, subject);
	if (waiting->target == NULL ||
	    clock_wall().ms - blocked->since.ms < waiting->target->blocked_after_ms)
		return;
	lane_alarm(lane, ALARM_QUEUE_BLOCKED, subject,
	           "its %s transaction with nonce %" PRIu64 " of the Safe %s waits since %s for "
	           "nonce %" PRIu64 ": %s",
	           purpose_name(row->purpose), row->nonce, safe, wall_text(since, blocked->since),
	           blocked->nonce, who_holds(waiting, &waiting->order->places[0]));
}

/* True when it changed; front and *blocked are how it stands. */
static bool is_blocked(const struct waiting *waiting, struct front *front, struct blocked *blocked)
{
	struct store *store = waiting->blockage->lane->parts->store;
	bool was = store_blocked_get(store, waiting->arena, waiting->row->id, blocked) == 0;
	bool same = was && blocked->nonce == waiting->order->safe->nonce;

	*front = look_in_front(waiting);
	bool changed = !same || strcmp(blocked->what, front->text) != 0;
	if (!same || blocked->since.ms > clock_wall().ms) /* or the clock was set back */
		blocked->since = clock_wall();
	blocked->nonce = waiting->order->safe->nonce;
	blocked->what = front->text;
	if (changed) {
		store_begin(store);
		store_blocked_put(store, waiting->row->id, blocked);
		store_commit(store);
	}
	alarm_when_due(waiting, blocked, front);
	return changed;
}

static bool is_free(const struct waiting *waiting)
{
	struct lane *lane = waiting->blockage->lane;
	char subject[SUBJECT_SIZE];
	struct blocked blocked;

	if (store_blocked_get(lane->parts->store, waiting->arena, waiting->row->id, &blocked) != 0)
		return false;
	proposal_subject(subject, waiting->row->proposal);
	lane_alarm_clear(lane, ALARM_QUEUE_BLOCKED, subject);
	lane_alarm_clear(lane, ALARM_NONCE_HOLE, subject);
	store_begin(lane->parts->store);
	store_blocked_clear(lane->parts->store, waiting->row->id);
	store_commit(lane->parts->store);
	return true;
}

/* --- all of them --------------------------------------------------------------------------------
 */

/* How long until its alarm, which comes by the clock, whatever the chain does; below 0: it came, or
 * there is none. */
static int64_t alarm_wait_ms(const struct waiting *waiting, const struct blocked *blocked)
{
	if (waiting->target == NULL)
		return -1;
	return blocked->since.ms + waiting->target->blocked_after_ms - clock_wall().ms;
}

static const struct order *order_of(const struct blockage *blockage, struct arena *arena,
                                    const struct safe_tx_list *open, const struct address *safe,
                                    struct order **orders)
{
	const struct safe_view *view;

	for (const struct order *order = *orders; order != NULL; order = order->next)
		if (address_equal(&order->safe->safe, safe))
			return order;
	if (tracker_safe(blockage->lane->tracker, safe, &view) != 0)
		return NULL;
	struct order *order = order_new(blockage, arena, view, open);
	order->next = *orders;
	*orders = order;
	return order;
}

bool blockage_hole(struct blockage *blockage, struct arena *arena, struct proposal_id proposal,
                   struct safe_tx_row *above, uint64_t *nonce)
{
	struct lane *lane = blockage->lane;
	struct order *orders = NULL;
	struct safe_tx_list open;

	store_safe_tx_open(lane->parts->store, arena, lane->config->chain_id, &open);
	for (size_t i = 0; i < open.count; i++) {
		struct waiting waiting = {
		        .blockage = blockage, .arena = arena, .row = &open.items[i]};
		if (open.items[i].proposal.n != proposal.n ||
		    open.items[i].status != SAFE_TX_QUEUED)
			continue;
		waiting.order = order_of(blockage, arena, &open, &open.items[i].safe, &orders);
		if (waiting.order == NULL || open.items[i].nonce <= waiting.order->safe->nonce)
			continue;
		struct front front = look_in_front(&waiting);
		if (!front.hole)
			continue;
		*above = open.items[i];
		*nonce = front.hole_nonce;
		return true;
	}
	return false;
}

/* Proposals that may be behind others, in one pass. */
struct behind {
	struct proposal_id *items;
	size_t count;
};

/* A target's own alarm is of the queue that its next transaction found, not of a proposal. */
static bool is_behind(const char *subject, void *arg)
{
	const struct behind *behind = arg;
	char name[SUBJECT_SIZE];
	bool any = false;

	for (size_t i = 0; i < behind->count; i++)
		any |= strcmp(proposal_subject(name, behind->items[i]), subject) == 0;
	return any || subject[0] != 'p' || subject[1] < '0' || subject[1] > '9';
}

/* What all of it comes to. */
struct sum {
	bool changed, unknown;
	int64_t wait_ms; /* until the next alarm; -1: none */
};

static void compare(struct sum *sum, struct waiting *waiting)
{
	struct lane *lane = waiting->blockage->lane;
	struct blocked blocked;
	struct front front;

	sum->changed |= is_blocked(waiting, &front, &blocked);
	sum->unknown |= front.unknown;
	if (front.unknown)
		queue_watch_want(lane->queue_watch, &waiting->row->safe);
	int64_t wait = alarm_wait_ms(waiting, &blocked);
	if (wait > 0 && (sum->wait_ms < 0 || wait < sum->wait_ms))
		sum->wait_ms = wait;
}

static void compare_all(struct sum *sum, struct blockage *blockage, const struct live *live)
{
	struct lane *lane = blockage->lane;
	struct arena arena = {0};
	struct order *orders = NULL;

	struct behind behind = {
	        .items = arena_array(&arena, live->open.count + 1, sizeof(*behind.items))};
	for (size_t i = 0; i < live->open.count; i++) {
		const struct safe_tx_row *row = &live->open.items[i];
		struct waiting waiting = {.blockage = blockage, .arena = &arena, .row = row};
		if (row->status != SAFE_TX_QUEUED)
			continue;
		waiting.order = order_of(blockage, &arena, &live->open, &row->safe, &orders);
		if (waiting.order != NULL && row->nonce <= waiting.order->safe->nonce) {
			sum->changed |= is_free(&waiting);
			continue;
		}
		behind.items[behind.count++] = row->proposal;
		if (waiting.order == NULL) {
			sum->unknown = true; /* after the next look at the Safe */
			continue;
		}
		const struct proposal *proposal = live_get(live, lane, &arena, row->proposal);
		if (proposal != NULL)
			waiting.target = lane_target(lane, proposal->target);
		compare(sum, &waiting);
	}
	troubles_keep(lane->troubles, ALARM_QUEUE_BLOCKED, is_behind, &behind);
	troubles_keep(lane->troubles, ALARM_NONCE_HOLE, is_behind, &behind);
	arena_free(&arena);
}

void blockage_run(struct blockage *blockage)
{
	struct lane *lane = blockage->lane;
	const struct live *live = live_hold(lane);
	uint64_t moves = tracker_safe_moves(lane->tracker);
	struct sum sum = {.wait_ms = -1};

	if (live == blockage->live && moves == blockage->safe_moves) {
		live_drop(live);
		return;
	}
	compare_all(&sum, blockage, live);
	if (sum.wait_ms > 0)
		loop_timer_set(blockage->timer, sum.wait_ms);
	if (sum.changed)
		lane_changed(lane);
	forget_last(blockage);
	blockage->safe_moves = moves;
	if (sum.unknown)
		live_drop(live);
	else
		blockage->live = live;
}
