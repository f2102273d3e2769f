#include "daemon/govern/enqueued.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/governance/multisend.h"
#include "daemon/govern/adopt.h"
#include "daemon/govern/contested.h"
#include "daemon/govern/delay_log.h"

#include <stdlib.h>
#include <string.h>

/* One module with new entries, and what is asked about it. */
struct module {
	struct address address;
	size_t next_read, enqueuer_read;
	bool answered;
	uint64_t next;   /* txNonce: entries below it are over */
	bool by_account; /* who enqueues for us is no Safe */
};

struct enqueued {
	struct lane *lane;
	struct chain_op *op;
	struct arena arena; /* of the question */
	struct module *modules;
	size_t module_count;
	bool everything; /* not only what nobody has looked at yet */
	struct hash32
	        looked_at; /* the head of the last look, and how many were left undone by it */
	size_t left;
	struct backoff backoff;
	struct loop_timer *retry;
};

static void retry_due(void *arg)
{
	enqueued_run(arg);
}

struct enqueued *enqueued_new(struct lane *lane)
{
	struct enqueued *enqueued = xcalloc(1, sizeof(*enqueued));

	enqueued->lane = lane;
	enqueued->retry = loop_timer_new(lane->parts->loop, retry_due, enqueued);
	enqueued->everything = true; /* another configuration may see it with other eyes */
	return enqueued;
}

void enqueued_free(struct enqueued *enqueued)
{
	if (enqueued == NULL)
		return;
	chain_cancel(enqueued->op);
	loop_timer_free(enqueued->retry);
	arena_free(&enqueued->arena);
	free(enqueued);
}

bool enqueued_is_looking(const struct enqueued *enqueued)
{
	return enqueued->op != NULL || enqueued->backoff.failures > 0;
}

void enqueued_look_again(struct enqueued *enqueued)
{
	enqueued->everything = true;
	enqueued->looked_at = (struct hash32){{0}};
}

/* --- what becomes of it -------------------------------------------------------------------------
 */

/* One entry being looked at. */
struct looked {
	struct lane *lane;
	struct arena *arena;
	const struct module *module;
	const struct seen_log *log;
	struct delay_added added;
	const struct governed_way *way;
	struct adopted found;
};

static const char *where_of(const struct looked *looked)
{
	char module[ADDRESS_TEXT_SIZE], tx[HASH32_TEXT_SIZE];

	return arena_printf(looked->arena,
	                    "entry %llu of the Delay module %s, added in transaction %s",
	                    (unsigned long long)looked->added.nonce,
	                    address_text(module, &looked->log->address),
	                    hash32_text(tx, &looked->log->tx_hash));
}

/* False: it is to be offered again. */
static bool take(const struct looked *looked, const struct seen_log *run)
{
	const struct adopt_offer offer = {.way = looked->way,
	                                  .found = &looked->found,
	                                  .where = where_of(looked),
	                                  .drafted_after =
	                                          adopt_drafted_after(looked->lane, looked->log),
	                                  .by_account = looked->module->by_account,
	                                  .run = run};

	return adopt_take(looked->lane, looked->arena, &offer).n == 0;
}

static void tell_foreign(const struct looked *looked)
{
	const struct hash32 key = delay_added_key(&looked->added);

	adopt_tell(looked->lane, looked->way->targets[0]->name, &looked->log->address, &key,
	           arena_printf(looked->arena,
	                        "%s, is more than registry calls and none of ours: %s",
	                        where_of(looked), looked->found.text));
}

/* What it would be as a proposal: as much of it as tells whether it ran. */
static struct proposal as_proposal(const struct looked *looked)
{
	const struct adopted *found = &looked->found;
	struct call *calls = arena_array(looked->arena, found->call_count, sizeof(*calls));

	for (size_t i = 0; i < found->call_count; i++)
		calls[i] = (struct call){.to = found->calls[i].call.to,
		                         .action = found->calls[i].action,
		                         .kind = found->calls[i].kind,
		                         .value = found->calls[i].value};
	return (struct proposal){.chain_id = looked->lane->config->chain_id,
	                         .calls = calls,
	                         .call_count = found->call_count};
}

/* Nobody was there when it was added and executed: the history is to say that it was. */
static bool put_down(const struct looked *looked)
{
	struct lane *lane = looked->lane;
	const struct proposal proposal = as_proposal(looked);
	struct seen_log run;

	if (delay_run_find(&run, lane->parts->store, looked->arena, &proposal, &looked->added) !=
	            0 ||
	    !adopt_is_news(lane, &run) ||
	    adopt_is_recorded(lane, looked->arena, &looked->found.calls[0].call,
	                      &looked->added.hash, &run.tx_hash))
		return true;
	return take(looked, &run);
}

/* True when it needs no further look: everything but what is contested. */
static bool decide(const struct looked *looked)
{
	bool waits = looked->added.nonce >= looked->module->next;
	struct proposal known;

	switch (looked->found.verdict) {
	case ADOPT_UNRELATED:
		return true;
	case ADOPT_FOREIGN:
		if (waits || adopt_is_news(looked->lane, looked->log))
			tell_foreign(looked);
		return true;
	case ADOPT_OURS:
		break;
	}
	if (adopt_find_operation(looked->lane, looked->arena, &looked->log->address,
	                         &looked->added.hash, &known) == 0)
		return true;
	return waits ? take(looked, NULL) : put_down(looked);
}

static const struct module *module_of(const struct enqueued *enqueued,
                                      const struct address *address)
{
	for (size_t i = 0; i < enqueued->module_count; i++)
		if (enqueued->modules[i].answered &&
		    address_equal(&enqueued->modules[i].address, address))
			return &enqueued->modules[i];
	return NULL;
}

static bool look_at(struct enqueued *enqueued, struct arena *arena, const struct seen_log *log)
{
	struct lane *lane = enqueued->lane;
	struct looked looked = {.lane = lane,
	                        .arena = arena,
	                        .module = module_of(enqueued, &log->address),
	                        .log = log};
	char module[ADDRESS_TEXT_SIZE], tx[HASH32_TEXT_SIZE];

	if (looked.module == NULL)
		return false; /* it came after the question */
	if (delay_added_of(&looked.added, log) != 0) {
		log_unusual(lane->config->name,
		            "an entry of the Delay module %s, added in transaction %s, does not "
		            "have the hash that the module tells",
		            address_text(module, &log->address), hash32_text(tx, &log->tx_hash));
		return true;
	}
	looked.way =
	        ways_read_entry(&looked.found, arena, lane, &log->address, &looked.added.entry);
	return looked.way == NULL || decide(&looked);
}

/* --- which entries ------------------------------------------------------------------------------
 */

static void append_logs(struct seen_log_list *out, struct arena *arena,
                        const struct seen_log_list *more)
{
	struct seen_log *items = arena_array(arena, out->count + more->count, sizeof(*items));

	if (out->count > 0)
		memcpy(items, out->items, out->count * sizeof(*items));
	if (more->count > 0)
		memcpy(items + out->count, more->items, more->count * sizeof(*items));
	out->items = items;
	out->count += more->count;
}

static void logs_to_look_at(struct seen_log_list *out, struct arena *arena,
                            const struct enqueued *enqueued)
{
	const struct hash32 *topic0 = event_topic0(EVENT_DELAY_ADDED);
	struct lane *lane = enqueued->lane;
	struct store *store = lane->parts->store;
	struct governed_way *ways;

	*out = (struct seen_log_list){0};
	if (!enqueued->everything) {
		*out = store_log_unacted(store, arena, lane->config->chain_id, topic0, 1,
		                         lane->head.number);
		return;
	}
	size_t count = ways_list(&ways, arena, lane);
	for (size_t i = 0; i < count; i++) {
		struct seen_log_list more;
		if (ways[i].way.model != MODEL_DELAY)
			continue;
		more = store_log_list(store, arena, lane->config->chain_id, &ways[i].way.timelock,
		                      topic0);
		append_logs(out, arena, &more);
	}
}

static void look_at_all(struct enqueued *enqueued)
{
	struct store *store = enqueued->lane->parts->store;
	struct arena arena = {0};
	struct seen_log_list logs;

	logs_to_look_at(&logs, &arena, enqueued);
	bool *done = arena_array(&arena, logs.count, sizeof(*done));
	enqueued->left = 0;
	/* All that is contested is among them. */
	contested_begin(enqueued->lane->contested, enqueued);
	for (size_t i = 0; i < logs.count; i++) {
		done[i] = look_at(enqueued, &arena, &logs.items[i]);
		enqueued->left += !done[i];
	}
	contested_end(enqueued->lane->contested);
	uint64_t chain_id = enqueued->lane->config->chain_id;
	store_begin(store);
	for (size_t i = 0; i < logs.count; i++)
		if (done[i])
			store_log_acted(store, chain_id, &logs.items[i]);
		else if (enqueued->everything) /* what was over is contested now */
			store_log_act_again(store, chain_id, &logs.items[i]);
	store_commit(store);
	arena_free(&arena);
}

/* --- the question -------------------------------------------------------------------------------
 */

static bool is_safe(struct arena *arena, const struct chain_read_result *result)
{
	enum safe_version version;
	char *text;

	return result->success && view_text(arena, &text, result->returned) == 0 &&
	       safe_version_parse(&version, text, NULL) == 0;
}

/* Whether every module said where its queue stands. */
static bool take_answers(struct enqueued *enqueued, const struct chain_read_result *results)
{
	bool all = true;

	for (size_t i = 0; i < enqueued->module_count; i++) {
		struct module *module = &enqueued->modules[i];
		module->answered = reads_u64(&module->next, &results[module->next_read]) == 0;
		module->by_account = !is_safe(&enqueued->arena, &results[module->enqueuer_read]);
		all &= module->answered;
	}
	return all;
}

static void answered(const struct error *error, const struct chain_read_result *results,
                     size_t count, void *arg)
{
	struct enqueued *enqueued = arg;
	struct lane *lane = enqueued->lane;
	struct mono now = clock_mono();

	(void)count;
	enqueued->op = NULL;
	if (error != NULL) {
		if (enqueued->backoff.failures == 0)
			log_unusual(lane->config->name,
			            "looking at new entries of a Delay module waits: %s",
			            error->text);
		enqueued->looked_at = (struct hash32){{0}};
		backoff_failed(&enqueued->backoff, now, chain_retry_max_ms(lane->config));
		loop_timer_set(enqueued->retry, backoff_wait_ms(&enqueued->backoff, now));
	} else {
		bool all = take_answers(enqueued, results);
		backoff_worked(&enqueued->backoff);
		look_at_all(enqueued);
		enqueued->everything &= !all;
		lane_look_at_final(lane);
		lane_wake(lane);
	}
	enqueued->module_count = 0;
	arena_free(&enqueued->arena);
}

static bool speaks(const struct seen_log_list *logs, const struct address *module)
{
	for (size_t i = 0; i < logs->count; i++)
		if (address_equal(&logs->items[i].address, module))
			return true;
	return false;
}

static void ask(struct enqueued *enqueued, const struct seen_log_list *logs)
{
	struct lane *lane = enqueued->lane;
	struct reads reads = {.arena = &enqueued->arena};
	struct governed_way *ways;
	size_t count = ways_list(&ways, &enqueued->arena, lane);

	enqueued->modules = arena_array(&enqueued->arena, count, sizeof(*enqueued->modules));
	for (size_t i = 0; i < count; i++) {
		const struct adopt_way *way = &ways[i].way;
		if (way->model != MODEL_DELAY || !speaks(logs, &way->timelock))
			continue;
		enqueued->modules[enqueued->module_count++] = (struct module){
		        .address = way->timelock,
		        .next_read = reads_add_view(&reads, &way->timelock, VIEW_DELAY_NONCE),
		        .enqueuer_read = reads_add_view(&reads, &way->safe, VIEW_SAFE_VERSION)};
	}
	if (reads.count > 0)
		enqueued->op = chain_read_many(lane->chain, &lane->head, reads.items, reads.count,
		                               answered, enqueued);
	else
		arena_free(&enqueued->arena);
}

void enqueued_run(struct enqueued *enqueued)
{
	struct lane *lane = enqueued->lane;
	struct arena arena = {0};
	struct seen_log_list logs;

	if (enqueued->op != NULL || lane->stopped || !lane->have_head ||
	    !backoff_ready(&enqueued->backoff, clock_mono()))
		return;
	logs_to_look_at(&logs, &arena, enqueued);
	/* What is contested is looked at again with each block, not in between. */
	bool again = hash32_equal(&enqueued->looked_at, &lane->head.hash) &&
	             logs.count <= enqueued->left;
	if (logs.count == 0) {
		enqueued->everything = false;
		contested_begin(lane->contested, enqueued);
		contested_end(lane->contested);
	} else if (!again) {
		ask(enqueued, &logs);
	}
	enqueued->looked_at = lane->head.hash;
	arena_free(&arena);
}
