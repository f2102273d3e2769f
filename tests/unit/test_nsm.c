#include "common/measure/nsm.h"

#include "common/measure/scale.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const documents[] = {"nitro_attestation", "nitro_attestation_dbg",
                                        "nsm_qvl_nitro_attestation"};

static struct jval *expected_values(void)
{
	return fixture_json("tests/fixtures/nitro/attestations.json");
}

static struct bytes load(struct arena *arena, const char *name, const char *kind)
{
	return fixture_bytes(arena, arena_printf(arena, "tests/fixtures/nitro/%s.%s", name, kind));
}

static void assert_optional(const struct jval *expected, const char *key, struct bytes found,
                            struct arena *arena)
{
	if (jval_is_null(jval_get(expected, key)))
		assert_null(found.data);
	else
		assert_true(bytes_equal(found, fixture_hex(arena, expected, key)));
}

static void assert_as_expected(struct arena *arena, const struct nsm *nsm,
                               const struct jval *expected)
{
	uint8_t want[SHA384_SIZE];
	bool debug = jval_is_true(jval_get(expected, "debug"));

	assert_string_equal(nsm->module_id, fixture_string(expected, "module_id"));
	assert_int_equal(nsm->timestamp, fixture_int(expected, "timestamp_ms"));
	for (int i = 0; i < 16; i++) {
		fixture_fixed(want, sizeof(want), jval_get(expected, "pcrs"),
		              arena_printf(arena, "%d", i));
		assert_int_equal(nsm->pcr[i].len, SHA384_SIZE);
		assert_memory_equal(nsm->pcr[i].value, want, sizeof(want));
	}
	assert_int_equal(nsm->pcr[16].len, 0);
	fixture_fixed(want, 32, expected, "os_image_hash");
	assert_memory_equal(nsm->value.b, want, 32);
	assert_optional(expected, "user_data", nsm->user_data, arena);
	assert_optional(expected, "public_key", nsm->public_key, arena);
	assert_optional(expected, "nonce", nsm->nonce, arena);
	assert_false(nsm->pcrs.has_pcr8);
	assert_true(checks_passed(&nsm->checks, NSM_CHECK_ROOT));
	assert_true(checks_passed(&nsm->checks, NSM_CHECK_CHAIN));
	assert_true(checks_passed(&nsm->checks, NSM_CHECK_SIGNATURE));
	assert_int_equal(checks_passed(&nsm->checks, NSM_CHECK_DEBUG), !debug);
	assert_int_equal(nsm->verified, !debug);
}

static void real_documents_verify_unless_debug(void **state)
{
	struct jval *expected = expected_values();
	struct arena arena = {0};
	struct nsm nsm;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct bytes document = load(&arena, documents[i], "nsm.cose");
		assert_true(nsm_looks_like(document));
		assert_int_equal(nsm_read(&arena, document, &nsm, NULL), 0);
		assert_as_expected(&arena, &nsm, jval_get(expected, documents[i]));
	}
	jval_free(expected);
	arena_free(&arena);
}

static void assert_scale(struct arena *arena, const struct scale_attestation *blob,
                         const struct jval *expected)
{
	const struct jval *events = jval_get(expected, "scale_runtime_events");

	assert_int_equal(blob->platform, SCALE_NITRO);
	assert_int_equal(blob->event_count, jval_count(events));
	for (size_t i = 0; i < blob->event_count; i++) {
		const struct jval *event = jval_at(events, i);
		assert_true(bytes_equal(blob->events[i].name,
		                        bytes_text(fixture_string(event, "event"))));
		assert_true(
		        bytes_equal(blob->events[i].payload, fixture_hex(arena, event, "payload")));
	}
	assert_true(
	        bytes_equal(blob->report_data, fixture_hex(arena, expected, "scale_report_data")));
	assert_true(
	        bytes_equal(blob->config, bytes_text(fixture_string(expected, "scale_config"))));
}

static void scale_blobs_hold_the_same_documents(void **state)
{
	struct jval *expected = expected_values();
	struct arena arena = {0};
	struct scale_attestation out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct bytes blob = load(&arena, documents[i], "scale.bin");
		assert_int_equal(scale_attestation_read(&arena, blob, &out, NULL), 0);
		assert_true(bytes_equal(out.evidence, load(&arena, documents[i], "nsm.cose")));
		assert_scale(&arena, &out, jval_get(expected, documents[i]));
		for (size_t len = 0; len < blob.len; len++)
			assert_int_equal(scale_attestation_read(&arena, bytes_of(blob.data, len),
			                                        &out, NULL),
			                 ERR_INVALID);
	}
	jval_free(expected);
	arena_free(&arena);
}

static void scale_blobs_of_other_shapes_are_refused(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
	} cases[] = {
	        {"\x01", 1},                 /* version */
	        {"\x00\x01\x00", 3},         /* GCP TDX */
	        {"\x00\x05\x00", 3},         /* no such platform */
	        {"\x00\x02\xff\xff\xff", 5}, /* a length over 2^30 */
	        {"\x00\x02\xfe\xff\xff\xff", 6},
	        {"\x00\x00\x00\xfd\xff", 5}, /* more events than bytes */
	};
	struct arena arena = {0};
	struct scale_attestation out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(scale_attestation_read(
		                         &arena, bytes_of(cases[i].raw, cases[i].len), &out, NULL),
		                 ERR_INVALID);
	arena_free(&arena);
}

static void a_changed_measurement_fails_the_signature_alone(void **state)
{
	struct jval *expected = expected_values();
	struct arena arena = {0};
	struct nsm nsm;

	(void)state;
	const struct jval *tampered =
	        jval_get(jval_get(expected, "nitro_attestation"), "tampered_pcr0");
	struct bytes document = load(&arena, "nitro_attestation", "nsm.cose");
	uint8_t *bytes = arena_alloc(&arena, document.len);
	memcpy(bytes, document.data, document.len);
	bytes[fixture_int(tampered, "offset_in_nsm_doc")] ^= 1;
	assert_int_equal(nsm_read(&arena, bytes_of(bytes, document.len), &nsm, NULL), 0);
	assert_false(nsm.verified);
	assert_false(checks_passed(&nsm.checks, NSM_CHECK_SIGNATURE));
	assert_true(checks_passed(&nsm.checks, NSM_CHECK_CHAIN));
	jval_free(expected);
	arena_free(&arena);
}

/* One bit of every fifth byte, and of every one at both ends (the header and the signature): none
 * of them may pass, and none may crash. */
static void no_document_with_a_flipped_bit_verifies(void **state)
{
	struct arena arena = {0};

	(void)state;
	struct bytes document = load(&arena, "nitro_attestation", "nsm.cose");
	uint8_t *bytes = arena_alloc(&arena, document.len);
	memcpy(bytes, document.data, document.len);
	for (size_t i = 0; i < document.len; i += i < 64 || i + 128 > document.len ? 1 : 5) {
		struct arena scratch = {0};
		struct nsm nsm;
		bytes[i] ^= (uint8_t)(1 << i % 8);
		if (nsm_read(&scratch, bytes_of(bytes, document.len), &nsm, NULL) == 0 &&
		    nsm.verified)
			fail_msg("verifies with byte %zu changed", i);
		bytes[i] = document.data[i];
		arena_free(&scratch);
	}
	arena_free(&arena);
}

static void truncated_documents_are_refused(void **state)
{
	struct arena arena = {0};
	struct nsm nsm;

	(void)state;
	struct bytes document = load(&arena, "nitro_attestation", "nsm.cose");
	for (size_t len = 0; len < document.len; len++)
		assert_int_equal(nsm_read(&arena, bytes_of(document.data, len), &nsm, NULL),
		                 ERR_INVALID);
	arena_free(&arena);
}

static void the_optional_tag_is_accepted(void **state)
{
	struct arena arena = {0};
	struct nsm nsm;

	(void)state;
	struct bytes document = load(&arena, "nitro_attestation", "nsm.cose");
	uint8_t *bytes = arena_alloc(&arena, document.len + 1);
	bytes[0] = 0xd2;
	memcpy(bytes + 1, document.data, document.len);
	assert_true(nsm_looks_like(bytes_of(bytes, document.len + 1)));
	assert_int_equal(nsm_read(&arena, bytes_of(bytes, document.len + 1), &nsm, NULL), 0);
	assert_true(nsm.verified);
	arena_free(&arena);
}

static void the_built_in_root_is_the_published_one(void **state)
{
	struct arena arena = {0};
	struct jval *expected = expected_values();
	struct hash32 want, got = sha256(nsm_root());

	(void)state;
	assert_true(bytes_equal(
	        nsm_root(),
	        fixture_bytes(&arena, "tests/fixtures/nitro/AWS-NitroEnclaves-Root-G1.der")));
	fixture_fixed(want.b, 32, jval_get(expected, "nitro_attestation"), "root_der_sha256");
	assert_true(hash32_equal(&want, &got));
	jval_free(expected);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(real_documents_verify_unless_debug),
	        cmocka_unit_test(scale_blobs_hold_the_same_documents),
	        cmocka_unit_test(scale_blobs_of_other_shapes_are_refused),
	        cmocka_unit_test(a_changed_measurement_fails_the_signature_alone),
	        cmocka_unit_test(no_document_with_a_flipped_bit_verifies),
	        cmocka_unit_test(truncated_documents_are_refused),
	        cmocka_unit_test(the_optional_tag_is_accepted),
	        cmocka_unit_test(the_built_in_root_is_the_published_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
