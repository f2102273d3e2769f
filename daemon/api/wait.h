/* The verdict of `wait`, from what the store holds about one value of one target. Pure. */
#ifndef API_WAIT_H
#define API_WAIT_H

#include "common/store/store_build.h"
#include "common/store/store_measurement.h"

enum wait_verdict {
	WAIT_ON,    /* may still become authorized */
	WAIT_ASK,   /* looks authorized: the chain has the last word */
	WAIT_NEVER, /* will not be, unless a person does something */
};

/* measurements: those of the target and value; builds: those of the target. reason, for people,
 * lives in the arena. */
enum wait_verdict wait_judge(struct arena *arena, const struct measurement_list *measurements,
                             const struct build_list *builds, const struct hash32 *value,
                             const char **reason);

#endif
