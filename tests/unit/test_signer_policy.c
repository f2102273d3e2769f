#include "daemon/signer/policy.h"

#include "common/governance/multisend.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* pay and ship are governed the same way; other has another timelock; plain is a Safe alone; sole
 * has no Safe; far is pay on another chain. */
static const char yaml[] =
        "state_dir: /var/lib/registrard\n"
        "control_socket: /run/registrard/control.sock\n"
        "chains:\n"
        "  base: {chain_id: 8453, rpc: [\"http://127.0.0.1:1\"], max_fee_gwei: 50, max_gas: "
        "1000000}\n"
        "  far: {chain_id: 1, rpc: [\"http://127.0.0.1:1\"]}\n"
        "targets:\n"
        "  pay:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000001\"\n"
        "    app: \"0x1000000000000000000000000000000000000002\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n"
        "    service: {kind: tx-service, url: \"http://127.0.0.1:2\"}\n"
        "    execute: direct\n"
        "    proposer_key_file: /keys/p\n"
        "    executor_key_file: /keys/e\n"
        "  ship:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000030\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n"
        "  other:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000004\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000002\"}\n"
        "  plain:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000005\"\n"
        "    app: \"0x1000000000000000000000000000000000000006\"\n"
        "    model: safe\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "  sole:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000007\"\n"
        "    model: timelock\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000003\"}\n"
        "    execute: direct\n"
        "    executor_key_file: /keys/e\n"
        "    scheduler_key_file: /keys/s\n"
        "  far:\n"
        "    chain: far\n"
        "    kms: \"0x1000000000000000000000000000000000000008\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n";

static struct config *config;
static struct error error;

static const struct config_target *target(const char *name)
{
	const struct config_target *found = config_target_find(config, name);

	assert_non_null(found);
	return found;
}

/* --- building what is asked ------------------------------------------------------------------ */

struct fixture {
	uint8_t data[4][REGISTRY_CALL_SIZE];
	struct contract_call calls[4];
	size_t count;
	struct timelock_batch batch;
	struct buf calldata;
	struct safe_tx tx;
};

static void add_call(struct fixture *fixture, const struct address *to, enum kind kind)
{
	struct hash32 value = {{(uint8_t)(fixture->count + 1)}};
	size_t i = fixture->count++;

	registry_encode_call(fixture->data[i], kind, ACTION_ADD, &value);
	fixture->calls[i] = (struct contract_call){
	        .to = *to, .data = bytes_of(fixture->data[i], REGISTRY_CALL_SIZE)};
	fixture->batch = (struct timelock_batch){
	        .calls = fixture->calls, .count = fixture->count, .salt = {{7}}};
}

static void frame(struct fixture *fixture, const char *name, const struct address *to)
{
	fixture->tx = (struct safe_tx){
	        .chain_id = target(name)->chain->chain_id,
	        .safe = target(name)->safe,
	        .to = *to,
	        .data = buf_bytes(&fixture->calldata),
	        .nonce = 4,
	};
}

/* A good schedule of pay: its KMS, its app, and ship's KMS. */
static void good_schedule(struct fixture *fixture)
{
	*fixture = (struct fixture){0};
	add_call(fixture, &target("pay")->kms, KIND_OS_IMAGE);
	add_call(fixture, &target("pay")->app, KIND_COMPOSE);
	add_call(fixture, &target("ship")->kms, KIND_KMS_MR);
	timelock_encode_schedule(&fixture->calldata, &fixture->batch, 3600);
	frame(fixture, "pay", &target("pay")->timelock);
}

static void good_execute(struct fixture *fixture)
{
	good_schedule(fixture);
	buf_clear(&fixture->calldata);
	timelock_encode_execute(&fixture->calldata, &fixture->batch);
	fixture->tx.data = buf_bytes(&fixture->calldata);
}

static void reencode_schedule(struct fixture *fixture)
{
	buf_clear(&fixture->calldata);
	timelock_encode_schedule(&fixture->calldata, &fixture->batch, 3600);
	fixture->tx.data = buf_bytes(&fixture->calldata);
}

static void reencode_execute(struct fixture *fixture)
{
	buf_clear(&fixture->calldata);
	timelock_encode_execute(&fixture->calldata, &fixture->batch);
	fixture->tx.data = buf_bytes(&fixture->calldata);
}

static void allow(const char *name, enum purpose purpose, const struct safe_tx *tx)
{
	int rc = policy_safe_tx(config, name, purpose, tx, &error);

	if (rc != 0)
		fail_msg("%s", error.text);
}

static void deny(const char *name, enum purpose purpose, const struct safe_tx *tx,
                 const char *reason)
{
	error = (struct error){0};
	assert_int_equal(policy_safe_tx(config, name, purpose, tx, &error), ERR_DENIED);
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

/* --- Safe transactions ----------------------------------------------------------------------- */

static void schedule_and_execute_of_registry_calls_are_signed(void **state)
{
	struct fixture fixture;

	(void)state;
	good_schedule(&fixture);
	allow("pay", PURPOSE_SCHEDULE, &fixture.tx);
	allow("ship", PURPOSE_SCHEDULE, &fixture.tx);
	deny("pay", PURPOSE_EXECUTE, &fixture.tx, "not exactly an execute");
	deny("pay", PURPOSE_CANCEL, &fixture.tx, "not exactly a cancel");
	deny("pay", PURPOSE_REJECT, &fixture.tx, "empty call");
	deny("pay", PURPOSE_APPLY, &fixture.tx, "model is safe+timelock");
	deny("pay", (enum purpose)9, &fixture.tx, "purpose 9");
	buf_free(&fixture.calldata);
	good_execute(&fixture);
	allow("pay", PURPOSE_EXECUTE, &fixture.tx);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "not exactly a scheduleBatch");
	buf_free(&fixture.calldata);
}

static void the_frame_must_be_the_target_s(void **state)
{
	struct fixture fixture;

	(void)state;
	good_schedule(&fixture);
	const struct safe_tx good = fixture.tx;
	struct safe_tx tx = good;

	deny("nobody", PURPOSE_SCHEDULE, &tx, "no target of this name");
	deny("sole", PURPOSE_SCHEDULE, &tx, "has no Safe");
	deny("far", PURPOSE_SCHEDULE, &tx, "chain 8453");
	tx.chain_id = 1;
	deny("pay", PURPOSE_SCHEDULE, &tx, "chain 1 ");
	tx = good;
	tx.safe.b[19] ^= 1;
	deny("pay", PURPOSE_SCHEDULE, &tx, "target's Safe");
	tx = good;
	tx.operation = 2;
	deny("pay", PURPOSE_SCHEDULE, &tx, "operation 2");
	tx.operation = 1;
	deny("pay", PURPOSE_SCHEDULE, &tx, "delegatecall");
	tx = good;
	tx.value = u256_from(1);
	deny("pay", PURPOSE_SCHEDULE, &tx, "value");
	tx = good;
	tx.to = target("other")->timelock;
	deny("pay", PURPOSE_SCHEDULE, &tx, "target's timelock");
	tx.to = tx.safe;
	deny("pay", PURPOSE_SCHEDULE, &tx, "target's timelock");
	buf_free(&fixture.calldata);
}

static void every_gas_field_must_be_zero(void **state)
{
	struct fixture fixture;

	(void)state;
	good_schedule(&fixture);
	for (int field = 0; field < 5; field++) {
		struct safe_tx tx = fixture.tx;
		struct u256 one = u256_from(1);
		switch (field) {
		case 0:
			tx.safe_tx_gas = one;
			break;
		case 1:
			tx.base_gas = one;
			break;
		case 2:
			tx.gas_price = one;
			break;
		case 3:
			tx.gas_token.b[0] = 1;
			break;
		case 4:
			tx.refund_receiver.b[0] = 1;
			break;
		}
		deny("pay", PURPOSE_SCHEDULE, &tx, "gas or refund");
	}
	buf_free(&fixture.calldata);
}

static void each_call_of_a_batch_must_be_a_known_one(void **state)
{
	struct fixture fixture;
	uint8_t other_data[REGISTRY_CALL_SIZE];

	(void)state;
	good_schedule(&fixture);
	struct contract_call good = fixture.calls[1];
	struct contract_call *bad = &fixture.calls[1];

	bad->value = u256_from(1);
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "call 2 of 3: a call with a value");
	*bad = good;
	bad->to = target("other")->kms; /* governed otherwise */
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "call 2 of 3");
	bad->to = target("far")->kms;
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "no known registry call");
	bad->to = target("pay")->timelock; /* to itself: roles, delay */
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "no known registry call");
	bad->to = target("pay")->kms; /* the app's function at the KMS */
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "no known registry call");
	*bad = good;
	memcpy(other_data, good.data.data, sizeof(other_data));
	memcpy(other_data, "\xf2\xfd\xe3\x8b", 4); /* transferOwnership(address) */
	bad->data = bytes_of(other_data, sizeof(other_data));
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "no known registry call");
	bad->data = bytes_of(good.data.data, good.data.len - 1);
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "no known registry call");
	bad->data = (struct bytes){0};
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "no known registry call");
	*bad = good;
	reencode_schedule(&fixture);
	allow("pay", PURPOSE_SCHEDULE, &fixture.tx);
	buf_free(&fixture.calldata);
}

/* People schedule in other forms than ours; what the timelock would do is what counts. */
static void what_others_scheduled_is_executed_as_it_stands(void **state)
{
	struct fixture fixture;

	(void)state;
	good_execute(&fixture);
	fixture.batch.predecessor.b[31] = 1;
	reencode_execute(&fixture);
	allow("pay", PURPOSE_EXECUTE, &fixture.tx);
	fixture.batch.count = 1;
	fixture.batch.single = true;
	reencode_execute(&fixture);
	allow("pay", PURPOSE_EXECUTE, &fixture.tx);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "not exactly a scheduleBatch");
	fixture.calls[0].value = u256_from(1);
	reencode_execute(&fixture);
	deny("pay", PURPOSE_EXECUTE, &fixture.tx, "a call with a value");
	fixture.calls[0].value = u256_from(0);
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "not exactly a scheduleBatch");
	buf_free(&fixture.calldata);
}

static void batches_must_be_plain_and_exact(void **state)
{
	struct fixture fixture;

	(void)state;
	good_schedule(&fixture);
	fixture.batch.predecessor.b[31] = 1;
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "predecessor");
	fixture.batch.predecessor.b[31] = 0;
	fixture.batch.count = 0;
	reencode_schedule(&fixture);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "without calls");
	fixture.batch.count = 3;
	reencode_schedule(&fixture);
	buf_append_byte(&fixture.calldata, 0);
	fixture.tx.data = buf_bytes(&fixture.calldata);
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "not exactly a scheduleBatch");
	fixture.tx.data.len -= 2;
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "not exactly a scheduleBatch");
	fixture.tx.data = (struct bytes){0};
	deny("pay", PURPOSE_SCHEDULE, &fixture.tx, "not exactly a scheduleBatch");
	buf_free(&fixture.calldata);
}

/* Whatever bit of a good schedule is changed: only the salt, the delay and the values registered
 * are free. */
static void a_flipped_bit_changes_nothing_but_what_is_free(void **state)
{
	struct fixture fixture;
	size_t allowed = 0;

	(void)state;
	good_schedule(&fixture);
	for (size_t i = 0; i < fixture.calldata.len * 8; i++) {
		fixture.calldata.data[i / 8] ^= (uint8_t)(1 << i % 8);
		int rc = policy_safe_tx(config, "pay", PURPOSE_SCHEDULE, &fixture.tx, &error);
		assert_true(rc == 0 || rc == ERR_DENIED);
		allowed += rc == 0;
		fixture.calldata.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	/* 3 values and the salt of 256 bits, the delay of 64. */
	assert_int_equal(allowed, 4 * 256 + 64);
	buf_free(&fixture.calldata);
}

static void a_plain_safe_applies_registry_calls(void **state)
{
	struct fixture fixture = {0};

	(void)state;
	add_call(&fixture, &target("plain")->kms, KIND_OS_IMAGE);
	add_call(&fixture, &target("plain")->app, KIND_DEVICE);
	frame(&fixture, "plain", &target("plain")->kms);
	fixture.tx.data = fixture.calls[0].data;
	allow("plain", PURPOSE_APPLY, &fixture.tx);
	deny("plain", PURPOSE_SCHEDULE, &fixture.tx, "model is safe");
	deny("plain", PURPOSE_EXECUTE, &fixture.tx, "model is safe");
	deny("plain", PURPOSE_CANCEL, &fixture.tx, "model is safe");
	fixture.tx.to = target("pay")->kms;
	deny("plain", PURPOSE_APPLY, &fixture.tx, "no known registry call");

	size_t deployments;
	const struct multisend_deployment *known = multisend_deployments(&deployments);
	multisend_encode(&fixture.calldata, fixture.calls, fixture.count);
	for (size_t i = 0; i < deployments; i++) {
		frame(&fixture, "plain", &known[i].address);
		fixture.tx.operation = 1;
		allow("plain", PURPOSE_APPLY, &fixture.tx);
		fixture.tx.operation = 0;
		deny("plain", PURPOSE_APPLY, &fixture.tx, "no known registry call");
	}
	fixture.tx.operation = 1;
	fixture.tx.to.b[0] ^= 1;
	deny("plain", PURPOSE_APPLY, &fixture.tx, "MultiSendCallOnly");
	fixture.tx.to = target("plain")->kms;
	fixture.tx.data = fixture.calls[0].data;
	deny("plain", PURPOSE_APPLY, &fixture.tx, "MultiSendCallOnly");
	buf_free(&fixture.calldata);
}

static void a_multisend_must_hold_registry_calls_alone(void **state)
{
	struct fixture fixture = {0};
	size_t deployments;
	const struct multisend_deployment *known = multisend_deployments(&deployments);

	(void)state;
	add_call(&fixture, &target("plain")->kms, KIND_OS_IMAGE);
	add_call(&fixture, &target("pay")->kms, KIND_OS_IMAGE); /* has a timelock */
	multisend_encode(&fixture.calldata, fixture.calls, fixture.count);
	frame(&fixture, "plain", &known[0].address);
	fixture.tx.operation = 1;
	deny("plain", PURPOSE_APPLY, &fixture.tx, "call 2 of 2");

	fixture.calls[1].to = target("plain")->kms;
	buf_clear(&fixture.calldata);
	multisend_encode(&fixture.calldata, fixture.calls, fixture.count);
	fixture.tx.data = buf_bytes(&fixture.calldata);
	allow("plain", PURPOSE_APPLY, &fixture.tx);
	fixture.calldata.data[4 + 64] = 1; /* the first inner operation */
	deny("plain", PURPOSE_APPLY, &fixture.tx, "multiSend of plain calls");
	buf_clear(&fixture.calldata);
	multisend_encode(&fixture.calldata, fixture.calls, 0);
	fixture.tx.data = buf_bytes(&fixture.calldata);
	assert_int_equal(policy_safe_tx(config, "plain", PURPOSE_APPLY, &fixture.tx, &error),
	                 ERR_DENIED);
	buf_free(&fixture.calldata);
}

static void cancelling_is_one_exact_call(void **state)
{
	struct fixture fixture = {0};
	struct hash32 id = {{1, 2, 3}};

	(void)state;
	timelock_encode_cancel(&fixture.calldata, &id);
	frame(&fixture, "pay", &target("pay")->timelock);
	allow("pay", PURPOSE_CANCEL, &fixture.tx);
	deny("pay", PURPOSE_REJECT, &fixture.tx, "empty call");
	fixture.tx.to = target("pay")->kms;
	deny("pay", PURPOSE_CANCEL, &fixture.tx, "target's timelock");
	frame(&fixture, "pay", &target("pay")->timelock);
	fixture.tx.data.len--;
	deny("pay", PURPOSE_CANCEL, &fixture.tx, "cancel");
	frame(&fixture, "pay", &target("pay")->timelock);
	fixture.calldata.data[0] ^= 1;
	deny("pay", PURPOSE_CANCEL, &fixture.tx, "cancel");
	buf_free(&fixture.calldata);
}

static void a_rejection_is_empty(void **state)
{
	struct safe_tx tx = safe_tx_rejection(8453, &target("pay")->safe, 9);

	(void)state;
	allow("pay", PURPOSE_REJECT, &tx);
	allow("plain", PURPOSE_REJECT, &tx);
	deny("pay", PURPOSE_SCHEDULE, &tx, "timelock");
	tx.data = bytes_text("x");
	deny("pay", PURPOSE_REJECT, &tx, "empty call");
	tx.data = (struct bytes){0};
	tx.to = target("pay")->kms;
	deny("pay", PURPOSE_REJECT, &tx, "empty call");
	tx.to = tx.safe;
	tx.operation = 1;
	deny("pay", PURPOSE_REJECT, &tx, "empty call");
}

/* --- the service's delete request ------------------------------------------------------------ */

static void deletions_are_for_now_alone(void **state)
{
	const struct wall now = {.ms = 3600 * 1000 * INT64_C(483333) + 1};

	(void)state;
	for (uint64_t totp = 483333 - 60; totp < 483333 + 60; totp++) {
		int want = totp >= 483333 - 48 && totp <= 483333 + 48 ? 0 : ERR_DENIED;
		assert_int_equal(policy_delete(config, "pay", totp, now, &error), want);
	}
	assert_int_equal(policy_delete(config, "pay", UINT64_MAX, now, &error), ERR_DENIED);
	assert_int_equal(policy_delete(config, "ship", 483333, now, &error), ERR_DENIED);
	assert_int_equal(policy_delete(config, "sole", 483333, now, &error), ERR_DENIED);
	assert_int_equal(policy_delete(config, "nobody", 483333, now, &error), ERR_DENIED);
}

/* --- executions ------------------------------------------------------------------------------ */

static struct eth_transaction execution(const struct fixture *fixture)
{
	return (struct eth_transaction){
	        .chain_id = 8453,
	        .nonce = 3,
	        .gas = 1000000,
	        .max_priority_fee = u256_from(1000000000),
	        .max_fee = u256_from(50000000000),
	        .to = target("pay")->timelock,
	        .data = fixture->tx.data,
	};
}

static void refuse(const char *name, const struct eth_transaction *tx, const char *reason)
{
	error = (struct error){0};
	assert_int_equal(policy_execution(config, name, tx, &error), ERR_DENIED);
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void an_execution_runs_registry_calls_within_its_limits(void **state)
{
	struct fixture fixture;

	(void)state;
	good_execute(&fixture);
	const struct eth_transaction good = execution(&fixture);
	struct eth_transaction tx = good;

	assert_int_equal(policy_execution(config, "pay", &tx, &error), 0);
	refuse("nobody", &tx, "no target");
	refuse("plain", &tx, "no timelock");
	refuse("ship", &tx, "execute is not direct");
	tx.gas++;
	refuse("pay", &tx, "max_gas");
	tx = good;
	tx.max_fee = u256_from(50000000001);
	refuse("pay", &tx, "max_fee_gwei");
	tx.max_fee.b[0] = 1;
	refuse("pay", &tx, "max_fee_gwei");
	tx = good;
	tx.max_priority_fee = u256_from(50000000001);
	refuse("pay", &tx, "priority");
	tx = good;
	tx.chain_id = 1;
	refuse("pay", &tx, "chain 1 ");
	tx = good;
	tx.value = u256_from(1);
	refuse("pay", &tx, "value");
	tx = good;
	tx.to = target("pay")->kms;
	refuse("pay", &tx, "target's timelock");
	tx = good;
	tx.data.len--;
	refuse("pay", &tx, "not exactly an execute");
	tx = good;
	tx.to = target("sole")->timelock; /* pay's calls are not sole's */
	refuse("sole", &tx, "no known registry call");
	buf_free(&fixture.calldata);

	good_schedule(&fixture);
	tx = execution(&fixture);
	refuse("pay", &tx, "not exactly an execute");
	buf_free(&fixture.calldata);
}

static void refuse_schedule(const char *name, const struct eth_transaction *tx, const char *reason)
{
	error = (struct error){0};
	assert_int_equal(policy_schedule(config, name, tx, &error), ERR_DENIED);
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

/* The dangerous key: scheduleBatch of the target's own registry calls, and nothing else. */
static void a_scheduler_schedules_registry_calls_alone(void **state)
{
	struct fixture fixture = {0};
	struct contract_call foreign;

	(void)state;
	add_call(&fixture, &target("sole")->kms, KIND_OS_IMAGE);
	timelock_encode_schedule(&fixture.calldata, &fixture.batch, 3600);
	fixture.tx.data = buf_bytes(&fixture.calldata);
	struct eth_transaction good = execution(&fixture), tx = good;
	good.to = tx.to = target("sole")->timelock;
	assert_int_equal(policy_schedule(config, "sole", &tx, &error), 0);
	refuse_schedule("nobody", &tx, "no target");
	refuse_schedule("pay", &tx, "model is safe+timelock");
	refuse_schedule("plain", &tx, "model is safe");
	refuse("sole", &tx, "not exactly an execute"); /* the executor's key does not schedule */
	tx.gas++;
	refuse_schedule("sole", &tx, "max_gas");
	tx = good;
	tx.max_fee = u256_from(50000000001);
	refuse_schedule("sole", &tx, "max_fee_gwei");
	tx = good;
	tx.value = u256_from(1);
	refuse_schedule("sole", &tx, "value");
	tx = good;
	tx.to = target("pay")->timelock;
	refuse_schedule("sole", &tx, "target's timelock");
	tx = good;
	tx.data.len--;
	refuse_schedule("sole", &tx, "not exactly a scheduleBatch");
	buf_clear(&fixture.calldata);
	timelock_encode_execute(&fixture.calldata, &fixture.batch);
	tx.data = buf_bytes(&fixture.calldata);
	refuse_schedule("sole", &tx, "not exactly a scheduleBatch");
	buf_clear(&fixture.calldata);
	foreign = fixture.calls[0];
	foreign.to = target("sole")->timelock; /* e.g. updateDelay */
	fixture.batch.calls = &foreign;
	timelock_encode_schedule(&fixture.calldata, &fixture.batch, 3600);
	tx.data = buf_bytes(&fixture.calldata);
	refuse_schedule("sole", &tx, "no known registry call");
	buf_free(&fixture.calldata);
}

static void refuse_cancel(const char *name, const struct eth_transaction *tx, const char *reason)
{
	struct buf out = {0};

	error = (struct error){0};
	assert_int_equal(policy_cancel(&out, config, name, tx, &error), ERR_DENIED);
	if (strstr(error.text, reason) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
	assert_int_equal(out.len, 0);
	buf_free(&out);
}

/* The same key cancels an operation of registry calls, whose id it computes itself. */
static void a_scheduler_cancels_operations_of_registry_calls_alone(void **state)
{
	struct fixture fixture = {0};
	struct buf out = {0}, wanted = {0};

	(void)state;
	add_call(&fixture, &target("sole")->kms, KIND_OS_IMAGE);
	timelock_encode_execute(&fixture.calldata, &fixture.batch);
	fixture.tx.data = buf_bytes(&fixture.calldata);
	struct eth_transaction good = execution(&fixture), tx = good;
	good.to = tx.to = target("sole")->timelock;
	assert_int_equal(policy_cancel(&out, config, "sole", &tx, &error), 0);
	struct hash32 id = timelock_operation_id(&fixture.batch);
	timelock_encode_cancel(&wanted, &id);
	assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&wanted)));
	buf_free(&out);
	refuse_cancel("nobody", &tx, "no target");
	refuse_cancel("pay", &tx, "model is safe+timelock");
	refuse_cancel("plain", &tx, "model is safe");
	tx.gas++;
	refuse_cancel("sole", &tx, "max_gas");
	tx = good;
	tx.max_fee = u256_from(50000000001);
	refuse_cancel("sole", &tx, "max_fee_gwei");
	tx = good;
	tx.value = u256_from(1);
	refuse_cancel("sole", &tx, "value");
	tx = good;
	tx.to = target("pay")->timelock;
	refuse_cancel("sole", &tx, "target's timelock");
	tx = good;
	tx.data = buf_bytes(&wanted); /* an id by itself may be of anything */
	refuse_cancel("sole", &tx, "not exactly an execute");
	buf_clear(&fixture.calldata);
	fixture.calls[0].to = target("sole")->timelock; /* somebody's updateDelay */
	timelock_encode_execute(&fixture.calldata, &fixture.batch);
	tx.data = buf_bytes(&fixture.calldata);
	refuse_cancel("sole", &tx, "no known registry call");
	buf_free(&wanted);
	buf_free(&fixture.calldata);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(schedule_and_execute_of_registry_calls_are_signed),
	        cmocka_unit_test(the_frame_must_be_the_target_s),
	        cmocka_unit_test(every_gas_field_must_be_zero),
	        cmocka_unit_test(each_call_of_a_batch_must_be_a_known_one),
	        cmocka_unit_test(what_others_scheduled_is_executed_as_it_stands),
	        cmocka_unit_test(batches_must_be_plain_and_exact),
	        cmocka_unit_test(a_flipped_bit_changes_nothing_but_what_is_free),
	        cmocka_unit_test(a_plain_safe_applies_registry_calls),
	        cmocka_unit_test(a_multisend_must_hold_registry_calls_alone),
	        cmocka_unit_test(cancelling_is_one_exact_call),
	        cmocka_unit_test(a_rejection_is_empty),
	        cmocka_unit_test(a_scheduler_schedules_registry_calls_alone),
	        cmocka_unit_test(a_scheduler_cancels_operations_of_registry_calls_alone),
	        cmocka_unit_test(deletions_are_for_now_alone),
	        cmocka_unit_test(an_execution_runs_registry_calls_within_its_limits),
	};
	if (config_parse(&config, "test.yaml", bytes_text(yaml), &error) != 0)
		die("%s", error.text);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	config_free(config);
	return failed;
}
