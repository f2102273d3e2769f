#include "common/measure/compose_images.h"

#include <ctype.h>
#include <string.h>

enum { MAX_REFERENCE = 512, NO_BLOCK = -1 };

struct scan {
	struct arena *arena;
	struct compose_images *out;
	struct bytes line;
	size_t at, number;
	char quote;    /* open quotation mark, also from a line before */
	unsigned flow; /* open brackets, likewise */
	long block;    /* a block scalar is open: lines indented deeper than this are its text */
	bool wanted;   /* an image key without a value: the next line has it ... */
	long wanted_indent; /* ... when it is indented deeper */
	bool wanted_block;  /* ... as a block scalar, whose first line it is */
};

static char peek(const struct scan *scan, size_t ahead)
{
	size_t at = scan->at + ahead;

	return at < scan->line.len ? (char)scan->line.data[at] : '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\0';
}

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->line.len && is_blank(peek(scan, 0)))
		scan->at++;
}

/* --- references ---------------------------------------------------------------------------------
 */

static bool is_pinned(const char *reference)
{
	const char *digest = strstr(reference, "@sha256:");

	if (digest == NULL || digest == reference || strchr(reference, '$') != NULL)
		return false;
	digest += strlen("@sha256:");
	return strlen(digest) == 64 && strspn(digest, "0123456789abcdef") == 64;
}

static void add(struct scan *scan, struct bytes reference)
{
	struct compose_images *out = scan->out;

	while (reference.len > 0 && is_blank((char)reference.data[reference.len - 1]))
		reference.len--;
	if (reference.len == 0 || reference.len > MAX_REFERENCE || out->count == COMPOSE_IMAGES_MAX)
		return;
	char *text = arena_text(scan->arena, reference);
	bool pinned = is_pinned(text);
	out->items[out->count++] =
	        (struct compose_image){.reference = text, .line = scan->number, .pinned = pinned};
	out->unpinned += pinned ? 0 : 1;
}

/* --- scalars ------------------------------------------------------------------------------------
 */

/* Up to the closing mark, or the end of the line with scan->quote left open. */
static struct bytes take_quoted(struct scan *scan)
{
	size_t start = scan->at;

	while (scan->at < scan->line.len) {
		char c = peek(scan, 0);
		if (c == '\\' && scan->quote == '"') {
			scan->at += 2;
		} else if (c == scan->quote && c == '\'' && peek(scan, 1) == '\'') {
			scan->at += 2;
		} else if (c == scan->quote) {
			struct bytes text = bytes_of(scan->line.data + start, scan->at - start);
			scan->at++;
			scan->quote = '\0';
			return text;
		} else {
			scan->at++;
		}
	}
	scan->at = scan->line.len;
	return bytes_of(scan->line.data + start, scan->line.len - start);
}

/* A plain scalar ends at a comment, at ": ", and in flow style at , and closing brackets. */
static struct bytes take_plain(struct scan *scan)
{
	size_t start = scan->at;

	while (scan->at < scan->line.len) {
		char c = peek(scan, 0);
		if (c == '#' && scan->at > start && is_blank((char)scan->line.data[scan->at - 1]))
			break;
		if (c == ':' && (is_blank(peek(scan, 1)) ||
		                 (scan->flow > 0 && strchr(",[]{}", peek(scan, 1)) != NULL)))
			break;
		if (scan->flow > 0 && strchr(",[]{}", c) != NULL)
			break;
		scan->at++;
	}
	return bytes_of(scan->line.data + start, scan->at - start);
}

/* Anchors and tags in front of a value: &name, !tag. */
static void skip_properties(struct scan *scan)
{
	skip_blanks(scan);
	while (peek(scan, 0) == '&' || peek(scan, 0) == '!') {
		while (!is_blank(peek(scan, 0)))
			scan->at++;
		skip_blanks(scan);
	}
}

static struct bytes take_scalar(struct scan *scan)
{
	char c = peek(scan, 0);

	if (c != '"' && c != '\'')
		return take_plain(scan);
	scan->quote = c;
	scan->at++;
	return take_quoted(scan);
}

/* | or > and its indicators, up to the end of the line. */
static bool at_block_scalar(const struct scan *scan)
{
	size_t ahead = 1;

	if (scan->flow > 0 || (peek(scan, 0) != '|' && peek(scan, 0) != '>'))
		return false;
	while (peek(scan, ahead) != '\0' && strchr("+-0123456789", peek(scan, ahead)) != NULL)
		ahead++;
	if (!is_blank(peek(scan, ahead)))
		return false;
	while (scan->at + ahead < scan->line.len && is_blank(peek(scan, ahead)))
		ahead++;
	return scan->at + ahead >= scan->line.len || peek(scan, ahead) == '#';
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* Behind the colon of an image key. */
static void read_image(struct scan *scan, long indent)
{
	skip_properties(scan);
	bool block = at_block_scalar(scan);
	if (block || scan->at >= scan->line.len || peek(scan, 0) == '#') {
		scan->wanted = true;
		scan->wanted_indent = indent;
		scan->wanted_block = block;
		scan->at = scan->line.len;
		return;
	}
	if (peek(scan, 0) == '{' || peek(scan, 0) == '[')
		return;
	add(scan, take_scalar(scan));
}

/* One token: a bracket, a comma, a scalar with the colon behind it. indent is the column of the
 * key or dash that a block scalar belongs to. */
static void read_token(struct scan *scan, long *indent)
{
	char c = peek(scan, 0);

	if (c == '#') {
		scan->at = scan->line.len;
	} else if (c == '-' && is_blank(peek(scan, 1)) && scan->flow == 0) {
		*indent = (long)scan->at;
		scan->at++;
	} else if (c == '{' || c == '[') {
		scan->flow++;
		scan->at++;
	} else if (c == '}' || c == ']') {
		scan->flow -= scan->flow > 0 ? 1 : 0;
		scan->at++;
	} else if (c == ',' || c == ':' || c == '?') {
		scan->at++;
	} else if (at_block_scalar(scan)) {
		scan->block = *indent;
		scan->at = scan->line.len;
	} else {
		long column = (long)scan->at;
		bool quoted = c == '"' || c == '\'';
		struct bytes key = take_scalar(scan);
		while (scan->at < scan->line.len && is_blank(peek(scan, 0)))
			scan->at++;
		if (scan->quote != '\0' || peek(scan, 0) != ':')
			return;
		*indent = column;
		scan->at++;
		while (!quoted && key.len > 0 && is_blank((char)key.data[key.len - 1]))
			key.len--;
		if (bytes_equal(key, bytes_text("image")))
			read_image(scan, column);
		else
			skip_properties(scan);
	}
}

/* The line after an image key that had no value. True when this was it. */
static bool read_wanted(struct scan *scan, long indent)
{
	scan->wanted = false;
	if (indent <= scan->wanted_indent)
		return false;
	if (scan->wanted_block) {
		scan->block = scan->wanted_indent;
		add(scan, bytes_of(scan->line.data + scan->at, scan->line.len - scan->at));
		return true;
	}
	struct scan before = *scan;
	struct bytes value = take_scalar(scan);
	skip_blanks(scan);
	if (peek(scan, 0) == ':' || scan->quote != '\0') {
		*scan = before; /* a mapping, not a value */
		return false;
	}
	add(scan, value);
	scan->at = scan->line.len;
	return true;
}

static void read_line(struct scan *scan)
{
	scan->at = 0;
	if (scan->quote != '\0') {
		(void)take_quoted(scan);
	} else {
		skip_blanks(scan);
		if (scan->at >= scan->line.len)
			return;
		long indent = (long)scan->at;
		if (scan->block != NO_BLOCK && indent > scan->block)
			return;
		scan->block = NO_BLOCK;
		if (scan->wanted && peek(scan, 0) != '#' && read_wanted(scan, indent))
			return;
	}
	long indent = (long)scan->at;
	for (skip_blanks(scan); scan->at < scan->line.len; skip_blanks(scan))
		read_token(scan, &indent);
}

void compose_images_find(struct arena *arena, struct bytes yaml, struct compose_images *out)
{
	struct scan scan = {.arena = arena, .out = out, .block = NO_BLOCK};

	*out = (struct compose_images){0};
	out->items = arena_array(arena, COMPOSE_IMAGES_MAX, sizeof(*out->items));
	while (yaml.len > 0) {
		const uint8_t *end = memchr(yaml.data, '\n', yaml.len);
		size_t len = end != NULL ? (size_t)(end - yaml.data) : yaml.len;
		scan.line = bytes_of(yaml.data, len);
		scan.number++;
		read_line(&scan);
		len += end != NULL ? 1 : 0;
		yaml = bytes_of(yaml.data + len, yaml.len - len);
	}
}
