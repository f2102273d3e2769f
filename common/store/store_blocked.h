/* What stands before a Safe transaction in its Safe's order: the nonce whose turn it is, and since
 * when that one is waited for. */
#ifndef STORE_BLOCKED_H
#define STORE_BLOCKED_H

#include "common/store/store_safe_tx.h"

struct blocked {
	uint64_t nonce;    /* of the Safe: the lowest in front */
	struct wall since; /* this nonce was first seen in front */
	const char *what;  /* for people: everything in front, lowest first */
};

int store_blocked_get(struct store *store, struct arena *arena, struct safe_tx_id id,
                      struct blocked *out) MUST_USE; /* ERR_NOT_FOUND: nothing is in front */
void store_blocked_put(struct store *store, struct safe_tx_id id, const struct blocked *blocked);
void store_blocked_clear(struct store *store, struct safe_tx_id id);

#endif
