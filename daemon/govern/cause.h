/* Who made a change of a registry: a proposal that is followed here, or somebody else. */
#ifndef GOVERN_CAUSE_H
#define GOVERN_CAUSE_H

#include "common/store/store_chain.h"
#include "daemon/govern/lane.h"

/* A transaction in which something changed: its logs of followed contracts, and itself where it was
 * asked for (else NULL). */
struct change_tx {
	const struct seen_log_list *logs;
	const struct chain_transaction *transaction;
};

/* Whether the transaction executed a proposal that makes exactly this registry call, and that
 * proposal is ours: drafted here, or made by others with a value that somebody here vouches for. */
bool cause_is_ours(struct lane *lane, struct arena *arena, const struct change_tx *tx,
                   const struct contract_call *call);
/* The operation of a timelock that made this call in the transaction; false: none. */
bool cause_operation(struct hash32 *out, const struct change_tx *tx,
                     const struct contract_call *call);
/* Whether there is evidence for the measurement that is more than others asking for it. */
bool cause_is_vouched_for(struct store *store, struct measurement_id id);

#endif
