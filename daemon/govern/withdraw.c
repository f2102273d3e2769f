#include "daemon/govern/withdraw.h"

#include "common/base/log.h"
#include "common/eth/revert.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/govern/call_log.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/draft_form.h"
#include "daemon/govern/rejections.h"
#include "daemon/govern/live.h"
#include "daemon/govern/tracker.h"

#include <stdlib.h>

struct withdraw {
	struct lane *lane;
	struct loop_timer *timer;
	struct chain_op *simulation; /* of a cancellation, else NULL */
	struct proposal_id simulated;
	struct backoff backoff;
};

static void timer_fired(void *arg)
{
	withdraw_run(arg);
}

struct withdraw *withdraw_new(struct lane *lane)
{
	struct withdraw *withdraw = xcalloc(1, sizeof(*withdraw));

	withdraw->lane = lane;
	withdraw->timer = loop_timer_new(lane->parts->loop, timer_fired, withdraw);
	return withdraw;
}

void withdraw_free(struct withdraw *withdraw)
{
	if (withdraw == NULL)
		return;
	chain_cancel(withdraw->simulation);
	loop_timer_free(withdraw->timer);
	free(withdraw);
}

static bool is_open(const struct safe_tx_row *row)
{
	return row->status == SAFE_TX_DRAFTED || row->status == SAFE_TX_POSTING ||
	       row->status == SAFE_TX_QUEUED;
}

/* Drafted is what people see next. */
static void drafted(struct withdraw *withdraw, struct proposal_id id, enum purpose purpose)
{
	char subject[SUBJECT_SIZE];

	log_info(proposal_subject(subject, id), "withdrawing: %s drafted", purpose_name(purpose));
	draft_file_write(withdraw->lane, id);
	lane_changed(withdraw->lane);
	lane_wake(withdraw->lane);
}

/* --- in the Safe's queue ------------------------------------------------------------------------
 */

static void add_rejection(struct withdraw *withdraw, const struct safe_tx_row *rejected)
{
	struct store *store = withdraw->lane->parts->store;

	store_begin(store);
	rejections_add(store, rejected);
	store_commit(store);
	drafted(withdraw, rejected->proposal, PURPOSE_REJECT);
}

/* Whatever of it still can run in its place of the queue. */
static void reject_queued(struct withdraw *withdraw, struct arena *arena,
                          const struct proposal *proposal)
{
	struct lane *lane = withdraw->lane;
	const struct safe_view *safe;
	struct safe_tx_list txs;

	if (tracker_safe(lane->tracker, &proposal->safe, &safe) != 0)
		return; /* after the next look */
	store_safe_tx_list(lane->parts->store, arena, proposal->id, &txs);
	for (size_t i = 0; i < txs.count; i++) {
		const struct safe_tx_row *row = &txs.items[i];
		if ((row->purpose == PURPOSE_SCHEDULE || row->purpose == PURPOSE_APPLY) &&
		    row->status == SAFE_TX_QUEUED && row->has_nonce && row->nonce >= safe->nonce &&
		    !rejections_exist(lane->parts->store, arena, row))
			add_rejection(withdraw, row);
	}
}

/* --- in the timelock ----------------------------------------------------------------------------
 */

static bool has_cancellation(const struct safe_tx_list *txs)
{
	for (size_t i = 0; i < txs->count; i++)
		if (txs->items[i].purpose == PURPOSE_CANCEL &&
		    (is_open(&txs->items[i]) || txs->items[i].status == SAFE_TX_EXECUTED))
			return true;
	return false;
}

static bool is_timelocked(enum model model)
{
	return model == MODEL_SAFE_TIMELOCK || model == MODEL_TIMELOCK;
}

static bool last_log(struct lane *lane, struct arena *arena, const struct proposal *proposal,
                     enum event_type type, struct seen_log *out)
{
	struct seen_log_list logs;

	logs = store_log_find(lane->parts->store, arena, proposal->chain_id, &proposal->timelock,
	                      event_topic0(type), &proposal->operation_id);
	if (logs.count == 0)
		return false;
	*out = logs.items[logs.count - 1];
	return true;
}

/* Until that is final the state stays, and a second cancellation could only revert. */
static bool is_cancelled(struct lane *lane, struct arena *arena, const struct proposal *proposal)
{
	struct seen_log scheduled, cancelled;

	return last_log(lane, arena, proposal, EVENT_CANCELLED, &cancelled) &&
	       (!last_log(lane, arena, proposal, EVENT_CALL_SCHEDULED, &scheduled) ||
	        seen_log_is_later(&cancelled, &scheduled));
}

bool withdraw_cancels(struct lane *lane, struct arena *arena, const struct proposal *proposal)
{
	return (proposal->flags & FLAG_WITHDRAWING) != 0 && is_timelocked(proposal->model) &&
	       (proposal->state == STATE_TIMELOCK || proposal->state == STATE_EXECUTE) &&
	       !is_cancelled(lane, arena, proposal);
}

static bool wants_cancellation(struct withdraw *withdraw, struct arena *arena,
                               const struct proposal *proposal)
{
	struct safe_tx_list txs;

	if (!withdraw_cancels(withdraw->lane, arena, proposal))
		return false;
	store_safe_tx_list(withdraw->lane->parts->store, arena, proposal->id, &txs);
	return !has_cancellation(&txs);
}

/* It is in the timelock for certain, and the Safe may cancel it: the time between was enough for
 * anything else. */
static void add_cancellation(struct withdraw *withdraw)
{
	struct store *store = withdraw->lane->parts->store;
	struct arena arena = {0};
	struct proposal proposal;
	struct buf data = {0};

	if (store_proposal_get(store, &arena, withdraw->simulated, &proposal) == 0 &&
	    wants_cancellation(withdraw, &arena, &proposal)) {
		timelock_encode_cancel(&data, &proposal.operation_id);
		store_begin(store);
		const struct safe_tx_row fresh = {
		        .proposal = proposal.id,
		        .purpose = PURPOSE_CANCEL,
		        .safe = proposal.safe,
		        .to = proposal.timelock,
		        .data = buf_bytes(&data),
		};
		store_safe_tx_add(store, &fresh);
		store_commit(store);
		buf_free(&data);
		drafted(withdraw, proposal.id, PURPOSE_CANCEL);
	}
	arena_free(&arena);
}

static void try_later(struct withdraw *withdraw)
{
	struct mono now = clock_mono();

	backoff_failed(&withdraw->backoff, now, chain_retry_max_ms(withdraw->lane->config));
	loop_timer_set(withdraw->timer, backoff_wait_ms(&withdraw->backoff, now));
}

/* The Safe may not cancel it: whoever has the role can, with this file. */
static void write_for_others(struct withdraw *withdraw, struct arena *arena)
{
	struct proposal proposal;
	struct draft_form form;
	struct buf data = {0};

	if (store_proposal_get(withdraw->lane->parts->store, arena, withdraw->simulated,
	                       &proposal) != 0)
		return;
	draft_form_cancel(&form, arena, withdraw->lane->parts->store, &proposal);
	timelock_encode_cancel(&data, &proposal.operation_id);
	draft_file_write_aside(withdraw->lane, &proposal,
	                       arena_printf(arena, "p%lld-cancel-others", (long long)proposal.id.n),
	                       buf_bytes(&data), form.note);
	buf_free(&data);
}

static void simulated(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct withdraw *withdraw = arg;
	struct arena arena = {0};
	char subject[SUBJECT_SIZE];

	withdraw->simulation = NULL;
	proposal_subject(subject, withdraw->simulated);
	if (error != NULL) {
		log_unusual(subject, "withdrawing it waits for the chain: %s", error->text);
		try_later(withdraw);
	} else if (!result->success) {
		write_for_others(withdraw, &arena);
		lane_alarm(withdraw->lane, ALARM_NOT_WITHDRAWN, subject,
		           "cannot be withdrawn: cancel(bytes32) from the Safe reverts: %s; for "
		           "another account with CANCELLER_ROLE there is drafts/%s-cancel-others",
		           revert_text(&arena, result->returned), subject);
		try_later(withdraw);
	} else {
		backoff_worked(&withdraw->backoff);
		lane_alarm_clear(withdraw->lane, ALARM_NOT_WITHDRAWN, subject);
		add_cancellation(withdraw);
		withdraw_run(withdraw);
	}
	arena_free(&arena);
}

/* Each is asked about first, so that nobody signs what can only revert. */
static void simulate(struct withdraw *withdraw, const struct proposal *proposal)
{
	struct buf data = {0};

	timelock_encode_cancel(&data, &proposal->operation_id);
	withdraw->simulated = proposal->id;
	withdraw->simulation =
	        chain_simulate(withdraw->lane->chain, &proposal->safe, &proposal->timelock,
	                       buf_bytes(&data), simulated, withdraw);
	buf_free(&data);
}

/* One at a time, in turn: one that cannot be cancelled keeps no other waiting. */
static void cancel_next(struct withdraw *withdraw, struct arena *arena,
                        const struct proposal_list *list)
{
	const struct proposal *next = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct proposal *proposal = &list->items[i];
		if (!wants_cancellation(withdraw, arena, proposal))
			continue;
		if (!lifecycle_has_safe(proposal->model))
			draft_file_write_cancel(withdraw->lane, proposal);
		else if (next == NULL || (next->id.n <= withdraw->simulated.n &&
		                          proposal->id.n > withdraw->simulated.n))
			next = proposal;
	}
	if (next != NULL && withdraw->simulation == NULL &&
	    backoff_ready(&withdraw->backoff, clock_mono()))
		simulate(withdraw, next);
}

void withdraw_run(struct withdraw *withdraw)
{
	struct lane *lane = withdraw->lane;
	struct arena arena = {0};

	if (lane->stopped)
		return;
	const struct live *live = live_hold(lane);
	for (size_t i = 0; i < live->proposals.count; i++) {
		const struct proposal *proposal = &live->proposals.items[i];
		if ((proposal->flags & FLAG_WITHDRAWING) != 0 &&
		    proposal->state <= STATE_MULTISIG && lifecycle_has_safe(proposal->model))
			reject_queued(withdraw, &arena, proposal);
	}
	cancel_next(withdraw, &arena, &live->proposals);
	live_drop(live);
	arena_free(&arena);
}
