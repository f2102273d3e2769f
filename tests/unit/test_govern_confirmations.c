/* How many owners have confirmed: asked of a service that may lie, counted by the chain's owners.
 */
#include "daemon/govern/confirmations.h"

#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/governance/chain_signature.h"
#include "common/governance/events.h"
#include "common/governance/tx_service.h"
#include "common/store/store_chain.h"
#include "daemon/chain/follower.h"
#include "daemon/govern/proposer.h"
#include "daemon/govern/tracker.h"
#include "tests/unit/fixture.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const char transcripts[] = "tests/fixtures/safe-service/transcripts.json";
static const char tx_hash[] = "0xf272d618511df6685bc62514801994c28e2d1556fa71771febaedd92e656b279";

struct pending {
	struct govern_world *w;
	struct proposal_id proposal;
	struct safe_tx_id row;
};

static const char *recorded(struct govern_world *w, const char *name)
{
	struct jval *file = fixture_json(transcripts);
	const struct jval *list = jval_get(file, "transcripts");
	struct buf text = {0};

	for (size_t i = 0; i < jval_count(list); i++)
		if (strcmp(jval_get_string(jval_at(list, i), "name"), name) == 0)
			jval_write(&text, jval_get(jval_get(jval_at(list, i), "response"), "body"),
			           JVAL_COMPACT);
	jval_free(file);
	assert_true(text.len > 0);
	char *copy = arena_strdup(&w->arena, buf_text(&text));
	buf_free(&text);
	return copy;
}

/* A proposal whose schedule transaction is in the queue; the Safe and the transaction are those of
 * the recorded answers. */
static struct pending begin(struct govern_world *w, const char *hash)
{
	const struct world_options options = {.target = "", .chain = "", .with_service = true};
	struct pending pending = {.w = w};
	struct hash32 wanted;

	govern_world_prepare(w, &options);
	assert_int_equal(hash32_parse(&wanted, hash, NULL), 0);
	struct call call = world_call(w, ACTION_ADD, &(struct hash32){{0}});
	struct new_proposal draft = world_draft(w, &call);
	pending.proposal = world_propose(w, &draft, (struct measurement_id){0});
	pending.row = world_add_schedule(w, pending.proposal, bytes_text("data"));
	world_enqueue(w, pending.row, 42, &wanted);
	w->govern = govern_new(&w->parts);
	return pending;
}

static struct safe_tx_row row(const struct pending *pending)
{
	struct safe_tx_list list = world_safe_txs(pending->w, pending->proposal);

	assert_int_equal(list.count, 1);
	return list.items[0];
}

/* The chain's owners are known after the first tick; then the service is asked, once. */
static void ask(struct pending *pending)
{
	struct govern_world *w = pending->w;
	struct lane *lane = world_lane(w);
	const struct safe_view *safe;

	for (int i = 0; i < 500 && tracker_safe(lane->tracker, &w->safe, &safe) != 0; i++)
		world_run_for(w, 10);
	proposer_run(lane->proposer);
	for (int i = 0; i < 500 && w->transaction_requests == 0; i++)
		world_run_for(w, 10);
	world_run_for(w, 50);
	assert_int_equal(w->transaction_requests, 1);
}

static void test_confirmations_are_counted(void **state)
{
	struct govern_world *w = *state;

	w->transaction = recorded(w, "read: threshold reached 2 of 2");
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 2);
	assert_int_equal(row(&pending).threshold, 2);
	/* Not due again, whatever wakes it. */
	for (int i = 0; i < 20; i++)
		govern_wake(w->govern);
	world_run_for(w, 50);
	assert_int_equal(w->transaction_requests, 1);
}

static void test_only_owners_of_today_count(void **state)
{
	struct govern_world *w = *state;
	const struct address other = {{0x99}};

	w->transaction = recorded(w, "read: threshold reached 2 of 2");
	uint8_t owners[96] = {[31] = 0x20, [63] = 1};
	memcpy(owners + 64 + 12, other.b, sizeof(other.b));
	world_says(w, &w->safe, view_call(VIEW_SAFE_OWNERS), bytes_of(owners, sizeof(owners)));
	world_view_number(w, &w->safe, VIEW_SAFE_THRESHOLD, 1);
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_int_equal(row(&pending).threshold, 1);
}

/* A fully confirmed transaction that is not the one asked about. */
static void test_another_transaction_is_not_believed(void **state)
{
	struct govern_world *w = *state;

	w->transaction = recorded(w, "read: threshold reached 2 of 2");
	struct pending pending =
	        begin(w, "0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_true(world_alarmed(w, "another transaction"));
}

/* The recorded transaction with a single confirmation of this owner. */
static const char *confirmed_by(struct govern_world *w, const struct address *owner,
                                const char *signature)
{
	struct jval *tx, *list = jval_array(), *one = jval_object();
	char text[ADDRESS_TEXT_SIZE];
	struct buf body = {0};

	assert_int_equal(
	        jval_parse(&tx, bytes_text(recorded(w, "read: threshold reached 2 of 2")), NULL),
	        0);
	jval_add_string(one, "owner", address_text(text, owner));
	jval_add_string(one, "signature", signature);
	jval_push(list, one);
	jval_add(tx, "confirmations", list);
	jval_write(&body, tx, JVAL_COMPACT);
	jval_free(tx);
	char *copy = arena_strdup(&w->arena, buf_text(&body));
	buf_free(&body);
	return copy;
}

/* r holds the owner, s the offset (or nothing), then v. */
static const char *part_of(struct govern_world *w, const struct address *owner, unsigned v)
{
	char text[ADDRESS_TEXT_SIZE];

	return arena_printf(&w->arena, "0x%024d%s%064x%02x", 0, address_lower(text, owner) + 2,
	                    v == 0 ? 65 : 0, v);
}

static struct safe_tx recorded_tx(struct govern_world *w)
{
	struct proposal_tx tx;
	struct error error;

	assert_int_equal(tx_service_parse_tx(
	                         &w->arena, &tx, &(struct proposal_place){WORLD_CHAIN, w->safe},
	                         bytes_text(recorded(w, "read: threshold reached 2 of 2")), &error),
	                 0);
	return tx.tx;
}

static void says_approved(struct govern_world *w, const struct address *owner, bool approved)
{
	struct safe_tx tx = recorded_tx(w);
	struct hash32 hash = safe_tx_hash(&tx), word = {{0}};
	struct buf data = {0};

	word.b[31] = approved;
	approved_hash_encode(&data, owner, &hash);
	world_says(w, &w->safe, buf_bytes(&data), bytes_of(word.b, sizeof(word.b)));
	buf_free(&data);
}

static void test_an_approved_hash_counts_when_the_safe_has_it(void **state)
{
	struct govern_world *w = *state;

	w->transaction = confirmed_by(w, &w->owners[0], part_of(w, &w->owners[0], 1));
	says_approved(w, &w->owners[0], true);
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	world_run_for(w, 50);
	assert_int_equal(row(&pending).confirmations, 1);
	assert_false(world_alarmed(w, "[confirmation-denied]"));
}

/* A block later somebody reads the queue, which shows the same. */
static void see_again(struct govern_world *w)
{
	struct lane *lane = world_lane(w);
	struct queue_view view = {.safe.safe = w->safe, .count = 1};
	struct proposal_tx tx;

	w->node.head++;
	follower_tick_now(lane->follower);
	for (int i = 0; i < 500 && lane->head.number < w->node.head; i++)
		world_run_for(w, 10);
	assert_int_equal(tx_service_parse_tx(&w->arena, &tx,
	                                     &(struct proposal_place){WORLD_CHAIN, w->safe},
	                                     bytes_text(w->transaction), NULL),
	                 0);
	view.items = &tx;
	proposer_queue_seen(lane->proposer, &view);
	world_run_for(w, 50);
}

static void test_an_approval_that_the_safe_does_not_have_is_an_alarm(void **state)
{
	struct govern_world *w = *state;

	w->transaction = confirmed_by(w, &w->owners[0], part_of(w, &w->owners[0], 1));
	says_approved(w, &w->owners[0], false);
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	world_run_for(w, 50);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_false(world_alarmed(w, "[confirmation-denied]")); /* it may be ahead of our head */
	see_again(w);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_true(world_alarmed(w, "[confirmation-denied]"));
	assert_true(world_alarmed(w, "the chain denies"));
}

static void says_version(struct govern_world *w, const char *version)
{
	struct buf returned = {0};
	struct abi_writer text = abi_begin(&returned, 1);

	abi_put_bytes(&text, bytes_text(version));
	world_says(w, &w->safe, view_call(VIEW_SAFE_VERSION), buf_bytes(&returned));
	buf_free(&returned);
}

/* The first owner is a contract that answers this to its signature "abc". */
static struct pending ask_contract(struct govern_world *w, enum safe_version version,
                                   const char *answer)
{
	struct safe_tx tx = recorded_tx(w);
	struct bytes returned = fixture_unhex(&w->arena, answer);
	struct buf data = {0};

	says_version(w, safe_version_text(version));
	contract_signature_encode(&data, version, &tx, bytes_text("abc"));
	world_says(w, &w->owners[0], buf_bytes(&data), returned);
	buf_free(&data);
	w->transaction = confirmed_by(
	        w, &w->owners[0],
	        arena_printf(&w->arena, "%s%064x616263%058d", part_of(w, &w->owners[0], 0), 3, 0));
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	world_run_for(w, 50);
	return pending;
}

#define ZEROS_28 "00000000000000000000000000000000000000000000000000000000"

/* The service was ahead of us: nothing was wrong. */
static void test_an_approval_that_the_chain_shows_a_block_later(void **state)
{
	struct govern_world *w = *state;

	w->transaction = confirmed_by(w, &w->owners[0], part_of(w, &w->owners[0], 1));
	says_approved(w, &w->owners[0], false);
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	world_run_for(w, 50);
	says_approved(w, &w->owners[0], true);
	see_again(w);
	assert_int_equal(row(&pending).confirmations, 1);
	assert_false(world_alarmed(w, "[confirmation-denied]"));
}

static void test_a_contract_owner_is_asked_as_1_4_1_does(void **state)
{
	struct pending pending = ask_contract(*state, SAFE_1_4_1, "20c13b0b" ZEROS_28);

	assert_int_equal(row(&pending).confirmations, 1);
	assert_false(world_alarmed(*state, "[confirmation-denied]"));
}

static void test_a_contract_owner_is_asked_as_1_5_0_does(void **state)
{
	struct pending pending = ask_contract(*state, SAFE_1_5_0, "1626ba7e" ZEROS_28);

	assert_int_equal(row(&pending).confirmations, 1);
}

static void test_a_contract_owner_that_says_no_does_not_count(void **state)
{
	struct pending pending = ask_contract(*state, SAFE_1_4_1, "1626ba7e" ZEROS_28);

	see_again(*state);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_true(world_alarmed(*state, "the chain denies"));
}

static void test_a_signature_of_somebody_else_is_an_alarm(void **state)
{
	struct govern_world *w = *state;

	w->transaction =
	        confirmed_by(w, &w->owners[0], arena_printf(&w->arena, "0x%064d%064d1b", 11, 22));
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_true(world_alarmed(w, "is not their signature"));
}

/* Nothing but the chain: the service is silent. */
static void test_approvals_on_chain_count_without_the_service(void **state)
{
	struct govern_world *w = *state;
	struct hash32 hash, topics[2] = {{{0}}};
	struct pending pending;

	assert_int_equal(hash32_parse(&hash, tx_hash, NULL), 0);
	topics[0] = hash;
	w->service_status = 503;
	pending = begin(w, tx_hash);
	store_begin(w->store);
	for (unsigned i = 0; i < 2; i++) {
		/* an owner and a stranger */
		const struct address who = i == 0 ? w->owners[1] : (struct address){{0x99}};
		memcpy(topics[1].b + 12, who.b, sizeof(who.b));
		struct seen_log log = {.block_number = 5,
		                       .log_index = i,
		                       .address = w->safe,
		                       .topic0 = *event_topic0(EVENT_HASH_APPROVED),
		                       .key = hash,
		                       .data = bytes_of(topics, sizeof(topics))};
		store_log_put(w->store, WORLD_CHAIN, &log);
	}
	store_commit(w->store);
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 1);
}

static void test_a_service_that_fails_is_left_alone(void **state)
{
	struct govern_world *w = *state;

	w->service_status = 503;
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	for (int i = 0; i < 20; i++)
		govern_wake(w->govern);
	world_run_for(w, 50);
	assert_int_equal(w->transaction_requests, 1);
	assert_int_equal(row(&pending).status, SAFE_TX_QUEUED);
	assert_int_equal(row(&pending).confirmations, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_confirmations_are_counted),
	        TEST(test_only_owners_of_today_count),
	        TEST(test_another_transaction_is_not_believed),
	        TEST(test_an_approved_hash_counts_when_the_safe_has_it),
	        TEST(test_an_approval_that_the_safe_does_not_have_is_an_alarm),
	        TEST(test_an_approval_that_the_chain_shows_a_block_later),
	        TEST(test_a_contract_owner_is_asked_as_1_4_1_does),
	        TEST(test_a_contract_owner_is_asked_as_1_5_0_does),
	        TEST(test_a_contract_owner_that_says_no_does_not_count),
	        TEST(test_a_signature_of_somebody_else_is_an_alarm),
	        TEST(test_approvals_on_chain_count_without_the_service),
	        TEST(test_a_service_that_fails_is_left_alone),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
