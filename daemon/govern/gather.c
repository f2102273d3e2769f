#include "daemon/govern/gather.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"

#include <string.h>

static void hold(struct store *store, const struct measurement *m, const char *reason)
{
	store_measurement_set_status(store, m->id, MEASUREMENT_HELD, reason);
}

static bool latest_log(struct lane *lane, struct arena *arena, const struct candidate *candidate,
                       enum action action, struct seen_log *out)
{
	struct seen_log_list logs;
	const struct call *call = &candidate->call;

	store_log_find(lane->parts->store, arena, lane->config->chain_id, &call->to,
	               event_registry_topic0(call->kind, action), &call->value, &logs);
	if (logs.count == 0)
		return false;
	*out = logs.items[logs.count - 1];
	return true;
}

/* Nothing comes back by itself: a value that people removed on chain is not asked for again. An
 * approval given after that is the later word. */
static bool was_removed(struct lane *lane, struct arena *arena, const struct candidate *candidate,
                        struct seen_log *removed)
{
	struct seen_log added;

	if (candidate->measurement.approved ||
	    !latest_log(lane, arena, candidate, ACTION_REMOVE, removed))
		return false;
	return !latest_log(lane, arena, candidate, ACTION_ADD, &added) ||
	       added.block_number < removed->block_number ||
	       (added.block_number == removed->block_number &&
	        added.log_index < removed->log_index);
}

static void set_removed(struct lane *lane, const struct measurement *m)
{
	static const char reason[] =
	        "it was removed on chain before; `registrarctl approve` asks for it again";

	store_measurement_set_wanted(lane->parts->store, m->id, false, reason);
	store_measurement_set_status(lane->parts->store, m->id, MEASUREMENT_REVOKED, reason);
}

/* True when the measurement needs a draft; else it was settled. */
static bool make_candidate(struct candidate *out, struct arena *arena, struct lane *lane,
                           const struct config_target *target, const struct measurement *m)
{
	struct store *store = lane->parts->store;
	struct registry_call registry;
	struct proposal_id live;
	struct seen_log removed;

	*out = (struct candidate){.measurement = *m};
	if (!m->wanted)
		return false;
	if (registry_call_for(&registry, target, m->kind) != 0) {
		hold(store, m,
		     "the target has no `app`, which is where compose hashes and devices are "
		     "registered");
		return false;
	}
	if (m->level < target->min_evidence && !m->approved) {
		hold(store, m,
		     arena_printf(arena, "evidence %s, the target wants %s",
		                  evidence_level_name(m->level),
		                  evidence_level_name(target->min_evidence)));
		return false;
	}
	uint8_t data[REGISTRY_CALL_SIZE];
	registry_encode_call(data, registry.as, ACTION_ADD, &m->value);
	out->call = (struct call){.to = registry.contract,
	                          .data = arena_copy(arena, bytes_of(data, sizeof(data))),
	                          .action = ACTION_ADD,
	                          .kind = registry.as,
	                          .value = m->value};
	if (store_call_live(store, lane->config->chain_id, &out->call.to, out->call.data, &live) ==
	    0) {
		store_call_serve(store, lane->config->chain_id, &out->call.to, out->call.data,
		                 m->id);
		return false;
	}
	if (was_removed(lane, arena, out, &removed)) {
		/* Until then a reorganisation may take the removal back: it waits. */
		if (removed.block_number <= lane->final.number)
			set_removed(lane, m);
		return false;
	}
	return true;
}

static size_t count_value(const struct candidate *items, size_t count, const struct hash32 *value)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += hash32_equal(&items[i].measurement.value, value);
	return found;
}

/* A value that goes into two contracts goes into one batch: the cut never parts it, and lets a
 * first one through whole that is larger than the batch. */
static size_t cut(struct candidate *out, const struct candidate *items, size_t count, size_t max)
{
	size_t kept = 0;

	for (size_t i = 0; i < count && kept < max; i++) {
		const struct hash32 *value = &items[i].measurement.value;
		if (count_value(items, i, value) > 0)
			continue; /* came with the first of its value */
		if (kept > 0 && kept + count_value(items + i, count - i, value) > max)
			break;
		for (size_t k = i; k < count; k++)
			if (hash32_equal(&items[k].measurement.value, value))
				out[kept++] = items[k];
	}
	return kept;
}

void gather(struct gathered *out, struct arena *arena, struct lane *lane,
            const struct config_target *target, struct wall now)
{
	struct measurement_filter filter = {.target = target->name, .status = MEASUREMENT_NEW};
	struct measurement_list list;
	int64_t newest = INT64_MIN;

	*out = (struct gathered){.wait_ms = -1};
	store_measurement_list(lane->parts->store, arena, &filter, &list);
	struct candidate *items = arena_array(arena, list.count, sizeof(*items));
	size_t count = 0;
	for (size_t i = 0; i < list.count; i++) {
		if (!make_candidate(&items[count], arena, lane, target, &list.items[i]))
			continue;
		if (list.items[i].status_since.ms > newest)
			newest = list.items[i].status_since.ms;
		count++;
	}
	if (count == 0)
		return;
	int64_t wait = newest + target->quiet_ms - now.ms;
	/* A wall clock that jumped back must not keep a batch waiting for ever. */
	if (wait > target->quiet_ms)
		wait = target->quiet_ms;
	if (wait > 0 && count < target->max_calls) {
		out->wait_ms = wait;
		return;
	}
	out->items = arena_array(arena, count, sizeof(*items));
	out->count = cut(out->items, items, count, target->max_calls);
}
