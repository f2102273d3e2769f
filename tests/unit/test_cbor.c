#include "common/measure/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static int next(const char *raw, size_t len, struct cbor_item *item, size_t *used)
{
	struct bytes rest = bytes_of(raw, len);
	int rc = cbor_next(&rest, item, NULL);

	*used = len - rest.len;
	return rc;
}

/* Examples of RFC 8949, appendix A. */
static void items_are_read_as_the_rfc_says(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		enum cbor_kind kind;
		uint64_t n;
	} cases[] = {
	        {"\x00", 1, CBOR_UINT, 0},
	        {"\x17", 1, CBOR_UINT, 23},
	        {"\x18\x18", 2, CBOR_UINT, 24},
	        {"\x19\x03\xe8", 3, CBOR_UINT, 1000},
	        {"\x1a\x00\x0f\x42\x40", 5, CBOR_UINT, 1000000},
	        {"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9, CBOR_UINT, UINT64_MAX},
	        {"\x20", 1, CBOR_NEGATIVE, 0},
	        {"\x38\x63", 2, CBOR_NEGATIVE, 99},
	        {"\x39\x03\xe7", 3, CBOR_NEGATIVE, 999},
	        {"\x44\x01\x02\x03\x04", 5, CBOR_BYTES, 4},
	        {"\x40", 1, CBOR_BYTES, 0},
	        {"\x64IETF", 5, CBOR_TEXT, 4},
	        {"\x83", 1, CBOR_ARRAY, 3},
	        {"\x98\x19", 2, CBOR_ARRAY, 25},
	        {"\xa2", 1, CBOR_MAP, 2},
	        {"\xd2", 1, CBOR_TAG, 18},
	        {"\xf4", 1, CBOR_OTHER, 0},
	        {"\xf6", 1, CBOR_NULL, 0},
	        {"\x9f", 1, CBOR_OTHER, 0},
	        {"\xff", 1, CBOR_END, 0},
	        {"\xbf", 1, CBOR_OPEN_MAP, 0},
	        {"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a", 9, CBOR_OTHER, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cbor_item item;
		size_t used;
		assert_int_equal(next(cases[i].raw, cases[i].len, &item, &used), 0);
		assert_int_equal(used, cases[i].len);
		assert_int_equal(item.kind, cases[i].kind);
		assert_true(item.n == cases[i].n);
		if (item.kind == CBOR_BYTES || item.kind == CBOR_TEXT)
			assert_int_equal(item.bytes.len, cases[i].n);
		for (size_t len = 0; len < cases[i].len; len++)
			assert_int_equal(next(cases[i].raw, len, &item, &used), ERR_INVALID);
	}
}

static void absurd_lengths_are_cut_off_items(void **state)
{
	struct cbor_item item;
	size_t used;

	(void)state;
	assert_int_equal(next("\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9, &item, &used),
	                 ERR_INVALID);
	assert_int_equal(next("\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, &item, &used),
	                 ERR_INVALID);
	assert_int_equal(next("\x1c", 1, &item, &used), ERR_INVALID);
	/* An array's head is only a number: whoever reads it bounds it. */
	assert_int_equal(next("\x9b\x00\xff\xff\xff\xff\xff\xff\xff", 9, &item, &used), 0);
}

static void another_kind_than_expected_is_named(void **state)
{
	struct bytes rest = bytes_of("\x64IETF", 5);
	struct cbor_item item;
	struct error error;

	(void)state;
	assert_int_equal(cbor_expect(&rest, CBOR_UINT, &item, &error), ERR_INVALID);
	assert_string_equal(error.text, "CBOR holds a text string, expected an unsigned integer");
}

static void what_is_written_is_read_back_in_its_shortest_form(void **state)
{
	static const size_t widths[] = {1, 2, 3, 5, 9};
	struct buf out = {0};

	(void)state;
	for (int bits = 0; bits <= 64; bits++) {
		uint64_t n = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
		struct cbor_item item;
		buf_clear(&out);
		cbor_put_head(&out, CBOR_UINT, n);
		size_t want = n < 24 ? 0 : n <= 255 ? 1 : n <= 65535 ? 2 : n <= UINT32_MAX ? 3 : 4;
		assert_int_equal(out.len, widths[want]);
		struct bytes rest = buf_bytes(&out);
		assert_int_equal(cbor_expect(&rest, CBOR_UINT, &item, NULL), 0);
		assert_true(item.n == n && rest.len == 0);
	}
	buf_clear(&out);
	cbor_put_text(&out, "IETF");
	cbor_put_bytes(&out, bytes_of("\1\2\3\4", 4));
	assert_int_equal(out.len, 10);
	assert_memory_equal(out.data, "\x64IETF\x44\1\2\3\4", 10);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(items_are_read_as_the_rfc_says),
	        cmocka_unit_test(absurd_lengths_are_cut_off_items),
	        cmocka_unit_test(another_kind_than_expected_is_named),
	        cmocka_unit_test(what_is_written_is_read_back_in_its_shortest_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
