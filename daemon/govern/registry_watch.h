/* What the registries' own events say: values that were removed or added, by whomever. */
#ifndef GOVERN_REGISTRY_WATCH_H
#define GOVERN_REGISTRY_WATCH_H

#include "daemon/govern/lane.h"

/* Acts once on every registry event that became final. */
void registry_watch_run(struct lane *lane);

#endif
