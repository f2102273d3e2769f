/* Calldata of the governance path: whatever a decoder accepts, its encoder writes bit by bit; and
 * what people are shown of it (cast lines, the Transaction Builder's file) can be made of it. */
#include "common/governance/adopt.h"
#include "common/governance/cast.h"
#include "common/governance/delay.h"
#include "common/governance/multisend.h"
#include "common/governance/registry.h"
#include "common/governance/safe_tx.h"
#include "common/governance/timelock.h"
#include "common/governance/txbuilder.h"
#include "tests/fuzz/fuzz.h"

static void check_shown(const struct contract_call *calls, size_t count)
{
	const struct txbuilder_meta meta = {.chain_id = 1, .name = "n", .description = "d"};
	struct buf text = {0};
	struct jval *file;
	char said[HASH32_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		cast_send(&text, &calls[i], NULL);
		PROPERTY(text.len > 0 && memchr(text.data, '\n', text.len) == NULL);
		text.len = 0;
	}
	txbuilder_write(&text, &meta, calls, count);
	PROPERTY(jval_parse(&file, buf_bytes(&text), NULL) == 0);
	struct hash32 checksum = txbuilder_checksum(file);
	PROPERTY(strcmp(jval_get_string(jval_get(file, "meta"), "checksum"),
	                hash32_text(said, &checksum)) == 0);
	PROPERTY(jval_count(jval_get(file, "transactions")) == count);
	jval_free(file);
	buf_free(&text);
}

static void require_same(struct buf *again, struct bytes calldata)
{
	PROPERTY(bytes_equal(buf_bytes(again), calldata));
	buf_clear(again);
}

static void check_timelock(struct arena *arena, struct bytes calldata)
{
	struct timelock_batch batch;
	struct buf again = {0};
	struct hash32 id;
	uint64_t delay;

	if (timelock_decode_schedule(arena, &batch, &delay, calldata, NULL) == 0) {
		timelock_encode_schedule(&again, &batch, delay);
		require_same(&again, calldata);
		check_shown(batch.calls, batch.count);
	}
	if (timelock_decode_execute(arena, &batch, calldata, NULL) == 0) {
		timelock_encode_execute(&again, &batch);
		require_same(&again, calldata);
		check_shown(batch.calls, batch.count);
	}
	if (timelock_decode_cancel(&id, calldata) == 0) {
		timelock_encode_cancel(&again, &id);
		require_same(&again, calldata);
	}
	buf_free(&again);
}

/* An entry's calls, made into an entry again, are the same calls. */
static void check_entry(struct arena *arena, const struct delay_entry *entry)
{
	struct contract_call *calls, *again;
	size_t count, again_count;

	if (delay_entry_calls(arena, &calls, &count, entry, NULL) != 0) {
		PROPERTY(calls == NULL && count == 0);
		return;
	}
	check_shown(calls, count);
	struct delay_entry made = delay_entry_of(arena, calls, count, &entry->to);
	PROPERTY(delay_entry_calls(arena, &again, &again_count, &made, NULL) == 0);
	PROPERTY(again_count == count);
	if (count > 1 || entry->operation == DELAY_CALL) {
		struct hash32 hash = delay_tx_hash(entry), made_hash = delay_tx_hash(&made);
		PROPERTY(hash32_equal(&hash, &made_hash));
	}
}

static void check_delay(struct arena *arena, struct bytes calldata)
{
	struct delay_entry entry;
	struct buf again = {0};
	uint64_t nonce;

	if (delay_decode_enqueue(&entry, calldata, NULL) == 0) {
		delay_encode_enqueue(&again, &entry);
		require_same(&again, calldata);
		check_entry(arena, &entry);
	}
	if (delay_decode_execute(&entry, calldata, NULL) == 0) {
		delay_encode_execute(&again, &entry);
		require_same(&again, calldata);
		check_entry(arena, &entry);
	}
	if (delay_decode_set_nonce(&nonce, calldata) == 0) {
		delay_encode_set_nonce(&again, nonce);
		require_same(&again, calldata);
	}
	buf_free(&again);
}

static void check_safe(struct arena *arena, struct bytes calldata)
{
	struct contract_call *calls;
	struct bytes signatures;
	struct buf again = {0};
	struct safe_tx tx;
	size_t count;

	if (multisend_decode(arena, &calls, &count, calldata, NULL) == 0) {
		multisend_encode(&again, calls, count);
		require_same(&again, calldata);
		check_shown(calls, count);
	}
	if (safe_exec_decode(&tx, &signatures, calldata, NULL) == 0) {
		safe_exec_encode(&again, &tx, signatures);
		require_same(&again, calldata);
		PROPERTY(tx.operation <= 1);
	} else {
		PROPERTY(tx.data.len == 0 && signatures.len == 0);
	}
	buf_free(&again);
}

static void check_registry(struct bytes calldata)
{
	enum kind kind;
	enum action action;
	struct hash32 value;
	uint8_t again[REGISTRY_CALL_SIZE];

	for (enum contract_role role = CONTRACT_KMS; role <= CONTRACT_APP; role++)
		if (registry_decode_call(&kind, &action, &value, calldata, role) == 0) {
			registry_encode_call(again, kind, action, &value);
			PROPERTY(bytes_equal(bytes_of(again, sizeof(again)), calldata));
			PROPERTY(kind_contract(kind) == role);
		}
}

/* What is taken for ours is registry calls of value 0 alone, bit by bit. */
static void check_ours(const struct adopted *found)
{
	uint8_t again[REGISTRY_CALL_SIZE];

	PROPERTY(found->text != NULL);
	PROPERTY((found->verdict == ADOPT_OURS) == (found->parts > 0));
	PROPERTY(found->parts > 0 || found->call_count == 0);
	for (size_t i = 0; i < found->call_count; i++) {
		const struct adopt_call *call = &found->calls[i];
		PROPERTY(u256_is_zero(&call->call.value));
		registry_encode_call(again, call->kind, call->action, &call->value);
		PROPERTY(bytes_equal(bytes_of(again, sizeof(again)), call->call.data));
	}
}

static void check_adopted(struct arena *arena, struct bytes calldata)
{
	const struct adopt_registry registry = {.kms = {{1}}, .app = {{2}}, .has_app = true};
	const struct address targets[] = {{{1}}, {{2}}, {{3}}, {{4}}, {{5}}};
	static const enum model models[] = {MODEL_SAFE_TIMELOCK, MODEL_SAFE, MODEL_DELAY};
	size_t count;

	for (size_t i = 0; i < ARRAY_LEN(models) * ARRAY_LEN(targets); i++) {
		size_t target = i / ARRAY_LEN(models);
		struct adopt_way way = {.model = models[i % ARRAY_LEN(models)],
		                        .safe = {{3}},
		                        .timelock = {{4}},
		                        .avatar = {{6}},
		                        .registries = &registry,
		                        .registry_count = 1};
		struct safe_tx tx = {.safe = {{3}}, .to = targets[target], .data = calldata};
		struct adopted found;
		if (target == 4) {
			tx.to = multisend_deployments(&count)[0].address;
			tx.operation = 1;
		}
		adopt_safe_tx(&found, arena, &way, &tx);
		check_ours(&found);
		const struct contract_call sent = {.to = tx.to, .data = calldata};
		adopt_transaction(&found, arena, &way, &sent);
		check_ours(&found);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes calldata = bytes_of(data, size);
	struct contract_call call = {.data = calldata};
	struct arena arena = {0};

	check_timelock(&arena, calldata);
	check_delay(&arena, calldata);
	check_safe(&arena, calldata);
	check_registry(calldata);
	check_adopted(&arena, calldata);
	check_shown(&call, 1);
	arena_free(&arena);
	return 0;
}
