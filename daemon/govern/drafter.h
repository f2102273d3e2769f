/* The drafter: gathers what is new per target, asks the chain what is there already, simulates,
 * and stores a proposal with its Safe transaction and its files. */
#ifndef GOVERN_DRAFTER_H
#define GOVERN_DRAFTER_H

#include "daemon/govern/lane.h"

struct drafter *drafter_new(struct lane *lane);
void drafter_free(struct drafter *drafter);
/* Something may be due: look at every target of the lane. */
void drafter_run(struct drafter *drafter);

#endif
