#include "daemon/govern/fill.h"

#include "common/base/log.h"
#include "common/governance/safe_tx.h"
#include "common/store/store_event.h"
#include "daemon/govern/blockage.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/op.h"

#include <inttypes.h>

bool fill_is(const struct safe_tx_list *txs, const struct safe_tx_row *row)
{
	if (row->purpose != PURPOSE_REJECT || !row->has_nonce)
		return false;
	for (size_t i = 0; i < txs->count; i++)
		if (txs->items[i].id.n != row->id.n && txs->items[i].has_nonce &&
		    txs->items[i].nonce == row->nonce)
			return false;
	return true;
}

bool fill_allowed(struct store *store, struct arena *arena, const struct proposal *proposal,
                  const struct safe_tx_row *row)
{
	struct safe_tx_list txs;

	if (row->purpose != PURPOSE_REJECT || lifecycle_is_terminal(proposal->state))
		return false;
	store_safe_tx_list(store, arena, proposal->id, &txs);
	if (!fill_is(&txs, row))
		return false;
	for (size_t i = 0; i < txs.count; i++)
		if (txs.items[i].status == SAFE_TX_QUEUED && txs.items[i].nonce > row->nonce)
			return true;
	return false;
}

/* Ours, which waits for its signatures or to be posted: another one would be the same. */
static bool is_filled(struct lane *lane, struct arena *arena, const struct safe_tx_row *row,
                      uint64_t nonce)
{
	struct safe_tx_list there;

	store_safe_tx_at_nonce(lane->parts->store, arena, row->chain_id, &row->safe, nonce, &there);
	for (size_t i = 0; i < there.count; i++)
		if (there.items[i].status <= SAFE_TX_QUEUED)
			return true;
	return false;
}

static void add(struct lane *lane, const struct safe_tx_row *above, uint64_t nonce, const char *who)
{
	struct store *store = lane->parts->store;
	struct safe_tx tx = safe_tx_rejection(above->chain_id, &above->safe, nonce);
	struct hash32 hash = safe_tx_hash(&tx);
	char subject[SUBJECT_SIZE];

	proposal_subject(subject, above->proposal);
	store_begin(store);
	const struct safe_tx_row fresh = {
	        .proposal = above->proposal,
	        .purpose = PURPOSE_REJECT,
	        .safe = above->safe,
	        .to = tx.to,
	        .data = tx.data,
	        .operation = tx.operation,
	};
	struct safe_tx_id id = store_safe_tx_add(store, &fresh);
	store_safe_tx_pin(store, id, nonce, &hash);
	store_event_add(store, "operator", subject, "nonce %" PRIu64 " to be filled, said %s",
	                nonce, who);
	store_commit(store);
	draft_file_write(lane, above->proposal);
	lane_changed(lane);
	lane_wake(lane);
}

int govern_fill(struct govern *govern, struct proposal_id id, const char *who, struct error *error)
{
	struct arena arena = {0};
	struct proposal proposal;
	struct safe_tx_row above;
	char subject[SUBJECT_SIZE];
	uint64_t nonce;
	int rc = 0;

	proposal_subject(subject, id);
	if (store_proposal_get(govern_parts(govern)->store, &arena, id, &proposal) != 0) {
		rc = error_set(error, ERR_NOT_FOUND, "no proposal %s", subject);
	} else {
		struct lane *lane = govern_lane(govern, proposal.chain_id);
		if (lane == NULL || !blockage_hole(lane->blockage, &arena, id, &above, &nonce))
			rc = error_set(error, ERR_CONFLICT,
			               "nothing of %s waits above a nonce that is known to be free",
			               subject);
		else if (!is_filled(lane, &arena, &above, nonce))
			add(lane, &above, nonce, who);
	}
	arena_free(&arena);
	return rc;
}
