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
	const char *eif; /* file name of its image (the caller's text), "" without one */
	bool refused;
	char *reason;   /* with refused: the file, what is wrong, both values */
	bool has_value; /* also of a refused build, when its image or files gave one */
	struct hash32 value;
	enum evidence_level level; /* recomputed with an image, claimed without */
	bool is_signed;
	size_t *artifacts; /* indexes of what belongs to it, its image first */
	size_t artifact_count;
};

struct build_verdicts {
	struct build_verdict *items;
	size_t count;
};

/* One build per image, with the files about enclaves that have its values: one that equals none, or
 * is refused itself, refuses the build it belongs to - when that cannot be told, the builds whose
 * image gave no value, or else all of the folder. One more build, without an image, of all that is
 * left: documents of dstack, and without any image also the files about enclaves; its files must
 * agree on OS image and compose hash. None when there is nothing of ours. Everything returned lives
 * in the arena. */
void build_judge(struct arena *arena, const struct build_artifact *artifacts, size_t count,
                 struct build_verdicts *out);

enum build_os_files { OS_FILES_SAME, OS_FILES_MISSING, OS_FILES_DIFFERENT };
/* Whether the files that the list of checksums at index names are beside it and have those digests.
 * *which is the first that is not so. */
enum build_os_files build_os_files(struct arena *arena, const struct build_artifact *artifacts,
                                   size_t count, size_t index, const char **which);

#endif
