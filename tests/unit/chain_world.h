/* One chain with up to three nodes behind it, for tests of daemon/chain: each asks one thing, runs
 * the loop until it is answered, and keeps the answer. */
#ifndef UNIT_CHAIN_WORLD_H
#define UNIT_CHAIN_WORLD_H

#include "daemon/chain/chain.h"
#include "tests/unit/node.h"

enum { NODES = 3 };

struct chain_world {
	struct loop *loop;
	struct http *http;
	struct node nodes[NODES];
	char *urls[NODES];
	struct config_chain config;
	struct hash32 multicall_code;
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

/* cmocka setup and teardown. Then the test changes what it wants, and opens the chain. */
int chain_world_setup(void **state);
int chain_world_teardown(void **state);
void open_chain(struct chain_world *world, size_t endpoints, unsigned quorum);

/* For callbacks of the test: the answer is there; and running until it is. */
void chain_world_finish(struct chain_world *world, const struct error *error);
void chain_world_run(struct chain_world *world);
void pass_time(struct chain_world *world, int64_t ms);

/* Each returns the error's code. */
int ask_head(struct chain_world *world);
/* Three reads at the head: two values and a revert. */
int ask_reads(struct chain_world *world);
void expect_reads(const struct chain_world *world);
/* The logs of chain_emitter and chain_topic. */
struct chain_filter logs_wanted(uint64_t from, uint64_t to);
int ask_logs(struct chain_world *world, uint64_t from, uint64_t to);

extern const struct address chain_emitter;
extern const struct hash32 chain_topic;
/* Gives every node these logs; how many of them are the emitter's, of the topic; their order. */
void fill_logs(struct chain_world *world, struct node_log *logs, size_t count);
size_t expected_logs(const struct node_log *logs, size_t count);
void expect_order(const struct chain_world *world);

/* Callbacks that keep the answer; arg is the world. */
void got_head(const struct error *error, const struct block_ref *head,
              const struct block_ref *final, void *arg);
void got_reads(const struct error *error, const struct chain_read_result *results, size_t count,
               void *arg);
void got_call(const struct error *error, const struct chain_read_result *result, void *arg);
void got_logs(const struct error *error, const struct chain_log *logs, size_t count, void *arg);

#endif
