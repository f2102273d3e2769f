/* RA-TLS certificates of dstack: what the extensions of the leaf carry, and whether a quote is
 * about the leaf's key. Such a certificate is public and made at boot: it proves that the machine
 * existed, not that one talks to it now. */
#ifndef MEASURE_RA_TLS_H
#define MEASURE_RA_TLS_H

#include "common/base/arena.h"

enum { RA_TLS_MAX_PEM = 512 * 1024, RA_TLS_MAX_CHAIN = 8 };

/* Everything lives in the arena; what the certificate does not carry is empty. */
struct ra_tls {
	struct bytes certificates[RA_TLS_MAX_CHAIN]; /* DER, leaf first */
	size_t count;
	struct bytes quote;       /* .1.1: a TDX quote */
	struct bytes event_log;   /* .1.2: JSON */
	struct bytes app_id;      /* .1.3: 20 bytes */
	char *usage;              /* .1.4: "app:custom"; or NULL */
	struct bytes attestation; /* .1.8: versioned attestation, instead of .1 and .2 */
	struct bytes app_info;    /* .1.9 */
	uint8_t report_data[64];  /* what a quote about the leaf's key says:
	                           * SHA512("ratls-cert:" || SubjectPublicKeyInfo) */
};

/* ERR_INVALID: not certificates, or an extension of ours that is malformed; ERR_LIMIT. */
int ra_tls_read(struct arena *arena, struct ra_tls *out, struct bytes pem,
                struct error *error) MUST_USE;

/* Each certificate is signed by the next, at the time `at` (seconds since 1970). The last one is
 * self-signed and known to nobody: this says that they belong together, not whose they are.
 * ERR_DENIED, ERR_INVALID. */
int ra_tls_check_chain(const struct ra_tls *ra_tls, int64_t at, struct error *error) MUST_USE;

#endif
