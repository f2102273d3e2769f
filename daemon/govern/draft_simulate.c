/* The rehearsal: every call from its final caller, every transaction from its sender, how much gas
 * the calls use, and how much a block takes. */
#include "daemon/govern/draft.h"

#include "common/eth/jsonrpc.h"
#include "common/eth/revert.h"
#include "common/governance/gas.h"
#include "daemon/chain/sending.h"

#include <stdlib.h>
#include <string.h>

/* One question of it; about a candidate, or about a step where candidate is draft->count. */
struct rehearsal_question {
	struct draft_rehearsal *rehearsal;
	size_t candidate;
	struct chain_op *op;
};

struct draft_rehearsal {
	struct draft *draft;
	draft_rehearsed_fn *done;
	void *arg;
	struct rehearsal_question *questions;
	size_t asked, pending;
	uint64_t block_limit;
	struct error trouble; /* code 0: every simulation got its answer */
};

void draft_rehearsal_cancel(struct draft *draft)
{
	struct draft_rehearsal *rehearsal = draft->rehearsal;

	if (rehearsal == NULL)
		return;
	for (size_t i = 0; i < rehearsal->asked; i++)
		chain_cancel(rehearsal->questions[i].op);
	free(rehearsal);
	draft->rehearsal = NULL;
}

/* --- what fits into a block ------------------------------------------------------------------- */

static uint64_t gas_of_call(const struct draft *draft, const struct contract_call *call)
{
	for (size_t i = 0; i < draft->count; i++) {
		const struct call *known = &draft->items[i].call;
		if (!draft->items[i].dropped && address_equal(&known->to, &call->to) &&
		    bytes_equal(known->data, call->data))
			return draft->facts[i].gas;
	}
	die("a batch with a call that no candidate asked for");
}

static struct gas_use gas_of_draft(struct draft *draft)
{
	uint64_t *inner = arena_array(&draft->arena, draft->path.count, sizeof(*inner));

	for (size_t i = 0; i < draft->path.count; i++)
		inner[i] = gas_of_call(draft, &draft->path.calls[i]);
	return gas_of(&draft->path, inner);
}

/* What our own keys send is bounded by max_gas, too; they ask for a fifth more than they need. */
static uint64_t key_room(const struct draft *draft)
{
	uint64_t max_gas = draft->target->chain->max_gas;

	return max_gas - max_gas / 6;
}

static bool fits(struct draft *draft, uint64_t room)
{
	const struct config_target *target = draft->target;
	struct gas_use use = gas_of_draft(draft);

	if (use.first > room || use.run > room)
		return false;
	if (target->scheduler.file != NULL && use.first > key_room(draft))
		return false;
	return !draft_has_operation(draft) || target->execute != EXECUTE_DIRECT ||
	       use.run <= key_room(draft);
}

/* Takes the last candidates out that stay together: a value in two contracts, a value and what it
 * replaces. False when there is only one such group left. */
static bool drop_last_group(struct draft *draft)
{
	const struct hash32 *last = NULL;
	bool others = false;

	for (size_t i = draft->count; i-- > 0;) {
		const struct candidate *c = &draft->items[i];
		if (c->dropped)
			continue;
		if (last == NULL)
			last = &c->group;
		others |= !hash32_equal(last, &c->group);
	}
	if (!others)
		return false;
	for (size_t i = 0; i < draft->count; i++)
		if (hash32_equal(&draft->items[i].group, last))
			draft->items[i].dropped = true;
	return true;
}

static void cut_to_fit(struct draft *draft, uint64_t block_limit)
{
	uint64_t room = gas_room(block_limit);

	while (!fits(draft, room)) {
		if (!drop_last_group(draft)) {
			draft_hold(
			        draft, ALARM_TOO_MUCH_GAS,
			        arena_printf(&draft->arena,
			                     "its calls use too much gas: up to %llu, and a block "
			                     "of the chain takes %llu, max_gas is %llu",
			                     (unsigned long long)gas_of_draft(draft).run,
			                     (unsigned long long)block_limit,
			                     (unsigned long long)draft->target->chain->max_gas));
			draft->reduced = true;
			return;
		}
		draft->reduced = true;
		draft_make_batch(draft);
	}
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answered_one(struct draft_rehearsal *rehearsal)
{
	struct draft *draft = rehearsal->draft;
	draft_rehearsed_fn *done = rehearsal->done;
	void *arg = rehearsal->arg;
	struct error trouble = rehearsal->trouble;

	if (--rehearsal->pending > 0)
		return;
	uint64_t block_limit = rehearsal->block_limit;
	draft_rehearsal_cancel(draft);
	if (trouble.code == 0 && !draft_reverted(draft))
		cut_to_fit(draft, block_limit);
	done(trouble.code != 0 ? &trouble : NULL, arg);
}

static void simulated(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct rehearsal_question *question = arg;
	struct draft_rehearsal *rehearsal = question->rehearsal;
	struct draft *draft = rehearsal->draft;

	question->op = NULL;
	if (error != NULL) {
		error_set(&rehearsal->trouble, ERR_UNAVAILABLE, "a simulation got no answer");
	} else if (!result->success) {
		char *text =
		        arena_strdup(&draft->arena, revert_text(&draft->arena, result->returned));
		if (question->candidate == draft->count) {
			draft->step_revert = text;
		} else {
			draft->items[question->candidate].reverted = true;
			draft->items[question->candidate].revert = text;
		}
	}
	answered_one(rehearsal);
}

static bool same_function(const struct call *a, const struct call *b)
{
	return address_equal(&a->to, &b->to) && memcmp(a->data.data, b->data.data, 4) == 0;
}

/* Told for one call, it holds for every call of the same function. */
static void estimated(const struct error *error, const uint64_t *estimates, size_t count, void *arg)
{
	struct rehearsal_question *question = arg;
	struct draft_rehearsal *rehearsal = question->rehearsal;
	struct draft *draft = rehearsal->draft;
	const struct call *call = &draft->items[question->candidate].call;

	question->op = NULL;
	/* A node that does not tell is no reason to wait. */
	for (size_t i = 0; error == NULL && i < draft->count; i++)
		if (same_function(&draft->items[i].call, call))
			draft->facts[i].gas = estimates[count / 2];
	answered_one(rehearsal);
}

static void header_answered(const struct error *error, const struct chain_header *header, void *arg)
{
	struct rehearsal_question *question = arg;
	struct draft_rehearsal *rehearsal = question->rehearsal;

	question->op = NULL;
	if (error == NULL && header->gas_limit != 0)
		rehearsal->block_limit = header->gas_limit;
	answered_one(rehearsal);
}

/* --- questions -------------------------------------------------------------------------------- */

static struct rehearsal_question *new_question(struct draft_rehearsal *rehearsal, size_t candidate)
{
	struct rehearsal_question *question = &rehearsal->questions[rehearsal->asked++];

	*question = (struct rehearsal_question){.rehearsal = rehearsal, .candidate = candidate};
	rehearsal->pending++;
	return question;
}

static void ask_estimate(struct draft_rehearsal *rehearsal, size_t index)
{
	struct draft *draft = rehearsal->draft;
	const struct call *call = &draft->items[index].call;
	struct address from = draft_caller(draft, index);

	draft->facts[index].gas = GAS_CALL_UNKNOWN;
	for (size_t i = 0; i < index; i++)
		if (!draft->items[i].dropped && same_function(&draft->items[i].call, call))
			return;
	struct jval *params = jval_array(), *object = jval_object();
	jval_add(object, "from", jsonrpc_new_address(&from));
	jval_add(object, "to", jsonrpc_new_address(&call->to));
	jval_add(object, "data", jsonrpc_new_hex(call->data));
	jval_push(params, object);
	jval_push(params, jval_new_string("latest"));
	struct rehearsal_question *question = new_question(rehearsal, index);
	question->op =
	        chain_numbers(draft->lane->chain, "eth_estimateGas", params, estimated, question);
}

static void ask_call(struct draft_rehearsal *rehearsal, size_t index)
{
	struct draft *draft = rehearsal->draft;
	const struct call *call = &draft->items[index].call;
	struct address from = draft_caller(draft, index);
	struct rehearsal_question *question = new_question(rehearsal, index);

	question->op = chain_simulate(draft->lane->chain, &from, &call->to, call->data, simulated,
	                              question);
}

/* What only carries the calls out of the sender's own hands: a schedule. A call that the sender
 * makes itself was asked about already, and the Safe's delegatecall is into code that was looked
 * at. */
static void ask_steps(struct draft_rehearsal *rehearsal)
{
	struct draft *draft = rehearsal->draft;
	enum model model = draft->path.model;

	if (path_first_sender(model) == path_caller(model) || address_is_zero(&draft->sender))
		return;
	for (size_t i = 0; i < draft->step_count; i++) {
		struct rehearsal_question *question = new_question(rehearsal, draft->count);
		question->op =
		        chain_simulate(draft->lane->chain, &draft->sender, &draft->steps[i].to,
		                       draft->steps[i].data, simulated, question);
	}
}

static void ask_block(struct draft_rehearsal *rehearsal)
{
	struct rehearsal_question *question = new_question(rehearsal, rehearsal->draft->count);
	struct lane *lane = rehearsal->draft->lane;

	question->op = chain_header(lane->chain, &lane->head, header_answered, question);
}

void draft_rehearse(struct draft *draft, draft_rehearsed_fn *done, void *arg)
{
	struct draft_rehearsal *rehearsal = xcalloc(1, sizeof(*rehearsal));

	*rehearsal = (struct draft_rehearsal){.draft = draft, .done = done, .arg = arg};
	draft->rehearsal = rehearsal;
	draft->step_revert = NULL;
	rehearsal->questions = arena_array(&draft->arena, 2 * draft->count + draft->step_count + 1,
	                                   sizeof(*rehearsal->questions));
	for (size_t i = 0; i < draft->count; i++) {
		if (draft->items[i].dropped)
			continue;
		ask_call(rehearsal, i);
		ask_estimate(rehearsal, i);
	}
	ask_steps(rehearsal);
	ask_block(rehearsal);
}

/* --- reverts ---------------------------------------------------------------------------------- */

bool draft_reverted(const struct draft *draft)
{
	bool reverted = draft->step_revert != NULL;

	for (size_t i = 0; i < draft->count; i++)
		reverted |= !draft->items[i].dropped && draft->items[i].reverted;
	return reverted;
}

static const char *revert_reason(struct draft *draft, const struct candidate *c)
{
	enum model model = draft->path.model;
	const char *what = c->reverted ? kind_signature(c->call.kind, c->call.action)
	                               : purpose_name(path_first_purpose(model));
	enum path_account from = c->reverted ? path_caller(model) : path_first_sender(model);

	return arena_printf(&draft->arena, "simulation: %s from %s reverts: %s", what,
	                    path_account_name(from), c->reverted ? c->revert : draft->step_revert);
}

void draft_hold_reverted(struct draft *draft)
{
	struct lane *lane = draft->lane;
	struct store *store = lane->parts->store;
	char subject[SUBJECT_SIZE];

	store_begin(store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (c->dropped || (!c->reverted && draft->step_revert == NULL))
			continue;
		store_measurement_set_status(store, c->measurement.id, MEASUREMENT_HELD,
		                             revert_reason(draft, c));
		lane_alarm_once(lane, ALARM_SIMULATION_REVERTS,
		                measurement_subject(subject, c->measurement.id),
		                "not proposed, its simulation reverts: %s",
		                c->reverted ? c->revert : draft->step_revert);
	}
	store_commit(store);
	lane_changed(lane);
}
