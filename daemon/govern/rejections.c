#include "daemon/govern/rejections.h"

#include "common/governance/safe_tx.h"

bool rejections_exist(struct store *store, struct arena *arena, const struct safe_tx_row *row)
{
	struct safe_tx_list rivals;

	store_safe_tx_at_nonce(store, arena, row->chain_id, &row->safe, row->nonce, &rivals);
	for (size_t i = 0; i < rivals.count; i++)
		if (rivals.items[i].purpose == PURPOSE_REJECT &&
		    rivals.items[i].status <= SAFE_TX_EXECUTED)
			return true;
	return false;
}

void rejections_add(struct store *store, const struct safe_tx_row *row)
{
	struct safe_tx tx = safe_tx_rejection(row->chain_id, &row->safe, row->nonce);
	struct hash32 hash = safe_tx_hash(&tx);

	const struct safe_tx_row fresh = {
	        .proposal = row->proposal,
	        .purpose = PURPOSE_REJECT,
	        .safe = row->safe,
	        .to = tx.to,
	        .data = tx.data,
	        .operation = tx.operation,
	};
	struct safe_tx_id id = store_safe_tx_add(store, &fresh);
	store_safe_tx_pin(store, id, row->nonce, &hash);
}
