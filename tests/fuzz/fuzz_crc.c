/* CRC-32: the same over the whole, over any chunks, by tables, and by the definition bit by bit. */
#include "common/measure/crc32.h"
#include "tests/fuzz/fuzz.h"

static uint32_t by_definition(struct bytes in)
{
	uint32_t state = ~0u;

	for (size_t i = 0; i < in.len; i++) {
		state ^= in.data[i];
		for (int bit = 0; bit < 8; bit++)
			state = state >> 1 ^ ((state & 1) ? 0xEDB88320u : 0);
	}
	return ~state;
}

/* The first bytes say how long the chunks are. */
enum { CHUNKS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size), rest;
	uint8_t lengths[CHUNKS];
	uint32_t chunked = 0;

	fuzz_fill(&input, lengths, sizeof(lengths));
	rest = input;
	for (size_t i = 0; rest.len > 0; i++) {
		size_t now = i < 64 * CHUNKS ? lengths[i % CHUNKS] : rest.len;
		now = now < rest.len ? now : rest.len;
		chunked = crc32_update(chunked, bytes_of(rest.data, now));
		rest = bytes_of(rest.data + now, rest.len - now);
	}
	uint32_t expected = by_definition(input);
	PROPERTY(chunked == expected);
	PROPERTY(crc32_update(0, input) == expected);
	PROPERTY(crc32_update_portable(0, input) == expected);
	return 0;
}
