/* What the public fixtures measure as, each through the one entry that the daemon and `inspect`
 * use. */
#include "common/measure/detect.h"

#include "common/base/base64.h"
#include "common/measure/guest_info.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct measured measure(struct arena *arena, struct bytes file, const char *name)
{
	struct source source = source_memory(file);
	struct measured measured;

	assert_int_equal(measure_source(arena, &source, &(struct measure_how){.name = name}, NULL,
	                                &measured, NULL),
	                 0);
	return measured;
}

static struct measured measure_file(struct arena *arena, const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return measure(arena, fixture_bytes(arena, arena_printf(arena, "tests/fixtures/%s", path)),
	               name);
}

#define DEBUG_ENCLAVE "PCR0, PCR1 or PCR2 is zero"
#define TEMPLATE "5d6721fc6e"
#define PAYMENTS "3574c04f7a"

/* values: "kind level 0x-hex-start" in order, "" for none; NULL: refused, with why. */
static const struct {
	const char *path;
	enum format format;
	const char *values[MEASURED_VALUES];
	const char *refusal;
} files[] = {
        {"nitro/nitro_attestation.nsm.cose",
         FORMAT_NSM,
         {"os-image attested 1894b0b29e94a9db", "compose attested 1894b0b29e94a9db"},
         NULL},
        {"nitro/nsm_qvl_nitro_attestation.nsm.cose",
         FORMAT_NSM,
         {"os-image attested e0e742bd62280472", "compose attested e0e742bd62280472"},
         NULL},
        {"nitro/nitro_attestation_dbg.nsm.cose", FORMAT_NSM, {NULL}, DEBUG_ENCLAVE},
        {"nitro/log.build-eif.sh.txt",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/log.ci-notice-new.txt",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/log.ci-notice-old.txt",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/log.guide.txt",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/log.remote_run.txt",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/log.show-mrs.txt",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/release-table-new.md",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/release-table-old.md",
         FORMAT_BUILD_LOG,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/build-enclave.payments.mixed.log",
         FORMAT_NITRO_BUILD,
         {"os-image claimed " PAYMENTS, "compose claimed " PAYMENTS},
         NULL},
        {"nitro/describe-enclaves.debug.json", FORMAT_NITRO_ENCLAVES, {NULL}, "DEBUG_MODE"},
        {"nitro/describe-enclaves.empty.json", FORMAT_UNKNOWN, {NULL}, NULL},
        {"nitro/terminate-enclave.log", FORMAT_UNKNOWN, {NULL}, NULL},
        {"tdx/examples-rtmr3.app-compose.json",
         FORMAT_APP_COMPOSE,
         {"compose recomputed 06768e6df639ce3b"},
         NULL},
        {"tdx/mpc.app-compose.json",
         FORMAT_APP_COMPOSE,
         {"compose recomputed 2911e1f733466216"},
         NULL},
        {"osimage/synthetic/digest.txt",
         FORMAT_OS_DIGEST,
         {"os-image claimed 58673e7eb144dea8"},
         NULL},
        {"osimage/synthetic/sha256sum.txt",
         FORMAT_OS_CHECKSUMS,
         {"os-image claimed 58673e7eb144dea8"},
         NULL},
        {"osimage/synthetic/bzImage", FORMAT_OS_FILE, {NULL}, NULL},
        {"osimage/synthetic/measurement.tdx.cbor", FORMAT_OS_FILE, {NULL}, NULL},
        {"tdx/quote-report.json",
         FORMAT_TDX_QUOTE,
         {"compose claimed 3763bc34552cf3a2", "os-image claimed 14ad42d027"},
         NULL},
        {"tdx/tdx-lite-getquote.json",
         FORMAT_TDX_QUOTE,
         {"compose claimed 86b0e55f2fa8e4fb", "os-image claimed e6f5cfec20c02e7b"},
         NULL},
        {"tdx/tdx-lite-attestation.json",
         FORMAT_TDX_QUOTE,
         {"compose claimed 86b0e55f2fa8e4fb", "os-image claimed e6f5cfec20c02e7b"},
         NULL},
        {"tdx/mpc.quote.bin", FORMAT_TDX_QUOTE, {NULL}, NULL},
        {"tdx/dcap-qvl-sample-v5-td15.quote.bin", FORMAT_TDX_QUOTE, {NULL}, NULL},
        {"tdx/mpc.tcb_info.json",
         FORMAT_GUEST_INFO,
         {"compose claimed 2911e1f733466216", "os-image claimed 7d47512fda"},
         NULL},
        {"info/info_full.json",
         FORMAT_GUEST_INFO,
         {"compose claimed 2911e1f733466216", "os-image claimed 7d47512fda"},
         NULL},
        {"info/info_v0.5.5_shape.json",
         FORMAT_GUEST_INFO,
         {"compose claimed 2911e1f733466216", "os-image claimed 7d47512fda"},
         NULL},
        {"info/worker_info_v0.3_shape.json",
         FORMAT_GUEST_INFO,
         {"compose claimed 2911e1f733466216"},
         NULL},
        {"info/info_public_tcbinfo_false.json",
         FORMAT_GUEST_INFO,
         {"compose claimed 2911e1f733466216", "os-image claimed 7d47512fda"},
         NULL},
        {"info/info_all_default.json", FORMAT_GUEST_INFO, {NULL}, NULL},
        {"info/info_tampered_compose_event.json", FORMAT_GUEST_INFO, {NULL}, "event-digests: "},
        {"info/kms_get_attestation_info_new.json",
         FORMAT_KMS_INFO,
         {"kms-mr claimed 5cd7c8e256", "os-image claimed 7d47512fda",
          "kms-device claimed 34b13d4228"},
         NULL},
        {"info/kms_get_attestation_info_old.json",
         FORMAT_KMS_INFO,
         {"kms-mr claimed 5cd7c8e256", "os-image claimed 7d47512fda",
          "kms-device claimed 7a82191bd4"},
         NULL},
        {"info/getquote_quote-report.json",
         FORMAT_TDX_QUOTE,
         {"compose claimed 3763bc34552cf3a2", "os-image claimed 14ad42d027"},
         NULL},
        {"info/info_non_tdx.json", FORMAT_GUEST_INFO, {NULL}, "compose-hash: compose_hash is 86e59"},
        {"snp/sev-snp-attestation.json", FORMAT_TDX_QUOTE, {NULL}, NULL},
        {"tdx/sim-v0.5.0.app-compose.json",
         FORMAT_APP_COMPOSE,
         {"compose recomputed 1255573f4c11fd50"},
         NULL},
        {"tdx/dcap-qvl-sample-v4.quote.bin", FORMAT_TDX_QUOTE, {NULL}, NULL},
        {"tdx/quote-report.quote.bin", FORMAT_TDX_QUOTE, {NULL}, NULL},
        {"nitro/describe-eif.payments.json",
         FORMAT_NITRO_DESCRIBE,
         {"os-image claimed " PAYMENTS, "compose claimed " PAYMENTS},
         NULL},
        {"nitro/build-enclave.payments.stdout.json",
         FORMAT_NITRO_BUILD,
         {"os-image claimed " PAYMENTS, "compose claimed " PAYMENTS},
         NULL},
        {"nitro/measurements_old_template.json",
         FORMAT_MEASUREMENTS,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"nitro/measurements_new_template.json",
         FORMAT_MEASUREMENTS,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"sigstore/synthetic_eif_v3.sigstore.json",
         FORMAT_SIGSTORE,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"sigstore/synthetic_pcr_payload_legacy.sigstore.json",
         FORMAT_SIGSTORE,
         {"os-image claimed " TEMPLATE, "compose claimed " TEMPLATE},
         NULL},
        {"sigstore/conf_happy-path-intoto-in-dsse-v3.json", FORMAT_UNKNOWN, {NULL}, NULL},
        {"info/error_400.json", FORMAT_UNKNOWN, {NULL}, NULL},
        {"info/gateway_info.json", FORMAT_UNKNOWN, {NULL}, NULL},
};

static const char *line_of(struct arena *arena, const struct measured_value *value)
{
	char text[HASH32_TEXT_SIZE];

	return arena_printf(arena, "%s %s %s", kind_name(value->kind),
	                    evidence_level_name(value->level),
	                    hash32_text(text, &value->value) + 2);
}

static void every_fixture_gives_its_values_or_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct arena arena = {0};
		struct measured measured = measure_file(&arena, files[i].path);
		size_t expected = 0;
		if (measured.format != files[i].format)
			fail_msg("%s is %s", files[i].path, format_name(measured.format));
		if (measured.refused != (files[i].refusal != NULL))
			fail_msg("%s: %s", files[i].path,
			         measured.refused ? measured.refusal : "not refused");
		if (measured.refused && strstr(measured.refusal, files[i].refusal) == NULL)
			fail_msg("%s: %s", files[i].path, measured.refusal);
		while (!measured.refused && expected < MEASURED_VALUES &&
		       files[i].values[expected] != NULL)
			expected++;
		if (!measured.refused)
			assert_int_equal(measured.value_count, expected);
		for (size_t k = 0; k < expected; k++) {
			const char *want = files[i].values[k];
			const char *line = line_of(&arena, &measured.values[k]);
			if (strncmp(line, want, strlen(want)) != 0)
				fail_msg("%s: %s, expected %s", files[i].path, line, want);
		}
		arena_free(&arena);
	}
}

/* The registers as the platforms print them, under the names that scripts look for. */
static void tdx_details_have_the_registers(void **state)
{
	struct jval *expected = fixture_json("tests/fixtures/tdx/expected.json"), *details;
	const struct jval *want = jval_get(expected, "quote-report");
	struct arena arena = {0};

	(void)state;
	struct measured measured = measure_file(&arena, "tdx/quote-report.json");
	assert_int_equal(jval_parse(&details, bytes_text(measured.details), NULL), 0);
	const struct jval *quote = jval_get(want, "quote_expected");
	assert_string_equal(fixture_string(details, "mrtd"), fixture_string(quote, "mrtd"));
	assert_string_equal(fixture_string(details, "rtmr3"), fixture_string(quote, "rtmr3"));
	assert_string_equal(fixture_string(details, "mr_aggregated"),
	                    fixture_string(jval_get(want, "event_log_expected"), "mr_aggregated"));
	assert_string_equal(fixture_string(details, "app_id"),
	                    "3763bc34552cf3a27ff71ad5f7a90471562a1a2d");
	assert_int_equal(strlen(fixture_string(details, "known_os")), 64);
	assert_true(jval_is_true(jval_get(details, "quoted")));

	struct buf registers = {0};
	static const char *const names[] = {"mrtd", "rtmr0", "rtmr1", "rtmr2"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		buf_append_bytes(&registers, fixture_hex(&arena, details, names[i]));
	struct hash32 os = sha256(buf_bytes(&registers)), shown;
	fixture_fixed(shown.b, sizeof(shown.b), details, "known_os");
	assert_true(hash32_equal(&os, &shown));
	for (size_t i = 0; i < measured.value_count; i++) {
		assert_true(measured.values[i].has_app_id);
		assert_int_equal(measured.values[i].is_quoted,
		                 measured.values[i].kind == KIND_COMPOSE);
		if (measured.values[i].is_quoted)
			assert_true(hash32_equal(&measured.values[i].os, &os));
	}
	buf_free(&registers);
	jval_free(details);
	jval_free(expected);
	arena_free(&arena);
}

static void images_that_are_not_pinned_are_named(void **state)
{
	struct arena arena = {0};
	struct jval *details;

	(void)state;
	struct measured measured = measure_file(&arena, "tdx/examples-rtmr3.app-compose.json");
	assert_int_equal(jval_parse(&details, bytes_text(measured.details), NULL), 0);
	assert_true(jval_count(jval_get(details, "unpinned_images")) > 0);
	jval_free(details);
	arena_free(&arena);
}

static struct measured measure_as(struct arena *arena, const char *text, const char *name)
{
	return measure(arena, bytes_text(text), name);
}

static void what_only_looks_like_ours_is_told_apart(void **state)
{
	struct arena arena = {0};

	(void)state;
	/* By its name it claims to be one. */
	struct measured measured = measure_as(&arena, "{\"services\":{}}", "app-compose.json");
	assert_int_equal(measured.format, FORMAT_APP_COMPOSE);
	assert_true(measured.refused);
	measured = measure_as(&arena, "{\"services\":{}}", "compose.json");
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	/* Other projects have files of these names. */
	measured = measure_as(
	        &arena,
	        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  enclave.eif\n",
	        "sha256sum.txt");
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	measured = measure_as(&arena, "sha256:e3b0c44298fc1c149afbf4c8\n", "digest.txt");
	assert_int_equal(measured.format, FORMAT_UNKNOWN);
	measured = measure_as(&arena, "bzImage\nmetadata.json\n", "sha256sum.txt");
	assert_int_equal(measured.format, FORMAT_OS_CHECKSUMS);
	assert_true(measured.refused);
	arena_free(&arena);
}

static void a_log_must_agree_with_the_json_inside(void **state)
{
	struct arena arena = {0};

	(void)state;
	const char *json =
	        (const char *)fixture_bytes(
	                &arena, "tests/fixtures/nitro/build-enclave.payments.stdout.json")
	                .data;
	const char *log =
	        (const char *)fixture_bytes(&arena, "tests/fixtures/nitro/log.guide.txt").data;
	struct measured measured = measure_as(
	        &arena, arena_printf(&arena, "Building\n%s\n%s", json, log), "build.log");
	assert_true(measured.refused);
	assert_non_null(strstr(measured.refusal, "its JSON says"));
	arena_free(&arena);
}

/* Whatever is damaged: refused, unknown or the same value, never another one that is attested. */
static void damage_never_gives_another_attested_value(void **state)
{
	static const char *const paths[] = {"nitro/nitro_attestation.nsm.cose",
	                                    "tdx/tdx-lite-getquote.json"};
	struct arena arena = {0};

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
		struct measured whole = measure_file(&arena, paths[p]);
		struct bytes file =
		        fixture_bytes(&arena, arena_printf(&arena, "tests/fixtures/%s", paths[p]));
		for (size_t i = 0; i < file.len; i += 1 + file.len / 150) {
			struct arena inner = {0};
			uint8_t *copy = (uint8_t *)arena_copy(&inner, file).data;
			copy[i] ^= 1;
			struct measured measured =
			        measure(&inner, bytes_of(copy, file.len), "document");
			for (size_t k = 0; !measured.refused && k < measured.value_count; k++) {
				const struct measured_value *value = &measured.values[k];
				const struct measured_value *right =
				        measured_find(&whole, value->kind);
				bool strong = value->is_quoted || value->level == LEVEL_ATTESTED;
				assert_true(!strong ||
				            (right != NULL &&
				             hash32_equal(&right->value, &value->value)));
			}
			arena_free(&inner);
		}
	}
	arena_free(&arena);
}

/* The host's word on the OS image is held against itself and against the machine's MRTD. */
static void the_image_in_vm_config_is_the_machine_s(void **state)
{
	static const struct {
		const char *what, *with, *why;
	} edits[] = {
	        {"\\\"os_image_hash\\\":\\\"e6f5", "\\\"os_image_hash\\\":\\\"e6f4",
	         "image-checksums: checksum_file gives 0xe6f5cfec"},
	        {"\\\"measurement\\\":\\\"o", "\\\"measurement\\\":\\\"p",
	         "image-measurement: measurement.tdx.cbor has another digest"},
	        {"\\\"checksum_file\\\":\\\"", "\\\"checksum_file\\\":\\\"!",
	         "vm_config: tdx_measurement: checksum_file"},
	};
	struct arena arena = {0};
	struct bytes file = fixture_bytes(&arena, "tests/fixtures/tdx/tdx-lite-getquote.json");

	(void)state;
	struct measured good = measure(&arena, file, "quote.json");
	assert_false(good.refused);
	assert_non_null(strstr(good.details, "\"check\":\"image-mrtd\",\"result\":\"passed\""));
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		char *text = arena_text(&arena, file), *at = strstr(text, edits[i].what);
		if (at == NULL)
			fail_msg("no %s", edits[i].what);
		*at = '\0';
		text = arena_printf(&arena, "%s%s%s", text, edits[i].with,
		                    at + strlen(edits[i].what));
		struct measured bad = measure(&arena, bytes_text(text), "quote.json");
		assert_true(bad.refused);
		if (strstr(bad.refusal, edits[i].why) == NULL)
			fail_msg("%s", bad.refusal);
	}
	arena_free(&arena);
}

/* A host that names another image, complete and in order, than the one that runs. */
static void another_image_than_runs_is_refused(void **state)
{
	struct arena arena = {0};
	struct jval *document = fixture_json("tests/fixtures/tdx/tdx-lite-getquote.json"), *config;
	struct bytes measurement, list;
	struct buf text = {0};
	char before[HASH32_TEXT_SIZE], after[HASH32_TEXT_SIZE];

	(void)state;
	assert_int_equal(
	        jval_parse(&config, bytes_text(fixture_string(document, "vm_config")), NULL), 0);
	const struct jval *material = jval_get(config, "tdx_measurement");
	assert_int_equal(
	        base64_decode(&arena, &measurement, fixture_string(material, "measurement"), NULL),
	        0);
	assert_int_equal(
	        base64_decode(&arena, &list, fixture_string(material, "checksum_file"), NULL), 0);
	struct hash32 hash = sha256(measurement);
	hash32_text(before, &hash);
	/* Both MRTDs, each 48 bytes behind the name of its pass. */
	static const char *const passes[] = {"single_pass", "two_pass"};
	for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
		uint8_t *at =
		        memmem(measurement.data, measurement.len, passes[i], strlen(passes[i]));
		at[strlen(passes[i]) + 2 + 5] ^= 1;
	}
	hash = sha256(measurement);
	hash32_text(after, &hash);
	char *checksums = arena_text(&arena, list), *line = strstr(checksums, before + 2);
	memcpy(line, after + 2, 64);
	hash = sha256(bytes_text(checksums));
	struct jval *changed = jval_object();
	jval_add_string(changed, "measurement", base64_encode(&arena, measurement));
	jval_add_string(changed, "checksum_file", base64_encode(&arena, bytes_text(checksums)));
	jval_add(config, "tdx_measurement", changed);
	jval_add_string(config, "os_image_hash", hash32_text(after, &hash) + 2);
	jval_write(&text, config, JVAL_COMPACT);
	jval_add_string(document, "vm_config", buf_text(&text));
	buf_clear(&text);
	jval_write(&text, document, JVAL_COMPACT);
	struct measured measured = measure(&arena, buf_bytes(&text), "quote.json");
	assert_true(measured.refused);
	assert_non_null(strstr(measured.refusal, "image-mrtd: MRTD is none that the OS image"));
	buf_free(&text);
	jval_free(config);
	jval_free(document);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_fixture_gives_its_values_or_refusal),
	        cmocka_unit_test(tdx_details_have_the_registers),
	        cmocka_unit_test(images_that_are_not_pinned_are_named),
	        cmocka_unit_test(what_only_looks_like_ours_is_told_apart),
	        cmocka_unit_test(a_log_must_agree_with_the_json_inside),
	        cmocka_unit_test(damage_never_gives_another_attested_value),
	        cmocka_unit_test(the_image_in_vm_config_is_the_machine_s),
	        cmocka_unit_test(another_image_than_runs_is_refused),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
