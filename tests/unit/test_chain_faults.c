/* Endpoints that are slow, behind, in trouble, or that lie. */
#include "tests/unit/chain_world.h"

#include "common/eth/jsonrpc.h"
#include "common/eth/multicall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_one_that_is_far_behind_holds_nobody_up(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].head = 500; /* stopped long ago, and answers as ever */
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1000);
	assert_int_equal(world->final.number, 936);
	/* From now on the other two are asked. */
	unsigned before = world->nodes[0].requests;
	world->nodes[1].head = world->nodes[2].head = 1003;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1003);
	assert_int_equal(world->nodes[0].requests, before);
	/* It is not lost: when one of the others fails it is asked all the same. */
	world->nodes[0].head = 1004;
	world->nodes[1].fail_times = 2;
	world->nodes[1].fail_status = 500;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1003);
	assert_true(world->nodes[0].requests > before);
}

static void test_the_only_one_that_is_asked_has_stopped(void **state)
{
	struct chain_world *world = *state;

	world->config.poll_ms = 50;
	open_chain(world, 2, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->nodes[1].requests, 0);
	world->nodes[1].head = 1020; /* the first one stands still */
	for (int i = 0; i < 300 && world->head.number == 1000; i++) {
		pass_time(world, 10);
		assert_int_equal(ask_head(world), 0);
	}
	assert_int_equal(world->head.number, 1020);
	world->nodes[1].head = 1021;
	unsigned before = world->nodes[0].heads;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1021);
	assert_int_equal(world->nodes[0].heads, before);
}

static void test_one_that_is_a_little_behind_takes_nothing_back(void **state)
{
	struct chain_world *world = *state;
	struct node *slow = &world->nodes[0];

	slow->head = 995; /* ten seconds: as a slow backend may be */
	slow->fail_times = 1;
	slow->fail_status = 500;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1000);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1000);
	unsigned before = slow->heads;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1000);
	assert_int_equal(slow->heads, before);
}

static struct jval *make_up_heads(const char *name, const struct jval *params, void *arg)
{
	static const struct hash32 hash = {{0x11}};
	const char *block = jval_string(jval_at(params, 0));

	(void)arg;
	if (strcmp(name, "eth_getBlockByNumber") != 0)
		return NULL;
	struct jval *value = jval_object();
	bool named = strncmp(block, "0x", 2) == 0;
	jval_add(value, "number",
	         jsonrpc_new_quantity(named ? strtoull(block + 2, NULL, 16) : 2000));
	jval_add_hash32(value, "hash", &hash);
	jval_add(value, "timestamp", jsonrpc_new_quantity(5000));
	return value;
}

/* The one who is right and ahead has nobody beside it; the block below that is everybody's. */
static void test_one_that_makes_up_heads_beside_one_that_is_behind(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].method = make_up_heads;
	world->nodes[1].head = 1003;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 1000);
	assert_int_equal(world->final.number, 936);
}

static void test_two_of_three_behind_are_the_quorum(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].head = world->nodes[2].head = 900;
	world->nodes[0].finalized = world->nodes[2].finalized = 800;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 900); /* one that is ahead persuades nobody */
	assert_int_equal(world->final.number, 800);
}

static void test_one_that_claims_another_finality(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].finalized = 1000; /* everything */
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 936);
	chain_free(world->chain);
	world->nodes[0].finalized = 0; /* nothing, for ever */
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 936);
	chain_free(world->chain);
	/* Says that the chain has no such tag: what it then counts for is not final here. */
	world->nodes[0].finalized_refused = true;
	world->nodes[1].finalized = world->nodes[2].finalized = 600;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 600);
	chain_free(world->chain);
	/* With nobody else to ask, the older of the two. */
	open_chain(world, 2, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 600);
	world->nodes[1].finalized = 990;
	world->nodes[0].head = world->nodes[1].head = 1001;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 1001 - 64);
}

static void test_trouble_is_no_missing_tag(void **state)
{
	struct chain_world *world = *state;
	struct node *node = &world->nodes[0];

	node->finalized_refused = true;
	node->finalized_words = "internal error";
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	node->finalized_refused = false;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 936);
	/* But what never says anything else must not hold up for ever. */
	node->finalized_refused = true;
	node->head = 1001;
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->final.number, 1001 - 64);
}

static void test_one_that_never_answers(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].hang = true;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0); /* after some patience, not after its time limit */
	assert_int_equal(world->head.number, 1000);
	/* None of the next questions waits for it. */
	unsigned before = world->nodes[0].requests;
	world->nodes[1].head = world->nodes[2].head = 1001;
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	assert_int_equal(world->nodes[0].requests, before);
}

/* It reads by number only, and afterwards that number is another block, each time. */
static void test_one_that_never_keeps_to_a_block(void **state)
{
	struct chain_world *world = *state;

	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	world->nodes[0].no_block_hash = true;
	world->nodes[0].fork_from = 1000;
	world->nodes[0].fork = 7;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask_reads(world), 0);
		expect_reads(world);
	}
	/* Where it is needed, nothing is read. */
	world->nodes[2].fail_times = 100;
	world->nodes[2].fail_status = 500;
	assert_int_equal(ask_reads(world), ERR_UNAVAILABLE);
}

/* It reads by number only, and hangs: what it did not answer needs no second look. */
static void test_one_that_hangs_is_not_asked_for_its_block(void **state)
{
	struct chain_world *world = *state;

	world->nodes[0].no_block_hash = true;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	world->nodes[0].hang = true;
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
}

static struct jval *answer_absurd_block(const char *name, const struct jval *params, void *arg)
{
	const char *const *fields = arg; /* number, timestamp */
	struct hash32 hash = {{0xb0}};
	struct jval *block;

	(void)params;
	if (strcmp(name, "eth_getBlockByNumber") != 0)
		return NULL;
	block = jval_object();
	jval_add_string(block, "number", fields[0]);
	jval_add_hash32(block, "hash", &hash);
	jval_add_string(block, "timestamp", fields[1]);
	return block;
}

/* Numbers that would overflow wherever they are reckoned with. */
static void test_blocks_that_no_chain_has(void **state)
{
	static const char *const absurd[][2] = {{"0xffffffffffffffff", "0x6553f100"},
	                                        {"0x8000000000000000", "0x6553f100"},
	                                        {"0x3e8", "0xffffffffffffffff"},
	                                        {"0x3e8", "0x20c49ba5e353f8"}};
	struct chain_world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(absurd); i++) {
		world->nodes[0].method = answer_absurd_block;
		world->nodes[0].arg = (void *)absurd[i];
		open_chain(world, 1, 1);
		assert_int_equal(ask_head(world), ERR_UNAVAILABLE);
		assert_non_null(strstr(world->error.text, "not a block"));
		chain_free(world->chain);
		open_chain(world, 2, 1); /* another one knows */
		assert_int_equal(ask_head(world), 0);
		assert_int_equal(world->head.number, 1000);
		if (i + 1 < ARRAY_LEN(absurd))
			chain_free(world->chain);
	}
}

static void test_multicall_of_unknown_code(void **state)
{
	struct chain_world *world = *state;

	world->config.multicall_code.count = 0;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	assert_int_equal(world->nodes[0].calls, 3); /* each by itself */
	chain_free(world->chain);
	/* One that invents it persuades nobody. */
	world->config.multicall_code.count = 1;
	world->nodes[0].has_multicall = false;
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
}

static void test_the_well_known_multicall(void **state)
{
	struct hash32 hash;

	(void)state;
	assert_int_equal(hash32_parse(&hash,
	                              "0xd5c15df687b16f2ff992fc8d767b4216"
	                              "323184a2bbc6ee2f9c398c318e770891",
	                              NULL),
	                 0);
	assert_true(multicall_is_known(&hash, NULL, 0));
	hash.b[31] ^= 1;
	assert_false(multicall_is_known(&hash, NULL, 0));
	assert_true(multicall_is_known(&hash, &hash, 1));
}

static void test_simulation_by_a_quorum(void **state)
{
	static const struct address from = {{1}}, to = {{2}};
	struct chain_world *world = *state;

	world->nodes[0].reverts_all = true; /* one that would have drafts held */
	open_chain(world, 3, 2);
	assert_int_equal(ask_head(world), 0);
	chain_simulate(world->chain, &from, &to, bytes_of("\x33", 1), got_call, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, 0);
	assert_true(world->success[0]);
	/* Where two revert, what one of them says about it is enough. */
	world->nodes[1].reverts_all = world->nodes[1].no_revert_data = true;
	chain_simulate(world->chain, &from, &to, bytes_of("\x33", 1), got_call, world);
	chain_world_run(world);
	assert_int_equal(world->error.code, 0);
	assert_false(world->success[0]);
}

static void test_an_endpoint_that_refuses_all_logs(void **state)
{
	struct chain_world *world = *state;
	struct node_log logs[50];

	fill_logs(world, logs, ARRAY_LEN(logs));
	world->nodes[0].longest_range = 1;
	world->nodes[0].range_refusal = "this plan has no logs";
	open_chain(world, 3, 2);
	assert_int_equal(ask_logs(world, 0, 1000), 0);
	assert_int_equal(world->count, expected_logs(logs, ARRAY_LEN(logs)));
	assert_int_equal(world->nodes[1].get_logs, 1); /* nothing was halved for its sake */
	chain_free(world->chain);
	/* Where its answer is needed, its limit counts. */
	world->nodes[0].longest_range = 100;
	open_chain(world, 2, 2);
	assert_int_equal(ask_logs(world, 0, 1000), 0);
	assert_int_equal(world->count, expected_logs(logs, ARRAY_LEN(logs)));
}

static void test_a_range_too_much_to_answer(void **state)
{
	struct chain_world *world = *state;
	struct node_log logs[50];

	fill_logs(world, logs, ARRAY_LEN(logs));
	world->nodes[0].silent_range = 300; /* longer ones end in a dropped connection */
	open_chain(world, 1, 1);
	unsigned tries = 1;
	while (ask_logs(world, 0, 1000) != 0) {
		assert_true(++tries < 6);
		pass_time(world, 1100); /* the endpoint is left alone for so long */
	}
	assert_true(tries > 1);
	assert_int_equal(world->count, expected_logs(logs, ARRAY_LEN(logs)));
}

static void test_refused_ranges_are_halved(void **state)
{
	static const char *const refusals[] = {
	        "query returned more than 10000 results. Try with this block range [0x0, 0x64]",
	        /* A hint that is the range that was asked for leads nowhere. */
	        "query exceeds max results 20000, retry with the range 0-1000",
	        "range 1000 exceeds limit of 100",
	        ("Under the Free tier plan, you can make eth_getLogs requests with up to a 10 "
	         "block "
	         "range. Based on your parameters, this block range should work: [0x0, 0x9]"),
	        "block range is too wide",
	        "eth_getLogs is limited to a 10,000 range",
	        "Block range limit exceeded.",
	        "block range too large",
	        "exceed maximum block range: 100",
	        "Maximum allowed number of requested blocks is 100",
	        "backend response too large",
	        "please limit the query to at most 100 blocks",
	        "Max range: 100",
	        "range 1000 is bigger than range limit 100",
	        "logs matched by query exceeds limit of 100",
	};
	struct chain_world *world = *state;
	struct node_log logs[50];

	fill_logs(world, logs, ARRAY_LEN(logs));
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		open_chain(world, 1, 1);
		world->nodes[0].longest_range = 100;
		world->nodes[0].range_refusal = refusals[i];
		assert_int_equal(ask_logs(world, 0, 1000), 0);
		assert_int_equal(world->count, expected_logs(logs, ARRAY_LEN(logs)));
		expect_order(world);
		/* What was learned is remembered: no refusal the second time. */
		unsigned before = world->nodes[0].get_logs;
		assert_int_equal(ask_logs(world, 0, 499), 0);
		assert_true(world->nodes[0].get_logs - before <= 9);
		chain_free(world->chain);
		world->chain = NULL;
	}
}

static void test_a_node_that_refuses_every_range(void **state)
{
	struct chain_world *world = *state;

	open_chain(world, 1, 1);
	world->nodes[0].head = 0; /* every block is beyond the head, yet asked for */
	world->nodes[0].longest_range = 1;
	world->nodes[0].range_refusal = "no";
	assert_int_equal(ask_logs(world, 5, 5), 0);
	chain_free(world->chain);
	world->chain = NULL;
	open_chain(world, 1, 1);
	world->nodes[0].get_logs = 0;
	world->nodes[0].longest_range = 1;
	/* Ranges of one block are served: 64 blocks take 64 requests and 63 refusals at most. */
	assert_int_equal(ask_logs(world, 0, 63), 0);
	assert_true(world->nodes[0].get_logs <= 127);
}

static void test_logs_of_a_liar(void **state)
{
	struct chain_world *world = *state;
	struct node_log logs[50];

	fill_logs(world, logs, ARRAY_LEN(logs));
	world->nodes[1].log_count--;
	world->nodes[1].logs++; /* leaves out one log */
	open_chain(world, 2, 2);
	assert_int_equal(ask_logs(world, 0, 1000), ERR_UNAVAILABLE);
}

int main(void)
{
#define WITH_WORLD(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, chain_world_setup, chain_world_teardown)
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(test_one_that_is_far_behind_holds_nobody_up),
	        WITH_WORLD(test_the_only_one_that_is_asked_has_stopped),
	        WITH_WORLD(test_one_that_is_a_little_behind_takes_nothing_back),
	        WITH_WORLD(test_one_that_makes_up_heads_beside_one_that_is_behind),
	        WITH_WORLD(test_two_of_three_behind_are_the_quorum),
	        WITH_WORLD(test_one_that_claims_another_finality),
	        WITH_WORLD(test_trouble_is_no_missing_tag),
	        WITH_WORLD(test_one_that_never_answers),
	        WITH_WORLD(test_one_that_never_keeps_to_a_block),
	        WITH_WORLD(test_one_that_hangs_is_not_asked_for_its_block),
	        WITH_WORLD(test_blocks_that_no_chain_has),
	        WITH_WORLD(test_multicall_of_unknown_code),
	        cmocka_unit_test(test_the_well_known_multicall),
	        WITH_WORLD(test_simulation_by_a_quorum),
	        WITH_WORLD(test_an_endpoint_that_refuses_all_logs),
	        WITH_WORLD(test_a_range_too_much_to_answer),
	        WITH_WORLD(test_refused_ranges_are_halved),
	        WITH_WORLD(test_a_node_that_refuses_every_range),
	        WITH_WORLD(test_logs_of_a_liar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
