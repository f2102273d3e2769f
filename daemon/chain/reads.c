#include "daemon/chain/op.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/eth/multicall.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	READS_PER_MULTICALL =
	        2000, /* about 20 million gas: under every node's limit for eth_call */
	JOBS_AT_ONCE = 8,
};

struct reads_op;

/* One eth_call: a multicall of several reads or a read by itself. */
struct job {
	struct reads_op *op;
	struct question *question;
	size_t first, count;
	bool is_multicall;
	const struct address *from; /* or NULL */
	struct address to;
	struct bytes data;
	bool *number_tried; /* per endpoint, in this job */
};

struct read {
	struct address to;
	const struct address *from; /* or NULL */
	struct bytes data;
};

struct reads_op {
	struct chain_op op;
	struct block_ref at;
	struct arena arena; /* owns everything below */
	struct read *reads;
	struct chain_read_result *results;
	size_t count;
	struct job **jobs; /* grows while jobs are split */
	size_t job_count, job_next, running;
	bool *numbered; /* per endpoint: was pinned by number, so the hash is checked at the end */
	struct question *probe;
	struct rpc_call *recheck;
	size_t restarts; /* because an endpoint was found to have read another block */
	struct address sender;
	chain_read_fn *done;
	chain_call_fn *done_call; /* instead of done: of a simulation */
	void *arg;
};

static void reads_destroy(struct chain_op *base)
{
	struct reads_op *op = (struct reads_op *)base;

	for (size_t i = 0; i < op->job_count; i++)
		question_cancel(op->jobs[i]->question);
	question_cancel(op->probe);
	rpc_cancel(op->recheck);
	free(op->jobs);
	arena_free(&op->arena);
	free(op);
}

static void conclude(struct reads_op *op, const struct error *error)
{
	if (op->done_call != NULL)
		op->done_call(error, error == NULL ? &op->results[0] : NULL, op->arg);
	else
		op->done(error, error == NULL ? op->results : NULL, error == NULL ? op->count : 0,
		         op->arg);
	op_end(&op->op);
}

static void fail(struct reads_op *op, const struct error *error)
{
	conclude(op, error);
}

/* --- an eth_call pinned to a block -------------------------------------------------------------
 */

static struct jval *call_object(const struct address *from, const struct address *to,
                                struct bytes data)
{
	struct jval *call = jval_object();

	if (from != NULL)
		jval_add(call, "from", jsonrpc_new_address(from));
	jval_add(call, "to", jsonrpc_new_address(to));
	jval_add(call, "data", jsonrpc_new_hex(data));
	return call;
}

static struct jval *job_params(size_t endpoint, void *arg)
{
	struct job *job = arg;
	struct reads_op *op = job->op;
	struct jval *params = jval_array();

	bool by_number = op->op.chain->by_number[endpoint] || job->number_tried[endpoint];
	jval_push(params, call_object(job->from, &job->to, job->data));
	jval_push(params, block_params_pin(&op->at, by_number));
	return params;
}

/* Canonical form of what a call did: 1 and what it returned, or 0 and the revert data. */
static enum verdict reduce_call(struct buf *canonical, const struct rpc_answer *answer,
                                struct error *error)
{
	struct arena arena = {0};
	struct bytes returned;

	if (answer->outcome == RPC_ERROR && answer->json.reverted) {
		buf_append_byte(canonical, 0);
		buf_append_bytes(canonical, answer->json.data);
		return VERDICT_ANSWER;
	}
	if (answer->outcome != RPC_RESULT)
		return verdict_without_result(answer, error);
	int rc = jsonrpc_hex(&returned, &arena, answer->json.result, error);
	if (rc == 0) {
		buf_append_byte(canonical, 1);
		buf_append_bytes(canonical, returned);
	}
	arena_free(&arena);
	return rc == 0 ? VERDICT_ANSWER : VERDICT_ELSEWHERE;
}

/* Two reverts are the same answer: not every node hands on what the contract said. */
static bool calls_same(struct bytes a, struct bytes b)
{
	bool both_reverted = a.data[0] == 0 && b.data[0] == 0;

	return both_reverted || bytes_equal(a, b);
}

static enum verdict job_reduce(struct buf *canonical, const struct rpc_answer *answer,
                               struct error *error, void *arg)
{
	struct job *job = arg;
	struct chain *chain = job->op->op.chain;
	size_t endpoint = answer->endpoint;

	if (answer->outcome == RPC_ERROR && answer->json.code == CODE_BAD_PARAMS &&
	    !chain->by_number[endpoint] && !job->number_tried[endpoint]) {
		job->number_tried[endpoint] = true;
		return VERDICT_AGAIN;
	}
	enum verdict verdict = reduce_call(canonical, answer, error);
	/* Of who did not answer nothing counts, so there is nothing to check. */
	if (verdict == VERDICT_ANSWER && !hash32_is_zero(&job->op->at.hash))
		job->op->numbered[endpoint] |=
		        chain->by_number[endpoint] || job->number_tried[endpoint];
	if (verdict == VERDICT_ANSWER && job->number_tried[endpoint] &&
	    !chain->by_number[endpoint]) {
		chain->by_number[endpoint] = true;
		log_info(
		        chain->config->name,
		        "RPC endpoint %s cannot read at a block hash: read by number, hash checked",
		        rpc_name(chain->rpc, endpoint));
	}
	return verdict;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static void add_job(struct reads_op *op, size_t first, size_t count, bool is_multicall)
{
	struct job *job = arena_alloc(&op->arena, sizeof(*job));

	job->op = op;
	job->first = first;
	job->count = count;
	job->is_multicall = is_multicall;
	job->number_tried = arena_array(&op->arena, rpc_count(op->op.chain->rpc), sizeof(bool));
	if (is_multicall) {
		struct multicall_call *calls = xcalloc(count, sizeof(*calls));
		struct buf data = {0};
		for (size_t i = 0; i < count; i++)
			calls[i] = (struct multicall_call){.to = op->reads[first + i].to,
			                                   .data = op->reads[first + i].data};
		multicall_encode(&data, calls, count);
		job->to = multicall_address;
		job->data = arena_copy(&op->arena, buf_bytes(&data));
		buf_free(&data);
		free(calls);
	} else {
		job->from = op->reads[first].from;
		job->to = op->reads[first].to;
		job->data = op->reads[first].data;
	}
	op->jobs = xrealloc(op->jobs, (op->job_count + 1) * sizeof(struct job *));
	op->jobs[op->job_count++] = job;
}

static void add_single_jobs(struct reads_op *op, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_job(op, first + i, 1, false);
}

static bool take_multicall(struct job *job, struct bytes returned)
{
	struct reads_op *op = job->op;
	struct multicall_result *results = xcalloc(job->count, sizeof(*results));
	struct error error;
	int rc = multicall_decode(results, job->count, returned, &error);

	for (size_t i = 0; rc == 0 && i < job->count; i++)
		op->results[job->first + i] = (struct chain_read_result){
		        .success = results[i].success,
		        .returned = arena_copy(&op->arena, results[i].returned)};
	free(results);
	return rc == 0;
}

static void run_jobs(struct reads_op *op);

static void job_done(const struct error *error, const struct question_result *result, void *arg)
{
	struct job *job = arg;
	struct reads_op *op = job->op;

	job->question = NULL;
	op->running--;
	if (error != NULL) {
		fail(op, error);
		return;
	}
	bool success = result->canonical.data[0] == 1;
	struct bytes returned = bytes_of(result->canonical.data + 1, result->canonical.len - 1);
	if (!job->is_multicall)
		op->results[job->first] = (struct chain_read_result){
		        .success = success, .returned = arena_copy(&op->arena, returned)};
	/* Before Multicall3 was deployed, or out of gas as a whole: one by one. */
	else if (!success || !take_multicall(job, returned))
		add_single_jobs(op, job->first, job->count);
	run_jobs(op);
}

static void recheck_next(struct reads_op *op);
static void plan(struct reads_op *op);

/* What this endpoint said may have been about another block, so nothing of it counts. It may be
 * alone with that: while there are others, they are asked instead. */
static void read_elsewhere(struct reads_op *op, const struct rpc_answer *answer)
{
	struct rpc *rpc = op->op.chain->rpc;
	struct error error;

	if (answer->outcome != RPC_UNAVAILABLE)
		rpc_put_off(rpc, answer->endpoint, "does not keep to the block it read");
	if (op->restarts++ < rpc_count(rpc) - op->op.chain->config->quorum) {
		memset(op->numbered, 0, rpc_count(rpc) * sizeof(*op->numbered));
		op->job_count = op->job_next = 0;
		plan(op);
		return;
	}
	error_set(&error, ERR_UNAVAILABLE, "block %" PRIu64 " was replaced while it was read",
	          op->at.number);
	fail(op, &error);
}

static void rechecked(const struct rpc_answer *answer, void *arg)
{
	struct reads_op *op = arg;
	struct buf canonical = {0};
	struct error error = {0};
	bool same = false;

	op->recheck = NULL;
	if (answer->outcome != RPC_UNAVAILABLE &&
	    block_reduce(&canonical, answer, &error) == VERDICT_ANSWER) {
		struct block_ref block = block_from_canonical(buf_bytes(&canonical));
		same = hash32_equal(&block.hash, &op->at.hash);
	}
	buf_free(&canonical);
	if (same)
		recheck_next(op);
	else
		read_elsewhere(op, answer);
}

/* Endpoints that were pinned by number: is that number still the block that was meant? */
static void recheck_next(struct reads_op *op)
{
	struct rpc *rpc = op->op.chain->rpc;

	for (size_t i = 0; i < rpc_count(rpc); i++) {
		if (!op->numbered[i])
			continue;
		op->numbered[i] = false;
		op->recheck =
		        rpc_ask(rpc, i,
		                (struct jsonrpc_call){.method = "eth_getBlockByNumber",
		                                      .params = block_params_number(op->at.number)},
		                rechecked, op);
		return;
	}
	conclude(op, NULL);
}

static void run_jobs(struct reads_op *op)
{
	while (op->running < JOBS_AT_ONCE && op->job_next < op->job_count) {
		struct job *job = op->jobs[op->job_next++];
		const struct question_spec spec = {
		        .method = "eth_call",
		        .params = job_params,
		        .reduce = job_reduce,
		        .done = job_done,
		        .arg = job,
		        .need = op->op.chain->config->quorum,
		        .same = calls_same,
		};
		op->running++;
		job->question = question_start(op->op.chain->loop, op->op.chain->rpc, &spec);
	}
	if (op->running == 0)
		recheck_next(op);
}

/* --- is Multicall3 there? ----------------------------------------------------------------------
 */

static struct jval *probe_params(size_t endpoint, void *arg)
{
	struct jval *params = jval_array();

	(void)endpoint;
	(void)arg;
	jval_push(params, jsonrpc_new_address(&multicall_address));
	jval_push(params, jval_new_string("latest"));
	return params;
}

static enum verdict probe_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                 struct error *error, void *arg)
{
	(void)arg;
	return reduce_call(canonical, answer, error);
}

static void plan(struct reads_op *op)
{
	if (op->op.chain->multicall == MULTICALL_PRESENT && op->count > 1)
		for (size_t first = 0; first < op->count; first += READS_PER_MULTICALL)
			add_job(op, first,
			        op->count - first < READS_PER_MULTICALL ? op->count - first
			                                                : READS_PER_MULTICALL,
			        true);
	else
		add_single_jobs(op, 0, op->count);
	run_jobs(op);
}

/* Whatever stands at Multicall3's address answers for every contract: it must be known. */
static enum multicall_seen judge_multicall(const struct config_chain *config, struct bytes code)
{
	struct hash32 hash = keccak256(code);
	char text[HASH32_TEXT_SIZE];

	if (code.len == 0) {
		log_info(config->name, "no Multicall3 on this chain: reads are made singly");
		return MULTICALL_ABSENT;
	}
	if (multicall_is_known(&hash, config->multicall_code.items, config->multicall_code.count))
		return MULTICALL_PRESENT;
	log_unusual(config->name,
	            "the code at Multicall3's address is not Multicall3's (its hash is %s): reads "
	            "are made singly",
	            hash32_text(text, &hash));
	return MULTICALL_ABSENT;
}

static void probed(const struct error *error, const struct question_result *result, void *arg)
{
	struct reads_op *op = arg;
	struct chain *chain = op->op.chain;

	op->probe = NULL;
	if (error != NULL) {
		fail(op, error);
		return;
	}
	if (chain->multicall == MULTICALL_NOT_ASKED)
		chain->multicall =
		        judge_multicall(chain->config, bytes_of(result->canonical.data + 1,
		                                                result->canonical.len - 1));
	plan(op);
}

static void start_probe(struct reads_op *op)
{
	const struct question_spec spec = {
	        .method = "eth_getCode",
	        .params = probe_params,
	        .reduce = probe_reduce,
	        .done = probed,
	        .arg = op,
	        .need = op->op.chain->config->quorum,
	};

	op->probe = question_start(op->op.chain->loop, op->op.chain->rpc, &spec);
}

static struct reads_op *new_reads(struct chain *chain, const struct block_ref *at,
                                  const struct chain_read *reads, size_t count)
{
	struct reads_op *op = xcalloc(1, sizeof(*op));

	if (count == 0)
		die("a read of nothing");
	op->at = *at;
	op->count = count;
	op->reads = arena_array(&op->arena, count, sizeof(*op->reads));
	op->results = arena_array(&op->arena, count, sizeof(*op->results));
	op->numbered = arena_array(&op->arena, rpc_count(chain->rpc), sizeof(bool));
	for (size_t i = 0; i < count; i++)
		op->reads[i] = (struct read){.to = reads[i].to,
		                             .data = arena_copy(&op->arena, reads[i].data)};
	op_start(&op->op, chain, reads_destroy);
	return op;
}

struct chain_op *chain_read_many(struct chain *chain, const struct block_ref *at,
                                 const struct chain_read *reads, size_t count, chain_read_fn *done,
                                 void *arg)
{
	struct reads_op *op = new_reads(chain, at, reads, count);

	op->done = done;
	op->arg = arg;
	if (chain->multicall == MULTICALL_NOT_ASKED)
		start_probe(op);
	else
		plan(op);
	return &op->op;
}

/* A read by itself that has a sender. */
struct chain_op *chain_simulate(struct chain *chain, const struct address *from,
                                const struct address *to, struct bytes data, chain_call_fn *done,
                                void *arg)
{
	const struct chain_read read = {.to = *to, .data = data};
	struct reads_op *op = new_reads(chain, &chain->last_head, &read, 1);

	op->sender = *from;
	op->reads[0].from = &op->sender;
	op->done_call = done;
	op->arg = arg;
	plan(op);
	return &op->op;
}
