#include "common/crypto/pubkey.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/* The hash that goes with the key; false: a key of a kind not known here. */
static bool hash_for(const EVP_PKEY *key, const EVP_MD **out)
{
	*out = NULL;
	if (EVP_PKEY_is_a(key, "ED25519"))
		return true;
	if (!EVP_PKEY_is_a(key, "EC"))
		return false;
	switch (EVP_PKEY_get_bits(key)) {
	case 256:
		*out = EVP_sha256();
		return true;
	case 384:
		*out = EVP_sha384();
		return true;
	case 521:
		*out = EVP_sha512();
		return true;
	}
	return false;
}

static int verify(EVP_PKEY *key, struct bytes message, struct bytes signature, struct error *error)
{
	const EVP_MD *hash;

	if (!hash_for(key, &hash))
		return error_set(error, ERR_INVALID,
		                 "the key is not on P-256, P-384, P-521 or Ed25519");
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	if (context == NULL)
		die("OpenSSL is out of memory");
	bool right = EVP_DigestVerifyInit(context, NULL, hash, NULL, key) == 1 &&
	             EVP_DigestVerify(context, signature.data, signature.len, message.data,
	                              message.len) == 1;
	EVP_MD_CTX_free(context);
	return right ? 0 : error_set(error, ERR_DENIED, "the signature does not verify");
}

int pubkey_verify(struct bytes key, struct bytes message, struct bytes signature,
                  struct error *error)
{
	const unsigned char *at = key.data;
	EVP_PKEY *parsed = key.len <= INT32_MAX ? d2i_PUBKEY(NULL, &at, (long)key.len) : NULL;
	int rc;

	if (parsed == NULL || at != key.data + key.len)
		rc = error_set(error, ERR_INVALID, "not a public key in DER form");
	else
		rc = verify(parsed, message, signature, error);
	EVP_PKEY_free(parsed);
	ERR_clear_error();
	return rc;
}

int ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct bytes message,
                   const uint8_t signature[ED25519_SIGNATURE_SIZE], struct error *error)
{
	EVP_PKEY *parsed =
	        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);

	if (parsed == NULL)
		die("OpenSSL has no Ed25519");
	int rc = verify(parsed, message, bytes_of(signature, ED25519_SIGNATURE_SIZE), error);
	EVP_PKEY_free(parsed);
	ERR_clear_error();
	return rc;
}
