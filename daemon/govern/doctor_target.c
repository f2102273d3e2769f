/* One target: the code at its addresses, one multicall over its contracts, the Safe's guard, the
 * executor's money, and then its keys and its service. */
#include "daemon/govern/doctor.h"

#include "common/eth/jsonrpc.h"

#include <string.h>

/* --- the keys' money --------------------------------------------------------------------------
 */

/* The keys that pay for transactions, in this order. */
struct payer {
	bool there;
	const struct address *address;
	const char *check, *fix;
};
enum { PAYERS = 2 };

static struct payer payer_of(const struct target_exam *target, size_t index)
{
	const struct payer payers[PAYERS] = {
	        {target->has_executor, &target->executor, "executor key's gas money",
	         "Send the executor's address the chain's coin: it pays for the execution."},
	        {target->has_scheduler, &target->scheduler, "scheduler key's gas money",
	         "Send the scheduler's address the chain's coin: it pays for the schedule."},
	};
	return payers[index];
}

static void ask_balance(struct target_exam *target);

static void balance_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct target_exam *target = arg;
	struct exam *exam = &target->exam;
	struct payer payer = payer_of(target, target->next_payer++);
	struct u256 wei;
	char text[ADDRESS_TEXT_SIZE], amount[U256_TEXT_SIZE];

	exam->op = NULL;
	address_text(text, payer.address);
	if (error != NULL || jsonrpc_u256(&wei, result, NULL) != 0)
		exam_row(exam, (struct row){payer.check, FINDING_UNKNOWN, "Ask again."}, "%s",
		         error != NULL ? error->text : "eth_getBalance gave no number");
	else if (u256_is_zero(&wei))
		exam_row(exam, (struct row){payer.check, FINDING_FAILURE, payer.fix},
		         "%s holds nothing", text);
	else
		exam_row(exam, (struct row){payer.check, FINDING_OK, ""}, "%s holds %s wei", text,
		         u256_decimal(amount, &wei));
	ask_balance(target);
}

static void ask_balance(struct target_exam *target)
{
	struct exam *exam = &target->exam;

	while (target->next_payer < PAYERS && !payer_of(target, target->next_payer).there)
		target->next_payer++;
	if (target->next_payer == PAYERS) {
		keys_start(target);
		return;
	}
	struct payer payer = payer_of(target, target->next_payer);
	struct jval *params = jval_array();
	jval_push(params, jsonrpc_new_address(payer.address));
	exam->asking = payer.check;
	exam->op = chain_rpc_at(exam->lane->chain, &target->chain->head, "eth_getBalance", params,
	                        balance_answered, target);
}

/* --- the Safe's guard -------------------------------------------------------------------------
 */

static void guard_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct target_exam *target = arg;
	struct exam *exam = &target->exam;
	struct hash32 word;
	struct address guard;
	char text[ADDRESS_TEXT_SIZE];

	exam->op = NULL;
	if (error != NULL || jsonrpc_hash32(&word, result, NULL) != 0) {
		exam_row(exam, (struct row){"Safe's guard", FINDING_UNKNOWN, "Ask again."}, "%s",
		         error != NULL ? error->text : "eth_getStorageAt gave no word");
	} else if (hash32_is_zero(&word)) {
		exam_row(exam, (struct row){"Safe's guard", FINDING_OK, ""}, "none");
	} else {
		memcpy(guard.b, word.b + sizeof(word.b) - sizeof(guard.b), sizeof(guard.b));
		exam_row(exam,
		         (struct row){"Safe's guard", FINDING_WARNING,
		                      "Find out what the guard allows: it may stop or delay what "
		                      "the owners "
		                      "have signed."},
		         "%s: unknown rules", address_text(text, &guard));
	}
	ask_balance(target);
}

static void ask_guard(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	char slot[HASH32_TEXT_SIZE];

	if (!target->target->has_safe) {
		ask_balance(target);
		return;
	}
	struct jval *params = jval_array();
	jval_push(params, jsonrpc_new_address(&target->target->safe));
	jval_push(params, jval_new_string(hash32_text(slot, &safe_guard_slot)));
	exam->asking = "Safe's guard";
	exam->op = chain_rpc_at(exam->lane->chain, &target->chain->head, "eth_getStorageAt", params,
	                        guard_answered, target);
}

/* --- the contracts ----------------------------------------------------------------------------
 */

static void contracts_answered(const struct error *error, const struct chain_read_result *results,
                               size_t count, void *arg)
{
	struct target_exam *target = arg;

	(void)count;
	target->exam.op = NULL;
	if (error != NULL)
		exam_row(&target->exam,
		         (struct row){
		                 "contracts", FINDING_UNKNOWN,
		                 "Ask again; when it stays so, look at the chain's RPC endpoints."},
		         "%s", error->text);
	else
		contracts_judge(target, results);
	multisend_exam(target, ask_guard);
}

static void ask_contracts(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	struct reads reads = {.arena = &exam->arena};

	contracts_ask(target, &reads);
	exam->asking = "contracts";
	exam->op = chain_read_many(exam->lane->chain, &target->chain->head, reads.items,
	                           reads.count, contracts_answered, target);
}

/* --- code -------------------------------------------------------------------------------------
 */

struct place {
	const char *option, *check;
	const struct address *address;
	bool there;
};
enum { PLACES = 5 };

static struct place place_of(const struct config_target *target, size_t index)
{
	bool delay = target->model == MODEL_DELAY;
	const struct place places[PLACES] = {
	        {"kms", "kms has code", &target->kms, true},
	        {"app", "app has code", &target->app, target->has_app},
	        {"safe", "Safe has code", delay ? &target->avatar : &target->safe,
	         target->has_safe},
	        {"delay.enqueuer", "enqueuer has code", &target->safe,
	         delay && target->service.kind != SERVICE_NONE},
	        {delay ? "delay.address" : "timelock",
	         delay ? "Delay module has code" : "timelock has code", &target->timelock,
	         target->has_timelock},
	};
	return places[index];
}

static void ask_code(struct target_exam *target);

static void code_answered(const struct error *error, const struct jval *result, void *arg)
{
	struct target_exam *target = arg;
	struct exam *exam = &target->exam;
	struct place place = place_of(target->target, target->next_code++);
	const char *code = error == NULL ? jval_string(result) : NULL;
	char text[ADDRESS_TEXT_SIZE];

	exam->op = NULL;
	address_text(text, place.address);
	if (code == NULL)
		exam_row(exam, (struct row){place.check, FINDING_UNKNOWN, "Ask again."}, "%s",
		         error != NULL ? error->text : "eth_getCode gave no text");
	else if (strcmp(code, "0x") == 0)
		exam_row(exam,
		         (struct row){place.check, FINDING_FAILURE,
		                      arena_printf(&exam->arena,
		                                   "Set `%s` of the target to the contract's "
		                                   "address on chain %s.",
		                                   place.option, target->target->chain->name)},
		         "no contract at %s", text);
	else
		exam_row(exam, (struct row){place.check, FINDING_OK, ""}, "%s", text);
	ask_code(target);
}

static void ask_code(struct target_exam *target)
{
	struct exam *exam = &target->exam;

	while (target->next_code < PLACES && !place_of(target->target, target->next_code).there)
		target->next_code++;
	if (target->next_code == PLACES) {
		ask_contracts(target);
		return;
	}
	struct place place = place_of(target->target, target->next_code);
	struct jval *params = jval_array();
	jval_push(params, jsonrpc_new_address(place.address));
	exam->asking = place.check;
	exam->op = chain_rpc_at(exam->lane->chain, &target->chain->head, "eth_getCode", params,
	                        code_answered, target);
}

void target_exam_start(struct target_exam *target)
{
	struct exam *exam = &target->exam;

	exam->started = true;
	if (target->chain->have_head) {
		ask_code(target);
		return;
	}
	exam_row(exam,
	         (struct row){"contracts", FINDING_UNKNOWN,
	                      "Repair the chain first: its rows say what is wrong."},
	         "chain %s tells no head", target->target->chain->name);
	keys_start(target);
}

void target_exam_free(struct target_exam *target)
{
	/* Calls end before what they are made of. */
	service_cancel(target->exam.call);
	target->exam.call = NULL;
	service_free(target->service);
}
