#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct jval *cases;

static void read_case(const struct jval *item, uint8_t key[32], struct hash32 *digest,
                      struct ecdsa_signature *signature, uint8_t address[20])
{
	fixture_fixed(key, 32, item, "privateKey");
	fixture_fixed(digest->b, 32, item, "digest");
	fixture_fixed(signature->r, 32, item, "r");
	fixture_fixed(signature->s, 32, item, "s");
	signature->recovery = (uint8_t)fixture_int(item, "yParity");
	fixture_fixed(address, 20, item, "address");
}

static void signs_and_recovers_as_everybody_else(void **state)
{
	(void)state;
	assert_true(jval_count(cases) > 20);
	for (size_t i = 0; i < jval_count(cases); i++) {
		struct ecdsa_signature want, got;
		uint8_t key[32], address[20], other[20];
		struct hash32 digest;

		read_case(jval_at(cases, i), key, &digest, &want, address);
		ecdsa_sign(&got, &digest, key);
		assert_memory_equal(got.r, want.r, 32);
		assert_memory_equal(got.s, want.s, 32);
		assert_int_equal(got.recovery, want.recovery);
		ecdsa_key_address(other, key);
		assert_memory_equal(other, address, 20);
		assert_int_equal(ecdsa_recover(other, &digest, &want, NULL), 0);
		assert_memory_equal(other, address, 20);
	}
}

static void another_digest_recovers_to_somebody_else(void **state)
{
	struct ecdsa_signature signature;
	uint8_t key[32], address[20], other[20];
	struct hash32 digest;

	(void)state;
	read_case(jval_at(cases, 0), key, &digest, &signature, address);
	digest.b[31] ^= 1;
	assert_true(ecdsa_recover(other, &digest, &signature, NULL) != 0 ||
	            memcmp(other, address, 20) != 0);
}

/* n - s, over the curve's order n. */
static void negate(uint8_t s[32])
{
	static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
	                                  0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
	                                  0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
	int borrow = 0;

	for (int i = 31; i >= 0; i--) {
		int wide = order[i] - s[i] - borrow;
		borrow = wide < 0;
		s[i] = (uint8_t)wide;
	}
}

static void malformed_signatures_are_refused(void **state)
{
	struct ecdsa_signature good, bad;
	struct error error = {0};
	uint8_t key[32], address[20], zero[20] = {0};
	struct hash32 digest;

	(void)state;
	read_case(jval_at(cases, 0), key, &digest, &good, address);

	bad = good;
	negate(bad.s);
	bad.recovery ^= 1;
	assert_int_equal(ecdsa_recover(address, &digest, &bad, &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "upper half"));
	assert_memory_equal(address, zero, 20);

	bad = good;
	bad.recovery = 2;
	assert_int_equal(ecdsa_recover(address, &digest, &bad, &error), ERR_INVALID);
	bad = good;
	memset(bad.r, 0xff, 32);
	assert_int_equal(ecdsa_recover(address, &digest, &bad, &error), ERR_INVALID);
	bad = good;
	memset(bad.s, 0, 32);
	assert_int_equal(ecdsa_recover(address, &digest, &bad, &error), ERR_INVALID);
	bad = good;
	memset(bad.r, 0, 32);
	assert_int_equal(ecdsa_recover(address, &digest, &bad, &error), ERR_INVALID);
}

static void zero_and_too_large_keys_are_invalid(void **state)
{
	uint8_t key[32] = {0};

	(void)state;
	assert_false(ecdsa_key_valid(key));
	key[31] = 1;
	assert_true(ecdsa_key_valid(key));
	memset(key, 0xff, sizeof(key));
	assert_false(ecdsa_key_valid(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(signs_and_recovers_as_everybody_else),
	        cmocka_unit_test(another_digest_recovers_to_somebody_else),
	        cmocka_unit_test(malformed_signatures_are_refused),
	        cmocka_unit_test(zero_and_too_large_keys_are_invalid),
	};
	crypto_init();
	cases = fixture_json("tests/fixtures/eth/raw_ecdsa.json");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	jval_free(cases);
	return failed;
}
