#include "common/eth/transaction.h"
#include "common/crypto/hash.h"
#include "common/eth/rlp.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct jval *vectors;

static struct u256 number(const struct jval *object, const char *key)
{
	struct u256 value;

	assert_int_equal(u256_parse(&value, fixture_string(object, key), NULL), 0);
	return value;
}

/* Numbers stand in the file as JSON numbers or as decimal text, as they came. */
static uint64_t small(const struct jval *object, const char *key)
{
	uint64_t value;

	if (jval_is_int(jval_get(object, key)))
		return (uint64_t)fixture_int(object, key);
	struct u256 wide = number(object, key);
	assert_int_equal(u256_to_u64(&value, &wide), 0);
	return value;
}

static struct eth_transaction read_transaction(struct arena *arena, const struct jval *fields)
{
	struct eth_transaction tx = {
	        .chain_id = small(fields, "chainId"),
	        .nonce = small(fields, "nonce"),
	        .gas = small(fields, "gas"),
	        .max_priority_fee = number(fields, "maxPriorityFeePerGas"),
	        .max_fee = number(fields, "maxFeePerGas"),
	        .value = number(fields, "value"),
	        .data = fixture_hex(arena, fields, "data"),
	};
	assert_int_equal(address_parse(&tx.to, fixture_string(fields, "to"), NULL), 0);
	return tx;
}

static void signed_transactions_equal_the_known_ones(void **state)
{
	const struct jval *cases = jval_get(vectors, "eip1559");
	struct arena arena = {0};
	size_t checked = 0;

	(void)state;
	for (size_t i = 0; i < jval_count(cases); i++) {
		const struct jval *item = jval_at(cases, i);
		/* Some create a contract or carry an access list, which we never do. */
		if (!jval_is_string(jval_get(jval_get(item, "tx"), "to")) ||
		    jval_get(jval_get(item, "tx"), "accessList") != NULL)
			continue;
		checked++;
		struct eth_transaction tx = read_transaction(&arena, jval_get(item, "tx"));
		struct ecdsa_signature signature;
		struct hash32 want;
		uint8_t key[32];
		struct buf raw = {0};

		struct hash32 digest = eth_transaction_signing_hash(&tx);
		fixture_fixed(want.b, 32, item, "signing_hash");
		assert_memory_equal(digest.b, want.b, 32);

		fixture_fixed(key, 32, item, "privateKey");
		ecdsa_sign(&signature, &digest, key);
		buf_append_text(&raw, "kept");
		struct hash32 hash = eth_transaction_encode_signed(&raw, &tx, &signature);
		struct bytes known = fixture_hex(&arena, item, "raw");
		assert_int_equal(raw.len, 4 + known.len);
		assert_memory_equal(raw.data + 4, known.data, known.len);
		fixture_fixed(want.b, 32, item, "tx_hash");
		assert_memory_equal(hash.b, want.b, 32);
		buf_free(&raw);
	}
	assert_true(checked >= 6);
	arena_free(&arena);
}

static void rlp_strings_equal_the_known_ones(void **state)
{
	const struct jval *cases = jval_get(vectors, "rlp_strings");
	struct arena arena = {0};

	(void)state;
	assert_true(jval_count(cases) > 4);
	for (size_t i = 0; i < jval_count(cases); i++) {
		struct buf out = {0};
		rlp_put_string(&out, fixture_hex(&arena, jval_at(cases, i), "input"));
		struct bytes want = fixture_hex(&arena, jval_at(cases, i), "rlp");
		assert_true(bytes_equal(buf_bytes(&out), want));
		buf_free(&out);
	}
	arena_free(&arena);
}

/* Nested arrays of hex strings, as in the file. */
static void put_value(struct buf *out, struct arena *arena, const struct jval *value)
{
	struct buf payload = {0};

	if (jval_is_string(value)) {
		rlp_put_string(out, fixture_unhex(arena, jval_string(value)));
		return;
	}
	for (size_t i = 0; i < jval_count(value); i++)
		put_value(&payload, arena, jval_at(value, i));
	rlp_put_list(out, buf_bytes(&payload));
	buf_free(&payload);
}

static void rlp_lists_equal_the_known_ones(void **state)
{
	const struct jval *cases = jval_get(vectors, "rlp_lists");
	struct arena arena = {0};

	(void)state;
	assert_true(jval_count(cases) > 0);
	for (size_t i = 0; i < jval_count(cases); i++) {
		struct buf out = {0};
		put_value(&out, &arena, jval_get(jval_at(cases, i), "input"));
		struct bytes want = fixture_hex(&arena, jval_at(cases, i), "rlp");
		assert_true(bytes_equal(buf_bytes(&out), want));
		buf_free(&out);
	}
	arena_free(&arena);
}

static void numbers_carry_no_leading_zeros(void **state)
{
	static const struct {
		uint64_t value;
		const char *rlp;
		size_t size;
	} cases[] = {
	        {0, "\x80", 1},           {1, "\x01", 1},
	        {127, "\x7f", 1},         {128, "\x81\x80", 2},
	        {256, "\x82\x01\x00", 3}, {UINT64_MAX, "\x88\xff\xff\xff\xff\xff\xff\xff\xff", 9}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = {0};
		rlp_put_u64(&out, cases[i].value);
		assert_true(bytes_equal(buf_bytes(&out), bytes_of(cases[i].rlp, cases[i].size)));
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(signed_transactions_equal_the_known_ones),
	        cmocka_unit_test(rlp_strings_equal_the_known_ones),
	        cmocka_unit_test(rlp_lists_equal_the_known_ones),
	        cmocka_unit_test(numbers_carry_no_leading_zeros),
	};
	crypto_init();
	vectors = fixture_json("tests/fixtures/eth/raw_transactions.json");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	jval_free(vectors);
	return failed;
}
