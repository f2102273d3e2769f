/* Several calls of a Safe at once are a delegatecall: into known code or not at all. */
#include "daemon/govern/draft.h"

#include "common/crypto/hash.h"
#include "common/eth/jsonrpc.h"
#include "common/governance/multisend.h"

#include <stdlib.h>

struct draft_multisend {
	struct draft *draft;
	draft_multisend_fn *done;
	void *arg;
	struct chain_op *op;
	enum safe_version version;
	size_t next; /* of the known deployments */
	const struct multisend_deployment *asked;
};

void draft_multisend_cancel(struct draft *draft)
{
	if (draft->multisend == NULL)
		return;
	chain_cancel(draft->multisend->op);
	free(draft->multisend);
	draft->multisend = NULL;
}

static void finish(struct draft_multisend *search, const struct error *error)
{
	draft_multisend_fn *done = search->done;
	void *arg = search->arg;

	draft_multisend_cancel(search->draft);
	done(error, arg);
}

static void ask_next(struct draft_multisend *search);

static void code_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct draft_multisend *search = arg;
	struct draft *draft = search->draft;
	char at[ADDRESS_TEXT_SIZE];
	struct error problem;
	struct bytes code;

	search->op = NULL;
	if (error != NULL || jsonrpc_hex(&code, &draft->arena, result, NULL) != 0) {
		error_set(&problem, ERR_UNAVAILABLE, "eth_getCode: %s",
		          error != NULL ? error->text : "no code in the answer");
		finish(search, &problem);
		return;
	}
	if (code.len == 0) {
		ask_next(search);
		return;
	}
	struct hash32 hash = keccak256(code);
	if (!hash32_equal(&hash, &search->asked->code_hash)) {
		error_set(
		        &problem, ERR_DENIED,
		        "the code at %s is not that of MultiSendCallOnly %s, which the Safe would "
		        "delegatecall",
		        address_text(at, &search->asked->address),
		        safe_version_text(search->version));
		finish(search, &problem);
		return;
	}
	draft->path.multisend = search->asked->address;
	finish(search, NULL);
}

static void ask_next(struct draft_multisend *search)
{
	char at[ADDRESS_TEXT_SIZE];
	struct error problem;
	size_t count;
	const struct multisend_deployment *known = multisend_deployments(&count);

	while (search->next < count && known[search->next].version != search->version)
		search->next++;
	if (search->next == count) {
		error_set(&problem, ERR_DENIED,
		          "MultiSendCallOnly %s stands at none of its addresses on this chain, and "
		          "several calls of a Safe need it; `batch.max_calls: 1` does without",
		          safe_version_text(search->version));
		finish(search, &problem);
		return;
	}
	search->asked = &known[search->next++];
	struct jval *params = jval_array();
	jval_push(params, jval_new_string(address_lower(at, &search->asked->address)));
	search->op = chain_rpc_at(search->draft->lane->chain, &search->draft->head, "eth_getCode",
	                          params, code_answered, search);
}

void draft_find_multisend(struct draft *draft, draft_multisend_fn *done, void *arg)
{
	struct draft_multisend *search = xcalloc(1, sizeof(*search));

	*search = (struct draft_multisend){
	        .draft = draft, .done = done, .arg = arg, .version = draft->safe_version};
	draft->multisend = search;
	ask_next(search);
}
