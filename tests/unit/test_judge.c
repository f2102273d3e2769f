/* The verdict over a folder as the store tells it afterwards. */
#include "daemon/watch/judge.h"

#include "common/store/store_build.h"
#include "common/store/store_event.h"
#include "common/store/store_measurement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDER "/srv/releases/42"

struct world {
	char path[64];
	struct store *store;
	struct config *config;
	const struct config_target *target; /* with an app; wants recomputed */
	struct arena arena;
};

static const char config_text[] =
        "chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
        "targets:\n"
        "  payments: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
        "    app: '0x2222222222222222222222222222222222222222', model: safe+timelock,\n"
        "    safe: '0x3333333333333333333333333333333333333333',\n"
        "    timelock: '0x4444444444444444444444444444444444444444', min_evidence: recomputed}\n"
        "  easy: {chain: c, kms: '0x1111111111111111111111111111111111111111', model: "
        "safe+timelock,\n"
        "    safe: '0x3333333333333333333333333333333333333333',\n"
        "    timelock: '0x4444444444444444444444444444444444444444', min_evidence: claimed}\n";

static void put_targets(struct world *world)
{
	store_begin(world->store);
	for (size_t i = 0; i < world->config->target_count; i++) {
		const struct config_target *target = &world->config->targets[i];

		store_target_put(world->store, target->name, 1, &target->kms,
		                 target->has_app ? &target->app : NULL);
	}
	store_commit(world->store);
}

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct error error = {0};

	snprintf(world->path, sizeof(world->path), "/tmp/judge.XXXXXX");
	close(mkstemp(world->path));
	if (store_open(&world->store, world->path, &error) != 0 ||
	    config_parse(&world->config, "test", bytes_text(config_text), &error) != 0)
		fail_msg("%s", error.text);
	store_set_now(world->store, (struct wall){1700000000000});
	put_targets(world);
	world->target = config_target_find(world->config, "payments");
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[80];

	store_close(world->store);
	config_free(world->config);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", world->path, ends[i]);
		unlink(path);
	}
	arena_free(&world->arena);
	free(world);
	return 0;
}

/* PCRs made of one repeated byte. */
static struct measured of(enum format format, uint8_t byte)
{
	struct measured measured = {
	        .format = format,
	        .level = format == FORMAT_EIF ? LEVEL_RECOMPUTED : LEVEL_CLAIMED,
	        .size = 1000,
	        .details = "{\"image_name\":\"demo\"}",
	};

	memset(&measured.pcrs, byte, 3 * SHA384_SIZE);
	measured.value = pcrs_value(&measured.pcrs);
	memset(measured.sha256.b, byte ^ (int)format, sizeof(measured.sha256.b));
	return measured;
}

static struct hash32 value_of(uint8_t byte)
{
	return of(FORMAT_EIF, byte).value;
}

static void put_in(struct world *world, const char *folder, const char *name,
                   struct measured measured)
{
	struct artifact artifact = {
	        .target = world->target->name,
	        .path = arena_printf(&world->arena, "%s/%s", folder, name),
	        .folder = folder,
	        .measured = measured,
	};

	store_begin(world->store);
	store_artifact_put(world->store, &artifact);
	store_commit(world->store);
}

static void put(struct world *world, const char *name, struct measured measured)
{
	put_in(world, FOLDER, name, measured);
}

static void gone(struct world *world, const char *name)
{
	store_begin(world->store);
	store_artifact_gone(world->store, world->target->name,
	                    arena_printf(&world->arena, FOLDER "/%s", name));
	store_commit(world->store);
}

static bool judge_in(struct world *world, const char *folder)
{
	struct path_list left;
	bool changed;

	store_begin(world->store);
	changed = judge_folder(world->store, world->target, folder);
	store_commit(world->store);
	store_folder_unjudged(world->store, &world->arena, world->target->name, &left);
	for (size_t i = 0; i < left.count; i++)
		assert_string_not_equal(left.items[i], folder);
	return changed;
}

static bool judge(struct world *world)
{
	return judge_in(world, FOLDER);
}

static bool find(struct world *world, enum kind kind, uint8_t byte, struct measurement *out)
{
	struct hash32 value = value_of(byte);

	return store_measurement_find(world->store, &world->arena, world->target->name, kind,
	                              &value, out) == 0;
}

static struct measurement get(struct world *world, uint8_t byte)
{
	struct measurement m;

	assert_true(find(world, KIND_OS_IMAGE, byte, &m));
	return m;
}

static void is(struct world *world, uint8_t byte, enum measurement_status status,
               const char *reason)
{
	struct measurement m = get(world, byte);

	assert_string_equal(measurement_status_name(m.status), measurement_status_name(status));
	if (reason == NULL)
		return;
	assert_non_null(m.reason);
	if (strstr(m.reason, reason) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", reason, m.reason);
}

static void set_status(struct world *world, uint8_t byte, enum measurement_status status)
{
	store_begin(world->store);
	store_measurement_set_status(world->store, get(world, byte).id, status, "as if");
	store_commit(world->store);
}

static struct build build_of(struct world *world, const char *eif)
{
	struct build_list builds;

	store_build_folder(world->store, &world->arena, world->target->name, FOLDER, &builds);
	for (size_t i = 0; i < builds.count; i++) {
		if (strcmp(builds.items[i].eif, eif) == 0)
			return builds.items[i];
	}
	fail_msg("no build %s", eif);
	return (struct build){0};
}

static size_t events(struct world *world, const char *type)
{
	struct event_list list;
	size_t count = 0;

	store_event_list(world->store, &world->arena, 0, 10000, &list);
	for (size_t i = 0; i < list.count; i++)
		count += strcmp(list.items[i].type, type) == 0;
	return count;
}

static void test_a_good_build_is_recorded_for_both_registries(void **state)
{
	struct world *world = *state;
	struct measurement m, compose;
	struct evidence_list evidence;
	struct jval *details;
	int64_t size = 0;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	put(world, "measurements.json", of(FORMAT_MEASUREMENTS, 1));
	put(world, "notes.txt", (struct measured){.format = FORMAT_UNKNOWN});
	assert_true(judge(world));
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_true(find(world, KIND_OS_IMAGE, 1, &m) && find(world, KIND_COMPOSE, 1, &compose));
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

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	store_event_list(world->store, &world->arena, 0, 10000, &before);
	judge(world);
	store_event_list(world->store, &world->arena, 0, 10000, &after);
	assert_int_equal(before.count, after.count);
}

static void test_without_an_app_there_is_no_compose(void **state)
{
	struct world *world = *state;
	struct measurement m;

	world->target = config_target_find(world->config, "easy");
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 1));
	judge(world);
	is(world, 1, MEASUREMENT_NEW, NULL); /* it wants no more than a claim */
	assert_false(find(world, KIND_COMPOSE, 1, &m));
}

static void test_a_claim_is_held_and_its_image_lifts_it(void **state)
{
	struct world *world = *state;
	struct measurement compose;

	put(world, "m.json", of(FORMAT_MEASUREMENTS, 1));
	judge(world);
	is(world, 1, MEASUREMENT_HELD, "evidence claimed, the target wants recomputed");
	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	assert_true(judge(world));
	is(world, 1, MEASUREMENT_NEW, "recomputed");
	assert_true(find(world, KIND_COMPOSE, 1, &compose));
	assert_int_equal(compose.status, MEASUREMENT_NEW);
}

static void test_an_approved_claim_stays_approved(void **state)
{
	struct world *world = *state;

	put(world, "m.json", of(FORMAT_MEASUREMENTS, 1));
	judge(world);
	store_begin(world->store);
	store_measurement_approve(world->store, get(world, 1).id, "someone");
	store_commit(world->store);
	put(world, "nitro.json", of(FORMAT_NITRO_BUILD, 1));
	judge(world);
	is(world, 1, MEASUREMENT_NEW, "approved");
}

static void test_nothing_lifts_what_people_refused(void **state)
{
	struct world *world = *state;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	set_status(world, 1, MEASUREMENT_HELD); /* rejected, cancelled, held by hand */
	put_in(world, "/srv/releases/again", "enclave.eif", of(FORMAT_EIF, 1));
	judge_in(world, "/srv/releases/again");
	is(world, 1, MEASUREMENT_HELD, "as if");
	put(world, "other.eif", of(FORMAT_EIF, 2));
	judge(world);
	set_status(world, 2, MEASUREMENT_REVOKED);
	put_in(world, "/srv/releases/more", "enclave.eif", of(FORMAT_EIF, 2));
	judge_in(world, "/srv/releases/more");
	is(world, 2, MEASUREMENT_REVOKED, NULL);
	assert_false(get(world, 2).wanted);
}

static void test_a_contradiction_refuses_the_build_only(void **state)
{
	struct world *world = *state;
	struct measurement m;
	struct build build;
	struct hash32 one = value_of(1), two = value_of(2);
	char text[HASH32_TEXT_SIZE];

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 2));
	assert_true(judge(world));
	build = build_of(world, "enclave.eif");
	assert_int_equal(build.status, BUILD_REFUSED);
	assert_non_null(strstr(build.reason, hash32_text(text, &one) + 2));
	assert_non_null(strstr(build.reason, hash32_text(text, &two) + 2));
	assert_false(find(world, KIND_OS_IMAGE, 1, &m));
	assert_false(find(world, KIND_OS_IMAGE, 2, &m));
	assert_int_equal(events(world, "build"), 1);
	/* A good drop of the same value elsewhere is not poisoned by it, */
	put_in(world, "/srv/releases/good", "enclave.eif", of(FORMAT_EIF, 1));
	judge_in(world, "/srv/releases/good");
	is(world, 1, MEASUREMENT_NEW, NULL);
	judge(world);
	is(world, 1, MEASUREMENT_NEW, NULL);
	/* and new content opens the verdict again. */
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 1));
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(events(world, "alarm"), 0);
}

static void test_a_contradiction_before_drafting_holds_until_it_is_gone(void **state)
{
	struct world *world = *state;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 2));
	judge(world);
	is(world, 1, MEASUREMENT_HELD, "build refused: ");
	assert_int_equal(events(world, "alarm"), 0);
	gone(world, "m.json");
	judge(world);
	is(world, 1, MEASUREMENT_NEW, "accepted");
}

static void test_a_contradiction_after_drafting_is_an_alarm_and_stays_held(void **state)
{
	struct world *world = *state;
	struct measurement compose;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	set_status(world, 1, MEASUREMENT_PROPOSED);
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 2));
	assert_true(judge(world));
	is(world, 1, MEASUREMENT_HELD, "contradicted after drafting: ");
	assert_int_equal(events(world, "alarm"), 1);
	/* The other registry's call was not drafted. */
	assert_true(find(world, KIND_COMPOSE, 1, &compose));
	assert_int_equal(compose.status, MEASUREMENT_HELD);
	judge(world);
	assert_int_equal(events(world, "alarm"), 1);
	gone(world, "m.json");
	judge(world);
	is(world, 1, MEASUREMENT_HELD, "contradicted after drafting: ");
}

static void test_a_contradiction_after_authorization_is_an_alarm_only(void **state)
{
	struct world *world = *state;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	set_status(world, 1, MEASUREMENT_AUTHORIZED);
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 2));
	judge(world);
	is(world, 1, MEASUREMENT_AUTHORIZED, NULL);
	assert_int_equal(events(world, "alarm"), 1);
}

static void test_a_claim_contradicted_by_its_late_image(void **state)
{
	struct world *world = *state;

	world->target = config_target_find(world->config, "easy");
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 2));
	judge(world);
	set_status(world, 2, MEASUREMENT_PROPOSED);
	put(world, "enclave.eif", of(FORMAT_EIF, 1)); /* another build than the claim's */
	judge(world);
	is(world, 2, MEASUREMENT_HELD, "contradicted after drafting: ");
}

static void test_the_next_release_in_the_same_folder_is_no_contradiction(void **state)
{
	struct world *world = *state;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 1));
	judge(world);
	set_status(world, 1, MEASUREMENT_PROPOSED);
	put(world, "enclave.eif", of(FORMAT_EIF, 2));
	put(world, "m.json", of(FORMAT_MEASUREMENTS, 2));
	judge(world);
	is(world, 1, MEASUREMENT_PROPOSED, NULL);
	is(world, 2, MEASUREMENT_NEW, NULL);
	/* Nor is a next one that is broken. */
	put(world, "enclave.eif",
	    (struct measured){.format = FORMAT_EIF, .refused = true, .refusal = "CRC"});
	gone(world, "m.json");
	judge(world);
	is(world, 1, MEASUREMENT_PROPOSED, NULL);
	is(world, 2, MEASUREMENT_NEW, NULL);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_REFUSED);
	assert_int_equal(events(world, "alarm"), 0);
}

static void test_an_emptied_folder_takes_nothing_back(void **state)
{
	struct world *world = *state;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	gone(world, "enclave.eif");
	assert_false(judge(world));
	is(world, 1, MEASUREMENT_NEW, NULL);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
}

static void test_a_refused_build_ends_with_its_files(void **state)
{
	struct world *world = *state;

	put(world, "enclave.eif",
	    (struct measured){.format = FORMAT_EIF, .refused = true, .refusal = "CRC"});
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_REFUSED);
	gone(world, "enclave.eif");
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_OPEN);
}

static void test_several_images_are_several_builds(void **state)
{
	struct world *world = *state;
	struct evidence_list evidence;

	put(world, "a.eif", of(FORMAT_EIF, 1));
	put(world, "b.eif", of(FORMAT_EIF, 2));
	put(world, "b.json", of(FORMAT_NITRO_BUILD, 2));
	judge(world);
	is(world, 1, MEASUREMENT_NEW, NULL);
	is(world, 2, MEASUREMENT_NEW, NULL);
	store_evidence_list(world->store, &world->arena, get(world, 1).id, &evidence);
	assert_int_equal(evidence.count, 1);
	store_evidence_list(world->store, &world->arena, get(world, 2).id, &evidence);
	assert_int_equal(evidence.count, 2);
}

static void test_a_signature_survives_the_store(void **state)
{
	struct world *world = *state;
	struct measured image = of(FORMAT_EIF, 1);

	image.is_signed = true;
	put(world, "enclave.eif", image);
	judge(world);
	assert_true(get(world, 1).is_signed);
}

/* --- documents of dstack -------------------------------------------------------------------------
 */

static struct measured document(enum format format, enum kind kind, uint8_t byte,
                                enum evidence_level level)
{
	struct measured measured = {
	        .format = format, .level = level, .size = 10, .details = "{\"checks\":[]}"};

	measured.values[measured.value_count++] =
	        (struct measured_value){.kind = kind, .value = value_of(byte), .level = level};
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

	assert_true(find(world, KIND_COMPOSE, byte, &m));
	return m;
}

static void test_documents_make_a_build_beside_an_image(void **state)
{
	struct world *world = *state;
	struct measurement m;

	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	put(world, "app-compose.json",
	    document(FORMAT_APP_COMPOSE, KIND_COMPOSE, 2, LEVEL_RECOMPUTED));
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(build_of(world, "").status, BUILD_ACCEPTED);
	assert_int_equal(get_compose(world, 2).status, MEASUREMENT_NEW);
	assert_false(find(world, KIND_OS_IMAGE, 2, &m)); /* each to its own registry */
	put(world, "info.json", document(FORMAT_GUEST_INFO, KIND_COMPOSE, 3, LEVEL_CLAIMED));
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(build_of(world, "").status, BUILD_REFUSED);
	assert_non_null(strstr(build_of(world, "").reason, "info.json says compose 0x"));
	assert_int_equal(get_compose(world, 2).status, MEASUREMENT_HELD);
}

static void test_a_quote_is_attested_for_a_known_os_only(void **state)
{
	struct world *world = *state;
	struct config_target target = *world->target;
	struct hash32 known;
	struct evidence_list evidence;

	put(world, "quote.json", quoted(world, 1, 7));
	judge(world);
	assert_int_equal(get_compose(world, 1).status, MEASUREMENT_HELD);
	assert_int_equal(get_compose(world, 1).level, LEVEL_CLAIMED);

	memset(known.b, 7, sizeof(known.b));
	target.known_os = (struct hash_list){&known, 1};
	world->target = &target;
	judge(world);
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

	put(world, "app-compose.json",
	    document(FORMAT_APP_COMPOSE, KIND_COMPOSE, 2, LEVEL_RECOMPUTED));
	judge(world);
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
	put(world, "quote.json", measured);
	judge(world);
	assert_int_equal(build_of(world, "").status, BUILD_REFUSED);
	assert_non_null(strstr(build_of(world, "").reason, "quote.json: app id "));
	assert_false(find(world, KIND_COMPOSE, 1, &m));
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
	put(world, "sha256sum.txt", list);
	judge(world);
	is(world, 1, MEASUREMENT_HELD, "evidence claimed");
	put(world, "bzImage", file);
	judge(world);
	is(world, 1, MEASUREMENT_NEW, NULL);
	assert_int_equal(get(world, 1).level, LEVEL_RECOMPUTED);
	file.sha256.b[0] ^= 1;
	put(world, "bzImage", file);
	judge(world);
	assert_int_equal(build_of(world, "").status, BUILD_REFUSED);
	assert_non_null(strstr(build_of(world, "").reason, "bzImage has another digest"));
}

static void test_a_nsm_document_is_attested_evidence(void **state)
{
	struct world *world = *state;
	struct measured nsm = of(FORMAT_NSM, 1);

	nsm.level = LEVEL_ATTESTED;
	put(world, "document.cose", nsm);
	put(world, "enclave.eif", of(FORMAT_EIF, 1));
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_ACCEPTED);
	assert_int_equal(get(world, 1).level, LEVEL_ATTESTED);
	put(world, "other.cose", of(FORMAT_NSM, 2));
	judge(world);
	assert_int_equal(build_of(world, "enclave.eif").status, BUILD_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
