/* Key files: what is accepted is a valid private key; as one line of hex it is read as the same
 * key, and no refusal repeats a content. Keystores that would take long are left out. */
#include "common/base/jval.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_ROUNDS = 64 };

static bool takes_long(struct bytes content)
{
	static const char *const costs[] = {"n", "r", "p", "c"};
	struct jval *file;
	int64_t cost;
	bool large = false;

	if (jval_parse(&file, content, NULL) != 0)
		return false;
	const struct jval *crypto = jval_get(file, "crypto");
	if (crypto == NULL)
		crypto = jval_get(file, "Crypto");
	for (size_t i = 0; i < ARRAY_LEN(costs); i++)
		large |= jval_get_int(jval_get(crypto, "kdfparams"), costs[i], &cost) == 0 &&
		         cost > MOST_ROUNDS;
	jval_free(file);
	return large;
}

static void check_key(const struct secret *key)
{
	char text[2 * KEYFILE_KEY_SIZE + 1];
	struct secret again;

	PROPERTY(key->len == KEYFILE_KEY_SIZE && ecdsa_key_valid(key->data));
	hex_encode(text, bytes_of(key->data, key->len));
	PROPERTY(keyfile_read(&again, bytes_text(text), bytes_of(NULL, 0), NULL) == 0);
	PROPERTY(memcmp(again.data, key->data, KEYFILE_KEY_SIZE) == 0);
	secret_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const passwords[] = {NULL, "testpassword", "testpassword\n"};
	struct bytes content = bytes_of(data, size);
	struct secret key;

	crypto_init();
	if (takes_long(content))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct bytes password =
		        passwords[i] == NULL ? bytes_of(NULL, 0) : bytes_text(passwords[i]);
		struct error error = {0};
		if (keyfile_read(&key, content, password, &error) == 0)
			check_key(&key);
		else
			PROPERTY(key.data == NULL && error.text[0] != '\0');
		secret_free(&key);
	}
	return 0;
}
