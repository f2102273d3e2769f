/* The tracker: one multicall a tick (and one more at the final block when something waits for
 * finality), turned into observations, turned into transitions by the pure rules. */
#ifndef GOVERN_TRACKER_H
#define GOVERN_TRACKER_H

#include "daemon/govern/lane.h"

struct tracker *tracker_new(struct lane *lane);
void tracker_free(struct tracker *tracker);
/* The chain moved or the store changed: look at every live proposal of the lane. */
void tracker_run(struct tracker *tracker);
/* A look is under way: what the store says may be older than the chain. */
bool tracker_is_looking(const struct tracker *tracker);
/* How the Safe stood at the last tick; ERR_NOT_FOUND before the first. */
int tracker_safe(const struct tracker *tracker, const struct address *safe,
                 const struct safe_view **out) MUST_USE;

/* Grows whenever one of them stands otherwise than before. */
uint64_t tracker_safe_moves(const struct tracker *tracker);

#endif
