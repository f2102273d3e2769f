#include "daemon/govern/executions.h"

#include "common/governance/events.h"
#include "daemon/govern/adopt.h"
#include "daemon/govern/call_log.h"
#include "daemon/govern/change.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOGS_AT_ONCE = 4096,
	/* Which transaction it was is asked so often; then the changes are told without. */
	TRIES = 4,
	FIRST_RETRY_MS = 250,
	/* A Safe's nonce is looked for so far below the one that it has now. */
	NONCES = 1000,
	EXECS = 16, /* so many calls of execTransaction in one transaction are looked at */
};

/* A transaction that changed a registry, as far as the logs tell. */
struct execution {
	const struct seen_log *log; /* of the first change in it that nobody here made */
	const struct governed_way *way;
	struct seen_log_list all;   /* every followed log of it */
	struct hash32 safe_tx_hash; /* model `safe` */
};

struct executions {
	struct lane *lane;
	struct loop_timer *timer;
	struct chain_op *op;
	struct arena arena; /* of the transaction at hand */
	struct execution at_hand;
	uint64_t nonce, threshold; /* of its Safe, after it */
	struct hash32 asked;
	unsigned failures; /* of asking about it */
	bool waiting;      /* for the timer */
	/* What left no trace in the store: looked at once, until the changes are told. */
	struct hash32 *looked;
	size_t looked_count;
};

static void time_is_up(void *arg)
{
	struct executions *executions = arg;

	executions->waiting = false;
	executions_run(executions);
}

struct executions *executions_new(struct lane *lane)
{
	struct executions *executions = xcalloc(1, sizeof(*executions));

	executions->lane = lane;
	executions->timer = loop_timer_new(lane->parts->loop, time_is_up, executions);
	return executions;
}

void executions_free(struct executions *executions)
{
	if (executions == NULL)
		return;
	chain_cancel(executions->op);
	loop_timer_free(executions->timer);
	arena_free(&executions->arena);
	free(executions->looked);
	free(executions);
}

bool executions_is_looking(const struct executions *executions)
{
	return executions->op != NULL || executions->waiting;
}

/* --- what is known already ----------------------------------------------------------------------
 */

static bool was_looked_at(const struct executions *executions, const struct hash32 *tx)
{
	for (size_t i = 0; i < executions->looked_count; i++)
		if (hash32_equal(&executions->looked[i], tx))
			return true;
	return false;
}

static void remember(struct executions *executions, const struct hash32 *tx)
{
	executions->looked = xrealloc(executions->looked,
	                              (executions->looked_count + 1) * sizeof(*executions->looked));
	executions->looked[executions->looked_count++] = *tx;
}

/* Nothing of what was looked at is in the logs any more that nobody was told about. */
static void forget_told(struct executions *executions, const struct seen_log_list *untold)
{
	size_t kept = 0;

	for (size_t i = 0; i < executions->looked_count; i++)
		for (size_t k = 0; k < untold->count; k++)
			if (hash32_equal(&executions->looked[i], &untold->items[k].tx_hash)) {
				executions->looked[kept++] = executions->looked[i];
				break;
			}
	executions->looked_count = kept;
}

/* Whether the change is the proposal's: made since its drafting, and not undone before that. */
static bool explains(struct store *store, struct arena *arena, const struct proposal *proposal,
                     const struct seen_log *log, const struct contract_call *call)
{
	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *own = &proposal->calls[i];
		enum action opposite = own->action == ACTION_ADD ? ACTION_REMOVE : ACTION_ADD;
		struct seen_log_list undone;
		if (!address_equal(&own->to, &call->to) || !bytes_equal(own->data, call->data))
			continue;
		undone = store_log_find(store, arena, proposal->chain_id, &own->to,
		                        event_registry_topic0(own->kind, opposite), &own->value);
		for (size_t k = 0; k < undone.count; k++)
			if (undone.items[k].block_number > proposal->drafted_after &&
			    seen_log_is_later(log, &undone.items[k]))
				return false;
	}
	return log->block_number > proposal->drafted_after;
}

static bool is_in(const struct seen_log_list *logs, const struct call *call)
{
	for (size_t i = 0; i < logs->count; i++)
		if (address_equal(&logs->items[i].address, &call->to) &&
		    hash32_equal(&logs->items[i].key, &call->value) &&
		    hash32_equal(&logs->items[i].topic0,
		                 event_registry_topic0(call->kind, call->action)))
			return true;
	return false;
}

/* People send what stands in the draft's files: an owner call by call, a Safe all at once. */
static bool is_carried_out(const struct proposal *draft, const struct seen_log_list *transaction)
{
	for (size_t i = 0; draft->model != MODEL_DIRECT && i < draft->call_count; i++)
		if (!is_in(transaction, &draft->calls[i]))
			return false;
	return true;
}

static bool is_explained_by(struct lane *lane, struct arena *arena, struct proposal_id id,
                            const struct execution *execution, const struct contract_call *call)
{
	struct store *store = lane->parts->store;
	struct proposal proposal;

	if (store_proposal_get(store, arena, id, &proposal) != 0)
		return false;
	switch (proposal.state) {
	case STATE_DRAFTED:
		return is_carried_out(&proposal, &execution->all);
	case STATE_MULTISIG:
	case STATE_TIMELOCK:
	case STATE_EXECUTE:
		return true; /* it finds that others were faster */
	case STATE_EXECUTED:
	case STATE_CONFIRMED:
	case STATE_FAILED:
		return explains(store, arena, &proposal, execution->log, call);
	case STATE_REJECTED:
	case STATE_CANCELLED:
	case STATE_EXPIRED:
		return false;
	}
	die("no such state: %d", (int)proposal.state);
}

static bool is_explained(struct lane *lane, struct arena *arena, const struct execution *execution,
                         const struct contract_call *call)
{
	struct proposal_id *ids;
	size_t count = store_call_proposals(lane->parts->store, arena, lane->config->chain_id,
	                                    &call->to, call->data, &ids);

	for (size_t i = 0; i < count; i++)
		if (is_explained_by(lane, arena, ids[i], execution, call))
			return true;
	return false;
}

/* --- finding one --------------------------------------------------------------------------------
 */

static const struct governed_way *way_of(struct lane *lane, struct arena *arena,
                                         const struct address *registry)
{
	struct governed_way *ways;
	size_t count = ways_list(&ways, arena, lane);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < ways[i].way.registry_count; k++) {
			const struct adopt_registry *one = &ways[i].way.registries[k];
			if (address_equal(&one->kms, registry) ||
			    (one->has_app && address_equal(&one->app, registry)))
				return &ways[i];
		}
	return NULL;
}

/* A transaction of the Safe that succeeded in it and is none that we know. */
static bool find_safe_tx(struct hash32 *out, struct lane *lane, struct arena *arena,
                         const struct execution *execution)
{
	const struct address *safe = &execution->way->way.safe;

	for (size_t i = 0; i < execution->all.count; i++) {
		const struct seen_log *log = &execution->all.items[i];
		struct safe_tx_row known;
		if (!address_equal(&log->address, safe) ||
		    !hash32_equal(&log->topic0, event_topic0(EVENT_SAFE_SUCCESS)) ||
		    store_safe_tx_find(lane->parts->store, arena, lane->config->chain_id, safe,
		                       &log->key, &known) == 0)
			continue;
		*out = log->key;
		return true;
	}
	return false;
}

static bool is_at_once(enum model model)
{
	return model == MODEL_SAFE || model == MODEL_DIRECT;
}

static bool any_at_once(const struct lane *lane)
{
	const struct config *config = lane->parts->config;

	for (size_t i = 0; i < config->target_count; i++)
		if (config->targets[i].chain == lane->config &&
		    is_at_once(config->targets[i].model))
			return true;
	return false;
}

/* Whether the log is of such a change, and of a transaction that is to be looked at. */
static bool read_execution(struct execution *out, const struct executions *executions,
                           struct arena *arena, const struct seen_log *log)
{
	struct lane *lane = executions->lane;
	struct change change;

	*out = (struct execution){.log = log};
	if (was_looked_at(executions, &log->tx_hash))
		return false;
	out->all = store_log_of_tx(lane->parts->store, arena, lane->config->chain_id, log);
	if (!change_read(&change, lane, arena, log, &out->all) || !change.is_call)
		return false;
	out->way = way_of(lane, arena, &log->address);
	return out->way != NULL && is_at_once(out->way->way.model) &&
	       !is_explained(lane, arena, out, &change.call) &&
	       (out->way->way.model != MODEL_SAFE ||
	        find_safe_tx(&out->safe_tx_hash, lane, arena, out));
}

/* --- what becomes of it -------------------------------------------------------------------------
 */

/* What was asked and answered about one. */
struct answer {
	struct executions *executions;
	const struct execution *execution;
	const struct chain_transaction *transaction;
	struct proposal_tx tx; /* model `safe`, with its hash */
	struct bytes signatures;
	bool has_tx;
};

static struct arena *arena_of(const struct answer *answer)
{
	return &answer->executions->arena;
}

/* "signed by 0x.., 0x.." as the Safe took it: it looks at as many signatures as it needs. */
static const char *signers(const struct answer *answer)
{
	const struct bytes all = answer->signatures;
	struct buf text = {0};
	char name[ADDRESS_TEXT_SIZE];

	for (size_t i = 0;
	     i < answer->executions->threshold && (i + 1) * SAFE_SIGNATURE_SIZE <= all.len; i++) {
		struct address owner;
		bool needs_chain;
		if (safe_signature_owner(&owner, &needs_chain, &answer->tx.safe_tx_hash,
		                         all.data + i * SAFE_SIGNATURE_SIZE, NULL) == 0)
			buf_printf(&text, "%s%s", text.len > 0 ? ", " : " signed by ",
			           address_text(name, &owner));
	}
	const char *copy = arena_strdup(arena_of(answer), buf_text(&text));
	buf_free(&text);
	return copy;
}

static const char *where_of(const struct answer *answer)
{
	char tx[HASH32_TEXT_SIZE], from[ADDRESS_TEXT_SIZE], hash[HASH32_TEXT_SIZE];
	struct arena *arena = arena_of(answer);
	const char *what = "";

	if (answer->has_tx)
		what = arena_printf(arena, "Safe transaction %s with nonce %llu%s, executed in ",
		                    hash32_text(hash, &answer->tx.safe_tx_hash),
		                    (unsigned long long)answer->tx.tx.nonce, signers(answer));
	return arena_printf(arena, "%stransaction %s, sent by %s", what,
	                    hash32_text(tx, &answer->execution->log->tx_hash),
	                    address_text(from, &answer->transaction->from));
}

static void tell_foreign(const struct answer *answer, const char *what, const char *text)
{
	const struct execution *execution = answer->execution;
	bool by_safe = execution->way->way.model == MODEL_SAFE;

	adopt_tell(answer->executions->lane, execution->way->targets[0]->name,
	           by_safe ? &execution->way->way.safe : &execution->log->address,
	           by_safe ? &execution->safe_tx_hash : &execution->log->tx_hash,
	           arena_printf(arena_of(answer), "%s, %s: %s", where_of(answer), what, text));
}

/* What the contracts tell of the transaction, where it does not say itself. */
static const char *told_by_contracts(const struct answer *answer)
{
	struct arena *arena = arena_of(answer);
	struct buf text = {0};

	for (size_t i = 0; i < answer->execution->all.count; i++) {
		struct change change;
		if (change_read(&change, answer->executions->lane, arena,
		                &answer->execution->all.items[i], &answer->execution->all) &&
		    change.is_call)
			buf_printf(&text, "%s%s", text.len > 0 ? "; " : "", change.text);
	}
	const char *copy = arena_strdup(arena, buf_text(&text));
	buf_free(&text);
	return copy;
}

static void take(const struct answer *answer, const struct governed_way *way,
                 const struct adopted *found)
{
	struct lane *lane = answer->executions->lane;
	const struct adopt_offer offer = {.way = way,
	                                  .found = found,
	                                  .tx = answer->has_tx ? &answer->tx : NULL,
	                                  .where = where_of(answer),
	                                  .drafted_after =
	                                          adopt_drafted_after(lane, answer->execution->log),
	                                  .run = answer->execution->log};

	adopt_take(lane, arena_of(answer), &offer);
}

/* --- model safe ---------------------------------------------------------------------------------
 */

static const uint8_t exec_selector[] = {0x6a, 0x76, 0x12, 0x02};

/* Its hash is what the Safe itself told: nobody has to be believed about the calls. */
static bool has_hash(struct answer *answer, struct bytes calldata)
{
	const struct lane *lane = answer->executions->lane;
	struct safe_tx *tx = &answer->tx.tx;
	uint64_t nonce = answer->executions->nonce;

	if (safe_exec_decode(tx, &answer->signatures, calldata, NULL) != 0)
		return false;
	tx->chain_id = lane->config->chain_id;
	tx->safe = answer->execution->way->way.safe;
	for (uint64_t tries = 0; nonce-- > 0 && tries < NONCES; tries++) {
		tx->nonce = nonce;
		answer->tx.safe_tx_hash = safe_tx_hash(tx);
		if (hash32_equal(&answer->tx.safe_tx_hash, &answer->execution->safe_tx_hash))
			return true;
	}
	return false;
}

/* The calldata that begins there: all of it, or as much as the word before it says. */
static struct bytes calldata_at(struct bytes input, size_t at)
{
	const size_t word = 32;

	if (at == 0)
		return input;
	if (at < word)
		return (struct bytes){0};
	uint64_t len = be64_get(input.data + at - 8);
	if (len > input.len - at)
		return (struct bytes){0};
	return bytes_of(input.data + at, (size_t)len);
}

/* As people send it, or inside of what a contract was asked to send. */
static bool find_safe_exec(struct answer *answer)
{
	const struct bytes input = answer->transaction->input;
	size_t found = 0;

	for (size_t at = 0; at + sizeof(exec_selector) <= input.len && found < EXECS; at++) {
		if (memcmp(input.data + at, exec_selector, sizeof(exec_selector)) != 0)
			continue;
		found++;
		if (has_hash(answer, calldata_at(input, at)))
			return true;
	}
	return false;
}

static void judge_safe_tx(struct answer *answer)
{
	struct lane *lane = answer->executions->lane;
	struct adopted found;

	answer->has_tx = find_safe_exec(answer);
	if (!answer->has_tx) {
		tell_foreign(answer, "is a Safe transaction whose calls cannot be read from it",
		             told_by_contracts(answer));
		return;
	}
	const struct governed_way *way =
	        ways_read_safe_tx(&found, arena_of(answer), lane, &answer->tx.tx);
	if (way != NULL && found.verdict == ADOPT_OURS && found.parts == 1 &&
	    found.purpose == PURPOSE_APPLY)
		take(answer, way, &found);
	else
		tell_foreign(answer, "is more than registry calls and none of ours", found.text);
}

/* --- model direct -------------------------------------------------------------------------------
 */

static void judge_account(struct answer *answer)
{
	const struct governed_way *way = answer->execution->way;
	const struct contract_call call = {.to = answer->transaction->to,
	                                   .data = answer->transaction->input};
	struct adopted found;

	adopt_transaction(&found, arena_of(answer), &way->way, &call);
	if (found.verdict == ADOPT_OURS)
		take(answer, way, &found);
	else
		tell_foreign(answer, "is no registry call itself",
		             arena_printf(arena_of(answer), "%s: %s", found.text,
		                          told_by_contracts(answer)));
}

/* --- asking -------------------------------------------------------------------------------------
 */

static void done_with(struct executions *executions)
{
	struct lane *lane = executions->lane;

	remember(executions, &executions->asked);
	executions->asked = (struct hash32){{0}};
	executions_run(executions);
	if (executions_is_looking(executions))
		return;
	lane_look_at_final(lane);
	lane_wake(lane);
}

static void not_answered(struct executions *executions)
{
	if (++executions->failures >= TRIES) {
		done_with(executions);
		return;
	}
	executions->waiting = true;
	loop_timer_set(executions->timer, (int64_t)FIRST_RETRY_MS << executions->failures);
}

static void transaction_answered(const struct error *error,
                                 const struct chain_transaction *transaction, void *arg)
{
	struct executions *executions = arg;
	const struct execution *execution = &executions->at_hand;
	struct answer answer = {
	        .executions = executions, .execution = execution, .transaction = transaction};

	executions->op = NULL;
	/* In another block: a reorganisation that the logs do not show yet. */
	if (error != NULL || !hash32_equal(&transaction->block_hash, &execution->log->block_hash)) {
		not_answered(executions);
		return;
	}
	if (execution->way->way.model == MODEL_SAFE)
		judge_safe_tx(&answer);
	else
		judge_account(&answer);
	done_with(executions);
}

static void ask_transaction(struct executions *executions)
{
	executions->op =
	        chain_transaction(executions->lane->chain, &executions->at_hand.log->tx_hash,
	                          transaction_answered, executions);
}

static void safe_answered(const struct error *error, const struct chain_read_result *results,
                          size_t count, void *arg)
{
	struct executions *executions = arg;

	(void)count;
	executions->op = NULL;
	if (error != NULL || reads_u64(&executions->nonce, &results[0]) != 0 ||
	    reads_u64(&executions->threshold, &results[1]) != 0)
		not_answered(executions);
	else
		ask_transaction(executions);
}

static void ask(struct executions *executions)
{
	struct lane *lane = executions->lane;
	const struct execution *execution = &executions->at_hand;
	struct reads reads = {.arena = &executions->arena};

	if (!hash32_equal(&executions->asked, &execution->log->tx_hash))
		executions->failures = 0;
	executions->asked = execution->log->tx_hash;
	if (execution->way->way.model != MODEL_SAFE) {
		ask_transaction(executions);
		return;
	}
	reads_add_view(&reads, &execution->way->way.safe, VIEW_SAFE_NONCE);
	reads_add_view(&reads, &execution->way->way.safe, VIEW_SAFE_THRESHOLD);
	executions->op = chain_read_many(lane->chain, &lane->head, reads.items, reads.count,
	                                 safe_answered, executions);
}

void executions_run(struct executions *executions)
{
	struct lane *lane = executions->lane;
	struct seen_log_list logs;

	if (executions_is_looking(executions) || lane->stopped || !lane->have_head ||
	    !any_at_once(lane))
		return;
	arena_free(&executions->arena);
	logs = store_log_untold(lane->parts->store, &executions->arena, lane->config->chain_id,
	                        lane->head.number, LOGS_AT_ONCE);
	forget_told(executions, &logs);
	for (size_t i = 0; i < logs.count; i++)
		if (read_execution(&executions->at_hand, executions, &executions->arena,
		                   &logs.items[i])) {
			ask(executions);
			return;
		}
}
