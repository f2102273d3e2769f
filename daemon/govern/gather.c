#include "daemon/govern/gather.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_signature.h"

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

	logs = store_log_find(lane->parts->store, arena, lane->config->chain_id, &call->to,
	                      event_registry_topic0(call->kind, action), &call->value);
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

/* The registry call that does this with the measurement. False, and it is held, when its target has
 * no contract for it. */
static bool make_call(struct candidate *out, struct arena *arena, struct lane *lane,
                      const struct config_target *target, enum action action)
{
	const struct measurement *m = &out->measurement;
	struct registry_call registry;
	uint8_t data[REGISTRY_CALL_SIZE];

	if (registry_call_for(&registry, target, m->kind) != 0) {
		hold(lane->parts->store, m,
		     "the target has no `app`, which is where compose hashes and devices are "
		     "registered");
		return false;
	}
	registry_encode_call(data, registry.as, action, &m->value);
	out->call = (struct call){.to = registry.contract,
	                          .data = arena_copy(arena, bytes_of(data, sizeof(data))),
	                          .action = action,
	                          .kind = registry.as,
	                          .value = m->value};
	return true;
}

/* True when a live proposal makes the call already: the measurement is linked to it. */
static bool is_served(struct lane *lane, const struct candidate *candidate)
{
	const struct call *call = &candidate->call;
	struct store *store = lane->parts->store;
	struct proposal_id live;

	if (store_call_live(store, lane->config->chain_id, &call->to, call->data, &live) != 0)
		return false;
	store_call_serve(store, lane->config->chain_id, &call->to, call->data,
	                 candidate->measurement.id);
	return true;
}

/* True when the measurement needs a draft that adds it; else it was settled. */
static bool make_addition(struct candidate *out, struct arena *arena, struct lane *lane,
                          const struct config_target *target, const struct measurement *m)
{
	struct store *store = lane->parts->store;
	struct seen_log removed;

	*out = (struct candidate){.measurement = *m, .group = m->value, .since = m->status_since};
	if (!m->wanted || !make_call(out, arena, lane, target, ACTION_ADD))
		return false;
	const char *lacks = store_measurement_lacks(
	        store, arena, m, &(struct evidence_demand){target->min_evidence, &target->signing},
	        NULL);
	if (lacks != NULL) {
		hold(store, m, lacks);
		return false;
	}
	if (is_served(lane, out))
		return false;
	if (was_removed(lane, arena, out, &removed)) {
		/* Until then a reorganisation may take the removal back: it waits. */
		if (removed.block_number <= lane->final.number)
			set_removed(lane, m);
		return false;
	}
	return true;
}

bool gather_is_being_added(struct lane *lane, struct arena *arena, const struct call *call,
                           enum proposal_state before)
{
	struct store *store = lane->parts->store;
	uint8_t data[REGISTRY_CALL_SIZE];
	struct proposal_id live;
	struct proposal proposal;

	registry_encode_call(data, call->kind, ACTION_ADD, &call->value);
	return store_call_live(store, lane->config->chain_id, &call->to,
	                       bytes_of(data, sizeof(data)), &live) == 0 &&
	       store_proposal_get(store, arena, live, &proposal) == 0 && proposal.state < before;
}

/* True when the measurement needs a draft that removes it, as far as is known without the chain.
 * While its addition may still land there is nothing to remove; as soon as it did, there is. */
static bool make_removal(struct candidate *out, struct arena *arena, struct lane *lane,
                         const struct config_target *target, const struct measurement *m)
{
	*out = (struct candidate){.measurement = *m, .group = m->value, .since = m->revoke_at};
	if (!make_call(out, arena, lane, target, ACTION_REMOVE) || is_served(lane, out))
		return false;
	return m->status == MEASUREMENT_AUTHORIZED ||
	       !gather_is_being_added(lane, arena, &out->call, STATE_EXECUTED);
}

/* --- batches ----------------------------------------------------------------------------------
 */

struct pile {
	struct candidate *items;
	size_t count;
};

static bool removes(const struct candidate *candidate)
{
	return candidate->call.action == ACTION_REMOVE;
}

static bool holds_group(const struct pile *pile, const struct hash32 *group)
{
	for (size_t i = 0; i < pile->count; i++)
		if (hash32_equal(&pile->items[i].group, group))
			return true;
	return false;
}

static size_t count_group(const struct candidate *items, size_t count, const struct hash32 *group)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += hash32_equal(&items[i].group, group);
	return found;
}

/* A value that goes into two contracts goes into one batch, and so does what takes the place of
 * another: the cut never parts a group, and lets a first one through whole that is larger than the
 * batch. */
static size_t cut(struct candidate *out, const struct candidate *items, size_t count, size_t max)
{
	size_t kept = 0;

	for (size_t i = 0; i < count && kept < max; i++) {
		const struct hash32 *group = &items[i].group;
		if (count_group(items, i, group) > 0)
			continue; /* came with the first of its group */
		if (kept > 0 && kept + count_group(items + i, count - i, group) > max)
			break;
		for (size_t k = i; k < count; k++)
			if (hash32_equal(&items[k].group, group))
				out[kept++] = items[k];
	}
	return kept;
}

static bool is_skipped(struct gather_skip skip, struct measurement_id id)
{
	for (size_t i = 0; i < skip.count; i++)
		if (skip.ids[i].n == id.n)
			return true;
	return false;
}

/* Removals first: where a batch is cut, additions wait. */
static struct pile collect(struct arena *arena, struct lane *lane,
                           const struct config_target *target, struct gather_skip skip)
{
	struct measurement_filter filter = {.target = target->name, .status = MEASUREMENT_NEW};
	struct measurement_list wanted, revoked;

	store_measurement_revoking(lane->parts->store, arena, target->name, &revoked);
	store_measurement_list(lane->parts->store, arena, &filter, &wanted);
	struct pile pile = {
	        .items = arena_array(arena, revoked.count + wanted.count, sizeof(*pile.items))};
	for (size_t i = 0; i < revoked.count; i++)
		pile.count += !is_skipped(skip, revoked.items[i].id) &&
		              make_removal(&pile.items[pile.count], arena, lane, target,
		                           &revoked.items[i]);
	struct pile removals = pile;
	for (size_t i = 0; i < wanted.count; i++) {
		struct candidate *next = &pile.items[pile.count];
		if (is_skipped(skip, wanted.items[i].id) ||
		    !make_addition(next, arena, lane, target, &wanted.items[i]))
			continue;
		if (next->measurement.has_replaces &&
		    holds_group(&removals, &next->measurement.replaces))
			next->group = next->measurement.replaces;
		pile.count++;
	}
	return pile;
}

/* Those that belong to a removal, or, with only_urgent, to an urgent one. */
static struct pile with_removals(struct arena *arena, const struct pile *all, bool only_urgent)
{
	struct pile roots = {.items = arena_array(arena, all->count, sizeof(*roots.items))};
	struct pile out = {.items = arena_array(arena, all->count, sizeof(*out.items))};

	for (size_t i = 0; i < all->count; i++)
		if (removes(&all->items[i]) && (!only_urgent || all->items[i].measurement.urgent))
			roots.items[roots.count++] = all->items[i];
	for (size_t i = 0; i < all->count; i++)
		if (holds_group(&roots, &all->items[i].group))
			out.items[out.count++] = all->items[i];
	return out;
}

/* How long until nothing of the pile is younger than the target's quiet time; 0: it is quiet, or
 * fills a batch. */
static int64_t quiet_in_ms(const struct pile *pile, const struct config_target *target,
                           struct wall now)
{
	int64_t newest = INT64_MIN;

	if (pile->count == 0 || pile->count >= target->max_calls)
		return 0;
	for (size_t i = 0; i < pile->count; i++)
		if (pile->items[i].since.ms > newest)
			newest = pile->items[i].since.ms;
	int64_t wait = newest + target->quiet_ms - now.ms;
	/* Younger than now: the clock was set back. It would stay so until the clock is there
	 * again. */
	return wait > 0 && wait <= target->quiet_ms ? wait : 0;
}

void gather(struct gathered *out, struct arena *arena, struct lane *lane,
            const struct config_target *target, struct gather_skip skip, struct wall now)
{
	*out = (struct gathered){.wait_ms = -1};
	struct pile all = collect(arena, lane, target, skip);
	struct pile due = with_removals(arena, &all, true);
	int64_t wait = quiet_in_ms(&all, target, now);

	out->urgent = due.count > 0;
	if (!out->urgent) {
		/* What keeps arriving must not keep a removal waiting. */
		struct pile removals = with_removals(arena, &all, false);
		int64_t removals_wait = quiet_in_ms(&removals, target, now);
		due = wait == 0 ? all : removals;
		if (wait > 0 && (removals.count == 0 || removals_wait > 0)) {
			out->wait_ms =
			        removals.count > 0 && removals_wait < wait ? removals_wait : wait;
			return;
		}
	}
	if (due.count == 0)
		return;
	out->items = arena_array(arena, due.count, sizeof(*out->items));
	out->count = cut(out->items, due.items, due.count, target->max_calls);
	/* At once the others would only find what goes before them again. */
	if (out->count < all.count)
		out->wait_ms = wait > lane->config->poll_ms ? wait : lane->config->poll_ms;
}
