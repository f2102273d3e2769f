/* Certificates: PEM to DER, their fields, checks of the ECDSA signatures made with their keys, and
 * chains up to a root that the caller trusts. Nothing is fetched, no revocation list is read. */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include "common/base/arena.h"

/* The DER form of the first certificate in PEM text. ERR_INVALID. */
int x509_from_pem(struct arena *arena, struct bytes *der, struct bytes pem,
                  struct error *error) MUST_USE;

/* All certificates in PEM text, in its order. ERR_LIMIT: more than max; ERR_INVALID: none, or one
 * that is broken. */
int x509_all_from_pem(struct arena *arena, struct bytes *ders, size_t max, size_t *count,
                      struct bytes pem, struct error *error) MUST_USE;

/* The size of the certificate's NIST curve: 256, 384 or 521. ERR_INVALID for any other key. */
int x509_curve_bits(struct bytes der, unsigned *bits, struct error *error) MUST_USE;

/* Checks signature (r || s, each as long as the curve's field) over message with the certificate's
 * key; the hash belongs to the curve: SHA-256, SHA-384 or SHA-512. ERR_DENIED: it does not verify;
 * ERR_INVALID: it cannot be checked. */
int x509_ecdsa_verify(struct bytes der, struct bytes message, struct bytes signature,
                      struct error *error) MUST_USE;

/* ECDSA P-256 with SHA-256 under a bare key (x || y); signature is r || s. ERR_INVALID: the key is
 * no point of the curve; ERR_DENIED: the signature does not verify. */
int p256_verify(const uint8_t key[64], struct bytes message, const uint8_t signature[64],
                struct error *error) MUST_USE;

/* "CN=..., O=..." (RFC 2253 order and escapes); bytes outside printable ASCII are escaped. */
int x509_subject(struct arena *arena, char **out, struct bytes der, struct error *error) MUST_USE;

/* Seconds since 1970, both inclusive. ERR_INVALID. */
int x509_validity(struct bytes der, int64_t *from, int64_t *until, struct error *error) MUST_USE;
/* The SubjectPublicKeyInfo in DER, in the arena. ERR_INVALID. */
int x509_public_key(struct arena *arena, struct bytes *out, struct bytes der,
                    struct error *error) MUST_USE;

enum { X509_CHAIN_MAX = 8 };

/* Checks a path of certificates, leaf first, each issued by the next and the last by root (which is
 * self-signed and not in the path): signatures, names, CA flags, key usage, path length, unknown
 * critical extensions, and validity of all of them at that time (seconds since 1970). Every
 * certificate of the path must be needed. ERR_DENIED: it does not hold, and where;
 * ERR_INVALID: not certificates, or none or more than X509_CHAIN_MAX of them. */
int x509_chain_verify(const struct bytes *path, size_t count, struct bytes root, int64_t at,
                      struct error *error) MUST_USE;

/* The content of the extension with that dotted OID (what is inside extnValue's OCTET STRING), in
 * the arena. ERR_NOT_FOUND: none; ERR_INVALID: more than one. */
int x509_extension(struct arena *arena, struct bytes *out, struct bytes der, const char *oid,
                   struct error *error) MUST_USE;
/* The same, whose content is one DER UTF8String without NUL. */
int x509_extension_text(struct arena *arena, char **out, struct bytes der, const char *oid,
                        struct error *error) MUST_USE;
/* The only subject alternative name, which must be a URI. ERR_INVALID. */
int x509_uri(struct arena *arena, char **out, struct bytes der, struct error *error) MUST_USE;
/* True when the extended key usage is there and allows code signing. */
bool x509_signs_code(struct bytes der);
/* The part that was signed before the extension with that OID was added (RFC 6962, section 3.2), in
 * DER. ERR_NOT_FOUND: it has no such extension. */
int x509_tbs_without(struct arena *arena, struct bytes *out, struct bytes der, const char *oid,
                     struct error *error) MUST_USE;

#endif
