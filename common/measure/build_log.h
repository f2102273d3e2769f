/* Measurements as build scripts, CI notices and release tables print them: lines "PCR0: <hex>",
 * "CODE_HASH (OS_IMAGE_HASH): 0x<hex>", "::notice::OS_IMAGE_HASH = 0x<hex>" and
 * "| **OS_IMAGE_HASH** | `0x<hex>` |" among any others. Claims, checked against each other. */
#ifndef MEASURE_BUILD_LOG_H
#define MEASURE_BUILD_LOG_H

#include "common/measure/measurement.h"

enum { BUILD_LOG_MAX_SIZE = 1024 * 1024 };

struct build_log {
	bool found;    /* a line of ours is in it; else all of the following is zero */
	char *refusal; /* NULL: nothing contradicts; else with the line's number */
	bool has_pcrs; /* PCR0 to PCR2, none of them zero */
	struct pcrs pcrs;
	bool has_stated; /* a hash stands there beside the PCRs, or alone as in a CI notice */
	struct hash32 stated;
	bool has_value; /* what the PCRs give, or, without any, what is stated */
	struct hash32 value;
};

/* Text longer than BUILD_LOG_MAX_SIZE is not ours. The refusal lives in the arena. */
void build_log_read(struct arena *arena, struct bytes text, struct build_log *out);

#endif
