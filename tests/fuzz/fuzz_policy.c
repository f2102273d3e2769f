/* The signer's table: calldata that is signed re-encodes to itself, and everything in it is a
 * registry call to a contract of the configuration. The first bytes choose target, purpose, where
 * it goes and the operation; the rest is calldata. */
#include "common/governance/multisend.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"
#include "daemon/signer/policy.h"
#include "tests/fuzz/fuzz.h"

/* One Safe before two timelocks; kms and app of "pay" and "ship" may share a proposal. */
static const char yaml[] =
        "state_dir: /s\n"
        "control_socket: /c\n"
        "chains:\n"
        "  base: {chain_id: 8453, rpc: [\"http://127.0.0.1:1\"]}\n"
        "targets:\n"
        "  pay:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000001\"\n"
        "    app: \"0x1000000000000000000000000000000000000002\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n"
        "    execute: direct\n"
        "    executor_key_file: /keys/e\n"
        "  ship:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000003\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000001\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000001\"}\n"
        "  sole:\n"
        "    chain: base\n"
        "    kms: \"0x1000000000000000000000000000000000000004\"\n"
        "    app: \"0x1000000000000000000000000000000000000005\"\n"
        "    model: safe+timelock\n"
        "    safe: \"0x5000000000000000000000000000000000000002\"\n"
        "    timelock: {address: \"0x7000000000000000000000000000000000000002\"}\n";

enum { SOLE = 2 };

struct request {
	const struct config_target *target;
	enum purpose purpose;
	struct safe_tx tx;
};

/* The Safe alone is a way of governance that the configuration cannot say yet. */
static struct config *load(void)
{
	struct config *config;
	struct error error;

	if (config_parse(&config, "c", bytes_text(yaml), &error) != 0)
		die("%s", error.text);
	config->targets[SOLE].model = MODEL_SAFE;
	config->targets[SOLE].has_timelock = false;
	return config;
}

static struct address destination(const struct config_target *target, uint8_t choice)
{
	size_t count;
	const struct multisend_deployment *deployments = multisend_deployments(&count);
	const struct address choices[] = {target->timelock, target->kms, target->app, target->safe,
	                                  deployments[(choice >> 3) % count].address};

	return choices[(choice & 7) % ARRAY_LEN(choices)];
}

static struct request request_of(const struct config *config, struct bytes *input)
{
	struct request request = {0};

	request.target = &config->targets[fuzz_take(input) % config->target_count];
	request.purpose = (enum purpose)(fuzz_take(input) % 7);
	request.tx.chain_id = request.target->chain->chain_id;
	request.tx.safe = request.target->safe;
	request.tx.to = destination(request.target, fuzz_take(input));
	request.tx.operation = fuzz_take(input) % 3;
	request.tx.data = *input;
	return request;
}

static void check_calls(const struct config *config, const struct contract_call *calls,
                        size_t count)
{
	PROPERTY(count > 0);
	for (size_t i = 0; i < count; i++) {
		uint8_t again[REGISTRY_CALL_SIZE];
		enum kind kind;
		enum action action;
		struct hash32 value;
		bool known = false;

		PROPERTY(u256_is_zero(&calls[i].value));
		for (size_t t = 0; t < config->target_count; t++) {
			const struct config_target *target = &config->targets[t];
			known |= address_equal(&calls[i].to, &target->kms);
			known |= target->has_app && address_equal(&calls[i].to, &target->app);
		}
		PROPERTY(known);
		PROPERTY(registry_decode_call(&kind, &action, &value, calls[i].data,
		                              CONTRACT_KMS) == 0 ||
		         registry_decode_call(&kind, &action, &value, calls[i].data,
		                              CONTRACT_APP) == 0);
		registry_encode_call(again, kind, action, &value);
		PROPERTY(bytes_equal(bytes_of(again, sizeof(again)), calls[i].data));
	}
}

static void check_batch(const struct config *config, struct bytes calldata, bool schedule)
{
	struct timelock_batch batch;
	struct arena arena = {0};
	struct buf again = {0};
	uint64_t delay;

	if (schedule) {
		PROPERTY(timelock_decode_schedule(&arena, &batch, &delay, calldata, NULL) == 0);
		timelock_encode_schedule(&again, &batch, delay);
	} else {
		PROPERTY(timelock_decode_execute(&arena, &batch, calldata, NULL) == 0);
		timelock_encode_execute(&again, &batch);
	}
	PROPERTY(bytes_equal(buf_bytes(&again), calldata));
	PROPERTY(!schedule || (hash32_is_zero(&batch.predecessor) && !batch.single));
	check_calls(config, batch.calls, batch.count);
	buf_free(&again);
	arena_free(&arena);
}

static void check_apply(const struct config *config, const struct safe_tx *tx)
{
	struct contract_call one = {.to = tx->to, .value = tx->value, .data = tx->data}, *calls;
	struct arena arena = {0};
	struct buf again = {0};
	size_t count;

	if (tx->operation == 0) {
		check_calls(config, &one, 1);
		return;
	}
	PROPERTY(multisend_deployment_at(&tx->to) != NULL);
	PROPERTY(multisend_decode(&arena, &calls, &count, tx->data, NULL) == 0);
	multisend_encode(&again, calls, count);
	PROPERTY(bytes_equal(buf_bytes(&again), tx->data));
	check_calls(config, calls, count);
	buf_free(&again);
	arena_free(&arena);
}

static void check_signed(const struct config *config, const struct request *request)
{
	const struct safe_tx *tx = &request->tx;

	PROPERTY(u256_is_zero(&tx->value) && safe_tx_standard_gas(tx));
	switch (request->purpose) {
	case PURPOSE_SCHEDULE:
	case PURPOSE_EXECUTE:
		PROPERTY(tx->operation == 0 && address_equal(&tx->to, &request->target->timelock));
		check_batch(config, tx->data, request->purpose == PURPOSE_SCHEDULE);
		return;
	case PURPOSE_CANCEL:
		PROPERTY(tx->operation == 0 && address_equal(&tx->to, &request->target->timelock));
		PROPERTY(tx->data.len == 36);
		return;
	case PURPOSE_APPLY:
		check_apply(config, tx);
		return;
	case PURPOSE_REJECT:
		PROPERTY(tx->data.len == 0 && address_equal(&tx->to, &tx->safe));
		return;
	}
	die("signed for no purpose");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	struct config *config = load();
	struct request request = request_of(config, &input);
	struct eth_transaction execution = {.chain_id = request.tx.chain_id,
	                                    .to = request.tx.to,
	                                    .gas = 21000,
	                                    .data = request.tx.data};

	if (policy_safe_tx(config, request.target->name, request.purpose, &request.tx, NULL) == 0)
		check_signed(config, &request);
	if (policy_execution(config, request.target->name, &execution, NULL) == 0)
		check_batch(config, execution.data, false);
	config_free(config);
	return 0;
}
