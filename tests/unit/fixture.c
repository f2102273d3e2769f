#include "tests/unit/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes fixture_bytes(struct arena *arena, const char *path)
{
	struct buf content = {0};
	char chunk[4096];
	size_t got;

	FILE *file = fopen(path, "rb");
	if (file == NULL)
		die("fixture %s does not open", path);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_append(&content, chunk, got);
	fclose(file);
	struct bytes copy = arena_copy(arena, buf_bytes(&content));
	buf_free(&content);
	return copy;
}

struct jval *fixture_json(const char *path)
{
	struct arena arena = {0};
	struct error error = {0};
	struct jval *value;

	if (jval_parse(&value, fixture_bytes(&arena, path), &error) != 0)
		die("fixture %s: %s", path, error.text);
	arena_free(&arena);
	return value;
}

const char *fixture_string(const struct jval *object, const char *key)
{
	const char *text = jval_get_string(object, key);

	if (text == NULL)
		die("fixture without the string \"%s\"", key);
	return text;
}

int64_t fixture_int(const struct jval *object, const char *key)
{
	int64_t value;

	if (jval_get_int(object, key, &value) != 0)
		die("fixture without the number \"%s\"", key);
	return value;
}

struct bytes fixture_unhex(struct arena *arena, const char *text)
{
	struct error error = {0};
	size_t digits = strlen(text) - (strncmp(text, "0x", 2) == 0 ? 2 : 0);
	uint8_t *memory = arena_alloc(arena, digits / 2 + 1);

	if (hex_decode(memory, digits / 2, text, &error) != 0)
		die("fixture with bad hex: %s", error.text);
	return bytes_of(memory, digits / 2);
}

struct bytes fixture_hex(struct arena *arena, const struct jval *object, const char *key)
{
	return fixture_unhex(arena, fixture_string(object, key));
}

void fixture_fixed(void *out, size_t size, const struct jval *object, const char *key)
{
	struct error error = {0};

	if (hex_decode(out, size, fixture_string(object, key), &error) != 0)
		die("fixture \"%s\": %s", key, error.text);
}
