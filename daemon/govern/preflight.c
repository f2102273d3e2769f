#include "daemon/govern/preflight.h"

#include "common/eth/revert.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/op.h"

#include <stdlib.h>

struct preflight_op {
	struct govern_op op; /* first: it is what the caller holds */
	struct arena arena;
	struct chain *chain;
	struct chain_read read;
	struct preflight answer;
	struct chain_op *pending;
	govern_preflight_fn *done;
	void *arg;
};

static void preflight_free(struct govern_op *base)
{
	struct preflight_op *op = (struct preflight_op *)base;

	chain_cancel(op->pending);
	arena_free(&op->arena);
	free(op);
}

static bool failed(struct preflight_op *op, const struct error *error)
{
	op->pending = NULL;
	if (error != NULL) {
		op->done(error, NULL, op->arg);
		preflight_free(&op->op);
	}
	return error != NULL;
}

static struct preflight_answer answer_of(struct preflight_op *op,
                                         const struct chain_read_result *result)
{
	struct preflight_answer answer = {CHECK_UNKNOWN, ""};
	const char *call = boot_call_name(op->answer.role);
	bool allowed;

	if (!result->success)
		answer.reason = arena_printf(&op->arena, "the contract does not answer %s: %s",
		                             call, revert_text(&op->arena, result->returned));
	else if (boot_decode(&allowed, &answer.reason, &op->arena, result->returned) != 0)
		answer.reason = arena_printf(
		        &op->arena, "what the contract answers to %s is not a decision", call);
	else
		answer.allowed = allowed ? CHECK_YES : CHECK_NO;
	return answer;
}

static void final_answered(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg)
{
	struct preflight_op *op = arg;

	(void)count;
	if (failed(op, error))
		return;
	op->answer.final = answer_of(op, &results[0]);
	op->done(NULL, &op->answer, op->arg);
	preflight_free(&op->op);
}

static void latest_answered(const struct error *error, const struct chain_read_result *results,
                            size_t count, void *arg)
{
	struct preflight_op *op = arg;

	(void)count;
	if (failed(op, error))
		return;
	op->answer.latest = answer_of(op, &results[0]);
	op->pending = chain_read_many(op->chain, &op->answer.final_block, &op->read, 1,
	                              final_answered, op);
}

static void head_answered(const struct error *error, const struct block_ref *head,
                          const struct block_ref *final, void *arg)
{
	struct preflight_op *op = arg;

	if (failed(op, error))
		return;
	op->answer.head = *head;
	op->answer.final_block = *final;
	op->pending =
	        chain_read_many(op->chain, &op->answer.head, &op->read, 1, latest_answered, op);
}

struct govern_op *govern_preflight(struct govern *govern, const struct config_target *target,
                                   enum boot_role role, const struct boot_info *info,
                                   govern_preflight_fn *done, void *arg)
{
	struct preflight_op *op = xcalloc(1, sizeof(*op));
	struct buf data = {0};

	boot_encode(&data, role, info);
	op->op.cancel = preflight_free;
	op->chain = govern_chain(govern, target->chain->chain_id);
	op->answer.role = role;
	op->answer.contract = target->kms;
	op->read.to = target->kms;
	op->read.data = arena_copy(&op->arena, buf_bytes(&data));
	buf_free(&data);
	op->done = done;
	op->arg = arg;
	op->pending = chain_head(op->chain, head_answered, op);
	return &op->op;
}
