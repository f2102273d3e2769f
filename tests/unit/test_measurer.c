#include "daemon/measurer/pool.h"

#include "daemon/io/role.h"
#include "daemon/measurer/wire.h"
#include "daemon/sandbox/sandbox.h"
#include "common/measure/sigstore.h"
#include "tests/unit/fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* Which measurer the pool of a test gets: the real one, or one that fails as this says. */
#define BEHAVIOUR "TEST_MEASURER"

/* --- the failing measurers ---------------------------------------------------------------------
 */

static void take_one(int channel)
{
	struct buf buffer = {0};
	struct message message = {.kind = WIRE_READY};
	int fd;

	if (message_send(channel, &message, -1, NULL) != 0 ||
	    message_receive(channel, &message, &buffer, &fd, NULL) != 0)
		_exit(9);
	buf_free(&buffer);
}

static void answer(int channel, uint32_t id, const char *body)
{
	struct message message = {.kind = WIRE_MEASURED, .id = id, .body = bytes_text(body)};

	if (message_send(channel, &message, -1, NULL) != 0)
		_exit(9);
	pause();
}

static int failing_measurer(int channel, const char *behaviour)
{
	if (strcmp(behaviour, "dies at start") == 0)
		return 3;
	if (strcmp(behaviour, "opens a socket") == 0 && sandbox_enter(SANDBOX_MEASURER, NULL) != 0)
		return 4;
	take_one(channel);
	if (strcmp(behaviour, "crashes") == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer would turn it into an exit */
		raise(SIGSEGV);
	}
	if (strcmp(behaviour, "is killed") == 0)
		raise(SIGKILL);
	if (strcmp(behaviour, "leaves") == 0)
		return 7;
	if (strcmp(behaviour, "hangs up") == 0) {
		close(channel);
		pause();
	}
	if (strcmp(behaviour, "opens a socket") == 0)
		return socket(AF_INET, SOCK_STREAM, 0);
	if (strcmp(behaviour, "answers nonsense") == 0)
		answer(channel, 1, "nonsense");
	if (strcmp(behaviour, "answers another request") == 0)
		answer(channel, 77, "");
	return 8;
}

/* --- a pool under test -------------------------------------------------------------------------
 */

struct test {
	struct loop *loop;
	struct measurer_pool *pool;
	struct arena arena;
	struct loop_timer *deadline;
	unsigned waiting;
	/* the last outcome */
	struct measured measured;
	bool lost;
};

static void too_late(void *arg)
{
	(void)arg;
	fail_msg("the measurer did not answer");
}

static void begin(struct test *test, const char *behaviour, unsigned workers)
{
	*test = (struct test){0};
	if (behaviour != NULL)
		setenv(BEHAVIOUR, behaviour, 1);
	else
		unsetenv(BEHAVIOUR);
	test->loop = loop_new();
	assert_int_equal(measurer_pool_start(&test->pool, test->loop, workers, NULL), 0);
	assert_int_equal(measurer_pool_idle(test->pool), workers);
	test->deadline = loop_timer_new(test->loop, too_late, NULL);
	loop_timer_set(test->deadline, 60000);
}

static void end(struct test *test)
{
	measurer_pool_free(test->pool);
	loop_timer_free(test->deadline);
	loop_free(test->loop);
	arena_free(&test->arena);
}

static void measured_one(const struct measured *measured, bool lost, void *arg)
{
	struct test *test = arg;

	test->measured = measured_copy(&test->arena, measured);
	test->lost = lost;
	if (--test->waiting == 0)
		loop_stop(test->loop);
}

static int memory_file(struct bytes content)
{
	int fd = memfd_create("artifact", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.len), (ssize_t)content.len);
	return fd;
}

static void measure_by(struct test *test, struct bytes content, const char *name,
                       const struct signing *signing)
{
	struct measure_how how = {.name = name, .signing = signing};
	int fd = memory_file(content);

	test->waiting = 1;
	assert_non_null(measurer_measure(test->pool, fd, &how, measured_one, test));
	loop_run(test->loop);
	close(fd);
}

static void measure(struct test *test, struct bytes content, const char *name)
{
	measure_by(test, content, name, NULL);
}

/* --- the real measurer -------------------------------------------------------------------------
 */

static void artifacts_are_measured_in_the_sandbox(void **state)
{
	static const char *const names[] = {"basic2rd", "signed_prime256v1", "signed_secp384r1",
	                                    "bad_crc"};
	struct jval *expected = fixture_json("tests/fixtures/eif/expected.json");
	struct test test;

	(void)state;
	begin(&test, NULL, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct jval *vector = jval_get(expected, names[i]);
		struct hash32 want;
		char *path = arena_printf(&test.arena, "tests/fixtures/eif/%s.eif", names[i]);
		struct bytes file = fixture_bytes(&test.arena, path);
		measure(&test, file, "enclave.eif");
		fixture_fixed(want.b, 32, jval_get(vector, "aws_reader"), "_os_image_hash");
		assert_int_equal(test.measured.format, FORMAT_EIF);
		assert_int_equal(test.measured.level, LEVEL_RECOMPUTED);
		assert_true(hash32_equal(&test.measured.value, &want));
		assert_int_equal(test.measured.size, file.len);
		assert_int_equal(test.measured.is_signed, strstr(names[i], "signed") != NULL);
		assert_int_equal(test.measured.refused, strcmp(names[i], "bad_crc") == 0);
		assert_non_null(strstr(test.measured.details, "\"pcr0\":"));
		assert_false(test.lost);
	}
	struct bytes json =
	        fixture_bytes(&test.arena, "tests/fixtures/nitro/measurements_new_template.json");
	measure(&test, json, "measurements.json");
	assert_int_equal(test.measured.format, FORMAT_MEASUREMENTS);
	assert_false(test.measured.refused);
	measure(&test, bytes_text("{\"a\":"), "measurements.json");
	assert_true(test.measured.refused);
	assert_false(test.lost);
	measure(&test, bytes_text("hello"), "notes.txt");
	assert_int_equal(test.measured.format, FORMAT_UNKNOWN);
	assert_false(test.measured.refused);
	jval_free(expected);
	end(&test);
}

/* Each by a measurer of its own: what a library does at its first use must be possible. */
static void every_kind_of_document_is_measured_in_the_sandbox(void **state)
{
	static const struct {
		const char *path;
		enum format format;
	} files[] = {
	        {"nitro/nitro_attestation.nsm.cose", FORMAT_NSM},
	        {"nitro/log.build-eif.sh.txt", FORMAT_BUILD_LOG},
	        {"tdx/mpc.app-compose.json", FORMAT_APP_COMPOSE},
	        {"tdx/tdx-lite-getquote.json", FORMAT_TDX_QUOTE},
	        {"tdx/mpc.quote.bin", FORMAT_TDX_QUOTE},
	        {"info/info_full.json", FORMAT_GUEST_INFO},
	        {"info/kms_get_attestation_info_new.json", FORMAT_KMS_INFO},
	        {"osimage/synthetic/sha256sum.txt", FORMAT_OS_CHECKSUMS},
	        {"osimage/synthetic/bzImage", FORMAT_OS_FILE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct test test;
		begin(&test, NULL, 1);
		measure(&test,
		        fixture_bytes(&test.arena, arena_printf(&test.arena, "tests/fixtures/%s",
		                                                files[i].path)),
		        strrchr(files[i].path, '/') + 1);
		if (test.measured.refused)
			fail_msg("%s: %s", files[i].path, test.measured.refusal);
		assert_int_equal(test.measured.format, files[i].format);
		assert_false(test.lost);
		end(&test);
	}
}

/* The rule travels with the request; every signature there is, each by a fresh measurer. */
static void signatures_are_verified_in_the_sandbox(void **state)
{
#define BEACON                                                                                     \
	"https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/"  \
	"workflows/"
#define OURS "https://github.com/example-org/my-enclave/.github/workflows/"
	static const struct {
		const char *bundle, *root, *workflow, *type;
	} bundles[] = {
	        {"synthetic_eif_v3.sigstore.json", "synthetic_trusted_root.json", OURS,
	         SIGSTORE_MEASUREMENTS_TYPE},
	        {"conf_happy-path-intoto-in-dsse-v3.json", "go_public-good.json", BEACON,
	         "https://slsa.dev/provenance/v1"},
	        {"conf_rekor2-dsse-happy-path_bundle.sigstore.json",
	         "conf_rekor2-dsse-happy-path_trusted_root.json", BEACON,
	         "https://slsa.dev/provenance/v1"},
	};
	struct test test;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
		begin(&test, NULL, 1);
		struct signing signing = {
		        .kind = SIGNING_SIGSTORE,
		        .issuer = SIGSTORE_GITHUB,
		        .workflow = arena_strdup(&test.arena, bundles[i].workflow),
		        .predicate_type = arena_strdup(&test.arena, bundles[i].type),
		        .root = fixture_bytes(
		                &test.arena, arena_printf(&test.arena, "tests/fixtures/sigstore/%s",
		                                          bundles[i].root)),
		};
		struct bytes bundle = fixture_bytes(
		        &test.arena,
		        arena_printf(&test.arena, "tests/fixtures/sigstore/%s", bundles[i].bundle));
		measure_by(&test, bundle, "measurements.sigstore.json", &signing);
		if (test.measured.refused)
			fail_msg("%s: %s", bundles[i].bundle, test.measured.refusal);
		assert_int_equal(test.measured.format, FORMAT_SIGSTORE);
		assert_true(test.measured.signature.is_decided);
		assert_int_equal(test.measured.signature.subject_count, 1);
		assert_false(test.lost);
		signing.workflow = "https://github.com/another/repository/.github/";
		measure_by(&test, bundle, "measurements.sigstore.json", &signing);
		assert_true(test.measured.refused);
		assert_non_null(strstr(test.measured.refusal, "workflow: signed by "));
		end(&test);
	}
	struct minisign_key key;
	struct signing signing = {.kind = SIGNING_ED25519, .keys = {&key, 1}};
	assert_int_equal(
	        minisign_key_parse(
	                &key,
	                bytes_text("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"),
	                NULL),
	        0);
	begin(&test, NULL, 1);
	measure_by(&test,
	           bytes_text("untrusted comment: signature from minisign secret key\n"
	                      "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
	                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n"
	                      "trusted comment: timestamp:1633700835\tfile:test\tprehashed\n"
	                      "wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIi"
	                      "dRJnp94ABQkJAgAooBQ==\n"),
	           "test.minisig", &signing);
	assert_true(test.measured.signature.is_decided);
	struct bytes eif = fixture_bytes(&test.arena, "tests/fixtures/eif/basic2rd.eif");
	uint8_t digest[BLAKE2B_SIZE];
	blake2b(digest, eif);
	measure_by(&test, eif, "test", &signing);
	assert_true(test.measured.has_blake2b);
	assert_memory_equal(test.measured.blake2b, digest, sizeof(digest));
	end(&test);
}

static void workers_measure_side_by_side(void **state)
{
	struct test test;
	int fds[3];

	(void)state;
	begin(&test, NULL, 3);
	test.waiting = 3;
	for (int i = 0; i < 3; i++) {
		fds[i] = memory_file(bytes_text("{\"PCR0\":1}"));
		assert_int_equal(measurer_pool_idle(test.pool), 3 - i);
		measurer_measure(test.pool, fds[i], &(struct measure_how){.name = "x.json"},
		                 measured_one, &test);
	}
	assert_int_equal(measurer_pool_idle(test.pool), 0);
	loop_run(test.loop);
	assert_true(test.measured.refused);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	end(&test);
}

static void what_cannot_be_read_is_lost(void **state)
{
	struct test test;

	(void)state;
	begin(&test, NULL, 1);
	int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test.waiting = 1;
	measurer_measure(test.pool, folder, &(struct measure_how){.name = "a.eif"}, measured_one,
	                 &test);
	loop_run(test.loop);
	assert_true(test.measured.refused);
	assert_true(test.lost);
	assert_non_null(strstr(test.measured.refusal, "it cannot be read: reading at byte 0"));
	close(folder);
	end(&test);
}

static void a_cancelled_job_never_calls_back(void **state)
{
	struct test test;

	(void)state;
	begin(&test, NULL, 1);
	int fd = memory_file(bytes_text("{}"));
	struct measurer_job *job = measurer_measure(
	        test.pool, fd, &(struct measure_how){.name = "a.json"}, measured_one, &test);
	measurer_cancel(job);
	measurer_cancel(NULL);
	assert_int_equal(measurer_pool_idle(test.pool), 1);
	close(fd);
	measure(&test, bytes_text("hello"), "notes.txt");
	fd = memory_file(bytes_text("{}"));
	measurer_cancel(measurer_measure(test.pool, fd, &(struct measure_how){.name = "a.json"},
	                                 measured_one, &test));
	close(fd);
	measure(&test, bytes_text("hello"), "notes.txt");
	end(&test);
}

/* --- measurers that fail -----------------------------------------------------------------------
 */

static void the_end_of_a_measurer_costs_one_artifact(void **state)
{
	static const struct {
		const char *behaviour, *refusal;
		bool lost;
	} cases[] = {
	        {"crashes", "the measurer was ended by SIGSEGV", false},
	        {"is killed", "the measurer was ended by SIGKILL (Killed)", true},
	        {"leaves", "the measurer ended with status 7", false},
	        {"hangs up", "the measurer was ended by main: it hung up and went on", false},
	        {"opens a socket",
	         "the measurer was ended by SIGSYS (a system call outside its filter)", false},
	        {"answers nonsense",
	         "the measurer was ended by main: its answer was not understood", false},
	        {"answers another request",
	         "the measurer was ended by main: its answer was not understood", false},
	        {"dies at start", "no measurer could be started", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct test test;
		begin(&test, cases[i].behaviour, 1);
		measure(&test, bytes_text("{}"), "a.eif");
		assert_true(test.measured.refused);
		assert_int_equal(test.measured.format, FORMAT_EIF);
		if (strstr(test.measured.refusal, cases[i].refusal) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", test.measured.refusal,
			         cases[i].refusal);
		assert_int_equal(test.lost, cases[i].lost);
		/* Its successor works. */
		if (strcmp(cases[i].behaviour, "dies at start") != 0) {
			unsetenv(BEHAVIOUR);
			measure(&test, bytes_text("hello"), "notes.txt");
			assert_false(test.measured.refused);
		}
		end(&test);
	}
}

static void a_pool_has_a_sensible_size(void **state)
{
	struct measurer_pool *pool;
	struct loop *loop = loop_new();

	(void)state;
	assert_int_equal(measurer_pool_start(&pool, loop, 0, NULL), ERR_INVALID);
	assert_null(pool);
	assert_int_equal(measurer_pool_start(&pool, loop, 1000, NULL), ERR_INVALID);
	loop_free(loop);
}

/* --- what they say to each other ---------------------------------------------------------------
 */

static struct measured sample(void)
{
	struct measured measured = {
	        .format = FORMAT_EIF,
	        .refused = true,
	        .refusal = (char *)"byte 544: CRC",
	        .level = LEVEL_RECOMPUTED,
	        .is_signed = true,
	        .size = 1234567890123,
	        .details = (char *)"{\"pcr0\":\"00\"}",
	};

	memset(&measured.pcrs, 5, 4 * SHA384_SIZE);
	measured.pcrs.has_pcr8 = true;
	measured.value = pcrs_value(&measured.pcrs);
	memset(&measured.sha256, 6, sizeof(measured.sha256));
	return measured;
}

static bool decodes(struct bytes body, struct arena *arena, struct measured *out)
{
	struct field_reader reader = {.rest = body};

	wire_get_measured(&reader, arena, out);
	return field_reader_done(&reader);
}

static void a_measurement_survives_the_wire(void **state)
{
	struct measured in = sample(), out;
	struct buf body = {0};
	struct arena arena = {0};

	(void)state;
	wire_put_measured(&body, &in);
	assert_true(decodes(buf_bytes(&body), &arena, &out));
	assert_int_equal(out.format, in.format);
	assert_int_equal(out.refused, in.refused);
	assert_string_equal(out.refusal, in.refusal);
	assert_int_equal(out.level, in.level);
	assert_int_equal(out.is_signed, in.is_signed);
	assert_memory_equal(out.pcrs.pcr0, in.pcrs.pcr0, SHA384_SIZE);
	assert_memory_equal(out.pcrs.pcr8, in.pcrs.pcr8, SHA384_SIZE);
	assert_int_equal(out.pcrs.has_pcr8, in.pcrs.has_pcr8);
	assert_true(hash32_equal(&out.value, &in.value));
	assert_true(hash32_equal(&out.sha256, &in.sha256));
	assert_int_equal(out.size, in.size);
	assert_string_equal(out.details, in.details);
	for (size_t len = 0; len < body.len; len++)
		assert_false(decodes(bytes_of(body.data, len), &arena, &out));
	buf_append_byte(&body, 0);
	assert_false(decodes(buf_bytes(&body), &arena, &out));
	buf_free(&body);
	arena_free(&arena);
}

static void all_values_survive_the_wire(void **state)
{
	struct measured in = {.format = FORMAT_GUEST_INFO, .level = LEVEL_CLAIMED}, out;
	struct arena arena = {0};
	struct buf body = {0};

	(void)state;
	in.value_count = MEASURED_VALUES;
	for (size_t i = 0; i < MEASURED_VALUES; i++) {
		in.values[i] = (struct measured_value){.kind = (enum kind)(1 + i % KIND_LAST),
		                                       .level = LEVEL_CLAIMED,
		                                       .is_quoted = i % 2 == 0,
		                                       .has_app_id = i % 3 == 0};
		memset(in.values[i].value.b, (int)i + 1, 32);
		memset(in.values[i].os.b, (int)i + 2, 32);
		memset(in.values[i].app_id, (int)i + 3, 20);
	}
	wire_put_measured(&body, &in);
	assert_true(decodes(buf_bytes(&body), &arena, &out));
	assert_int_equal(out.value_count, in.value_count);
	for (size_t i = 0; i < MEASURED_VALUES; i++) {
		assert_int_equal(out.values[i].kind, in.values[i].kind);
		assert_memory_equal(out.values[i].value.b, in.values[i].value.b, 32);
		assert_int_equal(out.values[i].is_quoted, in.values[i].is_quoted);
		assert_memory_equal(out.values[i].os.b, in.values[i].os.b, 32);
		assert_int_equal(out.values[i].has_app_id, in.values[i].has_app_id);
		assert_memory_equal(out.values[i].app_id, in.values[i].app_id, 20);
	}
	/* Only main can tell what is attested, but for Nitro's own documents. */
	in.values[0].level = LEVEL_ATTESTED;
	buf_clear(&body);
	wire_put_measured(&body, &in);
	assert_false(decodes(buf_bytes(&body), &arena, &out));
	buf_free(&body);
	arena_free(&arena);
}

static void what_a_sound_measurer_cannot_say_is_not_believed(void **state)
{
	struct arena arena = {0};

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct measured in = sample(), out;
		struct buf body = {0};
		if (i == 0)
			in.value.b[0] ^= 1; /* not the PCRs' value */
		if (i == 1)
			in.level = LEVEL_ATTESTED;
		if (i == 2)
			in.format = (enum format)99;
		if (i == 3)
			in.refusal = NULL;
		if (i == 4)
			in.format = FORMAT_UNKNOWN;
		if (i == 5) {
			in.refused = false; /* accepted without a value */
			in.refusal = NULL;
			memset(&in.value, 0, sizeof(in.value));
		}
		wire_put_measured(&body, &in);
		assert_false(decodes(buf_bytes(&body), &arena, &out));
		buf_free(&body);
	}
	arena_free(&arena);
}

/* Whatever bit flips: it decodes to something sound or not at all. */
static void flipped_bits_never_give_an_unsound_measurement(void **state)
{
	struct measured in = sample(), out;
	struct buf body = {0};

	(void)state;
	in.refused = false;
	in.refusal = NULL;
	wire_put_measured(&body, &in);
	for (size_t bit = 0; bit < 8 * body.len; bit++) {
		struct arena arena = {0};
		body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (decodes(buf_bytes(&body), &arena, &out)) {
			struct hash32 value = pcrs_value(&out.pcrs);
			assert_true(hash32_equal(&value, &out.value));
			assert_true(out.refused == (out.refusal != NULL));
		}
		body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		arena_free(&arena);
	}
	buf_free(&body);
}

int main(int argc, char **argv)
{
	const char *behaviour = getenv(BEHAVIOUR);

	crypto_init();
	if (argc > 1 && strcmp(argv[1], "--role=measurer") == 0)
		return behaviour != NULL ? failing_measurer(ROLE_SOCKET, behaviour)
		                         : measurer_role_main(ROLE_SOCKET);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(artifacts_are_measured_in_the_sandbox),
	        cmocka_unit_test(every_kind_of_document_is_measured_in_the_sandbox),
	        cmocka_unit_test(signatures_are_verified_in_the_sandbox),
	        cmocka_unit_test(workers_measure_side_by_side),
	        cmocka_unit_test(what_cannot_be_read_is_lost),
	        cmocka_unit_test(a_cancelled_job_never_calls_back),
	        cmocka_unit_test(the_end_of_a_measurer_costs_one_artifact),
	        cmocka_unit_test(a_pool_has_a_sensible_size),
	        cmocka_unit_test(a_measurement_survives_the_wire),
	        cmocka_unit_test(all_values_survive_the_wire),
	        cmocka_unit_test(what_a_sound_measurer_cannot_say_is_not_believed),
	        cmocka_unit_test(flipped_bits_never_give_an_unsound_measurement),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
