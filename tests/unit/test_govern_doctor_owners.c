/* What doctor finds about whose the registries are, and the transactions that it prints. */
#include "common/crypto/hash.h"
#include "common/governance/timelock.h"
#include "daemon/govern/doctor.h"
#include "tests/unit/govern_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct world_options plain = {.target = "", .chain = ""};

/* --- asking ----------------------------------------------------------------------------------- */

struct answer {
	struct loop *loop;
	struct jval *report;
};

static void told(struct jval *report, void *arg)
{
	struct answer *answer = arg;

	assert_null(answer->report);
	answer->report = report;
	loop_stop(answer->loop);
}

/* The report is examined for what every row must have. */
static struct jval *examine(struct govern_world *w)
{
	static const char *const results[] = {"ok", "warning", "failure", "unknown"};
	struct answer answer = {.loop = w->loop};

	assert_non_null(govern_doctor(w->govern, told, &answer));
	assert_null(answer.report); /* never from inside */
	world_run(w);
	assert_true(jval_count(answer.report) > 5);
	for (size_t i = 0; i < jval_count(answer.report); i++) {
		const struct jval *row = jval_at(answer.report, i);
		const char *result = jval_get_string(row, "result");
		bool known = false;
		for (size_t k = 0; k < ARRAY_LEN(results); k++)
			known |= strcmp(result, results[k]) == 0;
		assert_true(known);
		assert_non_null(jval_get_string(row, "target"));
		assert_true(strlen(jval_get_string(row, "check")) > 0);
		assert_true(strlen(jval_get_string(row, "found")) > 0);
		bool ok = strcmp(result, "ok") == 0;
		assert_int_equal(strlen(jval_get_string(row, "fix")) == 0, ok);
	}
	return answer.report;
}

static const struct jval *row_of(const struct jval *report, const char *check)
{
	for (size_t i = 0; i < jval_count(report); i++)
		if (strcmp(jval_get_string(jval_at(report, i), "check"), check) == 0)
			return jval_at(report, i);
	fail_msg("no row about %s", check);
	return NULL;
}

static void expect(const struct jval *report, const char *check, const char *result,
                   const char *found)
{
	const struct jval *row = row_of(report, check);

	if (strcmp(jval_get_string(row, "result"), result) != 0 ||
	    strstr(jval_get_string(row, "found"), found) == NULL)
		fail_msg("%s is %s: %s", check, jval_get_string(row, "result"),
		         jval_get_string(row, "found"));
}

static void expect_fix(const struct jval *report, const char *check, const char *part)
{
	const char *fix = jval_get_string(row_of(report, check), "fix");

	if (strstr(fix, part) == NULL)
		fail_msg("%s says nothing of %s: %s", check, part, fix);
}

/* The one thing that is wrong. */
static void examine_for(struct govern_world *w, const char *check, const char *result,
                        const char *found)
{
	struct jval *report = examine(w);

	expect(report, check, result, found);
	jval_free(report);
}

/* --- owners ----------------------------------------------------------------------------------- */

static const struct jval *calls_of(const struct jval *report, const char *check, size_t count)
{
	const struct jval *calls = jval_get(row_of(report, check), "calls");

	assert_int_equal(jval_count(calls), count);
	return calls;
}

static void expect_call(struct govern_world *w, const struct jval *call, const struct address *from,
                        const struct address *to, struct bytes data)
{
	char text[ADDRESS_TEXT_SIZE];

	(void)w;
	assert_string_equal(jval_get_string(call, "from"), address_lower(text, from));
	assert_string_equal(jval_get_string(call, "to"), address_lower(text, to));
	struct jval *hex = jval_object();
	jval_add_hex(hex, "data", data);
	assert_string_equal(jval_get_string(call, "data"), jval_get_string(hex, "data"));
	jval_free(hex);
}

static int64_t after_of(const struct jval *call)
{
	int64_t after = -1;

	assert_int_equal(jval_get_int(call, "after_seconds", &after), 0);
	return after;
}

static void say_operation(struct govern_world *w, const struct timelock_batch *batch,
                          uint64_t timestamp)
{
	struct hash32 id = timelock_operation_id(batch);
	uint8_t word[32] = {0};
	struct buf data = {0};

	be64_put(word + 24, timestamp);
	timelock_encode_get_timestamp(&data, &id);
	world_says(w, &w->timelock, buf_bytes(&data), bytes_of(word, sizeof(word)));
	buf_free(&data);
}

/* The very transactions that complete it, also the second time, and when it is scheduled already.
 */
static void test_an_acceptance_is_missing(void **state)
{
	struct govern_world *w = *state;
	const struct contract_call accept = {.to = w->app, .data = bytes_of("\x79\xba\x50\x97", 4)};
	struct timelock_batch batch = {.calls = &accept, .count = 1};
	struct buf schedule = {0}, execute = {0};

	govern_world_start(w, &plain);
	world_two_steps(w, &w->app, &w->owners[0], &w->timelock);
	struct jval *report = examine(w);
	expect(report, "app owner", "failure", "pending owner and has not accepted");
	expect(report, "app generation", "ok", "two steps");
	expect(report, "kms generation", "ok", "one step");
	expect(report, "kms owner", "ok", "");
	expect_fix(report, "app owner", "acceptOwnership() (0x79ba5097)");
	expect_fix(report, "app owner", "3600 s apart");
	batch.salt = timelock_salt(&batch, WORLD_CHAIN, &w->timelock, 0);
	timelock_encode_schedule(&schedule, &batch, WORLD_DELAY);
	timelock_encode_execute(&execute, &batch);
	const struct jval *calls = calls_of(report, "app owner", 2);
	expect_call(w, jval_at(calls, 0), &w->safe, &w->timelock, buf_bytes(&schedule));
	assert_int_equal(after_of(jval_at(calls, 0)), 0);
	expect_call(w, jval_at(calls, 1), &w->safe, &w->timelock, buf_bytes(&execute));
	assert_int_equal(after_of(jval_at(calls, 1)), WORLD_DELAY);
	jval_free(report);

	/* The first operation of that kind is done, from an earlier handover: the next salt. */
	say_operation(w, &batch, TIMELOCK_TIMESTAMP_DONE);
	batch.salt = timelock_salt(&batch, WORLD_CHAIN, &w->timelock, 1);
	buf_clear(&schedule);
	buf_clear(&execute);
	timelock_encode_schedule(&schedule, &batch, WORLD_DELAY);
	timelock_encode_execute(&execute, &batch);
	report = examine(w);
	calls = calls_of(report, "app owner", 2);
	expect_call(w, jval_at(calls, 0), &w->safe, &w->timelock, buf_bytes(&schedule));
	jval_free(report);

	say_operation(w, &batch, w->node.genesis_time + 2 * w->node.head + 77);
	report = examine(w);
	expect_fix(report, "app owner", "scheduled already");
	calls = calls_of(report, "app owner", 1);
	expect_call(w, jval_at(calls, 0), &w->safe, &w->timelock, buf_bytes(&execute));
	assert_int_equal(after_of(jval_at(calls, 0)), 77);
	jval_free(report);
	buf_free(&schedule);
	buf_free(&execute);
}

static void test_a_safe_has_not_accepted(void **state)
{
	struct govern_world *w = *state;
	const struct world_options options = {.target = "    model: safe\n", .chain = ""};

	govern_world_start(w, &options);
	world_two_steps(w, &w->app, &w->owners[0], &w->safe);
	struct jval *report = examine(w);
	expect(report, "app owner", "failure", "pending owner and has not accepted");
	const struct jval *calls = calls_of(report, "app owner", 1);
	expect_call(w, jval_at(calls, 0), &w->safe, &w->app, bytes_of("\x79\xba\x50\x97", 4));
	jval_free(report);
}

static void test_other_owners(void **state)
{
	struct govern_world *w = *state;
	const struct address nobody = {{0}};

	govern_world_start(w, &plain);
	world_view_address(w, &w->kms, VIEW_OWNER, &w->safe);
	examine_for(w, "kms owner", "failure", "not the timelock");
	world_view_address(w, &w->kms, VIEW_OWNER, &nobody);
	examine_for(w, "kms owner", "failure", "nobody owns it");
	world_two_steps(w, &w->kms, &w->owners[0], &w->owners[1]);
	examine_for(w, "kms owner", "failure", "not the timelock");
	world_two_steps(w, &w->kms, &w->timelock, &nobody);
	examine_for(w, "kms owner", "ok", "the timelock");
	world_two_steps(w, &w->kms, &w->timelock, &w->owners[1]);
	examine_for(w, "kms owner", "warning", "may take it over");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_an_acceptance_is_missing),
	        TEST(test_a_safe_has_not_accepted),
	        TEST(test_other_owners),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
