/* Who may do what on a target's timelock where no Safe does. */
#ifndef GOVERN_PROPOSERS_H
#define GOVERN_PROPOSERS_H

#include "daemon/govern/lane.h"

/* The scheduler key's address where there is one, else the account that PROPOSER_ROLE was granted
 * to last and not taken from since, as far as the logs were read; zero when nobody is known. */
struct address proposer_of(struct lane *lane, const struct config_target *target);
/* The account that the role was granted to last and not taken from since; zero as above. */
struct address role_holder_of(struct store *store, uint64_t chain_id,
                              const struct address *timelock, const struct hash32 *role);

#endif
