/* govern_check: what the chain says about one value of one target, read now. */
#include "daemon/govern/lane.h"
#include "daemon/govern/op.h"

#include <stdlib.h>
#include <string.h>

struct check_now {
	struct govern_op op; /* first: it is what the caller holds */
	struct arena arena;
	struct chain *chain;
	const struct config_target *target;
	struct hash32 value;
	struct govern_check *checks;
	struct check_slot *slots;
	size_t count;
	struct reads reads;
	struct block_ref head, final;
	struct chain_op *pending;
	govern_check_fn *done;
	void *arg;
};

void govern_cancel(struct govern_op *op)
{
	if (op != NULL)
		op->cancel(op);
}

static void check_free(struct govern_op *op)
{
	struct check_now *check = (struct check_now *)op;

	chain_cancel(check->pending);
	arena_free(&check->arena);
	free(check);
}

static void finish(struct check_now *check, const struct error *error)
{
	check->done(error, check->checks, error == NULL ? check->count : 0, &check->head,
	            &check->final, check->arg);
	check_free(&check->op);
}

static bool failed(struct check_now *check, const struct error *error)
{
	check->pending = NULL;
	if (error != NULL)
		finish(check, error);
	return error != NULL;
}

static void final_answered(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg)
{
	struct check_now *check = arg;

	(void)count;
	if (failed(check, error))
		return;
	for (size_t i = 0; i < check->count; i++)
		check->checks[i].final = check_answer_of(&check->slots[i], results, NULL, NULL);
	finish(check, NULL);
}

static void latest_answered(const struct error *error, const struct chain_read_result *results,
                            size_t count, void *arg)
{
	struct check_now *check = arg;

	(void)count;
	if (failed(check, error))
		return;
	for (size_t i = 0; i < check->count; i++)
		check->checks[i].latest =
		        check_answer_of(&check->slots[i], results, &check->checks[i].getter, NULL);
	check->pending = chain_read_many(check->chain, &check->final, check->reads.items,
	                                 check->reads.count, final_answered, check);
}

static void head_answered(const struct error *error, const struct block_ref *head,
                          const struct block_ref *final, void *arg)
{
	struct check_now *check = arg;

	if (failed(check, error))
		return;
	if (check->count == 0) {
		struct error nothing;
		error_set(&nothing, ERR_NOT_FOUND,
		          "target %s has no contract for this kind of value", check->target->name);
		finish(check, &nothing);
		return;
	}
	check->head = *head;
	check->final = *final;
	check->pending = chain_read_many(check->chain, &check->head, check->reads.items,
	                                 check->reads.count, latest_answered, check);
}

struct govern_op *govern_check(struct govern *govern, const struct govern_question *question,
                               govern_check_fn *done, void *arg)
{
	static const enum kind nitro[] = {KIND_OS_IMAGE, KIND_COMPOSE};
	const struct config_target *target = question->target;
	const enum kind *kinds = question->kinds;
	size_t kind_count = question->kind_count;
	struct check_now *check = xcalloc(1, sizeof(*check));

	check->op.cancel = check_free;
	check->chain = govern_chain(govern, target->chain->chain_id);
	check->target = target;
	check->value = question->value;
	check->done = done;
	check->arg = arg;
	check->reads.arena = &check->arena;
	if (kind_count == 0) {
		kinds = nitro;
		kind_count = target->has_app ? ARRAY_LEN(nitro) : 1;
	}
	check->checks = arena_array(&check->arena, kind_count, sizeof(*check->checks));
	check->slots = arena_array(&check->arena, kind_count, sizeof(*check->slots));
	for (size_t i = 0; i < kind_count; i++) {
		struct registry_call call;
		if (registry_call_for(&call, target, kinds[i]) != 0)
			continue; /* no contract for it: nothing that could answer */
		struct govern_check *one = &check->checks[check->count];
		one->kind = kinds[i];
		one->contract = call.contract;
		check_add(&check->slots[check->count], &check->reads, target->check, &call,
		          &check->value);
		check->count++;
	}
	check->pending = chain_head(check->chain, head_answered, check);
	return &check->op;
}
