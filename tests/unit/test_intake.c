/* From files in a folder to builds and measurements in the store: real inotify, real sandboxed
 * measurers, real database. Everything waits by running the loop. */
#include "daemon/watch/intake.h"

#include "common/crypto/hash.h"
#include "common/store/store_build.h"
#include "common/store/store_measurement.h"
#include "daemon/io/role.h"
#include "tests/unit/fixture.h"
#include "tests/unit/patience.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define EIF "tests/fixtures/eif/basic2rd.eif"
#define EIF_JSON "tests/fixtures/nitro/measurements_new_template.json"
/* Both say this. */
#define EIF_VALUE "0x5d6721fc6e2ebc513cada41c539b60357fb53d40b8d85f44015d09054ff5ad35"

struct world {
	char root[SCRATCH_PATH];
	struct loop *loop;
	struct patience *patience;
	struct store *store;
	struct config *config;
	struct measurer_pool *pool;
	struct intake *intake;
	struct arena arena;
	int woken;
};

static const char *in(struct world *world, const char *fmt, ...)PRINTF(2, 3);
static const char *in(struct world *world, const char *fmt, ...)
{
	char tail[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(tail, sizeof(tail), fmt, args);
	va_end(args);
	return arena_printf(&world->arena, "%s/%s", world->root, tail);
}

/* --- waiting
 * --------------------------------------------------------------------------------------- */

static void pass_begins(void *arg)
{
	store_set_now(arg, clock_wall());
}

static void woken(void *arg)
{
	struct world *world = arg;

	world->woken++;
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

static void configure(struct world *world, const char *watches)
{
	struct config *old = world->config;
	struct error error = {0};
	char *text = xasprintf(
	        "chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
	        "targets:\n"
	        "  payments: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
	        "    app: '0x2222222222222222222222222222222222222222', model: safe+timelock,\n"
	        "    safe: '0x3333333333333333333333333333333333333333',\n"
	        "    timelock: '0x4444444444444444444444444444444444444444'}\n"
	        "  lab: {chain: c, kms: '0x5111111111111111111111111111111111111111',\n"
	        "    model: safe+timelock, safe: '0x3333333333333333333333333333333333333333',\n"
	        "    timelock: '0x4444444444444444444444444444444444444444', min_evidence: "
	        "claimed}\n"
	        "watch:\n%s",
	        watches);

	if (config_parse(&world->config, "test", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	config_free(old);
	free(text);
}

static void start(struct world *world)
{
	struct error error = {0};

	if (world->store == NULL && store_open(&world->store, in(world, "store.db"), &error) != 0)
		fail_msg("%s", error.text);
	loop_on_pass(world->loop, pass_begins, world->store);
	store_set_now(world->store, clock_wall());
	if (world->pool == NULL && measurer_pool_start(&world->pool, world->loop, 2, &error) != 0)
		fail_msg("%s", error.text);
	world->intake = intake_new(&(struct intake_parts){.loop = world->loop,
	                                                  .pool = world->pool,
	                                                  .store = world->store,
	                                                  .config = world->config,
	                                                  .on_measurements = woken,
	                                                  .arg = world});
	intake_start(world->intake);
}

/* As if the process had gone at this very moment. */
static void stop(struct world *world)
{
	intake_free(world->intake);
	world->intake = NULL;
	store_close(world->store);
	world->store = NULL;
}

static const char *watching(struct world *world, const char *settles)
{
	return arena_printf(&world->arena,
	                    "  - {path: %s/in, target: payments, recursive: yes, %s}\n",
	                    world->root, settles);
}
#define QUICK "settle: 20ms, build_settle: 40ms"

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	scratch_make(world->root, "intake");
	assert_int_equal(mkdir(in(world, "in"), 0755), 0);
	world->loop = loop_new();
	world->patience = patience_new(world->loop);
	configure(world, watching(world, QUICK));
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	intake_free(world->intake);
	measurer_pool_free(world->pool);
	store_close(world->store);
	config_free(world->config);
	patience_free(world->patience);
	loop_free(world->loop);
	scratch_remove(world->root);
	arena_free(&world->arena);
	free(world);
	return 0;
}

/* --- files
 * -------------------------------------------------------------------------------------------- */

static void write_file(const char *path, struct bytes content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.len), content.len);
	close(fd);
}

/* Written aside and renamed into place. */
static void drop(struct world *world, const char *path, struct bytes content)
{
	write_file(in(world, "aside"), content);
	assert_int_equal(rename(in(world, "aside"), in(world, "%s", path)), 0);
}

static void drop_copy(struct world *world, const char *path, const char *fixture)
{
	drop(world, path, fixture_bytes(&world->arena, fixture));
}

/* A claim of PCRs that nobody else has; returns its value. */
static struct hash32 drop_claim(struct world *world, const char *path, unsigned number)
{
	struct pcrs pcrs = {0};
	char hex[3][2 * SHA384_SIZE + 1];
	const char *text;

	memset(&pcrs, 7, 3 * SHA384_SIZE);
	memcpy(pcrs.pcr0, &number, sizeof(number));
	hex_encode(hex[0], bytes_of(pcrs.pcr0, SHA384_SIZE));
	hex_encode(hex[1], bytes_of(pcrs.pcr1, SHA384_SIZE));
	hex_encode(hex[2], bytes_of(pcrs.pcr2, SHA384_SIZE));
	text = arena_printf(&world->arena,
	                    "{\"Measurements\": {\"HashAlgorithm\": \"Sha384 { ... }\","
	                    " \"PCR0\": \"%s\", \"PCR1\": \"%s\", \"PCR2\": \"%s\"}}",
	                    hex[0], hex[1], hex[2]);
	drop(world, path, bytes_text(text));
	return pcrs_value(&pcrs);
}

/* --- what came of it
 * ----------------------------------------------------------------------------------- */

static struct hash32 value(const char *text)
{
	struct hash32 out;

	assert_int_equal(hash32_parse(&out, text, NULL), 0);
	return out;
}

static enum measurement_status status_of(struct world *world, const char *target, struct hash32 of)
{
	struct arena arena = {0};
	struct measurement m;
	int rc = store_measurement_find(world->store, &arena, target, KIND_OS_IMAGE, &of, &m);

	arena_free(&arena);
	return rc == 0 ? m.status : 0;
}

static bool is_new(struct world *world, const char *text)
{
	return status_of(world, "payments", value(text)) == MEASUREMENT_NEW;
}

static struct artifact artifact(struct world *world, const char *path)
{
	struct artifact out;

	if (store_artifact_get(world->store, &world->arena, "payments", in(world, "%s", path),
	                       &out) != 0)
		out = (struct artifact){0};
	return out;
}

static bool is_measured(struct world *world, const char *path)
{
	return artifact(world, path).path != NULL;
}

static enum build_status build_status(struct world *world, const char *folder)
{
	struct build_list builds;

	store_build_folder(world->store, &world->arena, "payments", in(world, "%s", folder),
	                   &builds);
	return builds.count > 0 ? builds.items[0].status : 0;
}

static size_t measurement_count(struct world *world, const char *target)
{
	struct arena arena = {0};
	struct measurement_list list;

	store_measurement_list(world->store, &arena, &(struct measurement_filter){.target = target},
	                       &list);
	arena_free(&arena);
	return list.count;
}

static int64_t counter(struct world *world, const char *key)
{
	struct jval *status = intake_status(world->intake);
	const struct jval *files = jval_get(status, "files");
	int64_t out = -1;

	assert_int_equal(jval_get_int(jval_get(files, key) != NULL ? files : status, key, &out), 0);
	jval_free(status);
	return out;
}

/* Everything that is there was looked at, stored and judged. */
static bool is_idle(struct world *world)
{
	struct jval *status = intake_status(world->intake);
	const struct jval *watches = jval_get(status, "watches");
	struct path_list left;
	int64_t files = 0, folders = 0, walks = 0;
	bool idle = counter(world, "in_work") == 0;

	for (size_t i = 0; i < jval_count(watches); i++) {
		const struct jval *watch = jval_at(watches, i);

		assert_int_equal(jval_get_int(watch, "pending_files", &files), 0);
		assert_int_equal(jval_get_int(watch, "pending_folders", &folders), 0);
		assert_int_equal(jval_get_int(watch, "walks", &walks), 0);
		idle = idle && files == 0 && folders == 0 && walks > 0;
		store_folder_unjudged(world->store, &world->arena, jval_get_string(watch, "target"),
		                      &left);
		idle = idle && left.count == 0;
	}
	jval_free(status);
	return idle;
}

/* Our children: the measurers. */
static void signal_measurers(int number)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char path[300], state;
	int parent;

	while ((entry = readdir(proc)) != NULL) {
		FILE *file;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fscanf(file, "%*d %*s %c %d", &state, &parent) == 2 && parent == getpid() &&
		    state != 'Z')
			kill((pid_t)strtol(entry->d_name, NULL, 10), number);
		fclose(file);
	}
	closedir(proc);
}

/* --- tests
 * ------------------------------------------------------------------------------------------------
 */

static void test_a_build_is_recorded(void **state)
{
	struct world *world = *state;

	start(world);
	assert_int_equal(mkdir(in(world, "in/42"), 0755), 0);
	drop_copy(world, "in/42/enclave.eif", EIF);
	drop_copy(world, "in/42/measurements.json", EIF_JSON);
	UNTIL(world, is_new(world, EIF_VALUE));
	assert_int_equal(build_status(world, "in/42"), BUILD_ACCEPTED);
	assert_int_equal(measurement_count(world, "payments"), 2); /* both registries */
	assert_int_equal(artifact(world, "in/42/enclave.eif").measured.level, LEVEL_RECOMPUTED);
	assert_true(world->woken >= 1);
}

static void test_what_arrived_while_down(void **state)
{
	struct world *world = *state;

	drop_copy(world, "in/enclave.eif", EIF);
	start(world);
	UNTIL(world, is_new(world, EIF_VALUE));
}

static void test_what_is_known_is_not_measured_again(void **state)
{
	struct world *world = *state;

	drop_copy(world, "in/enclave.eif", EIF);
	drop(world, "in/readme.txt", bytes_text("nothing of ours"));
	start(world);
	UNTIL(world, is_new(world, EIF_VALUE) && is_idle(world));
	assert_int_equal(counter(world, "measured"), 2);
	assert_int_equal(counter(world, "unknown"), 1);
	stop(world);
	start(world);
	UNTIL(world, is_idle(world));
	assert_int_equal(counter(world, "seen"), 0);
	assert_int_equal(counter(world, "measured"), 0);
}

static void test_killed_before_the_verdict(void **state)
{
	struct world *world = *state;

	configure(world, watching(world, "settle: 10ms, build_settle: 1h"));
	drop_copy(world, "in/enclave.eif", EIF);
	start(world);
	UNTIL(world, is_measured(world, "in/enclave.eif"));
	assert_int_equal(build_status(world, "in"), 0);
	stop(world);
	configure(world, watching(world, QUICK));
	start(world);
	UNTIL(world, is_new(world, EIF_VALUE));
	assert_int_equal(counter(world, "measured"), 0);
}

static void test_changed_and_removed_while_down(void **state)
{
	struct world *world = *state;

	drop_copy(world, "in/enclave.eif", EIF);
	drop_copy(world, "in/measurements.json", "tests/fixtures/nitro/describe-eif.payments.json");
	start(world);
	UNTIL(world, build_status(world, "in") == BUILD_REFUSED);
	stop(world);
	unlink(in(world, "in/measurements.json"));
	start(world);
	UNTIL(world, build_status(world, "in") == BUILD_ACCEPTED);
	assert_true(artifact(world, "in/measurements.json").gone);
	assert_int_equal(counter(world, "measured"), 0);
}

static void test_a_refused_build_and_new_content(void **state)
{
	struct world *world = *state;

	start(world);
	drop_copy(world, "in/enclave.eif", "tests/fixtures/eif/bad_crc.eif");
	UNTIL(world, build_status(world, "in") == BUILD_REFUSED);
	assert_int_equal(measurement_count(world, "payments"), 0);
	drop_copy(world, "in/enclave.eif", EIF);
	UNTIL(world, build_status(world, "in") == BUILD_ACCEPTED);
	assert_true(is_new(world, EIF_VALUE));
}

static void test_a_copy_in_progress_is_no_contradiction(void **state)
{
	struct world *world = *state;

	configure(world, watching(world, "settle: 5ms, build_settle: 2s"));
	start(world);
	/* The old image under the new JSON, for longer than a file takes to settle. */
	drop_copy(world, "in/enclave.eif", "tests/fixtures/eif/one_ramdisk.eif");
	drop_copy(world, "in/measurements.json", EIF_JSON);
	UNTIL(world,
	      is_measured(world, "in/enclave.eif") && is_measured(world, "in/measurements.json"));
	drop_copy(world, "in/enclave.eif", EIF);
	UNTIL(world, build_status(world, "in") != 0);
	assert_int_equal(build_status(world, "in"), BUILD_ACCEPTED);
	assert_int_equal(measurement_count(world, "payments"), 2);
}

static void test_changed_while_it_was_read(void **state)
{
	struct world *world = *state;

	start(world);
	drop_copy(world, "in/first.txt", EIF_JSON); /* the measurers are up */
	UNTIL(world, is_idle(world) && is_measured(world, "in/first.txt"));
	unlink(in(world, "in/first.txt"));
	signal_measurers(SIGSTOP);
	write_file(in(world, "in/enclave.eif"),
	           fixture_bytes(&world->arena, "tests/fixtures/eif/one_ramdisk.eif"));
	UNTIL(world, counter(world, "in_work") == 1);
	write_file(in(world, "in/enclave.eif"), fixture_bytes(&world->arena, EIF));
	signal_measurers(SIGCONT);
	UNTIL(world, is_new(world, EIF_VALUE));
	assert_int_equal(counter(world, "changed_while_read"), 1);
	UNTIL(world, is_idle(world));
	/* What stood there for a moment was never recorded. */
	assert_int_equal(measurement_count(world, "payments"), 2);
}

static void test_a_lost_measurer_is_made_good(void **state)
{
	struct world *world = *state;

	start(world);
	drop_copy(world, "in/first.txt", EIF_JSON);
	UNTIL(world, is_idle(world) && is_measured(world, "in/first.txt"));
	unlink(in(world, "in/first.txt"));
	signal_measurers(SIGSTOP);
	drop_copy(world, "in/enclave.eif", EIF);
	UNTIL(world, counter(world, "in_work") == 1);
	signal_measurers(SIGKILL);
	UNTIL(world, is_new(world, EIF_VALUE));
	assert_int_equal(counter(world, "lost"), 1);
}

static void test_gone_and_back(void **state)
{
	struct world *world = *state;

	start(world);
	drop_copy(world, "in/enclave.eif", EIF);
	UNTIL(world, is_new(world, EIF_VALUE) && is_idle(world));
	assert_int_equal(rename(in(world, "in/enclave.eif"), in(world, "kept")), 0);
	UNTIL(world, artifact(world, "in/enclave.eif").gone && is_idle(world));
	assert_true(is_new(world, EIF_VALUE));
	assert_int_equal(rename(in(world, "kept"), in(world, "in/enclave.eif")), 0);
	UNTIL(world, !artifact(world, "in/enclave.eif").gone && is_idle(world));
	assert_int_equal(mkdir(in(world, "in/a"), 0755), 0);
	assert_int_equal(rename(in(world, "in/enclave.eif"), in(world, "in/a/enclave.eif")), 0);
	UNTIL(world, is_measured(world, "in/a/enclave.eif") && is_idle(world));
	/* A folder that leaves takes its files along. */
	assert_int_equal(rename(in(world, "in/a"), in(world, "in/b")), 0);
	UNTIL(world,
	      artifact(world, "in/a/enclave.eif").gone && is_measured(world, "in/b/enclave.eif"));
}

static void test_one_folder_for_two_targets(void **state)
{
	struct world *world = *state;
	struct hash32 claim;

	configure(
	        world,
	        arena_printf(&world->arena,
	                     "%s  - {path: %s/in, target: lab, settle: 20ms, build_settle: 40ms}\n",
	                     watching(world, QUICK), world->root));
	start(world);
	claim = drop_claim(world, "in/nitro.json", 1);
	UNTIL(world, status_of(world, "payments", claim) == MEASUREMENT_HELD &&
	                     status_of(world, "lab", claim) == MEASUREMENT_NEW);
}

/* A folder that is of no config. */
static void test_a_further_folder(void **state)
{
	struct world *world = *state;
	struct hash32 claim;

	start(world);
	assert_int_equal(mkdir(in(world, "dropped"), 0755), 0);
	struct config_watch watch = {.path = arena_strdup(&world->arena, in(world, "dropped")),
	                             .target = config_target_find(world->config, "lab"),
	                             .recursive = true,
	                             .settle_ms = 10,
	                             .build_settle_ms = 10};
	intake_watch(world->intake, &watch);
	claim = drop_claim(world, "dropped/nitro.json", 2);
	UNTIL(world, status_of(world, "lab", claim) == MEASUREMENT_NEW);
	drop_claim(world, "dropped/nitro2.json", 3);
	UNTIL(world, counter(world, "measured") == 2 && is_idle(world));
}

static void test_five_hundred_builds_at_once_are_recorded_once(void **state)
{
	enum { BUILDS = 500 };
	struct world *world = *state;

	start(world);
	UNTIL(world, is_idle(world));
	for (unsigned i = 0; i < BUILDS; i++) {
		assert_int_equal(mkdir(in(world, "in/%u", i), 0755), 0);
		drop_claim(world, arena_printf(&world->arena, "in/%u/nitro.json", i), i);
	}
	UNTIL(world, measurement_count(world, "payments") == 2 * BUILDS && is_idle(world));
	assert_int_equal(counter(world, "measured"), BUILDS);
}

static void test_stopped_at_any_moment(void **state)
{
	struct world *world = *state;
	unsigned dropped = 0;

	/* Each round leaves at another point: pending, being measured, stored, judged. */
	for (int round = 0; round < 24; round++) {
		int64_t passes = 0;

		start(world);
		assert_int_equal(mkdir(in(world, "in/%u", dropped), 0755), 0);
		drop_claim(world, arena_printf(&world->arena, "in/%u/nitro.json", dropped),
		           dropped + 1000);
		dropped++;
		UNTIL(world, passes++ >= round * 3);
		stop(world);
	}
	start(world);
	UNTIL(world, is_idle(world));
	for (unsigned i = 0; i < dropped; i++)
		assert_int_equal(build_status(world, arena_printf(&world->arena, "in/%u", i)),
		                 BUILD_ACCEPTED);
}

int main(int argc, char **argv)
{
	crypto_init();
	if (argc > 1 && strcmp(argv[1], "--role=measurer") == 0)
		return measurer_role_main(ROLE_SOCKET);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	        TEST(test_a_build_is_recorded),
	        TEST(test_what_arrived_while_down),
	        TEST(test_what_is_known_is_not_measured_again),
	        TEST(test_killed_before_the_verdict),
	        TEST(test_changed_and_removed_while_down),
	        TEST(test_a_refused_build_and_new_content),
	        TEST(test_a_copy_in_progress_is_no_contradiction),
	        TEST(test_changed_while_it_was_read),
	        TEST(test_a_lost_measurer_is_made_good),
	        TEST(test_gone_and_back),
	        TEST(test_one_folder_for_two_targets),
	        TEST(test_a_further_folder),
	        TEST(test_five_hundred_builds_at_once_are_recorded_once),
	        TEST(test_stopped_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
