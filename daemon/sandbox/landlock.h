/* Landlock through its raw system calls: Debian 12's C library has no wrappers. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include "common/base/error.h"

#include <stdbool.h>

struct landlock; /* a ruleset being built */

/* NULL when the kernel has no Landlock or it is switched off. */
struct landlock *landlock_new(void);
void landlock_free(struct landlock *landlock); /* NULL is fine */
/* Allows reading (and, if writable, changing) below path. A missing path is no failure. */
int landlock_allow(struct landlock *landlock, const char *path, bool writable,
                   struct error *error) MUST_USE;
/* Puts the ruleset into force for the calling thread and what it starts from now on. */
int landlock_enforce(struct landlock *landlock, struct error *error) MUST_USE;

#endif
