/* The RPC endpoints of one chain: one JSON-RPC request to one of them, and what is known of the
 * health of each. Inside this room only; what a quorum makes of the answers is quorum.h. */
#ifndef CHAIN_RPC_H
#define CHAIN_RPC_H

#include "common/config/config.h"
#include "common/eth/jsonrpc.h"
#include "daemon/io/http.h"

struct rpc;
struct rpc_call;

enum rpc_outcome {
	RPC_RESULT,      /* json.result */
	RPC_ERROR,       /* understood and refused: json.code, json.message, json.data */
	RPC_BEHIND,      /* the endpoint does not have the block (yet) */
	RPC_UNAVAILABLE, /* no usable answer; noted in the endpoint's health */
};

struct rpc_answer {
	enum rpc_outcome outcome;
	size_t endpoint;
	struct jsonrpc_answer json; /* with RPC_RESULT and RPC_ERROR; valid during the callback */
	const char *text;           /* unless RPC_RESULT: names the endpoint and what it said */
};

/* An HTTP body that was too large to send or to take (HTTP 413), told like a JSON-RPC error. */
enum { RPC_CODE_TOO_LARGE = 413 };

struct rpc *rpc_new(struct loop *loop, struct http *http, const struct config_chain *config);
void rpc_free(struct rpc *rpc);

size_t rpc_count(const struct rpc *rpc);
const char *rpc_name(const struct rpc *rpc, size_t endpoint); /* its URL without secrets */
/* Neither on another chain nor backing off. */
bool rpc_usable(const struct rpc *rpc, size_t endpoint);
/* Usable, but slow or behind the others lately: asked when the others are not enough. */
bool rpc_second_choice(const struct rpc *rpc, size_t endpoint);
/* Makes it second choice for a while. why: "answers slowly", "is 40 blocks behind", for the log. */
void rpc_put_off(struct rpc *rpc, size_t endpoint, const char *why);
/* What is wrong with it now, for people; NULL: nothing. Valid until the next call of any kind. */
const char *rpc_trouble(const struct rpc *rpc, size_t endpoint);
/* Why no more endpoints can be asked, for people: names each unusable one. */
void rpc_explain(const struct rpc *rpc, struct buf *out);
/* One line that the endpoints contradict each other; at most one a minute. */
void rpc_complain(struct rpc *rpc, const char *text);

/* Why nothing may be asked but what follows the head; NULL: anything may. Copied. */
void rpc_hold(struct rpc *rpc, const char *why);
const char *rpc_held(const struct rpc *rpc);

/* Forgets which chain the endpoint is on: its next request asks again. */
void rpc_doubt(struct rpc *rpc, size_t endpoint);

/* The endpoint's chain id is verified before its first request. done is called once, never from
 * inside, unless cancelled. Params is taken. */
struct rpc_call *rpc_ask(struct rpc *rpc, size_t endpoint, struct jsonrpc_call call,
                         void (*done)(const struct rpc_answer *answer, void *arg), void *arg);
void rpc_cancel(struct rpc_call *call); /* NULL is fine */

uint64_t rpc_requests_made(const struct rpc *rpc);

#endif
