#include "daemon/govern/displaced.h"

#include "common/governance/events.h"
#include "common/governance/safe_tx.h"
#include "common/store/store_chain.h"

#include <string.h>

static bool was_rejected(struct store *store, struct arena *arena, const struct safe_tx_row *row)
{
	struct safe_tx rejection = safe_tx_rejection(row->chain_id, &row->safe, row->nonce);
	struct hash32 hash = safe_tx_hash(&rejection);
	struct seen_log_list logs;

	logs = store_log_find(store, arena, row->chain_id, &row->safe,
	                      event_topic0(EVENT_SAFE_SUCCESS), &hash);
	return logs.count > 0;
}

static bool is_external(struct store *store, struct arena *arena, struct proposal_id id)
{
	struct proposal proposal;

	return store_proposal_get(store, arena, id, &proposal) == 0 &&
	       strcmp(proposal.origin, "external") == 0;
}

/* The rejection that used the nonce was drafted for what lay there for nothing. */
static bool rejected_for_others(struct store *store, struct arena *arena,
                                const struct safe_tx_row *row, const struct safe_tx_list *rivals)
{
	for (size_t i = 0; i < rivals->count; i++) {
		const struct safe_tx_row *rival = &rivals->items[i];
		struct proposal proposal;
		if (rival->purpose == PURPOSE_REJECT && rival->status == SAFE_TX_EXECUTED &&
		    rival->proposal.n != row->proposal.n &&
		    store_proposal_get(store, arena, rival->proposal, &proposal) == 0 &&
		    (proposal.flags & FLAG_WITHDRAWING) == 0)
			return true;
	}
	return false;
}

bool displaced_only(struct store *store, struct arena *arena, const struct safe_tx_row *row)
{
	struct safe_tx_list rivals;

	if (is_external(store, arena, row->proposal))
		return false;
	store_safe_tx_at_nonce(store, arena, row->chain_id, &row->safe, row->nonce, &rivals);
	for (size_t i = 0; i < rivals.count; i++) {
		const struct safe_tx_row *rival = &rivals.items[i];
		if (rival->id.n != row->id.n && rival->purpose != PURPOSE_REJECT &&
		    (rival->status == SAFE_TX_EXECUTED || rival->status == SAFE_TX_FAILED) &&
		    !is_external(store, arena, rival->proposal))
			return true;
	}
	return rejected_for_others(store, arena, row, &rivals) ||
	       (row->shares && !was_rejected(store, arena, row));
}
