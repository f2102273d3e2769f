/* Three endpoints of which one is another's: what it may say, and what it cannot do. */
#include "tests/unit/follower_world.h"

#include "common/eth/jsonrpc.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two more nodes; of the three, two must agree. */
static void open_three(struct follower_world *world, struct node others[2], char *urls[3])
{
	follower_world_close(world);
	urls[0] = world->url;
	for (size_t i = 0; i < 2; i++) {
		node_start(&others[i], world->loop);
		others[i].logs = world->logs;
		others[i].log_count = LOGS;
		urls[i + 1] = xstrdup(httpd_url(others[i].httpd));
	}
	world->config.rpc = (struct text_list){urls, 3};
	world->config.quorum = 2;
	follower_world_open(world);
}

static void close_three(struct follower_world *world, struct node others[2], char *urls[3])
{
	follower_world_close(world);
	for (size_t i = 0; i < 2; i++) {
		node_stop(&others[i]);
		free(urls[i + 1]);
	}
	world->config.rpc = (struct text_list){&world->url, 1};
	world->config.quorum = 1;
	follower_world_open(world);
}

/* A contract that is said to be younger than it is: what happened before would be missed. */
static void test_no_single_endpoint_hides_history(void **state)
{
	struct follower_world *world = *state;
	struct node others[2];
	char *urls[3];

	world->config.start_auto = true;
	world->node.created_at = 900;
	open_three(world, others, urls);
	others[0].created_at = others[1].created_at = 300;
	follower_world_start(world);
	follower_world_backfill(world);
	follower_world_expect(world, 3, 10);
	assert_true(store_backfill_is_whole(world->store, CHAIN));
	close_three(world, others, urls);
}

/* One says that the newest blocks are gone while another is away: that is no reorganisation. */
static void test_no_single_endpoint_takes_blocks_back(void **state)
{
	struct follower_world *world = *state;
	struct node others[2];
	char *urls[3];

	open_three(world, others, urls);
	follower_world_start(world);
	follower_world_backfill(world);
	world->node.head = 980;
	others[1].fail_times = 1000000;
	others[1].fail_status = 500;
	for (int i = 0; i < 15; i++)
		follower_world_tick(world);
	assert_int_equal(world->reorganised, 0);
	assert_true(world->failures > 10);
	follower_world_expect_cursor(world, 1000);
	/* But when two say so. */
	others[0].head = 980;
	for (int i = 0; i < 10 && world->reorganised == 0; i++)
		follower_world_tick(world);
	assert_int_equal(world->reorganised, 1);
	follower_world_expect_cursor(world, 980);
	close_three(world, others, urls);
}

/* --- anything at all --------------------------------------------------------------------------
 */

struct liar {
	struct node *node;
	uint32_t seed;
	unsigned lies;
};

/* xorshift: the same lies each time. */
static uint32_t below(struct liar *liar, uint32_t bound)
{
	liar->seed ^= liar->seed << 13;
	liar->seed ^= liar->seed >> 17;
	liar->seed ^= liar->seed << 5;
	return liar->seed % bound;
}

static struct jval *any_junk(struct liar *liar)
{
	switch (below(liar, 5)) {
	case 0:
		return jval_new_null();
	case 1:
		return jval_new_string("0x");
	case 2:
		return jval_array();
	case 3:
		return jval_object();
	default:
		return jsonrpc_new_quantity(below(liar, 5000));
	}
}

static struct jval *block_value(struct liar *liar, uint64_t number)
{
	struct jval *block = jval_object();
	struct hash32 hash = {{(uint8_t)below(liar, 256), 0x11}};

	if (below(liar, 2) == 0) /* the right one, perhaps of another time */
		hash = node_hash(liar->node, number);
	jval_add(block, "number", jsonrpc_new_quantity(number));
	jval_add_hash32(block, "hash", &hash);
	jval_add(block, "timestamp", jsonrpc_new_quantity(1000 + 2 * number + below(liar, 3)));
	return block;
}

static struct jval *any_block(struct liar *liar, const char *asked)
{
	uint64_t number = liar->node->head + below(liar, 200) - 100;

	if (strncmp(asked, "0x", 2) == 0 && below(liar, 3) > 0)
		number = strtoull(asked + 2, NULL, 16);
	return block_value(liar, number);
}

/* A value that nobody added. */
static struct jval *any_logs(struct liar *liar, const struct jval *filter)
{
	uint64_t from = strtoull(jval_get_string(filter, "fromBlock") + 2, NULL, 16);
	struct hash32 block = node_hash(liar->node, from), value = {{0x66}};
	struct jval *list = jval_array(), *log = jval_object(), *topics = jval_array();
	char text[HASH32_TEXT_SIZE];

	if (below(liar, 3) == 0) {
		jval_free(log);
		jval_free(topics);
		return list; /* none at all */
	}
	jval_push(topics, jval_new_string(hash32_text(
	                          text, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD))));
	jval_add(log, "address", jsonrpc_new_address(&follower_kms));
	jval_add(log, "topics", topics);
	jval_add_hash32(log, "data", &value);
	jval_add(log, "blockNumber", jsonrpc_new_quantity(from));
	jval_add_hash32(log, "blockHash", &block);
	jval_add_hash32(log, "transactionHash", &value);
	jval_add(log, "logIndex", jsonrpc_new_quantity(below(liar, 4)));
	jval_push(list, log);
	return list;
}

static struct jval *lie(const char *name, const struct jval *params, void *arg)
{
	struct liar *liar = arg;

	const char *block = jval_string(jval_at(params, 0));
	bool newest = block != NULL && strcmp(block, "latest") == 0;

	/* The truth, now and then. A head below the others' would have it asked no more. */
	if (strcmp(name, "eth_chainId") == 0 || below(liar, 4) == 0)
		return NULL;
	liar->lies++;
	if (newest)
		return block_value(liar, liar->node->head + below(liar, 500));
	if (below(liar, 4) == 0)
		return any_junk(liar);
	if (strcmp(name, "eth_getBlockByNumber") == 0)
		return any_block(liar, jval_string(jval_at(params, 0)));
	if (strcmp(name, "eth_getLogs") == 0)
		return any_logs(liar, jval_at(params, 0));
	return NULL;
}

static void fork_all(struct follower_world *world, struct node others[2], uint64_t from,
                     uint8_t fork)
{
	struct node *nodes[] = {&world->node, &others[0], &others[1]};

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		nodes[i]->fork_from = from;
		nodes[i]->fork = fork;
	}
}

static void grow(struct follower_world *world, struct node others[2], uint64_t blocks)
{
	struct node *nodes[] = {&world->node, &others[0], &others[1]};

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		nodes[i]->head += blocks;
		nodes[i]->finalized = nodes[i]->head - 64;
	}
}

/* However it lies: no tick fails, nothing untrue is kept, nothing true is missed, and blocks are
 * taken back only when the chain did so. */
static void live_with(struct follower_world *world, uint32_t seed)
{
	struct node others[2];
	char *urls[3];
	struct liar liar = {.node = &world->node, .seed = seed};
	struct arena arena = {0};
	struct seen_log_list list;
	const struct hash32 nobodys = {{0x66}};
	int forks = 0;

	open_three(world, others, urls);
	world->node.method = lie;
	world->node.arg = &liar;
	follower_world_start(world);
	for (int i = 0; i < 60; i++) {
		if (i == 30) {
			fork_all(world, others, world->node.head - 5, 7);
			forks++;
		}
		grow(world, others, 1 + below(&liar, 40));
		follower_world_tick(world);
	}
	assert_true(liar.lies > 60);
	assert_int_equal(world->failures, 0);
	assert_int_equal(world->stopped, 0);
	assert_int_equal(world->reorganised, forks);
	world->node.method = NULL;
	grow(world, others, 20);
	follower_world_tick(world);
	follower_world_backfill(world);
	follower_world_expect_cursor(world, world->node.head);
	follower_world_expect(world, 0, (size_t)(world->node.head / 100));
	list = store_log_find(world->store, &arena, CHAIN, &follower_kms,
	                      event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &nobodys);
	assert_int_equal(list.count, 0);
	arena_free(&arena);
	close_three(world, others, urls);
}

static void test_whatever_one_endpoint_says(void **state)
{
	static const uint32_t seeds[] = {1, 77, 4242, 123456789};

	for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
		if (i > 0) {
			follower_world_teardown(state);
			follower_world_setup(state);
		}
		live_with(*state, seeds[i]);
	}
}

int main(void)
{
#define WITH_WORLD(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, follower_world_setup, follower_world_teardown)
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(test_no_single_endpoint_hides_history),
	        WITH_WORLD(test_no_single_endpoint_takes_blocks_back),
	        WITH_WORLD(test_whatever_one_endpoint_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
