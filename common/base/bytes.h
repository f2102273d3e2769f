/* Byte strings as views, 32-byte values, hex. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view: points at memory that somebody else owns. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/* Any 32-byte value: a measurement, a hash, an operation id. */
struct hash32 {
	uint8_t b[32];
};

#define HASH32_TEXT_SIZE 67 /* "0x" + 64 digits + NUL */

struct bytes bytes_of(const void *data, size_t len);
struct bytes bytes_text(const char *text); /* without the NUL */
bool bytes_equal(struct bytes a, struct bytes b);

bool hash32_equal(const struct hash32 *a, const struct hash32 *b);
int hash32_compare(const struct hash32 *a, const struct hash32 *b); /* like memcmp */
bool hash32_is_zero(const struct hash32 *h);

/* Lower-case hex without prefix; out needs 2*len+1 bytes. Returns out. */
char *hex_encode(char *out, struct bytes in);
/* Lower-case with 0x; returns text. */
char *hash32_text(char text[HASH32_TEXT_SIZE], const struct hash32 *h);

/* Decodes exactly out_len bytes from hex of either case, 0x optional.
 * ERR_INVALID says what was expected. Clears out on failure. */
int hex_decode(uint8_t *out, size_t out_len, const char *text, struct error *error) MUST_USE;
int hash32_parse(struct hash32 *out, const char *text, struct error *error) MUST_USE;

/* Big-endian numbers as the formats here store them. */
uint16_t be16_get(const uint8_t *p);
uint32_t be32_get(const uint8_t *p);
uint64_t be64_get(const uint8_t *p);
void be32_put(uint8_t *p, uint32_t v);
void be64_put(uint8_t *p, uint64_t v);

/* Overwrites memory in a way the compiler may not remove. For secrets. */
void bytes_wipe(void *data, size_t len);

#endif
