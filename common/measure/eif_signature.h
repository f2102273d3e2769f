/* The signature section of an EIF: CBOR [{"signing_certificate": PEM, "signature": COSE_Sign1}],
 * both as arrays of integers, over the CBOR map {"register_index": 0, "register_value": PCR0}. */
#ifndef MEASURE_EIF_SIGNATURE_H
#define MEASURE_EIF_SIGNATURE_H

#include "common/base/arena.h"
#include "common/crypto/hash.h"

struct eif_signature {
	struct bytes certificate; /* DER, in the arena; what PCR8 measures */
	struct bytes cose;        /* COSE_Sign1, in the arena */
};

/* Takes the section apart. ERR_INVALID. In both functions error must not be NULL. */
int eif_signature_parse(struct arena *arena, struct bytes section, struct eif_signature *out,
                        struct error *error) MUST_USE;
/* Checks the signature with the certificate's key, the algorithm against its curve, and the signed
 * value against pcr0. ERR_INVALID or ERR_DENIED. */
int eif_signature_verify(const struct eif_signature *signature, const uint8_t pcr0[SHA384_SIZE],
                         struct error *error) MUST_USE;

#endif
