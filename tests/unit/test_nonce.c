#include "common/governance/nonce.h"
#include "common/base/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LIST(...)                                                                                  \
	((struct nonce_list){(const uint64_t[]){__VA_ARGS__},                                      \
	                     ARRAY_LEN(((const uint64_t[]){__VA_ARGS__}))})
static const struct nonce_list none;

static void test_lowest_free(void **state)
{
	(void)state;
	assert_int_equal(nonce_lowest_free(7, none, none), 7);
	assert_int_equal(nonce_lowest_free(7, LIST(7), none), 8);
	assert_int_equal(nonce_lowest_free(7, LIST(8), LIST(7)), 9);
	assert_int_equal(nonce_lowest_free(7, LIST(9, 7), LIST(10)), 8);
	assert_int_equal(nonce_lowest_free(7, LIST(3, 4), LIST(6)), 7); /* used up already */
	assert_int_equal(nonce_lowest_free(7, LIST(7, 7, 8), LIST(8, 7)), 9);
}

static void test_hole(void **state)
{
	uint64_t hole;

	(void)state;
	assert_false(nonce_hole(&hole, 7, none, none));
	assert_false(nonce_hole(&hole, 7, LIST(7, 8), none));
	assert_false(nonce_hole(&hole, 7, LIST(5, 6), none));
	assert_true(nonce_hole(&hole, 7, LIST(8), none));
	assert_int_equal(hole, 7);
	assert_true(nonce_hole(&hole, 7, LIST(7), LIST(9)));
	assert_int_equal(hole, 8);
	assert_true(nonce_hole(&hole, 0, none, LIST(3, 0)));
	assert_int_equal(hole, 1);
}

/* All ways to hold some of six nonces, in two lists: free is the lowest not held at or above the
 * chain's, and a hole is the same number exactly when something above is held. */
static void test_every_combination(void **state)
{
	(void)state;
	for (unsigned held = 0; held < 1u << 6; held++) {
		uint64_t queued[6], own[6], hole;
		struct nonce_list lists[2] = {{queued, 0}, {own, 0}};
		for (unsigned bit = 0; bit < 6; bit++) {
			uint64_t *items = bit % 2 == 0 ? queued : own;
			if (held & 1u << bit)
				items[lists[bit % 2].count++] = bit;
		}
		for (unsigned chain = 0; chain < 7; chain++) {
			uint64_t free = nonce_lowest_free(chain, lists[0], lists[1]);
			assert_true(free >= chain && (free > 5 || (held & 1u << free) == 0));
			for (uint64_t below = chain; below < free; below++)
				assert_true(held & 1u << below);
			bool above = free < 6 && held >> free != 0;
			assert_int_equal(nonce_hole(&hole, chain, lists[0], lists[1]), above);
			assert_int_equal(hole, above ? free : 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_lowest_free),
	        cmocka_unit_test(test_hole),
	        cmocka_unit_test(test_every_combination),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
