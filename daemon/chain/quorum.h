/* One question to as many endpoints as must agree on the answer. Inside this room only. */
#ifndef CHAIN_QUORUM_H
#define CHAIN_QUORUM_H

#include "daemon/chain/rpc.h"

struct question;

/* What one endpoint's answer is worth. */
enum verdict {
	VERDICT_ANSWER,    /* canonical holds it */
	VERDICT_ELSEWHERE, /* this endpoint cannot say; error says why */
	VERDICT_BEHIND,    /* not yet: worth the same question in a moment */
	VERDICT_AGAIN,     /* ask the same endpoint once more, with new params */
	VERDICT_FINAL,     /* no endpoint will say; the question ends with error */
};

struct question_answer {
	size_t endpoint;
	struct buf canonical;
};

struct question_result {
	struct bytes canonical;                /* what the quorum agrees on */
	const struct question_answer *answers; /* every answer that counted */
	size_t count;
	const struct jsonrpc_answer *last; /* the one that completed the quorum */
};

struct question_spec {
	const char *method;
	/* A new array for this endpoint. */
	struct jval *(*params)(size_t endpoint, void *arg);
	/* Brings an answer (never RPC_UNAVAILABLE) into the form in which answers are compared. */
	enum verdict (*reduce)(struct buf *canonical, const struct rpc_answer *answer,
	                       struct error *error, void *arg);
	void (*done)(const struct error *error, const struct question_result *result, void *arg);
	void *arg;
	unsigned need; /* endpoints that must answer, and answer the same */
	bool gather;   /* need answers are enough, equal or not */
	unsigned want; /* with gather: so many are asked and waited for a while; 0: need */
	bool even_held; /* asked and answered although the chain is held (rpc_hold) */
	/* Whether two answers say the same; NULL: equal byte for byte. */
	bool (*same)(struct bytes a, struct bytes b);
	/* Answers that are there already and count (copied); their endpoints are not asked. */
	const struct question_answer *seeds;
	size_t seed_count;
};

/* done is called once, never from inside, unless cancelled. error is ERR_UNAVAILABLE when the
 * endpoints did not answer or do not agree (then the names are in it and in the log), and when the
 * chain is held, also for what was asked before. */
struct question *question_start(struct loop *loop, struct rpc *rpc,
                                const struct question_spec *spec);
void question_cancel(struct question *question); /* NULL is fine */

/* The usual reading of what is no result: behind, or elsewhere with the endpoint's words. */
enum verdict verdict_without_result(const struct rpc_answer *answer, struct error *error);

#endif
