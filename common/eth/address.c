#include "common/eth/address.h"

#include "common/crypto/hash.h"

#include <string.h>

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool address_is_zero(const struct address *a)
{
	static const struct address zero;
	return address_equal(a, &zero);
}

char *address_lower(char text[ADDRESS_TEXT_SIZE], const struct address *a)
{
	text[0] = '0';
	text[1] = 'x';
	hex_encode(text + 2, bytes_of(a->b, sizeof(a->b)));
	return text;
}

char *address_text(char text[ADDRESS_TEXT_SIZE], const struct address *a)
{
	address_lower(text, a);
	struct hash32 hash = keccak256(bytes_of(text + 2, 40));
	for (unsigned i = 0; i < 40; i++) {
		unsigned nibble = i % 2 == 0 ? hash.b[i / 2] >> 4 : hash.b[i / 2] & 15;
		char *digit = &text[2 + i];
		if (nibble >= 8 && *digit >= 'a')
			*digit = (char)(*digit - 'a' + 'A');
	}
	return text;
}

/* All letters of one case carry no checksum. */
static bool has_checksum(const char *digits)
{
	bool lower = false, upper = false;

	for (; *digits != '\0'; digits++) {
		lower |= *digits >= 'a' && *digits <= 'f';
		upper |= *digits >= 'A' && *digits <= 'F';
	}
	return lower && upper;
}

int address_parse(struct address *out, const char *text, struct error *error)
{
	char right[ADDRESS_TEXT_SIZE];

	*out = (struct address){0};
	if (text[0] != '0' || text[1] != 'x' || hex_decode(out->b, sizeof(out->b), text, NULL) != 0)
		return error_set(error, ERR_INVALID,
		                 "not an address, expected 0x and 40 hex digits");
	if (has_checksum(text + 2) && strcmp(address_text(right, out), text) != 0) {
		*out = (struct address){0};
		return error_set(error, ERR_INVALID, "wrong EIP-55 checksum, expected %s", right);
	}
	return 0;
}
