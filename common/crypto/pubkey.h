/* Signatures under bare public keys. */
#ifndef CRYPTO_PUBKEY_H
#define CRYPTO_PUBKEY_H

#include "common/base/bytes.h"

enum { ED25519_KEY_SIZE = 32, ED25519_SIGNATURE_SIZE = 64 };

/* key: SubjectPublicKeyInfo in DER, on P-256, P-384 or P-521 (the signature is DER, over SHA-256,
 * SHA-384 or SHA-512 of message) or Ed25519 (64 bytes, over message itself).
 * ERR_DENIED: it does not verify; ERR_INVALID: the key is of another kind. */
int pubkey_verify(struct bytes key, struct bytes message, struct bytes signature,
                  struct error *error) MUST_USE;

/* RFC 8032. ERR_DENIED. */
int ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct bytes message,
                   const uint8_t signature[ED25519_SIGNATURE_SIZE], struct error *error) MUST_USE;

#endif
