/* Memory that is released all at once. A function that returns data of variable size takes the
 * arena it shall live in as its first parameter; nothing taken from an arena is ever freed alone. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "common/base/bytes.h"

struct arena_block;

/* Zero-initialise; release with arena_free (which leaves it usable again). */
struct arena {
	struct arena_block *head;
};

void arena_free(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type */
void *arena_array(struct arena *arena, size_t count, size_t size); /* zeroed, overflow checked */
char *arena_strdup(struct arena *arena, const char *text); /* NULL stays NULL */
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF(2, 3);
struct bytes arena_copy(struct arena *arena, struct bytes bytes);
char *arena_text(struct arena *arena, struct bytes bytes); /* copy with a NUL behind it */

#endif
