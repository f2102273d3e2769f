/* Reading expected values from tests/fixtures. Tests run from the root of the tree; whatever does
 * not open or parse ends the test program. */
#ifndef UNIT_FIXTURE_H
#define UNIT_FIXTURE_H

#include "common/base/arena.h"
#include "common/base/jval.h"

/* The whole file; NUL-terminated. */
struct bytes fixture_bytes(struct arena *arena, const char *path);
/* A JSON file; jval_free it. */
struct jval *fixture_json(const char *path);
/* The string member key; it must be there. */
const char *fixture_string(const struct jval *object, const char *key);
int64_t fixture_int(const struct jval *object, const char *key);
/* Hex text of any even length ("0x" optional), as bytes. */
struct bytes fixture_unhex(struct arena *arena, const char *text);
/* The hex member key of object, as bytes, or as exactly size bytes into out. */
struct bytes fixture_hex(struct arena *arena, const struct jval *object, const char *key);
void fixture_fixed(void *out, size_t size, const struct jval *object, const char *key);

#endif
