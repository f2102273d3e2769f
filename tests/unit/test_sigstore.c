#include "common/measure/sigstore.h"

#include "common/base/base64.h"
#include "common/crypto/hash.h"
#include "common/crypto/timestamp.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define ISSUER "https://token.actions.githubusercontent.com"
#define BEACON                                                                                     \
	"https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/"  \
	"workflows/"
#define OURS "https://github.com/example-org/my-enclave/.github/workflows/"
#define HAPPY "conf_happy-path-intoto-in-dsse-v3.json"
#define MISMATCH "conf_dsse-mismatch-sig_fail.json"
#define REKOR2 "conf_rekor2-dsse-happy-path_bundle.sigstore.json"
#define PROVENANCE "go_sigstore.js@2.0.0-provenance.sigstore.json"

static struct bytes load(struct arena *arena, const char *name)
{
	return fixture_bytes(arena, arena_printf(arena, "tests/fixtures/sigstore/%s", name));
}

static struct sigstore_root *load_root(struct arena *arena, const char *name)
{
	struct sigstore_root *root = arena_alloc(arena, sizeof(*root));
	struct error error;

	if (sigstore_root_read(arena, load(arena, name), root, &error) != 0)
		fail_msg("%s: %s", name, error.text);
	return root;
}

static struct sigstore verify(struct arena *arena, struct bytes bundle, const char *root,
                              const struct sigstore_expect *expect)
{
	struct sigstore out;
	struct error error;

	if (sigstore_verify(arena, bundle, root != NULL ? load_root(arena, root) : NULL, expect,
	                    &out, &error) != 0)
		fail_msg("no bundle: %s", error.text);
	return out;
}

static enum check_result result_of(const struct sigstore *sigstore, const char *name)
{
	const struct check *check = checks_find(&sigstore->checks, name);

	assert_non_null(check);
	return check->result;
}

static void assert_verdict(const struct sigstore *sigstore, enum sigstore_verdict verdict)
{
	if (sigstore->verdict == verdict)
		return;
	for (size_t i = 0; i < sigstore->checks.count; i++)
		print_error("%s: %s: %s\n", sigstore->checks.items[i].name,
		            check_result_name(sigstore->checks.items[i].result),
		            sigstore->checks.items[i].text);
	assert_int_equal(sigstore->verdict, verdict);
}

/* A lone subject, kept for the expectation. */
static struct hash32 subject_of(const char *name)
{
	struct jval *expected = fixture_json("tests/fixtures/sigstore/expected.json");
	const struct jval *subject = jval_at(jval_get(jval_get(expected, name), "subject"), 0);
	struct hash32 out;

	fixture_fixed(out.b, 32, jval_get(subject, "digest"), "sha256");
	jval_free(expected);
	return out;
}

static void real_bundles_verify_as_expected(void **state)
{
	static const struct {
		const char *name, *workflow;
		enum sigstore_verdict verdict;
	} cases[] = {
	        {HAPPY, BEACON, SIGSTORE_VERIFIED},
	        {"legacy_from_happy-path.json", BEACON, SIGSTORE_VERIFIED},
	        {MISMATCH, BEACON, SIGSTORE_REFUSED},
	        {REKOR2, BEACON, SIGSTORE_VERIFIED},
	};
	struct arena arena = {0};
	struct jval *expected = fixture_json("tests/fixtures/sigstore/expected.json");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct jval *want = jval_get(expected, cases[i].name);
		struct hash32 subject = subject_of(cases[i].name);
		struct sigstore_expect expect = {.issuer = ISSUER,
		                                 .workflow = cases[i].workflow,
		                                 .subjects = &subject,
		                                 .subject_count = 1};
		struct sigstore out = verify(&arena, load(&arena, cases[i].name),
		                             fixture_string(want, "trusted_root"), &expect);
		assert_verdict(&out, cases[i].verdict);
		assert_int_equal(result_of(&out, SIGSTORE_CHECK_ENVELOPE), CHECK_PASSED);
		assert_int_equal(result_of(&out, SIGSTORE_CHECK_CERTIFICATE), CHECK_PASSED);
		assert_int_equal(result_of(&out, SIGSTORE_CHECK_CERTIFICATE_LOG), CHECK_PASSED);
		assert_int_equal(result_of(&out, SIGSTORE_CHECK_SUBJECT), CHECK_PASSED);
		assert_string_equal(out.issuer, ISSUER);
		assert_int_equal(out.legacy, strstr(cases[i].name, "legacy") != NULL);
		assert_int_equal(result_of(&out, SIGSTORE_CHECK_INCLUSION),
		                 out.legacy ? CHECK_UNDECIDED : CHECK_PASSED);
		if (jval_get(want, "san_uri") != NULL)
			assert_string_equal(out.workflow, fixture_string(want, "san_uri"));
		if (jval_get(want, "predicateType") != NULL)
			assert_string_equal(out.predicate_type,
			                    fixture_string(want, "predicateType"));
	}
	jval_free(expected);
	arena_free(&arena);
}

static void an_entry_about_another_envelope_is_refused(void **state)
{
	struct arena arena = {0};
	struct sigstore_expect expect = {.issuer = ISSUER, .workflow = BEACON};

	(void)state;
	struct sigstore out =
	        verify(&arena, load(&arena, MISMATCH), "go_public-good.json", &expect);
	assert_verdict(&out, SIGSTORE_REFUSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_BODY), CHECK_FAILED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_PROMISE), CHECK_PASSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_TIME), CHECK_PASSED);
	arena_free(&arena);
}

#define REKOR2_ROOT "conf_rekor2-dsse-happy-path_trusted_root.json"

/* Their time is a timestamp authority's. */
static void entries_of_rekor_v2_verify_by_their_timestamp(void **state)
{
	struct arena arena = {0};
	struct hash32 subject = subject_of(REKOR2);
	struct sigstore_expect expect = {
	        .issuer = ISSUER, .workflow = BEACON, .subjects = &subject, .subject_count = 1};

	(void)state;
	struct sigstore out = verify(&arena, load(&arena, REKOR2), REKOR2_ROOT, &expect);
	assert_verdict(&out, SIGSTORE_VERIFIED);
	assert_int_equal(out.logged_at, 1778700213);
	assert_null(checks_find(&out.checks, SIGSTORE_CHECK_LOG_PROMISE));
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_BODY), CHECK_PASSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_TIMESTAMP), CHECK_PASSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_TIME), CHECK_PASSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_INCLUSION), CHECK_PASSED);
	arena_free(&arena);
}

/* A copy of text without what lies between the two, which is replaced. */
static struct bytes replaced(struct arena *arena, struct bytes text, const char *from,
                             const char *until, const char *with)
{
	char *copy = arena_text(arena, text);
	char *begin = strstr(copy, from), *end = begin != NULL ? strstr(begin, until) : NULL;

	assert_non_null(end);
	*begin = '\0';
	return bytes_text(arena_printf(arena, "%s%s%s", copy, with, end));
}

static void without_a_signed_time_nothing_is_decided(void **state)
{
	struct arena arena = {0};
	struct hash32 subject = subject_of(REKOR2);
	struct sigstore_expect expect = {
	        .issuer = ISSUER, .workflow = BEACON, .subjects = &subject, .subject_count = 1};
	struct bytes bundle = load(&arena, REKOR2);
	struct sigstore_root *root = load_root(&arena, REKOR2_ROOT);
	struct sigstore out;

	(void)state;
	/* No timestamp; a time that nobody signed does not help. */
	struct bytes bare = replaced(&arena, bundle, "\"rfc3161Timestamps\"", "\"signedTimestamp\"",
	                             "\"others\": [{");
	bare = replaced(&arena, bare, "\"inclusionProof\"", ": {",
	                "\"integratedTime\": \"1778700213\", \"inclusionProof\"");
	out = verify(&arena, bare, REKOR2_ROOT, &expect);
	assert_verdict(&out, SIGSTORE_UNDECIDED);
	assert_int_equal(out.logged_at, 0);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_TIMESTAMP), CHECK_UNDECIDED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_TIME), CHECK_UNDECIDED);

	/* No authority for it. */
	struct sigstore_root without = *root;
	without.clock_count = 0;
	assert_int_equal(sigstore_verify(&arena, bundle, &without, &expect, &out, NULL), 0);
	assert_verdict(&out, SIGSTORE_UNDECIDED);
	/* Another authority, or one that was not trusted then. */
	without.clock_count = 1;
	without.clocks[0] = load_root(&arena, "go_public-good.json")->clocks[0];
	assert_int_equal(sigstore_verify(&arena, bundle, &without, &expect, &out, NULL), 0);
	assert_verdict(&out, SIGSTORE_REFUSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_TIMESTAMP), CHECK_FAILED);
	without.clocks[0] = root->clocks[0];
	without.clocks[0].until = 1778700212;
	assert_int_equal(sigstore_verify(&arena, bundle, &without, &expect, &out, NULL), 0);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_TIMESTAMP), CHECK_FAILED);

	/* Neither a promise nor a proof. */
	bare = replaced(&arena, bundle, "\"inclusionProof\"", "\"canonicalizedBody\"", "");
	out = verify(&arena, bare, REKOR2_ROOT, &expect);
	assert_verdict(&out, SIGSTORE_UNDECIDED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_PROMISE), CHECK_UNDECIDED);
	arena_free(&arena);
}

/* Every byte of the token is looked at, or means nothing. */
static void no_flipped_timestamp_verifies_at_another_time(void **state)
{
	struct arena arena = {0};
	struct jval *bundle = fixture_json("tests/fixtures/sigstore/" REKOR2);
	const struct jval *material = jval_get(bundle, "verificationMaterial");
	const struct jval *envelope = jval_get(bundle, "dsseEnvelope");
	const struct jval *stamp = jval_at(
	        jval_get(jval_get(material, "timestampVerificationData"), "rfc3161Timestamps"), 0);
	const struct sigstore_authority *clock = &load_root(&arena, REKOR2_ROOT)->clocks[0];
	struct bytes token, signature;
	int64_t at;
	size_t accepted = 0;

	(void)state;
	assert_int_equal(
	        base64_decode(&arena, &token, jval_get_string(stamp, "signedTimestamp"), NULL), 0);
	assert_int_equal(
	        base64_decode(&arena, &signature,
	                      jval_get_string(jval_at(jval_get(envelope, "signatures"), 0), "sig"),
	                      NULL),
	        0);
	assert_int_equal(timestamp_verify(token, signature, clock->chain, clock->count, &at, NULL),
	                 0);
	assert_int_equal(at, 1778700213);
	assert_int_equal(
	        timestamp_verify(token, bytes_text("other"), clock->chain, clock->count, &at, NULL),
	        ERR_DENIED);
	assert_int_equal(at, 0);
	assert_int_equal(timestamp_verify(token, signature, clock->chain, 0, &at, NULL),
	                 ERR_INVALID);
	uint8_t *bytes = (uint8_t *)arena_copy(&arena, token).data;
	for (size_t i = 0; i < token.len; i++) {
		bytes[i] ^= 1;
		if (timestamp_verify(bytes_of(bytes, token.len), signature, clock->chain,
		                     clock->count, &at, NULL) == 0) {
			assert_int_equal(at, 1778700213);
			accepted++;
		}
		bytes[i] ^= 1;
		assert_int_not_equal(timestamp_verify(bytes_of(bytes, i), signature, clock->chain,
		                                      clock->count, &at, NULL),
		                     0);
	}
	/* What no signature covers: a few versions and identifiers around it. */
	assert_true(accepted < 16);
	jval_free(bundle);
	arena_free(&arena);
}

static void older_bundles_and_entries_are_read(void **state)
{
	struct arena arena = {0};
	struct sigstore_expect expect = {
	        .issuer = ISSUER,
	        .workflow =
	                "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@",
	};

	(void)state;
	struct sigstore out =
	        verify(&arena, load(&arena, PROVENANCE), "go_public-good.json", &expect);
	/* Its subject has a SHA-512 alone. */
	assert_verdict(&out, SIGSTORE_UNDECIDED);
	assert_null(checks_first_failed(&out.checks));
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_BODY), CHECK_PASSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_SUBJECT), CHECK_UNDECIDED);
	assert_int_equal(out.subject_count, 0);
	assert_int_equal(out.logged_at, 1692374735);
	assert_false(out.has_value);
	arena_free(&arena);
}

/* --- the template's attestations --- */

static const char *const ours[] = {
        "synthetic_eif_v3.sigstore.json", "synthetic_pcr_payload_v3.sigstore.json",
        "synthetic_eif_legacy.sigstore.json", "synthetic_pcr_payload_legacy.sigstore.json"};

static void measurements_of_the_template_verify_in_both_layouts(void **state)
{
	struct arena arena = {0};
	struct bytes payload = load(&arena, "pcr_payload.bin");
	struct hash32 subjects[] = {
	        sha256(fixture_bytes(&arena, "tests/fixtures/eif/basic2rd.eif")), sha256(payload)};
	struct sigstore_expect expect = {.issuer = ISSUER,
	                                 .workflow = OURS,
	                                 .predicate_type = SIGSTORE_MEASUREMENTS_TYPE,
	                                 .subjects = subjects,
	                                 .subject_count = 2,
	                                 .value = &subjects[1]};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		struct sigstore out = verify(&arena, load(&arena, ours[i]),
		                             "synthetic_trusted_root.json", &expect);
		assert_verdict(&out, SIGSTORE_VERIFIED);
		assert_true(out.has_value);
		assert_true(hash32_equal(&out.value, &subjects[1]));
		assert_int_equal(result_of(&out, SIGSTORE_CHECK_CERTIFICATE_LOG), CHECK_UNDECIDED);
		assert_int_equal(out.logged_at, 1772366407);
	}
	arena_free(&arena);
}

static struct sigstore verify_ours(struct arena *arena, const struct sigstore_expect *expect)
{
	return verify(arena, load(arena, ours[0]), "synthetic_trusted_root.json", expect);
}

static void another_build_is_refused(void **state)
{
	struct arena arena = {0};
	struct hash32 other = sha256(bytes_text("other"));
	struct sigstore_expect expect = {
	        .issuer = ISSUER, .workflow = OURS, .subjects = &other, .subject_count = 1};

	(void)state;
	struct sigstore out = verify_ours(&arena, &expect);
	assert_verdict(&out, SIGSTORE_REFUSED);
	assert_string_equal(checks_first_failed(&out.checks)->name, SIGSTORE_CHECK_SUBJECT);

	expect.subject_count = 0;
	expect.value = &other;
	out = verify_ours(&arena, &expect);
	assert_verdict(&out, SIGSTORE_REFUSED);
	assert_string_equal(checks_first_failed(&out.checks)->name, SIGSTORE_CHECK_PREDICATE);

	expect.value = NULL;
	expect.predicate_type = "https://slsa.dev/provenance/v1";
	out = verify_ours(&arena, &expect);
	assert_verdict(&out, SIGSTORE_REFUSED);
	assert_string_equal(checks_first_failed(&out.checks)->name, SIGSTORE_CHECK_PREDICATE);
	arena_free(&arena);
}

static void who_signed_is_matched_in_full(void **state)
{
	static const struct {
		const char *workflow;
		bool matches;
	} cases[] = {
	        {OURS, true},
	        {OURS "build-and-release.yml@", true},
	        {OURS "build-and-release.yml@refs/tags/v1.2.3", true},
	        {OURS "build-and-release.yml@refs/tags/", true},
	        {OURS "build-and-release.yml", false},
	        {OURS "build", false},
	        {OURS "build-and-release.yml@refs/tags/v1.2", false},
	        {OURS "other.yml@", false},
	        {"https://github.com/example-org/my-encl", false},
	        {"https://github.com/example-org/my-enclave", false},
	        {"https://github.com/example-org/my-enclave/", false}, /* too wide to be one */
	        {"https://github.com/example-org/", false},
	        {"https://github.com/", false},
	        {"github.com/example-org/my-enclave/.github/workflows/", false},
	        {"", false},
	};
	struct arena arena = {0};
	struct hash32 subject = subject_of(ours[0]);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sigstore_expect expect = {.issuer = ISSUER,
		                                 .workflow = cases[i].workflow,
		                                 .subjects = &subject,
		                                 .subject_count = 1};
		struct sigstore out = verify_ours(&arena, &expect);
		assert_verdict(&out, cases[i].matches ? SIGSTORE_VERIFIED : SIGSTORE_REFUSED);
		assert_int_equal(checks_passed(&out.checks, SIGSTORE_CHECK_WORKFLOW),
		                 cases[i].matches);
	}
	struct sigstore_expect expect = {.issuer = ISSUER ".evil", .workflow = OURS};
	struct sigstore out = verify_ours(&arena, &expect);
	assert_string_equal(checks_first_failed(&out.checks)->name, SIGSTORE_CHECK_ISSUER);
	expect = (struct sigstore_expect){.subjects = &subject, .subject_count = 1};
	out = verify_ours(&arena, &expect);
	assert_verdict(&out, SIGSTORE_UNDECIDED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_ISSUER), CHECK_UNDECIDED);
	arena_free(&arena);
}

static void without_the_right_root_nothing_is_verified(void **state)
{
	struct arena arena = {0};
	struct hash32 subject = subject_of(ours[0]);
	struct sigstore_expect expect = {
	        .issuer = ISSUER, .workflow = OURS, .subjects = &subject, .subject_count = 1};

	(void)state;
	struct sigstore out = verify(&arena, load(&arena, ours[0]), NULL, &expect);
	assert_verdict(&out, SIGSTORE_UNDECIDED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_ENVELOPE), CHECK_PASSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_CERTIFICATE), CHECK_UNDECIDED);

	out = verify(&arena, load(&arena, ours[0]), "go_public-good.json", &expect);
	assert_verdict(&out, SIGSTORE_REFUSED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_CERTIFICATE), CHECK_FAILED);
	assert_int_equal(result_of(&out, SIGSTORE_CHECK_LOG_PROMISE), CHECK_FAILED);
	arena_free(&arena);
}

/* --- damage --- */

static bool same_text(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether the byte is one to damage: all of what is between and at the beginning of strings; of
 * what long ones hold (base64 of documents of their own) one in thirteen, which is another of the
 * four letters of a group each time. */
static bool is_probed(struct bytes bundle, size_t i)
{
	size_t start = i;

	while (start > 0 && bundle.data[start] != '"')
		start--;
	return i - start < 48 || i % 13 == 0;
}

/* Some bytes of a bundle are signed by nobody (key ids, the names of members); what is verified in
 * spite of a change must be just what was verified before. */
static void assert_damage_is_noticed(const char *name, const char *root_name,
                                     const struct sigstore_expect *expect)
{
	struct arena arena = {0};
	struct bytes bundle = load(&arena, name);
	struct sigstore_root *root = load_root(&arena, root_name);
	struct sigstore want = verify(&arena, bundle, root_name, expect);
	uint8_t *bytes = arena_alloc(&arena, bundle.len);
	size_t damaged = 0, refused = 0;

	memcpy(bytes, bundle.data, bundle.len);
	assert_verdict(&want, SIGSTORE_VERIFIED);
	for (size_t i = 0; i < bundle.len; i++) {
		struct arena scratch = {0};
		struct sigstore out;
		if (!is_probed(bundle, i))
			continue;
		damaged++;
		bytes[i] ^= (uint8_t)(1 << i % 6);
		int rc = sigstore_verify(&scratch, bytes_of(bytes, bundle.len), root, expect, &out,
		                         NULL);
		if (rc != 0 || out.verdict != SIGSTORE_VERIFIED) {
			refused++;
		} else {
			assert_true(bytes_equal(out.certificate, want.certificate));
			assert_true(same_text(out.workflow, want.workflow));
			assert_int_equal(out.logged_at, want.logged_at);
			assert_int_equal(out.subject_count, want.subject_count);
			assert_memory_equal(out.subjects, want.subjects,
			                    want.subject_count * sizeof(*want.subjects));
			assert_memory_equal(&out.value, &want.value, sizeof(want.value));
		}
		bytes[i] = bundle.data[i];
		arena_free(&scratch);
	}
	assert_true(refused > damaged / 10 * 7);
	arena_free(&arena);
}

static void no_damaged_bundle_verifies_as_something_else(void **state)
{
	struct hash32 subject = subject_of(ours[0]);
	struct sigstore_expect expect = {
	        .issuer = ISSUER, .workflow = OURS, .subjects = &subject, .subject_count = 1};

	(void)state;
	assert_damage_is_noticed(ours[0], "synthetic_trusted_root.json", &expect);
	assert_damage_is_noticed(ours[2], "synthetic_trusted_root.json", &expect);
}

static void truncated_bundles_and_roots_are_refused(void **state)
{
	struct arena arena = {0};
	struct bytes bundle = load(&arena, ours[0]);
	struct bytes root = load(&arena, "synthetic_trusted_root.json");
	struct sigstore_expect expect = {0};
	struct sigstore_root read;
	struct sigstore out;

	(void)state;
	for (size_t len = 0; len + 2 < bundle.len; len += 7)
		assert_int_equal(sigstore_verify(&arena, bytes_of(bundle.data, len), NULL, &expect,
		                                 &out, NULL),
		                 ERR_INVALID);
	for (size_t len = 0; len + 2 < root.len; len += 7)
		assert_int_equal(sigstore_root_read(&arena, bytes_of(root.data, len), &read, NULL),
		                 ERR_INVALID);
	arena_free(&arena);
}

static void other_documents_are_no_attestations(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
	        {"{}", "mediaType"},
	        {"[]", "mediaType"},
	        {"{\"base64Signature\":\"MEUCIQ==\",\"cert\":\"\",\"rekorBundle\":{}}",
	         "a signature over a file"},
	        {"{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
	         "\"messageSignature\":{}}",
	         "it is no attestation"},
	        {"{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.9+json\","
	         "\"dsseEnvelope\":{}}",
	         "version 0.1 to 0.3"},
	};
	struct arena arena = {0};
	struct sigstore_expect expect = {0};
	struct sigstore out;
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(sigstore_verify(&arena, bytes_text(cases[i].text), NULL, &expect,
		                                 &out, &error),
		                 ERR_INVALID);
		if (strstr(error.text, cases[i].reason) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].reason);
	}
	arena_free(&arena);
}

static void the_documents_are_told_from_others(void **state)
{
	static const char *const others[] = {"{}", "[]", "{\"PCR0\":\"\"}",
	                                     "{\"mediaType\":\"text/plain\"}",
	                                     "{\"base64Signature\":\"\"}"};
	struct arena arena = {0};
	struct jval *document;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		assert_int_equal(jval_parse(&document, load(&arena, ours[i]), NULL), 0);
		assert_true(sigstore_is(document));
		jval_free(document);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_int_equal(jval_parse(&document, bytes_text(others[i]), NULL), 0);
		assert_false(sigstore_is(document));
		jval_free(document);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(real_bundles_verify_as_expected),
	        cmocka_unit_test(an_entry_about_another_envelope_is_refused),
	        cmocka_unit_test(entries_of_rekor_v2_verify_by_their_timestamp),
	        cmocka_unit_test(without_a_signed_time_nothing_is_decided),
	        cmocka_unit_test(no_flipped_timestamp_verifies_at_another_time),
	        cmocka_unit_test(older_bundles_and_entries_are_read),
	        cmocka_unit_test(measurements_of_the_template_verify_in_both_layouts),
	        cmocka_unit_test(another_build_is_refused),
	        cmocka_unit_test(who_signed_is_matched_in_full),
	        cmocka_unit_test(without_the_right_root_nothing_is_verified),
	        cmocka_unit_test(no_damaged_bundle_verifies_as_something_else),
	        cmocka_unit_test(truncated_bundles_and_roots_are_refused),
	        cmocka_unit_test(other_documents_are_no_attestations),
	        cmocka_unit_test(the_documents_are_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
