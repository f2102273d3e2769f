#include "daemon/chain/sending.h"

#include "daemon/chain/op.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One question about a transaction; which, its first lines of functions say. */
struct sending_op {
	struct chain_op op;
	struct question *question;
	struct jval *params;
	struct block_ref at;  /* of a header */
	struct error refusal; /* the last one */
	union {
		chain_numbers_fn *numbers;
		chain_header_fn *header;
		chain_broadcast_fn *broadcast;
		chain_receipt_fn *receipt;
	} done;
	void *arg;
};

static void sending_destroy(struct chain_op *base)
{
	struct sending_op *op = (struct sending_op *)base;

	question_cancel(op->question);
	jval_free(op->params);
	free(op);
}

static struct sending_op *new_op(struct chain *chain, struct jval *params, void *arg)
{
	struct sending_op *op = xcalloc(1, sizeof(*op));

	op->params = params != NULL ? params : jval_array();
	op->arg = arg;
	op_start(&op->op, chain, sending_destroy);
	return op;
}

static struct jval *params_of(size_t endpoint, void *arg)
{
	struct sending_op *op = arg;

	(void)endpoint;
	return jval_copy(op->params);
}

static struct chain_op *ask(struct sending_op *op, struct question_spec spec)
{
	struct chain *chain = op->op.chain;

	spec.params = params_of;
	spec.arg = op;
	if (spec.need == 0)
		spec.need = chain->config->quorum;
	op->question = question_start(chain->loop, chain->rpc, &spec);
	return &op->op;
}

/* --- numbers that endpoints find for themselves -----------------------------------------------
 */

enum { FORM_REFUSED = 0, FORM_NUMBER = 1, NUMBER_FORM_SIZE = 9 };

static enum verdict number_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                  struct error *error, void *arg)
{
	struct sending_op *op = arg;
	uint8_t form[NUMBER_FORM_SIZE] = {FORM_NUMBER};
	uint64_t number;

	if (answer->outcome == RPC_ERROR) {
		(void)op_refusal(answer, &op->refusal);
		buf_append_byte(canonical, FORM_REFUSED);
		return VERDICT_ANSWER;
	}
	if (answer->outcome != RPC_RESULT)
		return verdict_without_result(answer, error);
	if (jsonrpc_u64(&number, answer->json.result, error) != 0)
		return VERDICT_ELSEWHERE;
	be64_put(form + 1, number);
	buf_append(canonical, form, sizeof(form));
	return VERDICT_ANSWER;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x != *y ? (*x < *y ? -1 : 1) : 0;
}

static void tell_numbers(struct sending_op *op, const struct question_result *result)
{
	uint64_t *numbers = xcalloc(result->count, sizeof(*numbers));
	unsigned need = op->op.chain->config->quorum;
	size_t count = 0;
	struct error error;

	for (size_t i = 0; i < result->count; i++) {
		const uint8_t *form = result->answers[i].canonical.data;
		if (form[0] == FORM_NUMBER)
			numbers[count++] = be64_get(form + 1);
	}
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	error = op->refusal;
	if (result->count - count < need)
		error.code = ERR_UNAVAILABLE;
	op->done.numbers(count >= need ? NULL : &error, numbers, count, op->arg);
	free(numbers);
}

static void numbers_answered(const struct error *error, const struct question_result *result,
                             void *arg)
{
	struct sending_op *op = arg;

	op->question = NULL;
	if (error != NULL)
		op->done.numbers(error, NULL, 0, op->arg);
	else
		tell_numbers(op, result);
	op_end(&op->op);
}

struct chain_op *chain_numbers(struct chain *chain, const char *method, struct jval *params,
                               chain_numbers_fn *done, void *arg)
{
	struct sending_op *op = new_op(chain, params, arg);

	op->done.numbers = done;
	return ask(op, (struct question_spec){.method = method,
	                                      .reduce = number_reduce,
	                                      .done = numbers_answered,
	                                      .gather = true,
	                                      .want = (unsigned)rpc_count(chain->rpc)});
}

/* --- a block's own words on gas ---------------------------------------------------------------
 */

/* Canonical: whether there is a base fee, the fee, the gas limit. */
static void write_header(struct buf *canonical, const struct chain_header *header)
{
	uint8_t limit[8];

	be64_put(limit, header->gas_limit);
	buf_append_byte(canonical, header->has_base_fee);
	buf_append(canonical, header->base_fee.b, sizeof(header->base_fee.b));
	buf_append(canonical, limit, sizeof(limit));
}

static struct chain_header read_header(struct bytes canonical)
{
	struct chain_header header = {.has_base_fee = canonical.data[0] != 0};

	memcpy(header.base_fee.b, canonical.data + 1, sizeof(header.base_fee.b));
	header.gas_limit = be64_get(canonical.data + 1 + sizeof(header.base_fee.b));
	return header;
}

static enum verdict header_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                  struct error *error, void *arg)
{
	struct sending_op *op = arg;
	const struct jval *block = answer->json.result;
	struct chain_header header = {0};
	struct buf form = {0};
	enum verdict verdict = block_reduce(&form, answer, error);

	if (verdict == VERDICT_ANSWER) {
		struct block_ref found = block_from_canonical(buf_bytes(&form));
		if (!hash32_equal(&found.hash, &op->at.hash)) {
			error_set(error, ERR_UNAVAILABLE,
			          "block %" PRIu64 " is another one at the endpoint",
			          op->at.number);
			verdict = VERDICT_BEHIND;
		} else {
			header.has_base_fee =
			        jsonrpc_u256(&header.base_fee, jval_get(block, "baseFeePerGas"),
			                     NULL) == 0;
			if (jsonrpc_u64(&header.gas_limit, jval_get(block, "gasLimit"), NULL) != 0)
				header.gas_limit = 0;
			write_header(canonical, &header);
		}
	}
	buf_free(&form);
	return verdict;
}

static void header_answered(const struct error *error, const struct question_result *result,
                            void *arg)
{
	struct sending_op *op = arg;
	struct chain_header header;

	op->question = NULL;
	if (error == NULL)
		header = read_header(result->canonical);
	op->done.header(error, error == NULL ? &header : NULL, op->arg);
	op_end(&op->op);
}

struct chain_op *chain_header(struct chain *chain, const struct block_ref *at,
                              chain_header_fn *done, void *arg)
{
	struct sending_op *op = new_op(chain, block_params_number(at->number), arg);

	op->at = *at;
	op->done.header = done;
	return ask(op, (struct question_spec){.method = "eth_getBlockByNumber",
	                                      .reduce = header_reduce,
	                                      .done = header_answered});
}

/* --- handing it on ----------------------------------------------------------------------------
 */

static enum verdict taken_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                 struct error *error, void *arg)
{
	(void)arg;
	if (answer->outcome != RPC_RESULT) {
		(void)op_refusal(answer, error);
		return VERDICT_ELSEWHERE;
	}
	buf_append_byte(canonical, 1);
	return VERDICT_ANSWER;
}

static void broadcast_answered(const struct error *error, const struct question_result *result,
                               void *arg)
{
	struct sending_op *op = arg;

	(void)result;
	op->question = NULL;
	op->done.broadcast(error, op->arg);
	op_end(&op->op);
}

struct chain_op *chain_broadcast(struct chain *chain, struct bytes raw, chain_broadcast_fn *done,
                                 void *arg)
{
	struct sending_op *op = new_op(chain, NULL, arg);

	jval_push(op->params, jsonrpc_new_hex(raw));
	op->done.broadcast = done;
	return ask(op, (struct question_spec){.method = "eth_sendRawTransaction",
	                                      .reduce = taken_reduce,
	                                      .done = broadcast_answered,
	                                      .need = 1,
	                                      .gather = true,
	                                      .want = (unsigned)rpc_count(chain->rpc)});
}

/* --- what became of it ------------------------------------------------------------------------
 */

/* Canonical: what it is, then for one that was mined the block. */
static enum verdict receipt_reduce(struct buf *canonical, const struct rpc_answer *answer,
                                   struct error *error, void *arg)
{
	const struct jval *result = answer->json.result;
	struct hash32 block;
	uint64_t status;

	(void)arg;
	if (answer->outcome != RPC_RESULT)
		return verdict_without_result(answer, error);
	if (jval_is_null(result)) {
		buf_append_byte(canonical, RECEIPT_NONE);
		return VERDICT_ANSWER;
	}
	if (jsonrpc_u64(&status, jval_get(result, "status"), error) != 0 ||
	    jsonrpc_hash32(&block, jval_get(result, "blockHash"), error) != 0) {
		error_prefix(error, "not a receipt");
		return VERDICT_ELSEWHERE;
	}
	buf_append_byte(canonical, status != 0 ? RECEIPT_SUCCESS : RECEIPT_REVERTED);
	buf_append(canonical, block.b, sizeof(block.b));
	return VERDICT_ANSWER;
}

static void receipt_answered(const struct error *error, const struct question_result *result,
                             void *arg)
{
	struct sending_op *op = arg;
	enum chain_receipt receipt = RECEIPT_NONE;

	op->question = NULL;
	if (error == NULL)
		receipt = (enum chain_receipt)result->canonical.data[0];
	op->done.receipt(error, receipt, op->arg);
	op_end(&op->op);
}

struct chain_op *chain_receipt(struct chain *chain, const struct hash32 *hash,
                               chain_receipt_fn *done, void *arg)
{
	struct sending_op *op = new_op(chain, NULL, arg);
	char text[HASH32_TEXT_SIZE];

	jval_push(op->params, jval_new_string(hash32_text(text, hash)));
	op->done.receipt = done;
	return ask(op, (struct question_spec){.method = "eth_getTransactionReceipt",
	                                      .reduce = receipt_reduce,
	                                      .done = receipt_answered});
}
