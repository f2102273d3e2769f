/* What doctor finds about whose the registries are, and the transactions that it prints. */
#include "common/crypto/hash.h"
#include "common/governance/timelock.h"
#include "tests/unit/doctor_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct world_options plain = {.target = "", .chain = ""};

static const struct jval *calls_of(const struct jval *report, const char *check, size_t count)
{
	const struct jval *calls = jval_get(doctor_row(report, check), "calls");

	assert_int_equal(jval_count(calls), count);
	return calls;
}

static void expect_call(const struct jval *call, const struct address *from,
                        const struct address *to, struct bytes data)
{
	char text[ADDRESS_TEXT_SIZE];

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
	struct jval *report = doctor_examine(w);
	expect_row(report, "app owner", "failure", "pending owner and has not accepted");
	expect_row(report, "app generation", "ok", "two steps");
	expect_row(report, "kms generation", "ok", "one step");
	expect_row(report, "kms owner", "ok", "");
	expect_fix(report, "app owner", "acceptOwnership() (0x79ba5097)");
	expect_fix(report, "app owner", "3600 s apart");
	batch.salt = timelock_salt(&batch, WORLD_CHAIN, &w->timelock, 0);
	timelock_encode_schedule(&schedule, &batch, WORLD_DELAY);
	timelock_encode_execute(&execute, &batch);
	const struct jval *calls = calls_of(report, "app owner", 2);
	expect_call(jval_at(calls, 0), &w->safe, &w->timelock, buf_bytes(&schedule));
	assert_int_equal(after_of(jval_at(calls, 0)), 0);
	expect_call(jval_at(calls, 1), &w->safe, &w->timelock, buf_bytes(&execute));
	assert_int_equal(after_of(jval_at(calls, 1)), WORLD_DELAY);
	jval_free(report);

	/* The first operation of that kind is done, from an earlier handover: the next salt. */
	say_operation(w, &batch, TIMELOCK_TIMESTAMP_DONE);
	batch.salt = timelock_salt(&batch, WORLD_CHAIN, &w->timelock, 1);
	buf_clear(&schedule);
	buf_clear(&execute);
	timelock_encode_schedule(&schedule, &batch, WORLD_DELAY);
	timelock_encode_execute(&execute, &batch);
	report = doctor_examine(w);
	calls = calls_of(report, "app owner", 2);
	expect_call(jval_at(calls, 0), &w->safe, &w->timelock, buf_bytes(&schedule));
	jval_free(report);

	say_operation(w, &batch, w->node.genesis_time + 2 * w->node.head + 77);
	report = doctor_examine(w);
	expect_fix(report, "app owner", "scheduled already");
	calls = calls_of(report, "app owner", 1);
	expect_call(jval_at(calls, 0), &w->safe, &w->timelock, buf_bytes(&execute));
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
	struct jval *report = doctor_examine(w);
	expect_row(report, "app owner", "failure", "pending owner and has not accepted");
	const struct jval *calls = calls_of(report, "app owner", 1);
	expect_call(jval_at(calls, 0), &w->safe, &w->app, bytes_of("\x79\xba\x50\x97", 4));
	jval_free(report);
}

static void test_other_owners(void **state)
{
	struct govern_world *w = *state;
	const struct address nobody = {{0}};

	govern_world_start(w, &plain);
	world_view_address(w, &w->kms, VIEW_OWNER, &w->safe);
	doctor_finds(w, "kms owner", "failure", "not the timelock");
	world_view_address(w, &w->kms, VIEW_OWNER, &nobody);
	doctor_finds(w, "kms owner", "failure", "nobody owns it");
	world_two_steps(w, &w->kms, &w->owners[0], &w->owners[1]);
	doctor_finds(w, "kms owner", "failure", "not the timelock");
	world_two_steps(w, &w->kms, &w->timelock, &nobody);
	doctor_finds(w, "kms owner", "ok", "the timelock");
	world_two_steps(w, &w->kms, &w->timelock, &w->owners[1]);
	doctor_finds(w, "kms owner", "warning", "may take it over");
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
