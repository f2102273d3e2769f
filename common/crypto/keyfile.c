#include "common/crypto/keyfile.h"

#include "common/base/jval.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum {
	DERIVED_SIZE = 32,
	IV_SIZE = 16,
	MAX_SALT = 64,
	MAX_ROUNDS = 10 * 1000 * 1000,
	MAX_SCRYPT_WORK = 1 << 24, /* n*r*p; geth's default is 2^21 */
};
static const uint64_t max_scrypt_memory = 512u << 20;

/* All that is secret while a keystore is opened, in one secret. */
struct workspace {
	uint8_t derived[DERIVED_SIZE];
	uint8_t key[KEYFILE_KEY_SIZE];
};

struct keystore {
	const struct jval *crypto, *parameters;
	uint8_t iv[IV_SIZE];
	uint8_t ciphertext[KEYFILE_KEY_SIZE];
	struct hash32 mac;
	uint8_t salt[MAX_SALT];
	size_t salt_len;
};

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim(struct bytes text)
{
	while (text.len > 0 && is_space(text.data[0])) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && is_space(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* --- the plain form ------------------------------------------------------------------------- */

static int read_plain(uint8_t key[KEYFILE_KEY_SIZE], struct bytes content, struct error *error)
{
	char line[2 + 2 * KEYFILE_KEY_SIZE + 1] = {0};
	int rc = ERR_INVALID;

	if (content.len < sizeof(line)) {
		memcpy(line, content.data, content.len);
		rc = hex_decode(key, KEYFILE_KEY_SIZE, line, NULL);
	}
	bytes_wipe(line, sizeof(line));
	if (rc != 0)
		return error_set(error, ERR_INVALID,
		                 "neither one line of 0x and 64 hex digits nor a web3 v3 keystore");
	return 0;
}

/* --- the keystore --------------------------------------------------------------------------- */

static bool is_text(const struct jval *object, const char *key, const char *expected)
{
	const char *text = jval_get_string(object, key);

	return text != NULL && strcmp(text, expected) == 0;
}

static bool get_hex(uint8_t *out, size_t size, const struct jval *object, const char *key)
{
	const char *text = jval_get_string(object, key);

	return text != NULL && hex_decode(out, size, text, NULL) == 0;
}

static bool get_salt(struct keystore *store)
{
	const char *text = jval_get_string(store->parameters, "salt");

	if (text == NULL || strlen(text) % 2 != 0 || strlen(text) / 2 > MAX_SALT)
		return false;
	store->salt_len = strlen(text) / 2;
	return hex_decode(store->salt, store->salt_len, text, NULL) == 0;
}

static int read_fields(struct keystore *store, const struct jval *document, struct error *error)
{
	int64_t version, derived;

	*store = (struct keystore){0};
	if (jval_get_int(document, "version", &version) != 0 || version != 3)
		return error_set(error, ERR_INVALID, "keystore: version is not 3");
	/* Some older tools wrote "Crypto". */
	store->crypto = jval_get(document, "crypto");
	if (store->crypto == NULL)
		store->crypto = jval_get(document, "Crypto");
	store->parameters = jval_get(store->crypto, "kdfparams");
	if (!is_text(store->crypto, "cipher", "aes-128-ctr"))
		return error_set(error, ERR_INVALID, "keystore: crypto.cipher is not aes-128-ctr");
	if (!get_hex(store->iv, IV_SIZE, jval_get(store->crypto, "cipherparams"), "iv"))
		return error_set(error, ERR_INVALID,
		                 "keystore: crypto.cipherparams.iv is not 16 bytes");
	if (!get_hex(store->ciphertext, KEYFILE_KEY_SIZE, store->crypto, "ciphertext"))
		return error_set(error, ERR_INVALID, "keystore: crypto.ciphertext is not 32 bytes");
	if (!get_hex(store->mac.b, sizeof(store->mac.b), store->crypto, "mac"))
		return error_set(error, ERR_INVALID, "keystore: crypto.mac is not 32 bytes");
	if (!get_salt(store))
		return error_set(error, ERR_INVALID,
		                 "keystore: crypto.kdfparams.salt is not hex of at most %d bytes",
		                 MAX_SALT);
	if (jval_get_int(store->parameters, "dklen", &derived) != 0 || derived != DERIVED_SIZE)
		return error_set(error, ERR_INVALID, "keystore: crypto.kdfparams.dklen is not 32");
	return 0;
}

static int derive_scrypt(uint8_t out[DERIVED_SIZE], const struct keystore *store,
                         struct bytes password, struct error *error)
{
	int64_t n, r, p;

	if (jval_get_int(store->parameters, "n", &n) != 0 ||
	    jval_get_int(store->parameters, "r", &r) != 0 ||
	    jval_get_int(store->parameters, "p", &p) != 0)
		return error_set(error, ERR_INVALID, "keystore: crypto.kdfparams lacks n, r or p");
	if (n < 2 || n > MAX_SCRYPT_WORK || (n & (n - 1)) != 0 || r < 1 || r > 1024 || p < 1 ||
	    p > 1024)
		return error_set(error, ERR_INVALID,
		                 "keystore: scrypt's n, r or p is out of range");
	if ((uint64_t)(n + p + 2) * (uint64_t)r * 128 > max_scrypt_memory ||
	    n * r * p > MAX_SCRYPT_WORK)
		return error_set(error, ERR_LIMIT,
		                 "keystore: scrypt's n, r and p ask for more memory or work "
		                 "than we give");
	if (EVP_PBE_scrypt((const char *)password.data, password.len, store->salt, store->salt_len,
	                   (uint64_t)n, (uint64_t)r, (uint64_t)p, max_scrypt_memory, out,
	                   DERIVED_SIZE) != 1)
		return error_set(error, ERR_INVALID, "keystore: scrypt refused its parameters");
	return 0;
}

static int derive_pbkdf2(uint8_t out[DERIVED_SIZE], const struct keystore *store,
                         struct bytes password, struct error *error)
{
	int64_t rounds;

	if (!is_text(store->parameters, "prf", "hmac-sha256"))
		return error_set(error, ERR_INVALID,
		                 "keystore: crypto.kdfparams.prf is not hmac-sha256");
	if (jval_get_int(store->parameters, "c", &rounds) != 0 || rounds < 1 || rounds > MAX_ROUNDS)
		return error_set(error, ERR_INVALID, "keystore: crypto.kdfparams.c is not in 1..%d",
		                 MAX_ROUNDS);
	if (PKCS5_PBKDF2_HMAC((const char *)password.data, (int)password.len, store->salt,
	                      (int)store->salt_len, (int)rounds, EVP_sha256(), DERIVED_SIZE,
	                      out) != 1)
		return error_set(error, ERR_INVALID, "keystore: PBKDF2 refused its parameters");
	return 0;
}

static int derive(uint8_t out[DERIVED_SIZE], const struct keystore *store, struct bytes password,
                  struct error *error)
{
	if (is_text(store->crypto, "kdf", "scrypt"))
		return derive_scrypt(out, store, password, error);
	if (is_text(store->crypto, "kdf", "pbkdf2"))
		return derive_pbkdf2(out, store, password, error);
	return error_set(error, ERR_INVALID, "keystore: crypto.kdf is neither scrypt nor pbkdf2");
}

static bool mac_matches(const struct keystore *store, const uint8_t derived[DERIVED_SIZE])
{
	uint8_t input[DERIVED_SIZE / 2 + KEYFILE_KEY_SIZE];

	memcpy(input, derived + DERIVED_SIZE / 2, DERIVED_SIZE / 2);
	memcpy(input + DERIVED_SIZE / 2, store->ciphertext, KEYFILE_KEY_SIZE);
	struct hash32 mac = keccak256(bytes_of(input, sizeof(input)));
	bytes_wipe(input, sizeof(input));
	return CRYPTO_memcmp(mac.b, store->mac.b, sizeof(mac.b)) == 0;
}

static void decrypt(uint8_t out[KEYFILE_KEY_SIZE], const struct keystore *store,
                    const uint8_t *aes_key)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written;

	if (context == NULL ||
	    EVP_DecryptInit_ex(context, EVP_aes_128_ctr(), NULL, aes_key, store->iv) != 1 ||
	    EVP_DecryptUpdate(context, out, &written, store->ciphertext, KEYFILE_KEY_SIZE) != 1 ||
	    written != KEYFILE_KEY_SIZE)
		die("OpenSSL cannot decrypt AES-128-CTR");
	EVP_CIPHER_CTX_free(context);
}

/* The address beside the key is there for people; a wrong one means that files were mixed up. */
static int check_address(const struct jval *document, const uint8_t key[KEYFILE_KEY_SIZE],
                         struct error *error)
{
	const char *text = jval_get_string(document, "address");
	uint8_t named[20], real[20];

	if (text == NULL || *text == '\0')
		return 0;
	ecdsa_key_address(real, key);
	if (hex_decode(named, sizeof(named), text, NULL) != 0 ||
	    memcmp(named, real, sizeof(real)) != 0)
		return error_set(error, ERR_INVALID,
		                 "keystore: its address is not that of its key");
	return 0;
}

static int open_keystore(struct workspace *work, const struct jval *document, struct bytes password,
                         struct error *error)
{
	struct keystore store;

	int rc = read_fields(&store, document, error);
	if (rc == 0)
		rc = derive(work->derived, &store, password, error);
	if (rc != 0)
		return rc;
	if (!mac_matches(&store, work->derived))
		return error_set(error, ERR_DENIED, "keystore: the password is wrong");
	decrypt(work->key, &store, work->derived);
	if (!ecdsa_key_valid(work->key))
		return error_set(error, ERR_INVALID, "keystore: it holds no valid secp256k1 key");
	return check_address(document, work->key, error);
}

static int read_keystore(struct workspace *work, struct bytes content, struct bytes password,
                         struct error *error)
{
	struct jval *document;

	if (password.data == NULL)
		return error_set(error, ERR_DENIED, "a keystore needs a password file");
	if (password.len > 0 && password.data[password.len - 1] == '\n')
		password.len--;
	if (password.len > 0 && password.data[password.len - 1] == '\r')
		password.len--;
	/* The parser's own words may quote the file: not for a key file. */
	if (jval_parse(&document, content, NULL) != 0)
		return error_set(error, ERR_INVALID, "keystore: not valid JSON");
	int rc = open_keystore(work, document, password, error);
	jval_free(document);
	return rc;
}

static int read_key(struct workspace *work, struct bytes content, struct bytes password,
                    struct error *error)
{
	if (content.len > KEYFILE_MAX_SIZE)
		return error_set(error, ERR_LIMIT, "larger than %d bytes", KEYFILE_MAX_SIZE);
	content = trim(content);
	if (content.len > 0 && content.data[0] == '{')
		return read_keystore(work, content, password, error);
	if (password.data != NULL)
		return error_set(error, ERR_DENIED,
		                 "a password is configured, but this is no keystore");
	int rc = read_plain(work->key, content, error);
	if (rc == 0 && !ecdsa_key_valid(work->key))
		rc = error_set(error, ERR_INVALID, "not a valid secp256k1 key");
	return rc;
}

int keyfile_read(struct secret *key, struct bytes content, struct bytes password,
                 struct error *error)
{
	struct secret scratch;

	*key = (struct secret){0};
	crypto_init();
	int rc = secret_new(&scratch, sizeof(struct workspace), error);
	if (rc != 0)
		return rc;
	struct workspace *work = (struct workspace *)(void *)scratch.data;
	rc = read_key(work, content, password, error);
	if (rc == 0)
		rc = secret_new(key, KEYFILE_KEY_SIZE, error);
	if (rc == 0)
		memcpy(key->data, work->key, KEYFILE_KEY_SIZE);
	secret_free(&scratch);
	return rc;
}
