/* An empty transaction of a Safe for a nonce that nothing holds, so that what waits above it can
 * run. It is a rejection of nothing: stored as one, of the proposal that waits. */
#ifndef GOVERN_FILL_H
#define GOVERN_FILL_H

#include "daemon/govern/lane.h"

/* Whether a row, one of these of its proposal, is such a one; a rejection has the nonce of what it
 * rejects. */
bool fill_is(const struct safe_tx_list *txs, const struct safe_tx_row *row);
/* Whether it may be posted: something of the proposal waits above it. */
bool fill_allowed(struct store *store, struct arena *arena, const struct proposal *proposal,
                  const struct safe_tx_row *row);

#endif
