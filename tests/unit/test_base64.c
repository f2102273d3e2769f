#include "common/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void the_vectors_of_the_rfc_hold(void **state)
{
	static const char *const cases[][2] = {
	        {"", ""},
	        {"f", "Zg=="},
	        {"fo", "Zm8="},
	        {"foo", "Zm9v"},
	        {"foob", "Zm9vYg=="},
	        {"fooba", "Zm9vYmE="},
	        {"foobar", "Zm9vYmFy"},
	};
	struct arena arena = {0};
	struct bytes out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(base64_encode(&arena, bytes_text(cases[i][0])), cases[i][1]);
		assert_int_equal(base64_decode(&arena, &out, cases[i][1], NULL), 0);
		assert_true(bytes_equal(out, bytes_text(cases[i][0])));
	}
	arena_free(&arena);
}

static void every_byte_comes_back(void **state)
{
	struct arena arena = {0};
	uint8_t all[256];
	struct bytes out;

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	for (size_t len = 0; len <= sizeof(all); len++) {
		struct bytes in = bytes_of(all + sizeof(all) - len, len);
		assert_int_equal(base64_decode(&arena, &out, base64_encode(&arena, in), NULL), 0);
		assert_true(bytes_equal(out, in));
	}
	arena_free(&arena);
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
	        "Z",    "Zg",   "Zg=",  "Zg= =",      "Zm9v\n",   "Zm9v ",
	        " Zm9", "Zm9-", "Zm9_", "Z===",       "====",     "Zm9vZg==Zg==",
	        "Zh==", "Zm9=", "=Zm9", "Zm\xc3\xa9", "Zg==Zg==",
	};
	struct arena arena = {0};
	struct bytes out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(base64_decode(&arena, &out, texts[i], NULL), ERR_INVALID);
		assert_null(out.data);
	}
	assert_int_equal(base64_decode(&arena, &out, NULL, NULL), ERR_INVALID);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_vectors_of_the_rfc_hold),
	        cmocka_unit_test(every_byte_comes_back),
	        cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
