/* secp256k1 signatures as Ethereum uses them. The only includer of libsecp256k1. */
#ifndef CRYPTO_ECDSA_H
#define CRYPTO_ECDSA_H

#include "common/base/bytes.h"

/* r || s || recovery id (0 or 1; callers add 27 where the format wants it). */
struct ecdsa_signature {
	uint8_t r[32], s[32];
	uint8_t recovery;
};

/* True when key is a valid private key (1 <= key < n). */
bool ecdsa_key_valid(const uint8_t key[32]);

/* RFC 6979 deterministic, low s. key must be valid. */
void ecdsa_sign(struct ecdsa_signature *out, const struct hash32 *digest, const uint8_t key[32]);

/* The last 20 bytes of keccak256 of the public key: what Ethereum calls the address. */
void ecdsa_key_address(uint8_t address[20], const uint8_t key[32]);

/* Who signed: ERR_INVALID when the signature recovers to nobody or has a high s. */
int ecdsa_recover(uint8_t address[20], const struct hash32 *digest,
                  const struct ecdsa_signature *signature, struct error *error) MUST_USE;

#endif
