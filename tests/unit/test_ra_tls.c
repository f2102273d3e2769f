#include "common/measure/ra_tls.h"

#include "common/crypto/hash.h"
#include "common/crypto/x509.h"
#include "common/measure/event_log.h"
#include "common/measure/tdx_quote.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define MADE "tests/fixtures/ra_tls/"

static const int64_t now = 1780272000;

static struct ra_tls load(struct arena *arena, const char *path)
{
	struct jval *info = fixture_json(path);
	struct error error = {0};
	struct ra_tls ra_tls;

	char *pem = arena_strdup(arena, fixture_string(info, "app_cert"));
	if (ra_tls_read(arena, &ra_tls, bytes_text(pem), &error) != 0)
		fail_msg("%s", error.text);
	jval_free(info);
	return ra_tls;
}

static void test_extensions(void **state)
{
	struct jval *want = fixture_json(MADE "expected.json");
	struct arena arena = {0};
	struct ra_tls ra_tls = load(&arena, MADE "info_attested.json");
	struct event_log log;
	struct tdx_quote quote;

	(void)state;
	assert_int_equal(ra_tls.count, 3);
	assert_true(bytes_equal(ra_tls.app_id, fixture_hex(&arena, want, "app_id")));
	assert_string_equal(ra_tls.usage, "app:custom");
	assert_int_equal(ra_tls.attestation.len, 0);
	assert_int_equal(ra_tls.app_info.len, 0);
	assert_int_equal(tdx_quote_parse(ra_tls.quote, &quote, NULL), 0);
	assert_memory_equal(quote.report_data, ra_tls.report_data, 64);
	assert_int_equal(event_log_parse(&arena, &log, ra_tls.event_log, NULL), 0);
	assert_memory_equal(log.rtmr[3], quote.rtmr[3], TDX_MR_SIZE);
	assert_int_equal(ra_tls_check_chain(&ra_tls, now, NULL), 0);
	arena_free(&arena);
	jval_free(want);
}

static void test_versioned(void **state)
{
	struct arena arena = {0};
	struct ra_tls ra_tls = load(&arena, MADE "info_attested_versioned.json");

	(void)state;
	assert_int_equal(ra_tls.quote.len, 0);
	assert_int_equal(ra_tls.event_log.len, 0);
	assert_true(ra_tls.attestation.len > 4000);
	arena_free(&arena);
}

static void test_chain(void **state)
{
	struct arena arena = {0};
	struct ra_tls ra_tls = load(&arena, MADE "info_attested.json");
	struct ra_tls other = load(&arena, MADE "info_foreign_cert.json");

	(void)state;
	assert_int_equal(ra_tls_check_chain(&ra_tls, 4102444800 /* 2100 */, NULL), ERR_DENIED);
	struct bytes kept = ra_tls.certificates[1];
	ra_tls.certificates[1] = other.certificates[1];
	assert_int_equal(ra_tls_check_chain(&ra_tls, now, NULL), ERR_DENIED);
	ra_tls.certificates[1] = kept;
	ra_tls.count = 1;
	assert_int_equal(ra_tls_check_chain(&ra_tls, now, NULL), ERR_INVALID);
	arena_free(&arena);
}

/* A changed byte anywhere in the leaf breaks the chain or the certificate. */
static void test_changed_bytes_of_the_leaf(void **state)
{
	struct arena arena = {0};
	struct ra_tls ra_tls = load(&arena, MADE "info_attested.json");
	struct bytes leaf = ra_tls.certificates[0];
	uint8_t *copy = (uint8_t *)arena_copy(&arena, leaf).data;

	(void)state;
	ra_tls.certificates[0].data = copy;
	for (size_t i = 0; i < leaf.len; i += 7) {
		copy[i] ^= (uint8_t)(1 << (i % 8));
		assert_true(ra_tls_check_chain(&ra_tls, now, NULL) < 0);
		copy[i] = leaf.data[i];
	}
	arena_free(&arena);
}

static void test_not_certificates(void **state)
{
	struct arena arena = {0};
	struct ra_tls ra_tls;
	struct error error;

	(void)state;
	assert_int_equal(ra_tls_read(&arena, &ra_tls, bytes_text(""), &error), ERR_INVALID);
	assert_int_equal(ra_tls_read(&arena, &ra_tls, bytes_text("hello"), &error), ERR_INVALID);
	uint8_t *large = arena_alloc(&arena, RA_TLS_MAX_PEM + 1);
	assert_int_equal(ra_tls_read(&arena, &ra_tls, bytes_of(large, RA_TLS_MAX_PEM + 1), &error),
	                 ERR_LIMIT);
	assert_int_equal(ra_tls.count, 0);

	struct jval *info = fixture_json(MADE "info_attested.json");
	const char *pem = fixture_string(info, "app_cert");
	struct buf many = {0};
	for (int i = 0; i < 3; i++)
		buf_append_text(&many, pem);
	assert_int_equal(ra_tls_read(&arena, &ra_tls, buf_bytes(&many), &error), ERR_LIMIT);
	for (size_t len = 1; len < strlen(pem); len += 53) {
		int rc = ra_tls_read(&arena, &ra_tls, bytes_of(pem, len), NULL);
		assert_true(rc < 0 || ra_tls.count < 3);
	}
	buf_free(&many);
	jval_free(info);
	arena_free(&arena);
}

/* Intel's certificates have none of the extensions, and are none of ours. */
static void test_without_extensions(void **state)
{
	struct arena arena = {0};
	struct tdx_quote quote;
	struct ra_tls ra_tls;

	(void)state;
	struct bytes raw = fixture_bytes(&arena, "tests/fixtures/tdx/quote-report.quote.bin");
	assert_int_equal(tdx_quote_parse(raw, &quote, NULL), 0);
	assert_int_equal(ra_tls_read(&arena, &ra_tls, quote.pck_chain, NULL), 0);
	assert_int_equal(ra_tls.count, 3);
	assert_int_equal(ra_tls.quote.len, 0);
	assert_int_equal(ra_tls.app_id.len, 0);
	assert_null(ra_tls.usage);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_extensions),
	        cmocka_unit_test(test_versioned),
	        cmocka_unit_test(test_chain),
	        cmocka_unit_test(test_changed_bytes_of_the_leaf),
	        cmocka_unit_test(test_not_certificates),
	        cmocka_unit_test(test_without_extensions),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
