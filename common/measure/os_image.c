#include "common/measure/os_image.h"

#include "common/base/base64.h"
#include "common/crypto/hash.h"
#include "common/measure/cbor.h"

#include <string.h>

enum { HEX_DIGITS = 64, MAX_NAME = 255, MRTD_SIZE = 48 };

static int take_digest(struct bytes text, struct hash32 *out, struct error *error)
{
	char digits[HEX_DIGITS + 1];

	*out = (struct hash32){0};
	if (text.len < HEX_DIGITS)
		return error_set(error, ERR_INVALID, "expected %d hex digits", HEX_DIGITS);
	memcpy(digits, text.data, HEX_DIGITS);
	digits[HEX_DIGITS] = '\0';
	return hash32_parse(out, digits, error);
}

/* A plain file name: what the callback may be asked for. */
static bool name_allowed(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= MAX_NAME && strchr(name, '/') == NULL && name[0] != '.';
}

/* "<64 hex>  <name>", as sha256sum writes it. */
static int read_line(struct arena *arena, struct bytes line, struct os_image_file *out,
                     struct error *error)
{
	int rc = take_digest(line, &out->listed, error);

	if (rc != 0)
		return rc;
	if (line.len < HEX_DIGITS + 3 || memcmp(line.data + HEX_DIGITS, "  ", 2) != 0 ||
	    memchr(line.data, 0, line.len) != NULL)
		return error_set(error, ERR_INVALID, "expected a digest, two spaces and a name");
	out->name =
	        arena_text(arena, bytes_of(line.data + HEX_DIGITS + 2, line.len - HEX_DIGITS - 2));
	if (strncmp(out->name, "./", 2) == 0)
		return error_set(error, ERR_INVALID,
		                 "\"%s\": a list of a release up to 0.5.0, which has no "
		                 "os_image_hash",
		                 out->name);
	if (!name_allowed(out->name))
		return error_set(error, ERR_INVALID, "\"%s\" is no plain file name", out->name);
	return 0;
}

static int read_checksums(struct arena *arena, struct bytes text, struct os_image_file **files,
                          size_t *count, struct error *error)
{
	*files = arena_array(arena, OS_IMAGE_MAX_FILES, sizeof(**files));
	*count = 0;
	if (text.len == 0 || text.len > OS_IMAGE_MAX_CHECKSUMS)
		return error_set(error, ERR_INVALID, "%zu bytes, expected 1 to %d", text.len,
		                 OS_IMAGE_MAX_CHECKSUMS);
	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		if (end == NULL || *count == OS_IMAGE_MAX_FILES)
			return error_set(error, ERR_INVALID, "line %zu: %s", *count + 1,
			                 end == NULL ? "it does not end" : "too many lines");
		size_t len = (size_t)(end - text.data);
		struct os_image_file *file = &(*files)[*count];
		int rc = read_line(arena, bytes_of(text.data, len), file, error);
		if (rc != 0)
			return error_prefix(error, "line %zu", *count + 1);
		for (size_t i = 0; i < *count; i++)
			if (strcmp((*files)[i].name, file->name) == 0)
				return error_set(error, ERR_INVALID, "line %zu: %s is listed twice",
				                 *count + 1, file->name);
		(*count)++;
		text = bytes_of(text.data + len + 1, text.len - len - 1);
	}
	return 0;
}

static int read_digest_file(struct bytes text, struct hash32 *out, struct error *error)
{
	int rc = take_digest(text, out, error);

	if (rc == 0 && (text.len > HEX_DIGITS + 1 ||
	                (text.len == HEX_DIGITS + 1 && text.data[HEX_DIGITS] != '\n')))
		rc = error_set(error, ERR_INVALID, "expected %d hex digits and a line end",
		               HEX_DIGITS);
	return rc != 0 ? error_prefix(error, "digest.txt") : 0;
}

/* --- the folder ---------------------------------------------------------------------------------
 */

static int hash_file(const struct os_image_input *input, struct os_image_file *file,
                     struct error *error)
{
	struct hash32 found;

	if (input->hash == NULL)
		return 0;
	int rc = input->hash(input->arg, file->name, &found, error);
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc != 0)
		return error_prefix(error, "%s", file->name);
	file->state = hash32_equal(&found, &file->listed) ? OS_IMAGE_SAME : OS_IMAGE_DIFFERENT;
	return 0;
}

static int check_files(const struct os_image_input *input, struct os_image *out,
                       struct error *error)
{
	const struct os_image_file *different = NULL, *absent = NULL;

	for (size_t i = 0; i < out->file_count; i++) {
		struct os_image_file *file = &out->files[i];
		int rc = hash_file(input, file, error);
		if (rc != 0)
			return rc;
		if (file->state == OS_IMAGE_DIFFERENT && different == NULL)
			different = file;
		if (file->state == OS_IMAGE_ABSENT && absent == NULL)
			absent = file;
	}
	if (different != NULL)
		checks_add(&out->checks, OS_IMAGE_CHECK_FILES, CHECK_FAILED,
		           "%s has another digest than sha256sum.txt lists", different->name);
	else if (absent != NULL)
		checks_add(&out->checks, OS_IMAGE_CHECK_FILES, CHECK_UNDECIDED,
		           "%s is listed but not at hand", absent->name);
	else
		checks_add(&out->checks, OS_IMAGE_CHECK_FILES, CHECK_PASSED,
		           "all %zu listed files have their digests", out->file_count);
	return 0;
}

static int read_folder(struct arena *arena, const struct os_image_input *input,
                       struct os_image *out, struct error *error)
{
	char computed[HASH32_TEXT_SIZE], stated[HASH32_TEXT_SIZE];
	struct hash32 digest;
	int rc = 0;

	if (input->digest.data != NULL)
		rc = read_digest_file(input->digest, &digest, error);
	if (rc != 0)
		return rc;
	if (input->checksums.data == NULL) {
		if (input->digest.data == NULL)
			return error_set(error, ERR_INVALID,
			                 "neither sha256sum.txt nor digest.txt is there");
		out->value = digest;
		checks_add(&out->checks, OS_IMAGE_CHECK_FILES, CHECK_UNDECIDED,
		           "sha256sum.txt is not there");
		return 0;
	}
	rc = read_checksums(arena, input->checksums, &out->files, &out->file_count, error);
	if (rc != 0)
		return error_prefix(error, "sha256sum.txt");
	out->value = sha256(input->checksums);
	if (input->digest.data == NULL)
		checks_add(&out->checks, OS_IMAGE_CHECK_DIGEST, CHECK_UNDECIDED,
		           "digest.txt is not there");
	else
		checks_add(&out->checks, OS_IMAGE_CHECK_DIGEST,
		           hash32_equal(&digest, &out->value) ? CHECK_PASSED : CHECK_FAILED,
		           "digest.txt says %s, sha256sum.txt gives %s",
		           hash32_text(stated, &digest), hash32_text(computed, &out->value));
	return check_files(input, out, error);
}

int os_image_read(struct arena *arena, const struct os_image_input *input, struct os_image *out,
                  struct error *error)
{
	struct error local;

	*out = (struct os_image){.checks.arena = arena};
	int rc = read_folder(arena, input, out, &local);
	if (rc != 0) {
		*out = (struct os_image){0};
		return error_set(error, (enum err)rc, "%s", local.text);
	}
	out->recomputed = checks_passed(&out->checks, OS_IMAGE_CHECK_FILES) &&
	                  checks_first_failed(&out->checks) == NULL;
	return 0;
}

/* --- vm_config ----------------------------------------------------------------------------------
 */

/* Steps from a map at the front of *item to the value of one of its members. */
static bool enter(struct bytes *item, const char *key)
{
	struct cbor_item map, name;

	if (cbor_expect(item, CBOR_MAP, &map, NULL) != 0)
		return false;
	for (uint64_t i = 0; i < map.n; i++) {
		if (cbor_expect(item, CBOR_TEXT, &name, NULL) != 0)
			return false;
		if (bytes_equal(name.bytes, bytes_text(key)))
			return true;
		if (cbor_skip(item, NULL) != 0)
			return false;
	}
	return false;
}

static bool find_mrtd(struct bytes cbor, const char *pass, struct bytes *out)
{
	struct cbor_item item;

	*out = bytes_of(NULL, 0);
	if (!enter(&cbor, "tdvf") || !enter(&cbor, "mrtd") || !enter(&cbor, pass) ||
	    cbor_expect(&cbor, CBOR_BYTES, &item, NULL) != 0 || item.bytes.len != MRTD_SIZE)
		return false;
	*out = item.bytes;
	return true;
}

static void check_measurement(struct arena *arena, const struct os_image_material *material,
                              struct checks *checks)
{
	char *name = arena_printf(arena, "measurement.%s.cbor", material->platform);
	struct hash32 found = sha256(material->measurement);
	const struct os_image_file *listed = NULL;
	struct os_image_file *files;
	struct error error;
	size_t count;

	int rc = read_checksums(arena, material->checksums, &files, &count, &error);
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (strcmp(files[i].name, name) == 0)
			listed = &files[i];
	if (rc != 0)
		checks_add(checks, OS_IMAGE_CHECK_MEASUREMENT, CHECK_FAILED, "checksum_file: %s",
		           error.text);
	else if (listed == NULL)
		checks_add(checks, OS_IMAGE_CHECK_MEASUREMENT, CHECK_FAILED,
		           "checksum_file does not list %s", name);
	else if (!hash32_equal(&listed->listed, &found))
		checks_add(checks, OS_IMAGE_CHECK_MEASUREMENT, CHECK_FAILED,
		           "%s has another digest than checksum_file lists", name);
	else
		checks_add(checks, OS_IMAGE_CHECK_MEASUREMENT, CHECK_PASSED,
		           "checksum_file lists %s", name);
}

static void check_value(const struct os_image_config *config, struct bytes checksums,
                        struct checks *checks)
{
	char computed[HASH32_TEXT_SIZE];
	struct hash32 found = sha256(checksums);

	if (!config->has_value)
		checks_add(checks, OS_IMAGE_CHECK_VALUE, CHECK_UNDECIDED,
		           "there is no os_image_hash; checksum_file gives %s",
		           hash32_text(computed, &found));
	else
		checks_add(checks, OS_IMAGE_CHECK_VALUE,
		           hash32_equal(&found, &config->value) ? CHECK_PASSED : CHECK_FAILED,
		           "checksum_file gives %s", hash32_text(computed, &found));
}

static int read_material(struct arena *arena, const struct jval *object, const char *platform,
                         struct os_image_config *out, struct error *error)
{
	struct os_image_material *material = &out->materials[out->material_count];

	material->platform = platform;
	int rc = base64_decode(arena, &material->checksums,
	                       jval_get_string(object, "checksum_file"), error);
	if (rc != 0)
		return error_prefix(error, "checksum_file");
	rc = base64_decode(arena, &material->measurement, jval_get_string(object, "measurement"),
	                   error);
	if (rc != 0)
		return error_prefix(error, "measurement");
	out->material_count++;
	check_value(out, material->checksums, &out->checks);
	check_measurement(arena, material, &out->checks);
	material->has_mrtd =
	        strcmp(platform, "tdx") == 0 &&
	        find_mrtd(material->measurement, "single_pass", &material->mrtd_single_pass) &&
	        find_mrtd(material->measurement, "two_pass", &material->mrtd_two_pass);
	return 0;
}

static int read_config(struct arena *arena, const struct jval *config, struct os_image_config *out,
                       struct error *error)
{
	static const struct {
		const char *member, *platform;
	} kinds[OS_IMAGE_PLATFORMS] = {
	        {"tdx_measurement", "tdx"},
	        {"sev_snp_measurement", "snp"},
	        {"gcp_measurement", "gcp"},
	        {"aws_measurement", "aws"},
	};
	const char *value = jval_get_string(config, "os_image_hash");

	if (!jval_is_object(config))
		return error_set(error, ERR_INVALID, "expected an object");
	if (value != NULL && value[0] != '\0') {
		if (hash32_parse(&out->value, value, error) != 0)
			return error_prefix(error, "os_image_hash");
		out->has_value = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct jval *material = jval_get(config, kinds[i].member);
		if (material == NULL || jval_is_null(material))
			continue;
		if (read_material(arena, material, kinds[i].platform, out, error) != 0)
			return error_prefix(error, "%s", kinds[i].member);
	}
	return 0;
}

int os_image_config_read(struct arena *arena, struct bytes vm_config, struct os_image_config *out,
                         struct error *error)
{
	struct jval *config = NULL;
	struct error local;

	*out = (struct os_image_config){.checks.arena = arena};
	int rc = jval_parse(&config, vm_config, &local);
	if (rc == 0)
		rc = read_config(arena, config, out, &local);
	jval_free(config);
	if (rc == 0)
		return 0;
	*out = (struct os_image_config){0};
	return error_set(error, (enum err)rc, "vm_config: %s", local.text);
}
