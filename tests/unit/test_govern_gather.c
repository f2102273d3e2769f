/* Which measurements are drafted now, and what is settled without a draft. */
#include "daemon/govern/gather.h"

#include "common/governance/events.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { QUIET_MS = 60000 };

struct world {
	struct store_fixture *f;
	struct config config;
	struct config_chain chain;
	struct config_target targets[2]; /* payments and its sister, which shares the KMS */
	struct govern_parts parts;
	struct lane *lane;
	struct gathered got;
	unsigned logs;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	store_fixture_setup((void **)&w->f);
	w->chain = (struct config_chain){.name = (char *)"base", .chain_id = STORE_FIXTURE_CHAIN};
	w->targets[0] = (struct config_target){.name = (char *)"payments",
	                                       .chain = &w->chain,
	                                       .kms = store_fixture_address(1),
	                                       .app = store_fixture_address(2),
	                                       .has_app = true,
	                                       .quiet_ms = QUIET_MS,
	                                       .max_calls = 20,
	                                       .min_evidence = LEVEL_RECOMPUTED};
	w->targets[1] = w->targets[0];
	w->targets[1].name = (char *)"sister";
	w->targets[1].app = store_fixture_address(22);
	w->config = (struct config){
	        .chains = &w->chain, .chain_count = 1, .targets = w->targets, .target_count = 2};
	w->parts = (struct govern_parts){.store = w->f->store, .config = &w->config};
	w->lane = xcalloc(1, sizeof(*w->lane));
	w->lane->parts = &w->parts;
	w->lane->config = &w->chain;
	w->lane->final.number = 1000;
	store_begin(w->f->store);
	store_target_put(w->f->store, "sister", STORE_FIXTURE_CHAIN, &w->targets[1].kms,
	                 &w->targets[1].app);
	store_commit(w->f->store);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;

	lane_free(w->lane);
	free(w);
	return store_fixture_teardown(&fixture);
}

struct find {
	const char *target; /* payments unless said otherwise */
	enum kind kind;     /* os-image */
	unsigned value;
	enum evidence_level level; /* recomputed */
};

static struct measurement_id record(struct world *w, struct find find)
{
	struct hash32 value = store_fixture_hash(find.value);
	struct evidence evidence = {.level = find.level != 0 ? find.level : LEVEL_RECOMPUTED,
	                            .source = "folder",
	                            .artifact = "/srv/enclave.eif",
	                            .artifact_sha256 = store_fixture_hash(find.value + 1000),
	                            .details = "{}"};
	bool created;

	store_begin(w->f->store);
	struct measurement_id id = store_measurement_record(
	        w->f->store, find.target != NULL ? find.target : "payments",
	        find.kind != 0 ? find.kind : KIND_OS_IMAGE, &value, &evidence, &created);
	store_commit(w->f->store);
	return id;
}

/* Both contracts' measurements of a Nitro value. */
static void record_pair(struct world *w, unsigned value)
{
	record(w, (struct find){.value = value});
	record(w, (struct find){.value = value, .kind = KIND_COMPOSE});
}

static size_t look_without(struct world *w, size_t target, struct gather_skip skip)
{
	store_begin(w->f->store);
	gather(&w->got, &w->f->arena, w->lane, &w->targets[target], skip, (struct wall){w->f->now});
	store_commit(w->f->store);
	return w->got.count;
}

static size_t look(struct world *w, size_t target)
{
	return look_without(w, target, (struct gather_skip){0});
}

static struct measurement now(struct world *w, struct measurement_id id)
{
	return store_fixture_measurement(w->f, id);
}

static void registry_says(struct world *w, uint64_t block, enum action action, unsigned value)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xbb, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .log_index = w->logs++,
	                       .address = w->targets[0].kms,
	                       .topic0 = *event_registry_topic0(KIND_OS_IMAGE, action),
	                       .key = store_fixture_hash(value)};

	store_begin(w->f->store);
	assert_true(store_log_put(w->f->store, STORE_FIXTURE_CHAIN, &log));
	store_commit(w->f->store);
}

/* --- when ---------------------------------------------------------------------------------------
 */

static void test_nothing_waits(void **state)
{
	struct world *w = *state;

	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, -1);
}

static void test_a_batch_waits_for_quiet(void **state)
{
	struct world *w = *state;

	record(w, (struct find){.value = 1});
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, QUIET_MS);
	store_fixture_pass(w->f, QUIET_MS - 1);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, 1);
	/* The next one starts the wait again, for both. */
	record(w, (struct find){.value = 2});
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, QUIET_MS);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 2);
	assert_int_equal(look(w, 1), 0); /* of the other target nothing */
}

static void test_a_wall_clock_that_jumps_back_delays_nothing(void **state)
{
	struct world *w = *state;

	record(w, (struct find){.value = 1});
	w->f->now -= 100 * QUIET_MS; /* and stays there */
	assert_int_equal(look(w, 0), 1);
	record(w, (struct find){.value = 2});
	assert_int_equal(look(w, 0), 2);
}

static void test_a_full_batch_does_not_wait(void **state)
{
	struct world *w = *state;

	w->targets[0].max_calls = 3;
	record(w, (struct find){.value = 1});
	record(w, (struct find){.value = 2});
	assert_int_equal(look(w, 0), 0);
	record(w, (struct find){.value = 3});
	assert_int_equal(look(w, 0), 3);
	record(w, (struct find){.value = 4});
	assert_int_equal(look(w, 0), 3);
}

/* --- the cut ------------------------------------------------------------------------------------
 */

static size_t of_value(const struct world *w, unsigned value)
{
	struct hash32 wanted = store_fixture_hash(value);
	size_t count = 0;

	for (size_t i = 0; i < w->got.count; i++)
		count += hash32_equal(&w->got.items[i].measurement.value, &wanted);
	return count;
}

static void test_the_cut_never_parts_a_value(void **state)
{
	struct world *w = *state;

	for (unsigned value = 1; value <= 5; value++)
		record_pair(w, value);
	for (unsigned max = 1; max <= 12; max++) {
		w->targets[0].max_calls = max;
		store_fixture_pass(w->f, QUIET_MS);
		size_t count = look(w, 0);
		size_t wanted = max == 1 ? 2 : max > 10 ? 10 : max - max % 2;
		assert_int_equal(count, wanted);
		for (unsigned value = 1; value <= 5; value++)
			assert_int_equal(of_value(w, value), 2 * value <= count ? 2 : 0);
	}
}

/* The second contract's measurement may be recorded long after the first. */
static void test_a_value_is_whole_wherever_it_stands(void **state)
{
	struct world *w = *state;

	for (unsigned value = 1; value <= 3; value++)
		record(w, (struct find){.value = value});
	for (unsigned value = 1; value <= 3; value++)
		record(w, (struct find){.value = value, .kind = KIND_COMPOSE});
	w->targets[0].max_calls = 3;
	assert_int_equal(look(w, 0), 2);
	assert_int_equal(of_value(w, 1), 2);
	w->targets[0].max_calls = 4;
	assert_int_equal(look(w, 0), 4);
	assert_int_equal(of_value(w, 1), 2);
	assert_int_equal(of_value(w, 2), 2);
}

/* --- who ----------------------------------------------------------------------------------------
 */

static void test_calls_are_the_registry_s(void **state)
{
	struct world *w = *state;
	struct hash32 value = store_fixture_hash(1);
	uint8_t data[REGISTRY_CALL_SIZE];

	record_pair(w, 1);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct call *call = &w->got.items[i].call;
		bool app = call->kind == KIND_COMPOSE;
		registry_encode_call(data, call->kind, ACTION_ADD, &value);
		assert_true(bytes_equal(call->data, bytes_of(data, sizeof(data))));
		assert_true(
		        address_equal(&call->to, app ? &w->targets[0].app : &w->targets[0].kms));
	}
	assert_int_not_equal(w->got.items[0].call.kind, w->got.items[1].call.kind);
}

static void test_weak_evidence_is_held_until_approved(void **state)
{
	struct world *w = *state;
	struct measurement_id id = record(w, (struct find){.value = 1, .level = LEVEL_CLAIMED});

	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(now(w, id).status, MEASUREMENT_HELD);
	assert_non_null(strstr(now(w, id).reason, "claimed"));
	assert_int_equal(look(w, 0), 0);
	store_begin(w->f->store);
	store_measurement_approve(w->f->store, id, "a person");
	store_commit(w->f->store);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 1);

	w->targets[1].min_evidence = LEVEL_CLAIMED;
	record(w, (struct find){.target = "sister", .value = 2, .level = LEVEL_CLAIMED});
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 1), 1);
}

static void test_compose_without_an_app(void **state)
{
	struct world *w = *state;
	struct measurement_id id = record(w, (struct find){.value = 1, .kind = KIND_COMPOSE});

	w->targets[0].has_app = false;
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(now(w, id).status, MEASUREMENT_HELD);
	assert_non_null(strstr(now(w, id).reason, "app"));

	record(w, (struct find){.value = 2, .kind = KIND_COMPOSE});
	w->targets[0].compose_registry_kms = true;
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 1);
	assert_int_equal(w->got.items[0].call.kind, KIND_OS_IMAGE);
	assert_true(address_equal(&w->got.items[0].call.to, &w->targets[0].kms));
}

static void test_what_is_not_wanted_is_left_alone(void **state)
{
	struct world *w = *state;
	struct measurement_id id = record(w, (struct find){.value = 1});

	store_begin(w->f->store);
	store_measurement_set_wanted(w->f->store, id, false, "no longer");
	store_commit(w->f->store);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, -1);
}

/* Two live proposals never carry the same call; both targets are served by the one. */
static void test_a_live_call_serves_a_second_target(void **state)
{
	struct world *w = *state;
	struct measurement_id first = record(w, (struct find){.value = 1});
	struct measurement_id second = record(w, (struct find){.target = "sister", .value = 1});
	struct proposal_id *proposals, proposal;

	proposal = store_fixture_propose(w->f, ACTION_ADD, 1, first);
	assert_int_equal(now(w, first).status, MEASUREMENT_PROPOSED);
	assert_int_equal(look(w, 1), 0);
	assert_int_equal(w->got.wait_ms, -1);
	assert_int_equal(now(w, second).status, MEASUREMENT_PROPOSED);
	assert_int_equal(store_measurement_proposals(w->f->store, &w->f->arena, second, &proposals),
	                 1);
	assert_int_equal(proposals[0].n, proposal.n);
}

/* --- what was removed on chain
 * --------------------------------------------------------------------
 */

static void test_what_people_removed_is_not_asked_for_again(void **state)
{
	struct world *w = *state;
	struct measurement_id id = record(w, (struct find){.value = 1});

	registry_says(w, 900, ACTION_ADD, 1);
	registry_says(w, 950, ACTION_REMOVE, 1);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(now(w, id).status, MEASUREMENT_REVOKED);
	assert_false(now(w, id).wanted);
	/* Until a person says so. */
	store_begin(w->f->store);
	store_measurement_approve(w->f->store, id, "a person");
	store_commit(w->f->store);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 1);
}

static void test_a_removal_that_is_not_final_only_waits(void **state)
{
	struct world *w = *state;
	struct measurement_id id = record(w, (struct find){.value = 1});

	registry_says(w, 1001, ACTION_REMOVE, 1);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(now(w, id).status, MEASUREMENT_NEW);
	assert_true(now(w, id).wanted);
	store_begin(w->f->store);
	store_chain_rewind(w->f->store, STORE_FIXTURE_CHAIN, 1000);
	store_commit(w->f->store);
	assert_int_equal(look(w, 0), 1);
}

static void test_added_again_after_a_removal(void **state)
{
	struct world *w = *state;

	record(w, (struct find){.value = 1});
	registry_says(w, 900, ACTION_REMOVE, 1);
	registry_says(w, 900, ACTION_ADD, 1); /* later in the same block */
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 1);
}

/* --- what people revoked ------------------------------------------------------------------------
 */

static void take_back(struct world *w, struct measurement_id id, bool urgent)
{
	store_begin(w->f->store);
	store_measurement_revoke(w->f->store, id, urgent, "uid 1000");
	store_commit(w->f->store);
}

static struct measurement_id authorized(struct world *w, unsigned value)
{
	struct measurement_id id = record(w, (struct find){.value = value});

	store_begin(w->f->store);
	store_measurement_set_status(w->f->store, id, MEASUREMENT_AUTHORIZED, "on chain");
	store_commit(w->f->store);
	return id;
}

static void replace(struct world *w, struct measurement_id id, unsigned value)
{
	struct hash32 replaced = store_fixture_hash(value);

	store_begin(w->f->store);
	store_measurement_set_replaces(w->f->store, id, &replaced);
	store_commit(w->f->store);
}

static void test_a_revoked_value_is_removed_after_quiet(void **state)
{
	struct world *w = *state;
	struct measurement_id id = authorized(w, 1);
	uint8_t data[REGISTRY_CALL_SIZE];
	struct hash32 value = store_fixture_hash(1);

	store_fixture_pass(w->f, 10 * QUIET_MS);
	take_back(w, id, false);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, QUIET_MS);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 1);
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_REMOVE, &value);
	assert_int_equal(w->got.items[0].call.action, ACTION_REMOVE);
	assert_true(bytes_equal(w->got.items[0].call.data, bytes_of(data, sizeof(data))));
	assert_false(w->got.urgent);
	/* Nothing about the value itself matters any more. */
	w->targets[0].min_evidence = LEVEL_ATTESTED;
	assert_int_equal(look(w, 0), 1);
}

static void test_what_keeps_arriving_keeps_no_removal_waiting(void **state)
{
	struct world *w = *state;

	take_back(w, authorized(w, 1), false);
	store_fixture_pass(w->f, QUIET_MS - 1);
	record(w, (struct find){.value = 2});
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, 1);
	store_fixture_pass(w->f, 1);
	assert_int_equal(look(w, 0), 1);
	assert_int_equal(w->got.items[0].call.action, ACTION_REMOVE);
	assert_int_equal(w->got.wait_ms, QUIET_MS - 1); /* the other has its turn without a tick */
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 2); /* both actions in one batch, removals first */
	assert_int_equal(w->got.items[0].call.action, ACTION_REMOVE);
	assert_int_equal(w->got.items[1].call.action, ACTION_ADD);
}

static void test_an_urgent_removal_goes_alone_and_at_once(void **state)
{
	struct world *w = *state;
	struct measurement_id urgent = authorized(w, 1);

	take_back(w, authorized(w, 2), false);
	record(w, (struct find){.value = 3});
	store_fixture_pass(w->f, QUIET_MS);
	take_back(w, urgent, true);
	assert_int_equal(look(w, 0), 1);
	assert_true(w->got.urgent);
	assert_int_equal(w->got.items[0].measurement.id.n, urgent.n);
}

/* It waits for finality: whatever else there is goes on, and it goes first again afterwards. */
static void test_what_is_set_aside_keeps_nothing_waiting(void **state)
{
	struct world *w = *state;
	struct measurement_id urgent = authorized(w, 1),
	                      other = record(w, (struct find){.value = 2});

	store_fixture_pass(w->f, QUIET_MS);
	take_back(w, urgent, true);
	assert_int_equal(look_without(w, 0, (struct gather_skip){&urgent, 1}), 1);
	assert_false(w->got.urgent);
	assert_int_equal(w->got.items[0].measurement.id.n, other.n);
	const struct measurement_id both[] = {urgent, other};
	assert_int_equal(look_without(w, 0, (struct gather_skip){both, 2}), 0);
	assert_int_equal(w->got.wait_ms, -1);
	assert_int_equal(look(w, 0), 1);
	assert_true(w->got.urgent);
}

static void test_what_replaces_goes_with_what_is_removed(void **state)
{
	struct world *w = *state;
	struct measurement_id wrong = authorized(w, 1);

	for (unsigned value = 10; value < 20; value++)
		record(w, (struct find){.value = value});
	struct measurement_id right = record(w, (struct find){.value = 2});
	replace(w, right, 1);
	take_back(w, wrong, false);
	store_fixture_pass(w->f, QUIET_MS);
	w->targets[0].max_calls = 1;
	assert_int_equal(look(w, 0), 2); /* never parted */
	assert_int_equal(w->got.items[0].measurement.id.n, wrong.n);
	assert_int_equal(w->got.items[1].measurement.id.n, right.n);
	take_back(w, wrong, true);
	w->targets[0].max_calls = 20;
	assert_int_equal(look(w, 0), 2);
	assert_true(w->got.urgent);
	assert_int_equal(w->got.items[1].measurement.id.n, right.n);
}

static void test_what_replaces_nothing_that_is_there_goes_by_itself(void **state)
{
	struct world *w = *state;
	struct measurement_id right = record(w, (struct find){.value = 2});

	replace(w, right, 1);
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 1);
	assert_int_equal(w->got.items[0].measurement.id.n, right.n);
}

static void test_while_its_addition_may_land_there_is_nothing_to_remove(void **state)
{
	struct world *w = *state;
	struct measurement_id id = store_fixture_record(w->f, 1);
	struct proposal_id added = store_fixture_propose(w->f, ACTION_ADD, 1, id);
	struct proposal proposal;

	/* The fixture's call is to the registry of the world. */
	assert_int_equal(store_proposal_get(w->f->store, &w->f->arena, added, &proposal), 0);
	w->targets[0].kms = proposal.calls[0].to;
	struct hash32 value = store_fixture_hash(1);
	uint8_t data[REGISTRY_CALL_SIZE];
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
	assert_true(bytes_equal(proposal.calls[0].data, bytes_of(data, sizeof(data))));
	take_back(w, id, true);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(now(w, id).status, MEASUREMENT_PROPOSED);
	store_fixture_move(w->f, added, STATE_DRAFTED, STATE_MULTISIG, "posted");
	assert_int_equal(look(w, 0), 0);
	store_fixture_move(w->f, added, STATE_MULTISIG, STATE_EXECUTED, "it ran");
	assert_int_equal(look(w, 0), 1); /* at once */
	assert_true(gather_is_being_added(w->lane, &w->f->arena, &w->got.items[0].call,
	                                  STATE_CONFIRMED));
	store_fixture_move(w->f, added, STATE_EXECUTED, STATE_CONFIRMED, "final");
	assert_int_equal(look(w, 0), 1);
	assert_false(gather_is_being_added(w->lane, &w->f->arena, &w->got.items[0].call,
	                                   STATE_CONFIRMED));
}

static void test_a_removal_under_way_serves(void **state)
{
	struct world *w = *state;
	struct measurement_id id = authorized(w, 1);

	take_back(w, id, true);
	assert_int_equal(look(w, 0), 1);
	struct call call = w->got.items[0].call;
	struct new_proposal new = {.target = "payments",
	                           .origin = "external",
	                           .chain_id = STORE_FIXTURE_CHAIN,
	                           .model = MODEL_SAFE_TIMELOCK,
	                           .calls = &call,
	                           .call_count = 1};
	struct proposal_id p;
	store_begin(w->f->store);
	assert_int_equal(store_proposal_create(w->f->store, &new, &p, &w->f->error), 0);
	store_commit(w->f->store);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(now(w, id).status, MEASUREMENT_PROPOSED);
	assert_false(now(w, id).wanted);
}

static void test_what_was_revoked_stays_away(void **state)
{
	struct world *w = *state;
	struct measurement_id id = authorized(w, 1);

	take_back(w, id, false);
	store_begin(w->f->store);
	store_measurement_set_status(w->f->store, id, MEASUREMENT_REVOKED, "not there");
	store_commit(w->f->store);
	record(w, (struct find){.value = 1}); /* a rescan */
	store_fixture_pass(w->f, QUIET_MS);
	assert_int_equal(look(w, 0), 0);
	assert_int_equal(w->got.wait_ms, -1);
	assert_int_equal(now(w, id).status, MEASUREMENT_REVOKED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_nothing_waits),
	        TEST(test_a_batch_waits_for_quiet),
	        TEST(test_a_wall_clock_that_jumps_back_delays_nothing),
	        TEST(test_a_full_batch_does_not_wait),
	        TEST(test_the_cut_never_parts_a_value),
	        TEST(test_a_value_is_whole_wherever_it_stands),
	        TEST(test_calls_are_the_registry_s),
	        TEST(test_weak_evidence_is_held_until_approved),
	        TEST(test_compose_without_an_app),
	        TEST(test_what_is_not_wanted_is_left_alone),
	        TEST(test_a_live_call_serves_a_second_target),
	        TEST(test_what_people_removed_is_not_asked_for_again),
	        TEST(test_a_removal_that_is_not_final_only_waits),
	        TEST(test_added_again_after_a_removal),
	        TEST(test_a_revoked_value_is_removed_after_quiet),
	        TEST(test_what_keeps_arriving_keeps_no_removal_waiting),
	        TEST(test_an_urgent_removal_goes_alone_and_at_once),
	        TEST(test_what_is_set_aside_keeps_nothing_waiting),
	        TEST(test_what_replaces_goes_with_what_is_removed),
	        TEST(test_what_replaces_nothing_that_is_there_goes_by_itself),
	        TEST(test_while_its_addition_may_land_there_is_nothing_to_remove),
	        TEST(test_a_removal_under_way_serves),
	        TEST(test_what_was_revoked_stays_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
