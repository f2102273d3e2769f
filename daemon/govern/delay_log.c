#include "daemon/govern/delay_log.h"

#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "daemon/govern/call_log.h"

#include <string.h>

/* --- the queue -------------------------------------------------------------------------------- */

int delay_added_of(struct delay_added *out, const struct seen_log *log)
{
	struct event event;

	*out = (struct delay_added){0};
	if (event_decode_stored(&event, &log->address, &log->topic0, log->data) != 0 ||
	    event.type != EVENT_DELAY_ADDED || event.delay.operation > DELAY_DELEGATECALL)
		return ERR_INVALID;
	*out = (struct delay_added){
	        .nonce = event.delay.nonce,
	        .hash = event.delay.hash,
	        .entry = {.to = event.delay.to,
	                  .value = event.delay.value,
	                  .data = event.delay.data,
	                  .operation = (enum delay_operation)event.delay.operation},
	        .log = *log,
	};
	/* What the event says and what the module keeps are one. */
	struct hash32 hash = delay_tx_hash(&out->entry);
	return hash32_equal(&hash, &out->hash) ? 0 : ERR_INVALID;
}

struct hash32 delay_added_key(const struct delay_added *added)
{
	uint8_t numbered[sizeof(added->hash.b) + sizeof(uint64_t)];

	memcpy(numbered, added->hash.b, sizeof(added->hash.b));
	be64_put(numbered + sizeof(added->hash.b), added->nonce);
	return keccak256(bytes_of(numbered, sizeof(numbered)));
}

static size_t take_list(struct delay_added **out, struct arena *arena,
                        const struct seen_log_list *logs)
{
	size_t count = 0;

	*out = arena_array(arena, logs->count, sizeof(**out));
	for (size_t i = 0; i < logs->count; i++)
		if (delay_added_of(&(*out)[count], &logs->items[i]) == 0)
			count++;
	return count;
}

size_t delay_added_list(struct delay_added **out, const struct delay_log *of, struct arena *arena)
{
	struct seen_log_list logs;

	logs = store_log_list(of->store, arena, of->chain_id, of->module,
	                      event_topic0(EVENT_DELAY_ADDED));
	return take_list(out, arena, &logs);
}

size_t delay_added_same(struct delay_added **out, const struct delay_log *of, struct arena *arena,
                        const struct hash32 *hash, uint64_t after)
{
	struct seen_log_list logs;

	logs = store_log_find(of->store, arena, of->chain_id, of->module,
	                      event_topic0(EVENT_DELAY_ADDED), hash);
	while (logs.count > 0 && logs.items[0].block_number <= after) {
		logs.items++;
		logs.count--;
	}
	return take_list(out, arena, &logs);
}

int delay_added_find(struct delay_added *out, const struct delay_log *of, struct arena *arena,
                     const struct hash32 *hash, uint64_t after)
{
	struct delay_added *list;
	size_t count = delay_added_same(&list, of, arena, hash, after);

	*out = count > 0 ? list[count - 1] : (struct delay_added){0};
	return count > 0 ? 0 : ERR_NOT_FOUND;
}

int delay_veto_find(struct seen_log *out, struct store *store, struct arena *arena,
                    uint64_t chain_id, const struct delay_added *added)
{
	struct seen_log_list logs;
	struct event event;

	*out = (struct seen_log){0};
	logs = store_log_list(store, arena, chain_id, &added->log.address,
	                      event_topic0(EVENT_DELAY_NONCE));
	for (size_t i = 0; i < logs.count; i++) {
		const struct seen_log *log = &logs.items[i];
		if (seen_log_is_later(log, &added->log) &&
		    event_decode_stored(&event, &log->address, &log->topic0, log->data) == 0 &&
		    event.number > added->nonce) {
			*out = *log;
			return 0;
		}
	}
	return ERR_NOT_FOUND;
}

bool delay_elsewhere(const struct delay_log *of, struct arena *arena, uint64_t next,
                     const struct contract_call *call, struct hash32 *hash)
{
	struct delay_added *list;
	size_t count = delay_added_list(&list, of, arena);

	for (size_t i = 0; i < count; i++) {
		const struct hash32 key = delay_added_key(&list[i]);
		struct contract_call *calls;
		size_t call_count;
		if (list[i].nonce < next ||
		    store_outside_known(of->store, of->chain_id, of->module, &key) ||
		    delay_entry_calls(arena, &calls, &call_count, &list[i].entry, NULL) != 0)
			continue;
		for (size_t k = 0; k < call_count; k++)
			if (address_equal(&calls[k].to, &call->to) &&
			    bytes_equal(calls[k].data, call->data)) {
				*hash = list[i].hash;
				return true;
			}
	}
	return false;
}

/* --- what it did ------------------------------------------------------------------------------ */

static bool has_log(const struct seen_log_list *logs, const struct address *address,
                    const struct hash32 *topic0, const struct hash32 *key,
                    const struct seen_log **which)
{
	for (size_t i = 0; i < logs->count; i++) {
		const struct seen_log *log = &logs->items[i];
		if ((address == NULL || address_equal(&log->address, address)) &&
		    hash32_equal(&log->topic0, topic0) && hash32_equal(&log->key, key)) {
			*which = log;
			return true;
		}
	}
	return false;
}

static bool find_act(const struct seen_log **run, const struct seen_log_list *logs,
                     const struct address *module)
{
	struct hash32 key = {{0}};

	memcpy(key.b + sizeof(key.b) - sizeof(module->b), module->b, sizeof(module->b));
	return has_log(logs, NULL, event_topic0(EVENT_MODULE_SUCCESS), &key, run);
}

bool delay_made_act(const struct seen_log_list *logs, const struct address *module)
{
	const struct seen_log *run;

	return find_act(&run, logs, module);
}

/* One transaction that made the first call: was it the module's, and did it make them all? */
static bool is_run(struct seen_log *out, const struct seen_log_list *logs,
                   const struct proposal *proposal, const struct address *module)
{
	const struct seen_log *run, *made;

	if (!find_act(&run, logs, module))
		return false;
	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *call = &proposal->calls[i];
		if (!has_log(logs, &call->to, event_registry_topic0(call->kind, call->action),
		             &call->value, &made))
			return false;
	}
	*out = *run;
	return true;
}

int delay_run_find(struct seen_log *out, struct store *store, struct arena *arena,
                   const struct proposal *proposal, const struct delay_added *added)
{
	const struct call *first = &proposal->calls[0];
	struct seen_log_list made, logs;

	*out = (struct seen_log){0};
	made = store_log_find(store, arena, proposal->chain_id, &first->to,
	                      event_registry_topic0(first->kind, first->action), &first->value);
	for (size_t i = made.count; i-- > 0 && seen_log_is_later(&made.items[i], &added->log);) {
		logs = store_log_of_tx(store, arena, proposal->chain_id, &made.items[i]);
		if (is_run(out, &logs, proposal, &added->log.address))
			return 0;
	}
	return ERR_NOT_FOUND;
}
