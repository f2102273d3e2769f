/* CBOR (RFC 8949), one item head at a time: no tree, no recursion, no allocation. The only includer
 * of libcbor. */
#ifndef MEASURE_CBOR_H
#define MEASURE_CBOR_H

#include "common/base/buf.h"

enum cbor_kind {
	CBOR_UINT = 1,
	CBOR_NEGATIVE, /* the value is -1 - n */
	CBOR_BYTES,    /* a whole string of definite length */
	CBOR_TEXT,
	CBOR_ARRAY, /* n items follow */
	CBOR_MAP,   /* n pairs follow */
	CBOR_TAG,   /* one item follows */
	CBOR_OTHER, /* simple values, floats, indefinite lengths but those of maps */
	CBOR_NULL,
	CBOR_OPEN_MAP, /* pairs follow, up to CBOR_END */
	CBOR_END,
};

struct cbor_item {
	enum cbor_kind kind;
	uint64_t n;
	struct bytes bytes; /* of CBOR_BYTES and CBOR_TEXT: a view into the input */
};

/* Takes the next item off the front of *rest. ERR_INVALID: nothing left, cut off, or malformed. */
int cbor_next(struct bytes *rest, struct cbor_item *out, struct error *error) MUST_USE;
/* The same when only kind is acceptable. */
int cbor_expect(struct bytes *rest, enum cbor_kind kind, struct cbor_item *out,
                struct error *error) MUST_USE;
/* Takes one whole item off the front, with all it holds: definite lengths only. ERR_INVALID. */
int cbor_skip(struct bytes *rest, struct error *error) MUST_USE;
const char *cbor_kind_name(enum cbor_kind kind);

/* Writing, for what is signed. */
void cbor_put_head(struct buf *out, enum cbor_kind kind, uint64_t n); /* up to CBOR_TAG */
void cbor_put_bytes(struct buf *out, struct bytes bytes);
void cbor_put_text(struct buf *out, const char *text);

#endif
