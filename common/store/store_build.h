/* What lies in the watched folders: artifacts as last measured, and builds, which are the artifacts
 * of one folder (one build per EIF when there are several). */
#ifndef STORE_BUILD_H
#define STORE_BUILD_H

#include "common/measure/measurement.h"
#include "common/store/store.h"

/* People see b3. */
struct build_id {
	int64_t n;
};

enum build_status { BUILD_OPEN = 1, BUILD_ACCEPTED = 2, BUILD_REFUSED = 3 };
const char *build_status_name(enum build_status status);

struct build {
	struct build_id id;
	const char *target, *folder;
	const char *eif; /* file name inside the folder, "" when the build has none */
	enum build_status status;
	const char *reason; /* of a refusal; both values */
	bool has_value;
	struct hash32 value;
	struct wall first_seen, last_change;
};
struct build_list {
	struct build *items;
	size_t count;
};

/* What one file was last measured as; unique by target and path. */
struct artifact {
	const char *target, *path, *folder;
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
	bool gone; /* no longer there */
	struct measured measured;
};
struct artifact_list {
	struct artifact *items;
	size_t count;
};

void store_artifact_put(struct store *store, const struct artifact *artifact);
/* ERR_NOT_FOUND when the path is not known. */
int store_artifact_get(struct store *store, struct arena *arena, const char *target,
                       const char *path, struct artifact *out) MUST_USE;
void store_artifact_gone(struct store *store, const char *target, const char *path);
void store_artifact_list(struct store *store, struct arena *arena, const char *target,
                         const char *folder, struct artifact_list *out); /* not the gone ones */

/* Paths of artifacts, or of folders; allocated in the arena. */
struct path_list {
	const char **items;
	size_t count;
};
/* Every artifact of the target that is not gone. */
void store_artifact_paths(struct store *store, struct arena *arena, const char *target,
                          struct path_list *out);
/* The folders of the target in which an artifact was put or went since store_folder_judged: their
 * builds wait for a verdict, also after a restart. */
void store_folder_unjudged(struct store *store, struct arena *arena, const char *target,
                           struct path_list *out);
/* Folders of the target wait for a verdict once more when these are other rules than before: a
 * digest of what the judge takes from the configuration. */
void store_folder_rules(struct store *store, const char *target, const struct hash32 *rules);
void store_folder_judged(struct store *store, const char *target, const char *folder);

/* Creates or updates the build of (target, folder, eif); writes an event when its status, reason
 * or value changed. */
struct build_id store_build_put(struct store *store, const struct build *build);
/* The builds that were ever found in this folder. */
void store_build_folder(struct store *store, struct arena *arena, const char *target,
                        const char *folder, struct build_list *out);
void store_build_list(struct store *store, struct arena *arena, const char *target /* or NULL */,
                      struct build_list *out);

#endif
