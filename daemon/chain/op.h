/* What the files of this room share about a chain and an operation on it. Inside this room only. */
#ifndef CHAIN_OP_H
#define CHAIN_OP_H

#include "daemon/chain/chain.h"
#include "daemon/chain/quorum.h"

enum multicall_seen { MULTICALL_NOT_ASKED, MULTICALL_ABSENT, MULTICALL_PRESENT };

struct chain {
	struct loop *loop;
	const struct config_chain *config;
	struct rpc *rpc;
	struct chain_op *ops;
	/* What was learned about the endpoints and is worth remembering until the end. */
	enum multicall_seen multicall; /* ABSENT: also when the code there is not known */
	bool *by_number; /* per endpoint: does not take {blockHash}, is pinned by number */
	uint64_t log_span;
	unsigned log_span_successes;
	bool tag_missing_said;
	unsigned tag_refusals;    /* in a row, in words that may mean anything */
	struct mono tag_retry_at; /* until then the tag of the finality is not asked for */
	struct block_ref last_head, last_final;
	struct mono head_moved; /* when last_head became another one */
	struct mono surveyed;   /* when every endpoint was last asked how far it is */
};

/* The first member of every operation. */
struct chain_op {
	struct chain *chain;
	struct chain_op *prev, *next;
	/* Cancels what the operation waits for and frees it. */
	void (*destroy)(struct chain_op *op);
};

void op_start(struct chain_op *op, struct chain *chain, void (*destroy)(struct chain_op *op));
/* Takes the operation off the chain's list and frees it. */
void op_end(struct chain_op *op);

/* "0x…" of a block, with its full transactions left out. */
struct jval *block_params_number(uint64_t number);
struct jval *block_params_tag(const char *tag);
/* What stands for the block in a question about its state: {blockHash}, or its number. */
struct jval *block_params_pin(const struct block_ref *at, bool by_number);
/* How endpoints refuse {blockHash}. */
enum { CODE_BAD_PARAMS = -32602 };
/* A block answer in canonical form: number, hash, timestamp. Null is VERDICT_BEHIND. */
enum verdict block_reduce(struct buf *canonical, const struct rpc_answer *answer,
                          struct error *error);
struct block_ref block_from_canonical(struct bytes canonical);

/* What an endpoint refused, with the contract's words where it has any. */
enum verdict op_refusal(const struct rpc_answer *answer, struct error *error);

#endif
