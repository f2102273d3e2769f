/* Targets, measurements, and the evidence for them. */
#ifndef STORE_MEASUREMENT_H
#define STORE_MEASUREMENT_H

#include "common/measure/measurement.h"
#include "common/store/store.h"

/* Row ids are wrapped so that they cannot be mixed; 0: none. People see m12. */
struct measurement_id {
	int64_t n;
};

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
	const char *target; /* name */
	enum kind kind;
	struct hash32 value;
	bool wanted; /* intent: present or absent */
	enum measurement_status status;
	const char *reason;        /* or NULL */
	enum evidence_level level; /* strongest evidence; LEVEL_CLAIMED when none */
	bool is_signed;
	bool approved; /* a person approved it: min_evidence no longer applies */
	struct wall first_seen;
	struct wall status_since;
	struct wall revoke_at; /* a person wants it removed, since then; 0: nobody asked */
	bool urgent;           /* and its removal before everything else */
	bool has_replaces;     /* it takes the place of a value, in the batch that removes that */
	struct hash32 replaces;
};

/* The sources of what nobody here has verified: others asked for it, in a Safe's queue or on chain.
 */
#define EVIDENCE_QUEUE "queue"
#define EVIDENCE_CHAIN "chain"

struct evidence {
	enum evidence_level level;
	bool is_signed;
	const char *source;   /* "folder", "cli", or one of the two above */
	const char *artifact; /* path */
	struct hash32 artifact_sha256;
	const char *details; /* JSON object text: format, pcr0.., size, ... */
	struct wall at;
};

/* Targets are rows so that what they governed stays readable after they leave the config. Called
 * at start and at reload for every target of the config. */
void store_target_put(struct store *store, const char *name, uint64_t chain_id,
                      const struct address *kms, const struct address *app /* or NULL */);

/* Finds or creates the measurement (status new, wanted present) and adds the evidence unless the
 * same artifact bytes at the same place are already there. *created says whether the measurement
 * is new. Never lifts held, revoked or absent: nothing comes back by itself. */
struct measurement_id store_measurement_record(struct store *store, const char *target,
                                               enum kind kind, const struct hash32 *value,
                                               const struct evidence *evidence, bool *created);
int store_measurement_get(struct store *store, struct arena *arena, struct measurement_id id,
                          struct measurement *out) MUST_USE; /* ERR_NOT_FOUND */
int store_measurement_find(struct store *store, struct arena *arena, const char *target,
                           enum kind kind, const struct hash32 *value,
                           struct measurement *out) MUST_USE;

/* Rows of a question, in id order; allocated in the arena. */
struct measurement_list {
	struct measurement *items;
	size_t count;
};
struct evidence_list {
	struct evidence *items;
	size_t count;
};
struct measurement_filter {
	const char *target;             /* or NULL */
	const struct hash32 *value;     /* or NULL */
	enum measurement_status status; /* or 0 */
};
void store_measurement_list(struct store *store, struct arena *arena,
                            const struct measurement_filter *filter, struct measurement_list *out);
/* Whether anything but the word of others (EVIDENCE_QUEUE, EVIDENCE_CHAIN) speaks for it. */
bool store_measurement_is_ours(struct store *store, struct measurement_id id);
void store_evidence_list(struct store *store, struct arena *arena, struct measurement_id id,
                         struct evidence_list *out);

/* Each writes an event-log row with the reason when something changes. Nothing comes back by
 * itself: held, revoked and refused do not become new or proposed here (that is a bug, logged as
 * broken and not done); revoked also sets the intent absent, which takes an earlier approval back.
 */
void store_measurement_set_status(struct store *store, struct measurement_id id,
                                  enum measurement_status status, const char *reason);
void store_measurement_set_wanted(struct store *store, struct measurement_id id, bool wanted,
                                  const char *reason);
/* How the reason of a hold begins that is only about evidence: it ends with stronger evidence. */
#define MEASUREMENT_HELD_FOR_EVIDENCE "evidence "
/* The one way back without a person, for a hold that was only about our evidence: makes it new
 * again if it is held, wanted, and its reason begins with held_for. False, and nothing done,
 * otherwise. */
bool store_measurement_lift(struct store *store, struct measurement_id id, const char *held_for,
                            const char *reason);
/* A person's word: wanted absent, and its removal asked for until the chain says that it is not
 * there; held, revoked or a live addition end in that look, too. A second word can only make it
 * more urgent. What failed verification stays as it is. */
void store_measurement_revoke(struct store *store, struct measurement_id id, bool urgent,
                              const char *who);
/* Its addition goes into the batch that removes this value, if there is one. */
void store_measurement_set_replaces(struct store *store, struct measurement_id id,
                                    const struct hash32 *value);
/* Those of a target whose removal a person asked for and the chain has not shown. */
void store_measurement_revoking(struct store *store, struct arena *arena, const char *target,
                                struct measurement_list *out);
/* A person's word: wanted present, approved; held and revoked become new (proposed where a live add
 * call serves it). What failed verification stays refused. */
void store_measurement_approve(struct store *store, struct measurement_id id, const char *who);

#endif
