#include "daemon/govern/scheduled.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"

#include <string.h>

enum { SCHEDULED_TOPICS = 3 };

static bool makes_call(const struct seen_log *log, const struct contract_call *call)
{
	struct hash32 topics[SCHEDULED_TOPICS] = {log->topic0};
	size_t indexed = (SCHEDULED_TOPICS - 1) * sizeof(topics[0]);
	struct event event;

	if (log->data.len < indexed)
		return false;
	memcpy(&topics[1], log->data.data, indexed);
	return event_decode(&event, &log->address, topics, SCHEDULED_TOPICS,
	                    bytes_of(log->data.data + indexed, log->data.len - indexed)) == 0 &&
	       address_equal(&event.call.target, &call->to) &&
	       bytes_equal(event.call.data, call->data);
}

static bool ended(struct lane *lane, struct arena *arena, const struct seen_log *scheduled,
                  enum event_type type)
{
	struct seen_log_list logs;

	store_log_find(lane->parts->store, arena, lane->config->chain_id, &scheduled->address,
	               event_topic0(type), &scheduled->key, &logs);
	if (logs.count == 0)
		return false;
	const struct seen_log *last = &logs.items[logs.count - 1];
	return last->block_number > scheduled->block_number ||
	       (last->block_number == scheduled->block_number &&
	        last->log_index > scheduled->log_index);
}

bool scheduled_elsewhere(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct contract_call *call, const struct hash32 *but,
                         struct hash32 *operation)
{
	struct seen_log_list logs;

	store_log_list(lane->parts->store, arena, lane->config->chain_id, timelock,
	               event_topic0(EVENT_CALL_SCHEDULED), &logs);
	for (size_t i = 0; i < logs.count; i++) {
		const struct seen_log *log = &logs.items[i];
		if ((but != NULL && hash32_equal(&log->key, but)) || !makes_call(log, call) ||
		    ended(lane, arena, log, EVENT_CALL_EXECUTED) ||
		    ended(lane, arena, log, EVENT_CANCELLED))
			continue;
		*operation = log->key;
		return true;
	}
	return false;
}
