/* The ways of governance of a lane's targets: those that share model, Safe and timelock share one,
 * since a single transaction may serve all of them. */
#ifndef GOVERN_WAYS_H
#define GOVERN_WAYS_H

#include "common/governance/adopt.h"
#include "daemon/govern/lane.h"

struct governed_way {
	struct adopt_way way;
	const struct config_target **targets; /* one per registry of the way, in its order */
};

/* Allocated in the arena. */
size_t ways_list(struct governed_way **out, struct arena *arena, const struct lane *lane);

/* The way under which it is ours, else the one under which it is foreign, else any; *found is what
 * that way says. NULL when no way has this Safe. */
const struct governed_way *ways_read_safe_tx(struct adopted *found, struct arena *arena,
                                             const struct lane *lane, const struct safe_tx *tx);
/* The same for an operation of this timelock. */
const struct governed_way *ways_read_operation(struct adopted *found, struct arena *arena,
                                               const struct lane *lane,
                                               const struct address *timelock,
                                               const struct timelock_batch *batch);
/* The same for an entry of this Delay module. */
const struct governed_way *ways_read_entry(struct adopted *found, struct arena *arena,
                                           const struct lane *lane, const struct address *module,
                                           const struct delay_entry *entry);

#endif
