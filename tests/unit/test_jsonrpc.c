#include "common/eth/jsonrpc.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;
static struct error error;

static void requests_are_written_as_the_specification_says(void **state)
{
	struct buf out = {0};
	struct jval *params = jval_array();

	(void)state;
	jval_push(params, jsonrpc_new_quantity(0));
	jval_push(params, jsonrpc_new_quantity(UINT64_MAX));
	jval_push(params, jsonrpc_new_hex(bytes_of("\x01\xff", 2)));
	jsonrpc_request(&out, 7, (struct jsonrpc_call){"m", params});
	assert_string_equal(buf_text(&out),
	                    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":"
	                    "[\"0x0\",\"0xffffffffffffffff\",\"0x01ff\"]}");
	buf_free(&out);
}

static int parse(struct jsonrpc_answer *answer, struct jval **document, const char *text)
{
	return jsonrpc_parse(document, answer, &arena, bytes_text(text), 7, &error);
}

static void a_result_is_handed_on(void **state)
{
	struct jsonrpc_answer answer;
	struct jval *document;
	uint64_t number;

	(void)state;
	assert_int_equal(
	        parse(&answer, &document, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x2a\"}"), 0);
	assert_int_equal(jsonrpc_u64(&number, answer.result, NULL), 0);
	assert_int_equal(number, 42);
	jval_free(document);
	/* null is a result: "no such block". Some nodes add an empty error. */
	assert_int_equal(parse(&answer, &document, "{\"id\":7,\"result\":null,\"error\":null}"), 0);
	assert_true(jval_is_null(answer.result));
	jval_free(document);
}

static void a_revert_shows_its_data_wherever_it_stands(void **state)
{
	static const char *const texts[] = {
	        "{\"id\":7,\"error\":{\"code\":3,\"message\":\"execution "
	        "reverted\",\"data\":\"0x1234\"}}",
	        "{\"id\":7,\"error\":{\"code\":-32000,\"message\":\"x\",\"data\":{\"data\":"
	        "\"0x1234\"}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct jsonrpc_answer answer;
		struct jval *document;
		assert_int_equal(parse(&answer, &document, texts[i]), 0);
		assert_null(answer.result);
		assert_true(answer.has_data && answer.reverted);
		assert_true(bytes_equal(answer.data, bytes_of("\x12\x34", 2)));
		jval_free(document);
	}
}

static void errors_say_whether_a_contract_reverted(void **state)
{
	static const struct {
		const char *text;
		bool reverted;
	} cases[] = {
	        {"{\"id\":7,\"error\":{\"code\":3,\"message\":\"execution reverted\"}}", true},
	        {"{\"id\":7,\"error\":{\"code\":3,\"message\":\"execution "
	         "reverted\",\"data\":\"0x\"}}",
	         true},
	        {"{\"id\":7,\"error\":{\"code\":-32000,\"message\":\"execution reverted\"}}", true},
	        {"{\"id\":7,\"error\":{\"code\":-32000,\"message\":\"header not found\"}}", false},
	        {"{\"id\":7,\"error\":{\"code\":-32005,\"message\":\"limit\",\"data\":{\"from\":"
	         "\"0x1\"}}}",
	         false},
	        {"{\"id\":null,\"error\":{\"code\":-32600}}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jsonrpc_answer answer;
		struct jval *document;
		assert_int_equal(parse(&answer, &document, cases[i].text), 0);
		assert_null(answer.result);
		assert_non_null(answer.message);
		assert_int_equal(answer.reverted, cases[i].reverted);
		jval_free(document);
	}
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char *const texts[] = {
	        "",
	        "<html>",
	        "[]",
	        "{}",
	        "null",
	        "{\"id\":8,\"result\":1}",
	        "{\"id\":\"7\",\"result\":1}",
	        "{\"id\":null,\"result\":1}",
	        "{\"id\":7}",
	        "{\"id\":-7,\"result\":1}",
	        "{\"id\":7,\"error\":{}}",
	        "{\"id\":7,\"error\":\"text\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct jsonrpc_answer answer;
		struct jval *document;
		assert_int_equal(parse(&answer, &document, texts[i]), ERR_INVALID);
		assert_null(document);
		assert_null(answer.result);
	}
}

static void values_are_read_strictly(void **state)
{
	static const char *const bad[] = {"\"\"", "\"0x\"", "\"12\"",  "\"0xg\"",
	                                  "12",   "null",   "\"0x1 \""};
	struct bytes data;
	struct hash32 hash;
	struct address address;
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct jval *value;
		assert_int_equal(jval_parse(&value, bytes_text(bad[i]), NULL), 0);
		assert_int_equal(jsonrpc_u64(&number, value, NULL), ERR_INVALID);
		assert_int_equal(jsonrpc_hash32(&hash, value, NULL), ERR_INVALID);
		assert_int_equal(jsonrpc_address(&address, value, NULL), ERR_INVALID);
		if (i != 1)
			assert_int_equal(jsonrpc_hex(&data, &arena, value, NULL), ERR_INVALID);
		jval_free(value);
	}
	assert_int_equal(jsonrpc_u64(&number, NULL, NULL), ERR_INVALID);
	struct jval *value = jval_new_string("0x10000000000000000");
	assert_int_equal(jsonrpc_u64(&number, value, NULL), ERR_LIMIT);
	jval_free(value);
	value = jval_new_string("0x123");
	assert_int_equal(jsonrpc_hex(&data, &arena, value, NULL), ERR_INVALID);
	jval_free(value);
	value = jval_new_string("0x");
	assert_int_equal(jsonrpc_hex(&data, &arena, value, NULL), 0);
	assert_int_equal(data.len, 0);
	jval_free(value);
	value = jval_new_string("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
	assert_int_equal(jsonrpc_address(&address, value, NULL), 0);
	assert_int_equal(address.b[0], 0xf3);
	jval_free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(requests_are_written_as_the_specification_says),
	        cmocka_unit_test(a_result_is_handed_on),
	        cmocka_unit_test(a_revert_shows_its_data_wherever_it_stands),
	        cmocka_unit_test(errors_say_whether_a_contract_reverted),
	        cmocka_unit_test(what_is_no_answer_is_refused),
	        cmocka_unit_test(values_are_read_strictly),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
