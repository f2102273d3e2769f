#include "common/eth/address.h"

#include <string.h>

struct u256 u256_from(uint64_t value)
{
	struct u256 out = {{0}};

	be64_put(out.b + 24, value);
	return out;
}

int u256_to_u64(uint64_t *out, const struct u256 *value)
{
	*out = 0;
	for (unsigned i = 0; i < 24; i++) {
		if (value->b[i] != 0)
			return ERR_LIMIT;
	}
	*out = be64_get(value->b + 24);
	return 0;
}

int u256_compare(const struct u256 *a, const struct u256 *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool u256_is_zero(const struct u256 *a)
{
	static const struct u256 zero;
	return u256_compare(a, &zero) == 0;
}

/* value = value * base + digit; false when it does not fit. */
static bool push_digit(struct u256 *value, unsigned base, unsigned digit)
{
	unsigned carry = digit;

	for (int i = 31; i >= 0; i--) {
		unsigned wide = value->b[i] * base + carry;
		value->b[i] = (uint8_t)wide;
		carry = wide >> 8;
	}
	return carry == 0;
}

static int digit_of(char c, unsigned base)
{
	int digit = -1;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (c >= 'a' && c <= 'f')
		digit = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		digit = c - 'A' + 10;
	return digit < (int)base ? digit : -1;
}

int u256_parse(struct u256 *out, const char *text, struct error *error)
{
	unsigned base = 10;

	*out = (struct u256){{0}};
	if (text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
	}
	if (*text == '\0')
		return error_set(error, ERR_INVALID, "a number without digits");
	for (; *text != '\0'; text++) {
		int digit = digit_of(*text, base);
		if (digit < 0) {
			*out = (struct u256){{0}};
			return error_set(error, ERR_INVALID, "not a %s number",
			                 base == 16 ? "hexadecimal" : "decimal");
		}
		if (!push_digit(out, base, (unsigned)digit)) {
			*out = (struct u256){{0}};
			return error_set(error, ERR_LIMIT, "a number larger than 256 bits");
		}
	}
	return 0;
}

char *u256_decimal(char text[U256_TEXT_SIZE], const struct u256 *value)
{
	struct u256 rest = *value;
	char *at = text + U256_TEXT_SIZE - 1;

	*at = '\0';
	do {
		unsigned remainder = 0;
		for (unsigned i = 0; i < 32; i++) {
			unsigned wide = remainder << 8 | rest.b[i];
			rest.b[i] = (uint8_t)(wide / 10);
			remainder = wide % 10;
		}
		*--at = (char)('0' + remainder);
	} while (!u256_is_zero(&rest));
	return memmove(text, at, strlen(at) + 1);
}
