/* The verdict on a folder: which builds its artifacts make, and whether they contradict each other.
 * Pure: artifacts in, verdicts out. Whether the folder has settled is the caller's question. */
#ifndef MEASURE_BUILD_H
#define MEASURE_BUILD_H

#include "common/measure/check.h"
#include "common/measure/measurement.h"

struct build_artifact {
	const char *name; /* file name inside the folder */
	const struct measured *measured;
};

/* A signature file and what it is worth to one build. */
struct build_signature {
	size_t index;     /* of the file */
	bool is_verified; /* by whom the rule wants, and over what covers names */
	size_t *covers; /* indexes of artifacts of the build: those it is over, or states the value
	                   of */
	size_t cover_count;
	struct checks checks; /* what it is over, after what its own bytes told */
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
	struct build_signature *signatures;
	size_t signature_count;
	const char *undecided; /* with a rule: why the first signature that is not verified is not,
	                          or NULL */
};

struct build_verdicts {
	struct build_verdict *items;
	size_t count;
};

/* signing: who must have signed, or NULL. One build per image, with the files about enclaves that
 * have its values: one that equals none, or is refused itself, refuses the build it belongs to -
 * when that cannot be told, the builds whose image gave no value, or else all of the folder. One
 * more build, without an image, of all that is left: documents of dstack, and without any image
 * also the files about enclaves; its files must agree on OS image and compose hash. None when there
 * is nothing of ours. A signature file that is refused itself, or is over other bytes than the
 * build's where the rule wants it, refuses what it belongs to in the same way. Everything returned
 * lives in the arena. */
void build_judge(struct arena *arena, const struct build_artifact *artifacts, size_t count,
                 const struct signing *signing, struct build_verdicts *out);
/* The part of it that is about signature files; out->items has room for count + 1 builds. */
void build_judge_signatures(struct arena *arena, const struct build_artifact *artifacts,
                            size_t count, const struct signing *signing,
                            struct build_verdicts *out);
/* Whether the signature is over this artifact, which must state a value: attested by its SHA-256 or
 * that value; named as the minisign signature is, without its ending. */
bool build_signature_is_over(const struct build_artifact *signature,
                             const struct build_artifact *artifact);
/* Adds what Ed25519 says of that artifact to checks: CHECK_FAILED with a signature over other
 * bytes.
 */
enum check_result build_ed25519_check(const struct signing *signing,
                                      const struct build_artifact *signature,
                                      const struct build_artifact *artifact, struct checks *checks);

enum build_os_files { OS_FILES_SAME, OS_FILES_MISSING, OS_FILES_DIFFERENT };
/* Whether the files that the list of checksums at index names are beside it and have those digests.
 * *which is the first that is not so. */
enum build_os_files build_os_files(struct arena *arena, const struct build_artifact *artifacts,
                                   size_t count, size_t index, const char **which);

#endif
