/* The argument-less getters of Safes, timelocks, Delay modules and owned contracts that we read. */
#ifndef GOVERNANCE_VIEWS_H
#define GOVERNANCE_VIEWS_H

#include "common/base/arena.h"
#include "common/eth/address.h"

enum view {
	VIEW_SAFE_NONCE,       /* nonce() */
	VIEW_SAFE_THRESHOLD,   /* getThreshold() */
	VIEW_SAFE_OWNERS,      /* getOwners() */
	VIEW_SAFE_VERSION,     /* VERSION() */
	VIEW_MIN_DELAY,        /* getMinDelay() */
	VIEW_OWNER,            /* owner() */
	VIEW_PENDING_OWNER,    /* pendingOwner(): reverts where ownership moves in one step */
	VIEW_DELAY_NONCE,      /* txNonce(): the entry whose turn it is */
	VIEW_DELAY_END,        /* queueNonce(): the next entry's number */
	VIEW_DELAY_COOLDOWN,   /* txCooldown(), seconds */
	VIEW_DELAY_EXPIRATION, /* txExpiration(), seconds after the cooldown; 0: never */
	VIEW_AVATAR,           /* avatar() */
	VIEW_TARGET,           /* target(): whom the module makes execute */
};
#define VIEW_LAST VIEW_TARGET

const char *view_signature(enum view view);
/* The four bytes to call it with; they live for ever. */
struct bytes view_call(enum view view);

/* What was returned. ERR_INVALID (also for the empty answer of an address without code). */
int view_u64(uint64_t *out, struct bytes returned) MUST_USE;
int view_address(struct address *out, struct bytes returned) MUST_USE;
int view_addresses(struct arena *arena, struct address **out, size_t *count,
                   struct bytes returned) MUST_USE;
int view_text(struct arena *arena, char **out, struct bytes returned) MUST_USE;

/* EIP-1967: where a proxy keeps its implementation. */
extern const struct hash32 proxy_implementation_slot;
/* Where a Safe keeps its transaction guard. */
extern const struct hash32 safe_guard_slot;

#endif
