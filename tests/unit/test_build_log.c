#include "common/measure/build_log.h"

#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define HASH "5d6721fc6e2ebc513cada41c539b60357fb53d40b8d85f44015d09054ff5ad35"
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
	"00000000"
#define THREE "PCR0: " PCR_A "\nPCR1: " PCR_B "\nPCR2: " PCR_C "\n"

static struct build_log read_text(struct arena *arena, const char *text)
{
	struct build_log log;

	build_log_read(arena, bytes_text(text), &log);
	return log;
}

static void assert_value(const struct build_log *log, const char *hex)
{
	struct hash32 want;

	assert_true(log->found);
	if (log->refusal != NULL)
		fail_msg("refused: %s", log->refusal);
	assert_int_equal(hash32_parse(&want, hex, NULL), 0);
	assert_true(log->has_value);
	assert_true(hash32_equal(&log->value, &want));
}

static void assert_refused(const struct build_log *log, const char *reason)
{
	assert_true(log->found);
	assert_non_null(log->refusal);
	if (strstr(log->refusal, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", log->refusal, reason);
}

static void every_log_of_the_scripts_gives_its_value(void **state)
{
	static const struct {
		const char *name;
		bool pcrs, stated;
	} cases[] = {
	        {"log.build-eif.sh.txt", true, true},   {"log.ci-notice-new.txt", false, true},
	        {"log.ci-notice-old.txt", false, true}, {"log.guide.txt", true, true},
	        {"log.remote_run.txt", true, false},    {"log.show-mrs.txt", true, true},
	        {"release-table-new.md", true, true},   {"release-table-old.md", true, true},
	};
	struct arena arena = {0};
	struct jval *expected = fixture_json("tests/fixtures/nitro/expected.json");
	const struct jval *want = jval_get(expected, "log_variants");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct build_log log;
		uint8_t pcr0[SHA384_SIZE];
		char *path = arena_printf(&arena, "tests/fixtures/nitro/%s", cases[i].name);
		build_log_read(&arena, fixture_bytes(&arena, path), &log);
		assert_value(&log, fixture_string(want, "os_image_hash"));
		assert_int_equal(log.has_pcrs, cases[i].pcrs);
		assert_int_equal(log.has_stated, cases[i].stated);
		fixture_fixed(pcr0, sizeof(pcr0), want, "PCR0");
		if (cases[i].pcrs)
			assert_memory_equal(log.pcrs.pcr0, pcr0, sizeof(pcr0));
	}
	jval_free(expected);
	arena_free(&arena);
}

static void the_hash_of_the_public_guide_is_wrong(void **state)
{
	struct arena arena = {0};
	struct jval *expected = fixture_json("tests/fixtures/nitro/expected.json");

	(void)state;
	const char *wrong = fixture_string(jval_get(expected, "log_variants"),
	                                   "wrong_docs_formula_hash_of_hex_text_newline");
	struct build_log log =
	        read_text(&arena, arena_printf(&arena, THREE "OS_IMAGE_HASH: %s\n", wrong));
	assert_refused(&log, "but PCR0, PCR1 and PCR2 give 0x" HASH);
	jval_free(expected);
	arena_free(&arena);
}

static void spellings_do_not_matter(void **state)
{
	static const char *const texts[] = {
	        THREE,
	        "\t  PCR0: 0x" PCR_A "\r\nPCR1 = " PCR_B "\r\n  PCR2:" PCR_C,
	        "2026-01-31T10:00:00.1234567Z ::notice::OS_IMAGE_HASH = 0x" HASH "\n",
	        "2026-01-31T10:00:00Z ##[notice]CODE_HASH (OS_IMAGE_HASH) = 0x" HASH "\n",
	        "::notice::OS_IMAGE_HASH = "
	        "0X5D6721FC6E2EBC513CADA41C539B60357FB53D40B8D85F44015D09054FF5AD35",
	        THREE THREE "CODE_HASH: " HASH "\n| **OS_IMAGE_HASH** | `0x" HASH "` |\n",
	        THREE "PCR3: 1234\nPCR0: <the hash>\nOS_IMAGE_HASH: see above\n",
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct build_log log = read_text(&arena, texts[i]);
		assert_value(&log, HASH);
	}
	arena_free(&arena);
}

static void contradictions_and_gaps_are_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
	        {"PCR0: " PCR_A "\nPCR1: " PCR_B "\n", "PCR2 is missing"},
	        {"PCR8: " PCR_A "\n", "PCR0 is missing"},
	        {THREE "PCR1: " PCR_C "\n", "line 4: PCR1: another value than before"},
	        {"OS_IMAGE_HASH: " HASH "\nx\nCODE_HASH: 0x" HASH "00\n", "line 3: CODE_HASH: "},
	        {"PCR0: " PCR_ZERO "\nPCR1: " PCR_B "\nPCR2: " PCR_C "\n", "debug mode"},
	        {"PCR0: abcdef0123456789\n", "line 1: PCR0: "},
	        {"OS_IMAGE_HASH: 00000000000000000000000000000000000000000000000000000000"
	         "00000000\n",
	         "OS_IMAGE_HASH is zero"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct build_log log = read_text(&arena, cases[i].text);
		assert_refused(&log, cases[i].reason);
		assert_false(log.has_value && log.refusal == NULL);
	}
	arena_free(&arena);
}

static void other_texts_are_not_ours(void **state)
{
	static const char *const texts[] = {
	        "",
	        "\n\n\n",
	        "PCR0",
	        "PCR0:",
	        "PCR0: ",
	        "PCR0: <hash>\nPCR1: <hash>\nOS_IMAGE_HASH: <hash>\n",
	        "see PCR0: " PCR_A "\n",
	        "\"PCR0\": \"" PCR_A "\",\n",
	        "XPCR0: " PCR_A "\n",
	        "PCR0 " PCR_A "\n",
	        "PCR0: " PCR_A " and more\n",
	        "OS_IMAGE_HASH=deadbee\n",
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(read_text(&arena, texts[i]).found);
	arena_free(&arena);
}

static void json_files_of_the_same_build_have_no_such_lines(void **state)
{
	static const char *const names[] = {"build-enclave.payments.stdout.json",
	                                    "build-enclave.payments.mixed.log",
	                                    "describe-eif.payments.json", "terminate-enclave.log"};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct build_log log;
		char *path = arena_printf(&arena, "tests/fixtures/nitro/%s", names[i]);
		build_log_read(&arena, fixture_bytes(&arena, path), &log);
		assert_false(log.found);
	}
	arena_free(&arena);
}

static void no_changed_digit_goes_unnoticed(void **state)
{
	struct arena arena = {0};
	struct bytes text = fixture_bytes(&arena, "tests/fixtures/nitro/log.build-eif.sh.txt");
	uint8_t *bytes = arena_alloc(&arena, text.len);

	(void)state;
	memcpy(bytes, text.data, text.len);
	for (size_t i = 0; i < text.len; i++) {
		struct arena scratch = {0};
		struct build_log log;
		bytes[i] ^= 1;
		build_log_read(&scratch, bytes_of(bytes, text.len), &log);
		if (log.has_value && log.refusal == NULL) {
			struct hash32 want;
			assert_int_equal(hash32_parse(&want, HASH, NULL), 0);
			assert_true(hash32_equal(&want, &log.value));
		}
		bytes[i] = text.data[i];
		arena_free(&scratch);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_log_of_the_scripts_gives_its_value),
	        cmocka_unit_test(the_hash_of_the_public_guide_is_wrong),
	        cmocka_unit_test(spellings_do_not_matter),
	        cmocka_unit_test(contradictions_and_gaps_are_refused),
	        cmocka_unit_test(other_texts_are_not_ours),
	        cmocka_unit_test(json_files_of_the_same_build_have_no_such_lines),
	        cmocka_unit_test(no_changed_digit_goes_unnoticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
