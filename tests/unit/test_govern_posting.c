/* Bringing a draft into the Safe's queue, with the real signer: once, whatever gets lost on the
 * way. */
#include "common/crypto/hash.h"
#include "common/eth/jsonrpc.h"
#include "common/governance/safe_tx.h"
#include "daemon/govern/proposer.h"
#include "daemon/io/role.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Public test keys of anvil: a delegate, and the first owner of the Safe. */
static const char delegate_key[] =
        "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba\n";
static const char owner_key[] =
        "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d\n";
static const char delegate[] = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";
static const char delegates[] =
        "{\"results\":[{\"safe\":\"0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B\","
        "\"delegate\":\"0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc\","
        "\"delegator\":\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\",\"label\":\"registrard\","
        "\"expiryDate\":null}]}";

static const struct hash32 value = {{0}};

struct desk {
	struct govern_world *w;
	struct proposal_id proposal;
	struct buf schedule;
	/* The service's side. */
	unsigned posts, looks;
	struct jval *held; /* what it has, NULL: nothing */
	struct jval *body; /* of the last POST */
	bool trusted, loses_answer;
	int refuses;                      /* a status, 0: takes it */
	void (*asked)(struct desk *desk); /* called once, when the queue is asked for */
	const char *queue;
};

/* --- the service ------------------------------------------------------------------------------ */

/* As the service shows what was posted to it. */
static struct jval *shown(const struct desk *desk, const struct jval *body)
{
	static const char *const fields[] = {
	        "to",      "value",    "data",     "operation",      "safeTxGas", "nonce",
	        "baseGas", "gasPrice", "gasToken", "refundReceiver", "origin",
	};
	struct jval *tx = jval_object();

	jval_add(tx, "safe", jsonrpc_new_address(&desk->w->safe));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (jval_get(body, fields[i]) != NULL)
			jval_add(tx, fields[i], jval_copy(jval_get(body, fields[i])));
	jval_add_string(tx, "safeTxHash", jval_get_string(body, "contractTransactionHash"));
	jval_add_bool(tx, "trusted", desk->trusted);
	jval_add_bool(tx, "isExecuted", false);
	jval_add(tx, "confirmations", jval_array());
	return tx;
}

static void take_post(struct desk *desk, const struct httpd_request *request,
                      struct httpd_reply *reply)
{
	desk->posts++;
	jval_free(desk->body);
	if (jval_parse(&desk->body, request->body, NULL) != 0)
		die("not JSON");
	if (desk->refuses != 0) {
		reply->status = desk->refuses;
		buf_append_text(&reply->body, "{\"nonFieldErrors\":[\"no\"]}");
		return;
	}
	jval_free(desk->held);
	desk->held = shown(desk, desk->body);
	reply->status = 201;
	reply->drop = desk->loses_answer;
}

static bool serve(const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	struct desk *desk = arg;

	if (strcmp(request->method, "POST") == 0) {
		take_post(desk, request, reply);
	} else if (strstr(request->path, "/multisig-transactions/0x") != NULL) {
		const char *hash =
		        desk->held != NULL ? jval_get_string(desk->held, "safeTxHash") : NULL;
		if (hash != NULL && strstr(request->path, hash) != NULL)
			jval_write(&reply->body, desk->held, JVAL_COMPACT);
		else
			reply->status = 404;
	} else if (strstr(request->path, "executed=false") != NULL) {
		desk->looks++;
		if (desk->asked != NULL)
			desk->asked(desk);
		desk->asked = NULL;
		buf_printf(&reply->body,
		           "{\"count\":1,\"next\":null,\"previous\":null,\"results\":[%s]}",
		           desk->queue);
	} else {
		return false;
	}
	return true;
}

/* --- the desk --------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	govern_world_setup((void **)&desk->w);
	desk->w->serve = serve;
	desk->w->serve_arg = desk;
	desk->w->delegates = delegates;
	desk->trusted = true;
	desk->queue = "";
	*state = desk;
	return 0;
}

static int teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->w;

	jval_free(desk->held);
	jval_free(desk->body);
	buf_free(&desk->schedule);
	free(desk);
	return govern_world_teardown(&world);
}

/* A drafted proposal, as the drafter leaves it. */
static void draft(struct desk *desk)
{
	struct govern_world *w = desk->w;
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal proposal = world_draft(w, &call);

	desk->proposal = world_propose(w, &proposal, (struct measurement_id){0});
	struct proposal stored = world_proposal(w, desk->proposal);
	struct timelock_batch batch = proposal_batch(&w->arena, &stored);
	timelock_encode_schedule(&desk->schedule, &batch, WORLD_DELAY);
	world_add_schedule(w, desk->proposal, buf_bytes(&desk->schedule));
}

static void open_desk(struct desk *desk, const char *key, const char *target)
{
	govern_world_prepare(desk->w, &(struct world_options){.target = target,
	                                                      .chain = "",
	                                                      .with_service = true,
	                                                      .proposer_key = key});
	draft(desk);
	desk->w->govern = govern_new(&desk->w->parts);
}

static struct safe_tx_row row(const struct desk *desk)
{
	struct safe_tx_list list = world_safe_txs(desk->w, desk->proposal);

	assert_int_equal(list.count, 1);
	return list.items[0];
}

static void run_until_posted(struct desk *desk, unsigned posts)
{
	for (int i = 0; i < 500 && desk->posts < posts; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 30);
	assert_int_equal(desk->posts, posts);
}

static void run_until(struct desk *desk, enum safe_tx_status status)
{
	for (int i = 0; i < 500 && row(desk).status != status; i++)
		world_run_for(desk->w, 10);
	assert_int_equal(row(desk).status, status);
}

/* Nothing is remembered but what the store holds. */
static void restart(struct desk *desk)
{
	struct lane *lane = world_lane(desk->w);

	proposer_free(lane->proposer);
	lane->proposer = proposer_new(lane);
	proposer_run(lane->proposer);
}

/* One entry of the Safe's queue: a call with this data. */
static const char *queued(struct desk *desk, uint64_t nonce, const struct address *to,
                          struct bytes data)
{
	struct safe_tx tx = {.chain_id = WORLD_CHAIN,
	                     .safe = desk->w->safe,
	                     .to = *to,
	                     .data = data,
	                     .nonce = nonce};
	struct hash32 hash = safe_tx_hash(&tx);
	char hash_text[HASH32_TEXT_SIZE], to_text[ADDRESS_TEXT_SIZE], safe[ADDRESS_TEXT_SIZE];
	struct buf hex = {0};

	buf_append_hex(&hex, data);
	char *text = arena_printf(
	        &desk->w->arena,
	        "{\"safe\":\"%s\",\"to\":\"%s\",\"value\":\"0\",\"data\":\"0x%s\",\"operation\":0,"
	        "\"safeTxGas\":\"0\",\"baseGas\":\"0\",\"gasPrice\":\"0\",\"gasToken\":null,"
	        "\"refundReceiver\":null,\"nonce\":\"%llu\",\"safeTxHash\":\"%s\","
	        "\"trusted\":true,\"isExecuted\":false,\"confirmations\":[]}",
	        address_text(safe, &desk->w->safe), address_text(to_text, to), buf_text(&hex),
	        (unsigned long long)nonce, hash32_text(hash_text, &hash));
	buf_free(&hex);
	return text;
}

/* --- the plain way ---------------------------------------------------------------------------- */

static void test_posted_once(void **state)
{
	struct desk *desk = *state;
	char hash[HASH32_TEXT_SIZE];

	open_desk(desk, delegate_key, "");
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(row(desk).nonce, 42); /* the chain's */
	assert_string_equal(jval_get_string(desk->body, "sender"), delegate);
	struct safe_tx_row stored = row(desk);
	assert_string_equal(jval_get_string(desk->body, "contractTransactionHash"),
	                    hash32_text(hash, &stored.safe_tx_hash));
	assert_non_null(strstr(jval_get_string(desk->body, "origin"), "os-image"));
	restart(desk);
	world_run_for(desk->w, 50);
	assert_int_equal(desk->posts, 1);
}

static void test_the_queue_holds_nonces(void **state)
{
	struct desk *desk = *state;
	const struct address other = {{0x0e}};

	desk->queue =
	        arena_printf(&desk->w->arena, "%s,%s", queued(desk, 42, &other, bytes_text("a")),
	                     queued(desk, 44, &other, bytes_text("b")));
	open_desk(desk, delegate_key, "");
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(row(desk).nonce, 43);
}

static void test_a_hole_below_what_is_pending_is_an_alarm(void **state)
{
	struct desk *desk = *state;
	const struct address other = {{0x0e}};

	desk->queue = queued(desk, 44, &other, bytes_text("b"));
	open_desk(desk, delegate_key, "");
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(row(desk).nonce, 42);
	assert_true(world_alarmed(desk->w, "nothing holds nonce 43"));
}

/* --- what is there already ----------------------------------------------------------------------
 */

static void test_the_same_call_in_the_queue_is_taken_over(void **state)
{
	struct desk *desk = *state;

	govern_world_prepare(desk->w, &(struct world_options){.target = "",
	                                                      .chain = "",
	                                                      .with_service = true,
	                                                      .proposer_key = delegate_key});
	draft(desk);
	desk->queue = queued(desk, 47, &desk->w->timelock, buf_bytes(&desk->schedule));
	desk->w->govern = govern_new(&desk->w->parts);
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(row(desk).nonce, 47);
	assert_int_equal(desk->posts, 0);
}

static void test_without_a_key_people_post_it(void **state)
{
	struct desk *desk = *state;

	open_desk(desk, NULL, "");
	/* The one look after the start, and the one of the posting. */
	for (int i = 0; i < 500 && desk->looks < 2; i++)
		world_run_for(desk->w, 10);
	assert_int_equal(row(desk).status, SAFE_TX_DRAFTED);
	for (int i = 0; i < 20; i++)
		govern_wake(desk->w->govern);
	world_run_for(desk->w, 50);
	assert_int_equal(desk->looks, 2); /* not due again */
	desk->queue = queued(desk, 42, &desk->w->timelock, buf_bytes(&desk->schedule));
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(desk->posts, 0);
}

/* --- what goes wrong ----------------------------------------------------------------------------
 */

static void test_a_refusal_gives_the_nonce_back(void **state)
{
	struct desk *desk = *state;

	desk->refuses = 422;
	open_desk(desk, delegate_key, "");
	run_until_posted(desk, 1);
	assert_int_equal(row(desk).status, SAFE_TX_DRAFTED);
	assert_false(row(desk).has_nonce);
	assert_true(world_alarmed(desk->w, "not proposed"));
	desk->refuses = 0;
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
}

static void test_an_answer_that_was_lost(void **state)
{
	struct desk *desk = *state;

	desk->loses_answer = true;
	open_desk(desk, delegate_key, "");
	run_until_posted(desk, 1);
	assert_int_equal(row(desk).status, SAFE_TX_POSTING);
	desk->loses_answer = false;
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(desk->posts, 1); /* it was there */
	assert_int_equal(row(desk).nonce, 42);
}

/* The program ended between the intent and the POST; meanwhile the nonce was used. */
static void test_a_nonce_lost_before_the_post(void **state)
{
	struct desk *desk = *state;

	desk->refuses = 503;
	open_desk(desk, delegate_key, "");
	run_until_posted(desk, 1);
	assert_int_equal(row(desk).status, SAFE_TX_POSTING);
	assert_int_equal(row(desk).nonce, 42);
	desk->refuses = 0;
	world_view_number(desk->w, &desk->w->safe, VIEW_SAFE_NONCE, 45);
	desk->w->node.fork = 1; /* a head that was not read yet */
	desk->w->node.fork_from = desk->w->node.head;
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(row(desk).nonce, 45);
	assert_int_equal(desk->posts, 2);
}

static void test_the_same_intent_is_posted_again(void **state)
{
	struct desk *desk = *state;

	desk->refuses = 503;
	open_desk(desk, delegate_key, "");
	run_until_posted(desk, 1);
	struct safe_tx_row before = row(desk);
	desk->refuses = 0;
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
	struct safe_tx_row after = row(desk);
	assert_true(hash32_equal(&before.safe_tx_hash, &after.safe_tx_hash));
	assert_int_equal(after.nonce, 42);
}

static void test_what_is_not_trusted_is_signed_again(void **state)
{
	struct desk *desk = *state;

	desk->trusted = false;
	open_desk(desk, delegate_key, "");
	run_until_posted(desk, 1);
	assert_int_equal(row(desk).status, SAFE_TX_POSTING);
	desk->trusted = true; /* from the next POST on */
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(desk->posts, 2);
}

static void test_a_key_that_is_no_delegate_does_not_post(void **state)
{
	struct desk *desk = *state;

	desk->w->delegates = "{\"results\":[]}";
	open_desk(desk, delegate_key, "");
	for (int i = 0; i < 500 && !world_alarmed(desk->w, "not proposed"); i++)
		world_run_for(desk->w, 10);
	assert_true(world_alarmed(desk->w, "delegate"));
	assert_int_equal(desk->posts, 0);
	desk->w->delegates = delegates;
	restart(desk);
	run_until(desk, SAFE_TX_QUEUED);
}

static void test_an_owner_s_key_does_not_post(void **state)
{
	struct desk *desk = *state;

	open_desk(desk, owner_key, "");
	for (int i = 0; i < 500 && !world_alarmed(desk->w, "not proposed"); i++)
		world_run_for(desk->w, 10);
	assert_true(world_alarmed(desk->w, "is an owner of the Safe"));
	assert_int_equal(desk->posts, 0);
	assert_int_equal(row(desk).status, SAFE_TX_DRAFTED);
}

static void test_an_owner_s_key_that_may(void **state)
{
	struct desk *desk = *state;

	open_desk(desk, owner_key, "    proposer_may_confirm: yes\n");
	run_until(desk, SAFE_TX_QUEUED);
	assert_int_equal(desk->posts, 1);
}

static void test_an_owner_s_key_never_decides_alone(void **state)
{
	struct desk *desk = *state;

	world_view_number(desk->w, &desk->w->safe, VIEW_SAFE_THRESHOLD, 1);
	open_desk(desk, owner_key, "    proposer_may_confirm: yes\n");
	for (int i = 0; i < 500 && !world_alarmed(desk->w, "not proposed"); i++)
		world_run_for(desk->w, 10);
	assert_true(world_alarmed(desk->w, "threshold 1"));
	assert_int_equal(desk->posts, 0);
}

static void test_a_withdrawn_draft_is_not_posted(void **state)
{
	struct desk *desk = *state;

	govern_world_prepare(desk->w, &(struct world_options){.target = "",
	                                                      .chain = "",
	                                                      .with_service = true,
	                                                      .proposer_key = delegate_key});
	draft(desk);
	store_begin(desk->w->store);
	store_proposal_set_flags(desk->w->store, desk->proposal, FLAG_WITHDRAWING, "by a person");
	store_commit(desk->w->store);
	desk->w->govern = govern_new(&desk->w->parts);
	run_until(desk, SAFE_TX_WITHDRAWN);
	assert_int_equal(desk->posts, 0);
}

/* Stored before the post, then killed; the service does not know it. What was under way then may
 * still arrive, so it is given up only when that cannot be any more. */
static void kill_while_posting(struct desk *desk, int64_t ago_ms)
{
	const struct hash32 hash = {{1}};

	govern_world_prepare(desk->w, &(struct world_options){.target = "",
	                                                      .chain = "",
	                                                      .with_service = true,
	                                                      .proposer_key = delegate_key});
	draft(desk);
	store_set_now(desk->w->store, (struct wall){clock_wall().ms - ago_ms});
	store_begin(desk->w->store);
	assert_int_equal(
	        store_safe_tx_assign(desk->w->store, row(desk).id, 42, &hash, &desk->w->error), 0);
	store_proposal_set_flags(desk->w->store, desk->proposal, FLAG_WITHDRAWING, "by a person");
	store_commit(desk->w->store);
	desk->w->govern = govern_new(&desk->w->parts);
}

static void test_withdrawn_long_after_it_was_posted_in_vain(void **state)
{
	struct desk *desk = *state;

	kill_while_posting(desk, 60 * 1000);
	run_until(desk, SAFE_TX_WITHDRAWN);
	assert_int_equal(desk->posts, 0);
}

static void test_withdrawn_while_a_post_may_still_arrive(void **state)
{
	struct desk *desk = *state;

	kill_while_posting(desk, 1000);
	for (int i = 0; i < 500 && desk->looks == 0; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 100);
	assert_int_equal(row(desk).status, SAFE_TX_POSTING);
	assert_true(row(desk).has_nonce);
	assert_int_equal(desk->posts, 0);
}

/* Else it would wait until the clock is there again. */
static void test_withdrawn_after_the_clock_was_set_back(void **state)
{
	struct desk *desk = *state;

	kill_while_posting(desk, -24 * 3600 * 1000);
	struct wall now = clock_wall();
	store_set_now(desk->w->store, now);
	for (int i = 0; i < 500 && row(desk).posted_at.ms > now.ms; i++)
		world_run_for(desk->w, 10);
	assert_int_equal(row(desk).posted_at.ms, now.ms);
	assert_int_equal(row(desk).status, SAFE_TX_POSTING);
	assert_int_equal(desk->posts, 0);
}

/* --- the store changes while the service is asked ----------------------------------------------
 */

static void withdraw(struct desk *desk)
{
	store_begin(desk->w->store);
	store_proposal_set_flags(desk->w->store, desk->proposal, FLAG_WITHDRAWING, "by a person");
	store_commit(desk->w->store);
}

static void test_withdrawn_while_the_queue_is_asked(void **state)
{
	struct desk *desk = *state;

	desk->asked = withdraw;
	open_desk(desk, delegate_key, "");
	for (int i = 0; i < 500 && desk->asked != NULL; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 100);
	assert_int_equal(desk->posts, 0);
	assert_false(row(desk).has_nonce);
}

static void serve_measurement(struct desk *desk)
{
	struct call call = world_call(desk->w, ACTION_ADD, &value);
	struct measurement_id id = world_record(desk->w, KIND_OS_IMAGE, &value);

	store_begin(desk->w->store);
	store_call_serve(desk->w->store, WORLD_CHAIN, &call.to, call.data, id);
	store_commit(desk->w->store);
}

static void hold(struct desk *desk)
{
	struct measurement_list served;

	store_proposal_measurements(desk->w->store, &desk->w->arena, desk->proposal, &served);
	assert_int_equal(served.count, 1);
	store_begin(desk->w->store);
	store_measurement_set_status(desk->w->store, served.items[0].id, MEASUREMENT_HELD,
	                             "held by an operator");
	store_commit(desk->w->store);
}

static void test_held_while_the_queue_is_asked(void **state)
{
	struct desk *desk = *state;

	desk->asked = hold;
	open_desk(desk, delegate_key, "");
	serve_measurement(desk);
	for (int i = 0; i < 500 && desk->asked != NULL; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 100);
	assert_int_equal(desk->posts, 0);
	assert_int_equal(row(desk).status, SAFE_TX_DRAFTED);
}

static void end(struct desk *desk)
{
	store_begin(desk->w->store);
	store_safe_tx_set_status(desk->w->store, row(desk).id, SAFE_TX_WITHDRAWN, NULL, 0);
	store_commit(desk->w->store);
}

/* What ended meanwhile neither stops the daemon nor comes to life again. */
static void test_ended_while_the_queue_is_asked(void **state)
{
	struct desk *desk = *state;

	desk->refuses = 503;
	open_desk(desk, delegate_key, "");
	run_until_posted(desk, 1);
	world_view_number(desk->w, &desk->w->safe, VIEW_SAFE_NONCE, 45); /* its nonce is lost */
	desk->w->node.fork = 1;
	desk->asked = end;
	restart(desk);
	for (int i = 0; i < 500 && desk->asked != NULL; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 100);
	assert_int_equal(desk->posts, 1);
	assert_int_equal(row(desk).status, SAFE_TX_WITHDRAWN);
}

/* A backup older than the queue, or people: the same call stands there in another batch. */
static void test_another_batch_with_the_call_is_in_the_queue(void **state)
{
	struct desk *desk = *state;
	struct govern_world *w = desk->w;
	const struct hash32 theirs = {{7}};
	struct call first = world_call(w, ACTION_ADD, &value);
	struct call second = world_call(w, ACTION_ADD, &theirs);
	struct proposal_list live;
	struct buf data = {0};

	struct contract_call calls[] = {
	        {.to = first.to, .data = first.data},
	        {.to = second.to, .data = second.data},
	};
	struct timelock_batch batch = {.calls = calls, .count = 2};
	timelock_encode_schedule(&data, &batch, WORLD_DELAY);
	desk->queue = queued(desk, 43, &w->timelock, buf_bytes(&data));
	buf_free(&data);
	open_desk(desk, delegate_key, "");
	run_until(desk, SAFE_TX_WITHDRAWN); /* the draft gives way */
	world_run_for(desk->w, 100);
	assert_int_equal(desk->posts, 0);
	store_proposal_list(w->store, &w->arena, PROPOSALS_LIVE, WORLD_CHAIN, &live);
	assert_int_equal(live.count, 1);
	assert_string_equal(live.items[0].origin, "external");
	assert_int_equal(live.items[0].call_count, 2);
	desk->proposal = live.items[0].id;
	assert_int_equal(row(desk).status, SAFE_TX_QUEUED);
	assert_int_equal(row(desk).nonce, 43);
	assert_true(world_alarmed(desk->w,
	                          "never verified here")); /* the second value is nobody's here */
	restart(desk);
	world_run_for(desk->w, 100);
	store_proposal_list(w->store, &w->arena, PROPOSALS_ALL, WORLD_CHAIN, &live);
	assert_int_equal(live.count, 2);
	assert_int_equal(desk->posts, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_posted_once),
	        TEST(test_the_queue_holds_nonces),
	        TEST(test_a_hole_below_what_is_pending_is_an_alarm),
	        TEST(test_the_same_call_in_the_queue_is_taken_over),
	        TEST(test_without_a_key_people_post_it),
	        TEST(test_a_refusal_gives_the_nonce_back),
	        TEST(test_an_answer_that_was_lost),
	        TEST(test_a_nonce_lost_before_the_post),
	        TEST(test_the_same_intent_is_posted_again),
	        TEST(test_what_is_not_trusted_is_signed_again),
	        TEST(test_a_key_that_is_no_delegate_does_not_post),
	        TEST(test_an_owner_s_key_does_not_post),
	        TEST(test_an_owner_s_key_that_may),
	        TEST(test_an_owner_s_key_never_decides_alone),
	        TEST(test_a_withdrawn_draft_is_not_posted),
	        TEST(test_withdrawn_long_after_it_was_posted_in_vain),
	        TEST(test_withdrawn_after_the_clock_was_set_back),
	        TEST(test_withdrawn_while_a_post_may_still_arrive),
	        TEST(test_withdrawn_while_the_queue_is_asked),
	        TEST(test_held_while_the_queue_is_asked),
	        TEST(test_ended_while_the_queue_is_asked),
	        TEST(test_another_batch_with_the_call_is_in_the_queue),
	};

	if (argc > 1 && strcmp(argv[1], "--role=signer") == 0)
		return signer_role_main(ROLE_SOCKET);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
