/* Log lines as journald gets them. */
#include "common/base/log.h"
#include "tests/unit/death.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct line {
	enum log_level level;
	const char *context, *text;
};

static void write_line(void *arg)
{
	const struct line *line = arg;

	log_line(line->level, line->context, "%s", line->text);
}

static const char *logged(struct arena *arena, enum log_level level, const char *context,
                          const char *text)
{
	struct line line = {level, context, text};

	return death_stderr(arena, write_line, &line);
}

static int reset(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	log_set_role(NULL);
	return 0;
}

static void levels_are_journalds(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_string_equal(logged(&arena, LOG_INFO, NULL, "text"), "<6>text\n");
	assert_string_equal(logged(&arena, LOG_UNUSUAL, NULL, "text"), "<4>text\n");
	assert_string_equal(logged(&arena, LOG_BROKEN, NULL, "text"), "<3>text\n");
	assert_string_equal(logged(&arena, LOG_DEBUG, NULL, "text"), "");
	log_set_level(LOG_DEBUG);
	assert_string_equal(logged(&arena, LOG_DEBUG, NULL, "text"), "<7>text\n");
	log_set_level(LOG_BROKEN);
	assert_string_equal(logged(&arena, LOG_UNUSUAL, NULL, "text"), "");
	assert_string_equal(logged(&arena, LOG_BROKEN, NULL, "text"), "<3>text\n");
	arena_free(&arena);
}

static void role_and_context_stand_in_front(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_string_equal(logged(&arena, LOG_INFO, "payments: p7", "posted"),
	                    "<6>payments: p7: posted\n");
	log_set_role("signer");
	assert_string_equal(logged(&arena, LOG_INFO, "p7", "signed"), "<6>signer: p7: signed\n");
	assert_string_equal(logged(&arena, LOG_INFO, NULL, "ready"), "<6>signer: ready\n");
	arena_free(&arena);
}

/* No byte from outside can end the line, start another or move a terminal. */
static void bytes_from_outside_are_escaped(void **state)
{
	struct arena arena = {0};
	char every[256];

	(void)state;
	assert_string_equal(logged(&arena, LOG_INFO, "a\nb", "one\n<3>two\r\t\x1b[31m"),
	                    "<6>a\\x0ab: one\\x0a<3>two\\x0d\\x09\\x1b[31m\n");
	assert_string_equal(logged(&arena, LOG_INFO, NULL, "caf\xc3\xa9\x7f"),
	                    "<6>caf\\xc3\\xa9\\x7f\n");
	for (int i = 0; i < 255; i++)
		every[i] = (char)(i + 1);
	every[255] = '\0';
	const char *line = logged(&arena, LOG_INFO, every, every);
	size_t len = strlen(line);
	assert_int_equal(line[len - 1], '\n');
	for (size_t i = 0; i < len - 1; i++)
		assert_true(line[i] >= 0x20 && line[i] < 0x7f);
	arena_free(&arena);
}

static void long_lines_are_cut(void **state)
{
	struct arena arena = {0};
	static char text[10000];

	(void)state;
	for (size_t len = 1900; len < sizeof(text) - 1; len += 211) {
		memset(text, 'x', len);
		text[len] = '\0';
		const char *line = logged(&arena, LOG_INFO, text, text);
		assert_true(strlen(line) < 4096);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
		memset(text, '\n', len); /* every byte becomes four */
		line = logged(&arena, LOG_INFO, text, text);
		assert_true(strlen(line) <= 4096);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
	log_set_role(text);
	assert_memory_equal(logged(&arena, LOG_INFO, "c", "t"), "<6>\\x0a\\x0a", 11);
	arena_free(&arena);
}

static void write_with_errno(void *arg)
{
	errno = EAGAIN;
	log_info(NULL, "%s %d", "text", 5);
	*(int *)arg = errno;
}

static void errno_is_kept(void **state)
{
	struct arena arena = {0};
	int after = 0;

	(void)state;
	assert_string_equal(death_stderr(&arena, write_with_errno, &after), "<6>text 5\n");
	assert_int_equal(after, EAGAIN);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(levels_are_journalds, reset),
	        cmocka_unit_test_setup(role_and_context_stand_in_front, reset),
	        cmocka_unit_test_setup(bytes_from_outside_are_escaped, reset),
	        cmocka_unit_test_setup(long_lines_are_cut, reset),
	        cmocka_unit_test_setup(errno_is_kept, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
