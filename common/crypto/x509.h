/* Certificates of code signers: PEM to DER, and checks of the ECDSA signatures made with their
 * keys. No chain is judged here. */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include "common/base/arena.h"

/* The DER form of the first certificate in PEM text. ERR_INVALID. */
int x509_from_pem(struct arena *arena, struct bytes *der, struct bytes pem,
                  struct error *error) MUST_USE;

/* The size of the certificate's NIST curve: 256, 384 or 521. ERR_INVALID for any other key. */
int x509_curve_bits(struct bytes der, unsigned *bits, struct error *error) MUST_USE;

/* Checks signature (r || s, each as long as the curve's field) over message with the certificate's
 * key; the hash belongs to the curve: SHA-256, SHA-384 or SHA-512. ERR_DENIED: it does not verify;
 * ERR_INVALID: it cannot be checked. */
int x509_ecdsa_verify(struct bytes der, struct bytes message, struct bytes signature,
                      struct error *error) MUST_USE;

/* "CN=..., O=..." (RFC 2253 order and escapes); bytes outside printable ASCII are escaped. */
int x509_subject(struct arena *arena, char **out, struct bytes der, struct error *error) MUST_USE;

#endif
