/* What the signers read beside a proposal, in the field that both services call its origin. */
#ifndef GOVERNANCE_PROPOSAL_ORIGIN_H
#define GOVERNANCE_PROPOSAL_ORIGIN_H

#include "common/governance/lifecycle.h"
#include "common/governance/registry.h"

struct proposal_note {
	enum action action;
	enum kind kind;
	struct hash32 value;
	struct hash32 evidence; /* zero: none */
};
#define PROPOSAL_ORIGIN_SIZE 201 /* with the NUL */
/* {"name":"registrard","note":"add os-image 0x.., evidence 0x.."}; values are shortened as far as
 * 200 characters ask for, and "+N more" stands for what does not fit. Returns text. */
char *proposal_origin(char text[PROPOSAL_ORIGIN_SIZE], enum purpose purpose,
                      const struct proposal_note *notes, size_t count);

#endif
