#include "common/governance/boot_info.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HASH "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct arena arena;

static int read_text(struct boot_info *info, const char *text, struct error *error)
{
	return boot_info_parse(info, &arena, bytes_text(text), error);
}

/* The calldata that viem and ethers make of the same information. */
static void test_calldata(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_dstack.json");
	const struct jval *list = jval_get(file, "calls");
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *item = jval_at(list, i);
		const char *function = fixture_string(item, "function");
		struct boot_info info;
		struct error error;
		for (enum boot_role role = BOOT_ROLE_APP; role <= BOOT_ROLE_KMS; role++) {
			struct buf data = {0};
			if (strcmp(function, boot_call_name(role)) != 0)
				continue;
			found++;
			assert_int_equal(boot_info_read(&info, &arena,
			                                jval_at(jval_get(item, "args"), 0), &error),
			                 0);
			assert_int_equal(info.missing, 0);
			boot_encode(&data, role, &info);
			assert_true(bytes_equal(buf_bytes(&data),
			                        fixture_hex(&arena, item, "calldata")));
			buf_free(&data);
		}
	}
	assert_int_equal(found, 2);
	jval_free(file);
}

static void test_selectors(void **state)
{
	const char *const signatures[] = {
	        [BOOT_ROLE_APP] = "isAppAllowed((address,bytes32,address,bytes32,bytes32,bytes32,"
	                          "bytes32,string,string[]))",
	        [BOOT_ROLE_KMS] = "isKmsAllowed((address,bytes32,address,bytes32,bytes32,bytes32,"
	                          "bytes32,string,string[]))",
	};
	struct boot_info info = {.tcb_status = ""};

	(void)state;
	for (enum boot_role role = BOOT_ROLE_APP; role <= BOOT_ROLE_KMS; role++) {
		uint8_t selector[ABI_SELECTOR];
		struct buf data = {0};
		abi_selector(selector, signatures[role]);
		boot_encode(&data, role, &info);
		assert_memory_equal(data.data, selector, sizeof(selector));
		buf_free(&data);
	}
}

static void test_answers(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_dstack.json");
	const struct jval *item = jval_at(jval_get(file, "returns"), 0);
	struct bytes returned = fixture_hex(&arena, item, "bytes");
	const char *reason;
	bool allowed = true;

	(void)state;
	assert_int_equal(boot_decode(&allowed, &reason, &arena, returned), 0);
	assert_false(allowed);
	assert_string_equal(reason, "Compose hash not allowed");
	/* Cut anywhere, or empty as of a contract without the function: no answer. */
	for (size_t len = 0; len + 32 <= returned.len; len++) {
		allowed = true;
		assert_int_equal(
		        boot_decode(&allowed, &reason, &arena, bytes_of(returned.data, len)),
		        ERR_INVALID);
		assert_false(allowed);
		assert_string_equal(reason, "");
	}
	uint8_t yes[96] = {[31] = 1, [63] = 0x40};
	assert_int_equal(boot_decode(&allowed, &reason, &arena, bytes_of(yes, sizeof(yes))), 0);
	assert_true(allowed);
	yes[31] = 2; /* no bool */
	assert_int_equal(boot_decode(&allowed, &reason, &arena, bytes_of(yes, sizeof(yes))),
	                 ERR_INVALID);
	jval_free(file);
}

#define REST                                                                                       \
	"\"instanceId\":\"\",\"deviceId\":\"" HASH "\",\"mrAggregated\":\"0x" HASH                 \
	"\",\"mrSystem\":\"\",\"osImageHash\":\"" HASH "\",\"tcbStatus\":\"UpToDate\""

static void test_both_spellings(void **state)
{
	struct boot_info camel, snake, again;
	struct error error;
	struct buf text = {0};

	(void)state;
	assert_int_equal(read_text(&camel,
	                           "{\"appId\":\"0x1234567890abcdef1234567890abcdef12345678\","
	                           "\"composeHash\":\"0x" HASH "\",\"keyProviderInfo\":{},"
	                           "\"advisoryIds\":[\"A\",\"B\"]," REST "}",
	                           &error),
	                 0);
	assert_int_equal(read_text(&snake,
	                           "{\"app_id\":\"1234567890ABCDEF1234567890abcdef12345678\","
	                           "\"compose_hash\":\"" HASH
	                           "\",\"instance_id\":\"\",\"device_id\":\"" HASH
	                           "\",\"mr_aggregated\":\"" HASH "\",\"mr_system\":\"" ZEROS
	                           "\",\"os_image_hash\":\"" HASH
	                           "\",\"tcb_status\":\"UpToDate\",\"advisory_ids\":[\"A\",\"B\"]}",
	                           &error),
	                 0);
	struct buf one = {0}, two = {0};
	boot_encode(&one, BOOT_ROLE_APP, &camel);
	boot_encode(&two, BOOT_ROLE_APP, &snake);
	assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	struct jval *json = boot_info_json(&camel);
	jval_write(&text, json, JVAL_COMPACT);
	assert_int_equal(read_text(&again, buf_text(&text), &error), 0);
	buf_clear(&two);
	boot_encode(&two, BOOT_ROLE_APP, &again);
	assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	jval_free(json);
	buf_free(&text);
	buf_free(&one);
	buf_free(&two);
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *said;
	} wrong[] = {
	        {"", "JSON"},
	        {"[]", "expected a JSON object"},
	        {"{}", "missing: appId, composeHash, instanceId, deviceId"},
	        {"{\"appId\":\"0x12\"}", "field appId: expected 40 hex digits"},
	        {"{\"appId\":12}", "field appId: expected 40 hex digits"},
	        {"{\"app_id\":\"\",\"appId\":\"\"}", "fields appId and app_id: expected one"},
	        {"{\"composeHash\":\"" HASH "00\"}", "field composeHash: expected 64 hex digits"},
	        {"{\"deviceId\":\"xx" ZEROS "\"}", "field deviceId"},
	        {"{\"tcbStatus\":null}", "field tcbStatus: expected a text"},
	        {"{\"advisoryIds\":\"A\"}", "field advisoryIds: expected an array"},
	        {"{\"advisoryIds\":[1]}", "field advisoryIds: expected an array"},
	        {"{\"appId\":\"\",\"composeHash\":\"\"," REST ",\"mrSystem\":\"\"}", "uplicate"},
	        {"{\"appId\":\"\"," REST "}", "missing: composeHash"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct boot_info info;
		struct error error = {0};
		assert_int_equal(read_text(&info, wrong[i].text, &error), ERR_INVALID);
		if (strstr(error.text, wrong[i].said) == NULL)
			fail_msg("%s: \"%s\" is not in: %s", wrong[i].text, wrong[i].said,
			         error.text);
	}
}

static void test_bounds(void **state)
{
	struct jval *object = jval_object(), *list = jval_array();
	struct boot_info info;
	struct error error;

	(void)state;
	for (int i = 0; i <= BOOT_MAX_ADVISORIES; i++)
		jval_push(list, jval_new_string("INTEL-SA-00001"));
	jval_add(object, "advisoryIds", list);
	assert_int_equal(boot_info_read(&info, &arena, object, &error), ERR_INVALID);
	jval_free(object);
	object = jval_object();
	assert_int_equal(boot_info_read(&info, &arena, object, &error), 0);
	assert_int_equal(info.missing, 511);
	assert_string_equal(info.tcb_status, "");
	jval_free(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_calldata),
	        cmocka_unit_test(test_selectors),
	        cmocka_unit_test(test_answers),
	        cmocka_unit_test(test_both_spellings),
	        cmocka_unit_test(test_what_is_wrong_is_named),
	        cmocka_unit_test(test_bounds),
	};
	crypto_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
