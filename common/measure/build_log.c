#include "common/measure/build_log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Shorter runs of hex digits behind a key are words of a text, not a value cut off. */
enum { MIN_DIGITS = 8, MAX_DIGITS = 256, PCR_COUNT = 4 };

static const struct key {
	const char *name;
	int pcr; /* its place in the log's PCRs, or -1: a stated hash */
	size_t size;
} keys[] = {
        {"PCR0", 0, SHA384_SIZE},
        {"PCR1", 1, SHA384_SIZE},
        {"PCR2", 2, SHA384_SIZE},
        {"PCR8", 3, SHA384_SIZE},
        {"CODE_HASH (OS_IMAGE_HASH)", -1, 32},
        {"OS_IMAGE_HASH", -1, 32},
        {"CODE_HASH", -1, 32},
};

struct reader {
	struct arena *arena;
	struct build_log *out;
	bool has[PCR_COUNT];
	size_t line;
};

static void refuse(struct reader *reader, const char *fmt, ...) PRINTF(2, 3);
static void refuse(struct reader *reader, const char *fmt, ...)
{
	struct error text;
	va_list args;

	if (reader->out->refusal != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	reader->out->refusal = arena_strdup(reader->arena, text.text);
}

static uint8_t *pcr_of(struct pcrs *pcrs, int index)
{
	uint8_t *const all[PCR_COUNT] = {pcrs->pcr0, pcrs->pcr1, pcrs->pcr2, pcrs->pcr8};

	return all[index];
}

/* --- a line -------------------------------------------------------------------------------------
 */

static struct bytes skip(struct bytes text, size_t count)
{
	return bytes_of(text.data + count, text.len - count);
}

static struct bytes skip_any(struct bytes text, const char *what)
{
	size_t count = 0;

	while (count < text.len && text.data[count] != 0 && strchr(what, text.data[count]) != NULL)
		count++;
	return skip(text, count);
}

static bool skip_prefix(struct bytes *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->data, prefix, len) != 0)
		return false;
	*text = skip(*text, len);
	return true;
}

/* The logs that a CI service keeps have the time in front: 2026-01-31T10:00:00.1234567Z */
static void skip_time(struct bytes *text)
{
	struct bytes rest = skip_any(*text, "0123456789-T:.");

	if (text->len - rest.len >= 19 && text->data[10] == 'T' && skip_prefix(&rest, "Z "))
		*text = rest;
}

/* What stands in front of a key: indentation, a time, a notice, a table's column. */
static struct bytes skip_front(struct bytes line)
{
	struct bytes rest = skip_any(line, " \t");

	skip_time(&rest);
	rest = skip_any(rest, " \t");
	if (skip_prefix(&rest, "::notice::") || skip_prefix(&rest, "##[notice]"))
		return skip_any(rest, " \t");
	return skip_any(rest, "| \t*`");
}

/* The key the line begins with, *rest behind it and what separates it from its value. */
static const struct key *find_key(struct bytes *rest)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct bytes at = *rest;
		if (!skip_prefix(&at, keys[i].name))
			continue;
		at = skip_any(at, "*` \t");
		if (at.len == 0 || at.data[0] == 0 || strchr(":=|", at.data[0]) == NULL)
			continue;
		*rest = skip_any(skip(at, 1), "*` \t\"");
		return &keys[i];
	}
	return NULL;
}

/* Hex digits up to the end of the word; false when the word is something else. */
static bool take_digits(struct bytes *rest, char digits[MAX_DIGITS + 1])
{
	size_t len = 0;

	if (!skip_prefix(rest, "0x"))
		(void)skip_prefix(rest, "0X");
	while (len < rest->len && len < MAX_DIGITS && isxdigit(rest->data[len]))
		len++;
	memcpy(digits, rest->data, len);
	digits[len] = '\0';
	*rest = skip(*rest, len);
	return len >= MIN_DIGITS && skip_any(*rest, "*` \t|\"\r,").len == 0;
}

static void take_pcr(struct reader *reader, const struct key *key, const uint8_t *value)
{
	uint8_t *pcr = pcr_of(&reader->out->pcrs, key->pcr);

	if (reader->has[key->pcr] && memcmp(pcr, value, key->size) != 0)
		refuse(reader, "line %zu: %s: another value than before", reader->line, key->name);
	memcpy(pcr, value, key->size);
	reader->has[key->pcr] = true;
}

static void take_stated(struct reader *reader, const struct key *key, const uint8_t *value)
{
	struct build_log *out = reader->out;

	if (out->has_stated && memcmp(out->stated.b, value, key->size) != 0)
		refuse(reader, "line %zu: %s: another value than before", reader->line, key->name);
	memcpy(out->stated.b, value, key->size);
	out->has_stated = true;
}

static void read_line(struct reader *reader, struct bytes line)
{
	struct bytes rest = skip_front(line);
	const struct key *key = find_key(&rest);
	char digits[MAX_DIGITS + 1];
	uint8_t value[SHA384_SIZE];
	struct error error;

	if (key == NULL || rest.len == 0 || !take_digits(&rest, digits))
		return;
	reader->out->found = true;
	if (hex_decode(value, key->size, digits, &error) != 0)
		refuse(reader, "line %zu: %s: %s", reader->line, key->name, error.text);
	else if (key->pcr >= 0)
		take_pcr(reader, key, value);
	else
		take_stated(reader, key, value);
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static void judge_pcrs(struct reader *reader)
{
	char stated[HASH32_TEXT_SIZE], given[HASH32_TEXT_SIZE];
	struct build_log *out = reader->out;

	for (int i = 0; i < 3; i++)
		if (!reader->has[i])
			refuse(reader, "PCR%d is missing", i);
	if (out->refusal == NULL && pcrs_any_zero(&out->pcrs))
		refuse(reader, "PCR0, PCR1 or PCR2 is zero: the enclave was started in debug mode");
	if (out->refusal != NULL)
		return;
	out->pcrs.has_pcr8 = reader->has[3];
	out->has_pcrs = out->has_value = true;
	out->value = pcrs_value(&out->pcrs);
	if (out->has_stated && !hash32_equal(&out->stated, &out->value))
		refuse(reader, "OS_IMAGE_HASH: %s, but PCR0, PCR1 and PCR2 give %s",
		       hash32_text(stated, &out->stated), hash32_text(given, &out->value));
}

static void judge(struct reader *reader)
{
	struct build_log *out = reader->out;
	bool any = false;

	for (int i = 0; i < PCR_COUNT; i++)
		any |= reader->has[i];
	if (any) {
		judge_pcrs(reader);
	} else if (out->refusal == NULL && out->has_stated) {
		if (hash32_is_zero(&out->stated))
			refuse(reader, "OS_IMAGE_HASH is zero");
		out->value = out->stated;
		out->has_value = out->refusal == NULL;
	}
	if (!out->has_pcrs)
		out->pcrs = (struct pcrs){0};
}

void build_log_read(struct arena *arena, struct bytes text, struct build_log *out)
{
	struct reader reader = {.arena = arena, .out = out};

	*out = (struct build_log){0};
	if (text.len > BUILD_LOG_MAX_SIZE)
		return;
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		reader.line++;
		read_line(&reader, bytes_of(text.data, len));
		text = skip(text, end != NULL ? len + 1 : len);
	}
	judge(&reader);
}
