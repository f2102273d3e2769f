/* An Ethereum node as a test wants it: a chain of made-up blocks with logs, behind a real socket,
 * that misbehaves on request. */
#ifndef TESTS_NODE_H
#define TESTS_NODE_H

#include "common/base/jval.h"
#include "common/eth/address.h"
#include "tests/unit/httpd.h"

struct node_log {
	uint64_t block;
	unsigned index;
	struct address address;
	struct hash32 topics[4];
	unsigned topic_count;
	struct bytes data; /* not owned */
};

struct node {
	struct httpd *httpd;
	uint64_t chain_id;
	uint64_t head, finalized;
	/* Blocks at and above fork_from have other hashes when fork is not 0. */
	uint64_t fork_from;
	uint8_t fork;
	bool finalized_null, finalized_refused;
	const char *finalized_words; /* NULL: "invalid block tag", with its code */
	bool has_multicall;
	bool no_block_hash;        /* -32602 for {blockHash} */
	uint64_t deaf_above;       /* eth_call: "unknown block" above this number; 0: never */
	unsigned deaf_times;       /* so often; then it knows */
	uint64_t longest_range;    /* eth_getLogs refuses more; 0: any */
	const char *range_refusal; /* in these words */
	uint64_t silent_range;     /* eth_getLogs over more blocks is dropped; 0: never */
	uint64_t state_from;       /* eth_getCode below this block is refused */
	uint64_t created_at;       /* every contract has code from this block on */
	uint8_t lie;               /* changes every value that eth_call returns */
	bool reverts_all;          /* eth_call reverts, except of Multicall3 */
	bool no_revert_data;       /* and does not say with what */
	uint64_t base_fee;         /* wei */
	uint64_t gas_limit;        /* of every block; 0: not told */
	uint64_t genesis_time;     /* block n is 2 * n seconds younger */
	uint64_t blocks_per_second; /* or so many come in one */
	/* What contracts answer instead of a made-up word: false reverts with what is in returned.
	 */
	bool (*contract)(const struct address *to, struct bytes data, struct buf *returned,
	                 void *arg);
	/* The result of a method that is answered otherwise; NULL: as usual. */
	struct jval *(*method)(const char *name, const struct jval *params, void *arg);
	void *arg;
	const struct node_log *logs;
	size_t log_count;
	/* The next fail_times requests are answered with this status; 0: the connection is dropped.
	 */
	unsigned fail_times;
	bool hang; /* never answers */
	int fail_status;
	const char *fail_headers;
	/* What was asked. */
	unsigned requests, heads, by_number, calls, get_logs, get_codes, chain_ids;
	uint64_t last_from, last_to;
};

/* The code hash of the node's Multicall3, which is not the well-known one. */
struct hash32 node_multicall_code(void);

void node_start(struct node *node, struct loop *loop);
void node_stop(struct node *node);
struct hash32 node_hash(const struct node *node, uint64_t number);

#endif
