/* Hash functions. keccak256 is our own (OpenSSL 3.0 has none); the others are OpenSSL's.
 * crypto_init must run once per process before anything else here. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "common/base/bytes.h"

/* Initialises OpenSSL without reading its configuration file and fetches every digest used here,
 * so that a sandboxed process never opens a file later. Safe to call more than once. */
void crypto_init(void);

/* "OpenSSL 3.0.x ..." */
const char *crypto_version(void);

#define SHA384_SIZE 48
#define BLAKE2B_SIZE 64

struct hash32 keccak256(struct bytes in);
struct hash32 sha256(struct bytes in);
void sha384(uint8_t out[SHA384_SIZE], struct bytes in);
void blake2b(uint8_t out[BLAKE2B_SIZE], struct bytes in); /* BLAKE2b-512 */

/* Incremental hashing. digest_new(...) .. digest_update(...) .. digest_final(...); digest_free at
 * the end. */
enum digest_kind { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_BLAKE2B };
struct digest;
struct digest *digest_new(enum digest_kind kind);
void digest_free(struct digest *digest); /* NULL is fine */
void digest_reset(struct digest *digest);
void digest_update(struct digest *digest, struct bytes in);
/* Writes 32, 48 or 64 bytes (BLAKE2b: 64); digest_reset is needed before the next use. */
void digest_final(struct digest *digest, uint8_t *out);

#endif
