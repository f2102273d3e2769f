#include "daemon/measurer/wire.h"

#include <string.h>

enum { MAX_TEXT = 60 * 1024 };

void wire_put_text(struct buf *body, const char *text)
{
	size_t len = strlen(text);
	field_put_bytes(body, bytes_of(text, len < MAX_TEXT ? len : MAX_TEXT));
}

char *wire_get_text(struct field_reader *reader, struct arena *arena)
{
	struct bytes text = field_get_bytes(reader);

	if (text.len > MAX_TEXT || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
		reader->failed = true;
		text = bytes_of(NULL, 0);
	}
	return arena_text(arena, text);
}

/* NULL and text are told apart by a byte in front. */
static void put_optional(struct buf *body, const char *text)
{
	field_put_u8(body, text != NULL);
	if (text != NULL)
		wire_put_text(body, text);
}

static bool get_bool(struct field_reader *reader)
{
	uint8_t v = field_get_u8(reader);

	if (v > 1)
		reader->failed = true;
	return v == 1;
}

static char *get_optional(struct field_reader *reader, struct arena *arena)
{
	return get_bool(reader) ? wire_get_text(reader, arena) : NULL;
}

void wire_put_measured(struct buf *body, const struct measured *measured)
{
	field_put_u8(body, (uint8_t)measured->format);
	field_put_u8(body, measured->refused);
	put_optional(body, measured->refusal);
	field_put_u8(body, (uint8_t)measured->level);
	field_put_u8(body, measured->is_signed);
	field_put_fixed(body, measured->pcrs.pcr0, SHA384_SIZE);
	field_put_fixed(body, measured->pcrs.pcr1, SHA384_SIZE);
	field_put_fixed(body, measured->pcrs.pcr2, SHA384_SIZE);
	field_put_u8(body, measured->pcrs.has_pcr8);
	field_put_fixed(body, measured->pcrs.pcr8, SHA384_SIZE);
	field_put_fixed(body, measured->value.b, sizeof(measured->value.b));
	field_put_fixed(body, measured->sha256.b, sizeof(measured->sha256.b));
	field_put_u64(body, measured->size);
	put_optional(body, measured->details);
}

static bool is_sound(const struct measured *measured)
{
	struct hash32 value = pcrs_value(&measured->pcrs);
	bool has_value = !hash32_is_zero(&measured->value);

	if (has_value && !hash32_equal(&measured->value, &value))
		return false;
	if (measured->refused != (measured->refusal != NULL))
		return false;
	if (measured->format == FORMAT_UNKNOWN)
		return !measured->refused && !has_value;
	return measured->refused || (has_value && !pcrs_any_zero(&measured->pcrs));
}

void wire_get_measured(struct field_reader *reader, struct arena *arena, struct measured *out)
{
	*out = (struct measured){0};
	uint8_t format = field_get_u8(reader);
	out->refused = get_bool(reader);
	out->refusal = get_optional(reader, arena);
	uint8_t level = field_get_u8(reader);
	out->is_signed = get_bool(reader);
	field_get_fixed(reader, out->pcrs.pcr0, SHA384_SIZE);
	field_get_fixed(reader, out->pcrs.pcr1, SHA384_SIZE);
	field_get_fixed(reader, out->pcrs.pcr2, SHA384_SIZE);
	out->pcrs.has_pcr8 = get_bool(reader);
	field_get_fixed(reader, out->pcrs.pcr8, SHA384_SIZE);
	field_get_fixed(reader, out->value.b, sizeof(out->value.b));
	field_get_fixed(reader, out->sha256.b, sizeof(out->sha256.b));
	out->size = field_get_u64(reader);
	out->details = get_optional(reader, arena);

	/* A measurer only ever claims or recomputes. */
	if (format > FORMAT_NITRO_DESCRIBE || level < LEVEL_CLAIMED || level > LEVEL_RECOMPUTED) {
		reader->failed = true;
		return;
	}
	out->format = (enum format)format;
	out->level = (enum evidence_level)level;
	if (!reader->failed && !is_sound(out))
		reader->failed = true;
}
