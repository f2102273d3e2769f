#include "daemon/govern/cause.h"

#include "common/governance/events.h"
#include "daemon/govern/delay_log.h"

#include <string.h>

/* The first log of this event from the contract, with this key unless it is NULL. */
static bool has_log(const struct change_tx *tx, const struct address *contract,
                    enum event_type type, const struct hash32 *key)
{
	for (size_t i = 0; i < tx->logs->count; i++) {
		const struct seen_log *log = &tx->logs->items[i];
		if (address_equal(&log->address, contract) &&
		    hash32_equal(&log->topic0, event_topic0(type)) &&
		    (key == NULL || hash32_equal(&log->key, key)))
			return true;
	}
	return false;
}

bool cause_operation(struct hash32 *out, const struct change_tx *tx,
                     const struct contract_call *call)
{
	for (size_t i = 0; i < tx->logs->count; i++) {
		const struct seen_log *log = &tx->logs->items[i];
		struct event event;
		if (event_decode_stored(&event, &log->address, &log->topic0, log->data) == 0 &&
		    event.type == EVENT_CALL_EXECUTED &&
		    address_equal(&event.call.target, &call->to) &&
		    bytes_equal(event.call.data, call->data)) {
			*out = event.call.id;
			return true;
		}
	}
	*out = (struct hash32){0};
	return false;
}

/* One of its Safe transactions that apply the calls succeeded. A draft that people imported from
 * its file has no hash here: then any success of that Safe will do. */
static bool safe_applied(struct lane *lane, struct arena *arena, const struct change_tx *tx,
                         const struct proposal *proposal)
{
	struct safe_tx_list txs;

	store_safe_tx_list(lane->parts->store, arena, proposal->id, &txs);
	for (size_t i = 0; i < txs.count; i++) {
		const struct safe_tx_row *row = &txs.items[i];
		const struct hash32 *key = row->has_nonce ? &row->safe_tx_hash : NULL;
		if (row->purpose == PURPOSE_APPLY &&
		    has_log(tx, &row->safe, EVENT_SAFE_SUCCESS, key))
			return true;
	}
	return false;
}

static bool executed(struct lane *lane, struct arena *arena, const struct change_tx *tx,
                     const struct proposal *proposal, const struct contract_call *call)
{
	switch (proposal->model) {
	case MODEL_SAFE_TIMELOCK:
	case MODEL_TIMELOCK:
		return has_log(tx, &proposal->timelock, EVENT_CALL_EXECUTED,
		               &proposal->operation_id);
	case MODEL_SAFE:
		return safe_applied(lane, arena, tx, proposal);
	case MODEL_DELAY:
		return delay_made_act(tx->logs, &proposal->timelock);
	case MODEL_DIRECT:
		return tx->transaction != NULL && address_equal(&tx->transaction->to, &call->to) &&
		       bytes_equal(tx->transaction->input, call->data);
	}
	die("no such model: %d", (int)proposal->model);
}

bool cause_is_vouched_for(struct store *store, struct measurement_id id)
{
	return store_measurement_is_ours(store, id);
}

/* What others added is ours only as far as somebody here wanted the same. What they removed never
 * is: by now the removal itself has made it unwanted. */
static bool is_wanted_here(struct lane *lane, struct arena *arena, const struct proposal *proposal,
                           const struct contract_call *call)
{
	struct store *store = lane->parts->store;
	struct measurement_list served;

	if (strcmp(proposal->origin, "registrard") == 0)
		return true;
	store_proposal_measurements(store, arena, proposal->id, &served);
	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *own = &proposal->calls[i];
		if (own->action == ACTION_REMOVE || !address_equal(&own->to, &call->to) ||
		    !bytes_equal(own->data, call->data))
			continue;
		for (size_t k = 0; k < served.count; k++) {
			const struct measurement *m = &served.items[k];
			if (hash32_equal(&m->value, &own->value) && m->wanted &&
			    cause_is_vouched_for(store, m->id))
				return true;
		}
	}
	return false;
}

bool cause_is_ours(struct lane *lane, struct arena *arena, const struct change_tx *tx,
                   const struct contract_call *call)
{
	struct store *store = lane->parts->store;
	struct proposal_id *ids;
	size_t count = store_call_proposals(store, arena, lane->config->chain_id, &call->to,
	                                    call->data, &ids);

	for (size_t i = 0; i < count; i++) {
		struct proposal proposal;
		if (store_proposal_get(store, arena, ids[i], &proposal) == 0 &&
		    executed(lane, arena, tx, &proposal, call) &&
		    is_wanted_here(lane, arena, &proposal, call))
			return true;
	}
	return false;
}
