#include "daemon/chain/op.h"

#include <inttypes.h>
#include <stdlib.h>

struct endpoints_op;

struct asked {
	struct endpoints_op *op;
	struct rpc_call *call;
};

struct endpoints_op {
	struct chain_op op;
	struct arena arena;
	struct chain_endpoint *endpoints;
	struct asked *asked; /* one per endpoint */
	size_t count, outstanding;
	chain_endpoints_fn *done;
	void *arg;
};

static void endpoints_destroy(struct chain_op *base)
{
	struct endpoints_op *op = (struct endpoints_op *)base;

	for (size_t i = 0; i < op->count; i++)
		rpc_cancel(op->asked[i].call);
	arena_free(&op->arena);
	free(op);
}

static const char *trouble_of(struct endpoints_op *op, const struct rpc_answer *answer)
{
	uint64_t wanted = op->op.chain->config->chain_id, chain_id;
	struct error error;

	if (answer->outcome != RPC_RESULT)
		return arena_strdup(&op->arena, answer->text);
	if (jsonrpc_u64(&chain_id, answer->json.result, &error) != 0)
		return arena_printf(&op->arena, "it does not tell its chain id: %s", error.text);
	if (chain_id != wanted)
		return arena_printf(&op->arena, "it is on chain %" PRIu64 ", not on %" PRIu64,
		                    chain_id, wanted);
	return NULL;
}

static void answered(const struct rpc_answer *answer, void *arg)
{
	struct asked *asked = arg;
	struct endpoints_op *op = asked->op;

	asked->call = NULL;
	op->endpoints[answer->endpoint].trouble = trouble_of(op, answer);
	if (--op->outstanding > 0)
		return;
	op->done(op->endpoints, op->count, op->arg);
	op_end(&op->op);
}

struct chain_op *chain_ask_endpoints(struct chain *chain, chain_endpoints_fn *done, void *arg)
{
	struct endpoints_op *op = xcalloc(1, sizeof(*op));

	op->count = op->outstanding = rpc_count(chain->rpc);
	op->endpoints = arena_array(&op->arena, op->count, sizeof(*op->endpoints));
	op->asked = arena_array(&op->arena, op->count, sizeof(*op->asked));
	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, endpoints_destroy);
	for (size_t i = 0; i < op->count; i++) {
		op->endpoints[i].name = rpc_name(chain->rpc, i);
		op->asked[i].op = op;
		rpc_doubt(chain->rpc, i);
		op->asked[i].call =
		        rpc_ask(chain->rpc, i, (struct jsonrpc_call){.method = "eth_chainId"},
		                answered, &op->asked[i]);
	}
	return &op->op;
}

size_t chain_endpoints_known(const struct chain *chain, struct chain_endpoint *out, size_t room)
{
	size_t count = rpc_count(chain->rpc);

	for (size_t i = 0; i < count && i < room; i++)
		out[i] = (struct chain_endpoint){.name = rpc_name(chain->rpc, i),
		                                 .trouble = rpc_trouble(chain->rpc, i)};
	return count;
}

void chain_hold(struct chain *chain, const char *why)
{
	rpc_hold(chain->rpc, why);
}

const char *chain_held(const struct chain *chain)
{
	return rpc_held(chain->rpc);
}

void chain_doubt(struct chain *chain)
{
	for (size_t i = 0; i < rpc_count(chain->rpc); i++)
		rpc_doubt(chain->rpc, i);
}
