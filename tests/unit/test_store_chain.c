/* Cursor, recent blocks, backfill and logs. */
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN STORE_FIXTURE_CHAIN

static void advance(struct store_fixture *f, uint64_t first, uint64_t last)
{
	store_begin(f->store);
	for (uint64_t n = first; n <= last; n++) {
		struct hash32 hash = store_fixture_hash((unsigned)n);
		store_cursor_set(f->store, CHAIN, n, &hash);
	}
	store_commit(f->store);
}

static void rewind_to(struct store_fixture *f, uint64_t number)
{
	store_begin(f->store);
	store_chain_rewind(f->store, CHAIN, number);
	store_commit(f->store);
}

static void the_cursor_moves_and_stays(void **state)
{
	struct store_fixture *f = *state;
	uint64_t number = 1;
	struct hash32 hash, expected = store_fixture_hash(12);

	assert_int_equal(store_cursor_get(f->store, CHAIN, &number, &hash), ERR_NOT_FOUND);
	assert_int_equal(number, 0);
	advance(f, 10, 12);
	store_fixture_reopen(f);
	assert_int_equal(store_cursor_get(f->store, CHAIN, &number, &hash), 0);
	assert_int_equal(number, 12);
	assert_true(hash32_equal(&hash, &expected));
	assert_int_equal(store_cursor_get(f->store, CHAIN + 1, &number, &hash), ERR_NOT_FOUND);
}

static void the_last_512_blocks_are_remembered(void **state)
{
	struct store_fixture *f = *state;
	uint64_t number, below = UINT64_MAX >> 1, count = 0;
	struct hash32 hash;

	advance(f, 1, 600);
	while (store_cursor_before(f->store, CHAIN, below, &number, &hash) == 0) {
		struct hash32 expected = store_fixture_hash((unsigned)number);
		assert_true(hash32_equal(&hash, &expected));
		assert_int_equal(number, 600 - count);
		below = number;
		count++;
	}
	assert_int_equal(count, 512);
}

static struct seen_log some_log(uint64_t block, unsigned index, unsigned key)
{
	return (struct seen_log){.block_number = block,
	                         .block_hash = store_fixture_hash((unsigned)block),
	                         .tx_hash = store_fixture_hash(9000 + index),
	                         .log_index = index,
	                         .address = store_fixture_address(1),
	                         .topic0 = store_fixture_hash(7),
	                         .key = store_fixture_hash(key),
	                         .data = bytes_of("data", 4)};
}

static void put(struct store_fixture *f, const struct seen_log *log)
{
	store_begin(f->store);
	store_log_put(f->store, CHAIN, log);
	store_commit(f->store);
}

static size_t find(struct store_fixture *f, unsigned key, struct seen_log_list *out)
{
	struct address address = store_fixture_address(1);
	struct hash32 topic0 = store_fixture_hash(7), hash = store_fixture_hash(key);

	*out = store_log_find(f->store, &f->arena, CHAIN, &address, &topic0, &hash);
	return out->count;
}

static void logs_are_kept_once_and_found_in_order(void **state)
{
	struct store_fixture *f = *state;
	const struct seen_log logs[] = {some_log(12, 0, 1), some_log(11, 5, 1), some_log(11, 2, 1),
	                                some_log(11, 3, 2)};
	struct seen_log_list list;

	for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
		put(f, &logs[i]);
		put(f, &logs[i]);
	}
	assert_int_equal(find(f, 1, &list), 3);
	assert_int_equal(list.items[0].log_index, 2);
	assert_int_equal(list.items[1].log_index, 5);
	assert_int_equal(list.items[2].block_number, 12);
	const struct seen_log *log = &list.items[2];
	assert_true(hash32_equal(&log->block_hash, &logs[0].block_hash));
	assert_true(hash32_equal(&log->tx_hash, &logs[0].tx_hash));
	assert_true(address_equal(&log->address, &logs[0].address));
	assert_true(hash32_equal(&log->topic0, &logs[0].topic0));
	assert_true(hash32_equal(&log->key, &logs[0].key));
	assert_true(bytes_equal(log->data, bytes_text("data")));
	assert_int_equal(find(f, 3, &list), 0);
}

static void a_reorganisation_forgets_what_is_above(void **state)
{
	struct store_fixture *f = *state;
	struct seen_log kept = some_log(11, 0, 1), gone = some_log(12, 0, 1);
	struct seen_log_list list;
	uint64_t number;
	struct hash32 hash, expected = store_fixture_hash(11);

	advance(f, 10, 13);
	put(f, &kept);
	put(f, &gone);
	rewind_to(f, 11);
	assert_int_equal(store_cursor_get(f->store, CHAIN, &number, &hash), 0);
	assert_int_equal(number, 11);
	assert_true(hash32_equal(&hash, &expected));
	assert_int_equal(find(f, 1, &list), 1);
	assert_int_equal(list.items[0].block_number, 11);
	assert_int_equal(store_cursor_before(f->store, CHAIN, 1000, &number, &hash), 0);
	assert_int_equal(number, 11);
	assert_int_equal(store_cursor_before(f->store, CHAIN, 11, &number, &hash), 0);
	assert_int_equal(number, 10);
	assert_int_equal(store_cursor_before(f->store, CHAIN, 10, &number, &hash), ERR_NOT_FOUND);

	/* the other branch: the same number, another hash */
	gone.block_hash = store_fixture_hash(1012);
	put(f, &gone);
	assert_int_equal(find(f, 1, &list), 2);
}

static void a_reorganisation_below_all_that_is_known_starts_over(void **state)
{
	struct store_fixture *f = *state;
	uint64_t number, from, next;
	struct hash32 hash;

	advance(f, 10, 13);
	store_begin(f->store);
	store_backfill_set(f->store, CHAIN, 1, 1);
	store_commit(f->store);
	rewind_to(f, 9);
	assert_int_equal(store_cursor_get(f->store, CHAIN, &number, &hash), ERR_NOT_FOUND);
	assert_int_equal(store_backfill_get(f->store, CHAIN, &from, &next), ERR_NOT_FOUND);
}

static void chains_do_not_mix(void **state)
{
	struct store_fixture *f = *state;
	struct seen_log log = some_log(11, 0, 1);
	struct seen_log_list list;
	uint64_t number;
	struct hash32 hash = store_fixture_hash(5);

	advance(f, 10, 13);
	put(f, &log);
	store_begin(f->store);
	store_cursor_set(f->store, 1, 500, &hash);
	store_log_put(f->store, 1, &log);
	store_chain_rewind(f->store, 1, 0);
	store_commit(f->store);
	assert_int_equal(store_cursor_get(f->store, CHAIN, &number, &hash), 0);
	assert_int_equal(number, 13);
	assert_int_equal(find(f, 1, &list), 1);
}

static void backfill_resumes(void **state)
{
	struct store_fixture *f = *state;
	uint64_t from = 1, next = 1;

	assert_int_equal(store_backfill_get(f->store, CHAIN, &from, &next), ERR_NOT_FOUND);
	assert_int_equal(from, 0);
	for (uint64_t at = 5000; at > 1000; at -= 2000) {
		store_begin(f->store);
		store_backfill_set(f->store, CHAIN, 1000, at);
		store_commit(f->store);
		store_fixture_reopen(f);
		assert_int_equal(store_backfill_get(f->store, CHAIN, &from, &next), 0);
		assert_int_equal(from, 1000);
		assert_int_equal(next, at);
	}
}

static void followed_contracts_are_remembered(void **state)
{
	struct store_fixture *f = *state;
	struct address contract = store_fixture_address(1), other = store_fixture_address(2);
	struct seen_log log = some_log(11, 0, 1);

	assert_false(store_follow_known(f->store, CHAIN, &contract));
	store_begin(f->store);
	store_follow_add(f->store, CHAIN, &contract);
	store_follow_add(f->store, CHAIN, &contract);
	assert_true(store_log_put(f->store, CHAIN, &log));
	assert_false(store_log_put(f->store, CHAIN, &log));
	store_commit(f->store);
	store_fixture_reopen(f);
	assert_true(store_follow_known(f->store, CHAIN, &contract));
	assert_false(store_follow_known(f->store, CHAIN, &other));
	assert_false(store_follow_known(f->store, CHAIN + 1, &contract));
	rewind_to(f, 0); /* no block is known: everything starts over */
	assert_false(store_follow_known(f->store, CHAIN, &contract));
}

static void logs_wait_until_somebody_acted(void **state)
{
	struct store_fixture *f = *state;
	struct seen_log logs[] = {some_log(12, 0, 1), some_log(11, 5, 2), some_log(11, 2, 3),
	                          some_log(15, 0, 4), some_log(11, 3, 5)};
	struct hash32 topics[] = {store_fixture_hash(7), store_fixture_hash(8)};
	struct seen_log_list list;

	logs[2].topic0 = store_fixture_hash(8);
	logs[4].topic0 = store_fixture_hash(9); /* not asked for */
	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		put(f, &logs[i]);
	list = store_log_unacted(f->store, &f->arena, CHAIN, topics, 2, 14);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.items[0].log_index, 2);
	assert_int_equal(list.items[1].log_index, 5);
	assert_int_equal(list.items[2].block_number, 12);

	store_begin(f->store);
	store_log_acted(f->store, CHAIN, &list.items[0]);
	store_log_acted(f->store, CHAIN, &list.items[2]);
	store_commit(f->store);
	put(f, &logs[0]); /* seen again: still acted on */
	list = store_log_unacted(f->store, &f->arena, CHAIN, topics, 2, 15);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].log_index, 5);
	assert_int_equal(list.items[1].block_number, 15);

	store_begin(f->store);
	store_log_act_again(f->store, CHAIN, &logs[0]);
	store_commit(f->store);
	list = store_log_unacted(f->store, &f->arena, CHAIN, topics, 2, 15);
	assert_int_equal(list.count, 3);
	store_begin(f->store);
	store_log_acted(f->store, CHAIN, &logs[0]);
	store_commit(f->store);
	list = store_log_unacted(f->store, &f->arena, CHAIN, topics, 0, 15);
	assert_int_equal(list.count, 0);

	/* gone in a reorganisation and back in another block: to be acted on again */
	rewind_to(f, 11);
	logs[0].block_hash = store_fixture_hash(1012);
	put(f, &logs[0]);
	list = store_log_unacted(f->store, &f->arena, CHAIN, topics, 2, 15);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[1].block_number, 12);
}

static size_t untold(struct store_fixture *f, uint64_t upto, size_t limit,
                     struct seen_log_list *out)
{
	*out = store_log_untold(f->store, &f->arena, CHAIN, upto, limit);
	return out->count;
}

static void changes_are_news_or_history_and_told_once(void **state)
{
	struct store_fixture *f = *state;
	struct seen_log logs[] = {some_log(20, 1, 1), some_log(20, 0, 2), some_log(19, 0, 3),
	                          some_log(21, 0, 4), some_log(22, 0, 5)};
	struct address contract = store_fixture_address(1);
	struct seen_log_list list;
	struct log_counts history;

	logs[4].address = store_fixture_address(2); /* not watched yet */
	logs[0].tx_hash = logs[1].tx_hash;
	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		put(f, &logs[i]);
	assert_int_equal(untold(f, 100, 100, &list), 0);
	store_history_untold(f->store, &f->arena, CHAIN, &history);
	assert_int_equal(history.count, 0);
	store_begin(f->store);
	store_watched_add(f->store, CHAIN, &contract, 20);
	store_watched_add(f->store, CHAIN, &contract, 10); /* the first word counts */
	store_commit(f->store);
	assert_int_equal(untold(f, 20, 100, &list), 2);
	assert_int_equal(list.items[0].log_index, 0);
	assert_int_equal(untold(f, 21, 100, &list), 3);
	assert_int_equal(untold(f, 21, 1, &list), 1);
	list = store_log_of_tx(f->store, &f->arena, CHAIN, &logs[0]);
	assert_int_equal(list.count, 2);
	store_history_untold(f->store, &f->arena, CHAIN, &history);
	assert_int_equal(history.count, 1);
	assert_int_equal(history.items[0].count, 1);

	store_begin(f->store);
	store_log_told(f->store, CHAIN, &logs[1]);
	store_history_told(f->store, CHAIN);
	store_commit(f->store);
	store_fixture_reopen(f);
	put(f, &logs[1]);
	assert_int_equal(untold(f, 100, 100, &list), 2);
	store_history_untold(f->store, &f->arena, CHAIN, &history);
	assert_int_equal(history.count, 0);
}

static void history_is_whole_until_somebody_says_otherwise(void **state)
{
	struct store_fixture *f = *state;

	assert_true(store_backfill_is_whole(f->store, CHAIN));
	store_begin(f->store);
	store_backfill_set(f->store, CHAIN, 1, 1);
	store_backfill_set_whole(f->store, CHAIN, false);
	store_backfill_set(f->store, CHAIN, 1, 1); /* does not touch it */
	store_commit(f->store);
	assert_false(store_backfill_is_whole(f->store, CHAIN));
	assert_true(store_backfill_is_whole(f->store, CHAIN + 1));
}

static void what_was_told_about_others_is_told_once(void **state)
{
	struct store_fixture *f = *state;
	struct address safe = store_fixture_address(1), timelock = store_fixture_address(2);
	struct hash32 key = store_fixture_hash(1);

	store_begin(f->store);
	assert_false(store_outside_known(f->store, CHAIN, &safe, &key));
	assert_true(store_outside_note(f->store, CHAIN, &safe, &key));
	assert_false(store_outside_note(f->store, CHAIN, &safe, &key));
	/* an operation id says nothing of its timelock */
	assert_true(store_outside_note(f->store, CHAIN, &timelock, &key));
	assert_false(store_outside_known(f->store, CHAIN + 1, &timelock, &key));
	store_commit(f->store);
	store_fixture_reopen(f);
	assert_true(store_outside_known(f->store, CHAIN, &safe, &key));
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(the_cursor_moves_and_stays),
	        WITH_STORE(the_last_512_blocks_are_remembered),
	        WITH_STORE(logs_are_kept_once_and_found_in_order),
	        WITH_STORE(a_reorganisation_forgets_what_is_above),
	        WITH_STORE(a_reorganisation_below_all_that_is_known_starts_over),
	        WITH_STORE(chains_do_not_mix),
	        WITH_STORE(backfill_resumes),
	        WITH_STORE(followed_contracts_are_remembered),
	        WITH_STORE(logs_wait_until_somebody_acted),
	        WITH_STORE(changes_are_news_or_history_and_told_once),
	        WITH_STORE(history_is_whole_until_somebody_says_otherwise),
	        WITH_STORE(what_was_told_about_others_is_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
