/* Waiting by running the loop: until something is so, or until that takes too long. */
#ifndef UNIT_PATIENCE_H
#define UNIT_PATIENCE_H

#include "daemon/io/loop.h"

struct patience;

struct patience *patience_new(struct loop *loop);
void patience_free(struct patience *patience); /* before its loop */
/* Begins to wait, and runs the loop once: false when half a minute is over. */
void patience_begin(struct patience *patience);
bool patience_wait(struct patience *patience);
void patience_end(struct patience *patience);

/* Runs the loop for so long, whatever stops it. */
void patience_pass(struct patience *patience, int64_t ms);

/* Runs the loop of a world that has a patience until the condition holds, or fails the test. */
#define UNTIL(world, condition)                                                                    \
	do {                                                                                       \
		patience_begin((world)->patience);                                                 \
		while (!(condition)) {                                                             \
			if (!patience_wait((world)->patience))                                     \
				fail_msg("waited in vain for: %s", #condition);                    \
		}                                                                                  \
		patience_end((world)->patience);                                                   \
	} while (0)

#endif
