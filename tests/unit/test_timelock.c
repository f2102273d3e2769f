#include "common/governance/timelock.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/governance/registry.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_CALLS = 8 };

static struct arena arena;

static size_t read_calls(struct contract_call *calls, const struct jval *list, const char *to)
{
	size_t count = jval_count(list);

	assert_in_range(count, 0, MAX_CALLS);
	for (size_t i = 0; i < count; i++) {
		const struct jval *item = jval_at(list, i);
		const char *value = jval_get_string(item, "value");
		assert_int_equal(address_parse(&calls[i].to, fixture_string(item, to), NULL), 0);
		assert_int_equal(u256_parse(&calls[i].value, value != NULL ? value : "0", NULL), 0);
		calls[i].data = fixture_hex(&arena, item, "data");
	}
	return count;
}

static void check_bytes(const struct jval *item, const char *key, struct buf *encoded)
{
	struct bytes expected = fixture_hex(&arena, item, key);

	assert_true(bytes_equal(buf_bytes(encoded), expected));
	buf_free(encoded);
}

static void check_hash(const struct jval *item, const char *key, struct hash32 hash)
{
	struct hash32 expected;

	fixture_fixed(expected.b, sizeof(expected.b), item, key);
	assert_true(hash32_equal(&hash, &expected));
}

static void check_same(const struct timelock_batch *a, const struct timelock_batch *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->single, b->single);
	assert_true(hash32_equal(&a->salt, &b->salt));
	assert_true(hash32_equal(&a->predecessor, &b->predecessor));
	for (size_t i = 0; i < a->count; i++) {
		assert_true(address_equal(&a->calls[i].to, &b->calls[i].to));
		assert_int_equal(u256_compare(&a->calls[i].value, &b->calls[i].value), 0);
		assert_true(bytes_equal(a->calls[i].data, b->calls[i].data));
	}
}

/* What the functions of this form are called in the vectors. */
struct form {
	const char *schedule, *execute;
};

static void check_form(const struct jval *item, const struct timelock_batch *batch, uint64_t delay,
                       const struct form *form)
{
	struct timelock_batch decoded;
	struct buf schedule = {0}, execute = {0};
	uint64_t decoded_delay;

	check_hash(item, "operation_id", timelock_operation_id(batch));
	timelock_encode_schedule(&schedule, batch, delay);
	assert_int_equal(timelock_decode_schedule(&arena, &decoded, &decoded_delay,
	                                          buf_bytes(&schedule), NULL),
	                 0);
	assert_int_equal(decoded_delay, delay);
	check_same(batch, &decoded);
	check_bytes(item, form->schedule, &schedule);
	timelock_encode_execute(&execute, batch);
	assert_int_equal(timelock_decode_execute(&arena, &decoded, buf_bytes(&execute), NULL), 0);
	check_same(batch, &decoded);
	check_bytes(item, form->execute, &execute);
}

static void check_batch(const struct jval *item)
{
	static const struct form batched = {"scheduleBatch", "executeBatch"};
	static const struct form single = {"schedule", "execute"};
	struct contract_call calls[MAX_CALLS];
	struct timelock_batch batch = {.calls = calls};
	uint64_t delay = (uint64_t)fixture_int(item, "delay");

	batch.count = read_calls(calls, jval_get(item, "calls"), "target");
	fixture_fixed(batch.predecessor.b, 32, item, "predecessor");
	fixture_fixed(batch.salt.b, 32, item, "salt");
	check_form(item, &batch, delay, &batched);
	batch.single = true;
	if (jval_get(item, "single") != NULL)
		check_form(jval_get(item, "single"), &batch, delay, &single);
}

static void test_batches(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_timelock.json");
	const struct jval *batches = jval_get(file, "batches");

	(void)state;
	assert_int_equal(jval_count(batches), 18);
	for (size_t i = 0; i < jval_count(batches); i++)
		check_batch(jval_at(batches, i));
	jval_free(file);
}

static void test_other_calls(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/eth/abi_timelock.json");
	const struct jval *others = jval_get(file, "others");
	struct hash32 id, decoded;
	struct address anybody = {{0}};
	struct buf out = {0};

	(void)state;
	fixture_fixed(id.b, sizeof(id.b), jval_at(jval_get(file, "batches"), 0), "operation_id");
	timelock_encode_cancel(&out, &id);
	assert_int_equal(timelock_decode_cancel(&decoded, buf_bytes(&out)), 0);
	assert_true(hash32_equal(&decoded, &id));
	assert_int_equal(timelock_decode_cancel(&decoded, bytes_of(out.data, out.len - 1)),
	                 ERR_INVALID);
	assert_int_equal(timelock_decode_cancel(&decoded, bytes_of(out.data, 3)), ERR_NOT_FOUND);
	check_bytes(others, "cancel", &out);
	timelock_encode_get_timestamp(&out, &id);
	check_bytes(others, "getTimestamp", &out);
	timelock_encode_has_role(&out, &timelock_role_executor, &anybody);
	check_bytes(others, "hasRole_executor_open", &out);
	jval_free(file);
}

static void test_roles(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/slots_roles.json");
	const struct jval *roles = jval_get(file, "roles");

	(void)state;
	check_hash(roles, "PROPOSER_ROLE", timelock_role_proposer);
	check_hash(roles, "EXECUTOR_ROLE", timelock_role_executor);
	check_hash(roles, "CANCELLER_ROLE", timelock_role_canceller);
	check_hash(roles, "DEFAULT_ADMIN_ROLE", timelock_role_default_admin);
	check_hash(roles, "TIMELOCK_ADMIN_ROLE_oz4", timelock_role_admin_v4);
	struct hash32 derived = keccak256(bytes_text("PROPOSER_ROLE"));
	assert_true(hash32_equal(&derived, &timelock_role_proposer));
	jval_free(file);
}

/* The order, the salt and the id that a second implementation computed. */
static void test_salt_vectors(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/salt.json");

	(void)state;
	assert_int_equal(jval_count(file), 9);
	for (size_t i = 0; i < jval_count(file); i++) {
		const struct jval *item = jval_at(file, i);
		struct contract_call drafted[MAX_CALLS], expected[MAX_CALLS];
		struct timelock_batch batch = {.calls = drafted}, wanted = {.calls = expected};
		struct address timelock;
		batch.count = read_calls(drafted, jval_get(item, "drafted"), "to");
		wanted.count = read_calls(expected, jval_get(item, "calls"), "to");
		assert_int_equal(address_parse(&timelock, fixture_string(item, "timelock"), NULL),
		                 0);
		calls_order(drafted, batch.count);
		check_same(&batch, &wanted);
		batch.salt = timelock_salt(&batch, (uint64_t)fixture_int(item, "chain_id"),
		                           &timelock, (uint64_t)fixture_int(item, "attempt"));
		check_hash(item, "salt", batch.salt);
		check_hash(item, "operation_id", timelock_operation_id(&batch));
	}
	jval_free(file);
}

/* Any permutation of a draft gets the same order, so the same salt and id. */
static void test_order_does_not_depend_on_the_draft(void **state)
{
	uint8_t data[6][REGISTRY_CALL_SIZE];
	struct contract_call sorted[6], turned[6];
	const struct hash32 low = {{1}}, high = {{2}};

	(void)state;
	registry_encode_call(data[0], KIND_OS_IMAGE, ACTION_REMOVE, &high);
	registry_encode_call(data[1], KIND_DEVICE, ACTION_REMOVE, &low);
	registry_encode_call(data[2], KIND_OS_IMAGE, ACTION_ADD, &low);
	registry_encode_call(data[3], KIND_OS_IMAGE, ACTION_ADD, &high);
	registry_encode_call(data[4], KIND_COMPOSE, ACTION_ADD, &low);
	registry_encode_call(data[5], KIND_COMPOSE, ACTION_ADD, &high);
	for (size_t i = 0; i < 6; i++)
		sorted[i] = (struct contract_call){
		        .to = {{kind_contract(i < 1 || i == 2 || i == 3 ? KIND_OS_IMAGE
		                                                        : KIND_DEVICE)}},
		        .data = bytes_of(data[i], REGISTRY_CALL_SIZE)};
	for (size_t turn = 0; turn < 6; turn++) {
		for (size_t i = 0; i < 6; i++)
			turned[i] = sorted[(5 * i + turn) % 6];
		calls_order(turned, 6);
		for (size_t i = 0; i < 6; i++)
			assert_true(bytes_equal(turned[i].data, sorted[i].data));
	}
	calls_order(NULL, 0);
}

/* A batch that differs in any part has another salt. */
static void test_salt_depends_on_everything(void **state)
{
	struct contract_call call = {.to = {{1}}, .data = bytes_text("abcd")};
	struct timelock_batch batch = {.calls = &call, .count = 1};
	struct address timelock = {{9}}, other = {{8}};
	struct hash32 salts[8];

	(void)state;
	salts[0] = timelock_salt(&batch, 1, &timelock, 0);
	salts[1] = timelock_salt(&batch, 2, &timelock, 0);
	salts[2] = timelock_salt(&batch, 1, &other, 0);
	salts[3] = timelock_salt(&batch, 1, &timelock, 1);
	call.value.b[31] = 1;
	salts[4] = timelock_salt(&batch, 1, &timelock, 0);
	call.value.b[31] = 0;
	call.data = bytes_text("abce");
	salts[5] = timelock_salt(&batch, 1, &timelock, 0);
	call.data = bytes_text("abcd");
	batch.predecessor.b[0] = 1;
	salts[6] = timelock_salt(&batch, 1, &timelock, 0);
	batch.predecessor.b[0] = 0;
	batch.count = 0;
	salts[7] = timelock_salt(&batch, 1, &timelock, 0);
	for (size_t i = 0; i < ARRAY_LEN(salts); i++) {
		for (size_t k = 0; k < i; k++)
			assert_false(hash32_equal(&salts[i], &salts[k]));
	}
}

static void check_flips(struct buf *calldata)
{
	struct timelock_batch batch;
	struct buf again = {0};
	uint64_t delay;

	for (size_t len = 0; len < calldata->len; len++)
		assert_int_not_equal(timelock_decode_schedule(&arena, &batch, &delay,
		                                              bytes_of(calldata->data, len), NULL),
		                     0);
	for (size_t bit = 0; bit < 8 * calldata->len; bit++) {
		calldata->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (timelock_decode_schedule(&arena, &batch, &delay, buf_bytes(calldata), NULL) ==
		    0) {
			buf_clear(&again);
			timelock_encode_schedule(&again, &batch, delay);
			assert_true(bytes_equal(buf_bytes(&again), buf_bytes(calldata)));
		} else {
			assert_true(batch.calls == NULL && batch.count == 0 && delay == 0);
		}
		calldata->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_free(&again);
}

static void test_decode_is_strict(void **state)
{
	const struct contract_call calls[2] = {{.to = {{1}}, .data = bytes_text("abc")},
	                                       {.to = {{2}}, .data = bytes_text("")}};
	const struct timelock_batch batch = {.calls = calls, .count = 2};
	struct timelock_batch decoded;
	struct buf calldata = {0};

	(void)state;
	const struct timelock_batch single = {.calls = calls, .count = 1, .single = true};
	timelock_encode_schedule(&calldata, &single, 3600);
	check_flips(&calldata);
	buf_clear(&calldata);
	timelock_encode_schedule(&calldata, &batch, 3600);
	check_flips(&calldata);
	assert_int_equal(timelock_decode_execute(&arena, &decoded, buf_bytes(&calldata), NULL),
	                 ERR_NOT_FOUND);
	buf_append_zeros(&calldata, 32);
	uint64_t delay;
	assert_int_equal(
	        timelock_decode_schedule(&arena, &decoded, &delay, buf_bytes(&calldata), NULL),
	        ERR_INVALID);
	buf_free(&calldata);
}

static void test_signatures(void **state)
{
	const struct timelock_batch batch = {0};
	const struct hash32 id = {{0}};
	uint8_t selector[ABI_SELECTOR];
	struct buf out = {0};

	(void)state;
	timelock_encode_schedule(&out, &batch, 0);
	abi_selector(selector, TIMELOCK_SCHEDULE_SIGNATURE);
	assert_memory_equal(out.data, selector, ABI_SELECTOR);
	buf_clear(&out);
	timelock_encode_execute(&out, &batch);
	abi_selector(selector, TIMELOCK_EXECUTE_SIGNATURE);
	assert_memory_equal(out.data, selector, ABI_SELECTOR);
	buf_clear(&out);
	const struct contract_call call = {.to = {{1}}};
	const struct timelock_batch single = {.calls = &call, .count = 1, .single = true};
	timelock_encode_schedule(&out, &single, 0);
	abi_selector(selector, TIMELOCK_SCHEDULE_ONE_SIGNATURE);
	assert_memory_equal(out.data, selector, ABI_SELECTOR);
	buf_clear(&out);
	timelock_encode_execute(&out, &single);
	abi_selector(selector, TIMELOCK_EXECUTE_ONE_SIGNATURE);
	assert_memory_equal(out.data, selector, ABI_SELECTOR);
	buf_clear(&out);
	timelock_encode_cancel(&out, &id);
	abi_selector(selector, TIMELOCK_CANCEL_SIGNATURE);
	assert_memory_equal(out.data, selector, ABI_SELECTOR);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_batches),
	        cmocka_unit_test(test_other_calls),
	        cmocka_unit_test(test_roles),
	        cmocka_unit_test(test_salt_vectors),
	        cmocka_unit_test(test_order_does_not_depend_on_the_draft),
	        cmocka_unit_test(test_salt_depends_on_everything),
	        cmocka_unit_test(test_decode_is_strict),
	        cmocka_unit_test(test_signatures),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
