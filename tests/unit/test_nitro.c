#include "common/measure/nitro.h"

#include "common/measure/detect.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PCR_A                                                                                      \
	"d24d6323f9be039d4f132b7fbdb0f15bfd890993a0a3e38d1f3df5354c0734545700aed9238d5cccc2ef1ded" \
	"9f05e06f"
#define PCR_B                                                                                      \
	"b3b1e10d0ffc2afb167fdbd2ea84c21148bf1bcd6814335a0d8304962435b59d4f5d417647b33ff985409f91" \
	"36429553"
#define PCR_C                                                                                      \
	"06b491cbedb43b7daeb3626c6c2ef219bc0d8e84e6b053bf94dd809d0f3882d74516fa434e3cc61e27281979" \
	"8f7a44f3"
#define PCR_ZERO                                                                                   \
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
	"00"                                                                                       \
	"000000"
#define PCRS "\"PCR0\":\"" PCR_A "\",\"PCR1\":\"" PCR_B "\",\"PCR2\":\"" PCR_C "\""
#define VALUE "0x5d6721fc6e2ebc513cada41c539b60357fb53d40b8d85f44015d09054ff5ad35"

static struct measured read_text(struct arena *arena, const char *text, const char *name)
{
	struct measured measured;

	nitro_read(arena, bytes_text(text), name, &measured);
	return measured;
}

static void assert_measured(const struct measured *measured, enum format format, const char *value)
{
	struct hash32 want;

	if (measured->refused)
		fail_msg("refused: %s", measured->refusal);
	assert_int_equal(measured->format, format);
	assert_int_equal(measured->level, LEVEL_CLAIMED);
	assert_int_equal(hash32_parse(&want, value, NULL), 0);
	assert_true(hash32_equal(&measured->value, &want));
	assert_non_null(measured->details);
}

static void assert_refused(const struct measured *measured, const char *why)
{
	assert_true(measured->refused);
	assert_true(measured->format != FORMAT_UNKNOWN);
	if (strstr(measured->refusal, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", measured->refusal, why);
}

static void real_files_give_their_outcome(void **state)
{
	static const struct {
		const char *name;
		enum format format;
		const char *refusal;
	} files[] = {
	        {"measurements_old_template.json", FORMAT_MEASUREMENTS, NULL},
	        {"measurements_new_template.json", FORMAT_MEASUREMENTS, NULL},
	        {"build-enclave.payments.stdout.json", FORMAT_NITRO_BUILD, NULL},
	        {"build-enclave.payments.mixed.log", FORMAT_NITRO_BUILD, NULL},
	        {"describe-eif.payments.json", FORMAT_NITRO_DESCRIBE, NULL},
	        {"describe-enclaves.debug.json", FORMAT_NITRO_ENCLAVES, "Flags: DEBUG_MODE"},
	        {"describe-enclaves.empty.json", FORMAT_UNKNOWN, NULL},
	        {"terminate-enclave.log", FORMAT_UNKNOWN, NULL},
	        {"log.ci-notice-new.txt", FORMAT_BUILD_LOG, NULL},
	        {"log.build-eif.sh.txt", FORMAT_BUILD_LOG, NULL},
	        {"release-table-new.md", FORMAT_BUILD_LOG, NULL},
	};
	struct jval *expected = fixture_json("tests/fixtures/nitro/expected.json");
	const struct jval *cli = jval_get(expected, "cli_outputs");
	const char *payments =
	        fixture_string(jval_get(cli, "describe-eif.payments"), "os_image_hash");
	const char *template = fixture_string(jval_get(expected, "log_variants"), "os_image_hash");
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct measured measured;
		char *path = arena_printf(&arena, "tests/fixtures/nitro/%s", files[i].name);
		struct source source = source_memory(fixture_bytes(&arena, path));
		assert_int_equal(measure_source(&arena, &source,
		                                &(struct measure_how){.name = files[i].name}, NULL,
		                                &measured, NULL),
		                 0);
		assert_int_equal(measured.format, files[i].format);
		if (files[i].refusal != NULL)
			assert_refused(&measured, files[i].refusal);
		else if (measured.format == FORMAT_MEASUREMENTS ||
		         measured.format == FORMAT_BUILD_LOG)
			assert_measured(&measured, files[i].format, template);
		else if (measured.format != FORMAT_UNKNOWN)
			assert_measured(&measured, files[i].format, payments);
		else
			assert_false(measured.refused);
	}
	arena_free(&arena);
	jval_free(expected);
}

static void the_documented_formula_with_hex_text_is_not_ours(void **state)
{
	struct jval *expected = fixture_json("tests/fixtures/nitro/expected.json");
	struct arena arena = {0};

	(void)state;
	const char *wrong = fixture_string(jval_get(expected, "log_variants"),
	                                   "wrong_docs_formula_hash_of_hex_text_newline");
	char *text = arena_printf(&arena, "{%s,\"code_hash\":\"0x%s\"}", PCRS, wrong);
	struct measured measured = read_text(&arena, text, "measurements.json");
	assert_refused(&measured,
	               arena_printf(&arena, "code_hash: 0x%s, but PCR0, PCR1 and PCR2 give " VALUE,
	                            wrong));
	arena_free(&arena);
	jval_free(expected);
}

static void the_template_is_read_in_every_shape(void **state)
{
	static const char *const texts[] = {
	        "{" PCRS ",\"code_hash\":\"" VALUE "\",\"app_id\":\"\"}",
	        "{" PCRS ",\"os_image_hash\":\"" VALUE "\"}",
	        "{" PCRS
	        ",\"os_image_hash\":\"5D6721FC6E2EBC513CADA41C539B60357FB53D40B8D85F44015D09054F"
	        "F5AD35\"}",
	        "{" PCRS "}",
	        "  \n{" PCRS "}\n\n",
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct measured measured = read_text(&arena, texts[i], "x.json");
		assert_measured(&measured, FORMAT_MEASUREMENTS, VALUE);
		assert_non_null(strstr(measured.details, "\"pcr2\":\"" PCR_C "\""));
	}
	arena_free(&arena);
}

static void what_claims_to_be_ours_but_is_broken_is_refused(void **state)
{
	static const char *const cases[][3] = {
	        {"x.json", "{\"PCR0\":\"" PCR_A "\",\"PCR1\":\"" PCR_B "\"}",
	         "PCR2: expected a string of 96 hex digits"},
	        {"x.json", "{\"PCR0\":\"00\",\"PCR1\":\"" PCR_B "\",\"PCR2\":\"" PCR_C "\"}",
	         "PCR0: 2 hex digits, expected 96"},
	        {"x.json", "{\"PCR0\":7}", "PCR0: expected a string"},
	        {"x.json", "{" PCRS ",\"code_hash\":7}",
	         "code_hash: expected a string of 64 hex digits"},
	        {"x.json", "{" PCRS ",\"code_hash\":\"0x12\"}",
	         "code_hash: 2 hex digits, expected 64"},
	        {"x.json",
	         "{\"PCR0\":\"" PCR_ZERO "\",\"PCR1\":\"" PCR_ZERO "\",\"PCR2\":\"" PCR_ZERO "\"}",
	         "the enclave was started in debug mode"},
	        {"x.json", "{\"PCR0\":\"" PCR_A "\",\"PCR0\":\"" PCR_B "\"}", "duplicate"},
	        {"measurements.json", "{\"version\":1}",
	         "PCR0: expected a string of 96 hex digits"},
	        {"Measurements.json", "not JSON", "not valid JSON at line 1"},
	        {"measurements.json", "", "not valid JSON"},
	        {"x.json", "{\"Measurements\":{\"HashAlgorithm\":\"x\",\"PCR0\":\"" PCR_A "\"}}",
	         "Measurements.PCR1: expected a string"},
	        {"x.json", "{\"Measurements\":{" PCRS "},\"CheckCRC\":false}",
	         "CheckCRC: nitro-cli found the image false, expected true"},
	        {"x.json",
	         "{\"Measurements\":{" PCRS "},\"CheckCRC\":true,\"SignatureCheck\":false}",
	         "SignatureCheck: nitro-cli found the image false"},
	        {"x.json", "{\"Measurements\":{" PCRS "},\"CheckCRC\":\"yes\"}",
	         "CheckCRC: nitro-cli"},
	        {"x.log", "Start building\n{\"Measurements\":{\"PCR0\":\"" PCR_A "\",\n",
	         "the JSON is cut off"},
	        {"x.log", "Start\n{\"Measurements\":{\"PCR0\":\"" PCR_A "\",}}\n",
	         "not valid JSON"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct measured measured = read_text(&arena, cases[i][1], cases[i][0]);
		assert_refused(&measured, cases[i][2]);
	}
	arena_free(&arena);
}

static void json_of_others_is_ignored(void **state)
{
	static const char *const texts[] = {
	        "{}",
	        "[]",
	        "null",
	        "7",
	        "\"PCR0\"",
	        "{\"version\":3}",
	        "{\"PCR\":\"" PCR_A "\"}",
	        "{\"Measurements\":[1,2]}",
	        "[{\"name\":\"a\",\"x\":\"PCR0\"}]",
	        "{\"a\":",
	        "\"PCR0\"}}}",
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct measured measured = read_text(&arena, texts[i], "package.json");
		assert_int_equal(measured.format, FORMAT_UNKNOWN);
		assert_false(measured.refused);
	}
	arena_free(&arena);
}

static void a_log_may_hold_json_between_other_lines(void **state)
{
	static const char build[] = "{\n  \"Measurements\": {" PCRS "}\n}\n";
	struct arena arena = {0};

	(void)state;
	char *log =
	        arena_printf(&arena, "[build] {not JSON\n[x]\n  %s[build] Done. {}\nbye\n", build);
	struct measured measured = read_text(&arena, log, "build.log");
	assert_measured(&measured, FORMAT_NITRO_BUILD, VALUE);

	log = arena_printf(&arena, "%sagain\n%s", build, build);
	measured = read_text(&arena, log, "build.log");
	assert_measured(&measured, FORMAT_NITRO_BUILD, VALUE);

	log = arena_printf(&arena, "%sanother\n{\"PCR0\":\"%s\",\"PCR1\":\"%s\",\"PCR2\":\"%s\"}\n",
	                   build, PCR_C, PCR_B, PCR_A);
	measured = read_text(&arena, log, "build.log");
	assert_refused(&measured, "it holds two measurements, " VALUE " and 0x");
	arena_free(&arena);
}

static void running_enclaves_must_agree_and_not_be_debugged(void **state)
{
#define ENCLAVE(flags, pcrs)                                                                       \
	"{\"EnclaveID\":\"i-1\",\"State\":\"RUNNING\",\"Flags\":\"" flags                          \
	"\",\"Measurements\":{" pcrs "}}"
	struct arena arena = {0};

	(void)state;
	struct measured measured = read_text(
	        &arena, "[" ENCLAVE("NONE", PCRS) "," ENCLAVE("NONE", PCRS) "]", "enclaves.json");
	assert_measured(&measured, FORMAT_NITRO_ENCLAVES, VALUE);
	assert_non_null(strstr(measured.details, "\"enclave_id\":\"i-1\""));
	measured = read_text(&arena, "[" ENCLAVE("NONE", PCRS) "," ENCLAVE("DEBUG_MODE", PCRS) "]",
	                     "enclaves.json");
	assert_refused(&measured, "Flags: DEBUG_MODE");
	/* Old versions of nitro-cli show no measurements. */
	measured = read_text(&arena, "[{\"EnclaveID\":\"i-1\",\"Flags\":\"NONE\",\"x\":\"PCR0\"}]",
	                     "enclaves.json");
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	arena_free(&arena);
}

static void pcr8_is_taken_along(void **state)
{
	struct arena arena = {0};

	(void)state;
	struct measured measured =
	        read_text(&arena, "{\"Measurements\":{" PCRS ",\"PCR8\":\"" PCR_B "\"}}", "x.json");
	assert_measured(&measured, FORMAT_NITRO_BUILD, VALUE);
	assert_true(measured.pcrs.has_pcr8);
	assert_memory_equal(measured.pcrs.pcr8, measured.pcrs.pcr1, SHA384_SIZE);
	assert_non_null(strstr(measured.details, "\"pcr8\":\"" PCR_B "\""));
	arena_free(&arena);
}

/* Truncated or damaged text is refused or not ours, never another value. */
static void damage_never_gives_another_value(void **state)
{
	static const char text[] = "{\"Measurements\":{" PCRS "},\"CheckCRC\":true}";
	struct hash32 right;

	(void)state;
	assert_int_equal(hash32_parse(&right, VALUE, NULL), 0);
	for (size_t bit = 0; bit < 8 * (sizeof(text) - 1); bit++) {
		struct arena arena = {0};
		char copy[sizeof(text)];
		memcpy(copy, text, sizeof(text));
		copy[bit / 8] ^= (char)(1 << bit % 8);
		struct measured measured;
		nitro_read(&arena, bytes_of(copy, sizeof(copy) - 1), "x.json", &measured);
		struct hash32 value = pcrs_value(&measured.pcrs);
		assert_true(measured.refused || measured.format == FORMAT_UNKNOWN ||
		            hash32_equal(&measured.value, &value));
		nitro_read(&arena, bytes_of(text, bit / 8), "x.json", &measured);
		assert_true(measured.refused || measured.format == FORMAT_UNKNOWN);
		arena_free(&arena);
	}
}

/* Many lines that could each begin a JSON value must not take time squared. */
static void a_hostile_log_is_given_up(void **state)
{
	struct arena arena = {0};
	struct buf log = {0};

	(void)state;
	while (log.len < NITRO_MAX_TEXT - 100)
		buf_append_text(&log, "{\"PCR0\n");
	struct measured measured;
	nitro_read(&arena, buf_bytes(&log), "x.log", &measured);
	assert_true(measured.refused || measured.format == FORMAT_UNKNOWN);
	buf_append_zeros(&log, 200);
	nitro_read(&arena, buf_bytes(&log), "x.log", &measured);
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	buf_free(&log);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(real_files_give_their_outcome),
	        cmocka_unit_test(the_documented_formula_with_hex_text_is_not_ours),
	        cmocka_unit_test(the_template_is_read_in_every_shape),
	        cmocka_unit_test(what_claims_to_be_ours_but_is_broken_is_refused),
	        cmocka_unit_test(json_of_others_is_ignored),
	        cmocka_unit_test(a_log_may_hold_json_between_other_lines),
	        cmocka_unit_test(running_enclaves_must_agree_and_not_be_debugged),
	        cmocka_unit_test(pcr8_is_taken_along),
	        cmocka_unit_test(damage_never_gives_another_value),
	        cmocka_unit_test(a_hostile_log_is_given_up),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
