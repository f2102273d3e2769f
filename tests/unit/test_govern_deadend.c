/* What is done about proposals that cannot go on as they are, by the whole govern against a node:
 * a timelock that asks for more, and values that others brought there. */
#include "common/governance/events.h"
#include "common/store/alarm.h"
#include "common/store/store_chain.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct hash32 value = {{0xaa, 0xbb}};
static const struct hash32 posted_hash = {{0x51}};

/* A proposal whose schedule is drafted: nothing has run yet. */
static struct proposal_id propose(struct govern_world *w, enum model model)
{
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(w, &call);

	draft.model = model;
	draft.salt = (struct hash32){{7}};
	struct proposal_id id = world_propose(w, &draft, world_record(w, KIND_OS_IMAGE, &value));
	if (lifecycle_has_safe(model))
		world_add_schedule(w, id, bytes_text("old"));
	return id;
}

static void put_in_queue(struct govern_world *w, struct proposal_id id)
{
	world_enqueue(w, world_safe_txs(w, id).items[0].id, 42, &posted_hash);
	world_move(w, id, STATE_MULTISIG);
}

static struct world_alarms run_until_alarm(struct govern_world *w, enum alarm alarm)
{
	return world_until_alarm(w, arena_printf(&w->arena, "[%s] ", alarm_name(alarm)));
}

static size_t alarms(struct govern_world *w, enum alarm alarm)
{
	return world_alarms(w, arena_printf(&w->arena, "[%s] ", alarm_name(alarm))).count;
}

static void prepare(struct govern_world *w)
{
	govern_world_prepare(w, &(struct world_options){.target = "", .chain = ""});
}

static void begin(struct govern_world *w)
{
	w->govern = govern_new(&w->parts);
}

static uint64_t delay_of(struct govern_world *w, struct bytes schedule)
{
	struct timelock_batch batch;
	uint64_t delay;

	assert_int_equal(timelock_decode_schedule(&w->arena, &batch, &delay, schedule, &w->error),
	                 0);
	struct hash32 salt = {{7}};
	assert_true(hash32_equal(&batch.salt, &salt));
	assert_int_equal(batch.count, 1);
	return delay;
}

/* --- a longer delay --------------------------------------------------------------------------- */

static void test_a_raised_delay_replaces_a_draft(void **state)
{
	struct govern_world *w = *state;

	prepare(w);
	struct proposal_id id = propose(w, MODEL_SAFE_TIMELOCK);
	world_view_number(w, &w->timelock, VIEW_MIN_DELAY, 2 * WORLD_DELAY);
	begin(w);
	run_until_alarm(w, ALARM_MIN_DELAY_RAISED);
	struct safe_tx_list list = world_safe_txs(w, id);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].status, SAFE_TX_WITHDRAWN);
	assert_int_equal(list.items[1].status, SAFE_TX_DRAFTED);
	assert_int_equal(list.items[1].attempt, 2);
	assert_int_equal(delay_of(w, list.items[1].data), 2 * WORLD_DELAY);
	assert_int_equal(world_proposal(w, id).delay, 2 * WORLD_DELAY);
	assert_int_equal(world_proposal(w, id).state, STATE_DRAFTED);
}

static void test_a_raised_delay_beside_what_people_have(void **state)
{
	struct govern_world *w = *state;

	prepare(w);
	struct proposal_id id = propose(w, MODEL_SAFE_TIMELOCK);
	put_in_queue(w, id);
	world_view_number(w, &w->timelock, VIEW_MIN_DELAY, WORLD_DELAY + 1);
	begin(w);
	run_until_alarm(w, ALARM_MIN_DELAY_RAISED);
	struct safe_tx_list list = world_safe_txs(w, id);
	assert_int_equal(list.count, 2);
	/* Until the new one is in the queue, the old one is what there is. */
	assert_int_equal(list.items[0].status, SAFE_TX_QUEUED);
	assert_int_equal(list.items[1].status, SAFE_TX_DRAFTED);
	assert_int_equal(world_proposal(w, id).state, STATE_MULTISIG);
}

static void test_a_raised_delay_without_a_safe(void **state)
{
	struct govern_world *w = *state;

	prepare(w);
	struct proposal_id id = propose(w, MODEL_TIMELOCK);
	world_view_number(w, &w->timelock, VIEW_MIN_DELAY, WORLD_DELAY + 1);
	begin(w);
	run_until_alarm(w, ALARM_MIN_DELAY_RAISED);
	assert_int_equal(world_safe_txs(w, id).count, 0);
	assert_int_equal(world_proposal(w, id).delay, WORLD_DELAY + 1);
	assert_true(world_proposal(w, id).delay_at.ms > 0);
}

static void test_a_lowered_delay_changes_nothing(void **state)
{
	struct govern_world *w = *state;

	prepare(w);
	struct proposal_id id = propose(w, MODEL_SAFE_TIMELOCK);
	world_view_number(w, &w->timelock, VIEW_MIN_DELAY, WORLD_DELAY - 1);
	world_first_look(w);
	assert_int_equal(alarms(w, ALARM_MIN_DELAY_RAISED), 0);
	assert_int_equal(world_safe_txs(w, id).count, 1);
	assert_int_equal(world_proposal(w, id).delay, WORLD_DELAY);
}

/* --- in effect another way -------------------------------------------------------------------- */

static void say_present(struct govern_world *w)
{
	static const uint8_t yes[32] = {[31] = 1};
	uint8_t data[36];

	memcpy(data, kind_getter_selector(KIND_OS_IMAGE), 4);
	memcpy(data + 4, value.b, 32);
	world_says(w, &w->kms, bytes_of(data, sizeof(data)), bytes_of(yes, sizeof(yes)));
}

static void put_log(struct govern_world *w, const struct address *address,
                    const struct hash32 *topic0, const struct hash32 *key, unsigned index)
{
	struct seen_log log = {.block_number = 900,
	                       .block_hash = {{0xbb}},
	                       .tx_hash = {{0x77}},
	                       .log_index = index,
	                       .address = *address,
	                       .topic0 = *topic0,
	                       .key = *key,
	                       .data = bytes_of(key->b, sizeof(key->b))};

	store_begin(w->store);
	assert_true(store_log_put(w->store, WORLD_CHAIN, &log));
	store_commit(w->store);
}

static void test_what_a_module_did_is_stepped_back_from(void **state)
{
	struct govern_world *w = *state;
	struct hash32 module = {{0}};
	struct measurement_list served;

	prepare(w);
	struct proposal_id id = propose(w, MODEL_SAFE_TIMELOCK);
	put_in_queue(w, id);
	memset(module.b + 12, 0xcd, 20);
	put_log(w, &w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value, 0);
	put_log(w, &w->safe, event_topic0(EVENT_MODULE_SUCCESS), &module, 1);
	say_present(w);
	begin(w);
	struct world_alarms told = run_until_alarm(w, ALARM_ALREADY_IN_EFFECT);
	assert_int_equal(world_proposal(w, id).flags & FLAG_WITHDRAWING, FLAG_WITHDRAWING);
	assert_int_equal(world_proposal(w, id).state, STATE_MULTISIG);
	store_proposal_measurements(w->store, &w->arena, id, &served);
	assert_int_equal(served.items[0].status, MEASUREMENT_AUTHORIZED);
	assert_contains(told.text, "by module 0xCdCDCdCd");
	assert_contains(told.text, "in transaction 0x7700");
}

/* Nobody has it in hand: it simply is in effect. */
static void test_a_draft_in_effect_is_confirmed(void **state)
{
	struct govern_world *w = *state;

	prepare(w);
	struct proposal_id id = propose(w, MODEL_SAFE_TIMELOCK);
	say_present(w);
	begin(w);
	world_until_state(w, id, STATE_CONFIRMED);
	assert_int_equal(alarms(w, ALARM_ALREADY_IN_EFFECT), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

/* --- what people do while the chain is asked ---------------------------------------------------
 */

/* Does it in the middle of the look that comes next. */
struct meanwhile {
	struct govern_world *w;
	struct jval *(*method)(const char *name, const struct jval *params, void *arg);
	bool (*contract)(const struct address *to, struct bytes data, struct buf *returned,
	                 void *arg);
	void (*act)(struct govern_world *w, struct proposal_id id);
	struct proposal_id id;
	bool done;
};

static struct jval *act_meanwhile(const char *name, const struct jval *params, void *arg)
{
	struct meanwhile *meanwhile = arg;

	if (strcmp(name, "eth_call") == 0 && !meanwhile->done) {
		meanwhile->done = true;
		store_begin(meanwhile->w->store);
		meanwhile->act(meanwhile->w, meanwhile->id);
		store_commit(meanwhile->w->store);
	}
	return meanwhile->method(name, params, meanwhile->w);
}

static void withdraw(struct govern_world *w, struct proposal_id id)
{
	store_proposal_withdraw(w->store, id, false, "by a person");
}

static bool answer_contract(const struct address *to, struct bytes data, struct buf *returned,
                            void *arg)
{
	struct meanwhile *meanwhile = arg;

	return meanwhile->contract(to, data, returned, meanwhile->w);
}

/* What becomes overdue in the same look stays withdrawn. */
static void test_a_withdrawal_while_the_chain_is_asked(void **state)
{
	struct govern_world *w = *state;
	struct call call = world_call(w, ACTION_ADD, &value);

	prepare(w);
	struct new_proposal draft = world_draft(w, &call);
	draft.expires_at = (struct wall){1};
	struct proposal_id id = world_propose(w, &draft, world_record(w, KIND_OS_IMAGE, &value));
	world_add_schedule(w, id, bytes_text("old"));
	put_in_queue(w, id);
	struct meanwhile meanwhile = {.w = w,
	                              .method = w->node.method,
	                              .contract = w->node.contract,
	                              .act = withdraw,
	                              .id = id};
	w->node.method = act_meanwhile;
	w->node.contract = answer_contract;
	w->node.arg = &meanwhile;
	world_first_look(w);
	assert_true(meanwhile.done);
	assert_int_equal(world_proposal(w, id).flags, FLAG_OVERDUE | FLAG_WITHDRAWING);
}

static void give_way(struct govern_world *w, struct proposal_id id)
{
	assert_int_equal(store_proposal_give_way(w->store, id, "others made the same", &w->error),
	                 0);
}

/* A draft that would have expired in that look. */
static void test_a_draft_gives_way_while_the_chain_is_asked(void **state)
{
	struct govern_world *w = *state;
	struct call call = world_call(w, ACTION_ADD, &value);

	prepare(w);
	struct new_proposal draft = world_draft(w, &call);
	draft.expires_at = (struct wall){1};
	struct proposal_id id = world_propose(w, &draft, world_record(w, KIND_OS_IMAGE, &value));
	world_add_schedule(w, id, bytes_text("old"));
	struct meanwhile meanwhile = {.w = w,
	                              .method = w->node.method,
	                              .contract = w->node.contract,
	                              .act = give_way,
	                              .id = id};
	w->node.method = act_meanwhile;
	w->node.contract = answer_contract;
	w->node.arg = &meanwhile;
	world_first_look(w);
	assert_true(meanwhile.done);
	assert_int_equal(world_proposal(w, id).state, STATE_CANCELLED);
	assert_int_equal(world_alarms(w, "expired").count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_a_raised_delay_replaces_a_draft),
	        TEST(test_a_raised_delay_beside_what_people_have),
	        TEST(test_a_raised_delay_without_a_safe),
	        TEST(test_a_lowered_delay_changes_nothing),
	        TEST(test_what_a_module_did_is_stepped_back_from),
	        TEST(test_a_draft_in_effect_is_confirmed),
	        TEST(test_a_withdrawal_while_the_chain_is_asked),
	        TEST(test_a_draft_gives_way_while_the_chain_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
