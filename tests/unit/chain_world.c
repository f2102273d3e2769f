#include "tests/unit/chain_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int chain_world_setup(void **state)
{
	struct chain_world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	world->http = http_new(world->loop);
	for (int i = 0; i < NODES; i++) {
		node_start(&world->nodes[i], world->loop);
		world->urls[i] = xstrdup(httpd_url(world->nodes[i].httpd));
	}
	world->multicall_code = node_multicall_code();
	world->config = (struct config_chain){
	        .multicall_code = {&world->multicall_code, 1},
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

int chain_world_teardown(void **state)
{
	struct chain_world *world = *state;

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

void open_chain(struct chain_world *world, size_t endpoints, unsigned quorum)
{
	world->config.rpc.count = endpoints;
	world->config.quorum = quorum;
	world->chain = chain_new(world->loop, world->http, &world->config);
}

void chain_world_finish(struct chain_world *world, const struct error *error)
{
	world->done++;
	world->error = error != NULL ? *error : (struct error){0};
	loop_stop(world->loop);
}

void chain_world_run(struct chain_world *world)
{
	int before = world->done;

	loop_run(world->loop);
	assert_int_equal(world->done, before + 1);
}

static void stop(void *arg)
{
	struct chain_world *world = arg;

	loop_stop(world->loop);
}

void pass_time(struct chain_world *world, int64_t ms)
{
	struct loop_timer *timer = loop_timer_new(world->loop, stop, world);

	loop_timer_set(timer, ms);
	loop_run(world->loop);
	loop_timer_free(timer);
}

void got_head(const struct error *error, const struct block_ref *head,
              const struct block_ref *final, void *arg)
{
	struct chain_world *world = arg;

	if (error == NULL) {
		world->head = *head;
		world->final = *final;
	}
	chain_world_finish(world, error);
}

int ask_head(struct chain_world *world)
{
	chain_head(world->chain, got_head, world);
	chain_world_run(world);
	return world->error.code;
}

void got_reads(const struct error *error, const struct chain_read_result *results, size_t count,
               void *arg)
{
	struct chain_world *world = arg;

	world->count = count;
	for (size_t i = 0; i < count && i < ARRAY_LEN(world->success); i++) {
		struct bytes returned = results[i].returned;
		world->success[i] = results[i].success;
		world->returned_len[i] = returned.len;
		world->last_byte[i] = returned.len > 0 ? returned.data[returned.len - 1] : 0;
	}
	chain_world_finish(world, error);
}

/* Three reads: two values and a revert. */
int ask_reads(struct chain_world *world)
{
	static const uint8_t calls[3] = {0x11, 0xff, 0x22};
	struct chain_read reads[3];

	for (size_t i = 0; i < 3; i++)
		reads[i] = (struct chain_read){.to = {{0xaa, (uint8_t)i}},
		                               .data = bytes_of(&calls[i], 1)};
	chain_read_many(world->chain, &world->head, reads, 3, got_reads, world);
	chain_world_run(world);
	return world->error.code;
}

void expect_reads(const struct chain_world *world)
{
	assert_int_equal(world->count, 3);
	assert_true(world->success[0] && !world->success[1] && world->success[2]);
	assert_int_equal(world->last_byte[0], 0x11);
	assert_int_equal(world->last_byte[1], 0xef);
	assert_int_equal(world->last_byte[2], 0x22);
	assert_int_equal(world->returned_len[0], 32);
	assert_int_equal(world->returned_len[1], 4);
}

void got_call(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct chain_world *world = arg;

	if (error == NULL)
		got_reads(NULL, result, 1, arg);
	else
		chain_world_finish(world, error);
}

const struct address chain_emitter = {{0xee}};
static const struct address stranger = {{0xdd}};
const struct hash32 chain_topic = {{0x0a}};
static const struct hash32 other_topic = {{0x0b}};

void got_logs(const struct error *error, const struct chain_log *logs, size_t count, void *arg)
{
	struct chain_world *world = arg;

	world->count = count;
	if (count > 0)
		memcpy(world->logs, logs,
		       (count < ARRAY_LEN(world->logs) ? count : ARRAY_LEN(world->logs)) *
		               sizeof(*logs));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(logs[i].data.len, 2);
	chain_world_finish(world, error);
}

struct chain_filter logs_wanted(uint64_t from, uint64_t to)
{
	return (struct chain_filter){
	        .from = from,
	        .to = to,
	        .addresses = &chain_emitter,
	        .address_count = 1,
	        .topic0s = &chain_topic,
	        .topic_count = 1,
	};
}

int ask_logs(struct chain_world *world, uint64_t from, uint64_t to)
{
	const struct chain_filter filter = logs_wanted(from, to);

	chain_logs(world->chain, &filter, got_logs, world);
	chain_world_run(world);
	return world->error.code;
}

void fill_logs(struct chain_world *world, struct node_log *logs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		logs[i] = (struct node_log){
		        .block = 40 * (i / 2),
		        .index = (unsigned)(i % 2),
		        .address = i % 5 == 4 ? stranger : chain_emitter,
		        .topics = {i % 7 == 6 ? other_topic : chain_topic, {{(uint8_t)i}}},
		        .topic_count = 2,
		        .data = bytes_of("ab", 2),
		};
	for (int i = 0; i < NODES; i++) {
		world->nodes[i].logs = logs;
		world->nodes[i].log_count = count;
	}
}

size_t expected_logs(const struct node_log *logs, size_t count)
{
	size_t expected = 0;

	for (size_t i = 0; i < count; i++)
		if (address_equal(&logs[i].address, &chain_emitter) &&
		    hash32_equal(&logs[i].topics[0], &chain_topic))
			expected++;
	return expected;
}

void expect_order(const struct chain_world *world)
{
	for (size_t i = 1; i < world->count; i++)
		assert_true(world->logs[i - 1].block_number < world->logs[i].block_number ||
		            (world->logs[i - 1].block_number == world->logs[i].block_number &&
		             world->logs[i - 1].log_index < world->logs[i].log_index));
}
