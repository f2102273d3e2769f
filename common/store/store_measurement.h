/* Builds, artifacts, measurements and evidence. */
#ifndef STORE_MEASUREMENT_H
#define STORE_MEASUREMENT_H

#include "common/measure/measurement.h"
#include "common/store/store.h"

/* Row ids; wrapped so that they cannot be mixed. People see m12, b3. 0: none. */
struct measurement_id { int64_t n; };
struct build_id { int64_t n; };

/* Stored numbers: fixed for ever. */
enum measurement_status {
	MEASUREMENT_NEW = 1,        /* recorded; eligible for drafting when its evidence suffices */
	MEASUREMENT_HELD = 2,       /* waits for a person's approve; reason says why */
	MEASUREMENT_PROPOSED = 3,   /* a live proposal carries its call */
	MEASUREMENT_AUTHORIZED = 4, /* the chain said yes at finality */
	MEASUREMENT_REVOKED = 5,    /* removed on chain */
	MEASUREMENT_REFUSED = 6,
};
const char *measurement_status_name(enum measurement_status status);

struct measurement {
	struct measurement_id id;
	const char *target;         /* name */
	enum kind kind;
	struct hash32 value;
	bool wanted;                /* intent: present or absent */
	enum measurement_status status;
	const char *reason;         /* or NULL */
	enum evidence_level level;  /* strongest evidence; LEVEL_CLAIMED when none */
	bool is_signed;
	bool approved;              /* a person approved it: min_evidence no longer applies */
	struct wall first_seen;
	struct wall status_since;
};

struct evidence {
	enum evidence_level level;
	bool is_signed;
	const char *source;         /* "folder", "cli" */
	const char *artifact;       /* path */
	struct hash32 artifact_sha256;
	const char *details;        /* JSON object text: format, pcr0.., size, ... */
	struct wall at;
};

/* Targets are rows so that what they governed stays readable after they leave the config. Called
 * at start and at reload for every target of the config. */
void store_target_put(struct store *store, const char *name, uint64_t chain_id,
                      const struct address *kms, const struct address *app /* or NULL */);

/* Finds or creates the measurement (status new, wanted present) and adds the evidence unless the
 * same artifact bytes at the same place are already there. *created says whether the measurement
 * is new. Never lifts held, revoked or absent: nothing comes back by itself. */
struct measurement_id store_measurement_record(struct store *store, const char *target, enum kind kind,
                                               const struct hash32 *value, const struct evidence *evidence,
                                               bool *created);
int store_measurement_get(struct store *store, struct arena *arena, struct measurement_id id,
                          struct measurement *out) MUST_USE; /* ERR_NOT_FOUND */
int store_measurement_find(struct store *store, struct arena *arena, const char *target, enum kind kind,
                           const struct hash32 *value, struct measurement *out) MUST_USE;

/* Rows of a question, in id order; allocated in the arena. */
struct measurement_list { struct measurement *items; size_t count; };
struct evidence_list { struct evidence *items; size_t count; };
struct measurement_filter {
	const char *target;              /* or NULL */
	const struct hash32 *value;      /* or NULL */
	enum measurement_status status;  /* or 0 */
};
void store_measurement_list(struct store *store, struct arena *arena, const struct measurement_filter *filter,
                            struct measurement_list *out);
void store_evidence_list(struct store *store, struct arena *arena, struct measurement_id id,
                         struct evidence_list *out);

/* Each writes an event-log row with the reason. Wanting it absent takes an earlier approval back. */
void store_measurement_set_status(struct store *store, struct measurement_id id,
                                  enum measurement_status status, const char *reason);
void store_measurement_set_wanted(struct store *store, struct measurement_id id, bool wanted, const char *reason);
/* approve: wanted present, status new, approved. */
void store_measurement_approve(struct store *store, struct measurement_id id, const char *who);

/* --- builds: the artifacts of one folder (one per EIF when there are several) ----------------- */

enum build_status { BUILD_OPEN = 1, BUILD_ACCEPTED = 2, BUILD_REFUSED = 3 };
const char *build_status_name(enum build_status status);

struct build {
	struct build_id id;
	const char *target, *folder;
	const char *eif;            /* file name inside the folder, "" when the build has none */
	enum build_status status;
	const char *reason;         /* of a refusal; both values */
	bool has_value;
	struct hash32 value;
	struct wall first_seen, last_change;
};
struct build_list { struct build *items; size_t count; };

/* What one file was last measured as; unique by target and path. */
struct artifact {
	const char *target, *path, *folder;
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
	bool gone;                  /* no longer there */
	struct measured measured;
};
struct artifact_list { struct artifact *items; size_t count; };

void store_artifact_put(struct store *store, const struct artifact *artifact);
/* ERR_NOT_FOUND when the path is not known. */
int store_artifact_get(struct store *store, struct arena *arena, const char *target, const char *path,
                       struct artifact *out) MUST_USE;
void store_artifact_gone(struct store *store, const char *target, const char *path);
void store_artifact_list(struct store *store, struct arena *arena, const char *target, const char *folder,
                         struct artifact_list *out); /* not the gone ones */

/* Paths of artifacts, or of folders; allocated in the arena. */
struct path_list { const char **items; size_t count; };
/* Every artifact of the target that is not gone. */
void store_artifact_paths(struct store *store, struct arena *arena, const char *target, struct path_list *out);
/* The folders of the target in which an artifact was put or went since store_folder_judged: their
 * builds wait for a verdict, also after a restart. */
void store_folder_unjudged(struct store *store, struct arena *arena, const char *target, struct path_list *out);
void store_folder_judged(struct store *store, const char *target, const char *folder);

/* Creates or updates the build of (target, folder, eif); writes an event when its status changed. */
struct build_id store_build_put(struct store *store, const struct build *build);
void store_build_list(struct store *store, struct arena *arena, const char *target /* or NULL */,
                      struct build_list *out);

#endif
