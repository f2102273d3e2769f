/* A follower over one node and a store, for tests of daemon/chain: log i of the node adds the value
 * i to the KMS in block 100 * i. */
#ifndef UNIT_FOLLOWER_WORLD_H
#define UNIT_FOLLOWER_WORLD_H

#include "common/store/store.h"
#include "daemon/chain/follower.h"
#include "tests/unit/node.h"

enum { CHAIN = 31337, LOGS = 40 };

struct follower_world {
	struct loop *loop;
	struct http *http;
	struct node node;
	char *url;
	struct config_chain config;
	struct chain *chain;
	struct store *store;
	char folder[64], path[96];
	struct follower *follower;
	struct loop_timer *timer;
	struct node_log logs[LOGS];
	struct hash32 values[LOGS];
	/* what was told */
	int ticks, unmoved, reorganised, failures, stopped;
	size_t new_logs;
	uint64_t common, depth;
	struct block_ref head, final;
};

extern const struct address follower_kms, follower_timelock;

/* cmocka setup and teardown; open and close by themselves are a restart. */
int follower_world_setup(void **state);
int follower_world_teardown(void **state);
void follower_world_open(struct follower_world *world);
void follower_world_close(struct follower_world *world);

/* Each runs until the follower has told something. */
void follower_world_start(struct follower_world *world);
void follower_world_tick(struct follower_world *world);
/* Until the background reading of history is over. */
void follower_world_backfill(struct follower_world *world);

/* How often the store holds the value that log i added; at most one is right. */
size_t follower_world_stored(struct follower_world *world, size_t i);
/* Exactly the logs from to to are stored; where the cursor is. */
void follower_world_expect(struct follower_world *world, size_t from, size_t to);
void follower_world_expect_cursor(struct follower_world *world, uint64_t expected);

#endif
