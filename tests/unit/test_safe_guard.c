/* The guard's question, against what viem encodes for the same arguments. */
#include "common/governance/safe_guard.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/governance/views.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct address all(uint8_t byte)
{
	struct address address;

	memset(address.b, byte, sizeof(address.b));
	return address;
}

static void test_check(void **state)
{
	static const uint8_t data[] = {0x12, 0x34, 0x56, 0x78, 0x90};
	const struct safe_tx tx = {.to = all(0x11),
	                           .value = u256_from(5),
	                           .data = bytes_of(data, sizeof(data)),
	                           .operation = 1,
	                           .safe_tx_gas = u256_from(6),
	                           .base_gas = u256_from(7),
	                           .gas_price = u256_from(8),
	                           .gas_token = all(0x22),
	                           .refund_receiver = all(0x33)};
	const struct address sender = all(0x44);
	char text[HASH32_TEXT_SIZE];
	struct buf out = {0};

	(void)state;
	safe_guard_encode_check(&out, &tx, &sender);
	assert_int_equal(out.len, 4 + 14 * ABI_WORD);
	struct hash32 hash = keccak256(buf_bytes(&out));
	assert_string_equal(hash32_text(text, &hash),
	                    "0x5b5f0b8798f13ae712edeb9c97c93a964f574d8eaec98843241450cf3b338863");
	buf_free(&out);
}

static void test_storage(void **state)
{
	static const uint8_t start[] = {0x56, 0x24, 0xb2, 0x5b, 0x4a, 0x20, 0x4f, 0x62};
	struct hash32 word = {{0}};
	struct address found, guard = all(0x66);
	struct buf out = {0}, answer = {0};

	(void)state;
	safe_encode_storage_at(&out, &safe_guard_slot);
	assert_int_equal(out.len, 4 + 2 * ABI_WORD);
	assert_memory_equal(out.data, start, sizeof(start));
	assert_int_equal(out.data[out.len - 1], 1);
	buf_free(&out);

	memcpy(word.b + 12, guard.b, sizeof(guard.b));
	struct abi_writer writer = abi_begin(&answer, 1);
	abi_put_bytes(&writer, bytes_of(word.b, sizeof(word.b)));
	assert_int_equal(safe_storage_address(&found, buf_bytes(&answer)), 0);
	assert_true(address_equal(&found, &guard));
	/* Not one word, or no address in it: nothing is known. */
	for (size_t len = 0; len < answer.len; len++)
		assert_int_equal(safe_storage_address(&found, bytes_of(answer.data, len)),
		                 ERR_INVALID);
	answer.data[2 * ABI_WORD] = 1;
	assert_int_equal(safe_storage_address(&found, buf_bytes(&answer)), ERR_INVALID);
	assert_true(address_is_zero(&found));
	buf_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_check),
	        cmocka_unit_test(test_storage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
