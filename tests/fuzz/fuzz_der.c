/* DER: elements put together again, with the shortest length, are the bytes they came from. */
#include "common/crypto/der.h"
#include "tests/fuzz/fuzz.h"

static void put_element(struct buf *out, uint8_t tag, struct bytes content)
{
	uint8_t length[4];
	size_t at = 0;

	buf_append_byte(out, tag);
	be32_put(length, (uint32_t)content.len);
	while (at < 3 && length[at] == 0)
		at++;
	if (content.len >= 0x80)
		buf_append_byte(out, (uint8_t)(0x80 | (4 - at)));
	buf_append(out, length + at, 4 - at);
	buf_append_bytes(out, content);
}

static void check_level(struct bytes der, unsigned depth)
{
	struct bytes rest = der, content;
	struct buf again = {0};
	uint8_t tag;

	while (rest.len > 0 && der_next(&rest, &tag, &content, NULL) == 0) {
		put_element(&again, tag, content);
		PROPERTY(bytes_equal(buf_bytes(&again), bytes_of(der.data, again.len)));
		if ((tag & 0x20) != 0 && depth < 16)
			check_level(content, depth + 1);
	}
	PROPERTY(again.len + rest.len == der.len);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_level(bytes_of(data, size), 0);
	return 0;
}
