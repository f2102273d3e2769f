#include "daemon/govern/executor.h"

#include "common/base/log.h"
#include "daemon/govern/adopt.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/live.h"
#include "daemon/govern/nonce_user.h"
#include "daemon/govern/posting.h"
#include "daemon/govern/proposers.h"
#include "daemon/govern/scheduled.h"
#include "daemon/govern/send.h"
#include "daemon/govern/withdraw.h"

#include <stdlib.h>
#include <string.h>

/* What one of our keys has to send for one proposal; lost at a restart without harm. Each waits for
 * itself: one that cannot be sent holds up no other. */
struct job {
	struct job *next;
	struct proposal_id proposal;
	struct address from;
	struct backoff backoff;
	bool seen; /* in this pass */
};

struct executor {
	struct lane *lane;
	struct loop_timer *timer;
	struct job *jobs;
	struct send *send; /* under way, else NULL: one at a time, since each takes a nonce */
	struct proposal_id sending;
	enum purpose purpose; /* of what is under way */
	int64_t wait_ms;      /* of this pass: until the next one is due; -1: none */
	bool resent;          /* what an earlier run of the daemon had stored was handed on again */
};

static void timer_fired(void *arg)
{
	executor_run(arg);
}

struct executor *executor_new(struct lane *lane)
{
	struct executor *executor = xcalloc(1, sizeof(*executor));

	executor->lane = lane;
	executor->timer = loop_timer_new(lane->parts->loop, timer_fired, executor);
	return executor;
}

void executor_free(struct executor *executor)
{
	if (executor == NULL)
		return;
	send_cancel(executor->send);
	while (executor->jobs != NULL) {
		struct job *next = executor->jobs->next;
		free(executor->jobs);
		executor->jobs = next;
	}
	loop_timer_free(executor->timer);
	free(executor);
}

/* --- through the Safe ---------------------------------------------------------------------------
 */

/* Whether this attempt can bring nothing any more, at finality. One that was executed is not over:
 * the operation tells what it did. */
static bool attempt_over(const struct lane *lane, const struct safe_tx_row *row)
{
	switch (row->status) {
	case SAFE_TX_DRAFTED:
	case SAFE_TX_POSTING:
	case SAFE_TX_QUEUED:
	case SAFE_TX_EXECUTED:
		return false;
	case SAFE_TX_FAILED:
		return row->tx_block <= lane->final.number;
	case SAFE_TX_REPLACED:
	case SAFE_TX_WITHDRAWN:
		return true;
	}
	die("no such status: %d", (int)row->status);
}

/* The attempt before this one brought nothing: people hear of it with the new one. */
static void tell_displaced(struct lane *lane, struct arena *arena, const struct safe_tx_row *row)
{
	char subject[SUBJECT_SIZE];

	lane_alarm_once(
	        lane, ALARM_EXECUTION_DISPLACED, proposal_subject(subject, row->proposal),
	        "its execute transaction, attempt %u, brought nothing: %s; a new attempt is "
	        "made",
	        row->attempt,
	        row->status == SAFE_TX_FAILED
	                ? "it ended in ExecutionFailure"
	                : nonce_user_text(lane, arena, &row->safe, row->nonce));
}

/* A second Safe transaction; a further attempt when the last one lost its nonce or failed. */
static void execute_by_safe(struct executor *executor, struct arena *arena,
                            const struct proposal *proposal)
{
	struct lane *lane = executor->lane;
	struct store *store = lane->parts->store;
	const struct safe_tx_row *last = NULL;
	struct path path = proposal_path(arena, proposal);
	struct path_step step;
	struct safe_tx_list txs;

	store_safe_tx_list(store, arena, proposal->id, &txs);
	for (size_t i = 0; i < txs.count; i++) {
		if (txs.items[i].purpose != PURPOSE_EXECUTE)
			continue;
		if (!attempt_over(lane, &txs.items[i]))
			return;
		last = &txs.items[i];
	}
	if (!path_then(&step, arena, &path))
		return;
	store_begin(store);
	if (last != NULL && last->status != SAFE_TX_WITHDRAWN)
		tell_displaced(lane, arena, last);
	const struct safe_tx_row fresh = {
	        .proposal = proposal->id,
	        .purpose = step.purpose,
	        .safe = proposal->safe,
	        .to = step.to,
	        .data = step.data,
	        .operation = step.operation,
	};
	store_safe_tx_add(store, &fresh);
	store_commit(store);
	draft_file_write(lane, proposal->id);
	lane_wake(lane);
}

/* --- with our own keys --------------------------------------------------------------------------
 */

static struct job *job_of(struct executor *executor, struct proposal_id proposal)
{
	struct job *job = executor->jobs;

	while (job != NULL && job->proposal.n != proposal.n)
		job = job->next;
	if (job == NULL) {
		job = xcalloc(1, sizeof(*job));
		job->proposal = proposal;
		job->next = executor->jobs;
		executor->jobs = job;
	}
	return job;
}

static void come_back_in(struct executor *executor, int64_t wait_ms)
{
	if (executor->wait_ms < 0 || wait_ms < executor->wait_ms)
		executor->wait_ms = wait_ms;
}

static enum alarm alarm_of(enum purpose purpose)
{
	return purpose == PURPOSE_CANCEL ? ALARM_NOT_WITHDRAWN : ALARM_NOT_EXECUTED;
}

static void sent(const struct error *error, void *arg)
{
	struct executor *executor = arg;
	struct job *job = job_of(executor, executor->sending);
	char subject[SUBJECT_SIZE];

	executor->send = NULL;
	proposal_subject(subject, executor->sending);
	if (error == NULL) {
		backoff_worked(&job->backoff);
		lane_alarm_clear(executor->lane, alarm_of(executor->purpose), subject);
	} else {
		if (error->code == ERR_DENIED)
			lane_alarm(
			        executor->lane, alarm_of(executor->purpose), subject,
			        "cannot be %s by us: %s%s", send_done_text(executor->purpose),
			        error->text,
			        executor->purpose == PURPOSE_CANCEL
			                ? "; the draft files of the cancellation are for whoever "
			                  "has it"
			                : "");
		else
			log_unusual(subject, "it waits to be %s: %s",
			            send_done_text(executor->purpose), error->text);
		backoff_failed(&job->backoff, clock_mono(),
		               chain_retry_max_ms(executor->lane->config));
	}
	lane_changed(executor->lane);
	executor_run(executor); /* the others, and when to come back to this one */
}

static const struct sent_tx *latest_stored(const struct sent_tx_list *list,
                                           const struct address *from, enum purpose purpose)
{
	const struct sent_tx *latest = NULL;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].status == SENT_STORED && list->items[i].purpose == purpose &&
		    address_equal(&list->items[i].from, from))
			latest = &list->items[i];
	return latest;
}

/* A crash between storing and sending: handing it on once more does no harm. */
static void hand_on_again(struct executor *executor, const struct sent_tx *previous)
{
	if (!executor->resent && previous != NULL)
		send_again(executor->lane, previous->raw);
}

/* cancelled: of a cancellation, what would execute the operation; else nothing. */
static void send_by_key(struct executor *executor, struct arena *arena,
                        const struct proposal *proposal, const struct path_step *step,
                        struct bytes cancelled)
{
	struct lane *lane = executor->lane;
	struct send_request request = {.proposal = proposal->id,
	                               .target = proposal->target,
	                               .purpose = step->purpose,
	                               .model = proposal->model,
	                               .state = proposal->state,
	                               .to = step->to,
	                               .data = step->data,
	                               .cancelled = cancelled};
	struct sent_tx_list list;

	if (!signer_address(lane->parts->signer, proposal->target, send_key(step->purpose),
	                    &request.from))
		return;
	struct job *job = job_of(executor, proposal->id);
	job->from = request.from;
	job->seen = true;
	store_sent_tx_list(lane->parts->store, arena, proposal->id, &list);
	const struct sent_tx *previous = latest_stored(&list, &request.from, step->purpose);
	hand_on_again(executor, previous);
	if (executor->send != NULL)
		return; /* its end brings us back */
	if (!backoff_ready(&job->backoff, clock_mono())) {
		come_back_in(executor, backoff_wait_ms(&job->backoff, clock_mono()));
		return;
	}
	if (previous != NULL) {
		int64_t age = clock_wall().ms - previous->sent_at.ms;
		if (age >= 0 && age < lane->config->resend_ms) {
			/* A chain that stands still ticks nobody: the resend is ours to time. */
			come_back_in(executor, lane->config->resend_ms - age);
			return;
		}
		request.has_previous = true;
		request.previous_raw = previous->raw;
		request.previous_nonce = previous->nonce;
		request.previous_attempt = previous->attempt;
		request.previous_max_fee = previous->max_fee;
		request.previous_priority_fee = previous->max_priority_fee;
	}
	executor->sending = proposal->id;
	executor->purpose = step->purpose;
	executor->send = send_start(lane, &request, sent, executor);
}

/* --- what is due --------------------------------------------------------------------------------
 */

/* The history of the timelock may have been read only after the drafting. */
static void find_sender(struct lane *lane, const struct proposal *proposal,
                        const struct config_target *target)
{
	struct store *store = lane->parts->store;
	struct address sender = proposer_of(lane, target);

	if (address_is_zero(&sender) || address_equal(&sender, &proposal->sender))
		return;
	store_begin(store);
	store_proposal_set_sender(store, proposal->id, &sender);
	store_commit(store);
	lane_changed(lane);
}

/* With the scheduler key, where there is one; else the files say who has to. What others scheduled
 * is not scheduled again, whatever a reorganisation did to it. */
static void schedule(struct executor *executor, struct arena *arena,
                     const struct proposal *proposal, const struct config_target *target)
{
	struct path path = proposal_path(arena, proposal);
	struct path_step *steps;

	if (path_first_sender(path.model) != PATH_PROPOSER ||
	    strcmp(proposal->origin, "external") == 0)
		return;
	find_sender(executor->lane, proposal, target);
	struct store *store = executor->lane->parts->store;
	if (target->scheduler.file == NULL ||
	    (!posting_allowed(store, arena, proposal, PURPOSE_SCHEDULE) &&
	     !send_is_under_way(store, arena, proposal->id, PURPOSE_SCHEDULE)))
		return;
	path_first(&steps, arena, &path);
	send_by_key(executor, arena, proposal, &steps[0], bytes_of(NULL, 0));
}

/* What was withdrawn after it had been scheduled. The file is there in any case. */
static void cancel(struct executor *executor, struct arena *arena, const struct proposal *proposal,
                   const struct config_target *target)
{
	struct path path = proposal_path(arena, proposal);
	struct path_step step, then;
	struct buf data = {0};

	if (path_first_sender(path.model) != PATH_PROPOSER || target->scheduler.file == NULL ||
	    !path_then(&then, arena, &path))
		return;
	timelock_encode_cancel(&data, &proposal->operation_id);
	step = (struct path_step){.purpose = PURPOSE_CANCEL,
	                          .sender = PATH_PROPOSER,
	                          .to = proposal->timelock,
	                          .data = buf_bytes(&data)};
	send_by_key(executor, arena, proposal, &step, then.data);
	buf_free(&data);
}

static void execute(struct executor *executor, struct arena *arena, const struct proposal *proposal,
                    const struct config_target *target)
{
	struct path path = proposal_path(arena, proposal);
	struct path_step step;

	switch (target->execute) {
	case EXECUTE_SAFE:
		execute_by_safe(executor, arena, proposal);
		return;
	case EXECUTE_DIRECT:
		if (target->executor.file != NULL) {
			if (path_then(&step, arena, &path))
				send_by_key(executor, arena, proposal, &step, bytes_of(NULL, 0));
			return;
		}
		break;
	case EXECUTE_MANUAL:
		break;
	}
	draft_file_write_execute(executor->lane, proposal);
}

static bool is_to_be_sent(const char *subject, void *arg)
{
	const struct executor *executor = arg;
	char name[SUBJECT_SIZE], from[ADDRESS_TEXT_SIZE];

	for (const struct job *job = executor->jobs; job != NULL; job = job->next)
		if (strcmp(proposal_subject(name, job->proposal), subject) == 0 ||
		    strcmp(address_text(from, &job->from), subject) == 0)
			return true;
	return false;
}

/* What somebody else executed, or what ended, needs neither our money nor our roles. */
static void forget_unseen(struct executor *executor)
{
	for (struct job **link = &executor->jobs; *link != NULL;) {
		struct job *job = *link;
		if (job->seen ||
		    (executor->send != NULL && executor->sending.n == job->proposal.n)) {
			link = &job->next;
			continue;
		}
		*link = job->next;
		free(job);
	}
	troubles_keep(executor->lane->troubles, ALARM_NOT_EXECUTED, is_to_be_sent, executor);
	troubles_keep(executor->lane->troubles, ALARM_EXECUTOR_FUNDS, is_to_be_sent, executor);
}

void executor_run(struct executor *executor)
{
	struct lane *lane = executor->lane;
	struct arena arena = {0};

	if (lane->stopped)
		return;
	executor->wait_ms = -1;
	for (struct job *job = executor->jobs; job != NULL; job = job->next)
		job->seen = false;
	const struct live *live = live_hold(lane);
	for (size_t i = 0; i < live->proposals.count; i++) {
		const struct proposal *proposal = &live->proposals.items[i];
		const struct config_target *target = lane_target(lane, proposal->target);
		if (target == NULL)
			continue;
		if (proposal->state == STATE_DRAFTED)
			schedule(executor, &arena, proposal, target);
		else if (withdraw_cancels(lane, &arena, proposal))
			cancel(executor, &arena, proposal, target);
		else if (proposal->state == STATE_EXECUTE &&
		         (proposal->flags & FLAG_WITHDRAWING) == 0 &&
		         scheduled_predecessor_done(lane, proposal) &&
		         adopt_may_execute(lane, &arena, proposal))
			execute(executor, &arena, proposal, target);
	}
	executor->resent = true;
	forget_unseen(executor);
	if (executor->wait_ms >= 0)
		loop_timer_set(executor->timer, executor->wait_ms);
	live_drop(live);
	arena_free(&arena);
}
