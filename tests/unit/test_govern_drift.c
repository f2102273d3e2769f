/* drift: the lists on chain, rebuilt from events and asked, against what is recorded. */
#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/govern/drift.h"
#include "daemon/govern/lane.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct world_options plain = {.target = "", .chain = ""};

/* --- the verdict -------------------------------------------------------------------------------
 */

static void test_every_verdict(void **state)
{
	(void)state;
	for (int chain = CHECK_UNKNOWN; chain <= CHECK_YES; chain++)
		for (int status = 0; status <= MEASUREMENT_REFUSED; status++)
			for (int bits = 0; bits < 4; bits++) {
				struct drift_row row = {.chain = (enum check_answer)chain,
				                        .recorded = status != 0,
				                        .status = (enum measurement_status)status,
				                        .wanted = status != 0 && (bits & 1) != 0,
				                        .vouched = status != 0 && (bits & 2) != 0};
				bool authorized = status == MEASUREMENT_AUTHORIZED;
				bool refused = status == MEASUREMENT_REFUSED;
				enum drift_verdict expected = DRIFT_OK;
				if (chain == CHECK_UNKNOWN)
					expected = DRIFT_UNDECIDED;
				else if (chain == CHECK_NO && authorized && row.wanted)
					expected = DRIFT_MISSING_ON_CHAIN;
				else if (chain == CHECK_YES && !row.recorded)
					expected = DRIFT_UNKNOWN_HERE;
				else if (chain == CHECK_YES && (refused || !row.wanted))
					expected = DRIFT_SHOULD_BE_ABSENT;
				else if (chain == CHECK_YES && !row.vouched)
					expected = DRIFT_UNKNOWN_HERE;
				assert_int_equal(drift_judge(&row), expected);
			}
	assert_string_equal(drift_verdict_name(DRIFT_UNKNOWN_HERE), "unknown-here");
}

/* --- the whole question ------------------------------------------------------------------------
 */

struct told {
	struct govern_world *w;
	bool done;
	struct drift_row rows[16];
	size_t count;
	char unknown[256];
};

static void drift_told(const struct drift *drift, void *arg)
{
	struct told *told = arg;

	assert_false(told->done);
	told->done = true;
	told->count = drift->count;
	assert_in_range(drift->count, 0, ARRAY_LEN(told->rows));
	for (size_t i = 0; i < drift->count; i++)
		told->rows[i] = drift->rows[i];
	if (drift->unknown != NULL)
		snprintf(told->unknown, sizeof(told->unknown), "%s", drift->unknown);
	loop_stop(told->w->loop);
}

static struct told ask(struct govern_world *w, const struct config_target *target)
{
	struct told told = {.w = w};

	assert_non_null(govern_drift(w->govern, target, drift_told, &told));
	assert_false(told.done);
	world_run(w);
	assert_true(told.done);
	return told;
}

static void start(struct govern_world *w, const struct world_options *options, bool whole)
{
	govern_world_start(w, options);
	struct lane *lane = world_lane(w);
	uint64_t from = 1, next = 1;
	for (int i = 0; i < 500 && !(lane->have_head && next == 0); i++) {
		world_run_for(w, 10);
		if (!whole || store_backfill_get(w->store, WORLD_CHAIN, &from, &next) != 0)
			next = whole ? 1 : 0;
	}
	assert_true(lane->have_head);
}

static struct hash32 value_of(uint8_t n)
{
	return (struct hash32){{n, 0xee}};
}

static void says(struct govern_world *w, const struct address *contract, enum kind kind,
                 enum action action, uint8_t n, uint64_t block)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xb1, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .tx_hash = {{0x77, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .log_index = n,
	                       .address = *contract,
	                       .topic0 = *event_registry_topic0(kind, action),
	                       .key = value_of(n)};

	store_begin(w->store);
	assert_true(store_log_put(w->store, WORLD_CHAIN, &log));
	store_commit(w->store);
}

static void answers(struct govern_world *w, const struct address *contract, enum kind kind,
                    uint8_t n, bool yes)
{
	struct hash32 value = value_of(n), word = {{[31] = yes}};
	uint8_t data[36];

	memcpy(data, kind_getter_selector(kind), 4);
	memcpy(data + 4, value.b, 32);
	world_says(w, contract, bytes_of(data, 36), bytes_of(word.b, 32));
}

static struct measurement_id record(struct govern_world *w, enum kind kind, uint8_t n,
                                    const char *source, enum measurement_status status)
{
	struct evidence evidence = {
	        .level = LEVEL_RECOMPUTED, .source = source, .artifact = "x", .details = "{}"};
	struct hash32 value = value_of(n);
	bool created;

	store_begin(w->store);
	struct measurement_id id =
	        store_measurement_record(w->store, "payments", kind, &value, &evidence, &created);
	store_measurement_set_status(w->store, id, status, "for the test");
	store_commit(w->store);
	return id;
}

static const struct drift_row *row_of(const struct told *told, enum kind kind, uint8_t n)
{
	struct hash32 value = value_of(n);

	for (size_t i = 0; i < told->count; i++)
		if (told->rows[i].kind == kind && hash32_equal(&told->rows[i].value, &value))
			return &told->rows[i];
	fail_msg("no row for value %u", n);
	return NULL;
}

static void test_rows(void **state)
{
	struct govern_world *w = *state;

	start(w, &plain, true);
	/* 1: ours and there. 2: nobody's. 3: ours and gone. 4: revoked and there. 5: no answer.
	 * 6: added, removed, added again. 7: not on chain yet. */
	record(w, KIND_OS_IMAGE, 1, "folder", MEASUREMENT_AUTHORIZED);
	record(w, KIND_OS_IMAGE, 3, "folder", MEASUREMENT_AUTHORIZED);
	record(w, KIND_OS_IMAGE, 4, "folder", MEASUREMENT_REVOKED);
	record(w, KIND_COMPOSE, 7, "folder", MEASUREMENT_HELD);
	for (uint8_t n = 1; n <= 4; n++)
		says(w, &w->kms, KIND_OS_IMAGE, ACTION_ADD, n, 100 + n);
	says(w, &w->kms, KIND_KMS_DEVICE, ACTION_ADD, 5, 105);
	says(w, &w->app, KIND_DEVICE, ACTION_ADD, 6, 106);
	says(w, &w->app, KIND_DEVICE, ACTION_REMOVE, 6, 206);
	says(w, &w->app, KIND_DEVICE, ACTION_ADD, 6, 306);
	says(w, &w->kms, KIND_OS_IMAGE, ACTION_ADD, 9, 999); /* not final */
	answers(w, &w->kms, KIND_OS_IMAGE, 1, true);
	answers(w, &w->kms, KIND_OS_IMAGE, 2, true);
	answers(w, &w->kms, KIND_OS_IMAGE, 4, true);
	answers(w, &w->app, KIND_DEVICE, 6, true);
	struct told told = ask(w, NULL);
	assert_string_equal(told.unknown, "");
	assert_int_equal(told.count, 7);
	assert_int_equal(row_of(&told, KIND_OS_IMAGE, 1)->verdict, DRIFT_OK);
	assert_int_equal(row_of(&told, KIND_OS_IMAGE, 2)->verdict, DRIFT_UNKNOWN_HERE);
	assert_int_equal(row_of(&told, KIND_OS_IMAGE, 3)->verdict, DRIFT_MISSING_ON_CHAIN);
	assert_int_equal(row_of(&told, KIND_OS_IMAGE, 4)->verdict, DRIFT_SHOULD_BE_ABSENT);
	assert_int_equal(row_of(&told, KIND_KMS_DEVICE, 5)->verdict, DRIFT_UNDECIDED);
	assert_int_equal(row_of(&told, KIND_DEVICE, 6)->verdict, DRIFT_UNKNOWN_HERE);
	assert_int_equal(row_of(&told, KIND_DEVICE, 6)->block, 306);
	assert_int_equal(row_of(&told, KIND_COMPOSE, 7)->verdict, DRIFT_OK);
	assert_false(row_of(&told, KIND_COMPOSE, 7)->has_tx);
	assert_true(address_equal(&row_of(&told, KIND_DEVICE, 6)->contract, &w->app));
	/* In the order of contract, kind, value. */
	for (size_t i = 1; i < told.count; i++)
		assert_true(told.rows[i - 1].kind <= told.rows[i].kind ||
		            kind_contract(told.rows[i - 1].kind) <
		                    kind_contract(told.rows[i].kind));

	told = ask(w, &w->config->targets[0]);
	assert_int_equal(told.count, 7);
	govern_cancel(govern_drift(w->govern, NULL, drift_told, &told));
}

/* Known from the chain alone: nobody here vouches for it, until a person does. */
static void test_what_others_vouch_for(void **state)
{
	struct govern_world *w = *state;

	start(w, &plain, true);
	struct measurement_id id =
	        record(w, KIND_OS_IMAGE, 1, EVIDENCE_CHAIN, MEASUREMENT_AUTHORIZED);
	says(w, &w->kms, KIND_OS_IMAGE, ACTION_ADD, 1, 100);
	answers(w, &w->kms, KIND_OS_IMAGE, 1, true);
	struct told told = ask(w, NULL);
	assert_int_equal(row_of(&told, KIND_OS_IMAGE, 1)->verdict, DRIFT_UNKNOWN_HERE);
	store_begin(w->store);
	store_measurement_approve(w->store, id, "a person");
	store_commit(w->store);
	told = ask(w, NULL);
	assert_int_equal(row_of(&told, KIND_OS_IMAGE, 1)->verdict, DRIFT_OK);
}

/* Under `compose_registry: kms` two measurements are one entry of the list. */
static void test_two_measurements_of_one_entry(void **state)
{
	struct govern_world *w = *state;
	const struct world_options options = {.target = "    compose_registry: kms\n", .chain = ""};

	start(w, &options, true);
	record(w, KIND_COMPOSE, 1, "folder", MEASUREMENT_HELD);
	record(w, KIND_OS_IMAGE, 1, "folder", MEASUREMENT_AUTHORIZED);
	says(w, &w->kms, KIND_OS_IMAGE, ACTION_ADD, 1, 100);
	struct told told = ask(w, NULL);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.rows[0].status, MEASUREMENT_AUTHORIZED);
	assert_int_equal(told.rows[0].verdict, DRIFT_MISSING_ON_CHAIN);
}

static void test_history_that_is_not_all_there(void **state)
{
	struct govern_world *w = *state;

	start(w, &plain, true);
	store_begin(w->store);
	store_backfill_set(w->store, WORLD_CHAIN, 10, 500);
	store_commit(w->store);
	struct told told = ask(w, NULL);
	assert_non_null(strstr(told.unknown, "still being read: 490 blocks to go"));
	store_begin(w->store);
	store_backfill_set(w->store, WORLD_CHAIN, 10, 10);
	store_backfill_set_whole(w->store, WORLD_CHAIN, false);
	store_commit(w->store);
	told = ask(w, NULL);
	assert_non_null(strstr(told.unknown, "before block 10"));
	assert_non_null(strstr(told.unknown, "start_block"));
}

static void test_a_chain_that_is_away(void **state)
{
	struct govern_world *w = *state;

	start(w, &plain, true);
	record(w, KIND_OS_IMAGE, 1, "folder", MEASUREMENT_AUTHORIZED);
	w->node.fail_times = 10000;
	w->node.fail_status = 500;
	struct told told = ask(w, NULL);
	assert_non_null(strstr(told.unknown, "could not be asked"));
	assert_int_equal(told.rows[0].verdict, DRIFT_UNDECIDED);
	govern_lane(w->govern, WORLD_CHAIN)->have_head = false;
	told = ask(w, NULL);
	assert_int_equal(told.count, 0);
	assert_non_null(strstr(told.unknown, "not read yet"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_verdict),     TEST(test_rows),
	        TEST(test_what_others_vouch_for),         TEST(test_two_measurements_of_one_entry),
	        TEST(test_history_that_is_not_all_there), TEST(test_a_chain_that_is_away),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
