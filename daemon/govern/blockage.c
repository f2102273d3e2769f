#include "daemon/govern/blockage.h"

#include "common/base/log.h"
#include "common/store/store_blocked.h"
#include "daemon/govern/queue_watch.h"
#include "daemon/govern/tracker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMED = 5 }; /* of those in front, for people */

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
};

static void timer_fired(void *arg)
{
	blockage_run(arg);
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

static const struct entry *entry_at(const struct memory *memory, uint64_t nonce)
{
	for (size_t i = 0; memory != NULL && i < memory->count; i++)
		if (memory->entries[i].nonce == nonce)
			return &memory->entries[i];
	return NULL;
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
		const struct tx_service_tx *tx = &view->items[i];
		memory->entries[i] = (struct entry){.nonce = tx->tx.nonce,
		                                    .hash = tx->safe_tx_hash,
		                                    .has_proposer = tx->has_proposer,
		                                    .proposer = tx->proposer,
		                                    .signatures = tx->confirmation_count};
	}
	blockage_run(blockage);
}

/* --- one transaction that waits ------------------------------------------------------------------
 */

struct waiting {
	struct blockage *blockage;
	struct arena *arena;
	const struct safe_tx_row *row;
	const struct config_target *target; /* NULL: left the configuration */
	const struct safe_view *safe;
	const struct memory *memory; /* NULL: its queue was not read yet */
};

/* Ours that hold the nonce, NULL if none do. */
static const char *own_at(const struct waiting *waiting, uint64_t nonce)
{
	struct lane *lane = waiting->blockage->lane;
	const char *text = NULL;
	struct safe_tx_list rows;

	store_safe_tx_at_nonce(lane->parts->store, waiting->arena, lane->config->chain_id,
	                       &waiting->row->safe, nonce, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		const struct safe_tx_row *row = &rows.items[i];
		if (row->status != SAFE_TX_POSTING && row->status != SAFE_TX_QUEUED)
			continue;
		text = arena_printf(waiting->arena, "%s%sthe %s transaction of p%lld",
		                    text != NULL ? text : "", text != NULL ? " or " : "",
		                    purpose_name(row->purpose), (long long)row->proposal.n);
	}
	return text;
}

/* Whether the queue was read after our transaction took its place in it: only then a gap in it is
 * one. */
static bool is_known(const struct waiting *waiting)
{
	return waiting->memory != NULL && waiting->memory->at.ms > waiting->row->posted_at.ms;
}

enum in_front { FRONT_OWN, FRONT_OTHERS, FRONT_NOTHING, FRONT_UNKNOWN };

/* Who holds the nonce, in words. */
static enum in_front who_holds(const struct waiting *waiting, uint64_t nonce, const char **text)
{
	const struct entry *entry = entry_at(waiting->memory, nonce);
	char hash[HASH32_TEXT_SIZE], who[ADDRESS_TEXT_SIZE];

	*text = own_at(waiting, nonce);
	if (*text != NULL)
		return FRONT_OWN;
	if (entry != NULL) {
		*text = arena_printf(waiting->arena, "%s, which is not ours%s%s",
		                     hash32_text(hash, &entry->hash),
		                     entry->has_proposer ? ", proposed by " : "",
		                     entry->has_proposer ? address_text(who, &entry->proposer)
		                                         : "");
		return FRONT_OTHERS;
	}
	if (!is_known(waiting)) {
		*text = "not known: its queue was not read";
		return FRONT_UNKNOWN;
	}
	*text = "nothing, a hole";
	return FRONT_NOTHING;
}

/* Everything in front, and the lowest hole. */
struct front {
	const char *text;
	bool unknown, hole;
	uint64_t hole_nonce;
};

static struct front look_in_front(const struct waiting *waiting)
{
	struct front front = {.text = ""};
	uint64_t first = waiting->safe->nonce, count = waiting->row->nonce - first;

	for (uint64_t i = 0; i < count; i++) {
		const char *who;
		enum in_front kind = who_holds(waiting, first + i, &who);
		front.unknown |= kind == FRONT_UNKNOWN;
		if (kind == FRONT_NOTHING && !front.hole) {
			front.hole = true;
			front.hole_nonce = first + i;
		}
		if (i < MOST_NAMED)
			front.text = arena_printf(waiting->arena, "%s%snonce %" PRIu64 ": %s",
			                          front.text, i > 0 ? "; " : "", first + i, who);
		else if (i == MOST_NAMED)
			front.text = arena_printf(waiting->arena, "%s; and %" PRIu64 " more",
			                          front.text, count - i);
	}
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
	const char *who;
	who_holds(waiting, blocked->nonce, &who);
	lane_alarm(lane, ALARM_QUEUE_BLOCKED, subject,
	           "its %s transaction with nonce %" PRIu64 " of the Safe %s waits since %s for "
	           "nonce %" PRIu64 ": %s",
	           purpose_name(row->purpose), row->nonce, safe, wall_text(since, blocked->since),
	           blocked->nonce, who);
}

/* True when it changed. */
static bool is_blocked(const struct waiting *waiting, struct front *front)
{
	struct store *store = waiting->blockage->lane->parts->store;
	struct blocked blocked;
	bool was = store_blocked_get(store, waiting->arena, waiting->row->id, &blocked) == 0;
	bool same = was && blocked.nonce == waiting->safe->nonce;

	*front = look_in_front(waiting);
	bool changed = !same || strcmp(blocked.what, front->text) != 0;
	if (!same || blocked.since.ms > clock_wall().ms) /* or the clock was set back */
		blocked.since = clock_wall();
	blocked.nonce = waiting->safe->nonce;
	blocked.what = front->text;
	if (changed) {
		store_begin(store);
		store_blocked_put(store, waiting->row->id, &blocked);
		store_commit(store);
	}
	alarm_when_due(waiting, &blocked, front);
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

static const struct config_target *target_of(const struct lane *lane, struct arena *arena,
                                             struct proposal_id id)
{
	struct proposal proposal;

	if (store_proposal_get(lane->parts->store, arena, id, &proposal) != 0)
		return NULL;
	return lane_target(lane, proposal.target);
}

/* How long until its alarm, which comes by the clock, whatever the chain does; -1: it is over or
 * there is none. */
static int64_t alarm_wait_ms(const struct waiting *waiting)
{
	struct store *store = waiting->blockage->lane->parts->store;
	struct blocked blocked;

	if (waiting->target == NULL ||
	    store_blocked_get(store, waiting->arena, waiting->row->id, &blocked) != 0)
		return -1;
	return blocked.since.ms + waiting->target->blocked_after_ms - clock_wall().ms;
}

void blockage_run(struct blockage *blockage)
{
	struct lane *lane = blockage->lane;
	struct arena arena = {0};
	struct safe_tx_list open;
	bool changed = false;
	int64_t wait_ms = -1;

	store_safe_tx_open(lane->parts->store, &arena, lane->config->chain_id, &open);
	for (size_t i = 0; i < open.count; i++) {
		const struct safe_tx_row *row = &open.items[i];
		struct waiting waiting = {.blockage = blockage, .arena = &arena, .row = row};
		struct front front = {0};
		if (row->status != SAFE_TX_QUEUED ||
		    tracker_safe(lane->tracker, &row->safe, &waiting.safe) != 0)
			continue;
		waiting.target = target_of(lane, &arena, row->proposal);
		waiting.memory = memory_of(blockage, &row->safe);
		if (row->nonce <= waiting.safe->nonce) {
			changed |= is_free(&waiting);
			continue;
		}
		changed |= is_blocked(&waiting, &front);
		if (front.unknown)
			queue_watch_want(lane->queue_watch, &row->safe);
		int64_t wait = alarm_wait_ms(&waiting);
		if (wait > 0 && (wait_ms < 0 || wait < wait_ms))
			wait_ms = wait;
	}
	if (wait_ms > 0)
		loop_timer_set(blockage->timer, wait_ms);
	if (changed)
		lane_changed(lane);
	arena_free(&arena);
}
