/* Who may schedule on a target's timelock where no Safe does. */
#ifndef GOVERN_PROPOSERS_H
#define GOVERN_PROPOSERS_H

#include "daemon/govern/lane.h"

/* The scheduler key's address where there is one, else the account that PROPOSER_ROLE was granted
 * to last and not taken from since, as far as the logs were read; zero when nobody is known. */
struct address proposer_of(struct lane *lane, const struct config_target *target);

#endif
