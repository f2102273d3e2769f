/* CBOR: items taken one by one and written again read back as the same items, in no more bytes. */
#include "common/measure/cbor.h"
#include "tests/fuzz/fuzz.h"

static void put(struct buf *out, const struct cbor_item *item)
{
	if (item->kind == CBOR_BYTES)
		cbor_put_bytes(out, item->bytes);
	else
		cbor_put_head(out, item->kind, item->n);
	if (item->kind == CBOR_TEXT)
		buf_append_bytes(out, item->bytes);
}

static void check_item(const struct cbor_item *item, struct bytes before, struct bytes rest)
{
	struct buf again = {0};
	struct cbor_item read;

	put(&again, item);
	PROPERTY(again.len <= before.len - rest.len);
	struct bytes left = buf_bytes(&again);
	PROPERTY(cbor_expect(&left, item->kind, &read, NULL) == 0);
	PROPERTY(left.len == 0 && read.n == item->n && bytes_equal(read.bytes, item->bytes));
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size);
	struct cbor_item item;

	for (;;) {
		struct bytes before = rest;
		struct error error = {0};
		if (cbor_next(&rest, &item, &error) != 0) {
			PROPERTY(error.text[0] != '\0' && item.kind == CBOR_OTHER);
			PROPERTY(rest.data == before.data && rest.len == before.len);
			return 0;
		}
		PROPERTY(rest.len < before.len && rest.data + rest.len == data + size);
		if (item.kind <= CBOR_TAG)
			check_item(&item, before, rest);
	}
}
