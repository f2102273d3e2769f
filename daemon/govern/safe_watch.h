/* Changes of the Safes themselves: signers, threshold, guards, modules, handlers, code. registrard
 * makes none of them, so each is an alarm with the transaction and who is behind it. */
#ifndef GOVERN_SAFE_WATCH_H
#define GOVERN_SAFE_WATCH_H

#include "daemon/govern/lane.h"

/* After each tick; looks at what the logs brought, at the head already: who may sign now decides
 * what can still be executed. */
void safe_watch_run(struct lane *lane);

#endif
