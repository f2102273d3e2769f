/* MultiSendCallOnly: several calls of a Safe in one delegatecall. Facts: Safe
 * contracts 1.3.0, 1.4.1 and 1.5.0, canonical deployments of the safe-deployments registry. */
#ifndef GOVERNANCE_MULTISEND_H
#define GOVERNANCE_MULTISEND_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/governance/calls.h"

#define MULTISEND_MAX_CALLS 256 /* more are ERR_LIMIT when decoding */

/* Appends multiSend(bytes) with every inner operation 0 (call). */
void multisend_encode(struct buf *out, const struct contract_call *calls, size_t count);
/* The reverse; data points into calldata. ERR_INVALID unless it is exactly what multisend_encode
 * would write (so an inner delegatecall is refused too). */
int multisend_decode(struct arena *arena, struct contract_call **calls, size_t *count,
                     struct bytes calldata, struct error *error) MUST_USE;

enum safe_version { SAFE_1_3_0 = 1, SAFE_1_4_1 = 2, SAFE_1_5_0 = 3 };

const char *safe_version_text(enum safe_version version); /* "1.4.1" */
/* Reads what VERSION() or the service says; "+L2" is dropped. ERR_INVALID for versions we do not
 * know. */
int safe_version_parse(enum safe_version *out, const char *text, struct error *error) MUST_USE;

struct multisend_deployment {
	enum safe_version version;
	const char *variant; /* "canonical" or "eip155" */
	struct address address;
	struct hash32 code_hash; /* keccak256 of the code that must stand there */
};
/* All known deployments, in the order in which to try them for each version. */
const struct multisend_deployment *multisend_deployments(size_t *count);
/* The one at this address, NULL if it is none. */
const struct multisend_deployment *multisend_deployment_at(const struct address *address);

#endif
