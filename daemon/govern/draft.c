#include "daemon/govern/draft.h"

#include "common/governance/timelock.h"
#include "daemon/govern/proposers.h"

#include <stdlib.h>

struct draft *draft_new(struct lane *lane, const struct config_target *target)
{
	struct draft *draft = xcalloc(1, sizeof(*draft));

	draft->lane = lane;
	draft->target = target;
	draft->path = (struct path){
	        .model = target->model,
	        .safe = target->safe,
	        .timelock = target->timelock,
	        .avatar = target->avatar,
	};
	return draft;
}

void draft_free(struct draft *draft)
{
	if (draft == NULL)
		return;
	draft_rehearsal_cancel(draft);
	draft_multisend_cancel(draft);
	arena_free(&draft->arena);
	free(draft);
}

size_t draft_kept(const struct draft *draft)
{
	size_t count = 0;

	for (size_t i = 0; i < draft->count; i++)
		count += !draft->items[i].dropped;
	return count;
}

/* Two measurements may need the same call (compose_registry: kms); the batch holds it once. */
static bool earlier_has_call(const struct draft *draft, size_t index)
{
	const struct call *call = &draft->items[index].call;

	for (size_t i = 0; i < index; i++)
		if (!draft->items[i].dropped &&
		    address_equal(&draft->items[i].call.to, &call->to) &&
		    bytes_equal(draft->items[i].call.data, call->data))
			return true;
	return false;
}

void draft_make_batch(struct draft *draft)
{
	struct contract_call *calls = arena_array(&draft->arena, draft->count, sizeof(*calls));
	size_t count = 0;

	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped && !earlier_has_call(draft, i))
			calls[count++] = (struct contract_call){.to = draft->items[i].call.to,
			                                        .data = draft->items[i].call.data};
	calls_order(calls, count);
	draft->path.calls = calls;
	draft->path.count = count;
}

bool draft_has_operation(const struct draft *draft)
{
	return lifecycle_has_timelock(draft->path.model);
}

void draft_set_attempt(struct draft *draft, uint64_t attempt)
{
	const struct timelock_batch batch = {.calls = draft->path.calls,
	                                     .count = draft->path.count};

	draft->attempt = attempt;
	draft->path.salt = timelock_salt(&batch, draft->lane->config->chain_id,
	                                 &draft->path.timelock, attempt);
}

struct address draft_caller(const struct draft *draft, size_t candidate)
{
	struct address caller;

	if (!path_account_address(&caller, &draft->path, path_caller(draft->path.model)))
		caller = draft->facts[candidate].owner;
	return caller;
}

static struct address sender_of(const struct draft *draft)
{
	enum path_account account = path_first_sender(draft->path.model);
	struct address sender = {0};

	if (draft->path.model == MODEL_DELAY)
		return draft->target->safe; /* also where it is no Safe */
	if (path_account_address(&sender, &draft->path, account))
		return sender;
	if (account == PATH_PROPOSER)
		return proposer_of(draft->lane, draft->target);
	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped)
			return draft->facts[i].owner;
	return sender;
}

void draft_make_steps(struct draft *draft)
{
	draft->step_count = path_first(&draft->steps, &draft->arena, &draft->path);
	draft->sender = sender_of(draft);
}

void draft_hold(struct draft *draft, enum alarm alarm, const char *reason)
{
	struct lane *lane = draft->lane;
	char subject[SUBJECT_SIZE];

	store_begin(lane->parts->store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (c->dropped)
			continue;
		c->dropped = true;
		store_measurement_set_status(lane->parts->store, c->measurement.id,
		                             MEASUREMENT_HELD, reason);
		lane_alarm_once(lane, alarm, measurement_subject(subject, c->measurement.id),
		                "not proposed: %s", reason);
	}
	store_commit(lane->parts->store);
	lane_changed(lane);
}
