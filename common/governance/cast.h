/* Command lines for Foundry's `cast`, to be copied into a shell. */
#ifndef GOVERNANCE_CAST_H
#define GOVERNANCE_CAST_H

#include "common/base/buf.h"
#include "common/governance/calls.h"

/* Appends, without newline, `cast send <to> "<signature>" <arguments> --from <from>`; from NULL
 * writes "$OWNER". Calls that we do not know are written with their raw calldata. */
void cast_send(struct buf *out, const struct contract_call *call, const struct address *from);

#endif
