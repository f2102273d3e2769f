/* What the timelock has scheduled that is none of ours: people do it by hand, and a database
 * restored from an older backup has forgotten what it proposed since. */
#ifndef GOVERN_SCHEDULED_H
#define GOVERN_SCHEDULED_H

#include "daemon/govern/lane.h"

/* Whether an operation of the timelock other than `but` (NULL: any) makes this call, and was
 * neither executed nor cancelled as far as logs were read. */
bool scheduled_elsewhere(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct contract_call *call, const struct hash32 *but,
                         struct hash32 *operation);

#endif
