/* What status endpoints show, as the store tells it afterwards. */
#include "daemon/watch/endpoint_judge.h"

#include "common/store/store_endpoint.h"
#include "common/store/store_event.h"
#include "common/store/store_measurement.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
	char folder[SCRATCH_PATH];
	struct store *store;
	struct config *config;
	struct arena arena;
	struct endpoint_verdict verdict; /* the last */
};

/* In the order of the endpoints. */
enum { HOLD, AUTO, AUTO_EASY, HOLD_EASY, KMS };

static const char config_text[] =
        "chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
        "targets:\n"
        "  payments: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
        "    app: '0x2222222222222222222222222222222222222222', model: safe+timelock,\n"
        "    safe: '0x3333333333333333333333333333333333333333',\n"
        "    timelock: '0x4444444444444444444444444444444444444444'}\n"
        "  easy: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
        "    app: '0x2222222222222222222222222222222222222222', model: safe+timelock,\n"
        "    safe: '0x3333333333333333333333333333333333333333', min_evidence: claimed,\n"
        "    timelock: '0x4444444444444444444444444444444444444444'}\n"
        "endpoints:\n"
        "  - {url: 'https://a.example/prpc/Info', target: payments}\n"
        "  - {url: 'https://b.example/prpc/Info', target: payments, propose: auto}\n"
        "  - {url: 'https://c.example/prpc/Info', target: easy, propose: auto}\n"
        "  - {url: 'https://d.example/prpc/Info', target: easy}\n"
        "  - {url: 'http://e.example:12001/prpc/Onboard.GetAttestationInfo?json', target: easy}\n";

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct error error = {0};

	scratch_make(world->folder, "endpoint");
	if (store_open(&world->store, arena_printf(&world->arena, "%s/db", world->folder),
	               &error) != 0 ||
	    config_parse(&world->config, "test", bytes_text(config_text), &error) != 0)
		fail_msg("%s", error.text);
	store_set_now(world->store, (struct wall){1700000000000});
	store_begin(world->store);
	for (size_t i = 0; i < world->config->target_count; i++) {
		const struct config_target *target = &world->config->targets[i];
		store_target_put(world->store, target->name, 1, &target->kms, &target->app);
	}
	store_commit(world->store);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	store_close(world->store);
	config_free(world->config);
	scratch_remove(world->folder);
	arena_free(&world->arena);
	free(world);
	return 0;
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct hash32 hash_of(uint8_t byte)
{
	struct hash32 hash;

	memset(hash.b, byte, sizeof(hash.b));
	return hash;
}

/* An answer of the targets' app that shows this compose hash. */
static struct measured shows(uint8_t byte)
{
	struct measured measured = {
	        .format = FORMAT_GUEST_INFO,
	        .level = LEVEL_CLAIMED,
	        .size = 1000,
	        .sha256 = hash_of(byte ^ 0xff),
	        .details = "{\"instance_id\":\"x\",\"checks\":[]}",
	};
	struct measured_value value = {.kind = KIND_COMPOSE,
	                               .value = hash_of(byte),
	                               .level = LEVEL_CLAIMED,
	                               .has_app_id = true};

	memset(value.app_id, 0x22, sizeof(value.app_id));
	assert_true(measured_add(&measured, &value));
	return measured;
}

static enum endpoint_verdict_kind judge_as(struct world *world, size_t endpoint,
                                           const struct measured *measured, bool may_create)
{
	struct endpoint_answer answer = {.endpoint = &world->config->endpoints[endpoint],
	                                 .measured = measured,
	                                 .may_create = may_create};

	store_begin(world->store);
	endpoint_judge(world->store, &world->arena, &answer, &world->verdict);
	store_commit(world->store);
	return world->verdict.kind;
}

static enum endpoint_verdict_kind judge(struct world *world, size_t endpoint,
                                        struct measured measured)
{
	return judge_as(world, endpoint, &measured, true);
}

/* --- what the store says ---------------------------------------------------------------------- */

static struct measurement find(struct world *world, const char *target, uint8_t byte)
{
	struct hash32 value = hash_of(byte);
	struct measurement m;

	assert_int_equal(store_measurement_find(world->store, &world->arena, target, KIND_COMPOSE,
	                                        &value, &m),
	                 0);
	return m;
}

static size_t count_all(struct world *world)
{
	struct measurement_list list;

	store_measurement_list(world->store, &world->arena, &(struct measurement_filter){0}, &list);
	return list.count;
}

static size_t alarms(struct world *world, const char *part)
{
	struct event_list events;
	size_t count = 0;

	store_event_list(world->store, &world->arena, 0, 10000, &events);
	for (size_t i = 0; i < events.count; i++)
		count += strcmp(events.items[i].type, "alarm") == 0 &&
		         strstr(events.items[i].text, part) != NULL;
	return count;
}

static size_t evidence_of(struct world *world, struct measurement_id id, struct evidence *last)
{
	struct evidence_list list;

	store_evidence_list(world->store, &world->arena, id, &list);
	if (list.count > 0)
		*last = list.items[list.count - 1];
	return list.count;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_new_value_is_held_and_says_why(void **state)
{
	struct world *world = *state;
	struct evidence evidence;

	assert_int_equal(judge(world, HOLD, shows(1)), ENDPOINT_GOOD);
	assert_true(world->verdict.changed && world->verdict.created == 1);
	struct measurement m = find(world, "payments", 1);
	assert_int_equal(m.status, MEASUREMENT_HELD);
	assert_int_equal(m.level, LEVEL_CLAIMED);
	assert_string_equal(m.reason, "evidence claimed, known from a status endpoint alone");
	assert_int_equal(evidence_of(world, m.id, &evidence), 1);
	assert_string_equal(evidence.source, "endpoint");
	assert_string_equal(evidence.artifact, "https://a.example/prpc/Info");
	assert_non_null(strstr(evidence.details, "\"format\":\"guest-info\""));
	assert_non_null(strstr(evidence.details, "\"instance_id\":\"x\""));
	assert_int_equal(alarms(world, ""), 0);
}

static void the_same_value_again_adds_nothing(void **state)
{
	struct world *world = *state;
	struct measured rebooted = shows(1);
	struct evidence evidence;

	judge(world, HOLD, shows(1));
	rebooted.sha256 = hash_of(77);
	assert_int_equal(judge(world, HOLD, rebooted), ENDPOINT_GOOD);
	assert_false(world->verdict.changed);
	assert_int_equal(world->verdict.created, 0);
	assert_int_equal(evidence_of(world, find(world, "payments", 1).id, &evidence), 1);
}

static void an_approval_is_not_taken_back(void **state)
{
	struct world *world = *state;

	judge(world, HOLD, shows(1));
	store_begin(world->store);
	store_measurement_approve(world->store, find(world, "payments", 1).id, "alice");
	store_commit(world->store);
	judge(world, HOLD, shows(1));
	assert_int_equal(find(world, "payments", 1).status, MEASUREMENT_NEW);
	judge(world, AUTO, shows(1));
	assert_int_equal(find(world, "payments", 1).status, MEASUREMENT_NEW);
}

static void auto_goes_on_as_far_as_the_target_lets_it(void **state)
{
	struct world *world = *state;

	assert_int_equal(judge(world, AUTO_EASY, shows(1)), ENDPOINT_GOOD);
	assert_int_equal(find(world, "easy", 1).status, MEASUREMENT_NEW);
	judge(world, AUTO, shows(1));
	assert_int_equal(find(world, "payments", 1).status, MEASUREMENT_HELD);
	assert_string_equal(find(world, "payments", 1).reason,
	                    "evidence claimed, the target wants recomputed");
}

static void auto_lifts_what_another_endpoint_had_held(void **state)
{
	struct world *world = *state;

	judge(world, HOLD_EASY, shows(1));
	assert_int_equal(find(world, "easy", 1).status, MEASUREMENT_HELD);
	judge(world, AUTO_EASY, shows(1));
	assert_int_equal(find(world, "easy", 1).status, MEASUREMENT_NEW);
	/* But not what a person holds. */
	store_begin(world->store);
	store_measurement_set_status(world->store, find(world, "easy", 1).id, MEASUREMENT_HELD,
	                             "held by bob");
	store_commit(world->store);
	judge(world, AUTO_EASY, shows(1));
	judge(world, HOLD_EASY, shows(1));
	assert_string_equal(find(world, "easy", 1).reason, "held by bob");
}

static void a_build_that_carries_the_value_ends_the_hold(void **state)
{
	struct world *world = *state;

	judge(world, HOLD, shows(1));
	store_begin(world->store);
	assert_true(store_measurement_lift(world->store, find(world, "payments", 1).id,
	                                   MEASUREMENT_HELD_FOR_EVIDENCE, "stronger evidence"));
	store_commit(world->store);
}

static void what_a_build_brought_goes_on(void **state)
{
	struct world *world = *state;
	struct hash32 value = hash_of(1);
	struct evidence folder = {.level = LEVEL_RECOMPUTED,
	                          .source = "folder",
	                          .artifact = "/srv/app-compose.json",
	                          .details = "{}"};
	bool created;

	store_begin(world->store);
	store_measurement_record(world->store, "payments", KIND_COMPOSE, &value, &folder, &created);
	store_commit(world->store);
	judge(world, HOLD, shows(1));
	assert_int_equal(find(world, "payments", 1).status, MEASUREMENT_NEW);
	assert_int_equal(find(world, "payments", 1).level, LEVEL_RECOMPUTED);
}

static void another_app_is_refused_with_an_alarm(void **state)
{
	struct world *world = *state;
	struct measured other = shows(1);

	other.values[0].app_id[7] ^= 1;
	assert_int_equal(judge(world, AUTO_EASY, other), ENDPOINT_REFUSED);
	assert_non_null(strstr(world->verdict.reason, "app_id is 0x"));
	assert_int_equal(count_all(world), 0);
	assert_int_equal(alarms(world, "https://c.example/prpc/Info refused: app_id is 0x2222222"),
	                 1);
	/* Not once more while it lasts; again when it comes back. */
	judge(world, AUTO_EASY, other);
	assert_int_equal(alarms(world, "app_id"), 1);
	assert_int_equal(judge(world, AUTO_EASY, shows(1)), ENDPOINT_GOOD);
	judge(world, AUTO_EASY, other);
	assert_int_equal(alarms(world, "app_id"), 2);

	other = shows(2);
	other.values[0].has_app_id = false;
	assert_int_equal(judge(world, AUTO_EASY, other), ENDPOINT_REFUSED);
	assert_int_equal(count_all(world), 1);
}

static void a_contradiction_is_refused_with_an_alarm(void **state)
{
	struct world *world = *state;
	struct measured bad = shows(3);

	bad.refused = true;
	bad.refusal = (char[]){"compose-hash event and app_compose differ"};
	assert_int_equal(judge(world, AUTO_EASY, bad), ENDPOINT_REFUSED);
	assert_int_equal(alarms(world, "refused: compose-hash event and app_compose differ"), 1);
	assert_int_equal(count_all(world), 0);
}

static void nothing_to_see_is_no_alarm(void **state)
{
	struct world *world = *state;
	struct measured empty = {.format = FORMAT_GUEST_INFO, .level = LEVEL_CLAIMED};
	struct measured other = {.format = FORMAT_UNKNOWN, .level = LEVEL_CLAIMED};

	assert_int_equal(judge(world, HOLD, empty), ENDPOINT_NOTHING);
	assert_int_equal(judge(world, HOLD, other), ENDPOINT_NOTHING);
	other = shows(1);
	other.format = FORMAT_MEASUREMENTS;
	assert_int_equal(judge(world, HOLD, other), ENDPOINT_NOTHING);
	assert_int_equal(alarms(world, ""), 0);
	assert_int_equal(count_all(world), 0);
}

static void back_and_forth_is_an_alarm(void **state)
{
	struct world *world = *state;

	judge(world, HOLD, shows(1));
	judge(world, HOLD, shows(2));
	judge(world, HOLD, shows(3));
	assert_int_equal(alarms(world, ""), 0); /* an endpoint is updated: that is what it is for */
	judge(world, HOLD, shows(2));
	assert_int_equal(alarms(world, "changes its compose hash back and forth between 0x0202"),
	                 1);
	for (unsigned i = 0; i < 5; i++) {
		judge(world, HOLD, shows(i % 2 == 0 ? 3 : 2));
		judge(world, HOLD, shows(i % 2 == 0 ? 3 : 2));
	}
	assert_int_equal(alarms(world, "back and forth"), 1);
	/* Somebody else's history does not count. */
	judge(world, AUTO, shows(1));
	assert_int_equal(alarms(world, "back and forth"), 1);
	/* A new value ends it. */
	judge(world, HOLD, shows(4));
	judge(world, HOLD, shows(3));
	assert_int_equal(alarms(world, "back and forth"), 2);
}

static void what_was_revoked_and_is_shown_is_an_alarm(void **state)
{
	struct world *world = *state;
	struct hash32 value = hash_of(1);
	const struct config_target *target = config_target_find(world->config, "payments");

	judge(world, HOLD, shows(1));
	assert_false(endpoint_shows_revoked(world->store, target, &value));
	store_begin(world->store);
	store_measurement_set_status(world->store, find(world, "payments", 1).id,
	                             MEASUREMENT_REVOKED, "removed on chain");
	store_commit(world->store);
	assert_true(endpoint_shows_revoked(world->store, target, &value));
	assert_int_equal(judge(world, HOLD, shows(1)), ENDPOINT_GOOD);
	assert_true(world->verdict.is_revoked);
	judge(world, HOLD, shows(1));
	assert_int_equal(alarms(world, "which was revoked"), 1);
	/* It stays revoked, whoever shows it. */
	judge(world, AUTO, shows(1));
	assert_int_equal(find(world, "payments", 1).status, MEASUREMENT_REVOKED);
	assert_int_equal(alarms(world, "which was revoked"), 2);
}

static void a_restart_forgets_nothing(void **state)
{
	struct world *world = *state;
	struct error error;

	judge(world, HOLD, shows(1));
	judge(world, HOLD, shows(2));
	store_close(world->store);
	assert_int_equal(store_open(&world->store,
	                            arena_printf(&world->arena, "%s/db", world->folder), &error),
	                 0);
	judge(world, HOLD, shows(1));
	assert_int_equal(alarms(world, "back and forth"), 1);
	store_close(world->store);
	assert_int_equal(store_open(&world->store,
	                            arena_printf(&world->arena, "%s/db", world->folder), &error),
	                 0);
	judge(world, HOLD, shows(1));
	assert_int_equal(alarms(world, "back and forth"), 1);
}

static void made_up_values_do_not_fill_the_store(void **state)
{
	struct world *world = *state;
	struct measured known = shows(1), made_up = shows(2);

	judge(world, HOLD, shows(1));
	assert_int_equal(judge_as(world, HOLD, &made_up, false), ENDPOINT_REFUSED);
	assert_int_equal(alarms(world, "too many new values"), 1);
	assert_int_equal(judge_as(world, HOLD, &known, false), ENDPOINT_GOOD);
	assert_int_equal(count_all(world), 1);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void a_kms_is_nobodys_app(void **state)
{
	struct world *world = *state;
	struct measured measured = {.format = FORMAT_KMS_INFO, .level = LEVEL_CLAIMED};
	struct measured_value value = {
	        .kind = KIND_KMS_MR, .value = hash_of(9), .level = LEVEL_CLAIMED};
	struct hash32 mr = hash_of(9);
	struct measurement m;

	assert_true(measured_add(&measured, &value));
	assert_int_equal(judge(world, KMS, measured), ENDPOINT_GOOD);
	assert_int_equal(
	        store_measurement_find(world->store, &world->arena, "easy", KIND_KMS_MR, &mr, &m),
	        0);
	assert_int_equal(m.status, MEASUREMENT_HELD);
	/* Each says only what it is asked for. */
	assert_int_equal(judge(world, KMS, shows(1)), ENDPOINT_NOTHING);
	assert_non_null(strstr(world->verdict.reason, "not the answer of a KMS"));
	assert_int_equal(judge(world, HOLD, measured), ENDPOINT_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(a_new_value_is_held_and_says_why),
	        WITH_WORLD(the_same_value_again_adds_nothing),
	        WITH_WORLD(an_approval_is_not_taken_back),
	        WITH_WORLD(auto_goes_on_as_far_as_the_target_lets_it),
	        WITH_WORLD(auto_lifts_what_another_endpoint_had_held),
	        WITH_WORLD(a_build_that_carries_the_value_ends_the_hold),
	        WITH_WORLD(what_a_build_brought_goes_on),
	        WITH_WORLD(another_app_is_refused_with_an_alarm),
	        WITH_WORLD(a_contradiction_is_refused_with_an_alarm),
	        WITH_WORLD(nothing_to_see_is_no_alarm),
	        WITH_WORLD(back_and_forth_is_an_alarm),
	        WITH_WORLD(what_was_revoked_and_is_shown_is_an_alarm),
	        WITH_WORLD(a_restart_forgets_nothing),
	        WITH_WORLD(made_up_values_do_not_fill_the_store),
	        WITH_WORLD(a_kms_is_nobodys_app),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
