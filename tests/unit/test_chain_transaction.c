/* Who sent a transaction, asked of several endpoints that need not agree. */
#include "daemon/chain/chain.h"

#include "common/base/jval.h"
#include "tests/unit/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 3 };

struct world {
	struct loop *loop;
	struct http *http;
	struct node nodes[NODES];
	char *urls[NODES];
	struct config_chain config;
	struct chain *chain;
	/* what the last operation answered */
	int done;
	struct error error;
	size_t input_len;
	uint8_t last_byte[2];
};

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	world->http = http_new(world->loop);
	for (int i = 0; i < NODES; i++) {
		node_start(&world->nodes[i], world->loop);
		world->urls[i] = xstrdup(httpd_url(world->nodes[i].httpd));
	}
	world->config = (struct config_chain){
	        .name = "test",
	        .chain_id = 31337,
	        .rpc = {world->urls, 1},
	        .quorum = 1,
	        .finality = FINALITY_FINALIZED,
	        .poll_ms = 1000,
	};
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	chain_free(world->chain);
	http_free(world->http);
	for (int i = 0; i < NODES; i++) {
		node_stop(&world->nodes[i]);
		free(world->urls[i]);
	}
	loop_free(world->loop);
	free(world);
	return 0;
}

static void open_chain(struct world *world, size_t endpoints, unsigned quorum)
{
	world->config.rpc.count = endpoints;
	world->config.quorum = quorum;
	world->chain = chain_new(world->loop, world->http, &world->config);
}

static void finish(struct world *world, const struct error *error)
{
	world->done++;
	world->error = error != NULL ? *error : (struct error){0};
	loop_stop(world->loop);
}

static void run(struct world *world)
{
	int before = world->done;

	loop_run(world->loop);
	assert_int_equal(world->done, before + 1);
}

static const struct hash32 some_tx = {{0x77, 1}};

struct told_tx {
	const char *from, *to, *input;
	bool pending, unknown;
};

static struct jval *answer_transaction(const char *name, const struct jval *params, void *arg)
{
	const struct told_tx *told = arg;
	struct hash32 block = {{0xb0}};
	char text[HASH32_TEXT_SIZE];

	if (strcmp(name, "eth_getTransactionByHash") != 0)
		return NULL;
	assert_string_equal(jval_string(jval_at(params, 0)), hash32_text(text, &some_tx));
	if (told->unknown)
		return jval_new_null();
	struct jval *value = jval_object();
	jval_add_hash32(value, "hash", &some_tx);
	jval_add_hash32(value, "blockHash", told->pending ? NULL : &block);
	jval_add_string(value, "from", told->from);
	jval_add_string(value, "to", told->to);
	jval_add_string(value, "input", told->input);
	return value;
}

static void got_transaction(const struct error *error, const struct chain_transaction *transaction,
                            void *arg)
{
	struct world *world = arg;

	if (error == NULL) {
		world->last_byte[0] = transaction->from.b[19];
		world->last_byte[1] = transaction->to.b[19];
		world->input_len = transaction->input.len;
		assert_true(hash32_equal(&transaction->hash, &some_tx));
	}
	finish(world, error);
}

#define HOLDER "0x00000000000000000000000000000000000000"

/* The quorum says who sent it: one endpoint that lies, lags or does not know is not enough. */
static void test_a_transaction(void **state)
{
	struct world *world = *state;
	struct told_tx told[NODES] = {{HOLDER "aa", HOLDER "bb", "0x1234", false, false}};

	for (int i = 0; i < NODES; i++) {
		told[i] = told[0];
		world->nodes[i].method = answer_transaction;
		world->nodes[i].arg = &told[i];
	}
	told[1].from = HOLDER "ee";
	open_chain(world, 3, 2);
	chain_transaction(world->chain, &some_tx, got_transaction, world);
	run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->last_byte[0], 0xaa);
	assert_int_equal(world->last_byte[1], 0xbb);
	assert_int_equal(world->input_len, 2);
	told[0].to = told[2].to = NULL; /* it creates a contract */
	chain_transaction(world->chain, &some_tx, got_transaction, world);
	run(world);
	assert_int_equal(world->error.code, 0);
	assert_int_equal(world->last_byte[1], 0);
	told[2].input = "0x99"; /* now all three differ */
	chain_transaction(world->chain, &some_tx, got_transaction, world);
	run(world);
	assert_int_equal(world->error.code, ERR_UNAVAILABLE);
	chain_cancel(chain_transaction(world->chain, &some_tx, got_transaction, world));
}

static void test_a_transaction_that_is_not_mined(void **state)
{
	struct world *world = *state;
	struct told_tx told = {HOLDER "aa", HOLDER "bb", "0x", true, false};

	world->nodes[0].method = answer_transaction;
	world->nodes[0].arg = &told;
	open_chain(world, 1, 1);
	for (int i = 0; i < 3; i++) {
		told.pending = i == 0;
		told.unknown = i == 1;
		told.from = "0x12"; /* not an address */
		chain_transaction(world->chain, &some_tx, got_transaction, world);
		run(world);
		assert_int_equal(world->error.code, ERR_UNAVAILABLE);
	}
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(test_a_transaction),
	        WITH_WORLD(test_a_transaction_that_is_not_mined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
