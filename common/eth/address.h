/* 20-byte addresses with EIP-55 text, and 256-bit numbers. */
#ifndef ETH_ADDRESS_H
#define ETH_ADDRESS_H

#include "common/base/bytes.h"

struct address {
	uint8_t b[20];
};

#define ADDRESS_TEXT_SIZE 43 /* "0x" + 40 digits + NUL */

bool address_equal(const struct address *a, const struct address *b);
int address_compare(const struct address *a, const struct address *b);
bool address_is_zero(const struct address *a);

/* EIP-55 checksummed text, and the plain lower-case form. Both return text. */
char *address_text(char text[ADDRESS_TEXT_SIZE], const struct address *a);
char *address_lower(char text[ADDRESS_TEXT_SIZE], const struct address *a);

/* Accepts all-lower, all-upper or a right EIP-55 checksum; a wrong checksum is ERR_INVALID and
 * the text names the right one. 0x is required. */
int address_parse(struct address *out, const char *text, struct error *error) MUST_USE;

/* A 256-bit unsigned number, big-endian, as the EVM stores it. */
struct u256 {
	uint8_t b[32];
};

struct u256 u256_from(uint64_t value);
/* ERR_LIMIT when it does not fit. */
int u256_to_u64(uint64_t *out, const struct u256 *value) MUST_USE;
int u256_compare(const struct u256 *a, const struct u256 *b);
bool u256_is_zero(const struct u256 *a);
/* Decimal or 0x hex text into a number; ERR_INVALID / ERR_LIMIT. */
int u256_parse(struct u256 *out, const char *text, struct error *error) MUST_USE;
#define U256_TEXT_SIZE 80
char *u256_decimal(char text[U256_TEXT_SIZE], const struct u256 *value);

#endif
