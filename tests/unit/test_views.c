#include "common/governance/views.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;

static void test_selectors(void **state)
{
	(void)state;
	for (int view = VIEW_SAFE_NONCE; view <= VIEW_LAST; view++) {
		uint8_t derived[ABI_SELECTOR];
		abi_selector(derived, view_signature((enum view)view));
		assert_true(
		        bytes_equal(view_call((enum view)view), bytes_of(derived, ABI_SELECTOR)));
	}
}

static void test_slots(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/governance/slots_roles.json");
	struct hash32 slot;

	(void)state;
	fixture_fixed(slot.b, sizeof(slot.b), jval_get(file, "erc1967"), "implementation");
	assert_true(hash32_equal(&slot, &proxy_implementation_slot));
	fixture_fixed(slot.b, sizeof(slot.b), jval_get(file, "safe"), "guard");
	assert_true(hash32_equal(&slot, &safe_guard_slot));
	slot = keccak256(bytes_text("guard_manager.guard.address"));
	assert_true(hash32_equal(&slot, &safe_guard_slot));
	jval_free(file);
}

/* Right sizes only: an address without code answers with nothing, and that is no zero. */
static void test_answers(void **state)
{
	struct address owners[2] = {{{1}}, {{2}}}, one, *list;
	struct buf word = {0}, array = {0}, text = {0};
	uint64_t number;
	size_t count;
	char *version;

	(void)state;
	struct abi_writer writer = abi_begin(&word, 1);
	abi_put_u64(&writer, 42);
	assert_int_equal(view_u64(&number, buf_bytes(&word)), 0);
	assert_int_equal(number, 42);
	assert_int_equal(view_address(&one, buf_bytes(&word)), 0);
	assert_int_equal(one.b[19], 42);
	for (size_t len = 0; len < 32; len++) {
		assert_int_equal(view_u64(&number, bytes_of(word.data, len)), ERR_INVALID);
		assert_int_equal(view_address(&one, bytes_of(word.data, len)), ERR_INVALID);
	}
	word.data[0] = 1;
	assert_int_equal(view_u64(&number, buf_bytes(&word)), ERR_INVALID);
	assert_int_equal(view_address(&one, buf_bytes(&word)), ERR_INVALID);
	assert_int_equal(number, 0);
	buf_append_zeros(&word, 32);
	word.data[0] = 0;
	assert_int_equal(view_u64(&number, buf_bytes(&word)), ERR_INVALID);

	writer = abi_begin(&array, 1);
	abi_put_tail(&writer);
	writer = abi_begin_array(&array, 2);
	abi_put_address(&writer, &owners[0]);
	abi_put_address(&writer, &owners[1]);
	assert_int_equal(view_addresses(&arena, &list, &count, buf_bytes(&array)), 0);
	assert_int_equal(count, 2);
	assert_true(address_equal(&list[1], &owners[1]));
	for (size_t len = 0; len < array.len; len++)
		assert_int_equal(view_addresses(&arena, &list, &count, bytes_of(array.data, len)),
		                 ERR_INVALID);

	writer = abi_begin(&text, 1);
	abi_put_bytes(&writer, bytes_text("1.4.1"));
	assert_int_equal(view_text(&arena, &version, buf_bytes(&text)), 0);
	assert_string_equal(version, "1.4.1");
	text.data[64] = 0;
	assert_int_equal(view_text(&arena, &version, buf_bytes(&text)), ERR_INVALID);
	assert_int_equal(view_text(&arena, &version, bytes_of(NULL, 0)), ERR_INVALID);
	assert_null(version);
	buf_free(&word);
	buf_free(&array);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_selectors),
	        cmocka_unit_test(test_slots),
	        cmocka_unit_test(test_answers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
