/* What people take back: the intent of a measurement, what the end of a proposal then means for the
 * measurements it served, and the nonces that rejections and urgent transactions share. */
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN STORE_FIXTURE_CHAIN

static void take_back(struct store_fixture *f, struct measurement_id id, bool urgent)
{
	store_begin(f->store);
	store_measurement_revoke(f->store, id, urgent, "uid 1000");
	store_commit(f->store);
}

static void set_status(struct store_fixture *f, struct measurement_id id,
                       enum measurement_status status)
{
	store_begin(f->store);
	store_measurement_set_status(f->store, id, status, "as the test says");
	store_commit(f->store);
}

static void approve(struct store_fixture *f, struct measurement_id id)
{
	store_begin(f->store);
	store_measurement_approve(f->store, id, "uid 1000");
	store_commit(f->store);
}

static void withdraw(struct store_fixture *f, struct proposal_id id, bool redraft)
{
	store_begin(f->store);
	store_proposal_withdraw(f->store, id, redraft, "as the test says");
	store_commit(f->store);
}

static struct measurement now(struct store_fixture *f, struct measurement_id id)
{
	return store_fixture_measurement(f, id);
}

static struct proposal proposal(struct store_fixture *f, struct proposal_id id)
{
	struct proposal proposal;

	assert_int_equal(store_proposal_get(f->store, &f->arena, id, &proposal), 0);
	return proposal;
}

static size_t revoking(struct store_fixture *f)
{
	struct measurement_list list;

	store_measurement_revoking(f->store, &f->arena, "payments", &list);
	return list.count;
}

/* Two values in one proposal. */
static struct proposal_id propose_two(struct store_fixture *f, struct measurement_id ids[2])
{
	struct call calls[2];
	struct new_proposal new = {.target = "payments",
	                           .origin = "registrard",
	                           .chain_id = CHAIN,
	                           .model = MODEL_SAFE_TIMELOCK,
	                           .safe = store_fixture_address(3),
	                           .calls = calls,
	                           .call_count = 2};
	struct proposal_id id;

	for (unsigned i = 0; i < 2; i++) {
		ids[i] = store_fixture_record(f, i + 1);
		calls[i] = store_fixture_call(f, ACTION_ADD, i + 1);
	}
	store_begin(f->store);
	assert_int_equal(store_proposal_create(f->store, &new, &id, &f->error), 0);
	for (unsigned i = 0; i < 2; i++)
		store_call_serve(f->store, CHAIN, &calls[i].to, calls[i].data, ids[i]);
	store_commit(f->store);
	return id;
}

/* --- the intent -------------------------------------------------------------------------------
 */

static void revoking_keeps_what_is_true_and_asks_for_the_rest(void **state)
{
	struct store_fixture *f = *state;
	static const struct {
		enum measurement_status before, after;
		bool asked;
	} cases[] = {
	        {MEASUREMENT_NEW, MEASUREMENT_NEW, true},
	        {MEASUREMENT_HELD, MEASUREMENT_NEW, true},
	        {MEASUREMENT_AUTHORIZED, MEASUREMENT_AUTHORIZED, true},
	        {MEASUREMENT_REVOKED, MEASUREMENT_NEW, true},
	        {MEASUREMENT_REFUSED, MEASUREMENT_REFUSED, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct measurement_id id = store_fixture_record(f, i + 1);
		if (cases[i].before != MEASUREMENT_NEW)
			set_status(f, id, cases[i].before);
		take_back(f, id, false);
		store_fixture_reopen(f);
		assert_int_equal(now(f, id).status, cases[i].after);
		assert_int_equal(now(f, id).revoke_at.ms != 0, cases[i].asked);
		if (cases[i].asked) {
			assert_false(now(f, id).wanted);
			assert_string_equal(now(f, id).reason, "revoked by uid 1000");
		}
	}
	assert_int_equal(revoking(f), 4);
}

static void revoking_takes_an_approval_back_and_is_over_with_the_value(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	approve(f, id);
	take_back(f, id, true);
	assert_false(now(f, id).approved);
	assert_true(now(f, id).urgent);
	set_status(f, id, MEASUREMENT_REVOKED);
	assert_int_equal(now(f, id).revoke_at.ms, 0);
	assert_false(now(f, id).urgent);
	assert_false(now(f, id).wanted);
	assert_int_equal(revoking(f), 0);
}

static void a_second_word_can_only_make_it_more_urgent(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	take_back(f, id, false);
	int64_t first = now(f, id).revoke_at.ms;
	store_fixture_pass(f, 1000);
	take_back(f, id, true);
	store_fixture_pass(f, 1000);
	take_back(f, id, false);
	assert_int_equal(now(f, id).revoke_at.ms, first);
	assert_true(now(f, id).urgent);
}

static void an_approval_and_a_hold_end_it(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id a = store_fixture_record(f, 1), b = store_fixture_record(f, 2);

	take_back(f, a, true);
	take_back(f, b, true);
	approve(f, a);
	set_status(f, b, MEASUREMENT_HELD);
	assert_int_equal(revoking(f), 0);
	assert_true(now(f, a).wanted);
	assert_false(now(f, b).wanted);
	take_back(f, b, false);
	assert_int_equal(now(f, b).status, MEASUREMENT_NEW);
	assert_false(now(f, b).urgent);
	assert_int_equal(revoking(f), 1);
}

static void new_evidence_brings_nothing_back(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	take_back(f, id, false);
	set_status(f, id, MEASUREMENT_REVOKED);
	assert_int_equal(store_fixture_record(f, 1).n, id.n);
	assert_int_equal(now(f, id).status, MEASUREMENT_REVOKED);
	assert_false(now(f, id).wanted);
}

static void who_takes_whose_place_is_remembered(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);
	struct hash32 other = store_fixture_hash(2);

	assert_false(now(f, id).has_replaces);
	store_begin(f->store);
	store_measurement_set_replaces(f->store, id, &other);
	store_commit(f->store);
	assert_true(now(f, id).has_replaces);
	struct hash32 replaces = now(f, id).replaces;
	assert_true(hash32_equal(&replaces, &other));
}

/* --- the end of a proposal --------------------------------------------------------------------
 */

static void the_rest_of_a_batch_goes_on_as_approved_as_it_was(void **state)
{
	struct store_fixture *f = *state;
	static const enum proposal_state ends[] = {STATE_REJECTED, STATE_CANCELLED, STATE_FAILED};

	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		struct measurement_id ids[2];
		struct proposal_id id = propose_two(f, ids);
		approve(f, ids[1]);
		take_back(f, ids[0], false);
		assert_int_equal(now(f, ids[0]).status, MEASUREMENT_PROPOSED);
		withdraw(f, id, true);
		assert_int_equal(proposal(f, id).flags, FLAG_WITHDRAWING);
		assert_true(proposal(f, id).redraft);
		store_fixture_move(f, id, STATE_DRAFTED, ends[i], "the chain says so");
		assert_int_equal(now(f, ids[0]).status, MEASUREMENT_NEW);
		assert_false(now(f, ids[0]).wanted);
		assert_int_not_equal(now(f, ids[0]).revoke_at.ms, 0);
		assert_int_equal(now(f, ids[1]).status, MEASUREMENT_NEW);
		assert_true(now(f, ids[1]).approved);
		store_fixture_teardown(state);
		store_fixture_setup(state);
		f = *state;
	}
}

static void what_is_withdrawn_as_a_whole_is_held(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct proposal_id id = propose_two(f, ids);

	take_back(f, ids[0], false);
	withdraw(f, id, true);
	withdraw(f, id, false);
	withdraw(f, id, true); /* the word about the whole stays */
	assert_false(proposal(f, id).redraft);
	store_fixture_move(f, id, STATE_DRAFTED, STATE_CANCELLED, "withdrawn");
	assert_int_equal(now(f, ids[0]).status, MEASUREMENT_NEW); /* its absence is to be seen */
	assert_int_equal(now(f, ids[1]).status, MEASUREMENT_HELD);
}

static void what_lands_although_revoked_is_authorized_until_removed(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct proposal_id added = propose_two(f, ids);

	take_back(f, ids[0], false);
	withdraw(f, added, true);
	store_fixture_move(f, added, STATE_DRAFTED, STATE_EXECUTED, "it ran");
	struct proposal_id removed = store_fixture_propose(f, ACTION_REMOVE, 1, ids[0]);
	store_fixture_move(f, added, STATE_EXECUTED, STATE_CONFIRMED, "final");
	/* The removal is under way already. */
	assert_int_equal(now(f, ids[0]).status, MEASUREMENT_PROPOSED);
	assert_int_equal(now(f, ids[1]).status, MEASUREMENT_AUTHORIZED);
	store_fixture_pass(f, 1000);
	store_fixture_move(f, removed, STATE_DRAFTED, STATE_EXECUTED, "it ran");
	store_fixture_move(f, removed, STATE_EXECUTED, STATE_CONFIRMED, "final");
	assert_int_equal(now(f, ids[0]).status, MEASUREMENT_REVOKED);
	assert_int_equal(now(f, ids[0]).revoke_at.ms, 0);
	assert_int_equal(now(f, ids[1]).status, MEASUREMENT_AUTHORIZED);
}

static void a_removal_that_people_reject_is_held(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	set_status(f, id, MEASUREMENT_AUTHORIZED);
	take_back(f, id, true);
	struct proposal_id removed = store_fixture_propose(f, ACTION_REMOVE, 1, id);
	assert_int_equal(now(f, id).status, MEASUREMENT_PROPOSED);
	store_fixture_move(f, removed, STATE_DRAFTED, STATE_REJECTED, "people said no");
	assert_int_equal(now(f, id).status, MEASUREMENT_HELD);
	assert_false(now(f, id).wanted);
	assert_int_equal(revoking(f), 0);
}

static void a_removal_that_lands_although_approved_since_is_looked_at_again(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);

	set_status(f, id, MEASUREMENT_AUTHORIZED);
	take_back(f, id, false);
	struct proposal_id removed = store_fixture_propose(f, ACTION_REMOVE, 1, id);
	approve(f, id);
	store_fixture_move(f, removed, STATE_DRAFTED, STATE_EXECUTED, "it ran");
	store_fixture_move(f, removed, STATE_EXECUTED, STATE_CONFIRMED, "final");
	assert_int_equal(now(f, id).status, MEASUREMENT_NEW);
	assert_true(now(f, id).wanted);
	assert_true(now(f, id).approved);
}

static void who_carries_what_can_be_asked(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct proposal_id added = propose_two(f, ids), *out;

	assert_int_equal(store_measurement_carriers(f->store, &f->arena, ids[0], ACTION_ADD, &out),
	                 1);
	assert_int_equal(out[0].n, added.n);
	assert_int_equal(
	        store_measurement_carriers(f->store, &f->arena, ids[0], ACTION_REMOVE, &out), 0);
	store_fixture_move(f, added, STATE_DRAFTED, STATE_CANCELLED, "withdrawn");
	assert_int_equal(store_measurement_carriers(f->store, &f->arena, ids[0], ACTION_ADD, &out),
	                 0);
}

/* --- nonces that are shared -------------------------------------------------------------------
 */

static struct safe_tx_id add(struct store_fixture *f, struct proposal_id id, enum purpose purpose)
{
	static const uint8_t data[4] = {1, 2, 3, 4};
	struct address safe = store_fixture_address(3), to = store_fixture_address(4);

	store_begin(f->store);
	const struct safe_tx_row fresh = {
	        .proposal = id,
	        .purpose = purpose,
	        .safe = safe,
	        .to = to,
	        .data = bytes_of(data, 4),
	};
	struct safe_tx_id tx = store_safe_tx_add(f->store, &fresh);
	store_commit(f->store);
	return tx;
}

static int assign(struct store_fixture *f, struct safe_tx_id tx, uint64_t nonce, bool competes)
{
	struct hash32 hash = store_fixture_hash((unsigned)(100 + tx.n));

	store_begin(f->store);
	int rc = competes ? store_safe_tx_compete(f->store, tx, nonce, &hash, &f->error)
	                  : store_safe_tx_assign(f->store, tx, nonce, &hash, &f->error);
	store_commit(f->store);
	return rc;
}

static struct safe_tx_row row(struct store_fixture *f, struct safe_tx_id tx)
{
	struct safe_tx_row row;

	assert_int_equal(store_safe_tx_get(f->store, &f->arena, tx, &row), 0);
	return row;
}

static void a_rejection_keeps_its_nonce(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct proposal_id id = propose_two(f, ids);
	struct safe_tx_id schedule = add(f, id, PURPOSE_SCHEDULE);
	struct safe_tx_id reject = add(f, id, PURPOSE_REJECT);
	struct hash32 hash = store_fixture_hash((unsigned)(100 + reject.n));

	assert_int_equal(assign(f, schedule, 7, false), 0);
	store_begin(f->store);
	store_safe_tx_pin(f->store, reject, 7, &hash);
	store_commit(f->store);
	assert_int_equal(row(f, reject).status, SAFE_TX_DRAFTED);
	assert_true(row(f, reject).has_nonce);
	assert_int_equal(assign(f, reject, 7, false), 0);
	assert_int_equal(row(f, reject).status, SAFE_TX_POSTING);
	store_begin(f->store);
	store_safe_tx_unassign(f->store, reject);
	store_commit(f->store);
	store_fixture_reopen(f);
	assert_int_equal(row(f, reject).status, SAFE_TX_DRAFTED);
	assert_int_equal(row(f, reject).nonce, 7);
	struct hash32 kept = row(f, reject).safe_tx_hash;
	assert_true(hash32_equal(&kept, &hash));
}

static void what_is_urgent_shares_a_nonce_with_anything_but_its_like(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct proposal_id id = propose_two(f, ids);
	struct safe_tx_id first = add(f, id, PURPOSE_SCHEDULE);
	struct safe_tx_id urgent = add(f, id, PURPOSE_SCHEDULE);
	struct safe_tx_id other = add(f, id, PURPOSE_CANCEL);
	struct address safe = store_fixture_address(3);
	struct safe_tx_list at;
	uint64_t *nonces;

	assert_int_equal(assign(f, first, 7, false), 0);
	assert_int_equal(assign(f, urgent, 7, false), ERR_CONFLICT);
	assert_int_equal(assign(f, urgent, 7, true), 0);
	assert_true(row(f, urgent).shares);
	assert_int_equal(assign(f, other, 7, true), ERR_CONFLICT);
	assert_int_equal(assign(f, other, 8, true), 0);
	assert_int_equal(store_safe_nonces(f->store, &f->arena, CHAIN, &safe, &nonces), 2);
	assert_int_equal(store_safe_shared_nonces(f->store, &f->arena, CHAIN, &safe, &nonces), 2);
	assert_int_equal(nonces[0], 7);
	store_safe_tx_at_nonce(f->store, &f->arena, CHAIN, &safe, 7, &at);
	assert_int_equal(at.count, 2);
	assert_int_equal(at.items[1].id.n, urgent.n);
}

static void executions_and_cancellations_end_with_their_proposal(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct proposal_id id = propose_two(f, ids);
	struct safe_tx_id schedule = add(f, id, PURPOSE_SCHEDULE);
	struct safe_tx_id execute = add(f, id, PURPOSE_EXECUTE);
	struct safe_tx_id cancel = add(f, id, PURPOSE_CANCEL);

	assert_int_equal(assign(f, schedule, 7, false), 0);
	assert_int_equal(assign(f, execute, 8, false), 0);
	assert_int_equal(assign(f, cancel, 9, false), 0);
	store_begin(f->store);
	store_safe_tx_set_status(f->store, schedule, SAFE_TX_EXECUTED, NULL, 0);
	store_safe_tx_set_status(f->store, execute, SAFE_TX_QUEUED, NULL, 0);
	store_safe_tx_set_status(f->store, cancel, SAFE_TX_EXECUTED, NULL, 0);
	store_commit(f->store);
	store_fixture_move(f, id, STATE_DRAFTED, STATE_CANCELLED, "cancelled on chain");
	assert_int_equal(row(f, schedule).status, SAFE_TX_EXECUTED);
	assert_int_equal(row(f, execute).status, SAFE_TX_WITHDRAWN);
	assert_int_equal(row(f, cancel).status, SAFE_TX_EXECUTED);
}

static void what_the_service_shall_forget_is_remembered(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ids[2];
	struct safe_tx_id tx = add(f, propose_two(f, ids), PURPOSE_SCHEDULE);

	store_begin(f->store);
	store_safe_tx_set_deleted(f->store, tx);
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f),
	                    "safe-tx p1: schedule 1: the service forgot it; who has seen it can "
	                    "sign it all the same");
	store_fixture_reopen(f);
	assert_true(row(f, tx).deleted);
}

#define T(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(revoking_keeps_what_is_true_and_asks_for_the_rest),
	        T(revoking_takes_an_approval_back_and_is_over_with_the_value),
	        T(a_second_word_can_only_make_it_more_urgent),
	        T(an_approval_and_a_hold_end_it),
	        T(new_evidence_brings_nothing_back),
	        T(who_takes_whose_place_is_remembered),
	        T(the_rest_of_a_batch_goes_on_as_approved_as_it_was),
	        T(what_is_withdrawn_as_a_whole_is_held),
	        T(what_lands_although_revoked_is_authorized_until_removed),
	        T(a_removal_that_people_reject_is_held),
	        T(a_removal_that_lands_although_approved_since_is_looked_at_again),
	        T(who_carries_what_can_be_asked),
	        T(a_rejection_keeps_its_nonce),
	        T(what_is_urgent_shares_a_nonce_with_anything_but_its_like),
	        T(executions_and_cancellations_end_with_their_proposal),
	        T(what_the_service_shall_forget_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
