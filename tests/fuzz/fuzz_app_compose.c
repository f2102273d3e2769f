/* app-compose.json and the images of a compose file: the hash is that of the exact bytes; every
 * image stands on the line that is named; a pinned one ends in a digest. */
#include "common/crypto/hash.h"
#include "common/measure/app_compose.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>

static struct bytes line_of(struct bytes text, size_t number)
{
	for (size_t i = 1; text.len > 0; i++) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		if (i == number)
			return bytes_of(text.data, len);
		len += end != NULL;
		text = bytes_of(text.data + len, text.len - len);
	}
	return bytes_of(NULL, 0);
}

static void check_image(struct bytes text, const struct compose_image *image)
{
	struct bytes line = line_of(text, image->line);
	size_t len = strlen(image->reference);

	PROPERTY(line.data != NULL);
	PROPERTY(len == 0 || memmem(line.data, line.len, image->reference, len) != NULL ||
	         memchr(text.data, '\\', text.len) != NULL ||
	         memmem(text.data, text.len, "''", 2) != NULL);
	if (!image->pinned)
		return;
	PROPERTY(len >= 72 && memcmp(image->reference + len - 72, "@sha256:", 8) == 0);
	for (size_t i = len - 64; i < len; i++)
		PROPERTY(isxdigit((unsigned char)image->reference[i]));
}

static void check_images(struct bytes text, const struct compose_images *images)
{
	size_t unpinned = 0;

	PROPERTY(images->count <= COMPOSE_IMAGES_MAX);
	for (size_t i = 0; i < images->count; i++) {
		unpinned += !images->items[i].pinned;
		PROPERTY(i == 0 || images->items[i].line >= images->items[i - 1].line);
		check_image(text, &images->items[i]);
	}
	PROPERTY(unpinned == images->unpinned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct compose_images images;
	struct app_compose compose;
	struct arena arena = {0};

	crypto_init();
	compose_images_find(&arena, text, &images);
	check_images(text, &images);
	if (app_compose_read(&arena, text, &compose, NULL) == 0) {
		struct hash32 hash = sha256(text);
		PROPERTY(hash32_equal(&compose.hash, &hash) && compose.runner != NULL);
		PROPERTY(compose.has_compose_file || compose.images.count == 0);
	} else {
		PROPERTY(hash32_is_zero(&compose.hash) && compose.images.count == 0);
	}
	arena_free(&arena);
	return 0;
}
