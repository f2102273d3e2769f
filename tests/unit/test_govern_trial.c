/* What could be executed now is tried, and told when it would fail; nothing is asked about what
 * nobody can execute. */
#include "common/eth/abi.h"
#include "common/governance/safe_guard.h"
#include "daemon/govern/trial.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CHAIN_NONCE = 42 };

struct desk {
	struct govern_world *w;
	struct buf schedule;
};

static int setup(void **state)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	govern_world_setup((void **)&desk->w);
	*state = desk;
	return 0;
}

static int teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->w;

	buf_free(&desk->schedule);
	free(desk);
	return govern_world_teardown(&world);
}

/* In the queue with this nonce, and signed by so many of two. */
static void queue(struct desk *desk, uint64_t nonce, unsigned confirmations)
{
	struct govern_world *w = desk->w;
	const struct hash32 hash = {{0x5a}};
	govern_world_prepare(w, &(struct world_options){.target = "", .chain = ""});
	struct call call = world_call(w, ACTION_ADD, &(struct hash32){{0}});
	struct new_proposal draft = world_draft(w, &call);
	struct proposal_id id = world_propose(w, &draft, (struct measurement_id){0});
	struct proposal stored = world_proposal(w, id);
	struct timelock_batch batch = proposal_batch(&w->arena, &stored);
	timelock_encode_schedule(&desk->schedule, &batch, WORLD_DELAY);
	struct safe_tx_id row = world_add_schedule(w, id, buf_bytes(&desk->schedule));
	world_enqueue(w, row, nonce, &hash);
	store_begin(w->store);
	store_safe_tx_set_confirmations(w->store, row, confirmations, 2);
	store_commit(w->store);
	world_move(w, id, STATE_MULTISIG);
}

static size_t alarms(struct desk *desk)
{
	return world_alarms(desk->w, "[cannot-run] ").count;
}

static void run_until_alarm(struct desk *desk, const char *text)
{
	struct world_alarms told = world_until_alarm(desk->w, "[cannot-run] ");

	assert_string_equal(told.subject, "p1");
	assert_contains(told.text, text);
}

static void schedule_reverts(struct desk *desk)
{
	world_reverts(desk->w, &desk->w->timelock, buf_bytes(&desk->schedule));
}

static void guard_is(struct desk *desk, const struct address *guard)
{
	struct hash32 word = {{0}};
	struct buf ask = {0}, answer = {0};

	memcpy(word.b + 12, guard->b, sizeof(guard->b));
	safe_encode_storage_at(&ask, &safe_guard_slot);
	struct abi_writer writer = abi_begin(&answer, 1);
	abi_put_bytes(&writer, bytes_of(word.b, sizeof(word.b)));
	world_says(desk->w, &desk->w->safe, buf_bytes(&ask), buf_bytes(&answer));
	buf_free(&ask);
	buf_free(&answer);
}

static void test_what_would_revert_is_told_once(void **state)
{
	struct desk *desk = *state;

	queue(desk, CHAIN_NONCE, 2);
	schedule_reverts(desk);
	struct lane *lane = world_first_look(desk->w);
	run_until_alarm(desk, "its schedule transaction with nonce 42 cannot be executed as the "
	                      "chain stands: it reverts: ");
	trials_news(lane->trials);
	trials_run(lane->trials);
	world_run_for(desk->w, 100);
	assert_int_equal(alarms(desk), 1);
}

static void test_repaired_and_broken_again(void **state)
{
	struct desk *desk = *state;

	queue(desk, CHAIN_NONCE, 2);
	schedule_reverts(desk);
	struct lane *lane = world_first_look(desk->w);
	run_until_alarm(desk, "it reverts");
	world_says(desk->w, &desk->w->timelock, buf_bytes(&desk->schedule), bytes_of(NULL, 0));
	trials_news(lane->trials);
	trials_run(lane->trials);
	world_run_for(desk->w, 100);
	assert_false(lane_alarmed(lane, ALARM_CANNOT_RUN, "p1"));
	schedule_reverts(desk);
	trials_news(lane->trials);
	trials_run(lane->trials);
	for (int i = 0; i < 500 && alarms(desk) < 2; i++)
		world_run_for(desk->w, 10);
	assert_int_equal(alarms(desk), 2);
}

static void test_a_guard_that_refuses(void **state)
{
	struct desk *desk = *state;
	const struct address guard = {{0x60}};

	queue(desk, CHAIN_NONCE, 2);
	guard_is(desk, &guard);
	world_first_look(desk->w);
	run_until_alarm(desk, "guard 0x6000000000000000000000000000000000000000 of the Safe "
	                      "refuses it, asked without signatures");
}

static void test_a_guard_that_agrees(void **state)
{
	struct desk *desk = *state;
	const struct address guard = {{0x60}};

	queue(desk, CHAIN_NONCE, 2);
	guard_is(desk, &guard);
	struct safe_tx tx = {.chain_id = WORLD_CHAIN,
	                     .safe = desk->w->safe,
	                     .to = desk->w->timelock,
	                     .data = buf_bytes(&desk->schedule),
	                     .nonce = CHAIN_NONCE};
	struct buf question = {0};
	safe_guard_encode_check(&question, &tx, &desk->w->owners[0]);
	world_says(desk->w, &guard, buf_bytes(&question), bytes_of(NULL, 0));
	buf_free(&question);
	world_first_look(desk->w);
	world_run_for(desk->w, 200);
	assert_int_equal(alarms(desk), 0);
}

/* Too few signatures, or not its turn: nobody could execute it, so nobody is asked. */
static void test_what_nobody_can_execute_is_not_tried(void **state)
{
	struct desk *desk = *state;

	queue(desk, CHAIN_NONCE, 1);
	schedule_reverts(desk);
	world_first_look(desk->w);
	world_run_for(desk->w, 100);
	unsigned calls = desk->w->node.calls;
	world_run_for(desk->w, 200);
	assert_int_equal(desk->w->node.calls, calls);
	assert_int_equal(alarms(desk), 0);
}

static void test_what_is_not_next_is_not_tried(void **state)
{
	struct desk *desk = *state;

	queue(desk, CHAIN_NONCE + 1, 2);
	schedule_reverts(desk);
	world_first_look(desk->w);
	world_run_for(desk->w, 300);
	assert_int_equal(alarms(desk), 0);
}

static void test_a_lost_answer_alarms_nobody(void **state)
{
	struct desk *desk = *state;

	queue(desk, CHAIN_NONCE, 2);
	struct lane *lane = world_first_look(desk->w);
	world_run_for(desk->w, 100);
	desk->w->node.fail_times = 1000;
	desk->w->node.fail_status = 500;
	trials_news(lane->trials);
	trials_run(lane->trials);
	world_run_for(desk->w, 200);
	assert_int_equal(alarms(desk), 0);
	/* And is tried again: freeing it under way is fine, too. */
	trials_news(lane->trials);
	trials_run(lane->trials);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_what_would_revert_is_told_once),
	        TEST(test_repaired_and_broken_again),
	        TEST(test_a_guard_that_refuses),
	        TEST(test_a_guard_that_agrees),
	        TEST(test_what_nobody_can_execute_is_not_tried),
	        TEST(test_what_is_not_next_is_not_tried),
	        TEST(test_a_lost_answer_alarms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
