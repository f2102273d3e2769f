/* Timestamps of an authority (RFC 3161). */
#ifndef CRYPTO_TIMESTAMP_H
#define CRYPTO_TIMESTAMP_H

#include "common/base/bytes.h"

/* Checks an authority's answer (TimeStampResp, DER) over message: granted, over SHA-256, SHA-384 or
 * SHA-512 of it, signed for time stamping by a certificate that leads, through those of chain (its
 * root last), to that root, all of them valid at that time. *at is the time, seconds since 1970.
 * ERR_DENIED: it does not hold; ERR_INVALID: it is none, or chain is no chain. */
int timestamp_verify(struct bytes answer, struct bytes message, const struct bytes *chain,
                     size_t count, int64_t *at, struct error *error) MUST_USE;

#endif
