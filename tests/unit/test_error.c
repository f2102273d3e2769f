/* Error texts, and the functions that end the program. */
#include "tests/unit/death.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void set_fills_and_returns(void **state)
{
	struct error error = {0};

	(void)state;
	assert_int_equal(error_set(&error, ERR_LIMIT, "%d is over %s", 7, "five"), ERR_LIMIT);
	assert_int_equal(error.code, ERR_LIMIT);
	assert_string_equal(error.text, "7 is over five");
	assert_int_equal(error_set(NULL, ERR_DENIED, "nobody reads %d", 1), ERR_DENIED);
}

static void set_may_quote_the_old_text(void **state)
{
	struct error error = {0};

	(void)state;
	error_set(&error, ERR_IO, "disk full");
	error_set(&error, ERR_UNAVAILABLE, "later, because \"%s\"", error.text);
	assert_string_equal(error.text, "later, because \"disk full\"");
	assert_int_equal(error.code, ERR_UNAVAILABLE);
}

static void errno_is_told_and_kept(void **state)
{
	struct error error = {0};

	(void)state;
	errno = ENOENT;
	assert_int_equal(error_set_errno(&error, "%s", "/no/file"), ERR_IO);
	assert_string_equal(error.text, "/no/file: No such file or directory");
	assert_int_equal(error.code, ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(error_set_errno(NULL, "x"), ERR_IO);
	assert_int_equal(errno, ENOENT);
}

static void prefixes_stand_in_front(void **state)
{
	struct error error = {0};

	(void)state;
	error_set(&error, ERR_INVALID, "bad digit");
	assert_int_equal(error_prefix(&error, "line %d", 3), ERR_INVALID);
	assert_int_equal(error_prefix(&error, "%s", "file"), ERR_INVALID);
	assert_string_equal(error.text, "file: line 3: bad digit");
}

/* Whatever the lengths: terminated, and the beginning is what survives. */
static void long_texts_are_cut_at_the_end(void **state)
{
	struct error error = {0};
	char text[2000];

	(void)state;
	for (size_t len = 400; len < sizeof(text) - 1; len += 37) {
		memset(text, 'a', len);
		text[len] = '\0';
		error_set(&error, ERR_INVALID, "%s", text);
		size_t expected = len < sizeof(error.text) ? len : sizeof(error.text) - 1;
		assert_int_equal(strlen(error.text), expected);
		error_prefix(&error, "where");
		assert_true(strlen(error.text) < sizeof(error.text));
		assert_memory_equal(error.text, "where: aaa", 10);
		errno = EIO;
		error_set_errno(&error, "%s", text);
		assert_true(strlen(error.text) < sizeof(error.text));
		error_set(&error, ERR_INVALID, "end");
		error_prefix(&error, "%s", text);
		assert_true(strlen(error.text) < sizeof(error.text));
		assert_int_equal(error.text[0], 'a');
	}
}

static void die_plainly(void *arg)
{
	(void)arg;
	die("this is number %d", 42);
}

static void want_too_much(void *arg)
{
	volatile unsigned long size = SIZE_MAX / 2; /* or the compiler objects */

	free(arg);
	free(xmalloc(size));
}

static void want_too_many(void *arg)
{
	volatile unsigned long count = SIZE_MAX / 2;

	free(arg);
	free(xcalloc(count, 16));
}

static void grow_too_much(void *arg)
{
	volatile unsigned long size = SIZE_MAX / 2;

	free(xrealloc(arg, size));
}

static void death_is_loud(void **state)
{
	(void)state;
	death_expect(die_plainly, NULL, "<2>tests/unit/test_error.c:");
	death_expect(die_plainly, NULL, ": this is number 42\n");
#ifndef __SANITIZE_ADDRESS__ /* which ends the program in its own way before we can */
	death_expect(want_too_much, NULL, "out of memory");
	death_expect(want_too_many, NULL, "out of memory");
	death_expect(grow_too_much, NULL, "out of memory");
#else
	(void)want_too_much;
	(void)want_too_many;
	(void)grow_too_much;
#endif
}

static void memory_of_no_size_is_memory(void **state)
{
	(void)state;
	void *a = xmalloc(0), *b = xcalloc(0, 8), *c = xcalloc(8, 0), *d = xrealloc(NULL, 0);

	assert_true(a != NULL && b != NULL && c != NULL && d != NULL);
	d = xrealloc(d, 0);
	assert_non_null(d);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void memory_is_zeroed_and_copied(void **state)
{
	(void)state;
	uint8_t *zero = xcalloc(10, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zero[i], 0);
	memset(zero, 7, 100);
	zero = xrealloc(zero, 1000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zero[i], 7);
	free(zero);
	char *copy = xstrdup("text"), *empty = xstrdup(""), *made = xasprintf("%s-%d", copy, 5);
	assert_string_equal(copy, "text");
	assert_string_equal(empty, "");
	assert_string_equal(made, "text-5");
	free(copy);
	free(empty);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(set_fills_and_returns),
	        cmocka_unit_test(set_may_quote_the_old_text),
	        cmocka_unit_test(errno_is_told_and_kept),
	        cmocka_unit_test(prefixes_stand_in_front),
	        cmocka_unit_test(long_texts_are_cut_at_the_end),
	        cmocka_unit_test(death_is_loud),
	        cmocka_unit_test(memory_of_no_size_is_memory),
	        cmocka_unit_test(memory_is_zeroed_and_copied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
