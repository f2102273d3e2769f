/* What a Safe or an owner executed without us: which of it is put down as a proposal, what is told
 * as foreign, and that a node which lies about calldata is not believed. */
#include "common/governance/events.h"
#include "common/governance/safe_tx.h"
#include "common/store/store_chain.h"
#include "daemon/govern/executions.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hash32 value = {{0xaa, 0xbb}}, other_value = {{0xcc}};
static const struct hash32 tx = {{0x77}}, block = {{0xb1}};
static const struct address sender = {{0x5e}}, relay = {{0x4e}};

enum { BLOCK = 1100, NONCE = 39 /* the Safe has 42 by now */ };

struct bench {
	struct govern_world *w;
	struct lane *lane;
	unsigned next_index, asked;
	struct address to; /* of the transaction, as the node tells it */
	struct buf input;
	bool unknown;
	struct hash32 safe_tx_hash;
};

/* What the node is given as its argument is the world. */
static struct bench *bench_of_node;

static struct jval *method(const char *name, const struct jval *params, void *arg)
{
	struct bench *b = bench_of_node;

	(void)params;
	(void)arg;
	if (strcmp(name, "eth_getTransactionByHash") != 0)
		return NULL;
	b->asked++;
	if (b->unknown)
		return jval_new_null();
	struct jval *answer = jval_object();
	char text[ADDRESS_TEXT_SIZE];
	jval_add_hash32(answer, "hash", &tx);
	jval_add_hash32(answer, "blockHash", &block);
	jval_add_string(answer, "from", address_text(text, &sender));
	jval_add_string(answer, "to", address_text(text, &b->to));
	jval_add_hex(answer, "input", buf_bytes(&b->input));
	return answer;
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	if (govern_world_setup((void **)&b->w) != 0)
		return 1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	void *world = b->w;

	buf_free(&b->input);
	free(b);
	return govern_world_teardown(&world);
}

static void start(struct bench *b, const char *target)
{
	const struct world_options options = {.target = target, .chain = ""};

	govern_world_start(b->w, &options);
	b->lane = world_lane(b->w);
	for (int i = 0; i < 500 && !b->lane->have_head; i++)
		world_run_for(b->w, 10);
	assert_true(b->lane->have_head);
	b->w->node.method = method;
	bench_of_node = b;
	b->lane->head.number = b->lane->final.number = 2000;
}

/* --- what happened ------------------------------------------------------------------------------
 */

static void says(struct bench *b, const struct address *contract, const struct hash32 *topic0,
                 const struct hash32 *words, size_t count)
{
	struct seen_log log = {.block_number = BLOCK,
	                       .block_hash = block,
	                       .tx_hash = tx,
	                       .log_index = b->next_index++,
	                       .address = *contract,
	                       .topic0 = *topic0,
	                       .key = words[0],
	                       .data = bytes_of(words, count * sizeof(*words))};

	store_begin(b->w->store);
	assert_true(store_log_put(b->w->store, WORLD_CHAIN, &log));
	store_commit(b->w->store);
}

static struct bytes call_of(struct bench *b, const struct hash32 *which)
{
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, which);
	return arena_copy(&b->w->arena, bytes_of(data, sizeof(data)));
}

static struct safe_tx tx_of(struct bench *b, const struct hash32 *which)
{
	return (struct safe_tx){.chain_id = WORLD_CHAIN,
	                        .safe = b->w->safe,
	                        .to = b->w->kms,
	                        .data = call_of(b, which),
	                        .nonce = NONCE};
}

/* The Safe ran it and the registry tells of the value. */
static void safe_ran(struct bench *b, const struct safe_tx *ran)
{
	b->safe_tx_hash = safe_tx_hash(ran);
	struct hash32 words[2] = {b->safe_tx_hash};

	says(b, &b->w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value, 1);
	says(b, &b->w->safe, event_topic0(EVENT_SAFE_SUCCESS), words, 2);
}

/* What the node says was sent: the Safe called by somebody, or by a contract that was asked to. */
static void was_sent(struct bench *b, const struct safe_tx *sent, bool relayed)
{
	/* Two owners that approved before: their parts name them. */
	uint8_t parts[2 * SAFE_SIGNATURE_SIZE] = {0};
	struct buf exec = {0};

	for (size_t i = 0; i < 2; i++) {
		memcpy(parts + i * SAFE_SIGNATURE_SIZE + 12, b->w->owners[i].b, 20);
		parts[(i + 1) * SAFE_SIGNATURE_SIZE - 1] = 1;
	}
	safe_exec_encode(&exec, sent, bytes_of(parts, sizeof(parts)));
	b->to = b->w->safe;
	if (relayed) {
		uint8_t len[32] = {0};
		b->to = relay;
		be64_put(len + 24, exec.len);
		buf_append_text(&b->input, "0123");
		buf_append(&b->input, len, sizeof(len));
	}
	buf_append(&b->input, exec.data, exec.len);
	if (relayed)
		buf_append_text(&b->input, "and what else the contract was told");
	buf_free(&exec);
}

static void look(struct bench *b)
{
	executions_run(b->lane->executions);
	for (int i = 0; i < 900 && executions_is_looking(b->lane->executions); i++)
		world_run_for(b->w, 10);
	assert_false(executions_is_looking(b->lane->executions));
}

static void assert_put_down(struct bench *b, const char *reason)
{
	struct proposal_list list = world_proposals(b->w);
	struct history_list history;

	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].origin, "external");
	assert_int_equal(list.items[0].call_count, 1);
	assert_true(hash32_equal(&list.items[0].calls[0].value, &value));
	store_history_list(b->w->store, &b->w->arena, list.items[0].id, &history);
	assert_contains(history.items[0].reason, reason);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 0);
	assert_int_equal(world_alarms(b->w, "[unverified]").count, 0);
	/* Nothing is asked twice. */
	unsigned asked = b->asked;
	look(b);
	assert_int_equal(b->asked, asked);
	assert_int_equal(world_proposals(b->w).count, 1);
}

static void assert_foreign(struct bench *b, const char *part)
{
	assert_int_equal(world_proposals(b->w).count, 0);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 1);
	assert_contains(world_alarms(b->w, "[foreign]").text, part);
	look(b);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 1);
}

/* --- model safe ---------------------------------------------------------------------------------
 */

static void test_a_safe(void **state)
{
	struct bench *b = *state;

	start(b, "    model: safe\n");
	struct safe_tx ran = tx_of(b, &value);
	safe_ran(b, &ran);
	was_sent(b, &ran, false);
	look(b);
	assert_put_down(b, "with nonce 39 signed by ");
	struct safe_tx_list txs = world_safe_txs(b->w, world_proposals(b->w).items[0].id);
	assert_int_equal(txs.count, 1);
	assert_int_equal(txs.items[0].status, SAFE_TX_EXECUTED);
	assert_int_equal(txs.items[0].nonce, NONCE);
	assert_true(hash32_equal(&txs.items[0].safe_tx_hash, &b->safe_tx_hash));
	assert_true(hash32_equal(&txs.items[0].tx, &tx));
}

static void test_a_safe_through_a_contract(void **state)
{
	struct bench *b = *state;

	start(b, "    model: safe\n");
	struct safe_tx ran = tx_of(b, &value);
	safe_ran(b, &ran);
	was_sent(b, &ran, true);
	look(b);
	assert_put_down(b, "sent by 0x5E00000000000000000000000000000000000000");
}

/* Other calldata than what the Safe gave its hash for. */
static void test_a_node_that_lies(void **state)
{
	struct bench *b = *state;

	start(b, "    model: safe\n");
	struct safe_tx ran = tx_of(b, &value), said = tx_of(b, &other_value);
	safe_ran(b, &ran);
	was_sent(b, &said, false);
	look(b);
	assert_foreign(b, "calls cannot be read from it: os-image 0xaabb");
}

static void test_a_safe_with_more(void **state)
{
	struct bench *b = *state;

	start(b, "    model: safe\n");
	struct safe_tx ran = tx_of(b, &value);
	ran.safe_tx_gas = u256_from(100000);
	safe_ran(b, &ran);
	was_sent(b, &ran, false);
	look(b);
	assert_foreign(b, "with gas or refund fields that are not zero");
}

static void test_many_selectors(void **state)
{
	struct bench *b = *state;
	static const uint8_t selector[] = {0x6a, 0x76, 0x12, 0x02};

	start(b, "    model: safe\n");
	struct safe_tx ran = tx_of(b, &value);
	safe_ran(b, &ran);
	b->to = relay;
	for (int i = 0; i < 20000; i++)
		buf_append(&b->input, selector, sizeof(selector));
	look(b);
	assert_foreign(b, "calls cannot be read");
}

static void test_a_node_without_it(void **state)
{
	struct bench *b = *state;

	start(b, "    model: safe\n");
	struct safe_tx ran = tx_of(b, &value);
	b->unknown = true;
	safe_ran(b, &ran);
	look(b);
	assert_int_equal(world_proposals(b->w).count, 0);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 0);
	/* The change itself is told all the same, after some more tries. */
	for (int i = 0; i < 900 && !world_alarmed(b->w, "[registry-changed]"); i++)
		world_run_for(b->w, 10);
	assert_contains(world_alarms(b->w, "[registry-changed]").text, "os-image 0xaabb");
}

/* A module made the Safe act: no transaction of its owners. */
static void test_without_a_transaction_of_the_safe(void **state)
{
	struct bench *b = *state;

	start(b, "    model: safe\n");
	says(b, &b->w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value, 1);
	look(b);
	assert_int_equal(b->asked, 0);
	assert_int_equal(world_proposals(b->w).count, 0);
}

/* --- model direct -------------------------------------------------------------------------------
 */

static void test_an_owner(void **state)
{
	struct bench *b = *state;
	struct bytes data;

	start(b, "    model: direct\n");
	data = call_of(b, &value);
	says(b, &b->w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value, 1);
	b->to = b->w->kms;
	buf_append(&b->input, data.data, data.len);
	look(b);
	assert_put_down(b, "made by others: transaction 0x7700");
}

static void test_an_owner_through_a_contract(void **state)
{
	struct bench *b = *state;

	start(b, "    model: direct\n");
	says(b, &b->w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value, 1);
	b->to = relay;
	buf_append_text(&b->input, "abcd");
	look(b);
	assert_foreign(b, "is no registry call itself");
}

/* --- what is not looked at ----------------------------------------------------------------------
 */

static void test_a_timelock_is_not_asked_about(void **state)
{
	struct bench *b = *state;

	start(b, "");
	struct safe_tx ran = tx_of(b, &value);
	safe_ran(b, &ran);
	look(b);
	assert_int_equal(b->asked, 0);
}

static void test_a_draft_that_is_carried_out(void **state)
{
	struct bench *b = *state;

	start(b, "    model: direct\n");
	struct measurement_id m = world_record(b->w, KIND_OS_IMAGE, &value);
	struct call call = world_call(b->w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(b->w, &call);
	draft.model = MODEL_DIRECT;
	draft.safe = draft.timelock = (struct address){{0}};
	world_propose(b->w, &draft, m);
	says(b, &b->w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value, 1);
	executions_run(b->lane->executions);
	assert_false(executions_is_looking(b->lane->executions));
	assert_int_equal(b->asked, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_a_safe),
	        TEST(test_a_safe_through_a_contract),
	        TEST(test_a_node_that_lies),
	        TEST(test_a_safe_with_more),
	        TEST(test_many_selectors),
	        TEST(test_a_node_without_it),
	        TEST(test_without_a_transaction_of_the_safe),
	        TEST(test_an_owner),
	        TEST(test_an_owner_through_a_contract),
	        TEST(test_a_timelock_is_not_asked_about),
	        TEST(test_a_draft_that_is_carried_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
