/* PCRs as text: what was read and is not refused, written down as measurements.json, is read again
 * as the same PCRs; with one digit of the stated hash changed it is refused. */
#include "common/measure/nitro.h"
#include "tests/fuzz/fuzz.h"

static void add_upper(struct jval *object, const char *key, const uint8_t pcr[SHA384_SIZE])
{
	char text[2 * SHA384_SIZE + 1];

	jval_add_string(object, key, hex_encode(text, bytes_of(pcr, SHA384_SIZE)));
}

static void write_down(struct buf *out, const struct measured *measured, const struct hash32 *hash)
{
	struct jval *object = jval_object();

	add_upper(object, "PCR0", measured->pcrs.pcr0);
	add_upper(object, "PCR1", measured->pcrs.pcr1);
	add_upper(object, "PCR2", measured->pcrs.pcr2);
	if (measured->pcrs.has_pcr8)
		add_upper(object, "PCR8", measured->pcrs.pcr8);
	jval_add_hash32(object, "code_hash", hash);
	jval_write(out, object, JVAL_INDENTED);
	jval_free(object);
}

static void check_accepted(struct arena *arena, const struct measured *measured)
{
	struct hash32 other = measured->value;
	struct measured again;
	struct buf text = {0};

	write_down(&text, measured, &measured->value);
	nitro_read(arena, buf_bytes(&text), "measurements.json", &again);
	PROPERTY(again.format == FORMAT_MEASUREMENTS && !again.refused);
	PROPERTY(memcmp(&again.pcrs, &measured->pcrs, sizeof(again.pcrs)) == 0);
	PROPERTY(hash32_equal(&again.value, &measured->value));

	buf_clear(&text);
	other.b[measured->value.b[0] % 32] ^= 1;
	write_down(&text, measured, &other);
	nitro_read(arena, buf_bytes(&text), "measurements.json", &again);
	PROPERTY(again.refused);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"measurements.json", "describe-eif.json"};
	struct arena arena = {0};
	struct measured measured;

	crypto_init();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		nitro_read(&arena, bytes_of(data, size), names[i], &measured);
		PROPERTY(measured.level == LEVEL_CLAIMED && !measured.is_signed);
		PROPERTY(measured.refused == (measured.refusal != NULL));
		if (measured.format != FORMAT_UNKNOWN && !measured.refused)
			check_accepted(&arena, &measured);
	}
	arena_free(&arena);
	return 0;
}
