/* A contract call inside a batch, and the one order that batches have. */
#ifndef GOVERNANCE_CALLS_H
#define GOVERNANCE_CALLS_H

#include "common/eth/address.h"

struct contract_call {
	struct address to;
	struct u256 value; /* wei; zero in everything we make */
	struct bytes data; /* not owned */
};

/* Removals (by the registry's selectors) first, then by address, then by calldata: the same batch
 * is the same bytes whoever drafts it. */
void calls_order(struct contract_call *calls, size_t count);

#endif
