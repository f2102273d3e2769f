#include "common/crypto/ecdsa.h"

#include "common/base/random.h"
#include "common/crypto/hash.h"

#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <string.h>

/* One context per process: making one costs as much as a signature. It is blinded against side
 * channels when it is made and only read afterwards, so threads may share it. */
static secp256k1_context *context;
static pthread_once_t initialised = PTHREAD_ONCE_INIT;

static void initialise(void)
{
	uint8_t seed[32];

	context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	random_bytes(seed, sizeof(seed));
	if (context == NULL || secp256k1_context_randomize(context, seed) != 1)
		die("libsecp256k1 does not initialise");
	bytes_wipe(seed, sizeof(seed));
}

static const secp256k1_context *curve(void)
{
	pthread_once(&initialised, initialise);
	return context;
}

bool ecdsa_key_valid(const uint8_t key[32])
{
	return secp256k1_ec_seckey_verify(curve(), key) == 1;
}

void ecdsa_sign(struct ecdsa_signature *out, const struct hash32 *digest, const uint8_t key[32])
{
	secp256k1_ecdsa_recoverable_signature signature;
	uint8_t compact[64];
	int recovery;

	/* No nonce function given: RFC 6979 with SHA-256, and the library always makes s low. */
	if (secp256k1_ecdsa_sign_recoverable(curve(), &signature, digest->b, key, NULL, NULL) != 1)
		die("signing with an invalid key");
	secp256k1_ecdsa_recoverable_signature_serialize_compact(curve(), compact, &recovery,
	                                                        &signature);
	memcpy(out->r, compact, 32);
	memcpy(out->s, compact + 32, 32);
	out->recovery = (uint8_t)recovery;
}

static void public_key_address(uint8_t address[20], const secp256k1_pubkey *key)
{
	uint8_t point[65];
	size_t size = sizeof(point);

	secp256k1_ec_pubkey_serialize(curve(), point, &size, key, SECP256K1_EC_UNCOMPRESSED);
	struct hash32 hash = keccak256(bytes_of(point + 1, 64));
	memcpy(address, hash.b + 12, 20);
}

void ecdsa_key_address(uint8_t address[20], const uint8_t key[32])
{
	secp256k1_pubkey public_key;

	if (secp256k1_ec_pubkey_create(curve(), &public_key, key) != 1)
		die("address of an invalid key");
	public_key_address(address, &public_key);
}

int ecdsa_recover(uint8_t address[20], const struct hash32 *digest,
                  const struct ecdsa_signature *signature, struct error *error)
{
	secp256k1_ecdsa_recoverable_signature recoverable;
	secp256k1_ecdsa_signature plain;
	secp256k1_pubkey public_key;
	uint8_t compact[64];

	memset(address, 0, 20);
	if (signature->recovery > 1)
		return error_set(error, ERR_INVALID, "recovery id %u, expected 0 or 1",
		                 signature->recovery);
	memcpy(compact, signature->r, 32);
	memcpy(compact + 32, signature->s, 32);
	if (secp256k1_ecdsa_recoverable_signature_parse_compact(curve(), &recoverable, compact,
	                                                        signature->recovery) != 1)
		return error_set(error, ERR_INVALID,
		                 "r or s of the signature is not below the curve's order");
	secp256k1_ecdsa_recoverable_signature_convert(curve(), &plain, &recoverable);
	if (secp256k1_ecdsa_signature_normalize(curve(), NULL, &plain) == 1)
		return error_set(error, ERR_INVALID, "the signature's s is in the upper half");
	if (secp256k1_ecdsa_recover(curve(), &public_key, &recoverable, digest->b) != 1)
		return error_set(error, ERR_INVALID, "the signature recovers to nobody");
	public_key_address(address, &public_key);
	return 0;
}
