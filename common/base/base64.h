/* Base64 (RFC 4648, section 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "common/base/arena.h"

/* Decodes the standard alphabet with its padding; nothing else may be in text, and unused bits are
 * zero, so that every value has one text. ERR_INVALID, also for NULL. */
int base64_decode(struct arena *arena, struct bytes *out, const char *text,
                  struct error *error) MUST_USE;
char *base64_encode(struct arena *arena, struct bytes in);

#endif
