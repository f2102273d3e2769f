#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void times_are_read_with_and_without_a_fraction(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
	        {"1970-01-01T00:00:00Z", 0},
	        {"2021-01-12T11:53:27.000Z", 1610452407000},
	        {"2022-12-31T23:59:59.999Z", 1672531199999},
	        {"2024-02-29T12:00:00.5Z", 1709208000500},
	        {"2025-09-22T00:00:00.123456789Z", 1758499200123},
	        {"9999-12-31T23:59:59Z", 253402300799000},
	};
	struct wall at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(wall_parse(&at, cases[i].text, NULL), 0);
		assert_true(at.ms == cases[i].ms);
	}
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
	        "",
	        "now",
	        "2025-01-01",
	        "2025-01-01T00:00:00",
	        "2025-01-01T00:00:00+00:00",
	        "2025-01-01T00:00:00.Z",
	        "2025-01-01T00:00:00.5",
	        "2025-01-01T00:00:00.5xZ",
	        "2025-01-01T00:00:00Z ",
	        " 2025-01-01T00:00:00Z",
	        "2025-1-01T00:00:00Z",
	        "2025-02-30T00:00:00Z",
	        "2025-01-01 00:00:00Z",
	        "2025-01-01T24:00:00Z",
	        "2025-01-01T00:00:60Z",
	        "1969-12-31T23:59:59Z",
	        "-001-01-01T00:00:00Z",
	};
	struct wall at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (wall_parse(&at, texts[i], NULL) != ERR_INVALID || at.ms != 0)
			fail_msg("\"%s\" is read as a time", texts[i]);
	assert_int_equal(wall_parse(&at, NULL, NULL), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(times_are_read_with_and_without_a_fraction),
	        cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
