/* Who must own the registries of a target so that its way of governance works. */
#ifndef GOVERN_OWNER_H
#define GOVERN_OWNER_H

#include "daemon/govern/lane.h"

/* The owner that the target's model needs, and what people call it ("timelock", "Safe"). False:
 * the model takes whoever owns the contract. */
bool owner_wanted(struct address *out, const char **name, const struct config_target *target);

#endif
