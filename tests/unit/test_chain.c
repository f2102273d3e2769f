#include "tests/unit/chain_world.h"

#include "common/base/jval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- head --------------------------------------------------------------------------------------
 */

static void test_head_and_final(void **state)
{
	struct chain_world *world = *state;
	struct node *node = &world->nodes[0];
	struct hash32 expected = node_hash(node, 1000);

	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1000);
	assert_true(hash32_equal(&world->head.hash, &expected));
	assert_int_equal(world->head.timestamp, 3000);
	assert_int_equal(world->final.number, 936);
	assert_int_equal(node->requests, 3); /* chain id, latest, finalized */
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(node->requests, 4); /* the head stands still */
	assert_int_equal(world->final.number, 936);
	node->head = 1001;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(node->requests, 6);
	assert_int_equal(node->chain_ids, 1);
	assert_int_equal(chain_requests_made(world->chain), 6);
}

static void test_final_is_never_above_the_head(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].head = 500;
	world->nodes[0].finalized = 500;
	open_chain(world, 2, 2);
	world->nodes[1].finalized = 900;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 500);
	assert_true(world->final.number <= world->head.number);
}

static void test_missing_tag_falls_back(void **state)
{
	struct chain_world *world = *state;
	struct node *node = &world->nodes[0];

	node->finalized_null = true;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 1000 - 64);
	node->head = 1010;
	unsigned before = node->requests;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 1010 - 64);
	assert_int_equal(node->requests, before + 2); /* remembered: the tag is not asked again */
	chain_free(world->chain);

	node->finalized_refused = true;
	node->head = 30;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 0);
}

static void test_depth_and_latest(void **state)
{
	struct chain_world *world = *state;

	world->config.finality = FINALITY_DEPTH;
	world->config.depth = 12;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 988);
	chain_free(world->chain);
	world->config.finality = FINALITY_LATEST;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 1000);
}

static void test_quorum_takes_the_lowest_common_block(void **state)
{
	struct chain_world *world = *state;

	world->nodes[1].head = 998;
	world->nodes[1].finalized = 930;
	open_chain(world, 2, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 998);
	assert_int_equal(world->final.number, 930);
}

static void test_quorum_disagreement_decides_nothing(void **state)
{
	struct chain_world *world = *state;

	world->nodes[1].fork = 1;
	world->nodes[1].fork_from = 990;
	open_chain(world, 2, 2);
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_non_null(strstr(world->error.text, "do not agree"));
	assert_non_null(strstr(world->error.text, world->urls[0]));
	assert_non_null(strstr(world->error.text, world->urls[1]));
	chain_free(world->chain);
	/* With a third one there is a majority of two. */
	open_chain(world, 3, 2);
	world->head = (struct block_ref){.number = 1000, .hash = node_hash(&world->nodes[0], 1000)};
	world->nodes[1].fork = 0;
	world->nodes[1].lie = 1;
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
}

/* --- endpoints ---------------------------------------------------------------------------------
 */

static void test_wrong_chain_is_never_used(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].chain_id = 1;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_non_null(strstr(world->error.text, "another chain"));
	assert_int_equal(world->nodes[0].requests, 1);
	chain_free(world->chain);
	open_chain(world, 2, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->nodes[0].heads, 0);
	assert_int_equal(world->nodes[1].heads, 1);
}

static void test_failover_and_rate_limit(void **state)
{
	struct chain_world *world = *state;
	struct node *first = &world->nodes[0];

	open_chain(world, 2, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->nodes[1].requests, 0);
	first->fail_times = 100;
	first->fail_status = 429;
	first->fail_headers = "Retry-After: 300\r\n";
	first->head = world->nodes[1].head = 1001;
	unsigned before = first->requests;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1001);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(first->requests, before + 1); /* left alone for 300 s */
	world->nodes[1].fail_times = 100;
	world->nodes[1].fail_status = 0;
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_int_equal(first->requests, before + 1);
}

static void test_server_errors_and_nonsense(void **state)
{
	static const int statuses[] = {500, 502, 503, 401, 403, 200, 0};
	struct chain_world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		open_chain(world, 1, 1);
		/* A kept connection that is gone is tried once more by the HTTP client itself. */
		world->nodes[0].fail_times = statuses[i] == 0 ? 2 : 1;
		world->nodes[0].fail_status = statuses[i];
		world->nodes[0].fail_headers = NULL;
		assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
		assert_non_null(strstr(world->error.text, "127.0.0.1"));
		/* One failure costs nothing: the next question is asked at once. */
		assert_int_equal(ask_head(world), 0);
		chain_free(world->chain);
		world->chain = NULL;
	}
}

static void test_back_off_after_failures(void **state)
{
	struct chain_world *world = *state;
	struct node *node = &world->nodes[0];

	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	node->fail_times = 100;
	node->fail_status = 500;
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_int_equal(node->requests, 5); /* the first three were good */
	assert_non_null(strstr(world->error.text, "no request for"));
	assert_non_null(strstr(world->error.text, "HTTP status 500"));
}

/* --- reads -------------------------------------------------------------------------------------
 */

static void test_reads_in_one_multicall(void **state)
{
	struct chain_world *world = *state;

	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	assert_int_equal(world->nodes[0].calls, 1);
	assert_int_equal(ask_reads(world), 0);
	assert_int_equal(world->nodes[0].calls, 2);
	assert_int_equal(world->nodes[0].get_codes, 1); /* probed once */
}

static void test_reads_without_multicall(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].has_multicall = false;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	assert_int_equal(world->nodes[0].calls, 3);
}

static void test_reads_before_multicall_was_deployed(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].created_at = 990;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	world->head = world->final;
	assert_int_equal(ask_reads(world), 0);
	assert_int_equal(world->nodes[0].calls, 4);
	for (int i = 0; i < 3; i++) {
		assert_true(world->success[i]);
		assert_int_equal(world->returned_len[i], 0); /* no code: unknown, never false */
	}
}

static void test_reads_where_a_hash_is_no_block(void **state)
{
	struct chain_world *world = *state;
	struct node *node = &world->nodes[0];

	node->no_block_hash = true;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	assert_int_equal(node->calls, 2);
	assert_int_equal(node->by_number, 1); /* the hash checked afterwards */
	assert_int_equal(ask_reads(world), 0);
	assert_int_equal(node->calls, 3); /* remembered */
	assert_int_equal(node->by_number, 2);
	node->fork = 7;
	node->fork_from = 999;
	assert_int_equal(ask_reads(world), ERR_UNAVAILABLE);
	assert_non_null(strstr(world->error.text, "replaced"));
}

static void test_a_block_not_there_yet_is_waited_for(void **state)
{
	struct chain_world *world = *state;

	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	world->nodes[0].deaf_above = 990;
	world->nodes[0].deaf_times = 2;
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	world->nodes[0].deaf_times = 1000;
	assert_int_equal(ask_reads(world), ERR_UNAVAILABLE);
	assert_int_equal(ask_head(world), 0); /* being behind is no failure of the endpoint */
}

static void test_reads_of_a_liar(void **state)
{
	struct chain_world *world = *state;

	world->nodes[1].lie = 1;
	open_chain(world, 2, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), ERR_UNAVAILABLE);
	assert_non_null(strstr(world->error.text, "do not agree"));
}

static void test_many_reads(void **state)
{
	struct chain_world *world = *state;
	uint8_t data[2500];
	struct chain_read reads[2500];

	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		data[i] = (uint8_t)(i % 0xff);
		reads[i] = (struct chain_read){.data = bytes_of(&data[i], 1)};
	}
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	chain_read_many(world->chain, &world->head, reads, 2000, got_reads, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->count, 2000);
	assert_int_equal(world->nodes[0].calls, 1);
	chain_read_many(world->chain, &world->head, reads, 2500, got_reads, world);
	chain_world_run(world);
	assert_int_equal(world->count, 2500);
	assert_int_equal(world->nodes[0].calls, 3);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(world->last_byte[i], data[i]);
}

static void test_simulation(void **state)
{
	static const struct address from = {{1}}, to = {{2}};
	struct chain_world *world = *state;

	open_chain(world, 1, 1);
	chain_simulate(world->chain, &from, &to, bytes_of("\x33", 1), got_call, world);
	chain_world_run(world);
	assert_true(world->success[0]);
	assert_int_equal(world->last_byte[0], 0x33);
	chain_simulate(world->chain, &from, &to, bytes_of("\xff", 1), got_call, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, 0);
	assert_false(world->success[0]);
	assert_int_equal(world->returned_len[0], 4); /* from error.data.data */
}

/* --- logs --------------------------------------------------------------------------------------
 */

static void test_logs_in_order(void **state)
{
	struct chain_world *world = *state;
	struct node_log logs[50];

	fill_logs(world, logs, ARRAY_LEN(logs));
	open_chain(world, 2, 2);
	assert_int_equal(ask_logs(world, 0, 1000), 0);
	assert_int_equal(world->count, expected_logs(logs, ARRAY_LEN(logs)));
	expect_order(world);
	assert_int_equal(world->nodes[0].get_logs, 1);
	struct hash32 hash = node_hash(&world->nodes[0], world->logs[3].block_number);
	assert_true(hash32_equal(&world->logs[3].block_hash, &hash));
	assert_int_equal(ask_logs(world, 41, 79), 0);
	assert_int_equal(world->count, 0);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void got_result(const struct error *error, const struct jval *result, void *arg)
{
	struct chain_world *world = arg;

	world->count = jval_is_string(result);
	chain_world_finish(world, error);
}

static void test_single_requests(void **state)
{
	struct chain_world *world = *state;

	open_chain(world, 1, 1);
	chain_rpc(world->chain, "eth_chainId", NULL, got_result, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->count, 1);
	chain_rpc(world->chain, "eth_unheardOf", jval_array(), got_result, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, ERR_DENIED);
	assert_non_null(strstr(world->error.text, "does not exist"));
}

static void got_block(const struct error *error, const struct block_ref *block, void *arg)
{
	struct chain_world *world = arg;

	if (error == NULL)
		world->head = *block;
	chain_world_finish(world, error);
}

static void test_block_by_number(void **state)
{
	struct chain_world *world = *state;

	open_chain(world, 2, 2);
	chain_block(world->chain, 77, got_block, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->head.number, 77);
	chain_block(world->chain, 1001, got_block, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, ERR_UNAVAILABLE);
}

static void test_cancelled_operations_say_nothing(void **state)
{
	struct chain_world *world = *state;
	static const struct address to = {{2}};
	struct chain_read read = {.to = to};
	const struct chain_filter filter = logs_wanted(1, 9);
	struct chain_op *ops[5];

	open_chain(world, 3, 2);
	world->head.number = 3;
	for (int round = 0; round < 3; round++) {
		ops[0] = chain_head(world->chain, got_head, world);
		ops[1] = chain_read_many(world->chain, &world->head, &read, 1, got_reads, world);
		ops[2] = chain_logs(world->chain, &filter, got_logs, world);
		ops[3] = chain_rpc(world->chain, "eth_chainId", NULL, got_result, world);
		ops[4] = chain_block(world->chain, 1, got_block, world);
		if (round > 0) { /* after they have begun */
			pass_time(world, 0);
			if (world->done > 0)
				break; /* too late to cancel: a fast machine */
		}
		if (round < 2)
			for (size_t i = 0; i < ARRAY_LEN(ops); i++)
				chain_cancel(ops[i]);
	}
	chain_cancel(NULL);
	assert_int_equal(world->done, 0);
	/* The last round is under way while chain_free runs. */
}

int main(void)
{
#define WITH_WORLD(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, chain_world_setup, chain_world_teardown)
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(test_head_and_final),
	        WITH_WORLD(test_final_is_never_above_the_head),
	        WITH_WORLD(test_missing_tag_falls_back),
	        WITH_WORLD(test_depth_and_latest),
	        WITH_WORLD(test_quorum_takes_the_lowest_common_block),
	        WITH_WORLD(test_quorum_disagreement_decides_nothing),
	        WITH_WORLD(test_wrong_chain_is_never_used),
	        WITH_WORLD(test_failover_and_rate_limit),
	        WITH_WORLD(test_server_errors_and_nonsense),
	        WITH_WORLD(test_back_off_after_failures),
	        WITH_WORLD(test_reads_in_one_multicall),
	        WITH_WORLD(test_reads_without_multicall),
	        WITH_WORLD(test_reads_before_multicall_was_deployed),
	        WITH_WORLD(test_reads_where_a_hash_is_no_block),
	        WITH_WORLD(test_a_block_not_there_yet_is_waited_for),
	        WITH_WORLD(test_reads_of_a_liar),
	        WITH_WORLD(test_many_reads),
	        WITH_WORLD(test_simulation),
	        WITH_WORLD(test_logs_in_order),
	        WITH_WORLD(test_single_requests),
	        WITH_WORLD(test_block_by_number),
	        WITH_WORLD(test_cancelled_operations_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
