/* What a measurer says, which may be anything once it was taken over: whatever main accepts is
 * sound and is, written again, the same bytes. */
#include "daemon/measurer/wire.h"
#include "tests/fuzz/fuzz.h"

/* What main asks, which a measurer reads with the same code. */
static void check_how(struct arena *arena, struct bytes body)
{
	struct field_reader reader = {.rest = body};
	struct measure_how how;
	struct buf again = {0};

	wire_get_how(&reader, arena, &how);
	if (!field_reader_done(&reader))
		return;
	PROPERTY(how.signing == NULL || how.signing->kind != SIGNING_NONE);
	wire_put_how(&again, &how);
	PROPERTY(bytes_equal(buf_bytes(&again), body));
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct field_reader reader = {.rest = bytes_of(data, size)};
	struct arena arena = {0};
	struct measured measured;
	struct buf again = {0};

	crypto_init();
	wire_get_measured(&reader, &arena, &measured);
	if (field_reader_done(&reader)) {
		struct hash32 value = pcrs_value(&measured.pcrs);
		PROPERTY(measured.level != LEVEL_ATTESTED || measured.format == FORMAT_NSM);
		PROPERTY(measured.refused || !format_is_nitro(measured.format) ||
		         measured.format == FORMAT_BUILD_LOG ||
		         (measured.format == FORMAT_SIGSTORE && hash32_is_zero(&measured.value)) ||
		         hash32_equal(&measured.value, &value));
		wire_put_measured(&again, &measured);
		PROPERTY(bytes_equal(buf_bytes(&again), bytes_of(data, size)));
	}
	buf_free(&again);
	check_how(&arena, bytes_of(data, size));

	struct field_reader text_reader = {.rest = bytes_of(data, size)};
	char *text = wire_get_text(&text_reader, &arena);
	if (field_reader_done(&text_reader)) {
		wire_put_text(&again, text);
		PROPERTY(bytes_equal(buf_bytes(&again), bytes_of(data, size)));
	}
	buf_free(&again);
	arena_free(&arena);
	return 0;
}
