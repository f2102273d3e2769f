/* Proposals: creation, the one function that changes a state, and what an end does to calls and
 * measurements. */
#include "tests/unit/death.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN STORE_FIXTURE_CHAIN

static struct proposal get(struct store_fixture *f, struct proposal_id id)
{
	struct proposal proposal;

	assert_int_equal(store_proposal_get(f->store, &f->arena, id, &proposal), 0);
	return proposal;
}

static int create(struct store_fixture *f, const struct call *calls, size_t count,
                  struct proposal_id *out)
{
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "external",
	                                .chain_id = CHAIN,
	                                .model = MODEL_SAFE,
	                                .calls = calls,
	                                .call_count = count};

	store_begin(f->store);
	int rc = store_proposal_create(f->store, &proposal, out, &f->error);
	store_commit(f->store);
	return rc;
}

static void everything_given_is_read_back(void **state)
{
	struct store_fixture *f = *state;
	struct call calls[] = {store_fixture_call(f, ACTION_REMOVE, 1),
	                       store_fixture_call(f, ACTION_ADD, 2)};
	struct new_proposal given = {.target = "payments",
	                             .origin = "registrard",
	                             .chain_id = CHAIN,
	                             .model = MODEL_SAFE_TIMELOCK,
	                             .safe = store_fixture_address(3),
	                             .timelock = store_fixture_address(4),
	                             .salt = store_fixture_hash(5),
	                             .operation_id = store_fixture_hash(6),
	                             .attempt = UINT64_MAX,
	                             .delay = 86400,
	                             .drafted_after = 12345,
	                             .expires_at = {f->now + 1000},
	                             .calls = calls,
	                             .call_count = 2};
	struct proposal_id id;

	store_begin(f->store);
	assert_int_equal(store_proposal_create(f->store, &given, &id, &f->error), 0);
	store_proposal_set_ready_at(f->store, id, UINT64_MAX - 1);
	store_commit(f->store);
	store_fixture_reopen(f);
	struct proposal p = get(f, id);
	assert_int_equal(p.id.n, id.n);
	assert_string_equal(p.target, "payments");
	assert_string_equal(p.origin, "registrard");
	assert_int_equal(p.chain_id, CHAIN);
	assert_int_equal(p.model, MODEL_SAFE_TIMELOCK);
	assert_int_equal(p.state, STATE_DRAFTED);
	assert_int_equal(p.flags, 0);
	assert_true(address_equal(&p.safe, &given.safe));
	assert_true(address_equal(&p.timelock, &given.timelock));
	assert_true(hash32_equal(&p.salt, &given.salt));
	assert_true(hash32_equal(&p.operation_id, &given.operation_id));
	assert_true(p.attempt == UINT64_MAX);
	assert_int_equal(p.delay, 86400);
	assert_true(p.ready_at == UINT64_MAX - 1);
	assert_int_equal(p.drafted_after, 12345);
	assert_int_equal(p.created_at.ms, f->now);
	assert_int_equal(p.expires_at.ms, given.expires_at.ms);
	assert_int_equal(p.call_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(address_equal(&p.calls[i].to, &calls[i].to));
		assert_true(bytes_equal(p.calls[i].data, calls[i].data));
		assert_int_equal(p.calls[i].action, calls[i].action);
		assert_int_equal(p.calls[i].kind, KIND_OS_IMAGE);
		assert_true(hash32_equal(&p.calls[i].value, &calls[i].value));
	}
	struct history_list history;
	store_history_list(f->store, &f->arena, id, &history);
	assert_int_equal(history.count, 1);
	assert_int_equal(history.items[0].from, 0);
	assert_int_equal(history.items[0].to, STATE_DRAFTED);
	assert_string_equal(store_fixture_last_event(f),
	                    "proposal p1: drafted: 2 calls for payments");

	struct proposal none;
	assert_int_equal(store_proposal_get(f->store, &f->arena, (struct proposal_id){9}, &none),
	                 ERR_NOT_FOUND);
}

static void a_live_call_is_carried_once(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id first =
	        store_fixture_propose(f, ACTION_ADD, 1, store_fixture_record(f, 1));
	struct proposal_id id, live;
	struct call calls[] = {store_fixture_call(f, ACTION_ADD, 2),
	                       store_fixture_call(f, ACTION_ADD, 1)};

	assert_int_equal(store_call_live(f->store, CHAIN, &calls[1].to, calls[1].data, &live), 0);
	assert_int_equal(live.n, first.n);
	assert_int_equal(create(f, calls, 2, &id), ERR_CONFLICT);
	assert_non_null(strstr(f->error.text, "p1 already carries the call add os-image 0xab"));
	assert_int_equal(id.n, 0);
	/* nothing of the refused one is left */
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM proposal"), 1);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM call"), 1);
	assert_int_equal(store_call_live(f->store, CHAIN, &calls[0].to, calls[0].data, &live),
	                 ERR_NOT_FOUND);
	assert_int_equal(live.n, 0);

	calls[1] = calls[0];
	assert_int_equal(create(f, calls, 2, &id), ERR_CONFLICT);
	assert_non_null(strstr(f->error.text, "stands twice in it"));

	/* the same value elsewhere is another call */
	calls[0] = store_fixture_call(f, ACTION_ADD, 1);
	calls[0].to = store_fixture_address(77);
	calls[1] = store_fixture_call(f, ACTION_REMOVE, 1);
	assert_int_equal(create(f, calls, 2, &id), 0);
	assert_string_equal(store_fixture_last_event(f),
	                    "proposal p2: found outside: 2 calls for payments");
}

static void an_end_frees_the_calls(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);
	struct proposal_id first = store_fixture_propose(f, ACTION_ADD, 1, m);
	struct call call = store_fixture_call(f, ACTION_ADD, 1);
	struct proposal_id live;

	store_fixture_move(f, first, STATE_DRAFTED, STATE_MULTISIG, "posted");
	assert_int_equal(store_call_live(f->store, CHAIN, &call.to, call.data, &live), 0);
	store_fixture_move(f, first, STATE_MULTISIG, STATE_REJECTED, "nonce 3 was used");
	assert_int_equal(store_call_live(f->store, CHAIN, &call.to, call.data, &live),
	                 ERR_NOT_FOUND);
	struct proposal_id second = store_fixture_propose(f, ACTION_ADD, 1, m);
	assert_int_not_equal(second.n, first.n);

	struct proposal_id *both;
	assert_int_equal(store_measurement_proposals(f->store, &f->arena, m, &both), 2);
	assert_int_equal(both[0].n, first.n);
	assert_int_equal(both[1].n, second.n);
	assert_int_equal(
	        store_measurement_proposals(f->store, &f->arena, (struct measurement_id){9}, &both),
	        0);
}

static void a_move_is_one_row_one_history_row_one_event(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, store_fixture_record(f, 1));
	struct hash32 tx = store_fixture_hash(55);
	struct history_list history;

	store_fixture_pass(f, 60000);
	store_fixture_move(f, id, STATE_DRAFTED, STATE_MULTISIG, "posted to the service");
	assert_string_equal(store_fixture_last_event(f),
	                    "proposal p1: drafted -> multisig: posted to the service");
	store_begin(f->store);
	const struct state_move move = {STATE_MULTISIG, STATE_TIMELOCK, "scheduled", &tx};
	assert_int_equal(store_proposal_move(f->store, id, &move, &f->error), 0);
	store_commit(f->store);
	assert_int_equal(get(f, id).state, STATE_TIMELOCK);
	store_history_list(f->store, &f->arena, id, &history);
	assert_int_equal(history.count, 3);
	assert_int_equal(history.items[1].from, STATE_DRAFTED);
	assert_int_equal(history.items[1].to, STATE_MULTISIG);
	assert_string_equal(history.items[1].reason, "posted to the service");
	assert_int_equal(history.items[1].at.ms, STORE_FIXTURE_START + 60000);
	assert_false(history.items[1].has_tx);
	assert_true(history.items[2].has_tx);
	assert_true(hash32_equal(&history.items[2].tx, &tx));
}

/* Every (model, stored state, expected state, new state): exactly the table's transitions happen.
 */
static void only_the_table_moves(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, store_fixture_record(f, 1));
	unsigned moved = 0;

	for (int stored = STATE_DRAFTED; stored <= STATE_EXPIRED; stored++) {
		if (stored > STATE_DRAFTED) /* as a database that was edited would have it */
			store_fixture_sql(
			        f, arena_printf(&f->arena,
			                        "DROP TRIGGER proposal_terminal;"
			                        "UPDATE proposal SET state = %d;"
			                        "CREATE TRIGGER proposal_terminal BEFORE UPDATE OF"
			                        " state ON proposal WHEN OLD.state >= 6 BEGIN"
			                        " SELECT RAISE(ABORT, 'no'); END",
			                        stored));
		for (int from = STATE_DRAFTED; from <= STATE_EXPIRED; from++) {
			for (int to = STATE_DRAFTED; to <= STATE_EXPIRED; to++) {
				bool expected = from == stored &&
				                lifecycle_allows(MODEL_SAFE_TIMELOCK,
				                                 (enum proposal_state)from,
				                                 (enum proposal_state)to);
				const struct state_move move = {(enum proposal_state)from,
				                                (enum proposal_state)to, "because",
				                                NULL};
				store_begin(f->store);
				int rc = store_proposal_move(f->store, id, &move, &f->error);
				assert_int_equal(rc, expected ? 0 : ERR_CONFLICT);
				assert_int_equal(get(f, id).state, expected ? to : stored);
				moved += expected;
				store_rollback(f->store);
			}
		}
	}
	assert_true(moved >= 15);
	const struct state_move move = {STATE_DRAFTED, STATE_MULTISIG, "because", NULL};
	store_begin(f->store);
	assert_int_equal(store_proposal_move(f->store, (struct proposal_id){9}, &move, &f->error),
	                 ERR_NOT_FOUND);
	store_rollback(f->store);
}

static void a_refused_move_says_why(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, store_fixture_record(f, 1));
	const struct state_move from_elsewhere = {STATE_MULTISIG, STATE_TIMELOCK, "x", NULL};
	const struct state_move too_far = {STATE_DRAFTED, STATE_CONFIRMED, "x", NULL};

	store_begin(f->store);
	assert_int_equal(store_proposal_move(f->store, id, &from_elsewhere, &f->error),
	                 ERR_CONFLICT);
	assert_string_equal(f->error.text, "p1 is drafted, not multisig");
	assert_int_equal(store_proposal_move(f->store, id, &too_far, &f->error), ERR_CONFLICT);
	assert_string_equal(f->error.text,
	                    "p1 (safe+timelock) cannot go from drafted to confirmed");
	store_commit(f->store);
	struct history_list history;
	store_history_list(f->store, &f->arena, id, &history);
	assert_int_equal(history.count, 1);
}

static void confirm(struct store_fixture *f, struct proposal_id id)
{
	store_fixture_move(f, id, STATE_DRAFTED, STATE_EXECUTED, "executed");
	store_fixture_pass(f, 1000);
	store_fixture_move(f, id, STATE_EXECUTED, STATE_CONFIRMED, "every check says so");
}

static void confirmed_authorizes_and_revokes(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);

	confirm(f, store_fixture_propose(f, ACTION_ADD, 1, m));
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_AUTHORIZED);
	assert_true(store_fixture_measurement(f, m).wanted);
	assert_string_equal(store_fixture_measurement(f, m).reason,
	                    "p1 confirmed: every check says so");

	store_begin(f->store);
	store_measurement_set_wanted(f->store, m, false, "revoked by root");
	store_commit(f->store);
	struct proposal_id removal = store_fixture_propose(f, ACTION_REMOVE, 1, m);
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_PROPOSED);
	confirm(f, removal);
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_REVOKED);
	assert_false(store_fixture_measurement(f, m).wanted);

	/* and again, after a person said so */
	store_begin(f->store);
	store_measurement_approve(f->store, m, "root");
	store_commit(f->store);
	confirm(f, store_fixture_propose(f, ACTION_ADD, 1, m));
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_AUTHORIZED);
	assert_true(store_fixture_measurement(f, m).wanted);
}

static void what_was_undone_before_finality_stays_undone(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, m);

	store_fixture_move(f, id, STATE_DRAFTED, STATE_EXECUTED, "executed");
	store_fixture_pass(f, 1000);
	store_begin(f->store);
	store_measurement_set_status(f->store, m, MEASUREMENT_REVOKED, "removed on chain");
	store_commit(f->store);
	store_fixture_move(f, id, STATE_EXECUTED, STATE_CONFIRMED, "a later call changed it again");
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_REVOKED);

	/* but a removal before the execution does not hide it */
	struct measurement_id other = store_fixture_record(f, 2);
	id = store_fixture_propose(f, ACTION_ADD, 2, other);
	store_begin(f->store);
	store_measurement_set_status(f->store, other, MEASUREMENT_REVOKED, "removed on chain");
	store_commit(f->store);
	store_fixture_pass(f, 1000);
	confirm(f, id);
	assert_int_equal(store_fixture_measurement(f, other).status, MEASUREMENT_AUTHORIZED);
	assert_false(store_fixture_measurement(f, other).wanted);
}

static void every_bad_end_holds_the_measurements(void **state)
{
	struct store_fixture *f = *state;
	const enum proposal_state ends[] = {STATE_REJECTED, STATE_CANCELLED, STATE_FAILED,
	                                    STATE_EXPIRED};

	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		struct measurement_id m = store_fixture_record(f, i + 1);
		struct proposal_id id = store_fixture_propose(f, ACTION_ADD, i + 1, m);
		assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_PROPOSED);
		store_fixture_move(f, id, STATE_DRAFTED, ends[i], "the reason");
		struct measurement held = store_fixture_measurement(f, m);
		assert_int_equal(held.status, MEASUREMENT_HELD);
		assert_true(held.wanted);
		assert_string_equal(held.reason, arena_printf(&f->arena, "p%u %s: the reason",
		                                              i + 1, proposal_state_name(ends[i])));
		store_fixture_record(f, i + 1); /* a rescan */
		assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_HELD);
	}
}

static void a_bad_end_leaves_what_the_chain_said(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, m);

	store_begin(f->store);
	store_measurement_set_status(f->store, m, MEASUREMENT_AUTHORIZED, "already on chain");
	store_commit(f->store);
	store_fixture_move(f, id, STATE_DRAFTED, STATE_REJECTED, "the reason");
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_AUTHORIZED);
}

static void a_bad_end_leaves_what_another_proposal_carries(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);
	struct proposal_id add = store_fixture_propose(f, ACTION_ADD, 1, m);

	store_begin(f->store);
	store_measurement_set_wanted(f->store, m, false, "revoked by root");
	store_commit(f->store);
	struct proposal_id removal = store_fixture_propose(f, ACTION_REMOVE, 1, m);
	store_fixture_move(f, add, STATE_DRAFTED, STATE_REJECTED, "the reason");
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_PROPOSED);
	store_fixture_move(f, removal, STATE_DRAFTED, STATE_REJECTED, "the reason");
	assert_int_equal(store_fixture_measurement(f, m).status, MEASUREMENT_HELD);
	assert_false(store_fixture_measurement(f, m).wanted);
}

static void give_way(struct store_fixture *f, struct proposal_id id, int expected)
{
	store_begin(f->store);
	assert_int_equal(store_proposal_give_way(f->store, id, "others carry it", &f->error),
	                 expected);
	store_commit(f->store);
}

static struct measurement_id record_of_others(struct store_fixture *f, unsigned n)
{
	struct evidence evidence = {
	        .level = LEVEL_CLAIMED, .source = EVIDENCE_QUEUE, .artifact = "nonce 7"};
	struct hash32 value = store_fixture_hash(n);
	bool created;

	store_begin(f->store);
	struct measurement_id id = store_measurement_record(f->store, "payments", KIND_OS_IMAGE,
	                                                    &value, &evidence, &created);
	store_commit(f->store);
	return id;
}

static void what_gives_way_leaves_its_measurements_new(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id ours = store_fixture_record(f, 1), others = record_of_others(f, 2);
	struct proposal_id p = store_fixture_propose(f, ACTION_ADD, 1, ours);
	struct proposal_id q = store_fixture_propose(f, ACTION_ADD, 2, others);

	give_way(f, p, 0);
	give_way(f, q, 0);
	assert_int_equal(get(f, p).state, STATE_CANCELLED);
	assert_int_equal(store_fixture_measurement(f, ours).status, MEASUREMENT_NEW);
	/* but what nobody here has verified is not asked for by us */
	assert_int_equal(store_fixture_measurement(f, others).status, MEASUREMENT_HELD);
	give_way(f, p, ERR_CONFLICT);

	/* a removal that gives way leaves the value authorized, as it is on chain */
	store_begin(f->store);
	store_measurement_set_status(f->store, ours, MEASUREMENT_AUTHORIZED, "on chain");
	store_measurement_set_wanted(f->store, ours, false, "revoked by root");
	store_commit(f->store);
	p = store_fixture_propose(f, ACTION_REMOVE, 1, ours);
	assert_int_equal(store_fixture_measurement(f, ours).status, MEASUREMENT_PROPOSED);
	give_way(f, p, 0);
	assert_int_equal(store_fixture_measurement(f, ours).status, MEASUREMENT_AUTHORIZED);

	/* nothing else than a draft gives way */
	struct proposal_id r = store_fixture_propose(f, ACTION_ADD, 3, store_fixture_record(f, 3));
	store_fixture_move(f, r, STATE_DRAFTED, STATE_MULTISIG, "posted");
	give_way(f, r, ERR_CONFLICT);
	assert_int_equal(get(f, r).state, STATE_MULTISIG);
}

/* Somebody outside proposes what a person here held or revoked: linked, not lifted. */
static void serving_lifts_nothing(void **state)
{
	struct store_fixture *f = *state;
	const enum measurement_status statuses[] = {MEASUREMENT_HELD, MEASUREMENT_REVOKED,
	                                            MEASUREMENT_REFUSED};
	struct measurement_list served;

	for (unsigned i = 0; i < ARRAY_LEN(statuses); i++) {
		struct measurement_id m = store_fixture_record(f, i + 1);
		store_begin(f->store);
		store_measurement_set_status(f->store, m, statuses[i], "a person");
		store_commit(f->store);
		struct proposal_id id = store_fixture_propose(f, ACTION_ADD, i + 1, m);
		assert_int_equal(store_fixture_measurement(f, m).status, statuses[i]);
		assert_string_equal(store_fixture_measurement(f, m).reason, "a person");
		store_proposal_measurements(f->store, &f->arena, id, &served);
		assert_int_equal(served.count, 1);
		assert_int_equal(served.items[0].id.n, m.n);
	}
	struct measurement_id wanted = store_fixture_record(f, 9);
	store_fixture_propose(f, ACTION_REMOVE, 9, wanted); /* and a removal of what is wanted */
	assert_int_equal(store_fixture_measurement(f, wanted).status, MEASUREMENT_NEW);
}

static void one_call_serves_several_targets(void **state)
{
	struct store_fixture *f = *state;
	struct address kms = store_fixture_address(1);
	struct hash32 value = store_fixture_hash(1);
	struct evidence evidence = {.level = LEVEL_CLAIMED, .source = "cli", .artifact = ""};
	struct measurement_list served;
	struct measurement_id mine = store_fixture_record(f, 1);
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, mine);
	struct call call = store_fixture_call(f, ACTION_ADD, 1);
	bool created;

	store_begin(f->store);
	store_target_put(f->store, "other", CHAIN, &kms, NULL);
	struct measurement_id theirs = store_measurement_record(f->store, "other", KIND_OS_IMAGE,
	                                                        &value, &evidence, &created);
	store_call_serve(f->store, CHAIN, &call.to, call.data, theirs);
	store_call_serve(f->store, CHAIN, &call.to, call.data, theirs);
	store_commit(f->store);
	store_proposal_measurements(f->store, &f->arena, id, &served);
	assert_int_equal(served.count, 2);
	assert_string_equal(served.items[0].target, "payments");
	assert_string_equal(served.items[1].target, "other");
	confirm(f, id);
	assert_int_equal(store_fixture_measurement(f, mine).status, MEASUREMENT_AUTHORIZED);
	assert_int_equal(store_fixture_measurement(f, theirs).status, MEASUREMENT_AUTHORIZED);
}

static void what_is_pending(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);
	enum action action = ACTION_REMOVE;

	assert_int_equal(store_measurement_pending(f->store, m, &action), ERR_NOT_FOUND);
	assert_int_equal(action, 0);
	struct proposal_id add = store_fixture_propose(f, ACTION_ADD, 1, m);
	assert_int_equal(store_measurement_pending(f->store, m, &action), 0);
	assert_int_equal(action, ACTION_ADD);
	store_fixture_propose(f, ACTION_REMOVE, 1, m); /* the later word */
	assert_int_equal(store_measurement_pending(f->store, m, &action), 0);
	assert_int_equal(action, ACTION_REMOVE);
	store_fixture_move(f, add, STATE_DRAFTED, STATE_CANCELLED, "withdrawn");
	assert_int_equal(store_measurement_pending(f->store, m, &action), 0);
	assert_int_equal(action, ACTION_REMOVE);
}

static void lists_are_in_order_with_their_calls(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_list list;
	struct proposal_id id;
	struct call calls[3];

	for (unsigned i = 0; i < 20; i++) {
		size_t count = i % 4; /* some have no call at all */
		for (unsigned k = 0; k < count; k++)
			calls[k] = store_fixture_call(f, ACTION_ADD, 100 * i + k);
		assert_int_equal(create(f, calls, count, &id), 0);
		if (i % 5 == 0)
			store_fixture_move(f, id, STATE_DRAFTED, STATE_CANCELLED, "withdrawn");
	}
	store_proposal_list(f->store, &f->arena, PROPOSALS_ALL, 0, &list);
	assert_int_equal(list.count, 20);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(list.items[i].id.n, i + 1);
		assert_int_equal(list.items[i].call_count, i % 4);
		for (unsigned k = 0; k < i % 4; k++) {
			struct hash32 value = store_fixture_hash(100 * i + k);
			assert_true(hash32_equal(&list.items[i].calls[k].value, &value));
		}
	}
	store_proposal_list(f->store, &f->arena, PROPOSALS_LIVE, CHAIN, &list);
	assert_int_equal(list.count, 16);
	for (size_t i = 0; i < list.count; i++) {
		assert_false(lifecycle_is_terminal(list.items[i].state));
		assert_int_equal(list.items[i].call_count, (list.items[i].id.n - 1) % 4);
	}
	store_proposal_list(f->store, &f->arena, PROPOSALS_ALL, 1, &list);
	assert_int_equal(list.count, 0);
	store_proposal_list(f->store, &f->arena, PROPOSALS_LIVE, 1, &list);
	assert_int_equal(list.count, 0);
}

static void flags_are_kept_and_told(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id id = store_fixture_propose(f, ACTION_ADD, 1, store_fixture_record(f, 1));

	store_begin(f->store);
	store_proposal_set_flags(f->store, id, FLAG_OVERDUE | FLAG_WITHDRAWING,
	                         "root asked for it");
	store_commit(f->store);
	assert_int_equal(get(f, id).flags, FLAG_OVERDUE | FLAG_WITHDRAWING);
	assert_string_equal(store_fixture_last_event(f),
	                    "proposal p1: overdue and withdrawing: root asked for it");
	store_begin(f->store);
	store_proposal_set_flags(f->store, id, FLAG_WITHDRAWING, "still");
	store_proposal_set_flags(f->store, id, FLAG_WITHDRAWING, "not told twice");
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f), "proposal p1: withdrawing: still");
	store_begin(f->store);
	store_proposal_set_flags(f->store, id, 0, "signed after all");
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f),
	                    "proposal p1: no longer flagged: signed after all");
}

static void a_refused_creation_leaves_the_rest(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id m = store_fixture_record(f, 1);
	struct call call = store_fixture_call(f, ACTION_ADD, 1);
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = CHAIN,
	                                .model = MODEL_SAFE,
	                                .calls = &call,
	                                .call_count = 1};
	struct proposal_id first, second;

	store_begin(f->store);
	assert_int_equal(store_proposal_create(f->store, &proposal, &first, &f->error), 0);
	assert_int_equal(store_proposal_create(f->store, &proposal, &second, &f->error),
	                 ERR_CONFLICT);
	store_call_serve(f->store, CHAIN, &call.to, call.data, m);
	store_commit(f->store); /* the transaction goes on as if it had not been asked for */
	assert_int_equal(get(f, first).call_count, 1);
}

static void serve_without_call(void *arg)
{
	struct store_fixture *f = arg;
	struct call call = store_fixture_call(f, ACTION_ADD, 1);

	store_begin(f->store);
	store_call_serve(f->store, CHAIN, &call.to, call.data, (struct measurement_id){1});
}

static void create_outside(void *arg)
{
	struct store_fixture *f = arg;
	struct new_proposal proposal = {.target = "payments", .origin = "registrard"};
	struct proposal_id id;

	if (store_proposal_create(f->store, &proposal, &id, &f->error) != 0)
		die("not this way");
}

static void what_cannot_be_aborts(void **state)
{
	death_expect(serve_without_call, *state, "no live call serves m1");
	death_expect(create_outside, *state, "inside a transaction");
}

/* SQL says "state < 6" where C says lifecycle_is_terminal. */
static void terminal_is_the_same_in_sql(void **state)
{
	(void)state;
	for (int s = STATE_DRAFTED; s <= STATE_EXPIRED; s++)
		assert_int_equal(lifecycle_is_terminal((enum proposal_state)s), s >= 6);
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(everything_given_is_read_back),
	        WITH_STORE(a_live_call_is_carried_once),
	        WITH_STORE(an_end_frees_the_calls),
	        WITH_STORE(a_move_is_one_row_one_history_row_one_event),
	        WITH_STORE(only_the_table_moves),
	        WITH_STORE(a_refused_move_says_why),
	        WITH_STORE(confirmed_authorizes_and_revokes),
	        WITH_STORE(what_was_undone_before_finality_stays_undone),
	        WITH_STORE(every_bad_end_holds_the_measurements),
	        WITH_STORE(a_bad_end_leaves_what_the_chain_said),
	        WITH_STORE(a_bad_end_leaves_what_another_proposal_carries),
	        WITH_STORE(what_gives_way_leaves_its_measurements_new),
	        WITH_STORE(serving_lifts_nothing),
	        WITH_STORE(one_call_serves_several_targets),
	        WITH_STORE(what_is_pending),
	        WITH_STORE(lists_are_in_order_with_their_calls),
	        WITH_STORE(flags_are_kept_and_told),
	        WITH_STORE(a_refused_creation_leaves_the_rest),
	        WITH_STORE(what_cannot_be_aborts),
	        cmocka_unit_test(terminal_is_the_same_in_sql),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
