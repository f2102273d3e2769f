/* Randomness: that it is asked for at all, fills what it should, and stays in its bounds. */
#include "common/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void exactly_what_was_asked_is_filled(void **state)
{
	uint8_t out[66];

	(void)state;
	for (size_t len = 0; len <= 64; len++) {
		memset(out, 0, sizeof(out));
		random_bytes(out + 1, len);
		assert_int_equal(out[0], 0);
		assert_int_equal(out[len + 1], 0);
	}
}

static void no_two_answers_are_the_same(void **state)
{
	uint8_t a[32], b[32];
	static uint8_t large[1 << 20]; /* more than one getrandom call may give */
	size_t zeros = 0;

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_bytes(large, sizeof(large));
	for (size_t i = 0; i < sizeof(large); i++)
		zeros += large[i] == 0;
	/* 4096 expected, with a deviation of 64 */
	assert_in_range(zeros, 4096 - 640, 4096 + 640);
}

static void every_number_below_the_bound_and_no_other(void **state)
{
	unsigned seen[7] = {0};

	(void)state;
	assert_int_equal(random_below(0), 0);
	assert_int_equal(random_below(1), 0);
	for (int i = 0; i < 7000; i++)
		seen[random_below(7)]++; /* ASan watches the bound */
	for (size_t i = 0; i < 7; i++)
		assert_in_range(seen[i], 700, 1300);
	bool high = false;
	for (int i = 0; i < 200; i++)
		high |= random_below(UINT32_MAX) > UINT32_MAX / 2;
	assert_true(high);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(exactly_what_was_asked_is_filled),
	        cmocka_unit_test(no_two_answers_are_the_same),
	        cmocka_unit_test(every_number_below_the_bound_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
