/* The life of a proposal, walked over the whole product of what can be observed. */
#include "common/governance/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN_NOW 1000000
static const uint64_t ready_times[] = {0, CHAIN_NOW - 1, CHAIN_NOW, CHAIN_NOW + 1};

/* --- the product -------------------------------------------------------------------------------
 */

typedef void visit_fn(const struct observation *seen, void *arg);

static bool bit_of(unsigned *index)
{
	bool bit = *index & 1;
	*index >>= 1;
	return bit;
}

static void for_every_flag(struct observation *seen, visit_fn *visit, void *arg)
{
	for (unsigned n = 0; n < 1u << 9; n++) {
		unsigned index = n;
		seen->cancelled_latest = bit_of(&index);
		seen->cancelled_final = bit_of(&index);
		seen->executed_latest = bit_of(&index);
		seen->executed_final = bit_of(&index);
		seen->explained_later = bit_of(&index);
		seen->withdrawn = bit_of(&index);
		seen->ever_posted = bit_of(&index);
		seen->past_expiry = bit_of(&index);
		seen->displaced = bit_of(&index);
		visit(seen, arg);
	}
}

static void for_every_observation(visit_fn *visit, void *arg, enum turn_seen turn)
{
	struct observation seen = {.chain_now = CHAIN_NOW, .turn = turn};

	for (int operation = OPERATION_UNKNOWN; operation <= OPERATION_DONE; operation++) {
		for (size_t ready = 0; ready < ARRAY_LEN(ready_times); ready++) {
			for (int safe_tx = SAFE_SEEN_NOTHING; safe_tx <= SAFE_SEEN_REPLACED;
			     safe_tx++) {
				for (int checks = CHECKS_UNKNOWN; checks <= CHECKS_CONTRADICT;
				     checks++) {
					seen.operation = (enum operation_seen)operation;
					seen.ready_at = ready_times[ready];
					seen.safe_tx = (enum safe_tx_seen)safe_tx;
					seen.checks_final = (enum checks_seen)checks;
					for_every_flag(&seen, visit, arg);
				}
			}
		}
	}
}

struct place {
	enum model model;
	enum proposal_state state;
	bool reached[STATE_EXPIRED + 1];
};

static void for_every_place(visit_fn *visit, void (*after)(const struct place *place))
{
	for (int model = MODEL_SAFE_TIMELOCK; model <= MODEL_DIRECT; model++) {
		for (int state = STATE_DRAFTED; state <= STATE_EXPIRED; state++) {
			struct place place = {.model = (enum model)model,
			                      .state = (enum proposal_state)state};
			/* The other models must not look at it: one that did would differ. */
			for (int turn = TURN_OURS; turn <= TURN_OVER; turn++)
				for_every_observation(visit, &place, (enum turn_seen)turn);
			if (after != NULL)
				after(&place);
		}
	}
}

/* --- what must hold everywhere -------------------------------------------------------------------
 */

static void visit_legal(const struct observation *seen, void *arg)
{
	struct place *place = arg;
	struct transition next = lifecycle_next(place->model, place->state, seen);
	struct transition again = lifecycle_next(place->model, place->state, seen);

	assert_int_equal(next.moves, again.moves);
	if (!next.moves)
		return;
	assert_int_equal(next.to, again.to);
	assert_string_equal(next.reason, again.reason);
	assert_false(lifecycle_is_terminal(place->state));
	assert_int_not_equal(next.to, place->state);
	assert_true(lifecycle_allows(place->model, place->state, next.to));
	assert_true(strlen(next.reason) > 0 && strlen(next.reason) < sizeof(next.reason) - 1);
	bool lapsed = place->model == MODEL_DELAY && seen->turn == TURN_OVER &&
	              place->state == STATE_EXECUTE;
	if (next.to < place->state && !(lapsed && next.to == STATE_TIMELOCK))
		assert_non_null(
		        strstr(next.reason, seen->displaced && place->state == STATE_MULTISIG
		                                    ? "drafted again"
		                                    : "reorganisation"));
	place->reached[next.to] = true;
}

/* Exactly the pairs of the table are reached, no more and no fewer. */
static void after_legal(const struct place *place)
{
	for (int to = STATE_DRAFTED; to <= STATE_EXPIRED; to++) {
		bool allowed =
		        lifecycle_allows(place->model, place->state, (enum proposal_state)to);
		if (allowed != place->reached[to])
			fail_msg("%s: %s -> %s is %s but %s", model_name(place->model),
			         proposal_state_name(place->state),
			         proposal_state_name((enum proposal_state)to),
			         allowed ? "legal" : "illegal",
			         allowed ? "never chosen" : "chosen");
	}
}

static void test_every_move_is_legal_and_every_rule_is_used(void **state)
{
	(void)state;
	for_every_place(visit_legal, after_legal);
}

/* The same observation again and again: it comes to rest and never goes in a circle. */
static void visit_rest(const struct observation *seen, void *arg)
{
	const struct place *place = arg;
	enum proposal_state at = place->state;

	for (int step = 0; step < 4; step++) {
		struct transition next = lifecycle_next(place->model, at, seen);
		if (!next.moves)
			return;
		at = next.to;
	}
	fail_msg("%s from %s does not come to rest", model_name(place->model),
	         proposal_state_name(place->state));
}

static void test_comes_to_rest(void **state)
{
	(void)state;
	for_every_place(visit_rest, NULL);
}

static bool operation_gone(enum model model, const struct observation *seen)
{
	if (lifecycle_has_timelock(model))
		return seen->operation == OPERATION_UNSET;
	return !seen->executed_latest;
}

/* What each terminal state needs: nothing ends on less. */
static void visit_ends(const struct observation *seen, void *arg)
{
	const struct place *place = arg;
	struct transition next = lifecycle_next(place->model, place->state, seen);
	bool queued_once = place->state == STATE_DRAFTED || place->state == STATE_MULTISIG;

	if (!next.moves)
		return;
	if (next.to == STATE_CONFIRMED) {
		assert_int_equal(place->state, STATE_EXECUTED);
		assert_true(seen->checks_final == CHECKS_AS_WANTED ||
		            (seen->checks_final == CHECKS_CONTRADICT && seen->explained_later));
	} else if (next.to == STATE_REJECTED) {
		assert_true(queued_once && seen->ever_posted && operation_gone(place->model, seen));
		assert_int_equal(seen->safe_tx, SAFE_SEEN_REPLACED);
	} else if (next.to == STATE_CANCELLED) {
		bool on_chain = lifecycle_has_timelock(place->model) && seen->cancelled_final &&
		                seen->operation == OPERATION_UNSET;
		if (on_chain && place->model == MODEL_DELAY)
			assert_int_not_equal(seen->turn, TURN_OVER);
		bool by_hand = place->state == STATE_DRAFTED && seen->withdrawn &&
		               (!seen->ever_posted || place->model == MODEL_DIRECT);
		assert_true(on_chain || by_hand);
		assert_true(operation_gone(place->model, seen) ||
		            seen->operation == OPERATION_UNKNOWN);
	} else if (next.to == STATE_FAILED) {
		bool by_safe = queued_once && seen->safe_tx == SAFE_SEEN_FAILED &&
		               operation_gone(place->model, seen);
		bool by_check = place->state == STATE_EXECUTED && seen->executed_final &&
		                seen->checks_final == CHECKS_CONTRADICT && !seen->explained_later;
		assert_true(by_safe || by_check);
	} else if (next.to == STATE_EXPIRED) {
		bool unposted =
		        place->state == STATE_DRAFTED && seen->past_expiry && !seen->ever_posted;
		bool in_module = place->model == MODEL_DELAY && seen->turn == TURN_OVER &&
		                 seen->cancelled_final;
		assert_true(unposted || in_module);
		assert_true(operation_gone(place->model, seen));
	}
}

static void test_no_end_on_less_than_it_needs(void **state)
{
	(void)state;
	for_every_place(visit_ends, NULL);
}

/* check > operation > Safe transaction > service. */
static void visit_precedence(const struct observation *seen, void *arg)
{
	const struct place *place = arg;
	struct transition next = lifecycle_next(place->model, place->state, seen);
	enum proposal_state after = next.moves ? next.to : place->state;

	if (lifecycle_is_terminal(place->state))
		return;
	if (place->state == STATE_EXECUTED && seen->executed_final &&
	    seen->checks_final == CHECKS_AS_WANTED) {
		assert_int_equal(after, STATE_CONFIRMED);
		return;
	}
	if (!lifecycle_has_timelock(place->model) ||
	    (place->state == STATE_MULTISIG && !lifecycle_has_safe(place->model)))
		return;
	if (seen->operation == OPERATION_DONE && place->state != STATE_EXECUTED)
		assert_int_equal(after, STATE_EXECUTED);
	if (seen->operation == OPERATION_PENDING && !lifecycle_is_terminal(after)) {
		bool ready = seen->ready_at != 0 && seen->ready_at <= CHAIN_NOW;
		if (place->model == MODEL_DELAY)
			ready &= seen->turn == TURN_OURS;
		assert_int_equal(after, ready ? STATE_EXECUTE : STATE_TIMELOCK);
	}
	if (seen->operation == OPERATION_UNKNOWN && next.moves) {
		bool by_check = place->state == STATE_EXECUTED && seen->executed_final;
		bool as_draft = place->state == STATE_DRAFTED &&
		                (after == STATE_MULTISIG || after == STATE_CANCELLED);
		assert_true(by_check || as_draft);
	}
}

static void test_precedence(void **state)
{
	(void)state;
	for_every_place(visit_precedence, NULL);
}

/* --- the table
 * -------------------------------------------------------------------------------------- */

static void test_table_is_well_formed(void **state)
{
	size_t count;
	const struct lifecycle_rule *rules = lifecycle_rules(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		print_message("%-9s -> %-9s %s\n", proposal_state_name(rules[i].from),
		              proposal_state_name(rules[i].to), rules[i].why);
		assert_false(lifecycle_is_terminal(rules[i].from));
		assert_int_not_equal(rules[i].from, rules[i].to);
		assert_int_not_equal(rules[i].models, 0);
		if (rules[i].to < rules[i].from)
			assert_non_null(strstr(rules[i].why, "reorganisation"));
		for (size_t k = 0; k < i; k++)
			assert_false(rules[k].from == rules[i].from && rules[k].to == rules[i].to);
	}
}

static void assert_way(enum model model, const enum proposal_state *way, size_t count)
{
	bool on_way[STATE_EXPIRED + 1] = {false};

	for (size_t i = 0; i < count; i++)
		on_way[way[i]] = true;
	for (size_t i = 0; i + 1 < count; i++)
		assert_true(lifecycle_allows(model, way[i], way[i + 1]));
	for (int to = STATE_DRAFTED; to <= STATE_CONFIRMED; to++) {
		for (int from = STATE_DRAFTED; from <= STATE_EXPIRED; from++) {
			if (!on_way[to])
				assert_false(lifecycle_allows(model, (enum proposal_state)from,
				                              (enum proposal_state)to));
		}
	}
}

static void test_way_of_each_model(void **state)
{
	const enum proposal_state all[] = {1, 2, 3, 4, 5, 6}, safe[] = {1, 2, 5, 6},
	                          timelock[] = {1, 3, 4, 5, 6}, direct[] = {1, 5, 6};

	(void)state;
	assert_way(MODEL_SAFE_TIMELOCK, all, ARRAY_LEN(all));
	assert_way(MODEL_SAFE, safe, ARRAY_LEN(safe));
	assert_way(MODEL_DELAY, all, ARRAY_LEN(all));
	assert_way(MODEL_TIMELOCK, timelock, ARRAY_LEN(timelock));
	assert_way(MODEL_DIRECT, direct, ARRAY_LEN(direct));
}

/* --- named scenes, row by row of the table of states
 * ------------------------------------------------- */

static void expect(enum model model, enum proposal_state from, enum proposal_state to,
                   const char *reason_part, struct observation seen)
{
	struct transition next = lifecycle_next(model, from, &seen);

	assert_int_equal(next.moves ? next.to : from, to);
	if (reason_part != NULL)
		assert_non_null(strstr(next.reason, reason_part));
}

#define SEEN(...) ((struct observation){.chain_now = CHAIN_NOW, __VA_ARGS__})

static void test_production_way(void **state)
{
	const enum model model = MODEL_SAFE_TIMELOCK;

	(void)state;
	expect(model, STATE_DRAFTED, STATE_MULTISIG, "queue",
	       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_QUEUED,
	            .ever_posted = true));
	expect(model, STATE_MULTISIG, STATE_TIMELOCK, "ready at 1970-01-13",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = 1100000, .ever_posted = true,
	            .safe_tx = SAFE_SEEN_EXECUTED));
	expect(model, STATE_TIMELOCK, STATE_TIMELOCK, NULL,
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 1,
	            .ever_posted = true));
	expect(model, STATE_TIMELOCK, STATE_EXECUTE, "ready time",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW, .ever_posted = true));
	expect(model, STATE_EXECUTE, STATE_EXECUTED, "done",
	       SEEN(.operation = OPERATION_DONE, .ever_posted = true, .executed_latest = true));
	expect(model, STATE_EXECUTED, STATE_EXECUTED, NULL,
	       SEEN(.operation = OPERATION_DONE, .ever_posted = true, .executed_final = true));
	expect(model, STATE_EXECUTED, STATE_CONFIRMED, "as wanted",
	       SEEN(.operation = OPERATION_DONE, .ever_posted = true, .executed_final = true,
	            .checks_final = CHECKS_AS_WANTED));
}

static void test_without_service_the_chain_moves_it(void **state)
{
	(void)state;
	expect(MODEL_SAFE_TIMELOCK, STATE_DRAFTED, STATE_TIMELOCK, "first seen on chain",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 5));
	expect(MODEL_SAFE_TIMELOCK, STATE_DRAFTED, STATE_EXECUTED, "done",
	       SEEN(.operation = OPERATION_DONE));
	expect(MODEL_SAFE, STATE_DRAFTED, STATE_EXECUTED, "executed",
	       SEEN(.executed_latest = true));
	expect(MODEL_DIRECT, STATE_DRAFTED, STATE_EXECUTED, "executed",
	       SEEN(.executed_latest = true));
}

static void test_rejected_only_when_the_timelock_does_not_know_it(void **state)
{
	(void)state;
	for (int from = STATE_DRAFTED; from <= STATE_MULTISIG; from++) {
		expect(MODEL_SAFE_TIMELOCK, (enum proposal_state)from, STATE_REJECTED, "nonce",
		       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_REPLACED,
		            .ever_posted = true));
		expect(MODEL_SAFE_TIMELOCK, (enum proposal_state)from, STATE_TIMELOCK, NULL,
		       SEEN(.operation = OPERATION_PENDING, .safe_tx = SAFE_SEEN_REPLACED,
		            .ever_posted = true, .ready_at = CHAIN_NOW + 9));
		expect(MODEL_SAFE_TIMELOCK, (enum proposal_state)from, (enum proposal_state)from,
		       NULL,
		       SEEN(.operation = OPERATION_UNKNOWN, .safe_tx = SAFE_SEEN_REPLACED,
		            .ever_posted = true));
	}
	/* a nonce that was lost before the post is nobody's refusal */
	expect(MODEL_SAFE_TIMELOCK, STATE_DRAFTED, STATE_DRAFTED, NULL,
	       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_REPLACED));
	expect(MODEL_SAFE, STATE_MULTISIG, STATE_REJECTED, NULL,
	       SEEN(.safe_tx = SAFE_SEEN_REPLACED, .ever_posted = true));
}

static void test_cancelled_waits_for_finality(void **state)
{
	(void)state;
	for (int from = STATE_TIMELOCK; from <= STATE_EXECUTE; from++) {
		expect(MODEL_SAFE_TIMELOCK, (enum proposal_state)from, (enum proposal_state)from,
		       NULL,
		       SEEN(.operation = OPERATION_UNSET, .cancelled_latest = true,
		            .safe_tx = SAFE_SEEN_REPLACED, .ever_posted = true));
		expect(MODEL_SAFE_TIMELOCK, (enum proposal_state)from, STATE_CANCELLED, "cancelled",
		       SEEN(.operation = OPERATION_UNSET, .cancelled_latest = true,
		            .cancelled_final = true, .safe_tx = SAFE_SEEN_EXECUTED,
		            .ever_posted = true));
	}
	/* scheduled again after it was cancelled: an operation id is not unique over time */
	expect(MODEL_SAFE_TIMELOCK, STATE_TIMELOCK, STATE_TIMELOCK, NULL,
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 9,
	            .cancelled_final = true, .ever_posted = true));
	expect(MODEL_TIMELOCK, STATE_TIMELOCK, STATE_CANCELLED, "cancelled",
	       SEEN(.operation = OPERATION_UNSET, .cancelled_final = true));
}

/* The queue of a Delay module: first in, first out, with an end for each. */
static void test_delay_module(void **state)
{
	const enum model model = MODEL_DELAY;

	(void)state;
	expect(model, STATE_MULTISIG, STATE_TIMELOCK, "ready at",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 9, .ever_posted = true,
	            .safe_tx = SAFE_SEEN_EXECUTED));
	expect(model, STATE_TIMELOCK, STATE_TIMELOCK, NULL,
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW - 9, .ever_posted = true,
	            .turn = TURN_OTHERS));
	expect(model, STATE_TIMELOCK, STATE_EXECUTE, "ready",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW, .ever_posted = true));
	/* It lapsed before anybody came: it may not run, but while it stands there a longer
	 * cooldown could bring it back. */
	expect(model, STATE_EXECUTE, STATE_TIMELOCK, "skipExpired",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW - 9, .ever_posted = true,
	            .turn = TURN_OVER));
	expect(model, STATE_TIMELOCK, STATE_TIMELOCK, NULL,
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW - 9, .ever_posted = true,
	            .turn = TURN_OVER));
	for (int from = STATE_MULTISIG; from <= STATE_EXECUTE; from++) {
		const struct observation passed =
		        SEEN(.operation = OPERATION_UNSET, .cancelled_latest = true,
		             .safe_tx = SAFE_SEEN_EXECUTED, .ever_posted = true);
		struct observation seen = passed;
		expect(model, (enum proposal_state)from, (enum proposal_state)from, NULL, seen);
		seen.cancelled_final = true;
		expect(model, (enum proposal_state)from, STATE_CANCELLED, "vetoed", seen);
		seen.turn = TURN_OVER;
		expect(model, (enum proposal_state)from, STATE_EXPIRED, "in the module", seen);
		/* What others brought about meanwhile counts more. */
		seen.checks_final = CHECKS_AS_WANTED;
		expect(model, (enum proposal_state)from, STATE_EXECUTED, "already in effect", seen);
	}
	/* No other model has turns. */
	expect(MODEL_SAFE_TIMELOCK, STATE_TIMELOCK, STATE_EXECUTE, NULL,
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW, .ever_posted = true,
	            .turn = TURN_OVER));
}

static void test_failed(void **state)
{
	(void)state;
	expect(MODEL_SAFE_TIMELOCK, STATE_MULTISIG, STATE_FAILED, "ExecutionFailure",
	       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_FAILED,
	            .ever_posted = true));
	expect(MODEL_SAFE_TIMELOCK, STATE_EXECUTED, STATE_FAILED, "contradicts",
	       SEEN(.operation = OPERATION_DONE, .executed_final = true, .ever_posted = true,
	            .checks_final = CHECKS_CONTRADICT));
	expect(MODEL_SAFE_TIMELOCK, STATE_EXECUTED, STATE_EXECUTED, NULL,
	       SEEN(.operation = OPERATION_DONE, .executed_final = false, .ever_posted = true,
	            .checks_final = CHECKS_CONTRADICT));
	expect(MODEL_SAFE_TIMELOCK, STATE_EXECUTED, STATE_CONFIRMED, "later call",
	       SEEN(.operation = OPERATION_DONE, .executed_final = true, .ever_posted = true,
	            .checks_final = CHECKS_CONTRADICT, .explained_later = true));
}

static void test_draft_withdrawn_or_expired(void **state)
{
	(void)state;
	for (int model = MODEL_SAFE_TIMELOCK; model <= MODEL_DIRECT; model++) {
		expect((enum model)model, STATE_DRAFTED, STATE_CANCELLED, "withdrawn",
		       SEEN(.operation = OPERATION_UNSET, .withdrawn = true));
		expect((enum model)model, STATE_DRAFTED, STATE_EXPIRED, "older",
		       SEEN(.operation = OPERATION_UNSET, .past_expiry = true));
		expect((enum model)model, STATE_DRAFTED, STATE_DRAFTED, NULL,
		       SEEN(.operation = OPERATION_UNSET, .past_expiry = true,
		            .ever_posted = true));
		if (model == MODEL_DIRECT) /* nobody but the owner can stop what is left of it */
			expect(MODEL_DIRECT, STATE_DRAFTED, STATE_CANCELLED, "some of its calls",
			       SEEN(.withdrawn = true, .ever_posted = true));
		else
			expect((enum model)model, STATE_DRAFTED, STATE_DRAFTED, NULL,
			       SEEN(.operation = OPERATION_UNSET, .withdrawn = true,
			            .ever_posted = true));
	}
	/* somebody used the file meanwhile: the chain decides, not the wish */
	expect(MODEL_SAFE_TIMELOCK, STATE_DRAFTED, STATE_TIMELOCK, NULL,
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 1, .withdrawn = true,
	            .past_expiry = true));
}

/* What was overtaken in the queue is a draft again, and not one that nobody ever saw. */
static void test_displaced(void **state)
{
	(void)state;
	expect(MODEL_SAFE_TIMELOCK, STATE_MULTISIG, STATE_DRAFTED, "drafted again",
	       SEEN(.operation = OPERATION_UNSET, .displaced = true));
	expect(MODEL_SAFE, STATE_MULTISIG, STATE_DRAFTED, "drafted again", SEEN(.displaced = true));
	expect(MODEL_SAFE_TIMELOCK, STATE_DRAFTED, STATE_DRAFTED, NULL,
	       SEEN(.operation = OPERATION_UNSET, .displaced = true, .past_expiry = true));
	expect(MODEL_SAFE_TIMELOCK, STATE_DRAFTED, STATE_CANCELLED, "withdrawn",
	       SEEN(.operation = OPERATION_UNSET, .displaced = true, .withdrawn = true));
	/* what withdrew it is told */
	expect(MODEL_SAFE_TIMELOCK, STATE_MULTISIG, STATE_REJECTED, "withdrawn",
	       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_REPLACED, .withdrawn = true,
	            .ever_posted = true));
	expect(MODEL_SAFE_TIMELOCK, STATE_TIMELOCK, STATE_CANCELLED, "withdrawn",
	       SEEN(.operation = OPERATION_UNSET, .cancelled_latest = true, .cancelled_final = true,
	            .withdrawn = true, .ever_posted = true));
}

static void test_already_in_effect(void **state)
{
	(void)state;
	for (int model = MODEL_SAFE_TIMELOCK; model <= MODEL_DIRECT; model++) {
		struct observation seen =
		        SEEN(.operation = OPERATION_UNSET, .checks_final = CHECKS_AS_WANTED);
		expect((enum model)model, STATE_DRAFTED, STATE_EXECUTED, "already in effect", seen);
		expect((enum model)model, STATE_EXECUTED, STATE_CONFIRMED, "already in effect",
		       seen);
	}
	/* what is posted can still run and is followed to its own end */
	expect(MODEL_SAFE_TIMELOCK, STATE_MULTISIG, STATE_MULTISIG, NULL,
	       SEEN(.operation = OPERATION_UNSET, .checks_final = CHECKS_AS_WANTED,
	            .safe_tx = SAFE_SEEN_QUEUED, .ever_posted = true));
	/* unless its own way is closed: then the check speaks before the Safe transaction does */
	expect(MODEL_SAFE_TIMELOCK, STATE_MULTISIG, STATE_EXECUTED, "already in effect",
	       SEEN(.operation = OPERATION_UNSET, .checks_final = CHECKS_AS_WANTED,
	            .safe_tx = SAFE_SEEN_REPLACED, .ever_posted = true));
}

static void test_reorganisations(void **state)
{
	const enum model model = MODEL_SAFE_TIMELOCK;

	(void)state;
	expect(model, STATE_EXECUTED, STATE_EXECUTE, "reorganisation",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW - 1,
	            .ever_posted = true));
	expect(model, STATE_EXECUTED, STATE_TIMELOCK, "reorganisation",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 1,
	            .ever_posted = true));
	expect(model, STATE_EXECUTED, STATE_MULTISIG, "reorganisation",
	       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_QUEUED,
	            .ever_posted = true));
	expect(model, STATE_EXECUTE, STATE_TIMELOCK, "reorganisation",
	       SEEN(.operation = OPERATION_PENDING, .ready_at = CHAIN_NOW + 1,
	            .ever_posted = true));
	expect(model, STATE_TIMELOCK, STATE_DRAFTED, "reorganisation",
	       SEEN(.operation = OPERATION_UNSET));
	expect(model, STATE_TIMELOCK, STATE_MULTISIG, "reorganisation",
	       SEEN(.operation = OPERATION_UNSET, .ever_posted = true));
	expect(model, STATE_TIMELOCK, STATE_TIMELOCK, NULL,
	       SEEN(.operation = OPERATION_UNSET, .safe_tx = SAFE_SEEN_EXECUTED,
	            .ever_posted = true));
	expect(MODEL_SAFE, STATE_EXECUTED, STATE_MULTISIG, "reorganisation",
	       SEEN(.safe_tx = SAFE_SEEN_QUEUED, .ever_posted = true));
	expect(MODEL_DIRECT, STATE_EXECUTED, STATE_DRAFTED, "reorganisation",
	       SEEN(.ever_posted = true));
}

static void test_silent_service_moves_nothing(void **state)
{
	(void)state;
	for (int from = STATE_DRAFTED; from <= STATE_MULTISIG; from++) {
		expect(MODEL_SAFE_TIMELOCK, (enum proposal_state)from, (enum proposal_state)from,
		       NULL, SEEN(.operation = OPERATION_UNSET, .ever_posted = true));
		expect(MODEL_SAFE, (enum proposal_state)from, (enum proposal_state)from, NULL,
		       SEEN(.ever_posted = true));
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(model_name(MODEL_SAFE_TIMELOCK), "safe+timelock");
	assert_string_equal(model_name(MODEL_DIRECT), "direct");
	assert_string_equal(proposal_state_name(STATE_EXPIRED), "expired");
	assert_string_equal(purpose_name(PURPOSE_EXECUTE), "execute");
	assert_string_equal(safe_tx_status_name(SAFE_TX_REPLACED), "replaced");
	/* stored for ever */
	assert_int_equal(STATE_EXPIRED, 10);
	assert_int_equal(MODEL_DIRECT, 5);
	assert_int_equal(PURPOSE_CANCEL, 5);
	assert_int_equal(SAFE_TX_WITHDRAWN, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_move_is_legal_and_every_rule_is_used),
	        cmocka_unit_test(test_comes_to_rest),
	        cmocka_unit_test(test_no_end_on_less_than_it_needs),
	        cmocka_unit_test(test_precedence),
	        cmocka_unit_test(test_table_is_well_formed),
	        cmocka_unit_test(test_way_of_each_model),
	        cmocka_unit_test(test_production_way),
	        cmocka_unit_test(test_without_service_the_chain_moves_it),
	        cmocka_unit_test(test_rejected_only_when_the_timelock_does_not_know_it),
	        cmocka_unit_test(test_cancelled_waits_for_finality),
	        cmocka_unit_test(test_delay_module),
	        cmocka_unit_test(test_failed),
	        cmocka_unit_test(test_draft_withdrawn_or_expired),
	        cmocka_unit_test(test_displaced),
	        cmocka_unit_test(test_already_in_effect),
	        cmocka_unit_test(test_reorganisations),
	        cmocka_unit_test(test_silent_service_moves_nothing),
	        cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
