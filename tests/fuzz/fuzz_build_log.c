/* Build logs: what was read without a contradiction, written as a build script prints it, is read
 * as the same; with another hash beside it, it is refused. */
#include "common/measure/build_log.h"
#include "tests/fuzz/fuzz.h"

static void put_line(struct buf *out, const char *key, const uint8_t *value, size_t len)
{
	buf_printf(out, "%s: ", key);
	buf_append_hex(out, bytes_of(value, len));
	buf_append_text(out, "\n");
}

static void write_down(struct buf *out, const struct build_log *log, const struct hash32 *stated)
{
	if (log->has_pcrs) {
		put_line(out, "PCR0", log->pcrs.pcr0, SHA384_SIZE);
		put_line(out, "PCR1", log->pcrs.pcr1, SHA384_SIZE);
		put_line(out, "PCR2", log->pcrs.pcr2, SHA384_SIZE);
		if (log->pcrs.has_pcr8)
			put_line(out, "PCR8", log->pcrs.pcr8, SHA384_SIZE);
	}
	put_line(out, "OS_IMAGE_HASH", stated->b, sizeof(stated->b));
}

static void check_again(struct arena *arena, const struct build_log *log)
{
	struct hash32 other = log->value;
	struct build_log again;
	struct buf text = {0};

	write_down(&text, log, &log->value);
	build_log_read(arena, buf_bytes(&text), &again);
	PROPERTY(again.found && again.refusal == NULL && again.has_pcrs == log->has_pcrs);
	PROPERTY(hash32_equal(&again.value, &log->value));
	PROPERTY(memcmp(&again.pcrs, &log->pcrs, sizeof(again.pcrs)) == 0);

	other.b[31] ^= 1;
	put_line(&text, "OS_IMAGE_HASH", other.b, sizeof(other.b));
	build_log_read(arena, buf_bytes(&text), &again);
	PROPERTY(again.refusal != NULL);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct build_log log;

	crypto_init();
	build_log_read(&arena, bytes_of(data, size), &log);
	if (log.found && log.refusal == NULL) {
		struct hash32 value = pcrs_value(&log.pcrs);
		PROPERTY(log.has_value && !hash32_is_zero(&log.value));
		PROPERTY(!log.has_pcrs || hash32_equal(&log.value, &value));
		PROPERTY(log.has_pcrs || hash32_equal(&log.value, &log.stated));
		check_again(&arena, &log);
	}
	PROPERTY(log.found || (!log.has_value && log.refusal == NULL));
	/* A separator is a character of the line, never its end or a NUL. */
	PROPERTY(!log.found || memchr(data, ':', size) != NULL || memchr(data, '=', size) != NULL ||
	         memchr(data, '|', size) != NULL);
	arena_free(&arena);
	return 0;
}
