/* What measuring an artifact gives. One struct for every format. */
#ifndef MEASURE_MEASUREMENT_H
#define MEASURE_MEASUREMENT_H

#include "common/base/arena.h"
#include "common/base/jval.h"
#include "common/crypto/hash.h"
#include "common/governance/registry.h"
#include "common/measure/signing.h"

/* Stored numbers: fixed for ever. Ordered: a higher level is stronger. */
enum evidence_level { LEVEL_CLAIMED = 1, LEVEL_RECOMPUTED = 2, LEVEL_ATTESTED = 3 };

const char *evidence_level_name(enum evidence_level level); /* "claimed", ... */

/* Stored numbers: fixed for ever. */
enum format {
	FORMAT_UNKNOWN = 0,          /* not one of ours: ignored quietly, counted */
	FORMAT_EIF = 1,              /* "eif" */
	FORMAT_MEASUREMENTS = 2,     /* "measurements-json": the template's file, three shapes */
	FORMAT_NITRO_BUILD = 3,      /* "nitro-build-json": build-enclave / sign-eif output */
	FORMAT_NITRO_DESCRIBE = 4,   /* "nitro-describe-eif" */
	FORMAT_NITRO_ENCLAVES = 5,   /* "nitro-describe-enclaves" */
	FORMAT_BUILD_LOG = 6,        /* "build-log": logs, CI notices, release tables */
	FORMAT_NSM = 7,              /* "nsm-document": what Nitro hardware signed */
	FORMAT_APP_COMPOSE = 8,      /* "app-compose" */
	FORMAT_OS_DIGEST = 9,        /* "os-image-digest": digest.txt */
	FORMAT_OS_CHECKSUMS = 10,    /* "os-image-checksums": sha256sum.txt */
	FORMAT_OS_FILE = 11,         /* "os-image-file": what such a list may name; only hashed */
	FORMAT_TDX_QUOTE = 12,       /* "tdx-quote": a quote, or JSON around one */
	FORMAT_GUEST_INFO = 13,      /* "guest-info": an answer of a guest agent */
	FORMAT_PHALA = 14,           /* "phala-attestation" */
	FORMAT_KMS_INFO = 15,        /* "kms-attestation-info" */
	FORMAT_SIGSTORE = 16,        /* "sigstore-bundle": an attestation that somebody signed */
	FORMAT_MINISIGN = 17,        /* "minisign-signature": x.minisig beside x */
};
#define FORMAT_LAST FORMAT_MINISIGN

const char *format_name(enum format format); /* "unknown" for FORMAT_UNKNOWN */

struct pcrs {
	uint8_t pcr0[SHA384_SIZE], pcr1[SHA384_SIZE], pcr2[SHA384_SIZE];
	uint8_t pcr8[SHA384_SIZE];
	bool has_pcr8;
};

/* One value that an artifact states. */
struct measured_value {
	enum kind kind;
	struct hash32 value;
	enum evidence_level level; /* as far as the artifact alone goes */
	bool is_signed;
	/* A genuine quote, with its log replayed, says it: attested for a target that knows the
	 * machine's OS and is its app. Else os and app_id mean nothing. */
	bool is_quoted;
	struct hash32 os; /* mr_tdx_os() */
	bool has_app_id;
	uint8_t app_id[20];
};

/* What a signature file is over: of a file, its base name and SHA-256. */
struct signed_subject {
	char *name;
	struct hash32 sha256;
};

enum { SIGNED_SUBJECTS = 16 };

/* What a signature file says. Whether what it is over lies beside it takes the folder. */
struct signature {
	enum signing_kind kind; /* SIGNING_NONE: the artifact is none */
	bool is_decided;        /* as the target's rule wants it, but for what it is over */
	char *reason;           /* else: what could not be decided */
	char *signer;           /* who: the workflow, or the key's id; or NULL */
	/* Sigstore: what was attested. */
	struct signed_subject subjects[SIGNED_SUBJECTS];
	size_t subject_count;
	/* Ed25519: over the BLAKE2b-512 of the file whose name it bears. */
	uint8_t key_id[MINISIGN_ID_SIZE];
	uint8_t bytes[64];
};

enum { MEASURED_VALUES = 8 };

/* The outcome for one artifact. Text fields live in the arena given to the parser. */
struct measured {
	enum format format;
	bool refused;
	char *refusal;             /* with refused: file position / field, what was found, what was expected */
	enum evidence_level level;
	bool is_signed;            /* the bytes carry a signature over the value, and it verifies */
	struct pcrs pcrs;          /* zero when they could not be found out */
	struct hash32 value;       /* on Nitro SHA256(PCR0 || PCR1 || PCR2), zero when the PCRs could
	                            * not be found out; of a build log also a hash stated alone */
	struct measured_value values[MEASURED_VALUES]; /* all that it states; of a Nitro artifact
	                                                * value as OS image and compose hash */
	size_t value_count;
	struct hash32 sha256;      /* of the artifact's exact bytes; zero when not read to the end */
	uint64_t size;             /* of the artifact, bytes */
	char *details;             /* JSON object: pcr0.. (hex without 0x) and what else was found; or NULL */
	bool has_blake2b;
	uint8_t blake2b[MINISIGN_DIGEST_SIZE]; /* of the artifact, where the rule is Ed25519 */
	struct signature signature;
};

/* What the bytes alone do not tell. */
struct measure_how {
	const char *name; /* without folders; only helps to tell formats apart */
	bool is_kms;      /* a KMS answered this: its values are kms-mr and kms-device */
	const struct signing *signing; /* what signatures are held against; NULL: nothing */
};

/* With texts of its own, in the arena. */
struct measured measured_copy(struct arena *arena, const struct measured *measured);
/* Whether artifacts of this format are about an enclave: they have a value, and PCRs (an
 * attestation may be about something else, and has neither). */
bool format_is_nitro(enum format format);
/* Nitro: writes values from value, level and is_signed. Does nothing for other formats. */
void measured_fill(struct measured *measured);
/* Adds one, or the stronger of two that are the same. False: there is no room. */
bool measured_add(struct measured *measured, const struct measured_value *value);
/* The first value of that kind, or NULL. */
const struct measured_value *measured_find(const struct measured *measured, enum kind kind);

/* SHA256(PCR0 || PCR1 || PCR2), raw bytes (144). */
struct hash32 pcrs_value(const struct pcrs *pcrs);
/* Debug enclaves have PCR0-2 zero. */
bool pcrs_any_zero(const struct pcrs *pcrs);
/* Adds pcr0, pcr1, pcr2 and, if there, pcr8 as hex without prefix. */
void pcrs_add(struct jval *object, const struct pcrs *pcrs);

#endif
