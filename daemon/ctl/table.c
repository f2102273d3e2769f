#include "daemon/ctl/table.h"

#include <string.h>

struct table_row {
	struct table_row *next;
	const char *cells[TABLE_COLUMNS];
};

void text_append(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)(text != NULL ? text : "-");

	for (; *p != '\0'; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
		if (*p < 0x20 || *p == 0x7f || c1)
			buf_printf(out, "\\x%02x", c1 ? *++p : *p);
		else
			buf_append_byte(out, *p);
	}
}

void table_row(struct table *table, const char *const *cells, size_t count)
{
	struct table_row *row = arena_alloc(&table->arena, sizeof(*row));
	struct buf text = {0};

	if (count > TABLE_COLUMNS)
		die("a table of %zu columns", count);
	for (size_t i = 0; i < count; i++) {
		buf_clear(&text);
		text_append(&text, cells[i]);
		row->cells[i] = arena_strdup(&table->arena, buf_text(&text));
	}
	buf_free(&text);
	if (table->end == NULL)
		table->end = &table->first;
	*table->end = row;
	table->end = &row->next;
	if (count > table->columns)
		table->columns = count;
}

/* Columns on the screen, counting code points. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void write_row(struct buf *out, const struct table_row *row, const size_t *widths,
                      size_t columns)
{
	size_t last = 0;

	for (size_t i = 0; i < columns; i++)
		if (row->cells[i] != NULL && row->cells[i][0] != '\0')
			last = i;
	for (size_t i = 0; i <= last; i++) {
		const char *cell = row->cells[i] != NULL ? row->cells[i] : "";
		buf_append_text(out, cell);
		for (size_t w = width(cell); i < last && w < widths[i] + 2; w++)
			buf_append_text(out, " ");
	}
	buf_append_text(out, "\n");
}

void table_write(struct buf *out, struct table *table, unsigned indent)
{
	size_t widths[TABLE_COLUMNS] = {0};

	for (const struct table_row *row = table->first; row != NULL; row = row->next)
		for (size_t i = 0; i < table->columns; i++)
			if (row->cells[i] != NULL && width(row->cells[i]) > widths[i])
				widths[i] = width(row->cells[i]);
	for (const struct table_row *row = table->first; row != NULL; row = row->next) {
		for (unsigned i = 0; i < indent; i++)
			buf_append_text(out, " ");
		write_row(out, row, widths, table->columns);
	}
	arena_free(&table->arena);
	*table = (struct table){0};
}
