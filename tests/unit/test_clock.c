/* Times and durations as text; the clocks themselves only as far as a test can know them. */
#include "common/base/clock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void the_clocks_go_forward(void **state)
{
	(void)state;
	struct mono before = clock_mono(), after = clock_mono();

	assert_true(before.ms > 0 && after.ms >= before.ms);
	assert_true(clock_wall().ms > 1704067200000); /* later than 2024 */
}

static void wall_texts(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
	        {0, "1970-01-01T00:00:00.000Z"},
	        {1, "1970-01-01T00:00:00.001Z"},
	        {999, "1970-01-01T00:00:00.999Z"},
	        {1000, "1970-01-01T00:00:01.000Z"},
	        {951782399999, "2000-02-28T23:59:59.999Z"},
	        {951782400000, "2000-02-29T00:00:00.000Z"},
	        {1767225600045, "2026-01-01T00:00:00.045Z"},
	        {2147483648000, "2038-01-19T03:14:08.000Z"},
	        {4107542400000, "2100-03-01T00:00:00.000Z"},
	        {253402300799999, "9999-12-31T23:59:59.999Z"},
	        {253402300800000, "@253402300800000ms"},
	        {-1, "@-1ms"},
	        {INT64_MAX, "@9223372036854775807ms"},
	        {INT64_MIN, "@-9223372036854775808ms"},
	};
	char text[WALL_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ptr_equal(wall_text(text, (struct wall){cases[i].ms}), text);
		assert_string_equal(text, cases[i].text);
	}
}

static void seconds_as_chains_claim_them(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
	        {0, "1970-01-01T00:00:00Z"},
	        {1767225600, "2026-01-01T00:00:00Z"},
	        {253402300799, "9999-12-31T23:59:59Z"},
	        {253402300800, "@253402300800"},
	        {INT64_MAX, "@9223372036854775807"},
	        {UINT64_MAX, "@18446744073709551615"},
	};
	char text[WALL_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(wall_text_seconds(text, cases[i].seconds), cases[i].text);
}

/* Whatever the local time zone: the text is UTC. */
static void texts_are_utc(void **state)
{
	char text[WALL_TEXT_SIZE];

	(void)state;
	setenv("TZ", "Pacific/Auckland", 1);
	assert_string_equal(wall_text_seconds(text, 1767225600), "2026-01-01T00:00:00Z");
	unsetenv("TZ");
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
	        {"500ms", 500},      {"10s", 10000},
	        {"5m", 300000},      {"72h", 259200000},
	        {"14d", 1209600000}, {"0s", 0},
	        {"0ms", 0},          {"1d", 86400000},
	        {"090s", 90000},     {"2305843009213693951ms", INT64_MAX / 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -1;
		struct error error = {0};
		assert_int_equal(duration_parse(&ms, cases[i].text, &error), 0);
		assert_true(ms == cases[i].ms);
	}
}

static void other_texts_are_no_durations(void **state)
{
	static const char *const texts[] = {"",
	                                    "0",
	                                    "10",
	                                    "s",
	                                    "-5s",
	                                    "+5s",
	                                    " 5s",
	                                    "5s ",
	                                    "5 s",
	                                    "5S",
	                                    "1.5h",
	                                    "1h30m",
	                                    "5w",
	                                    "0x5s",
	                                    "ms",
	                                    "5sms",
	                                    "2305843009213693952ms",
	                                    "99999999999999999999d",
	                                    "106751991168d"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int64_t ms = -1;
		struct error error = {0};
		assert_int_equal(duration_parse(&ms, texts[i], &error), ERR_INVALID);
		assert_true(ms == 0);
		assert_non_null(
		        strstr(error.text, "expected a number and a unit: ms, s, m, h or d"));
	}
}

static void durations_are_written_short_and_exact(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{0, "0s"},         {1, "1ms"},       {1000, "1s"},
	             {1500, "1500ms"},  {60000, "1m"},    {90000, "90s"},
	             {3600000, "1h"},   {86400000, "1d"}, {259200000, "3d"},
	             {90000000, "25h"}, {-90000, "-90s"}, {86400001, "86400001ms"}};
	char text[WALL_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(duration_text(text, cases[i].ms), cases[i].text);
	for (int64_t ms = 1; ms < INT64_MAX / 20; ms = ms * 5 / 2 + 7) {
		int64_t back;
		assert_int_equal(duration_parse(&back, duration_text(text, ms), NULL), 0);
		assert_true(back == ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_clocks_go_forward),
	        cmocka_unit_test(wall_texts),
	        cmocka_unit_test(seconds_as_chains_claim_them),
	        cmocka_unit_test(texts_are_utc),
	        cmocka_unit_test(durations_are_read),
	        cmocka_unit_test(other_texts_are_no_durations),
	        cmocka_unit_test(durations_are_written_short_and_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
