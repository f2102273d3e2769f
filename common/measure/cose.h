/* COSE_Sign1 (RFC 9052) as enclave images and Nitro's attestation documents use it: ECDSA, nothing
 * but the algorithm in the headers, a payload inside. */
#ifndef MEASURE_COSE_H
#define MEASURE_COSE_H

#include "common/base/bytes.h"

/* Views into the input. */
struct cose_sign1 {
	struct bytes protected, payload, signature;
	int64_t algorithm; /* RFC 9053: -7, -35, -36 */
};

/* Tag 18 in front is optional. ERR_INVALID. */
int cose_parse(struct bytes cose, struct cose_sign1 *out, struct error *error) MUST_USE;
/* Checks the algorithm against the curve of the certificate's key (DER), then the signature.
 * ERR_INVALID or ERR_DENIED. */
int cose_verify(const struct cose_sign1 *sign1, struct bytes certificate,
                struct error *error) MUST_USE;

#endif
