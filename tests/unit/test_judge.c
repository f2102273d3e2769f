/* The verdict over a folder as the store tells it afterwards. */
#include "daemon/watch/judge.h"

#include "common/store/alarm.h"
#include "common/store/store_build.h"
#include "common/store/store_event.h"
#include "tests/unit/judge_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Alarms of that name. */
static size_t alarms(struct world *world, enum alarm alarm)
{
	const char *start = arena_printf(&world->arena, "[%s] ", alarm_name(alarm));
	struct event_list list;
	size_t count = 0;

	store_event_list(world->store, &world->arena, 0, 10000, &list);
	for (size_t i = 0; i < list.count; i++)
		count += strcmp(list.items[i].type, "alarm") == 0 &&
		         strncmp(list.items[i].text, start, strlen(start)) == 0;
	return count;
}

static void test_a_good_build_is_recorded_for_both_registries(void **state)
{
	struct world *world = *state;
	struct measurement m, compose;
	struct evidence_list evidence;
	struct jval *details;
	int64_t size = 0;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_put(world, "measurements.json", world_of(FORMAT_MEASUREMENTS, 1));
	world_put(world, "notes.txt", (struct measured){.format = FORMAT_UNKNOWN});
	assert_true(world_judge(world));
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_true(world_find(world, KIND_OS_IMAGE, 1, &m) &&
	            world_find(world, KIND_COMPOSE, 1, &compose));
	assert_int_equal(m.status, MEASUREMENT_NEW);
	assert_int_equal(m.level, LEVEL_RECOMPUTED);
	assert_int_equal(compose.status, MEASUREMENT_NEW);
	store_evidence_list(world->store, &world->arena, m.id, &evidence);
	assert_int_equal(evidence.count, 2);
	assert_string_equal(evidence.items[0].artifact, FOLDER "/enclave.eif");
	assert_string_equal(evidence.items[0].source, "folder");
	assert_int_equal(evidence.items[0].level, LEVEL_RECOMPUTED);
	assert_int_equal(evidence.items[1].level, LEVEL_CLAIMED);
	assert_int_equal(jval_parse(&details, bytes_text(evidence.items[0].details), NULL), 0);
	assert_string_equal(jval_get_string(details, "format"), "eif");
	assert_string_equal(jval_get_string(details, "image_name"), "demo");
	assert_int_equal(jval_get_int(details, "size", &size), 0);
	assert_int_equal(size, 1000);
	jval_free(details);
}

static void test_judging_again_adds_nothing(void **state)
{
	struct world *world = *state;
	struct event_list before, after;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	store_event_list(world->store, &world->arena, 0, 10000, &before);
	world_judge(world);
	store_event_list(world->store, &world->arena, 0, 10000, &after);
	assert_int_equal(before.count, after.count);
}

static void test_without_an_app_there_is_no_compose(void **state)
{
	struct world *world = *state;
	struct measurement m;

	world->target = config_target_find(world->config, "easy");
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 1));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_NEW, NULL); /* it wants no more than a claim */
	assert_false(world_find(world, KIND_COMPOSE, 1, &m));
}

static void test_a_claim_is_held_and_its_image_lifts_it(void **state)
{
	struct world *world = *state;
	struct measurement compose;

	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 1));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_HELD, "evidence claimed, the target wants recomputed");
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	assert_true(world_judge(world));
	world_is(world, 1, MEASUREMENT_NEW, "recomputed");
	assert_true(world_find(world, KIND_COMPOSE, 1, &compose));
	assert_int_equal(compose.status, MEASUREMENT_NEW);
}

static void test_an_approved_claim_stays_approved(void **state)
{
	struct world *world = *state;

	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 1));
	world_judge(world);
	store_begin(world->store);
	store_measurement_approve(world->store, world_get(world, 1).id, "someone");
	store_commit(world->store);
	world_put(world, "nitro.json", world_of(FORMAT_NITRO_BUILD, 1));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_NEW, "approved");
}

static void test_nothing_lifts_what_people_refused(void **state)
{
	struct world *world = *state;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	world_set_status(world, 1, MEASUREMENT_HELD); /* rejected, cancelled, held by hand */
	world_put_in(world, "/srv/releases/again", "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge_in(world, "/srv/releases/again");
	world_is(world, 1, MEASUREMENT_HELD, "as if");
	world_put(world, "other.eif", world_of(FORMAT_EIF, 2));
	world_judge(world);
	world_set_status(world, 2, MEASUREMENT_REVOKED);
	world_put_in(world, "/srv/releases/more", "enclave.eif", world_of(FORMAT_EIF, 2));
	world_judge_in(world, "/srv/releases/more");
	world_is(world, 2, MEASUREMENT_REVOKED, NULL);
	assert_false(world_get(world, 2).wanted);
}

static void test_a_contradiction_refuses_the_build_only(void **state)
{
	struct world *world = *state;
	struct measurement m;
	struct build build;
	struct hash32 one = world_value_of(1), two = world_value_of(2);
	char text[HASH32_TEXT_SIZE];

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 2));
	assert_true(world_judge(world));
	build = world_build_of(world, "enclave.eif");
	assert_int_equal(build.status, BUILD_REFUSED);
	assert_non_null(strstr(build.reason, hash32_text(text, &one) + 2));
	assert_non_null(strstr(build.reason, hash32_text(text, &two) + 2));
	assert_false(world_find(world, KIND_OS_IMAGE, 1, &m));
	assert_false(world_find(world, KIND_OS_IMAGE, 2, &m));
	struct event_list list;
	size_t builds = 0;
	store_event_list(world->store, &world->arena, 0, 10000, &list);
	for (size_t i = 0; i < list.count; i++)
		builds += strcmp(list.items[i].type, "build") == 0;
	assert_int_equal(builds, 1);
	/* A good drop of the same value elsewhere is not poisoned by it, */
	world_put_in(world, "/srv/releases/good", "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge_in(world, "/srv/releases/good");
	world_is(world, 1, MEASUREMENT_NEW, NULL);
	world_judge(world);
	world_is(world, 1, MEASUREMENT_NEW, NULL);
	/* and new content opens the verdict again. */
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 1));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(alarms(world, ALARM_CONTRADICTION), 0);
	assert_int_equal(alarms(world, ALARM_BUILD_REFUSED), 1);
}

static void test_a_contradiction_before_drafting_holds_until_it_is_gone(void **state)
{
	struct world *world = *state;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 2));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_HELD, "build refused: ");
	assert_int_equal(alarms(world, ALARM_CONTRADICTION), 0);
	world_gone(world, "m.json");
	world_judge(world);
	world_is(world, 1, MEASUREMENT_NEW, "accepted");
}

static void test_a_contradiction_after_drafting_is_an_alarm_and_stays_held(void **state)
{
	struct world *world = *state;
	struct measurement compose;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	world_set_status(world, 1, MEASUREMENT_PROPOSED);
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 2));
	assert_true(world_judge(world));
	world_is(world, 1, MEASUREMENT_HELD, "contradicted after drafting: ");
	assert_int_equal(alarms(world, ALARM_CONTRADICTION), 1);
	/* The other registry's call was not drafted. */
	assert_true(world_find(world, KIND_COMPOSE, 1, &compose));
	assert_int_equal(compose.status, MEASUREMENT_HELD);
	world_judge(world);
	assert_int_equal(alarms(world, ALARM_CONTRADICTION), 1);
	world_gone(world, "m.json");
	world_judge(world);
	world_is(world, 1, MEASUREMENT_HELD, "contradicted after drafting: ");
}

static void test_a_contradiction_after_authorization_is_an_alarm_only(void **state)
{
	struct world *world = *state;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	world_set_status(world, 1, MEASUREMENT_AUTHORIZED);
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 2));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_AUTHORIZED, NULL);
	assert_int_equal(alarms(world, ALARM_CONTRADICTION), 1);
}

static void test_a_claim_contradicted_by_its_late_image(void **state)
{
	struct world *world = *state;

	world->target = config_target_find(world->config, "easy");
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 2));
	world_judge(world);
	world_set_status(world, 2, MEASUREMENT_PROPOSED);
	world_put(world, "enclave.eif",
	          world_of(FORMAT_EIF, 1)); /* another build than the claim's */
	world_judge(world);
	world_is(world, 2, MEASUREMENT_HELD, "contradicted after drafting: ");
}

static void test_the_next_release_in_the_same_folder_is_no_contradiction(void **state)
{
	struct world *world = *state;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 1));
	world_judge(world);
	world_set_status(world, 1, MEASUREMENT_PROPOSED);
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 2));
	world_put(world, "m.json", world_of(FORMAT_MEASUREMENTS, 2));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_PROPOSED, NULL);
	world_is(world, 2, MEASUREMENT_NEW, NULL);
	/* Nor is a next one that is broken. */
	world_put(world, "enclave.eif",
	          (struct measured){.format = FORMAT_EIF, .refused = true, .refusal = "CRC"});
	world_gone(world, "m.json");
	world_judge(world);
	world_is(world, 1, MEASUREMENT_PROPOSED, NULL);
	world_is(world, 2, MEASUREMENT_NEW, NULL);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_REFUSED);
	assert_int_equal(alarms(world, ALARM_CONTRADICTION), 0);
}

static void test_an_emptied_folder_takes_nothing_back(void **state)
{
	struct world *world = *state;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	world_gone(world, "enclave.eif");
	assert_false(world_judge(world));
	world_is(world, 1, MEASUREMENT_NEW, NULL);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
}

static void test_a_refused_build_ends_with_its_files(void **state)
{
	struct world *world = *state;

	world_put(world, "enclave.eif",
	          (struct measured){.format = FORMAT_EIF, .refused = true, .refusal = "CRC"});
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_REFUSED);
	world_gone(world, "enclave.eif");
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_OPEN);
}

static void test_several_images_are_several_builds(void **state)
{
	struct world *world = *state;
	struct evidence_list evidence;

	world_put(world, "a.eif", world_of(FORMAT_EIF, 1));
	world_put(world, "b.eif", world_of(FORMAT_EIF, 2));
	world_put(world, "b.json", world_of(FORMAT_NITRO_BUILD, 2));
	world_judge(world);
	world_is(world, 1, MEASUREMENT_NEW, NULL);
	world_is(world, 2, MEASUREMENT_NEW, NULL);
	store_evidence_list(world->store, &world->arena, world_get(world, 1).id, &evidence);
	assert_int_equal(evidence.count, 1);
	store_evidence_list(world->store, &world->arena, world_get(world, 2).id, &evidence);
	assert_int_equal(evidence.count, 2);
}

static void test_a_signature_survives_the_store(void **state)
{
	struct world *world = *state;
	struct measured image = world_of(FORMAT_EIF, 1);

	image.is_signed = true;
	world_put(world, "enclave.eif", image);
	world_judge(world);
	assert_true(world_get(world, 1).is_signed);
}

/* --- documents of dstack -------------------------------------------------------------------------
 */

static struct measured document(enum format format, enum kind kind, uint8_t byte,
                                enum evidence_level level)
{
	struct measured measured = {
	        .format = format, .level = level, .size = 10, .details = "{\"checks\":[]}"};

	measured.values[measured.value_count++] = (struct measured_value){
	        .kind = kind, .value = world_value_of(byte), .level = level};
	memset(measured.sha256.b, byte ^ (int)format, sizeof(measured.sha256.b));
	return measured;
}

/* Under a genuine quote. */
static struct measured quoted(const struct world *world, uint8_t byte, uint8_t os)
{
	struct measured measured = document(FORMAT_TDX_QUOTE, KIND_COMPOSE, byte, LEVEL_CLAIMED);

	measured.values[0].is_quoted = measured.values[0].has_app_id = true;
	memset(measured.values[0].os.b, os, sizeof(measured.values[0].os.b));
	memcpy(measured.values[0].app_id, world->target->app.b, sizeof(world->target->app.b));
	return measured;
}

static struct measurement get_compose(struct world *world, uint8_t byte)
{
	struct measurement m;

	assert_true(world_find(world, KIND_COMPOSE, byte, &m));
	return m;
}

static void test_documents_make_a_build_beside_an_image(void **state)
{
	struct world *world = *state;
	struct measurement m;

	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_put(world, "app-compose.json",
	          document(FORMAT_APP_COMPOSE, KIND_COMPOSE, 2, LEVEL_RECOMPUTED));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(world_build_of(world, "").status, BUILD_ACCEPTED);
	assert_int_equal(get_compose(world, 2).status, MEASUREMENT_NEW);
	assert_false(world_find(world, KIND_OS_IMAGE, 2, &m)); /* each to its own registry */
	world_put(world, "info.json", document(FORMAT_GUEST_INFO, KIND_COMPOSE, 3, LEVEL_CLAIMED));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(world_build_of(world, "").status, BUILD_REFUSED);
	assert_non_null(strstr(world_build_of(world, "").reason, "info.json says compose 0x"));
	assert_int_equal(get_compose(world, 2).status, MEASUREMENT_HELD);
}

static void test_a_quote_is_attested_for_a_known_os_only(void **state)
{
	struct world *world = *state;
	struct config_target target = *world->target;
	struct hash32 known;
	struct evidence_list evidence;

	world_put(world, "quote.json", quoted(world, 1, 7));
	world_judge(world);
	assert_int_equal(get_compose(world, 1).status, MEASUREMENT_HELD);
	assert_int_equal(get_compose(world, 1).level, LEVEL_CLAIMED);

	memset(known.b, 7, sizeof(known.b));
	target.known_os = (struct hash_list){&known, 1};
	world->target = &target;
	world_judge(world);
	assert_int_equal(get_compose(world, 1).level, LEVEL_ATTESTED);
	assert_int_equal(get_compose(world, 1).status, MEASUREMENT_NEW);
	store_evidence_list(world->store, &world->arena, get_compose(world, 1).id, &evidence);
	assert_int_equal(evidence.count, 2);
	assert_non_null(strstr(evidence.items[0].details, "is not listed in known_os"));
	assert_non_null(strstr(evidence.items[1].details, "is listed in known_os"));
	assert_non_null(strstr(evidence.items[1].details, "\"check\":\"app\",\"result\":\"passed"));
}

static void test_other_rules_are_another_verdict(void **state)
{
	struct world *world = *state;
	struct config_target target = *world->target;
	struct hash32 known = {.b = {7}}, before = judge_rules(&target);
	struct path_list waiting;

	world_put(world, "app-compose.json",
	          document(FORMAT_APP_COMPOSE, KIND_COMPOSE, 2, LEVEL_RECOMPUTED));
	world_judge(world);
	store_begin(world->store);
	store_folder_rules(world->store, target.name, &before);
	store_folder_judged(world->store, target.name, FOLDER);
	store_folder_rules(world->store, target.name, &before);
	store_commit(world->store);
	store_folder_unjudged(world->store, &world->arena, target.name, &waiting);
	assert_int_equal(waiting.count, 0);

	target.known_os = (struct hash_list){&known, 1};
	struct hash32 after = judge_rules(&target);
	assert_false(hash32_equal(&before, &after));
	store_begin(world->store);
	store_folder_rules(world->store, target.name, &after);
	store_commit(world->store);
	store_folder_unjudged(world->store, &world->arena, target.name, &waiting);
	assert_int_equal(waiting.count, 1);
	assert_string_equal(waiting.items[0], FOLDER);
}

static void test_another_app_is_refused(void **state)
{
	struct world *world = *state;
	struct measured measured = quoted(world, 1, 7);
	struct measurement m;

	measured.values[0].app_id[3] ^= 1;
	world_put(world, "quote.json", measured);
	world_judge(world);
	assert_int_equal(world_build_of(world, "").status, BUILD_REFUSED);
	assert_non_null(strstr(world_build_of(world, "").reason, "quote.json: app id "));
	assert_false(world_find(world, KIND_COMPOSE, 1, &m));
}

static void test_an_os_image_counts_when_its_files_are_hashed(void **state)
{
	struct world *world = *state;
	struct measured list = document(FORMAT_OS_CHECKSUMS, KIND_OS_IMAGE, 1, LEVEL_CLAIMED);
	struct measured file = {.format = FORMAT_OS_FILE, .level = LEVEL_RECOMPUTED, .size = 1};
	char text[HASH32_TEXT_SIZE];

	memset(file.sha256.b, 9, sizeof(file.sha256.b));
	list.details = arena_printf(&world->arena,
	                            "{\"files\":[{\"name\":\"bzImage\",\"sha256\":\"%s\"}]}",
	                            hash32_text(text, &file.sha256));
	world_put(world, "sha256sum.txt", list);
	world_judge(world);
	world_is(world, 1, MEASUREMENT_HELD, "evidence claimed");
	world_put(world, "bzImage", file);
	world_judge(world);
	world_is(world, 1, MEASUREMENT_NEW, NULL);
	assert_int_equal(world_get(world, 1).level, LEVEL_RECOMPUTED);
	file.sha256.b[0] ^= 1;
	world_put(world, "bzImage", file);
	world_judge(world);
	assert_int_equal(world_build_of(world, "").status, BUILD_REFUSED);
	assert_non_null(strstr(world_build_of(world, "").reason, "bzImage has another digest"));
}

static void test_a_nsm_document_is_attested_evidence(void **state)
{
	struct world *world = *state;
	struct measured nsm = world_of(FORMAT_NSM, 1);

	nsm.level = LEVEL_ATTESTED;
	world_put(world, "document.cose", nsm);
	world_put(world, "enclave.eif", world_of(FORMAT_EIF, 1));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(world_get(world, 1).level, LEVEL_ATTESTED);
	world_put(world, "other.cose", world_of(FORMAT_NSM, 2));
	world_judge(world);
	assert_int_equal(world_build_of(world, "enclave.eif").status, BUILD_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	        TEST(test_a_good_build_is_recorded_for_both_registries),
	        TEST(test_judging_again_adds_nothing),
	        TEST(test_without_an_app_there_is_no_compose),
	        TEST(test_a_claim_is_held_and_its_image_lifts_it),
	        TEST(test_an_approved_claim_stays_approved),
	        TEST(test_nothing_lifts_what_people_refused),
	        TEST(test_a_contradiction_refuses_the_build_only),
	        TEST(test_a_contradiction_before_drafting_holds_until_it_is_gone),
	        TEST(test_a_contradiction_after_drafting_is_an_alarm_and_stays_held),
	        TEST(test_a_contradiction_after_authorization_is_an_alarm_only),
	        TEST(test_a_claim_contradicted_by_its_late_image),
	        TEST(test_the_next_release_in_the_same_folder_is_no_contradiction),
	        TEST(test_an_emptied_folder_takes_nothing_back),
	        TEST(test_a_refused_build_ends_with_its_files),
	        TEST(test_several_images_are_several_builds),
	        TEST(test_a_signature_survives_the_store),
	        TEST(test_documents_make_a_build_beside_an_image),
	        TEST(test_a_quote_is_attested_for_a_known_os_only),
	        TEST(test_another_app_is_refused),
	        TEST(test_other_rules_are_another_verdict),
	        TEST(test_an_os_image_counts_when_its_files_are_hashed),
	        TEST(test_a_nsm_document_is_attested_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
