#include "daemon/govern/observe.h"

#include "common/governance/events.h"
#include "common/governance/timelock.h"
#include "daemon/govern/call_log.h"
#include "daemon/govern/observe_delay.h"
#include "daemon/govern/send.h"
#include "daemon/govern/displaced.h"

/* --- logs ----------------------------------------------------------------------------------- */

/* The last log of this event about key that is not older than the proposal itself: an operation
 * id is not unique over time, and an earlier life of it must not end this one. */
static bool last_log(const struct observe_context *context, const struct proposal *proposal,
                     const struct address *address, const struct hash32 *topic0,
                     const struct hash32 *key, struct seen_log *out)
{
	struct seen_log_list logs;

	logs = store_log_find(context->store, context->arena, proposal->chain_id, address, topic0,
	                      key);
	if (logs.count == 0)
		return false;
	*out = logs.items[logs.count - 1];
	return out->block_number > proposal->drafted_after;
}

static void observe_operation_logs(struct observed *observed, const struct observe_context *context)
{
	const struct proposal *proposal = observed->proposal;
	struct seen_log scheduled, executed, cancelled;

	observed->has_scheduled_tx =
	        last_log(context, proposal, &proposal->timelock, event_topic0(EVENT_CALL_SCHEDULED),
	                 &proposal->operation_id, &scheduled);
	if (observed->has_scheduled_tx)
		observed->scheduled_tx = scheduled.tx_hash;
	observed->has_executed_tx =
	        last_log(context, proposal, &proposal->timelock, event_topic0(EVENT_CALL_EXECUTED),
	                 &proposal->operation_id, &executed);
	if (observed->has_executed_tx)
		observed->executed_tx = executed.tx_hash;
	/* Without a schedule of this life before it, the cancellation ended an earlier one. */
	if (observed->seen.operation == OPERATION_UNSET && observed->has_scheduled_tx &&
	    last_log(context, proposal, &proposal->timelock, event_topic0(EVENT_CANCELLED),
	             &proposal->operation_id, &cancelled) &&
	    seen_log_is_later(&cancelled, &scheduled)) {
		observed->seen.cancelled_latest = true;
		observed->seen.cancelled_final = cancelled.block_number <= context->final.number;
		observed->has_ended_tx = true;
		observed->ended_tx = cancelled.tx_hash;
	}
}

/* --- Safe transactions ------------------------------------------------------------------------ */

static void set_status(struct observed *observed, const struct observe_context *context,
                       struct safe_tx_row *row, enum safe_tx_status status,
                       const struct seen_log *log)
{
	uint64_t block = log != NULL ? log->block_number : 0;

	/* A reorganisation may have moved what made the status into another block. */
	if (row->status == status && (log == NULL || row->tx_block == block))
		return;
	observed->txs_changed = true;
	row->status = status;
	row->has_tx = log != NULL;
	if (log != NULL)
		row->tx = log->tx_hash;
	row->tx_block = block;
	store_safe_tx_set_status(context->store, row->id, status, log != NULL ? &row->tx : NULL,
	                         block);
}

/* A later attempt holds its nonce. */
static bool is_superseded(const struct observed *observed, const struct safe_tx_row *row)
{
	for (size_t i = 0; i < observed->txs.count; i++) {
		const struct safe_tx_row *other = &observed->txs.items[i];
		if (other->purpose == row->purpose && other->attempt > row->attempt &&
		    other->has_nonce && other->nonce == row->nonce &&
		    other->status <= SAFE_TX_QUEUED)
			return true;
	}
	return false;
}

static bool brings_forward(const struct safe_tx_row *row)
{
	return row->purpose == PURPOSE_SCHEDULE || row->purpose == PURPOSE_APPLY;
}

/* In the queue for nothing, whatever becomes of its nonce: executed another way, too late to be
 * cancelled, or another attempt of the same came first. */
static bool is_pointless(const struct observed *observed, const struct safe_tx_row *row)
{
	if (row->purpose == PURPOSE_EXECUTE || row->purpose == PURPOSE_CANCEL)
		return observed->seen.operation == OPERATION_DONE;
	for (size_t i = 0; brings_forward(row) && i < observed->txs.count; i++)
		if (brings_forward(&observed->txs.items[i]) &&
		    observed->txs.items[i].status == SAFE_TX_EXECUTED)
			return true;
	return false;
}

/* In the queue, while the timelock has the operation already: a module, or another proposer,
 * scheduled it. Only where that is final, since what is given up does not come back. */
static bool is_overtaken(const struct observed *observed, const struct safe_tx_row *row)
{
	enum operation_seen operation = observed->seen.operation;

	return (operation == OPERATION_PENDING || operation == OPERATION_DONE) &&
	       row->purpose == PURPOSE_SCHEDULE && row->has_nonce &&
	       (row->status == SAFE_TX_POSTING || row->status == SAFE_TX_QUEUED);
}

static void drop_overtaken(struct observed *observed, const struct observe_context *context)
{
	for (size_t i = 0; i < observed->txs.count; i++)
		if (is_overtaken(observed, &observed->txs.items[i]))
			set_status(observed, context, &observed->txs.items[i], SAFE_TX_WITHDRAWN,
			           NULL);
}

/* A row whose hash we know: the Safe's own events decide. */
static void sync_hashed(struct observed *observed, const struct observe_context *context,
                        struct safe_tx_row *row)
{
	const struct proposal *proposal = observed->proposal;
	struct seen_log log;

	if (last_log(context, proposal, &row->safe, event_topic0(EVENT_SAFE_SUCCESS),
	             &row->safe_tx_hash, &log)) {
		/* The Safe executes nothing that too few have signed, whatever the service had told
		 * by then. */
		if (row->confirmations < row->threshold)
			store_safe_tx_set_confirmations(context->store, row->id, row->threshold,
			                                row->threshold);
		set_status(observed, context, row, SAFE_TX_EXECUTED, &log);
	} else if (last_log(context, proposal, &row->safe, event_topic0(EVENT_SAFE_FAILURE),
	                    &row->safe_tx_hash, &log))
		set_status(observed, context, row, SAFE_TX_FAILED, &log);
	else if (row->status == SAFE_TX_EXECUTED || row->status == SAFE_TX_FAILED)
		/* A reorganisation took it back. */
		set_status(observed, context, row,
		           is_superseded(observed, row) ? SAFE_TX_WITHDRAWN : SAFE_TX_QUEUED, NULL);
	else if ((row->status == SAFE_TX_POSTING || row->status == SAFE_TX_QUEUED) &&
	         is_pointless(observed, row))
		set_status(observed, context, row, SAFE_TX_WITHDRAWN, NULL);
}

/* A cancellation that people imported from a file. */
static void sync_unhashed_cancel(struct observed *observed, const struct observe_context *context,
                                 struct safe_tx_row *row)
{
	struct seen_log log = {.tx_hash = observed->ended_tx};
	bool cancelled = observed->seen.cancelled_latest;

	if (observed->seen.operation == OPERATION_UNKNOWN)
		return;
	if (row->status == SAFE_TX_DRAFTED && observed->seen.operation == OPERATION_DONE)
		set_status(observed, context, row, SAFE_TX_WITHDRAWN, NULL); /* too late */
	else if (row->status == SAFE_TX_DRAFTED && cancelled)
		set_status(observed, context, row, SAFE_TX_EXECUTED, &log);
	else if (row->status == SAFE_TX_EXECUTED && !cancelled)
		set_status(observed, context, row, SAFE_TX_DRAFTED, NULL);
}

/* A batch without an operation that people imported from a file: the registries' events tell that
 * its calls were made. */
static void sync_unhashed_apply(struct observed *observed, const struct observe_context *context,
                                struct safe_tx_row *row)
{
	const struct run_seen *run = &observed->run;

	if (run->all && row->status == SAFE_TX_DRAFTED)
		set_status(observed, context, row, SAFE_TX_EXECUTED, &run->last);
	else if (!run->all && row->status == SAFE_TX_EXECUTED)
		set_status(observed, context, row, SAFE_TX_DRAFTED, NULL);
}

/* A row that people imported from a file: only the operation tells what became of it. */
static void sync_unhashed(struct observed *observed, const struct observe_context *context,
                          struct safe_tx_row *row)
{
	bool schedules = row->purpose == PURPOSE_SCHEDULE;
	enum operation_seen operation = observed->seen.operation;
	struct seen_log log = {.tx_hash =
	                               schedules ? observed->scheduled_tx : observed->executed_tx};
	bool known = schedules ? observed->has_scheduled_tx : observed->has_executed_tx;

	if (row->purpose == PURPOSE_APPLY)
		sync_unhashed_apply(observed, context, row);
	if (row->purpose == PURPOSE_CANCEL)
		sync_unhashed_cancel(observed, context, row);
	if (operation == OPERATION_UNKNOWN || (!schedules && row->purpose != PURPOSE_EXECUTE))
		return;
	bool done = schedules ? operation != OPERATION_UNSET : operation == OPERATION_DONE;
	if (done && row->status == SAFE_TX_DRAFTED)
		set_status(observed, context, row, SAFE_TX_EXECUTED, known ? &log : NULL);
	else if (!done && row->status == SAFE_TX_EXECUTED && !observed->seen.cancelled_latest)
		set_status(observed, context, row, SAFE_TX_DRAFTED, NULL);
}

static bool nonce_passed(const struct safe_tx_row *row, uint64_t chain_nonce)
{
	/* One that is being posted is the proposer's: it gives the nonce up when the service never
	 * had it. */
	return row->has_nonce && row->status == SAFE_TX_QUEUED && row->nonce < chain_nonce;
}

/* How many owners must sign is the Safe's word; the service is asked for the signatures alone. So
 * it is known when the proposal enters `multisig`, however slow the service is. */
static void note_threshold(const struct observe_context *context, struct safe_tx_row *row,
                           const struct safe_view *safe)
{
	if (row->status != SAFE_TX_QUEUED || row->threshold == safe->threshold)
		return;
	row->threshold = safe->threshold;
	store_safe_tx_set_confirmations(context->store, row->id, row->confirmations,
	                                row->threshold);
}

/* Several attempts may compete for one nonce: which of them tells how the proposal stands. One that
 * nobody has seen yet does not lift what the owners did with the nonce of the one before. */
static unsigned weight(const struct safe_tx_row *row)
{
	if (row->displaced)
		return 0;
	switch (row->status) {
	case SAFE_TX_EXECUTED:
		return 5;
	case SAFE_TX_QUEUED:
		return 4;
	case SAFE_TX_POSTING:
		return 3;
	case SAFE_TX_FAILED:
	case SAFE_TX_REPLACED:
		return 2;
	case SAFE_TX_DRAFTED:
		return 1;
	case SAFE_TX_WITHDRAWN:
		return 0;
	}
	die("no such status: %d", (int)row->status);
}

/* The attempt that counts of the transaction that brings the proposal forward first. */
static struct safe_tx_row *first_tx(const struct observed *observed)
{
	struct safe_tx_row *first = NULL;

	for (size_t i = 0; i < observed->txs.count; i++) {
		struct safe_tx_row *row = &observed->txs.items[i];
		if (brings_forward(row) && (first == NULL || weight(row) >= weight(first)))
			first = row;
	}
	return first;
}

/* What had its turn in the queue and lost it to something that displaced it. */
static bool was_displaced(const struct observed *observed, const struct safe_tx_row *first)
{
	for (size_t i = 0; first->status == SAFE_TX_DRAFTED && i < observed->txs.count; i++)
		if (observed->txs.items[i].displaced)
			return true;
	return false;
}

static void observe_first_tx(struct observed *observed, const struct observe_context *context)
{
	const struct safe_tx_row *row = first_tx(observed);

	observed->seen.safe_tx = SAFE_SEEN_NOTHING;
	if (row == NULL)
		return;
	observed->seen.displaced = was_displaced(observed, row);
	switch (row->status) {
	case SAFE_TX_DRAFTED:
	case SAFE_TX_POSTING:
	case SAFE_TX_WITHDRAWN:
		break;
	case SAFE_TX_QUEUED:
		observed->seen.safe_tx = SAFE_SEEN_QUEUED;
		break;
	case SAFE_TX_EXECUTED:
		observed->seen.safe_tx = SAFE_SEEN_EXECUTED;
		break;
	case SAFE_TX_FAILED:
		/* Only finality makes the end of it certain; until then it is still in the queue.
		 */
		observed->awaits_final = row->tx_block > context->final.number;
		observed->seen.safe_tx =
		        observed->awaits_final ? SAFE_SEEN_QUEUED : SAFE_SEEN_FAILED;
		if (row->has_tx) {
			observed->has_ended_tx = true;
			observed->ended_tx = row->tx;
		}
		break;
	case SAFE_TX_REPLACED:
		observed->seen.safe_tx = SAFE_SEEN_REPLACED;
		break;
	}
	observed->seen.ever_posted |=
	        row->status != SAFE_TX_DRAFTED && row->status != SAFE_TX_WITHDRAWN;
}

/* --- checks ----------------------------------------------------------------------------------- */

static struct check_slot *ask_checks(const struct observed *observed, struct reads *reads)
{
	const struct proposal *proposal = observed->proposal;
	struct check_slot *slots = arena_array(reads->arena, proposal->call_count, sizeof(*slots));
	enum check_mode mode = observed->target != NULL ? observed->target->check : CHECK_MODE_AUTO;

	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *call = &proposal->calls[i];
		struct registry_call registry = {.contract = call->to, .as = call->kind};
		check_add(&slots[i], reads, mode, &registry, &call->value);
	}
	return slots;
}

static enum checks_seen check_of(const struct check_slot *slot, const struct call *call,
                                 const struct chain_read_result *results)
{
	enum check_answer wanted = call->action == ACTION_ADD ? CHECK_YES : CHECK_NO;
	enum check_answer answer = check_answer_of(slot, results, NULL, NULL);

	if (answer == CHECK_UNKNOWN)
		return CHECKS_UNKNOWN;
	return answer == wanted ? CHECKS_AS_WANTED : CHECKS_CONTRADICT;
}

static enum checks_seen take_checks(struct observed *observed, const struct check_slot *slots,
                                    const struct chain_read_result *results)
{
	const struct proposal *proposal = observed->proposal;
	enum checks_seen together = CHECKS_AS_WANTED;

	for (size_t i = 0; i < proposal->call_count; i++) {
		bool disagree;
		enum check_answer answer = check_answer_of(&slots[i], results, NULL, &disagree);
		enum check_answer wanted =
		        proposal->calls[i].action == ACTION_ADD ? CHECK_YES : CHECK_NO;

		observed->getters_disagree |= disagree;
		if (answer == CHECK_UNKNOWN)
			return CHECKS_UNKNOWN;
		if (answer != wanted)
			together = CHECKS_CONTRADICT;
	}
	return together;
}

/* A call that does not read as wanted although it was executed is explained when a later event of
 * the registry says the opposite of it. */
static bool contradiction_explained(const struct observed *observed,
                                    const struct observe_context *context)
{
	const struct proposal *proposal = observed->proposal;
	bool operation = lifecycle_has_timelock(proposal->model);
	struct seen_log executed;

	if (observed->delay != NULL)
		executed = observed->delay->run;
	else if (operation &&
	         !last_log(context, proposal, &proposal->timelock,
	                   event_topic0(EVENT_CALL_EXECUTED), &proposal->operation_id, &executed))
		return false;
	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *call = &proposal->calls[i];
		if (!operation &&
		    !call_log_find(context->store, context->arena, proposal, call, &executed))
			continue;
		if (call_log_undone(context->store, context->arena, proposal, call, &executed))
			return true;
	}
	return false;
}

/* --- batches without an operation --------------------------------------------------------------
 */

/* Before it is known as executed, what was undone since does not count: it may have been done
 * before the drafting, in a block that was not final then. */
static bool call_ran(const struct observed *observed, const struct observe_context *context,
                     const struct call *call, struct seen_log *log)
{
	const struct proposal *proposal = observed->proposal;

	return call_log_find(context->store, context->arena, proposal, call, log) &&
	       (proposal->state == STATE_EXECUTED ||
	        !call_log_undone(context->store, context->arena, proposal, call, log));
}

static void observe_run(struct observed *observed, const struct observe_context *context,
                        const struct chain_read_result *results)
{
	const struct proposal *proposal = observed->proposal;
	bool by_owner = path_first_sender(proposal->model) == PATH_OWNER;
	struct run_seen *run = &observed->run;

	*run = (struct run_seen){.all = true, .all_final = true};
	for (size_t i = 0; i < proposal->call_count; i++) {
		const struct call *call = &proposal->calls[i];
		struct seen_log log;
		if (call_ran(observed, context, call, &log)) {
			run->any = true;
			run->all_final &= log.block_number <= context->final.number;
			if (!run->has_last || seen_log_is_later(&log, &run->last))
				run->last = log;
			run->has_last = true;
			continue;
		}
		run->all_final = false;
		/* Owners send call by call: what can be read needs no event. */
		run->all &= by_owner && observed->checks != NULL &&
		            check_of(&observed->checks[i], call, results) == CHECKS_AS_WANTED;
	}
	if (!by_owner)
		return;
	observed->seen.executed_latest = run->all;
	observed->seen.ever_posted |= run->any;
}

static void observe_run_executed(struct observed *observed, const struct observe_context *context)
{
	const struct safe_tx_row *row = first_tx(observed);
	bool by_safe = row != NULL && row->status == SAFE_TX_EXECUTED;

	if (by_safe && row->has_tx) {
		observed->has_executed_tx = true;
		observed->executed_tx = row->tx;
	} else if (observed->run.has_last && observed->seen.executed_latest) {
		observed->has_executed_tx = true;
		observed->executed_tx = observed->run.last.tx_hash;
	}
	observed->seen.executed_final =
	        by_safe ? row->tx_block <= context->final.number : observed->run.all_final;
}

/* --- the two looks ------------------------------------------------------------------------------
 */

static bool is_pending(const struct proposal *proposal)
{
	return proposal->state < STATE_EXECUTED;
}

/* Model `direct`: the owner of each contract sends the calls. */
static size_t *ask_owners(const struct observed *observed, struct reads *reads)
{
	const struct proposal *proposal = observed->proposal;
	size_t *owners = arena_array(reads->arena, proposal->call_count, sizeof(*owners));

	for (size_t i = 0; i < proposal->call_count; i++)
		owners[i] = reads_add_view(reads, &proposal->calls[i].to, VIEW_OWNER);
	return owners;
}

static bool take_owners(const struct observed *observed, const size_t *owners,
                        const struct chain_read_result *results)
{
	const struct proposal *proposal = observed->proposal;
	struct address owner;
	bool moved = false;

	for (size_t i = 0; owners != NULL && i < proposal->call_count; i++)
		moved |= results[owners[i]].success &&
		         view_address(&owner, results[owners[i]].returned) == 0 &&
		         !address_equal(&owner, &proposal->sender);
	return moved;
}

void observe_clock(struct observation *seen, const struct proposal *proposal,
                   const struct block_ref *head, struct wall now)
{
	seen->chain_now = head->timestamp;
	/* Our clock may have jumped, the chain may stand still: the time is up when both say so. */
	seen->past_expiry = now.ms >= proposal->expires_at.ms &&
	                    head->timestamp >= (uint64_t)proposal->expires_at.ms / 1000;
}

void observe_ask_head(struct observed *observed, const struct observe_context *context,
                      struct reads *reads)
{
	const struct proposal *proposal = observed->proposal;

	observed->timestamp_read = READS_NONE;
	if (proposal->model == MODEL_DELAY)
		observe_delay_ask(observed, context, reads);
	else if (lifecycle_has_timelock(proposal->model))
		observed->timestamp_read =
		        reads_add_timestamp(reads, &proposal->timelock, &proposal->operation_id);
	if (proposal->state == STATE_DRAFTED || (observed->deeper && is_pending(proposal)) ||
	    (proposal->state == STATE_EXECUTED && proposal->model == MODEL_DIRECT))
		observed->checks = ask_checks(observed, reads);
	if (observed->deeper && proposal->model == MODEL_DIRECT && proposal->state == STATE_DRAFTED)
		observed->owner_reads = ask_owners(observed, reads);
	observed->min_delay_read = READS_NONE;
	if (observed->deeper && path_caller(proposal->model) == PATH_TIMELOCK &&
	    proposal->state <= STATE_MULTISIG)
		observed->min_delay_read =
		        reads_add_view(reads, &proposal->timelock, VIEW_MIN_DELAY);
}

/* A schedule that asks for less than the timelock wants can only revert. */
static void take_min_delay(struct observed *observed, const struct chain_read_result *results)
{
	uint64_t min_delay;

	observed->delay_too_short =
	        observed->min_delay_read != READS_NONE &&
	        observed->seen.operation == OPERATION_UNSET && !observed->seen.cancelled_latest &&
	        reads_u64(&min_delay, &results[observed->min_delay_read]) == 0 &&
	        min_delay > observed->proposal->delay;
	observed->wants_final |= observed->delay_too_short;
}

static void take_operation(struct observed *observed, const struct chain_read_result *results)
{
	uint64_t timestamp;

	observed->seen.operation = OPERATION_UNKNOWN;
	if (observed->timestamp_read == READS_NONE ||
	    reads_timestamp(&timestamp, &results[observed->timestamp_read]) != 0)
		return;
	if (timestamp == 0) {
		observed->seen.operation = OPERATION_UNSET;
	} else if (timestamp == TIMELOCK_TIMESTAMP_DONE) {
		observed->seen.operation = OPERATION_DONE;
	} else {
		observed->seen.operation = OPERATION_PENDING;
		observed->seen.ready_at = timestamp;
	}
}

void observe_head(struct observed *observed, const struct observe_context *context,
                  const struct chain_read_result *results, const struct safe_view *safe)
{
	const struct proposal *proposal = observed->proposal;
	struct observation *seen = &observed->seen;

	observe_clock(seen, proposal, &context->head, context->now);
	seen->withdrawn = (proposal->flags & FLAG_WITHDRAWING) != 0;
	if (observed->delay != NULL) {
		observe_delay_take(observed, context, results);
	} else {
		take_operation(observed, results);
		observe_operation_logs(observed, context);
	}
	seen->ever_posted =
	        seen->operation == OPERATION_PENDING || seen->operation == OPERATION_DONE ||
	        seen->cancelled_latest || (observed->delay != NULL && observed->delay->was_added) ||
	        (seen->withdrawn &&
	         send_is_under_way(context->store, context->arena, proposal->id, PURPOSE_SCHEDULE));
	bool runs = !lifecycle_has_timelock(proposal->model);
	if (runs)
		observe_run(observed, context, results);

	for (size_t i = 0; i < observed->txs.count; i++) {
		struct safe_tx_row *row = &observed->txs.items[i];
		if (row->has_nonce)
			sync_hashed(observed, context, row);
		else
			sync_unhashed(observed, context, row);
		if (safe != NULL)
			note_threshold(context, row, safe);
		observed->wants_final |= (safe != NULL && nonce_passed(row, safe->nonce)) ||
		                         is_overtaken(observed, row);
	}
	observe_first_tx(observed, context);
	if (runs)
		observe_run_executed(observed, context);

	take_min_delay(observed, results);
	observed->owner_moved = !observed->run.any && !seen->executed_latest &&
	                        take_owners(observed, observed->owner_reads, results);
	bool ran = lifecycle_has_timelock(proposal->model)
	                   ? seen->operation == OPERATION_DONE
	                   : seen->executed_latest || seen->safe_tx == SAFE_SEEN_EXECUTED;
	observed->in_effect = observed->checks != NULL && is_pending(proposal) && !ran &&
	                      take_checks(observed, observed->checks, results) == CHECKS_AS_WANTED;
	/* Before it ends otherwise: what it asked for may be there all the same. */
	bool ending = seen->cancelled_latest || seen->safe_tx == SAFE_SEEN_FAILED ||
	              seen->safe_tx == SAFE_SEEN_REPLACED;
	/* What ran may be final already: a chain that stands still has no later look. */
	observed->wants_final |= observed->in_effect || ending || ran || observed->owner_moved ||
	                         proposal->state == STATE_EXECUTED;
}

void observe_ask_final(struct observed *observed, struct reads *reads)
{
	const struct proposal *proposal = observed->proposal;

	observed->final_timestamp_read = observed->final_nonce_read = READS_NONE;
	if (observed->delay != NULL)
		observe_delay_ask_final(observed, reads);
	else if (lifecycle_has_timelock(proposal->model))
		observed->final_timestamp_read =
		        reads_add_timestamp(reads, &proposal->timelock, &proposal->operation_id);
	if (!address_is_zero(&proposal->safe))
		observed->final_nonce_read =
		        reads_add_view(reads, &proposal->safe, VIEW_SAFE_NONCE);
	observed->final_checks = ask_checks(observed, reads);
	observed->final_owner_reads = observed->owner_moved ? ask_owners(observed, reads) : NULL;
	observed->final_min_delay_read = READS_NONE;
	if (observed->delay_too_short)
		observed->final_min_delay_read =
		        reads_add_view(reads, &proposal->timelock, VIEW_MIN_DELAY);
}

/* Nobody has refused what was only displaced: the same transaction, with the next nonce. */
static void draft_again(struct observed *observed, const struct observe_context *context,
                        const struct safe_tx_row *lost)
{
	enum operation_seen operation = observed->seen.operation;

	if (!brings_forward(lost) || lost->id.n != first_tx(observed)->id.n ||
	    observed->seen.withdrawn || operation == OPERATION_PENDING ||
	    operation == OPERATION_DONE || !displaced_only(context->store, context->arena, lost))
		return;
	store_safe_tx_set_displaced(context->store, lost->id);
	store_safe_tx_add(context->store, lost);
	store_safe_tx_list(context->store, context->arena, lost->proposal, &observed->txs);
}

void observe_final(struct observed *observed, const struct observe_context *context,
                   const struct chain_read_result *results)
{
	uint64_t value;

	if (observed->delay != NULL)
		observe_delay_take_final(observed, context, results);
	if (observed->final_timestamp_read != READS_NONE &&
	    reads_timestamp(&value, &results[observed->final_timestamp_read]) == 0) {
		observed->seen.executed_final = value == TIMELOCK_TIMESTAMP_DONE;
		if (value != 0)
			drop_overtaken(observed, context);
	}
	if (observed->final_nonce_read != READS_NONE &&
	    reads_u64(&value, &results[observed->final_nonce_read]) == 0)
		for (size_t i = 0; i < observed->txs.count; i++)
			if (nonce_passed(&observed->txs.items[i], value)) {
				set_status(observed, context, &observed->txs.items[i],
				           SAFE_TX_REPLACED, NULL);
				draft_again(observed, context, &observed->txs.items[i]);
			}
	if (observed->final_min_delay_read != READS_NONE &&
	    reads_u64(&value, &results[observed->final_min_delay_read]) == 0 &&
	    value > observed->proposal->delay)
		observed->min_delay = value;
	observed->owner_moved_final = take_owners(observed, observed->final_owner_reads, results);
	observe_first_tx(observed, context);

	observed->seen.checks_final = take_checks(observed, observed->final_checks, results);
	/* What can be read at finality as wanted needs no event. */
	if (observed->proposal->model == MODEL_DIRECT &&
	    observed->seen.checks_final == CHECKS_AS_WANTED)
		observed->seen.executed_final = true;
	if (observed->seen.checks_final == CHECKS_CONTRADICT)
		observed->seen.explained_later = contradiction_explained(observed, context);
}

bool observed_checked(const struct observed *observed)
{
	return observed->checks != NULL || observed->final_checks != NULL;
}

const struct hash32 *observed_tx(const struct observed *observed, enum proposal_state to)
{
	switch (to) {
	case STATE_TIMELOCK:
	case STATE_EXECUTE:
		return observed->has_scheduled_tx ? &observed->scheduled_tx : NULL;
	case STATE_EXECUTED:
	case STATE_CONFIRMED:
		return observed->has_executed_tx ? &observed->executed_tx : NULL;
	case STATE_CANCELLED:
	case STATE_FAILED:
		return observed->has_ended_tx ? &observed->ended_tx : NULL;
	case STATE_DRAFTED:
	case STATE_MULTISIG:
	case STATE_REJECTED:
	case STATE_EXPIRED:
		break;
	}
	return NULL;
}
