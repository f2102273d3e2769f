#include "common/governance/safe_tx.h"
#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static struct address read_address(const struct jval *object, const char *key)
{
	struct address address;

	assert_int_equal(address_parse(&address, fixture_string(object, key), NULL), 0);
	return address;
}

static struct u256 read_u256(const struct jval *object, const char *key)
{
	struct u256 number;

	assert_int_equal(u256_parse(&number, fixture_string(object, key), NULL), 0);
	return number;
}

static struct hash32 read_hash(const struct jval *object, const char *key)
{
	struct hash32 hash;

	fixture_fixed(hash.b, sizeof(hash.b), object, key);
	return hash;
}

/* item has chainId, safe and tx; false when its nonce is one no Safe ever reaches. */
static bool read_tx(struct safe_tx *out, const struct jval *item)
{
	const struct jval *tx = jval_get(item, "tx");
	struct u256 nonce = read_u256(tx, "nonce");

	*out = (struct safe_tx){.chain_id = (uint64_t)fixture_int(item, "chainId"),
	                        .safe = read_address(item, "safe"),
	                        .to = read_address(tx, "to"),
	                        .value = read_u256(tx, "value"),
	                        .data = fixture_hex(&arena, tx, "data"),
	                        .operation = (uint8_t)fixture_int(tx, "operation"),
	                        .safe_tx_gas = read_u256(tx, "safeTxGas"),
	                        .base_gas = read_u256(tx, "baseGas"),
	                        .gas_price = read_u256(tx, "gasPrice"),
	                        .gas_token = read_address(tx, "gasToken"),
	                        .refund_receiver = read_address(tx, "refundReceiver")};
	return u256_to_u64(&out->nonce, &nonce) == 0;
}

static void test_hash_vectors(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/safe_tx_hash.json");
	const struct jval *cases = jval_get(file, "cases");
	size_t checked = 0;

	(void)state;
	for (size_t i = 0; i < jval_count(cases); i++) {
		const struct jval *item = jval_at(cases, i);
		struct safe_tx tx;
		if (!jval_is_true(jval_get(item, "chainIdInDomain")) || !read_tx(&tx, item))
			continue;
		struct hash32 hash = safe_tx_hash(&tx), expected = read_hash(item, "safeTxHash");
		struct hash32 domain = safe_domain_separator(tx.chain_id, &tx.safe);
		struct hash32 expected_domain = read_hash(item, "domainSeparator");
		assert_true(hash32_equal(&domain, &expected_domain));
		assert_true(hash32_equal(&hash, &expected));
		checked++;
	}
	assert_true(checked >= 48);
	jval_free(file);
}

/* Every field enters the hash: change one bit of any and the hash is another. */
static void test_every_field_counts(void **state)
{
	const uint8_t data[2] = {1, 2}, longer[3] = {1, 2, 0};
	const struct safe_tx base = {.chain_id = 1, .data = bytes_of(data, 2)};
	struct safe_tx changed[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changed); i++)
		changed[i] = base;
	changed[0].chain_id = 2;
	changed[1].safe.b[19] = 1;
	changed[2].to.b[0] = 1;
	changed[3].value.b[31] = 1;
	changed[4].data = bytes_of(longer, 3);
	changed[5].operation = 1;
	changed[6].safe_tx_gas.b[31] = 1;
	changed[7].base_gas.b[31] = 1;
	changed[8].gas_price.b[31] = 1;
	changed[9].gas_token.b[0] = 1;
	changed[10].refund_receiver.b[0] = 1;
	changed[11].nonce = 1;
	struct hash32 hash = safe_tx_hash(&base);
	assert_true(safe_tx_standard_gas(&base));
	for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
		struct hash32 other = safe_tx_hash(&changed[i]);
		assert_false(hash32_equal(&hash, &other));
		assert_int_equal(safe_tx_standard_gas(&changed[i]), i < 6 || i > 10);
	}
}

static void check_owner(const struct jval *item, const char *key, bool chain)
{
	struct hash32 hash = read_hash(item, "safeTxHash");
	struct address expected = read_address(item, "address"), owner;
	struct bytes part = fixture_hex(&arena, item, key);
	struct error error = {0};
	bool needs_chain;

	assert_int_equal(part.len, SAFE_SIGNATURE_SIZE);
	assert_int_equal(safe_signature_owner(&owner, &needs_chain, &hash, part.data, &error), 0);
	assert_true(address_equal(&owner, &expected));
	assert_int_equal(needs_chain, chain);
}

static void test_owner_vectors(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/safe_signatures.json");
	const struct jval *cases = jval_get(file, "cases");

	(void)state;
	assert_true(jval_count(cases) >= 84);
	for (size_t i = 0; i < jval_count(cases); i++) {
		const struct jval *item = jval_at(cases, i);
		check_owner(item, "signature_eip712", false);
		check_owner(item, "signature_eth_sign_v_plus_4", false);
		check_owner(item, "approved_hash_signature", true);
	}
	jval_free(file);
}

/* One flipped bit never leaves the same signer. */
static void test_flipped_signature(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/safe_signatures.json");
	const struct jval *item = jval_at(jval_get(file, "cases"), 0);
	struct hash32 hash = read_hash(item, "safeTxHash");
	struct address signer = read_address(item, "address"), owner;
	uint8_t part[SAFE_SIGNATURE_SIZE];
	bool needs_chain;

	(void)state;
	fixture_fixed(part, sizeof(part), item, "signature_eip712");
	for (size_t bit = 0; bit < 8 * sizeof(part); bit++) {
		part[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = safe_signature_owner(&owner, &needs_chain, &hash, part, NULL);
		assert_true(rc != 0 || !address_equal(&owner, &signer));
		assert_true(rc == 0 || address_is_zero(&owner));
		part[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	jval_free(file);
}

static void test_exec_vector(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/safe_signatures.json");
	const struct jval *example = jval_get(file, "concat_example");
	struct bytes joined = fixture_hex(&arena, example, "concat_2of3");
	struct buf calldata = {0};
	struct safe_tx tx, decoded;
	struct bytes signatures;

	(void)state;
	assert_true(read_tx(&tx, example));
	struct hash32 hash = safe_tx_hash(&tx), expected = read_hash(example, "safeTxHash");
	assert_true(hash32_equal(&hash, &expected));
	safe_exec_encode(&calldata, &tx, joined);
	struct bytes published = fixture_hex(&arena, example, "execTransaction_calldata");
	assert_true(bytes_equal(buf_bytes(&calldata), published));

	assert_int_equal(safe_exec_decode(&decoded, &signatures, published, NULL), 0);
	assert_true(bytes_equal(signatures, joined));
	decoded.chain_id = tx.chain_id;
	decoded.safe = tx.safe;
	decoded.nonce = tx.nonce;
	hash = safe_tx_hash(&decoded);
	assert_true(hash32_equal(&hash, &expected));
	buf_free(&calldata);
	jval_free(file);
}

/* Shorter by any number of bytes, longer, or with any bit of the head words flipped: refused or,
 * where the bit belongs to a value, read as just that value. */
static void test_exec_decode_is_strict(void **state)
{
	struct safe_tx tx = {.to = {{7}}, .data = bytes_text("0123456789"), .nonce = 4}, decoded;
	struct bytes signatures;
	struct buf calldata = {0}, again = {0};

	(void)state;
	safe_exec_encode(&calldata, &tx, bytes_text("signature"));
	for (size_t len = 0; len < calldata.len; len++)
		assert_int_not_equal(
		        safe_exec_decode(&decoded, &signatures, bytes_of(calldata.data, len), NULL),
		        0);
	for (size_t bit = 0; bit < 8 * calldata.len; bit++) {
		calldata.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (safe_exec_decode(&decoded, &signatures, buf_bytes(&calldata), NULL) == 0) {
			buf_clear(&again);
			safe_exec_encode(&again, &decoded, signatures);
			assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&calldata)));
		} else {
			assert_true(address_is_zero(&decoded.to) && signatures.len == 0);
		}
		calldata.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_append_byte(&calldata, 0);
	assert_int_not_equal(safe_exec_decode(&decoded, &signatures, buf_bytes(&calldata), NULL),
	                     0);
	buf_free(&calldata);
	buf_free(&again);
}

static void test_rejection(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/safe_tx_hash.json");
	const struct jval *item = jval_at(jval_get(file, "cases"), 0);
	struct safe_tx tx;

	(void)state;
	assert_string_equal(fixture_string(item, "label"), "empty tx to self (rejection), nonce 0");
	assert_true(read_tx(&tx, item));
	assert_true(safe_tx_is_rejection(&tx));
	struct safe_tx made = safe_tx_rejection(tx.chain_id, &tx.safe, tx.nonce);
	struct hash32 hash = safe_tx_hash(&made), expected = read_hash(item, "safeTxHash");
	assert_true(hash32_equal(&hash, &expected));
	made.data = bytes_text("x");
	assert_false(safe_tx_is_rejection(&made));
	jval_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_hash_vectors),  cmocka_unit_test(test_every_field_counts),
	        cmocka_unit_test(test_owner_vectors), cmocka_unit_test(test_flipped_signature),
	        cmocka_unit_test(test_exec_vector),   cmocka_unit_test(test_exec_decode_is_strict),
	        cmocka_unit_test(test_rejection),
	};
	crypto_init();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
