#include "daemon/govern/scheduled.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/govern/adopt.h"
#include "daemon/govern/contested.h"
#include "daemon/govern/live.h"

#include <string.h>

/* --- logs ------------------------------------------------------------------------------------- */

enum { MAX_TOPICS = 4 };

/* What the store keeps of a log, as the event it is. Every log of the timelock that matters here
 * has this many indexed values in front of its data. */
static bool decode(struct event *event, const struct seen_log *log, size_t indexed)
{
	struct hash32 topics[MAX_TOPICS] = {log->topic0};
	size_t size = indexed * sizeof(topics[0]);

	if (log->data.len < size)
		return false;
	memcpy(&topics[1], log->data.data, size);
	return event_decode(event, &log->address, topics, indexed + 1,
	                    bytes_of(log->data.data + size, log->data.len - size)) == 0;
}

static bool decode_scheduled(struct event *event, const struct seen_log *log)
{
	return decode(event, log, 2) && event->type == EVENT_CALL_SCHEDULED;
}

static bool makes_call(const struct seen_log *log, const struct contract_call *call)
{
	struct event event;

	return decode_scheduled(&event, log) && address_equal(&event.call.target, &call->to) &&
	       bytes_equal(event.call.data, call->data);
}

static bool is_later(const struct seen_log *a, const struct seen_log *b)
{
	return a->block_number > b->block_number ||
	       (a->block_number == b->block_number && a->log_index > b->log_index);
}

static bool ended_by(struct seen_log *out, struct lane *lane, struct arena *arena,
                     const struct seen_log *scheduled, enum event_type type)
{
	struct seen_log_list logs;

	logs = store_log_find(lane->parts->store, arena, lane->config->chain_id,
	                      &scheduled->address, event_topic0(type), &scheduled->key);
	if (logs.count == 0 || !is_later(&logs.items[logs.count - 1], scheduled))
		return false;
	*out = logs.items[logs.count - 1];
	return true;
}

static bool has_ended(struct lane *lane, struct arena *arena, const struct seen_log *scheduled)
{
	struct seen_log end;

	return ended_by(&end, lane, arena, scheduled, EVENT_CALL_EXECUTED) ||
	       ended_by(&end, lane, arena, scheduled, EVENT_CANCELLED);
}

bool scheduled_elsewhere(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct contract_call *call, const struct hash32 *but,
                         struct hash32 *operation)
{
	struct store *store = lane->parts->store;
	struct seen_log_list logs;

	logs = store_log_list(store, arena, lane->config->chain_id, timelock,
	                      event_topic0(EVENT_CALL_SCHEDULED));
	for (size_t i = 0; i < logs.count; i++) {
		const struct seen_log *log = &logs.items[i];
		if ((but != NULL && hash32_equal(&log->key, but)) || !makes_call(log, call) ||
		    has_ended(lane, arena, log) ||
		    store_outside_known(store, lane->config->chain_id, timelock, &log->key))
			continue;
		*operation = log->key;
		return true;
	}
	return false;
}

bool scheduled_predecessor_done(struct lane *lane, const struct proposal *proposal)
{
	struct arena arena = {0};
	struct seen_log_list logs;

	if (hash32_is_zero(&proposal->predecessor))
		return true;
	logs = store_log_find(lane->parts->store, &arena, lane->config->chain_id,
	                      &proposal->timelock, event_topic0(EVENT_CALL_EXECUTED),
	                      &proposal->predecessor);
	bool done = logs.count > 0;
	arena_free(&arena);
	return done;
}

/* --- operations ---------------------------------------------------------------------------------
 */

/* One operation as its latest schedule wrote it. */
struct operation {
	struct seen_log first, last; /* of that schedule */
	struct timelock_batch batch;
	uint64_t delay;
	bool has_run; /* it was executed since, as this log tells */
	struct seen_log run;
};

static struct hash32 salt_of(struct lane *lane, struct arena *arena, const struct seen_log *log)
{
	struct hash32 salt = {{0}};
	struct seen_log_list logs;
	struct event event;

	logs = store_log_find(lane->parts->store, arena, lane->config->chain_id, &log->address,
	                      event_topic0(EVENT_CALL_SALT), &log->key);
	if (logs.count > 0 && decode(&event, &logs.items[logs.count - 1], 1) &&
	    event.type == EVENT_CALL_SALT)
		salt = event.salt.salt;
	return salt;
}

/* The logs of the last schedule of this operation: those at the end, back to index 0. */
static bool read_calls(struct operation *out, struct arena *arena, const struct seen_log_list *logs)
{
	struct contract_call *calls = arena_array(arena, logs->count, sizeof(*calls));
	size_t at = logs->count, count = 0;
	struct event event;

	do {
		if (at == 0 || !decode_scheduled(&event, &logs->items[--at]))
			return false;
		/* Filled from the end, since the last one comes first here. */
		calls[logs->count - ++count] = (struct contract_call){.to = event.call.target,
		                                                      .value = event.call.value,
		                                                      .data = event.call.data};
	} while (event.call.index > 0);
	out->first = logs->items[at];
	out->last = logs->items[logs->count - 1];
	out->delay = event.call.delay;
	out->batch = (struct timelock_batch){.calls = calls + (logs->count - count),
	                                     .count = count,
	                                     .predecessor = event.call.predecessor};
	return true;
}

/* The events do not say whether it was scheduled as a batch or as a single one: the id does. */
static bool has_id(struct timelock_batch *batch, const struct hash32 *id)
{
	for (int single = 0; single <= (batch->count == 1); single++) {
		batch->single = single != 0;
		struct hash32 made = timelock_operation_id(batch);
		if (hash32_equal(&made, id))
			return true;
	}
	return false;
}

static bool read_operation(struct operation *out, struct lane *lane, struct arena *arena,
                           const struct seen_log *log)
{
	struct seen_log_list logs;

	logs = store_log_find(lane->parts->store, arena, lane->config->chain_id, &log->address,
	                      event_topic0(EVENT_CALL_SCHEDULED), &log->key);
	if (!read_calls(out, arena, &logs))
		return false;
	out->batch.salt = salt_of(lane, arena, log);
	return has_id(&out->batch, &log->key);
}

/* --- what becomes of it -------------------------------------------------------------------------
 */

static const char *where_of(struct arena *arena, const struct seen_log *log)
{
	char id[HASH32_TEXT_SIZE], tx[HASH32_TEXT_SIZE];

	return arena_printf(arena, "operation %s of the timelock, scheduled in transaction %s",
	                    hash32_text(id, &log->key), hash32_text(tx, &log->tx_hash));
}

static bool take(struct lane *lane, struct arena *arena, const struct governed_way *way,
                 struct adopted *found, const struct operation *operation)
{
	const struct adopt_offer offer = {.way = way,
	                                  .found = found,
	                                  .run = operation->has_run ? &operation->run : NULL,
	                                  .where = where_of(arena, &operation->first),
	                                  .drafted_after =
	                                          adopt_drafted_after(lane, &operation->first)};

	found->delay = operation->delay;
	return adopt_take(lane, arena, &offer).n == 0;
}

static void tell_foreign(struct lane *lane, struct arena *arena, const struct governed_way *way,
                         const struct seen_log *log, const char *text)
{
	adopt_tell(lane, way->targets[0]->name, &log->address, &log->key,
	           arena_printf(arena, "%s, is more than registry calls and none of ours: %s",
	                        where_of(arena, log), text));
}

/* Nothing becomes of it any more: cancelled, or executed before anybody followed the timelock. */
static bool is_over(struct operation *operation, struct lane *lane, struct arena *arena,
                    const struct seen_log *log)
{
	struct seen_log end;

	operation->has_run = ended_by(&operation->run, lane, arena, log, EVENT_CALL_EXECUTED);
	return operation->has_run ? !adopt_is_news(lane, &operation->run)
	                          : ended_by(&end, lane, arena, log, EVENT_CANCELLED);
}

/* True when it needs no further look: everything but what is contested. */
static bool look_at(struct lane *lane, struct arena *arena, const struct seen_log *log)
{
	struct operation operation = {.has_run = false};
	struct proposal known;
	struct adopted found;

	if (is_over(&operation, lane, arena, log) ||
	    adopt_find_operation(lane, arena, &log->address, &log->key, &known) == 0)
		return true;
	bool understood = read_operation(&operation, lane, arena, log);
	struct timelock_batch nothing = {0};
	const struct governed_way *way = ways_read_operation(
	        &found, arena, lane, &log->address, understood ? &operation.batch : &nothing);
	if (way == NULL)
		return true;
	if (!understood) {
		tell_foreign(lane, arena, way, log, "its events do not give its id");
		return true;
	}
	switch (found.verdict) {
	case ADOPT_UNRELATED:
		return true;
	case ADOPT_FOREIGN:
		tell_foreign(lane, arena, way, &operation.first, found.text);
		return true;
	case ADOPT_OURS:
		break;
	}
	/* Nobody was there when it was scheduled and executed: the history is to say that it was.
	 */
	if (operation.has_run &&
	    adopt_is_recorded(lane, arena, &found.calls[0].call, &log->key, &operation.run.tx_hash))
		return true;
	return take(lane, arena, way, &found, &operation);
}

static bool same_operation(const struct seen_log *a, const struct seen_log *b)
{
	return hash32_equal(&a->key, &b->key) && address_equal(&a->address, &b->address);
}

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

/* After a start everything is looked at again: another configuration may see it with other eyes. */
static void logs_to_look_at(struct seen_log_list *out, struct arena *arena, struct lane *lane)
{
	const struct hash32 *topic0 = event_topic0(EVENT_CALL_SCHEDULED);
	struct store *store = lane->parts->store;
	struct governed_way *ways;

	*out = (struct seen_log_list){0};
	if (lane->scheduled_looked) {
		*out = store_log_unacted(store, arena, lane->config->chain_id, topic0, 1,
		                         lane->head.number);
		return;
	}
	lane->scheduled_looked = true;
	size_t count = ways_list(&ways, arena, lane);
	for (size_t i = 0; i < count; i++) {
		struct seen_log_list more;
		more = store_log_list(store, arena, lane->config->chain_id, &ways[i].way.timelock,
		                      topic0);
		append_logs(out, arena, &more);
	}
}

static void look_at_new(struct lane *lane)
{
	struct store *store = lane->parts->store;
	struct arena arena = {0};
	struct seen_log_list logs;
	bool everything = !lane->scheduled_looked;

	logs_to_look_at(&logs, &arena, lane);
	bool *done = arena_array(&arena, logs.count, sizeof(*done));
	/* All that is contested is among them. */
	contested_begin(lane->contested, &lane->scheduled_looked);
	for (size_t i = 0; i < logs.count; i++) {
		/* The calls of one operation stand beside each other: one look at all. */
		bool same = i > 0 && same_operation(&logs.items[i - 1], &logs.items[i]);
		done[i] = same ? done[i - 1] : look_at(lane, &arena, &logs.items[i]);
	}
	contested_end(lane->contested);
	if (logs.count > 0) {
		store_begin(store);
		for (size_t i = 0; i < logs.count; i++)
			if (done[i])
				store_log_acted(store, lane->config->chain_id, &logs.items[i]);
			else if (everything) /* what had ended is contested now */
				store_log_act_again(store, lane->config->chain_id, &logs.items[i]);
		store_commit(store);
	}
	arena_free(&arena);
}

/* --- what is gone -------------------------------------------------------------------------------
 */

/* Found in the timelock or the module, and then a reorganisation took it back: nothing of it is
 * left anywhere. */
static bool is_gone(struct lane *lane, struct arena *arena, const struct proposal *proposal)
{
	struct seen_log_list logs;
	struct safe_tx_list txs;

	/* What was found by its log alone, and not by the timelock's own word, was drafted after
	 * some block. */
	if (proposal->state != STATE_DRAFTED || strcmp(proposal->origin, "external") != 0 ||
	    proposal->drafted_after == 0 || !lifecycle_has_timelock(proposal->model))
		return false;
	store_safe_tx_list(lane->parts->store, arena, proposal->id, &txs);
	logs = store_log_find(lane->parts->store, arena, lane->config->chain_id,
	                      &proposal->timelock,
	                      event_topic0(proposal->model == MODEL_DELAY ? EVENT_DELAY_ADDED
	                                                                  : EVENT_CALL_SCHEDULED),
	                      &proposal->operation_id);
	return txs.count == 0 && logs.count == 0;
}

static void drop_gone(struct lane *lane)
{
	struct store *store = lane->parts->store;
	struct arena arena = {0};
	const struct live *live = live_hold(lane);
	struct error error;
	char subject[SUBJECT_SIZE];

	for (size_t i = 0; i < live->proposals.count; i++) {
		const struct proposal *proposal = &live->proposals.items[i];
		if (!is_gone(lane, &arena, proposal))
			continue;
		store_begin(store);
		if (store_proposal_give_way(store, proposal->id,
		                            "a reorganisation took back what others had scheduled",
		                            &error) != 0)
			log_broken(proposal_subject(subject, proposal->id), "%s", error.text);
		store_commit(store);
		lane_changed(lane);
	}
	live_drop(live);
	arena_free(&arena);
}

void scheduled_run(struct lane *lane)
{
	drop_gone(lane);
	look_at_new(lane);
}
