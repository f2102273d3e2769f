#include "common/governance/multisend.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static size_t read_calls(struct contract_call *calls, const struct jval *list)
{
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *item = jval_at(list, i);
		assert_int_equal(fixture_int(item, "operation"), 0);
		assert_int_equal(address_parse(&calls[i].to, fixture_string(item, "to"), NULL), 0);
		assert_int_equal(u256_parse(&calls[i].value, fixture_string(item, "value"), NULL),
		                 0);
		calls[i].data = fixture_hex(&arena, item, "data");
	}
	return jval_count(list);
}

static void check_same(const struct contract_call *a, const struct contract_call *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(address_equal(&a[i].to, &b[i].to));
		assert_int_equal(u256_compare(&a[i].value, &b[i].value), 0);
		assert_true(bytes_equal(a[i].data, b[i].data));
	}
}

static void test_vectors(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/multisend.json");
	const struct jval *cases = jval_get(file, "cases");

	(void)state;
	assert_int_equal(jval_count(cases), 8);
	for (size_t i = 0; i < jval_count(cases); i++) {
		struct contract_call calls[16], *decoded;
		struct bytes expected =
		        fixture_hex(&arena, jval_at(cases, i), "multiSend_calldata");
		struct buf out = {0};
		size_t count = read_calls(calls, jval_get(jval_at(cases, i), "txs")), decoded_count;
		multisend_encode(&out, calls, count);
		assert_true(bytes_equal(buf_bytes(&out), expected));
		assert_int_equal(multisend_decode(&arena, &decoded, &decoded_count, expected, NULL),
		                 0);
		assert_int_equal(decoded_count, count);
		check_same(calls, decoded, count);
		buf_free(&out);
	}
	jval_free(file);
}

/* Whatever is accepted is exactly what the encoder writes; everything else is refused. */
static void test_decode_is_strict(void **state)
{
	const struct contract_call calls[2] = {{.to = {{1}}, .data = bytes_text("abc")},
	                                       {.to = {{2}}, .data = bytes_text("defg")}};
	struct buf calldata = {0}, again = {0};
	struct contract_call *decoded;
	struct error error = {0};
	size_t count, inner = 4 + 32 + 32;

	(void)state;
	multisend_encode(&calldata, calls, 2);
	for (size_t len = 0; len < calldata.len; len++)
		assert_int_not_equal(multisend_decode(&arena, &decoded, &count,
		                                      bytes_of(calldata.data, len), NULL),
		                     0);
	for (size_t bit = 0; bit < 8 * calldata.len; bit++) {
		calldata.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (multisend_decode(&arena, &decoded, &count, buf_bytes(&calldata), NULL) == 0) {
			buf_clear(&again);
			multisend_encode(&again, decoded, count);
			assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&calldata)));
		} else {
			assert_true(decoded == NULL && count == 0);
		}
		calldata.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	calldata.data[inner] = 1; /* a delegatecall inside */
	assert_int_equal(multisend_decode(&arena, &decoded, &count, buf_bytes(&calldata), &error),
	                 ERR_INVALID);
	assert_non_null(strstr(error.text, "operation 1"));
	buf_free(&calldata);
	buf_free(&again);
}

static void test_too_many(void **state)
{
	struct contract_call *calls = arena_array(&arena, MULTISEND_MAX_CALLS + 1, sizeof(*calls));
	struct contract_call *decoded;
	struct buf calldata = {0};
	size_t count;

	(void)state;
	multisend_encode(&calldata, calls, MULTISEND_MAX_CALLS + 1);
	assert_int_equal(multisend_decode(&arena, &decoded, &count, buf_bytes(&calldata), NULL),
	                 ERR_LIMIT);
	buf_clear(&calldata);
	multisend_encode(&calldata, calls, MULTISEND_MAX_CALLS);
	assert_int_equal(multisend_decode(&arena, &decoded, &count, buf_bytes(&calldata), NULL), 0);
	assert_int_equal(count, MULTISEND_MAX_CALLS);
	buf_free(&calldata);
}

static void test_deployments(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/multisend.json");
	const struct jval *canonical = jval_get(file, "canonical");
	const char *const keys[] = {"1.3.0_canonical", "1.3.0_eip155", "1.4.1", "1.5.0"};
	size_t count;
	const struct multisend_deployment *deployments = multisend_deployments(&count);

	(void)state;
	assert_int_equal(count, ARRAY_LEN(keys));
	for (size_t i = 0; i < count; i++) {
		struct address address;
		assert_int_equal(address_parse(&address, fixture_string(canonical, keys[i]), NULL),
		                 0);
		assert_ptr_equal(multisend_deployment_at(&address), &deployments[i]);
		assert_int_equal(strncmp(keys[i], safe_version_text(deployments[i].version), 5), 0);
		assert_false(hash32_is_zero(&deployments[i].code_hash));
	}
	struct address nowhere = {{1}};
	assert_null(multisend_deployment_at(&nowhere));
	jval_free(file);
}

static void test_versions(void **state)
{
	enum safe_version version;

	(void)state;
	assert_int_equal(safe_version_parse(&version, "1.4.1", NULL), 0);
	assert_int_equal(version, SAFE_1_4_1);
	assert_int_equal(safe_version_parse(&version, "1.3.0+L2", NULL), 0);
	assert_int_equal(version, SAFE_1_3_0);
	assert_int_equal(safe_version_parse(&version, "1.5.0", NULL), 0);
	assert_int_equal(safe_version_parse(&version, "1.1.1", NULL), ERR_INVALID);
	assert_int_equal(version, 0);
	assert_int_equal(safe_version_parse(&version, "1.4.10", NULL), ERR_INVALID);
	assert_int_equal(safe_version_parse(&version, "", NULL), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors),  cmocka_unit_test(test_decode_is_strict),
	        cmocka_unit_test(test_too_many), cmocka_unit_test(test_deployments),
	        cmocka_unit_test(test_versions),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
