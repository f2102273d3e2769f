/* How much gas the transactions of a proposal use at most. Pure and deliberately too high: a batch
 * that is smaller than it could be costs one more signature, one that fits into no block is never
 * executed. Measured on Safe 1.3.0 to 1.5.0 and TimelockController 4.9 and 5.x. */
#ifndef GOVERNANCE_GAS_H
#define GOVERNANCE_GAS_H

#include "common/governance/path.h"

/* Of one call, when nobody could tell: twice what a registry's call behind a proxy uses. */
#define GAS_CALL_UNKNOWN 150000

/* inner[i] is what call i of the path uses as a transaction of its own, 21,000 included. */
struct gas_use {
	uint64_t first; /* the transaction (the largest of them) that is drafted first */
	uint64_t run;   /* the one in which the calls run; the same where nothing comes between */
};
struct gas_use gas_of(const struct path *path, const uint64_t *inner);

/* What one transaction of ours may use on a chain whose blocks take so much: half of it, and never
 * more than a transaction may have since the Osaka fork (EIP-7825). 0: the limit is not known, any
 * use is fine. */
uint64_t gas_room(uint64_t block_limit);

#endif
