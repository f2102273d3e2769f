/* Memory released all at once. */
#include "common/base/arena.h"
#include "common/base/random.h"
#include "tests/unit/death.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool all(const uint8_t *data, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != value)
			return false;
	return true;
}

/* Many sizes around the block size: zeroed, aligned, none overlapping another. */
static void pieces_are_zeroed_aligned_and_apart(void **state)
{
	enum { COUNT = 3000 };
	static struct {
		uint8_t *data;
		size_t len;
	} pieces[COUNT];
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		pieces[i].len = i % 100 == 0 ? random_below(20000) : random_below(300);
		pieces[i].data = arena_alloc(&arena, pieces[i].len);
		assert_int_equal((uintptr_t)pieces[i].data % _Alignof(max_align_t), 0);
		assert_true(all(pieces[i].data, pieces[i].len, 0));
		memset(pieces[i].data, (int)(i % 255) + 1, pieces[i].len);
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_true(all(pieces[i].data, pieces[i].len, (uint8_t)(i % 255 + 1)));
	arena_free(&arena);
	assert_null(arena.head);
}

static void sizes_at_the_edge_of_a_block(void **state)
{
	(void)state;
	for (size_t size = 4096 - 40; size <= 4096 + 40; size++) {
		struct arena arena = {0};
		uint8_t *first = arena_alloc(&arena, size), *second = arena_alloc(&arena, size);
		memset(first, 1, size);
		memset(second, 2, size);
		assert_true(all(first, size, 1));
		arena_free(&arena);
	}
}

static void it_can_be_used_again_after_free(void **state)
{
	struct arena arena = {0};

	(void)state;
	arena_free(&arena);
	for (int i = 0; i < 3; i++) {
		uint8_t *data = arena_alloc(&arena, 100);
		assert_true(all(data, 100, 0));
		memset(data, 0xff, 100);
		arena_free(&arena);
	}
}

static void texts(void **state)
{
	struct arena arena = {0};
	char original[] = "original";

	(void)state;
	char *copy = arena_strdup(&arena, original);
	original[0] = 'X';
	assert_string_equal(copy, "original");
	assert_null(arena_strdup(&arena, NULL));
	assert_string_equal(arena_strdup(&arena, ""), "");
	assert_string_equal(arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
	assert_string_equal(arena_printf(&arena, "%s", ""), "");
	const char *wide = arena_printf(&arena, "%10000d", 1);
	assert_int_equal(strlen(wide), 10000);
	assert_string_equal(arena_text(&arena, bytes_of("abcdef", 3)), "abc");
	assert_string_equal(arena_text(&arena, bytes_of(NULL, 0)), "");
	struct bytes bytes = arena_copy(&arena, bytes_of("a\0b", 3));
	assert_true(bytes_equal(bytes, bytes_of("a\0b", 3)));
	assert_int_equal(bytes.data[3], 0);
	assert_int_equal(arena_copy(&arena, bytes_of(NULL, 0)).len, 0);
	arena_free(&arena);
}

static void arrays(void **state)
{
	struct arena arena = {0};

	(void)state;
	uint64_t *numbers = arena_array(&arena, 1000, sizeof(*numbers));
	assert_true(all((const uint8_t *)numbers, 8000, 0));
	assert_non_null(arena_array(&arena, 0, 8));
	assert_non_null(arena_array(&arena, SIZE_MAX, 0));
	arena_free(&arena);
}

static void alloc_too_much(void *arg)
{
	struct arena arena = {0};

	(void)arg;
	arena_alloc(&arena, SIZE_MAX - 3);
}

static void array_too_long(void *arg)
{
	struct arena arena = {0};

	(void)arg;
	arena_array(&arena, SIZE_MAX / 4, 16);
}

static void overflow_aborts(void **state)
{
	(void)state;
	death_expect(alloc_too_much, NULL, "arena request of");
	death_expect(array_too_long, NULL, "arena array of");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
	        cmocka_unit_test(sizes_at_the_edge_of_a_block),
	        cmocka_unit_test(it_can_be_used_again_after_free),
	        cmocka_unit_test(texts),
	        cmocka_unit_test(arrays),
	        cmocka_unit_test(overflow_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
