/* Text in aligned columns, and text from outside made safe for a terminal. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "common/base/arena.h"
#include "common/base/buf.h"

enum { TABLE_COLUMNS = 10 };

struct table {
	struct arena arena;
	struct table_row *first, **end;
	size_t columns;
};

/* Zero-initialise. The cells are copied; NULL is "-". Control characters are escaped. */
void table_row(struct table *table, const char *const *cells, size_t count);
#define table_add(table, ...)                                                                      \
	table_row(table, (const char *const[]){__VA_ARGS__},                                       \
	          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
/* Every row on its line behind indent spaces, two spaces between columns; then empties the table.
 */
void table_write(struct buf *out, struct table *table, unsigned indent);

/* Appends text; control characters (also the C1 ones in UTF-8) become \xNN. NULL is "-". */
void text_append(struct buf *out, const char *text);

#endif
