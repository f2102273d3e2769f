#include "common/governance/delay.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/governance/multisend.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static struct delay_entry read_case(const struct jval *item)
{
	struct delay_entry entry = {.data = fixture_hex(&arena, item, "data"),
	                            .operation =
	                                    (enum delay_operation)fixture_int(item, "operation")};

	assert_int_equal(address_parse(&entry.to, fixture_string(item, "to"), NULL), 0);
	assert_int_equal(u256_parse(&entry.value, fixture_string(item, "value"), NULL), 0);
	return entry;
}

static void check_bytes(const struct jval *item, const char *key, struct buf *encoded)
{
	struct bytes expected = fixture_hex(&arena, item, key);

	assert_true(bytes_equal(buf_bytes(encoded), expected));
	buf_free(encoded);
}

static void check_same(const struct delay_entry *a, const struct delay_entry *b)
{
	assert_true(address_equal(&a->to, &b->to));
	assert_int_equal(u256_compare(&a->value, &b->value), 0);
	assert_true(bytes_equal(a->data, b->data));
	assert_int_equal(a->operation, b->operation);
}

static void test_vectors(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/zodiac_delay.json");
	const struct jval *cases = jval_get(file, "cases");

	(void)state;
	assert_int_equal(jval_count(cases), 2);
	for (size_t i = 0; i < jval_count(cases); i++) {
		const struct jval *item = jval_at(cases, i);
		struct delay_entry entry = read_case(item), decoded;
		struct hash32 expected, hash = delay_tx_hash(&entry);
		struct buf out = {0};
		fixture_fixed(expected.b, sizeof(expected.b), item, "txHash");
		assert_true(hash32_equal(&hash, &expected));
		delay_encode_enqueue(&out, &entry);
		assert_int_equal(delay_decode_enqueue(&decoded, buf_bytes(&out), NULL), 0);
		check_same(&decoded, &entry);
		assert_int_equal(delay_decode_execute(&decoded, buf_bytes(&out), NULL),
		                 ERR_NOT_FOUND);
		check_bytes(item, "execTransactionFromModule", &out);
		delay_encode_execute(&out, &entry);
		assert_int_equal(delay_decode_execute(&decoded, buf_bytes(&out), NULL), 0);
		check_same(&decoded, &entry);
		assert_int_equal(delay_decode_enqueue(&decoded, buf_bytes(&out), NULL),
		                 ERR_NOT_FOUND);
		check_bytes(item, "executeNextTx", &out);
	}
	jval_free(file);
}

/* What was recorded of the published contracts: every calldata of theirs that we can write. */
static void test_recorded_calls(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/lab_delay.json");
	const struct jval *trace = jval_get(file, "trace");
	size_t enqueued = 0, executed = 0, vetoed = 0, skipped = 0, hashes = 0;

	(void)state;
	for (size_t i = 0; i < jval_count(trace); i++) {
		const struct jval *step = jval_at(trace, i);
		const char *key = jval_get(step, "safeTxData") != NULL ? "safeTxData" : "calldata";
		struct delay_entry entry;
		struct buf again = {0};
		uint64_t nonce;
		if (jval_get(step, key) == NULL)
			continue;
		struct bytes calldata = fixture_hex(&arena, step, key);
		if (delay_decode_enqueue(&entry, calldata, NULL) == 0) {
			enqueued++;
		} else if (delay_decode_execute(&entry, calldata, NULL) == 0) {
			executed++;
		} else if (delay_decode_set_nonce(&nonce, calldata) == 0) {
			delay_encode_set_nonce(&again, nonce);
			check_bytes(step, key, &again);
			vetoed++;
		} else if (delay_is_skip_expired(calldata)) {
			delay_encode_skip_expired(&again);
			check_bytes(step, key, &again);
			skipped++;
		} else if (strstr(fixture_string(step, "step"), " getTransactionHash") != NULL) {
			/* The same arguments under another selector. */
			delay_encode_execute(&again, &(struct delay_entry){0});
			again.len = ABI_SELECTOR;
			buf_append(&again, calldata.data + ABI_SELECTOR,
			           calldata.len - ABI_SELECTOR);
			assert_int_equal(delay_decode_execute(&entry, buf_bytes(&again), NULL), 0);
			struct hash32 expected, hash = delay_tx_hash(&entry);
			fixture_fixed(expected.b, sizeof(expected.b), step, "result");
			assert_true(hash32_equal(&hash, &expected));
			hashes++;
		}
		buf_free(&again);
	}
	assert_int_equal(enqueued, 2 * 6);
	assert_int_equal(executed, 2 * 8);
	assert_int_equal(vetoed, 2);
	assert_int_equal(skipped, 2);
	assert_int_equal(hashes, 2);
	jval_free(file);
}

static void test_selectors(void **state)
{
	struct delay_entry entry = {0};
	struct address module = {{1}};
	struct buf out[7] = {0};
	static const char *const signatures[] = {
	        DELAY_ENQUEUE_SIGNATURE,    DELAY_EXECUTE_SIGNATURE, DELAY_SKIP_SIGNATURE,
	        DELAY_SET_NONCE_SIGNATURE,  "txHash(uint256)",       "txCreatedAt(uint256)",
	        "isModuleEnabled(address)",
	};

	(void)state;
	delay_encode_enqueue(&out[0], &entry);
	delay_encode_execute(&out[1], &entry);
	delay_encode_skip_expired(&out[2]);
	delay_encode_set_nonce(&out[3], 1);
	delay_encode_tx_hash(&out[4], 1);
	delay_encode_tx_created_at(&out[5], 1);
	delay_encode_is_module_enabled(&out[6], &module);
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		uint8_t derived[ABI_SELECTOR];
		abi_selector(derived, signatures[i]);
		assert_memory_equal(out[i].data, derived, ABI_SELECTOR);
		buf_free(&out[i]);
	}
}

/* Whatever is accepted is exactly what the encoder writes. */
static void test_decode_is_strict(void **state)
{
	struct delay_entry entry = {.to = {{1}}, .data = bytes_text("abcde")}, decoded;
	struct buf calldata = {0}, again = {0};
	struct error error = {0};
	uint64_t nonce;

	(void)state;
	delay_encode_enqueue(&calldata, &entry);
	for (size_t len = 0; len < calldata.len; len++)
		assert_int_not_equal(
		        delay_decode_enqueue(&decoded, bytes_of(calldata.data, len), NULL), 0);
	for (size_t bit = 0; bit < 8 * calldata.len; bit++) {
		calldata.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (delay_decode_enqueue(&decoded, buf_bytes(&calldata), NULL) == 0) {
			buf_clear(&again);
			delay_encode_enqueue(&again, &decoded);
			assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&calldata)));
		} else {
			assert_int_equal(decoded.data.len, 0);
		}
		calldata.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	calldata.data[ABI_SELECTOR + 4 * ABI_WORD - 1] = 2; /* there is no third operation */
	assert_int_equal(delay_decode_enqueue(&decoded, buf_bytes(&calldata), &error), ERR_INVALID);
	buf_clear(&calldata);
	delay_encode_set_nonce(&calldata, 7);
	assert_int_equal(delay_decode_set_nonce(&nonce, buf_bytes(&calldata)), 0);
	assert_int_equal(nonce, 7);
	for (size_t len = 0; len < calldata.len; len++)
		assert_int_not_equal(delay_decode_set_nonce(&nonce, bytes_of(calldata.data, len)),
		                     0);
	calldata.data[ABI_SELECTOR] = 1;
	assert_int_equal(delay_decode_set_nonce(&nonce, buf_bytes(&calldata)), ERR_INVALID);
	assert_false(delay_is_skip_expired(buf_bytes(&calldata)));
	buf_free(&calldata);
	buf_free(&again);
}

/* One call stands in the queue itself, several as MultiSendCallOnly's; and back. */
static void test_entry_of_calls(void **state)
{
	const struct contract_call calls[2] = {{.to = {{1}}, .data = bytes_text("one")},
	                                       {.to = {{2}}, .data = bytes_text("two")}};
	struct contract_call *found;
	struct error error = {0};
	size_t count, deployments;

	(void)state;
	const struct address *multisend = &multisend_deployments(&deployments)[2].address;
	struct delay_entry one = delay_entry_of(&arena, calls, 1, multisend);
	assert_int_equal(one.operation, DELAY_CALL);
	assert_true(address_equal(&one.to, &calls[0].to));
	assert_int_equal(delay_entry_calls(&arena, &found, &count, &one, NULL), 0);
	assert_int_equal(count, 1);
	assert_true(bytes_equal(found[0].data, calls[0].data));

	struct delay_entry two = delay_entry_of(&arena, calls, 2, multisend);
	assert_int_equal(two.operation, DELAY_DELEGATECALL);
	assert_true(address_equal(&two.to, multisend));
	assert_int_equal(delay_entry_calls(&arena, &found, &count, &two, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(address_equal(&found[1].to, &calls[1].to));

	/* A delegatecall of anything else could do anything. */
	struct delay_entry foreign = two;
	foreign.to = calls[0].to;
	assert_int_equal(delay_entry_calls(&arena, &found, &count, &foreign, &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "MultiSendCallOnly"));
	assert_null(found);
	foreign = two;
	foreign.value = u256_from(1);
	assert_int_equal(delay_entry_calls(&arena, &found, &count, &foreign, NULL), ERR_INVALID);
	foreign = two;
	foreign.data.len -= 32;
	assert_int_not_equal(delay_entry_calls(&arena, &found, &count, &foreign, NULL), 0);
}

static void test_times(void **state)
{
	struct delay_queue queue = {.cooldown = 3600, .expiration = 600};

	(void)state;
	assert_int_equal(delay_ready_at(&queue, 1000), 4600);
	assert_int_equal(delay_last_at(&queue, 1000), 5200);
	queue.expiration = 0;
	assert_true(delay_last_at(&queue, 1000) == DELAY_NEVER);
	queue.cooldown = UINT64_MAX - 5;
	queue.expiration = 60;
	assert_true(delay_ready_at(&queue, 1000) == DELAY_NEVER);
	assert_true(delay_last_at(&queue, 0) == DELAY_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors),        cmocka_unit_test(test_recorded_calls),
	        cmocka_unit_test(test_selectors),      cmocka_unit_test(test_decode_is_strict),
	        cmocka_unit_test(test_entry_of_calls), cmocka_unit_test(test_times),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
