#include "common/measure/detect.h"

#include "common/measure/nitro.h"
#include "tests/unit/fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct hasher *hasher_of(void **state)
{
	return *state;
}

static struct measured measure(void **state, struct arena *arena, struct bytes file,
                               const char *name)
{
	struct source source = source_memory(file);
	struct measured measured;

	assert_int_equal(measure_source(arena, &source, &(struct measure_how){.name = name},
	                                hasher_of(state), &measured, NULL),
	                 0);
	return measured;
}

static void a_descriptor_is_measured_without_moving_it(void **state)
{
	static const char path[] = "tests/fixtures/eif/signed_secp384r1.eif";
	struct arena arena = {0};
	struct measured measured;

	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
	assert_int_equal(measure_fd(&arena, fd, &(struct measure_how){.name = "whatever"},
	                            hasher_of(state), &measured, NULL),
	                 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 100);
	close(fd);
	struct bytes file = fixture_bytes(&arena, path);
	struct hash32 sha = sha256(file);
	assert_int_equal(measured.format, FORMAT_EIF);
	assert_false(measured.refused);
	assert_true(measured.is_signed);
	assert_true(hash32_equal(&measured.sha256, &sha));
	assert_int_equal(measured.size, file.len);
	struct jval *details;
	assert_int_equal(jval_parse(&details, bytes_text(measured.details), NULL), 0);
	assert_string_equal(fixture_string(details, "image_name"), "app");
	assert_string_equal(fixture_string(details, "architecture"), "x86_64");
	assert_string_equal(fixture_string(details, "signer"), "CN=eif-signer,O=Test,C=US");
	assert_int_equal(strlen(fixture_string(details, "pcr8")), 96);
	assert_int_equal(fixture_int(details, "eif_version"), 4);
	jval_free(details);
	arena_free(&arena);
}

static void a_descriptor_that_cannot_be_read_is_an_error(void **state)
{
	struct arena arena = {0};
	struct measured measured;

	int fd = open("/", O_RDONLY | O_DIRECTORY);
	assert_int_equal(measure_fd(&arena, fd, &(struct measure_how){.name = "a.eif"},
	                            hasher_of(state), &measured, NULL),
	                 ERR_IO);
	close(fd);
	arena_free(&arena);
}

static void the_name_makes_a_broken_image_ours(void **state)
{
	struct arena arena = {0};
	static const char junk[] = "\x7f"
	                           "ELF\0\0\0\0";

	struct measured measured =
	        measure(state, &arena, bytes_of(junk, sizeof(junk)), "enclave.EIF");
	assert_int_equal(measured.format, FORMAT_EIF);
	assert_true(measured.refused);
	assert_true(hash32_is_zero(&measured.value));
	measured = measure(state, &arena, bytes_of(junk, sizeof(junk)), "program");
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	assert_false(measured.refused);
	arena_free(&arena);
}

static void a_refused_image_still_shows_its_pcrs(void **state)
{
	struct arena arena = {0};
	struct bytes file = fixture_bytes(&arena, "tests/fixtures/eif/bad_crc.eif");

	struct measured measured = measure(state, &arena, file, "x");
	assert_true(measured.refused);
	assert_false(hash32_is_zero(&measured.value));
	assert_non_null(strstr(measured.details, "\"pcr0\":\"d24d6323"));
	arena_free(&arena);
}

static void texts_over_the_limit_are_not_ours(void **state)
{
	struct arena arena = {0};
	struct buf text = {0};

	buf_append_text(&text, "{\"PCR0\":1}");
	while (text.len < NITRO_MAX_TEXT)
		buf_append_byte(&text, ' ');
	struct measured measured = measure(state, &arena, buf_bytes(&text), "x.json");
	assert_int_equal(measured.format, FORMAT_MEASUREMENTS);
	assert_true(measured.refused);
	buf_append_byte(&text, ' ');
	measured = measure(state, &arena, buf_bytes(&text), "x.json");
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	buf_free(&text);
	arena_free(&arena);
}

static void names_alone_say_what_a_file_claims_to_be(void **state)
{
	(void)state;
	assert_int_equal(format_of_name("a.eif"), FORMAT_EIF);
	assert_int_equal(format_of_name(".EIF"), FORMAT_EIF);
	assert_int_equal(format_of_name("measurements.json"), FORMAT_MEASUREMENTS);
	assert_int_equal(format_of_name("eif"), FORMAT_UNKNOWN);
	assert_int_equal(format_of_name(""), FORMAT_UNKNOWN);
}

/* --- names and values --------------------------------------------------------------------------
 */

static void levels_and_formats_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(evidence_level_name(LEVEL_CLAIMED), "claimed");
	assert_string_equal(evidence_level_name(LEVEL_RECOMPUTED), "recomputed");
	assert_string_equal(evidence_level_name(LEVEL_ATTESTED), "attested");
	assert_string_equal(format_name(FORMAT_EIF), "eif");
	assert_string_equal(format_name(FORMAT_MEASUREMENTS), "measurements-json");
	assert_string_equal(format_name(FORMAT_NITRO_BUILD), "nitro-build-json");
	assert_string_equal(format_name(FORMAT_NITRO_DESCRIBE), "nitro-describe-eif");
	assert_string_equal(format_name(FORMAT_UNKNOWN), "unknown");
}

static void one_zero_register_means_debug(void **state)
{
	struct pcrs pcrs;

	(void)state;
	memset(&pcrs, 1, sizeof(pcrs));
	assert_false(pcrs_any_zero(&pcrs));
	memset(pcrs.pcr1, 0, SHA384_SIZE);
	assert_true(pcrs_any_zero(&pcrs));
}

static int set_up(void **state)
{
	crypto_init();
	*state = hasher_new(false);
	return 0;
}

static int tear_down(void **state)
{
	hasher_free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_descriptor_is_measured_without_moving_it),
	        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
	        cmocka_unit_test(the_name_makes_a_broken_image_ours),
	        cmocka_unit_test(a_refused_image_still_shows_its_pcrs),
	        cmocka_unit_test(texts_over_the_limit_are_not_ours),
	        cmocka_unit_test(names_alone_say_what_a_file_claims_to_be),
	        cmocka_unit_test(levels_and_formats_have_their_names),
	        cmocka_unit_test(one_zero_register_means_debug),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
