/* What every stage of a lane leans on: waiting after failures, alarms told once, names, the order
 * of a batch, how often a service is asked. */
#include "daemon/govern/contested.h"
#include "daemon/govern/lane.h"

#include "common/base/clock.h"
#include "daemon/govern/service.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- backoff ----------------------------------------------------------------------------------
 */

static void test_backoff_doubles_to_its_limit(void **state)
{
	static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	struct backoff backoff = {0};
	struct mono now = {5000};

	(void)state;
	assert_true(backoff_ready(&backoff, now));
	assert_int_equal(backoff_wait_ms(&backoff, now), 0);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		backoff_failed(&backoff, now, CHAIN_RETRY_MAX_MS);
		assert_int_equal(backoff_wait_ms(&backoff, now), waits[i]);
		assert_false(backoff_ready(&backoff, now));
		now.ms += waits[i];
		assert_true(backoff_ready(&backoff, now));
	}
	for (int i = 0; i < 1000; i++) /* no overflow, however long it lasts */
		backoff_failed(&backoff, now, SERVICE_RETRY_MAX_MS);
	assert_int_equal(backoff_wait_ms(&backoff, now), SERVICE_RETRY_MAX_MS);
	backoff_worked(&backoff);
	assert_true(backoff_ready(&backoff, now));
	backoff_failed(&backoff, now, CHAIN_RETRY_MAX_MS);
	assert_int_equal(backoff_wait_ms(&backoff, now), 1000);
}

/* --- how often a service is asked ---------------------------------------------------------------
 */

static unsigned asked_in(int64_t poll_ms, int64_t during_ms)
{
	unsigned asked = 0;

	for (int64_t age = 0; age < during_ms; age += service_interval_ms(poll_ms, age))
		asked++;
	return asked;
}

static void test_service_budget(void **state)
{
	const int64_t hour = 3600 * 1000;

	(void)state;
	/* Two days at the default poll, and a month: far below one a minute. */
	assert_true(asked_in(60 * 1000, 48 * hour) <= 60);
	assert_true(asked_in(60 * 1000, 30 * 24 * hour) <= 500);
	/* The first minutes, in which signers are about, are not slowed down. */
	assert_int_equal(asked_in(60 * 1000, hour / 10), 6);
	/* Never more often than asked for, never backwards, also when the clock jumped back. */
	for (int64_t age = -hour; age < 100 * hour; age += 1234567) {
		int64_t wait = service_interval_ms(60 * 1000, age);
		assert_true(wait >= 60 * 1000 && wait <= 2 * hour);
		assert_true(service_interval_ms(24 * hour, age) == 24 * hour);
	}
}

/* --- alarms ----------------------------------------------------------------------------------- */

struct bench {
	struct store_fixture *f;
	struct config config;
	struct config_chain chain;
	struct govern_parts parts;
	struct lane *lane;
};

static int setup(void **state)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));

	store_fixture_setup((void **)&bench->f);
	bench->chain = (struct config_chain){.name = "base", .chain_id = STORE_FIXTURE_CHAIN};
	bench->parts = (struct govern_parts){.store = bench->f->store, .config = &bench->config};
	bench->lane = xcalloc(1, sizeof(*bench->lane));
	bench->lane->parts = &bench->parts;
	bench->lane->config = &bench->chain;
	bench->lane->troubles = troubles_new(bench->f->store, STORE_FIXTURE_CHAIN);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;
	void *fixture = bench->f;

	lane_free(bench->lane);
	free(bench);
	return store_fixture_teardown(&fixture);
}

static size_t alarms(struct bench *bench, const char *subject)
{
	struct event_list list;
	size_t count = 0;

	store_event_list(bench->f->store, &bench->f->arena, 0, 100000, &list);
	for (size_t i = 0; i < list.count; i++)
		count += strcmp(list.items[i].type, "alarm") == 0 &&
		         strcmp(list.items[i].subject, subject) == 0;
	return count;
}

static void test_a_wrong_clock_makes_nothing_expire_early(void **state)
{
	const int64_t hour = 3600 * 1000, day = 24 * hour;
	const struct config_target target = {.expire_ms = hour};
	struct bench *bench = *state;

	for (int64_t off = -day; off <= day; off += day / 4) { /* ours, beside the chain's */
		struct wall ours = clock_wall();
		bench->lane->head.timestamp = (uint64_t)(ours.ms - off) / 1000;
		int64_t expiry = lane_expiry(bench->lane, &target).ms;
		assert_true(expiry >= ours.ms + hour);
		assert_true(expiry >= (int64_t)bench->lane->head.timestamp * 1000 + hour);
		assert_true(expiry <= ours.ms + hour + day + 10000);
	}
}

static void test_an_alarm_is_told_once(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 5; i++)
		lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "it is %s", "stuck");
	assert_int_equal(alarms(bench, "p1"), 1);
	assert_string_equal(store_fixture_last_event(bench->f),
	                    "alarm p1: [not-proposed] it is stuck");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p2", "it is %s", "stuck");
	assert_int_equal(alarms(bench, "p2"), 1);
	assert_int_equal(alarms(bench, "p1"), 1);
	/* However long: it may list what stands in a whole entry. */
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p3", "%01500d, all of it", 7);
	const char *last = store_fixture_last_event(bench->f);
	assert_string_equal(last + strlen(last) - strlen("7, all of it"), "7, all of it");
}

static void test_two_troubles_in_turn_alarm_once_each(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 10; i++) {
		lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "the first trouble");
		lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "the second trouble");
	}
	assert_int_equal(alarms(bench, "p1"), 2);
}

static void test_an_alarm_that_is_over_sounds_again(void **state)
{
	struct bench *bench = *state;

	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "one");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "two");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p2", "one");
	lane_alarm_clear(bench->lane, ALARM_NOT_PROPOSED, "p1");
	lane_alarm_clear(bench->lane, ALARM_NOT_PROPOSED, "p3");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "one");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "two");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p2", "one");
	assert_int_equal(alarms(bench, "p1"), 4);
	assert_int_equal(alarms(bench, "p2"), 1);
}

/* Texts with a number in them must not fill the memory. */
static void test_what_is_remembered_is_bounded(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 100; i++)
		lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "%d gwei", i);
	assert_int_equal(alarms(bench, "p1"), 100);
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "99 gwei");
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "93 gwei");
	assert_int_equal(alarms(bench, "p1"), 100);
	lane_alarm(bench->lane, ALARM_NOT_PROPOSED, "p1", "0 gwei"); /* forgotten since */
	assert_int_equal(alarms(bench, "p1"), 101);
}

/* --- trouble that lasts ------------------------------------------------------------------------
 */

static void restart(struct bench *bench)
{
	troubles_free(bench->lane->troubles);
	bench->lane->troubles = troubles_new(bench->f->store, STORE_FIXTURE_CHAIN);
}

static struct jval *shown(const struct bench *bench, size_t count)
{
	struct jval *list = troubles_status(bench->lane->troubles);

	assert_int_equal(jval_count(list), count);
	return list;
}

static void test_trouble_is_shown_until_it_is_over(void **state)
{
	struct bench *bench = *state;

	jval_free(shown(bench, 0));
	lane_alarm(bench->lane, ALARM_EXECUTOR_FUNDS, "0xabc", "no money");
	lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p1", "it reverts");
	lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p1", "a guard refuses it");
	lane_alarm(bench->lane, ALARM_FOREIGN, "p1", "nothing that lasts");
	struct jval *list = shown(bench, 2);
	assert_string_equal(jval_get_string(jval_at(list, 0), "alarm"), "executor-funds");
	assert_string_equal(jval_get_string(jval_at(list, 0), "do"), "send coin to 0xabc");
	assert_string_equal(jval_get_string(jval_at(list, 1), "subject"), "p1");
	assert_string_equal(jval_get_string(jval_at(list, 1), "text"), "a guard refuses it");
	assert_non_null(strstr(jval_get_string(jval_at(list, 1), "do"), "withdraw p1"));
	jval_free(list);
	lane_alarm_clear(bench->lane, ALARM_CANNOT_RUN, "p1");
	jval_free(shown(bench, 1));
	restart(bench);
	lane_alarm(bench->lane, ALARM_EXECUTOR_FUNDS, "0xabc", "no money");
	jval_free(shown(bench, 1));
}

static void test_after_a_restart_it_is_told_again_with_its_beginning(void **state)
{
	struct bench *bench = *state;
	char since[64];

	lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p1", "it reverts");
	struct jval *list = shown(bench, 1);
	snprintf(since, sizeof(since), "%s", jval_get_string(jval_at(list, 0), "since"));
	jval_free(list);
	restart(bench);
	/* Nobody has looked yet. */
	jval_free(shown(bench, 0));
	assert_false(lane_alarmed(bench->lane, ALARM_CANNOT_RUN, "p1"));
	for (int i = 0; i < 3; i++)
		lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p1", "it reverts");
	assert_int_equal(alarms(bench, "p1"), 2);
	list = shown(bench, 1);
	assert_string_equal(jval_get_string(jval_at(list, 0), "since"), since);
	jval_free(list);
	/* Over while nobody was told: it begins anew. */
	restart(bench);
	lane_alarm_clear(bench->lane, ALARM_CANNOT_RUN, "p1");
	restart(bench);
	assert_int_equal(store_fixture_number(bench->f, "SELECT count(*) FROM trouble"), 0);
}

static bool is_p2(const char *subject, void *arg)
{
	(void)arg;
	return strcmp(subject, "p2") == 0;
}

static void test_what_has_no_cause_any_more_is_over(void **state)
{
	struct bench *bench = *state;

	lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p1", "one");
	lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p1", "two");
	lane_alarm(bench->lane, ALARM_CANNOT_RUN, "p2", "one");
	lane_alarm(bench->lane, ALARM_NOT_EXECUTED, "p1", "one");
	troubles_keep(bench->lane->troubles, ALARM_CANNOT_RUN, is_p2, NULL);
	assert_false(lane_alarmed(bench->lane, ALARM_CANNOT_RUN, "p1"));
	assert_true(lane_alarmed(bench->lane, ALARM_CANNOT_RUN, "p2"));
	assert_true(lane_alarmed(bench->lane, ALARM_NOT_EXECUTED, "p1"));
	lane_alarm(bench->lane, ALARM_DRAFT_FILE, "p1-schedule-1", "a file");
	/* Neither of them is a proposal that lives. */
	troubles_drop_ended(bench->lane->troubles);
	struct jval *list = shown(bench, 1);
	assert_string_equal(jval_get_string(jval_at(list, 0), "subject"), "p1-schedule-1");
	jval_free(list);
	assert_int_equal(store_fixture_number(bench->f, "SELECT count(*) FROM trouble"), 1);
}

static void test_contested_is_over_when_no_place_tells_of_it(void **state)
{
	const struct proposal_id one = {1}, two = {2};
	struct bench *bench = *state;
	struct contested *contested = contested_new(bench->lane);
	const int queue = 0, timelock = 0;

	contested_begin(contested, &queue);
	contested_tell(contested, one, "a transaction makes its call, too");
	contested_tell(contested, two, "so does another");
	contested_end(contested);
	contested_begin(contested, &timelock);
	contested_tell(contested, one, "an operation makes its call, too");
	contested_end(contested);
	struct jval *list = shown(bench, 2);
	assert_string_equal(jval_get_string(jval_at(list, 0), "alarm"), "contested");
	assert_non_null(strstr(jval_get_string(jval_at(list, 0), "do"), "rejected"));
	jval_free(list);
	/* What the timelock holds still stands against the first. */
	contested_begin(contested, &queue);
	contested_end(contested);
	list = shown(bench, 1);
	assert_string_equal(jval_get_string(jval_at(list, 0), "subject"), "p1");
	jval_free(list);
	contested_begin(contested, &timelock);
	contested_tell(contested, one, "an operation makes its call, too");
	contested_end(contested);
	jval_free(shown(bench, 1));
	contested_begin(contested, &timelock);
	contested_end(contested);
	jval_free(shown(bench, 0));
	assert_int_equal(store_fixture_number(bench->f, "SELECT count(*) FROM trouble"), 0);
	contested_free(contested);
}

/* --- names and batches ------------------------------------------------------------------------ */

static void test_subjects(void **state)
{
	char text[SUBJECT_SIZE];

	(void)state;
	assert_string_equal(proposal_subject(text, (struct proposal_id){7}), "p7");
	assert_string_equal(measurement_subject(text, (struct measurement_id){INT64_MAX}),
	                    "m9223372036854775807");
}

/* What stands in the timelock is executed as it stands there. */
static void test_batches_are_as_stored(void **state)
{
	uint8_t add[REGISTRY_CALL_SIZE], remove[REGISTRY_CALL_SIZE];
	const struct hash32 value = {{9}};
	struct arena arena = {0};

	(void)state;
	registry_encode_call(add, KIND_OS_IMAGE, ACTION_ADD, &value);
	registry_encode_call(remove, KIND_OS_IMAGE, ACTION_REMOVE, &value);
	struct call calls[] = {{.to = {{1}}, .data = bytes_of(add, sizeof(add))},
	                       {.to = {{2}}, .data = bytes_of(remove, sizeof(remove))}};
	struct proposal proposal = {
	        .calls = calls, .call_count = 2, .salt = {{5}}, .predecessor = {{6}}};
	struct timelock_batch batch = proposal_batch(&arena, &proposal);
	assert_int_equal(batch.count, 2);
	assert_true(bytes_equal(batch.calls[0].data, calls[0].data));
	assert_true(hash32_equal(&batch.salt, &proposal.salt));
	assert_true(hash32_equal(&batch.predecessor, &proposal.predecessor));
	assert_false(batch.single);
	proposal.call_count = 1;
	proposal.single = true;
	batch = proposal_batch(&arena, &proposal);
	assert_true(batch.single);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_backoff_doubles_to_its_limit),
	        cmocka_unit_test(test_service_budget),
	        cmocka_unit_test_setup_teardown(test_a_wrong_clock_makes_nothing_expire_early,
	                                        setup, teardown),
	        cmocka_unit_test_setup_teardown(test_an_alarm_is_told_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_two_troubles_in_turn_alarm_once_each, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_an_alarm_that_is_over_sounds_again, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_what_is_remembered_is_bounded, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_trouble_is_shown_until_it_is_over, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(
	                test_after_a_restart_it_is_told_again_with_its_beginning, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_what_has_no_cause_any_more_is_over, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_contested_is_over_when_no_place_tells_of_it,
	                                        setup, teardown),
	        cmocka_unit_test(test_subjects),
	        cmocka_unit_test(test_batches_are_as_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
