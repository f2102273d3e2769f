/* What stands in front of a Safe transaction: named, dated, kept over restarts, an alarm when it
 * lasts. */
#include "common/store/alarm.h"
#include "common/store/store_blocked.h"
#include "daemon/govern/blockage.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { CHAIN_NONCE = 42 }; /* what the world's Safe answers */

static struct safe_tx_id queue_one(struct govern_world *w, uint8_t number, uint64_t nonce)
{
	const struct hash32 hash = {{0x5a, number}};
	const struct hash32 value = {{0xaa, number}};
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(w, &call);

	draft.operation_id = (struct hash32){{0x0b, number}};
	struct proposal_id id = world_propose(w, &draft, (struct measurement_id){0});
	struct safe_tx_id row = world_add_schedule(w, id, bytes_text("schedule"));
	world_enqueue(w, row, nonce, &hash);
	world_move(w, id, STATE_MULTISIG);
	return row;
}

static void prepare(struct govern_world *w, const char *target)
{
	govern_world_prepare(w, &(struct world_options){.target = target, .chain = ""});
}

/* The queue is read, and holds these nonces of others. */
static void read_queue(struct govern_world *w, struct lane *lane, const uint64_t *nonces,
                       size_t count)
{
	struct queue_view view = {.safe = {.safe = w->safe, .nonce = CHAIN_NONCE},
	                          .items = arena_array(&w->arena, count + 1, sizeof(*view.items)),
	                          .count = count};

	for (size_t i = 0; i < count; i++) {
		view.items[i].tx.nonce = nonces[i];
		view.items[i].safe_tx_hash = (struct hash32){{0xf0, (uint8_t)i}};
		view.items[i].has_proposer = true;
		view.items[i].proposer = w->owners[0];
	}
	world_run_for(w, 20); /* it is read later than the transactions took their places */
	blockage_seen(lane->blockage, &view);
}

static struct blocked get(struct govern_world *w, struct safe_tx_id row)
{
	struct blocked blocked;

	assert_int_equal(store_blocked_get(w->store, &w->arena, row, &blocked), 0);
	return blocked;
}

static bool is_blocked(struct govern_world *w, struct safe_tx_id row)
{
	struct blocked blocked;

	return store_blocked_get(w->store, &w->arena, row, &blocked) == 0;
}

static struct world_alarms alarms(struct govern_world *w, enum alarm alarm)
{
	return world_alarms(w, arena_printf(&w->arena, "[%s] ", alarm_name(alarm)));
}

static void test_everything_in_front_is_named(void **state)
{
	struct govern_world *w = *state;

	prepare(w, "");
	struct safe_tx_id first = queue_one(w, 1, CHAIN_NONCE);
	struct safe_tx_id third = queue_one(w, 2, CHAIN_NONCE + 2);
	struct lane *lane = world_first_look(w);
	assert_false(is_blocked(w, first));
	assert_contains(get(w, third).what,
	                "nonce 42: the schedule transaction of p1; nonce 43: not known");
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE + 1}, 1);
	struct blocked blocked = get(w, third);
	assert_int_equal(blocked.nonce, CHAIN_NONCE);
	assert_string_equal(blocked.what,
	                    "nonce 42: the schedule transaction of p1; nonce 43: "
	                    "0xf000000000000000000000000000000000000000000000000000000000000000, "
	                    "which is not ours, proposed by "
	                    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
	/* A day is not over. */
	assert_int_equal(alarms(w, ALARM_QUEUE_BLOCKED).count, 0);
	assert_int_equal(alarms(w, ALARM_NONCE_HOLE).count, 0);
}

static void test_many_are_counted(void **state)
{
	struct govern_world *w = *state;

	prepare(w, "");
	struct safe_tx_id row = queue_one(w, 1, CHAIN_NONCE + 9);
	world_first_look(w);
	assert_contains(get(w, row).what,
	                "nonce 46: not known: its queue was not read; and 4 more");
}

/* Anybody may propose anything with whatever nonce. */
static void test_a_nonce_far_away(void **state)
{
	struct govern_world *w = *state;

	prepare(w, "");
	struct safe_tx_id row = queue_one(w, 1, (uint64_t)INT64_MAX);
	struct lane *lane = world_first_look(w);
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE, UINT64_MAX}, 2);
	assert_contains(get(w, row).what, "nonce 42: 0xf000");
	assert_contains(get(w, row).what, "; and 9223372036854775760 more");
	assert_int_equal(alarms(w, ALARM_NONCE_HOLE).count, 1);
	assert_contains(alarms(w, ALARM_NONCE_HOLE).text, "nothing holds nonce 43");
}

static void test_a_hole_is_an_alarm_at_once_and_once(void **state)
{
	struct govern_world *w = *state;

	prepare(w, "");
	struct safe_tx_id row = queue_one(w, 1, CHAIN_NONCE + 2);
	struct lane *lane = world_first_look(w);
	assert_int_equal(alarms(w, ALARM_NONCE_HOLE).count, 0);
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE}, 1);
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE}, 1);
	assert_int_equal(alarms(w, ALARM_NONCE_HOLE).count, 1);
	assert_contains(
	        alarms(w, ALARM_NONCE_HOLE).text,
	        "nothing holds nonce 43 of the Safe 0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B: "
	        "its schedule transaction with nonce 44 cannot run");
	assert_contains(get(w, row).what, "nonce 43: nothing, a hole");
	/* Filled, and opened again. */
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE, CHAIN_NONCE + 1}, 2);
	assert_contains(get(w, row).what, "nonce 43: 0xf001");
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE}, 1);
	assert_int_equal(alarms(w, ALARM_NONCE_HOLE).count, 2);
}

static void test_what_lasts_is_an_alarm_by_the_clock(void **state)
{
	struct govern_world *w = *state;

	prepare(w, "    blocked_after: 1s\n");
	struct safe_tx_id row = queue_one(w, 1, CHAIN_NONCE + 1);
	struct lane *lane = world_first_look(w);
	read_queue(w, lane, (const uint64_t[]){CHAIN_NONCE}, 1);
	assert_int_equal(alarms(w, ALARM_QUEUE_BLOCKED).count, 0);
	for (int i = 0; i < 500 && alarms(w, ALARM_QUEUE_BLOCKED).count == 0; i++)
		world_run_for(w, 10);
	assert_int_equal(alarms(w, ALARM_QUEUE_BLOCKED).count, 1);
	assert_contains(alarms(w, ALARM_QUEUE_BLOCKED).text,
	                "its schedule transaction with nonce 43 of the Safe "
	                "0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B waits since ");
	assert_contains(alarms(w, ALARM_QUEUE_BLOCKED).text, " for nonce 42: 0xf000");
	blockage_run(lane->blockage);
	assert_int_equal(alarms(w, ALARM_QUEUE_BLOCKED).count, 1);
	/* Out of the queue, out of mind. */
	store_begin(w->store);
	store_safe_tx_set_status(w->store, row, SAFE_TX_REPLACED, NULL, 0);
	store_commit(w->store);
	assert_false(is_blocked(w, row));
}

/* Since when it waits for the same nonce survives everything. */
static void test_a_restart_does_not_start_the_clock_again(void **state)
{
	struct govern_world *w = *state;
	struct blocked old = {.nonce = CHAIN_NONCE, .since = {1000}, .what = "as it was"};

	prepare(w, "");
	struct safe_tx_id row = queue_one(w, 1, CHAIN_NONCE + 1);
	store_begin(w->store);
	store_blocked_put(w->store, row, &old);
	store_commit(w->store);
	world_first_look(w);
	assert_int_equal(get(w, row).since.ms, 1000);
	assert_int_equal(alarms(w, ALARM_QUEUE_BLOCKED).count, 1);
	assert_contains(alarms(w, ALARM_QUEUE_BLOCKED).text, "waits since 1970-01-01T00:00:01");
}

static void test_another_nonce_in_front_starts_it(void **state)
{
	struct govern_world *w = *state;
	struct blocked old = {.nonce = CHAIN_NONCE - 1, .since = {1000}, .what = "as it was"};

	prepare(w, "");
	struct safe_tx_id row = queue_one(w, 1, CHAIN_NONCE + 1);
	struct safe_tx_id free_now = queue_one(w, 2, CHAIN_NONCE);
	store_begin(w->store);
	store_blocked_put(w->store, row, &old);
	store_blocked_put(w->store, free_now, &old);
	store_commit(w->store);
	world_first_look(w);
	assert_true(get(w, row).since.ms > 1000);
	assert_int_equal(get(w, row).nonce, CHAIN_NONCE);
	assert_false(is_blocked(w, free_now));
	assert_int_equal(alarms(w, ALARM_QUEUE_BLOCKED).count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_everything_in_front_is_named),
	        TEST(test_many_are_counted),
	        TEST(test_a_nonce_far_away),
	        TEST(test_a_hole_is_an_alarm_at_once_and_once),
	        TEST(test_what_lasts_is_an_alarm_by_the_clock),
	        TEST(test_a_restart_does_not_start_the_clock_again),
	        TEST(test_another_nonce_in_front_starts_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
