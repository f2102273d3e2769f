/* The proposals of a lane that are not over, as they stand in the store now: read anew only when
 * something of them was written, so that looking costs nothing where nothing happened. */
#ifndef GOVERN_LIVE_H
#define GOVERN_LIVE_H

#include "common/store/store_live.h"
#include "daemon/govern/lane.h"

/* How they stand at this moment; what is written later changes nothing in it. live_drop it. */
const struct live *live_hold(struct lane *lane);
void live_drop(const struct live *live);
/* One of them; NULL: it is over, or of another chain. */
const struct proposal *live_find(const struct live *live, struct proposal_id id);
/* The same, also for one that is over: then it is read into the arena. NULL: no such proposal. */
const struct proposal *live_get(const struct live *live, struct lane *lane, struct arena *arena,
                                struct proposal_id id);
/* The Safe transactions of one of them. */
const struct safe_tx_list *live_txs(const struct live *live, const struct proposal *proposal);
/* The same as long as nothing is written about the proposal. */
uint64_t live_mark(const struct live *live, size_t index);

#endif
