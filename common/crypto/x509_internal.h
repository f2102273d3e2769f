/* Shared by the x509 files of this room alone: the only header that shows OpenSSL's types. */
#ifndef CRYPTO_X509_INTERNAL_H
#define CRYPTO_X509_INTERNAL_H

#include "common/crypto/x509.h"

#include <openssl/x509.h>

/* The certificate, which is all of der; X509_free it. NULL with *error set. */
X509 *x509_parse(struct bytes der, struct error *error);

/* Seconds since 1970. Not 0: it is no time. */
int x509_seconds(const ASN1_TIME *time, int64_t *out);

#endif
