/* Which measurements of status endpoints the KMS is to be asked about, and what it answered. */
#include "common/store/store_chain.h"
#include "common/store/store_preflight.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHAIN STORE_FIXTURE_CHAIN

static struct measurement_id record(struct store_fixture *f, enum kind kind, unsigned value,
                                    const char *source)
{
	struct hash32 hash = store_fixture_hash(value);
	struct evidence evidence = {
	        .level = LEVEL_CLAIMED, .source = source, .artifact = "http://x", .details = "{}"};
	bool created;

	store_begin(f->store);
	struct measurement_id id =
	        store_measurement_record(f->store, "payments", kind, &hash, &evidence, &created);
	store_commit(f->store);
	return id;
}

static void set(struct store_fixture *f, struct measurement_id id, enum measurement_status status)
{
	store_begin(f->store);
	store_measurement_set_status(f->store, id, status, "for the test");
	store_commit(f->store);
}

static size_t due(struct store_fixture *f, uint64_t upto, struct measurement_list *out)
{
	store_preflight_due(f->store, &f->arena, CHAIN, upto, 10, out);
	return out->count;
}

static void put(struct store_fixture *f, struct measurement_id id, enum measurement_status status,
                uint64_t block)
{
	store_begin(f->store);
	store_preflight_put(f->store, id,
	                    &(struct preflight_row){.status = status,
	                                            .allowed = CHECK_NO,
	                                            .reason = "Device not allowed",
	                                            .call = "isAppAllowed",
	                                            .source = "http://x",
	                                            .assumed = "",
	                                            .block = block});
	store_commit(f->store);
}

static void what_is_due(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_list list;
	struct preflight_row row;
	struct measurement_id id = record(f, KIND_COMPOSE, 1, "endpoint");
	struct measurement_id other = record(f, KIND_COMPOSE, 2, "folder");
	struct measurement_id device = record(f, KIND_DEVICE, 3, "endpoint");

	set(f, other, MEASUREMENT_AUTHORIZED);
	set(f, device, MEASUREMENT_AUTHORIZED);
	assert_int_equal(due(f, 100, &list), 0); /* new, and nobody approved it */
	set(f, id, MEASUREMENT_HELD);
	assert_int_equal(due(f, 100, &list), 0);
	store_begin(f->store);
	store_measurement_approve(f->store, id, "a person");
	store_commit(f->store);
	assert_int_equal(due(f, 100, &list), 1);
	assert_int_equal(list.items[0].id.n, id.n);
	assert_int_equal(store_preflight_get(f->store, &f->arena, id, &row), ERR_NOT_FOUND);
	put(f, id, MEASUREMENT_NEW, 50);
	assert_int_equal(due(f, 100, &list), 0);
	set(f, id, MEASUREMENT_AUTHORIZED);
	assert_int_equal(due(f, 100, &list), 1);
	put(f, id, MEASUREMENT_AUTHORIZED, 60);
	assert_int_equal(due(f, 100, &list), 0);
	store_fixture_reopen(f);
	assert_int_equal(store_preflight_get(f->store, &f->arena, id, &row), 0);
	assert_int_equal(row.status, MEASUREMENT_AUTHORIZED);
	assert_int_equal(row.allowed, CHECK_NO);
	assert_int_equal(row.block, 60);
	assert_string_equal(row.reason, "Device not allowed");

	/* Its contract speaks, and that is final. */
	struct seen_log log = {.block_number = 70, .block_hash = store_fixture_hash(70)};
	log.address = store_fixture_address(1);
	store_begin(f->store);
	store_log_put(f->store, CHAIN, &log);
	store_commit(f->store);
	assert_int_equal(due(f, 69, &list), 0);
	assert_int_equal(due(f, 70, &list), 1);
	set(f, id, MEASUREMENT_REVOKED);
	assert_int_equal(due(f, 70, &list), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(what_is_due, store_fixture_setup,
	                                        store_fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
