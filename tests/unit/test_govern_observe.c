/* From logs, reads and stored rows to what the rules of the lifecycle decide: with a real store,
 * and a chain that answers as the test says. */
#include "daemon/govern/observe.h"

#include "common/governance/events.h"
#include "common/governance/timelock.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { DRAFTED_AFTER = 1000, READY = 5000, DONE = 1 };

/* What the contracts answer at one block. */
struct answers {
	bool silent; /* the timelock does not answer */
	uint64_t timestamp, nonce;
	enum check_answer direct, mapping;
};

struct world {
	struct store_fixture *f;
	struct config_target target;
	struct observe_context context;
	struct answers head, final;
	bool safe_silent;
	struct proposal_id id;
	struct proposal proposal;
	struct observed seen;
	unsigned logs;
};

static const struct hash32 operation = {{0x0b}}, safe_hash = {{0x5a}};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	store_fixture_setup((void **)&w->f);
	w->target = (struct config_target){.name = (char *)"payments",
	                                   .model = MODEL_SAFE_TIMELOCK,
	                                   .kms = store_fixture_address(1),
	                                   .safe = store_fixture_address(3),
	                                   .timelock = store_fixture_address(4),
	                                   .has_safe = true,
	                                   .has_timelock = true};
	w->context = (struct observe_context){.store = w->f->store,
	                                      .arena = &w->f->arena,
	                                      .head = {.number = 1100, .timestamp = 4000},
	                                      .final = {.number = 1050},
	                                      .now = {STORE_FIXTURE_START}};
	w->head = w->final = (struct answers){.direct = CHECK_UNKNOWN, .mapping = CHECK_NO};

	struct measurement_id measurement = store_fixture_record(w->f, 1);
	struct call call = store_fixture_call(w->f, ACTION_ADD, 1);
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = STORE_FIXTURE_CHAIN,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = w->target.safe,
	                                .timelock = w->target.timelock,
	                                .operation_id = operation,
	                                .drafted_after = DRAFTED_AFTER,
	                                .expires_at = {STORE_FIXTURE_START + 1000},
	                                .calls = &call,
	                                .call_count = 1};
	store_begin(w->f->store);
	assert_int_equal(store_proposal_create(w->f->store, &proposal, &w->id, &w->f->error), 0);
	store_call_serve(w->f->store, STORE_FIXTURE_CHAIN, &call.to, call.data, measurement);
	store_commit(w->f->store);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;

	free(w);
	return store_fixture_teardown(&fixture);
}

/* --- the chain ----------------------------------------------------------------------------------
 */

static struct chain_read_result word(struct arena *arena, uint64_t value)
{
	uint8_t bytes[32] = {0};

	be64_put(bytes + 24, value);
	return (struct chain_read_result){true, arena_copy(arena, bytes_of(bytes, 32))};
}

static struct chain_read_result getter(struct arena *arena, enum check_answer answer)
{
	if (answer == CHECK_UNKNOWN)
		return (struct chain_read_result){.success = false};
	return word(arena, answer == CHECK_YES);
}

static struct chain_read_result answer_one(const struct world *w, const struct chain_read *read,
                                           const struct answers *answers)
{
	static const uint8_t get_timestamp[4] = {0xd4, 0x5c, 0x44, 0x35};
	struct arena *arena = &w->f->arena;
	const uint8_t *selector = read->data.data;

	if (memcmp(selector, get_timestamp, 4) == 0)
		return answers->silent ? (struct chain_read_result){.success = true}
		                       : word(arena, answers->timestamp);
	if (memcmp(selector, view_call(VIEW_SAFE_NONCE).data, 4) == 0)
		return word(arena, answers->nonce);
	if (memcmp(selector, is_authorized_selector, 4) == 0)
		return getter(arena, answers->direct);
	if (memcmp(selector, kind_getter_selector(KIND_OS_IMAGE), 4) == 0)
		return getter(arena, answers->mapping);
	fail_msg("an unexpected question");
	return (struct chain_read_result){0};
}

static struct chain_read_result *answer(const struct world *w, const struct reads *reads,
                                        const struct answers *answers)
{
	struct chain_read_result *results =
	        arena_array(&w->f->arena, reads->count, sizeof(*results));

	for (size_t i = 0; i < reads->count; i++)
		results[i] = answer_one(w, &reads->items[i], answers);
	return results;
}

static struct hash32 tx_of(unsigned n)
{
	return (struct hash32){{0x77, (uint8_t)n}};
}

/* A log whose transaction is tx_of(block), at the end of that block. */
static void happen(struct world *w, uint64_t block, const struct address *address,
                   const struct hash32 *topic0, const struct hash32 *key)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xbb, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .tx_hash = tx_of((unsigned)block),
	                       .log_index = w->logs++,
	                       .address = *address,
	                       .topic0 = *topic0,
	                       .key = *key};

	store_begin(w->f->store);
	assert_true(store_log_put(w->f->store, STORE_FIXTURE_CHAIN, &log));
	store_commit(w->f->store);
}

static void timelock_says(struct world *w, uint64_t block, enum event_type type)
{
	happen(w, block, &w->target.timelock, event_topic0(type), &operation);
}

static void safe_says(struct world *w, uint64_t block, enum event_type type)
{
	happen(w, block, &w->target.safe, event_topic0(type), &safe_hash);
}

static void registry_says(struct world *w, uint64_t block, enum action action)
{
	struct hash32 value = store_fixture_hash(1);

	happen(w, block, &w->target.kms, event_registry_topic0(KIND_OS_IMAGE, action), &value);
}

static void reorganise(struct world *w, uint64_t common)
{
	store_begin(w->f->store);
	store_chain_rewind(w->f->store, STORE_FIXTURE_CHAIN, common);
	store_commit(w->f->store);
}

/* --- rows ---------------------------------------------------------------------------------------
 */

static struct safe_tx_id add_row(struct world *w, enum purpose purpose)
{
	store_begin(w->f->store);
	const struct safe_tx_row fresh = {
	        .proposal = w->id,
	        .purpose = purpose,
	        .safe = w->target.safe,
	        .to = w->target.timelock,
	        .data = bytes_text("data"),
	};
	struct safe_tx_id id = store_safe_tx_add(w->f->store, &fresh);
	store_commit(w->f->store);
	return id;
}

static struct safe_tx_id add_posted(struct world *w, enum purpose purpose, uint64_t nonce)
{
	struct safe_tx_id id = add_row(w, purpose);

	store_begin(w->f->store);
	assert_int_equal(store_safe_tx_assign(w->f->store, id, nonce, &safe_hash, &w->f->error), 0);
	store_commit(w->f->store);
	return id;
}

static struct safe_tx_id add_queued(struct world *w, enum purpose purpose, uint64_t nonce)
{
	struct safe_tx_id id = add_posted(w, purpose, nonce);

	store_begin(w->f->store);
	store_safe_tx_set_status(w->f->store, id, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->f->store);
	return id;
}

static struct safe_tx_row row(struct world *w, struct safe_tx_id id)
{
	struct safe_tx_list list;

	store_safe_tx_list(w->f->store, &w->f->arena, w->id, &list);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].id.n == id.n)
			return list.items[i];
	fail_msg("no such row");
	return (struct safe_tx_row){0};
}

static void be_in(struct world *w, enum proposal_state state)
{
	static const enum proposal_state way[] = {STATE_DRAFTED, STATE_MULTISIG, STATE_TIMELOCK,
	                                          STATE_EXECUTE, STATE_EXECUTED};

	for (size_t i = 0; way[i] != state; i++)
		store_fixture_move(w->f, w->id, way[i], way[i + 1], "to begin with");
}

/* --- one look -----------------------------------------------------------------------------------
 */

static void look_at_final(struct world *w)
{
	struct reads reads = {.arena = &w->f->arena};

	observe_ask_final(&w->seen, &reads);
	store_begin(w->f->store);
	observe_final(&w->seen, &w->context, answer(w, &reads, &w->final));
	store_commit(w->f->store);
}

/* Everything the tracker does with one proposal; the state that follows, 0: it stays. */
static enum proposal_state look(struct world *w)
{
	struct reads reads = {.arena = &w->f->arena};
	struct safe_view safe = {.safe = w->target.safe, .nonce = w->head.nonce, .threshold = 2};

	assert_int_equal(store_proposal_get(w->f->store, &w->f->arena, w->id, &w->proposal), 0);
	w->seen = (struct observed){.proposal = &w->proposal, .target = &w->target};
	store_safe_tx_list(w->f->store, &w->f->arena, w->id, &w->seen.txs);
	observe_ask_head(&w->seen, &w->context, &reads);
	store_begin(w->f->store);
	observe_head(&w->seen, &w->context, answer(w, &reads, &w->head),
	             w->safe_silent ? NULL : &safe);
	store_commit(w->f->store);
	if (w->seen.wants_final)
		look_at_final(w);
	struct transition next =
	        lifecycle_next(w->proposal.model, w->proposal.state, &w->seen.seen);
	return next.moves ? next.to : 0;
}

static void assert_tx(const struct hash32 *tx, uint64_t block)
{
	struct hash32 wanted = tx_of((unsigned)block);

	assert_non_null(tx);
	assert_true(hash32_equal(tx, &wanted));
}

/* --- a draft ------------------------------------------------------------------------------------
 */

static void test_a_draft_of_which_nothing_is_seen_stays(void **state)
{
	struct world *w = *state;

	add_row(w, PURPOSE_SCHEDULE);
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNSET);
	assert_int_equal(w->seen.seen.safe_tx, SAFE_SEEN_NOTHING);
	assert_false(w->seen.seen.ever_posted);
	assert_false(w->seen.wants_final);
	assert_int_equal(w->seen.seen.chain_now, 4000);

	w->head.silent = true;
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNKNOWN);
}

static void test_a_draft_expires_or_is_withdrawn(void **state)
{
	struct world *w = *state;

	add_row(w, PURPOSE_SCHEDULE);
	w->context.head.timestamp = STORE_FIXTURE_START / 1000 + 1;
	w->context.now.ms += 999;
	assert_int_equal(look(w), 0);
	w->context.now.ms += 1;
	assert_int_equal(look(w), STATE_EXPIRED);
	/* A clock that jumped ahead, a chain that stands still: the time is not up. */
	w->context.now.ms += INT64_C(30) * 24 * 3600 * 1000;
	w->context.head.timestamp--;
	assert_int_equal(look(w), 0);
	w->context.head.timestamp++;
	w->context.now.ms = STORE_FIXTURE_START - INT64_C(24) * 3600 * 1000;
	assert_int_equal(look(w), 0);
	w->context.now.ms = STORE_FIXTURE_START + 999;

	store_begin(w->f->store);
	store_proposal_set_flags(w->f->store, w->id, FLAG_WITHDRAWING, "by the operator");
	store_commit(w->f->store);
	assert_int_equal(look(w), STATE_CANCELLED);
}

static void test_what_was_posted_neither_expires_nor_is_withdrawn(void **state)
{
	struct world *w = *state;

	add_posted(w, PURPOSE_SCHEDULE, 7);
	store_begin(w->f->store);
	store_proposal_set_flags(w->f->store, w->id, FLAG_WITHDRAWING, "by the operator");
	store_commit(w->f->store);
	w->context.now.ms += 100000;
	assert_int_equal(look(w), 0);
	assert_true(w->seen.seen.ever_posted);
}

static void test_in_effect_already(void **state)
{
	struct world *w = *state;

	add_row(w, PURPOSE_SCHEDULE);
	w->head.mapping = CHECK_YES;
	assert_int_equal(look(w), 0); /* not at finality yet */
	assert_true(w->seen.wants_final);
	w->final.mapping = CHECK_YES;
	assert_int_equal(look(w), STATE_EXECUTED);
}

/* --- the Safe -----------------------------------------------------------------------------------
 */

static void test_queued_then_scheduled_by_the_safe(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_queued(w, PURPOSE_SCHEDULE, 7);

	w->head.nonce = 7;
	assert_int_equal(look(w), STATE_MULTISIG);
	be_in(w, STATE_MULTISIG);
	assert_int_equal(look(w), 0);

	safe_says(w, 1090, EVENT_SAFE_SUCCESS);
	timelock_says(w, 1090, EVENT_CALL_SCHEDULED);
	w->head.timestamp = READY;
	w->head.nonce = 8;
	assert_int_equal(look(w), STATE_TIMELOCK);
	assert_int_equal(w->seen.seen.ready_at, READY);
	assert_tx(observed_tx(&w->seen, STATE_TIMELOCK), 1090);
	assert_int_equal(row(w, id).status, SAFE_TX_EXECUTED);
	struct safe_tx_row stored = row(w, id);
	assert_tx(&stored.tx, 1090);
	assert_int_equal(stored.tx_block, 1090);
	/* The nonce has passed, but by its own hand: nothing to ask at finality. */
	assert_false(w->seen.wants_final);

	w->context.head.timestamp = READY;
	assert_int_equal(look(w), STATE_EXECUTE);
}

static void test_a_reorganisation_takes_the_schedule_back(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_queued(w, PURPOSE_SCHEDULE, 7);

	safe_says(w, 1090, EVENT_SAFE_SUCCESS);
	timelock_says(w, 1090, EVENT_CALL_SCHEDULED);
	w->head.timestamp = READY;
	be_in(w, STATE_TIMELOCK);
	assert_int_equal(look(w), 0);
	assert_int_equal(row(w, id).status, SAFE_TX_EXECUTED);

	reorganise(w, 1089);
	w->head.timestamp = 0;
	assert_int_equal(look(w), STATE_MULTISIG);
	assert_int_equal(row(w, id).status, SAFE_TX_QUEUED);
	assert_false(row(w, id).has_tx);
	assert_null(observed_tx(&w->seen, STATE_TIMELOCK));
}

static void test_a_failure_counts_at_finality_of_its_own_block(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_queued(w, PURPOSE_SCHEDULE, 7);

	be_in(w, STATE_MULTISIG);
	w->head.nonce = 8;
	safe_says(w, 1090, EVENT_SAFE_FAILURE);
	assert_int_equal(look(w), 0);
	assert_int_equal(row(w, id).status, SAFE_TX_FAILED);
	assert_int_equal(w->seen.seen.safe_tx, SAFE_SEEN_QUEUED);
	assert_int_equal(look(w), 0); /* from the stored row, too */

	/* It moved to a later block, between two looks. */
	reorganise(w, 1089);
	safe_says(w, 1095, EVENT_SAFE_FAILURE);
	w->context.final.number = 1092;
	assert_int_equal(look(w), 0);
	assert_int_equal(row(w, id).tx_block, 1095);

	w->context.final.number = 1095;
	w->final.nonce = 8;
	assert_int_equal(look(w), STATE_FAILED);
	assert_tx(observed_tx(&w->seen, STATE_FAILED), 1095);
}

static void test_a_replaced_nonce_counts_at_finality(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_queued(w, PURPOSE_SCHEDULE, 7);

	be_in(w, STATE_MULTISIG);
	w->head.nonce = 8;
	w->final.nonce = 7;
	assert_int_equal(look(w), 0);
	assert_true(w->seen.wants_final);
	assert_int_equal(row(w, id).status, SAFE_TX_QUEUED);

	w->final.nonce = 8;
	assert_int_equal(look(w), STATE_REJECTED);
	assert_int_equal(row(w, id).status, SAFE_TX_REPLACED);
	assert_null(observed_tx(&w->seen, STATE_REJECTED));
	/* The program ended before the move was stored: the row alone says it again. */
	assert_int_equal(look(w), STATE_REJECTED);
}

static void test_a_nonce_lost_while_posting_is_not_a_rejection(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_posted(w, PURPOSE_SCHEDULE, 7);

	w->head.nonce = w->final.nonce = 9;
	assert_int_equal(look(w), 0);
	assert_int_equal(row(w, id).status, SAFE_TX_POSTING);
}

/* Signers chose another way to the same end. */
static void test_replaced_but_in_effect(void **state)
{
	struct world *w = *state;

	add_queued(w, PURPOSE_SCHEDULE, 7);
	be_in(w, STATE_MULTISIG);
	w->head.nonce = w->final.nonce = 8;
	w->head.mapping = w->final.mapping = CHECK_YES;
	assert_int_equal(look(w), STATE_EXECUTED);
	/* Also when only the row remembers that it was replaced. */
	assert_int_equal(look(w), STATE_EXECUTED);
}

static void test_a_silent_safe_decides_nothing(void **state)
{
	struct world *w = *state;

	add_queued(w, PURPOSE_SCHEDULE, 7);
	be_in(w, STATE_MULTISIG);
	w->head.nonce = w->final.nonce = 8;
	w->safe_silent = true;
	assert_int_equal(look(w), 0);
	assert_false(w->seen.wants_final);
}

static void test_the_latest_attempt_counts(void **state)
{
	struct world *w = *state;
	struct safe_tx_id first = add_queued(w, PURPOSE_SCHEDULE, 7);

	store_begin(w->f->store);
	store_safe_tx_set_status(w->f->store, first, SAFE_TX_WITHDRAWN, NULL, 0);
	store_commit(w->f->store);
	add_row(w, PURPOSE_SCHEDULE);
	add_row(w, PURPOSE_REJECT);
	look(w);
	assert_int_equal(w->seen.seen.safe_tx, SAFE_SEEN_NOTHING);
	assert_false(w->seen.seen.ever_posted);
}

/* --- without a service --------------------------------------------------------------------------
 */

static void test_a_row_people_imported(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_row(w, PURPOSE_SCHEDULE);

	timelock_says(w, 1090, EVENT_CALL_SCHEDULED);
	w->head.timestamp = READY;
	assert_int_equal(look(w), STATE_TIMELOCK);
	assert_true(w->seen.seen.ever_posted);
	struct safe_tx_row stored = row(w, id);
	assert_int_equal(stored.status, SAFE_TX_EXECUTED);
	assert_tx(&stored.tx, 1090);

	be_in(w, STATE_TIMELOCK);
	reorganise(w, 1089);
	w->head.timestamp = 0;
	assert_int_equal(look(w), STATE_DRAFTED);
	assert_int_equal(row(w, id).status, SAFE_TX_DRAFTED);
}

static void test_an_imported_row_without_its_log(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_row(w, PURPOSE_SCHEDULE);

	w->head.timestamp = READY;
	assert_int_equal(look(w), STATE_TIMELOCK);
	assert_int_equal(row(w, id).status, SAFE_TX_EXECUTED);
	assert_false(row(w, id).has_tx);
	w->head.silent = true; /* says nothing, so changes nothing */
	look(w);
	assert_int_equal(row(w, id).status, SAFE_TX_EXECUTED);
}

static void test_an_imported_execution(void **state)
{
	struct world *w = *state;
	struct safe_tx_id schedule = add_row(w, PURPOSE_SCHEDULE);
	struct safe_tx_id execute = add_row(w, PURPOSE_EXECUTE);

	be_in(w, STATE_EXECUTE);
	w->context.head.timestamp = READY;
	w->head.timestamp = READY;
	assert_int_equal(look(w), 0);
	assert_int_equal(row(w, execute).status, SAFE_TX_DRAFTED);
	timelock_says(w, 1095, EVENT_CALL_EXECUTED);
	w->head.timestamp = DONE;
	assert_int_equal(look(w), STATE_EXECUTED);
	assert_int_equal(row(w, schedule).status, SAFE_TX_EXECUTED);
	struct safe_tx_row stored = row(w, execute);
	assert_int_equal(stored.status, SAFE_TX_EXECUTED);
	assert_tx(&stored.tx, 1095);
}

/* --- cancelled ----------------------------------------------------------------------------------
 */

static void test_cancelled_at_finality(void **state)
{
	struct world *w = *state;

	add_row(w, PURPOSE_SCHEDULE);
	be_in(w, STATE_TIMELOCK);
	timelock_says(w, 1060, EVENT_CALL_SCHEDULED);
	timelock_says(w, 1070, EVENT_CANCELLED);
	assert_int_equal(look(w), 0);
	assert_true(w->seen.seen.cancelled_latest);
	assert_false(w->seen.seen.cancelled_final);
	w->context.final.number = 1070;
	assert_int_equal(look(w), STATE_CANCELLED);
	assert_tx(observed_tx(&w->seen, STATE_CANCELLED), 1070);

	/* A reorganisation brings the operation back. */
	reorganise(w, 1069);
	w->head.timestamp = READY;
	assert_int_equal(look(w), 0);
	assert_false(w->seen.seen.cancelled_latest);
}

static void test_cancelled_but_in_effect(void **state)
{
	struct world *w = *state;

	add_row(w, PURPOSE_SCHEDULE);
	be_in(w, STATE_TIMELOCK);
	timelock_says(w, 1040, EVENT_CALL_SCHEDULED);
	timelock_says(w, 1045, EVENT_CANCELLED);
	w->head.mapping = w->final.mapping = CHECK_YES;
	assert_int_equal(look(w), STATE_EXECUTED);
}

/* The same calls were scheduled and cancelled before this proposal: an operation id is not unique
 * over time. */
static void test_an_earlier_life_does_not_end_this_one(void **state)
{
	struct world *w = *state;

	timelock_says(w, 900, EVENT_CALL_SCHEDULED);
	timelock_says(w, 950, EVENT_CANCELLED);
	add_queued(w, PURPOSE_SCHEDULE, 7);
	w->head.nonce = 7;
	assert_int_equal(look(w), STATE_MULTISIG);
	assert_false(w->seen.seen.cancelled_latest);
	assert_false(w->seen.has_scheduled_tx);
}

/* The same, when the cancellation was not final yet at drafting. */
static void test_an_earlier_life_that_ended_just_now(void **state)
{
	struct world *w = *state;

	timelock_says(w, 900, EVENT_CALL_SCHEDULED);
	timelock_says(w, DRAFTED_AFTER + 10, EVENT_CANCELLED);
	add_queued(w, PURPOSE_SCHEDULE, 7);
	w->head.nonce = 7;
	assert_int_equal(look(w), STATE_MULTISIG);
	be_in(w, STATE_MULTISIG);
	w->context.final.number = DRAFTED_AFTER + 20;
	assert_int_equal(look(w), 0);
	assert_false(w->seen.seen.cancelled_latest);
}

static void test_scheduled_again_after_a_cancellation(void **state)
{
	struct world *w = *state;

	add_row(w, PURPOSE_SCHEDULE);
	be_in(w, STATE_TIMELOCK);
	timelock_says(w, 1010, EVENT_CALL_SCHEDULED);
	timelock_says(w, 1020, EVENT_CANCELLED);
	timelock_says(w, 1030, EVENT_CALL_SCHEDULED);
	look(w); /* the reads lag behind the logs */
	assert_false(w->seen.seen.cancelled_latest);
	w->head.timestamp = READY;
	assert_int_equal(look(w), 0);
	assert_tx(observed_tx(&w->seen, STATE_TIMELOCK), 1030);
}

/* --- executed and confirmed ---------------------------------------------------------------------
 */

static void test_executed_another_way(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_queued(w, PURPOSE_EXECUTE, 8);

	be_in(w, STATE_EXECUTE);
	timelock_says(w, 1095, EVENT_CALL_EXECUTED);
	w->head.timestamp = DONE;
	w->head.nonce = 8;
	assert_int_equal(look(w), STATE_EXECUTED);
	assert_tx(observed_tx(&w->seen, STATE_EXECUTED), 1095);
	assert_int_equal(row(w, id).status, SAFE_TX_WITHDRAWN);
}

static void test_an_execution_that_lost_its_nonce(void **state)
{
	struct world *w = *state;
	struct safe_tx_id id = add_queued(w, PURPOSE_EXECUTE, 8);

	be_in(w, STATE_EXECUTE);
	w->context.head.timestamp = READY;
	w->head.timestamp = w->final.timestamp = READY;
	w->head.nonce = w->final.nonce = 9;
	assert_int_equal(look(w), 0);
	assert_int_equal(row(w, id).status, SAFE_TX_REPLACED);
}

static void execute(struct world *w)
{
	add_row(w, PURPOSE_SCHEDULE);
	be_in(w, STATE_EXECUTED);
	timelock_says(w, 1010, EVENT_CALL_SCHEDULED);
	timelock_says(w, 1040, EVENT_CALL_EXECUTED);
	w->head.timestamp = DONE;
}

static void test_confirmed_only_by_the_check_at_finality(void **state)
{
	struct world *w = *state;

	execute(w);
	w->head.mapping = CHECK_YES;
	assert_int_equal(look(w), 0); /* done at the head alone */
	w->final.timestamp = DONE;
	w->final.mapping = CHECK_UNKNOWN;
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.checks_final, CHECKS_UNKNOWN);
	w->final.mapping = CHECK_YES;
	assert_int_equal(look(w), STATE_CONFIRMED);
	assert_tx(observed_tx(&w->seen, STATE_CONFIRMED), 1040);
	/* The target left the configuration: its own addresses are enough. */
	w->seen.target = NULL;
	look_at_final(w);
	assert_int_equal(w->seen.seen.checks_final, CHECKS_AS_WANTED);
}

static void test_getters_that_disagree(void **state)
{
	struct world *w = *state;

	execute(w);
	w->final.timestamp = DONE;
	w->final.mapping = CHECK_YES;
	w->final.direct = CHECK_NO;
	assert_int_equal(look(w), 0);
	assert_true(w->seen.getters_disagree);
	assert_int_equal(w->seen.seen.checks_final, CHECKS_UNKNOWN);
	w->final.direct = CHECK_YES;
	assert_int_equal(look(w), STATE_CONFIRMED);
	assert_false(w->seen.getters_disagree);
}

static void test_a_contradiction_that_nothing_explains(void **state)
{
	struct world *w = *state;

	execute(w);
	w->final.timestamp = DONE;
	registry_says(w, 1035, ACTION_REMOVE); /* before it was executed */
	assert_int_equal(look(w), STATE_FAILED);
	assert_null(observed_tx(&w->seen, STATE_FAILED));
}

static void test_a_contradiction_that_a_later_removal_explains(void **state)
{
	struct world *w = *state;

	execute(w);
	w->final.timestamp = DONE;
	registry_says(w, 1045, ACTION_REMOVE);
	assert_int_equal(look(w), STATE_CONFIRMED);
	assert_true(w->seen.seen.explained_later);
}

static void test_a_reorganisation_takes_the_execution_back(void **state)
{
	struct world *w = *state;

	execute(w);
	reorganise(w, 1039);
	w->head.timestamp = READY;
	w->context.head.timestamp = READY + 1;
	assert_int_equal(look(w), STATE_EXECUTE);
	assert_null(observed_tx(&w->seen, STATE_EXECUTED));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_a_draft_of_which_nothing_is_seen_stays),
	        TEST(test_a_draft_expires_or_is_withdrawn),
	        TEST(test_what_was_posted_neither_expires_nor_is_withdrawn),
	        TEST(test_in_effect_already),
	        TEST(test_queued_then_scheduled_by_the_safe),
	        TEST(test_a_reorganisation_takes_the_schedule_back),
	        TEST(test_a_failure_counts_at_finality_of_its_own_block),
	        TEST(test_a_replaced_nonce_counts_at_finality),
	        TEST(test_a_nonce_lost_while_posting_is_not_a_rejection),
	        TEST(test_replaced_but_in_effect),
	        TEST(test_a_silent_safe_decides_nothing),
	        TEST(test_the_latest_attempt_counts),
	        TEST(test_a_row_people_imported),
	        TEST(test_an_imported_row_without_its_log),
	        TEST(test_an_imported_execution),
	        TEST(test_cancelled_at_finality),
	        TEST(test_cancelled_but_in_effect),
	        TEST(test_an_earlier_life_does_not_end_this_one),
	        TEST(test_an_earlier_life_that_ended_just_now),
	        TEST(test_scheduled_again_after_a_cancellation),
	        TEST(test_executed_another_way),
	        TEST(test_an_execution_that_lost_its_nonce),
	        TEST(test_confirmed_only_by_the_check_at_finality),
	        TEST(test_getters_that_disagree),
	        TEST(test_a_contradiction_that_nothing_explains),
	        TEST(test_a_contradiction_that_a_later_removal_explains),
	        TEST(test_a_reorganisation_takes_the_execution_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
