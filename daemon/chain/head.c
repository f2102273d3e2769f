#include "daemon/chain/op.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_WITHOUT_TAG = 64,
	TAG_RETRY_MS = 60 * 60 * 1000,
	TAG_REFUSALS = 3, /* then an error in unknown words means that there is no such tag */
	/* Endpoints that name blocks further apart than this do not just answer a moment later. */
	APART_BLOCKS = 2,
	APART_S = 30,
	/* How often all endpoints are asked, and how soon when the head stands still; in polls. */
	SURVEY_POLLS = 25,
	STILL_POLLS = 5,
	LONGEST_SURVEY_MS = 5 * 60 * 1000,
	LONGEST_STILL_MS = 60 * 1000,
	SHORTEST_SURVEY_MS = 1000,
};

/* One after the other: the newest block, then the final one. Where endpoints name different blocks,
 * the block is taken that as many of them have as make a quorum: one that is behind, or says so,
 * holds nobody up where there are enough others, and one that is ahead persuades nobody. Then it is
 * asked for by number, so that a quorum also agrees on its hash. */
enum step { STEP_LATEST, STEP_LATEST_AGREED, STEP_FINAL, STEP_FINAL_AGREED };

struct head_op {
	struct chain_op op;
	struct question *question;
	enum step step;
	const char *tag;
	uint64_t number; /* with the AGREED steps */
	uint64_t *lower; /* what was named below it, newest first: tried when nobody agrees on it */
	size_t lower_count;
	bool surveyed; /* this step asked every endpoint */
	struct block_ref head;
	chain_head_fn *done;
	void *arg;
};

static void head_destroy(struct chain_op *op)
{
	struct head_op *head = (struct head_op *)op;

	question_cancel(head->question);
	free(head->lower);
	free(head);
}

static void succeed(struct head_op *op, const struct block_ref *final)
{
	struct chain *chain = op->op.chain;
	struct block_ref head = op->head, below = *final;

	/* Backends of one endpoint may disagree about how far they are. */
	if (below.number > head.number)
		below = head;
	if (!hash32_equal(&chain->last_head.hash, &head.hash))
		chain->head_moved = loop_now(chain->loop);
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

/* Not every error about a tag means that there is none: a node in trouble says other things. */
static bool says_no_tag(struct chain *chain, const struct rpc_answer *answer, const char *tag)
{
	const struct jsonrpc_answer *json = &answer->json;

	if (answer->outcome == RPC_RESULT)
		return jval_is_null(json->result);
	if (answer->outcome == RPC_BEHIND || json->code == -32602 || json->code == -39001 ||
	    strcasestr(json->message, tag) != NULL || strcasestr(json->message, "tag") != NULL)
		return true;
	return answer->outcome == RPC_ERROR && ++chain->tag_refusals >= TAG_REFUSALS;
}

/* What counts for who has no such tag: a block so far below the head, of whatever hash. */
static void put_depth_claim(struct buf *canonical, const struct block_ref *head)
{
	uint64_t number = head->number > DEPTH_WITHOUT_TAG ? head->number - DEPTH_WITHOUT_TAG : 0;
	uint8_t form[8];

	be64_put(form, number);
	buf_append(canonical, form, sizeof(form));
	buf_append_zeros(canonical, 40);
}

static bool is_depth_claim(const struct question_answer *answer)
{
	const struct block_ref block = block_from_canonical(buf_bytes(&answer->canonical));

	return hash32_is_zero(&block.hash);
}

static enum verdict head_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                struct error *error, void *arg)
{
	struct head_op *op = arg;
	enum verdict verdict = block_reduce(canonical, answer, error);

	if (verdict == VERDICT_ANSWER && op->tag == NULL &&
	    block_from_canonical(buf_bytes(canonical)).number != op->number) {
		error_set(error, ERR_UNAVAILABLE, "the endpoint answered with another block");
		return VERDICT_ELSEWHERE;
	}
	if (op->step != STEP_FINAL)
		return verdict;
	if (verdict == VERDICT_ANSWER) {
		op->op.chain->tag_refusals = 0;
		return verdict;
	}
	if (answer->outcome == RPC_RESULT && !jval_is_null(answer->json.result))
		return verdict; /* something, but no block */
	if (!says_no_tag(op->op.chain, answer, op->tag)) {
		error->code = ERR_UNAVAILABLE; /* worth another try */
		return VERDICT_ELSEWHERE;
	}
	put_depth_claim(canonical, &op->head);
	return VERDICT_ANSWER;
}

static void answered(const struct error *error, const struct question_result *result, void *arg);

static struct question_spec spec_of(struct head_op *op)
{
	return (struct question_spec){
	        .method = "eth_getBlockByNumber",
	        .params = head_params,
	        .reduce = head_reduce,
	        .done = answered,
	        .arg = op,
	        .even_held = true,
	        .need = op->op.chain->config->quorum,
	};
}

static void start(struct head_op *op, enum step step, const struct question_spec *spec)
{
	op->step = step;
	op->question = question_start(op->op.chain->loop, op->op.chain->rpc, spec);
}

/* The block of a tag, as each endpoint names it. */
static void ask_tagged(struct head_op *op, enum step step, const char *tag, bool everybody)
{
	struct question_spec spec = spec_of(op);

	op->tag = tag;
	op->surveyed = everybody;
	spec.gather = true;
	spec.want = everybody ? (unsigned)rpc_count(op->op.chain->rpc) : 0;
	start(op, step, &spec);
}

/* The same tag again, of those who were not asked yet. */
static void ask_the_others(struct head_op *op, const struct question_result *result)
{
	struct question_spec spec = spec_of(op);

	op->surveyed = true;
	spec.gather = true;
	spec.want = (unsigned)rpc_count(op->op.chain->rpc);
	spec.seeds = result->answers;
	spec.seed_count = result->count;
	start(op, op->step, &spec);
}

/* The block of this number, on which a quorum agrees. Who has named it already is not asked. */
static void ask_number(struct head_op *op, enum step step, uint64_t number,
                       const struct question_result *named)
{
	struct question_spec spec = spec_of(op);
	size_t count = named != NULL ? named->count : 0;
	struct question_answer *seeds = xcalloc(count + 1, sizeof(*seeds));

	for (size_t i = 0; i < count; i++)
		if (block_from_canonical(buf_bytes(&named->answers[i].canonical)).number ==
		            number &&
		    !is_depth_claim(&named->answers[i]))
			seeds[spec.seed_count++] = named->answers[i];
	op->tag = NULL;
	op->number = number;
	spec.seeds = seeds;
	start(op, step, &spec);
	free(seeds);
}

/* The newest may be made up by one, and not be there yet at those who do not. */
static bool ask_lower(struct head_op *op)
{
	if (op->lower_count == 0)
		return false;
	uint64_t number = op->lower[0];
	memmove(op->lower, op->lower + 1, --op->lower_count * sizeof(*op->lower));
	ask_number(op, op->step, number, NULL);
	return true;
}

/* --- which of the blocks that were named -------------------------------------------------------
 */

static bool far_apart(const struct block_ref *low, const struct block_ref *high)
{
	return high->number > low->number && high->number - low->number > APART_BLOCKS &&
	       (low->timestamp == 0 || high->timestamp == 0 ||
	        (high->timestamp > low->timestamp && high->timestamp - low->timestamp > APART_S));
}

static int newest_first(const void *a, const void *b)
{
	const struct block_ref *x = a, *y = b;

	return x->number != y->number ? (x->number < y->number ? 1 : -1) : 0;
}

struct named {
	struct block_ref chosen;
	bool spread; /* they are further apart than a moment explains, or behind what was known */
	bool equal;  /* all name the same block */
	unsigned without; /* so many have no such tag */
};

static void keep_lower(struct head_op *op, const struct block_ref *blocks, size_t count,
                       uint64_t chosen)
{
	op->lower = xrealloc(op->lower, (count + 1) * sizeof(*op->lower));
	op->lower_count = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t below = op->lower_count > 0 ? op->lower[op->lower_count - 1] : chosen;
		if (blocks[i].number < below)
			op->lower[op->lower_count++] = blocks[i].number;
	}
}

static struct named judge_named(struct head_op *op, const struct question_result *result)
{
	struct block_ref *blocks = xcalloc(result->count, sizeof(*blocks));
	struct named named = {.equal = true};

	for (size_t i = 0; i < result->count; i++) {
		blocks[i] = block_from_canonical(buf_bytes(&result->answers[i].canonical));
		named.without += is_depth_claim(&result->answers[i]);
		named.equal &= bytes_equal(buf_bytes(&result->answers[i].canonical),
		                           buf_bytes(&result->answers[0].canonical));
	}
	qsort(blocks, result->count, sizeof(*blocks), newest_first);
	named.spread = far_apart(&blocks[result->count - 1], &blocks[0]);
	named.chosen = blocks[op->op.chain->config->quorum - 1];
	keep_lower(op, blocks, result->count, named.chosen.number);
	if (op->step == STEP_LATEST && named.chosen.number < op->op.chain->last_head.number)
		named.spread = true;
	free(blocks);
	return named;
}

/* Who is behind the block that was chosen is asked after the others for a while. */
static void put_off_laggards(struct head_op *op, const struct question_result *result,
                             const struct block_ref *chosen)
{
	char why[64];

	for (size_t i = 0; i < result->count; i++) {
		struct block_ref block =
		        block_from_canonical(buf_bytes(&result->answers[i].canonical));
		/* A moment ago a quorum was further than it is now. */
		bool behind = block.number < chosen->number &&
		              block.number < op->op.chain->last_head.number;
		if (!behind && !far_apart(&block, chosen))
			continue;
		snprintf(why, sizeof(why), "is %" PRIu64 " blocks behind",
		         chosen->number - block.number);
		rpc_put_off(op->op.chain->rpc, result->answers[i].endpoint, why);
	}
}

/* --- steps -------------------------------------------------------------------------------------
 */

static void ask_depth(struct head_op *op, uint64_t depth)
{
	if (depth == 0)
		succeed(op, &op->head);
	else
		ask_number(op, STEP_FINAL_AGREED,
		           op->head.number > depth ? op->head.number - depth : 0, NULL);
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
}

static void ask_tag(struct head_op *op, const char *tag)
{
	if (loop_now(op->op.chain->loop).ms < op->op.chain->tag_retry_at.ms)
		ask_depth(op, DEPTH_WITHOUT_TAG);
	else
		ask_tagged(op, STEP_FINAL, tag, false);
}

static void got_head(struct head_op *op, const struct block_ref *head)
{
	struct chain *chain = op->op.chain;

	op->head = *head;
	op->lower_count = 0; /* those were heads */
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

/* Each endpoint has named a block for the tag. */
static void named(struct head_op *op, const struct question_result *result)
{
	struct chain *chain = op->op.chain;
	bool is_head = op->step == STEP_LATEST;
	struct named blocks = judge_named(op, result);

	if (blocks.spread && !op->surveyed && result->count < rpc_count(chain->rpc)) {
		ask_the_others(op, result);
		return;
	}
	if (is_head)
		put_off_laggards(op, result, &blocks.chosen);
	if (!is_head && blocks.without >= chain->config->quorum)
		tag_is_missing(op);
	if (!blocks.equal || blocks.without > 0)
		ask_number(op, is_head ? STEP_LATEST_AGREED : STEP_FINAL_AGREED,
		           blocks.chosen.number, result);
	else if (is_head)
		got_head(op, &blocks.chosen);
	else
		succeed(op, &blocks.chosen);
}

static void answered(const struct error *error, const struct question_result *result, void *arg)
{
	struct head_op *op = arg;

	op->question = NULL;
	if (error != NULL) {
		if (op->tag != NULL || !ask_lower(op))
			fail(op, error);
		return;
	}
	if (op->tag != NULL) {
		named(op, result);
		return;
	}
	struct block_ref block = block_from_canonical(result->canonical);
	if (op->step == STEP_LATEST_AGREED)
		got_head(op, &block);
	else
		succeed(op, &block);
}

static int64_t in_polls(const struct chain *chain, int64_t polls, int64_t longest)
{
	int64_t wait = polls * chain->config->poll_ms;

	if (wait < SHORTEST_SURVEY_MS)
		wait = SHORTEST_SURVEY_MS;
	return wait < longest ? wait : longest;
}

/* Now and then, and when the head stands still, every endpoint is asked: the few that usually are
 * may have stopped, and would not say so. */
static bool survey_is_due(struct chain *chain)
{
	struct mono now = loop_now(chain->loop);
	bool still =
	        now.ms - chain->head_moved.ms >= in_polls(chain, STILL_POLLS, LONGEST_STILL_MS);
	int64_t every = still ? in_polls(chain, STILL_POLLS, LONGEST_STILL_MS)
	                      : in_polls(chain, SURVEY_POLLS, LONGEST_SURVEY_MS);

	if (rpc_count(chain->rpc) <= chain->config->quorum)
		return false;
	if (chain->surveyed.ms == 0)
		chain->surveyed = now; /* the first answers come soon enough without */
	if (now.ms - chain->surveyed.ms < every)
		return false;
	chain->surveyed = now;
	return true;
}

struct chain_op *chain_head(struct chain *chain, chain_head_fn *done, void *arg)
{
	struct head_op *op = xcalloc(1, sizeof(*op));

	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, head_destroy);
	ask_tagged(op, STEP_LATEST, "latest", survey_is_due(chain));
	return &op->op;
}
