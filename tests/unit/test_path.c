#include "common/governance/delay.h"
#include "common/governance/multisend.h"
#include "common/governance/path.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"
#include "tests/unit/death.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;
static uint8_t encoded[3][REGISTRY_CALL_SIZE];
static struct contract_call calls[3];

static struct address address_of(uint8_t byte)
{
	struct address address;

	memset(address.b, byte, sizeof(address.b));
	return address;
}

static struct path path_of(enum model model, size_t count)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct hash32 value = {{[31] = (uint8_t)(i + 1)}};
		registry_encode_call(encoded[i], KIND_OS_IMAGE, i == 0 ? ACTION_REMOVE : ACTION_ADD,
		                     &value);
		calls[i] = (struct contract_call){.to = address_of(0x11),
		                                  .data = bytes_of(encoded[i], sizeof(encoded[i]))};
	}
	return (struct path){.model = model,
	                     .safe = address_of(0x22),
	                     .timelock = address_of(0x33),
	                     .avatar = address_of(0x55),
	                     .multisend = address_of(0x44),
	                     .calls = calls,
	                     .count = count,
	                     .salt = {{[0] = 7}},
	                     .delay = 3600};
}

static void expect_schedule(enum model model, enum path_account sender, enum path_account executor)
{
	struct path path = path_of(model, 2);
	struct path_step *first, then;
	struct timelock_batch batch;
	uint64_t delay;
	struct hash32 id;

	assert_int_equal(path_first(&first, &arena, &path), 1);
	assert_int_equal(first->purpose, PURPOSE_SCHEDULE);
	assert_int_equal(first->purpose, path_first_purpose(model));
	assert_int_equal(first->sender, sender);
	assert_int_equal(first->sender, path_first_sender(model));
	assert_int_equal(first->operation, 0);
	assert_true(address_equal(&first->to, &path.timelock));
	assert_int_equal(timelock_decode_schedule(&arena, &batch, &delay, first->data, NULL), 0);
	assert_int_equal(batch.count, 2);
	assert_int_equal(delay, 3600);
	assert_true(hash32_equal(&batch.salt, &path.salt));
	assert_int_equal(path_caller(model), PATH_TIMELOCK);

	assert_true(path_then(&then, &arena, &path));
	assert_int_equal(then.purpose, PURPOSE_EXECUTE);
	assert_int_equal(then.sender, executor);
	assert_true(address_equal(&then.to, &path.timelock));
	assert_int_equal(timelock_decode_execute(&arena, &batch, then.data, NULL), 0);
	assert_true(path_operation_id(&id, &path));
	struct hash32 expected = timelock_operation_id(&batch);
	assert_true(hash32_equal(&id, &expected));
	assert_false(path_needs_multisend(&path));
}

static void test_timelocks(void **state)
{
	(void)state;
	expect_schedule(MODEL_SAFE_TIMELOCK, PATH_SAFE, PATH_SAFE);
	expect_schedule(MODEL_TIMELOCK, PATH_PROPOSER, PATH_EXECUTOR);
}

static void test_safe_alone(void **state)
{
	struct path one = path_of(MODEL_SAFE, 1), three = path_of(MODEL_SAFE, 3);
	struct path_step *first, then;
	struct contract_call *inner;
	struct hash32 id;
	size_t count;

	(void)state;
	assert_int_equal(path_first(&first, &arena, &one), 1);
	assert_int_equal(first->purpose, PURPOSE_APPLY);
	assert_int_equal(first->sender, PATH_SAFE);
	assert_int_equal(first->operation, 0);
	assert_true(address_equal(&first->to, &calls[0].to));
	assert_true(bytes_equal(first->data, calls[0].data));
	assert_false(path_needs_multisend(&one));

	assert_true(path_needs_multisend(&three));
	assert_int_equal(path_first(&first, &arena, &three), 1);
	assert_int_equal(first->operation, 1);
	assert_true(address_equal(&first->to, &three.multisend));
	assert_int_equal(multisend_decode(&arena, &inner, &count, first->data, NULL), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++)
		assert_true(bytes_equal(inner[i].data, calls[i].data));

	assert_int_equal(path_caller(MODEL_SAFE), PATH_SAFE);
	assert_false(path_then(&then, &arena, &three));
	assert_false(path_operation_id(&id, &three));
	assert_true(hash32_is_zero(&id));
}

static void batch_without_multisend(void *arg)
{
	struct path path = path_of(MODEL_SAFE, 2);
	struct path_step *first;

	(void)arg;
	path.multisend = (struct address){0};
	path_first(&first, &arena, &path);
}

static void test_safe_needs_multisend(void **state)
{
	(void)state;
	death_expect(batch_without_multisend, NULL, "without the address of MultiSendCallOnly");
}

static void test_direct(void **state)
{
	struct path path = path_of(MODEL_DIRECT, 3);
	struct path_step *first, then;
	struct hash32 id;

	(void)state;
	assert_int_equal(path_first(&first, &arena, &path), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(first[i].purpose, PURPOSE_APPLY);
		assert_int_equal(first[i].sender, PATH_OWNER);
		assert_int_equal(first[i].operation, 0);
		assert_true(bytes_equal(first[i].data, calls[i].data));
	}
	assert_int_equal(path_caller(MODEL_DIRECT), PATH_OWNER);
	assert_false(path_then(&then, &arena, &path));
	assert_false(path_operation_id(&id, &path));
}

/* One call stands in the queue itself, several as a delegatecall of the avatar. */
static void expect_entry(size_t count)
{
	struct path path = path_of(MODEL_DELAY, count);
	struct path_step *first, then;
	struct delay_entry entry, again;
	struct contract_call *inner;
	size_t inner_count;
	struct hash32 id;

	path.multisend = multisend_deployments(&inner_count)[0].address;
	assert_int_equal(path_needs_multisend(&path), count > 1);
	assert_int_equal(path_first(&first, &arena, &path), 1);
	assert_int_equal(first->purpose, PURPOSE_SCHEDULE);
	assert_int_equal(first->sender, PATH_SAFE);
	assert_int_equal(first->operation, 0);
	assert_true(address_equal(&first->to, &path.timelock));
	assert_int_equal(delay_decode_enqueue(&entry, first->data, NULL), 0);
	assert_int_equal(delay_entry_calls(&arena, &inner, &inner_count, &entry, NULL), 0);
	assert_int_equal(inner_count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(bytes_equal(inner[i].data, calls[i].data));

	assert_true(path_then(&then, &arena, &path));
	assert_int_equal(then.purpose, PURPOSE_EXECUTE);
	assert_int_equal(then.sender, PATH_ANYBODY);
	assert_true(address_equal(&then.to, &path.timelock));
	assert_int_equal(delay_decode_execute(&again, then.data, NULL), 0);
	assert_true(path_operation_id(&id, &path));
	struct hash32 hash = delay_tx_hash(&entry), executed = delay_tx_hash(&again);
	assert_true(hash32_equal(&id, &hash) && hash32_equal(&id, &executed));
	/* Found again by its hash alone. */
	assert_int_equal(delay_entry_find(&again, &arena, calls, count, &id), 0);
	assert_true(bytes_equal(again.data, entry.data));
	id.b[0] ^= 1;
	assert_int_equal(delay_entry_find(&again, &arena, calls, count, &id), ERR_NOT_FOUND);

	/* An account that is no Safe enqueues it itself. */
	path.safe = (struct address){0};
	path_first(&first, &arena, &path);
	assert_int_equal(first->sender, PATH_ENQUEUER);
	assert_int_equal(path_caller(MODEL_DELAY), PATH_AVATAR);
}

static void test_delay_module(void **state)
{
	(void)state;
	expect_entry(1);
	expect_entry(3);
}

static void test_accounts(void **state)
{
	struct path path = path_of(MODEL_SAFE_TIMELOCK, 1);
	struct address address;

	(void)state;
	assert_true(path_account_address(&address, &path, PATH_SAFE));
	assert_true(address_equal(&address, &path.safe));
	assert_true(path_account_address(&address, &path, PATH_TIMELOCK));
	assert_true(address_equal(&address, &path.timelock));
	assert_true(path_account_address(&address, &path, PATH_AVATAR));
	assert_true(address_equal(&address, &path.avatar));
	for (int account = PATH_PROPOSER; account <= PATH_ANYBODY; account++) {
		if (account == PATH_AVATAR)
			continue;
		assert_false(path_account_address(&address, &path, (enum path_account)account));
		assert_true(address_is_zero(&address));
	}
	for (int account = PATH_SAFE; account <= PATH_ANYBODY; account++)
		assert_true(strlen(path_account_name((enum path_account)account)) > 0);
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_timelocks),
	        cmocka_unit_test(test_safe_alone),
	        cmocka_unit_test(test_safe_needs_multisend),
	        cmocka_unit_test(test_direct),
	        cmocka_unit_test(test_delay_module),
	        cmocka_unit_test(test_accounts),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
