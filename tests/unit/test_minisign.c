#include "common/measure/minisign.h"

#include "common/crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The vectors of the minisign-verify crate, over "test"; MIT licence. */
#define KEY "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
#define FIRST "untrusted comment: signature from minisign secret key\n"
#define HASHED                                                                                     \
	"RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"                          \
	"z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo="
#define HASHED_COMMENT "trusted comment: timestamp:1633700835\tfile:test\tprehashed"
#define HASHED_GLOBAL                                                                              \
	"wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ=="
#define OLD                                                                                        \
	"RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+"              \
	"dP9eKL8OC351vwIasSSbXxwA="
#define OLD_COMMENT "trusted comment: timestamp:1555779966\tfile:test"
#define OLD_GLOBAL                                                                                 \
	"QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA=="

static const char hashed_file[] = FIRST HASHED "\n" HASHED_COMMENT "\n" HASHED_GLOBAL "\n";
static const char old_file[] = FIRST OLD "\n" OLD_COMMENT "\n" OLD_GLOBAL;

static struct minisign_key key_of(const char *text)
{
	struct minisign_key key;

	assert_int_equal(minisign_key_parse(&key, bytes_text(text), NULL), 0);
	return key;
}

/* All that a signature of the new kind has to be. */
static int verify_all(const struct minisign_signature *signature, const struct minisign_key *key,
                      const char *artifact)
{
	uint8_t digest[MINISIGN_DIGEST_SIZE];

	if (!signature->prehashed || memcmp(signature->id, key->id, sizeof(key->id)) != 0)
		return ERR_INVALID;
	blake2b(digest, bytes_text(artifact));
	int rc = minisign_verify_digest(signature->signature, key, digest, NULL);
	return rc != 0 ? rc : minisign_verify_comment(signature, key, NULL);
}

static int verify(const char *file, const char *artifact)
{
	struct arena arena = {0};
	struct minisign_signature signature;
	struct minisign_key key = key_of(KEY);

	int rc = minisign_parse(&arena, bytes_text(file), &signature, NULL);
	if (rc == 0)
		rc = verify_all(&signature, &key, artifact);
	arena_free(&arena);
	return rc;
}

static void the_new_kind_verifies_and_the_old_is_told_apart(void **state)
{
	struct arena arena = {0};
	struct minisign_signature signature;
	struct minisign_key key = key_of(KEY);

	(void)state;
	assert_int_equal(verify(hashed_file, "test"), 0);
	assert_int_equal(minisign_parse(&arena, bytes_text(hashed_file), &signature, NULL), 0);
	assert_true(signature.prehashed);
	assert_string_equal(signature.trusted_comment,
	                    "timestamp:1633700835\tfile:test\tprehashed");
	assert_int_equal(minisign_parse(&arena, bytes_text(old_file), &signature, NULL), 0);
	assert_false(signature.prehashed);
	assert_int_equal(minisign_verify_comment(&signature, &key, NULL), 0);
	arena_free(&arena);
}

static void another_artifact_does_not(void **state)
{
	(void)state;
	assert_int_equal(verify(hashed_file, "Test"), ERR_DENIED);
	assert_int_equal(verify(hashed_file, ""), ERR_DENIED);
	assert_int_equal(verify(hashed_file, "test\n"), ERR_DENIED);
}

/* Only the first line, which nobody signs, may change. */
static void no_flipped_bit_verifies(void **state)
{
	char file[sizeof(hashed_file)];

	(void)state;
	snprintf(file, sizeof(file), "%s", hashed_file);
	for (size_t i = 0; i < strlen(hashed_file); i++) {
		file[i] ^= (char)(1 << i % 7);
		bool first = i < strlen(FIRST);
		bool line_end = i == strlen(hashed_file) - 1;
		if (!first && !line_end && file[i] != '\0')
			assert_int_not_equal(verify(file, "test"), 0);
		file[i] = hashed_file[i];
	}
}

static void keys_of_other_forms_are_refused(void **state)
{
	static const char *const texts[] = {
	        "",
	        "\n",
	        "untrusted comment: x\n",
	        KEY "\n" KEY "\n",
	        "trusted comment: x\n" KEY,
	        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO",
	        "RUQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
	        HASHED,
	};
	struct minisign_key plain = key_of(KEY), key;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(minisign_key_parse(&key, bytes_text(texts[i]), NULL), ERR_INVALID);
	key = key_of("untrusted comment: minisign public key E7620F1842B4E81F\r\n" KEY "\r\n");
	assert_memory_equal(&key, &plain, sizeof(key));
}

static void another_key_does_not_verify(void **state)
{
	struct arena arena = {0};
	struct minisign_signature signature;
	struct minisign_key key = key_of(KEY);
	struct error error;

	(void)state;
	assert_int_equal(minisign_parse(&arena, bytes_text(hashed_file), &signature, NULL), 0);
	key.key[0] ^= 1;
	assert_int_equal(verify_all(&signature, &key, "test"), ERR_DENIED);
	key = key_of(KEY);
	key.id[7] ^= 1;
	assert_int_equal(verify_all(&signature, &key, "test"), ERR_INVALID);
	signature.trusted_comment = arena_strdup(&arena, "timestamp:1");
	key = key_of(KEY);
	assert_int_equal(minisign_verify_comment(&signature, &key, &error), ERR_DENIED);
	assert_non_null(strstr(error.text, "trusted comment"));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_new_kind_verifies_and_the_old_is_told_apart),
	        cmocka_unit_test(another_artifact_does_not),
	        cmocka_unit_test(no_flipped_bit_verifies),
	        cmocka_unit_test(keys_of_other_forms_are_refused),
	        cmocka_unit_test(another_key_does_not_verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
