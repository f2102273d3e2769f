#include "common/governance/lifecycle.h"

#include "common/base/clock.h"

#include <stdio.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------- */

static const char *const state_names[] = {
        [STATE_DRAFTED] = "drafted",   [STATE_MULTISIG] = "multisig",
        [STATE_TIMELOCK] = "timelock", [STATE_EXECUTE] = "execute",
        [STATE_EXECUTED] = "executed", [STATE_CONFIRMED] = "confirmed",
        [STATE_REJECTED] = "rejected", [STATE_CANCELLED] = "cancelled",
        [STATE_FAILED] = "failed",     [STATE_EXPIRED] = "expired",
};

static const char *const model_names[] = {
        [MODEL_SAFE_TIMELOCK] = "safe+timelock",
        [MODEL_SAFE] = "safe",
        [MODEL_TIMELOCK] = "timelock",
        [MODEL_DELAY] = "delay",
        [MODEL_DIRECT] = "direct",
};

static const char *const purpose_names[] = {
        [PURPOSE_SCHEDULE] = "schedule", [PURPOSE_APPLY] = "apply",   [PURPOSE_EXECUTE] = "execute",
        [PURPOSE_REJECT] = "reject",     [PURPOSE_CANCEL] = "cancel",
};

static const char *const safe_tx_status_names[] = {
        [SAFE_TX_DRAFTED] = "drafted",     [SAFE_TX_POSTING] = "posting",
        [SAFE_TX_QUEUED] = "queued",       [SAFE_TX_EXECUTED] = "executed",
        [SAFE_TX_FAILED] = "failed",       [SAFE_TX_REPLACED] = "replaced",
        [SAFE_TX_WITHDRAWN] = "withdrawn",
};

static const char *name_at(const char *const *names, size_t count, int number)
{
	if (number < 1 || (size_t)number >= count)
		die("no name for stored number %d", number);
	return names[number];
}

const char *proposal_state_name(enum proposal_state state)
{
	return name_at(state_names, ARRAY_LEN(state_names), (int)state);
}

const char *model_name(enum model model)
{
	return name_at(model_names, ARRAY_LEN(model_names), (int)model);
}

const char *purpose_name(enum purpose purpose)
{
	return name_at(purpose_names, ARRAY_LEN(purpose_names), (int)purpose);
}

const char *safe_tx_status_name(enum safe_tx_status status)
{
	return name_at(safe_tx_status_names, ARRAY_LEN(safe_tx_status_names), (int)status);
}

/* --- the table of legal transitions ------------------------------------------------------------
 */

#define BIT(model) (1u << (model))
#define QUEUE_MODELS (BIT(MODEL_SAFE_TIMELOCK) | BIT(MODEL_DELAY)) /* 1-2-3-4-5-6 */
#define SAFE_MODELS (QUEUE_MODELS | BIT(MODEL_SAFE))               /* those with state 2 */
#define DELAY_MODELS (QUEUE_MODELS | BIT(MODEL_TIMELOCK))          /* those with states 3 and 4 */
#define ALL_MODELS (SAFE_MODELS | DELAY_MODELS | BIT(MODEL_DIRECT))

#define IN_MODULE "its time in the module ended before anybody executed it"

static const struct lifecycle_rule rules[] = {
        /* forward; several steps at once when they happened while nobody looked */
        {STATE_DRAFTED, STATE_MULTISIG, SAFE_MODELS, "posted, or first seen in the queue"},
        {STATE_DRAFTED, STATE_TIMELOCK, DELAY_MODELS, "the operation was first seen on chain"},
        {STATE_DRAFTED, STATE_EXECUTE, DELAY_MODELS,
         "the operation was first seen when already ready"},
        {STATE_DRAFTED, STATE_EXECUTED, ALL_MODELS, "executed, or already in effect on chain"},
        {STATE_MULTISIG, STATE_TIMELOCK, QUEUE_MODELS, "the Safe scheduled the operation"},
        {STATE_MULTISIG, STATE_EXECUTE, QUEUE_MODELS, "scheduled, and its delay is over already"},
        {STATE_MULTISIG, STATE_EXECUTED, SAFE_MODELS, "executed, or already in effect on chain"},
        {STATE_TIMELOCK, STATE_EXECUTE, DELAY_MODELS, "its ready time passed"},
        {STATE_TIMELOCK, STATE_EXECUTED, DELAY_MODELS, "executed, or already in effect on chain"},
        {STATE_EXECUTE, STATE_EXECUTED, DELAY_MODELS, "executed, or already in effect on chain"},
        {STATE_EXECUTED, STATE_CONFIRMED, ALL_MODELS, "every check answers as wanted at finality"},

        /* the other ends */
        {STATE_DRAFTED, STATE_REJECTED, SAFE_MODELS,
         "its Safe nonce was used by another transaction"},
        {STATE_DRAFTED, STATE_CANCELLED, ALL_MODELS,
         "withdrawn before it was posted, or cancelled on chain"},
        {STATE_DRAFTED, STATE_FAILED, SAFE_MODELS, "its Safe transaction failed"},
        {STATE_DRAFTED, STATE_EXPIRED, ALL_MODELS, "never posted and older than its time to live"},
        {STATE_MULTISIG, STATE_EXPIRED, BIT(MODEL_DELAY), IN_MODULE},
        {STATE_TIMELOCK, STATE_EXPIRED, BIT(MODEL_DELAY), IN_MODULE},
        {STATE_EXECUTE, STATE_EXPIRED, BIT(MODEL_DELAY), IN_MODULE},
        {STATE_EXECUTED, STATE_EXPIRED, BIT(MODEL_DELAY),
         "a reorganisation put its expiry in the module in the place of the execution"},
        {STATE_MULTISIG, STATE_REJECTED, SAFE_MODELS,
         "its Safe nonce was used by another transaction"},
        {STATE_MULTISIG, STATE_CANCELLED, QUEUE_MODELS, "the operation was cancelled"},
        {STATE_MULTISIG, STATE_FAILED, SAFE_MODELS, "its Safe transaction failed"},
        {STATE_TIMELOCK, STATE_CANCELLED, DELAY_MODELS, "the operation was cancelled"},
        {STATE_EXECUTE, STATE_CANCELLED, DELAY_MODELS, "the operation was cancelled"},
        {STATE_EXECUTED, STATE_CANCELLED, DELAY_MODELS,
         "a reorganisation put a cancellation in the place of the execution"},
        {STATE_EXECUTED, STATE_FAILED, ALL_MODELS, "the check contradicts after finality"},

        /* back: only what a reorganisation does */
        {STATE_MULTISIG, STATE_DRAFTED, SAFE_MODELS,
         "a reorganisation removed it before anybody posted it, or something urgent displaced it"},
        {STATE_TIMELOCK, STATE_DRAFTED, DELAY_MODELS,
         "a reorganisation removed the scheduled operation"},
        {STATE_TIMELOCK, STATE_MULTISIG, QUEUE_MODELS,
         "a reorganisation removed the scheduled operation"},
        {STATE_EXECUTE, STATE_DRAFTED, DELAY_MODELS,
         "a reorganisation removed the scheduled operation"},
        {STATE_EXECUTE, STATE_MULTISIG, QUEUE_MODELS,
         "a reorganisation removed the scheduled operation"},
        {STATE_EXECUTE, STATE_TIMELOCK, DELAY_MODELS,
         "a reorganisation or, in a Delay module, its settings or its clock took its time away"},
        {STATE_EXECUTED, STATE_DRAFTED, ALL_MODELS, "a reorganisation removed the execution"},
        {STATE_EXECUTED, STATE_MULTISIG, SAFE_MODELS, "a reorganisation removed the execution"},
        {STATE_EXECUTED, STATE_TIMELOCK, DELAY_MODELS, "a reorganisation removed the execution"},
        {STATE_EXECUTED, STATE_EXECUTE, DELAY_MODELS, "a reorganisation removed the execution"},
};

static const struct lifecycle_rule *rule_find(enum model model, enum proposal_state from,
                                              enum proposal_state to)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].from == from && rules[i].to == to &&
		    (rules[i].models & BIT(model)) != 0)
			return &rules[i];
	}
	return NULL;
}

const struct lifecycle_rule *lifecycle_rules(size_t *count)
{
	*count = ARRAY_LEN(rules);
	return rules;
}

bool lifecycle_allows(enum model model, enum proposal_state from, enum proposal_state to)
{
	return rule_find(model, from, to) != NULL;
}

bool lifecycle_is_terminal(enum proposal_state state)
{
	switch (state) {
	case STATE_DRAFTED:
	case STATE_MULTISIG:
	case STATE_TIMELOCK:
	case STATE_EXECUTE:
	case STATE_EXECUTED:
		return false;
	case STATE_CONFIRMED:
	case STATE_REJECTED:
	case STATE_CANCELLED:
	case STATE_FAILED:
	case STATE_EXPIRED:
		return true;
	}
	die("no such state: %d", (int)state);
}

bool lifecycle_has_timelock(enum model model)
{
	return (DELAY_MODELS & BIT(model)) != 0;
}

bool lifecycle_has_safe(enum model model)
{
	return (SAFE_MODELS & BIT(model)) != 0;
}

/* --- the rule -----------------------------------------------------------------------------------
 */

/* What one look decides: the state the proposal should be in and why. `to` 0: stay. The reason of
 * the table is used where `reason` is NULL. */
struct verdict {
	enum proposal_state to;
	const char *reason;
};

static const struct verdict stay = {0, NULL};

/* The operation as far as this model has one: without a timelock, execution itself is the
 * operation. */
static enum operation_seen operation_of(enum model model, const struct observation *seen)
{
	if (lifecycle_has_timelock(model))
		return seen->operation;
	bool executed = seen->executed_latest ||
	                (lifecycle_has_safe(model) && seen->safe_tx == SAFE_SEEN_EXECUTED);
	return executed ? OPERATION_DONE : OPERATION_UNSET;
}

static enum safe_tx_seen safe_tx_of(enum model model, const struct observation *seen)
{
	return lifecycle_has_safe(model) ? seen->safe_tx : SAFE_SEEN_NOTHING;
}

/* True when a Safe transaction that was posted can bring nothing any more, at finality. */
static bool safe_tx_dead(enum model model, const struct observation *seen)
{
	enum safe_tx_seen safe_tx = safe_tx_of(model, seen);

	return seen->ever_posted && (safe_tx == SAFE_SEEN_FAILED || safe_tx == SAFE_SEEN_REPLACED);
}

static bool cancelled_final(enum model model, const struct observation *seen)
{
	return lifecycle_has_timelock(model) && seen->cancelled_final;
}

/* In effect although nothing of this proposal ran: others did it, and nothing of ours can still
 * run. */
static bool already_in_effect(enum model model, const struct observation *seen)
{
	if (seen->checks_final != CHECKS_AS_WANTED || operation_of(model, seen) != OPERATION_UNSET)
		return false;
	if (cancelled_final(model, seen) || safe_tx_dead(model, seen))
		return true;
	return !seen->ever_posted && safe_tx_of(model, seen) == SAFE_SEEN_NOTHING;
}

/* The check: what it says about an executed proposal, and about one that others made superfluous.
 */
static struct verdict check_verdict(enum model model, enum proposal_state state,
                                    const struct observation *seen)
{
	bool superfluous = already_in_effect(model, seen);

	if (state != STATE_EXECUTED) {
		if (superfluous && !(seen->withdrawn && !seen->ever_posted))
			return (struct verdict){STATE_EXECUTED, "already in effect on chain"};
		return stay;
	}
	if (superfluous)
		return (struct verdict){
		        STATE_CONFIRMED,
		        "already in effect on chain: every check answers as wanted at finality"};
	if (!seen->executed_final)
		return stay;
	switch (seen->checks_final) {
	case CHECKS_UNKNOWN:
		return stay;
	case CHECKS_AS_WANTED:
		return (struct verdict){STATE_CONFIRMED,
		                        "every check answers as wanted at finality"};
	case CHECKS_CONTRADICT:
		if (seen->explained_later)
			return (struct verdict){
			        STATE_CONFIRMED,
			        "executed at finality; a later call on chain changed it again"};
		return (struct verdict){
		        STATE_FAILED,
		        "a check contradicts at finality and no later call explains it"};
	}
	die("no such checks: %d", (int)seen->checks_final);
}

/* A Safe transaction that reached its end only ends the proposal from 1 and 2; from 3-5, where a
 * reorganisation brought it back to its beginning, it goes through 2 first. */
static struct verdict safe_tx_end(enum proposal_state state, const struct observation *seen,
                                  struct verdict end)
{
	if (!seen->ever_posted)
		return stay; /* a nonce lost before the post is renumbered, not refused by anybody
		              */
	if (state == STATE_DRAFTED || state == STATE_MULTISIG)
		return end;
	return (struct verdict){STATE_MULTISIG, NULL};
}

/* Nothing of it is seen: back to where it was before, as far as the chain and not just a silent
 * service says so; a draft nobody posted may be withdrawn or expire. */
static struct verdict nothing_verdict(enum model model, enum proposal_state state,
                                      const struct observation *seen)
{
	if (seen->ever_posted && lifecycle_has_safe(model))
		return state > STATE_MULTISIG ? (struct verdict){STATE_MULTISIG, NULL} : stay;
	if (state != STATE_DRAFTED)
		return (struct verdict){STATE_DRAFTED,
		                        state == STATE_MULTISIG && seen->displaced
		                                ? "its Safe nonce was used by what displaced "
		                                  "it; drafted again with another"
		                                : NULL};
	/* What an owner sends by itself, or has sent in part, nobody but the owner can stop. */
	if (seen->withdrawn && (!seen->ever_posted || model == MODEL_DIRECT))
		return (struct verdict){STATE_CANCELLED,
		                        seen->ever_posted
		                                ? "withdrawn by the operator; some of its calls "
		                                  "were made"
		                                : "withdrawn by the operator before it was posted"};
	if (seen->past_expiry && !seen->ever_posted && !seen->displaced)
		return (struct verdict){STATE_EXPIRED,
		                        "never posted and older than the target's expire"};
	return stay;
}

/* Nothing can run it any more, at finality. */
static struct verdict cancelled_verdict(enum model model, enum proposal_state state,
                                        const struct observation *seen)
{
	if (model == MODEL_DELAY && seen->turn == TURN_OVER)
		return (struct verdict){STATE_EXPIRED, state == STATE_EXECUTED ? NULL : IN_MODULE};
	if (state == STATE_EXECUTED)
		return (struct verdict){STATE_CANCELLED, NULL};
	if (seen->withdrawn && model != MODEL_DELAY)
		return (struct verdict){STATE_CANCELLED,
		                        "withdrawn: the operation was cancelled on chain"};
	return (struct verdict){STATE_CANCELLED,
	                        model == MODEL_DELAY
	                                ? "vetoed: the module passed over it by setTxNonce"
	                                : "the operation was cancelled on chain"};
}

/* The chain does not know the operation (or, without a timelock, has not run the batch). */
static struct verdict unset_verdict(enum model model, enum proposal_state state,
                                    const struct observation *seen)
{
	if (cancelled_final(model, seen))
		return cancelled_verdict(model, state, seen);
	if (lifecycle_has_timelock(model) && seen->cancelled_latest)
		return stay; /* waits for finality */
	switch (safe_tx_of(model, seen)) {
	case SAFE_SEEN_NOTHING:
		return nothing_verdict(model, state, seen);
	case SAFE_SEEN_QUEUED:
		return (struct verdict){STATE_MULTISIG,
		                        state == STATE_DRAFTED ? "in the Safe's queue" : NULL};
	case SAFE_SEEN_EXECUTED:
		return stay; /* the chain will say scheduled or cancelled */
	case SAFE_SEEN_FAILED:
		return safe_tx_end(
		        state, seen,
		        (struct verdict){STATE_FAILED,
		                         "its Safe transaction ended in ExecutionFailure"});
	case SAFE_SEEN_REPLACED:
		return safe_tx_end(
		        state, seen,
		        (struct verdict){
		                STATE_REJECTED,
		                seen->withdrawn
		                        ? "withdrawn: its Safe nonce was used by another "
		                          "transaction; the chain does not know its calls"
		                        : "its Safe nonce was used by another transaction; the "
		                          "chain does not know its calls"});
	}
	die("no such Safe transaction: %d", (int)seen->safe_tx);
}

/* No answer about the operation: only what cannot depend on it. */
static struct verdict unknown_verdict(enum model model, enum proposal_state state,
                                      const struct observation *seen)
{
	if (state != STATE_DRAFTED)
		return stay;
	if (safe_tx_of(model, seen) == SAFE_SEEN_QUEUED)
		return (struct verdict){STATE_MULTISIG, "in the Safe's queue"};
	if (safe_tx_of(model, seen) == SAFE_SEEN_NOTHING && seen->withdrawn && !seen->ever_posted)
		return (struct verdict){STATE_CANCELLED,
		                        "withdrawn by the operator before it was posted"};
	return stay;
}

/* Known to the chain and not executed. */
static struct verdict pending_verdict(enum model model, enum proposal_state state,
                                      const struct observation *seen)
{
	enum turn_seen turn = model == MODEL_DELAY ? seen->turn : TURN_OURS;
	bool ready = seen->ready_at != 0 && seen->chain_now >= seen->ready_at;

	switch (turn) {
	case TURN_OURS:
		if (ready)
			return (struct verdict){STATE_EXECUTE, NULL};
		break;
	case TURN_OTHERS:
		break;
	case TURN_OVER:
		return (struct verdict){STATE_TIMELOCK,
		                        state == STATE_EXECUTED
		                                ? NULL
		                                : "it expired in the module: skipExpired passes "
		                                  "over it"};
	}
	return (struct verdict){STATE_TIMELOCK, NULL};
}

static struct verdict operation_verdict(enum model model, enum proposal_state state,
                                        const struct observation *seen)
{
	switch (operation_of(model, seen)) {
	case OPERATION_UNKNOWN:
		return unknown_verdict(model, state, seen);
	case OPERATION_UNSET:
		return unset_verdict(model, state, seen);
	case OPERATION_PENDING:
		return pending_verdict(model, state, seen);
	case OPERATION_DONE:
		return (struct verdict){STATE_EXECUTED,
		                        lifecycle_has_timelock(model)
		                                ? "the operation is done at the latest block"
		                                : "executed at the latest block"};
	}
	die("no such operation: %d", (int)seen->operation);
}

/* Forward into 3 or 4 the ready time is what people want to read. */
static void reason_write(struct transition *out, enum proposal_state from, const char *reason,
                         const struct observation *seen)
{
	char ready[WALL_TEXT_SIZE], now[WALL_TEXT_SIZE];

	bool forward = out->to > from;
	if (forward && out->to == STATE_TIMELOCK)
		snprintf(out->reason, sizeof(out->reason), "%s; ready at %s", reason,
		         wall_text_seconds(ready, seen->ready_at));
	else if (forward && out->to == STATE_EXECUTE)
		snprintf(out->reason, sizeof(out->reason),
		         "%s (ready since %s, the chain's time was %s)", reason,
		         wall_text_seconds(ready, seen->ready_at),
		         wall_text_seconds(now, seen->chain_now));
	else
		snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

struct transition lifecycle_next(enum model model, enum proposal_state state,
                                 const struct observation *seen)
{
	struct transition out = {.moves = false};

	if (lifecycle_is_terminal(state))
		return out;
	struct verdict verdict = check_verdict(model, state, seen);
	if (verdict.to == 0)
		verdict = operation_verdict(model, state, seen);
	if (verdict.to == 0 || verdict.to == state)
		return out;
	const struct lifecycle_rule *rule = rule_find(model, state, verdict.to);
	if (rule == NULL)
		return out;
	out.moves = true;
	out.to = verdict.to;
	reason_write(&out, state, verdict.reason != NULL ? verdict.reason : rule->why, seen);
	return out;
}
