/* Lists of reads, and what the answers of a registry's getters mean together. */
#include "daemon/govern/reads.h"

#include "common/governance/timelock.h"
#include "daemon/govern/safe_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct address kms = {{0x11}}, app = {{0x22}};

/* What a getter may answer. */
enum kind_of_answer { YES, NO, TWO, EMPTY, SHORT, LONG, REVERTED, ANSWER_KINDS };

static struct chain_read_result result_of(struct arena *arena, enum kind_of_answer kind)
{
	uint8_t word[64] = {0};
	size_t len = kind == EMPTY ? 0 : kind == SHORT ? 31 : kind == LONG ? 64 : 32;

	word[len == 31 ? 30 : 31] = kind == NO ? 0 : kind == TWO ? 2 : 1;
	return (struct chain_read_result){.success = kind != REVERTED,
	                                  .returned = arena_copy(arena, bytes_of(word, len))};
}

static enum check_answer meaning_of(enum kind_of_answer kind)
{
	return kind == YES ? CHECK_YES : kind == NO ? CHECK_NO : CHECK_UNKNOWN;
}

static void test_both_getters(void **state)
{
	struct check_slot slot = {.is_authorized = 0, .mapping = 1, .kind = KIND_COMPOSE};
	struct arena arena = {0};

	(void)state;
	for (int a = 0; a < ANSWER_KINDS; a++) {
		for (int b = 0; b < ANSWER_KINDS; b++) {
			struct chain_read_result results[2] = {
			        result_of(&arena, (enum kind_of_answer)a),
			        result_of(&arena, (enum kind_of_answer)b)};
			enum check_answer first = meaning_of((enum kind_of_answer)a);
			enum check_answer second = meaning_of((enum kind_of_answer)b);
			const char *getter;
			bool disagree;
			enum check_answer answer =
			        check_answer_of(&slot, results, &getter, &disagree);
			if (first != CHECK_UNKNOWN && second != CHECK_UNKNOWN && first != second) {
				assert_int_equal(answer, CHECK_UNKNOWN);
				assert_true(disagree);
				continue;
			}
			assert_false(disagree);
			assert_int_equal(answer, first != CHECK_UNKNOWN ? first : second);
			if (first != CHECK_UNKNOWN)
				assert_string_equal(getter, "isAuthorized(bytes32)");
			else if (second != CHECK_UNKNOWN)
				assert_string_equal(getter, "allowedComposeHashes(bytes32)");
			else
				assert_null(getter);
			assert_int_equal(check_answer_of(&slot, results, NULL, NULL), answer);
		}
	}
	arena_free(&arena);
}

static void test_one_getter(void **state)
{
	struct arena arena = {0};

	(void)state;
	for (int kind = 0; kind < ANSWER_KINDS; kind++) {
		struct chain_read_result result = result_of(&arena, (enum kind_of_answer)kind);
		struct check_slot direct = {0, READS_NONE, KIND_OS_IMAGE};
		struct check_slot mapping = {READS_NONE, 0, KIND_OS_IMAGE};
		bool disagree;
		assert_int_equal(check_answer_of(&direct, &result, NULL, &disagree),
		                 meaning_of((enum kind_of_answer)kind));
		assert_false(disagree);
		assert_int_equal(check_answer_of(&mapping, &result, NULL, &disagree),
		                 meaning_of((enum kind_of_answer)kind));
		assert_false(disagree);
	}
	arena_free(&arena);
}

/* Which getters each mode asks, for every kind. */
static void test_modes(void **state)
{
	const struct hash32 value = {{0xaa, 0xbb}};
	struct arena arena = {0};

	(void)state;
	for (enum kind kind = KIND_OS_IMAGE; kind <= KIND_LAST; kind++) {
		for (enum check_mode mode = CHECK_MODE_AUTO; mode <= CHECK_MODE_MAPPING; mode++) {
			struct reads reads = {.arena = &arena};
			struct registry_call call = {.contract = kms, .as = kind};
			struct check_slot slot;
			bool has = kind_has_is_authorized(kind);
			check_add(&slot, &reads, mode, &call, &value);
			assert_int_equal(slot.is_authorized != READS_NONE,
			                 has && mode != CHECK_MODE_MAPPING);
			assert_int_equal(slot.mapping != READS_NONE,
			                 !has || mode != CHECK_MODE_IS_AUTHORIZED);
			if (slot.mapping != READS_NONE) {
				const struct chain_read *read = &reads.items[slot.mapping];
				assert_true(address_equal(&read->to, &kms));
				assert_int_equal(read->data.len, 36);
				assert_memory_equal(read->data.data, kind_getter_selector(kind), 4);
				assert_memory_equal(read->data.data + 4, value.b, 32);
			}
			if (slot.is_authorized != READS_NONE)
				assert_memory_equal(reads.items[slot.is_authorized].data.data,
				                    is_authorized_selector, 4);
		}
	}
	arena_free(&arena);
}

static void test_registry_calls(void **state)
{
	struct config_target target = {.kms = kms};
	struct registry_call call;

	(void)state;
	assert_int_equal(registry_call_for(&call, &target, KIND_OS_IMAGE), 0);
	assert_true(address_equal(&call.contract, &kms));
	assert_int_equal(registry_call_for(&call, &target, KIND_COMPOSE), ERR_NOT_FOUND);
	assert_int_equal(registry_call_for(&call, &target, KIND_DEVICE), ERR_NOT_FOUND);
	assert_int_equal(registry_call_for(&call, &target, KIND_KMS_MR), 0);

	/* As the public guide does: a compose hash stands among the OS images. */
	target.compose_registry_kms = true;
	assert_int_equal(registry_call_for(&call, &target, KIND_COMPOSE), 0);
	assert_true(address_equal(&call.contract, &kms));
	assert_int_equal(call.as, KIND_OS_IMAGE);

	target.compose_registry_kms = false;
	target.has_app = true;
	target.app = app;
	assert_int_equal(registry_call_for(&call, &target, KIND_COMPOSE), 0);
	assert_true(address_equal(&call.contract, &app));
	assert_int_equal(call.as, KIND_COMPOSE);
	assert_int_equal(registry_call_for(&call, &target, KIND_DEVICE), 0);
	assert_true(address_equal(&call.contract, &app));
}

static void test_lists_grow(void **state)
{
	struct arena arena = {0};
	struct reads reads = {.arena = &arena};

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		uint8_t data[8] = {0};
		be32_put(data, (uint32_t)i);
		assert_int_equal(reads_add(&reads, &kms, bytes_of(data, sizeof(data))), i);
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(be32_get(reads.items[i].data.data), i);
	arena_free(&arena);
}

static void test_numbers(void **state)
{
	struct arena arena = {0};
	struct chain_read_result result;
	uint64_t value;

	(void)state;
	for (int kind = 0; kind < ANSWER_KINDS; kind++) {
		bool readable = kind == YES || kind == NO || kind == TWO;
		result = result_of(&arena, (enum kind_of_answer)kind);
		assert_int_equal(reads_u64(&value, &result), readable ? 0 : ERR_UNAVAILABLE);
		assert_int_equal(value, kind == YES ? 1 : kind == TWO ? 2 : 0);
	}
	uint8_t large[32] = {[23] = 1};
	result = (struct chain_read_result){true, bytes_of(large, sizeof(large))};
	assert_int_equal(reads_u64(&value, &result), ERR_UNAVAILABLE);
	arena_free(&arena);
}

/* A Safe is only what answers all three questions. */
static void test_safe_views(void **state)
{
	uint8_t nonce[32] = {[31] = 7}, threshold[32] = {[31] = 2}, zero[32] = {0};
	uint8_t owners[128] = {[31] = 0x20, [63] = 2, [64 + 12] = 0xa1, [96 + 12] = 0xa2};
	struct chain_read_result good[3] = {{true, bytes_of(nonce, 32)},
	                                    {true, bytes_of(threshold, 32)},
	                                    {true, bytes_of(owners, sizeof(owners))}};
	struct arena arena = {0};
	struct reads reads = {.arena = &arena};
	struct safe_slot slot = safe_view_ask(&reads, &kms);
	const struct address first = {{0xa1}}, other = {{0xa3}};
	struct safe_view view;

	(void)state;
	assert_int_equal(reads.count, 3);
	assert_int_equal(safe_view_take(&view, &arena, &slot, good), 0);
	assert_int_equal(view.nonce, 7);
	assert_int_equal(view.threshold, 2);
	assert_int_equal(view.owner_count, 2);
	assert_true(safe_view_is_owner(&view, &first));
	assert_false(safe_view_is_owner(&view, &other));
	for (size_t i = 0; i < 3; i++) {
		struct chain_read_result bad[3] = {good[0], good[1], good[2]};
		bad[i].returned.len--;
		assert_int_equal(safe_view_take(&view, &arena, &slot, bad), ERR_UNAVAILABLE);
		bad[i] = (struct chain_read_result){false, good[i].returned};
		assert_int_equal(safe_view_take(&view, &arena, &slot, bad), ERR_UNAVAILABLE);
	}
	good[1].returned = bytes_of(zero, 32);
	assert_int_equal(safe_view_take(&view, &arena, &slot, good), ERR_UNAVAILABLE);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_both_getters), cmocka_unit_test(test_one_getter),
	        cmocka_unit_test(test_modes),        cmocka_unit_test(test_registry_calls),
	        cmocka_unit_test(test_lists_grow),   cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_safe_views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
