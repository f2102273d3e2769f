/* Running code that must abort, and reading what code writes to stderr. */
#ifndef UNIT_DEATH_H
#define UNIT_DEATH_H

#include "common/base/arena.h"

/* Runs fn(arg) in a child: fails the test unless it aborts with text in its stderr. */
void death_expect(void (*fn)(void *arg), void *arg, const char *text);

/* Runs fn(arg) and returns what it wrote to stderr. */
const char *death_stderr(struct arena *arena, void (*fn)(void *arg), void *arg);

#endif
