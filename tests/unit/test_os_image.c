#include "common/measure/os_image.h"

#include "common/base/base64.h"
#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FOLDER "tests/fixtures/osimage/synthetic"

/* A folder of which one file may lack and one may be another. */
struct folder {
	struct arena arena;
	const char *absent, *different;
	unsigned asked;
};

static int hash_of(void *arg, const char *name, struct hash32 *out, struct error *error)
{
	struct folder *folder = arg;

	folder->asked++;
	assert_null(strchr(name, '/'));
	if (folder->absent != NULL && strcmp(name, folder->absent) == 0)
		return error_set(error, ERR_NOT_FOUND, "no such file");
	*out = sha256(
	        fixture_bytes(&folder->arena, arena_printf(&folder->arena, FOLDER "/%s", name)));
	if (folder->different != NULL && strcmp(name, folder->different) == 0)
		out->b[31] ^= 1;
	return 0;
}

static struct os_image_input input_of(struct folder *folder)
{
	return (struct os_image_input){
	        .checksums = fixture_bytes(&folder->arena, FOLDER "/sha256sum.txt"),
	        .digest = fixture_bytes(&folder->arena, FOLDER "/digest.txt"),
	        .hash = hash_of,
	        .arg = folder,
	};
}

static void assert_value(const struct hash32 *value, const char *set)
{
	struct jval *expected = fixture_json("tests/fixtures/osimage/expected.json");
	struct hash32 want;

	fixture_fixed(want.b, 32, jval_get(expected, set), "os_image_hash");
	assert_true(hash32_equal(value, &want));
	jval_free(expected);
}

static void a_whole_folder_is_recomputed(void **state)
{
	struct folder folder = {0};
	struct os_image_input input = input_of(&folder);
	struct os_image image;

	(void)state;
	assert_int_equal(os_image_read(&folder.arena, &input, &image, NULL), 0);
	assert_value(&image.value, "synthetic");
	assert_true(image.recomputed);
	assert_int_equal(image.file_count, 5);
	assert_int_equal(folder.asked, 5);
	assert_string_equal(image.files[0].name, "ovmf.fd");
	assert_string_equal(image.files[4].name, "measurement.tdx.cbor");
	assert_int_equal(image.files[4].state, OS_IMAGE_SAME);
	assert_true(checks_passed(&image.checks, OS_IMAGE_CHECK_DIGEST));
	arena_free(&folder.arena);
}

static void absent_files_leave_it_a_claim(void **state)
{
	struct folder folder = {.absent = "bzImage"};
	struct os_image_input input = input_of(&folder);
	struct os_image image;

	(void)state;
	assert_int_equal(os_image_read(&folder.arena, &input, &image, NULL), 0);
	assert_value(&image.value, "synthetic");
	assert_false(image.recomputed);
	assert_int_equal(checks_find(&image.checks, OS_IMAGE_CHECK_FILES)->result, CHECK_UNDECIDED);
	assert_int_equal(image.files[1].state, OS_IMAGE_ABSENT);

	input.hash = NULL;
	assert_int_equal(os_image_read(&folder.arena, &input, &image, NULL), 0);
	assert_false(image.recomputed);
	assert_null(checks_first_failed(&image.checks));

	input.checksums = bytes_of(NULL, 0);
	assert_int_equal(os_image_read(&folder.arena, &input, &image, NULL), 0);
	assert_value(&image.value, "synthetic");
	assert_false(image.recomputed);
	arena_free(&folder.arena);
}

static void what_differs_fails(void **state)
{
	struct folder folder = {.different = "metadata.json"};
	struct os_image_input input = input_of(&folder);
	struct os_image image;

	(void)state;
	assert_int_equal(os_image_read(&folder.arena, &input, &image, NULL), 0);
	assert_false(image.recomputed);
	assert_string_equal(checks_first_failed(&image.checks)->name, OS_IMAGE_CHECK_FILES);
	assert_non_null(strstr(checks_first_failed(&image.checks)->text, "metadata.json"));

	folder.different = NULL;
	input.digest =
	        bytes_text("58673e7eb144dea81f8634eea8403c18bca7e995c86ead03d9f12a198de2ee6e\n");
	assert_int_equal(os_image_read(&folder.arena, &input, &image, NULL), 0);
	assert_false(image.recomputed);
	assert_string_equal(checks_first_failed(&image.checks)->name, OS_IMAGE_CHECK_DIGEST);
	arena_free(&folder.arena);
}

static int no_file(void *arg, const char *name, struct hash32 *out, struct error *error)
{
	(void)arg;
	(void)name;
	(void)out;
	return error_set(error, ERR_IO, "disk on fire");
}

static void broken_lists_are_refused(void **state)
{
#define DIGEST "58673e7eb144dea81f8634eea8403c18bca7e995c86ead03d9f12a198de2ee6d"
	static const struct {
		const char *text, *reason;
	} cases[] = {
	        {"", "0 bytes"},
	        {"\n", "line 1: expected 64 hex digits"},
	        {DIGEST "\n", "two spaces"},
	        {DIGEST " a\n", "two spaces"},
	        {DIGEST " *a\n", "two spaces"},
	        {DIGEST "  a", "line 1: it does not end"},
	        {DIGEST "  a\n" DIGEST "  a\n", "line 2: a is listed twice"},
	        {DIGEST "  ./rootfs.img\n", "up to 0.5.0"},
	        {DIGEST "  ../../etc/shadow\n", "no plain file name"},
	        {DIGEST "  /etc/shadow\n", "no plain file name"},
	        {DIGEST "  a/b\n", "no plain file name"},
	        {DIGEST "  ..\n", "no plain file name"},
	        {"x" DIGEST "  a\n", "line 1: "},
	};
	struct arena arena = {0};
	struct os_image image;
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct os_image_input input = {.checksums = bytes_text(cases[i].text),
		                               .hash = no_file};
		assert_int_equal(os_image_read(&arena, &input, &image, &error), ERR_INVALID);
		if (strstr(error.text, cases[i].reason) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].reason);
	}
	struct os_image_input none = {0};
	assert_int_equal(os_image_read(&arena, &none, &image, &error), ERR_INVALID);
	struct os_image_input digest = {.digest = bytes_text(DIGEST "x\n")};
	assert_int_equal(os_image_read(&arena, &digest, &image, &error), ERR_INVALID);
	struct os_image_input io = {.checksums = bytes_text(DIGEST "  a\n"), .hash = no_file};
	assert_int_equal(os_image_read(&arena, &io, &image, &error), ERR_IO);
	arena_free(&arena);
}

/* --- vm_config --- */

static char *config_text(struct arena *arena, const char *member, const char *set,
                         const char *checksums, const char *measurement)
{
	struct jval *expected = fixture_json("tests/fixtures/osimage/expected.json");
	char *text = arena_printf(
	        arena,
	        "{\"os_image_hash\":\"%s\",\"%s\":{\"checksum_file\":\"%s\",\"measurement\":\"%s\"}"
	        "}",
	        fixture_string(jval_get(expected, set), "os_image_hash"), member,
	        base64_encode(arena, fixture_bytes(arena, checksums)),
	        base64_encode(arena, fixture_bytes(arena, measurement)));
	jval_free(expected);
	return text;
}

static void vm_config_binds_the_measurement(void **state)
{
	struct arena arena = {0};
	struct os_image_config config;
	struct jval *expected = fixture_json("tests/fixtures/osimage/expected.json");

	(void)state;
	char *tdx = config_text(&arena, "tdx_measurement", "tdx-lite",
	                        "tests/fixtures/osimage/tdx-lite.sha256sum.txt",
	                        "tests/fixtures/osimage/tdx-lite.measurement.tdx.cbor");
	assert_int_equal(os_image_config_read(&arena, bytes_text(tdx), &config, NULL), 0);
	assert_true(config.has_value);
	assert_value(&config.value, "tdx-lite");
	assert_int_equal(config.material_count, 1);
	assert_string_equal(config.materials[0].platform, "tdx");
	assert_true(checks_passed(&config.checks, OS_IMAGE_CHECK_VALUE));
	assert_true(checks_passed(&config.checks, OS_IMAGE_CHECK_MEASUREMENT));
	assert_true(config.materials[0].has_mrtd);
	assert_true(
	        bytes_equal(config.materials[0].mrtd_two_pass,
	                    fixture_hex(&arena, jval_get(expected, "tdx-lite"), "mrtd_two_pass")));

	char *snp = config_text(&arena, "sev_snp_measurement", "snp",
	                        "tests/fixtures/osimage/snp.sha256sum.txt",
	                        "tests/fixtures/osimage/snp.measurement.snp.cbor");
	assert_int_equal(os_image_config_read(&arena, bytes_text(snp), &config, NULL), 0);
	assert_value(&config.value, "snp");
	assert_string_equal(config.materials[0].platform, "snp");
	assert_false(config.materials[0].has_mrtd);
	assert_null(checks_first_failed(&config.checks));
	jval_free(expected);
	arena_free(&arena);
}

static void vm_config_that_contradicts_itself_fails(void **state)
{
	struct arena arena = {0};
	struct os_image_config config;

	(void)state;
	char *other = config_text(&arena, "tdx_measurement", "snp",
	                          "tests/fixtures/osimage/tdx-lite.sha256sum.txt",
	                          "tests/fixtures/osimage/snp.measurement.snp.cbor");
	assert_int_equal(os_image_config_read(&arena, bytes_text(other), &config, NULL), 0);
	assert_int_equal(checks_find(&config.checks, OS_IMAGE_CHECK_VALUE)->result, CHECK_FAILED);
	assert_int_equal(checks_find(&config.checks, OS_IMAGE_CHECK_MEASUREMENT)->result,
	                 CHECK_FAILED);
	assert_false(config.materials[0].has_mrtd);

	char *unlisted = config_text(&arena, "gcp_measurement", "tdx-lite",
	                             "tests/fixtures/osimage/tdx-lite.sha256sum.txt",
	                             "tests/fixtures/osimage/tdx-lite.measurement.tdx.cbor");
	assert_int_equal(os_image_config_read(&arena, bytes_text(unlisted), &config, NULL), 0);
	assert_true(checks_passed(&config.checks, OS_IMAGE_CHECK_VALUE));
	assert_non_null(strstr(checks_first_failed(&config.checks)->text,
	                       "does not list measurement.gcp.cbor"));
	arena_free(&arena);
}

static void vm_config_of_older_releases_is_a_claim(void **state)
{
	static const char *const broken[] = {
	        "",
	        "[]",
	        "{\"os_image_hash\":\"abc\"}",
	        "{\"tdx_measurement\":{}}",
	        "{\"tdx_measurement\":{\"checksum_file\":\"!\",\"measurement\":\"\"}}",
	};
	struct arena arena = {0};
	struct os_image_config config;

	(void)state;
	assert_int_equal(
	        os_image_config_read(&arena, bytes_text("{\"os_image_hash\":\"\"}"), &config, NULL),
	        0);
	assert_false(config.has_value);
	assert_int_equal(config.material_count, 0);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		assert_int_equal(os_image_config_read(&arena, bytes_text(broken[i]), &config, NULL),
		                 ERR_INVALID);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_whole_folder_is_recomputed),
	        cmocka_unit_test(absent_files_leave_it_a_claim),
	        cmocka_unit_test(what_differs_fails),
	        cmocka_unit_test(broken_lists_are_refused),
	        cmocka_unit_test(vm_config_binds_the_measurement),
	        cmocka_unit_test(vm_config_that_contradicts_itself_fails),
	        cmocka_unit_test(vm_config_of_older_releases_is_a_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
