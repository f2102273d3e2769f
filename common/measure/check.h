/* What was verified about a document: one entry per question, with its answer. Evidence shows all
 * of them, also what could not be decided. */
#ifndef MEASURE_CHECK_H
#define MEASURE_CHECK_H

#include "common/base/arena.h"
#include "common/base/jval.h"

enum check_result { CHECK_PASSED = 1, CHECK_FAILED = 2, CHECK_UNDECIDED = 3 };

const char *check_result_name(enum check_result result); /* "passed", "failed", "undecided" */

struct check {
	const char *name; /* a constant */
	enum check_result result;
	const char *text; /* what was found; with CHECK_FAILED also what was expected */
};

enum { CHECKS_MAX = 48 };

/* Set arena before the first entry; the texts live there. */
struct checks {
	struct arena *arena;
	struct check items[CHECKS_MAX];
	size_t count;
};

/* Returns whether result is CHECK_PASSED. */
bool checks_add(struct checks *checks, const char *name, enum check_result result, const char *fmt,
                ...) PRINTF(4, 5);
/* CHECK_PASSED with passed_text when rc is 0, else CHECK_FAILED with the error's text. */
bool checks_add_rc(struct checks *checks, const char *name, int rc, const struct error *error,
                   const char *passed_text);
/* NULL when nobody asked. */
const struct check *checks_find(const struct checks *checks, const char *name);
bool checks_passed(const struct checks *checks, const char *name);
/* The first that failed, or NULL. */
const struct check *checks_first_failed(const struct checks *checks);
/* [{"check":name,"result":"passed","text":...}, ...] */
struct jval *checks_json(const struct checks *checks);
/* Appends them to the array "checks" of an object, which is made when there is none. */
void checks_append(struct jval *object, const struct checks *checks);

#endif
