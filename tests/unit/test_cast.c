#include "common/governance/cast.h"
#include "common/governance/delay.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(&address, text, NULL), 0);
	return address;
}

/* The signature and the arguments of this calldata are those of a line of `cast calldata`. */
static void expect_arguments(struct bytes data, const char *expected)
{
	static const char command[] = "cast calldata ";
	struct contract_call call = {.data = data};
	struct buf line = {0};

	assert_int_equal(strncmp(expected, command, strlen(command)), 0);
	cast_send(&line, &call, NULL);
	assert_string_equal(buf_text(&line),
	                    arena_printf(&arena, "cast send 0x%040d %s --from \"$OWNER\"", 0,
	                                 expected + strlen(command)));
	buf_free(&line);
}

/* Lines that cast 1.7.1 itself turned into the calldata beside them. */
static void test_lines_that_cast_read(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/cast.json");

	(void)state;
	assert_true(jval_count(file) >= 5);
	for (size_t i = 0; i < jval_count(file); i++) {
		const struct jval *item = jval_at(file, i);
		expect_arguments(fixture_hex(&arena, item, "calldata"),
		                 fixture_string(item, "line"));
	}
	jval_free(file);
}

static void test_send(void **state)
{
	uint8_t data[REGISTRY_CALL_SIZE];
	struct hash32 value;
	struct address owner = address_of("0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B");
	struct contract_call call = {.to = address_of("0x67d269191c92Caf3cD7723F116c85e6E9bf55933"),
	                             .data = bytes_of(data, sizeof(data))};
	struct buf line = {0};

	(void)state;
	memset(value.b, 0xa1, sizeof(value.b));
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_REMOVE, &value);
	cast_send(&line, &call, &owner);
	assert_string_equal(buf_text(&line),
	                    "cast send 0x67d269191c92Caf3cD7723F116c85e6E9bf55933 "
	                    "\"removeOsImageHash(bytes32)\" "
	                    "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 "
	                    "--from 0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B");
	buf_free(&line);
}

static void test_single_operation(void **state)
{
	const struct contract_call call = {
	        .to = address_of("0x67d269191c92Caf3cD7723F116c85e6E9bf55933"),
	        .data = bytes_text("abcd")};
	const struct timelock_batch single = {.calls = &call, .count = 1, .single = true};
	struct buf data = {0}, line = {0};

	(void)state;
	timelock_encode_schedule(&data, &single, 60);
	expect_arguments(
	        buf_bytes(&data),
	        "cast calldata \"schedule(address,uint256,bytes,bytes32,bytes32,uint256)\" "
	        "0x67d269191c92Caf3cD7723F116c85e6E9bf55933 0 0x61626364 "
	        "0x0000000000000000000000000000000000000000000000000000000000000000 "
	        "0x0000000000000000000000000000000000000000000000000000000000000000 60");
	buf_clear(&data);
	timelock_encode_execute(&data, &single);
	cast_send(&line, &(struct contract_call){.data = buf_bytes(&data)}, NULL);
	assert_non_null(
	        strstr(buf_text(&line), "\"execute(address,uint256,bytes,bytes32,bytes32)\""));
	buf_free(&data);
	buf_free(&line);
}

static void expect_line(struct buf *data, const char *expected)
{
	expect_arguments(buf_bytes(data), expected);
	buf_clear(data);
}

static void test_delay_module(void **state)
{
	const struct delay_entry entry = {
	        .to = address_of("0x67d269191c92Caf3cD7723F116c85e6E9bf55933"),
	        .data = bytes_text("abcd"),
	        .operation = DELAY_DELEGATECALL};
	struct buf data = {0};

	(void)state;
	delay_encode_enqueue(&data, &entry);
	expect_line(&data, "cast calldata "
	                   "\"execTransactionFromModule(address,uint256,bytes,uint8)\" "
	                   "0x67d269191c92Caf3cD7723F116c85e6E9bf55933 0 0x61626364 1");
	delay_encode_execute(&data, &entry);
	expect_line(&data, "cast calldata \"executeNextTx(address,uint256,bytes,uint8)\" "
	                   "0x67d269191c92Caf3cD7723F116c85e6E9bf55933 0 0x61626364 1");
	delay_encode_skip_expired(&data);
	expect_line(&data, "cast calldata \"skipExpired()\"");
	delay_encode_set_nonce(&data, 7);
	expect_line(&data, "cast calldata \"setTxNonce(uint256)\" 7");
	buf_free(&data);
}

static void test_send_of_an_unknown_call(void **state)
{
	struct contract_call call = {.to = address_of("0x67d269191c92Caf3cD7723F116c85e6E9bf55933"),
	                             .value = u256_from(7),
	                             .data = bytes_text("abcd")};
	struct buf line = {0};

	(void)state;
	cast_send(&line, &call, NULL);
	assert_string_equal(buf_text(&line), "cast send 0x67d269191c92Caf3cD7723F116c85e6E9bf55933 "
	                                     "0x61626364 --value 7 --from \"$OWNER\"");
	buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_lines_that_cast_read),    cmocka_unit_test(test_send),
	        cmocka_unit_test(test_single_operation),        cmocka_unit_test(test_delay_module),
	        cmocka_unit_test(test_send_of_an_unknown_call),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
