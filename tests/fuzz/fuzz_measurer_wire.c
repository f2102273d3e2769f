/* What a measurer says, which may be anything once it was taken over: whatever main accepts is
 * sound and is, written again, the same bytes. */
#include "daemon/measurer/wire.h"
#include "tests/fuzz/fuzz.h"

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
		         hash32_equal(&measured.value, &value));
		wire_put_measured(&again, &measured);
		PROPERTY(bytes_equal(buf_bytes(&again), bytes_of(data, size)));
	}
	buf_free(&again);

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
