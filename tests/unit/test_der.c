#include "common/crypto/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_elements_in_a_row(void **state)
{
	static const uint8_t raw[] = {0x02, 0x01, 0x07, 0x04, 0x00, 0x30, 0x02, 0x05, 0x00};
	struct bytes rest = bytes_of(raw, sizeof(raw)), content;
	uint8_t tag;

	(void)state;
	assert_int_equal(der_next(&rest, &tag, &content, NULL), 0);
	assert_int_equal(tag, DER_INTEGER);
	assert_true(bytes_equal(content, bytes_of("\x07", 1)));
	assert_int_equal(der_expect(&rest, DER_OCTET_STRING, &content, NULL), 0);
	assert_int_equal(content.len, 0);
	assert_int_equal(der_only(rest, DER_SEQUENCE, &content, NULL), 0);
	assert_int_equal(content.len, 2);
}

static void test_long_lengths(void **state)
{
	uint8_t *raw = calloc(1, 4 + 300);
	struct bytes content;

	(void)state;
	memcpy(raw, "\x04\x82\x01\x2c", 4);
	assert_int_equal(der_only(bytes_of(raw, 304), DER_OCTET_STRING, &content, NULL), 0);
	assert_int_equal(content.len, 300);
	assert_int_equal(der_only(bytes_of(raw, 303), DER_OCTET_STRING, &content, NULL),
	                 ERR_INVALID);
	assert_null(content.data);
	free(raw);
}

static void test_refused(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
	} cases[] = {
	        {"", 0},
	        {"\x04", 1},
	        {"\x04\x01", 2},                     /* content missing */
	        {"\x04\x80", 2},                     /* indefinite */
	        {"\x04\x81\x7f", 3},                 /* not shortest */
	        {"\x04\x82\x00\x80", 4},             /* not shortest */
	        {"\x04\x85\x01\x00\x00\x00\x00", 7}, /* five bytes of length */
	        {"\x04\x84\xff\xff\xff\xff", 6},     /* far behind the end */
	        {"\x04\x82\x01", 3},                 /* length cut off */
	        {"\x1f\x01\x00", 3},                 /* long tag */
	        {"\x05\x00", 2},                     /* another tag */
	        {"\x04\x00\x00", 3},                 /* something behind */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes content = {0};
		uint8_t *exact = malloc(cases[i].len + 1);
		memcpy(exact, cases[i].raw, cases[i].len);
		assert_int_equal(
		        der_only(bytes_of(exact, cases[i].len), DER_OCTET_STRING, &content, NULL),
		        ERR_INVALID);
		assert_null(content.data);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_elements_in_a_row),
	        cmocka_unit_test(test_long_lengths),
	        cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
