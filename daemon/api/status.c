/* The one screen: what there is, and what waits for whom. */
#include "daemon/api/report.h"

#include "common/governance/path.h"
#include "common/store/store_blocked.h"
#include "common/store/store_event.h"

#include <string.h>

/* --- whom a proposal waits for -------------------------------------------------------------- */

static const char *what_to_sign(enum purpose purpose, bool withdrawing)
{
	switch (purpose) {
	case PURPOSE_SCHEDULE:
	case PURPOSE_APPLY:
	case PURPOSE_EXECUTE:
		return "";
	case PURPOSE_REJECT:
		return withdrawing ? "the rejection with " : "the empty transaction with ";
	case PURPOSE_CANCEL:
		return "the cancellation with ";
	}
	return "";
}

static char *waiting_in_queue(struct arena *arena, const struct proposal *proposal,
                              const struct safe_tx_row *open)
{
	bool withdrawing = (proposal->flags & FLAG_WITHDRAWING) != 0;
	const char *what = what_to_sign(open->purpose, withdrawing);
	unsigned long long nonce = open->nonce;

	if (open->threshold > 0 && open->confirmations >= open->threshold)
		return arena_printf(arena,
		                    "anybody to execute %snonce %llu of the Safe (%u of %u signed)",
		                    what, nonce, open->confirmations, open->threshold);
	if (open->threshold > 0)
		return arena_printf(arena, "owners to sign %snonce %llu of the Safe (%u of %u)",
		                    what, nonce, open->confirmations, open->threshold);
	return arena_printf(arena, "owners to sign %snonce %llu of the Safe", what, nonce);
}

/* What takes a withdrawn proposal back, as far as it is not in the queue yet. */
static char *waiting_for_withdrawal(struct arena *arena, const struct config_target *target,
                                    const struct proposal *proposal,
                                    const struct safe_tx_row *open /* or NULL */)
{
	if (proposal->state == STATE_DRAFTED && open == NULL)
		return arena_strdup(arena, "nothing: nobody has seen it, and it is given up");
	if (proposal->state == STATE_DRAFTED || proposal->state == STATE_MULTISIG)
		return arena_strdup(arena, "its rejection to be proposed in the Safe");
	if (proposal->model == MODEL_DELAY)
		return arena_strdup(arena, "the Delay module's owner to pass over it");
	if (proposal->model == MODEL_TIMELOCK && target != NULL && target->scheduler.file != NULL)
		return arena_strdup(arena, "the scheduler key's cancellation");
	if (proposal->model == MODEL_TIMELOCK)
		return arena_printf(arena,
		                    "an account with CANCELLER_ROLE to cancel it: registrarctl "
		                    "export p%lld",
		                    (long long)proposal->id.n);
	return arena_strdup(arena, "its cancellation to be proposed to who may cancel it");
}

/* Where no Safe is before it, an account sends it. */
static char *waiting_for_sender(struct arena *arena, const struct config_target *target,
                                const struct proposal *proposal)
{
	char sender[ADDRESS_TEXT_SIZE];
	bool by_owner = path_first_sender(proposal->model) == PATH_OWNER;

	if (proposal->model == MODEL_DELAY)
		return arena_printf(
		        arena, "the enqueuer %s to enqueue it: registrarctl export p%lld",
		        address_text(sender, &proposal->sender), (long long)proposal->id.n);
	if (!by_owner && target != NULL && target->scheduler.file != NULL)
		return arena_strdup(arena, "the scheduler key's transaction");
	address_text(sender, &proposal->sender);
	return arena_printf(arena, "%s%s%s to %s: registrarctl export p%lld",
	                    path_account_name(path_first_sender(proposal->model)),
	                    address_is_zero(&proposal->sender) ? "" : " ",
	                    address_is_zero(&proposal->sender) ? "" : sender,
	                    by_owner ? "send its calls" : "schedule it", (long long)proposal->id.n);
}

static char *waiting_for_draft(struct arena *arena, const struct config_target *target,
                               const struct proposal *proposal)
{
	if (!lifecycle_has_safe(proposal->model) ||
	    (proposal->model == MODEL_DELAY && address_is_zero(&proposal->safe)))
		return waiting_for_sender(arena, target, proposal);
	if (target != NULL && target->service.kind != SERVICE_NONE && target->proposer.file != NULL)
		return arena_strdup(arena, "the Safe service to take it");
	return arena_printf(arena, "somebody to propose it in the Safe: registrarctl export p%lld",
	                    (long long)proposal->id.n);
}

static char *waiting_for_execution(struct arena *arena, const struct config_target *target,
                                   const struct proposal *proposal)
{
	enum execute_mode mode = target != NULL ? target->execute : EXECUTE_MANUAL;

	switch (mode) {
	case EXECUTE_SAFE:
		return arena_strdup(arena, "the execution to be proposed to the Safe");
	case EXECUTE_DIRECT:
		return arena_strdup(arena, "the executor key's transaction");
	case EXECUTE_MANUAL:
		if (proposal->model == MODEL_DELAY)
			return arena_printf(arena,
			                    "anybody to execute it in the Delay module: "
			                    "registrarctl export p%lld",
			                    (long long)proposal->id.n);
		return arena_strdup(arena, "somebody to execute the operation in the timelock");
	}
	return NULL;
}

char *report_waiting_for(struct arena *arena, const struct config_target *target,
                         const struct proposal *proposal, const struct safe_tx_list *safe_txs)
{
	const struct safe_tx_row *open = report_open_safe_tx(safe_txs);
	char text[WALL_TEXT_SIZE];

	if ((proposal->flags & FLAG_WITHDRAWING) != 0 && proposal->state < STATE_EXECUTED)
		return open != NULL && (open->purpose == PURPOSE_REJECT ||
		                        open->purpose == PURPOSE_CANCEL)
		               ? waiting_in_queue(arena, proposal, open)
		               : waiting_for_withdrawal(arena, target, proposal, open);
	switch (proposal->state) {
	case STATE_DRAFTED:
		return open != NULL ? waiting_in_queue(arena, proposal, open)
		                    : waiting_for_draft(arena, target, proposal);
	case STATE_MULTISIG:
		return open != NULL ? waiting_in_queue(arena, proposal, open)
		                    : arena_strdup(arena, "owners to sign it in the Safe");
	case STATE_TIMELOCK:
		return arena_printf(arena, "the %s, until %s",
		                    proposal->model == MODEL_DELAY
		                            ? "Delay module, also for its turn"
		                            : "timelock",
		                    proposal->ready_at == 0 ? "its delay is over"
		                    : wall_text_seconds(text, proposal->ready_at)[0] != '@'
		                            ? text
		                            : "a time that never comes: have it cancelled");
	case STATE_EXECUTE:
		return open != NULL ? waiting_in_queue(arena, proposal, open)
		                    : waiting_for_execution(arena, target, proposal);
	case STATE_EXECUTED:
		return arena_strdup(arena, "finality, and the answer of the chain");
	case STATE_CONFIRMED:
	case STATE_REJECTED:
	case STATE_CANCELLED:
	case STATE_FAILED:
	case STATE_EXPIRED:
		break;
	}
	return arena_strdup(arena, "nothing");
}

/* --- counts and the waiting list ------------------------------------------------------------- */

static const enum measurement_status statuses[] = {
        MEASUREMENT_NEW,        MEASUREMENT_HELD,    MEASUREMENT_PROPOSED,
        MEASUREMENT_AUTHORIZED, MEASUREMENT_REVOKED, MEASUREMENT_REFUSED,
};

static struct jval *count_statuses(const struct measurement_list *all, const char *target)
{
	struct jval *counts = jval_object();

	for (size_t s = 0; s < ARRAY_LEN(statuses); s++) {
		int64_t count = 0;
		for (size_t i = 0; i < all->count; i++)
			count += all->items[i].status == statuses[s] &&
			         strcmp(all->items[i].target, target) == 0;
		jval_add_int(counts, measurement_status_name(statuses[s]), count);
	}
	return counts;
}

static struct jval *count_states(const struct proposal_list *all, const char *target)
{
	struct jval *counts = jval_object();

	for (int state = STATE_DRAFTED; state <= STATE_EXPIRED; state++) {
		int64_t count = 0;
		for (size_t i = 0; i < all->count; i++)
			count += (int)all->items[i].state == state &&
			         strcmp(all->items[i].target, target) == 0;
		jval_add_int(counts, proposal_state_name((enum proposal_state)state), count);
	}
	return counts;
}

static void push_waiting(struct jval *list, const char *id, const char *target, const char *state,
                         struct wall since, const char *whom)
{
	struct jval *row = jval_object();
	char text[WALL_TEXT_SIZE];

	jval_add_string(row, "id", id);
	jval_add_string(row, "target", target);
	jval_add_string(row, "state", state);
	jval_add_string(row, "since", wall_text(text, since));
	jval_add_string(row, "for", whom);
	jval_push(list, row);
}

/* Whom it waits for first, where its turn has not come. */
static char *behind_others(struct store *store, struct arena *arena, const struct safe_tx_row *open,
                           char *whom)
{
	char since[WALL_TEXT_SIZE];
	struct blocked blocked;

	if (open == NULL || store_blocked_get(store, arena, open->id, &blocked) != 0)
		return whom;
	return arena_printf(arena, "%s, behind nonce %llu since %s (%s)", whom,
	                    (unsigned long long)blocked.nonce,
	                    wall_text_seconds(since, (uint64_t)blocked.since.ms / 1000),
	                    blocked.what);
}

static void push_proposal(struct jval *list, struct store *store, struct arena *arena,
                          const struct config *config, const struct proposal *proposal)
{
	struct safe_tx_list safe_txs;
	struct history_list history;

	store_safe_tx_list(store, arena, proposal->id, &safe_txs);
	store_history_list(store, arena, proposal->id, &history);
	char *whom = report_waiting_for(arena, config_target_find(config, proposal->target),
	                                proposal, &safe_txs);
	whom = behind_others(store, arena, report_open_safe_tx(&safe_txs), whom);
	if (proposal->flags & FLAG_OVERDUE)
		whom = arena_printf(arena, "OVERDUE: %s", whom);
	if (proposal->flags & FLAG_WITHDRAWING)
		whom = arena_printf(arena, "%s (being withdrawn)", whom);
	push_waiting(list, arena_printf(arena, "p%lld", (long long)proposal->id.n),
	             proposal->target, proposal_state_name(proposal->state),
	             history.count > 0 ? history.items[history.count - 1].at : proposal->created_at,
	             whom);
}

/* Of proposals that are over: what still lies in the queue keeps others waiting. */
static void push_left(struct jval *list, struct store *store, struct arena *arena,
                      uint64_t chain_id)
{
	struct safe_tx_list left;
	struct proposal proposal;

	store_safe_tx_left(store, arena, chain_id, &left);
	for (size_t i = 0; i < left.count; i++) {
		const struct safe_tx_row *row = &left.items[i];
		if (row->purpose != PURPOSE_REJECT || row->status != SAFE_TX_QUEUED ||
		    store_proposal_get(store, arena, row->proposal, &proposal) != 0)
			continue;
		proposal.flags |= FLAG_WITHDRAWING; /* whatever it was: this takes it back */
		push_waiting(list, arena_printf(arena, "p%lld", (long long)row->proposal.n),
		             proposal.target, proposal_state_name(proposal.state), row->posted_at,
		             arena_printf(arena, "%s: what it takes the place of can only revert",
		                          waiting_in_queue(arena, &proposal, row)));
	}
}

static void push_held(struct jval *list, struct arena *arena, const struct measurement *measurement)
{
	char *id = arena_printf(arena, "m%lld", (long long)measurement->id.n);

	push_waiting(list, id, measurement->target, "held", measurement->status_since,
	             arena_printf(arena, "an operator (registrarctl approve %s): %s", id,
	                          measurement->reason != NULL ? measurement->reason : "held"));
}

enum { LATEST_ALARMS = 5 };

static struct jval *latest_alarms(struct store *store, struct arena *arena)
{
	struct jval *list = jval_array();
	struct event_list alarms;
	char at[WALL_TEXT_SIZE];

	store_alarm_latest(store, arena, LATEST_ALARMS, &alarms);
	for (size_t i = 0; i < alarms.count; i++) {
		struct jval *row = jval_object();
		jval_add_int(row, "id", alarms.items[i].id);
		jval_add_string(row, "at", wall_text(at, alarms.items[i].at));
		jval_add_string(row, "subject", alarms.items[i].subject);
		jval_add_string(row, "text", alarms.items[i].text);
		jval_push(list, row);
	}
	return list;
}

struct jval *report_status(struct store *store, const struct config *config, struct wall started,
                           struct jval *chains, struct jval *folders, struct jval *endpoints)
{
	struct jval *view = jval_object(), *targets = jval_array(), *waiting = jval_array();
	struct arena arena = {0};
	struct measurement_list measurements;
	struct proposal_list proposals;
	char text[WALL_TEXT_SIZE];

	store_measurement_list(store, &arena, &(struct measurement_filter){0}, &measurements);
	store_proposal_list(store, &arena, PROPOSALS_ALL, 0, &proposals);
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		struct jval *row = jval_object();
		jval_add_string(row, "target", target->name);
		jval_add_string(row, "chain", target->chain->name);
		jval_add_string(row, "model", model_name(target->model));
		jval_add(row, "measurements", count_statuses(&measurements, target->name));
		jval_add(row, "proposals", count_states(&proposals, target->name));
		jval_push(targets, row);
	}
	for (size_t i = 0; i < proposals.count; i++)
		if (!lifecycle_is_terminal(proposals.items[i].state))
			push_proposal(waiting, store, &arena, config, &proposals.items[i]);
	for (size_t i = 0; i < config->chain_count; i++)
		push_left(waiting, store, &arena, config->chains[i].chain_id);
	for (size_t i = 0; i < measurements.count; i++)
		if (measurements.items[i].status == MEASUREMENT_HELD)
			push_held(waiting, &arena, &measurements.items[i]);

	jval_add_string(view, "version", REGISTRARD_VERSION);
	jval_add_string(view, "started", wall_text(text, started));
	jval_add(view, "chains", chains);
	jval_add(view, "folders", folders);
	jval_add(view, "endpoints", endpoints != NULL ? endpoints : jval_new_null());
	jval_add(view, "targets", targets);
	jval_add(view, "waiting", waiting);
	jval_add(view, "last_alarms", latest_alarms(store, &arena));
	arena_free(&arena);
	return view;
}
