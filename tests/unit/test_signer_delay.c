/* What the signer signs for a target behind a Delay module, and what it refuses. */
#include "daemon/signer/policy.h"

#include "common/governance/delay.h"
#include "common/governance/multisend.h"
#include "common/governance/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char yaml[] =
        "state_dir: /var/lib/registrard\n"
        "control_socket: /run/registrard/control.sock\n"
        "chains:\n"
        "  base: {chain_id: 8453, rpc: [\"http://127.0.0.1:1\"], max_fee_gwei: 50, max_gas: "
        "1000000}\n"
        "targets:\n"
        "  pay:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000001\"\n"
        "    app: \"0x1000000000000000000000000000000000000002\"\n"
        "    model: delay\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    delay: {address: \"0xd000000000000000000000000000000000000001\", enqueuer: "
        "\"0xe000000000000000000000000000000000000001\"}\n"
        "    service: {kind: tx-service, url: \"http://127.0.0.1:2\"}\n"
        "    execute: direct\n"
        "    executor_key_file: /keys/e\n"
        "  ship:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000003\"\n"
        "    model: delay\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    delay: {address: \"0xd000000000000000000000000000000000000001\", enqueuer: "
        "\"0xe000000000000000000000000000000000000001\"}\n"
        "  away:\n" /* the same module, but said to act for another Safe */
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000004\"\n"
        "    model: delay\n"
        "    safe: \"0x5000000000000000000000000000000000000002\"\n"
        "    delay: {address: \"0xd000000000000000000000000000000000000001\", enqueuer: "
        "\"0xe000000000000000000000000000000000000001\"}\n";

static struct config *config;
static struct error error;
static struct arena arena;

static const struct config_target *target(const char *name)
{
	const struct config_target *found = config_target_find(config, name);

	assert_non_null(found);
	return found;
}

static struct contract_call call_of(const struct address *to, enum kind kind)
{
	uint8_t *data = arena_array(&arena, REGISTRY_CALL_SIZE, 1);
	struct hash32 value = {{(uint8_t)kind}};

	registry_encode_call(data, kind, ACTION_ADD, &value);
	return (struct contract_call){.to = *to, .data = bytes_of(data, REGISTRY_CALL_SIZE)};
}

static const struct address *multisend(void)
{
	size_t count;

	return &multisend_deployments(&count)[2].address;
}

static struct delay_entry good_entry(void)
{
	struct contract_call *calls = arena_array(&arena, 3, sizeof(*calls));

	calls[0] = call_of(&target("pay")->kms, KIND_OS_IMAGE);
	calls[1] = call_of(&target("pay")->app, KIND_COMPOSE);
	calls[2] = call_of(&target("ship")->kms, KIND_KMS_MR);
	return delay_entry_of(&arena, calls, 3, multisend());
}

static struct bytes kept(struct buf *data)
{
	struct bytes copy = arena_copy(&arena, buf_bytes(data));

	buf_free(data);
	return copy;
}

static struct bytes enqueue(const struct delay_entry *entry)
{
	struct buf data = {0};

	delay_encode_enqueue(&data, entry);
	return kept(&data);
}

static struct bytes execute(const struct delay_entry *entry)
{
	struct buf data = {0};

	delay_encode_execute(&data, entry);
	return kept(&data);
}

static struct safe_tx frame(struct bytes data)
{
	return (struct safe_tx){.chain_id = 8453,
	                        .safe = target("pay")->safe,
	                        .to = target("pay")->timelock,
	                        .data = data,
	                        .nonce = 4};
}

static void expect_denied(int rc, const char *why)
{
	assert_int_equal(rc, ERR_DENIED);
	if (strstr(error.text, why) == NULL)
		fail_msg("expected \"%s\" in: %s", why, error.text);
}

static void denied(enum purpose purpose, const struct safe_tx *tx, const char *why)
{
	expect_denied(policy_safe_tx(config, "pay", purpose, tx, &error), why);
}

/* The enqueuer's Safe sends to the module; the avatar is never asked for a signature. */
static void test_accounts(void **state)
{
	(void)state;
	assert_true(address_equal(&target("pay")->safe, &target("pay")->named.enqueuer));
	assert_true(address_equal(&target("pay")->timelock, &target("pay")->named.delay));
	assert_true(address_equal(&target("pay")->avatar, &target("pay")->named.safe));
	struct delay_entry entry = good_entry();
	struct safe_tx tx = frame(enqueue(&entry));
	tx.safe = target("pay")->avatar;
	denied(PURPOSE_SCHEDULE, &tx, "not of the target's Safe");
}

static void test_enqueue(void **state)
{
	struct delay_entry entry = good_entry();
	struct safe_tx tx = frame(enqueue(&entry));

	(void)state;
	assert_int_equal(policy_safe_tx(config, "pay", PURPOSE_SCHEDULE, &tx, &error), 0);
	denied(PURPOSE_EXECUTE, &tx, "not exactly an executeNextTx");
	denied(PURPOSE_APPLY, &tx, "model is delay");
	denied(PURPOSE_CANCEL, &tx, "cancels nothing");
	denied(PURPOSE_REJECT, &tx, "not an empty call");

	tx.to = target("pay")->kms;
	denied(PURPOSE_SCHEDULE, &tx, "does not go to the target's timelock");
	tx = frame(enqueue(&entry));
	tx.operation = 1;
	denied(PURPOSE_SCHEDULE, &tx, "delegatecall");

	const struct contract_call one = call_of(&target("pay")->kms, KIND_OS_IMAGE);
	struct delay_entry single = delay_entry_of(&arena, &one, 1, multisend());
	tx = frame(enqueue(&single));
	assert_int_equal(policy_safe_tx(config, "pay", PURPOSE_SCHEDULE, &tx, &error), 0);
	tx = frame(execute(&single));
	assert_int_equal(policy_safe_tx(config, "pay", PURPOSE_EXECUTE, &tx, &error), 0);
	denied(PURPOSE_SCHEDULE, &tx, "not exactly an execTransactionFromModule");
}

static void test_entries(void **state)
{
	struct delay_entry entry = good_entry();
	struct safe_tx tx;

	(void)state;
	/* A delegatecall of anything else could take the Safe over. */
	entry.to = target("pay")->kms;
	tx = frame(enqueue(&entry));
	denied(PURPOSE_SCHEDULE, &tx, "no batch of plain calls");
	entry = good_entry();
	entry.value = u256_from(1);
	tx = frame(enqueue(&entry));
	denied(PURPOSE_SCHEDULE, &tx, "no batch of plain calls");
	/* MultiSendCallOnly called, not delegatecalled, is no call of the registry. */
	entry = good_entry();
	entry.operation = DELAY_CALL;
	tx = frame(enqueue(&entry));
	denied(PURPOSE_SCHEDULE, &tx, "no known registry call");

	struct contract_call calls[2] = {call_of(&target("pay")->kms, KIND_OS_IMAGE),
	                                 call_of(&target("away")->kms, KIND_OS_IMAGE)};
	entry = delay_entry_of(&arena, calls, 2, multisend());
	tx = frame(enqueue(&entry));
	denied(PURPOSE_SCHEDULE, &tx, "call 2 of 2");
	calls[1] = calls[0];
	calls[1].value = u256_from(1);
	entry = delay_entry_of(&arena, calls, 2, multisend());
	tx = frame(enqueue(&entry));
	denied(PURPOSE_SCHEDULE, &tx, "with a value");
	/* The module's own settings are no registry calls. */
	struct buf veto = {0};
	delay_encode_set_nonce(&veto, 7);
	calls[0] = (struct contract_call){.to = target("pay")->timelock, .data = kept(&veto)};
	entry = delay_entry_of(&arena, calls, 1, multisend());
	tx = frame(enqueue(&entry));
	denied(PURPOSE_SCHEDULE, &tx, "no known registry call");
	tx = frame(calls[0].data);
	denied(PURPOSE_SCHEDULE, &tx, "not exactly an execTransactionFromModule");
}

static void test_execution(void **state)
{
	struct delay_entry entry = good_entry();
	struct eth_transaction tx = {.chain_id = 8453,
	                             .to = target("pay")->timelock,
	                             .gas = 300000,
	                             .max_fee = u256_from(1000000000),
	                             .data = execute(&entry)};
	struct buf skip = {0};

	(void)state;
	assert_int_equal(policy_execution(config, "pay", &tx, &error), 0);
	tx.data = enqueue(&entry);
	expect_denied(policy_execution(config, "pay", &tx, &error), "not exactly an executeNextTx");
	delay_encode_skip_expired(&skip);
	tx.data = kept(&skip);
	expect_denied(policy_execution(config, "pay", &tx, &error), "not exactly an executeNextTx");
	tx.data = execute(&entry);
	tx.to = target("pay")->avatar;
	expect_denied(policy_execution(config, "pay", &tx, &error), "does not go to");
	tx.to = target("pay")->timelock;
	tx.value = u256_from(1);
	expect_denied(policy_execution(config, "pay", &tx, &error), "sends a value");
	tx.value = u256_from(0);
	/* ship has no `execute: direct`; and no key schedules on a module. */
	expect_denied(policy_execution(config, "ship", &tx, &error), "not direct");
	tx.data = enqueue(&entry);
	expect_denied(policy_schedule(config, "pay", &tx, &error), "model is delay");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_accounts),
	        cmocka_unit_test(test_enqueue),
	        cmocka_unit_test(test_entries),
	        cmocka_unit_test(test_execution),
	};

	if (config_parse(&config, "test.yaml", bytes_text(yaml), &error) != 0)
		die("%s", error.text);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	config_free(config);
	arena_free(&arena);
	return failed;
}
