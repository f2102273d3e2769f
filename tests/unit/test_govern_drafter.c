/* From a measurement in the store to a draft, over a chain that answers as the test says. */
#include "common/crypto/hash.h"
#include "common/governance/timelock.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct hash32 value = {{0xaa, 0xbb}};
static const struct world_options at_once = {
        .target = "    batch: {quiet: 1ms}\n    execute: manual\n", .chain = ""};

static struct measurement_id record(struct govern_world *w, enum kind kind)
{
	return world_record(w, kind, &value);
}

static struct bytes lookup(struct govern_world *w, const uint8_t selector[4])
{
	uint8_t data[36];

	memcpy(data, selector, 4);
	memcpy(data + 4, value.b, 32);
	return arena_copy(&w->arena, bytes_of(data, sizeof(data)));
}

static void say(struct govern_world *w, const struct address *to, struct bytes data, uint64_t word)
{
	uint8_t returned[32] = {0};

	be64_put(returned + 24, word);
	world_says(w, to, data, bytes_of(returned, sizeof(returned)));
}

/* The batch that the drafter makes of one kind, with the salt of this attempt. */
static struct hash32 operation(struct govern_world *w, uint64_t attempt)
{
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
	struct contract_call call = {.to = w->kms, .data = bytes_of(data, sizeof(data))};
	struct timelock_batch batch = {.calls = &call, .count = 1};
	batch.salt = timelock_salt(&batch, WORLD_CHAIN, &w->timelock, attempt);
	return timelock_operation_id(&batch);
}

static void say_timestamp(struct govern_world *w, uint64_t attempt, uint64_t timestamp)
{
	struct hash32 id = operation(w, attempt);
	struct buf data = {0};

	timelock_encode_get_timestamp(&data, &id);
	say(w, &w->timelock, buf_bytes(&data), timestamp);
	buf_free(&data);
}

static void test_both_contracts_in_one_batch(void **state)
{
	struct govern_world *w = *state;
	struct safe_tx_list txs;

	govern_world_start(w, &at_once);
	struct measurement_id image = record(w, KIND_OS_IMAGE);
	struct measurement_id compose = record(w, KIND_COMPOSE);
	world_until_status(w, image, MEASUREMENT_PROPOSED);
	world_until_status(w, compose, MEASUREMENT_PROPOSED);
	struct proposal_list list = world_proposals(w);
	assert_int_equal(list.count, 1);
	const struct proposal *p = &list.items[0];
	assert_int_equal(p->call_count, 2);
	assert_int_equal(p->delay, WORLD_DELAY);
	assert_int_equal(p->drafted_after, 936);
	assert_int_equal(p->attempt, 0);
	struct timelock_batch batch = proposal_batch(&w->arena, p);
	struct hash32 id = timelock_operation_id(&batch);
	assert_true(hash32_equal(&id, &p->operation_id));
	store_safe_tx_list(w->store, &w->arena, p->id, &txs);
	assert_int_equal(txs.count, 1);
	assert_true(address_equal(&txs.items[0].to, &w->timelock));
	assert_int_equal(txs.items[0].operation, 0);
	struct buf schedule = {0};
	timelock_encode_schedule(&schedule, &batch, WORLD_DELAY);
	assert_true(bytes_equal(txs.items[0].data, buf_bytes(&schedule)));
	buf_free(&schedule);
	const char *file = arena_printf(&w->arena, "%s/drafts/p%lld-schedule-1.json",
	                                w->config->state_dir, (long long)p->id.n);
	assert_int_equal(access(file, R_OK), 0);
}

static void test_the_lowest_attempt_that_is_free(void **state)
{
	struct govern_world *w = *state;

	/* More than one read's worth of them is used up. */
	for (uint64_t attempt = 0; attempt < 11; attempt++)
		say_timestamp(w, attempt, TIMELOCK_TIMESTAMP_DONE);
	govern_world_start(w, &at_once);
	world_until_status(w, record(w, KIND_OS_IMAGE), MEASUREMENT_PROPOSED);
	struct proposal_list list = world_proposals(w);
	struct hash32 id = operation(w, 11);
	assert_int_equal(list.items[0].attempt, 11);
	assert_true(hash32_equal(&list.items[0].operation_id, &id));
}

/* A backup older than the operation was restored: it is followed, not asked for again. */
static void test_scheduled_already(void **state)
{
	struct govern_world *w = *state;
	struct safe_tx_list txs;

	say_timestamp(w, 0, TIMELOCK_TIMESTAMP_DONE);
	say_timestamp(w, 1, INT32_MAX);
	govern_world_start(w, &at_once);
	world_until_status(w, record(w, KIND_OS_IMAGE), MEASUREMENT_PROPOSED);
	struct proposal_list list = world_proposals(w);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].attempt, 1);
	assert_string_equal(list.items[0].origin, "external");
	store_safe_tx_list(w->store, &w->arena, list.items[0].id, &txs);
	assert_int_equal(txs.count, 1);
	assert_int_equal(txs.items[0].status, SAFE_TX_EXECUTED);
	world_until_state(w, list.items[0].id, STATE_TIMELOCK);
}

/* A delay is any number of seconds: people can schedule it for never. */
static void test_scheduled_for_never(void **state)
{
	struct govern_world *w = *state;
	struct hash32 id = operation(w, 0);
	const uint8_t never[32] = {1};
	struct buf data = {0};

	timelock_encode_get_timestamp(&data, &id);
	world_says(w, &w->timelock, buf_bytes(&data), bytes_of(never, sizeof(never)));
	buf_free(&data);
	govern_world_start(w, &at_once);
	struct measurement_id image = record(w, KIND_OS_IMAGE);
	world_until_status(w, image, MEASUREMENT_PROPOSED);
	struct proposal_id p1 = world_proposals(w).items[0].id;
	world_until_state(w, p1, STATE_TIMELOCK);
	assert_true(world_proposal(w, p1).ready_at == UINT64_MAX);
}

static void test_authorized_already(void **state)
{
	struct govern_world *w = *state;

	say(w, &w->kms, lookup(w, kind_getter_selector(KIND_OS_IMAGE)), 1);
	govern_world_start(w, &at_once);
	struct measurement_id image = record(w, KIND_OS_IMAGE);
	struct measurement_id compose = record(w, KIND_COMPOSE);
	world_until_status(w, image, MEASUREMENT_AUTHORIZED);
	world_until_status(w, compose, MEASUREMENT_PROPOSED); /* the other half is drafted alone */
	assert_int_equal(world_proposals(w).count, 1);
	assert_int_equal(world_proposals(w).items[0].call_count, 1);
}

static void test_no_getter_answers(void **state)
{
	struct govern_world *w = *state;

	world_reverts(w, &w->kms, lookup(w, kind_getter_selector(KIND_OS_IMAGE)));
	govern_world_start(w, &at_once);
	struct measurement_id id = record(w, KIND_OS_IMAGE);
	world_until_status(w, id, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, id).reason, "no check");
	assert_int_equal(world_proposals(w).count, 0);
}

static void test_getters_that_disagree_are_an_alarm(void **state)
{
	struct govern_world *w = *state;

	say(w, &w->kms, lookup(w, is_authorized_selector), 1);
	govern_world_start(w, &at_once);
	struct measurement_id id = record(w, KIND_OS_IMAGE);
	world_until_status(w, id, MEASUREMENT_HELD);
	assert_true(world_alarmed(w, "disagree"));
}

/* What reverts is held; the rest goes out without it. */
static void test_a_simulation_that_reverts(void **state)
{
	struct govern_world *w = *state;
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
	world_reverts(w, &w->kms, bytes_of(data, sizeof(data)));
	govern_world_start(w, &at_once);
	struct measurement_id image = record(w, KIND_OS_IMAGE);
	struct measurement_id compose = record(w, KIND_COMPOSE);
	world_until_status(w, image, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, image).reason, "simulation");
	world_until_status(w, compose, MEASUREMENT_PROPOSED);
	assert_int_equal(world_proposals(w).items[0].call_count, 1);
}

/* While one of the two registries is somebody else's nothing is drafted, and it goes on by itself.
 */
static void test_a_foreign_owner_stops_drafting(void **state)
{
	struct govern_world *w = *state;
	const struct address stranger = {{0x57}};

	world_view_address(w, &w->app, VIEW_OWNER, &stranger);
	govern_world_start(w, &at_once);
	struct measurement_id image = record(w, KIND_OS_IMAGE);
	for (int i = 0; i < 500 && !world_alarmed(w, "[owner-elsewhere]"); i++)
		world_run_for(w, 10);
	for (int i = 0; i < 3; i++) {
		govern_wake(w->govern);
		world_run_for(w, 50);
	}
	assert_int_equal(world_alarms(w, "[owner-elsewhere] nothing is drafted: app 0x").count, 1);
	assert_int_equal(world_proposals(w).count, 0);
	assert_int_equal(world_measurement(w, image).status, MEASUREMENT_NEW);
	assert_contains(world_measurement(w, image).reason, "is owned by 0x5700");
	assert_contains(world_measurement(w, image).reason, "not by the timelock 0xa85233C6");

	world_view_address(w, &w->app, VIEW_OWNER, &w->timelock);
	govern_wake(w->govern);
	world_until_status(w, image, MEASUREMENT_PROPOSED);
	assert_int_equal(world_proposals(w).count, 1);

	/* Again: told again. */
	world_view_address(w, &w->kms, VIEW_OWNER, &stranger);
	struct measurement_id compose = record(w, KIND_COMPOSE);
	for (int i = 0; i < 500 && world_alarms(w, "[owner-elsewhere]").count == 1; i++)
		world_run_for(w, 10);
	assert_int_equal(world_alarms(w, "nothing is drafted: kms 0x").count, 1);
	assert_int_equal(world_measurement(w, compose).status, MEASUREMENT_NEW);
}

/* A contract that answers getMinDelay and nothing else of a timelock is not asked without end. */
static void test_a_timelock_without_timestamps(void **state)
{
	struct govern_world *w = *state;
	struct hash32 id = operation(w, 0);
	struct buf data = {0};

	timelock_encode_get_timestamp(&data, &id);
	world_reverts(w, &w->timelock, buf_bytes(&data));
	buf_free(&data);
	govern_world_start(w, &at_once);
	struct measurement_id measurement = record(w, KIND_OS_IMAGE);
	world_run_for(w, 300);
	assert_in_range(w->node.calls, 1, 20); /* without an end it would be hundreds */
	assert_int_equal(world_measurement(w, measurement).status, MEASUREMENT_NEW);
	assert_int_equal(world_proposals(w).count, 0);
}

/* A registry and a timelock beside those of the world, for a target of their own. */
static const struct address other_kms = {{0x0b, 1}}, silent_timelock = {{0x0b, 2}};

static void give_other_kms_answers(struct govern_world *w)
{
	uint8_t call[REGISTRY_CALL_SIZE];

	world_view_address(w, &other_kms, VIEW_OWNER, &w->timelock);
	world_reverts(w, &other_kms, view_call(VIEW_PENDING_OWNER));
	say(w, &other_kms, lookup(w, kind_getter_selector(KIND_OS_IMAGE)), 0);
	registry_encode_call(call, KIND_OS_IMAGE, ACTION_ADD, &value);
	world_says(w, &other_kms, bytes_of(call, sizeof(call)), bytes_of(NULL, 0));
}

/* Its contracts are its own trouble: the target after it is drafted for. */
static void test_a_silent_timelock_keeps_no_other_target_waiting(void **state)
{
	struct govern_world *w = *state;
	const struct address answering = w->timelock;
	char kms[ADDRESS_TEXT_SIZE], safe[ADDRESS_TEXT_SIZE], timelock[ADDRESS_TEXT_SIZE];
	const struct evidence evidence = {.level = LEVEL_RECOMPUTED,
	                                  .source = "folder",
	                                  .artifact = "/srv/enclave.eif",
	                                  .details = "{}"};
	bool created;

	const struct world_options options = {
	        .chain = "",
	        .target = arena_printf(&w->arena,
	                               "    batch: {quiet: 1ms}\n    execute: manual\n"
	                               "  zeta:\n    chain: base\n    kms: \"%s\"\n"
	                               "    safe: \"%s\"\n    timelock: \"%s\"\n"
	                               "    batch: {quiet: 1ms}\n    execute: manual\n",
	                               address_text(kms, &other_kms), address_text(safe, &w->safe),
	                               address_text(timelock, &answering))};
	w->timelock = silent_timelock;
	govern_world_prepare(w, &options);
	w->timelock = answering;
	world_view_address(w, &w->kms, VIEW_OWNER, &silent_timelock);
	world_view_address(w, &w->app, VIEW_OWNER, &silent_timelock);
	give_other_kms_answers(w);
	struct measurement_id stuck = record(w, KIND_OS_IMAGE);
	store_begin(w->store);
	store_target_put(w->store, "zeta", WORLD_CHAIN, &other_kms, NULL);
	struct measurement_id image = store_measurement_record(w->store, "zeta", KIND_OS_IMAGE,
	                                                       &value, &evidence, &created);
	store_commit(w->store);
	w->govern = govern_new(&w->parts);
	world_until_status(w, image, MEASUREMENT_PROPOSED);
	assert_int_equal(world_measurement(w, stuck).status, MEASUREMENT_NEW);
}

static void take_back(struct govern_world *w, struct measurement_id id, bool urgent)
{
	store_begin(w->store);
	store_measurement_revoke(w->store, id, urgent, "uid 1000");
	store_commit(w->store);
	govern_wake(w->govern);
}

static void test_a_revoked_value_is_removed(void **state)
{
	struct govern_world *w = *state;
	struct safe_tx_list txs;

	say(w, &w->kms, lookup(w, kind_getter_selector(KIND_OS_IMAGE)), 1);
	govern_world_start(w, &at_once);
	struct measurement_id id = record(w, KIND_OS_IMAGE);
	world_until_status(w, id, MEASUREMENT_AUTHORIZED);
	take_back(w, id, true);
	world_until_status(w, id, MEASUREMENT_PROPOSED);
	struct proposal_list list = world_proposals(w);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].call_count, 1);
	assert_int_equal(list.items[0].calls[0].action, ACTION_REMOVE);
	assert_true(list.items[0].urgent);
	store_safe_tx_list(w->store, &w->arena, list.items[0].id, &txs);
	assert_int_equal(txs.count, 1);
	assert_false(world_measurement(w, id).wanted);
}

static void test_what_is_not_there_is_revoked_without_a_proposal(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &at_once);
	struct measurement_id id = record(w, KIND_OS_IMAGE);
	world_until_status(w, id, MEASUREMENT_PROPOSED);
	struct proposal_id p = world_proposals(w).items[0].id;
	take_back(w, id, false);
	world_run_for(w, 200);
	/* Its addition may still land. */
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_PROPOSED);
	world_move(w, p, STATE_CANCELLED);
	govern_wake(w->govern);
	world_until_status(w, id, MEASUREMENT_REVOKED);
	assert_int_equal(world_proposals(w).count, 1);
	assert_false(world_measurement(w, id).wanted);
}

/* Others answer for the endpoint that is up to date, with what they still see. */
static void test_nothing_is_drafted_or_left_undrafted_by_old_blocks(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &at_once);
	world_run_for(w, 200);
	w->node.head--;
	struct measurement_id add = record(w, KIND_OS_IMAGE), remove = record(w, KIND_COMPOSE);
	take_back(w, remove, false);
	world_run_for(w, 400);
	assert_int_equal(world_proposals(w).count, 0);
	assert_int_equal(world_measurement(w, remove).status, MEASUREMENT_NEW);
	w->node.head++;
	world_until_status(w, add, MEASUREMENT_PROPOSED);
	world_until_status(w, remove, MEASUREMENT_REVOKED);
}

static void test_a_removal_that_reverts_is_held(void **state)
{
	struct govern_world *w = *state;
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_REMOVE, &value);
	world_reverts(w, &w->kms, bytes_of(data, sizeof(data)));
	say(w, &w->kms, lookup(w, kind_getter_selector(KIND_OS_IMAGE)), 1);
	govern_world_start(w, &at_once);
	struct measurement_id id = record(w, KIND_OS_IMAGE);
	world_until_status(w, id, MEASUREMENT_AUTHORIZED);
	take_back(w, id, false);
	world_until_status(w, id, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, id).reason, "removeOsImageHash");
	assert_int_equal(world_proposals(w).count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_both_contracts_in_one_batch),
	        TEST(test_the_lowest_attempt_that_is_free),
	        TEST(test_scheduled_already),
	        TEST(test_scheduled_for_never),
	        TEST(test_authorized_already),
	        TEST(test_no_getter_answers),
	        TEST(test_getters_that_disagree_are_an_alarm),
	        TEST(test_a_simulation_that_reverts),
	        TEST(test_a_timelock_without_timestamps),
	        TEST(test_a_silent_timelock_keeps_no_other_target_waiting),
	        TEST(test_a_revoked_value_is_removed),
	        TEST(test_what_is_not_there_is_revoked_without_a_proposal),
	        TEST(test_nothing_is_drafted_or_left_undrafted_by_old_blocks),
	        TEST(test_a_removal_that_reverts_is_held),
	        TEST(test_a_foreign_owner_stops_drafting),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
