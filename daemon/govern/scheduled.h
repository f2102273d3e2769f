/* What the timelock has scheduled that is none of ours: people do it by hand, with another salt, by
 * another proposer, in another batch; and a database restored from an older backup has forgotten
 * what it proposed since. Read from the logs, so it costs no question. */
#ifndef GOVERN_SCHEDULED_H
#define GOVERN_SCHEDULED_H

#include "daemon/govern/lane.h"

/* The logs up to the head were read: operations of registry calls alone become proposals, others
 * that concern us an alarm. What a reorganisation took back gives way. */
void scheduled_run(struct lane *lane);

/* Whether an operation of the timelock other than `but` (NULL: any) makes this call, and was
 * neither executed nor cancelled as far as logs were read. What is foreign does not count: it may
 * never be signed to its end. */
bool scheduled_elsewhere(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct contract_call *call, const struct hash32 *but,
                         struct hash32 *operation);

/* Whether what the operation waits for was executed, as far as logs were read. */
bool scheduled_predecessor_done(struct lane *lane, const struct proposal *proposal);

#endif
