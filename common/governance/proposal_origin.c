#include "common/governance/proposal_origin.h"

#include "common/base/buf.h"

#include <string.h>

/* How many digits of value and evidence are shown, from the fullest form down. */
static const struct detail {
	int value, evidence;
} details[] = {{64, 64}, {64, 16}, {64, 8}, {16, 8}, {8, 8}, {8, 0}};

static void append_digits(struct buf *out, const struct hash32 *value, int digits)
{
	char text[HASH32_TEXT_SIZE];

	buf_printf(out, "%.*s%s", 2 + digits, hash32_text(text, value), digits < 64 ? ".." : "");
}

static bool same_value(const struct proposal_note *a, const struct proposal_note *b)
{
	return a->action == b->action && hash32_equal(&a->value, &b->value);
}

/* True when an earlier note already stands for this value; its kind is named there. */
static bool named_before(const struct proposal_note *notes, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (same_value(&notes[i], &notes[at]))
			return true;
	}
	return false;
}

static size_t count_values(const struct proposal_note *notes, size_t count)
{
	size_t values = 0;

	for (size_t i = 0; i < count; i++)
		values += !named_before(notes, i);
	return values;
}

/* "add os-image+compose 0x.., evidence 0x.." */
static void append_value(struct buf *out, const struct proposal_note *notes, size_t count,
                         size_t at, const struct detail *detail)
{
	buf_printf(out, "%s %s", action_name(notes[at].action), kind_name(notes[at].kind));
	for (size_t i = at + 1; i < count; i++) {
		if (same_value(&notes[i], &notes[at]))
			buf_printf(out, "+%s", kind_name(notes[i].kind));
	}
	buf_append_byte(out, ' ');
	append_digits(out, &notes[at].value, detail->value);
	if (detail->evidence > 0 && !hash32_is_zero(&notes[at].evidence)) {
		buf_append_text(out, ", evidence ");
		append_digits(out, &notes[at].evidence, detail->evidence);
	}
}

/* What a signer has to know about this transaction before its values. */
static const char *purpose_prefix(enum purpose purpose)
{
	switch (purpose) {
	case PURPOSE_SCHEDULE:
	case PURPOSE_APPLY:
		return "";
	case PURPOSE_EXECUTE:
		return "execute: ";
	case PURPOSE_REJECT:
		return "reject: ";
	case PURPOSE_CANCEL:
		return "cancel: ";
	}
	die("no such purpose: %d", (int)purpose);
}

/* The whole origin with the first `shown` values. */
static void write_origin(struct buf *out, enum purpose purpose, const struct proposal_note *notes,
                         size_t count, size_t shown, const struct detail *detail)
{
	size_t written = 0, values = count_values(notes, count);

	buf_clear(out);
	buf_printf(out, "{\"name\":\"registrard\",\"note\":\"%s", purpose_prefix(purpose));
	for (size_t i = 0; i < count && written < shown; i++) {
		if (named_before(notes, i))
			continue;
		if (written++ > 0)
			buf_append_text(out, "; ");
		append_value(out, notes, count, i, detail);
	}
	if (written < values)
		buf_printf(out, "%s+%zu more", written > 0 ? "; " : "", values - written);
	buf_append_text(out, "\"}");
}

char *proposal_origin(char text[PROPOSAL_ORIGIN_SIZE], enum purpose purpose,
                      const struct proposal_note *notes, size_t count)
{
	struct buf out = {0};
	size_t shown = count_values(notes, count), level = 0;

	write_origin(&out, purpose, notes, count, shown, &details[level]);
	while (out.len >= PROPOSAL_ORIGIN_SIZE && level + 1 < ARRAY_LEN(details))
		write_origin(&out, purpose, notes, count, shown, &details[++level]);
	while (out.len >= PROPOSAL_ORIGIN_SIZE && shown > 0)
		write_origin(&out, purpose, notes, count, --shown, &details[level]);
	memcpy(text, buf_text(&out), out.len + 1);
	buf_free(&out);
	return text;
}
