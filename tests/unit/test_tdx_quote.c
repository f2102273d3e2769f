#include "common/measure/tdx_quote.h"

#include "common/crypto/hash.h"
#include "common/crypto/x509.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FOLDER "tests/fixtures/tdx/"

/* 2026-06-01: inside the validity of every certificate of the fixtures. */
static const struct wall now = {1780272000000};

static const char *const four[] = {"quote-signature", "qe-binding", "qe-signature", "pck-chain"};

static struct bytes load(struct arena *arena, const char *name)
{
	return fixture_bytes(arena, arena_printf(arena, FOLDER "%s.quote.bin", name));
}

static struct tdx_verdict judge(struct arena *arena, struct bytes raw, struct bytes root)
{
	struct tdx_quote quote;
	struct tdx_verdict verdict;
	struct error error = {0};

	if (tdx_quote_parse(raw, &quote, &error) != 0)
		fail_msg("the quote does not parse: %s", error.text);
	tdx_quote_verify(arena, &quote, root, now, &verdict);
	return verdict;
}

static void assert_field(const void *got, size_t size, const struct jval *want, const char *key)
{
	uint8_t expected[64];

	fixture_fixed(expected, size, want, key);
	assert_memory_equal(got, expected, size);
}

static void assert_fields(const struct tdx_quote *quote, const struct jval *want)
{
	char key[16];

	assert_int_equal(quote->version, fixture_int(want, "version"));
	assert_int_equal(quote->body_type, fixture_int(want, "body_type"));
	assert_int_equal(quote->signed_part.len, fixture_int(want, "signed_len"));
	assert_field(quote->user_data, 20, want, "user_data");
	assert_field(quote->tee_tcb_svn, 16, want, "tee_tcb_svn");
	assert_field(quote->mr_seam, 48, want, "mrseam");
	assert_field(quote->mr_signer_seam, 48, want, "mrsignerseam");
	assert_field(quote->seam_attributes, 8, want, "seamattributes");
	assert_field(quote->td_attributes, 8, want, "tdattributes");
	assert_field(quote->xfam, 8, want, "xfam");
	assert_field(quote->mrtd, 48, want, "mrtd");
	assert_field(quote->mr_config_id, 48, want, "mrconfigid");
	assert_field(quote->mr_owner, 48, want, "mrowner");
	assert_field(quote->mr_owner_config, 48, want, "mrownerconfig");
	assert_field(quote->report_data, 64, want, "reportdata");
	for (int i = 0; i < TDX_RTMRS; i++) {
		snprintf(key, sizeof(key), "rtmr%d", i);
		assert_field(quote->rtmr[i], 48, want, key);
	}
}

static int real_quote(const char *name, const struct jval *entry, void *arg)
{
	const struct jval *want = jval_get(entry, "quote_expected");
	struct arena arena = {0};
	struct tdx_quote quote;

	(void)arg;
	if (want == NULL)
		return 0;
	struct bytes raw = load(&arena, name);
	assert_int_equal(tdx_quote_parse(raw, &quote, NULL), 0);
	assert_fields(&quote, want);

	struct tdx_verdict verdict = judge(&arena, raw, tdx_intel_root());
	for (size_t i = 0; i < ARRAY_LEN(four); i++)
		assert_true(checks_passed(&verdict.checks, four[i]));
	assert_true(verdict.genuine);
	assert_true(verdict.allowed);
	assert_int_equal(checks_find(&verdict.checks, "tcb-status")->result, CHECK_UNDECIDED);
	assert_true(verdict.has_pck);
	const struct jval *pck = jval_get(want, "pck");
	assert_field(verdict.ppid, 16, pck, "ppid");
	assert_field(verdict.fmspc, 6, pck, "fmspc");
	assert_field(verdict.device_of_ppid.b, 32, pck, "device_id_ppid");
	assert_field(verdict.device_of_user_data.b, 32, want, "device_id_user_data");
	arena_free(&arena);
	return 0;
}

static void test_real_quotes_verify(void **state)
{
	struct jval *expected = fixture_json(FOLDER "expected.json");

	(void)state;
	assert_int_equal(jval_each(expected, real_quote, NULL), 0);
	jval_free(expected);
}

static void test_root_is_intels(void **state)
{
	struct arena arena = {0};
	struct bytes file = fixture_bytes(&arena, FOLDER "IntelSGXRootCA.der");

	(void)state;
	assert_true(bytes_equal(tdx_intel_root(), file));
	arena_free(&arena);
}

static void assert_check(const struct tdx_verdict *verdict, const char *name, bool want)
{
	const struct check *check = checks_find(&verdict->checks, name);

	assert_non_null(check);
	if (check->result != (want ? CHECK_PASSED : CHECK_FAILED))
		fail_msg("%s: %s (%s)", name, check_result_name(check->result), check->text);
}

static void test_mutations_fail_in_their_check(void **state)
{
	struct jval *expected = fixture_json(FOLDER "expected.json");
	const struct jval *list = jval_get(expected, "_mutations_of_quote-report");
	struct arena arena = {0};
	struct bytes raw = load(&arena, "quote-report");

	(void)state;
	assert_int_equal(jval_count(list), 13);
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *one = jval_at(list, i);
		struct bytes copy = arena_copy(&arena, raw);
		((uint8_t *)copy.data)[fixture_int(one, "offset")] ^=
		        (uint8_t)fixture_int(one, "xor");
		struct tdx_verdict verdict = judge(&arena, copy, tdx_intel_root());
		assert_false(verdict.genuine);
		assert_check(&verdict, "pck-chain", true);
		if (jval_get(one, "error") != NULL) {
			assert_check(&verdict, "quote-signature", false);
			assert_check(&verdict, "qe-binding", false);
			assert_string_equal(checks_find(&verdict.checks, "quote-signature")->text,
			                    "the key is no point of P-256");
			continue;
		}
		assert_check(&verdict, "quote-signature", jval_is_true(jval_get(one, "quote_sig")));
		assert_check(&verdict, "qe-binding",
		             jval_is_true(jval_get(one, "qe_report_data_ok")));
		assert_check(&verdict, "qe-signature", jval_is_true(jval_get(one, "qe_sig")));
	}
	arena_free(&arena);
	jval_free(expected);
}

static bool same_certificates(struct arena *arena, struct bytes a, struct bytes b)
{
	struct bytes left[3], right[3];
	size_t lefts, rights;

	if (x509_all_from_pem(arena, left, 3, &lefts, a, NULL) != 0 ||
	    x509_all_from_pem(arena, right, 3, &rights, b, NULL) != 0 || lefts != rights)
		return false;
	for (size_t i = 0; i < lefts; i++)
		if (!bytes_equal(left[i], right[i]))
			return false;
	return true;
}

/* One bit of every step-th byte. Only the PEM's line ends and letters outside the blocks may change
 * without effect; the certificates in it are then the same bytes. */
static void flip_bits(const char *name, size_t end, size_t step)
{
	struct arena kept = {0};
	struct bytes raw = load(&kept, name);
	struct tdx_quote original, quote;
	uint8_t *copy = (uint8_t *)arena_copy(&kept, raw).data;

	assert_int_equal(tdx_quote_parse(raw, &original, NULL), 0);
	for (size_t i = 0; i < end && i < raw.len; i += step) {
		struct arena arena = {0};
		struct tdx_verdict verdict;

		copy[i] ^= (uint8_t)(1 << (i % 8));
		if (tdx_quote_parse(bytes_of(copy, raw.len), &quote, NULL) == 0) {
			tdx_quote_verify(&arena, &quote, tdx_intel_root(), now, &verdict);
			if (verdict.genuine)
				assert_true(same_certificates(&arena, original.pck_chain,
				                              quote.pck_chain));
		}
		copy[i] = raw.data[i];
		arena_free(&arena);
	}
	arena_free(&kept);
}

static void test_no_flipped_bit_verifies_v4(void **state)
{
	(void)state;
	flip_bits("quote-report", 1300, 3);
	flip_bits("quote-report", SIZE_MAX, 29);
}

static void test_no_flipped_bit_verifies_v5(void **state)
{
	(void)state;
	flip_bits("dcap-qvl-sample-v5-td15", 1300, 5);
}

/* Of the PCK certificate itself a bit of every byte, and all of its head and tail: encodings that
 * mean the same are refused too. */
static void test_no_flipped_bit_of_the_leaf_verifies(void **state)
{
	struct arena arena = {0};
	struct tdx_quote quote;
	struct bytes chain[3];
	size_t count;

	(void)state;
	assert_int_equal(tdx_quote_parse(load(&arena, "quote-report"), &quote, NULL), 0);
	assert_int_equal(x509_all_from_pem(&arena, chain, 3, &count, quote.pck_chain, NULL), 0);
	uint8_t *leaf = (uint8_t *)arena_copy(&arena, chain[0]).data;
	struct bytes original = chain[0];
	chain[0].data = leaf;
	assert_int_equal(x509_chain_verify(chain, 2, tdx_intel_root(), now.ms / 1000, NULL), 0);
	for (size_t i = 0; i < original.len; i++) {
		bool whole = i < 8 || i + 20 > original.len;
		for (int bit = whole ? 0 : 7; bit < 8; bit++) {
			leaf[i] ^= (uint8_t)(1 << bit);
			if (x509_chain_verify(chain, 2, tdx_intel_root(), now.ms / 1000, NULL) == 0)
				fail_msg("bit %d of byte %zu of %zu may change", bit, i,
				         original.len);
			leaf[i] = original.data[i];
		}
	}
	arena_free(&arena);
}

static void assert_refused(struct bytes raw, const char *text)
{
	struct tdx_quote quote;
	struct error error = {0};

	assert_true(tdx_quote_parse(raw, &quote, &error) < 0);
	if (text != NULL)
		assert_string_equal(error.text, text);
	assert_int_equal(quote.version, 0);
	assert_null(quote.signed_part.data);
}

static void test_every_length_is_bounded(void **state)
{
	struct arena arena = {0};
	struct bytes raw = load(&arena, "quote-report");
	size_t end = raw.len;

	(void)state;
	while (end > 0 && raw.data[end - 1] == 0)
		end--;
	for (size_t len = 0; len < end; len++) {
		uint8_t *exact = xmalloc(len); /* so that a read behind it is seen */
		if (len > 0)
			memcpy(exact, raw.data, len);
		assert_refused(bytes_of(exact, len), NULL);
		free(exact);
	}
	arena_free(&arena);
}

static void test_refused_shapes(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *text;
	} cases[] = {
	        {0, 3, "quote version 3, expected 4 or 5"},
	        {0, 6, "quote version 6, expected 4 or 5"},
	        {2, 3, "attestation key type is 3, expected 2"},
	        {4, 0, "TEE type is 0, expected 129"},
	        {12, 0, "the quoting enclave is not Intel's"},
	        {635, 0xff, "the quote ends early"},
	        {764, 5, "type of the certification data is 5, expected 6"},
	        {767, 0xff, NULL},
	        {1218, 0xff, NULL},
	};
	struct arena arena = {0};
	struct bytes raw = load(&arena, "quote-report");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes copy = arena_copy(&arena, raw);
		((uint8_t *)copy.data)[cases[i].offset] = cases[i].value;
		assert_refused(copy, cases[i].text);
	}
	uint8_t *longer = arena_alloc(&arena, TDX_QUOTE_MAX + 1);
	memcpy(longer, raw.data, raw.len);
	struct tdx_quote quote;
	assert_int_equal(tdx_quote_parse(bytes_of(longer, raw.len + 100), &quote, NULL), 0);
	longer[raw.len + 50] = 1;
	assert_refused(bytes_of(longer, raw.len + 100), NULL);
	assert_refused(bytes_of(longer, TDX_QUOTE_MAX + 1), NULL);
	arena_free(&arena);
}

static void test_version_5_bodies(void **state)
{
	struct arena arena = {0};
	struct bytes copy = load(&arena, "dcap-qvl-sample-v5-td15");
	uint8_t *body = (uint8_t *)copy.data + 48;

	(void)state;
	body[0] = 1;
	assert_refused(copy, "body type 1, expected 2 or 3 (a trust domain)");
	body[0] = 2;
	assert_refused(copy, "body size is 648, expected 584");
	arena_free(&arena);
}

static void test_time_and_root_count(void **state)
{
	struct arena arena = {0};
	struct bytes raw = load(&arena, "quote-report");
	struct tdx_quote quote;
	struct tdx_verdict verdict;

	(void)state;
	assert_int_equal(tdx_quote_parse(raw, &quote, NULL), 0);
	struct wall before = {1757900000000}; /* 2025-09-15, a day before the leaf */
	tdx_quote_verify(&arena, &quote, tdx_intel_root(), before, &verdict);
	assert_check(&verdict, "pck-chain", false);
	assert_check(&verdict, "qe-signature", true);
	assert_false(verdict.genuine);

	struct wall after = {2000000000000};
	tdx_quote_verify(&arena, &quote, tdx_intel_root(), after, &verdict);
	assert_check(&verdict, "pck-chain", false);

	struct bytes other[3];
	size_t count;
	assert_int_equal(x509_all_from_pem(&arena, other, 3, &count, quote.pck_chain, NULL), 0);
	tdx_quote_verify(&arena, &quote, other[1], now, &verdict);
	assert_check(&verdict, "pck-chain", false);
	arena_free(&arena);
}

static void test_policy(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *check;
	} cases[] = {
	        {168, 1, "debug"},     {168, 2, "debug"},     {171, 0, "td-policy"},
	        {112, 1, "td-policy"}, {160, 1, "td-policy"},
	};
	struct arena arena = {0};
	struct bytes raw = load(&arena, "quote-report");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes copy = arena_copy(&arena, raw);
		((uint8_t *)copy.data)[cases[i].offset] = cases[i].value;
		struct tdx_verdict verdict = judge(&arena, copy, tdx_intel_root());
		assert_check(&verdict, cases[i].check, false);
		assert_false(verdict.allowed);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_real_quotes_verify),
	        cmocka_unit_test(test_root_is_intels),
	        cmocka_unit_test(test_mutations_fail_in_their_check),
	        cmocka_unit_test(test_no_flipped_bit_verifies_v4),
	        cmocka_unit_test(test_no_flipped_bit_verifies_v5),
	        cmocka_unit_test(test_no_flipped_bit_of_the_leaf_verifies),
	        cmocka_unit_test(test_every_length_is_bounded),
	        cmocka_unit_test(test_refused_shapes),
	        cmocka_unit_test(test_version_5_bodies),
	        cmocka_unit_test(test_time_and_root_count),
	        cmocka_unit_test(test_policy),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
