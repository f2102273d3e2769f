#include "daemon/govern/call_log.h"

#include "common/governance/events.h"

bool seen_log_is_later(const struct seen_log *a, const struct seen_log *b)
{
	return a->block_number > b->block_number ||
	       (a->block_number == b->block_number && a->log_index > b->log_index);
}

static bool last_of(struct store *store, struct arena *arena, const struct proposal *proposal,
                    const struct call *call, enum action action, struct seen_log *out)
{
	struct seen_log_list logs;

	logs = store_log_find(store, arena, proposal->chain_id, &call->to,
	                      event_registry_topic0(call->kind, action), &call->value);
	if (logs.count == 0)
		return false;
	*out = logs.items[logs.count - 1];
	return out->block_number > proposal->drafted_after;
}

bool call_log_find(struct store *store, struct arena *arena, const struct proposal *proposal,
                   const struct call *call, struct seen_log *out)
{
	return last_of(store, arena, proposal, call, call->action, out);
}

bool call_log_undone(struct store *store, struct arena *arena, const struct proposal *proposal,
                     const struct call *call, const struct seen_log *done)
{
	enum action opposite = call->action == ACTION_ADD ? ACTION_REMOVE : ACTION_ADD;
	struct seen_log log;

	return last_of(store, arena, proposal, call, opposite, &log) &&
	       seen_log_is_later(&log, done);
}
