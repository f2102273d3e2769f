/* A Safe's transaction guard: where the Safe keeps it, and the question it is asked before every
 * execution. Source: StorageAccessible.sol and GuardManager.sol, Safe 1.3.0 to 1.5.0. */
#ifndef GOVERNANCE_SAFE_GUARD_H
#define GOVERNANCE_SAFE_GUARD_H

#include "common/governance/safe_tx.h"

/* Appends getStorageAt(slot, 1 word), to be asked of the Safe. */
void safe_encode_storage_at(struct buf *out, const struct hash32 *slot);
/* The address in that word. ERR_INVALID when it is not one word of bytes with an address. */
int safe_storage_address(struct address *out, struct bytes returned) MUST_USE;

/* Appends checkTransaction for this transaction, without signatures, executed by sender. */
void safe_guard_encode_check(struct buf *out, const struct safe_tx *tx,
                             const struct address *sender);

#endif
