#include "common/eth/revert.h"
#include "common/eth/abi.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static const char *text_of(const char *hex)
{
	return revert_text(&arena, fixture_unhex(&arena, hex));
}

/* The name of the error and every one of its address and string arguments must be in the text. */
static void check_case(const struct jval *item)
{
	const struct jval *decoded = jval_get(item, "decoded");
	const char *signature = jval_get_string(decoded, "signature");
	const char *string = jval_get_string(decoded, "string");
	struct bytes data = fixture_hex(&arena, item, "data");
	const char *text = revert_text(&arena, data);

	if (signature == NULL) {
		assert_string_equal(text, "reverted without a reason");
		assert_null(revert_signature(data));
		return;
	}
	assert_string_equal(revert_signature(data), signature);
	if (string != NULL) {
		assert_int_equal(strncmp(text, string, strlen(string)), 0);
		return;
	}
	size_t name = strcspn(signature, "(");
	assert_int_equal(strncmp(text, signature, name + 1), 0);
	const struct jval *words = jval_get(decoded, "words");
	for (size_t i = 0; i < jval_count(words); i++) {
		struct address address;
		char lower[ADDRESS_TEXT_SIZE], shown[ADDRESS_TEXT_SIZE];
		const char *word = jval_string(jval_at(words, i));
		if (strstr(signature, "(address") == NULL || i > 0)
			continue;
		memcpy(lower, "0x", 3);
		memcpy(lower + 2, word + 26, 41);
		assert_int_equal(address_parse(&address, lower, NULL), 0);
		assert_non_null(strstr(text, address_text(shown, &address)));
	}
}

static void every_recorded_revert_is_understood(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/revert_data.json");
	const struct jval *cases = jval_get(file, "cases");

	(void)state;
	assert_true(jval_count(cases) > 40);
	for (size_t i = 0; i < jval_count(cases); i++)
		check_case(jval_at(cases, i));
	jval_free(file);
}

static void every_known_selector_is_its_signature_s(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/error_selectors.json");

	(void)state;
	for (size_t i = 0; i < jval_count(file); i++) {
		const char *signature = fixture_string(jval_at(file, i), "signature");
		struct bytes selector = fixture_hex(&arena, jval_at(file, i), "selector");
		uint8_t derived[ABI_SELECTOR];

		abi_selector(derived, signature);
		assert_memory_equal(derived, selector.data, ABI_SELECTOR);
		assert_non_null(revert_signature(selector));
		assert_string_equal(revert_signature(selector), signature);
	}
	jval_free(file);
}

static void texts_say_what_it_means(void **state)
{
	(void)state;
	assert_string_equal(
	        text_of("0x118cdaa70000000000000000000000009965507d1a55bcc2695c58ba16fb37d819b0a4d"
	                "c"),
	        "OwnableUnauthorizedAccount(0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc): "
	        "this caller is not the contract's owner");
	assert_string_equal(
	        text_of("0xe2517d3f00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8"
	                "b09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1"),
	        "AccessControlUnauthorizedAccount(0x70997970C51812dc3A010C7d01b50e0d17dc79C8, "
	        "PROPOSER_ROLE): this account lacks the role");
	assert_string_equal(
	        text_of("0x543366090000000000000000000000000000000000000000000000000000000000000e0f"
	                "0000000000000000000000000000000000000000000000000000000000000e10"),
	        "TimelockInsufficientDelay(3599, 3600): the delay asked for (first, seconds) is "
	        "below the timelock's minimum (second)");
	assert_non_null(strstr(
	        text_of("0x5ead8eb5ac1ad48d45b88c698aaf0545fb18c0f366093618fa5ee4ce39b940f50a0fed6e"
	                "0000000000000000000000000000000000000000000000000000000000000004"),
	        ": this operation is not ready"));
	assert_non_null(
	        strstr(text_of("0x08c379a0"
	                       "0000000000000000000000000000000000000000000000000000000000000020"
	                       "0000000000000000000000000000000000000000000000000000000000000005"
	                       "4753303133000000000000000000000000000000000000000000000000000000"),
	               "GS013: the Safe's inner call reverted"));
	assert_string_equal(
	        text_of("0x08c379a0"
	                "0000000000000000000000000000000000000000000000000000000000000020"
	                "0000000000000000000000000000000000000000000000000000000000000013"
	                "5472616e73616374696f6e206578706972656400000000000000000000000000"),
	        "Transaction expired: skipExpired() passes over it");
	assert_string_equal(text_of("0x4e487b710000000000000000000000000000000000000000000000000000"
	                            "000000000011"),
	                    "Panic(0x11): arithmetic overflow");
}

static void odd_data_is_shown_as_it_is(void **state)
{
	(void)state;
	assert_string_equal(text_of("0x01"), "unknown revert data 0x01");
	assert_string_equal(text_of("0xdeadbeef00"), "unknown revert data 0xdeadbeef00");
	/* Error(string) whose length lies. */
	assert_non_null(
	        strstr(text_of("0x08c379a0"
	                       "0000000000000000000000000000000000000000000000000000000000000020"
	                       "00000000000000000000000000000000000000000000000000000000ffffffff"),
	               "unknown revert data 0x08c379a0"));
	/* The right selector with half an argument, with one too many, with dirty padding. */
	assert_string_equal(text_of("0x118cdaa70000"), "unknown revert data 0x118cdaa70000");
	assert_string_equal(text_of("0xd6bda27500"), "unknown revert data 0xd6bda27500");
	assert_non_null(strstr(text_of("0x118cdaa70100000000000000000000009965507d1a55bcc2695c58ba1"
	                               "6fb37d819b0a4dc"),
	                       "unknown revert data"));
}

static void outside_text_cannot_forge_lines(void **state)
{
	const char *text =
	        text_of("0x08c379a0"
	                "0000000000000000000000000000000000000000000000000000000000000020"
	                "0000000000000000000000000000000000000000000000000000000000000003"
	                "610a1b0000000000000000000000000000000000000000000000000000000000");

	(void)state;
	assert_string_equal(text, "a\\x0a\\x1b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_recorded_revert_is_understood),
	        cmocka_unit_test(every_known_selector_is_its_signature_s),
	        cmocka_unit_test(texts_say_what_it_means),
	        cmocka_unit_test(odd_data_is_shown_as_it_is),
	        cmocka_unit_test(outside_text_cannot_forge_lines),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
