#include "common/measure/mr.h"

#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PATH "tests/fixtures/mr/vectors.json"

static void assert_hash(struct hash32 got, const struct jval *want, const char *key)
{
	struct hash32 expected;

	fixture_fixed(expected.b, sizeof(expected.b), want, key);
	assert_true(hash32_equal(&got, &expected));
}

static void test_tdx(void **state)
{
	struct jval *file = fixture_json(PATH);
	const struct jval *want = jval_get(file, "tdx_readme");
	struct mr_tdx mr = {0};
	struct hash32 compose;
	uint8_t config[MR_SIZE];

	(void)state;
	fixture_fixed(mr.mrtd, MR_SIZE, want, "mrtd");
	fixture_fixed(mr.rtmr[0], MR_SIZE, want, "rtmr0");
	fixture_fixed(mr.rtmr[1], MR_SIZE, want, "rtmr1");
	fixture_fixed(mr.rtmr[2], MR_SIZE, want, "rtmr2");
	fixture_fixed(mr.rtmr[3], MR_SIZE, want, "rtmr3");
	fixture_fixed(mr.config_id, MR_SIZE, want, "mr_config_id_assumed");
	assert_hash(mr_tdx_aggregated(&mr), want, "mr_aggregated");

	fixture_fixed(compose.b, sizeof(compose.b), want, "compose_hash");
	mr_config_v1(config, &compose);
	assert_memory_equal(config, mr.config_id, MR_SIZE);
	jval_free(file);
}

/* Of the real captures: with and without MRCONFIGID. */
static int real(const char *name, const struct jval *entry, void *arg)
{
	const struct jval *quote = jval_get(entry, "quote_expected");
	const struct jval *log = jval_get(entry, "event_log_expected");
	struct mr_tdx mr = {0};
	char key[16];

	(void)name;
	if (log == NULL || jval_get(log, "mr_aggregated") == NULL)
		return 0;
	fixture_fixed(mr.mrtd, MR_SIZE, quote, "mrtd");
	fixture_fixed(mr.config_id, MR_SIZE, quote, "mrconfigid");
	fixture_fixed(mr.owner, MR_SIZE, quote, "mrowner");
	fixture_fixed(mr.owner_config, MR_SIZE, quote, "mrownerconfig");
	for (int i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "rtmr%d", i);
		fixture_fixed(mr.rtmr[i], MR_SIZE, quote, key);
	}
	assert_hash(mr_tdx_aggregated(&mr), log, "mr_aggregated");
	++*(int *)arg;
	return 0;
}

static void test_tdx_of_real_quotes(void **state)
{
	struct jval *file = fixture_json("tests/fixtures/tdx/expected.json");
	int count = 0;

	(void)state;
	assert_int_equal(jval_each(file, real, &count), 0);
	assert_int_equal(count, 7);
	jval_free(file);
}

static void assert_config(const uint8_t got[MR_SIZE], const struct jval *want, const char *key)
{
	uint8_t expected[MR_SIZE];

	fixture_fixed(expected, MR_SIZE, want, key);
	assert_memory_equal(got, expected, MR_SIZE);
}

static void test_config_ids(void **state)
{
	static const char *const kinds[] = {"none(0)", "local(1)", "kms(2)", "tpm(3)"};
	struct jval *file = fixture_json(PATH);
	const struct jval *want = jval_get(file, "mr_config_id");
	const struct jval *second = jval_get(want, "v2");
	struct arena arena = {0};
	struct hash32 compose;
	uint8_t app_id[20], config[MR_SIZE];

	(void)state;
	fixture_fixed(compose.b, 32, jval_get(want, "v1"), "compose_hash");
	mr_config_v1(config, &compose);
	assert_config(config, jval_get(want, "v1"), "mr_config_id");
	fixture_fixed(app_id, 20, second, "app_id");
	struct bytes id = fixture_hex(&arena, second, "key_provider_id");
	for (uint8_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		mr_config_v2(config, &compose, app_id, kind, id);
		assert_config(config, jval_get(second, "by_kind"), kinds[kind]);
	}
	arena_free(&arena);
	jval_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_tdx),
	        cmocka_unit_test(test_tdx_of_real_quotes),
	        cmocka_unit_test(test_config_ids),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
