/* One mined transaction: who sent what to whom. */
#include "daemon/chain/op.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT = 1 << 20 };

struct transaction_op {
	struct chain_op op;
	struct question *question;
	struct hash32 hash;
	chain_transaction_fn *done;
	void *arg;
};

static void transaction_destroy(struct chain_op *base)
{
	struct transaction_op *op = (struct transaction_op *)base;

	question_cancel(op->question);
	free(op);
}

static struct jval *transaction_params(size_t endpoint, void *arg)
{
	struct transaction_op *op = arg;
	struct jval *params = jval_array();
	char text[HASH32_TEXT_SIZE];

	(void)endpoint;
	jval_push(params, jval_new_string(hash32_text(text, &op->hash)));
	return params;
}

/* Canonical: block hash, sender, receiver (zero: it creates a contract), input. */
static int canonicalise(struct buf *out, const struct transaction_op *op, const struct jval *result,
                        struct error *error)
{
	const struct jval *to = jval_get(result, "to");
	struct address from, receiver = {{0}};
	struct hash32 hash, block;
	struct arena arena = {0};
	struct bytes input;
	int rc;

	if ((rc = jsonrpc_hash32(&hash, jval_get(result, "hash"), error)) == 0 &&
	    (rc = jsonrpc_hash32(&block, jval_get(result, "blockHash"), error)) == 0 &&
	    (rc = jsonrpc_address(&from, jval_get(result, "from"), error)) == 0 &&
	    (jval_is_null(to) || (rc = jsonrpc_address(&receiver, to, error)) == 0) &&
	    (rc = jsonrpc_hex(&input, &arena, jval_get(result, "input"), error)) == 0) {
		if (!hash32_equal(&hash, &op->hash) || input.len > MAX_INPUT) {
			rc = error_set(error, ERR_INVALID, "not the transaction asked for");
		} else {
			buf_append(out, block.b, sizeof(block.b));
			buf_append(out, from.b, sizeof(from.b));
			buf_append(out, receiver.b, sizeof(receiver.b));
			buf_append_bytes(out, input);
		}
	}
	arena_free(&arena);
	return rc;
}

static enum verdict transaction_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                       struct error *error, void *arg)
{
	const struct transaction_op *op = arg;

	if (answer->outcome != RPC_RESULT)
		return verdict_without_result(answer, error);
	if (jval_is_null(answer->json.result) ||
	    jval_is_null(jval_get(answer->json.result, "blockHash"))) {
		error_set(error, ERR_UNAVAILABLE,
		          "the endpoint does not know the transaction as mined");
		return VERDICT_BEHIND;
	}
	return canonicalise(canonical, op, answer->json.result, error) == 0 ? VERDICT_ANSWER
	                                                                    : VERDICT_ELSEWHERE;
}

static const uint8_t *take(void *out, const uint8_t *from, size_t len)
{
	memcpy(out, from, len);
	return from + len;
}

static void answered(const struct error *error, const struct question_result *result, void *arg)
{
	struct transaction_op *op = arg;
	struct chain_transaction transaction = {.hash = op->hash};

	op->question = NULL;
	if (error == NULL) {
		const uint8_t *at = result->canonical.data, *end = at + result->canonical.len;
		at = take(transaction.block_hash.b, at, sizeof(transaction.block_hash.b));
		at = take(transaction.from.b, at, sizeof(transaction.from.b));
		at = take(transaction.to.b, at, sizeof(transaction.to.b));
		transaction.input = bytes_of(at, (size_t)(end - at));
	}
	op->done(error, error == NULL ? &transaction : NULL, op->arg);
	op_end(&op->op);
}

struct chain_op *chain_transaction(struct chain *chain, const struct hash32 *hash,
                                   chain_transaction_fn *done, void *arg)
{
	struct transaction_op *op = xcalloc(1, sizeof(*op));
	const struct question_spec spec = {
	        .method = "eth_getTransactionByHash",
	        .params = transaction_params,
	        .reduce = transaction_reduce,
	        .done = answered,
	        .arg = op,
	        .need = chain->config->quorum,
	};

	op->hash = *hash;
	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, transaction_destroy);
	op->question = question_start(chain->loop, chain->rpc, &spec);
	return &op->op;
}
