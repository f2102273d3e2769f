#include "daemon/signer/policy.h"

#include "common/governance/delay.h"
#include "common/governance/multisend.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WEI_PER_GWEI = 1000 * 1000 * 1000, SECONDS_PER_TOTP = 3600 };

static int find_target(const struct config_target **out, const struct config *config,
                       const char *name, struct error *error)
{
	*out = config_target_find(config, name);
	if (*out == NULL)
		return error_set(error, ERR_DENIED, "no target of this name is configured");
	return 0;
}

/* --- registry calls ------------------------------------------------------------------------- */

static bool same_optional(bool has_a, const struct address *a, bool has_b, const struct address *b)
{
	return has_a == has_b && (!has_a || address_equal(a, b));
}

static bool same_governance(const struct config_target *a, const struct config_target *b)
{
	return a->chain->chain_id == b->chain->chain_id && a->model == b->model &&
	       same_optional(a->has_safe, &a->safe, b->has_safe, &b->safe) &&
	       same_optional(a->has_timelock, &a->timelock, b->has_timelock, &b->timelock) &&
	       address_equal(&a->avatar, &b->avatar);
}

static bool is_call_of_role(const struct contract_call *call, enum contract_role role)
{
	enum kind kind;
	enum action action;
	struct hash32 value;

	return registry_decode_call(&kind, &action, &value, call->data, role) == 0;
}

static bool is_registry_call_of(const struct config_target *target,
                                const struct contract_call *call)
{
	if (address_equal(&call->to, &target->kms) && is_call_of_role(call, CONTRACT_KMS))
		return true;
	return target->has_app && address_equal(&call->to, &target->app) &&
	       is_call_of_role(call, CONTRACT_APP);
}

static int check_call(const struct config *config, const struct config_target *target,
                      const struct contract_call *call, struct error *error)
{
	char to[ADDRESS_TEXT_SIZE];

	if (!u256_is_zero(&call->value))
		return error_set(error, ERR_DENIED, "a call with a value");
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *other = &config->targets[i];
		if (same_governance(target, other) && is_registry_call_of(other, call))
			return 0;
	}
	return error_set(error, ERR_DENIED,
	                 "a call to %s that is no known registry call of a target on the same way",
	                 address_text(to, &call->to));
}

static int check_calls(const struct config *config, const struct config_target *target,
                       const struct contract_call *calls, size_t count, struct error *error)
{
	if (count == 0)
		return error_set(error, ERR_DENIED, "a batch without calls");
	for (size_t i = 0; i < count; i++) {
		int rc = check_call(config, target, &calls[i], error);
		if (rc != 0) {
			if (error != NULL)
				error_prefix(error, "call %zu of %zu", i + 1, count);
			return rc;
		}
	}
	return 0;
}

/* --- the Delay module ------------------------------------------------------------------------ */

typedef int decode_entry_fn(struct delay_entry *entry, struct bytes calldata, struct error *error);

static int check_entry(const struct config *config, const struct config_target *target,
                       struct bytes data, decode_entry_fn *decode, struct error *error)
{
	struct contract_call *calls;
	struct delay_entry entry;
	struct arena arena = {0};
	size_t count;

	int rc = decode(&entry, data, error);
	if (rc != 0)
		rc = error_set(error, ERR_DENIED, "calldata that is not exactly %s of the module",
		               decode == delay_decode_enqueue ? "an execTransactionFromModule"
		                                              : "an executeNextTx");
	else if (delay_entry_calls(&arena, &calls, &count, &entry, error) != 0)
		rc = error_set(error, ERR_DENIED,
		               "an entry of the module that is no call and no batch of plain calls "
		               "by MultiSendCallOnly");
	else
		rc = check_calls(config, target, calls, count, error);
	arena_free(&arena);
	return rc;
}

/* --- the timelock ---------------------------------------------------------------------------- */

static int check_schedule(const struct config *config, const struct config_target *target,
                          struct bytes data, struct error *error)
{
	struct timelock_batch batch;
	struct arena arena = {0};
	uint64_t delay;

	if (target->model == MODEL_DELAY)
		return check_entry(config, target, data, delay_decode_enqueue, error);
	int rc = timelock_decode_schedule(&arena, &batch, &delay, data, error);
	if (rc != 0 || batch.single)
		rc = error_set(error, ERR_DENIED, "calldata that is not exactly a scheduleBatch");
	else if (!hash32_is_zero(&batch.predecessor))
		rc = error_set(error, ERR_DENIED, "an operation with a predecessor");
	else
		rc = check_calls(config, target, batch.calls, batch.count, error);
	arena_free(&arena);
	return rc;
}

/* What people scheduled in another form, or after another operation, is executed as it stands
 * there: the timelock does nothing else, and its calls are what counts. */
static int check_execute(const struct config *config, const struct config_target *target,
                         struct bytes data, struct error *error)
{
	struct timelock_batch batch;
	struct arena arena = {0};

	if (target->model == MODEL_DELAY)
		return check_entry(config, target, data, delay_decode_execute, error);
	int rc = timelock_decode_execute(&arena, &batch, data, error);
	if (rc != 0)
		rc = error_set(error, ERR_DENIED,
		               "calldata that is not exactly an execute or executeBatch");
	else
		rc = check_calls(config, target, batch.calls, batch.count, error);
	arena_free(&arena);
	return rc;
}

static int check_cancel(const struct config_target *target, struct bytes data, struct error *error)
{
	struct hash32 id;

	if (target->model == MODEL_DELAY)
		return error_set(error, ERR_DENIED,
		                 "a Delay module cancels nothing; its owner passes over entries");
	if (timelock_decode_cancel(&id, data) != 0)
		return error_set(error, ERR_DENIED,
		                 "calldata that is not exactly a cancel(bytes32)");
	return 0;
}

/* --- Safe transactions ----------------------------------------------------------------------- */

/* What schedule, execute and cancel have in common: a plain call to the target's timelock. */
static int check_to_timelock(const struct config_target *target, const struct safe_tx *tx,
                             struct error *error)
{
	if (target->model != MODEL_SAFE_TIMELOCK && target->model != MODEL_DELAY)
		return error_set(error, ERR_DENIED,
		                 "the target's model is %s, which has no Safe before a timelock",
		                 model_name(target->model));
	if (tx->operation != 0)
		return error_set(error, ERR_DENIED, "a delegatecall to the timelock");
	if (!address_equal(&tx->to, &target->timelock))
		return error_set(error, ERR_DENIED, "it does not go to the target's timelock");
	return 0;
}

static int check_multisend(const struct config *config, const struct config_target *target,
                           const struct safe_tx *tx, struct error *error)
{
	struct contract_call *calls;
	struct arena arena = {0};
	size_t count;

	if (multisend_deployment_at(&tx->to) == NULL)
		return error_set(error, ERR_DENIED,
		                 "a delegatecall to anything but MultiSendCallOnly");
	int rc = multisend_decode(&arena, &calls, &count, tx->data, error);
	if (rc != 0)
		rc = error_set(error, ERR_DENIED,
		               "calldata that is not exactly a multiSend of plain calls");
	else
		rc = check_calls(config, target, calls, count, error);
	arena_free(&arena);
	return rc;
}

static int check_apply(const struct config *config, const struct config_target *target,
                       const struct safe_tx *tx, struct error *error)
{
	if (target->model != MODEL_SAFE)
		return error_set(
		        error, ERR_DENIED,
		        "the target's model is %s, where a Safe does not call the registry",
		        model_name(target->model));
	if (tx->operation == 1)
		return check_multisend(config, target, tx, error);
	struct contract_call call = {.to = tx->to, .value = tx->value, .data = tx->data};
	return check_call(config, target, &call, error);
}

static int check_reject(const struct safe_tx *tx, struct error *error)
{
	if (!safe_tx_is_rejection(tx))
		return error_set(error, ERR_DENIED,
		                 "a rejection that is not an empty call of the Safe to itself");
	return 0;
}

/* What every Safe transaction must be, whatever it is for. */
static int check_frame(const struct config_target *target, const struct safe_tx *tx,
                       struct error *error)
{
	if (!lifecycle_has_safe(target->model) || !target->has_safe)
		return error_set(error, ERR_DENIED, "the target has no Safe");
	if (tx->chain_id != target->chain->chain_id)
		return error_set(error, ERR_DENIED, "chain %" PRIu64 " is not the target's chain",
		                 tx->chain_id);
	if (!address_equal(&tx->safe, &target->safe))
		return error_set(error, ERR_DENIED, "it is not of the target's Safe");
	if (tx->operation > 1)
		return error_set(error, ERR_DENIED, "operation %u does not exist", tx->operation);
	if (!u256_is_zero(&tx->value))
		return error_set(error, ERR_DENIED, "it sends a value");
	if (!safe_tx_standard_gas(tx))
		return error_set(error, ERR_DENIED, "a gas or refund field is not zero");
	return 0;
}

static int check_purpose(const struct config *config, const struct config_target *target,
                         enum purpose purpose, const struct safe_tx *tx, struct error *error)
{
	int rc;

	switch (purpose) {
	case PURPOSE_SCHEDULE:
		rc = check_to_timelock(target, tx, error);
		return rc != 0 ? rc : check_schedule(config, target, tx->data, error);
	case PURPOSE_EXECUTE:
		rc = check_to_timelock(target, tx, error);
		return rc != 0 ? rc : check_execute(config, target, tx->data, error);
	case PURPOSE_CANCEL:
		rc = check_to_timelock(target, tx, error);
		return rc != 0 ? rc : check_cancel(target, tx->data, error);
	case PURPOSE_APPLY:
		return check_apply(config, target, tx, error);
	case PURPOSE_REJECT:
		return check_reject(tx, error);
	}
	return error_set(error, ERR_DENIED, "purpose %d does not exist", (int)purpose);
}

int policy_safe_tx(const struct config *config, const char *target_name, enum purpose purpose,
                   const struct safe_tx *tx, struct error *error)
{
	const struct config_target *target;

	int rc = find_target(&target, config, target_name, error);
	if (rc == 0)
		rc = check_frame(target, tx, error);
	return rc != 0 ? rc : check_purpose(config, target, purpose, tx, error);
}

/* The service's clock decides what is now; this machine's may be wrong by a day. */
enum { CLOCK_OFF_HOURS = 48 };

int policy_delete(const struct config *config, const char *target_name, uint64_t totp,
                  struct wall now, struct error *error)
{
	const struct config_target *target;

	int rc = find_target(&target, config, target_name, error);
	if (rc != 0)
		return rc;
	if (!lifecycle_has_safe(target->model) || !target->has_safe ||
	    target->service.kind == SERVICE_NONE)
		return error_set(error, ERR_DENIED, "the target has no Safe in a service");
	int64_t hour = now.ms / 1000 / SECONDS_PER_TOTP;
	if (totp > INT64_MAX || llabs((int64_t)totp - hour) > CLOCK_OFF_HOURS)
		return error_set(error, ERR_DENIED, "its time is not now");
	return 0;
}

/* --- execution transactions ------------------------------------------------------------------ */

static int check_fees(const struct config_chain *chain, const struct eth_transaction *tx,
                      struct error *error)
{
	uint64_t fee;

	if (u256_to_u64(&fee, &tx->max_fee) != 0 || fee / WEI_PER_GWEI > chain->max_fee_gwei ||
	    (fee / WEI_PER_GWEI == chain->max_fee_gwei && fee % WEI_PER_GWEI != 0))
		return error_set(error, ERR_DENIED,
		                 "its fee per gas is above the chain's max_fee_gwei %" PRIu64,
		                 chain->max_fee_gwei);
	if (u256_compare(&tx->max_priority_fee, &tx->max_fee) > 0)
		return error_set(error, ERR_DENIED, "its priority fee is above its fee");
	if (tx->gas > chain->max_gas)
		return error_set(error, ERR_DENIED, "its gas is above the chain's max_gas %" PRIu64,
		                 chain->max_gas);
	return 0;
}

/* What both kinds of transaction have in common: a call of the target's timelock, paid for within
 * the chain's limits. */
static int check_timelock_transaction(const struct config_target *target,
                                      const struct eth_transaction *tx, struct error *error)
{
	if (!lifecycle_has_timelock(target->model) || !target->has_timelock)
		return error_set(error, ERR_DENIED, "the target has no timelock");
	if (tx->chain_id != target->chain->chain_id)
		return error_set(error, ERR_DENIED, "chain %" PRIu64 " is not the target's chain",
		                 tx->chain_id);
	if (!address_equal(&tx->to, &target->timelock))
		return error_set(error, ERR_DENIED, "it does not go to the target's timelock");
	if (!u256_is_zero(&tx->value))
		return error_set(error, ERR_DENIED, "it sends a value");
	return check_fees(target->chain, tx, error);
}

int policy_execution(const struct config *config, const char *target_name,
                     const struct eth_transaction *tx, struct error *error)
{
	const struct config_target *target;

	int rc = find_target(&target, config, target_name, error);
	if (rc == 0)
		rc = check_timelock_transaction(target, tx, error);
	if (rc == 0 && target->execute != EXECUTE_DIRECT)
		rc = error_set(error, ERR_DENIED, "the target's execute is not direct");
	return rc != 0 ? rc : check_execute(config, target, tx->data, error);
}

/* A target whose timelock obeys the scheduler key. */
static int find_scheduled(const struct config_target **out, const struct config *config,
                          const char *name, const struct eth_transaction *tx, struct error *error)
{
	int rc = find_target(out, config, name, error);

	if (rc == 0 && (*out)->model != MODEL_TIMELOCK)
		rc = error_set(
		        error, ERR_DENIED,
		        "the target's model is %s, whose timelock no key of ours schedules on",
		        model_name((*out)->model));
	return rc != 0 ? rc : check_timelock_transaction(*out, tx, error);
}

int policy_schedule(const struct config *config, const char *target_name,
                    const struct eth_transaction *tx, struct error *error)
{
	const struct config_target *target;

	int rc = find_scheduled(&target, config, target_name, tx, error);
	return rc != 0 ? rc : check_schedule(config, target, tx->data, error);
}

int policy_cancel(struct buf *out, const struct config *config, const char *target_name,
                  const struct eth_transaction *tx, struct error *error)
{
	const struct config_target *target;
	struct timelock_batch batch;
	struct arena arena = {0};

	buf_clear(out);
	int rc = find_scheduled(&target, config, target_name, tx, error);
	if (rc == 0)
		rc = check_execute(config, target, tx->data, error);
	if (rc == 0)
		rc = timelock_decode_execute(&arena, &batch, tx->data, error);
	if (rc == 0) {
		struct hash32 id = timelock_operation_id(&batch);
		timelock_encode_cancel(out, &id);
	}
	arena_free(&arena);
	return rc;
}
