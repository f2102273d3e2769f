#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "tests/unit/follower_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_the_first_tick_begins_at_the_head(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	assert_int_equal(world->ticks, 1);
	assert_int_equal(world->head.number, 1000);
	assert_int_equal(world->final.number, 936);
	follower_world_expect_cursor(world, 1000);
	follower_world_backfill(world);
	follower_world_expect(world, 0, 10); /* history from block 0 on */
	follower_world_tick(world);
	assert_int_equal(world->new_logs, 11);
}

static void test_a_tick_is_a_fixed_number_of_requests(void **state)
{
	struct follower_world *world = *state;
	struct node *node = &world->node;

	follower_world_start(world);
	follower_world_backfill(world);
	for (int i = 0; i < 5; i++) {
		unsigned before = node->requests;
		node->head += 150;
		follower_world_tick(world);
		assert_int_equal(node->requests - before, 4); /* latest, final, cursor, logs */
	}
	follower_world_expect(world, 0, 17);
	unsigned before = node->requests;
	follower_world_tick(world);
	assert_int_equal(node->requests - before, 1); /* the head stands still */
}

static void test_a_head_that_stands_still_is_not_told_again(void **state)
{
	struct follower_world *world = *state;

	world->config.poll_ms = 1;
	follower_world_start(world);
	follower_world_backfill(world);
	int ticks = world->ticks;
	while (world->unmoved < 3)
		loop_run(world->loop);
	/* At most one more tick: for what the backfill found. */
	assert_true(world->ticks <= ticks + 1);
}

static void test_catching_up_in_steps(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	follower_world_close(world);
	world->node.head = 3950; /* more than one step of 2000 blocks */
	follower_world_open(world);
	world->ticks = 0;
	follower_world_start(world);
	assert_int_equal(world->ticks, 1);
	follower_world_expect_cursor(world, 3950);
	follower_world_expect(world, 0, 39);
	assert_false(follower_backfilling(world->follower)); /* it was finished before */
}

/* The backend of eth_getLogs stands on another fork, from this block on. */
struct torn {
	struct node *node;
	uint64_t from;
	unsigned times;
};

static struct jval *answer_torn(const char *name, const struct jval *params, void *arg)
{
	struct torn *torn = arg;
	bool logs = strcmp(name, "eth_getLogs") == 0 && torn->times > 0;

	(void)params;
	torn->times -= logs;
	torn->node->fork_from = torn->from;
	torn->node->fork = logs ? 7 : 0;
	return NULL;
}

static void tear(struct follower_world *world, struct torn *torn, uint64_t from)
{
	*torn = (struct torn){.node = &world->node, .from = from, .times = 1};
	world->node.method = answer_torn;
	world->node.arg = torn;
}

static void test_logs_of_another_fork_than_the_head(void **state)
{
	struct follower_world *world = *state;
	struct torn torn;

	follower_world_start(world);
	follower_world_backfill(world);
	tear(world, &torn, 1050);
	world->node.head = 1100; /* log 11 is in this very block */
	follower_world_tick(world);
	assert_int_equal(world->failures, 1);
	world->node.fork = 0;
	assert_int_equal(follower_world_stored(world, 11), 0);
	follower_world_expect_cursor(world, 1000);
	follower_world_tick(world);
	assert_int_equal(follower_world_stored(world, 11), 1);
	/* And in one that was the head before. */
	tear(world, &torn, 1050);
	world->node.head = 1103;
	follower_world_tick(world);
	assert_int_equal(world->failures, 2);
	follower_world_tick(world);
	assert_int_equal(follower_world_stored(world, 11), 1);
	follower_world_expect_cursor(world, 1103);
}

/* Nobody told its block before: when the chain's own log comes, the other one goes. */
static void test_logs_of_a_fork_that_nobody_saw(void **state)
{
	struct follower_world *world = *state;
	struct torn torn;

	follower_world_start(world);
	follower_world_backfill(world);
	tear(world, &torn, 1050);
	world->node.head = 1105;
	follower_world_tick(world);
	assert_int_equal(world->failures, 0);
	world->node.head = 1106;
	follower_world_tick(world);
	assert_int_equal(follower_world_stored(world, 11), 1);
}

static void test_late_logs_of_a_slow_backend(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.log_count = 11; /* the backend of eth_getLogs is behind */
	world->node.head = 1105;
	follower_world_tick(world);
	assert_int_equal(follower_world_stored(world, 11), 0);
	world->node.log_count = LOGS;
	world->node.head = 1106;
	follower_world_tick(world);
	assert_int_equal(follower_world_stored(world, 11), 1);
}

static void test_reorganisation(void **state)
{
	struct follower_world *world = *state;
	struct arena arena = {0};
	struct event_list events;

	follower_world_start(world);
	follower_world_backfill(world);
	for (int i = 0; i < 5; i++) { /* 1100, 1200, 1300, 1400, 1500 */
		world->node.head += 100;
		follower_world_tick(world);
	}
	follower_world_expect(world, 0, 15);
	world->node.fork = 1;
	world->node.fork_from = 1250;
	world->node.head = 1501;
	world->node.log_count = 14; /* on the other branch the last two never happened */
	follower_world_tick(world);
	assert_int_equal(world->reorganised, 1);
	assert_int_equal(world->common, 1200);
	assert_int_equal(world->depth, 300);
	follower_world_expect_cursor(world, 1501);
	follower_world_expect(world, 0, 13); /* checks the hashes, too */
	store_event_list(world->store, &arena, 0, 100, &events);
	assert_non_null(
	        strstr(events.items[events.count - 1].text, "reorganisation of up to 300 blocks"));
	assert_string_equal(events.items[events.count - 1].type, "chain");
	arena_free(&arena);
}

static void test_reorganisation_at_the_same_height(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.head = 1100;
	follower_world_tick(world);
	world->node.fork = 1;
	world->node.fork_from = 1100;
	follower_world_tick(world);
	assert_int_equal(world->reorganised, 1);
	assert_int_equal(world->common, 1000);
	follower_world_expect_cursor(world, 1100);
	follower_world_expect(world, 0, 11);
}

static void test_reorganisation_below_all_that_is_known(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.fork = 1;
	world->node.fork_from = 950;
	world->node.head = 1010;
	follower_world_tick(world);
	assert_int_equal(world->reorganised, 1);
	assert_int_equal(world->common, 936); /* what is final stays */
	follower_world_expect_cursor(world, 1010);
	follower_world_backfill(world);
	follower_world_expect(world, 0, 10);
}

/* Few blocks are remembered, and none of them between the final one and the head. */
static void test_reorganisation_down_to_the_final_block(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.finalized = 1150;
	world->node.head = 1450;
	follower_world_tick(world);
	follower_world_expect(world, 0, 14);
	world->node.fork = 1;
	world->node.fork_from = 1151;
	world->node.log_count = 13;
	world->node.head = 1460;
	follower_world_tick(world);
	assert_int_equal(world->reorganised, 1);
	assert_int_equal(world->stopped, 0);
	assert_int_equal(world->common, 1150);
	follower_world_expect_cursor(world, 1460);
	follower_world_expect(world, 0, 12);
	assert_false(follower_backfilling(world->follower)); /* what is below stays */
}

static size_t alarms(struct follower_world *world)
{
	struct arena arena = {0};
	struct event_list events;
	size_t count = 0;

	store_event_list(world->store, &arena, 0, 100, &events);
	for (size_t i = 0; i < events.count; i++)
		count += strcmp(events.items[i].type, "alarm") == 0 &&
		         strstr(events.items[i].text, "[final-replaced]") != NULL &&
		         strstr(events.items[i].text, "registrarctl resume test") != NULL;
	arena_free(&arena);
	return count;
}

static void test_a_final_block_is_replaced(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.finalized = 1150;
	world->node.head = 1250;
	follower_world_tick(world);
	world->node.fork = 1;
	world->node.fork_from = 1150;
	world->node.log_count = 11;
	world->node.head = world->node.finalized = 1300;
	follower_world_tick(world);
	assert_int_equal(world->stopped, 1);
	assert_int_equal(world->reorganised, 0);
	assert_int_equal(alarms(world), 1);
	int ticks = world->ticks;
	/* Nothing is read, nothing forgotten, and the head is still asked for. */
	world->node.head = 1301;
	follower_tick_now(world->follower);
	loop_run(world->loop);
	assert_int_equal(world->unmoved, 1);
	assert_int_equal(world->ticks, ticks);
	/* Nor after a restart, nor when the old chain comes back. */
	follower_world_close(world);
	follower_world_open(world);
	world->stopped = 0;
	follower_start(world->follower);
	assert_int_equal(world->stopped, 1);
	world->node.fork = 0;
	loop_run(world->loop);
	assert_int_equal(world->ticks, ticks);
	assert_int_equal(alarms(world), 1);
	world->node.fork = 1;
	/* Until somebody says so. */
	follower_resume(world->follower);
	loop_run(world->loop);
	assert_int_equal(world->ticks, ticks + 1);
	assert_int_equal(world->reorganised, 1);
	assert_int_equal(world->common, 1000);
	follower_world_expect_cursor(world, 1301);
	follower_world_expect(world, 0, 10);
	/* From there on it is as before. */
	world->node.fork = 2;
	world->node.fork_from = 1290;
	world->node.finalized = world->node.head = 1302;
	follower_world_tick(world);
	assert_int_equal(world->stopped, 2);
	assert_int_equal(alarms(world), 2);
}

static void test_resuming_on_a_chain_with_nothing_in_common(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.fork = 1;
	world->node.fork_from = 1; /* no log is older */
	world->node.head = 1100;
	follower_world_tick(world);
	assert_int_equal(world->stopped, 1);
	world->node.log_count = 8;
	follower_resume(world->follower);
	loop_run(world->loop);
	follower_world_backfill(world);
	follower_world_expect(world, 0, 7); /* each with the hash of its new block */
}

static void test_a_head_below_what_was_final(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.finalized = world->node.head = 1200;
	follower_world_tick(world);
	/* Behind: it is waited for, however long. */
	world->node.finalized = world->node.head = 1100;
	for (int i = 0; i < 12; i++)
		follower_world_tick(world);
	assert_int_equal(world->failures, 12);
	assert_int_equal(world->reorganised + world->stopped, 0);
	world->node.finalized = world->node.head = 1201;
	follower_world_tick(world);
	follower_world_expect_cursor(world, 1201);
	/* Another chain, which is shorter. */
	world->node.fork = 1;
	world->node.fork_from = 900;
	world->node.finalized = world->node.head = 1100;
	for (int i = 0; i < 5 && world->stopped == 0; i++)
		follower_world_tick(world);
	assert_int_equal(world->stopped, 1);
}

static void test_fast_blocks_make_a_long_overlap(void **state)
{
	struct follower_world *world = *state;

	world->node.blocks_per_second = 10;
	follower_world_start(world);
	follower_world_backfill(world);
	world->node.head = 1050;
	follower_world_tick(world);
	world->node.head = 1060;
	follower_world_tick(world);
	assert_int_equal(world->node.last_from, 1051 - 300); /* half a minute */
}

static void test_a_low_head_is_believed_only_when_it_stays(void **state)
{
	struct follower_world *world = *state;

	follower_world_start(world);
	follower_world_backfill(world);
	world->node.head = 1200;
	follower_world_tick(world);
	world->node.head = 1100;
	for (int i = 0; i < 4; i++)
		follower_world_tick(world);
	assert_int_equal(world->failures, 4);
	assert_int_equal(world->reorganised, 0);
	follower_world_expect_cursor(world, 1200);
	follower_world_tick(world);
	assert_int_equal(world->reorganised, 1);
	assert_int_equal(world->common, 1000);
	follower_world_expect_cursor(world, 1100);
	follower_world_expect(world, 0, 11);
}

static void test_history_begins_with_the_oldest_contract(void **state)
{
	struct follower_world *world = *state;
	uint64_t from, next;

	world->config.start_auto = true;
	world->node.created_at = 337;
	follower_world_start(world);
	follower_world_backfill(world);
	assert_int_equal(store_backfill_get(world->store, CHAIN, &from, &next), 0);
	assert_int_equal(from, 337);
	assert_int_equal(next, 337);
	follower_world_expect(world, 4, 10);
	assert_true(world->node.get_codes < 30);
}

static void test_no_history_without_old_state(void **state)
{
	struct follower_world *world = *state;
	uint64_t from, next;

	world->config.start_auto = true;
	world->node.state_from = 990;
	follower_world_start(world);
	follower_world_backfill(world);
	assert_int_equal(store_backfill_get(world->store, CHAIN, &from, &next), 0);
	assert_int_equal(from, 1001);
	follower_world_expect(world, 1, 0);
	world->node.head = 1100;
	follower_world_tick(world);
	follower_world_expect(world, 10, 11); /* 10 by the overlap of the ticks */
}

static void test_backfill_goes_on_after_a_restart(void **state)
{
	struct follower_world *world = *state;
	uint64_t from, next;

	world->node.head = 3950;
	follower_world_start(world);
	do { /* until the first step is stored */
		loop_timer_set(world->timer, 10);
		loop_run(world->loop);
	} while (store_backfill_get(world->store, CHAIN, &from, &next) != 0 || next > 3000);
	assert_int_equal(next, 3951 - 2000);
	assert_true(follower_backfilling(world->follower));
	follower_world_expect(world, 20, 39);
	follower_world_close(world);
	follower_world_open(world);
	follower_world_start(world);
	follower_world_backfill(world);
	follower_world_expect(world, 0, 39);
}

static void test_a_new_contract_gets_its_history(void **state)
{
	struct follower_world *world = *state;
	static const struct address newcomer = {{0xab}};

	for (size_t i = 0; i < LOGS; i += 2)
		world->logs[i].address = newcomer;
	follower_world_start(world);
	follower_world_backfill(world);
	for (size_t i = 0; i <= 10; i++)
		assert_int_equal(follower_world_stored(world, i), i % 2);
	follower_set_addresses(world->follower, (struct address[]){follower_kms, newcomer}, 2);
	loop_run(world->loop);
	assert_true(follower_backfilling(world->follower));
	follower_world_backfill(world);
	follower_world_tick(world);
	assert_int_equal(world->new_logs, 11);
}

static size_t untold(struct follower_world *world, uint64_t upto)
{
	struct arena arena = {0};
	struct seen_log_list list;

	list = store_log_untold(world->store, &arena, CHAIN, upto, 1000);
	arena_free(&arena);
	return list.count;
}

/* What a contract said before it was watched is history, also what the overlap of the ticks and a
 * restart bring; what it says from then on is news, also while nobody ran. */
static void test_news_and_history(void **state)
{
	struct follower_world *world = *state;
	struct arena arena = {0};
	struct log_counts history;
	static const struct address newcomer = {{0xab}};

	world->logs[12].address = world->logs[13].address = newcomer;
	follower_world_start(world);
	follower_world_backfill(world);
	assert_int_equal(untold(world, UINT64_MAX >> 1), 0);
	world->node.head = 1101;
	follower_world_tick(world);
	assert_int_equal(untold(world, 1099), 0);
	assert_int_equal(untold(world, 1100), 1);
	store_history_untold(world->store, &arena, CHAIN, &history);
	assert_int_equal(history.count, 1);
	assert_int_equal(history.items[0].count, 11);
	assert_int_equal(history.items[0].first_block, 0);
	assert_int_equal(history.items[0].last_block, 1000);
	assert_true(address_equal(&history.items[0].address, &follower_kms));

	follower_world_close(world);
	world->node.head = 1250; /* block 1200 speaks of a contract that nobody follows yet */
	follower_world_open(world);
	follower_set_addresses(world->follower, (struct address[]){follower_kms, newcomer}, 2);
	follower_world_start(world);
	follower_world_backfill(world);
	assert_int_equal(untold(world, 1250), 2); /* 1200 was read forward */
	world->node.head = 1350;
	follower_world_tick(world);
	assert_int_equal(untold(world, 1350), 3);
	store_begin(world->store);
	store_history_told(world->store, CHAIN);
	store_commit(world->store);
	store_history_untold(world->store, &arena, CHAIN, &history);
	assert_int_equal(history.count, 0);
	assert_int_equal(untold(world, 1350), 3);
	arena_free(&arena);
}

/* The advice of the line that says "set start_block". */
static void test_an_earlier_start_is_honoured(void **state)
{
	struct follower_world *world = *state;
	uint64_t from, next;

	world->config.start_auto = true;
	world->node.state_from = 990;
	follower_world_start(world);
	follower_world_backfill(world);
	follower_world_expect(world, 1, 0);
	assert_false(store_backfill_is_whole(world->store, CHAIN));
	follower_world_close(world);
	world->config.start_auto = false;
	world->config.start_block = 450;
	follower_world_open(world);
	follower_world_start(world);
	follower_world_backfill(world);
	follower_world_expect(world, 5, 10);
	assert_true(store_backfill_is_whole(world->store, CHAIN));
	assert_int_equal(store_backfill_get(world->store, CHAIN, &from, &next), 0);
	assert_int_equal(from, 450);
	unsigned before = world->node.requests;
	follower_world_close(world);
	follower_world_open(world);
	follower_world_start(world);
	assert_false(follower_backfilling(world->follower)); /* and is not read again */
	assert_in_range(world->node.requests - before, 1, 6);
}

static void test_failures_are_told_and_overcome(void **state)
{
	struct follower_world *world = *state;

	world->node.fail_times = 1;
	world->node.fail_status = 503;
	follower_world_start(world);
	assert_int_equal(world->failures, 1);
	follower_world_tick(world);
	assert_int_equal(world->ticks, 1);
	world->node.chain_id = CHAIN;
	follower_world_expect_cursor(world, 1000);
}

int main(void)
{
#define WITH_WORLD(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, follower_world_setup, follower_world_teardown)
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(test_the_first_tick_begins_at_the_head),
	        WITH_WORLD(test_a_tick_is_a_fixed_number_of_requests),
	        WITH_WORLD(test_a_head_that_stands_still_is_not_told_again),
	        WITH_WORLD(test_catching_up_in_steps),
	        WITH_WORLD(test_logs_of_another_fork_than_the_head),
	        WITH_WORLD(test_logs_of_a_fork_that_nobody_saw),
	        WITH_WORLD(test_late_logs_of_a_slow_backend),
	        WITH_WORLD(test_reorganisation),
	        WITH_WORLD(test_reorganisation_at_the_same_height),
	        WITH_WORLD(test_reorganisation_below_all_that_is_known),
	        WITH_WORLD(test_reorganisation_down_to_the_final_block),
	        WITH_WORLD(test_a_final_block_is_replaced),
	        WITH_WORLD(test_resuming_on_a_chain_with_nothing_in_common),
	        WITH_WORLD(test_a_head_below_what_was_final),
	        WITH_WORLD(test_fast_blocks_make_a_long_overlap),
	        WITH_WORLD(test_a_low_head_is_believed_only_when_it_stays),
	        WITH_WORLD(test_history_begins_with_the_oldest_contract),
	        WITH_WORLD(test_no_history_without_old_state),
	        WITH_WORLD(test_backfill_goes_on_after_a_restart),
	        WITH_WORLD(test_a_new_contract_gets_its_history),
	        WITH_WORLD(test_news_and_history),
	        WITH_WORLD(test_an_earlier_start_is_honoured),
	        WITH_WORLD(test_failures_are_told_and_overcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
