/* What is asked to send a transaction, while an endpoint lies, refuses or is away. */
#include "tests/unit/chain_world.h"

#include "common/eth/jsonrpc.h"
#include "daemon/chain/sending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct hash32 sent = {{0x5e}};

/* What the nodes answer beside the usual, by test. */
struct answers {
	uint64_t number; /* to eth_estimateGas; 0: refused */
	bool takes;      /* eth_sendRawTransaction */
	unsigned taken;
	enum chain_receipt receipt;
	const char *code; /* of eth_getCode; NULL: as usual */
};

struct scene {
	struct chain_world *world;
	struct answers answers[NODES];
	/* what was told */
	uint64_t numbers[NODES];
	struct chain_header header;
	enum chain_receipt receipt;
	char text[16];
};

static struct jval *receipt_value(enum chain_receipt receipt)
{
	static const struct hash32 block = {{0xb0}};

	if (receipt == RECEIPT_NONE)
		return jval_new_null();
	struct jval *value = jval_object();
	jval_add(value, "status", jsonrpc_new_quantity(receipt == RECEIPT_SUCCESS));
	jval_add_hash32(value, "blockHash", &block);
	return value;
}

static struct jval *answer(const char *name, const struct jval *params, void *arg)
{
	struct answers *answers = arg;
	char text[HASH32_TEXT_SIZE];

	if (strcmp(name, "eth_estimateGas") == 0 && answers->number != 0)
		return jsonrpc_new_quantity(answers->number);
	if (strcmp(name, "eth_sendRawTransaction") == 0 && answers->takes) {
		answers->taken++;
		return jval_new_string(hash32_text(text, &sent));
	}
	if (strcmp(name, "eth_getTransactionReceipt") == 0) {
		assert_string_equal(jval_string(jval_at(params, 0)), hash32_text(text, &sent));
		return receipt_value(answers->receipt);
	}
	if (strcmp(name, "eth_getCode") == 0 && answers->code != NULL)
		return jval_new_string(answers->code);
	return NULL;
}

static void begin(struct scene *scene, void **state, size_t endpoints, unsigned quorum)
{
	*scene = (struct scene){.world = *state};
	for (size_t i = 0; i < NODES; i++) {
		scene->world->nodes[i].method = answer;
		scene->world->nodes[i].arg = &scene->answers[i];
	}
	open_chain(scene->world, endpoints, quorum);
}

static int code_of(struct scene *scene)
{
	chain_world_run(scene->world);
	return scene->world->error.code;
}

/* --- numbers ----------------------------------------------------------------------------------
 */

static void got_numbers(const struct error *error, const uint64_t *numbers, size_t count, void *arg)
{
	struct scene *scene = arg;

	scene->world->count = count;
	for (size_t i = 0; error == NULL && i < count; i++)
		scene->numbers[i] = numbers[i];
	chain_world_finish(scene->world, error);
}

static int ask_numbers(struct scene *scene, uint64_t a, uint64_t b, uint64_t c)
{
	scene->answers[0].number = a;
	scene->answers[1].number = b;
	scene->answers[2].number = c;
	chain_numbers(scene->world->chain, "eth_estimateGas", NULL, got_numbers, scene);
	return code_of(scene);
}

static void test_the_middle_number_is_not_a_liars(void **state)
{
	static const uint64_t lies[] = {1, 99999, 100050, 30000000, UINT64_MAX};
	struct scene scene;

	begin(&scene, state, 3, 2);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		assert_int_equal(ask_numbers(&scene, lies[i], 100000, 100100), 0);
		assert_int_equal(scene.world->count, 3);
		assert_in_range(scene.numbers[1], 100000, 100100);
		assert_true(scene.numbers[0] <= scene.numbers[1]);
		assert_true(scene.numbers[1] <= scene.numbers[2]);
	}
}

static void test_numbers_of_a_quorum(void **state)
{
	struct scene scene;

	begin(&scene, state, 3, 2);
	/* One that refuses holds nobody up, nor does one that is away or silent. */
	assert_int_equal(ask_numbers(&scene, 0, 7, 8), 0);
	assert_int_equal(scene.world->count, 2);
	scene.world->nodes[0].fail_times = 1;
	scene.world->nodes[0].fail_status = 502;
	assert_int_equal(ask_numbers(&scene, 6, 7, 8), 0);
	assert_int_equal(scene.world->count, 2);
	scene.world->nodes[0].hang = true;
	assert_int_equal(ask_numbers(&scene, 6, 7, 8), 0);
	assert_int_equal(scene.world->count, 2);
	/* One alone is no quorum, in either direction. */
	assert_int_equal(ask_numbers(&scene, 6, 7, 0), ERR_UNAVAILABLE);
	scene.world->nodes[0].hang = false;
	assert_int_equal(ask_numbers(&scene, 6, 0, 0), ERR_DENIED);
	assert_non_null(strstr(scene.world->error.text, "does not exist"));
}

static void test_numbers_of_a_single_endpoint(void **state)
{
	struct scene scene;

	begin(&scene, state, 1, 1);
	assert_int_equal(ask_numbers(&scene, 5, 0, 0), 0);
	assert_int_equal(scene.numbers[0], 5);
	assert_int_equal(ask_numbers(&scene, 0, 0, 0), ERR_DENIED);
}

/* --- a block's gas ----------------------------------------------------------------------------
 */

static void got_header(const struct error *error, const struct chain_header *header, void *arg)
{
	struct scene *scene = arg;

	if (error == NULL)
		scene->header = *header;
	chain_world_finish(scene->world, error);
}

static int ask_header(struct scene *scene)
{
	chain_header(scene->world->chain, &scene->world->head, got_header, scene);
	return code_of(scene);
}

static void expect_header(const struct scene *scene, uint64_t base_fee, uint64_t gas_limit)
{
	uint64_t fee;

	assert_true(scene->header.has_base_fee);
	assert_int_equal(u256_to_u64(&fee, &scene->header.base_fee), 0);
	assert_int_equal(fee, base_fee);
	assert_int_equal(scene->header.gas_limit, gas_limit);
}

static void test_one_that_lies_about_the_price(void **state)
{
	struct scene scene;

	begin(&scene, state, 3, 2);
	for (size_t i = 0; i < NODES; i++)
		scene.world->nodes[i].gas_limit = 30000000;
	assert_int_equal(ask_head(scene.world), 0);
	scene.world->nodes[0].base_fee = 1;
	scene.world->nodes[0].gas_limit = 21000;
	assert_int_equal(ask_header(&scene), 0);
	expect_header(&scene, 1000000000, 30000000);
	/* Where two are needed and one lies, nobody is believed. */
	scene.world->config.quorum = 3;
	assert_int_equal(ask_header(&scene), ERR_UNAVAILABLE);
}

static void test_one_with_another_block_in_its_place(void **state)
{
	struct scene scene;

	begin(&scene, state, 3, 2);
	assert_int_equal(ask_head(scene.world), 0);
	scene.world->nodes[0].fork_from = 900;
	scene.world->nodes[0].fork = 7;
	scene.world->nodes[0].base_fee = 1;
	assert_int_equal(ask_header(&scene), 0);
	expect_header(&scene, 1000000000, 0);
	scene.world->nodes[1].fork_from = scene.world->nodes[2].fork_from = 900;
	scene.world->nodes[1].fork = scene.world->nodes[2].fork = 7;
	assert_int_equal(ask_header(&scene), ERR_UNAVAILABLE);
}

/* --- sending ----------------------------------------------------------------------------------
 */

static void handed_on(const struct error *error, void *arg)
{
	struct scene *scene = arg;

	chain_world_finish(scene->world, error);
}

static int broadcast(struct scene *scene)
{
	chain_broadcast(scene->world->chain, bytes_of("\x02\xf8", 2), handed_on, scene);
	return code_of(scene);
}

static void test_every_endpoint_gets_a_transaction(void **state)
{
	struct scene scene;

	begin(&scene, state, 3, 2);
	for (size_t i = 0; i < NODES; i++)
		scene.answers[i].takes = true;
	assert_int_equal(broadcast(&scene), 0);
	for (size_t i = 0; i < NODES; i++)
		assert_int_equal(scene.answers[i].taken, 1);
	/* One that takes it is enough, whatever the others do. */
	scene.answers[0].takes = false;
	scene.world->nodes[1].hang = true;
	assert_int_equal(broadcast(&scene), 0);
	assert_int_equal(scene.answers[2].taken, 2);
	scene.world->nodes[1].hang = scene.answers[1].takes = scene.answers[2].takes = false;
	assert_true(broadcast(&scene) != 0);
	assert_non_null(strstr(scene.world->error.text, "does not exist"));
}

static void got_receipt(const struct error *error, enum chain_receipt receipt, void *arg)
{
	struct scene *scene = arg;

	scene->receipt = receipt;
	chain_world_finish(scene->world, error);
}

static int ask_receipt(struct scene *scene, enum chain_receipt a, enum chain_receipt b,
                       enum chain_receipt c)
{
	scene->answers[0].receipt = a;
	scene->answers[1].receipt = b;
	scene->answers[2].receipt = c;
	chain_receipt(scene->world->chain, &sent, got_receipt, scene);
	return code_of(scene);
}

static void test_a_receipt_that_one_makes_up(void **state)
{
	static const enum chain_receipt all[] = {RECEIPT_NONE, RECEIPT_SUCCESS, RECEIPT_REVERTED};
	struct scene scene;

	begin(&scene, state, 3, 2);
	for (size_t truth = 0; truth < ARRAY_LEN(all); truth++)
		for (size_t lie = 0; lie < ARRAY_LEN(all); lie++) {
			assert_int_equal(ask_receipt(&scene, all[lie], all[truth], all[truth]), 0);
			assert_int_equal(scene.receipt, all[truth]);
		}
	assert_int_equal(ask_receipt(&scene, RECEIPT_NONE, RECEIPT_SUCCESS, RECEIPT_REVERTED),
	                 ERR_UNAVAILABLE);
}

/* --- anything that must be agreed on ----------------------------------------------------------
 */

static void got_text(const struct error *error, const struct jval *result, void *arg)
{
	struct scene *scene = arg;

	if (error == NULL)
		snprintf(scene->text, sizeof(scene->text), "%s", jval_string(result));
	chain_world_finish(scene->world, error);
}

static int ask_code(struct scene *scene)
{
	static const struct address contract = {{0xcc}};
	struct jval *params = jval_array();

	jval_push(params, jsonrpc_new_address(&contract));
	jval_push(params, jsonrpc_new_quantity(500));
	chain_rpc_agreed(scene->world->chain, "eth_getCode", params, got_text, scene);
	return code_of(scene);
}

static void test_one_that_hides_a_contract(void **state)
{
	struct scene scene;

	begin(&scene, state, 3, 2);
	scene.answers[0].code = "0x";
	assert_int_equal(ask_code(&scene), 0);
	assert_string_equal(scene.text, "0x6001");
	/* One that does not serve old state is made up for; where only one does, it is not enough.
	 */
	scene.answers[0].code = NULL;
	scene.world->nodes[0].state_from = 900;
	assert_int_equal(ask_code(&scene), 0);
	assert_string_equal(scene.text, "0x6001");
	scene.world->nodes[1].state_from = 900;
	assert_int_equal(ask_code(&scene), ERR_DENIED);
	assert_non_null(strstr(scene.world->error.text, "missing trie node"));
	scene.answers[0].code = "0x";
	assert_int_equal(ask_code(&scene), ERR_UNAVAILABLE);
}

int main(void)
{
#define WITH_WORLD(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, chain_world_setup, chain_world_teardown)
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(test_the_middle_number_is_not_a_liars),
	        WITH_WORLD(test_numbers_of_a_quorum),
	        WITH_WORLD(test_numbers_of_a_single_endpoint),
	        WITH_WORLD(test_one_that_lies_about_the_price),
	        WITH_WORLD(test_one_with_another_block_in_its_place),
	        WITH_WORLD(test_every_endpoint_gets_a_transaction),
	        WITH_WORLD(test_a_receipt_that_one_makes_up),
	        WITH_WORLD(test_one_that_hides_a_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
