#include "common/measure/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static uint32_t bit_by_bit(struct bytes in)
{
	uint32_t state = ~0u;

	for (size_t i = 0; i < in.len; i++) {
		state ^= in.data[i];
		for (int bit = 0; bit < 8; bit++)
			state = state >> 1 ^ (0xedb88320u & -(state & 1));
	}
	return ~state;
}

static void fill(uint8_t *out, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		out[i] = (uint8_t)(x >> 24);
	}
}

static void the_check_value_is_right(void **state)
{
	(void)state;
	assert_int_equal(crc32_update(0, bytes_text("123456789")), 0xcbf43926u);
	assert_int_equal(crc32_update_portable(0, bytes_text("123456789")), 0xcbf43926u);
	assert_int_equal(crc32_update(0, bytes_of(NULL, 0)), 0);
}

static void every_length_and_alignment_agrees_with_the_definition(void **state)
{
	uint8_t data[700];

	(void)state;
	fill(data, sizeof(data));
	for (size_t at = 0; at < 17; at++)
		for (size_t len = 0; len + at <= sizeof(data); len += len < 300 ? 1 : 37) {
			struct bytes in = bytes_of(data + at, len);
			uint32_t want = bit_by_bit(in);
			assert_int_equal(crc32_update(0, in), want);
			assert_int_equal(crc32_update_portable(0, in), want);
		}
}

static void cuts_do_not_matter(void **state)
{
	uint8_t data[1500];

	(void)state;
	fill(data, sizeof(data));
	uint32_t want = bit_by_bit(bytes_of(data, sizeof(data)));
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		uint32_t crc = crc32_update(0, bytes_of(data, cut));
		assert_int_equal(crc32_update(crc, bytes_of(data + cut, sizeof(data) - cut)), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_check_value_is_right),
	        cmocka_unit_test(every_length_and_alignment_agrees_with_the_definition),
	        cmocka_unit_test(cuts_do_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
