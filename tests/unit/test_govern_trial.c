/* What could be executed now is tried, and told when it would fail; nothing is asked about what
 * nobody can execute. */
#include "common/eth/abi.h"
#include "common/governance/safe_guard.h"
#include "common/store/alarm.h"
#include "common/store/store_event.h"
#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/trial.h"
#include "tests/unit/govern_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CHAIN_NONCE = 42 };

struct desk {
	struct govern_world *w;
	struct proposal_id proposal;
	struct safe_tx_id row;
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
	struct call call = {.to = w->kms, .action = ACTION_ADD, .kind = KIND_OS_IMAGE};
	uint8_t data[REGISTRY_CALL_SIZE];
	struct proposal stored;

	govern_world_prepare(w, &(struct world_options){.target = "", .chain = ""});
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &call.value);
	call.data = bytes_of(data, sizeof(data));
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = WORLD_CHAIN,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = w->safe,
	                                .timelock = w->timelock,
	                                .delay = WORLD_DELAY,
	                                .expires_at = {INT64_MAX},
	                                .calls = &call,
	                                .call_count = 1};
	store_begin(w->store);
	store_target_put(w->store, "payments", WORLD_CHAIN, &w->kms, &w->app);
	assert_int_equal(store_proposal_create(w->store, &proposal, &desk->proposal, &w->error), 0);
	assert_int_equal(store_proposal_get(w->store, &w->arena, desk->proposal, &stored), 0);
	struct timelock_batch batch = proposal_batch(&w->arena, &stored);
	timelock_encode_schedule(&desk->schedule, &batch, WORLD_DELAY);
	desk->row = store_safe_tx_add(w->store, desk->proposal, PURPOSE_SCHEDULE, &w->safe,
	                              &w->timelock, buf_bytes(&desk->schedule), 0);
	assert_int_equal(store_safe_tx_assign(w->store, desk->row, nonce, &hash, &w->error), 0);
	store_safe_tx_set_status(w->store, desk->row, SAFE_TX_QUEUED, NULL, 0);
	store_safe_tx_set_confirmations(w->store, desk->row, confirmations, 2);
	assert_int_equal(store_proposal_move(w->store, desk->proposal, STATE_DRAFTED,
	                                     STATE_MULTISIG, "posted", NULL, &w->error),
	                 0);
	store_commit(w->store);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct desk *desk, int64_t ms)
{
	struct loop_timer *timer = loop_timer_new(desk->w->loop, stop, desk->w->loop);

	loop_timer_set(timer, ms);
	world_run(desk->w);
	loop_timer_free(timer);
}

static struct lane *begin(struct desk *desk)
{
	desk->w->govern = govern_new(&desk->w->parts);
	struct lane *lane = govern_lane(desk->w->govern, WORLD_CHAIN);

	for (int i = 0; i < 500 && !lane->tracked; i++)
		run_for(desk, 10);
	assert_true(lane->tracked);
	return lane;
}

static size_t alarms(struct desk *desk, const char **last)
{
	struct event_list events;
	size_t count = 0;

	*last = "";
	store_event_list(desk->w->store, &desk->w->arena, 0, 100000, &events);
	for (size_t i = 0; i < events.count; i++)
		if (strcmp(events.items[i].type, "alarm") == 0 &&
		    strncmp(events.items[i].text, "[cannot-run] ", 13) == 0) {
			assert_string_equal(events.items[i].subject, "p1");
			*last = events.items[i].text;
			count++;
		}
	return count;
}

static void run_until_alarm(struct desk *desk, const char *text)
{
	const char *last;

	for (int i = 0; i < 500 && alarms(desk, &last) == 0; i++)
		run_for(desk, 10);
	run_for(desk, 50);
	assert_int_equal(alarms(desk, &last), 1);
	if (strstr(last, text) == NULL)
		fail_msg("no \"%s\" in \"%s\"", text, last);
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
	const char *last;

	queue(desk, CHAIN_NONCE, 2);
	schedule_reverts(desk);
	struct lane *lane = begin(desk);
	run_until_alarm(desk, "its schedule transaction with nonce 42 cannot be executed as the "
	                      "chain stands: it reverts: ");
	trials_news(lane->trials);
	trials_run(lane->trials);
	run_for(desk, 100);
	assert_int_equal(alarms(desk, &last), 1);
}

static void test_repaired_and_broken_again(void **state)
{
	struct desk *desk = *state;
	const char *last;

	queue(desk, CHAIN_NONCE, 2);
	schedule_reverts(desk);
	struct lane *lane = begin(desk);
	run_until_alarm(desk, "it reverts");
	world_says(desk->w, &desk->w->timelock, buf_bytes(&desk->schedule), bytes_of(NULL, 0));
	trials_news(lane->trials);
	trials_run(lane->trials);
	run_for(desk, 100);
	assert_false(lane_alarmed(lane, ALARM_CANNOT_RUN, "p1"));
	schedule_reverts(desk);
	trials_news(lane->trials);
	trials_run(lane->trials);
	for (int i = 0; i < 500 && alarms(desk, &last) < 2; i++)
		run_for(desk, 10);
	assert_int_equal(alarms(desk, &last), 2);
}

static void test_a_guard_that_refuses(void **state)
{
	struct desk *desk = *state;
	const struct address guard = {{0x60}};

	queue(desk, CHAIN_NONCE, 2);
	guard_is(desk, &guard);
	begin(desk);
	run_until_alarm(desk, "guard 0x6000000000000000000000000000000000000000 of the Safe "
	                      "refuses it, asked without signatures");
}

static void test_a_guard_that_agrees(void **state)
{
	struct desk *desk = *state;
	const struct address guard = {{0x60}};
	const char *last;

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
	begin(desk);
	run_for(desk, 200);
	assert_int_equal(alarms(desk, &last), 0);
}

/* Too few signatures, or not its turn: nobody could execute it, so nobody is asked. */
static void test_what_nobody_can_execute_is_not_tried(void **state)
{
	struct desk *desk = *state;
	const char *last;

	queue(desk, CHAIN_NONCE, 1);
	schedule_reverts(desk);
	begin(desk);
	run_for(desk, 100);
	unsigned calls = desk->w->node.calls;
	run_for(desk, 200);
	assert_int_equal(desk->w->node.calls, calls);
	assert_int_equal(alarms(desk, &last), 0);
}

static void test_what_is_not_next_is_not_tried(void **state)
{
	struct desk *desk = *state;
	const char *last;

	queue(desk, CHAIN_NONCE + 1, 2);
	schedule_reverts(desk);
	begin(desk);
	run_for(desk, 300);
	assert_int_equal(alarms(desk, &last), 0);
}

static void test_a_lost_answer_alarms_nobody(void **state)
{
	struct desk *desk = *state;
	const char *last;

	queue(desk, CHAIN_NONCE, 2);
	struct lane *lane = begin(desk);
	run_for(desk, 100);
	desk->w->node.fail_times = 1000;
	desk->w->node.fail_status = 500;
	trials_news(lane->trials);
	trials_run(lane->trials);
	run_for(desk, 200);
	assert_int_equal(alarms(desk, &last), 0);
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
