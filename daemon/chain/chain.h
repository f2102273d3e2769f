/* One blockchain: its RPC endpoints (health, failover, quorum) and reads pinned to one block. */
#ifndef CHAIN_CHAIN_H
#define CHAIN_CHAIN_H

#include "common/base/arena.h"
#include "common/config/config.h"
#include "common/eth/address.h"
#include "daemon/io/http.h"

struct chain;
struct chain_op; /* an operation under way; cancel with chain_cancel */

struct block_ref {
	uint64_t number;
	struct hash32 hash;
	uint64_t timestamp; /* seconds */
};

/* config must outlive the chain. chain_free cancels what is under way; not from inside a callback.
 */
struct chain *chain_new(struct loop *loop, struct http *http, const struct config_chain *config);
void chain_free(struct chain *chain);
const struct config_chain *chain_config(const struct chain *chain);

void chain_cancel(struct chain_op *op); /* NULL is fine; the callback is not called */

/* Every callback below is called exactly once unless cancelled, never from inside the call that
 * started it. error is NULL on success, else says what happened (ERR_UNAVAILABLE: try again). */

/* The latest block a quorum agrees on and the one that counts as final under the chain's
 * configured finality (final.number <= head.number). The chain id is verified first, once per
 * endpoint; an endpoint on another chain is never used. */
typedef void chain_head_fn(const struct error *error, const struct block_ref *head,
                           const struct block_ref *final, void *arg);
struct chain_op *chain_head(struct chain *chain, chain_head_fn *done, void *arg);

/* The canonical block of this number, as a quorum sees it. */
typedef void chain_block_fn(const struct error *error, const struct block_ref *block, void *arg);
struct chain_op *chain_block(struct chain *chain, uint64_t number, chain_block_fn *done, void *arg);

/* Several reads in one eth_call to Multicall3 (aggregate3, allowFailure) pinned to a block by
 * hash; single pinned eth_calls where Multicall3 is not, or has code that is not known (asked once,
 * remembered). */
struct chain_read {
	struct address to;
	struct bytes data;
};
struct chain_read_result {
	bool success;          /* false: reverted; returned then holds the revert data */
	struct bytes returned; /* valid during the callback */
};
typedef void chain_read_fn(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg);
struct chain_op *chain_read_many(struct chain *chain, const struct block_ref *at,
                                 const struct chain_read *reads, size_t count, chain_read_fn *done,
                                 void *arg);

/* One eth_call with a sender, at the newest head that chain_head answered: simulation. A revert is
 * a success of the question: result->success false and the revert data in result->returned. */
typedef void chain_call_fn(const struct error *error, const struct chain_read_result *result,
                           void *arg);
struct chain_op *chain_simulate(struct chain *chain, const struct address *from,
                                const struct address *to, struct bytes data, chain_call_fn *done,
                                void *arg);

/* Any single JSON-RPC request whose result is handed on as parsed JSON. One endpoint answers it:
 * for what decides nothing. ERR_DENIED: the endpoint understood and refused; the text has its
 * words, or the decoded revert. */
struct jval;
typedef void chain_rpc_fn(const struct error *error, const struct jval *result, void *arg);
struct chain_op *chain_rpc(struct chain *chain, const char *method, struct jval *params /* taken */,
                           chain_rpc_fn *done, void *arg);

/* The same where a quorum must give the same result, or refuse. */
struct chain_op *chain_rpc_agreed(struct chain *chain, const char *method,
                                  struct jval *params /* taken */, chain_rpc_fn *done, void *arg);

/* A mined transaction, as a quorum sees it. */
struct chain_transaction {
	struct hash32 hash, block_hash;
	struct address from, to; /* to: zero where it creates a contract */
	struct bytes input;      /* valid during the callback */
};
typedef void chain_transaction_fn(const struct error *error,
                                  const struct chain_transaction *transaction, void *arg);
struct chain_op *chain_transaction(struct chain *chain, const struct hash32 *hash,
                                   chain_transaction_fn *done, void *arg);

/* The same for what a quorum must agree on at one block: eth_getCode, eth_getBalance,
 * eth_getStorageAt, eth_getTransactionCount. params lack the block, which is added. */
struct chain_op *chain_rpc_at(struct chain *chain, const struct block_ref *at, const char *method,
                              struct jval *params /* taken */, chain_rpc_fn *done, void *arg);

struct chain_log {
	struct address address;
	struct hash32 topics[4];
	unsigned topic_count;
	struct bytes data; /* valid during the callback */
	uint64_t block_number;
	struct hash32 block_hash, tx_hash;
	unsigned log_index;
};
/* What eth_getLogs is asked for: [from, to], at least one address, no topic0s for any. Not kept. */
struct chain_filter {
	uint64_t from, to;
	const struct address *addresses;
	size_t address_count;
	const struct hash32 *topic0s;
	size_t topic_count;
};
/* Halves the range by itself when the endpoint refuses it. Logs come in chain order. */
typedef void chain_logs_fn(const struct error *error, const struct chain_log *logs, size_t count,
                           void *arg);
struct chain_op *chain_logs(struct chain *chain, const struct chain_filter *filter,
                            chain_logs_fn *done, void *arg);

/* What each endpoint says when asked for its chain id now, in the order of the configuration; what
 * was found out about its identity before is forgotten. For doctor. */
struct chain_endpoint {
	const char *name;    /* its URL without secrets */
	const char *trouble; /* NULL: it answers and is on this chain */
};
typedef void chain_endpoints_fn(const struct chain_endpoint *endpoints, size_t count, void *arg);
struct chain_op *chain_ask_endpoints(struct chain *chain, chain_endpoints_fn *done, void *arg);

/* The same without asking: what is known of each by now. The names and troubles are valid until the
 * next call of any kind. Returns how many there are; out has room for as many. */
size_t chain_endpoints_known(const struct chain *chain, struct chain_endpoint *out, size_t room);

/* From now on, and for what is under way, every question fails with these words, but for
 * chain_head and what asks the endpoints about themselves; NULL: as usual again. */
void chain_hold(struct chain *chain, const char *why);
const char *chain_held(const struct chain *chain); /* the words, or NULL */

/* Each endpoint is asked which chain it is on before its next answer counts. */
void chain_doubt(struct chain *chain);

uint64_t chain_requests_made(const struct chain *chain);

#endif
