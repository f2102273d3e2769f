#include "common/eth/rlp.h"

/* Short lengths stand in the tag byte itself, long ones behind it, big-endian. */
static void put_tag(struct buf *out, uint8_t tag, size_t len)
{
	uint8_t digits[8];
	unsigned first = 0;

	if (len <= 55) {
		buf_append_byte(out, (uint8_t)(tag + len));
		return;
	}
	be64_put(digits, len);
	while (digits[first] == 0)
		first++;
	buf_append_byte(out, (uint8_t)(tag + 55 + 8 - first));
	buf_append(out, digits + first, 8 - first);
}

void rlp_put_string(struct buf *out, struct bytes value)
{
	if (value.len != 1 || value.data[0] >= 0x80)
		put_tag(out, 0x80, value.len);
	buf_append_bytes(out, value);
}

void rlp_put_u256(struct buf *out, const struct u256 *value)
{
	size_t first = 0;

	while (first < sizeof(value->b) && value->b[first] == 0)
		first++;
	rlp_put_string(out, bytes_of(value->b + first, sizeof(value->b) - first));
}

void rlp_put_u64(struct buf *out, uint64_t value)
{
	struct u256 wide = u256_from(value);

	rlp_put_u256(out, &wide);
}

void rlp_put_list(struct buf *out, struct bytes payload)
{
	put_tag(out, 0xc0, payload.len);
	buf_append_bytes(out, payload);
}
