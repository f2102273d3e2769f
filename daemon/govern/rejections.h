/* The rejection of a Safe transaction: an empty one of the Safe to itself, with the same nonce. */
#ifndef GOVERN_REJECTIONS_H
#define GOVERN_REJECTIONS_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"

/* A nonce has one rejection: that of another proposal, which shares it, is the same transaction. */
bool rejections_exist(struct store *store, struct arena *arena, const struct safe_tx_row *row);
/* Drafts it, for the proposal of the row, which has a nonce; in the caller's transaction. Its file
 * is the caller's to write. */
void rejections_add(struct store *store, const struct safe_tx_row *row);

#endif
