#include "daemon/chain/chain.h"

#include "common/base/jval.h"
#include "tests/unit/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 3 };

struct world {
	struct loop *loop;
	struct http *http;
	struct node nodes[NODES];
	char *urls[NODES];
	struct config_chain config;
	struct chain *chain;
	struct loop_timer *timer;
	/* what the last operation answered */
	int done;
	struct error error;
	struct block_ref head, final;
	size_t count;
	bool success[64];
	uint8_t last_byte[64];
	size_t returned_len[64];
	struct chain_log logs[64];
};

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	world->http = http_new(world->loop);
	for (int i = 0; i < NODES; i++) {
		node_start(&world->nodes[i], world->loop);
		world->urls[i] = xstrdup(httpd_url(world->nodes[i].httpd));
	}
	world->config = (struct config_chain){
	        .name = "test",
	        .chain_id = 31337,
	        .rpc = {world->urls, 1},
	        .quorum = 1,
	        .finality = FINALITY_FINALIZED,
	        .poll_ms = 1000,
	};
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	chain_free(world->chain);
	http_free(world->http);
	for (int i = 0; i < NODES; i++) {
		node_stop(&world->nodes[i]);
		free(world->urls[i]);
	}
	loop_free(world->loop);
	free(world);
	return 0;
}

static void open_chain(struct world *world, size_t endpoints, unsigned quorum)
{
	world->config.rpc.count = endpoints;
	world->config.quorum = quorum;
	world->chain = chain_new(world->loop, world->http, &world->config);
}

static void finish(struct world *world, const struct error *error)
{
	world->done++;
	world->error = error != NULL ? *error : (struct error){0};
	loop_stop(world->loop);
}

static void run(struct world *world)
{
	int before = world->done;

	loop_run(world->loop);
	assert_int_equal(world->done, before + 1);
}

static void got_head(const struct error *error, const struct block_ref *head,
                     const struct block_ref *final, void *arg)
{
	struct world *world = arg;

	if (error == NULL) {
		world->head = *head;
		world->final = *final;
	}
	finish(world, error);
}

static int ask_head(struct world *world)
{
	chain_head(world->chain, got_head, world);
	run(world);
	return world->error.code;
}

static void got_reads(const struct error *error, const struct chain_read_result *results,
                      size_t count, void *arg)
{
	struct world *world = arg;

	world->count = count;
	for (size_t i = 0; i < count && i < ARRAY_LEN(world->success); i++) {
		struct bytes returned = results[i].returned;
		world->success[i] = results[i].success;
		world->returned_len[i] = returned.len;
		world->last_byte[i] = returned.len > 0 ? returned.data[returned.len - 1] : 0;
	}
	finish(world, error);
}

/* Three reads: two values and a revert. */
static int ask_reads(struct world *world)
{
	static const uint8_t calls[3] = {0x11, 0xff, 0x22};
	struct chain_read reads[3];

	for (size_t i = 0; i < 3; i++)
		reads[i] = (struct chain_read){.to = {{0xaa, (uint8_t)i}},
		                               .data = bytes_of(&calls[i], 1)};
	chain_read_many(world->chain, &world->head, reads, 3, got_reads, world);
	run(world);
	return world->error.code;
}

static void expect_reads(const struct world *world)
{
	assert_int_equal(world->count, 3);
	assert_true(world->success[0] && !world->success[1] && world->success[2]);
	assert_int_equal(world->last_byte[0], 0x11);
	assert_int_equal(world->last_byte[1], 0xef);
	assert_int_equal(world->last_byte[2], 0x22);
	assert_int_equal(world->returned_len[0], 32);
	assert_int_equal(world->returned_len[1], 4);
}

/* --- head --------------------------------------------------------------------------------------
 */

static void test_head_and_final(void **state)
{
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;

	world->nodes[1].head = 998;
	world->nodes[1].finalized = 930;
	open_chain(world, 2, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(world->head.number, 998);
	assert_int_equal(world->final.number, 930);
}

static void test_quorum_disagreement_decides_nothing(void **state)
{
	struct world *world = *state;

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
	struct world *world = *state;

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
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;

	world->nodes[0].has_multicall = false;
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), 0);
	expect_reads(world);
	assert_int_equal(world->nodes[0].calls, 3);
}

static void test_reads_before_multicall_was_deployed(void **state)
{
	struct world *world = *state;

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
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;

	world->nodes[1].lie = 1;
	open_chain(world, 2, 2);
	assert_int_equal(ask_head(world), 0);
	assert_int_equal(ask_reads(world), ERR_UNAVAILABLE);
	assert_non_null(strstr(world->error.text, "do not agree"));
}

static void test_many_reads(void **state)
{
	struct world *world = *state;
	uint8_t data[2500];
	struct chain_read reads[2500];

	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		data[i] = (uint8_t)(i % 0xff);
		reads[i] = (struct chain_read){.data = bytes_of(&data[i], 1)};
	}
	open_chain(world, 1, 1);
	assert_int_equal(ask_head(world), 0);
	chain_read_many(world->chain, &world->head, reads, 2000, got_reads, world);
	run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->count, 2000);
	assert_int_equal(world->nodes[0].calls, 1);
	chain_read_many(world->chain, &world->head, reads, 2500, got_reads, world);
	run(world);
	assert_int_equal(world->count, 2500);
	assert_int_equal(world->nodes[0].calls, 3);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(world->last_byte[i], data[i]);
}

static void got_call(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct world *world = arg;

	if (error == NULL)
		got_reads(NULL, result, 1, arg);
	else
		finish(world, error);
}

static void test_simulation(void **state)
{
	static const struct address from = {{1}}, to = {{2}};
	struct world *world = *state;

	open_chain(world, 1, 1);
	chain_simulate(world->chain, &from, &to, bytes_of("\x33", 1), got_call, world);
	run(world);
	assert_true(world->success[0]);
	assert_int_equal(world->last_byte[0], 0x33);
	chain_simulate(world->chain, &from, &to, bytes_of("\xff", 1), got_call, world);
	run(world);
	assert_int_equal(world->error.code, 0);
	assert_false(world->success[0]);
	assert_int_equal(world->returned_len[0], 4); /* from error.data.data */
}

/* --- logs --------------------------------------------------------------------------------------
 */

static const struct address emitter = {{0xee}}, stranger = {{0xdd}};
static const struct hash32 topic = {{0x0a}}, other_topic = {{0x0b}};

static void got_logs(const struct error *error, const struct chain_log *logs, size_t count,
                     void *arg)
{
	struct world *world = arg;

	world->count = count;
	if (count > 0)
		memcpy(world->logs, logs,
		       (count < ARRAY_LEN(world->logs) ? count : ARRAY_LEN(world->logs)) *
		               sizeof(*logs));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(logs[i].data.len, 2);
	finish(world, error);
}

static int ask_logs(struct world *world, uint64_t from, uint64_t to)
{
	chain_logs(world->chain, from, to, &emitter, 1, &topic, 1, got_logs, world);
	run(world);
	return world->error.code;
}

static void fill_logs(struct world *world, struct node_log *logs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		logs[i] = (struct node_log){
		        .block = 40 * (i / 2),
		        .index = (unsigned)(i % 2),
		        .address = i % 5 == 4 ? stranger : emitter,
		        .topics = {i % 7 == 6 ? other_topic : topic, {{(uint8_t)i}}},
		        .topic_count = 2,
		        .data = bytes_of("ab", 2),
		};
	for (int i = 0; i < NODES; i++) {
		world->nodes[i].logs = logs;
		world->nodes[i].log_count = count;
	}
}

static size_t expected_logs(const struct node_log *logs, size_t count)
{
	size_t expected = 0;

	for (size_t i = 0; i < count; i++)
		if (address_equal(&logs[i].address, &emitter) &&
		    hash32_equal(&logs[i].topics[0], &topic))
			expected++;
	return expected;
}

static void expect_order(const struct world *world)
{
	for (size_t i = 1; i < world->count; i++)
		assert_true(world->logs[i - 1].block_number < world->logs[i].block_number ||
		            (world->logs[i - 1].block_number == world->logs[i].block_number &&
		             world->logs[i - 1].log_index < world->logs[i].log_index));
}

static void test_logs_in_order(void **state)
{
	struct world *world = *state;
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

static void test_refused_ranges_are_halved(void **state)
{
	static const char *const refusals[] = {
	        "query returned more than 10000 results. Try with this block range [0x0, 0x64]",
	        "block range is too wide",
	        "eth_getLogs is limited to a 10,000 range",
	        "Block range limit exceeded.",
	        "Maximum allowed number of requested blocks is 100",
	        "backend response too large",
	        "please limit the query to at most 100 blocks",
	};
	struct world *world = *state;
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
	struct world *world = *state;

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
	struct world *world = *state;
	struct node_log logs[50];

	fill_logs(world, logs, ARRAY_LEN(logs));
	world->nodes[1].log_count--;
	world->nodes[1].logs++; /* leaves out one log */
	open_chain(world, 2, 2);
	assert_int_equal(ask_logs(world, 0, 1000), ERR_UNAVAILABLE);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static void got_result(const struct error *error, const struct jval *result, void *arg)
{
	struct world *world = arg;

	world->count = jval_is_string(result);
	finish(world, error);
}

static void test_single_requests(void **state)
{
	struct world *world = *state;

	open_chain(world, 1, 1);
	chain_rpc(world->chain, "eth_chainId", NULL, got_result, world);
	run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->count, 1);
	chain_rpc(world->chain, "eth_unheardOf", jval_array(), got_result, world);
	run(world);
	assert_int_equal(world->error.code, ERR_DENIED);
	assert_non_null(strstr(world->error.text, "does not exist"));
}

static void got_block(const struct error *error, const struct block_ref *block, void *arg)
{
	struct world *world = arg;

	if (error == NULL)
		world->head = *block;
	finish(world, error);
}

static void test_block_by_number(void **state)
{
	struct world *world = *state;

	open_chain(world, 2, 2);
	chain_block(world->chain, 77, got_block, world);
	run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->head.number, 77);
	chain_block(world->chain, 1001, got_block, world);
	run(world);
	assert_int_equal(world->error.code, ERR_UNAVAILABLE);
}

static void stop(void *arg)
{
	struct world *world = arg;

	loop_stop(world->loop);
}

static void test_cancelled_operations_say_nothing(void **state)
{
	struct world *world = *state;
	static const struct address to = {{2}};
	struct chain_read read = {.to = to};
	struct chain_op *ops[5];

	open_chain(world, 3, 2);
	world->head.number = 3;
	for (int round = 0; round < 3; round++) {
		ops[0] = chain_head(world->chain, got_head, world);
		ops[1] = chain_read_many(world->chain, &world->head, &read, 1, got_reads, world);
		ops[2] = chain_logs(world->chain, 1, 9, &emitter, 1, &topic, 1, got_logs, world);
		ops[3] = chain_rpc(world->chain, "eth_chainId", NULL, got_result, world);
		ops[4] = chain_block(world->chain, 1, got_block, world);
		if (round > 0) { /* after they have begun */
			struct loop_timer *timer = loop_timer_new(world->loop, stop, world);
			loop_timer_set(timer, 0);
			loop_run(world->loop);
			loop_timer_free(timer);
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
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
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
	        WITH_WORLD(test_refused_ranges_are_halved),
	        WITH_WORLD(test_a_node_that_refuses_every_range),
	        WITH_WORLD(test_logs_of_a_liar),
	        WITH_WORLD(test_single_requests),
	        WITH_WORLD(test_block_by_number),
	        WITH_WORLD(test_cancelled_operations_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
