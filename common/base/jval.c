#include "common/base/jval.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

static json_t *raw(const struct jval *value)
{
	return (json_t *)value;
}

static struct jval *made(json_t *value)
{
	if (value == NULL)
		die("jansson could not make a value");
	return (struct jval *)value;
}

static bool is(const struct jval *value, json_type type)
{
	return value != NULL && json_typeof(raw(value)) == type;
}

/* jansson's own nesting limit is 2048; ours keeps recursive readers shallow. */
static int check_depth(struct bytes text, struct error *error)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > MAX_DEPTH)
				return error_set(error, ERR_LIMIT, "JSON nested over %d levels", MAX_DEPTH);
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int jval_parse(struct jval **out, struct bytes text, struct error *error)
{
	json_error_t where;

	*out = NULL;
	int rc = check_depth(text, error);
	if (rc != 0)
		return rc;
	json_t *value = json_loadb(text.len > 0 ? (const char *)text.data : "", text.len,
	                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (value == NULL)
		return error_set(error, ERR_INVALID, "not valid JSON at line %d column %d: %s", where.line,
		                 where.column, where.text);
	*out = (struct jval *)value;
	return 0;
}

void jval_free(struct jval *value)
{
	json_decref(raw(value));
}

bool jval_is_object(const struct jval *value)
{
	return is(value, JSON_OBJECT);
}

bool jval_is_array(const struct jval *value)
{
	return is(value, JSON_ARRAY);
}

bool jval_is_string(const struct jval *value)
{
	return is(value, JSON_STRING);
}

bool jval_is_null(const struct jval *value)
{
	return is(value, JSON_NULL);
}

bool jval_is_true(const struct jval *value)
{
	return is(value, JSON_TRUE);
}

bool jval_is_false(const struct jval *value)
{
	return is(value, JSON_FALSE);
}

bool jval_is_int(const struct jval *value)
{
	return is(value, JSON_INTEGER);
}

const struct jval *jval_get(const struct jval *object, const char *key)
{
	return jval_is_object(object) ? (struct jval *)json_object_get(raw(object), key) : NULL;
}

size_t jval_count(const struct jval *array_or_object)
{
	if (jval_is_array(array_or_object))
		return json_array_size(raw(array_or_object));
	return jval_is_object(array_or_object) ? json_object_size(raw(array_or_object)) : 0;
}

const struct jval *jval_at(const struct jval *array, size_t index)
{
	return jval_is_array(array) ? (struct jval *)json_array_get(raw(array), index) : NULL;
}

const char *jval_string(const struct jval *value)
{
	return jval_is_string(value) ? json_string_value(raw(value)) : NULL;
}

const char *jval_get_string(const struct jval *object, const char *key)
{
	return jval_string(jval_get(object, key));
}

int jval_get_int(const struct jval *object, const char *key, int64_t *out)
{
	const struct jval *value = jval_get(object, key);

	*out = 0;
	if (!jval_is_int(value))
		return ERR_INVALID;
	*out = json_integer_value(raw(value));
	return 0;
}

int jval_each(const struct jval *object,
              int (*visit)(const char *key, const struct jval *value, void *arg), void *arg)
{
	const char *key;
	json_t *value;

	if (!jval_is_object(object))
		return 0;
	json_object_foreach(raw(object), key, value) {
		int rc = visit(key, (struct jval *)value, arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

struct jval *jval_object(void)
{
	return made(json_object());
}

struct jval *jval_array(void)
{
	return made(json_array());
}

struct jval *jval_new_string(const char *text)
{
	if (text == NULL)
		return jval_new_null();
	json_t *value = json_string(text);
	if (value != NULL)
		return made(value);

	struct buf escaped = {0};
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x80)
			buf_append_byte(&escaped, (uint8_t)*p);
		else
			buf_printf(&escaped, "\\x%02x", (unsigned char)*p);
	}
	value = json_string(buf_text(&escaped));
	buf_free(&escaped);
	return made(value);
}

struct jval *jval_new_int(int64_t value)
{
	return made(json_integer(value));
}

struct jval *jval_new_bool(bool value)
{
	return made(json_boolean(value));
}

struct jval *jval_new_null(void)
{
	return made(json_null());
}

struct jval *jval_copy(const struct jval *value)
{
	return made(json_deep_copy(raw(value)));
}

void jval_add(struct jval *object, const char *key, struct jval *value)
{
	if (json_object_set_new(raw(object), key, raw(value)) != 0)
		die("cannot add \"%s\" to a JSON object", key);
}

void jval_push(struct jval *array, struct jval *value)
{
	if (json_array_append_new(raw(array), raw(value)) != 0)
		die("cannot append to a JSON array");
}

void jval_add_string(struct jval *object, const char *key, const char *text)
{
	jval_add(object, key, jval_new_string(text));
}

void jval_add_printf(struct jval *object, const char *key, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory");
	va_end(args);
	jval_add_string(object, key, text);
	free(text);
}

void jval_add_int(struct jval *object, const char *key, int64_t value)
{
	jval_add(object, key, jval_new_int(value));
}

void jval_add_bool(struct jval *object, const char *key, bool value)
{
	jval_add(object, key, jval_new_bool(value));
}

void jval_add_hash32(struct jval *object, const char *key, const struct hash32 *value)
{
	char text[HASH32_TEXT_SIZE];

	jval_add_string(object, key, value != NULL ? hash32_text(text, value) : NULL);
}

void jval_add_hex(struct jval *object, const char *key, struct bytes value)
{
	struct buf text = {0};

	buf_append_text(&text, "0x");
	buf_append_hex(&text, value);
	jval_add_string(object, key, buf_text(&text));
	buf_free(&text);
}

void jval_write(struct buf *out, const struct jval *value, enum jval_style style)
{
	size_t flags = JSON_ENCODE_ANY;

	switch (style) {
	case JVAL_COMPACT:
		flags |= JSON_COMPACT;
		break;
	case JVAL_SORTED:
		flags |= JSON_COMPACT | JSON_SORT_KEYS;
		break;
	case JVAL_INDENTED:
		flags |= JSON_INDENT(2);
		break;
	}
	char *text = json_dumps(raw(value), flags);
	if (text == NULL)
		die("jansson could not write a value");
	buf_append_text(out, text);
	free(text);
}
