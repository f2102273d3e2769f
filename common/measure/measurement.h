/* What measuring an artifact gives. One struct for every format. */
#ifndef MEASURE_MEASUREMENT_H
#define MEASURE_MEASUREMENT_H

#include "common/base/arena.h"
#include "common/base/jval.h"
#include "common/crypto/hash.h"
#include "common/governance/registry.h"

/* Stored numbers: fixed for ever. Ordered: a higher level is stronger. */
enum evidence_level { LEVEL_CLAIMED = 1, LEVEL_RECOMPUTED = 2, LEVEL_ATTESTED = 3 };

const char *evidence_level_name(enum evidence_level level); /* "claimed", ... */
int evidence_level_parse(enum evidence_level *out, const char *name, struct error *error) MUST_USE;

/* Stored numbers: fixed for ever. */
enum format {
	FORMAT_UNKNOWN = 0,          /* not one of ours: ignored quietly, counted */
	FORMAT_EIF = 1,              /* "eif" */
	FORMAT_MEASUREMENTS = 2,     /* "measurements-json": the template's file, three shapes */
	FORMAT_NITRO_BUILD = 3,      /* "nitro-build-json": build-enclave / sign-eif output */
	FORMAT_NITRO_DESCRIBE = 4,   /* "nitro-describe-eif" */
};

const char *format_name(enum format format); /* "unknown" for FORMAT_UNKNOWN */

struct pcrs {
	uint8_t pcr0[SHA384_SIZE], pcr1[SHA384_SIZE], pcr2[SHA384_SIZE];
	uint8_t pcr8[SHA384_SIZE];
	bool has_pcr8;
};

/* The outcome for one artifact. Text fields live in the arena given to the parser. */
struct measured {
	enum format format;
	bool refused;
	char *refusal;             /* with refused: file position / field, what was found, what was expected */
	enum evidence_level level;
	bool is_signed;            /* the bytes carry a signature over the value, and it verifies */
	struct pcrs pcrs;          /* zero when they could not be found out */
	struct hash32 value;       /* SHA256(PCR0 || PCR1 || PCR2): os-image (and compose) on Nitro;
	                            * zero when the PCRs could not be found out */
	struct hash32 sha256;      /* of the artifact's exact bytes; zero when not read to the end */
	uint64_t size;             /* of the artifact, bytes */
	char *details;             /* JSON object: pcr0.. (hex without 0x) and what else was found; or NULL */
};

/* SHA256(PCR0 || PCR1 || PCR2), raw bytes (144). */
struct hash32 pcrs_value(const struct pcrs *pcrs);
/* Debug enclaves have PCR0-2 zero. */
bool pcrs_any_zero(const struct pcrs *pcrs);
/* Adds pcr0, pcr1, pcr2 and, if there, pcr8 as hex without prefix. */
void pcrs_add(struct jval *object, const struct pcrs *pcrs);

#endif
