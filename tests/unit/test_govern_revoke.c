/* What people take back: values, and proposals that signers have seen. */
#include "common/crypto/hash.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct world_options plain = {.target = "    batch: {quiet: 1h}\n", .chain = ""};
static const struct hash32 value = {{0xaa, 0xbb}};

/* The addition of the value, with its schedule drafted. */
static struct proposal_id propose(struct govern_world *w)
{
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(w, &call);
	struct proposal_id id = world_propose(w, &draft, world_record(w, KIND_OS_IMAGE, &value));

	world_add_schedule(w, id, bytes_text("\x8f\x2a\x0b\xb0"));
	return id;
}

/* --- withdrawing -------------------------------------------------------------------------------
 */

static void put_in_queue(struct govern_world *w, struct proposal_id id, uint64_t nonce)
{
	const struct hash32 hash = {{1}};

	world_enqueue(w, world_safe_txs(w, id).items[0].id, nonce, &hash);
}

static void test_what_signers_see_is_rejected(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	put_in_queue(w, id, 100);
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), 0);
	struct safe_tx_row reject = world_until_safe_txs(w, id, 2).items[1];
	struct safe_tx tx = safe_tx_rejection(WORLD_CHAIN, &w->safe, 100);
	struct hash32 hash = safe_tx_hash(&tx);
	assert_int_equal(reject.purpose, PURPOSE_REJECT);
	assert_int_equal(reject.status, SAFE_TX_DRAFTED); /* there is no service */
	assert_int_equal(reject.nonce, 100);
	assert_true(hash32_equal(&reject.safe_tx_hash, &hash));
	assert_true(address_equal(&reject.to, &w->safe));
	assert_int_equal(reject.data.len, 0);
	world_until_state(w, id, STATE_MULTISIG); /* only the chain ends it */
	const char *file = arena_printf(&w->arena, "%s/drafts/p%lld-reject-1.json",
	                                w->config->state_dir, (long long)id.n);
	assert_int_equal(access(file, R_OK), 0);
	/* A second word changes nothing. */
	assert_int_equal(govern_withdraw(w->govern, id, &w->error), 0);
	world_until_safe_txs(w, id, 2);
}

/* Two proposals that compete for one nonce, both withdrawn: it has one rejection. */
static void test_a_nonce_has_one_rejection(void **state)
{
	struct govern_world *w = *state;
	const struct hash32 other_value = {{7}}, hash = {{2}};
	struct safe_tx_list at;

	govern_world_start(w, &plain);
	struct proposal_id first = propose(w);
	put_in_queue(w, first, 100);
	struct call call = world_call(w, ACTION_REMOVE, &other_value);
	struct new_proposal draft = world_draft(w, &call);
	draft.urgent = true;
	struct proposal_id second = world_propose(w, &draft, (struct measurement_id){0});
	struct safe_tx_id tx = world_add_schedule(w, second, bytes_text("other"));
	store_begin(w->store);
	assert_int_equal(store_safe_tx_compete(w->store, tx, 100, &hash, &w->error), 0);
	store_safe_tx_set_status(w->store, tx, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->store);
	assert_int_equal(govern_withdraw(w->govern, second, &w->error), 0);
	world_until_safe_txs(w, second, 2);
	assert_int_equal(govern_withdraw(w->govern, first, &w->error), 0);
	world_until_state(w, first, STATE_MULTISIG);
	world_until_state(w, second, STATE_MULTISIG);
	world_until_safe_txs(w, first, 1);
	store_safe_tx_at_nonce(w->store, &w->arena, WORLD_CHAIN, &w->safe, 100, &at);
	assert_int_equal(at.count, 3);
}

static void test_what_ran_is_not_withdrawn(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	world_move(w, id, STATE_EXECUTED);
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

static void test_a_value_is_revoked_as_every_kind_or_one(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;

	govern_world_start(w, &plain);
	struct govern_revocation revocation = of_value(w);
	assert_int_equal(take_back(w, &revocation, &out), ERR_NOT_FOUND);
	assert_non_null(strstr(w->error.text, "--kind"));
	struct measurement_id image = world_record(w, KIND_OS_IMAGE, &value);
	struct measurement_id compose = world_record(w, KIND_COMPOSE, &value);
	revocation.kind = KIND_COMPOSE;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(out.count, 1);
	assert_false(world_measurement(w, compose).wanted);
	assert_true(world_measurement(w, image).wanted);
	revocation.kind = 0;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	assert_int_equal(out.count, 2);
	assert_false(world_measurement(w, image).wanted);
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
	struct measurement_id id = world_record(w, KIND_OS_IMAGE, &value);
	store_begin(w->store);
	store_measurement_set_status(w->store, id, MEASUREMENT_REFUSED, "all zero");
	store_commit(w->store);
	struct govern_revocation revocation = of_value(w);
	assert_int_equal(take_back(w, &revocation, &out), ERR_DENIED);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_REFUSED);
	assert_true(world_measurement(w, id).wanted);
}

static void test_a_pending_addition_is_withdrawn_for_one_value(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;

	govern_world_start(w, &plain);
	struct proposal_id id = propose(w);
	put_in_queue(w, id, 100);
	struct govern_revocation revocation = of_value(w);
	revocation.urgent = true;
	assert_int_equal(take_back(w, &revocation, &out), 0);
	struct proposal proposal = world_proposal(w, id);
	assert_int_equal(proposal.flags, FLAG_WITHDRAWING);
	assert_true(proposal.redraft);
	assert_true(proposal.urgent);
	assert_int_equal(world_until_safe_txs(w, id, 2).items[1].purpose, PURPOSE_REJECT);
}

static void test_a_replacement_is_registered_as_the_same_kinds(void **state)
{
	struct govern_world *w = *state;
	struct measurement_list out;

	govern_world_start(w, &plain);
	world_record(w, KIND_OS_IMAGE, &value);
	world_record(w, KIND_COMPOSE, &value);
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
	struct measurement_id good = world_record(w, KIND_DEVICE, &value);
	store_begin(w->store);
	struct measurement_id bad = out.items[2].id;
	store_measurement_set_status(w->store, bad, MEASUREMENT_REFUSED, "all zero");
	store_commit(w->store);
	revocation.kind = 0;
	assert_int_equal(take_back(w, &revocation, &out), ERR_DENIED);
	assert_true(world_measurement(w, good).wanted);
}

static void test_what_is_approved_again_is_not_removed(void **state)
{
	struct govern_world *w = *state;

	govern_world_start(w, &plain);
	struct measurement_id id = world_record(w, KIND_OS_IMAGE, &value);
	struct measurement_list out;
	store_begin(w->store);
	store_measurement_set_status(w->store, id, MEASUREMENT_AUTHORIZED, "on chain");
	store_commit(w->store);
	struct govern_revocation revocation = of_value(w);
	assert_int_equal(take_back(w, &revocation, &out), 0);
	struct call call = world_call(w, ACTION_REMOVE, &value);
	struct new_proposal draft = world_draft(w, &call);
	struct proposal_id removal = world_propose(w, &draft, id);
	store_begin(w->store);
	store_measurement_approve(w->store, id, "uid 1000");
	govern_keep(w->govern, id, "uid 1000");
	store_commit(w->store);
	assert_int_equal(world_proposal(w, removal).flags, FLAG_WITHDRAWING);
	world_until_state(w, removal, STATE_CANCELLED);
	assert_int_equal(world_measurement(w, id).status, MEASUREMENT_NEW);
	assert_true(world_measurement(w, id).wanted);
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
