/* Shared by the sigstore files alone: a bundle taken apart, and the parts of judging it. */
#ifndef MEASURE_SIGSTORE_INTERNAL_H
#define MEASURE_SIGSTORE_INTERNAL_H

#include "common/base/base64.h"
#include "common/crypto/hash.h"
#include "common/measure/sigstore.h"

enum { SIGSTORE_MAX_HASHES = 64, SIGSTORE_MAX_TIMESTAMPS = 4 };

struct sigstore_proof {
	bool there;
	uint64_t index, tree_size;
	struct hash32 root;
	struct hash32 hashes[SIGSTORE_MAX_HASHES];
	size_t count;
	const char *checkpoint; /* NULL: none */
};

/* A log entry beside the envelope. */
struct sigstore_entry {
	struct bytes log_id;
	const char *body_text; /* base64, as signed */
	struct bytes body;     /* JSON */
	int64_t index, time;   /* time 0: none */
	struct bytes promise;  /* data NULL: none */
	struct sigstore_proof proof;
};

struct sigstore_bundle {
	bool legacy;
	struct bytes certificate;
	struct bytes payload, signature; /* of the DSSE envelope */
	const char *payload_type;
	struct sigstore_entry entry;
	struct bytes timestamps[SIGSTORE_MAX_TIMESTAMPS]; /* RFC 3161, over the signature */
	size_t timestamp_count;
};

/* Texts and views live in the arena. ERR_INVALID. */
int sigstore_bundle_read(struct arena *arena, struct bytes text, struct sigstore_bundle *out,
                         struct error *error);
/* What the envelope's signature is over (DSSE's PAE). */
struct bytes sigstore_envelope_bytes(struct arena *arena, const struct sigstore_bundle *bundle);

/* A number, which protobuf's JSON writes as a string. ERR_INVALID, also for negative ones. */
int sigstore_int(const struct jval *object, const char *key, int64_t *out, struct error *error);
int sigstore_base64(struct arena *arena, const struct jval *object, const char *key,
                    struct bytes *out, struct error *error);

/* Each adds its checks to out->checks. The log comes first: it says when (out->logged_at). */
void sigstore_check_log(struct arena *arena, const struct sigstore_bundle *bundle,
                        const struct sigstore_root *root, struct sigstore *out);
void sigstore_check_certificate(struct arena *arena, const struct sigstore_bundle *bundle,
                                const struct sigstore_root *root, struct sigstore *out);
void sigstore_check_identity(struct arena *arena, const struct sigstore_expect *expect,
                             struct sigstore *out);
/* When the entry has no promise: what timestamps say, in out->logged_at. */
void sigstore_check_timestamps(const struct sigstore_bundle *bundle,
                               const struct sigstore_root *root, struct sigstore *out);
/* ERR_INVALID: the log's entry is not about this envelope; ERR_NOT_FOUND: of a kind not known. */
int sigstore_body_matches(struct arena *arena, const struct sigstore_bundle *bundle,
                          struct error *error);
/* The key with that id, or NULL. */
const struct sigstore_key *sigstore_find_key(const struct sigstore_key *keys, size_t count,
                                             struct bytes id);

#endif
