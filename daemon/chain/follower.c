#include "daemon/chain/follower.h"

#include "common/base/log.h"
#include "common/eth/jsonrpc.h"
#include "common/governance/events.h"
#include "common/store/alarm.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "common/store/store_finality.h"
#include "daemon/chain/backfill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP_BLOCKS = 2000,
	/* Blocks below the cursor that every tick reads again: the backend that answered
	 * eth_getLogs may have been some blocks behind the one that told the head. */
	OVERLAP_BLOCKS = 16,
	/* A head below the cursor is a slow backend, until it stays there this many ticks. */
	LOW_HEAD_TICKS = 5,
	/* The overlap again, in seconds: what takes a slow backend so long is many blocks on some
	 * chains. */
	OVERLAP_S = 30,
	LONGEST_OVERLAP_BLOCKS = 500,
};

struct follower {
	struct loop *loop;
	struct chain *chain;
	struct store *store;
	struct follower_callbacks callbacks;
	void *arg;
	struct address *addresses;
	size_t address_count;
	struct backfill *backfill;
	struct loop_timer *timer;
	bool started, running, again; /* again: tick once more as soon as this one is over */
	bool forced;                  /* the next good tick is told even if the head stands still */
	bool failing;
	bool stopped; /* a final block was replaced, and nobody said to go on */
	bool watched; /* the store knows since when the addresses are watched */
	unsigned low_heads;
	size_t new_logs; /* since the last ticked */
	/* The tick under way. */
	struct mono tick_began;
	struct chain_op *op;
	struct block_ref head, final;
	struct block_ref first_head; /* since the start: how fast blocks come */
	uint64_t cursor;
	struct hash32 cursor_hash;
	uint64_t rewind_from;      /* walking back: the cursor at its start */
	uint64_t rewind_below;     /* and where to look for what is on both chains */
	struct finality_row floor; /* the final block, found in its place; the walk ends there */
	struct block_ref step_end;
};

static uint64_t chain_id(const struct follower *follower)
{
	return chain_config(follower->chain)->chain_id;
}

static const char *chain_name(const struct follower *follower)
{
	return chain_config(follower->chain)->name;
}

/* --- the end of a tick -------------------------------------------------------------------------
 */

static void schedule(struct follower *follower)
{
	int64_t poll = chain_config(follower->chain)->poll_ms;
	int64_t spent = loop_now(follower->loop).ms - follower->tick_began.ms;

	follower->running = false;
	if (follower->again)
		loop_timer_set(follower->timer, 0);
	else
		loop_timer_set(follower->timer, spent < poll ? poll - spent : 0);
	follower->again = false;
}

static void tick_failed(struct follower *follower, const struct error *error)
{
	if (!follower->failing)
		log_unusual(chain_name(follower), "cannot follow the chain: %s", error->text);
	follower->failing = true;
	schedule(follower);
	if (follower->callbacks.failed != NULL)
		follower->callbacks.failed(error, follower->arg);
}

/* What a contract says from here on is news; what it said before is history. */
static void note_watched(struct follower *follower)
{
	for (size_t i = 0; i < follower->address_count; i++)
		store_watched_add(follower->store, chain_id(follower), &follower->addresses[i],
		                  follower->cursor + 1);
	follower->watched = true;
}

static void tick_succeeded(struct follower *follower, bool moved)
{
	struct block_ref head = follower->head, final = follower->final;
	size_t new_logs = follower->new_logs;
	bool tell = !follower->stopped && (moved || follower->forced || new_logs > 0);

	if (follower->failing)
		log_info(chain_name(follower), "following the chain again, at block %" PRIu64,
		         head.number);
	follower->failing = false;
	if (!follower->watched) { /* no block was read since the list is this one */
		store_begin(follower->store);
		note_watched(follower);
		store_commit(follower->store);
	}
	if (!follower->again) /* a tick asked for meanwhile is still to come */
		follower->forced = false;
	schedule(follower);
	if (tell) {
		follower->new_logs = 0;
		if (follower->callbacks.ticked != NULL)
			follower->callbacks.ticked(&head, &final, new_logs, follower->arg);
	} else if (follower->callbacks.unmoved != NULL) {
		follower->callbacks.unmoved(&head, &final, follower->arg);
	}
}

static void resume_backfill(struct follower *follower)
{
	if (!backfill_running(follower->backfill))
		backfill_run(follower->backfill, follower->addresses, follower->address_count);
}

static void backfill_found(size_t new_logs, void *arg)
{
	struct follower *follower = arg;

	follower->new_logs += new_logs;
}

/* --- reading forward ---------------------------------------------------------------------------
 */

static void step(struct follower *follower);

static void record_step(struct follower *follower, const struct chain_log *logs, size_t count)
{
	store_begin(follower->store);
	if (!follower->watched)
		note_watched(follower);
	follower->new_logs += backfill_record(follower->store, chain_id(follower), logs, count);
	store_cursor_set(follower->store, chain_id(follower), follower->step_end.number,
	                 &follower->step_end.hash);
	if (follower->step_end.number == follower->head.number)
		store_finality_raise(follower->store, chain_id(follower), follower->final.number,
		                     &follower->final.hash);
	store_commit(follower->store);
	follower->cursor = follower->step_end.number;
	follower->cursor_hash = follower->step_end.hash;
}

/* Whether the block of the log is another one than was told under this number. */
static bool is_of_another_chain(struct follower *follower, const struct chain_log *log)
{
	const struct block_ref *end = &follower->step_end;
	struct hash32 hash = end->hash;
	uint64_t number = end->number;

	if (log->block_number != end->number &&
	    store_cursor_before(follower->store, chain_id(follower), log->block_number + 1, &number,
	                        &hash) != 0)
		return false;
	return number == log->block_number && !hash32_equal(&hash, &log->block_hash);
}

/* Who told the blocks and who told the logs may stand on two forks: nothing of that is kept. */
static bool logs_fit(struct follower *follower, const struct chain_log *logs, size_t count)
{
	struct error error;

	for (size_t i = 0; i < count; i++)
		if (is_of_another_chain(follower, &logs[i])) {
			error_set(&error, ERR_UNAVAILABLE,
			          "the logs are of another block %" PRIu64 " than the chain's",
			          logs[i].block_number);
			tick_failed(follower, &error);
			return false;
		}
	return true;
}

static void step_read(const struct error *error, const struct chain_log *logs, size_t count,
                      void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error != NULL) {
		tick_failed(follower, error);
		return;
	}
	if (!logs_fit(follower, logs, count))
		return;
	record_step(follower, logs, count);
	step(follower);
}

/* As many blocks as the chain makes in the time that a backend may be behind. */
static uint64_t overlap_blocks(const struct follower *follower)
{
	const struct block_ref *first = &follower->first_head, *head = &follower->head;
	uint64_t blocks = head->number - first->number, seconds;

	if (head->number <= first->number || head->timestamp < first->timestamp)
		return OVERLAP_BLOCKS;
	seconds = head->timestamp - first->timestamp;
	if (blocks * OVERLAP_S <= seconds * OVERLAP_BLOCKS)
		return OVERLAP_BLOCKS;
	if (blocks * OVERLAP_S >= seconds * LONGEST_OVERLAP_BLOCKS)
		return LONGEST_OVERLAP_BLOCKS;
	return blocks * OVERLAP_S / seconds;
}

static void read_step(struct follower *follower)
{
	size_t topic_count;
	const struct hash32 *topics = event_topics(&topic_count);
	uint64_t from = follower->cursor + 1;

	if (follower->address_count == 0) {
		record_step(follower, NULL, 0);
		step(follower);
		return;
	}
	uint64_t overlap = overlap_blocks(follower);
	from = from > overlap ? from - overlap : 0;
	const struct chain_filter filter = {
	        .from = from,
	        .to = follower->step_end.number,
	        .addresses = follower->addresses,
	        .address_count = follower->address_count,
	        .topic0s = topics,
	        .topic_count = topic_count,
	};
	follower->op = chain_logs(follower->chain, &filter, step_read, follower);
}

static void step_end_known(const struct error *error, const struct block_ref *block, void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error != NULL) {
		tick_failed(follower, error);
		return;
	}
	follower->step_end = *block;
	read_step(follower);
}

/* From the cursor on, in bounded steps, each in the store before the next one begins. */
static void step(struct follower *follower)
{
	if (follower->cursor >= follower->head.number) {
		resume_backfill(follower);
		tick_succeeded(follower, true);
	} else if (follower->head.number - follower->cursor <= STEP_BLOCKS) {
		follower->step_end = follower->head;
		read_step(follower);
	} else {
		follower->op = chain_block(follower->chain, follower->cursor + STEP_BLOCKS,
		                           step_end_known, follower);
	}
}

/* --- reorganisations ---------------------------------------------------------------------------
 */

/* floor: the cursor goes there; NULL: to the newest remembered block. */
static void rewind_to(struct follower *follower, uint64_t number, const struct hash32 *floor)
{
	struct store *store = follower->store;
	uint64_t depth = follower->rewind_from - number;

	backfill_stop(follower->backfill); /* it may be reading blocks that are gone */
	log_unusual(chain_name(follower),
	            "reorganisation of up to %" PRIu64 " blocks: back to block %" PRIu64, depth,
	            number);
	store_begin(store);
	if (floor != NULL)
		store_chain_rewind_to(store, chain_id(follower), number, floor);
	else
		store_chain_rewind(store, chain_id(follower), number);
	store_event_add(store, "chain", chain_name(follower),
	                "reorganisation of up to %" PRIu64
	                " blocks: what was read above block %" PRIu64 " is read again",
	                depth, number);
	store_commit(store);
	follower->forced = true;
	if (follower->callbacks.reorganised != NULL)
		follower->callbacks.reorganised(number, depth, follower->arg);
}

static void begin_cursor(struct follower *follower);
static void walk_back(struct follower *follower, uint64_t below);

static void candidate_known(const struct error *error, const struct block_ref *block, void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error != NULL) {
		tick_failed(follower, error);
	} else if (!hash32_equal(&block->hash, &follower->cursor_hash)) {
		walk_back(follower, follower->cursor);
	} else {
		rewind_to(follower, follower->cursor, NULL);
		step(follower);
	}
}

/* The next older remembered block; the cursor fields hold the candidate meanwhile. */
static void walk_back(struct follower *follower, uint64_t below)
{
	const struct finality_row *floor = &follower->floor;
	bool found = store_cursor_before(follower->store, chain_id(follower), below,
	                                 &follower->cursor, &follower->cursor_hash) == 0;

	if (found && !(floor->has_block && follower->cursor <= floor->number)) {
		follower->op =
		        chain_block(follower->chain, follower->cursor, candidate_known, follower);
	} else if (floor->has_block) {
		/* Nothing above it is on the chain any more, but it is. */
		follower->cursor = floor->number;
		follower->cursor_hash = floor->hash;
		rewind_to(follower, floor->number, &floor->hash);
		step(follower);
	} else {
		/* As on the first day. */
		rewind_to(follower, 0, NULL);
		begin_cursor(follower);
	}
}

/* --- what was final ----------------------------------------------------------------------------
 */

static void stop(struct follower *follower, uint64_t number, const struct hash32 *was,
                 const struct hash32 *is)
{
	struct store *store = follower->store;
	char before[HASH32_TEXT_SIZE], now[HASH32_TEXT_SIZE];
	char *why = xasprintf("block %" PRIu64 " was final with hash %s and is %s now", number,
	                      hash32_text(before, was), hash32_text(now, is));

	backfill_stop(follower->backfill);
	store_begin(store);
	store_finality_break(store, chain_id(follower), why);
	store_alarm(store, ALARM_FINAL_REPLACED, chain_name(follower),
	            "%s: nothing is decided on this chain until `registrarctl resume %s`", why,
	            chain_name(follower));
	store_commit(store);
	follower->stopped = true;
	schedule(follower);
	if (follower->callbacks.stopped != NULL)
		follower->callbacks.stopped(why, follower->arg);
	free(why);
}

static void floor_known(const struct error *error, const struct block_ref *block, void *arg)
{
	struct follower *follower = arg;
	const struct finality_row *floor = &follower->floor;

	follower->op = NULL;
	if (error != NULL)
		tick_failed(follower, error);
	else if (!hash32_equal(&block->hash, &floor->hash))
		stop(follower, floor->number, &floor->hash, &block->hash);
	else
		walk_back(follower, follower->rewind_below);
}

static void fail_low(struct follower *follower, uint64_t below, const char *what)
{
	struct error error;

	error_set(&error, ERR_UNAVAILABLE,
	          "the endpoints are at block %" PRIu64 ", below block %" PRIu64 " that %s",
	          follower->head.number, below, what);
	tick_failed(follower, &error);
}

static void low_candidate_known(const struct error *error, const struct block_ref *block, void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error != NULL)
		tick_failed(follower, error);
	else if (hash32_equal(&block->hash, &follower->cursor_hash))
		fail_low(follower, follower->floor.number, "was final");
	else
		stop(follower, block->number, &follower->cursor_hash, &block->hash);
}

/* The chain is shorter than what was final: behind, or another one? An older block tells. */
static void look_below_floor(struct follower *follower)
{
	if (store_cursor_before(follower->store, chain_id(follower), follower->head.number + 1,
	                        &follower->cursor, &follower->cursor_hash) == 0)
		follower->op = chain_block(follower->chain, follower->cursor, low_candidate_known,
		                           follower);
	else
		fail_low(follower, follower->floor.number, "was final");
}

/* Blocks that were read are not there any more. First: is what was final still there? */
static void reorganised(struct follower *follower, uint64_t below)
{
	struct arena arena = {0};

	follower->rewind_from = follower->cursor;
	follower->rewind_below = below;
	chain_doubt(follower->chain); /* an endpoint that moved to another chain looks like this */
	if (store_finality_get(follower->store, &arena, chain_id(follower), &follower->floor) != 0)
		follower->floor = (struct finality_row){0};
	follower->floor.why = NULL;
	arena_free(&arena);
	if (!follower->floor.has_block)
		walk_back(follower, below);
	else if (follower->floor.number > follower->head.number)
		look_below_floor(follower);
	else
		follower->op =
		        chain_block(follower->chain, follower->floor.number, floor_known, follower);
}

static void cursor_checked(const struct error *error, const struct block_ref *block, void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error != NULL)
		tick_failed(follower, error);
	else if (hash32_equal(&block->hash, &follower->cursor_hash))
		step(follower);
	else
		reorganised(follower, follower->cursor);
}

/* That the cursor's block is gone counts only when a quorum has nothing in its place: some may be
 * far behind, and one that says so would move states back. */
static void cursor_missing(const struct error *error, const struct jval *block, void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error == NULL && jval_is_null(block))
		reorganised(follower, follower->head.number + 1);
	else
		fail_low(follower, follower->cursor, "was read");
}

/* The head is below the cursor: a slow backend, or a shorter chain. Another hash at a remembered
 * height decides at once, patience otherwise. */
static void low_head(struct follower *follower)
{
	struct hash32 hash;
	uint64_t number;
	bool known = store_cursor_before(follower->store, chain_id(follower),
	                                 follower->head.number + 1, &number, &hash) == 0;

	if (known && number == follower->head.number &&
	    !hash32_equal(&hash, &follower->head.hash)) {
		follower->low_heads = 0;
		reorganised(follower, follower->head.number + 1);
	} else if (++follower->low_heads >= LOW_HEAD_TICKS) {
		struct jval *params = jval_array();
		follower->low_heads = 0;
		jval_push(params, jsonrpc_new_quantity(follower->cursor));
		jval_push(params, jval_new_bool(false));
		follower->op = chain_rpc_agreed(follower->chain, "eth_getBlockByNumber", params,
		                                cursor_missing, follower);
	} else {
		fail_low(follower, follower->cursor, "was read");
	}
}

/* --- a tick ------------------------------------------------------------------------------------
 */

/* The first block ever seen here: reading starts behind it, history is the backfill's. */
static void begin_cursor(struct follower *follower)
{
	log_info(chain_name(follower), "following from block %" PRIu64 " on",
	         follower->head.number);
	store_begin(follower->store);
	store_cursor_set(follower->store, chain_id(follower), follower->head.number,
	                 &follower->head.hash);
	store_finality_raise(follower->store, chain_id(follower), follower->final.number,
	                     &follower->final.hash);
	store_commit(follower->store);
	follower->cursor = follower->head.number;
	follower->cursor_hash = follower->head.hash;
	step(follower);
}

static void head_known(const struct error *error, const struct block_ref *head,
                       const struct block_ref *final, void *arg)
{
	struct follower *follower = arg;

	follower->op = NULL;
	if (error != NULL) {
		tick_failed(follower, error);
		return;
	}
	follower->head = *head;
	follower->final = *final;
	if (follower->first_head.number == 0)
		follower->first_head = *head;
	if (follower->stopped) {
		tick_succeeded(follower, false);
		return;
	}
	if (store_cursor_get(follower->store, chain_id(follower), &follower->cursor,
	                     &follower->cursor_hash) != 0) {
		begin_cursor(follower);
		return;
	}
	if (head->number < follower->cursor) {
		low_head(follower);
		return;
	}
	follower->low_heads = 0;
	if (head->number > follower->cursor) {
		follower->op =
		        chain_block(follower->chain, follower->cursor, cursor_checked, follower);
	} else if (hash32_equal(&head->hash, &follower->cursor_hash)) {
		resume_backfill(follower);
		tick_succeeded(follower, false);
	} else {
		reorganised(follower, follower->cursor);
	}
}

static void tick(void *arg)
{
	struct follower *follower = arg;

	follower->running = true;
	follower->tick_began = loop_now(follower->loop);
	follower->op = chain_head(follower->chain, head_known, follower);
}

/* --- the rest of the interface -----------------------------------------------------------------
 */

struct follower *follower_new(struct loop *loop, struct chain *chain, struct store *store,
                              const struct follower_callbacks *callbacks, void *arg)
{
	struct follower *follower = xcalloc(1, sizeof(*follower));

	follower->loop = loop;
	follower->chain = chain;
	follower->store = store;
	follower->callbacks = *callbacks;
	follower->arg = arg;
	follower->forced = true;
	follower->backfill = backfill_new(loop, chain, store, backfill_found, follower);
	follower->timer = loop_timer_new(loop, tick, follower);
	return follower;
}

void follower_free(struct follower *follower)
{
	if (follower == NULL)
		return;
	chain_cancel(follower->op);
	backfill_free(follower->backfill);
	loop_timer_free(follower->timer);
	free(follower->addresses);
	free(follower);
}

static int compare_addresses(const void *a, const void *b)
{
	return address_compare(a, b);
}

void follower_set_addresses(struct follower *follower, const struct address *addresses,
                            size_t count)
{
	struct address *sorted = xcalloc(count + 1, sizeof(*sorted));
	size_t unique = 0;

	if (count > 0) {
		memcpy(sorted, addresses, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare_addresses);
	}
	for (size_t i = 0; i < count; i++)
		if (unique == 0 || !address_equal(&sorted[unique - 1], &sorted[i]))
			sorted[unique++] = sorted[i];
	backfill_stop(follower->backfill);
	free(follower->addresses);
	follower->addresses = sorted;
	follower->address_count = unique;
	follower->watched = false;
	if (!follower->started)
		return;
	/* What is under way was asked with the old list. */
	chain_cancel(follower->op);
	follower->op = NULL;
	follower->running = false;
	follower_tick_now(follower);
}

void follower_start(struct follower *follower)
{
	struct arena arena = {0};
	struct finality_row row;

	follower->started = true;
	if (store_finality_get(follower->store, &arena, chain_id(follower), &row) == 0 &&
	    row.stage == FINALITY_BROKEN) {
		log_unusual(chain_name(follower),
		            "%s: nothing is decided on this chain until `registrarctl resume %s`",
		            row.why, chain_name(follower));
		follower->stopped = true;
		if (follower->callbacks.stopped != NULL)
			follower->callbacks.stopped(row.why, follower->arg);
	}
	arena_free(&arena);
	loop_timer_set(follower->timer, 0);
}

void follower_resume(struct follower *follower)
{
	if (!follower->stopped)
		return;
	store_begin(follower->store);
	store_finality_resume(follower->store, chain_id(follower));
	store_commit(follower->store);
	follower->stopped = false;
	follower_tick_now(follower);
}

void follower_tick_now(struct follower *follower)
{
	follower->forced = true;
	if (follower->running)
		follower->again = true;
	else if (follower->started)
		loop_timer_set(follower->timer, 0);
}

bool follower_backfilling(const struct follower *follower)
{
	return backfill_running(follower->backfill);
}
