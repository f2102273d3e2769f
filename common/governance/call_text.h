/* A contract call as people read it. */
#ifndef GOVERNANCE_CALL_TEXT_H
#define GOVERNANCE_CALL_TEXT_H

#include "common/base/buf.h"
#include "common/governance/calls.h"

/* Appends e.g. "transferOwnership(address) on 0x.. with 0x..", by the signatures that Safes,
 * timelocks and registries have; any other is "an unknown function 0x01020304 on 0x..". What calls
 * carry beyond a few words is cut. */
void call_text(struct buf *out, const struct contract_call *call);

#endif
