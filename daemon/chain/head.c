#include "daemon/chain/op.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_WITHOUT_TAG = 64,
	TAG_RETRY_MS = 60 * 60 * 1000,
};

/* One after the other: the newest block every asked endpoint has, then the final one. Where
 * endpoints name different blocks, the lowest of them is asked for by number at the others. */
enum step { STEP_LATEST, STEP_LATEST_AGREED, STEP_FINAL, STEP_FINAL_AGREED };

struct head_op {
	struct chain_op op;
	struct question *question;
	enum step step;
	const char *tag;
	uint64_t number; /* with the AGREED steps */
	struct block_ref head;
	chain_head_fn *done;
	void *arg;
};

static void head_destroy(struct chain_op *op)
{
	struct head_op *head = (struct head_op *)op;

	question_cancel(head->question);
	free(head);
}

static void succeed(struct head_op *op, const struct block_ref *final)
{
	struct chain *chain = op->op.chain;
	struct block_ref head = op->head, below = *final;

	/* Backends of one endpoint may disagree about how far they are. */
	if (below.number > head.number)
		below = head;
	chain->last_head = head;
	chain->last_final = below;
	op->done(NULL, &head, &below, op->arg);
	op_end(&op->op);
}

static void fail(struct head_op *op, const struct error *error)
{
	op->done(error, NULL, NULL, op->arg);
	op_end(&op->op);
}

/* --- questions ---------------------------------------------------------------------------------
 */

static struct jval *head_params(size_t endpoint, void *arg)
{
	struct head_op *op = arg;

	(void)endpoint;
	return op->tag != NULL ? block_params_tag(op->tag) : block_params_number(op->number);
}

static enum verdict head_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                struct error *error, void *arg)
{
	struct head_op *op = arg;
	enum verdict verdict = block_reduce(canonical, answer, error);

	if (op->tag == NULL && verdict == VERDICT_ANSWER &&
	    block_from_canonical(buf_bytes(canonical)).number != op->number) {
		error_set(error, ERR_UNAVAILABLE, "the endpoint answered with another block");
		return VERDICT_ELSEWHERE;
	}
	/* Null, "unknown block" or a refusal: this chain does not have the tag. */
	if (op->step == STEP_FINAL && op->tag != NULL &&
	    (verdict == VERDICT_BEHIND || answer->outcome == RPC_ERROR)) {
		error_set(error, ERR_NOT_FOUND, "no block is tagged \"%s\"", op->tag);
		return VERDICT_FINAL;
	}
	return verdict;
}

static void answered(const struct error *error, const struct question_result *result, void *arg);

static void ask(struct head_op *op, enum step step, const char *tag, uint64_t number)
{
	const struct question_spec spec = {
	        .method = "eth_getBlockByNumber",
	        .params = head_params,
	        .reduce = head_reduce,
	        .done = answered,
	        .arg = op,
	        .need = op->op.chain->config->quorum,
	        .gather = tag != NULL,
	};

	op->step = step;
	op->tag = tag;
	op->number = number;
	op->question = question_start(op->op.chain->loop, op->op.chain->rpc, &spec);
}

static bool all_equal(const struct question_result *result)
{
	for (size_t i = 1; i < result->count; i++)
		if (!bytes_equal(buf_bytes(&result->answers[i].canonical),
		                 buf_bytes(&result->answers[0].canonical)))
			return false;
	return true;
}

/* Different answers to a tag: goes for the lowest block named, whose namers have answered. */
static void ask_lowest(struct head_op *op, enum step step, const struct question_result *result)
{
	struct question_answer *seeds = xcalloc(result->count, sizeof(*seeds));
	size_t seed_count = 0;
	uint64_t lowest = UINT64_MAX;

	for (size_t i = 0; i < result->count; i++) {
		uint64_t n = block_from_canonical(buf_bytes(&result->answers[i].canonical)).number;
		if (n < lowest) {
			lowest = n;
			seed_count = 0;
		}
		if (n == lowest)
			seeds[seed_count++] = result->answers[i];
	}
	const struct question_spec spec = {
	        .method = "eth_getBlockByNumber",
	        .params = head_params,
	        .reduce = head_reduce,
	        .done = answered,
	        .arg = op,
	        .need = op->op.chain->config->quorum,
	        .seeds = seeds,
	        .seed_count = seed_count,
	};
	op->step = step;
	op->tag = NULL;
	op->number = lowest;
	op->question = question_start(op->op.chain->loop, op->op.chain->rpc, &spec);
	free(seeds);
}

/* --- steps -------------------------------------------------------------------------------------
 */

static void ask_depth(struct head_op *op, uint64_t depth)
{
	if (depth == 0)
		succeed(op, &op->head);
	else
		ask(op, STEP_FINAL_AGREED, NULL,
		    op->head.number > depth ? op->head.number - depth : 0);
}

static void tag_is_missing(struct head_op *op)
{
	struct chain *chain = op->op.chain;

	if (!chain->tag_missing_said)
		log_unusual(
		        chain->config->name,
		        "no block is tagged \"%s\" here: blocks count as final %d below the head",
		        op->tag, DEPTH_WITHOUT_TAG);
	chain->tag_missing_said = true;
	chain->tag_retry_at.ms = loop_now(chain->loop).ms + TAG_RETRY_MS;
	ask_depth(op, DEPTH_WITHOUT_TAG);
}

static void ask_tag(struct head_op *op, const char *tag)
{
	if (loop_now(op->op.chain->loop).ms < op->op.chain->tag_retry_at.ms)
		ask_depth(op, DEPTH_WITHOUT_TAG);
	else
		ask(op, STEP_FINAL, tag, 0);
}

static void got_head(struct head_op *op, const struct block_ref *head)
{
	struct chain *chain = op->op.chain;

	op->head = *head;
	/* While the head stands still, so does what is final. */
	if (hash32_equal(&head->hash, &chain->last_head.hash)) {
		succeed(op, &chain->last_final);
		return;
	}
	switch (chain->config->finality) {
	case FINALITY_FINALIZED:
		ask_tag(op, "finalized");
		break;
	case FINALITY_SAFE:
		ask_tag(op, "safe");
		break;
	case FINALITY_LATEST:
		succeed(op, head);
		break;
	case FINALITY_DEPTH:
		ask_depth(op, chain->config->depth);
		break;
	}
}

static void answered(const struct error *error, const struct question_result *result, void *arg)
{
	struct head_op *op = arg;
	bool is_head = op->step == STEP_LATEST || op->step == STEP_LATEST_AGREED;

	op->question = NULL;
	if (error != NULL) {
		if (op->step == STEP_FINAL && error->code == ERR_NOT_FOUND)
			tag_is_missing(op);
		else
			fail(op, error);
		return;
	}
	if (op->tag != NULL && !all_equal(result)) {
		ask_lowest(op, is_head ? STEP_LATEST_AGREED : STEP_FINAL_AGREED, result);
		return;
	}
	struct block_ref block = block_from_canonical(result->canonical);
	if (is_head)
		got_head(op, &block);
	else
		succeed(op, &block);
}

struct chain_op *chain_head(struct chain *chain, chain_head_fn *done, void *arg)
{
	struct head_op *op = xcalloc(1, sizeof(*op));

	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, head_destroy);
	ask(op, STEP_LATEST, "latest", 0);
	return &op->op;
}
