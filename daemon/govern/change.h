/* What a log of a registry or timelock means to people: which setting, value, owner or role it
 * changes, in words, and who its contract says did it. */
#ifndef GOVERN_CHANGE_H
#define GOVERN_CHANGE_H

#include "common/governance/events.h"
#include "daemon/govern/cause.h"

struct change {
	enum alarm alarm;
	const struct config_target *target; /* the first of those whose contract it is */
	const char *text;                   /* "os-image 0x… added to kms 0x…"; in the arena */
	bool is_notice;                     /* worth an event, not an alarm */
	bool has_actor;                     /* its contract names who did it */
	struct address actor;
	const char *actor_source; /* "PolicyChanged", "RoleGranted"; with has_actor */
	bool is_call;             /* a registry call makes it: may be ours */
	struct contract_call call;
};

/* False: nothing that changes what is allowed or who governs (or another log of the same
 * transaction says the same and more). */
bool change_read(struct change *out, struct lane *lane, struct arena *arena,
                 const struct seen_log *log, const struct seen_log_list *transaction);

/* "kms", "app" or "timelock" of a target of the lane; NULL for any other contract. */
const char *change_role(const struct lane *lane, const struct address *contract,
                        const struct config_target **target);

#endif
