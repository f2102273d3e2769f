/* Artifacts, folders that wait for a verdict, builds. */
#include "tests/unit/death.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct artifact some_artifact(const char *folder, const char *path)
{
	struct artifact artifact = {.target = "payments",
	                            .path = path,
	                            .folder = folder,
	                            .device = UINT64_MAX,
	                            .inode = 42,
	                            .size = 4096,
	                            .mtime_ns = 1767225600123456789,
	                            .ctime_ns = -1};

	artifact.measured = (struct measured){.format = FORMAT_EIF,
	                                      .level = LEVEL_RECOMPUTED,
	                                      .value = store_fixture_hash(1),
	                                      .sha256 = store_fixture_hash(2),
	                                      .size = 4096,
	                                      .details = "{\"name\":\"app\"}"};
	memset(artifact.measured.pcrs.pcr0, 1, SHA384_SIZE);
	memset(artifact.measured.pcrs.pcr1, 2, SHA384_SIZE);
	memset(artifact.measured.pcrs.pcr2, 3, SHA384_SIZE);
	return artifact;
}

static void put(struct store_fixture *f, const struct artifact *artifact)
{
	store_begin(f->store);
	store_artifact_put(f->store, artifact);
	store_commit(f->store);
}

static void assert_same(const struct artifact *a, const struct artifact *b)
{
	assert_string_equal(a->target, b->target);
	assert_string_equal(a->path, b->path);
	assert_string_equal(a->folder, b->folder);
	assert_true(a->device == b->device && a->inode == b->inode && a->size == b->size);
	assert_true(a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns);
	assert_int_equal(a->gone, b->gone);
	assert_int_equal(a->measured.format, b->measured.format);
	assert_int_equal(a->measured.refused, b->measured.refused);
	assert_int_equal(a->measured.level, b->measured.level);
	assert_int_equal(a->measured.is_signed, b->measured.is_signed);
	assert_memory_equal(a->measured.pcrs.pcr0, b->measured.pcrs.pcr0, SHA384_SIZE);
	assert_memory_equal(a->measured.pcrs.pcr1, b->measured.pcrs.pcr1, SHA384_SIZE);
	assert_memory_equal(a->measured.pcrs.pcr2, b->measured.pcrs.pcr2, SHA384_SIZE);
	assert_memory_equal(a->measured.pcrs.pcr8, b->measured.pcrs.pcr8, SHA384_SIZE);
	assert_int_equal(a->measured.pcrs.has_pcr8, b->measured.pcrs.has_pcr8);
	assert_true(hash32_equal(&a->measured.value, &b->measured.value));
	assert_true(hash32_equal(&a->measured.sha256, &b->measured.sha256));
	assert_true(a->measured.size == b->measured.size);
	if (b->measured.details != NULL)
		assert_string_equal(a->measured.details, b->measured.details);
	else
		assert_null(a->measured.details);
	if (b->measured.refusal != NULL)
		assert_string_equal(a->measured.refusal, b->measured.refusal);
	else
		assert_null(a->measured.refusal);
}

static void an_artifact_is_read_back_whole(void **state)
{
	struct store_fixture *f = *state;
	struct artifact given = some_artifact("/srv/a", "/srv/a/app.eif"), found;

	assert_int_equal(store_artifact_get(f->store, &f->arena, "payments", given.path, &found),
	                 ERR_NOT_FOUND);
	put(f, &given);
	store_fixture_reopen(f);
	assert_int_equal(store_artifact_get(f->store, &f->arena, "payments", given.path, &found),
	                 0);
	assert_same(&found, &given);
	assert_int_equal(store_artifact_get(f->store, &f->arena, "other", given.path, &found),
	                 ERR_NOT_FOUND);

	/* measured again, and refused this time */
	given.inode = 43;
	given.measured = (struct measured){.format = FORMAT_EIF,
	                                   .refused = true,
	                                   .refusal = "byte 12: bad",
	                                   .sha256 = store_fixture_hash(3)};
	given.measured.pcrs.has_pcr8 = true;
	given.measured.is_signed = true;
	memset(given.measured.pcrs.pcr8, 8, SHA384_SIZE);
	put(f, &given);
	assert_int_equal(store_artifact_get(f->store, &f->arena, "payments", given.path, &found),
	                 0);
	assert_same(&found, &given);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM artifact"), 1);
}

static void all_that_an_artifact_states_is_read_back(void **state)
{
	struct store_fixture *f = *state;
	struct artifact given = some_artifact("/srv/a", "/srv/a/info.json"), found;

	given.measured = (struct measured){.format = FORMAT_GUEST_INFO, .level = LEVEL_CLAIMED};
	given.measured.value_count = 2;
	given.measured.values[0] = (struct measured_value){.kind = KIND_COMPOSE,
	                                                   .value = store_fixture_hash(1),
	                                                   .level = LEVEL_CLAIMED,
	                                                   .is_quoted = true,
	                                                   .os = store_fixture_hash(2),
	                                                   .has_app_id = true};
	memset(given.measured.values[0].app_id, 3, 20);
	given.measured.values[1] = (struct measured_value){.kind = KIND_DEVICE,
	                                                   .value = store_fixture_hash(4),
	                                                   .level = LEVEL_RECOMPUTED,
	                                                   .is_signed = true};
	put(f, &given);
	put(f, &given); /* again: not twice */
	store_fixture_reopen(f);
	assert_int_equal(store_artifact_get(f->store, &f->arena, "payments", given.path, &found),
	                 0);
	assert_int_equal(found.measured.value_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct measured_value *a = &found.measured.values[i],
		                            *b = &given.measured.values[i];
		assert_int_equal(a->kind, b->kind);
		assert_true(hash32_equal(&a->value, &b->value));
		assert_int_equal(a->level, b->level);
		assert_int_equal(a->is_signed, b->is_signed);
		assert_int_equal(a->is_quoted, b->is_quoted);
		assert_true(hash32_equal(&a->os, &b->os));
		assert_int_equal(a->has_app_id, b->has_app_id);
		assert_memory_equal(a->app_id, b->app_id, sizeof(a->app_id));
	}
	/* An enclave's artifact states its one value as two kinds. */
	given = some_artifact("/srv/a", "/srv/a/app.eif");
	put(f, &given);
	assert_int_equal(store_artifact_get(f->store, &f->arena, "payments", given.path, &found),
	                 0);
	assert_int_equal(found.measured.value_count, hash32_is_zero(&given.measured.value) ? 0 : 2);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM artifact_value"), 2);
}

static void gone_is_remembered_and_not_listed(void **state)
{
	struct store_fixture *f = *state;
	struct artifact b = some_artifact("/srv/a", "/srv/a/b"),
	                a = some_artifact("/srv/a", "/srv/a/a");
	struct artifact other = some_artifact("/srv/c", "/srv/c/a"), found;
	struct artifact_list list;
	struct path_list paths;

	put(f, &b);
	put(f, &a);
	put(f, &other);
	store_artifact_list(f->store, &f->arena, "payments", "/srv/a", &list);
	assert_int_equal(list.count, 2);
	assert_same(&list.items[0], &a);
	assert_same(&list.items[1], &b);
	store_begin(f->store);
	store_artifact_gone(f->store, "payments", "/srv/a/a");
	store_artifact_gone(f->store, "payments", "/srv/never");
	store_commit(f->store);
	store_artifact_list(f->store, &f->arena, "payments", "/srv/a", &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(store_artifact_get(f->store, &f->arena, "payments", "/srv/a/a", &found),
	                 0);
	assert_true(found.gone);
	store_artifact_paths(f->store, &f->arena, "payments", &paths);
	assert_int_equal(paths.count, 2);
	assert_string_equal(paths.items[0], "/srv/a/b");
	assert_string_equal(paths.items[1], "/srv/c/a");
	store_artifact_paths(f->store, &f->arena, "other", &paths);
	assert_int_equal(paths.count, 0);
	store_artifact_list(f->store, &f->arena, "other", "/srv/a", &list);
	assert_int_equal(list.count, 0);

	put(f, &a); /* back again */
	store_artifact_list(f->store, &f->arena, "payments", "/srv/a", &list);
	assert_int_equal(list.count, 2);
}

static size_t unjudged(struct store_fixture *f, struct path_list *out)
{
	store_folder_unjudged(f->store, &f->arena, "payments", out);
	return out->count;
}

static void a_folder_waits_for_its_verdict(void **state)
{
	struct store_fixture *f = *state;
	struct artifact a = some_artifact("/srv/a", "/srv/a/a"),
	                b = some_artifact("/srv/b", "/srv/b/b");
	struct path_list folders;

	assert_int_equal(unjudged(f, &folders), 0);
	put(f, &b);
	put(f, &a);
	put(f, &a);
	store_fixture_reopen(f); /* also after a restart */
	assert_int_equal(unjudged(f, &folders), 2);
	assert_string_equal(folders.items[0], "/srv/a");
	assert_string_equal(folders.items[1], "/srv/b");
	store_begin(f->store);
	store_folder_judged(f->store, "payments", "/srv/a");
	store_folder_judged(f->store, "payments", "/srv/b");
	store_commit(f->store);
	assert_int_equal(unjudged(f, &folders), 0);
	store_begin(f->store);
	store_artifact_gone(f->store, "payments", "/srv/a/a");
	store_commit(f->store);
	assert_int_equal(unjudged(f, &folders), 1);
	assert_string_equal(folders.items[0], "/srv/a");
	store_begin(f->store);
	store_folder_judged(f->store, "payments", "/srv/a");
	store_artifact_gone(f->store, "payments", "/srv/a/a"); /* it went before */
	store_commit(f->store);
	assert_int_equal(unjudged(f, &folders), 0);
}

static struct build_id put_build(struct store_fixture *f, const struct build *build)
{
	store_begin(f->store);
	struct build_id id = store_build_put(f->store, build);
	store_commit(f->store);
	return id;
}

static void a_build_has_one_row_and_an_event_per_verdict(void **state)
{
	struct store_fixture *f = *state;
	struct build build = {.target = "payments",
	                      .folder = "/srv/a",
	                      .eif = "app.eif",
	                      .status = BUILD_OPEN,
	                      .has_value = true,
	                      .value = store_fixture_hash(4)};
	struct build_list list;
	struct build_id id = put_build(f, &build);

	assert_string_equal(store_fixture_last_event(f),
	                    "build b1: payments: /srv/a/app.eif: open");
	int64_t events = store_fixture_number(f, "SELECT count(*) FROM event");
	store_fixture_pass(f, 1000);
	assert_int_equal(put_build(f, &build).n, id.n);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM event"), events);

	build.status = BUILD_REFUSED;
	build.reason = "pcr0 is aa, the file says bb";
	build.last_change = (struct wall){f->now - 7};
	build.has_value = false;
	assert_int_equal(put_build(f, &build).n, id.n);
	assert_string_equal(store_fixture_last_event(f),
	                    "build b1: payments: /srv/a/app.eif: refused: "
	                    "pcr0 is aa, the file says bb");
	build.reason = "pcr0 is aa, the file says cc"; /* another verdict */
	put_build(f, &build);
	assert_string_equal(store_fixture_last_event(f),
	                    "build b1: payments: /srv/a/app.eif: refused: "
	                    "pcr0 is aa, the file says cc");
	store_build_list(f->store, &f->arena, "payments", &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].id.n, id.n);
	assert_string_equal(list.items[0].target, "payments");
	assert_string_equal(list.items[0].folder, "/srv/a");
	assert_string_equal(list.items[0].eif, "app.eif");
	assert_int_equal(list.items[0].status, BUILD_REFUSED);
	assert_string_equal(list.items[0].reason, "pcr0 is aa, the file says cc");
	assert_false(list.items[0].has_value);
	assert_int_equal(list.items[0].first_seen.ms, STORE_FIXTURE_START);
	assert_int_equal(list.items[0].last_change.ms, f->now - 7);
}

static void builds_are_told_apart(void **state)
{
	struct store_fixture *f = *state;
	struct address kms = store_fixture_address(1);
	struct build build = {
	        .target = "payments", .folder = "/srv/a", .eif = "", .status = BUILD_OPEN};
	struct build_list list;

	put_build(f, &build);
	assert_string_equal(store_fixture_last_event(f), "build b1: payments: /srv/a: open");
	build.eif = "one.eif";
	put_build(f, &build);
	store_begin(f->store);
	store_target_put(f->store, "other", 1, &kms, NULL);
	store_commit(f->store);
	build.target = "other";
	build.status = BUILD_ACCEPTED;
	build.has_value = true;
	build.value = store_fixture_hash(4);
	struct build_id third = put_build(f, &build);
	store_build_list(f->store, &f->arena, NULL, &list);
	assert_int_equal(list.count, 3);
	store_build_folder(f->store, &f->arena, "payments", "/srv/a", &list);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[1].eif, "one.eif");
	store_build_folder(f->store, &f->arena, "payments", "/srv", &list);
	assert_int_equal(list.count, 0);
	store_build_list(f->store, &f->arena, "other", &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].id.n, third.n);
	assert_true(list.items[0].has_value);
	assert_true(hash32_equal(&list.items[0].value, &build.value));
}

static void put_for_nobody(void *arg)
{
	struct artifact artifact = some_artifact("/srv/a", "/srv/a/a");

	artifact.target = "nobody";
	put(arg, &artifact);
}

static void an_unknown_target_aborts(void **state)
{
	death_expect(put_for_nobody, *state, "target \"nobody\" was never put");
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(build_status_name(BUILD_OPEN), "open");
	assert_string_equal(build_status_name(BUILD_ACCEPTED), "accepted");
	assert_string_equal(build_status_name(BUILD_REFUSED), "refused");
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(an_artifact_is_read_back_whole),
	        WITH_STORE(all_that_an_artifact_states_is_read_back),
	        WITH_STORE(gone_is_remembered_and_not_listed),
	        WITH_STORE(a_folder_waits_for_its_verdict),
	        WITH_STORE(a_build_has_one_row_and_an_event_per_verdict),
	        WITH_STORE(builds_are_told_apart),
	        WITH_STORE(an_unknown_target_aborts),
	        cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
