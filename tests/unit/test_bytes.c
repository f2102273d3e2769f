/* Byte views, 32-byte values, hex, big-endian numbers. */
#include "common/base/bytes.h"
#include "common/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void views(void **state)
{
	(void)state;
	assert_int_equal(bytes_text("abc").len, 3);
	assert_int_equal(bytes_text("").len, 0);
	assert_true(bytes_equal(bytes_text("abc"), bytes_of("abcd", 3)));
	assert_false(bytes_equal(bytes_text("abc"), bytes_text("abd")));
	assert_false(bytes_equal(bytes_text("abc"), bytes_text("ab")));
	assert_true(bytes_equal(bytes_of(NULL, 0), bytes_text("")));
	assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of(NULL, 0)));
	assert_true(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
	assert_false(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
}

static void hashes_compare_like_numbers(void **state)
{
	struct hash32 zero = {{0}}, one = {{0}}, big = {{0}};

	(void)state;
	one.b[31] = 1;
	big.b[0] = 0x80;
	assert_true(hash32_is_zero(&zero));
	assert_false(hash32_is_zero(&one));
	assert_false(hash32_is_zero(&big));
	assert_true(hash32_equal(&one, &one));
	assert_false(hash32_equal(&one, &big));
	assert_true(hash32_compare(&zero, &one) < 0);
	assert_true(hash32_compare(&one, &big) < 0);
	assert_true(hash32_compare(&big, &one) > 0);
	assert_int_equal(hash32_compare(&big, &big), 0);
}

static void hex_of_every_byte(void **state)
{
	char text[3], expected[3];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		uint8_t byte = (uint8_t)i, back = (uint8_t)~i;
		snprintf(expected, sizeof(expected), "%02x", i);
		assert_ptr_equal(hex_encode(text, bytes_of(&byte, 1)), text);
		assert_string_equal(text, expected);
		assert_int_equal(hex_decode(&back, 1, text, NULL), 0);
		assert_int_equal(back, byte);
		snprintf(expected, sizeof(expected), "%02X", i);
		assert_int_equal(hex_decode(&back, 1, expected, NULL), 0);
		assert_int_equal(back, byte);
	}
	assert_string_equal(hex_encode(text, bytes_of(NULL, 0)), "");
}

static void hex_round_trip(void **state)
{
	uint8_t in[64], out[64];
	char text[2 + 2 * sizeof(in) + 1] = "0x";

	(void)state;
	for (size_t len = 0; len <= sizeof(in); len++) {
		random_bytes(in, len);
		hex_encode(text + 2, bytes_of(in, len));
		assert_int_equal(hex_decode(out, len, text, NULL), 0);
		assert_true(bytes_equal(bytes_of(in, len), bytes_of(out, len)));
		assert_int_equal(hex_decode(out, len, text + 2, NULL), 0);
		assert_true(bytes_equal(bytes_of(in, len), bytes_of(out, len)));
	}
}

static void hex_refuses_what_it_must(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	        {"", "0 hex digits, expected 4 (2 bytes)"},
	        {"0x", "0 hex digits, expected 4 (2 bytes)"},
	        {"0x123", "3 hex digits, expected 4 (2 bytes)"},
	        {"12345", "5 hex digits, expected 4 (2 bytes)"},
	        {"0x12345678", "8 hex digits"},
	        {"12g4", "digit 3 is not hexadecimal"},
	        {" 123", "digit 1 is not hexadecimal"},
	        {"123 ", "digit 4 is not hexadecimal"},
	        {"0x0x12", "digit 2 is not hexadecimal"},
	        {"12\xff\xff", "digit 3 is not hexadecimal"},
	        {"-123", "digit 1 is not hexadecimal"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error error = {0};
		uint8_t out[2] = {0xaa, 0xaa};
		assert_int_equal(hex_decode(out, 2, cases[i].text, &error), ERR_INVALID);
		assert_int_equal(error.code, ERR_INVALID);
		assert_non_null(strstr(error.text, cases[i].says));
		assert_int_equal(out[0] | out[1], 0); /* cleared */
	}
	uint8_t out[2];
	assert_int_equal(hex_decode(out, 2, "0X12aB", NULL), 0);
	assert_int_equal(out[0], 0x12);
	assert_int_equal(out[1], 0xab);
}

static void hash_texts(void **state)
{
	struct hash32 hash, back;
	char text[HASH32_TEXT_SIZE];
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < 32; i++)
		hash.b[i] = (uint8_t)(i * 8);
	assert_string_equal(hash32_text(text, &hash),
	                    "0x0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8");
	assert_int_equal(hash32_parse(&back, text, &error), 0);
	assert_true(hash32_equal(&back, &hash));
	assert_int_equal(hash32_parse(&back, text + 2, &error), 0);
	assert_true(hash32_equal(&back, &hash));
	text[65] = '\0';
	assert_int_equal(hash32_parse(&back, text, &error), ERR_INVALID);
	assert_string_equal(error.text, "63 hex digits, expected 64 (32 bytes)");
	assert_true(hash32_is_zero(&back));
}

static void big_endian_numbers(void **state)
{
	const uint8_t at[] = {0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff};
	uint8_t out[10];

	(void)state;
	assert_int_equal(be16_get(at + 1), 0x0123);
	assert_int_equal(be16_get(at), 0xff01);
	assert_int_equal(be32_get(at + 1), 0x01234567);
	assert_true(be32_get(at) == 0xff012345);
	assert_true(be64_get(at + 1) == 0x0123456789abcdef);
	assert_true(be64_get(at) == 0xff0123456789abcd);
	memset(out, 0xff, sizeof(out));
	be64_put(out + 1, 0x0123456789abcdef);
	assert_memory_equal(out, at, sizeof(out));
	be32_put(out + 1, UINT32_MAX);
	assert_true(be64_get(out + 1) == 0xffffffff89abcdef);
	for (int i = 0; i < 64; i++) {
		be64_put(out, UINT64_C(1) << i);
		assert_true(be64_get(out) == UINT64_C(1) << i);
		be32_put(out, (uint32_t)(UINT64_C(1) << i));
		assert_true(be32_get(out) == (uint32_t)(UINT64_C(1) << i));
	}
}

static void wiping(void **state)
{
	uint8_t secret[33];

	(void)state;
	memset(secret, 0x55, sizeof(secret));
	bytes_wipe(secret, 32);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(secret[i], 0);
	assert_int_equal(secret[32], 0x55);
	bytes_wipe(secret, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(views),
	        cmocka_unit_test(hashes_compare_like_numbers),
	        cmocka_unit_test(hex_of_every_byte),
	        cmocka_unit_test(hex_round_trip),
	        cmocka_unit_test(hex_refuses_what_it_must),
	        cmocka_unit_test(hash_texts),
	        cmocka_unit_test(big_endian_numbers),
	        cmocka_unit_test(wiping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
