/* Who used a nonce of a Safe, told from the order of the Safe's own events. */
#ifndef GOVERN_NONCE_USER_H
#define GOVERN_NONCE_USER_H

#include "daemon/govern/lane.h"

struct nonce_user {
	struct hash32 safe_tx_hash;
	struct hash32 tx; /* the transaction of the chain */
	bool failed;      /* ExecutionFailure */
};

/* What the Safe executed with this nonce. ERR_NOT_FOUND when the chain has not got there, or when
 * its history is not read back that far. */
int nonce_user_find(struct lane *lane, struct arena *arena, const struct address *safe,
                    uint64_t nonce, struct nonce_user *out) MUST_USE;
/* "nonce 7 was used by safeTxHash 0x.. in transaction 0x..", in the arena; without whom when that
 * is not known. */
const char *nonce_user_text(struct lane *lane, struct arena *arena, const struct address *safe,
                            uint64_t nonce);

#endif
