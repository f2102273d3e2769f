/* Multicall3's aggregate3: many reads in one eth_call. https://www.multicall3.com */
#ifndef ETH_MULTICALL_H
#define ETH_MULTICALL_H

#include "common/base/buf.h"
#include "common/eth/address.h"

/* The same on every chain that has it. */
extern const struct address multicall_address;

/* Whether this is the keccak of its code: of the well-known one, or one of the others given. */
bool multicall_is_known(const struct hash32 *code_hash, const struct hash32 *others, size_t count);

struct multicall_call {
	struct address to;
	struct bytes data;
};

struct multicall_result {
	bool success;          /* true also where there is no code: returned is empty then */
	struct bytes returned; /* points into the answer; revert data when not success */
};

/* Appends the calldata of aggregate3 with allowFailure for every call. */
void multicall_encode(struct buf *out, const struct multicall_call *calls, size_t count);

/* Reads what aggregate3 returned for count calls. ERR_INVALID when it is anything else. */
int multicall_decode(struct multicall_result *results, size_t count, struct bytes returned,
                     struct error *error) MUST_USE;

#endif
