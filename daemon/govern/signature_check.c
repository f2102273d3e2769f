#include "daemon/govern/signature_check.h"

#include "common/governance/chain_signature.h"
#include "daemon/govern/reads.h"

#include <stdlib.h>
#include <string.h>

/* One confirmation, and the question about it that is under way. */
struct claim {
	struct signature_check *check;
	size_t index;        /* of the confirmations */
	size_t read;         /* approvedHashes, or READS_NONE */
	struct chain_op *op; /* isValidSignature */
};

struct signature_check {
	struct lane *lane;
	struct arena arena;
	struct safe_tx tx; /* its data in the arena */
	struct hash32 safe_tx_hash;
	struct proposal_confirmation *confirmations;
	struct claim *claims; /* one per confirmation */
	size_t count;
	size_t version_read;
	enum safe_version version;
	struct chain_op *op;
	size_t pending;
	struct error error; /* of the first question that got no answer */
	signature_check_fn *done;
	void *arg;
};

static void check_free(struct signature_check *check)
{
	chain_cancel(check->op);
	for (size_t i = 0; i < check->count; i++)
		chain_cancel(check->claims[i].op);
	arena_free(&check->arena);
	free(check);
}

void signature_check_cancel(struct signature_check *check)
{
	if (check != NULL)
		check_free(check);
}

static void finish(struct signature_check *check)
{
	bool failed = check->error.code != 0;

	check->done(failed ? &check->error : NULL, failed ? NULL : check->confirmations,
	            failed ? 0 : check->count, check->arg);
	check_free(check);
}

bool signature_check_needed(const struct proposal_tx *tx)
{
	for (size_t i = 0; i < tx->confirmation_count; i++)
		if (tx->confirmations[i].needs_chain)
			return true;
	return false;
}

static bool is_of_contract(const struct proposal_confirmation *confirmation)
{
	return confirmation->needs_chain &&
	       confirmation->signature.data[SAFE_SIGNATURE_SIZE - 1] == 0;
}

/* --- contracts ----------------------------------------------------------------------------------
 */

static void contract_answered(const struct error *error, const struct chain_read_result *result,
                              void *arg)
{
	struct claim *claim = arg;
	struct signature_check *check = claim->check;

	claim->op = NULL;
	if (error != NULL)
		check->error = *error;
	else /* a contract that says no may as well revert */
		check->confirmations[claim->index].verified =
		        result->success &&
		        contract_signature_answer(check->version, result->returned);
	if (--check->pending == 0)
		finish(check);
}

/* As the Safe itself would ask, and in its name: an owner may care who asks. */
static void ask_contract(struct signature_check *check, struct claim *claim)
{
	const struct proposal_confirmation *confirmation = &check->confirmations[claim->index];
	struct bytes signature;
	struct buf data = {0};

	if (contract_signature_read(&signature, confirmation->signature, NULL) != 0)
		return; /* the Safe would refuse it, too */
	contract_signature_encode(&data, check->version, &check->tx, signature);
	check->pending++;
	claim->op = chain_simulate(check->lane->chain, &check->tx.safe, &confirmation->owner,
	                           buf_bytes(&data), contract_answered, claim);
	buf_free(&data);
}

/* --- the Safe -----------------------------------------------------------------------------------
 */

static int read_version(struct signature_check *check, const struct chain_read_result *result)
{
	char *text;

	if (!result->success || view_text(&check->arena, &text, result->returned) != 0)
		return error_set(&check->error, ERR_UNAVAILABLE, "the Safe does not answer %s",
		                 view_signature(VIEW_SAFE_VERSION));
	return safe_version_parse(&check->version, text, &check->error);
}

static void safe_answered(const struct error *error, const struct chain_read_result *results,
                          size_t count, void *arg)
{
	struct signature_check *check = arg;

	(void)count;
	check->op = NULL;
	if (error != NULL) {
		check->error = *error;
		finish(check);
		return;
	}
	if (read_version(check, &results[check->version_read]) != 0) {
		finish(check);
		return;
	}
	check->pending = 1; /* ourselves, until all are asked */
	for (size_t i = 0; i < check->count; i++) {
		struct claim *claim = &check->claims[i];
		if (claim->read != READS_NONE)
			check->confirmations[i].verified =
			        results[claim->read].success &&
			        approved_hash_answer(results[claim->read].returned);
		else if (is_of_contract(&check->confirmations[i]))
			ask_contract(check, claim);
	}
	if (--check->pending == 0)
		finish(check);
}

static void copy_confirmations(struct signature_check *check, const struct proposal_tx *tx)
{
	check->count = tx->confirmation_count;
	check->confirmations =
	        arena_array(&check->arena, check->count, sizeof(*check->confirmations));
	check->claims = arena_array(&check->arena, check->count, sizeof(*check->claims));
	for (size_t i = 0; i < check->count; i++) {
		check->confirmations[i] = tx->confirmations[i];
		check->confirmations[i].signature =
		        arena_copy(&check->arena, tx->confirmations[i].signature);
		check->claims[i] = (struct claim){.check = check, .index = i, .read = READS_NONE};
	}
}

struct signature_check *signature_check_start(struct lane *lane, const struct proposal_tx *tx,
                                              signature_check_fn *done, void *arg)
{
	struct signature_check *check = xcalloc(1, sizeof(*check));
	struct reads reads = {.arena = &check->arena};
	struct buf data = {0};

	check->lane = lane;
	check->tx = tx->tx;
	check->tx.data = arena_copy(&check->arena, tx->tx.data);
	check->safe_tx_hash = tx->safe_tx_hash;
	check->done = done;
	check->arg = arg;
	copy_confirmations(check, tx);
	check->version_read = reads_add_view(&reads, &check->tx.safe, VIEW_SAFE_VERSION);
	for (size_t i = 0; i < check->count; i++) {
		const struct proposal_confirmation *confirmation = &check->confirmations[i];
		if (!confirmation->needs_chain || is_of_contract(confirmation))
			continue;
		buf_clear(&data);
		approved_hash_encode(&data, &confirmation->owner, &check->safe_tx_hash);
		check->claims[i].read = reads_add(&reads, &check->tx.safe, buf_bytes(&data));
	}
	buf_free(&data);
	check->op = chain_read_many(lane->chain, &lane->head, reads.items, reads.count,
	                            safe_answered, check);
	return check;
}
