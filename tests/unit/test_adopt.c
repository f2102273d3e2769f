#include "common/governance/adopt.h"
#include "common/eth/abi.h"
#include "common/governance/call_text.h"
#include "common/governance/multisend.h"
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

static void check_text(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* --- what the laboratory's Safe was asked to do ------------------------------------------------
 */

static const char *const verdicts[] = {
        [ADOPT_UNRELATED] = "unrelated", [ADOPT_OURS] = "ours", [ADOPT_FOREIGN] = "foreign"};

static void require_verdict(const char *name, const struct adopted *found,
                            const struct jval *expected)
{
	const char *purpose = jval_get_string(expected, "purpose");
	const struct jval *texts = jval_get(expected, "text");

	if (strcmp(verdicts[found->verdict], fixture_string(expected, "verdict")) != 0)
		fail_msg("%s is %s: %s", name, verdicts[found->verdict], found->text);
	for (size_t i = 0; i < jval_count(texts); i++)
		check_text(found->text, jval_string(jval_at(texts, i)));
	if (found->verdict != ADOPT_OURS) {
		assert_int_equal(found->parts, 0);
		assert_int_equal(found->call_count, 0);
		return;
	}
	assert_int_equal(found->parts, fixture_int(expected, "parts"));
	assert_int_equal(found->call_count, fixture_int(expected, "calls"));
	if (purpose != NULL)
		assert_string_equal(purpose_name(found->purpose), purpose);
}

static enum model model_of(const char *name)
{
	for (int model = MODEL_SAFE_TIMELOCK; model <= MODEL_DIRECT; model++)
		if (strcmp(model_name((enum model)model), name) == 0)
			return (enum model)model;
	fail_msg("no model %s", name);
	return 0;
}

static void check_transaction(const struct jval *file, const struct jval *item)
{
	struct adopt_registry registry = {.has_app = true};
	struct adopt_way way = {.registries = &registry, .registry_count = 1};
	const char *model = jval_get_string(item, "model"), *kms = jval_get_string(item, "kms");
	struct safe_tx tx = {.chain_id = (uint64_t)fixture_int(file, "chain_id")};
	struct hash32 hash, expected;
	struct adopted found;

	way.model = model_of(model != NULL ? model : "safe+timelock");
	way.safe = tx.safe = address_of(fixture_string(file, "safe"));
	if (lifecycle_has_timelock(way.model))
		way.timelock = address_of(fixture_string(file, "timelock"));
	registry.kms = address_of(kms != NULL ? kms : fixture_string(file, "kms"));
	registry.app = address_of(fixture_string(file, "app"));
	tx.to = address_of(fixture_string(item, "to"));
	tx.data = fixture_hex(&arena, item, "data");
	tx.operation = (uint8_t)fixture_int(item, "operation");
	tx.safe_tx_gas = u256_from((uint64_t)fixture_int(item, "safe_tx_gas"));
	tx.nonce = (uint64_t)fixture_int(item, "nonce");
	hash = safe_tx_hash(&tx);
	fixture_fixed(expected.b, sizeof(expected.b), item, "safeTxHash");
	assert_true(hash32_equal(&hash, &expected)); /* it is the transaction that was executed */
	adopt_safe_tx(&found, &arena, &way, &tx);
	require_verdict(fixture_string(item, "name"), &found, jval_get(item, "expected"));
}

static void test_what_a_real_safe_was_asked(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/adopt.json");
	const struct jval *list = jval_get(file, "transactions");

	(void)state;
	assert_int_equal(jval_count(list), 27);
	for (size_t i = 0; i < jval_count(list); i++)
		check_transaction(file, jval_at(list, i));
	jval_free(file);
}

/* --- one thing at a time -----------------------------------------------------------------------
 */

static const struct address safe = {{0x5a}}, timelock = {{0x71}}, kms = {{0x4b}}, app = {{0xa9}};
static const struct adopt_registry registries[] = {
        {.kms = {{0x4b}}, .app = {{0xa9}}, .has_app = true}, {.kms = {{0x4c}}}};

static struct adopt_way way_of(enum model model)
{
	struct adopt_way way = {
	        .model = model, .safe = safe, .registries = registries, .registry_count = 2};

	if (lifecycle_has_timelock(model))
		way.timelock = timelock;
	return way;
}

static struct contract_call registry_call(const struct address *to, enum kind kind,
                                          enum action action, uint8_t value)
{
	uint8_t data[REGISTRY_CALL_SIZE];
	struct hash32 hash = {{value}};

	registry_encode_call(data, kind, action, &hash);
	return (struct contract_call){.to = *to,
	                              .data = arena_copy(&arena, bytes_of(data, sizeof(data)))};
}

static struct contract_call named_call(const struct address *to, const char *signature,
                                       const struct address *argument)
{
	uint8_t selector[ABI_SELECTOR];
	struct buf data = {0};

	abi_selector(selector, signature);
	buf_append(&data, selector, sizeof(selector));
	if (argument != NULL) {
		struct abi_writer arguments = abi_begin(&data, 1);
		abi_put_address(&arguments, argument);
	}
	struct contract_call call = {.to = *to, .data = arena_copy(&arena, buf_bytes(&data))};
	buf_free(&data);
	return call;
}

static struct adopted of_calls(const struct contract_call *calls, size_t count)
{
	const struct timelock_batch batch = {.calls = calls, .count = count, .salt = {{9}}};
	struct adopt_way way = way_of(MODEL_SAFE_TIMELOCK);
	struct adopted found;

	adopt_operation(&found, &arena, &way, &batch);
	return found;
}

static struct adopted of_tx(enum model model, const struct contract_call *call)
{
	struct safe_tx tx = {
	        .safe = safe, .to = call->to, .value = call->value, .data = call->data};
	struct adopt_way way = way_of(model);
	struct adopted found;

	adopt_safe_tx(&found, &arena, &way, &tx);
	return found;
}

static struct contract_call scheduled(const struct contract_call *calls, size_t count)
{
	const struct timelock_batch batch = {.calls = calls, .count = count};
	struct buf data = {0};

	timelock_encode_schedule(&data, &batch, 60);
	struct contract_call call = {.to = timelock, .data = arena_copy(&arena, buf_bytes(&data))};
	buf_free(&data);
	return call;
}

static struct adopted of_multisend(enum model model, const struct contract_call *calls,
                                   size_t count, const struct address *to)
{
	struct adopt_way way = way_of(model);
	struct safe_tx tx = {.safe = safe, .to = *to, .operation = 1};
	struct buf data = {0};
	struct adopted found;

	multisend_encode(&data, calls, count);
	tx.data = arena_copy(&arena, buf_bytes(&data));
	buf_free(&data);
	adopt_safe_tx(&found, &arena, &way, &tx);
	return found;
}

static const struct address *call_only(void)
{
	size_t count;

	return &multisend_deployments(&count)[0].address;
}

static void test_an_operation_of_registry_calls_is_ours(void **state)
{
	const struct address other_kms = {{0x4c}};
	const struct contract_call calls[] = {
	        registry_call(&kms, KIND_OS_IMAGE, ACTION_ADD, 1),
	        registry_call(&other_kms, KIND_OS_IMAGE, ACTION_REMOVE, 1),
	        registry_call(&app, KIND_COMPOSE, ACTION_ADD, 1),
	};
	struct adopted found = of_calls(calls, 3);

	(void)state;
	assert_int_equal(found.verdict, ADOPT_OURS);
	assert_int_equal(found.call_count, 3);
	assert_int_equal(found.calls[1].registry, 1);
	assert_int_equal(found.calls[1].action, ACTION_REMOVE);
	assert_int_equal(found.calls[2].kind, KIND_COMPOSE);
	struct timelock_batch batch = {.calls = calls, .count = 3, .salt = {{9}}};
	struct hash32 id = timelock_operation_id(&batch);
	assert_true(hash32_equal(&found.operation_id, &id));
}

/* A kind of the app on the KMS contract is no registry call there. */
static void test_more_than_registry_calls_is_foreign(void **state)
{
	const struct address heir = {{0x99}}, token = {{0x70}};
	const struct contract_call add = registry_call(&kms, KIND_OS_IMAGE, ACTION_ADD, 1);
	struct contract_call paid = add, longer = add;
	uint8_t more[REGISTRY_CALL_SIZE + 1] = {0};

	(void)state;
	paid.value = u256_from(5);
	memcpy(more, add.data.data, REGISTRY_CALL_SIZE);
	longer.data = bytes_of(more, sizeof(more));
	const struct {
		struct contract_call call;
		const char *says;
	} seconds[] = {
	        {named_call(&kms, "transferOwnership(address)", &heir),
	         "transferOwnership(address) on 0x4b"},
	        {named_call(&timelock, "updateDelay(uint256)", NULL), "updateDelay(uint256) on"},
	        {named_call(&safe, "enableModule(address)", &heir), "enableModule(address) on"},
	        {named_call(&token, "transfer(address,uint256)", &heir),
	         "transfer(address,uint256)"},
	        {named_call(&token, "poke(address)", &app), "names a contract of ours"},
	        {registry_call(&kms, KIND_COMPOSE, ACTION_ADD, 1),
	         "addComposeHash(bytes32) on 0x4b"},
	        {paid, "a registry call with a value"},
	        {longer, "addOsImageHash(bytes32) on"},
	        {registry_call(&kms, KIND_OS_IMAGE, ACTION_REMOVE, 1), "one value twice"},
	        {add, "one value twice"},
	        {(struct contract_call){.to = kms}, "a plain call of 0x4b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		const struct contract_call calls[] = {add, seconds[i].call};
		struct adopted found = of_calls(calls, 2);
		if (found.verdict != ADOPT_FOREIGN)
			fail_msg("%s: %s", seconds[i].says, verdicts[found.verdict]);
		check_text(found.text, "add os-image 0x01");
		check_text(found.text, seconds[i].says);
		assert_int_equal(found.call_count, 0);
		const struct contract_call schedule = scheduled(calls, 2);
		assert_int_equal(of_tx(MODEL_SAFE_TIMELOCK, &schedule).verdict, ADOPT_FOREIGN);
	}
}

static void test_what_does_not_concern_us_is_unrelated(void **state)
{
	const struct address token = {{0x70}}, heir = {{0x99}};
	const struct contract_call transfer =
	        named_call(&token, "transfer(address,uint256)", &heir);
	const struct contract_call schedule = scheduled(&transfer, 1), nothing = scheduled(NULL, 0);
	const struct contract_call rejection = {.to = safe};

	(void)state;
	assert_int_equal(of_tx(MODEL_SAFE_TIMELOCK, &transfer).verdict, ADOPT_UNRELATED);
	assert_int_equal(of_tx(MODEL_SAFE_TIMELOCK, &schedule).verdict, ADOPT_UNRELATED);
	assert_int_equal(of_tx(MODEL_SAFE_TIMELOCK, &nothing).verdict, ADOPT_UNRELATED);
	assert_int_equal(of_tx(MODEL_SAFE_TIMELOCK, &rejection).verdict, ADOPT_UNRELATED);
	assert_int_equal(of_multisend(MODEL_SAFE, &transfer, 1, call_only()).verdict,
	                 ADOPT_UNRELATED);
	assert_int_equal(of_calls(&transfer, 1).verdict, ADOPT_UNRELATED);
}

/* The same call is ours where the Safe owns the registry, and a way around the timelock elsewhere.
 */
static void test_the_model_says_from_where(void **state)
{
	const struct contract_call calls[] = {registry_call(&kms, KIND_OS_IMAGE, ACTION_ADD, 1),
	                                      registry_call(&app, KIND_COMPOSE, ACTION_ADD, 1)};
	struct adopted found = of_tx(MODEL_SAFE, &calls[0]);

	(void)state;
	assert_int_equal(found.verdict, ADOPT_OURS);
	assert_int_equal(found.purpose, PURPOSE_APPLY);
	assert_int_equal(found.parts, 1);
	found = of_multisend(MODEL_SAFE, calls, 2, call_only());
	assert_int_equal(found.verdict, ADOPT_OURS);
	assert_int_equal(found.purpose, PURPOSE_APPLY);
	assert_int_equal(found.call_count, 2);
	found = of_tx(MODEL_SAFE_TIMELOCK, &calls[0]);
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	check_text(found.text, "past the timelock");
	assert_int_equal(of_multisend(MODEL_SAFE_TIMELOCK, calls, 2, call_only()).verdict,
	                 ADOPT_FOREIGN);
	/* and a timelock that is not of the way is somebody else's, but its call names our KMS */
	struct contract_call schedule = scheduled(calls, 1);
	assert_int_equal(of_tx(MODEL_SAFE, &schedule).verdict, ADOPT_FOREIGN);
}

static void test_what_an_account_sends(void **state)
{
	const struct adopt_way way = way_of(MODEL_DIRECT);
	const struct address elsewhere = {{0x70}};
	struct contract_call call = registry_call(&kms, KIND_OS_IMAGE, ACTION_ADD, 1);
	struct adopted found;

	(void)state;
	adopt_transaction(&found, &arena, &way, &call);
	assert_int_equal(found.verdict, ADOPT_OURS);
	assert_int_equal(found.purpose, PURPOSE_APPLY);
	assert_int_equal(found.call_count, 1);
	call.value = u256_from(1);
	adopt_transaction(&found, &arena, &way, &call);
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	check_text(found.text, "a registry call with a value");
	call = named_call(&elsewhere, "go(address)", &kms);
	adopt_transaction(&found, &arena, &way, &call);
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	check_text(found.text, "names a contract of ours");
}

static void test_code_that_runs_as_the_safe_is_foreign(void **state)
{
	const struct address library = {{0x11}}, nobody = {{0}};
	struct contract_call calls[] = {registry_call(&kms, KIND_OS_IMAGE, ACTION_ADD, 1)};
	struct adopted found = of_multisend(MODEL_SAFE, calls, 1, &library);

	(void)state;
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	check_text(found.text, "a delegatecall");
	/* an inner delegatecall, or anything else that MultiSendCallOnly would not be sent by us */
	struct adopt_way way = way_of(MODEL_SAFE);
	struct safe_tx tx = {.safe = safe, .to = *call_only(), .operation = 1};
	struct buf data = {0};
	multisend_encode(&data, calls, 1);
	data.data[4 + 64] = 1;
	tx.data = buf_bytes(&data);
	adopt_safe_tx(&found, &arena, &way, &tx);
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	buf_free(&data);
	/* 1.5.0 sends what goes to nobody to the Safe itself */
	calls[0] = named_call(&nobody, "changeThreshold(uint256)", NULL);
	found = of_multisend(MODEL_SAFE, calls, 1, call_only());
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	check_text(found.text, "changeThreshold(uint256) on 0x5a");
}

static void test_gas_fields_and_values_are_foreign(void **state)
{
	const struct contract_call add = registry_call(&kms, KIND_OS_IMAGE, ACTION_ADD, 1);
	struct adopt_way way = way_of(MODEL_SAFE);
	struct safe_tx tx = {.safe = safe, .to = kms, .data = add.data};
	struct adopted found;

	(void)state;
	tx.gas_price = u256_from(1);
	adopt_safe_tx(&found, &arena, &way, &tx);
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	check_text(found.text, "gas or refund");
	tx.gas_price = u256_from(0);
	tx.value = u256_from(1);
	adopt_safe_tx(&found, &arena, &way, &tx);
	assert_int_equal(found.verdict, ADOPT_FOREIGN);
	/* what concerns nobody may cost what it likes */
	tx = (struct safe_tx){.safe = safe, .to = {{0x70}}, .gas_price = u256_from(1)};
	adopt_safe_tx(&found, &arena, &way, &tx);
	assert_int_equal(found.verdict, ADOPT_UNRELATED);
}

static void test_texts_are_cut_and_plain(void **state)
{
	uint8_t data[400] = {0xde, 0xad, 0xbe, 0xef};
	const struct contract_call call = {
	        .to = kms, .value = u256_from(12), .data = bytes_of(data, sizeof(data))};
	struct buf text = {0};

	(void)state;
	call_text(&text, &call);
	check_text(buf_text(&text), "an unknown function 0xdeadbeef on 0x4b");
	check_text(buf_text(&text), "... (396 bytes)");
	check_text(buf_text(&text), "and 12 wei");
	assert_in_range(text.len, 1, 512);
	buf_clear(&text);
	call_text(&text, &(struct contract_call){.to = kms, .data = bytes_of(data, 2)});
	check_text(buf_text(&text), "a plain call of 0x4b");
	check_text(buf_text(&text), "with 0xdead");
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_a_real_safe_was_asked),
	        cmocka_unit_test(test_an_operation_of_registry_calls_is_ours),
	        cmocka_unit_test(test_more_than_registry_calls_is_foreign),
	        cmocka_unit_test(test_what_does_not_concern_us_is_unrelated),
	        cmocka_unit_test(test_the_model_says_from_where),
	        cmocka_unit_test(test_what_an_account_sends),
	        cmocka_unit_test(test_code_that_runs_as_the_safe_is_foreign),
	        cmocka_unit_test(test_gas_fields_and_values_are_foreign),
	        cmocka_unit_test(test_texts_are_cut_and_plain),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
