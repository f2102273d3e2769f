/* A Safe as it stands at one block: nonce, threshold, owners. */
#ifndef GOVERN_SAFE_VIEW_H
#define GOVERN_SAFE_VIEW_H

#include "daemon/govern/reads.h"

struct safe_view {
	struct address safe;
	uint64_t nonce;
	unsigned threshold;
	struct address *owners; /* in the arena it was taken into */
	size_t owner_count;
	struct hash32 signers; /* the same as long as owners and threshold are */
};

/* Where the answers about it stand. */
struct safe_slot {
	struct address safe;
	size_t nonce, threshold, owners;
};

struct safe_slot safe_view_ask(struct reads *reads, const struct address *safe);
/* ERR_UNAVAILABLE when one of them is no answer of a Safe. */
int safe_view_take(struct safe_view *out, struct arena *arena, const struct safe_slot *slot,
                   const struct chain_read_result *results) MUST_USE;
bool safe_view_is_owner(const struct safe_view *view, const struct address *account);

#endif
