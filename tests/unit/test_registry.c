#include "common/governance/registry.h"
#include "common/eth/abi.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct jval *selectors;

static const struct jval *published_function(const char *contract, const char *signature)
{
	const struct jval *functions = jval_get(jval_get(selectors, contract), "functions");

	for (size_t i = 0; i < jval_count(functions); i++) {
		const struct jval *function = jval_at(functions, i);
		if (strcmp(fixture_string(function, "signature"), signature) == 0)
			return function;
	}
	return NULL;
}

/* Derived from the text beside it, and published with the same value in both generations. */
static void check_selector(enum contract_role role, const char *signature, const uint8_t *selector)
{
	static const char *const contracts[][2] = {
	        [CONTRACT_KMS] = {"DstackKms_master", "DstackKms_v0_5_11"},
	        [CONTRACT_APP] = {"DstackApp_master", "DstackApp_v0_5_11"},
	};
	uint8_t derived[ABI_SELECTOR], published[ABI_SELECTOR];

	abi_selector(derived, signature);
	assert_memory_equal(derived, selector, ABI_SELECTOR);
	for (size_t i = 0; i < 2; i++) {
		const struct jval *function = published_function(contracts[role][i], signature);
		if (function == NULL)
			fail_msg("%s has no %s", contracts[role][i], signature);
		fixture_fixed(published, sizeof(published), function, "selector");
		assert_memory_equal(published, selector, ABI_SELECTOR);
	}
}

static void test_every_selector_is_derived_and_published(void **state)
{
	uint8_t derived[ABI_SELECTOR], wrong_name[ABI_SELECTOR];

	(void)state;
	for (int k = KIND_OS_IMAGE; k <= KIND_LAST; k++) {
		enum kind kind = (enum kind)k;
		for (int action = ACTION_ADD; action <= ACTION_REMOVE; action++)
			check_selector(kind_contract(kind),
			               kind_signature(kind, (enum action)action),
			               kind_selector(kind, (enum action)action));
		check_selector(kind_contract(kind), kind_getter_signature(kind),
		               kind_getter_selector(kind));
	}
	abi_selector(derived, IS_AUTHORIZED_SIGNATURE);
	assert_memory_equal(derived, is_authorized_selector, ABI_SELECTOR);
	const struct jval *published =
	        published_function("docs_wrong_names", IS_AUTHORIZED_SIGNATURE);
	fixture_fixed(wrong_name, sizeof(wrong_name), published, "selector");
	assert_memory_equal(wrong_name, is_authorized_selector, ABI_SELECTOR);
}

static void test_argument_names_are_the_events_names(void **state)
{
	const struct jval *kms = jval_get(jval_get(selectors, "DstackKms_master"), "events");
	const struct jval *app = jval_get(jval_get(selectors, "DstackApp_master"), "events");

	(void)state;
	for (int k = KIND_OS_IMAGE; k <= KIND_LAST; k++) {
		char event[64], parameter[64];
		const struct jval *events = kind_contract((enum kind)k) == CONTRACT_KMS ? kms : app;
		const char *adds = kind_signature((enum kind)k, ACTION_ADD);
		bool found = false;
		snprintf(event, sizeof(event), "%.*sAdded(bytes32)", (int)strcspn(adds + 3, "("),
		         adds + 3);
		snprintf(parameter, sizeof(parameter), "bytes32 %s", kind_argument((enum kind)k));
		for (size_t i = 0; i < jval_count(events); i++) {
			const struct jval *item = jval_at(events, i);
			if (strcmp(fixture_string(item, "signature"), event) != 0)
				continue;
			assert_string_equal(jval_string(jval_at(jval_get(item, "params"), 0)),
			                    parameter);
			found = true;
		}
		assert_true(found);
	}
}

static void test_calls_round_trip(void **state)
{
	(void)state;
	for (int k = KIND_OS_IMAGE; k <= KIND_LAST; k++) {
		for (int a = ACTION_ADD; a <= ACTION_REMOVE; a++) {
			struct hash32 value, decoded;
			uint8_t call[REGISTRY_CALL_SIZE + 1];
			enum kind kind;
			enum action action;
			memset(value.b, 0x10 + k, sizeof(value.b));
			registry_encode_call(call, (enum kind)k, (enum action)a, &value);
			enum contract_role role = kind_contract((enum kind)k);
			enum contract_role other =
			        role == CONTRACT_KMS ? CONTRACT_APP : CONTRACT_KMS;
			struct bytes exact = bytes_of(call, REGISTRY_CALL_SIZE);
			assert_int_equal(
			        registry_decode_call(&kind, &action, &decoded, exact, role), 0);
			assert_int_equal(kind, k);
			assert_int_equal(action, a);
			assert_true(hash32_equal(&decoded, &value));
			assert_int_equal(
			        registry_decode_call(&kind, &action, &decoded, exact, other),
			        ERR_NOT_FOUND);
			assert_true(hash32_is_zero(&decoded) && kind == 0 && action == 0);
			for (size_t len = 0; len <= sizeof(call); len++) {
				if (len != REGISTRY_CALL_SIZE)
					assert_int_equal(
					        registry_decode_call(&kind, &action, &decoded,
					                             bytes_of(call, len), role),
					        ERR_NOT_FOUND);
			}
		}
	}
}

static void test_answers(void **state)
{
	uint8_t word[64] = {0};

	(void)state;
	assert_int_equal(check_answer_parse(bytes_of(word, 32)), CHECK_NO);
	word[31] = 1;
	assert_int_equal(check_answer_parse(bytes_of(word, 32)), CHECK_YES);
	assert_int_equal(check_answer_parse(bytes_of(word, 64)), CHECK_UNKNOWN);
	assert_int_equal(check_answer_parse(bytes_of(word, 31)), CHECK_UNKNOWN);
	assert_int_equal(check_answer_parse(bytes_of(NULL, 0)), CHECK_UNKNOWN);
	word[31] = 2;
	assert_int_equal(check_answer_parse(bytes_of(word, 32)), CHECK_UNKNOWN);
	word[31] = 1;
	for (size_t i = 0; i < 31; i++) {
		word[i] = 0x80;
		assert_int_equal(check_answer_parse(bytes_of(word, 32)), CHECK_UNKNOWN);
		word[i] = 0;
	}
}

static void test_names(void **state)
{
	enum kind kind;
	struct error error = {0};

	(void)state;
	for (int k = KIND_OS_IMAGE; k <= KIND_LAST; k++) {
		assert_int_equal(kind_parse(&kind, kind_name((enum kind)k), &error), 0);
		assert_int_equal(kind, k);
	}
	assert_int_equal(kind_parse(&kind, "os_image", &error), ERR_INVALID);
	assert_int_equal(kind, 0);
	assert_string_equal(action_name(ACTION_ADD), "add");
	assert_string_equal(action_name(ACTION_REMOVE), "remove");
	assert_int_equal(KIND_DEVICE, 5); /* stored for ever */
	assert_true(kind_has_is_authorized(KIND_OS_IMAGE) && kind_has_is_authorized(KIND_COMPOSE));
	assert_false(kind_has_is_authorized(KIND_KMS_MR) || kind_has_is_authorized(KIND_DEVICE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_selector_is_derived_and_published),
	        cmocka_unit_test(test_argument_names_are_the_events_names),
	        cmocka_unit_test(test_calls_round_trip),
	        cmocka_unit_test(test_answers),
	        cmocka_unit_test(test_names),
	};
	selectors = fixture_json("tests/fixtures/governance/selectors.json");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	jval_free(selectors);
	return failed;
}
