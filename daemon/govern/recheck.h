/* After a chain was stopped and resumed: what was authorized or removed on the chain that is gone is
 * asked for on the one that is there. */
#ifndef GOVERN_RECHECK_H
#define GOVERN_RECHECK_H

#include "daemon/govern/lane.h"

struct recheck;

struct recheck *recheck_new(struct lane *lane); /* due when the store says so */
void recheck_free(struct recheck *recheck);     /* NULL is fine */
/* From now on it is due; recheck_run does it, or goes on waiting for the chain's answer. */
void recheck_begin(struct recheck *recheck);
void recheck_run(struct recheck *recheck);

#endif
