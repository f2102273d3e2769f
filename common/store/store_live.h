/* What the stages of a chain look at again and again: everything about its proposals that are not
 * over. Reading it costs by their number, so it is read once and kept until store_live_writes says
 * that something of it was written. */
#ifndef STORE_LIVE_H
#define STORE_LIVE_H

#include "common/store/store_safe_tx.h"

struct live {
	struct proposal_list proposals; /* by id */
	struct safe_tx_list *txs;       /* one per proposal, each by id */
	struct safe_tx_list open;       /* of the chain, also of proposals that are over; by id */
};

void store_live_read(struct store *store, struct arena *arena, uint64_t chain_id, struct live *out);
/* Grows with every write to proposals, calls and Safe transactions, of whatever chain: what was
 * read at the same number is how it stands. */
uint64_t store_live_writes(const struct store *store);

#endif
