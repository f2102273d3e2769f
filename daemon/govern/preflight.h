/* The decision of a KMS itself: would it give keys to a machine that says this about itself? */
#ifndef GOVERN_PREFLIGHT_H
#define GOVERN_PREFLIGHT_H

#include "common/governance/boot_info.h"
#include "daemon/govern/govern.h"

struct preflight_answer {
	enum check_answer allowed; /* unknown: the contract gave no such answer */
	const char *reason;        /* the contract's own words, or why it is unknown; may be "" */
};

struct preflight {
	enum boot_role role;
	struct address contract;
	struct preflight_answer latest, final;
	struct block_ref head, final_block;
};

/* error: the chain could not be asked. preflight is valid during the callback. */
typedef void govern_preflight_fn(const struct error *error, const struct preflight *preflight,
                                 void *arg);
/* info is copied. */
struct govern_op *govern_preflight(struct govern *govern, const struct config_target *target,
                                   enum boot_role role, const struct boot_info *info,
                                   govern_preflight_fn *done, void *arg);

#endif
