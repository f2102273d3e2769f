/* What people take back: values, and proposals that signers have seen. */
#include "common/crypto/hash.h"
#include "daemon/govern/lane.h"
#include "tests/unit/govern_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct world_options plain = {.target = "    batch: {quiet: 1h}\n", .chain = ""};
static const struct hash32 value = {{0xaa, 0xbb}};

static struct measurement_id record(struct govern_world *w, const char *target, enum kind kind)
{
	struct evidence evidence = {.level = LEVEL_RECOMPUTED,
	                            .source = "folder",
	                            .artifact = "/srv/enclave.eif",
	                            .details = "{}"};
	bool created;

	store_begin(w->store);
	struct measurement_id id =
	        store_measurement_record(w->store, target, kind, &value, &evidence, &created);
	store_commit(w->store);
	return id;
}

static struct proposal_id propose(struct govern_world *w)
{
	struct call call = {
	        .to = w->kms, .action = ACTION_ADD, .kind = KIND_OS_IMAGE, .value = value};
	uint8_t data[REGISTRY_CALL_SIZE];
	struct proposal_id id;

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &value);
	call.data = bytes_of(data, sizeof(data));
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = WORLD_CHAIN,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = w->safe,
	                                .timelock = w->timelock,
	                                .delay = WORLD_DELAY,
	                                .expires_at = {INT64_MAX},
	                                .calls = &call,
	                                .call_count = 1};
	struct measurement_id measurement = record(w, "payments", KIND_OS_IMAGE);
	store_begin(w->store);
	assert_int_equal(store_proposal_create(w->store, &proposal, &id, &w->error), 0);
	store_call_serve(w->store, WORLD_CHAIN, &call.to, call.data, measurement);
	store_safe_tx_add(w->store, id, PURPOSE_SCHEDULE, &w->safe, &w->timelock,
	                  bytes_text("\x8f\x2a\x0b\xb0"), 0);
	store_commit(w->store);
	return id;
}

static enum proposal_state state_of(struct govern_world *w, struct proposal_id id)
{
	struct proposal proposal;

	assert_int_equal(store_proposal_get(w->store, &w->arena, id, &proposal), 0);
	return proposal.state;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_until(struct govern_world *w, struct proposal_id id, enum proposal_state state)
{
	struct loop_timer *timer = loop_timer_new(w->loop, stop, w->loop);

	for (int i = 0; i < 500 && state_of(w, id) != state; i++) {
		loop_timer_set(timer, 10);
		world_run(w);
	}
	loop_timer_free(timer);
	assert_int_equal(state_of(w, id), state);
}

/* --- withdrawing -------------------------------------------------------------------------------
 */

/* The rows of a proposal once there are so many. */
static struct safe_tx_list rows_until(struct govern_world *w, struct proposal_id id, size_t count)
{
	struct loop_timer *timer = loop_timer_new(w->loop, stop, w->loop);
	struct safe_tx_list list = {0};

	for (int i = 0; i < 500 && list.count < count; i++) {
		loop_timer_set(timer, 10);
		world_run(w);
		store_safe_tx_list(w->store, &w->arena, id, &list);
	}
	loop_timer_free(timer);
	assert_int_equal(list.count, count);
	return list;
}

static void put_in_queue(struct govern_world *w, struct safe_tx_id tx, uint64_t nonce)
{
	const struct hash32 hash = {{1}};

	store_begin(w->store);
	assert_int_equal(store_safe_tx_assign(w->store, tx, nonce, &hash, &w->error), 0);
	store_safe_tx_set_status(w->store, tx, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->store);
}

static void test_what_signers_see_is_rejected(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	put_in_queue(w, rows_until(w, id, 1).items[0].id, 100);
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), 0);
	struct safe_tx_row reject = rows_until(w, id, 2).items[1];
	struct safe_tx tx = safe_tx_rejection(WORLD_CHAIN, &w->safe, 100);
	struct hash32 hash = safe_tx_hash(&tx);
	assert_int_equal(reject.purpose, PURPOSE_REJECT);
	assert_int_equal(reject.status, SAFE_TX_DRAFTED); /* there is no service */
	assert_int_equal(reject.nonce, 100);
	assert_true(hash32_equal(&reject.safe_tx_hash, &hash));
	assert_true(address_equal(&reject.to, &w->safe));
	assert_int_equal(reject.data.len, 0);
	run_until(w, id, STATE_MULTISIG); /* only the chain ends it */
	const char *file = arena_printf(&w->arena, "%s/drafts/p%lld-reject-1.json",
	                                w->config->state_dir, (long long)id.n);
	assert_int_equal(access(file, R_OK), 0);
	/* A second word changes nothing. */
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), 0);
	rows_until(w, id, 2);
}

/* Two proposals that compete for one nonce, both withdrawn: it has one rejection. */
static void test_a_nonce_has_one_rejection(void **state)
{
	struct govern_world *w = *state;
	const struct hash32 other_value = {{7}}, hash = {{2}};
	struct safe_tx_list at;

	govern_world_start(w, &plain);
	struct proposal_id first = propose(w);
	put_in_queue(w, rows_until(w, first, 1).items[0].id, 100);
	uint8_t data[REGISTRY_CALL_SIZE];
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_REMOVE, &other_value);
	struct call call = {.to = w->kms,
	                    .data = bytes_of(data, sizeof(data)),
	                    .action = ACTION_REMOVE,
	                    .kind = KIND_OS_IMAGE,
	                    .value = other_value};
	struct new_proposal new = {.target = "payments",
	                           .origin = "registrard",
	                           .chain_id = WORLD_CHAIN,
	                           .model = MODEL_SAFE_TIMELOCK,
	                           .safe = w->safe,
	                           .timelock = w->timelock,
	                           .delay = WORLD_DELAY,
	                           .expires_at = {INT64_MAX},
	                           .urgent = true,
	                           .calls = &call,
	                           .call_count = 1};
	struct proposal_id second;
	store_begin(w->store);
	assert_int_equal(store_proposal_create(w->store, &new, &second, &w->error), 0);
	struct safe_tx_id tx = store_safe_tx_add(w->store, second, PURPOSE_SCHEDULE, &w->safe,
	                                         &w->timelock, bytes_text("other"), 0);
	assert_int_equal(store_safe_tx_compete(w->store, tx, 100, &hash, &w->error), 0);
	store_safe_tx_set_status(w->store, tx, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->store);
	assert_int_equal(govern_withdraw(w->govern, second, &w->error), 0);
	rows_until(w, second, 2);
	assert_int_equal(govern_withdraw(w->govern, first, &w->error), 0);
	run_until(w, first, STATE_MULTISIG);
	run_until(w, second, STATE_MULTISIG);
	rows_until(w, first, 1);
	store_safe_tx_at_nonce(w->store, &w->arena, WORLD_CHAIN, &w->safe, 100, &at);
	assert_int_equal(at.count, 3);
}

static void test_what_ran_is_not_withdrawn(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	store_begin(w->store);
	assert_int_equal(store_proposal_move(w->store, id, STATE_DRAFTED, STATE_EXECUTED, "it ran",
	                                     NULL, &w->error),
	                 0);
	store_commit(w->store);
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), ERR_CONFLICT);
	assert_non_null(strstr(w->error.text, "registrarctl revoke"));
}

/* --- revoking ----------------------------------------------------------------------------------
 */

static struct govern_revocation of_value(struct govern_world *w)
{
	return (struct govern_revocation){
	        .target = &w->config->targets[0], .value = value, .who = "uid 1000"};
}

static int take_back(struct govern_world *w, const struct govern_revocation *revocation,
                     struct measurement_list *out)
{
	return govern_revoke(w->govern, &w->arena, revocation, out, &w->error);
}

static struct measurement now(struct govern_world *w, struct measurement_id id)
{
	struct measurement measurement;

	assert_int_equal(store_measurement_get(w->store, &w->arena, id, &measurement), 0);
	return measurement;
}

static void test_a_value_is_revoked_as_every_kind_or_one(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;

	govern_world_start(w, &plain);
	struct govern_revocation revocation = of_value(w);
	assert_int_equal(take_back(w, &revocation, &out), ERR_NOT_FOUND);
	assert_non_null(strstr(w->error.text, "--kind"));
	struct measurement_id image = record(w, "payments", KIND_OS_IMAGE);
	struct measurement_id compose = record(w, "payments", KIND_COMPOSE);
	revocation.kind = KIND_COMPOSE;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(out.count, 1);
	assert_false(now(w, compose).wanted);
	assert_true(now(w, image).wanted);
	revocation.kind = 0;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(out.count, 2);
	assert_false(now(w, image).wanted);
	/* What others added on chain. */
	revocation.kind = KIND_DEVICE;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.items[0].kind, KIND_DEVICE);
}

static void test_what_failed_verification_is_not_revoked(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;

	govern_world_start(w, &plain);
	struct measurement_id id = record(w, "payments", KIND_OS_IMAGE);
	store_begin(w->store);
	store_measurement_set_status(w->store, id, MEASUREMENT_REFUSED, "all zero");
	store_commit(w->store);
	struct govern_revocation revocation = of_value(w);
	assert_int_equal(take_back(w, &revocation, &out), ERR_DENIED);
	assert_int_equal(now(w, id).status, MEASUREMENT_REFUSED);
	assert_true(now(w, id).wanted);
}

static void test_a_pending_addition_is_withdrawn_for_one_value(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;
	struct proposal proposal;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	put_in_queue(w, rows_until(w, id, 1).items[0].id, 100);
	struct govern_revocation revocation = of_value(w);
	revocation.urgent = true;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(store_proposal_get(w->store, &w->arena, id, &proposal), 0);
	assert_int_equal(proposal.flags, FLAG_WITHDRAWING);
	assert_true(proposal.redraft);
	assert_true(proposal.urgent);
	assert_int_equal(rows_until(w, id, 2).items[1].purpose, PURPOSE_REJECT);
}

static void test_a_replacement_is_registered_as_the_same_kinds(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;

	govern_world_start(w, &plain);
	record(w, "payments", KIND_OS_IMAGE);
	record(w, "payments", KIND_COMPOSE);
	struct govern_revocation revocation = of_value(w);
	revocation.has_replacement = true;
	revocation.replacement = (struct hash32){{9}};
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(out.count, 4);
	for (size_t i = 2; i < 4; i++) {
		assert_true(hash32_equal(&out.items[i].value, &revocation.replacement));
		assert_true(out.items[i].wanted);
		assert_true(out.items[i].approved);
		assert_true(out.items[i].has_replaces);
	}
	/* What failed verification replaces nothing, and then nothing is revoked either. */
	struct measurement_id good = record(w, "payments", KIND_DEVICE);
	store_begin(w->store);
	struct measurement_id bad = out.items[2].id;
	store_measurement_set_status(w->store, bad, MEASUREMENT_REFUSED, "all zero");
	store_commit(w->store);
	revocation.kind = 0;
	assert_int_equal(take_back(w, &revocation, &out), ERR_DENIED);
	assert_true(now(w, good).wanted);
}

static void test_what_is_approved_again_is_not_removed(void **state)
{
	struct govern_world *w = *state;
	struct proposal proposal;

	govern_world_start(w, &plain);
	struct measurement_id id = record(w, "payments", KIND_OS_IMAGE);
	struct measurement_list out;
	store_begin(w->store);
	store_measurement_set_status(w->store, id, MEASUREMENT_AUTHORIZED, "on chain");
	store_commit(w->store);
	struct govern_revocation revocation = of_value(w);
	assert_int_equal(take_back(w, &revocation, &out), 0);
	uint8_t data[REGISTRY_CALL_SIZE];
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_REMOVE, &value);
	struct call call = {.to = w->kms,
	                    .data = bytes_of(data, sizeof(data)),
	                    .action = ACTION_REMOVE,
	                    .kind = KIND_OS_IMAGE,
	                    .value = value};
	struct new_proposal new = {.target = "payments",
	                           .origin = "registrard",
	                           .chain_id = WORLD_CHAIN,
	                           .model = MODEL_SAFE_TIMELOCK,
	                           .safe = w->safe,
	                           .timelock = w->timelock,
	                           .delay = WORLD_DELAY,
	                           .expires_at = {INT64_MAX},
	                           .calls = &call,
	                           .call_count = 1};
	struct proposal_id removal;
	store_begin(w->store);
	assert_int_equal(store_proposal_create(w->store, &new, &removal, &w->error), 0);
	store_call_serve(w->store, WORLD_CHAIN, &call.to, call.data, id);
	store_measurement_approve(w->store, id, "uid 1000");
	govern_keep(w->govern, id, "uid 1000");
	store_commit(w->store);
	assert_int_equal(store_proposal_get(w->store, &w->arena, removal, &proposal), 0);
	assert_int_equal(proposal.flags, FLAG_WITHDRAWING);
	run_until(w, removal, STATE_CANCELLED);
	assert_int_equal(now(w, id).status, MEASUREMENT_NEW);
	assert_true(now(w, id).wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_what_signers_see_is_rejected),
	        TEST(test_a_nonce_has_one_rejection),
	        TEST(test_what_ran_is_not_withdrawn),
	        TEST(test_a_value_is_revoked_as_every_kind_or_one),
	        TEST(test_what_failed_verification_is_not_revoked),
	        TEST(test_a_pending_addition_is_withdrawn_for_one_value),
	        TEST(test_a_replacement_is_registered_as_the_same_kinds),
	        TEST(test_what_is_approved_again_is_not_removed),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
