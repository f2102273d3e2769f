#include "common/crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

/* The fetched digests belong to the process, as OpenSSL's library context does: set once under
 * initialised, read-only afterwards. */
static EVP_MD *fetched[4];
static pthread_once_t initialised = PTHREAD_ONCE_INIT;

struct digest {
	EVP_MD_CTX *context;
	const EVP_MD *kind;
};

static void initialise(void)
{
	static const char *const names[] = {"SHA256", "SHA384", "SHA512", "BLAKE2B-512"};

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		die("OpenSSL does not initialise");
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		fetched[i] = EVP_MD_fetch(NULL, names[i], NULL);
		if (fetched[i] == NULL)
			die("OpenSSL has no %s", names[i]);
	}
}

void crypto_init(void)
{
	pthread_once(&initialised, initialise);
}

static const EVP_MD *digest_kind_of(enum digest_kind kind)
{
	crypto_init();
	return fetched[kind];
}

static void hash_once(uint8_t *out, enum digest_kind kind, struct bytes in)
{
	if (EVP_Digest(in.data, in.len, out, NULL, digest_kind_of(kind), NULL) != 1)
		die("OpenSSL cannot hash");
}

struct hash32 sha256(struct bytes in)
{
	struct hash32 out;

	hash_once(out.b, DIGEST_SHA256, in);
	return out;
}

void sha384(uint8_t out[SHA384_SIZE], struct bytes in)
{
	hash_once(out, DIGEST_SHA384, in);
}

void blake2b(uint8_t out[BLAKE2B_SIZE], struct bytes in)
{
	hash_once(out, DIGEST_BLAKE2B, in);
}

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *digest = xcalloc(1, sizeof(*digest));

	digest->kind = digest_kind_of(kind);
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL)
		die("out of memory for a digest");
	digest_reset(digest);
	return digest;
}

void digest_free(struct digest *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

void digest_reset(struct digest *digest)
{
	if (EVP_DigestInit_ex2(digest->context, digest->kind, NULL) != 1)
		die("OpenSSL cannot start a digest");
}

void digest_update(struct digest *digest, struct bytes in)
{
	if (EVP_DigestUpdate(digest->context, in.data, in.len) != 1)
		die("OpenSSL cannot hash");
}

void digest_final(struct digest *digest, uint8_t *out)
{
	if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
		die("OpenSSL cannot finish a digest");
}

const char *crypto_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
