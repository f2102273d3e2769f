/* A folder of a test's own below /tmp. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

enum { SCRATCH_PATH = 64 };

/* Makes it; its name begins with that. A test program that cannot ends. */
void scratch_make(char path[SCRATCH_PATH], const char *name);
/* It and whatever is in it: 0, or not. */
int scratch_remove(const char *path);

#endif
