#include "daemon/chain/backfill.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "common/eth/jsonrpc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP_BLOCKS = 2000,
	PAUSE_MS = 250, /* between steps: the ticks come first, and providers count requests */
	FIRST_RETRY_MS = 5000,
	LONGEST_RETRY_MS = 60 * 1000,
	SEARCH_TRIES = 30, /* half an hour: what is given up is not looked for again */
};

/* The search for the block in which the oldest of the contracts was created: where the code of one
 * appears between low (not there) and high (there). */
struct search {
	size_t address;
	uint64_t best; /* no contract is known to be older */
	uint64_t low, high, asked;
};

struct backfill {
	struct loop *loop;
	struct chain *chain;
	struct store *store;
	const struct address *addresses;
	size_t count;
	bool running, searching;
	struct search search;
	uint64_t step_from, step_to;
	struct chain_op *op;
	struct loop_timer *timer;
	unsigned failures;
	void (*found)(size_t new_logs, void *arg);
	void *arg;
};

static uint64_t chain_id(const struct backfill *backfill)
{
	return chain_config(backfill->chain)->chain_id;
}

static const char *chain_name(const struct backfill *backfill)
{
	return chain_config(backfill->chain)->name;
}

static void retry_later(struct backfill *backfill, const struct error *error)
{
	int64_t wait = FIRST_RETRY_MS;

	for (unsigned i = 0; i < backfill->failures && wait < LONGEST_RETRY_MS; i++)
		wait *= 2;
	backfill->failures++;
	log_debug(chain_name(backfill), "history: %s", error->text);
	loop_timer_set(backfill->timer, wait < LONGEST_RETRY_MS ? wait : LONGEST_RETRY_MS);
}

/* --- logs into the store -----------------------------------------------------------------------
 */

static bool record_one(struct store *store, uint64_t id, const struct chain_log *log,
                       struct buf *data)
{
	struct event event;

	if (event_decode(&event, &log->address, log->topics, log->topic_count, log->data) != 0)
		return false;
	buf_clear(data);
	for (unsigned i = 1; i < log->topic_count; i++)
		buf_append(data, log->topics[i].b, sizeof(log->topics[i].b));
	buf_append_bytes(data, log->data);
	const struct seen_log seen = {
	        .block_number = log->block_number,
	        .block_hash = log->block_hash,
	        .tx_hash = log->tx_hash,
	        .log_index = log->log_index,
	        .address = log->address,
	        .topic0 = log->topics[0],
	        .key = event_key(&event),
	        .data = buf_bytes(data),
	};
	return store_log_put(store, id, &seen);
}

size_t backfill_record(struct store *store, uint64_t id, const struct chain_log *logs, size_t count)
{
	struct buf data = {0};
	size_t new_logs = 0;

	for (size_t i = 0; i < count; i++)
		if (record_one(store, id, &logs[i], &data))
			new_logs++;
	buf_free(&data);
	return new_logs;
}

/* --- steps -------------------------------------------------------------------------------------
 */

static void finished(struct backfill *backfill, uint64_t from)
{
	backfill->running = false;
	log_info(chain_name(backfill), "history is read back to block %" PRIu64, from);
}

static void step_done(const struct error *error, const struct chain_log *logs, size_t count,
                      void *arg)
{
	struct backfill *backfill = arg;
	uint64_t from, next;

	backfill->op = NULL;
	if (error != NULL) {
		retry_later(backfill, error);
		return;
	}
	backfill->failures = 0;
	if (store_backfill_get(backfill->store, chain_id(backfill), &from, &next) != 0)
		die("a backfill step without a backfill");
	store_begin(backfill->store);
	size_t new_logs = backfill_record(backfill->store, chain_id(backfill), logs, count);
	store_backfill_set(backfill->store, chain_id(backfill), from, backfill->step_from);
	store_commit(backfill->store);
	if (backfill->step_from <= from)
		finished(backfill, from);
	else
		loop_timer_set(backfill->timer, PAUSE_MS);
	if (new_logs > 0)
		backfill->found(new_logs, backfill->arg);
}

static void step(struct backfill *backfill)
{
	uint64_t from, next;
	size_t topic_count;
	const struct hash32 *topics = event_topics(&topic_count);

	if (store_backfill_get(backfill->store, chain_id(backfill), &from, &next) != 0 ||
	    next <= from || backfill->count == 0) {
		backfill->running = false;
		return;
	}
	backfill->step_to = next - 1;
	backfill->step_from = next - from > STEP_BLOCKS ? next - STEP_BLOCKS : from;
	const struct chain_filter filter = {
	        .from = backfill->step_from,
	        .to = backfill->step_to,
	        .addresses = backfill->addresses,
	        .address_count = backfill->count,
	        .topic0s = topics,
	        .topic_count = topic_count,
	};
	backfill->op = chain_logs(backfill->chain, &filter, step_done, backfill);
}

/* --- where history begins ----------------------------------------------------------------------
 */

static uint64_t cursor_number(const struct backfill *backfill)
{
	struct hash32 hash;
	uint64_t number;

	if (store_cursor_get(backfill->store, chain_id(backfill), &number, &hash) != 0)
		die("a backfill before the first cursor");
	return number;
}

/* Everything from block from to the cursor is to be read, for all addresses; UINT64_MAX: nobody
 * knows where history begins. */
static void begin_at(struct backfill *backfill, uint64_t from, const char *why)
{
	uint64_t next = cursor_number(backfill) + 1, old_from, old_next;
	bool whole = from != UINT64_MAX;

	if (from > next)
		from = next;
	store_begin(backfill->store);
	if (store_backfill_get(backfill->store, chain_id(backfill), &old_from, &old_next) == 0 &&
	    old_from < from)
		from = old_from;
	for (size_t i = 0; i < backfill->count; i++)
		store_follow_add(backfill->store, chain_id(backfill), &backfill->addresses[i]);
	store_backfill_set(backfill->store, chain_id(backfill), from, next);
	store_backfill_set_whole(backfill->store, chain_id(backfill), whole);
	store_event_add(backfill->store, "chain", chain_name(backfill),
	                "history is read from block %" PRIu64 " on: %s", from, why);
	store_commit(backfill->store);
	log_info(chain_name(backfill), "history is read from block %" PRIu64 " on: %s", from, why);
	backfill->searching = false;
	step(backfill);
}

static void search_next(struct backfill *backfill);

static void search_narrow(struct backfill *backfill, bool there)
{
	struct search *search = &backfill->search;

	if (there)
		search->high = search->asked;
	else if (search->asked + 1 == search->best)
		search->low = search->high = search->best; /* not older than what is known */
	else
		search->low = search->asked + 1;
	if (search->low >= search->high) {
		search->best = search->high;
		search->address++;
		search->low = 0;
		search->high = search->best;
	}
	search_next(backfill);
}

static void search_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct backfill *backfill = arg;
	const char *code = error == NULL ? jval_string(result) : NULL;

	backfill->op = NULL;
	if (code != NULL) {
		backfill->failures = 0;
		search_narrow(backfill, strcmp(code, "0x") != 0);
	} else if (error != NULL && error->code == ERR_UNAVAILABLE &&
	           backfill->failures < SEARCH_TRIES) {
		retry_later(backfill, error);
	} else {
		backfill->failures = 0;
		begin_at(backfill, UINT64_MAX,
		         "the node does not serve old state; set start_block to begin earlier");
	}
}

static void search_next(struct backfill *backfill)
{
	struct search *search = &backfill->search;
	struct jval *params;

	if (search->address == backfill->count || search->best == 0) {
		begin_at(backfill, search->best, "the oldest followed contract was created there");
		return;
	}
	/* First whether the contract is older than what is known, then the middle each time. */
	search->asked = search->high == search->best && search->low == 0
	                        ? search->best - 1
	                        : search->low + (search->high - search->low) / 2;
	params = jval_array();
	jval_push(params, jsonrpc_new_address(&backfill->addresses[search->address]));
	jval_push(params, jsonrpc_new_quantity(search->asked));
	/* One that says "not there yet" of a block in which it was would hide what came before. */
	backfill->op =
	        chain_rpc_agreed(backfill->chain, "eth_getCode", params, search_answered, backfill);
}

static bool all_known(const struct backfill *backfill)
{
	for (size_t i = 0; i < backfill->count; i++)
		if (!store_follow_known(backfill->store, chain_id(backfill),
		                        &backfill->addresses[i]))
			return false;
	return true;
}

/* The configuration names an earlier block than the one that history was read back to. */
static bool begins_earlier(const struct backfill *backfill)
{
	const struct config_chain *config = chain_config(backfill->chain);
	uint64_t from, next;

	return !config->start_auto &&
	       store_backfill_get(backfill->store, chain_id(backfill), &from, &next) == 0 &&
	       config->start_block < from;
}

static void go_on(struct backfill *backfill)
{
	const struct config_chain *config = chain_config(backfill->chain);

	if (backfill->searching) {
		search_next(backfill);
	} else if (all_known(backfill) && !begins_earlier(backfill)) {
		step(backfill);
	} else if (!config->start_auto) {
		begin_at(backfill, config->start_block, "start_block in the configuration");
	} else {
		uint64_t above = cursor_number(backfill) + 1;
		backfill->searching = true;
		backfill->search = (struct search){.best = above, .high = above};
		search_next(backfill);
	}
}

/* --- the rest of the interface -----------------------------------------------------------------
 */

static void time_is_up(void *arg)
{
	go_on(arg);
}

struct backfill *backfill_new(struct loop *loop, struct chain *chain, struct store *store,
                              void (*found)(size_t new_logs, void *arg), void *arg)
{
	struct backfill *backfill = xcalloc(1, sizeof(*backfill));

	backfill->loop = loop;
	backfill->chain = chain;
	backfill->store = store;
	backfill->found = found;
	backfill->arg = arg;
	backfill->timer = loop_timer_new(loop, time_is_up, backfill);
	return backfill;
}

void backfill_stop(struct backfill *backfill)
{
	chain_cancel(backfill->op);
	backfill->op = NULL;
	loop_timer_cancel(backfill->timer);
	backfill->running = backfill->searching = false;
	backfill->failures = 0;
}

void backfill_free(struct backfill *backfill)
{
	if (backfill == NULL)
		return;
	backfill_stop(backfill);
	loop_timer_free(backfill->timer);
	free(backfill);
}

void backfill_run(struct backfill *backfill, const struct address *addresses, size_t count)
{
	backfill_stop(backfill);
	backfill->addresses = addresses;
	backfill->count = count;
	backfill->running = true;
	go_on(backfill);
}

bool backfill_running(const struct backfill *backfill)
{
	return backfill->running;
}
