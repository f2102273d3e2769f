#include "tests/unit/follower_world.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const struct address follower_kms = {{0xee}}, follower_timelock = {{0xcc}};

static void ticked(const struct block_ref *head, const struct block_ref *final, size_t new_logs,
                   void *arg)
{
	struct follower_world *world = arg;

	world->ticks++;
	world->new_logs += new_logs;
	world->head = *head;
	world->final = *final;
	loop_stop(world->loop);
}

static void unmoved(const struct block_ref *head, const struct block_ref *final, void *arg)
{
	struct follower_world *world = arg;

	assert_true(final->number <= head->number);
	world->unmoved++;
	loop_stop(world->loop);
}

static void reorganised(uint64_t common, uint64_t depth, void *arg)
{
	struct follower_world *world = arg;

	world->reorganised++;
	world->common = common;
	world->depth = depth;
}

static void failed(const struct error *error, void *arg)
{
	struct follower_world *world = arg;

	assert_int_equal(error->code, ERR_UNAVAILABLE);
	world->failures++;
	loop_stop(world->loop);
}

static void was_stopped(const char *why, void *arg)
{
	struct follower_world *world = arg;

	assert_non_null(strstr(why, "was final with hash 0x"));
	world->stopped++;
	loop_stop(world->loop);
}

static const struct follower_callbacks callbacks = {ticked, unmoved, reorganised, failed,
                                                    was_stopped};

void follower_world_open(struct follower_world *world)
{
	struct error error;

	if (store_open(&world->store, world->path, &error) != 0)
		fail_msg("%s", error.text);
	store_set_now(world->store, (struct wall){1700000000000});
	world->chain = chain_new(world->loop, world->http, &world->config);
	world->follower = follower_new(world->loop, world->chain, world->store, &callbacks, world);
	follower_set_addresses(world->follower,
	                       (struct address[]){follower_timelock, follower_kms, follower_kms},
	                       3);
}

void follower_world_close(struct follower_world *world)
{
	follower_free(world->follower);
	chain_free(world->chain);
	store_close(world->store);
}

static void stop(void *arg)
{
	struct follower_world *world = arg;

	loop_stop(world->loop);
}

int follower_world_setup(void **state)
{
	struct follower_world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	world->http = http_new(world->loop);
	world->timer = loop_timer_new(world->loop, stop, world);
	node_start(&world->node, world->loop);
	world->url = xstrdup(httpd_url(world->node.httpd));
	world->config = (struct config_chain){
	        .name = "test",
	        .chain_id = CHAIN,
	        .rpc = {&world->url, 1},
	        .quorum = 1,
	        .finality = FINALITY_FINALIZED,
	        .poll_ms = 3600000,
	        .start_block = 0,
	};
	snprintf(world->folder, sizeof(world->folder), "/tmp/test_follower.XXXXXX");
	if (mkdtemp(world->folder) == NULL)
		fail();
	snprintf(world->path, sizeof(world->path), "%s/registrard.db", world->folder);
	/* Log i: the value i added to the KMS in block 100 * i. */
	for (size_t i = 0; i < LOGS; i++) {
		world->values[i] = (struct hash32){{(uint8_t)(i + 1)}};
		world->logs[i] = (struct node_log){
		        .block = 100 * i,
		        .index = 3,
		        .address = follower_kms,
		        .topics = {*event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD)},
		        .topic_count = 1,
		        .data = bytes_of(world->values[i].b, 32),
		};
	}
	world->node.logs = world->logs;
	world->node.log_count = LOGS;
	follower_world_open(world);
	*state = world;
	return 0;
}

int follower_world_teardown(void **state)
{
	struct follower_world *world = *state;
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];

	follower_world_close(world);
	http_free(world->http);
	node_stop(&world->node);
	loop_free(world->loop);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", world->path, suffixes[i]);
		unlink(path);
	}
	rmdir(world->folder);
	free(world->url);
	free(world);
	return 0;
}

/* How often the store holds the value that log i added; at most one is right. */
size_t follower_world_stored(struct follower_world *world, size_t i)
{
	struct arena arena = {0};
	struct seen_log_list list;

	list = store_log_find(world->store, &arena, CHAIN, &follower_kms,
	                      event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &world->values[i]);
	for (size_t k = 0; k < list.count; k++) {
		struct hash32 hash = node_hash(&world->node, list.items[k].block_number);
		assert_true(hash32_equal(&list.items[k].block_hash, &hash));
		assert_int_equal(list.items[k].data.len, 32);
	}
	size_t count = list.count;
	arena_free(&arena);
	return count;
}

void follower_world_expect(struct follower_world *world, size_t from, size_t to)
{
	for (size_t i = 0; i < LOGS; i++)
		assert_int_equal(follower_world_stored(world, i), i >= from && i <= to);
}

void follower_world_expect_cursor(struct follower_world *world, uint64_t expected)
{
	struct hash32 hash, ours = node_hash(&world->node, expected);
	uint64_t number;

	assert_int_equal(store_cursor_get(world->store, CHAIN, &number, &hash), 0);
	assert_int_equal(number, expected);
	assert_true(hash32_equal(&hash, &ours));
}

void follower_world_start(struct follower_world *world)
{
	follower_start(world->follower);
	loop_run(world->loop);
}

void follower_world_tick(struct follower_world *world)
{
	follower_tick_now(world->follower);
	loop_run(world->loop);
}

/* Runs until the background reading of history is over. */
void follower_world_backfill(struct follower_world *world)
{
	for (int i = 0; i < 500 && follower_backfilling(world->follower); i++) {
		loop_timer_set(world->timer, 20);
		loop_run(world->loop);
	}
	assert_false(follower_backfilling(world->follower));
}
