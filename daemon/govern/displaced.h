/* A Safe transaction whose nonce something else has used: refused, or only overtaken? */
#ifndef GOVERN_DISPLACED_H
#define GOVERN_DISPLACED_H

#include "common/store/store_safe_tx.h"

/* True when what used the nonce was a transaction of ours that competed for it, or when the
 * transaction itself competed and lost to something else than its rejection. Nobody has refused it
 * then. What people put in its place themselves (origin external) is their refusal, and what they
 * lost by it is theirs to propose again. */
bool displaced_only(struct store *store, struct arena *arena, const struct safe_tx_row *row);

#endif
