/* Provenance: measurements.sigstore.json as cosign writes it for an attestation, in its own old
 * layout and as a Sigstore bundle (0.1 to 0.3), verified without a network against a trusted root
 * file that the operator gives. The time comes from the log (its signed entry timestamp), or, for
 * entries of Rekor v2, which sign none, from a timestamp authority. What cannot be decided is said.
 */
#ifndef MEASURE_SIGSTORE_H
#define MEASURE_SIGSTORE_H

#include "common/measure/check.h"
#include "common/measure/measurement.h"

#define SIGSTORE_GITHUB "https://token.actions.githubusercontent.com"
#define SIGSTORE_MEASUREMENTS_TYPE "https://dstack.dev/nitro-enclave/measurements/v1"

enum {
	SIGSTORE_MAX_SIZE = 1024 * 1024,
	SIGSTORE_MAX_KEYS = 32,
	SIGSTORE_MAX_AUTHORITIES = 16,
	SIGSTORE_MAX_CHAIN = 4,
	SIGSTORE_MAX_SUBJECTS = 64,
};

/* Valid from .. until, seconds since 1970, both inclusive. */
struct sigstore_key {
	struct bytes id;  /* of the log */
	struct bytes key; /* SubjectPublicKeyInfo */
	int64_t from, until;
};

struct sigstore_authority {
	struct bytes chain[SIGSTORE_MAX_CHAIN]; /* what issues certificates first, its root last */
	size_t count;
	int64_t from, until;
};

/* Whom to trust. Lives in the arena it was read into. */
struct sigstore_root {
	struct sigstore_authority authorities[SIGSTORE_MAX_AUTHORITIES];
	struct sigstore_key logs[SIGSTORE_MAX_KEYS];                /* Rekor */
	struct sigstore_key certificate_logs[SIGSTORE_MAX_KEYS];    /* CT */
	struct sigstore_authority clocks[SIGSTORE_MAX_AUTHORITIES]; /* timestamps, if any */
	size_t authority_count, log_count, certificate_log_count, clock_count;
};

/* trusted_root.json (application/vnd.dev.sigstore.trustedroot+json). ERR_INVALID, with the field.
 */
int sigstore_root_read(struct arena *arena, struct bytes text, struct sigstore_root *out,
                       struct error *error) MUST_USE;

/* Who must have signed what. issuer and workflow may be NULL: any, which leaves it undecided. */
struct sigstore_expect {
	const char *issuer; /* "https://token.actions.githubusercontent.com", in full */
	const char
	        *workflow; /* the certificate's URI in full, or, ending in / or @, its beginning */
	const char *predicate_type;    /* NULL: any */
	const struct hash32 *subjects; /* SHA-256 of which one must be attested; none: undecided */
	size_t subject_count;
	bool subjects_later;        /* the caller compares them: no check of them */
	const struct hash32 *value; /* what PCRs in the predicate must give; NULL: whatever */
};

/* Whether that beginning names at least a host, an owner and a repository: for configurations.
 * ERR_INVALID. */
int sigstore_workflow_check(const char *workflow, struct error *error) MUST_USE;

/* The names of the checks, in their order. */
#define SIGSTORE_CHECK_ENVELOPE "envelope"       /* DSSE, by the certificate's key */
#define SIGSTORE_CHECK_PREDICATE "predicate"     /* its type; its PCRs and their hash agree */
#define SIGSTORE_CHECK_TYPE "predicate-type"     /* of measurements.sigstore.json */
#define SIGSTORE_CHECK_SUBJECT "subject"         /* what we have is what was attested */
#define SIGSTORE_CHECK_LOG_PROMISE "log-promise" /* Rekor's signed entry timestamp */
#define SIGSTORE_CHECK_TIMESTAMP "timestamp"     /* RFC 3161, where the log signs no time */
#define SIGSTORE_CHECK_LOG_BODY "log-body"       /* the entry is about this very envelope */
#define SIGSTORE_CHECK_LOG_TIME "log-time"       /* logged while the certificate was valid */
#define SIGSTORE_CHECK_INCLUSION "inclusion"     /* Merkle proof up to a signed checkpoint */
#define SIGSTORE_CHECK_CERTIFICATE "certificate" /* for signing code, issued by an authority */
#define SIGSTORE_CHECK_CERTIFICATE_LOG "certificate-log" /* its SCT, by a CT log */
#define SIGSTORE_CHECK_ISSUER "issuer"
#define SIGSTORE_CHECK_WORKFLOW "workflow" /* and the repository and ref beside it agree */

enum sigstore_verdict { SIGSTORE_VERIFIED = 1, SIGSTORE_REFUSED = 2, SIGSTORE_UNDECIDED = 3 };

/* Lives in the arena. */
struct sigstore {
	bool legacy;              /* cosign's old layout */
	struct bytes certificate; /* DER */
	char *workflow, *issuer;  /* as the certificate says; NULL: it does not */
	int64_t logged_at;        /* seconds since 1970, also by a timestamp; 0: not told */
	struct hash32 *subjects;  /* those that have a SHA-256 */
	char **subject_names;     /* theirs; "" where there is none */
	size_t subject_count;
	char *predicate_type;
	bool has_value;      /* the predicate holds PCRs of an enclave ... */
	struct hash32 value; /* ... which give this */
	struct pcrs pcrs;
	struct checks checks;
	/* Refused: a check failed. Verified: none did, and all were decided but those that the
	 * layout (inclusion, beside a log's promise) or the trusted root (certificate-log) leaves
	 * out. */
	enum sigstore_verdict verdict;
};

/* The first check that stands in the way of SIGSTORE_VERIFIED: failed, else undecided; or NULL. */
const struct check *sigstore_obstacle(const struct checks *checks);

/* Whether a JSON document is such a bundle, of either layout. */
bool sigstore_is(const struct jval *document);
/* root NULL: none is configured; what needs it is undecided then. 0 with *out filled;
 * ERR_INVALID: no bundle of an attestation, or broken, and where. */
int sigstore_verify(struct arena *arena, struct bytes bundle, const struct sigstore_root *root,
                    const struct sigstore_expect *expect, struct sigstore *out,
                    struct error *error) MUST_USE;

#endif
