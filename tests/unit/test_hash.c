#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void keccak_gives_the_known_values(void **state)
{
	struct jval *cases = fixture_json("tests/fixtures/eth/keccak.json");
	struct arena arena = {0};

	(void)state;
	assert_true(jval_count(cases) > 15);
	for (size_t i = 0; i < jval_count(cases); i++) {
		const struct jval *item = jval_at(cases, i);
		struct hash32 want, got = keccak256(fixture_hex(&arena, item, "input_hex"));
		fixture_fixed(want.b, sizeof(want.b), item, "keccak256");
		assert_memory_equal(got.b, want.b, sizeof(want.b));
	}
	arena_free(&arena);
	jval_free(cases);
}

/* FIPS 180-4 example "abc". */
static const char sha256_abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char sha384_abc[] = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
                                 "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7";
static const char sha512_abc[] = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                                 "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

static void sha2_gives_the_known_values(void **state)
{
	uint8_t wide[SHA384_SIZE];
	char text[129];

	(void)state;
	struct hash32 narrow = sha256(bytes_text("abc"));
	assert_string_equal(hex_encode(text, bytes_of(narrow.b, 32)), sha256_abc);
	sha384(wide, bytes_text("abc"));
	assert_string_equal(hex_encode(text, bytes_of(wide, sizeof(wide))), sha384_abc);
	sha384(wide, (struct bytes){0});
	assert_memory_equal(wide, "\x38\xb0\x60\xa7", 4);
}

static void incremental_hashing_agrees_whatever_the_cuts(void **state)
{
	static const struct {
		enum digest_kind kind;
		size_t size;
		const char *want;
	} kinds[] = {{DIGEST_SHA256, 32, sha256_abc},
	             {DIGEST_SHA384, 48, sha384_abc},
	             {DIGEST_SHA512, 64, sha512_abc}};
	static const char abc[] = "abc";
	uint8_t out[64];
	char text[129];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct digest *digest = digest_new(kinds[i].kind);
		for (size_t cut = 0; cut <= 3; cut++) {
			digest_update(digest, bytes_of(abc, cut));
			digest_update(digest, bytes_of(&abc[cut], 3 - cut));
			digest_final(digest, out);
			hex_encode(text, bytes_of(out, kinds[i].size));
			assert_string_equal(text, kinds[i].want);
			digest_reset(digest);
		}
		digest_free(digest);
	}
	digest_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keccak_gives_the_known_values),
	        cmocka_unit_test(sha2_gives_the_known_values),
	        cmocka_unit_test(incremental_hashing_agrees_whatever_the_cuts),
	};
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
