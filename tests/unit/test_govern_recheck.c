/* What is asked once more after a registry's implementation changed, and what comes of it. */
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_measurement.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { FOLLOWED_SINCE = 800, UPGRADED_AT = 900 };

static const struct hash32 value = {{0xaa, 0xbb}};
static const struct hash32 implementation = {{[31] = 0x1f}};

static struct measurement_id prepare(struct govern_world *w, enum measurement_status status)
{
	govern_world_prepare(
	        w, &(struct world_options){.target = "    batch: {quiet: 1ms}\n", .chain = ""});
	struct measurement_id id = world_record(w, KIND_OS_IMAGE, &value);

	store_begin(w->store);
	if (status == MEASUREMENT_REVOKED)
		store_measurement_set_wanted(w->store, id, false, "revoked");
	store_measurement_set_status(w->store, id, status, NULL);
	store_watched_add(w->store, WORLD_CHAIN, &w->kms, FOLLOWED_SINCE);
	store_commit(w->store);
	return id;
}

static void upgrade(struct govern_world *w, uint64_t block)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xbb}},
	                       .tx_hash = {{0x77}},
	                       .address = w->kms,
	                       .topic0 = *event_topic0(EVENT_UPGRADED),
	                       .key = implementation,
	                       .data = bytes_of(&implementation, sizeof(implementation))};

	store_begin(w->store);
	assert_true(store_log_put(w->store, WORLD_CHAIN, &log));
	store_commit(w->store);
}

static void getter_of(uint8_t data[36])
{
	memcpy(data, kind_getter_selector(KIND_OS_IMAGE), 4);
	memcpy(data + 4, value.b, 32);
}

static void say(struct govern_world *w, bool present)
{
	uint8_t data[36], answer[32] = {[31] = present};

	getter_of(data);
	world_says(w, &w->kms, bytes_of(data, sizeof(data)), bytes_of(answer, sizeof(answer)));
}

static size_t open_upgrades(struct govern_world *w)
{
	struct seen_log_list logs;

	logs = store_log_unacted(w->store, &w->arena, WORLD_CHAIN, event_topic0(EVENT_UPGRADED), 1,
	                         UINT32_MAX);
	return logs.count;
}

static void until_asked(struct govern_world *w)
{
	for (int i = 0; i < 500 && open_upgrades(w) > 0; i++)
		world_run_for(w, 10);
	assert_int_equal(open_upgrades(w), 0);
}

static void restart(struct govern_world *w)
{
	govern_free(w->govern);
	world_first_look(w);
	world_run_for(w, 50);
}

static void test_what_the_new_code_forgot_is_held(void **state)
{
	struct govern_world *w = *state;
	struct measurement_id id = prepare(w, MEASUREMENT_AUTHORIZED);

	say(w, false);
	upgrade(w, UPGRADED_AT);
	world_first_look(w);
	world_until_status(w, id, MEASUREMENT_HELD);
	struct measurement held = world_measurement(w, id);
	assert_true(held.wanted); /* nobody removed it */
	assert_contains(held.reason, "the implementation of its registry changed");
	struct world_alarms told = world_until_alarm(w, "[code-contradicts]");
	assert_string_equal(told.subject, "m1");
	assert_contains(told.text, "registrarctl approve m1");
	assert_int_equal(open_upgrades(w), 0);
	restart(w);
	assert_int_equal(world_alarms(w, "[code-contradicts]").count, 1);
	/* The one command brings a new attempt. */
	store_begin(w->store);
	store_measurement_approve(w->store, id, "alice");
	store_commit(w->store);
	govern_wake(w->govern);
	world_until_status(w, id, MEASUREMENT_PROPOSED);
	assert_int_equal(world_proposals(w).count, 1);
}

static void test_what_the_new_code_knows_stays(void **state)
{
	struct govern_world *w = *state;
	struct measurement_id id = prepare(w, MEASUREMENT_AUTHORIZED);

	say(w, true);
	upgrade(w, UPGRADED_AT);
	world_first_look(w);
	until_asked(w);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);
	assert_int_equal(world_alarms(w, "[code-contradicts]").count, 0);
}

/* No answer is no "no". */
static void test_code_without_an_answer_takes_nothing(void **state)
{
	struct govern_world *w = *state;
	struct measurement_id id = prepare(w, MEASUREMENT_AUTHORIZED);
	uint8_t data[36];

	getter_of(data);
	world_reverts(w, &w->kms, bytes_of(data, sizeof(data)));
	upgrade(w, UPGRADED_AT);
	world_first_look(w);
	until_asked(w);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);
}

static void test_what_was_revoked_and_is_back_is_told(void **state)
{
	struct govern_world *w = *state;
	struct measurement_id id = prepare(w, MEASUREMENT_REVOKED);

	say(w, true);
	upgrade(w, UPGRADED_AT);
	world_first_look(w);
	struct world_alarms told = world_until_alarm(w, "[code-contradicts]");
	assert_string_equal(told.subject, "m1");
	assert_contains(told.text, "registrarctl revoke 0xaabb");
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_REVOKED);
}

static void test_an_upgrade_before_it_was_followed_is_no_news(void **state)
{
	struct govern_world *w = *state;
	struct measurement_id id = prepare(w, MEASUREMENT_AUTHORIZED);

	say(w, false);
	upgrade(w, FOLLOWED_SINCE - 1);
	world_first_look(w);
	until_asked(w);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);
}

static void test_an_upgrade_waits_for_finality(void **state)
{
	struct govern_world *w = *state;
	struct measurement_id id = prepare(w, MEASUREMENT_AUTHORIZED);

	say(w, false);
	upgrade(w, w->node.finalized + 1);
	world_first_look(w);
	world_run_for(w, 50);
	assert_int_equal(open_upgrades(w), 1);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);
	w->node.head++;
	w->node.finalized++;
	restart(w);
	world_until_status(w, id, MEASUREMENT_HELD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_what_the_new_code_forgot_is_held),
	        TEST(test_what_the_new_code_knows_stays),
	        TEST(test_code_without_an_answer_takes_nothing),
	        TEST(test_what_was_revoked_and_is_back_is_told),
	        TEST(test_an_upgrade_before_it_was_followed_is_no_news),
	        TEST(test_an_upgrade_waits_for_finality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
