#include "tests/unit/doctor_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

void doctor_told(struct jval *report, void *arg)
{
	struct doctor_answer *answer = arg;

	assert_null(answer->report);
	answer->report = report;
	loop_stop(answer->loop);
}

/* The report is examined for what every row must have. */
struct jval *doctor_examine(struct govern_world *w)
{
	static const char *const results[] = {"ok", "warning", "failure", "unknown"};
	struct doctor_answer answer = {.loop = w->loop};

	assert_non_null(govern_doctor(w->govern, doctor_told, &answer));
	assert_null(answer.report); /* never from inside */
	world_run(w);
	assert_true(jval_count(answer.report) > 5);
	for (size_t i = 0; i < jval_count(answer.report); i++) {
		const struct jval *row = jval_at(answer.report, i);
		const char *result = jval_get_string(row, "result");
		bool known = false;
		for (size_t k = 0; k < ARRAY_LEN(results); k++)
			known |= strcmp(result, results[k]) == 0;
		assert_true(known);
		assert_non_null(jval_get_string(row, "target"));
		assert_true(strlen(jval_get_string(row, "check")) > 0);
		assert_true(strlen(jval_get_string(row, "found")) > 0);
		bool ok = strcmp(result, "ok") == 0;
		assert_int_equal(strlen(jval_get_string(row, "fix")) == 0, ok);
	}
	return answer.report;
}

const struct jval *doctor_row(const struct jval *report, const char *check)
{
	for (size_t i = 0; i < jval_count(report); i++)
		if (strcmp(jval_get_string(jval_at(report, i), "check"), check) == 0)
			return jval_at(report, i);
	fail_msg("no row about %s", check);
	return NULL;
}

void expect_row(const struct jval *report, const char *check, const char *result, const char *found)
{
	const struct jval *row = doctor_row(report, check);

	if (strcmp(jval_get_string(row, "result"), result) != 0 ||
	    strstr(jval_get_string(row, "found"), found) == NULL)
		fail_msg("%s is %s: %s", check, jval_get_string(row, "result"),
		         jval_get_string(row, "found"));
}

void expect_fix(const struct jval *report, const char *check, const char *part)
{
	const char *fix = jval_get_string(doctor_row(report, check), "fix");

	if (strstr(fix, part) == NULL)
		fail_msg("%s says nothing of %s: %s", check, part, fix);
}

/* The one thing that is wrong. */
void doctor_finds(struct govern_world *w, const char *check, const char *result, const char *found)
{
	struct jval *report = doctor_examine(w);

	expect_row(report, check, result, found);
	jval_free(report);
}
