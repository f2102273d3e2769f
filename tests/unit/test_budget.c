#include "daemon/govern/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const int64_t day_ms = 24 * 3600 * 1000;
/* A quarter to midnight. */
static const struct wall evening = {20000 * 24LL * 3600 * 1000 - 15 * 60 * 1000};

static void test_so_many_a_day(void **state)
{
	struct budget budget = {.limit = 3};
	struct wall now = evening;

	(void)state;
	for (int day = 0; day < 3; day++) {
		for (int i = 0; i < 3; i++) {
			assert_false(budget_used_up(&budget, now));
			assert_true(budget_take(&budget, now));
		}
		assert_true(budget_used_up(&budget, now));
		assert_false(budget_take(&budget, now));
		assert_int_equal(budget.used, 3);
		now.ms += day_ms;
	}
}

static void test_a_person_s_question_is_counted_but_made(void **state)
{
	struct budget budget = {.limit = 1};

	(void)state;
	assert_true(budget_take(&budget, evening));
	budget_spend(&budget, evening);
	assert_int_equal(budget.used, 2);
	assert_false(budget_take(&budget, evening));
}

static void test_what_a_new_day_forgets(void **state)
{
	struct budget budget = {.limit = 1, .told = true, .stored = true};
	struct wall tomorrow = {evening.ms + day_ms};

	(void)state;
	assert_true(budget_take(&budget, evening));
	assert_false(budget.stored);
	budget.stored = budget.told = true;
	assert_false(budget_take(&budget, evening)); /* nothing to store or to tell again */
	assert_true(budget.stored && budget.told);
	assert_true(budget_take(&budget, tomorrow));
	assert_false(budget.stored || budget.told);
}

/* Ahead by a month for a while: the month must not be waited for. */
static void test_a_clock_that_is_set_back(void **state)
{
	struct budget budget = {.limit = 1};
	struct wall ahead = {evening.ms + 30 * day_ms};

	(void)state;
	assert_true(budget_take(&budget, ahead));
	assert_false(budget_take(&budget, ahead));
	assert_true(budget_take(&budget, evening));
	assert_false(budget_take(&budget, evening));
}

static void test_waiting(void **state)
{
	(void)state;
	assert_int_equal(budget_wait_ms(evening), 15 * 60 * 1000);
	assert_int_equal(budget_wait_ms((struct wall){evening.ms - day_ms / 2}), 3600 * 1000);
	assert_int_equal(budget_day((struct wall){evening.ms + 15 * 60 * 1000}),
	                 budget_day(evening) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_so_many_a_day),
	        cmocka_unit_test(test_a_person_s_question_is_counted_but_made),
	        cmocka_unit_test(test_what_a_new_day_forgets),
	        cmocka_unit_test(test_a_clock_that_is_set_back),
	        cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
