#include "daemon/govern/send.h"

#include "common/base/log.h"
#include "common/eth/jsonrpc.h"
#include "common/eth/revert.h"
#include "common/governance/timelock.h"
#include "common/store/store_event.h"
#include "daemon/chain/sending.h"
#include "daemon/govern/posting.h"

#include <stdlib.h>
#include <string.h>

struct send {
	struct lane *lane;
	struct send_request request; /* data in the arena */
	struct arena arena;
	send_done_fn *done;
	void *arg;
	struct chain_op *op;
	struct eth_transaction tx;
	struct u256 base_fee;
	struct sent_tx_list lost; /* of our key with the nonce that something used, while their
	                             fate is asked for */
	size_t lost_at;
	const char *refused; /* why it reverts now; NULL: it does not */
};

static void send_free(struct send *send)
{
	chain_cancel(send->op);
	arena_free(&send->arena);
	free(send);
}

void send_cancel(struct send *send)
{
	if (send != NULL)
		send_free(send);
}

static void finish(struct send *send, int code, const char *text)
{
	struct error error = {0};
	send_done_fn *done = send->done;
	void *arg = send->arg;

	if (code != 0)
		error_set(&error, (enum err)code, "%s", text);
	send_free(send);
	done(code != 0 ? &error : NULL, arg);
}

/* --- sending ------------------------------------------------------------------------------------
 */

static void sent(const struct error *error, void *arg)
{
	struct send *send = arg;

	send->op = NULL;
	/* It is stored: whether a node took it shows on chain. "already known" and the like are
	 * no failures, and a real one leads to a further attempt after `resend`. */
	if (error != NULL)
		log_unusual(send->lane->config->name, "eth_sendRawTransaction: %s", error->text);
	finish(send, 0, NULL);
}

static void handed_on(const struct error *error, void *arg)
{
	(void)error;
	(void)arg;
}

void send_again(struct lane *lane, struct bytes raw)
{
	/* Not cancelled by anyone: it holds no state of ours, and the chain ends it with itself. */
	(void)chain_broadcast(lane->chain, raw, handed_on, NULL);
}

/* A node may have forgotten what it was sent, and nothing dearer can take its place now. */
static void hand_on_previous(const struct send *send)
{
	if (send->request.has_previous)
		send_again(send->lane, send->request.previous_raw);
}

enum signer_key send_key(enum purpose purpose)
{
	return purpose == PURPOSE_EXECUTE ? SIGNER_EXECUTOR : SIGNER_SCHEDULER;
}

/* What people read of it. */
struct words {
	const char *noun, *verb, *past;
};

static struct words words_of(enum purpose purpose)
{
	switch (purpose) {
	case PURPOSE_SCHEDULE:
		return (struct words){"schedule", "schedule", "scheduled"};
	case PURPOSE_EXECUTE:
		return (struct words){"execution", "execute", "executed"};
	case PURPOSE_CANCEL:
		return (struct words){"cancellation", "cancel", "cancelled"};
	case PURPOSE_APPLY:
	case PURPOSE_REJECT:
		break;
	}
	die("no key of ours sends: %s", purpose_name(purpose));
}

const char *send_done_text(enum purpose purpose)
{
	return words_of(purpose).past;
}

static bool is_purpose(const struct send *send, enum purpose purpose)
{
	return send->request.purpose == purpose;
}

static const char *key_name(const struct send *send)
{
	return is_purpose(send, PURPOSE_EXECUTE) ? "executor" : "scheduler";
}

static const char *function_name(const struct send *send)
{
	if (is_purpose(send, PURPOSE_CANCEL))
		return "cancel";
	if (send->request.model == MODEL_DELAY)
		return "executeNextTx";
	return is_purpose(send, PURPOSE_SCHEDULE) ? "scheduleBatch" : "executeBatch";
}

bool send_is_under_way(struct store *store, struct arena *arena, struct proposal_id id,
                       enum purpose purpose)
{
	struct sent_tx_list list;

	store_sent_tx_list(store, arena, id, &list);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].status == SENT_STORED && list.items[i].purpose == purpose)
			return true;
	return false;
}

/* A schedule that is on its way is brought to its end, since only what the chain shows can be
 * cancelled for certain. */
static bool is_due(struct send *send, const struct proposal *proposal)
{
	struct store *store = send->lane->parts->store;
	enum purpose purpose = send->request.purpose;

	if (purpose == PURPOSE_EXECUTE)
		return (proposal->flags & FLAG_WITHDRAWING) == 0;
	return posting_allowed(store, &send->arena, proposal, purpose) ||
	       (purpose == PURPOSE_SCHEDULE &&
	        send_is_under_way(store, &send->arena, proposal->id, PURPOSE_SCHEDULE));
}

/* People and the tracker go on while the chain and the signer are asked. */
static bool still_due(struct send *send)
{
	struct store *store = send->lane->parts->store;
	struct proposal proposal;

	return !send->lane->stopped &&
	       store_proposal_get(store, &send->arena, send->request.proposal, &proposal) == 0 &&
	       proposal.state == send->request.state && is_due(send, &proposal);
}

/* With a lower nonce it comes before what was sent with a higher one, which can only revert then.
 */
static void give_up_higher(struct send *send)
{
	struct store *store = send->lane->parts->store;
	struct sent_tx_list all;

	store_sent_tx_list(store, &send->arena, send->request.proposal, &all);
	for (size_t i = 0; i < all.count; i++)
		if (all.items[i].status == SENT_STORED && all.items[i].nonce > send->tx.nonce)
			store_sent_tx_set_status(store, all.items[i].id, SENT_REPLACED);
}

static void signed_one(const struct error *error, struct bytes raw, const struct hash32 *tx_hash,
                       void *arg)
{
	struct send *send = arg;
	struct store *store = send->lane->parts->store;
	char subject[SUBJECT_SIZE], hash[HASH32_TEXT_SIZE];

	if (error != NULL) {
		finish(send, error->code, error->text);
		return;
	}
	if (!still_due(send)) {
		finish(send, ERR_UNAVAILABLE, "it is not due any more");
		return;
	}
	struct sent_tx row = {
	        .proposal = send->request.proposal,
	        .purpose = send->request.purpose,
	        .chain_id = send->tx.chain_id,
	        .nonce = send->tx.nonce,
	        .from = send->request.from,
	        .raw = raw,
	        .tx_hash = *tx_hash,
	        .max_fee = send->tx.max_fee,
	        .max_priority_fee = send->tx.max_priority_fee,
	        .attempt = send->request.has_previous ? send->request.previous_attempt + 1 : 1,
	        .status = SENT_STORED,
	        .sent_at = clock_wall(),
	};
	proposal_subject(subject, row.proposal);
	store_begin(store);
	give_up_higher(send);
	store_sent_tx_add(store, &row);
	store_event_add(store, "safe-tx", subject, "%s sent by the %s key: %s nonce %llu",
	                words_of(row.purpose).noun, key_name(send), hash32_text(hash, tx_hash),
	                (unsigned long long)row.nonce);
	store_commit(store);
	send->op = chain_broadcast(send->lane->chain, raw, sent, send);
}

/* --- fee
 * ------------------------------------------------------------------------------------------ */

enum { GWEI = 1000000000 };

static uint64_t clamp_u64(const struct u256 *value)
{
	uint64_t out;

	return u256_to_u64(&out, value) == 0 ? out : UINT64_MAX / 4;
}

/* The price moves with every block: it stands in the journal, and the alarm is told once. */
static int too_dear(const struct send *send, uint64_t fee, struct error *error)
{
	const struct config_chain *chain = send->lane->config;

	log_debug(chain->name, "the gas price needed is %llu gwei",
	          (unsigned long long)(fee / GWEI));
	if (send->request.has_previous)
		return error_set(error, ERR_DENIED,
		                 "what was sent with nonce %llu is not mined, and a higher gas "
		                 "price would be over max_fee_gwei %llu of the chain; it is "
		                 "handed on again as it is",
		                 (unsigned long long)send->request.previous_nonce,
		                 (unsigned long long)chain->max_fee_gwei);
	return error_set(error, ERR_DENIED,
	                 "the gas price needed is over max_fee_gwei %llu of the chain",
	                 (unsigned long long)chain->max_fee_gwei);
}

/* max fee = 2 * base + tip covers six full blocks of rising base fee. A replacement must be at
 * least an eighth higher than before or nodes refuse it. */
static int choose_fee(struct send *send, uint64_t tip, struct error *error)
{
	uint64_t base = clamp_u64(&send->base_fee);
	uint64_t limit = send->lane->config->max_fee_gwei * GWEI;

	if (tip > limit)
		tip = limit; /* refused below, not wrapped around */
	uint64_t fee = base > limit ? base : 2 * base + tip;

	if (send->request.has_previous) {
		uint64_t old_fee = clamp_u64(&send->request.previous_max_fee);
		uint64_t old_tip = clamp_u64(&send->request.previous_priority_fee);
		if (fee < old_fee + old_fee / 8 + 1)
			fee = old_fee + old_fee / 8 + 1;
		if (tip < old_tip + old_tip / 8 + 1)
			tip = old_tip + old_tip / 8 + 1;
	}
	if (fee > limit && base + tip <= limit && !send->request.has_previous)
		fee = limit; /* less headroom, still includable now */
	if (fee > limit)
		return too_dear(send, fee, error);
	send->tx.max_fee = u256_from(fee);
	send->tx.max_priority_fee = u256_from(tip < fee ? tip : fee);
	return 0;
}

/* --- money
 * ----------------------------------------------------------------------------------------- */

/* In units of the chain's coin, as wallets show it. */
static char *coins(struct arena *arena, const struct u256 *wei)
{
	enum { DECIMALS = 18 };
	char text[U256_TEXT_SIZE];
	size_t len = strlen(u256_decimal(text, wei));
	char *digits =
	        arena_printf(arena, "%.*s%s", len <= DECIMALS ? (int)(DECIMALS + 1 - len) : 0,
	                     "0000000000000000000", text);

	len = strlen(digits);
	char *fraction = arena_strdup(arena, digits + len - DECIMALS);
	for (size_t end = DECIMALS; end > 1 && fraction[end - 1] == '0'; end--)
		fraction[end - 1] = '\0';
	return arena_printf(arena, "%.*s.%s", (int)(len - DECIMALS), digits, fraction);
}

/* The most that the transaction may cost, saturated. */
static struct u256 cost_of(const struct eth_transaction *tx)
{
	unsigned __int128 cost = (unsigned __int128)tx->gas * clamp_u64(&tx->max_fee);
	struct u256 out = u256_from((uint64_t)cost);

	be64_put(out.b + 16, (uint64_t)(cost >> 64));
	return out;
}

static void sign(struct send *send)
{
	struct signer *signer = send->lane->parts->signer;
	const char *target = send->request.target;
	struct eth_transaction cancelled = send->tx;

	if (is_purpose(send, PURPOSE_SCHEDULE)) {
		signer_sign_schedule(signer, target, &send->tx, signed_one, send);
	} else if (is_purpose(send, PURPOSE_CANCEL)) {
		cancelled.data = send->request.cancelled;
		signer_sign_cancel(signer, target, &cancelled, signed_one, send);
	} else {
		signer_sign_execution(signer, target, &send->tx, signed_one, send);
	}
}

static void balance_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct send *send = arg;
	struct lane *lane = send->lane;
	struct u256 balance, cost = cost_of(&send->tx);
	char from[ADDRESS_TEXT_SIZE];

	send->op = NULL;
	address_text(from, &send->request.from);
	if (error != NULL || jsonrpc_u256(&balance, result, NULL) != 0) {
		finish(send, ERR_UNAVAILABLE, error != NULL ? error->text : "no balance");
		return;
	}
	if (u256_compare(&balance, &cost) < 0) {
		/* Balance and price move: one alarm until it can pay. */
		if (!lane_alarmed(lane, ALARM_EXECUTOR_FUNDS, from))
			lane_alarm(lane, ALARM_EXECUTOR_FUNDS, from,
			           "the %s key of target %s has %s of the coin of chain %s "
			           "and needs up to %s to %s p%lld; send it at least %s",
			           key_name(send), send->request.target,
			           coins(&send->arena, &balance), lane->config->name,
			           coins(&send->arena, &cost), words_of(send->request.purpose).verb,
			           (long long)send->request.proposal.n, coins(&send->arena, &cost));
		hand_on_previous(send);
		finish(send, ERR_UNAVAILABLE,
		       arena_printf(&send->arena, "the %s key cannot pay for it", key_name(send)));
		return;
	}
	lane_alarm_clear(lane, ALARM_EXECUTOR_FUNDS, from);
	sign(send);
}

static void tips_answered(const struct error *error, const uint64_t *tips, size_t count, void *arg)
{
	struct send *send = arg;
	struct error problem;
	uint64_t tip = GWEI; /* for nodes without eth_maxPriorityFeePerGas */

	send->op = NULL;
	if (error == NULL)
		tip = tips[(count - 1) / 2];
	if (choose_fee(send, tip, &problem) != 0) {
		hand_on_previous(send);
		finish(send, problem.code, problem.text);
		return;
	}
	struct jval *params = jval_array();
	jval_push(params, jsonrpc_new_address(&send->request.from));
	send->op = chain_rpc_at(send->lane->chain, &send->lane->head, "eth_getBalance", params,
	                        balance_answered, send);
}

static void header_answered(const struct error *error, const struct chain_header *header, void *arg)
{
	struct send *send = arg;

	send->op = NULL;
	if (error != NULL || !header->has_base_fee) {
		finish(send, ERR_UNAVAILABLE,
		       error != NULL ? error->text : "the block has no baseFeePerGas");
		return;
	}
	send->base_fee = header->base_fee;
	send->op = chain_numbers(send->lane->chain, "eth_maxPriorityFeePerGas", NULL, tips_answered,
	                         send);
}

/* --- gas and nonce
 * ---------------------------------------------------------------------------------- */

/* Of two in the middle the larger: what is not used costs nothing, too little reverts. */
static void gas_answered(const struct error *error, const uint64_t *estimates, size_t count,
                         void *arg)
{
	struct send *send = arg;

	send->op = NULL;
	if (error != NULL) {
		finish(send, ERR_UNAVAILABLE, error->text);
		return;
	}
	uint64_t gas = estimates[count / 2];
	gas = gas < UINT64_MAX / 2 ? gas + gas / 5 : gas;
	if (gas > send->lane->config->max_gas) {
		finish(send, ERR_DENIED, "the gas needed is over max_gas of the chain");
		return;
	}
	send->tx.gas = gas;
	send->op = chain_header(send->lane->chain, &send->lane->head, header_answered, send);
}

static struct jval *call_object(const struct send *send)
{
	struct jval *call = jval_object();

	jval_add(call, "from", jsonrpc_new_address(&send->request.from));
	jval_add(call, "to", jsonrpc_new_address(&send->request.to));
	jval_add(call, "data", jsonrpc_new_hex(send->request.data));
	return call;
}

static void estimate(struct send *send)
{
	struct jval *params = jval_array();

	jval_push(params, call_object(send));
	/* Not `pending`, where what we sent before has already been executed. */
	jval_push(params, jval_new_string("latest"));
	send->op = chain_numbers(send->lane->chain, "eth_estimateGas", params, gas_answered, send);
}

/* --- when the nonce of what was sent before was used
 * ---------------------------------------------------------------------------------------------- */

/* `mined`: the one of ours that has the nonce, NULL when it is somebody else's. */
static void alarm_lost(const struct send *send, const struct sent_tx *mined)
{
	char subject[SUBJECT_SIZE], from[ADDRESS_TEXT_SIZE], hash[HASH32_TEXT_SIZE];

	proposal_subject(subject, send->request.proposal);
	if (mined == NULL)
		lane_alarm_once(send->lane, ALARM_EXECUTION_DISPLACED, subject,
		                "nonce %llu of the %s key %s was used by a transaction that "
		                "is not registrard's; it is sent again with the next one",
		                (unsigned long long)send->request.previous_nonce, key_name(send),
		                address_text(from, &send->request.from));
	else if (mined->proposal.n == send->request.proposal.n)
		lane_alarm_once(send->lane, ALARM_EXECUTION_REVERTED, subject,
		                "transaction %s of the %s key was mined and reverted; it is "
		                "sent again",
		                hash32_text(hash, &mined->tx_hash), key_name(send));
	else
		log_info(subject, "nonce %llu of the %s key was used by what it had sent for p%lld",
		         (unsigned long long)send->request.previous_nonce, key_name(send),
		         (long long)mined->proposal.n);
}

static void tell_lost(struct send *send, const struct sent_tx *mined)
{
	struct store *store = send->lane->parts->store;

	store_begin(store);
	for (size_t i = 0; i < send->lost.count; i++) {
		const struct sent_tx *row = &send->lost.items[i];
		if (row->proposal.n == send->request.proposal.n && row->status == SENT_STORED)
			store_sent_tx_set_status(store, row->id,
			                         row == mined ? SENT_FAILED : SENT_REPLACED);
	}
	alarm_lost(send, mined);
	store_commit(store);
}

/* The way on, once it is known that ours was not what was done. */
static void lost_to(struct send *send, const struct sent_tx *mined)
{
	if (send->refused != NULL) {
		finish(send, ERR_DENIED, send->refused);
		return;
	}
	tell_lost(send, mined);
	estimate(send);
}

static void ask_receipt(struct send *send);

static void receipt_answered(const struct error *error, enum chain_receipt receipt, void *arg)
{
	struct send *send = arg;
	const struct sent_tx *asked = &send->lost.items[send->lost_at];

	send->op = NULL;
	if (error != NULL) {
		finish(send, ERR_UNAVAILABLE, error->text);
		return;
	}
	switch (receipt) {
	case RECEIPT_NONE:
		send->lost_at++; /* not this one */
		ask_receipt(send);
		return;
	case RECEIPT_SUCCESS:
		if (asked->proposal.n == send->request.proposal.n) {
			finish(send, ERR_UNAVAILABLE, "it was mined since the last look");
			return;
		}
		lost_to(send, asked);
		return;
	case RECEIPT_REVERTED:
		lost_to(send, asked);
		return;
	}
}

static void ask_receipt(struct send *send)
{
	if (send->lost_at == send->lost.count) {
		lost_to(send, NULL);
		return;
	}
	send->op = chain_receipt(send->lane->chain, &send->lost.items[send->lost_at].tx_hash,
	                         receipt_answered, send);
}

/* What became of ours? One of them may have been mined and have reverted, or one that was for
 * another proposal was mined after all. */
static void look_for_lost(struct send *send)
{
	store_sent_tx_of_nonce(send->lane->parts->store, &send->arena, send->tx.chain_id,
	                       &send->request.from, send->request.previous_nonce, &send->lost);
	ask_receipt(send);
}

static void nonce_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct send *send = arg;
	uint64_t chain_nonce;

	send->op = NULL;
	if (error != NULL || jsonrpc_u64(&chain_nonce, result, NULL) != 0) {
		finish(send, ERR_UNAVAILABLE, error != NULL ? error->text : "no transaction count");
		return;
	}
	bool lost = send->request.has_previous && send->request.previous_nonce < chain_nonce;
	if (lost)
		send->request.has_previous = false; /* a new attempt with a new nonce */
	send->tx.nonce = store_sent_nonce_free(send->lane->parts->store, send->tx.chain_id,
	                                       &send->request.from, chain_nonce);
	/* What held a nonce before ours may have come to nothing, its proposal executed by somebody
	 * else: then ours waits for ever, and takes that one. */
	if (send->request.has_previous && send->tx.nonce > send->request.previous_nonce)
		send->tx.nonce = send->request.previous_nonce;
	else
		send->request.has_previous = false;
	if (lost)
		look_for_lost(send);
	else
		estimate(send);
}

static void simulated(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct send *send = arg;

	send->op = NULL;
	if (error != NULL) {
		finish(send, ERR_UNAVAILABLE, error->text);
		return;
	}
	if (!result->success) {
		send->refused = arena_printf(&send->arena, "%s reverts: %s", function_name(send),
		                             revert_text(&send->arena, result->returned));
		/* Of what is done already, too: what was sent before may have been mined since the
		 * tracker looked. */
		if (send->request.has_previous)
			look_for_lost(send);
		else
			finish(send, ERR_DENIED, send->refused);
		return;
	}
	struct jval *params = jval_array();
	jval_push(params, jsonrpc_new_address(&send->request.from));
	send->op = chain_rpc_at(send->lane->chain, &send->lane->head, "eth_getTransactionCount",
	                        params, nonce_answered, send);
}

/* --- roles
 * -------------------------------------------------------------------------------------------- */

/* What each key may be beside what it is for: nothing that makes it stronger. A scheduler may
 * cancel, since a timelock's constructor gives its proposers that role, too. */
struct role_rule {
	const struct hash32 *role;
	bool must_have;
	const char *problem; /* when it is not so */
};

static const struct role_rule executor_rules[] = {
        {&timelock_role_proposer, false,
         "the executor key also has the timelock's PROPOSER_ROLE and is refused"},
        {&timelock_role_canceller, false,
         "the executor key also has the timelock's CANCELLER_ROLE and is refused"},
};
static const struct role_rule scheduler_rules[] = {
        {&timelock_role_proposer, true,
         "the scheduler key does not have the timelock's PROPOSER_ROLE"},
        {&timelock_role_executor, false,
         "the scheduler key also has the timelock's EXECUTOR_ROLE and is refused"},
        {&timelock_role_default_admin, false,
         "the scheduler key also has the timelock's DEFAULT_ADMIN_ROLE and is refused"},
        {&timelock_role_admin_v4, false,
         "the scheduler key also has the timelock's TIMELOCK_ADMIN_ROLE and is refused"},
};

/* To take something back needs no more than this, whatever else the key may do. */
static const struct role_rule canceller_rules[] = {
        {&timelock_role_canceller, true,
         "the scheduler key does not have the timelock's CANCELLER_ROLE"},
};

static const struct role_rule *rules_of(const struct send *send, size_t *count)
{
	if (is_purpose(send, PURPOSE_CANCEL)) {
		*count = ARRAY_LEN(canceller_rules);
		return canceller_rules;
	}
	if (is_purpose(send, PURPOSE_SCHEDULE)) {
		*count = ARRAY_LEN(scheduler_rules);
		return scheduler_rules;
	}
	*count = ARRAY_LEN(executor_rules);
	return executor_rules;
}

static const char *timelock_problem(const struct send *send,
                                    const struct chain_read_result *results)
{
	size_t count;
	const struct role_rule *rules = rules_of(send, &count);

	for (size_t i = 0; i < count; i++) {
		enum check_answer has = check_answer_parse(results[i].returned);
		if (has == CHECK_UNKNOWN)
			return "the timelock does not answer hasRole";
		if ((has == CHECK_YES) != rules[i].must_have)
			return rules[i].problem;
	}
	return NULL;
}

/* Anybody may execute the next entry of a Delay module; who may more is refused. */
static const char *module_problem(const struct send *send, const struct chain_read_result *results)
{
	struct address owner;

	switch (check_answer_parse(results[0].returned)) {
	case CHECK_UNKNOWN:
		return "the Delay module does not answer isModuleEnabled";
	case CHECK_YES:
		return "the executor key is also enabled on the Delay module and is refused";
	case CHECK_NO:
		break;
	}
	if (!results[1].success || view_address(&owner, results[1].returned) != 0)
		return "the Delay module does not answer owner";
	if (address_equal(&owner, &send->request.from))
		return "the executor key also owns the Delay module and is refused";
	return NULL;
}

static void roles_answered(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg)
{
	struct send *send = arg;

	(void)count;
	send->op = NULL;
	if (error != NULL) {
		finish(send, ERR_UNAVAILABLE, error->text);
		return;
	}
	const char *problem = send->request.model == MODEL_DELAY ? module_problem(send, results)
	                                                         : timelock_problem(send, results);
	if (problem != NULL) {
		finish(send, ERR_DENIED, problem);
		return;
	}
	send->op = chain_simulate(send->lane->chain, &send->request.from, &send->request.to,
	                          send->request.data, simulated, send);
}

static void ask_roles(const struct send *send, struct reads *reads)
{
	const struct send_request *request = &send->request;
	size_t count;
	const struct role_rule *rules = rules_of(send, &count);

	if (request->model == MODEL_DELAY) {
		reads_add_module_enabled(reads, &request->to, &request->from);
		reads_add_view(reads, &request->to, VIEW_OWNER);
		return;
	}
	for (size_t i = 0; i < count; i++)
		reads_add_has_role(reads, &request->to, rules[i].role, &request->from);
}

struct send *send_start(struct lane *lane, const struct send_request *request, send_done_fn *done,
                        void *arg)
{
	struct send *send = xcalloc(1, sizeof(*send));
	struct reads reads = {.arena = &send->arena};

	send->lane = lane;
	send->request = *request;
	send->request.target = arena_strdup(&send->arena, request->target);
	send->request.data = arena_copy(&send->arena, request->data);
	send->request.cancelled = arena_copy(&send->arena, request->cancelled);
	send->request.previous_raw = arena_copy(&send->arena, request->previous_raw);
	send->done = done;
	send->arg = arg;
	send->tx = (struct eth_transaction){
	        .chain_id = lane->config->chain_id, .to = request->to, .data = send->request.data};
	ask_roles(send, &reads);
	send->op = chain_read_many(lane->chain, &lane->head, reads.items, reads.count,
	                           roles_answered, send);
	return send;
}
