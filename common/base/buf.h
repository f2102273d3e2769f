/* A growable byte buffer. Zero-initialise it (`struct buf b = {0}`), release it with buf_free. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "common/base/bytes.h"

struct buf {
	uint8_t *data; /* owned; always followed by a NUL that len does not count, once non-NULL */
	size_t len;
	size_t cap;
};

void buf_free(struct buf *buf);   /* releases and zeroes */
void buf_clear(struct buf *buf);  /* len = 0, keeps the memory */
void buf_wipe(struct buf *buf);   /* overwrites, then buf_free; for secrets */
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_bytes(struct buf *buf, struct bytes bytes);
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_append_zeros(struct buf *buf, size_t count);
void buf_append_text(struct buf *buf, const char *text);
void buf_append_hex(struct buf *buf, struct bytes bytes); /* lower case, no prefix */
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF(2, 3);
/* Removes count bytes from the front. */
void buf_consume(struct buf *buf, size_t count);
struct bytes buf_bytes(const struct buf *buf);
/* The content as a C string ("" when empty); owned by buf, valid until it changes. */
const char *buf_text(const struct buf *buf);

#endif
