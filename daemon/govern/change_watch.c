#include "daemon/govern/change_watch.h"

#include "common/base/log.h"
#include "common/store/store_event.h"
#include "daemon/chain/follower.h"
#include "daemon/govern/change.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOGS_AT_ONCE = 256,
	ALARMS_PER_TRANSACTION = 20,
	/* Who sent a transaction is asked so often; then it is told without. */
	TRIES = 4,
	FIRST_RETRY_MS = 250,
};

/* The logs of one transaction that nobody was told about, and all others of it. */
struct group {
	struct seen_log_list untold, all;
};

struct change_watch {
	struct lane *lane;
	struct loop_timer *timer;
	/* The transaction at hand, while its sender is asked for. */
	struct arena arena;
	struct group group;
	struct chain_op *op;
	struct hash32 asked;
	unsigned failures; /* of asking for it */
	bool waiting;      /* for the timer */
};

static void time_is_up(void *arg)
{
	struct change_watch *watch = arg;

	watch->waiting = false;
	change_watch_run(watch);
}

struct change_watch *change_watch_new(struct lane *lane)
{
	struct change_watch *watch = xcalloc(1, sizeof(*watch));

	watch->lane = lane;
	watch->timer = loop_timer_new(lane->parts->loop, time_is_up, watch);
	return watch;
}

void change_watch_free(struct change_watch *watch)
{
	if (watch == NULL)
		return;
	chain_cancel(watch->op);
	loop_timer_free(watch->timer);
	arena_free(&watch->arena);
	free(watch);
}

/* --- telling -----------------------------------------------------------------------------------
 */

static void put_actor(struct buf *out, const struct change *change,
                      const struct chain_transaction *transaction)
{
	char text[ADDRESS_TEXT_SIZE];

	if (change->has_actor)
		buf_printf(out, "by %s (actor in %s)", address_text(text, &change->actor),
		           change->actor_source);
	else if (transaction != NULL)
		buf_printf(out, "by %s (sender of the transaction)",
		           address_text(text, &transaction->from));
	else
		buf_append_text(out, "by whom the endpoints did not say");
}

static void put_transaction(struct buf *out, const struct change *change,
                            const struct seen_log *log, const struct change_tx *tx)
{
	char text[ADDRESS_TEXT_SIZE], hash[HASH32_TEXT_SIZE];
	struct hash32 operation;

	buf_printf(out, ", transaction %s, block %" PRIu64, hash32_text(hash, &log->tx_hash),
	           log->block_number);
	if (change->has_actor && tx->transaction != NULL)
		buf_printf(out, ", sent by %s", address_text(text, &tx->transaction->from));
	if (change->is_call && cause_operation(&operation, tx, &change->call))
		buf_printf(out, ", operation %s", hash32_text(hash, &operation));
}

static void tell(struct lane *lane, const struct change *change, const struct seen_log *log,
                 const struct change_tx *tx)
{
	struct buf text = {0};

	buf_printf(&text, "%s; ", change->text);
	put_actor(&text, change, tx->transaction);
	put_transaction(&text, change, log, tx);
	if (change->is_notice) {
		store_event_add(lane->parts->store, "chain", change->target->name, "%s",
		                buf_text(&text));
		log_info(change->target->name, "%s", buf_text(&text));
	} else {
		store_alarm(lane->parts->store, change->alarm, change->target->name, "%s",
		            buf_text(&text));
	}
	buf_free(&text);
}

/* Whether people must hear of the log. */
static bool is_foreign(struct change *change, struct lane *lane, struct arena *arena,
                       const struct seen_log *log, const struct change_tx *tx)
{
	return change_read(change, lane, arena, log, tx->logs) &&
	       !(change->is_call && cause_is_ours(lane, arena, tx, &change->call));
}

/* In the caller's transaction: what is told and that it was told are one commit. */
static void tell_group(struct lane *lane, struct arena *arena, const struct group *group,
                       const struct chain_transaction *transaction)
{
	const struct change_tx tx = {&group->all, transaction};
	size_t alarms = 0, more = 0;
	struct change change, last = {0};
	char hash[HASH32_TEXT_SIZE];

	for (size_t i = 0; i < group->untold.count; i++) {
		const struct seen_log *log = &group->untold.items[i];
		store_log_told(lane->parts->store, lane->config->chain_id, log);
		if (!is_foreign(&change, lane, arena, log, &tx))
			continue;
		if (++alarms <= ALARMS_PER_TRANSACTION) {
			tell(lane, &change, log, &tx);
			continue;
		}
		more++;
		last = change;
	}
	if (more > 0)
		store_alarm(lane->parts->store, last.alarm, last.target->name,
		            "%zu more changes like these in transaction %s; `registrarctl drift` "
		            "shows what is different",
		            more, hash32_text(hash, &group->untold.items[0].tx_hash));
}

/* --- one transaction after the other -----------------------------------------------------------
 */

static bool same_transaction(const struct seen_log *a, const struct seen_log *b)
{
	return hash32_equal(&a->tx_hash, &b->tx_hash) &&
	       hash32_equal(&a->block_hash, &b->block_hash);
}

static void take_group(struct group *group, struct lane *lane, struct arena *arena,
                       const struct seen_log_list *logs, size_t from)
{
	size_t end = from;

	while (end < logs->count && same_transaction(&logs->items[from], &logs->items[end]))
		end++;
	group->untold = (struct seen_log_list){&logs->items[from], end - from};
	group->all = store_log_of_tx(lane->parts->store, arena, lane->config->chain_id,
	                             &logs->items[from]);
}

/* An alarm names who sent the transaction; for the rest it is not worth a question. */
static bool needs_transaction(struct lane *lane, struct arena *arena, const struct group *group)
{
	const struct change_tx tx = {&group->all, NULL};
	struct change change;

	for (size_t i = 0; i < group->untold.count; i++)
		if (is_foreign(&change, lane, arena, &group->untold.items[i], &tx) &&
		    !change.is_notice)
			return true;
	return false;
}

static void told(struct change_watch *watch, const struct chain_transaction *transaction)
{
	struct lane *lane = watch->lane;

	store_begin(lane->parts->store);
	tell_group(lane, &watch->arena, &watch->group, transaction);
	store_commit(lane->parts->store);
	watch->asked = (struct hash32){0};
	lane_changed(lane);
	change_watch_run(watch);
}

static void transaction_answered(const struct error *error,
                                 const struct chain_transaction *transaction, void *arg)
{
	struct change_watch *watch = arg;
	const struct seen_log *log = &watch->group.untold.items[0];

	watch->op = NULL;
	/* In another block: a reorganisation that the logs do not show yet. */
	if (error == NULL && hash32_equal(&transaction->block_hash, &log->block_hash)) {
		told(watch, transaction);
	} else if (++watch->failures >= TRIES) {
		told(watch, NULL);
	} else {
		watch->waiting = true;
		loop_timer_set(watch->timer, (int64_t)FIRST_RETRY_MS << watch->failures);
	}
}

/* Tells what needs no question, up to the first transaction that does. Returns whether there may be
 * more. */
static bool tell_some(struct change_watch *watch)
{
	struct lane *lane = watch->lane;
	struct store *store = lane->parts->store;
	struct seen_log_list logs;

	arena_free(&watch->arena);
	logs = store_log_untold(store, &watch->arena, lane->config->chain_id, lane->final.number,
	                        LOGS_AT_ONCE);
	store_begin(store);
	for (size_t i = 0; i < logs.count; i += watch->group.untold.count) {
		take_group(&watch->group, lane, &watch->arena, &logs, i);
		if (needs_transaction(lane, &watch->arena, &watch->group)) {
			if (!hash32_equal(&watch->asked, &logs.items[i].tx_hash))
				watch->failures = 0;
			watch->asked = logs.items[i].tx_hash;
			watch->op = chain_transaction(lane->chain, &logs.items[i].tx_hash,
			                              transaction_answered, watch);
			break;
		}
		tell_group(lane, &watch->arena, &watch->group, NULL);
	}
	store_commit(store);
	return watch->op == NULL && logs.count == LOGS_AT_ONCE;
}

/* --- history -----------------------------------------------------------------------------------
 */

static bool changes_something(const struct hash32 *topic0, bool *is_value)
{
	static const enum event_type others[] = {EVENT_OWNERSHIP_TRANSFERRED, EVENT_UPGRADED,
	                                         EVENT_ROLE_GRANTED, EVENT_ROLE_REVOKED,
	                                         EVENT_MIN_DELAY};

	*is_value = false;
	for (int kind = KIND_OS_IMAGE; kind <= KIND_LAST; kind++)
		for (enum action action = ACTION_ADD; action <= ACTION_REMOVE; action++)
			*is_value |= hash32_equal(topic0,
			                          event_registry_topic0((enum kind)kind, action));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (hash32_equal(topic0, event_topic0(others[i])))
			return true;
	return *is_value;
}

static void sum_up(struct lane *lane, const struct log_counts *counts, size_t from, size_t end)
{
	const struct config_target *target;
	const char *role = change_role(lane, &counts->items[from].address, &target);
	uint64_t values = 0, others = 0, last = 0;
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = from; i < end; i++) {
		const struct log_count *count = &counts->items[i];
		bool is_value;
		if (!changes_something(&count->topic0, &is_value))
			continue;
		*(is_value ? &values : &others) += count->count;
		if (count->last_block > last)
			last = count->last_block;
	}
	if (role == NULL || values + others == 0)
		return;
	store_event_add(lane->parts->store, "chain", target->name,
	                "%s %s has a history up to block %" PRIu64 ": %" PRIu64
	                " additions and removals of values, %" PRIu64
	                " changes of owners, roles, delay and code; what happened before it was "
	                "followed raises no alarm, `registrarctl drift` shows what is different",
	                role, address_text(text, &counts->items[from].address), last, values,
	                others);
}

/* When all of it is there. */
static void look_at_history(struct lane *lane)
{
	struct store *store = lane->parts->store;
	struct arena arena = {0};
	struct log_counts counts;
	uint64_t from, next;
	size_t end;

	if (follower_backfilling(lane->follower) ||
	    store_backfill_get(store, lane->config->chain_id, &from, &next) != 0 || next > from)
		return;
	store_history_untold(store, &arena, lane->config->chain_id, &counts);
	if (counts.count > 0) {
		store_begin(store);
		for (size_t i = 0; i < counts.count; i = end) {
			for (end = i + 1;
			     end < counts.count &&
			     address_equal(&counts.items[end].address, &counts.items[i].address);)
				end++;
			sum_up(lane, &counts, i, end);
		}
		store_history_told(store, lane->config->chain_id);
		store_commit(store);
	}
	arena_free(&arena);
}

void change_watch_run(struct change_watch *watch)
{
	if (watch->op != NULL || watch->waiting || !watch->lane->have_head ||
	    lane_looks_at_others(watch->lane))
		return;
	look_at_history(watch->lane);
	while (tell_some(watch))
		continue;
}
