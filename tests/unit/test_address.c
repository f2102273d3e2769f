#include "common/eth/address.h"
#include "tests/unit/fixture.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void eip55_reads_and_writes_the_known_addresses(void **state)
{
	struct jval *cases = fixture_json("tests/fixtures/eth/eip55.json");

	(void)state;
	assert_true(jval_count(cases) > 10);
	for (size_t i = 0; i < jval_count(cases); i++) {
		const char *lower = fixture_string(jval_at(cases, i), "lower");
		const char *checked = fixture_string(jval_at(cases, i), "checksummed");
		struct address from_lower, from_checked;
		char text[ADDRESS_TEXT_SIZE];

		assert_int_equal(address_parse(&from_lower, lower, NULL), 0);
		assert_int_equal(address_parse(&from_checked, checked, NULL), 0);
		assert_true(address_equal(&from_lower, &from_checked));
		assert_string_equal(address_text(text, &from_lower), checked);
		assert_string_equal(address_lower(text, &from_lower), lower);
	}
	jval_free(cases);
}

static void one_letter_in_the_wrong_case_names_the_right_checksum(void **state)
{
	static const char right[] = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
	char wrong[sizeof(right)];

	(void)state;
	for (size_t i = 2; right[i] != '\0'; i++) {
		struct address address;
		struct error error = {0};
		if (!isalpha((unsigned char)right[i]))
			continue;
		memcpy(wrong, right, sizeof(right));
		wrong[i] ^= 0x20;
		assert_int_equal(address_parse(&address, wrong, &error), ERR_INVALID);
		assert_non_null(strstr(error.text, right));
		assert_true(address_is_zero(&address));
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
	        "",
	        "0x",
	        "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
	        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
	        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
	        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0",
	        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
	        "0x0x5aaeb6053f3e94c9b9a09f33669435e7ef1bea",
	        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed ",
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(address_parse(&address, bad[i], NULL), ERR_INVALID);
	assert_int_equal(
	        address_parse(&address, "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", NULL), 0);
}

static void numbers_round_trip_between_their_forms(void **state)
{
	static const char *const decimals[] = {
	        "0",
	        "1",
	        "255",
	        "256",
	        "18446744073709551615",
	        "18446744073709551616",
	        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
	};
	char text[U256_TEXT_SIZE];
	struct u256 last = u256_from(0), value, again;
	uint64_t narrow;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decimals); i++) {
		char hex[67] = "0x";
		assert_int_equal(u256_parse(&value, decimals[i], NULL), 0);
		assert_string_equal(u256_decimal(text, &value), decimals[i]);
		hex_encode(hex + 2, bytes_of(value.b, 32));
		assert_int_equal(u256_parse(&again, hex, NULL), 0);
		assert_int_equal(u256_compare(&value, &again), 0);
		assert_int_equal(u256_to_u64(&narrow, &value), i < 5 ? 0 : ERR_LIMIT);
		assert_true(i == 0 || u256_compare(&last, &value) < 0);
		last = value;
	}
	value = u256_from(UINT64_MAX);
	assert_int_equal(u256_to_u64(&narrow, &value), 0);
	assert_true(narrow == UINT64_MAX);
	assert_false(u256_is_zero(&value));
	value = u256_from(0);
	assert_true(u256_is_zero(&value));
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = {"", "0x", "-1", "+1", "1 ", "1e3", "0xg", "12a"};
	struct u256 value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(u256_parse(&value, bad[i], NULL), ERR_INVALID);
	assert_int_equal(
	        u256_parse(&value,
	                   "115792089237316195423570985008687907853269984665640564039457584"
	                   "007913129639936",
	                   NULL),
	        ERR_LIMIT);
	assert_true(u256_is_zero(&value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(eip55_reads_and_writes_the_known_addresses),
	        cmocka_unit_test(one_letter_in_the_wrong_case_names_the_right_checksum),
	        cmocka_unit_test(what_is_no_address_is_refused),
	        cmocka_unit_test(numbers_round_trip_between_their_forms),
	        cmocka_unit_test(what_is_no_number_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
