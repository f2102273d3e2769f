/* The verdict on a folder: which builds its artifacts make, and whether they contradict each other.
 * Pure: artifacts in, verdicts out. Whether the folder has settled is the caller's question. */
#ifndef MEASURE_BUILD_H
#define MEASURE_BUILD_H

#include "common/measure/measurement.h"

struct build_artifact {
	const char *name; /* file name inside the folder */
	const struct measured *measured;
};

struct build_verdict {
	const char *eif;           /* file name of its image (the caller's text), "" without one */
	bool refused;
	char *reason;              /* with refused: the file, what is wrong, both values */
	bool has_value;            /* also of a refused build, when its image or files gave one */
	struct hash32 value;
	enum evidence_level level; /* recomputed with an image, claimed without */
	bool is_signed;
	size_t *artifacts;         /* indexes of what belongs to it, its image first */
	size_t artifact_count;
};

struct build_verdicts {
	struct build_verdict *items;
	size_t count;
};

/* One build per image; without an image one for all other artifacts of known formats; none when
 * there is nothing of ours. Every other file must equal one image's values: one that equals none,
 * or is refused itself, refuses the build it belongs to - when that cannot be told, the builds whose
 * image gave no value, or else all of the folder. Everything returned lives in the arena. */
void build_judge(struct arena *arena, const struct build_artifact *artifacts, size_t count,
                 struct build_verdicts *out);

#endif
