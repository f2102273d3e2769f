#include "common/base/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63, or -1. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* How many = signs end the text: 0 to 2. */
static size_t padding(const char *text, size_t len)
{
	size_t count = 0;

	while (count < 2 && count < len && text[len - 1 - count] == '=')
		count++;
	return count;
}

int base64_decode(struct arena *arena, struct bytes *out, const char *text, struct error *error)
{
	*out = bytes_of(NULL, 0);
	if (text == NULL)
		return error_set(error, ERR_INVALID, "expected a string of base64");
	size_t len = strlen(text), padded = padding(text, len), written = 0;
	if (len % 4 != 0)
		return error_set(error, ERR_INVALID,
		                 "base64 of %zu characters, expected groups of 4", len);
	uint8_t *bytes = arena_alloc(arena, len / 4 * 3 + 1);
	uint32_t group = 0;
	for (size_t i = 0; i < len - padded; i++) {
		int value = digit(text[i]);
		if (value < 0)
			return error_set(error, ERR_INVALID, "not base64 at character %zu", i);
		group = group << 6 | (uint32_t)value;
		if (i % 4 > 0)
			bytes[written++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
	}
	/* With padding the last digit has 2 or 4 bits that stand for nothing. */
	if ((padded == 1 && (group & 3) != 0) || (padded == 2 && (group & 15) != 0))
		return error_set(error, ERR_INVALID, "base64 with stray bits at its end");
	*out = bytes_of(bytes, written);
	return 0;
}

char *base64_encode(struct arena *arena, struct bytes in)
{
	char *text = arena_alloc(arena, (in.len + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; i < in.len; i += 3) {
		size_t left = in.len - i;
		uint32_t group = (uint32_t)in.data[i] << 16;
		if (left > 1)
			group |= (uint32_t)in.data[i + 1] << 8;
		if (left > 2)
			group |= in.data[i + 2];
		*at++ = alphabet[group >> 18];
		*at++ = alphabet[group >> 12 & 63];
		*at++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*at++ = left > 2 ? alphabet[group & 63] : '=';
	}
	return text;
}
