/* Attestation documents of AWS Nitro enclaves: COSE_Sign1 over a CBOR map, signed by the Nitro
 * Secure Module's key, whose certificate leads to AWS's root. As specified in
 * aws-nitro-enclaves-nsm-api, docs/attestation_process.md. */
#ifndef MEASURE_NSM_H
#define MEASURE_NSM_H

#include "common/measure/check.h"
#include "common/measure/measurement.h"

enum { NSM_MAX_SIZE = 64 * 1024, NSM_PCRS = 32, NSM_MAX_CABUNDLE = 8, NSM_MAX_PCR = 64 };

/* The names of its checks, in their order. */
#define NSM_CHECK_ROOT "root"           /* the bundle begins with the root that is built in */
#define NSM_CHECK_CHAIN "chain"         /* to it, everything valid at the document's time */
#define NSM_CHECK_SIGNATURE "signature" /* ES384, with the first certificate's key */
#define NSM_CHECK_DEBUG "debug"         /* PCR0, PCR1 and PCR2 are not zero */

struct nsm_pcr {
	size_t len; /* 0: not in the document */
	uint8_t value[NSM_MAX_PCR];
};

/* Byte strings are views into the document; .data NULL where it says null or nothing. */
struct nsm {
	char *module_id;    /* in the arena */
	uint64_t timestamp; /* milliseconds since 1970 */
	struct nsm_pcr pcr[NSM_PCRS];
	struct bytes certificate;
	struct bytes cabundle[NSM_MAX_CABUNDLE]; /* root first */
	size_t cabundle_count;
	struct bytes public_key, user_data, nonce;
	struct pcrs pcrs;    /* 0, 1, 2 and, unless zero, 8 */
	struct hash32 value; /* SHA256(PCR0 || PCR1 || PCR2) */
	struct checks checks;
	bool verified; /* all of them passed: Nitro hardware said this at that time. Whether that
	                * is recent, and whether the nonce is ours, is the caller's question. */
};

/* Whether bytes start as such a document does; says nothing about what follows. */
bool nsm_looks_like(struct bytes head);
/* 0 with *out filled, verified or not; ERR_INVALID: no attestation document, and why. */
int nsm_read(struct arena *arena, struct bytes document, struct nsm *out,
             struct error *error) MUST_USE;
/* AWS's root certificate G1, DER. */
struct bytes nsm_root(void);

#endif
