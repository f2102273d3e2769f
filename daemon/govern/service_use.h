/* The request budgets of a chain's targets: kept in the store, shown, and told about. */
#ifndef GOVERN_SERVICE_USE_H
#define GOVERN_SERVICE_USE_H

#include "common/base/jval.h"
#include "daemon/govern/budget.h"
#include "daemon/govern/lane.h"

/* One per target of the configuration, as the store has them; in lane->budgets. */
struct budget *service_use_load(const struct govern_parts *parts);
struct budget *service_use_of(struct lane *lane, const struct config_target *target);
/* At each tick: what was counted goes into the store, a budget that is used up is an alarm. */
void service_use_look(struct lane *lane);
/* An array of {target, requests_today, budget}, for the targets of the lane that have a service. */
struct jval *service_use_status(const struct lane *lane);

#endif
