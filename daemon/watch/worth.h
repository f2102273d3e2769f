/* What a value that an artifact states is worth to one target: the part of its evidence that the
 * artifact alone cannot tell. Pure. */
#ifndef WATCH_WORTH_H
#define WATCH_WORTH_H

#include "common/config/config.h"
#include "common/measure/check.h"

struct worth {
	enum evidence_level level;
	bool is_signed;
	bool is_wrong; /* it belongs to another app: refused, and the last check says why */
};

/* Adds what was decided to checks. */
void worth_of(const struct config_target *target, const struct measured_value *value,
              struct checks *checks, struct worth *out);

#endif
