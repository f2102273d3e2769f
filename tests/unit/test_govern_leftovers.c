/* What is of no use any more and still lies in the Safe's queue: when it is over for good, what is
 * forgotten, what is rejected, and what waits because the answers say too little. */
#include "daemon/govern/leftovers.h"

#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/governance/safe_tx.h"
#include "common/store/store_chain.h"
#include "daemon/io/role.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A public test key of anvil: a delegate. */
static const char delegate_key[] =
        "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba\n";
static const char delegate[] = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";
static const struct hash32 value = {{0xaa, 0xbb}}, tx = {{0x77}};
static const struct address other = {{0x0e}};

enum { NONCE = 44 /* the Safe has 42 */, FINAL = 936, HEAD = 1000 };

struct desk {
	struct govern_world *w;
	struct jval *(*method)(const char *name, const struct jval *params, void *arg);
	struct lane *lane;
	struct proposal_id proposal;
	const char *queue;       /* what is in it, "" at first */
	const char *transaction; /* the one alone; NULL: 404 */
	unsigned looks, deletions;
	bool broken;                      /* the queue answers 500 */
	void (*asked)(struct desk *desk); /* called once, when the queue is asked for */
	unsigned next_index;
	bool deaf; /* the node does not answer calls at the final block */
	unsigned deaf_calls;
};

/* What the node is given as its argument is the world. */
static struct desk *desk_of_node;

static struct jval *method(const char *name, const struct jval *params, void *arg)
{
	struct desk *desk = desk_of_node;
	struct hash32 final = node_hash(&desk->w->node, FINAL);
	char text[HASH32_TEXT_SIZE];
	const char *at = jval_get_string(jval_at(params, 1), "blockHash");

	if (desk->deaf && strcmp(name, "eth_call") == 0 && at != NULL &&
	    strcmp(at, hash32_text(text, &final)) == 0) {
		desk->deaf_calls++;
		return jval_new_string("not what was asked for");
	}
	return desk->method(name, params, arg);
}

static bool serve(const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	struct desk *desk = arg;

	if (strcmp(request->method, "DELETE") == 0) {
		desk->deletions++;
		desk->queue = "";
		reply->status = 204;
	} else if (strstr(request->path, "/multisig-transactions/0x") != NULL) {
		reply->status = desk->transaction != NULL ? 200 : 404;
		buf_append_text(&reply->body, desk->transaction != NULL ? desk->transaction : "");
	} else if (strstr(request->path, "executed=false") != NULL) {
		desk->looks++;
		if (desk->asked != NULL)
			desk->asked(desk);
		desk->asked = NULL;
		reply->status = desk->broken ? 500 : 200;
		buf_printf(&reply->body,
		           "{\"count\":1,\"next\":null,\"previous\":null,\"results\":[%s]}",
		           desk->queue);
	} else {
		return false;
	}
	return true;
}

static int setup(void **state)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	if (govern_world_setup((void **)&desk->w) != 0)
		return 1;
	desk->w->serve = serve;
	desk->w->serve_arg = desk;
	desk->method = desk->w->node.method;
	desk->w->node.method = method;
	desk_of_node = desk;
	desk->queue = "";
	*state = desk;
	return 0;
}

static int teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->w;

	free(desk);
	return govern_world_teardown(&world);
}

/* --- what is there ------------------------------------------------------------------------------
 */

static struct safe_tx tx_of(const struct desk *desk, uint64_t nonce, const struct address *to)
{
	return (struct safe_tx){.chain_id = WORLD_CHAIN,
	                        .safe = desk->w->safe,
	                        .to = *to,
	                        .data = bytes_text("schedule"),
	                        .nonce = nonce};
}

static struct hash32 hash_of(const struct desk *desk, uint64_t nonce)
{
	struct safe_tx ours = tx_of(desk, nonce, &desk->w->timelock);

	return safe_tx_hash(&ours);
}

/* As the service shows it; signed by one owner or by nobody. */
static const char *shown(struct desk *desk, uint64_t nonce, const struct address *to,
                         bool is_signed)
{
	struct safe_tx one = tx_of(desk, nonce, to);
	struct hash32 hash = safe_tx_hash(&one);
	char hash_text[HASH32_TEXT_SIZE], to_text[ADDRESS_TEXT_SIZE], safe[ADDRESS_TEXT_SIZE],
	        owner[ADDRESS_TEXT_SIZE];
	struct arena *arena = &desk->w->arena;
	struct buf hex = {0};

	buf_append_hex(&hex, one.data);
	address_text(owner, &desk->w->owners[0]);
	/* Approved before on chain: its part names the owner. */
	const char *confirmation =
	        is_signed ? arena_printf(arena,
	                                 "{\"owner\":\"%s\",\"signature\":\"0x%024d%s%064d01\"}",
	                                 owner, 0, owner + 2, 0)
	                  : "";
	char *text = arena_printf(
	        arena,
	        "{\"safe\":\"%s\",\"to\":\"%s\",\"value\":\"0\",\"data\":\"0x%s\",\"operation\":0,"
	        "\"safeTxGas\":\"0\",\"baseGas\":\"0\",\"gasPrice\":\"0\",\"gasToken\":null,"
	        "\"refundReceiver\":null,\"nonce\":\"%llu\",\"safeTxHash\":\"%s\","
	        "\"proposer\":\"%s\",\"trusted\":true,\"isExecuted\":false,"
	        "\"confirmations\":[%s]}",
	        address_text(safe, &desk->w->safe), address_text(to_text, to), buf_text(&hex),
	        (unsigned long long)nonce, hash32_text(hash_text, &hash), delegate, confirmation);
	buf_free(&hex);
	return text;
}

static const char *ours(struct desk *desk, bool is_signed)
{
	return shown(desk, NONCE, &desk->w->timelock, is_signed);
}

static const char *both(struct desk *desk, const char *one, const char *two)
{
	return arena_printf(&desk->w->arena, "%s,%s", one, two);
}

static void prepare(struct desk *desk, const char *key)
{
	struct govern_world *w = desk->w;

	govern_world_prepare(
	        w, &(struct world_options){
	                   .target = arena_printf(&w->arena,
	                                          "    service: {kind: tx-service, url: \"%s\", "
	                                          "poll: 100ms}\n",
	                                          httpd_url(w->service)),
	                   .chain = "",
	                   .proposer_key = key});
}

static struct safe_tx_row row_at(struct desk *desk, size_t index)
{
	struct safe_tx_list list = world_safe_txs(desk->w, desk->proposal);

	assert_true(index < list.count);
	return list.items[index];
}

static struct safe_tx_row row(struct desk *desk)
{
	return row_at(desk, 0);
}

static void set_status(struct desk *desk, enum safe_tx_status status)
{
	store_begin(desk->w->store);
	store_safe_tx_set_status(desk->w->store, row(desk).id, status, NULL, 0);
	store_commit(desk->w->store);
}

/* Its schedule, in the queue with NONCE. */
static void propose(struct desk *desk)
{
	struct call call = world_call(desk->w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(desk->w, &call);
	struct hash32 hash = hash_of(desk, NONCE);

	draft.operation_id = (struct hash32){{0x0f}};
	draft.drafted_after = 10;
	desk->proposal = world_propose(desk->w, &draft, (struct measurement_id){0});
	world_enqueue(desk->w, world_add_schedule(desk->w, desk->proposal, bytes_text("schedule")),
	              NONCE, &hash);
	world_move(desk->w, desk->proposal, STATE_MULTISIG);
}

/* Withdrawn by somebody, and over. */
static void end(struct desk *desk)
{
	set_status(desk, SAFE_TX_WITHDRAWN);
	world_move(desk->w, desk->proposal, STATE_REJECTED);
}

static void leave(struct desk *desk, const char *key)
{
	prepare(desk, key);
	propose(desk);
	end(desk);
}

static void start(struct desk *desk)
{
	desk->lane = world_first_look(desk->w);
}

/* Nothing is remembered but what the store holds. */
static void restart(struct desk *desk)
{
	govern_free(desk->w->govern);
	start(desk);
}

static bool is_left(struct desk *desk)
{
	struct safe_tx_list list;

	store_safe_tx_left(desk->w->store, &desk->w->arena, WORLD_CHAIN, &list);
	return list.count > 0;
}

static void until_looked(struct desk *desk, unsigned looks)
{
	for (int i = 0; i < 900 && desk->looks < looks; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 50);
	assert_true(desk->looks >= looks);
}

static void until_gone(struct desk *desk)
{
	for (int i = 0; i < 900 && is_left(desk); i++)
		world_run_for(desk->w, 10);
	assert_false(is_left(desk));
}

static size_t rejections(struct desk *desk)
{
	struct safe_tx_list list = world_safe_txs(desk->w, desk->proposal);
	size_t count = 0;

	for (size_t i = 0; i < list.count; i++)
		count += list.items[i].purpose == PURPOSE_REJECT;
	return count;
}

static void until_rejected(struct desk *desk)
{
	for (int i = 0; i < 900 && rejections(desk) == 0; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 250); /* some polls more */
	assert_int_equal(rejections(desk), 1);
	assert_int_equal(world_alarms(desk->w, "[left-in-queue]").count, 1);
	assert_int_equal(row_at(desk, 1).nonce, NONCE);
	assert_true(is_left(desk)); /* until the nonce is used, at finality */
}

static void assert_quiet(struct desk *desk)
{
	assert_int_equal(rejections(desk), 0);
	assert_int_equal(world_alarms(desk->w, "[left-in-queue]").count, 0);
}

static void happens(struct desk *desk, uint64_t block, const struct address *contract,
                    enum event_type type, const struct hash32 *key)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = node_hash(&desk->w->node, block),
	                       .tx_hash = tx,
	                       .log_index = desk->next_index++,
	                       .address = *contract,
	                       .topic0 = *event_topic0(type),
	                       .key = *key,
	                       .data = bytes_of(key->b, sizeof(key->b))};

	store_begin(desk->w->store);
	assert_true(store_log_put(desk->w->store, WORLD_CHAIN, &log));
	store_commit(desk->w->store);
}

/* --- how the queue stands -----------------------------------------------------------------------
 */

static void test_what_is_not_there_is_gone(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	start(desk);
	until_gone(desk);
	assert_quiet(desk);
}

static void test_what_is_signed_is_rejected(void **state)
{
	struct desk *desk = *state;

	leave(desk, delegate_key);
	desk->queue = ours(desk, true);
	start(desk);
	until_rejected(desk);
	assert_contains(world_alarms(desk->w, "[left-in-queue]").text,
	                "its schedule transaction with nonce 44");
	assert_int_equal(desk->deletions, 0);
	restart(desk);
	until_rejected(desk); /* once for ever */
}

static void test_what_something_waits_behind_is_rejected(void **state)
{
	struct desk *desk = *state;

	leave(desk, delegate_key);
	desk->queue = both(desk, ours(desk, false), shown(desk, NONCE + 1, &other, false));
	start(desk);
	until_rejected(desk);
	assert_int_equal(desk->deletions, 0);
}

/* The hole would hold up what is above it, and may be filled by whoever kept the signatures. */
static void test_what_is_missing_below_another_one_is_rejected(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	desk->queue = shown(desk, NONCE + 1, &other, false);
	start(desk);
	until_rejected(desk);
}

static void test_what_nobody_signed_is_forgotten(void **state)
{
	struct desk *desk = *state;

	leave(desk, delegate_key);
	desk->queue = desk->transaction = ours(desk, false);
	start(desk);
	for (int i = 0; i < 900 && desk->deletions == 0; i++)
		world_run_for(desk->w, 10);
	until_gone(desk);
	assert_true(row(desk).deleted);
	assert_int_equal(desk->deletions, 1);
	assert_quiet(desk);
}

/* Only who proposed it can have it forgotten. */
static void test_without_a_key_it_is_rejected(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	desk->queue = ours(desk, false);
	start(desk);
	until_rejected(desk);
}

static void test_another_one_in_its_place_is_enough(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	desk->queue = both(desk, ours(desk, true), shown(desk, NONCE, &other, true));
	start(desk);
	until_looked(desk, 3);
	assert_quiet(desk);
	assert_true(is_left(desk));
	/* That one was taken back: ours is what there is. */
	desk->queue = ours(desk, true);
	until_rejected(desk);
}

/* --- answers that are wrong or late -------------------------------------------------------------
 */

static void test_a_service_that_fails_decides_nothing(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	desk->broken = true;
	start(desk);
	until_looked(desk, 2);
	assert_true(is_left(desk));
	assert_quiet(desk);
	desk->broken = false;
	until_gone(desk);
}

/* Its hash is not that of what it says: no word of it counts, and it does not say that nothing is
 * there. */
static void test_a_service_that_contradicts_itself(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	char *lie = arena_strdup(&desk->w->arena, ours(desk, true));
	strstr(lie, "\"value\":\"0\"")[9] = '1';
	desk->queue = lie;
	start(desk);
	for (int i = 0; i < 900 && !world_alarmed(desk->w, "[service-contradicts]"); i++)
		world_run_for(desk->w, 10);
	assert_true(world_alarmed(desk->w, "[service-contradicts]"));
	until_looked(desk, desk->looks + 2);
	assert_true(is_left(desk));
	assert_quiet(desk);
	desk->queue = ours(desk, true);
	until_rejected(desk);
}

static void reject_it(struct desk *desk)
{
	struct safe_tx rejection = safe_tx_rejection(WORLD_CHAIN, &desk->w->safe, NONCE);
	struct hash32 hash = safe_tx_hash(&rejection);

	store_begin(desk->w->store);
	const struct safe_tx_row fresh = {
	        .proposal = desk->proposal,
	        .purpose = PURPOSE_REJECT,
	        .safe = desk->w->safe,
	        .to = rejection.to,
	        .data = rejection.data,
	        .operation = rejection.operation,
	};
	struct safe_tx_id id = store_safe_tx_add(desk->w->store, &fresh);
	store_safe_tx_pin(desk->w->store, id, NONCE, &hash);
	store_commit(desk->w->store);
}

static void test_rejected_while_the_queue_is_asked(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	desk->queue = ours(desk, true);
	desk->asked = reject_it;
	start(desk);
	until_looked(desk, 1);
	world_run_for(desk->w, 250);
	assert_int_equal(rejections(desk), 1);
	assert_int_equal(world_alarms(desk->w, "[left-in-queue]").count, 0);
}

static void test_stopped_in_the_middle_of_a_look(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	desk->w->service_hangs = true;
	desk->w->serve = NULL;
	start(desk);
	for (int i = 0; i < 500 && desk->w->service_requests == 0; i++)
		world_run_for(desk->w, 10);
	assert_true(desk->w->service_requests > 0);
	desk->w->service_hangs = false;
	desk->w->serve = serve;
	desk->queue = ours(desk, true);
	restart(desk);
	until_rejected(desk);
}

/* --- when its nonce is used ---------------------------------------------------------------------
 */

static void safe_is_further(struct desk *desk)
{
	world_view_number(desk->w, &desk->w->safe, VIEW_SAFE_NONCE, NONCE + 1);
}

static void test_a_used_nonce_ends_it(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	safe_is_further(desk);
	start(desk);
	until_gone(desk);
	assert_int_equal(row(desk).status, SAFE_TX_WITHDRAWN);
	assert_quiet(desk);
}

/* Without another block to come. */
static void test_finality_is_asked_until_it_answers(void **state)
{
	struct desk *desk = *state;

	leave(desk, NULL);
	safe_is_further(desk);
	desk->deaf = true;
	start(desk);
	for (int i = 0; i < 500 && desk->deaf_calls == 0; i++)
		world_run_for(desk->w, 10);
	world_run_for(desk->w, 50);
	assert_true(desk->deaf_calls > 0);
	assert_true(is_left(desk));
	desk->deaf = false;
	until_gone(desk);
	assert_quiet(desk);
}

static void expect_end(struct desk *desk, enum safe_tx_status before, enum safe_tx_status after)
{
	prepare(desk, NULL);
	propose(desk);
	world_move(desk->w, desk->proposal, STATE_REJECTED);
	set_status(desk, before);
	safe_is_further(desk);
	struct hash32 hash = hash_of(desk, NONCE);
	if (after == SAFE_TX_EXECUTED)
		happens(desk, 900, &desk->w->safe, EVENT_SAFE_SUCCESS, &hash);
	if (after == SAFE_TX_FAILED)
		happens(desk, 900, &desk->w->safe, EVENT_SAFE_FAILURE, &hash);
	start(desk);
	until_gone(desk);
	assert_int_equal(row(desk).status, after);
	bool ran = after == SAFE_TX_EXECUTED || after == SAFE_TX_FAILED;
	assert_int_equal(row(desk).has_tx, ran);
	assert_int_equal(row(desk).tx_block, ran ? 900 : 0);
}

static void test_it_was_executed(void **state)
{
	expect_end(*state, SAFE_TX_QUEUED, SAFE_TX_EXECUTED);
}

static void test_it_failed(void **state)
{
	expect_end(*state, SAFE_TX_POSTING, SAFE_TX_FAILED);
}

static void test_another_one_took_its_nonce(void **state)
{
	expect_end(*state, SAFE_TX_QUEUED, SAFE_TX_REPLACED);
}

/* --- when it is over ----------------------------------------------------------------------------
 */

static void scheduled_in(struct desk *desk, uint64_t block)
{
	happens(desk, block, &desk->w->timelock, EVENT_CALL_SCHEDULED, &(struct hash32){{0x0f}});
}

/* What the lane was told by its last tick. */
static void run_again(struct desk *desk)
{
	for (int i = 0; i < 20; i++) {
		leftovers_run(desk->lane->leftovers);
		world_run_for(desk->w, 10);
	}
}

/* Others scheduled it; a reorganisation may take that away, and ours is of use again. */
static void test_what_may_come_back_stays(void **state)
{
	struct desk *desk = *state;

	prepare(desk, NULL);
	propose(desk);
	desk->queue = ours(desk, true);
	start(desk);
	world_move(desk->w, desk->proposal, STATE_TIMELOCK);
	scheduled_in(desk, FINAL + 1);
	run_again(desk);
	assert_int_equal(row(desk).status, SAFE_TX_QUEUED);
	store_begin(desk->w->store);
	store_chain_rewind(desk->w->store, WORLD_CHAIN, FINAL);
	store_commit(desk->w->store);
	desk->lane->final.number = FINAL + 10;
	run_again(desk);
	assert_int_equal(row(desk).status, SAFE_TX_QUEUED);
	assert_quiet(desk);
}

static void test_what_others_scheduled_for_good_is_left_over(void **state)
{
	struct desk *desk = *state;

	prepare(desk, NULL);
	propose(desk);
	desk->queue = ours(desk, true);
	start(desk);
	world_move(desk->w, desk->proposal, STATE_TIMELOCK);
	scheduled_in(desk, FINAL + 1);
	desk->lane->final.number = FINAL + 1;
	leftovers_run(desk->lane->leftovers);
	for (int i = 0; i < 900 && row(desk).status == SAFE_TX_QUEUED; i++)
		world_run_for(desk->w, 10);
	assert_int_equal(row(desk).status, SAFE_TX_WITHDRAWN);
}

static void test_an_attempt_that_was_taken_back_is_no_leftover_yet(void **state)
{
	struct desk *desk = *state;

	prepare(desk, NULL);
	propose(desk);
	set_status(desk, SAFE_TX_WITHDRAWN);
	desk->queue = ours(desk, true);
	start(desk);
	world_run_for(desk->w, 300);
	assert_quiet(desk);
	assert_int_equal(row(desk).status, SAFE_TX_WITHDRAWN);
	assert_true(is_left(desk));
}

/* --- without a service --------------------------------------------------------------------------
 */

static bool has_file(struct govern_world *w, const char *name)
{
	return access(arena_printf(&w->arena, "%s/drafts/%s", w->config->state_dir, name), R_OK) ==
	       0;
}

static void test_without_a_service_its_rejection_is_a_file(void **state)
{
	struct desk *desk = *state;

	govern_world_prepare(desk->w, &(struct world_options){.target = "", .chain = ""});
	propose(desk);
	end(desk);
	start(desk);
	until_rejected(desk);
	assert_true(has_file(desk->w, "p1-reject-1.json"));
	assert_int_equal(desk->looks, 0);
}

static void test_what_never_had_a_nonce_is_told(void **state)
{
	struct desk *desk = *state;
	struct call call = world_call(desk->w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(desk->w, &call);

	govern_world_prepare(desk->w, &(struct world_options){.target = "", .chain = ""});
	desk->proposal = world_propose(desk->w, &draft, (struct measurement_id){0});
	world_add_schedule(desk->w, desk->proposal, bytes_text("schedule"));
	end(desk);
	start(desk);
	until_gone(desk);
	assert_quiet(desk);
	assert_true(has_file(desk->w, "p1-reject-schedule-1.json"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_what_is_not_there_is_gone),
	        TEST(test_what_is_signed_is_rejected),
	        TEST(test_what_something_waits_behind_is_rejected),
	        TEST(test_what_is_missing_below_another_one_is_rejected),
	        TEST(test_what_nobody_signed_is_forgotten),
	        TEST(test_without_a_key_it_is_rejected),
	        TEST(test_another_one_in_its_place_is_enough),
	        TEST(test_a_service_that_fails_decides_nothing),
	        TEST(test_a_service_that_contradicts_itself),
	        TEST(test_rejected_while_the_queue_is_asked),
	        TEST(test_stopped_in_the_middle_of_a_look),
	        TEST(test_a_used_nonce_ends_it),
	        TEST(test_finality_is_asked_until_it_answers),
	        TEST(test_it_was_executed),
	        TEST(test_it_failed),
	        TEST(test_another_one_took_its_nonce),
	        TEST(test_what_may_come_back_stays),
	        TEST(test_what_others_scheduled_for_good_is_left_over),
	        TEST(test_an_attempt_that_was_taken_back_is_no_leftover_yet),
	        TEST(test_without_a_service_its_rejection_is_a_file),
	        TEST(test_what_never_had_a_nonce_is_told),
	};

	if (argc > 1 && strcmp(argv[1], "--role=signer") == 0)
		return signer_role_main(ROLE_SOCKET);
	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
