/* Which Safe nonce the next transaction takes. Pure: lists in, number out. */
#ifndef GOVERNANCE_NONCE_H
#define GOVERNANCE_NONCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nonce_list {
	const uint64_t *items; /* any order, repeats allowed */
	size_t count;
};

/* The lowest nonce at or above the chain's that neither a trusted queued transaction (of any
 * service) nor a live one of our own holds. */
uint64_t nonce_lowest_free(uint64_t chain_nonce, struct nonce_list queued, struct nonce_list own);

/* The lowest nonce at or above the chain's that nothing holds although something above is pending:
 * until it is filled, nothing above can run. False when there is none. */
bool nonce_hole(uint64_t *hole, uint64_t chain_nonce, struct nonce_list queued,
                struct nonce_list own);

#endif
