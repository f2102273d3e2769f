#include "common/measure/cbor.h"

#include <cbor.h>
#include <string.h>

enum { TAG_MAJOR = 6 };

/* libcbor calls one of these per item; each notes what it saw. */
static void seen(void *out, enum cbor_kind kind, uint64_t n)
{
	*(struct cbor_item *)out = (struct cbor_item){.kind = kind, .n = n};
}

static void seen_string(void *out, enum cbor_kind kind, cbor_data data, size_t len)
{
	*(struct cbor_item *)out = (struct cbor_item){.kind = kind, .n = len, .bytes = {data, len}};
}

static void on_uint8(void *out, uint8_t n)
{
	seen(out, CBOR_UINT, n);
}

static void on_uint16(void *out, uint16_t n)
{
	seen(out, CBOR_UINT, n);
}

static void on_uint32(void *out, uint32_t n)
{
	seen(out, CBOR_UINT, n);
}

static void on_uint64(void *out, uint64_t n)
{
	seen(out, CBOR_UINT, n);
}

static void on_negint8(void *out, uint8_t n)
{
	seen(out, CBOR_NEGATIVE, n);
}

static void on_negint16(void *out, uint16_t n)
{
	seen(out, CBOR_NEGATIVE, n);
}

static void on_negint32(void *out, uint32_t n)
{
	seen(out, CBOR_NEGATIVE, n);
}

static void on_negint64(void *out, uint64_t n)
{
	seen(out, CBOR_NEGATIVE, n);
}

static void on_bytes(void *out, cbor_data data, size_t len)
{
	seen_string(out, CBOR_BYTES, data, len);
}

static void on_text(void *out, cbor_data data, size_t len)
{
	seen_string(out, CBOR_TEXT, data, len);
}

static void on_array(void *out, size_t n)
{
	seen(out, CBOR_ARRAY, n);
}

static void on_map(void *out, size_t n)
{
	seen(out, CBOR_MAP, n);
}

static void on_tag(void *out, uint64_t n)
{
	seen(out, CBOR_TAG, n);
}

static void on_null(void *out)
{
	seen(out, CBOR_NULL, 0);
}

static void on_open_map(void *out)
{
	seen(out, CBOR_OPEN_MAP, 0);
}

static void on_end(void *out)
{
	seen(out, CBOR_END, 0);
}

int cbor_next(struct bytes *rest, struct cbor_item *out, struct error *error)
{
	struct cbor_callbacks callbacks = cbor_empty_callbacks;

	callbacks.uint8 = on_uint8;
	callbacks.uint16 = on_uint16;
	callbacks.uint32 = on_uint32;
	callbacks.uint64 = on_uint64;
	callbacks.negint8 = on_negint8;
	callbacks.negint16 = on_negint16;
	callbacks.negint32 = on_negint32;
	callbacks.negint64 = on_negint64;
	callbacks.byte_string = on_bytes;
	callbacks.string = on_text;
	callbacks.array_start = on_array;
	callbacks.map_start = on_map;
	callbacks.tag = on_tag;
	callbacks.null = on_null;
	callbacks.indef_map_start = on_open_map;
	callbacks.indef_break = on_end;

	*out = (struct cbor_item){.kind = CBOR_OTHER};
	if (rest->len == 0)
		return error_set(error, ERR_INVALID, "CBOR ends where an item was expected");
	/* libcbor refuses small tags that had no meaning when it was written, 18 among them. */
	if (rest->data[0] >> 5 == TAG_MAJOR && (rest->data[0] & 31) < 24) {
		seen(out, CBOR_TAG, rest->data[0] & 31);
		*rest = bytes_of(rest->data + 1, rest->len - 1);
		return 0;
	}
	struct cbor_decoder_result result =
	        cbor_stream_decode(rest->data, rest->len, &callbacks, out);
	switch (result.status) {
	case CBOR_DECODER_FINISHED:
		*rest = bytes_of(rest->data + result.read, rest->len - result.read);
		return 0;
	case CBOR_DECODER_NEDATA:
		*out = (struct cbor_item){.kind = CBOR_OTHER};
		return error_set(error, ERR_INVALID, "CBOR item is cut off");
	case CBOR_DECODER_ERROR:
		break;
	}
	*out = (struct cbor_item){.kind = CBOR_OTHER};
	return error_set(error, ERR_INVALID, "malformed CBOR (first byte 0x%02x)", rest->data[0]);
}

int cbor_expect(struct bytes *rest, enum cbor_kind kind, struct cbor_item *out, struct error *error)
{
	int rc = cbor_next(rest, out, error);

	if (rc == 0 && out->kind != kind)
		rc = error_set(error, ERR_INVALID, "CBOR holds %s, expected %s",
		               cbor_kind_name(out->kind), cbor_kind_name(kind));
	if (rc != 0)
		*out = (struct cbor_item){.kind = CBOR_OTHER};
	return rc;
}

int cbor_skip(struct bytes *rest, struct error *error)
{
	struct cbor_item item;

	/* Each item that is still to come takes at least one byte. */
	for (uint64_t pending = 1; pending > 0; pending--) {
		int rc = cbor_next(rest, &item, error);
		if (rc != 0)
			return rc;
		bool holds = item.kind == CBOR_ARRAY || item.kind == CBOR_MAP;
		if (item.kind == CBOR_OTHER || item.kind == CBOR_OPEN_MAP ||
		    item.kind == CBOR_END || (holds && item.n > rest->len))
			return error_set(error, ERR_INVALID, "CBOR holds %s that is not expected",
			                 cbor_kind_name(item.kind));
		pending += holds                   ? (item.kind == CBOR_MAP ? 2 * item.n : item.n)
		           : item.kind == CBOR_TAG ? 1
		                                   : 0;
		if (pending > rest->len + 1)
			return error_set(error, ERR_INVALID, "CBOR item is cut off");
	}
	return 0;
}

const char *cbor_kind_name(enum cbor_kind kind)
{
	switch (kind) {
	case CBOR_UINT:
		return "an unsigned integer";
	case CBOR_NEGATIVE:
		return "a negative integer";
	case CBOR_BYTES:
		return "a byte string";
	case CBOR_TEXT:
		return "a text string";
	case CBOR_ARRAY:
		return "an array";
	case CBOR_MAP:
		return "a map";
	case CBOR_TAG:
		return "a tag";
	case CBOR_OTHER:
		return "another kind of item";
	case CBOR_NULL:
		return "null";
	case CBOR_OPEN_MAP:
		return "a map of indefinite length";
	case CBOR_END:
		return "the end of an indefinite length";
	}
	return "?";
}

static uint8_t major_type(enum cbor_kind kind)
{
	switch (kind) {
	case CBOR_UINT:
		return 0;
	case CBOR_NEGATIVE:
		return 1;
	case CBOR_BYTES:
		return 2;
	case CBOR_TEXT:
		return 3;
	case CBOR_ARRAY:
		return 4;
	case CBOR_MAP:
		return 5;
	case CBOR_TAG:
		return 6;
	case CBOR_OTHER:
	case CBOR_NULL:
	case CBOR_OPEN_MAP:
	case CBOR_END:
		break;
	}
	die("cbor_put_head of an unsupported kind");
}

void cbor_put_head(struct buf *out, enum cbor_kind kind, uint64_t n)
{
	uint8_t raw[9], major = (uint8_t)(major_type(kind) << 5);

	be64_put(raw + 1, n);
	if (n < 24) {
		buf_append_byte(out, (uint8_t)(major | n));
		return;
	}
	/* The shortest of 1, 2, 4, 8 bytes: additional information 24 to 27. */
	unsigned info = n <= UINT8_MAX ? 24 : n <= UINT16_MAX ? 25 : n <= UINT32_MAX ? 26 : 27;
	size_t width = (size_t)1 << (info - 24);
	buf_append_byte(out, (uint8_t)(major | info));
	buf_append(out, raw + 9 - width, width);
}

void cbor_put_bytes(struct buf *out, struct bytes bytes)
{
	cbor_put_head(out, CBOR_BYTES, bytes.len);
	buf_append_bytes(out, bytes);
}

void cbor_put_text(struct buf *out, const char *text)
{
	cbor_put_head(out, CBOR_TEXT, strlen(text));
	buf_append_text(out, text);
}
