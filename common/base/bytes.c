#include "common/base/bytes.h"

#include <string.h>

struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){.data = data, .len = len};
}

struct bytes bytes_text(const char *text)
{
	return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool hash32_equal(const struct hash32 *a, const struct hash32 *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int hash32_compare(const struct hash32 *a, const struct hash32 *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool hash32_is_zero(const struct hash32 *h)
{
	static const struct hash32 zero;
	return hash32_equal(h, &zero);
}

char *hex_encode(char *out, struct bytes in)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len; i++) {
		out[2 * i] = digits[in.data[i] >> 4];
		out[2 * i + 1] = digits[in.data[i] & 15];
	}
	out[2 * in.len] = '\0';
	return out;
}

char *hash32_text(char text[HASH32_TEXT_SIZE], const struct hash32 *h)
{
	text[0] = '0';
	text[1] = 'x';
	hex_encode(text + 2, bytes_of(h->b, sizeof(h->b)));
	return text;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(uint8_t *out, size_t out_len, const char *text, struct error *error)
{
	memset(out, 0, out_len);
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	size_t len = strlen(text);
	if (len != 2 * out_len)
		return error_set(error, ERR_INVALID, "%zu hex digits, expected %zu (%zu bytes)", len,
		                 2 * out_len, out_len);
	for (size_t i = 0; i < len; i++) {
		int value = digit_value(text[i]);
		if (value < 0) {
			memset(out, 0, out_len);
			return error_set(error, ERR_INVALID, "digit %zu is not hexadecimal", i + 1);
		}
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | value);
	}
	return 0;
}

int hash32_parse(struct hash32 *out, const char *text, struct error *error)
{
	return hex_decode(out->b, sizeof(out->b), text, error);
}

uint16_t be16_get(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t be32_get(const uint8_t *p)
{
	return (uint32_t)be16_get(p) << 16 | be16_get(p + 2);
}

uint64_t be64_get(const uint8_t *p)
{
	return (uint64_t)be32_get(p) << 32 | be32_get(p + 4);
}

void be32_put(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

void be64_put(uint8_t *p, uint64_t v)
{
	be32_put(p, (uint32_t)(v >> 32));
	be32_put(p + 4, (uint32_t)v);
}

void bytes_wipe(void *data, size_t len)
{
	explicit_bzero(data, len);
}
