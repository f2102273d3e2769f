/* What a look at the chain leaves out: over random lives of proposals, whatever it leaves out is
 * looked at in full all the same, and nothing may come of it. */
#include "daemon/govern/quiet.h"

#include "common/governance/events.h"
#include "common/governance/timelock.h"
#include "daemon/govern/live.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FIRST_BLOCK = 1000, BLOCKS = 600, FINAL_BELOW = 6, DELAY = 300, NONCE = 7, PROPOSALS = 3 };

/* How the contracts stand after one block. */
struct contracts {
	uint64_t time, nonce, min_delay;
	uint64_t ready_at[PROPOSALS]; /* of the operations */
	bool listed[PROPOSALS];       /* of the values */
};

struct world {
	struct store_fixture *f;
	struct config_target target;
	struct contracts blocks[BLOCKS];
	size_t head; /* its index */
	unsigned forks, logs, random;
	/* What stands at a place, numbered anew when the one before is over. */
	struct proposal_id ids[PROPOSALS];
	unsigned serial[PROPOSALS], serials;
	struct quiet *quiet;
	struct quiet_time time;
	uint64_t next_nonce; /* that no row had */
	unsigned left_out, looked;
};

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
	w->blocks[0] = (struct contracts){
	        .time = STORE_FIXTURE_START / 1000, .nonce = NONCE, .min_delay = DELAY};
	w->quiet = quiet_new();
	w->time.epoch = 1;
	w->time.wall.ms = STORE_FIXTURE_START;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;

	quiet_free(w->quiet);
	free(w);
	return store_fixture_teardown(&fixture);
}

static unsigned below(struct world *w, unsigned bound)
{
	w->random = w->random * 1103515245 + 12345;
	return (w->random >> 8) % bound;
}

/* --- the chain ----------------------------------------------------------------------------------
 */

static struct contracts *now(struct world *w)
{
	return &w->blocks[w->head];
}

static struct block_ref block_of(const struct world *w, size_t index)
{
	struct block_ref block = {.number = FIRST_BLOCK + index,
	                          .timestamp = w->blocks[index].time};

	be64_put(block.hash.b, block.number);
	be64_put(block.hash.b + 8, w->forks);
	return block;
}

static void mine(struct world *w, unsigned seconds)
{
	assert_true(w->head + 1 < BLOCKS);
	w->blocks[w->head + 1] = *now(w);
	w->head++;
	now(w)->time += seconds;
	w->time.mono.ms += 1000 * seconds;
	w->time.wall.ms += 1000 * (int64_t)seconds;
}

static void happen(struct world *w, const struct address *address, enum event_type type,
                   const struct hash32 *key)
{
	struct block_ref block = block_of(w, w->head);
	struct seen_log log = {.block_number = block.number,
	                       .block_hash = block.hash,
	                       .tx_hash = {{0x77, (uint8_t)w->logs}},
	                       .log_index = w->logs++,
	                       .address = *address,
	                       .topic0 = *event_topic0(type),
	                       .key = *key};

	store_begin(w->f->store);
	store_log_put(w->f->store, STORE_FIXTURE_CHAIN, &log);
	store_commit(w->f->store);
	w->time.epoch++;
}

static void registry_says(struct world *w, unsigned n, enum action action)
{
	struct hash32 value = store_fixture_hash(w->serial[n]);
	struct hash32 topic0 = *event_registry_topic0(KIND_OS_IMAGE, action);
	struct block_ref block = block_of(w, w->head);
	struct seen_log log = {.block_number = block.number,
	                       .block_hash = block.hash,
	                       .tx_hash = {{0x78, (uint8_t)w->logs}},
	                       .log_index = w->logs++,
	                       .address = w->target.kms,
	                       .topic0 = topic0,
	                       .key = value};

	store_begin(w->f->store);
	store_log_put(w->f->store, STORE_FIXTURE_CHAIN, &log);
	store_commit(w->f->store);
	now(w)->listed[n] = action == ACTION_ADD;
	w->time.epoch++;
}

static void reorganise(struct world *w)
{
	size_t depth = 1 + below(w, FINAL_BELOW - 1);

	if (w->head < depth + FINAL_BELOW)
		return;
	w->head -= depth;
	store_begin(w->f->store);
	store_chain_rewind(w->f->store, STORE_FIXTURE_CHAIN, FIRST_BLOCK + w->head);
	store_commit(w->f->store);
	w->forks++;
	w->time.epoch++;
	for (size_t i = 0; i <= depth; i++)
		mine(w, 2);
}

static struct chain_read_result word(struct arena *arena, uint64_t value)
{
	uint8_t bytes[32] = {0};

	be64_put(bytes + 24, value);
	return (struct chain_read_result){true, arena_copy(arena, bytes_of(bytes, 32))};
}

static struct hash32 operation_of(const struct world *w, unsigned n)
{
	return (struct hash32){{0x0b, (uint8_t)w->serial[n]}};
}

static struct hash32 safe_hash_of(const struct world *w, unsigned n)
{
	return (struct hash32){{0x5a, (uint8_t)w->serial[n]}};
}

static struct chain_read_result answer(struct world *w, const struct chain_read *read, size_t block)
{
	const struct contracts *contracts = &w->blocks[block];
	struct arena *arena = &w->f->arena;
	const uint8_t *argument = read->data.data + 4;

	if (bytes_equal(read->data, view_call(VIEW_SAFE_NONCE)))
		return word(arena, contracts->nonce);
	if (bytes_equal(read->data, view_call(VIEW_MIN_DELAY)))
		return word(arena, contracts->min_delay);
	for (unsigned n = 0; n < PROPOSALS; n++) {
		struct hash32 operation = operation_of(w, n),
		              value = store_fixture_hash(w->serial[n]);
		if (memcmp(argument, operation.b, 32) == 0)
			return word(arena, contracts->ready_at[n]);
		if (memcmp(argument, value.b, 32) == 0)
			return memcmp(read->data.data, is_authorized_selector, 4) == 0
			               ? (struct chain_read_result){.success = false}
			               : word(arena, contracts->listed[n]);
	}
	fail_msg("an unexpected question");
	return (struct chain_read_result){0};
}

static struct chain_read_result *answers(struct world *w, const struct reads *reads, size_t block)
{
	struct chain_read_result *results =
	        arena_array(&w->f->arena, reads->count, sizeof(*results));

	for (size_t i = 0; i < reads->count; i++)
		results[i] = answer(w, &reads->items[i], block);
	return results;
}

/* --- what is stored -----------------------------------------------------------------------------
 */

static void propose(struct world *w, unsigned n)
{
	unsigned serial = w->serial[n] = ++w->serials;
	struct measurement_id measurement = store_fixture_record(w->f, serial);
	struct call call = store_fixture_call(w->f, ACTION_ADD, serial);
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = STORE_FIXTURE_CHAIN,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = w->target.safe,
	                                .timelock = w->target.timelock,
	                                .operation_id = operation_of(w, n),
	                                .drafted_after = FIRST_BLOCK,
	                                .delay = DELAY,
	                                .expires_at = {w->time.wall.ms + 3600 * 1000},
	                                .calls = &call,
	                                .call_count = 1};

	for (size_t i = 0; i <= w->head; i++) {
		w->blocks[i].ready_at[n] = 0;
		w->blocks[i].listed[n] = false;
	}
	store_begin(w->f->store);
	assert_int_equal(store_proposal_create(w->f->store, &proposal, &w->ids[n], &w->f->error),
	                 0);
	store_call_serve(w->f->store, STORE_FIXTURE_CHAIN, &call.to, call.data, measurement);
	const struct safe_tx_row fresh = {
	        .proposal = w->ids[n],
	        .purpose = PURPOSE_SCHEDULE,
	        .safe = w->target.safe,
	        .to = w->target.timelock,
	        .data = bytes_text("data"),
	};
	store_safe_tx_add(w->f->store, &fresh);
	store_commit(w->f->store);
}

/* From drafted to the queue, step by step. */
static void post(struct world *w, unsigned n)
{
	struct store *store = w->f->store;
	struct hash32 hash = safe_hash_of(w, n);
	struct safe_tx_list txs;

	store_safe_tx_list(store, &w->f->arena, w->ids[n], &txs);
	const struct safe_tx_row *row = &txs.items[txs.count - 1];
	store_begin(store);
	if (row->status == SAFE_TX_DRAFTED) {
		uint64_t nonce = now(w)->nonce > w->next_nonce ? now(w)->nonce : w->next_nonce;
		w->next_nonce = nonce + 1;
		assert_int_equal(store_safe_tx_assign(store, row->id, nonce, &hash, &w->f->error),
		                 0);
	} else if (row->status == SAFE_TX_POSTING)
		store_safe_tx_set_status(store, row->id, SAFE_TX_QUEUED, NULL, 0);
	else if (row->status == SAFE_TX_QUEUED)
		store_safe_tx_set_confirmations(store, row->id, below(w, 3), 2);
	store_commit(store);
}

static bool is_live(struct world *w, unsigned n, struct proposal *out)
{
	assert_int_equal(store_proposal_get(w->f->store, &w->f->arena, w->ids[n], out), 0);
	return !lifecycle_is_terminal(out->state);
}

static void withdraw(struct world *w, unsigned n)
{
	store_begin(w->f->store);
	store_proposal_withdraw(w->f->store, w->ids[n], false, "a person wished so");
	store_commit(w->f->store);
}

/* --- what happens -------------------------------------------------------------------------------
 */

static void schedule(struct world *w, unsigned n, bool by_our_transaction)
{
	struct hash32 operation = operation_of(w, n), hash = safe_hash_of(w, n);

	if (now(w)->ready_at[n] != 0)
		return;
	mine(w, 2);
	if (by_our_transaction) {
		happen(w, &w->target.safe, EVENT_SAFE_SUCCESS, &hash);
		now(w)->nonce++;
	}
	now(w)->ready_at[n] = now(w)->time + DELAY;
	happen(w, &w->target.timelock, EVENT_CALL_SCHEDULED, &operation);
}

static void execute(struct world *w, unsigned n)
{
	struct hash32 operation = operation_of(w, n);

	if (now(w)->ready_at[n] <= TIMELOCK_TIMESTAMP_DONE || now(w)->ready_at[n] > now(w)->time)
		return;
	mine(w, 2);
	now(w)->ready_at[n] = TIMELOCK_TIMESTAMP_DONE;
	happen(w, &w->target.timelock, EVENT_CALL_EXECUTED, &operation);
	registry_says(w, n, ACTION_ADD);
}

static void cancel(struct world *w, unsigned n)
{
	struct hash32 operation = operation_of(w, n);

	if (now(w)->ready_at[n] <= TIMELOCK_TIMESTAMP_DONE)
		return;
	mine(w, 2);
	now(w)->ready_at[n] = 0;
	happen(w, &w->target.timelock, EVENT_CANCELLED, &operation);
}

static void use_nonce(struct world *w, enum event_type type, const struct hash32 *hash)
{
	mine(w, 2);
	now(w)->nonce++;
	happen(w, &w->target.safe, type, hash);
}

static void raise_delay(struct world *w)
{
	const struct hash32 none = {{0}};

	mine(w, 2);
	now(w)->min_delay = DELAY + 100 * below(w, 2);
	happen(w, &w->target.timelock, EVENT_MIN_DELAY, &none);
}

static void something(struct world *w)
{
	unsigned n = below(w, PROPOSALS), what = below(w, 100);
	const struct hash32 others = {{0x99, (uint8_t)w->logs}}, ours = safe_hash_of(w, n);
	struct proposal proposal;

	if (what < 45)
		mine(w, 1 + below(w, 4) * below(w, 40));
	else if (what < 60 && is_live(w, n, &proposal))
		post(w, n);
	else if (what < 66)
		schedule(w, n, below(w, 4) > 0);
	else if (what < 76)
		execute(w, n);
	else if (what < 79)
		cancel(w, n);
	else if (what < 82)
		use_nonce(w, EVENT_SAFE_SUCCESS, &others);
	else if (what < 83)
		use_nonce(w, EVENT_SAFE_FAILURE, &ours);
	else if (what < 86)
		registry_says(w, n, below(w, 3) > 0 ? ACTION_ADD : ACTION_REMOVE);
	else if (what < 90)
		reorganise(w);
	else if (what < 92)
		raise_delay(w);
	else if (what < 93 && is_live(w, n, &proposal))
		withdraw(w, n);
	else if (what < 96)
		w->time.wall.ms += 1000 * (int64_t)below(w, 7200) - 3600 * 1000;
}

/* --- the two ways of looking --------------------------------------------------------------------
 */

static void observe(struct world *w, struct observed *observed, const struct proposal *proposal,
                    bool deeper)
{
	struct reads reads = {.arena = &w->f->arena}, final_reads = {.arena = &w->f->arena};
	struct observe_context context = {.store = w->f->store,
	                                  .arena = &w->f->arena,
	                                  .head = w->time.head,
	                                  .final = w->time.final,
	                                  .now = w->time.wall};
	struct safe_view safe = {.safe = w->target.safe, .nonce = now(w)->nonce, .threshold = 2};

	*observed = (struct observed){.proposal = proposal, .target = &w->target, .deeper = deeper};
	store_safe_tx_list(w->f->store, &w->f->arena, proposal->id, &observed->txs);
	observe_ask_head(observed, &context, &reads);
	observe_head(observed, &context, answers(w, &reads, w->head), &safe);
	if (!observed->wants_final)
		return;
	observe_ask_final(observed, &final_reads);
	observe_final(observed, &context,
	              answers(w, &final_reads, w->time.final.number - FIRST_BLOCK));
}

static bool move(struct world *w, const struct observed *observed)
{
	const struct proposal *proposal = observed->proposal;
	enum proposal_state state = proposal->state;

	for (int steps = 0; steps < STATE_EXPIRED && !lifecycle_is_terminal(state); steps++) {
		struct transition next = lifecycle_next(proposal->model, state, &observed->seen);
		if (!next.moves)
			break;
		const struct state_move move = {state, next.to, next.reason, NULL};
		assert_int_equal(
		        store_proposal_move(w->f->store, proposal->id, &move, &w->f->error), 0);
		state = next.to;
	}
	return state != proposal->state;
}

/* What the tracker asks about again, although nothing may happen until then. */
static bool waits(const struct observed *observed)
{
	return (observed->proposal->flags & FLAG_WITHDRAWING) == 0 &&
	       (observed->delay_too_short || observed->in_effect);
}

/* Left out: a look at everything, with every question, finds nothing and changes nothing. */
static void assert_nothing_new(struct world *w, const struct proposal *proposal)
{
	uint64_t writes = store_live_writes(w->f->store);
	struct observed observed;

	store_begin(w->f->store);
	observe(w, &observed, proposal, true);
	store_commit(w->f->store);
	assert_int_equal(store_live_writes(w->f->store), writes);
	assert_false(observed.txs_changed);
	assert_false(lifecycle_next(proposal->model, proposal->state, &observed.seen).moves);
	assert_true(observed.seen.operation != OPERATION_PENDING ||
	            observed.seen.ready_at == proposal->ready_at);
	/* Overdue is told when it becomes so. */
	assert_true(!observed.seen.past_expiry || !observed.seen.ever_posted ||
	            (proposal->flags & FLAG_OVERDUE) != 0);
	/* Nothing is done about a dead end that was not done, or found to be waiting, before. */
	assert_false(waits(&observed) && observed.in_effect &&
	             observed.seen.checks_final == CHECKS_AS_WANTED &&
	             proposal->state > STATE_DRAFTED && proposal->state < STATE_EXECUTED);
	assert_true(observed.min_delay <= proposal->delay);
}

static void look_in_full(struct world *w, const struct proposal *proposal, uint64_t mark,
                         bool deeper)
{
	struct store *store = w->f->store;
	struct observed observed;

	store_begin(store);
	observe(w, &observed, proposal, deeper);
	if (observed.seen.operation == OPERATION_PENDING &&
	    observed.seen.ready_at != proposal->ready_at)
		store_proposal_set_ready_at(store, proposal->id, observed.seen.ready_at);
	bool moved = move(w, &observed);
	if (observed.seen.past_expiry && observed.seen.ever_posted)
		store_proposal_set_flags(store, proposal->id, proposal->flags | FLAG_OVERDUE,
		                         "old");
	if (observed.in_effect && observed.seen.checks_final == CHECKS_AS_WANTED &&
	    (proposal->flags & FLAG_WITHDRAWING) == 0 && proposal->state > STATE_DRAFTED &&
	    proposal->state < STATE_EXECUTED)
		store_proposal_withdraw(store, proposal->id, false, "others did it");
	if (observed.min_delay > proposal->delay)
		store_proposal_set_delay(store, proposal->id, observed.min_delay);
	quiet_note(w->quiet, &w->time, &observed, mark, moved || waits(&observed));
	store_commit(store);
}

static void tick(struct world *w)
{
	size_t final = w->head > FINAL_BELOW ? w->head - FINAL_BELOW : 0;
	struct live live;

	w->time.head = block_of(w, w->head);
	/* What is final is the same on every fork. */
	w->time.final = block_of(w, final);
	be64_put(w->time.final.hash.b + 8, 0);
	store_live_read(w->f->store, &w->f->arena, STORE_FIXTURE_CHAIN, &live);
	quiet_keep(w->quiet, &live.proposals);
	for (size_t i = 0; i < live.proposals.count; i++) {
		const struct proposal *proposal = &live.proposals.items[i];
		uint64_t mark = live_mark(&live, i);
		bool deeper;
		if (quiet_is(w->quiet, &w->time, proposal, mark, &deeper)) {
			w->left_out++;
			assert_nothing_new(w, proposal);
		} else {
			w->looked++;
			look_in_full(w, proposal, mark, deeper);
		}
	}
}

static void live_through(struct world *w)
{
	while (w->head < BLOCKS - 20) {
		struct proposal proposal;
		for (unsigned n = 0; n < PROPOSALS; n++)
			if (w->ids[n].n == 0 || !is_live(w, n, &proposal))
				propose(w, n);
		something(w);
		tick(w);
	}
	/* Or nothing was tried. */
	assert_true(w->left_out > w->looked / 4);
	assert_true(w->serials > 2 * PROPOSALS);
}

static void test_what_is_left_out_has_nothing_new(void **state)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		setup(state);
		struct world *w = *state;
		w->random = seed;
		live_through(w);
		teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_is_left_out_has_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
