/* Whether the contract that makes several calls of a Safe at once is the known one. */
#include "daemon/govern/doctor.h"

#include "common/crypto/hash.h"
#include "common/eth/jsonrpc.h"

struct search {
	struct target_exam *target;
	void (*done)(struct target_exam *target);
	size_t next; /* of the known deployments */
	const struct multisend_deployment *asked;
};

static void ask_next(struct search *search);

static void judge(struct search *search, struct bytes code)
{
	struct exam *exam = &search->target->exam;
	struct row row = {"MultiSendCallOnly", FINDING_OK, ""};
	struct hash32 hash = keccak256(code);
	char at[ADDRESS_TEXT_SIZE];

	address_text(at, &search->asked->address);
	if (hash32_equal(&hash, &search->asked->code_hash)) {
		exam_row(exam, row, "%s (%s, %s)", at, safe_version_text(search->asked->version),
		         search->asked->variant);
		return;
	}
	row.result = FINDING_FAILURE;
	row.fix = "Set `batch: {max_calls: 1}`: nothing is delegated to code that is not known.";
	exam_row(exam, row, "the code at %s is not that of %s", at,
	         safe_version_text(search->asked->version));
}

static void code_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct search *search = arg;
	struct target_exam *target = search->target;
	struct bytes code;

	target->exam.op = NULL;
	if (error != NULL || jsonrpc_hex(&code, &target->exam.arena, result, NULL) != 0) {
		exam_row(&target->exam,
		         (struct row){"MultiSendCallOnly", FINDING_UNKNOWN, "Ask again."}, "%s",
		         error != NULL ? error->text : "eth_getCode gave no code");
	} else if (code.len == 0) {
		ask_next(search);
		return;
	} else {
		judge(search, code);
	}
	search->done(target);
}

static void ask_next(struct search *search)
{
	struct target_exam *target = search->target;
	struct exam *exam = &target->exam;
	size_t count;
	const struct multisend_deployment *known = multisend_deployments(&count);

	while (search->next < count && known[search->next].version != target->version)
		search->next++;
	if (search->next == count) {
		exam_row(exam,
		         (struct row){"MultiSendCallOnly", FINDING_FAILURE,
		                      "Deploy it (anybody may), or set `batch: {max_calls: 1}`."},
		         "%s stands at none of its addresses", safe_version_text(target->version));
		search->done(target);
		return;
	}
	search->asked = &known[search->next++];
	struct jval *params = jval_array();
	jval_push(params, jsonrpc_new_address(&search->asked->address));
	exam->asking = "MultiSendCallOnly";
	exam->op = chain_rpc_at(exam->lane->chain, &target->chain->head, "eth_getCode", params,
	                        code_answered, search);
}

void multisend_exam(struct target_exam *target, void (*done)(struct target_exam *target))
{
	struct search *search = arena_alloc(&target->exam.arena, sizeof(*search));

	enum model model = target->target->model;

	if ((model != MODEL_SAFE && model != MODEL_DELAY) || !target->have_version) {
		done(target);
		return;
	}
	*search = (struct search){.target = target, .done = done};
	ask_next(search);
}
