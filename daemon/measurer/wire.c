#include "daemon/measurer/wire.h"

#include "common/crypto/pubkey.h"

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

/* --- the rule that signatures are held against --- */

static void put_signing(struct buf *body, const struct signing *signing)
{
	field_put_u8(body, (uint8_t)signing->kind);
	put_optional(body, signing->issuer);
	put_optional(body, signing->workflow);
	put_optional(body, signing->predicate_type);
	field_put_bytes(body, signing->root);
	field_put_u8(body, (uint8_t)signing->keys.count);
	for (size_t i = 0; i < signing->keys.count; i++) {
		const struct minisign_key *key = &signing->keys.items[i];
		field_put_fixed(body, key->id, sizeof(key->id));
		field_put_fixed(body, key->key, sizeof(key->key));
	}
}

static void get_keys(struct field_reader *reader, struct arena *arena, struct signing_keys *out)
{
	uint8_t count = field_get_u8(reader);

	if (count > SIGNING_MAX_KEYS) {
		reader->failed = true;
		return;
	}
	out->items = arena_array(arena, count, sizeof(*out->items));
	for (; out->count < count; out->count++) {
		field_get_fixed(reader, out->items[out->count].id, MINISIGN_ID_SIZE);
		field_get_fixed(reader, out->items[out->count].key, ED25519_KEY_SIZE);
	}
}

static const struct signing *get_signing(struct field_reader *reader, struct arena *arena)
{
	struct signing *signing = arena_alloc(arena, sizeof(*signing));
	uint8_t kind = field_get_u8(reader);

	signing->issuer = get_optional(reader, arena);
	signing->workflow = get_optional(reader, arena);
	signing->predicate_type = get_optional(reader, arena);
	signing->root = arena_copy(arena, field_get_bytes(reader));
	get_keys(reader, arena, &signing->keys);
	signing->kind = (enum signing_kind)kind;
	bool is_whole = kind == SIGNING_ED25519
	                        ? signing->keys.count > 0
	                        : kind == SIGNING_SIGSTORE && signing->issuer != NULL &&
	                                  signing->workflow != NULL &&
	                                  signing->predicate_type != NULL;
	if (!is_whole || signing->root.len > SIGNING_MAX_ROOT)
		reader->failed = true;
	return signing;
}

void wire_put_how(struct buf *body, const struct measure_how *how)
{
	bool has_rule = how->signing != NULL && how->signing->kind != SIGNING_NONE;

	wire_put_text(body, how->name);
	field_put_u8(body, how->is_kms);
	field_put_u8(body, has_rule);
	if (has_rule)
		put_signing(body, how->signing);
}

void wire_get_how(struct field_reader *reader, struct arena *arena, struct measure_how *out)
{
	*out = (struct measure_how){.name = wire_get_text(reader, arena)};
	out->is_kms = get_bool(reader);
	if (get_bool(reader) && !reader->failed)
		out->signing = get_signing(reader, arena);
}

/* --- values --- */

static void put_values(struct buf *body, const struct measured *measured)
{
	/* A reader takes those of Nitro from the one value. */
	size_t count = format_is_nitro(measured->format) ? 0 : measured->value_count;

	field_put_u8(body, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		const struct measured_value *value = &measured->values[i];
		field_put_u8(body, (uint8_t)value->kind);
		field_put_fixed(body, value->value.b, sizeof(value->value.b));
		field_put_u8(body, (uint8_t)value->level);
		field_put_u8(body, value->is_signed);
		field_put_u8(body, value->is_quoted);
		field_put_fixed(body, value->os.b, sizeof(value->os.b));
		field_put_u8(body, value->has_app_id);
		field_put_fixed(body, value->app_id, sizeof(value->app_id));
	}
}

static void get_value(struct field_reader *reader, struct measured_value *out)
{
	uint8_t kind = field_get_u8(reader);
	field_get_fixed(reader, out->value.b, sizeof(out->value.b));
	uint8_t level = field_get_u8(reader);
	out->is_signed = get_bool(reader);
	out->is_quoted = get_bool(reader);
	field_get_fixed(reader, out->os.b, sizeof(out->os.b));
	out->has_app_id = get_bool(reader);
	field_get_fixed(reader, out->app_id, sizeof(out->app_id));
	/* What is attested is for main to decide: it knows the target. */
	if (kind < KIND_OS_IMAGE || kind > KIND_LAST || level < LEVEL_CLAIMED ||
	    level > LEVEL_RECOMPUTED || hash32_is_zero(&out->value)) {
		reader->failed = true;
		return;
	}
	out->kind = (enum kind)kind;
	out->level = (enum evidence_level)level;
}

static void get_values(struct field_reader *reader, struct measured *out)
{
	uint8_t count = field_get_u8(reader);

	if (count > MEASURED_VALUES || (count > 0 && format_is_nitro(out->format))) {
		reader->failed = true;
		return;
	}
	for (size_t i = 0; i < count && !reader->failed; i++)
		get_value(reader, &out->values[i]);
	out->value_count = count;
	measured_fill(out);
}

/* --- signatures --- */

static void put_signature(struct buf *body, const struct signature *signature)
{
	field_put_u8(body, (uint8_t)signature->kind);
	if (signature->kind == SIGNING_NONE)
		return;
	field_put_u8(body, signature->is_decided);
	put_optional(body, signature->reason);
	put_optional(body, signature->signer);
	field_put_u8(body, (uint8_t)signature->subject_count);
	for (size_t i = 0; i < signature->subject_count; i++) {
		wire_put_text(body, signature->subjects[i].name);
		field_put_fixed(body, signature->subjects[i].sha256.b, sizeof(struct hash32));
	}
	field_put_fixed(body, signature->key_id, sizeof(signature->key_id));
	field_put_fixed(body, signature->bytes, sizeof(signature->bytes));
}

static enum signing_kind kind_of_signature(enum format format)
{
	if (format == FORMAT_SIGSTORE)
		return SIGNING_SIGSTORE;
	return format == FORMAT_MINISIGN ? SIGNING_ED25519 : SIGNING_NONE;
}

static void get_signature(struct field_reader *reader, struct arena *arena, enum format format,
                          struct signature *out)
{
	uint8_t kind = field_get_u8(reader);

	if (kind != kind_of_signature(format))
		reader->failed = true;
	if (kind == SIGNING_NONE || reader->failed)
		return;
	out->kind = (enum signing_kind)kind;
	out->is_decided = get_bool(reader);
	out->reason = get_optional(reader, arena);
	out->signer = get_optional(reader, arena);
	uint8_t count = field_get_u8(reader);
	if (count > SIGNED_SUBJECTS) {
		reader->failed = true;
		return;
	}
	for (; out->subject_count < count; out->subject_count++) {
		struct signed_subject *subject = &out->subjects[out->subject_count];
		subject->name = wire_get_text(reader, arena);
		field_get_fixed(reader, subject->sha256.b, sizeof(subject->sha256.b));
	}
	field_get_fixed(reader, out->key_id, sizeof(out->key_id));
	field_get_fixed(reader, out->bytes, sizeof(out->bytes));
}

/* --- the whole --- */

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
	field_put_u8(body, measured->has_blake2b);
	field_put_fixed(body, measured->blake2b, sizeof(measured->blake2b));
	put_signature(body, &measured->signature);
	put_values(body, measured);
}

static bool has_no_pcrs(const struct measured *measured)
{
	static const struct pcrs none;

	return memcmp(&measured->pcrs, &none, 4 * SHA384_SIZE) == 0 && !measured->pcrs.has_pcr8;
}

static bool is_sound_nitro(const struct measured *measured)
{
	struct hash32 value = pcrs_value(&measured->pcrs);
	bool has_value = !hash32_is_zero(&measured->value);

	/* A notice may state the hash alone. */
	if (measured->format == FORMAT_BUILD_LOG && has_no_pcrs(measured))
		return has_value || measured->refused;
	/* An attestation may be about anything. */
	if (measured->format == FORMAT_SIGSTORE && has_no_pcrs(measured))
		return !has_value;
	if (has_value && !hash32_equal(&measured->value, &value))
		return false;
	return measured->refused || (has_value && !pcrs_any_zero(&measured->pcrs));
}

static bool is_sound(const struct measured *measured)
{
	enum evidence_level most =
	        measured->format == FORMAT_NSM ? LEVEL_ATTESTED : LEVEL_RECOMPUTED;

	if (measured->level > most || measured->refused != (measured->refusal != NULL) ||
	    (measured->signature.is_decided && measured->refused))
		return false;
	if (format_is_nitro(measured->format))
		return is_sound_nitro(measured);
	if (!has_no_pcrs(measured) || !hash32_is_zero(&measured->value))
		return false;
	return measured->format != FORMAT_UNKNOWN ||
	       (!measured->refused && measured->value_count == 0);
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
	out->has_blake2b = get_bool(reader);
	field_get_fixed(reader, out->blake2b, sizeof(out->blake2b));
	if (format > FORMAT_LAST || level < LEVEL_CLAIMED || level > LEVEL_ATTESTED) {
		reader->failed = true;
		return;
	}
	out->format = (enum format)format;
	out->level = (enum evidence_level)level;
	get_signature(reader, arena, out->format, &out->signature);
	get_values(reader, out);
	if (!reader->failed && !is_sound(out))
		reader->failed = true;
}
