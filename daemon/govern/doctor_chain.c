/* One chain: its endpoints, how far it is, what counts as final on it, Multicall3, the fee. */
#include "daemon/govern/doctor.h"

#include "common/crypto/hash.h"
#include "common/eth/jsonrpc.h"
#include "common/eth/multicall.h"
#include "daemon/chain/sending.h"

#include <inttypes.h>
#include <string.h>

enum {
	HEAD_OLD_S = 300,  /* older heads are worth a look */
	HEAD_AHEAD_S = 60, /* the chain's clock before ours */
	GWEI = 1000000000,
};

/* --- the fee ----------------------------------------------------------------------------------
 */

static void fee_answered(const struct error *error, const struct chain_header *header, void *arg)
{
	struct chain_exam *chain = arg;
	struct exam *exam = &chain->exam;
	uint64_t limit = exam->lane->config->max_fee_gwei;

	exam->op = NULL;
	if (error != NULL || !header->has_base_fee ||
	    u256_to_u64(&chain->base_fee, &header->base_fee) != 0)
		exam_row(exam,
		         (struct row){
		                 "fee limit", FINDING_UNKNOWN,
		                 "The executor key needs blocks with baseFeePerGas (EIP-1559)."},
		         "%s",
		         error != NULL ? error->text : "the newest block has no baseFeePerGas");
	else if (chain->base_fee / GWEI >= limit)
		exam_row(exam,
		         (struct row){"fee limit", FINDING_WARNING,
		                      "Raise max_fee_gwei of the chain, or wait for cheaper "
		                      "blocks: nothing is "
		                      "executed meanwhile."},
		         "the base fee is %" PRIu64 " gwei, max_fee_gwei is %" PRIu64,
		         chain->base_fee / GWEI, limit);
	else
		exam_row(exam, (struct row){"fee limit", FINDING_OK, ""},
		         "the base fee is %.3f gwei, max_fee_gwei is %" PRIu64,
		         (double)chain->base_fee / GWEI, limit);
	exam_end(exam);
}

static void ask_fee(struct chain_exam *chain)
{
	struct exam *exam = &chain->exam;

	if (!chain_exam_pays(chain)) {
		exam_end(exam);
		return;
	}
	exam->asking = "fee limit";
	exam->op = chain_header(exam->lane->chain, &chain->head, fee_answered, chain);
}

/* --- Multicall3 -------------------------------------------------------------------------------
 */

static void multicall_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct chain_exam *chain = arg;
	struct exam *exam = &chain->exam;
	const struct hash_list *trusted = &exam->lane->config->multicall_code;
	struct bytes code = {0};
	struct hash32 hash;
	struct error problem = {0};
	char text[HASH32_TEXT_SIZE];

	exam->op = NULL;
	bool unknown = error != NULL || jsonrpc_hex(&code, &exam->arena, result, &problem) != 0;
	hash = keccak256(code);
	if (unknown)
		exam_row(exam, (struct row){"Multicall3", FINDING_UNKNOWN, "Ask again."}, "%s",
		         error != NULL ? error->text : problem.text);
	else if (code.len > 0 && !multicall_is_known(&hash, trusted->items, trusted->count))
		exam_row(
		        exam,
		        (struct row){"Multicall3", FINDING_WARNING,
		                     "It is not used, and each read costs a request of its own. "
		                     "Where this chain's Multicall3 was compiled otherwise and you "
		                     "have verified it, put the hash into `multicall_code` of the "
		                     "chain."},
		        "other code stands at its address; its hash is %s",
		        hash32_text(text, &hash));
	else if (code.len == 0)
		exam_row(
		        exam,
		        (struct row){"Multicall3", FINDING_WARNING,
		                     "Nothing must be done, but each read costs a request of its "
		                     "own; its "
		                     "deployment is open to anybody (https://www.multicall3.com)."},
		        "not on this chain");
	else
		exam_row(exam, (struct row){"Multicall3", FINDING_OK, ""}, "present");
	ask_fee(chain);
}

static void ask_multicall(struct chain_exam *chain)
{
	struct exam *exam = &chain->exam;
	struct jval *params = jval_array();

	jval_push(params, jsonrpc_new_address(&multicall_address));
	exam->asking = "Multicall3";
	exam->op = chain_rpc_at(exam->lane->chain, &chain->head, "eth_getCode", params,
	                        multicall_answered, chain);
}

/* --- finality ---------------------------------------------------------------------------------
 */

static const char *finality_tag(const struct config_chain *config)
{
	switch (config->finality) {
	case FINALITY_FINALIZED:
		return "finalized";
	case FINALITY_SAFE:
		return "safe";
	case FINALITY_LATEST:
	case FINALITY_DEPTH:
		break;
	}
	return NULL;
}

static void tag_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct chain_exam *chain = arg;
	struct exam *exam = &chain->exam;
	const char *tag = finality_tag(exam->lane->config);
	uint64_t number;

	exam->op = NULL;
	if (error != NULL && error->code != ERR_DENIED)
		exam_row(exam, (struct row){"finality", FINDING_UNKNOWN, "Ask again."}, "%s",
		         error->text);
	else if (error != NULL || jsonrpc_u64(&number, jval_get(result, "number"), NULL) != 0)
		exam_row(exam,
		         (struct row){"finality", FINDING_WARNING,
		                      "Set `confirmations` to a number of blocks that suits this "
		                      "chain; 64 "
		                      "are taken now."},
		         "the endpoint knows no block tagged \"%s\"", tag);
	else
		exam_row(exam, (struct row){"finality", FINDING_OK, ""}, "\"%s\" is block %" PRIu64,
		         tag, number);
	ask_multicall(chain);
}

static void ask_finality(struct chain_exam *chain)
{
	struct exam *exam = &chain->exam;
	const struct config_chain *config = exam->lane->config;
	const char *tag = finality_tag(config);
	struct row row = {"finality", FINDING_OK, ""};

	if (tag != NULL) {
		struct jval *params = jval_array();
		jval_push(params, jval_new_string(tag));
		jval_push(params, jval_new_bool(false));
		exam->asking = "finality";
		exam->op = chain_rpc(exam->lane->chain, "eth_getBlockByNumber", params,
		                     tag_answered, chain);
		return;
	}
	if (config->finality == FINALITY_LATEST) {
		row.result = FINDING_WARNING;
		row.fix = "Set `confirmations` to finalized or to a number of blocks, unless this "
		          "is a "
		          "test chain.";
		exam_row(exam, row, "the newest block counts as final");
	} else {
		exam_row(exam, row, "blocks count as final %" PRIu64 " behind the newest",
		         config->depth);
	}
	ask_multicall(chain);
}

/* --- the head ---------------------------------------------------------------------------------
 */

static void judge_head(struct chain_exam *chain)
{
	struct row row = {"head", FINDING_OK, ""};
	char at[WALL_TEXT_SIZE];
	int64_t age = clock_wall().ms / 1000 - (int64_t)chain->head.timestamp;

	if (age > HEAD_OLD_S) {
		row.result = FINDING_WARNING;
		row.fix = "Ask the endpoints' provider why no newer block comes, unless this is a "
		          "test "
		          "chain.";
	} else if (age < -HEAD_AHEAD_S) {
		row.result = FINDING_WARNING;
		row.fix = "Set this machine's clock, unless this is a test chain whose clock was "
		          "moved.";
	}
	exam_row(&chain->exam, row, "block %" PRIu64 " of %s, %" PRId64 " s %s", chain->head.number,
	         wall_text_seconds(at, chain->head.timestamp), age < 0 ? -age : age,
	         age < 0 ? "ahead of this machine's clock" : "old");
}

static void head_answered(const struct error *error, const struct block_ref *head,
                          const struct block_ref *final, void *arg)
{
	struct chain_exam *chain = arg;

	(void) final;
	chain->exam.op = NULL;
	if (error != NULL) {
		exam_row(&chain->exam,
		         (struct row){"head", FINDING_UNKNOWN,
		                      "Repair or replace the RPC endpoints in `rpc` of the chain."},
		         "%s", error->text);
		exam_end(&chain->exam);
		return;
	}
	chain->have_head = true;
	chain->head = *head;
	judge_head(chain);
	ask_finality(chain);
}

/* --- endpoints --------------------------------------------------------------------------------
 */

static void endpoints_answered(const struct chain_endpoint *endpoints, size_t count, void *arg)
{
	struct chain_exam *chain = arg;
	struct exam *exam = &chain->exam;
	const struct config_chain *config = exam->lane->config;
	size_t good = 0;

	exam->op = NULL;
	for (size_t i = 0; i < count; i++)
		good += endpoints[i].trouble == NULL;
	for (size_t i = 0; i < count; i++) {
		struct row row = {"RPC endpoint and chain id", FINDING_OK, ""};
		if (endpoints[i].trouble == NULL) {
			exam_row(exam, row, "%s answers for chain %" PRIu64, endpoints[i].name,
			         config->chain_id);
			continue;
		}
		/* A spare one that fails costs nothing yet. */
		row.result = good >= config->quorum ? FINDING_WARNING : FINDING_FAILURE;
		row.fix = "Repair or replace this endpoint in `rpc` of the chain, or set chain_id "
		          "right.";
		exam_row(exam, row, "%s: %s", endpoints[i].name, endpoints[i].trouble);
	}
	exam->asking = "head";
	exam->op = chain_head(exam->lane->chain, head_answered, chain);
}

static void judge_stop(struct exam *exam)
{
	const char *held = chain_held(exam->lane->chain);

	if (held != NULL)
		exam_row(exam,
		         (struct row){"final blocks", FINDING_FAILURE,
		                      arena_printf(&exam->arena,
		                                   "Find out what happened to the chain, or who "
		                                   "answers for its endpoints; then `registrarctl "
		                                   "resume %s`.",
		                                   exam->lane->config->name)},
		         "%s", held);
}

void chain_exam_start(struct chain_exam *chain)
{
	struct exam *exam = &chain->exam;

	judge_stop(exam);

	exam->started = true;
	exam->asking = "RPC endpoint and chain id";
	exam->op = chain_ask_endpoints(exam->lane->chain, endpoints_answered, chain);
}
