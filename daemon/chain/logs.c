#include "daemon/chain/op.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	LONGEST_SPAN = 10000,
	REQUESTS_PER_OP = 1024, /* a node that refuses ever smaller ranges is given up */
	PATIENT_SPAN = 128,     /* a range so short is not what is too much */
	GROW_AFTER = 16,        /* successes at the learned span before a longer one is tried */
	MAX_LOG_DATA = 1 << 20,
	CODE_NO_METHOD = -32601,
};

struct range {
	uint64_t from, to;
};

struct logs_op {
	struct chain_op op;
	struct question *question;
	struct jval *addresses, *topics;
	struct range rest;   /* not cut into pieces yet; empty when from > to */
	struct range *stack; /* pieces of what was refused, the lowest on top */
	size_t stacked;
	struct range now; /* under way */
	unsigned requests;
	bool refused; /* some endpoint does not take the range */
	struct error refusal;
	struct address *wanted_addresses;
	size_t address_count;
	struct hash32 *wanted_topics;
	size_t topic_count;
	struct buf canonical; /* of all ranges so far */
	chain_logs_fn *done;
	void *arg;
};

static void logs_destroy(struct chain_op *base)
{
	struct logs_op *op = (struct logs_op *)base;

	question_cancel(op->question);
	jval_free(op->addresses);
	jval_free(op->topics);
	free(op->stack);
	free(op->wanted_addresses);
	free(op->wanted_topics);
	buf_free(&op->canonical);
	free(op);
}

static void fail(struct logs_op *op, const struct error *error)
{
	op->done(error, NULL, 0, op->arg);
	op_end(&op->op);
}

/* --- canonical form: each log's fields one after the other, in chain order ---------------------
 */

static void write_log(struct buf *out, const struct chain_log *log)
{
	uint8_t number[8], small[4];

	be64_put(number, log->block_number);
	buf_append(out, number, sizeof(number));
	be32_put(small, log->log_index);
	buf_append(out, small, sizeof(small));
	buf_append(out, log->block_hash.b, 32);
	buf_append(out, log->tx_hash.b, 32);
	buf_append(out, log->address.b, 20);
	buf_append_byte(out, (uint8_t)log->topic_count);
	for (unsigned i = 0; i < log->topic_count; i++)
		buf_append(out, log->topics[i].b, 32);
	be32_put(small, (uint32_t)log->data.len);
	buf_append(out, small, sizeof(small));
	buf_append_bytes(out, log->data);
}

static const uint8_t *take(const uint8_t **at, size_t len)
{
	const uint8_t *here = *at;

	*at += len;
	return here;
}

/* Reads back what write_log wrote; the data points into it. */
static struct chain_log read_log(const uint8_t **at)
{
	struct chain_log log = {0};

	log.block_number = be64_get(take(at, 8));
	log.log_index = be32_get(take(at, 4));
	memcpy(log.block_hash.b, take(at, 32), 32);
	memcpy(log.tx_hash.b, take(at, 32), 32);
	memcpy(log.address.b, take(at, 20), 20);
	log.topic_count = *take(at, 1);
	for (unsigned i = 0; i < log.topic_count; i++)
		memcpy(log.topics[i].b, take(at, 32), 32);
	size_t len = be32_get(take(at, 4));
	log.data = bytes_of(take(at, len), len);
	return log;
}

static int parse_topics(struct chain_log *log, const struct jval *topics, struct error *error)
{
	log->topic_count = (unsigned)jval_count(topics);
	if (!jval_is_array(topics) || log->topic_count > ARRAY_LEN(log->topics))
		return error_set(error, ERR_INVALID, "expected 0 to 4 topics");
	for (unsigned i = 0; i < log->topic_count; i++) {
		int rc = jsonrpc_hash32(&log->topics[i], jval_at(topics, i), error);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int parse_log(struct chain_log *log, struct arena *arena, const struct jval *value,
                     struct error *error)
{
	uint64_t index;
	int rc;

	*log = (struct chain_log){0};
	if ((rc = jsonrpc_address(&log->address, jval_get(value, "address"), error)) != 0 ||
	    (rc = parse_topics(log, jval_get(value, "topics"), error)) != 0 ||
	    (rc = jsonrpc_hex(&log->data, arena, jval_get(value, "data"), error)) != 0 ||
	    (rc = jsonrpc_u64(&log->block_number, jval_get(value, "blockNumber"), error)) != 0 ||
	    (rc = jsonrpc_hash32(&log->block_hash, jval_get(value, "blockHash"), error)) != 0 ||
	    (rc = jsonrpc_hash32(&log->tx_hash, jval_get(value, "transactionHash"), error)) != 0 ||
	    (rc = jsonrpc_u64(&index, jval_get(value, "logIndex"), error)) != 0)
		return rc;
	if (index > UINT32_MAX || log->data.len > MAX_LOG_DATA ||
	    jval_is_true(jval_get(value, "removed")))
		return error_set(error, ERR_INVALID, "not a log that counts");
	log->log_index = (unsigned)index;
	return 0;
}

static bool was_asked_for(const struct logs_op *op, const struct chain_log *log)
{
	bool address = false, topic = op->topic_count == 0;

	for (size_t i = 0; i < op->address_count && !address; i++)
		address = address_equal(&op->wanted_addresses[i], &log->address);
	for (size_t i = 0; i < op->topic_count && !topic; i++)
		topic = log->topic_count > 0 &&
		        hash32_equal(&op->wanted_topics[i], &log->topics[0]);
	return address && topic && log->block_number >= op->now.from &&
	       log->block_number <= op->now.to;
}

static int compare_logs(const void *a, const void *b)
{
	const struct chain_log *x = a, *y = b;

	if (x->block_number != y->block_number)
		return x->block_number < y->block_number ? -1 : 1;
	return x->log_index < y->log_index ? -1 : x->log_index > y->log_index;
}

static int canonicalise(struct buf *out, const struct logs_op *op, const struct jval *result,
                        struct error *error)
{
	struct arena arena = {0};
	size_t count = jval_count(result);
	struct chain_log *logs = xcalloc(count + 1, sizeof(*logs));
	int rc = 0;

	if (!jval_is_array(result))
		rc = error_set(error, ERR_INVALID, "eth_getLogs: expected an array");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = parse_log(&logs[i], &arena, jval_at(result, i), error);
		if (rc == 0 && !was_asked_for(op, &logs[i]))
			rc = error_set(error, ERR_INVALID, "a log that was not asked for");
		if (rc != 0)
			error_prefix(error, "eth_getLogs: log %zu", i);
	}
	if (rc == 0) {
		qsort(logs, count, sizeof(*logs), compare_logs);
		for (size_t i = 0; i < count; i++)
			write_log(out, &logs[i]);
	}
	free(logs);
	arena_free(&arena);
	return rc;
}

/* --- ranges ------------------------------------------------------------------------------------
 */

static void next_range(struct logs_op *op);

static struct jval *logs_params(size_t endpoint, void *arg)
{
	struct logs_op *op = arg;
	struct jval *params = jval_array(), *filter = jval_object();

	(void)endpoint;
	jval_add(filter, "fromBlock", jsonrpc_new_quantity(op->now.from));
	jval_add(filter, "toBlock", jsonrpc_new_quantity(op->now.to));
	jval_add(filter, "address", jval_copy(op->addresses));
	if (op->topic_count > 0)
		jval_add(filter, "topics", jval_copy(op->topics));
	jval_push(params, filter);
	return params;
}

/* Providers word the refusal of a range in a dozen ways and under as many codes: every refusal
 * of eth_getLogs that is neither a rate limit nor a missing block is taken for one. The other
 * endpoints may take it all the same. */
static enum verdict logs_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                struct error *error, void *arg)
{
	struct logs_op *op = arg;

	if (answer->outcome == RPC_ERROR && answer->json.code != CODE_NO_METHOD) {
		error_set(error, ERR_UNAVAILABLE, "%s", answer->text);
		op->refused = true;
		op->refusal = *error;
		return VERDICT_ELSEWHERE;
	}
	if (answer->outcome != RPC_RESULT)
		return verdict_without_result(answer, error);
	return canonicalise(canonical, op, answer->json.result, error) == 0 ? VERDICT_ANSWER
	                                                                    : VERDICT_ELSEWHERE;
}

static void push_range(struct logs_op *op, uint64_t from, uint64_t to)
{
	op->stack = xrealloc(op->stack, (op->stacked + 1) * sizeof(*op->stack));
	op->stack[op->stacked++] = (struct range){from, to};
}

static void learn_from_failure(struct chain *chain, uint64_t size)
{
	if (size / 2 < chain->log_span)
		chain->log_span = size > 1 ? size / 2 : 1;
	chain->log_span_successes = 0;
}

static void halve(struct logs_op *op)
{
	uint64_t size = op->now.to - op->now.from + 1;
	struct error error;

	if (size == 1 || op->requests >= REQUESTS_PER_OP) {
		error_set(&error, ERR_UNAVAILABLE, "blocks %" PRIu64 " to %" PRIu64 ": %.400s",
		          op->now.from, op->now.to, op->refusal.text);
		fail(op, &error);
		return;
	}
	learn_from_failure(op->op.chain, size);
	log_debug(op->op.chain->config->name, "eth_getLogs over %" PRIu64 " blocks refused: %s",
	          size, op->refusal.text);
	push_range(op, op->now.from + size / 2, op->now.to);
	push_range(op, op->now.from, op->now.from + size / 2 - 1);
	next_range(op);
}

static void learn_from_success(struct chain *chain, uint64_t size)
{
	if (size < chain->log_span || chain->log_span >= LONGEST_SPAN)
		return;
	if (++chain->log_span_successes >= GROW_AFTER) {
		chain->log_span_successes = 0;
		chain->log_span *= 2;
	}
}

static void finish(struct logs_op *op)
{
	const uint8_t *at = op->canonical.data;
	struct chain_log *logs = NULL;
	size_t count = 0, room = 0;

	while (at != NULL && at != op->canonical.data + op->canonical.len) {
		if (count == room) {
			room = room > 0 ? 2 * room : 16;
			logs = xrealloc(logs, room * sizeof(*logs));
		}
		logs[count++] = read_log(&at);
	}
	op->done(NULL, logs, count, op->arg);
	free(logs);
	op_end(&op->op);
}

static void answered(const struct error *error, const struct question_result *result, void *arg)
{
	struct logs_op *op = arg;

	op->question = NULL;
	if (error != NULL && op->refused) {
		halve(op);
	} else if (error != NULL) {
		/* Too much work may also end in silence: the next try asks for less. */
		if (op->now.to - op->now.from >= PATIENT_SPAN)
			learn_from_failure(op->op.chain, op->now.to - op->now.from + 1);
		fail(op, error);
	} else {
		buf_append_bytes(&op->canonical, result->canonical);
		learn_from_success(op->op.chain, op->now.to - op->now.from + 1);
		if (op->stacked == 0 && op->rest.from > op->rest.to)
			finish(op);
		else
			next_range(op);
	}
}

static void next_range(struct logs_op *op)
{
	struct chain *chain = op->op.chain;
	const struct question_spec spec = {
	        .method = "eth_getLogs",
	        .params = logs_params,
	        .reduce = logs_reduce,
	        .done = answered,
	        .arg = op,
	        .need = chain->config->quorum,
	};

	if (op->stacked > 0) {
		op->now = op->stack[--op->stacked];
	} else {
		op->now = op->rest;
		if (op->now.to - op->now.from >= chain->log_span)
			op->now.to = op->now.from + chain->log_span - 1;
		op->rest.from = op->now.to + 1;
	}
	op->requests++;
	op->refused = false;
	op->question = question_start(chain->loop, chain->rpc, &spec);
}

struct chain_op *chain_logs(struct chain *chain, const struct chain_filter *filter,
                            chain_logs_fn *done, void *arg)
{
	struct logs_op *op = xcalloc(1, sizeof(*op));
	struct jval *first_topic = jval_array();
	char text[HASH32_TEXT_SIZE];

	if (filter->from > filter->to || filter->to == UINT64_MAX || filter->address_count == 0)
		die("logs of blocks %" PRIu64 " to %" PRIu64 " of %zu addresses", filter->from,
		    filter->to, filter->address_count);
	op->rest = (struct range){filter->from, filter->to};
	op->address_count = filter->address_count;
	op->wanted_addresses = xcalloc(op->address_count, sizeof(*op->wanted_addresses));
	op->addresses = jval_array();
	for (size_t i = 0; i < op->address_count; i++) {
		op->wanted_addresses[i] = filter->addresses[i];
		jval_push(op->addresses, jsonrpc_new_address(&filter->addresses[i]));
	}
	op->topic_count = filter->topic_count;
	op->wanted_topics = xcalloc(op->topic_count + 1, sizeof(*op->wanted_topics));
	for (size_t i = 0; i < op->topic_count; i++) {
		op->wanted_topics[i] = filter->topic0s[i];
		jval_push(first_topic, jval_new_string(hash32_text(text, &filter->topic0s[i])));
	}
	op->topics = jval_array();
	jval_push(op->topics, first_topic);
	op->done = done;
	op->arg = arg;
	op_start(&op->op, chain, logs_destroy);
	next_range(op);
	return &op->op;
}
