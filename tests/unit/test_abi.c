#include "common/eth/abi.h"
#include "common/crypto/hash.h"
#include "common/eth/multicall.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_CALLS = 8 };

static struct arena arena;

struct batch {
	struct address targets[MAX_CALLS];
	struct u256 values[MAX_CALLS];
	struct bytes payloads[MAX_CALLS];
	size_t count;
	struct hash32 predecessor, salt;
	uint64_t delay;
};

static struct batch read_batch(const struct jval *item)
{
	struct batch batch = {.delay = (uint64_t)fixture_int(item, "delay")};
	const struct jval *calls = jval_get(item, "calls");

	batch.count = jval_count(calls);
	assert_in_range(batch.count, 0, MAX_CALLS);
	for (size_t i = 0; i < batch.count; i++) {
		const struct jval *call = jval_at(calls, i);
		assert_int_equal(
		        address_parse(&batch.targets[i], fixture_string(call, "target"), NULL), 0);
		assert_int_equal(u256_parse(&batch.values[i], fixture_string(call, "value"), NULL),
		                 0);
		batch.payloads[i] = fixture_hex(&arena, call, "data");
	}
	fixture_fixed(batch.predecessor.b, 32, item, "predecessor");
	fixture_fixed(batch.salt.b, 32, item, "salt");
	return batch;
}

static void put_batch(struct buf *out, const struct batch *batch, bool with_delay)
{
	struct abi_writer writer = abi_begin(out, with_delay ? 6 : 5);

	abi_put_tail(&writer);
	struct abi_writer targets = abi_begin_array(out, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		abi_put_address(&targets, &batch->targets[i]);
	abi_put_tail(&writer);
	struct abi_writer values = abi_begin_array(out, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		abi_put_u256(&values, &batch->values[i]);
	abi_put_bytes_array(&writer, batch->payloads, batch->count);
	abi_put_word(&writer, &batch->predecessor);
	abi_put_word(&writer, &batch->salt);
	if (with_delay)
		abi_put_u64(&writer, batch->delay);
}

static void check_encoding(const struct jval *item, const char *key, const char *signature,
                           const struct batch *batch)
{
	struct buf out = {0};

	uint8_t selector[ABI_SELECTOR];
	abi_selector(selector, signature);
	buf_append(&out, selector, sizeof(selector));
	put_batch(&out, batch, strncmp(signature, "schedule", 8) == 0);
	assert_true(bytes_equal(buf_bytes(&out), fixture_hex(&arena, item, key)));
	buf_free(&out);
}

static void check_id(const struct jval *item, const struct batch *batch)
{
	struct buf preimage = {0};
	struct hash32 id;

	put_batch(&preimage, batch, false);
	struct hash32 computed = keccak256(buf_bytes(&preimage));
	fixture_fixed(id.b, 32, item, "operation_id");
	assert_true(hash32_equal(&computed, &id));
	buf_free(&preimage);
}

static void check_decoding(const struct jval *item, const struct batch *batch)
{
	struct bytes calldata = fixture_hex(&arena, item, "scheduleBatch");
	uint8_t selector[ABI_SELECTOR];
	size_t targets, values, payloads;

	abi_selector(selector,
	             "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)");
	struct abi_reader reader = abi_read_call(calldata, selector);
	struct address *target = abi_get_addresses(&reader, &arena, &targets);
	struct u256 *value = abi_get_u256s(&reader, &arena, &values);
	struct bytes *payload = abi_get_bytes_array(&reader, &arena, &payloads);
	struct hash32 predecessor = abi_get_word(&reader);
	struct hash32 salt = abi_get_word(&reader);
	assert_true(abi_get_u64(&reader) == batch->delay);
	assert_false(reader.failed);
	assert_int_equal(targets, batch->count);
	assert_int_equal(values, batch->count);
	assert_int_equal(payloads, batch->count);
	for (size_t i = 0; i < batch->count; i++) {
		assert_true(address_equal(&target[i], &batch->targets[i]));
		assert_int_equal(u256_compare(&value[i], &batch->values[i]), 0);
		assert_true(bytes_equal(payload[i], batch->payloads[i]));
	}
	assert_true(hash32_equal(&predecessor, &batch->predecessor));
	assert_true(hash32_equal(&salt, &batch->salt));
}

static void timelock_batches_equal_the_known_ones(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_timelock.json");
	const struct jval *batches = jval_get(file, "batches");

	(void)state;
	assert_true(jval_count(batches) >= 18);
	for (size_t i = 0; i < jval_count(batches); i++) {
		const struct jval *item = jval_at(batches, i);
		struct batch batch = read_batch(item);

		check_encoding(item, "executeBatch",
		               "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)", &batch);
		check_encoding(item, "scheduleBatch",
		               "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)",
		               &batch);
		check_id(item, &batch);
		check_decoding(item, &batch);
	}
	jval_free(file);
}

/* Functions of the registry contracts whose arguments are all static words. */
static void registry_calls_equal_the_known_ones(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_dstack.json");
	const struct jval *calls = jval_get(file, "calls");
	size_t checked = 0;

	(void)state;
	for (size_t i = 0; i < jval_count(calls); i++) {
		const struct jval *item = jval_at(calls, i);
		const struct jval *argument = jval_at(jval_get(item, "args"), 0);
		const char *text = jval_string(argument);
		struct bytes want = fixture_hex(&arena, item, "calldata");
		struct buf out = {0};

		if (jval_count(jval_get(item, "args")) != 1 || text == NULL || strlen(text) != 66)
			continue;
		char *signature =
		        arena_printf(&arena, "%s(bytes32)", fixture_string(item, "function"));
		uint8_t selector[ABI_SELECTOR];
		abi_selector(selector, signature);
		buf_append(&out, selector, sizeof(selector));
		struct abi_writer writer = abi_begin(&out, 1);
		struct hash32 word;
		assert_int_equal(hash32_parse(&word, text, NULL), 0);
		abi_put_word(&writer, &word);
		assert_true(bytes_equal(buf_bytes(&out), want));
		buf_free(&out);
		checked++;
	}
	assert_true(checked >= 15);
	const struct jval *returned = jval_at(jval_get(file, "returns"), 0);
	struct abi_reader reader = abi_read(fixture_hex(&arena, returned, "bytes"));
	assert_false(abi_get_bool(&reader));
	assert_true(bytes_equal(abi_get_bytes(&reader), bytes_text("Compose hash not allowed")));
	assert_false(reader.failed);
	jval_free(file);
}

static void multicall_equals_the_known_one(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/multicall3.json");
	const struct jval *items = jval_get(file, "calls");
	const struct jval *decoded = jval_get(file, "example_return_decoded");
	struct multicall_call calls[MAX_CALLS];
	struct multicall_result results[MAX_CALLS];
	struct address known;
	struct buf out = {0};
	size_t count = jval_count(items);

	(void)state;
	assert_in_range(count, 1, MAX_CALLS);
	for (size_t i = 0; i < count; i++) {
		fixture_fixed(calls[i].to.b, 20, jval_at(items, i), "target");
		calls[i].data = fixture_hex(&arena, jval_at(items, i), "callData");
	}
	multicall_encode(&out, calls, count);
	assert_true(bytes_equal(buf_bytes(&out), fixture_hex(&arena, file, "calldata")));
	buf_free(&out);
	fixture_fixed(known.b, 20, file, "address");
	assert_true(address_equal(&known, &multicall_address));

	struct bytes returned = fixture_hex(&arena, file, "example_return");
	assert_int_equal(jval_count(decoded), 3);
	assert_int_equal(multicall_decode(results, 3, returned, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		const struct jval *item = jval_at(decoded, i);
		assert_int_equal(results[i].success, jval_is_true(jval_get(item, "success")));
		assert_true(
		        bytes_equal(results[i].returned, fixture_hex(&arena, item, "returnData")));
	}
	assert_int_equal(multicall_decode(results, 2, returned, NULL), ERR_INVALID);
	assert_int_equal(multicall_decode(results, 4, returned, NULL), ERR_INVALID);
	for (size_t len = 0; len < returned.len - 32; len++)
		assert_int_equal(multicall_decode(results, 3, bytes_of(returned.data, len), NULL),
		                 ERR_INVALID);
	assert_int_equal(results[0].returned.len, 0);
	jval_free(file);
}

static struct abi_reader reader_of(const char *hex)
{
	return abi_read(fixture_unhex(&arena, hex));
}

#define Z31 "00000000000000000000000000000000000000000000000000000000000000"
#define F32 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static void what_does_not_fit_is_refused(void **state)
{
	struct abi_reader reader;
	size_t count;

	(void)state;
	reader = reader_of(F32);
	abi_get_address(&reader);
	assert_true(reader.failed);
	reader = reader_of(Z31 "02");
	assert_false(abi_get_bool(&reader));
	assert_true(reader.failed);
	reader = reader_of(F32);
	assert_true(abi_get_u64(&reader) == 0);
	assert_true(reader.failed);
	reader = reader_of(Z31);
	abi_get_word(&reader);
	assert_true(reader.failed);
	/* An offset behind the end; one that would overflow; a length behind the end. */
	reader = reader_of(Z31 "40");
	assert_int_equal(abi_get_bytes(&reader).len, 0);
	assert_true(reader.failed);
	reader = reader_of(F32 Z31 "00");
	assert_int_equal(abi_get_bytes(&reader).len, 0);
	assert_true(reader.failed);
	reader = reader_of("000000000000000000000000000000000000000000000000ffffffffffffffff" Z31
	                   "00");
	assert_int_equal(abi_get_bytes(&reader).len, 0);
	assert_true(reader.failed);
	reader = reader_of(Z31 "20" Z31 "01");
	assert_int_equal(abi_get_bytes(&reader).len, 0);
	assert_true(reader.failed);
	reader = reader_of(Z31 "20" F32);
	assert_null(abi_get_addresses(&reader, &arena, &count));
	assert_int_equal(count, 0);
	assert_true(reader.failed);
	reader = reader_of(Z31 "20" Z31 "02" Z31 "01");
	assert_null(abi_get_u256s(&reader, &arena, &count));
	assert_true(reader.failed);
	/* An array of bytes whose second item lies. */
	reader = reader_of(Z31 "20" Z31 "02" Z31 "40" Z31 "60" Z31 "00");
	assert_null(abi_get_bytes_array(&reader, &arena, &count));
	assert_true(reader.failed);
	/* Once failed, for good. */
	abi_get_word(&reader);
	assert_true(reader.failed);
}

/* No cut and no flipped bit of a valid call may make the reader leave its input. */
static void damaged_calldata_never_escapes(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_timelock.json");
	struct bytes good =
	        fixture_hex(&arena, jval_at(jval_get(file, "batches"), 4), "executeBatch");

	(void)state;
	for (size_t i = 0; i < good.len * 8; i++) {
		size_t len = i % 2 == 0 ? good.len : i / 8, count;
		struct arena scratch = {0};
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, good.data, len);
		if (i / 8 < len)
			copy[i / 8] ^= (uint8_t)(1 << i % 8);
		struct abi_reader reader = abi_read_call(bytes_of(copy, len), good.data);
		abi_get_addresses(&reader, &scratch, &count);
		abi_get_u256s(&reader, &scratch, &count);
		struct bytes *payloads = abi_get_bytes_array(&reader, &scratch, &count);
		for (size_t k = 0; k < count; k++)
			assert_true(payloads[k].data + payloads[k].len <= copy + len);
		free(copy);
		arena_free(&scratch);
	}
	jval_free(file);
}

static void another_selector_is_not_read(void **state)
{
	static const uint8_t selector[ABI_SELECTOR] = {1, 2, 3, 4};

	(void)state;
	assert_true(abi_read_call(bytes_text("abc"), selector).failed);
	assert_true(abi_read_call(bytes_text("abcd"), selector).failed);
	assert_false(abi_read_call(bytes_of(selector, 4), selector).failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(timelock_batches_equal_the_known_ones),
	        cmocka_unit_test(registry_calls_equal_the_known_ones),
	        cmocka_unit_test(multicall_equals_the_known_one),
	        cmocka_unit_test(what_does_not_fit_is_refused),
	        cmocka_unit_test(damaged_calldata_never_escapes),
	        cmocka_unit_test(another_selector_is_not_read),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
