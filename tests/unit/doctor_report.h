/* What doctor reports about a govern world, and what tests expect of its rows. */
#ifndef UNIT_DOCTOR_REPORT_H
#define UNIT_DOCTOR_REPORT_H

#include "tests/unit/govern_world.h"

/* For govern_doctor: keeps the report, which is the test's to free, and stops the loop. */
struct doctor_answer {
	struct loop *loop;
	struct jval *report;
};
void doctor_told(struct jval *report, void *arg);

/* The report of one examination; every row has what it must have. */
struct jval *doctor_examine(struct govern_world *w);
const struct jval *doctor_row(const struct jval *report, const char *check);
/* The row has this result, and says these words in what was found. */
void expect_row(const struct jval *report, const char *check, const char *result,
                const char *found);
void expect_fix(const struct jval *report, const char *check, const char *part);
/* An examination, of which one row is of interest. */
void doctor_finds(struct govern_world *w, const char *check, const char *result, const char *found);

#endif
