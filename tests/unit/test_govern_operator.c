/* What an operator asks of govern: a check, an export, a withdrawal, the status; and what it does
 * by itself when the registries' own events speak. */
#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/registry_watch.h"
#include "tests/unit/govern_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
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

	assert_non_null(govern_check(w->govern, &w->config->targets[0], &value, kinds, count,
	                             check_told, &checked));
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
	govern_cancel(govern_check(w->govern, &w->config->targets[0], &value, kinds, 1, check_told,
	                           &never));
	assert_false(never.done);
}

/* --- proposals -------------------------------------------------------------------------------- */

static struct measurement_id record(struct govern_world *w)
{
	struct evidence evidence = {.level = LEVEL_RECOMPUTED,
	                            .source = "folder",
	                            .artifact = "/srv/enclave.eif",
	                            .details = "{}"};
	bool created;

	store_begin(w->store);
	struct measurement_id id = store_measurement_record(w->store, "payments", KIND_OS_IMAGE,
	                                                    &value, &evidence, &created);
	store_commit(w->store);
	return id;
}

static struct proposal_id propose(struct govern_world *w)
{
	struct call call = {
	        .to = w->kms, .action = ACTION_ADD, .kind = KIND_OS_IMAGE, .value = value};
	uint8_t data[REGISTRY_CALL_SIZE];
	struct proposal_id id;

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
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
	struct measurement_id measurement = record(w);
	store_begin(w->store);
	assert_int_equal(store_proposal_create(w->store, &proposal, &id, &w->error), 0);
	store_call_serve(w->store, WORLD_CHAIN, &call.to, call.data, measurement);
	store_safe_tx_add(w->store, id, PURPOSE_SCHEDULE, &w->safe, &w->timelock,
	                  bytes_text("\x8f\x2a\x0b\xb0"), 0);
	store_commit(w->store);
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

static enum proposal_state state_of(struct govern_world *w, struct proposal_id id)
{
	struct proposal proposal;

	assert_int_equal(store_proposal_get(w->store, &w->arena, id, &proposal), 0);
	return proposal.state;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_until(struct govern_world *w, struct proposal_id id, enum proposal_state state)
{
	struct loop_timer *timer = loop_timer_new(w->loop, stop, w->loop);

	for (int i = 0; i < 500 && state_of(w, id) != state; i++) {
		loop_timer_set(timer, 10);
		world_run(w);
	}
	loop_timer_free(timer);
	assert_int_equal(state_of(w, id), state);
}

static void test_withdraw(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w), none = {99};
	assert_int_equal(govern_withdraw(w->govern, none, &w->error), ERR_NOT_FOUND);
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), 0);
	run_until(w, id, STATE_CANCELLED);
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
	struct loop_timer *timer = loop_timer_new(w->loop, stop, w->loop);
	int64_t head = 0;
	for (int i = 0; i < 500 && head == 0; i++) {
		loop_timer_set(timer, 10);
		world_run(w);
		status = govern_status(w->govern);
		if (jval_get_int(jval_at(status, 0), "head", &head) != 0)
			head = 0;
		jval_free(status);
	}
	loop_timer_free(timer);
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

static struct measurement now(struct govern_world *w, struct measurement_id id)
{
	struct measurement measurement;

	assert_int_equal(store_measurement_get(w->store, &w->arena, id, &measurement), 0);
	return measurement;
}

static void test_events_at_finality(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = govern_lane(w->govern, WORLD_CHAIN);
	struct measurement_id id = record(w);
	lane->final.number = 500;

	registry_says(w, 501, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_NEW); /* not final yet */
	lane->final.number = 501;
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_AUTHORIZED);

	registry_says(w, 502, ACTION_REMOVE);
	lane->final.number = 502;
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_REVOKED);
	assert_false(now(w, id).wanted);

	/* An addition is a fact, not a wish: what people removed stays unwanted. */
	registry_says(w, 503, ACTION_ADD);
	lane->final.number = 503;
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_REVOKED);
	assert_false(now(w, id).wanted);

	/* Each event is acted on once. */
	store_begin(w->store);
	store_measurement_approve(w->store, id, "a person");
	store_commit(w->store);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_NEW);
	assert_true(now(w, id).wanted);
}

/* History comes from the newest to the oldest. */
static void test_an_old_removal_that_arrives_late(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = govern_lane(w->govern, WORLD_CHAIN);
	struct measurement_id id = record(w);
	lane->final.number = 900;
	registry_says(w, 300, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_AUTHORIZED);
	registry_says(w, 200, ACTION_REMOVE);
	registry_says(w, 100, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_AUTHORIZED);
	assert_true(now(w, id).wanted);
}

static void test_an_old_addition_that_arrives_late(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = govern_lane(w->govern, WORLD_CHAIN);
	lane->final.number = 900;
	registry_says(w, 300, ACTION_REMOVE);
	registry_watch_run(lane);
	struct measurement_id id = record(w);
	registry_says(w, 200, ACTION_ADD);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_NEW); /* not authorized by what is gone */
}

/* A person approved the value although it was removed once; the removal is read only now. */
static void test_an_approval_is_later_than_history(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = govern_lane(w->govern, WORLD_CHAIN);
	struct measurement_id id = record(w);
	lane->final.number = 900;
	store_begin(w->store);
	store_measurement_approve(w->store, id, "a person");
	store_commit(w->store);
	registry_says(w, 200, ACTION_REMOVE);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_NEW);
	assert_true(now(w, id).wanted);
	propose(w);
	registry_says(w, 100, ACTION_REMOVE);
	registry_watch_run(lane);
	assert_int_equal(now(w, id).status, MEASUREMENT_PROPOSED);
	assert_true(now(w, id).wanted);
}

static void move(struct govern_world *w, struct proposal_id id, enum proposal_state to)
{
	store_begin(w->store);
	assert_int_equal(store_proposal_move(w->store, id, state_of(w, id), to, "for the test",
	                                     NULL, &w->error),
	                 0);
	store_commit(w->store);
}

/* Added by our proposal and removed again before it was confirmed: what the chain says last. */
static void test_removed_between_execution_and_confirmation(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct lane *lane = govern_lane(w->govern, WORLD_CHAIN);
	struct proposal_id id = propose(w);
	struct measurement_list served;
	struct proposal proposal;
	struct seen_log executed = {.block_number = 500,
	                            .block_hash = {{0x05}},
	                            .address = w->timelock,
	                            .topic0 = *event_topic0(EVENT_CALL_EXECUTED)};

	assert_int_equal(store_proposal_get(w->store, &w->arena, id, &proposal), 0);
	executed.key = proposal.operation_id;
	store_begin(w->store);
	assert_true(store_log_put(w->store, WORLD_CHAIN, &executed));
	store_commit(w->store);
	move(w, id, STATE_EXECUTED);
	store_proposal_measurements(w->store, &w->arena, id, &served);
	assert_int_equal(served.count, 1);
	lane->final.number = 900;
	registry_says(w, 490, ACTION_REMOVE); /* before the execution */
	registry_watch_run(lane);
	assert_int_equal(now(w, served.items[0].id).status, MEASUREMENT_PROPOSED);
	registry_says(w, 510, ACTION_REMOVE);
	registry_watch_run(lane);
	assert_int_equal(now(w, served.items[0].id).status, MEASUREMENT_REVOKED);
	move(w, id, STATE_CONFIRMED);
	assert_int_equal(now(w, served.items[0].id).status, MEASUREMENT_REVOKED);
	assert_false(now(w, served.items[0].id).wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_check),
	        TEST(test_check_without_a_chain),
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
