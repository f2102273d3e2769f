/* Safe transactions and the nonces they hold; transactions of the executor key. */
#include "tests/unit/death.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN STORE_FIXTURE_CHAIN

static struct proposal_id some_proposal(struct store_fixture *f, unsigned n)
{
	return store_fixture_propose(f, ACTION_ADD, n, store_fixture_record(f, n));
}

static struct safe_tx_id add(struct store_fixture *f, struct proposal_id proposal,
                             enum purpose purpose)
{
	struct address safe = store_fixture_address(3), to = store_fixture_address(4);

	store_begin(f->store);
	const struct safe_tx_row fresh = {
	        .proposal = proposal,
	        .purpose = purpose,
	        .safe = safe,
	        .to = to,
	        .data = bytes_of("\x01\x02\x03\x04", 4),
	        .operation = 1,
	};
	struct safe_tx_id id = store_safe_tx_add(f->store, &fresh);
	store_commit(f->store);
	return id;
}

static int assign(struct store_fixture *f, struct safe_tx_id id, uint64_t nonce)
{
	struct hash32 hash = store_fixture_hash((unsigned)nonce + 500);

	store_begin(f->store);
	int rc = store_safe_tx_assign(f->store, id, nonce, &hash, &f->error);
	store_commit(f->store);
	return rc;
}

static void set_status(struct store_fixture *f, struct safe_tx_id id, enum safe_tx_status status,
                       const struct hash32 *tx, uint64_t block)
{
	store_begin(f->store);
	store_safe_tx_set_status(f->store, id, status, tx, block);
	store_commit(f->store);
}

static struct safe_tx_row get(struct store_fixture *f, struct proposal_id proposal, size_t index)
{
	struct safe_tx_list list;

	store_safe_tx_list(f->store, &f->arena, proposal, &list);
	assert_true(index < list.count);
	return list.items[index];
}

static void one_is_found_by_its_hash(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id id = add(f, p, PURPOSE_SCHEDULE);
	struct hash32 hash = store_fixture_hash(507);
	struct address safe = store_fixture_address(3), other = store_fixture_address(5);
	struct safe_tx_row row;

	assert_int_equal(store_safe_tx_find(f->store, &f->arena, CHAIN, &safe, &hash, &row),
	                 ERR_NOT_FOUND);
	assert_int_equal(assign(f, id, 7), 0);
	set_status(f, id, SAFE_TX_REPLACED, NULL, 0);
	assert_int_equal(store_safe_tx_find(f->store, &f->arena, CHAIN, &safe, &hash, &row), 0);
	assert_int_equal(row.id.n, id.n);
	assert_int_equal(row.nonce, 7);
	assert_int_equal(store_safe_tx_find(f->store, &f->arena, CHAIN, &other, &hash, &row),
	                 ERR_NOT_FOUND);
	assert_int_equal(store_safe_tx_find(f->store, &f->arena, CHAIN + 1, &safe, &hash, &row),
	                 ERR_NOT_FOUND);
}

static void a_draft_has_no_nonce(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id id = add(f, p, PURPOSE_SCHEDULE);
	struct safe_tx_row row = get(f, p, 0);
	struct address safe = store_fixture_address(3), to = store_fixture_address(4);

	assert_int_equal(row.id.n, id.n);
	assert_int_equal(row.proposal.n, p.n);
	assert_int_equal(row.purpose, PURPOSE_SCHEDULE);
	assert_int_equal(row.attempt, 1);
	assert_int_equal(row.chain_id, CHAIN);
	assert_true(address_equal(&row.safe, &safe));
	assert_true(address_equal(&row.to, &to));
	assert_true(bytes_equal(row.data, bytes_of("\x01\x02\x03\x04", 4)));
	assert_int_equal(row.operation, 1);
	assert_false(row.has_nonce);
	assert_int_equal(row.status, SAFE_TX_DRAFTED);
	assert_false(row.has_tx);
	assert_int_equal(row.posted_at.ms, 0);
	struct safe_tx_list none;
	store_safe_tx_list(f->store, &f->arena, (struct proposal_id){99}, &none);
	assert_int_equal(none.count, 0);
}

static void attempts_count_per_purpose(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1), q = some_proposal(f, 2);

	add(f, p, PURPOSE_SCHEDULE);
	add(f, p, PURPOSE_EXECUTE);
	add(f, p, PURPOSE_EXECUTE);
	add(f, p, PURPOSE_SCHEDULE);
	add(f, q, PURPOSE_EXECUTE);
	assert_int_equal(get(f, p, 0).attempt, 1);
	assert_int_equal(get(f, p, 1).attempt, 1);
	assert_int_equal(get(f, p, 2).attempt, 2);
	assert_int_equal(get(f, p, 3).attempt, 2);
	assert_int_equal(get(f, q, 0).attempt, 1);
}

static void a_nonce_is_stored_before_the_post(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id id = add(f, p, PURPOSE_SCHEDULE);
	struct hash32 hash = store_fixture_hash(503);

	store_fixture_pass(f, 1000);
	assert_int_equal(assign(f, id, 3), 0);
	store_fixture_reopen(f);
	struct safe_tx_row row = get(f, p, 0);
	assert_true(row.has_nonce);
	assert_int_equal(row.nonce, 3);
	assert_true(hash32_equal(&row.safe_tx_hash, &hash));
	assert_int_equal(row.status, SAFE_TX_POSTING);
	assert_int_equal(row.posted_at.ms, f->now);

	assert_int_equal(assign(f, id, 4), ERR_CONFLICT);
	assert_string_equal(f->error.text,
	                    "the schedule transaction 1 of p1 is posting, not drafted");
	assert_int_equal(get(f, p, 0).nonce, 3);

	store_begin(f->store);
	store_safe_tx_unassign(f->store, id);
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f),
	                    "safe-tx p1: schedule 1: gives up nonce 3");
	row = get(f, p, 0);
	assert_false(row.has_nonce);
	assert_int_equal(row.status, SAFE_TX_DRAFTED);
	assert_int_equal(row.posted_at.ms, 0);
	assert_int_equal(assign(f, id, 4), 0);
}

static void one_nonce_one_live_transaction(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1), q = some_proposal(f, 2);
	struct safe_tx_id first = add(f, p, PURPOSE_SCHEDULE), second = add(f, q, PURPOSE_SCHEDULE);
	struct safe_tx_id reject = add(f, p, PURPOSE_REJECT), again = add(f, p, PURPOSE_REJECT);

	assert_int_equal(assign(f, first, 3), 0);
	assert_int_equal(assign(f, second, 3), ERR_CONFLICT);
	assert_string_equal(f->error.text, "another live transaction of this Safe holds nonce 3");
	assert_false(get(f, q, 0).has_nonce);
	assert_int_equal(assign(f, reject, 3), 0); /* that is what a rejection is */
	assert_int_equal(assign(f, again, 3), ERR_CONFLICT);
	set_status(f, first, SAFE_TX_QUEUED, NULL, 0);
	assert_int_equal(assign(f, second, 3), ERR_CONFLICT);
	set_status(f, first, SAFE_TX_REPLACED, NULL, 0);
	assert_int_equal(assign(f, second, 3), 0);
}

static void the_same_nonce_of_another_safe_is_free(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct address other = store_fixture_address(33);

	assert_int_equal(assign(f, add(f, p, PURPOSE_SCHEDULE), 3), 0);
	store_begin(f->store);
	const struct safe_tx_row fresh = {
	        .proposal = p,
	        .purpose = PURPOSE_EXECUTE,
	        .safe = other,
	        .to = other,
	        .data = bytes_of("", 0),
	};
	struct safe_tx_id id = store_safe_tx_add(f->store, &fresh);
	store_commit(f->store);
	assert_int_equal(assign(f, id, 3), 0);
	assert_int_equal(get(f, p, 1).data.len, 0);
}

static void nonces_are_those_of_live_ones(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct address safe = store_fixture_address(3), other = store_fixture_address(33);
	struct safe_tx_id ids[5];
	uint64_t *nonces;

	assert_int_equal(store_safe_nonces(f->store, &f->arena, CHAIN, &safe, &nonces), 0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		ids[i] = add(f, p, PURPOSE_EXECUTE);
		assert_int_equal(assign(f, ids[i], 20 - i), 0);
	}
	add(f, p, PURPOSE_EXECUTE); /* without a nonce */
	assert_int_equal(assign(f, add(f, p, PURPOSE_REJECT), 18), 0);
	set_status(f, ids[0], SAFE_TX_QUEUED, NULL, 0);
	set_status(f, ids[1], SAFE_TX_EXECUTED, NULL, 0);
	set_status(f, ids[3], SAFE_TX_FAILED, NULL, 0);
	assert_int_equal(store_safe_nonces(f->store, &f->arena, CHAIN, &safe, &nonces), 3);
	assert_int_equal(nonces[0], 16);
	assert_int_equal(nonces[1], 18);
	assert_int_equal(nonces[2], 20);
	assert_int_equal(store_safe_nonces(f->store, &f->arena, CHAIN + 1, &safe, &nonces), 0);
	assert_int_equal(store_safe_nonces(f->store, &f->arena, CHAIN, &other, &nonces), 0);
}

static void open_ones_are_listed_oldest_first(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1), q = some_proposal(f, 2);
	struct safe_tx_id first = add(f, p, PURPOSE_SCHEDULE), second = add(f, q, PURPOSE_SCHEDULE);
	struct safe_tx_id third = add(f, p, PURPOSE_EXECUTE);
	struct safe_tx_list list;

	assert_int_equal(assign(f, first, 1), 0);
	assert_int_equal(assign(f, second, 2), 0);
	set_status(f, first, SAFE_TX_QUEUED, NULL, 0);
	set_status(f, second, SAFE_TX_EXECUTED, NULL, 0);
	store_safe_tx_open(f->store, &f->arena, CHAIN, &list);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].id.n, first.n);
	assert_int_equal(list.items[1].id.n, third.n);
	store_safe_tx_open(f->store, &f->arena, CHAIN + 1, &list);
	assert_int_equal(list.count, 0);
}

static void status_carries_the_transaction(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id id = add(f, p, PURPOSE_SCHEDULE);
	struct hash32 tx = store_fixture_hash(9);

	assert_int_equal(assign(f, id, 1), 0);
	set_status(f, id, SAFE_TX_EXECUTED, &tx, 4711);
	assert_string_equal(store_fixture_last_event(f),
	                    "safe-tx p1: schedule 1: posting -> executed in "
	                    "0xab00000000000000000000000000000000000000000000000000000000000009");
	struct safe_tx_row row = get(f, p, 0);
	assert_true(row.has_tx);
	assert_true(hash32_equal(&row.tx, &tx));
	assert_int_equal(row.tx_block, 4711);
	set_status(f, id, SAFE_TX_QUEUED, NULL, 0); /* a reorganisation */
	row = get(f, p, 0);
	assert_false(row.has_tx);
	assert_int_equal(row.tx_block, 0);
}

static void confirmations_are_events_when_they_change(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id id = add(f, p, PURPOSE_SCHEDULE);

	store_begin(f->store);
	store_safe_tx_set_confirmations(f->store, id, 1, 2);
	store_commit(f->store);
	assert_string_equal(store_fixture_last_event(f),
	                    "safe-tx p1: schedule 1: 1 of 2 confirmations");
	assert_int_equal(get(f, p, 0).confirmations, 1);
	assert_int_equal(get(f, p, 0).threshold, 2);
	int64_t events = store_fixture_number(f, "SELECT count(*) FROM event");
	store_begin(f->store);
	store_safe_tx_set_confirmations(f->store, id, 1, 2);
	store_commit(f->store);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM event"), events);
}

static void an_end_withdraws_what_was_never_posted(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id posted = add(f, p, PURPOSE_SCHEDULE);

	add(f, p, PURPOSE_EXECUTE);
	assert_int_equal(assign(f, posted, 1), 0);
	set_status(f, posted, SAFE_TX_QUEUED, NULL, 0);
	store_fixture_move(f, p, STATE_DRAFTED, STATE_CANCELLED, "withdrawn");
	assert_int_equal(get(f, p, 0).status, SAFE_TX_QUEUED); /* owners can still execute it */
	assert_int_equal(get(f, p, 1).status, SAFE_TX_WITHDRAWN);
}

struct attempt {
	struct store_fixture *f;
	struct safe_tx_id id;
};

static void unassign_queued(void *arg)
{
	struct attempt *attempt = arg;

	store_begin(attempt->f->store);
	store_safe_tx_unassign(attempt->f->store, attempt->id);
}

static void revive(void *arg)
{
	struct attempt *attempt = arg;

	set_status(attempt->f, attempt->id, SAFE_TX_QUEUED, NULL, 0);
}

static void add_to_nothing(void *arg)
{
	add(arg, (struct proposal_id){99}, PURPOSE_SCHEDULE);
}

static void what_cannot_be_is_loud(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct attempt attempt = {f, add(f, p, PURPOSE_SCHEDULE)};
	struct safe_tx_id other = add(f, p, PURPOSE_SCHEDULE);

	assert_int_equal(assign(f, attempt.id, 1), 0);
	set_status(f, attempt.id, SAFE_TX_QUEUED, NULL, 0);
	death_expect(unassign_queued, &attempt, "is queued: its nonce cannot be taken back");
	death_expect(add_to_nothing, f, "p99, which does not exist");

	set_status(f, attempt.id, SAFE_TX_REPLACED, NULL, 0);
	assert_int_equal(assign(f, other, 1), 0);
	assert_non_null(strstr(death_stderr(&f->arena, revive, &attempt),
	                       "cannot be queued again: nonce 1 is taken"));
	assert_int_equal(get(f, p, 0).status, SAFE_TX_REPLACED);
}

static void what_is_left_in_a_queue(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct safe_tx_id id = add(f, p, PURPOSE_EXECUTE), rejection;
	struct safe_tx_list left;

	assert_int_equal(assign(f, id, 4), 0);
	store_safe_tx_left(f->store, &f->arena, CHAIN, &left);
	assert_int_equal(left.count, 0);
	store_begin(f->store);
	store_safe_tx_set_status(f->store, id, SAFE_TX_WITHDRAWN, NULL, 0);
	store_commit(f->store);
	store_safe_tx_left(f->store, &f->arena, CHAIN, &left);
	assert_int_equal(left.count, 1);
	assert_int_equal(left.items[0].id.n, id.n);
	store_safe_tx_left(f->store, &f->arena, CHAIN + 1, &left);
	assert_int_equal(left.count, 0);
	store_begin(f->store);
	store_safe_tx_set_gone(f->store, id);
	store_commit(f->store);
	store_safe_tx_left(f->store, &f->arena, CHAIN, &left);
	assert_int_equal(left.count, 0);
	/* Its rejection is left when the proposal is over, and no sooner. */
	rejection = add(f, p, PURPOSE_REJECT);
	assert_int_equal(assign(f, rejection, 4), 0);
	store_safe_tx_left(f->store, &f->arena, CHAIN, &left);
	assert_int_equal(left.count, 0);
	store_begin(f->store);
	const struct state_move move = {STATE_DRAFTED, STATE_CANCELLED, "over", NULL};
	assert_int_equal(store_proposal_move(f->store, p, &move, &f->error), 0);
	store_commit(f->store);
	store_safe_tx_left(f->store, &f->arena, CHAIN, &left);
	assert_int_equal(left.count, 1);
	assert_int_equal(left.items[0].purpose, PURPOSE_REJECT);
}

/* --- the executor's transactions --- */

static struct sent_tx some_sent(struct proposal_id proposal, unsigned nonce, unsigned attempt)
{
	return (struct sent_tx){.proposal = proposal,
	                        .purpose = PURPOSE_EXECUTE,
	                        .chain_id = CHAIN,
	                        .nonce = nonce,
	                        .from = store_fixture_address(5),
	                        .raw = bytes_of("\x02\xf8", 2),
	                        .tx_hash = store_fixture_hash(100 * nonce + attempt),
	                        .max_fee = u256_from(1000000007),
	                        .max_priority_fee = u256_from(1),
	                        .attempt = attempt};
}

static int64_t send(struct store_fixture *f, const struct sent_tx *tx)
{
	store_begin(f->store);
	int64_t id = store_sent_tx_add(f->store, tx);
	store_commit(f->store);
	return id;
}

static void sent_ones_are_kept_whole(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct sent_tx tx = some_sent(p, 7, 1);
	struct sent_tx_list list;
	int64_t id = send(f, &tx);

	assert_int_equal(send(f, &tx), id); /* the same bytes are the same transaction */
	store_fixture_reopen(f);
	store_sent_tx_list(f->store, &f->arena, p, &list);
	assert_int_equal(list.count, 1);
	const struct sent_tx *row = &list.items[0];
	assert_int_equal(row->id, id);
	assert_int_equal(row->proposal.n, p.n);
	assert_int_equal(row->purpose, PURPOSE_EXECUTE);
	assert_int_equal(row->chain_id, CHAIN);
	assert_int_equal(row->nonce, 7);
	assert_true(address_equal(&row->from, &tx.from));
	assert_true(bytes_equal(row->raw, tx.raw));
	assert_true(hash32_equal(&row->tx_hash, &tx.tx_hash));
	assert_int_equal(u256_compare(&row->max_fee, &tx.max_fee), 0);
	assert_int_equal(u256_compare(&row->max_priority_fee, &tx.max_priority_fee), 0);
	assert_int_equal(row->attempt, 1);
	assert_int_equal(row->status, SENT_STORED);
	assert_int_equal(row->sent_at.ms, f->now);
}

static void the_lowest_nonce_of_an_address_that_nothing_live_holds(void **state)
{
	struct store_fixture *f = *state;
	struct proposal_id p = some_proposal(f, 1);
	struct address from = store_fixture_address(5), other = store_fixture_address(6);
	struct sent_tx_list list;

	assert_int_equal(store_sent_nonce_free(f->store, CHAIN, &from, 3), 3);
	struct sent_tx first = some_sent(p, 7, 1), second = some_sent(p, 8, 1);
	struct sent_tx resent = some_sent(p, 8, 2), fourth = some_sent(p, 10, 1);
	int64_t first_id = send(f, &first);
	send(f, &second);
	send(f, &resent);
	send(f, &fourth);
	assert_int_equal(store_sent_nonce_free(f->store, CHAIN, &from, 6), 6);
	assert_int_equal(store_sent_nonce_free(f->store, CHAIN, &from, 7), 9);
	assert_int_equal(store_sent_nonce_free(f->store, CHAIN, &from, 10), 11);
	store_begin(f->store);
	store_sent_tx_set_status(f->store, first_id, SENT_REPLACED);
	store_commit(f->store);
	assert_int_equal(store_sent_nonce_free(f->store, CHAIN, &from, 7), 7);
	assert_int_equal(store_sent_nonce_free(f->store, CHAIN, &other, 7), 7);
	assert_int_equal(store_sent_nonce_free(f->store, CHAIN + 1, &from, 8), 8);

	store_sent_tx_of_nonce(f->store, &f->arena, CHAIN, &from, 8, &list);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[1].attempt, 2);
	store_sent_tx_of_nonce(f->store, &f->arena, CHAIN, &from, 7, &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].status, SENT_REPLACED);
	store_sent_tx_of_nonce(f->store, &f->arena, CHAIN, &other, 8, &list);
	assert_int_equal(list.count, 0);
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(one_is_found_by_its_hash),
	        WITH_STORE(a_draft_has_no_nonce),
	        WITH_STORE(attempts_count_per_purpose),
	        WITH_STORE(a_nonce_is_stored_before_the_post),
	        WITH_STORE(one_nonce_one_live_transaction),
	        WITH_STORE(the_same_nonce_of_another_safe_is_free),
	        WITH_STORE(nonces_are_those_of_live_ones),
	        WITH_STORE(open_ones_are_listed_oldest_first),
	        WITH_STORE(status_carries_the_transaction),
	        WITH_STORE(confirmations_are_events_when_they_change),
	        WITH_STORE(an_end_withdraws_what_was_never_posted),
	        WITH_STORE(what_cannot_be_is_loud),
	        WITH_STORE(what_is_left_in_a_queue),
	        WITH_STORE(sent_ones_are_kept_whole),
	        WITH_STORE(the_lowest_nonce_of_an_address_that_nothing_live_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
