/* Which nonce a Safe transaction takes, what else stands there, and whether one that lost its nonce
 * was refused or only overtaken. */
#include "daemon/govern/nonces.h"

#include "common/governance/events.h"
#include "common/governance/safe_tx.h"
#include "daemon/govern/displaced.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN STORE_FIXTURE_CHAIN

struct world {
	struct store_fixture *f;
	struct config_chain chain;
	struct config_target target;
	struct config config;
	struct govern_parts parts;
	struct lane *lane;
	struct address safe;
	struct queue_view view; /* what is in the queue */
	unsigned values, logs;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	store_fixture_setup((void **)&w->f);
	w->chain = (struct config_chain){.name = (char *)"base", .chain_id = CHAIN};
	w->safe = store_fixture_address(3);
	w->target = (struct config_target){
	        .name = (char *)"payments", .chain = &w->chain, .safe = w->safe};
	w->config = (struct config){.targets = &w->target, .target_count = 1};
	w->parts = (struct govern_parts){.store = w->f->store, .config = &w->config};
	w->lane = xcalloc(1, sizeof(*w->lane));
	w->lane->parts = &w->parts;
	w->lane->config = &w->chain;
	w->lane->troubles = troubles_new(w->f->store, CHAIN);
	w->view.safe = (struct safe_view){.safe = w->safe, .nonce = 5};
	w->view.items = xcalloc(8, sizeof(*w->view.items));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;

	free(w->view.items);
	lane_free(w->lane);
	free(w);
	return store_fixture_teardown(&fixture);
}

static struct proposal_id propose(struct world *w)
{
	unsigned n = ++w->values;

	return store_fixture_propose(w->f, ACTION_ADD, n, store_fixture_record(w->f, n));
}

static struct safe_tx tx_of(const struct world *w, uint64_t nonce, unsigned salt)
{
	uint8_t *data = arena_alloc(&w->f->arena, 4);

	memset(data, (int)salt, 4);
	return (struct safe_tx){.chain_id = CHAIN,
	                        .safe = w->safe,
	                        .to = store_fixture_address(4),
	                        .data = bytes_of(data, 4),
	                        .nonce = nonce};
}

static void enqueue(struct world *w, const struct safe_tx *tx)
{
	w->view.items[w->view.count++] =
	        (struct proposal_tx){.tx = *tx, .safe_tx_hash = safe_tx_hash(tx), .trusted = true};
}

/* A row of ours with this nonce, and in the queue unless it is drafted. */
static struct safe_tx_id add(struct world *w, struct proposal_id id, enum purpose purpose,
                             uint64_t nonce)
{
	struct safe_tx tx = tx_of(w, nonce, 16 * (unsigned)id.n + purpose);
	struct hash32 hash = safe_tx_hash(&tx);
	struct error error;

	store_begin(w->f->store);
	const struct safe_tx_row fresh = {
	        .proposal = id,
	        .purpose = purpose,
	        .safe = w->safe,
	        .to = tx.to,
	        .data = tx.data,
	};
	struct safe_tx_id row = store_safe_tx_add(w->f->store, &fresh);
	int rc = nonces_held(w->lane, &w->f->arena, &w->safe, nonce)
	                 ? store_safe_tx_compete(w->f->store, row, nonce, &hash, &error)
	                 : store_safe_tx_assign(w->f->store, row, nonce, &hash, &error);
	assert_int_equal(rc, 0);
	store_safe_tx_set_status(w->f->store, row, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->f->store);
	enqueue(w, &tx);
	return row;
}

static struct safe_tx_row row_of(struct world *w, struct safe_tx_id id)
{
	struct safe_tx_row row;

	assert_int_equal(store_safe_tx_get(w->f->store, &w->f->arena, id, &row), 0);
	return row;
}

static void set_status(struct world *w, struct safe_tx_id id, enum safe_tx_status status)
{
	store_begin(w->f->store);
	store_safe_tx_set_status(w->f->store, id, status, NULL, 0);
	store_commit(w->f->store);
}

static void assert_choice(struct world *w, struct proposal_id id, enum purpose purpose,
                          uint64_t nonce, bool competes)
{
	struct safe_tx_row row = {.proposal = id, .purpose = purpose, .safe = w->safe};
	struct proposal proposal;

	assert_int_equal(store_proposal_get(w->f->store, &w->f->arena, id, &proposal), 0);
	struct nonce_choice choice =
	        nonces_choose(&w->view, w->lane, &w->f->arena, &row, &proposal);
	assert_int_equal(choice.nonce, nonce);
	assert_int_equal(choice.competes, competes);
}

static void hurry(struct world *w, struct proposal_id id)
{
	store_begin(w->f->store);
	store_proposal_set_urgent(w->f->store, id);
	store_commit(w->f->store);
}

/* --- choosing ---------------------------------------------------------------------------------
 */

static void test_the_lowest_free_one(void **state)
{
	struct world *w = *state;
	struct proposal_id id = propose(w);
	struct safe_tx foreign = tx_of(w, 6, 99);

	assert_choice(w, id, PURPOSE_SCHEDULE, 5, false);
	add(w, propose(w), PURPOSE_SCHEDULE, 5);
	enqueue(w, &foreign);
	assert_choice(w, id, PURPOSE_SCHEDULE, 7, false);
}

static void test_what_is_urgent_takes_the_lowest_whoever_holds_it(void **state)
{
	struct world *w = *state;
	struct proposal_id first = propose(w), second = propose(w);
	struct safe_tx foreign = tx_of(w, 6, 99);

	hurry(w, first);
	hurry(w, second);
	assert_choice(w, first, PURPOSE_SCHEDULE, 5, false); /* nothing to displace */
	add(w, propose(w), PURPOSE_SCHEDULE, 5);
	enqueue(w, &foreign);
	assert_choice(w, first, PURPOSE_SCHEDULE, 5, true);
	add(w, first, PURPOSE_SCHEDULE, 5);
	/* Two that are urgent do not displace each other. */
	assert_choice(w, second, PURPOSE_SCHEDULE, 6, true);
	assert_int_equal(nonces_urgent(w->lane, &w->f->arena, &w->safe, 5), 6);
}

static void test_a_cancellation_takes_the_place_of_the_execution(void **state)
{
	struct world *w = *state;
	struct proposal_id id = propose(w), other = propose(w);

	add(w, other, PURPOSE_SCHEDULE, 5);
	add(w, id, PURPOSE_EXECUTE, 6);
	assert_choice(w, id, PURPOSE_CANCEL, 6, true);
	assert_choice(w, other, PURPOSE_CANCEL, 7, false); /* it has no execution */
}

static void test_what_we_withdrew_holds_nothing(void **state)
{
	struct world *w = *state;
	struct proposal_id id = propose(w);
	struct safe_tx_id dead = add(w, propose(w), PURPOSE_CANCEL, 5);
	struct safe_tx foreign = tx_of(w, 6, 99);

	enqueue(w, &foreign);
	set_status(w, dead, SAFE_TX_WITHDRAWN);
	nonces_drop_dead(&w->view, w->lane, &w->f->arena);
	assert_int_equal(w->view.count, 1);
	assert_choice(w, id, PURPOSE_SCHEDULE, 5, false);
}

static void test_a_nonce_is_lost_to_others_but_not_when_it_is_shared(void **state)
{
	struct world *w = *state;
	struct safe_tx_row row = row_of(w, add(w, propose(w), PURPOSE_SCHEDULE, 5));
	struct safe_tx rival = tx_of(w, 5, 99);

	assert_false(nonces_lost(&w->view, &row));
	enqueue(w, &rival);
	assert_true(nonces_lost(&w->view, &row));
	row.shares = true;
	assert_false(nonces_lost(&w->view, &row));
	w->view.safe.nonce = 6;
	assert_true(nonces_lost(&w->view, &row));
}

static void test_other_attempts_of_the_same_are_no_rivals(void **state)
{
	struct world *w = *state;
	struct proposal_id id = propose(w);
	struct safe_tx_row row = {.proposal = id, .purpose = PURPOSE_SCHEDULE};

	add(w, id, PURPOSE_SCHEDULE, 5);
	add(w, propose(w), PURPOSE_SCHEDULE, 6);
	struct queue_view others = nonces_without(&w->view, w->lane, &w->f->arena, &row);
	assert_int_equal(others.count, 1);
	assert_int_equal(others.items[0].tx.nonce, 6);
}

static void test_whose_it_is(void **state)
{
	struct world *w = *state;
	struct safe_tx foreign = tx_of(w, 6, 99);
	struct proposal_id whose;

	add(w, propose(w), PURPOSE_SCHEDULE, 5);
	enqueue(w, &foreign);
	assert_non_null(
	        strstr(nonces_whose(w->lane, &w->f->arena, &w->view.items[0], &whose), " of p1"));
	assert_int_equal(whose.n, 1);
	assert_non_null(
	        strstr(nonces_whose(w->lane, &w->f->arena, &w->view.items[1], &whose), "not ours"));
	assert_int_equal(whose.n, 0);
}

/* --- overtaken --------------------------------------------------------------------------------
 */

static bool overtaken(struct world *w, struct safe_tx_id id)
{
	struct safe_tx_row row = row_of(w, id);

	return displaced_only(w->f->store, &w->f->arena, &row);
}

static void safe_executed(struct world *w, const struct hash32 *hash)
{
	struct seen_log log = {.block_number = 100,
	                       .block_hash = {{1}},
	                       .log_index = w->logs++,
	                       .address = w->safe,
	                       .topic0 = *event_topic0(EVENT_SAFE_SUCCESS),
	                       .key = *hash};

	store_begin(w->f->store);
	assert_true(store_log_put(w->f->store, CHAIN, &log));
	store_commit(w->f->store);
}

static void test_what_others_executed_instead_is_a_refusal(void **state)
{
	struct world *w = *state;
	struct safe_tx_id lost = add(w, propose(w), PURPOSE_SCHEDULE, 5);
	struct hash32 foreign = {{9}};

	safe_executed(w, &foreign);
	assert_false(overtaken(w, lost));
}

static void test_what_ours_displaced_is_not_refused(void **state)
{
	struct world *w = *state;
	struct safe_tx_id lost = add(w, propose(w), PURPOSE_SCHEDULE, 5);
	struct safe_tx_id urgent = add(w, propose(w), PURPOSE_SCHEDULE, 5);

	assert_true(row_of(w, urgent).shares);
	assert_false(overtaken(w, lost)); /* nothing ran yet */
	set_status(w, urgent, SAFE_TX_EXECUTED);
	assert_true(overtaken(w, lost));
	set_status(w, urgent, SAFE_TX_FAILED); /* the nonce is spent all the same */
	assert_true(overtaken(w, lost));
}

static void test_what_competed_and_lost_is_refused_by_its_rejection_alone(void **state)
{
	struct world *w = *state;
	struct hash32 foreign = {{9}};
	struct safe_tx rejection = safe_tx_rejection(CHAIN, &w->safe, 5);

	add(w, propose(w), PURPOSE_SCHEDULE, 5);
	struct safe_tx_id urgent = add(w, propose(w), PURPOSE_SCHEDULE, 5);
	safe_executed(w, &foreign);
	assert_true(overtaken(w, urgent));
	struct hash32 hash = safe_tx_hash(&rejection);
	safe_executed(w, &hash);
	assert_false(overtaken(w, urgent));
}

static void test_a_hole_is_told_until_it_is_gone(void **state)
{
	struct world *w = *state;
	struct safe_tx above = tx_of(w, 7, 1), first = tx_of(w, 5, 2), filling = tx_of(w, 6, 3);

	nonces_alarm_hole(&w->view, w->lane, &w->f->arena, "payments");
	assert_false(lane_alarmed(w->lane, ALARM_NONCE_HOLE, "payments"));
	enqueue(w, &above);
	enqueue(w, &first);
	nonces_alarm_hole(&w->view, w->lane, &w->f->arena, "payments");
	assert_true(lane_alarmed(w->lane, ALARM_NONCE_HOLE, "payments"));
	assert_non_null(
	        strstr(store_fixture_last_event(w->f), "nothing holds nonce 6 of the Safe"));
	nonces_queue_seen(&w->view, w->lane);
	assert_true(lane_alarmed(w->lane, ALARM_NONCE_HOLE, "payments"));
	/* Another Safe's queue says nothing about it. */
	struct queue_view other = {.safe = {.safe = store_fixture_address(9), .nonce = 5}};
	nonces_queue_seen(&other, w->lane);
	assert_true(lane_alarmed(w->lane, ALARM_NONCE_HOLE, "payments"));
	enqueue(w, &filling);
	nonces_queue_seen(&w->view, w->lane);
	assert_false(lane_alarmed(w->lane, ALARM_NONCE_HOLE, "payments"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_the_lowest_free_one),
	        TEST(test_what_is_urgent_takes_the_lowest_whoever_holds_it),
	        TEST(test_a_cancellation_takes_the_place_of_the_execution),
	        TEST(test_what_we_withdrew_holds_nothing),
	        TEST(test_a_nonce_is_lost_to_others_but_not_when_it_is_shared),
	        TEST(test_other_attempts_of_the_same_are_no_rivals),
	        TEST(test_whose_it_is),
	        TEST(test_a_hole_is_told_until_it_is_gone),
	        TEST(test_what_others_executed_instead_is_a_refusal),
	        TEST(test_what_ours_displaced_is_not_refused),
	        TEST(test_what_competed_and_lost_is_refused_by_its_rejection_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
