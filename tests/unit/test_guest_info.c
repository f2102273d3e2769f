#include "common/measure/guest_info.h"

#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define INFO "tests/fixtures/info/"
#define TDX "tests/fixtures/tdx/"
#define MADE "tests/fixtures/ra_tls/"
#define MPC_COMPOSE "2911e1f733466216dedb862d6d669e11256ee7a34ce4dbc66c4b807ba7a9c895"
#define MPC_IMAGE "7d47512fda31dc5a7318f72ae1869a3c76323981eea21fc30cafd0f79668642c"
#define MPC_AGGREGATED "5cd7c8e25647053ff6e0df9ea21170b355bb48b9032db7bce27410ad10a150e0"

struct fixture {
	struct arena arena;
	struct guest_options options;
	struct guest_info info;
};

static void begin(struct fixture *fixture)
{
	*fixture = (struct fixture){.options = {.now = {1780272000000}, .root = tdx_intel_root()}};
}

/* Quotes of tests/fixtures/ra_tls lead to a root of their own. */
static void begin_made(struct fixture *fixture)
{
	begin(fixture);
	fixture->options.root = fixture_bytes(&fixture->arena, MADE "root.der");
}

static void end(struct fixture *fixture)
{
	arena_free(&fixture->arena);
}

static const struct guest_report *read_bytes(struct fixture *fixture, struct bytes text)
{
	guest_info_read(&fixture->arena, &fixture->info, text, &fixture->options);
	return fixture->info.count > 0 ? &fixture->info.reports[0] : NULL;
}

static const struct guest_report *read_file(struct fixture *fixture, const char *path)
{
	return read_bytes(fixture, fixture_bytes(&fixture->arena, path));
}

/* A file with one stretch of text replaced; it must be there. */
static const struct guest_report *read_changed(struct fixture *fixture, const char *path,
                                               const char *from, const char *to)
{
	struct bytes text = fixture_bytes(&fixture->arena, path);
	const uint8_t *at = memmem(text.data, text.len, from, strlen(from));
	struct buf changed = {0};

	assert_non_null(at);
	buf_append(&changed, text.data, (size_t)(at - text.data));
	buf_append_text(&changed, to);
	at += strlen(from);
	buf_append(&changed, at, (size_t)(text.data + text.len - at));
	struct bytes copy = arena_copy(&fixture->arena, buf_bytes(&changed));
	buf_free(&changed);
	return read_bytes(fixture, copy);
}

static void assert_check(const struct guest_report *report, const char *name,
                         enum check_result want)
{
	const struct check *check = checks_find(&report->checks, name);

	if (check == NULL)
		fail_msg("nobody asked for %s", name);
	else if (check->result != want)
		fail_msg("%s: %s (%s)", name, check_result_name(check->result), check->text);
}

static const struct guest_value *value_of(const struct guest_report *report, enum kind kind)
{
	for (size_t i = 0; i < report->value_count; i++)
		if (report->values[i].kind == kind)
			return &report->values[i];
	return NULL;
}

static void assert_value(const struct guest_report *report, enum kind kind, const char *hex,
                         bool candidate)
{
	const struct guest_value *value = value_of(report, kind);
	struct hash32 want;

	if (value == NULL)
		fail_msg("no value of kind %s", kind_name(kind));
	assert_int_equal(hash32_parse(&want, hex, NULL), 0);
	assert_true(hash32_equal(&value->value, &want));
	assert_false(value->refused);
	assert_int_equal(value->candidate, candidate);
}

static void assert_no_refusal(const struct guest_report *report)
{
	assert_non_null(report);
	if (report->refusal != NULL)
		fail_msg("refused: %s", report->refusal);
}

static void assert_refused(const struct guest_report *report, const char *start)
{
	assert_non_null(report);
	if (report->refusal == NULL)
		fail_msg("not refused; expected %s", start);
	if (strncmp(report->refusal, start, strlen(start)) != 0)
		fail_msg("refused: %s; expected %s", report->refusal, start);
	assert_false(report->genuine);
	for (size_t i = 0; i < report->value_count; i++)
		assert_false(report->values[i].candidate);
}

/* --- Info --------------------------------------------------------------------------------------
 */

static void test_info_is_consistent_and_claimed(void **state)
{
	static const char *const files[] = {INFO "info_full.json", INFO "info_v0.5.5_shape.json"};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		begin(&fixture);
		const struct guest_report *report = read_file(&fixture, files[i]);
		assert_int_equal(fixture.info.document, GUEST_INFO);
		assert_no_refusal(report);
		assert_null(report->missing);
		assert_check(report, "event-digests", CHECK_PASSED);
		assert_check(report, "event-rules", CHECK_PASSED);
		assert_check(report, "replay", CHECK_PASSED);
		assert_check(report, "compose-hash", CHECK_PASSED);
		assert_check(report, "app-id", CHECK_PASSED);
		assert_check(report, "os-image-hash", CHECK_PASSED);
		assert_check(report, "mr-aggregated-recomputed", CHECK_PASSED);
		assert_value(report, KIND_COMPOSE, MPC_COMPOSE, false);
		assert_value(report, KIND_OS_IMAGE, MPC_IMAGE, false);
		assert_false(report->has_quote);
		assert_false(report->genuine);
		assert_true(report->has_registers);
		assert_true(report->has_mr_aggregated);
		end(&fixture);
	}
}

static void test_a_dummy_device_is_refused(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report = read_file(&fixture, INFO "info_full.json");
	const struct guest_value *device = value_of(report, KIND_DEVICE);
	assert_non_null(device);
	assert_true(device->refused);
	assert_non_null(strstr(device->why, "dummy"));
	assert_false(report->has_device_id);
	end(&fixture);
}

static void test_version_0_3(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report = read_file(&fixture, INFO "worker_info_v0.3_shape.json");
	assert_int_equal(fixture.info.document, GUEST_INFO);
	assert_no_refusal(report);
	assert_check(report, "replay", CHECK_PASSED);
	assert_check(report, "compose-hash", CHECK_PASSED); /* event and app_compose */
	assert_value(report, KIND_COMPOSE, MPC_COMPOSE, false);
	assert_null(value_of(report, KIND_OS_IMAGE));
	assert_null(value_of(report, KIND_DEVICE));
	assert_false(report->has_mr_aggregated);
	end(&fixture);
}

static void test_tcb_info_alone_and_as_object(void **state)
{
	struct fixture fixture;
	struct buf text = {0};

	(void)state;
	begin(&fixture);
	const struct guest_report *report = read_file(&fixture, TDX "mpc.tcb_info.json");
	assert_int_equal(fixture.info.document, GUEST_TCB_INFO);
	assert_no_refusal(report);
	assert_check(report, "replay", CHECK_PASSED);
	assert_value(report, KIND_COMPOSE, MPC_COMPOSE, false);

	buf_append_text(&text, "{\"app_id\":\"0x2911E1f733466216dedb862d6d669e11256ee7a3\","
	                       "\"tcb_info\":");
	buf_append_bytes(&text, fixture_bytes(&fixture.arena, TDX "mpc.tcb_info.json"));
	buf_append_text(&text, "}");
	report = read_bytes(&fixture, buf_bytes(&text));
	assert_int_equal(fixture.info.document, GUEST_INFO);
	assert_no_refusal(report);
	assert_check(report, "app-id", CHECK_PASSED);
	assert_value(report, KIND_COMPOSE, MPC_COMPOSE, false);
	buf_free(&text);
	end(&fixture);
}

static void test_without_tcb_info(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report =
	        read_file(&fixture, INFO "info_public_tcbinfo_false.json");
	assert_no_refusal(report);
	assert_check(report, "event-log", CHECK_UNDECIDED);
	assert_check(report, "compose-hash", CHECK_UNDECIDED);
	assert_value(report, KIND_COMPOSE, MPC_COMPOSE, false);
	assert_value(report, KIND_OS_IMAGE, MPC_IMAGE, false);
	assert_false(report->has_registers);
	assert_true(report->has_mr_aggregated);
	end(&fixture);
}

static void test_nothing_stated(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report = read_file(&fixture, INFO "info_all_default.json");
	assert_no_refusal(report);
	assert_non_null(report->missing);
	assert_int_equal(report->value_count, 0);

	report = read_file(&fixture, INFO "error_400.json");
	assert_int_equal(fixture.info.document, GUEST_ERROR);
	assert_string_equal(report->missing, "it answers: Method not found");
	end(&fixture);
}

static void test_other_platforms(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	/* The file's app_compose is a placeholder that does not hash to its compose hash. */
	assert_refused(read_file(&fixture, INFO "info_non_tdx.json"), "compose-hash: ");
	const struct guest_report *report = read_changed(
	        &fixture, INFO "info_non_tdx.json", ",\\n  \\\"app_compose\\\": \\\"{}\\\"", "");
	assert_no_refusal(report);
	assert_false(report->has_registers);
	assert_value(report, KIND_COMPOSE,
	             "86e59625be93207bc2351c4d1bba20037cec8e168da6b18f559af5af657b7a23", false);
	end(&fixture);
}

static void test_contradictions_are_refused(void **state)
{
	static const struct {
		const char *from, *to, *refusal;
	} cases[] = {
	        {"\"compose_hash\":\"2911", "\"compose_hash\":\"2912", "compose-hash: "},
	        {"\\\"compose_hash\\\": \\\"2911", "\\\"compose_hash\\\": \\\"2912",
	         "compose-hash: "},
	        {"\"app_id\":\"2911", "\"app_id\":\"2912", "app-id: app_id is 2912"},
	        {"\"os_image_hash\":\"7d47", "\"os_image_hash\":\"7d48", "os-image-hash: "},
	        {"\"mr_aggregated\":\"5cd7", "\"mr_aggregated\":\"5cd8", "mr-aggregated: "},
	        {"\\\"rtmr3\\\": \\\"86f1", "\\\"rtmr3\\\": \\\"86f2", "replay: RTMR3 is 86f2"},
	        {"\\\"rtmr1\\\": \\\"b598", "\\\"rtmr1\\\": \\\"b599", "replay: RTMR1 is b599"},
	        {"\\\"manifest_version\\\\\\\": 2", "\\\"manifest_version\\\\\\\": 3",
	         "compose-hash: "},
	        {"\"app_id\":\"2911", "\"app_id\":\"29", "app_id: "},
	        {"\\\"mrtd\\\": \\\"f06d", "\\\"mrtx\\\": \\\"f06d", "tcb_info: 4 of mrtd"},
	        {"\\\"imr\\\": 0", "\\\"imr\\\": 9", "tcb_info.event_log: event 0: imr"},
	        {"\"tcb_info\":\"{", "\"tcb_info\":\"", "tcb_info: not valid JSON"},
	        {"\"device_id\":\"e3b0", "\"device_id\":\"e3b1", "device-id: "},
	        {"\"app_cert\":\"\"", "\"app_cert\":\"x\"", "app_cert: "},
	        {"\"compose_hash\":\"2911", "\"compose_hash\":7, \"x\": \"2911",
	         "compose_hash: expected text"},
	};
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(
		        read_changed(&fixture, INFO "info_full.json", cases[i].from, cases[i].to),
		        cases[i].refusal);
	end(&fixture);
}

static void test_tampered_event(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report =
	        read_file(&fixture, INFO "info_tampered_compose_event.json");
	assert_refused(report, "event-digests: ");
	assert_check(report, "replay", CHECK_FAILED);
	assert_check(report, "compose-hash", CHECK_FAILED);
	end(&fixture);
}

static void test_aggregate_that_cannot_be_recomputed(void **state)
{
	struct fixture fixture;
	struct bytes text;

	(void)state;
	begin(&fixture);
	text = fixture_bytes(&fixture.arena, INFO "info_full.json");
	for (size_t i = 0; i + 64 < text.len; i++)
		if (memcmp(text.data + i, MPC_AGGREGATED, 64) == 0)
			((uint8_t *)text.data)[i] = '6';
	const struct guest_report *report = read_bytes(&fixture, text);
	assert_no_refusal(report);
	assert_check(report, "mr-aggregated", CHECK_PASSED);
	assert_check(report, "mr-aggregated-recomputed", CHECK_UNDECIDED);
	end(&fixture);
}

/* --- KMS and others ----------------------------------------------------------------------------
 */

static void test_kms_onboarding(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report =
	        read_file(&fixture, INFO "kms_get_attestation_info_new.json");
	assert_int_equal(fixture.info.document, GUEST_KMS_ONBOARD);
	assert_no_refusal(report);
	assert_check(report, "device-ppid", CHECK_PASSED);
	assert_value(report, KIND_KMS_MR, MPC_AGGREGATED, false);
	assert_value(report, KIND_OS_IMAGE, MPC_IMAGE, false);
	assert_value(report, KIND_KMS_DEVICE,
	             "34b13d4228e918e3fb33f90afa2bbe21c6d23d6a96b08971a527d4317dbcd053", false);
	assert_null(value_of(report, KIND_COMPOSE));

	report = read_file(&fixture, INFO "kms_get_attestation_info_old.json");
	assert_no_refusal(report);
	assert_value(report, KIND_KMS_DEVICE,
	             "7a82191bd4dedb9d716e3aa422963cf1009f36e3068404a0322feca1ce517dc9", false);

	report = read_changed(&fixture, INFO "kms_get_attestation_info_old.json",
	                      "7a82191bd4dedb9d716e3aa422963cf1009f36e3068404a0322feca1ce517dc9",
	                      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_no_refusal(report);
	assert_true(value_of(report, KIND_KMS_DEVICE)->refused);
	assert_value(report, KIND_KMS_MR, MPC_AGGREGATED, false);
	end(&fixture);
}

static void test_a_kms_asked_as_such(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	fixture.options.is_kms = true;
	const struct guest_report *report = read_file(&fixture, INFO "info_full.json");
	assert_value(report, KIND_KMS_MR, MPC_AGGREGATED, false);
	assert_null(value_of(report, KIND_COMPOSE));
	assert_true(value_of(report, KIND_KMS_DEVICE)->refused);
	end(&fixture);
}

static void test_not_ours(void **state)
{
	static const char *const texts[] = {"",
	                                    "x",
	                                    "[]",
	                                    "7",
	                                    "{}",
	                                    "{\"quote\":\"00\"}",
	                                    "{\"app_id\":",
	                                    "{\"PCR0\":\"00\"}"};
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_null(read_bytes(&fixture, bytes_text(texts[i])));
		assert_int_equal(fixture.info.document, GUEST_NONE);
	}
	assert_null(read_file(&fixture, INFO "gateway_info.json"));
	assert_int_equal(fixture.info.document, GUEST_NONE);

	struct bytes whole = fixture_bytes(&fixture.arena, INFO "info_full.json");
	assert_null(read_bytes(&fixture, bytes_of(whole.data, whole.len - 2)));
	assert_int_equal(fixture.info.document, GUEST_INFO);
	assert_non_null(fixture.info.refusal);
	end(&fixture);
}

/* --- quotes ------------------------------------------------------------------------------------
 */

static void assert_genuine(const struct guest_report *report)
{
	assert_no_refusal(report);
	assert_check(report, "quote-signature", CHECK_PASSED);
	assert_check(report, "pck-chain", CHECK_PASSED);
	assert_check(report, "quote-replay", CHECK_PASSED);
	assert_check(report, "tcb-status", CHECK_UNDECIDED);
	assert_true(report->genuine);
}

static void test_quote_reports(void **state)
{
	static const struct {
		const char *path, *compose;
		bool whole;
	} cases[] = {
	        {INFO "getquote_quote-report.json",
	         "3763bc34552cf3a27ff71ad5f7a90471562a1a2df552dfc1998cba2d60da27e7", true},
	        {TDX "quote-report.json",
	         "3763bc34552cf3a27ff71ad5f7a90471562a1a2df552dfc1998cba2d60da27e7", true},
	        {TDX "tdx-lite-getquote.json",
	         "86b0e55f2fa8e4fb69d890f14f54d5612707646e2573d54e0d2ddaaade77caa9", true},
	        {TDX "tdx-lite-attestation.json",
	         "86b0e55f2fa8e4fb69d890f14f54d5612707646e2573d54e0d2ddaaade77caa9", false},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&fixture);
		const struct guest_report *report = read_file(&fixture, cases[i].path);
		assert_genuine(report);
		assert_value(report, KIND_COMPOSE, cases[i].compose, true);
		assert_check(report, "report-data", CHECK_PASSED);
		assert_int_equal(strstr(checks_find(&report->checks, "quote-replay")->text,
		                        "RTMR0-3") != NULL,
		                 cases[i].whole);
		end(&fixture);
	}
}

static void test_image_of_the_kms_differs(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report = read_file(&fixture, TDX "tdx-lite-getquote.json");
	assert_check(report, "os-image-event", CHECK_UNDECIDED);
	assert_check(report, "mr-config-id", CHECK_PASSED);
	assert_value(report, KIND_OS_IMAGE,
	             "e6f5cfec20c02e7b97baa213d0f718020b55e040172d90ccbcb946d56c8b09db", false);
	end(&fixture);
}

static void test_quote_reports_that_do_not_hold(void **state)
{
	static const struct {
		const char *from, *to, *refusal;
	} cases[] = {
	        {"\"report_data\":\"1234", "\"report_data\":\"1235", "report-data: "},
	        {"\"quote\":\"04", "\"quote\":\"07", "quote: quote version 7"},
	        {"\"quote\":\"04", "\"quote\":\"4", "quote: "},
	        {"b24d3b24e9e3c160", "b24d3b24e9e3c161", "quote-signature: "},
	        {"3763bc34552cf3a27ff71ad5f7a90471562a1a2df552dfc1998cba2d60da27e7",
	         "3763bc34552cf3a27ff71ad5f7a90471562a1a2df552dfc1998cba2d60da27e8",
	         "event-digests: "},
	};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&fixture);
		struct bytes raw = fixture_bytes(&fixture.arena, TDX "quote-report.json");
		struct jval *value;
		struct buf text = {0};
		assert_int_equal(jval_parse(&value, raw, NULL), 0);
		jval_write(&text, value, JVAL_COMPACT);
		jval_free(value);
		char *at = strstr((char *)text.data, cases[i].from);
		assert_non_null(at);
		struct buf changed = {0};
		buf_append(&changed, text.data, (size_t)(at - (char *)text.data));
		buf_append_text(&changed, cases[i].to);
		buf_append_text(&changed, at + strlen(cases[i].from));
		assert_refused(read_bytes(&fixture, buf_bytes(&changed)), cases[i].refusal);
		buf_free(&changed);
		buf_free(&text);
		end(&fixture);
	}
}

static void test_a_msgpack_attestation_is_not_read(void **state)
{
	struct fixture fixture;

	(void)state;
	begin(&fixture);
	const struct guest_report *report =
	        read_bytes(&fixture, bytes_text("{\"attestation\":\"85a0\"}"));
	assert_no_refusal(report);
	assert_non_null(report->missing);
	assert_check(report, "attestation", CHECK_UNDECIDED);
	assert_refused(read_bytes(&fixture, bytes_text("{\"attestation\":\"0000ff\"}")),
	               "attestation: ");
	assert_refused(read_bytes(&fixture, bytes_text("{\"attestation\":\"\"}")),
	               "attestation: it is empty");
	report = read_file(&fixture, "tests/fixtures/ra_tls/attestation.json");
	assert_refused(report, "pck-chain: "); /* not Intel's root */
	end(&fixture);
}

/* --- certificates and Phala Cloud --------------------------------------------------------------
 */

static void assert_made(const struct guest_report *report)
{
	struct jval *want = fixture_json(MADE "expected.json");

	assert_genuine(report);
	assert_value(report, KIND_COMPOSE, fixture_string(want, "compose_hash"), true);
	assert_value(report, KIND_DEVICE, fixture_string(want, "device_id"), true);
	assert_value(report, KIND_OS_IMAGE, fixture_string(want, "os_image_hash"), false);
	jval_free(want);
}

static void test_certificate_with_a_bound_quote(void **state)
{
	static const char *const files[] = {MADE "info_attested.json",
	                                    MADE "info_attested_versioned.json",
	                                    MADE "info_attested_later_events.json"};
	struct fixture fixture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		begin_made(&fixture);
		const struct guest_report *report = read_file(&fixture, files[i]);
		assert_made(report);
		assert_check(report, "report-data", CHECK_PASSED);
		assert_check(report, "registers", CHECK_PASSED);
		assert_check(report, "cert-event-log", CHECK_PASSED);
		assert_check(report, "cert-chain", CHECK_PASSED);
		assert_check(report, "mr-aggregated-recomputed", CHECK_PASSED);
		end(&fixture);

		begin(&fixture); /* Intel's root */
		assert_refused(read_file(&fixture, files[i]), "pck-chain: ");
		end(&fixture);
	}
}

static void test_certificates_that_do_not_count(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_made(&fixture);
	assert_refused(read_file(&fixture, MADE "info_unbound.json"),
	               "report-data: the quote in app_cert names another key");
	assert_refused(read_file(&fixture, MADE "info_debug.json"), "debug: ");
	assert_refused(read_file(&fixture, MADE "info_foreign_cert.json"), "mr-config-id: ");
	end(&fixture);
}

/* One bit of every byte of the certificates: never genuine unless the text decodes to the same. */
static void test_no_flipped_bit_of_a_certificate_counts(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_made(&fixture);
	struct jval *info = fixture_json(MADE "info_attested.json");
	char *pem = arena_strdup(&fixture.arena, fixture_string(info, "app_cert"));
	size_t len = strlen(pem), accepted = 0;
	const char *leaf_end = strstr(pem, "-----END");
	for (size_t i = 0; i < len; i += 11) {
		struct fixture one = {.options = fixture.options};
		char kept = pem[i];
		struct buf text = {0};
		pem[i] = (char)(kept ^ (1 << (i % 7)));
		struct jval *copy = jval_copy(info);
		jval_add_string(copy, "app_cert", pem);
		jval_write(&text, copy, JVAL_COMPACT);
		const struct guest_report *report = read_bytes(&one, buf_bytes(&text));
		if (report->genuine && pem + i > pem + 30 && pem + i < leaf_end && kept != '\n')
			accepted++;
		pem[i] = kept;
		jval_free(copy);
		buf_free(&text);
		end(&one);
	}
	assert_int_equal(accepted, 0);
	jval_free(info);
	end(&fixture);
}

static void test_phala_app(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_made(&fixture);
	const struct guest_report *report = read_file(&fixture, MADE "phala_app.json");
	assert_int_equal(fixture.info.document, GUEST_PHALA_APP);
	assert_int_equal(fixture.info.count, 3);
	assert_genuine(report);
	assert_check(report, "report-data", CHECK_UNDECIDED);
	assert_check(report, "app-id", CHECK_PASSED);
	assert_non_null(value_of(report, KIND_COMPOSE));
	assert_true(value_of(report, KIND_COMPOSE)->candidate);
	assert_string_equal(report[1].missing, "nothing is published: CVM is offline");
	assert_string_equal(report[2].role, "kms");
	assert_non_null(value_of(&report[2], KIND_KMS_MR));
	assert_false(value_of(&report[2], KIND_KMS_MR)->candidate);
	end(&fixture);
}

static void test_phala_cvm(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_made(&fixture);
	const struct guest_report *report = read_file(&fixture, MADE "phala_cvm.json");
	assert_int_equal(fixture.info.document, GUEST_PHALA_CVM);
	assert_genuine(report);
	assert_check(report, "app-id", CHECK_PASSED);
	report = read_bytes(&fixture, bytes_text("{\"is_online\":false,\"tcb_info\":null,"
	                                         "\"app_certificates\":null}"));
	assert_string_equal(report->missing, "nothing is published");
	end(&fixture);
}

static void test_attestation_blob(void **state)
{
	struct fixture fixture;

	(void)state;
	begin_made(&fixture);
	const struct guest_report *report = read_file(&fixture, MADE "attestation.json");
	assert_int_equal(fixture.info.document, GUEST_ATTESTATION);
	assert_genuine(report);
	assert_check(report, "report-data", CHECK_PASSED);
	assert_non_null(value_of(report, KIND_OS_IMAGE));
	end(&fixture);
}

/* The simulator's blob, whose quote is real. */
static void test_real_attestation_blob(void **state)
{
	struct fixture fixture;
	struct buf text = {0};

	(void)state;
	begin(&fixture);
	buf_append_text(&text, "{\"attestation\":\"");
	buf_append_hex(&text, fixture_bytes(&fixture.arena, TDX "simulator_attestation.scale.bin"));
	buf_append_text(&text, "\"}");
	const struct guest_report *report = read_bytes(&fixture, buf_bytes(&text));
	assert_no_refusal(report);
	assert_genuine(report);
	assert_value(report, KIND_COMPOSE,
	             "c143116fef3940e7f776bfc0919c256232ae5338a6e948c96b711e0b2383483a", true);
	assert_value(report, KIND_OS_IMAGE,
	             "e61be43dd1cc6a6f5edefd7c51b608983780839b0000ce60dd99737dcffe09b9", false);
	buf_free(&text);
	end(&fixture);
}

/* Cut off or with a byte changed anywhere, every document is read to an end. */
static void test_damaged_documents(void **state)
{
	static const char *const files[] = {INFO "info_full.json", MADE "phala_app.json",
	                                    MADE "attestation.json"};

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(files); f++) {
		struct arena kept = {0};
		struct bytes whole = fixture_bytes(&kept, files[f]);
		for (size_t i = 0; i < whole.len; i += 97) {
			struct fixture fixture;
			begin_made(&fixture);
			struct bytes copy = arena_copy(&fixture.arena, whole);
			((uint8_t *)copy.data)[i] ^= (uint8_t)(1 << (i % 7));
			read_bytes(&fixture, copy);
			read_bytes(&fixture, bytes_of(whole.data, i));
			end(&fixture);
		}
		arena_free(&kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_info_is_consistent_and_claimed),
	        cmocka_unit_test(test_a_dummy_device_is_refused),
	        cmocka_unit_test(test_version_0_3),
	        cmocka_unit_test(test_tcb_info_alone_and_as_object),
	        cmocka_unit_test(test_without_tcb_info),
	        cmocka_unit_test(test_nothing_stated),
	        cmocka_unit_test(test_other_platforms),
	        cmocka_unit_test(test_contradictions_are_refused),
	        cmocka_unit_test(test_tampered_event),
	        cmocka_unit_test(test_aggregate_that_cannot_be_recomputed),
	        cmocka_unit_test(test_kms_onboarding),
	        cmocka_unit_test(test_a_kms_asked_as_such),
	        cmocka_unit_test(test_not_ours),
	        cmocka_unit_test(test_quote_reports),
	        cmocka_unit_test(test_image_of_the_kms_differs),
	        cmocka_unit_test(test_quote_reports_that_do_not_hold),
	        cmocka_unit_test(test_a_msgpack_attestation_is_not_read),
	        cmocka_unit_test(test_certificate_with_a_bound_quote),
	        cmocka_unit_test(test_certificates_that_do_not_count),
	        cmocka_unit_test(test_no_flipped_bit_of_a_certificate_counts),
	        cmocka_unit_test(test_phala_app),
	        cmocka_unit_test(test_phala_cvm),
	        cmocka_unit_test(test_attestation_blob),
	        cmocka_unit_test(test_real_attestation_blob),
	        cmocka_unit_test(test_damaged_documents),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
