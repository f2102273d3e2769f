/* Lists of an OS image: the lines written again from what was read are the list, and its hash is
 * the value. The configuration text of a guest that carries such lists is read as well. */
#include "common/crypto/hash.h"
#include "common/measure/os_image.h"
#include "tests/fuzz/fuzz.h"

static int no_file(void *arg, const char *name, struct hash32 *out, struct error *error)
{
	(void)arg;
	PROPERTY(name[0] != '.' && name[0] != '\0' && strchr(name, '/') == NULL);
	*out = (struct hash32){{0}};
	return error_set(error, ERR_NOT_FOUND, "not here");
}

static void check_list(struct bytes text, const struct os_image *image)
{
	struct hash32 value = sha256(text);
	struct buf again = {0};

	PROPERTY(hash32_equal(&image->value, &value) && !image->recomputed);
	PROPERTY(image->file_count > 0 && image->file_count <= OS_IMAGE_MAX_FILES);
	for (size_t i = 0; i < image->file_count; i++) {
		PROPERTY(image->files[i].state == OS_IMAGE_ABSENT);
		buf_append_hex(&again, bytes_of(image->files[i].listed.b,
		                                sizeof(image->files[i].listed.b)));
		buf_printf(&again, "  %s\n", image->files[i].name);
	}
	PROPERTY(again.len == text.len &&
	         strncasecmp(buf_text(&again), (const char *)text.data, text.len) == 0);
	buf_free(&again);
}

static void check_config(struct arena *arena, struct bytes text)
{
	struct os_image_config config;

	if (os_image_config_read(arena, text, &config, NULL) != 0)
		return;
	PROPERTY(config.material_count <= OS_IMAGE_PLATFORMS);
	PROPERTY(config.has_value || hash32_is_zero(&config.value));
	PROPERTY(config.checks.count <= 2 * config.material_count);
	for (size_t i = 0; i < config.material_count; i++)
		PROPERTY(config.materials[i].platform != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct os_image_input input = {.checksums = text, .hash = no_file};
	struct arena arena = {0};
	struct os_image image;

	crypto_init();
	if (size > 0 && os_image_read(&arena, &input, &image, NULL) == 0)
		check_list(text, &image);
	input = (struct os_image_input){.digest = text};
	if (size > 0 && os_image_read(&arena, &input, &image, NULL) == 0)
		PROPERTY(size == 64 || size == 65);
	check_config(&arena, text);
	arena_free(&arena);
	return 0;
}
