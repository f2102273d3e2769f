/* What an operator asks of govern: a check, an export, a withdrawal, the status; and what it does
 * by itself when the registries' own events speak. */
#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_preflight.h"
#include "daemon/govern/registry_watch.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct world_options plain = {.target = "", .chain = ""};
static const struct hash32 value = {{0xaa, 0xbb}};

/* --- check ------------------------------------------------------------------------------------ */

struct checked {
	struct loop *loop;
	bool done;
	struct error error;
	struct govern_check checks[8];
	size_t count;
	uint64_t head, final;
};

static void check_told(const struct error *error, const struct govern_check *checks, size_t count,
                       const struct block_ref *head, const struct block_ref *final, void *arg)
{
	struct checked *checked = arg;

	assert_false(checked->done);
	checked->done = true;
	checked->count = count;
	if (error != NULL)
		checked->error = *error;
	if (count > 0)
		memcpy(checked->checks, checks, count * sizeof(*checks));
	checked->head = head->number;
	checked->final = final->number;
	loop_stop(checked->loop);
}

static struct checked check(struct govern_world *w, const enum kind *kinds, size_t count)
{
	struct checked checked = {.loop = w->loop};
	const struct govern_question question = {&w->config->targets[0], value, kinds, count};

	assert_non_null(govern_check(w->govern, &question, check_told, &checked));
	assert_false(checked.done);
	world_run(w);
	assert_true(checked.done);
	return checked;
}

static void say_getter(struct govern_world *w, const struct address *registry,
                       const uint8_t selector[4], bool yes)
{
	uint8_t data[36], word[32] = {[31] = yes};

	memcpy(data, selector, 4);
	memcpy(data + 4, value.b, 32);
	world_says(w, registry, bytes_of(data, 36), bytes_of(word, 32));
}

static void test_check(void **state)
{
	struct govern_world *w = *state;
	const enum kind kinds[] = {KIND_OS_IMAGE, KIND_COMPOSE, KIND_KMS_MR};

	govern_world_start(w, &plain);
	say_getter(w, &w->kms, kind_getter_selector(KIND_OS_IMAGE), true);
	say_getter(w, &w->app, is_authorized_selector, true);
	struct checked got = check(w, kinds, ARRAY_LEN(kinds));
	assert_int_equal(got.error.code, 0);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.head, 1000);
	assert_int_equal(got.final, 936);
	assert_int_equal(got.checks[0].latest, CHECK_YES);
	assert_int_equal(got.checks[0].final, CHECK_YES);
	assert_string_equal(got.checks[0].getter, "allowedOsImages(bytes32)");
	assert_true(address_equal(&got.checks[0].contract, &w->kms));
	/* isAuthorized says yes and the mapping no: unknown. */
	assert_int_equal(got.checks[1].latest, CHECK_UNKNOWN);
	assert_true(address_equal(&got.checks[1].contract, &w->app));
	/* Nobody answers. */
	assert_int_equal(got.checks[2].latest, CHECK_UNKNOWN);
	assert_null(got.checks[2].getter);
}

static void test_check_without_a_chain(void **state)
{
	struct govern_world *w = *state;
	const enum kind kinds[] = {KIND_OS_IMAGE};

	govern_world_start(w, &plain);
	w->node.fail_times = 1000;
	w->node.fail_status = 500;
	struct checked got = check(w, kinds, 1);
	assert_int_equal(got.error.code, ERR_UNAVAILABLE);
	assert_int_equal(got.count, 0);

	struct checked never = {.loop = w->loop};
	const struct govern_question question = {&w->config->targets[0], value, kinds, 1};
	govern_cancel(govern_check(w->govern, &question, check_told, &never));
	assert_false(never.done);
}

/* --- proposals -------------------------------------------------------------------------------- */

static struct measurement_id record(struct govern_world *w)
{
	return world_record(w, KIND_OS_IMAGE, &value);
}

/* The addition of the value, with its schedule drafted. */
static struct proposal_id propose(struct govern_world *w)
{
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(w, &call);
	struct proposal_id id = world_propose(w, &draft, record(w));

	world_add_schedule(w, id, bytes_text("\x8f\x2a\x0b\xb0"));
	return id;
}

static void test_export(void **state)
{
	struct govern_world *w = *state;
	struct buf text = {0};

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	assert_int_equal(govern_export(w->govern, id, "calldata", &text, &w->error), 0);
	assert_string_equal(buf_text(&text),
	                    "0xa85233C63b9Ee964Add6F2cffe00Fd84eb32338f 0x8f2a0bb0\n");
	buf_clear(&text);
	assert_int_equal(govern_export(w->govern, id, "tx-builder", &text, &w->error), 0);
	assert_non_null(strstr(buf_text(&text), "\"checksum\""));
	buf_clear(&text);
	assert_int_equal(govern_export(w->govern, id, "pdf", &text, &w->error), ERR_INVALID);
	id.n++;
	assert_int_equal(govern_export(w->govern, id, "cast", &text, &w->error), ERR_NOT_FOUND);
	assert_int_equal(text.len, 0);
	buf_free(&text);
}

static void test_withdraw(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w), none = {99};
	assert_int_equal(govern_withdraw(w->govern, none, &w->error), ERR_NOT_FOUND);
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), 0);
	world_until_state(w, id, STATE_CANCELLED);
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), ERR_CONFLICT);
	assert_non_null(strstr(w->error.text, "cancelled"));
}

static void test_status(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct jval *status = govern_status(w->govern);
	assert_int_equal(jval_count(status), 1);
	assert_string_equal(jval_get_string(jval_at(status, 0), "chain"), "base");
	assert_true(jval_is_null(jval_get(jval_at(status, 0), "head")));
	jval_free(status);
	check(w, (enum kind[]){KIND_OS_IMAGE}, 1); /* time for the first tick */
	int64_t head = 0;
	for (int i = 0; i < 500 && head == 0; i++) {
		world_run_for(w, 10);
		status = govern_status(w->govern);
		if (jval_get_int(jval_at(status, 0), "head", &head) != 0)
			head = 0;
		jval_free(status);
	}
	assert_int_equal(head, 1000);
	assert_null(govern_chain(w->govern, 1));
	assert_non_null(govern_chain(w->govern, WORLD_CHAIN));
}

/* --- the registries' own events --------------------------------------------------------------- */

static void registry_says(struct govern_world *w, uint64_t block, enum action action)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xbb, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .address = w->kms,
	                       .topic0 = *event_registry_topic0(KIND_OS_IMAGE, action),
	                       .key = value};

	store_begin(w->store);
	assert_true(store_log_put(w->store, WORLD_CHAIN, &log));
	store_commit(w->store);
}

static void test_events_at_finality(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = world_lane(w);
	struct measurement_id id = record(w);
	lane->final.number = 500;

	registry_says(w, 501, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_NEW); /* not final yet */
	lane->final.number = 501;
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);

	registry_says(w, 502, ACTION_REMOVE);
	lane->final.number = 502;
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_REVOKED);
	assert_false(world_measurement(w, id).wanted);

	/* An addition is a fact, not a wish: what people removed stays unwanted. */
	registry_says(w, 503, ACTION_ADD);
	lane->final.number = 503;
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_REVOKED);
	assert_false(world_measurement(w, id).wanted);

	/* Each event is acted on once. */
	store_begin(w->store);
	store_measurement_approve(w->store, id, "a person");
	store_commit(w->store);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_NEW);
	assert_true(world_measurement(w, id).wanted);
}

/* History comes from the newest to the oldest. */
static void test_an_old_removal_that_arrives_late(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = world_lane(w);
	struct measurement_id id = record(w);
	lane->final.number = 900;
	registry_says(w, 300, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);
	registry_says(w, 200, ACTION_REMOVE);
	registry_says(w, 100, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_AUTHORIZED);
	assert_true(world_measurement(w, id).wanted);
}

static void test_an_old_addition_that_arrives_late(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = world_lane(w);
	lane->final.number = 900;
	registry_says(w, 300, ACTION_REMOVE);
	registry_watch_run(lane);
	struct measurement_id id = record(w);
	registry_says(w, 200, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status,
	                 MEASUREMENT_NEW); /* not authorized by what is gone */
}

/* A person approved the value although it was removed once; the removal is read only now. */
static void test_an_approval_is_later_than_history(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = world_lane(w);
	struct measurement_id id = record(w);
	lane->final.number = 900;
	store_begin(w->store);
	store_measurement_approve(w->store, id, "a person");
	store_commit(w->store);
	registry_says(w, 200, ACTION_REMOVE);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_NEW);
	assert_true(world_measurement(w, id).wanted);
	propose(w);
	registry_says(w, 100, ACTION_REMOVE);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_PROPOSED);
	assert_true(world_measurement(w, id).wanted);
}

/* Added by our proposal and removed again before it was confirmed: what the chain says last. */
static void test_removed_between_execution_and_confirmation(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = world_lane(w);
	struct proposal_id id = propose(w);
	struct measurement_list served;
	struct seen_log executed = {.block_number = 500,
	                            .block_hash = {{0x05}},
	                            .address = w->timelock,
	                            .topic0 = *event_topic0(EVENT_CALL_EXECUTED)};

	executed.key = world_proposal(w, id).operation_id;
	store_begin(w->store);
	assert_true(store_log_put(w->store, WORLD_CHAIN, &executed));
	store_commit(w->store);
	world_move(w, id, STATE_EXECUTED);
	store_proposal_measurements(w->store, &w->arena, id, &served);
	assert_int_equal(served.count, 1);
	lane->final.number = 900;
	registry_says(w, 490, ACTION_REMOVE); /* before the execution */
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, served.items[0].id).status, MEASUREMENT_PROPOSED);
	registry_says(w, 510, ACTION_REMOVE);
	registry_watch_run(lane);
	assert_int_equal(world_measurement(w, served.items[0].id).status, MEASUREMENT_REVOKED);
	world_move(w, id, STATE_CONFIRMED);
	assert_int_equal(world_measurement(w, served.items[0].id).status, MEASUREMENT_REVOKED);
	assert_false(world_measurement(w, served.items[0].id).wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

/* --- the KMS's word about machines -------------------------------------------------------------
 */

static struct measurement_id show_machine(struct govern_world *w, const char *target, uint8_t byte)
{
	const struct evidence evidence = {.level = LEVEL_CLAIMED,
	                                  .source = "endpoint",
	                                  .artifact = "http://machine",
	                                  .details = "{}"};
	const struct hash32 compose = {{0xc0, byte}};
	bool created;
	struct measurement_id id = store_measurement_record(w->store, target, KIND_COMPOSE,
	                                                    &compose, &evidence, &created);

	store_measurement_set_status(w->store, id, MEASUREMENT_AUTHORIZED, "for the test");
	return id;
}

/* However many machines a target had that left the configuration. */
static void test_machines_of_a_target_that_left(void **state)
{
	struct govern_world *w = *state;
	const struct address gone = {{0x90}};
	struct preflight_row row;

	govern_world_prepare(w, &plain);
	store_begin(w->store);
	store_target_put(w->store, "gone", WORLD_CHAIN, &gone, &gone);
	store_target_put(w->store, "payments", WORLD_CHAIN, &w->kms, &w->app);
	for (uint8_t i = 0; i < 40; i++)
		show_machine(w, "gone", i);
	struct measurement_id id = show_machine(w, "payments", 1);
	store_commit(w->store);
	w->govern = govern_new(&w->parts);
	for (int i = 0; i < 500 && store_preflight_get(w->store, &w->arena, id, &row) != 0; i++) {
		govern_wake(w->govern);
		world_run_for(w, 10);
	}
	assert_int_equal(store_preflight_get(w->store, &w->arena, id, &row), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_check),
	        TEST(test_check_without_a_chain),
	        TEST(test_machines_of_a_target_that_left),
	        TEST(test_export),
	        TEST(test_withdraw),
	        TEST(test_status),
	        TEST(test_events_at_finality),
	        TEST(test_an_old_removal_that_arrives_late),
	        TEST(test_an_old_addition_that_arrives_late),
	        TEST(test_an_approval_is_later_than_history),
	        TEST(test_removed_between_execution_and_confirmation),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
