#include "common/governance/txbuilder.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FOLDER "tests/fixtures/txbuilder/"
static struct arena arena;

static void assert_checksum(const struct jval *file, const struct jval *holder, const char *key)
{
	struct hash32 expected, checksum = txbuilder_checksum(file);

	fixture_fixed(expected.b, sizeof(expected.b), holder, key);
	assert_true(hash32_equal(&checksum, &expected));
}

static void test_published_checksums(void **state)
{
	struct jval *checksums = fixture_json(FOLDER "checksums.json");
	const struct jval *files = jval_get(checksums, "files");
	const struct jval *upstream = jval_get(checksums, "upstream_test");

	(void)state;
	assert_int_equal(jval_count(files), 3);
	for (size_t i = 0; i < jval_count(files); i++) {
		const char *path = fixture_string(jval_at(files, i), "file");
		const char *name = strrchr(path, '/');
		struct jval *file = fixture_json(
		        arena_printf(&arena, FOLDER "%s", name != NULL ? name + 1 : path));
		assert_checksum(file, jval_at(files, i), "checksum");
		assert_checksum(file, jval_get(file, "meta"), "checksum");
		jval_free(file);
	}
	assert_checksum(jval_get(upstream, "input"), upstream, "checksum");
	jval_free(checksums);
}

static void assert_bytes(struct bytes actual, struct bytes expected)
{
	if (!bytes_equal(actual, expected))
		fail_msg("written:\n%.*s\nexpected:\n%.*s", (int)actual.len, actual.data,
		         (int)expected.len, expected.data);
}

/* The files in the fixtures, byte by byte as JSON, written from their calls. */
static void check_written(const char *path, const struct contract_call *calls, size_t count)
{
	struct jval *expected = fixture_json(path);
	const struct jval *meta = jval_get(expected, "meta");
	struct txbuilder_meta written = {
	        .chain_id = strtoull(fixture_string(expected, "chainId"), NULL, 10),
	        .name = fixture_string(meta, "name"),
	        .description = fixture_string(meta, "description"),
	        .created_ms = fixture_int(expected, "createdAt"),
	};
	struct buf out = {0}, pretty = {0};

	assert_int_equal(
	        address_parse(&written.safe, fixture_string(meta, "createdFromSafeAddress"), NULL),
	        0);
	txbuilder_write(&out, &written, calls, count);
	jval_write(&pretty, expected, JVAL_INDENTED);
	buf_append_byte(&pretty, '\n');
	assert_bytes(buf_bytes(&out), buf_bytes(&pretty));
	buf_free(&out);
	buf_free(&pretty);
	jval_free(expected);
}

static void test_calls_by_name(void **state)
{
	const char *const kms = "0x67d269191c92Caf3cD7723F116c85e6E9bf55933";
	const char *const app = "0xfBD745797A0fb50429f0a2b04581092798Fdf30B";
	uint8_t data[3][REGISTRY_CALL_SIZE];
	struct contract_call calls[3] = {0};
	const uint8_t fill[3] = {0xa1, 0xa2, 0xc1};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct hash32 value;
		memset(value.b, fill[i], sizeof(value.b));
		registry_encode_call(data[i], i < 2 ? KIND_OS_IMAGE : KIND_COMPOSE, ACTION_ADD,
		                     &value);
		calls[i].data = bytes_of(data[i], REGISTRY_CALL_SIZE);
		assert_int_equal(address_parse(&calls[i].to, i < 2 ? kms : app, NULL), 0);
	}
	check_written(FOLDER "1_safe_only_contract_methods.json", calls, 3);
}

static void test_calls_as_data(void **state)
{
	struct jval *file = fixture_json(FOLDER "2_timelock_schedule_raw_data.json");
	const struct jval *item = jval_at(jval_get(file, "transactions"), 0);
	struct contract_call call = {.data = fixture_hex(&arena, item, "data")};

	(void)state;
	assert_int_equal(address_parse(&call.to, fixture_string(item, "to"), NULL), 0);
	check_written(FOLDER "2_timelock_schedule_raw_data.json", &call, 1);
	jval_free(file);
}

static void test_cancel_and_plain_value(void **state)
{
	struct hash32 id = {{0x0f}};
	struct buf data = {0}, out = {0};
	struct contract_call calls[2] = {{.to = {{1}}}, {.to = {{2}}, .value = u256_from(5)}};
	const struct txbuilder_meta meta = {
	        .chain_id = 1, .name = "a\x01\x1f\"b", .description = ""};
	struct jval *file;

	(void)state;
	timelock_encode_cancel(&data, &id);
	calls[0].data = buf_bytes(&data);
	txbuilder_write(&out, &meta, calls, 2);
	assert_int_equal(jval_parse(&file, buf_bytes(&out), NULL), 0);
	const struct jval *transactions = jval_get(file, "transactions");
	const struct jval *cancel = jval_at(transactions, 0), *plain = jval_at(transactions, 1);
	assert_string_equal(jval_get_string(jval_get(cancel, "contractMethod"), "name"), "cancel");
	assert_true(jval_is_null(jval_get(cancel, "data")));
	assert_string_equal(jval_get_string(plain, "data"), "0x");
	assert_string_equal(jval_get_string(plain, "value"), "5");
	assert_null(jval_get(plain, "contractMethod"));
	assert_null(jval_get(plain, "contractInputsValues"));
	assert_checksum(file, jval_get(file, "meta"), "checksum");
	jval_free(file);
	buf_free(&data);
	buf_free(&out);
}

/* A renamed file stays valid; any other change does not. */
static void test_what_the_checksum_covers(void **state)
{
	struct jval *file = fixture_json(FOLDER "1_safe_only_contract_methods.json");
	struct hash32 before = txbuilder_checksum(file);
	struct jval *renamed = jval_copy(file), *changed = jval_copy(file), *meta;

	(void)state;
	meta = jval_copy(jval_get(file, "meta"));
	jval_add_string(meta, "name", "another name");
	jval_add_string(meta, "checksum", "0x00");
	jval_add(renamed, "meta", meta);
	struct hash32 after = txbuilder_checksum(renamed);
	assert_true(hash32_equal(&before, &after));
	jval_add_string(changed, "chainId", "1");
	after = txbuilder_checksum(changed);
	assert_false(hash32_equal(&before, &after));
	jval_free(file);
	jval_free(renamed);
	jval_free(changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_published_checksums),
	        cmocka_unit_test(test_calls_by_name),
	        cmocka_unit_test(test_calls_as_data),
	        cmocka_unit_test(test_cancel_and_plain_value),
	        cmocka_unit_test(test_what_the_checksum_covers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
