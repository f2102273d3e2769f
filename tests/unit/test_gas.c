#include "common/governance/gas.h"
#include "common/governance/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 40, CALL = 75000 };

static uint8_t encoded[MANY][REGISTRY_CALL_SIZE];
static struct contract_call calls[MANY];
static uint64_t inner[MANY];

static struct path path_of(enum model model, size_t count)
{
	for (size_t i = 0; i < MANY; i++) {
		struct hash32 value;
		memset(value.b, 0xa0 + (int)i, sizeof(value.b));
		registry_encode_call(encoded[i], KIND_OS_IMAGE, ACTION_ADD, &value);
		calls[i] = (struct contract_call){.data = bytes_of(encoded[i], REGISTRY_CALL_SIZE)};
		inner[i] = CALL;
	}
	return (struct path){.model = model,
	                     .safe = {{1}},
	                     .timelock = {{2}},
	                     .multisend = {{3}},
	                     .calls = calls,
	                     .count = count};
}

static struct gas_use use_of(enum model model, size_t count)
{
	struct path path = path_of(model, count);

	return gas_of(&path, inner);
}

/* What real transactions used (Safe 1.4.1 of two signatures, TimelockController 5, three calls, as
 * recorded with the published contracts): 127,015 to schedule and 205,895 to execute. */
static void test_never_less_than_was_measured(void **state)
{
	struct gas_use use = use_of(MODEL_SAFE_TIMELOCK, 3);

	(void)state;
	assert_in_range(use.first, 127015, 10 * 127015);
	assert_in_range(use.run, 205895, 10 * 205895);
}

static void test_every_call_costs(void **state)
{
	static const enum model models[] = {MODEL_SAFE_TIMELOCK, MODEL_TIMELOCK, MODEL_SAFE};

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(models); m++)
		for (size_t count = 1; count < MANY; count++) {
			struct gas_use one = use_of(models[m], count);
			struct gas_use more = use_of(models[m], count + 1);
			assert_true(more.first > one.first);
			assert_true(more.run >= one.run + CALL);
		}
	/* Signatures cost; an account needs none. */
	assert_true(use_of(MODEL_TIMELOCK, 2).first < use_of(MODEL_SAFE_TIMELOCK, 2).first);
	/* The Safe's own batch is one transaction, an owner's are several. */
	assert_int_equal(use_of(MODEL_SAFE, 5).first, use_of(MODEL_SAFE, 5).run);
	assert_int_equal(use_of(MODEL_DIRECT, 1).first, use_of(MODEL_DIRECT, MANY).first);
}

static void test_an_expensive_call_counts_where_it_runs(void **state)
{
	struct path path = path_of(MODEL_SAFE_TIMELOCK, 3);
	struct gas_use cheap = gas_of(&path, inner);

	(void)state;
	inner[1] = 10 * CALL;
	struct gas_use dear = gas_of(&path, inner);
	assert_int_equal(dear.first, cheap.first);
	assert_true(dear.run >= cheap.run + 9 * CALL);
	path = path_of(MODEL_DIRECT, 3);
	inner[1] = 10 * CALL;
	assert_true(gas_of(&path, inner).first >= 10 * CALL);
}

static void test_room(void **state)
{
	(void)state;
	assert_int_equal(gas_room(0), UINT64_MAX);
	assert_int_equal(gas_room(2000000), 1000000);
	assert_int_equal(gas_room(30000000), 15000000);
	assert_int_equal(gas_room(60000000), 1 << 24); /* EIP-7825 */
	assert_int_equal(gas_room(UINT64_MAX), 1 << 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_never_less_than_was_measured),
	        cmocka_unit_test(test_every_call_costs),
	        cmocka_unit_test(test_an_expensive_call_counts_where_it_runs),
	        cmocka_unit_test(test_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
