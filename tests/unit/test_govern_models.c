/* What is drafted under each model, over a chain that answers as the test says. */
#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/governance/multisend.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct measurement_id record(struct govern_world *w, enum kind kind, uint8_t number)
{
	return world_record(w, kind, &(struct hash32){{number, 0xbb}});
}

static struct proposal only_proposal(struct govern_world *w)
{
	struct proposal_list list = world_proposals(w);

	assert_int_equal(list.count, 1);
	return list.items[0];
}

static bool has_file(struct govern_world *w, const char *name)
{
	return access(arena_printf(&w->arena, "%s/drafts/%s", w->config->state_dir, name), R_OK) ==
	       0;
}

/* --- safe --------------------------------------------------------------------------------------
 */

static const struct world_options safe = {.target = "    model: safe\n    batch: {quiet: 200ms}\n",
                                          .chain = ""};

/* The Safe owns the registries itself. */
static void start_safe(struct govern_world *w)
{
	world_view_address(w, &w->kms, VIEW_OWNER, &w->safe);
	world_view_address(w, &w->app, VIEW_OWNER, &w->safe);
	govern_world_start(w, &safe);
}

static void test_a_safe_makes_one_call_itself(void **state)
{
	struct govern_world *w = *state;
	struct safe_tx_list txs;

	start_safe(w);
	world_until_status(w, record(w, KIND_OS_IMAGE, 1), MEASUREMENT_PROPOSED);
	struct proposal p = only_proposal(w);
	assert_int_equal(p.model, MODEL_SAFE);
	assert_true(hash32_is_zero(&p.operation_id));
	assert_true(address_equal(&p.sender, &w->safe));
	store_safe_tx_list(w->store, &w->arena, p.id, &txs);
	assert_int_equal(txs.count, 1);
	assert_int_equal(txs.items[0].purpose, PURPOSE_APPLY);
	assert_int_equal(txs.items[0].operation, 0);
	assert_true(address_equal(&txs.items[0].to, &w->kms));
	assert_true(bytes_equal(txs.items[0].data, p.calls[0].data));
	assert_true(has_file(w, "p1-apply-1.json"));
}

/* The code at the address is the node's, not MultiSendCallOnly's. */
static void test_a_safe_delegates_to_known_code_alone(void **state)
{
	struct govern_world *w = *state;

	start_safe(w);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	struct measurement_id compose = record(w, KIND_COMPOSE, 1);
	world_until_status(w, image, MEASUREMENT_HELD);
	world_until_status(w, compose, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, image).reason,
	                "is not that of MultiSendCallOnly 1.4.1");
	assert_true(world_alarmed(w, "[multisend] "));
	assert_int_equal(world_proposals(w).count, 0);
}

static void test_multisend_is_not_there(void **state)
{
	struct govern_world *w = *state;
	size_t count;
	const struct multisend_deployment *known = multisend_deployments(&count);

	for (size_t i = 0; i < count; i++)
		if (known[i].version == SAFE_1_4_1)
			w->without_code = known[i].address;
	start_safe(w);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	record(w, KIND_COMPOSE, 1);
	world_until_status(w, image, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, image).reason, "stands at none of its addresses");
}

static void test_an_unknown_safe_drafts_nothing(void **state)
{
	struct govern_world *w = *state;

	world_view_number(w, &w->safe, VIEW_SAFE_VERSION, 7);
	start_safe(w);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	world_until_status(w, image, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, image).reason, "VERSION()");
	assert_int_equal(world_proposals(w).count, 0);
}

static void test_what_a_safe_s_call_reverts_with(void **state)
{
	struct govern_world *w = *state;
	uint8_t data[REGISTRY_CALL_SIZE];
	struct hash32 value = {{1, 0xbb}};

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
	world_reverts(w, &w->kms, bytes_of(data, sizeof(data)));
	start_safe(w);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	world_until_status(w, image, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, image).reason, "from the Safe reverts");
	assert_true(world_alarmed(w, "[simulation-reverts] "));
}

/* --- timelock ----------------------------------------------------------------------------------
 */

static const struct world_options timelock = {
        .target = "    model: timelock\n    batch: {quiet: 1ms}\n", .chain = ""};

static struct node_log role_log(struct govern_world *w, enum event_type type, uint64_t block,
                                const struct address *account)
{
	struct node_log log = {.block = block, .address = w->timelock, .topic_count = 4};

	log.topics[0] = *event_topic0(type);
	log.topics[1] = timelock_role_proposer;
	memcpy(log.topics[2].b + 12, account->b, sizeof(account->b));
	return log;
}

static void test_an_account_schedules(void **state)
{
	struct govern_world *w = *state;
	/* Granted to all three, and taken from the last of them. */
	const struct node_log logs[] = {
	        role_log(w, EVENT_ROLE_GRANTED, 901, &w->owners[0]),
	        role_log(w, EVENT_ROLE_GRANTED, 902, &w->owners[1]),
	        role_log(w, EVENT_ROLE_GRANTED, 903, &w->owners[2]),
	        role_log(w, EVENT_ROLE_REVOKED, 904, &w->owners[2]),
	};
	struct safe_tx_list txs;

	w->node.logs = logs;
	w->node.log_count = ARRAY_LEN(logs);
	govern_world_start(w, &timelock);
	world_until_status(w, record(w, KIND_OS_IMAGE, 1), MEASUREMENT_PROPOSED);
	for (int i = 0; i < 500 && address_is_zero(&world_proposals(w).items[0].sender); i++) {
		govern_wake(w->govern); /* as the next block would */
		world_run_for(w, 10);
	}
	struct proposal p = only_proposal(w);
	assert_true(address_equal(&p.sender, &w->owners[1]));
	assert_int_equal(p.delay, WORLD_DELAY);
	struct timelock_batch batch = proposal_batch(&w->arena, &p);
	struct hash32 id = timelock_operation_id(&batch);
	assert_true(hash32_equal(&p.operation_id, &id));
	store_safe_tx_list(w->store, &w->arena, p.id, &txs);
	assert_int_equal(txs.count, 0);
	assert_true(has_file(w, "p1-schedule-1.cast"));
	assert_true(has_file(w, "p1-schedule-1.calldata"));
	assert_true(has_file(w, "p1-schedule-1.json"));
}

/* --- direct ------------------------------------------------------------------------------------
 */

static const struct world_options direct = {
        .target = "    model: direct\n    batch: {quiet: 200ms}\n", .chain = ""};

static void test_an_owner_sends_each_call(void **state)
{
	struct govern_world *w = *state;
	struct buf text = {0};
	struct error error;

	world_view_address(w, &w->kms, VIEW_OWNER, &w->owners[0]);
	world_view_address(w, &w->app, VIEW_OWNER, &w->owners[0]);
	govern_world_start(w, &direct);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	record(w, KIND_COMPOSE, 1);
	world_until_status(w, image, MEASUREMENT_PROPOSED);
	struct proposal p = only_proposal(w);
	assert_int_equal(p.call_count, 2);
	assert_true(address_equal(&p.sender, &w->owners[0]));
	assert_true(has_file(w, "p1-apply-1.calldata"));
	assert_int_equal(govern_export(w->govern, p.id, "calldata", &text, &error), 0);
	assert_int_equal(memcmp(buf_text(&text), "0x", 2), 0);
	assert_non_null(strchr(buf_text(&text), '\n'));
	assert_ptr_not_equal(strchr(buf_text(&text), '\n'), strrchr(buf_text(&text), '\n'));
	buf_free(&text);
	/* What was never posted may be withdrawn. */
	assert_int_equal(govern_withdraw(w->govern, p.id, &error), 0);
	world_until_state(w, p.id, STATE_CANCELLED);
}

static void test_two_owners_two_proposals(void **state)
{
	struct govern_world *w = *state;

	world_view_address(w, &w->kms, VIEW_OWNER, &w->owners[0]);
	world_view_address(w, &w->app, VIEW_OWNER, &w->owners[1]);
	govern_world_start(w, &direct);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	struct measurement_id compose = record(w, KIND_COMPOSE, 1);
	world_until_status(w, image, MEASUREMENT_PROPOSED);
	world_until_status(w, compose, MEASUREMENT_PROPOSED);
	assert_int_equal(world_proposals(w).count, 2);
	assert_false(address_equal(&world_proposals(w).items[0].sender,
	                           &world_proposals(w).items[1].sender));
}

static void test_a_contract_without_owner(void **state)
{
	struct govern_world *w = *state;

	world_reverts(w, &w->kms, view_call(VIEW_OWNER));
	govern_world_start(w, &direct);
	struct measurement_id image = record(w, KIND_OS_IMAGE, 1);
	world_until_status(w, image, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, image).reason, "does not answer owner()");
	assert_true(world_alarmed(w, "[owner-unreadable] "));
}

/* --- gas ---------------------------------------------------------------------------------------
 */

enum { VALUES = 12 };

static void record_many(struct govern_world *w, struct measurement_id ids[VALUES])
{
	for (uint8_t i = 0; i < VALUES; i++)
		ids[i] = record(w, KIND_OS_IMAGE, (uint8_t)(i + 1));
}

static const struct world_options patient = {
        .target = "    batch: {quiet: 300ms, max_calls: 50}\n    execute: manual\n", .chain = ""};

static void expect_parts(struct govern_world *w, size_t least, size_t most)
{
	struct measurement_id ids[VALUES];
	size_t calls = 0;

	record_many(w, ids);
	for (size_t i = 0; i < VALUES; i++)
		world_until_status(w, ids[i], MEASUREMENT_PROPOSED);
	struct proposal_list list = world_proposals(w);
	assert_in_range(list.count, least, most);
	for (size_t i = 0; i < list.count; i++)
		calls += list.items[i].call_count;
	assert_int_equal(calls, VALUES);
}

static void test_what_fits_is_one_batch(void **state)
{
	struct govern_world *w = *state;

	w->node.gas_limit = 30000000;
	w->call_gas = 75000;
	govern_world_start(w, &patient);
	expect_parts(w, 1, 1);
}

static void test_a_small_block_splits(void **state)
{
	struct govern_world *w = *state;

	w->node.gas_limit = 2000000;
	w->call_gas = 75000;
	govern_world_start(w, &patient);
	expect_parts(w, 2, 6);
}

/* The node does not estimate: what is assumed then is more. */
static void test_without_an_estimate_it_is_assumed(void **state)
{
	struct govern_world *w = *state;

	w->node.gas_limit = 3000000;
	govern_world_start(w, &patient);
	expect_parts(w, 2, 6);
}

static void test_no_limit_is_told(void **state)
{
	struct govern_world *w = *state;

	w->call_gas = 10000000;
	govern_world_start(w, &patient);
	expect_parts(w, 1, 1);
}

static void test_a_call_too_large_for_any_block(void **state)
{
	struct govern_world *w = *state;

	w->node.gas_limit = 2000000;
	w->call_gas = 1500000;
	govern_world_start(w, &patient);
	struct measurement_id id = record(w, KIND_OS_IMAGE, 1);
	world_until_status(w, id, MEASUREMENT_HELD);
	assert_contains(world_measurement(w, id).reason, "too much gas");
	assert_true(world_alarmed(w, "[too-much-gas] "));
	assert_int_equal(world_proposals(w).count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_a_safe_makes_one_call_itself),
	        TEST(test_a_safe_delegates_to_known_code_alone),
	        TEST(test_multisend_is_not_there),
	        TEST(test_an_unknown_safe_drafts_nothing),
	        TEST(test_what_a_safe_s_call_reverts_with),
	        TEST(test_an_account_schedules),
	        TEST(test_an_owner_sends_each_call),
	        TEST(test_two_owners_two_proposals),
	        TEST(test_a_contract_without_owner),
	        TEST(test_what_fits_is_one_batch),
	        TEST(test_a_small_block_splits),
	        TEST(test_without_an_estimate_it_is_assumed),
	        TEST(test_no_limit_is_told),
	        TEST(test_a_call_too_large_for_any_block),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
