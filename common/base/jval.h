/* JSON values. The only includer of jansson: a struct jval is jansson's json_t seen from outside.
 *
 * Reading: every getter accepts NULL and a wrong type and then answers NULL / ERR_INVALID, so that
 * a chain of lookups needs one check at its end. Borrowed: what getters return belongs to the
 * value asked. Building: jval_add and jval_push take over the value given to them. */
#ifndef BASE_JVAL_H
#define BASE_JVAL_H

#include "common/base/buf.h"

struct jval;

/* Parses exactly one value; duplicate keys, trailing bytes, NUL in strings and nesting over
 * 64 levels are errors. *out is owned by the caller (jval_free). */
int jval_parse(struct jval **out, struct bytes text, struct error *error) MUST_USE;
void jval_free(struct jval *value); /* NULL is fine */

bool jval_is_object(const struct jval *value);
bool jval_is_array(const struct jval *value);
bool jval_is_string(const struct jval *value);
bool jval_is_null(const struct jval *value); /* JSON null, not a NULL pointer */
bool jval_is_true(const struct jval *value);
bool jval_is_false(const struct jval *value);
bool jval_is_int(const struct jval *value);

const struct jval *jval_get(const struct jval *object, const char *key);
size_t jval_count(const struct jval *array_or_object); /* 0 for anything else */
const struct jval *jval_at(const struct jval *array, size_t index);
const char *jval_string(const struct jval *value);     /* NULL unless a string */
/* The string member key of object, NULL if absent or no string. */
const char *jval_get_string(const struct jval *object, const char *key);
int jval_get_int(const struct jval *object, const char *key, int64_t *out) MUST_USE;
/* Calls visit for every member in the order of the text; stops when it returns non-zero and
 * returns that. */
int jval_each(const struct jval *object, int (*visit)(const char *key, const struct jval *value, void *arg),
              void *arg);

struct jval *jval_object(void);
struct jval *jval_array(void);
struct jval *jval_new_string(const char *text); /* NULL gives JSON null; invalid UTF-8 is escaped as \xNN */
struct jval *jval_new_int(int64_t value);
struct jval *jval_new_bool(bool value);
struct jval *jval_new_null(void);
struct jval *jval_copy(const struct jval *value); /* deep */

void jval_add(struct jval *object, const char *key, struct jval *value); /* takes value */
void jval_push(struct jval *array, struct jval *value);                  /* takes value */
void jval_add_string(struct jval *object, const char *key, const char *text); /* NULL: null */
void jval_add_printf(struct jval *object, const char *key, const char *fmt, ...) PRINTF(3, 4);
void jval_add_int(struct jval *object, const char *key, int64_t value);
void jval_add_bool(struct jval *object, const char *key, bool value);
void jval_add_hash32(struct jval *object, const char *key, const struct hash32 *value); /* 0x hex; NULL: null */
void jval_add_hex(struct jval *object, const char *key, struct bytes value);            /* 0x hex */

enum jval_style {
	JVAL_COMPACT,     /* insertion order, no spaces */
	JVAL_SORTED,      /* compact with sorted keys */
	JVAL_INDENTED,    /* two spaces, insertion order */
};
void jval_write(struct buf *out, const struct jval *value, enum jval_style style);

#endif
