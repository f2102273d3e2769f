#include "common/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct buf *buf, size_t extra)
{
	if (extra >= SIZE_MAX / 2 || buf->len > SIZE_MAX / 2 - extra - 1)
		die("buffer of %zu bytes cannot grow by %zu", buf->len, extra);
	size_t need = buf->len + extra + 1;
	if (need <= buf->cap)
		return;
	size_t cap = buf->cap > 0 ? buf->cap : 64;
	while (cap < need)
		cap *= 2;
	buf->data = xrealloc(buf->data, cap);
	buf->cap = cap;
}

static void grew(struct buf *buf, size_t by)
{
	buf->len += by;
	buf->data[buf->len] = '\0';
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

void buf_wipe(struct buf *buf)
{
	if (buf->data != NULL)
		bytes_wipe(buf->data, buf->cap);
	buf_free(buf);
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
	reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	grew(buf, len);
}

void buf_append_bytes(struct buf *buf, struct bytes bytes)
{
	buf_append(buf, bytes.data, bytes.len);
}

void buf_append_byte(struct buf *buf, uint8_t byte)
{
	buf_append(buf, &byte, 1);
}

void buf_append_zeros(struct buf *buf, size_t count)
{
	reserve(buf, count);
	memset(buf->data + buf->len, 0, count);
	grew(buf, count);
}

void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_hex(struct buf *buf, struct bytes bytes)
{
	reserve(buf, 2 * bytes.len);
	hex_encode((char *)buf->data + buf->len, bytes);
	grew(buf, 2 * bytes.len);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args, again;

	va_start(args, fmt);
	va_copy(again, args);
	int need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (need < 0)
		die("bad format \"%s\"", fmt);
	reserve(buf, (size_t)need);
	vsnprintf((char *)buf->data + buf->len, (size_t)need + 1, fmt, again);
	va_end(again);
	grew(buf, (size_t)need);
}

void buf_consume(struct buf *buf, size_t count)
{
	if (count > buf->len)
		die("consume %zu of %zu bytes", count, buf->len);
	if (count == 0)
		return;
	memmove(buf->data, buf->data + count, buf->len - count);
	buf->len -= count;
	buf->data[buf->len] = '\0';
}

struct bytes buf_bytes(const struct buf *buf)
{
	return bytes_of(buf->data, buf->len);
}

const char *buf_text(const struct buf *buf)
{
	return buf->data != NULL ? (const char *)buf->data : "";
}
