#include "daemon/chain/op.h"

#include "common/eth/revert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_LOG_SPAN = 2000 };

struct chain *chain_new(struct loop *loop, struct http *http, const struct config_chain *config)
{
	struct chain *chain = xcalloc(1, sizeof(*chain));

	chain->loop = loop;
	chain->config = config;
	chain->rpc = rpc_new(loop, http, config);
	chain->by_number = xcalloc(rpc_count(chain->rpc), sizeof(*chain->by_number));
	chain->log_span = FIRST_LOG_SPAN;
	return chain;
}

void chain_free(struct chain *chain)
{
	if (chain == NULL)
		return;
	while (chain->ops != NULL)
		op_end(chain->ops);
	rpc_free(chain->rpc);
	free(chain->by_number);
	free(chain);
}

const struct config_chain *chain_config(const struct chain *chain)
{
	return chain->config;
}

uint64_t chain_requests_made(const struct chain *chain)
{
	return rpc_requests_made(chain->rpc);
}

/* --- operations --------------------------------------------------------------------------------
 */

void op_start(struct chain_op *op, struct chain *chain, void (*destroy)(struct chain_op *op))
{
	op->chain = chain;
	op->destroy = destroy;
	op->next = chain->ops;
	if (op->next != NULL)
		op->next->prev = op;
	chain->ops = op;
}

void op_end(struct chain_op *op)
{
	if (op->prev != NULL)
		op->prev->next = op->next;
	else
		op->chain->ops = op->next;
	if (op->next != NULL)
		op->next->prev = op->prev;
	op->destroy(op);
}

void chain_cancel(struct chain_op *op)
{
	if (op != NULL)
		op_end(op);
}

/* --- blocks ------------------------------------------------------------------------------------
 */

enum { BLOCK_CANONICAL_SIZE = 48 };
/* Later than any date that can be written, and far from where milliseconds overflow. */
#define LATEST_TIMESTAMP 253402300800ULL

struct jval *block_params_tag(const char *tag)
{
	struct jval *params = jval_array();

	jval_push(params, jval_new_string(tag));
	jval_push(params, jval_new_bool(false));
	return params;
}

struct jval *block_params_number(uint64_t number)
{
	struct jval *params = jval_array();

	jval_push(params, jsonrpc_new_quantity(number));
	jval_push(params, jval_new_bool(false));
	return params;
}

enum verdict block_reduce(struct buf *canonical, const struct rpc_answer *answer,
                          struct error *error)
{
	uint8_t form[BLOCK_CANONICAL_SIZE];
	const struct jval *block = answer->json.result;
	uint64_t number, timestamp;
	struct hash32 hash;

	if (answer->outcome != RPC_RESULT)
		return verdict_without_result(answer, error);
	if (jval_is_null(block)) {
		error_set(error, ERR_UNAVAILABLE, "the endpoint does not have the block yet");
		return VERDICT_BEHIND;
	}
	if (jsonrpc_u64(&number, jval_get(block, "number"), error) != 0 ||
	    jsonrpc_hash32(&hash, jval_get(block, "hash"), error) != 0 ||
	    jsonrpc_u64(&timestamp, jval_get(block, "timestamp"), error) != 0) {
		error_prefix(error, "not a block");
		return VERDICT_ELSEWHERE;
	}
	if (number > INT64_MAX || timestamp > LATEST_TIMESTAMP) {
		error_set(error, ERR_INVALID,
		          "not a block of any chain: number %" PRIu64 ", time %" PRIu64, number,
		          timestamp);
		return VERDICT_ELSEWHERE;
	}
	be64_put(form, number);
	memcpy(form + 8, hash.b, sizeof(hash.b));
	be64_put(form + 40, timestamp);
	buf_append(canonical, form, sizeof(form));
	return VERDICT_ANSWER;
}

struct block_ref block_from_canonical(struct bytes canonical)
{
	struct block_ref block = {.number = be64_get(canonical.data),
	                          .timestamp = be64_get(canonical.data + 40)};

	memcpy(block.hash.b, canonical.data + 8, sizeof(block.hash.b));
	return block;
}

struct block_op {
	struct chain_op op;
	struct question *question;
	uint64_t number;
	chain_block_fn *done;
	void *arg;
};

static void block_destroy(struct chain_op *op)
{
	struct block_op *block = (struct block_op *)op;

	question_cancel(block->question);
	free(block);
}

static struct jval *block_params(size_t endpoint, void *arg)
{
	struct block_op *op = arg;

	(void)endpoint;
	return block_params_number(op->number);
}

static enum verdict block_of_number(struct buf *canonical, const struct rpc_answer *answer,
                                    struct error *error, void *arg)
{
	struct block_op *op = arg;
	enum verdict verdict = block_reduce(canonical, answer, error);

	if (verdict != VERDICT_ANSWER ||
	    block_from_canonical(buf_bytes(canonical)).number == op->number)
		return verdict;
	error_set(error, ERR_UNAVAILABLE, "the endpoint answered with another block");
	return VERDICT_ELSEWHERE;
}

static void block_done(const struct error *error, const struct question_result *result, void *arg)
{
	struct block_op *op = arg;
	struct block_ref block;

	op->question = NULL;
	if (error == NULL)
		block = block_from_canonical(result->canonical);
	op->done(error, error == NULL ? &block : NULL, op->arg);
	op_end(&op->op);
}

struct chain_op *chain_block(struct chain *chain, uint64_t number, chain_block_fn *done, void *arg)
{
	struct block_op *op = xcalloc(1, sizeof(*op));
	const struct question_spec spec = {
	        .method = "eth_getBlockByNumber",
	        .params = block_params,
	        .reduce = block_of_number,
	        .done = block_done,
	        .arg = op,
	        .need = chain->config->quorum,
	};

	op->number = number;
	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, block_destroy);
	op->question = question_start(chain->loop, chain->rpc, &spec);
	return &op->op;
}

/* --- anything else -----------------------------------------------------------------------------
 */

struct rpc_op {
	struct chain_op op;
	struct question *question;
	struct jval *params;
	bool *number_tried; /* per endpoint; NULL: not pinned */
	struct block_ref at;
	bool agreed;          /* by a quorum, which may also agree that it refuses */
	struct error refusal; /* with agreed: the last one */
	chain_rpc_fn *done;
	void *arg;
};

static void rpc_op_destroy(struct chain_op *op)
{
	struct rpc_op *rpc = (struct rpc_op *)op;

	question_cancel(rpc->question);
	jval_free(rpc->params);
	free(rpc->number_tried);
	free(rpc);
}

struct jval *block_params_pin(const struct block_ref *at, bool by_number)
{
	if (hash32_is_zero(&at->hash)) /* before the first head */
		return jval_new_string("latest");
	if (by_number)
		return jsonrpc_new_quantity(at->number);
	struct jval *block = jval_object();
	jval_add_hash32(block, "blockHash", &at->hash);
	return block;
}

static struct jval *rpc_params(size_t endpoint, void *arg)
{
	struct rpc_op *op = arg;
	struct jval *params = jval_copy(op->params);

	if (op->number_tried != NULL)
		jval_push(params, block_params_pin(&op->at, op->op.chain->by_number[endpoint] ||
		                                                    op->number_tried[endpoint]));
	return params;
}

enum verdict op_refusal(const struct rpc_answer *answer, struct error *error)
{
	struct arena arena = {0};
	enum verdict verdict = verdict_without_result(answer, error);

	if (answer->outcome == RPC_ERROR && answer->json.has_data && answer->json.data.len > 0)
		error_set(error, ERR_DENIED, "%.200s: %.280s", answer->text,
		          revert_text(&arena, answer->json.data));
	arena_free(&arena);
	return verdict;
}

static enum verdict rpc_reduce(struct buf *canonical, const struct rpc_answer *answer,
                               struct error *error, void *arg)
{
	struct rpc_op *op = arg;

	if (answer->outcome == RPC_RESULT) {
		jval_write(canonical, answer->json.result, JVAL_COMPACT);
		return VERDICT_ANSWER;
	}
	if (op->agreed && answer->outcome == RPC_ERROR) {
		(void)op_refusal(answer, &op->refusal);
		return VERDICT_ANSWER; /* in the form of nothing */
	}
	if (op->number_tried == NULL && !op->agreed) {
		enum verdict verdict = op_refusal(answer, error);
		return answer->outcome == RPC_ERROR ? VERDICT_FINAL : verdict;
	}
	if (op->number_tried != NULL && answer->outcome == RPC_ERROR &&
	    answer->json.code == CODE_BAD_PARAMS && !op->number_tried[answer->endpoint]) {
		op->number_tried[answer->endpoint] = true;
		return VERDICT_AGAIN;
	}
	return op_refusal(answer, error);
}

static void rpc_done(const struct error *error, const struct question_result *result, void *arg)
{
	struct rpc_op *op = arg;

	op->question = NULL;
	if (error == NULL && result->canonical.len == 0)
		error = &op->refusal;
	op->done(error, error == NULL ? result->last->result : NULL, op->arg);
	op_end(&op->op);
}

static struct rpc_op *new_rpc(struct chain *chain, struct jval *params, chain_rpc_fn *done,
                              void *arg)
{
	struct rpc_op *op = xcalloc(1, sizeof(*op));

	op->params = params != NULL ? params : jval_array();
	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, rpc_op_destroy);
	return op;
}

static struct chain_op *start_rpc(struct rpc_op *op, const char *method, unsigned need)
{
	struct chain *chain = op->op.chain;
	const struct question_spec spec = {
	        .method = method,
	        .params = rpc_params,
	        .reduce = rpc_reduce,
	        .done = rpc_done,
	        .arg = op,
	        .need = need,
	};

	op->question = question_start(chain->loop, chain->rpc, &spec);
	return &op->op;
}

struct chain_op *chain_rpc(struct chain *chain, const char *method, struct jval *params,
                           chain_rpc_fn *done, void *arg)
{
	return start_rpc(new_rpc(chain, params, done, arg), method, 1);
}

struct chain_op *chain_rpc_agreed(struct chain *chain, const char *method, struct jval *params,
                                  chain_rpc_fn *done, void *arg)
{
	struct rpc_op *op = new_rpc(chain, params, done, arg);

	op->agreed = true;
	return start_rpc(op, method, chain->config->quorum);
}

struct chain_op *chain_rpc_at(struct chain *chain, const struct block_ref *at, const char *method,
                              struct jval *params, chain_rpc_fn *done, void *arg)
{
	struct rpc_op *op = new_rpc(chain, params, done, arg);

	op->at = *at;
	op->number_tried = xcalloc(rpc_count(chain->rpc), sizeof(*op->number_tried));
	return start_rpc(op, method, chain->config->quorum);
}
