/* What the registries' own events say: values that were removed or added, by whomever. */
#ifndef GOVERN_REGISTRY_WATCH_H
#define GOVERN_REGISTRY_WATCH_H

#include "daemon/govern/lane.h"

/* Acts once on every registry event that became final. */
void registry_watch_run(struct lane *lane);
/* What was recorded after such an event and is held for its evidence alone: what is authorized
 * already waits for nobody. Looks once at each. */
void registry_watch_held(struct lane *lane);

#endif
