/* After a chain was stopped and resumed: what was authorized or removed on the chain that is gone
 * is asked for on the one that is there. After a registry's implementation changed, at finality:
 * what was authorized or removed by the code before is asked of the code that is there. */
#ifndef GOVERN_RECHECK_H
#define GOVERN_RECHECK_H

#include "daemon/govern/lane.h"

struct recheck;

struct recheck *recheck_new(struct lane *lane); /* about all, when the store says so */
void recheck_free(struct recheck *recheck);     /* NULL is fine */
/* From now on all of it is due; recheck_run asks, or goes on waiting for the chain's answer. An
 * upgrade is asked after until an answer came, over restarts. */
void recheck_begin(struct recheck *recheck);
void recheck_run(struct recheck *recheck);

#endif
