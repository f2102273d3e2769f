#include "daemon/govern/trial.h"

#include "common/base/log.h"
#include "common/eth/revert.h"
#include "common/governance/path.h"
#include "common/governance/safe_guard.h"
#include "daemon/govern/live.h"
#include "daemon/govern/service.h"
#include "daemon/govern/tracker.h"

#include <stdlib.h>
#include <string.h>

/* What is remembered of one thing that may be executed; lost at a restart without harm. */
struct subject {
	struct subject *next;
	struct proposal_id proposal;
	struct safe_tx_id row; /* 0: executed by hand, without a Safe transaction of ours */
	struct mono since, due;
	/* A failure counts when it is the same after the tracker's next look: it may have been
	 * executed in a block that was not read then. */
	enum { TRUSTED, SUSPECT, LOOKED_AT } doubt;
	bool seen; /* in this pass */
};

/* One trial under way. */
struct trial {
	struct trials *owner;
	struct arena arena;
	struct subject *subject;
	const char *what;        /* "its schedule transaction with nonce 7" */
	struct address from;     /* who makes the calls */
	struct path_step *calls; /* tried one by one */
	size_t count, at;
	bool by_safe;
	struct safe_tx tx; /* with by_safe: as the guard sees it */
	struct address executor, guard;
	size_t guard_read;
	struct chain_op *op;
};

struct trials {
	struct lane *lane;
	struct loop_timer *timer;
	struct subject *subjects;
	struct trial *trial; /* under way, else NULL */
};

static void timer_fired(void *arg)
{
	trials_run(arg);
}

struct trials *trials_new(struct lane *lane)
{
	struct trials *trials = xcalloc(1, sizeof(*trials));

	trials->lane = lane;
	trials->timer = loop_timer_new(lane->parts->loop, timer_fired, trials);
	return trials;
}

static void trial_free(struct trials *trials)
{
	struct trial *trial = trials->trial;

	if (trial == NULL)
		return;
	chain_cancel(trial->op);
	arena_free(&trial->arena);
	free(trial);
	trials->trial = NULL;
}

void trials_free(struct trials *trials)
{
	if (trials == NULL)
		return;
	trial_free(trials);
	while (trials->subjects != NULL) {
		struct subject *next = trials->subjects->next;
		free(trials->subjects);
		trials->subjects = next;
	}
	loop_timer_free(trials->timer);
	free(trials);
}

void trials_news(struct trials *trials)
{
	for (struct subject *s = trials->subjects; s != NULL; s = s->next)
		s->due = clock_mono();
}

/* --- one trial ----------------------------------------------------------------------------------
 */

static void finish(struct trial *trial, bool tried)
{
	struct trials *trials = trial->owner;
	struct subject *subject = trial->subject;
	struct mono now = clock_mono();
	int64_t least = chain_retry_max_ms(trials->lane->config);
	char name[SUBJECT_SIZE];

	if (tried)
		lane_alarm_clear(trials->lane, ALARM_CANNOT_RUN,
		                 proposal_subject(name, subject->proposal));
	subject->doubt = TRUSTED;
	subject->due.ms = now.ms + service_interval_ms(least, now.ms - subject->since.ms);
	trial_free(trials);
	trials_run(trials);
}

static void would_fail(struct trial *trial, const char *who, struct bytes revert)
{
	struct lane *lane = trial->owner->lane;
	char name[SUBJECT_SIZE];

	if (trial->subject->doubt == TRUSTED) {
		trial->subject->doubt = SUSPECT;
		trial_free(trial->owner);
		lane_doubt(lane);
		return;
	}
	lane_alarm(lane, ALARM_CANNOT_RUN, proposal_subject(name, trial->subject->proposal),
	           "%s cannot be executed as the chain stands: %s: %s", trial->what, who,
	           revert_text(&trial->arena, revert));
	finish(trial, false);
}

static void no_answer(struct trial *trial, const struct error *error)
{
	log_debug(trial->owner->lane->config->name, "a trial got no answer: %s", error->text);
	finish(trial, false);
}

static void guard_said(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct trial *trial = arg;
	char guard[ADDRESS_TEXT_SIZE];

	trial->op = NULL;
	if (error != NULL)
		no_answer(trial, error);
	else if (!result->success)
		would_fail(trial,
		           arena_printf(&trial->arena,
		                        "guard %s of the Safe refuses it, asked without signatures",
		                        address_text(guard, &trial->guard)),
		           result->returned);
	else
		finish(trial, true);
}

static void guard_found(const struct error *error, const struct chain_read_result *results,
                        size_t count, void *arg)
{
	struct trial *trial = arg;
	struct buf data = {0};

	(void)count;
	trial->op = NULL;
	if (error != NULL) {
		no_answer(trial, error);
		return;
	}
	/* A Safe that does not answer has no guard that we know of. */
	if (!results[trial->guard_read].success ||
	    safe_storage_address(&trial->guard, results[trial->guard_read].returned) != 0 ||
	    address_is_zero(&trial->guard)) {
		finish(trial, true);
		return;
	}
	safe_guard_encode_check(&data, &trial->tx, &trial->executor);
	trial->op = chain_simulate(trial->owner->lane->chain, &trial->tx.safe, &trial->guard,
	                           buf_bytes(&data), guard_said, trial);
	buf_free(&data);
}

static void ask_for_guard(struct trial *trial)
{
	struct lane *lane = trial->owner->lane;
	struct reads reads = {.arena = &trial->arena};
	struct buf data = {0};

	safe_encode_storage_at(&data, &safe_guard_slot);
	trial->guard_read = reads_add(&reads, &trial->tx.safe, buf_bytes(&data));
	buf_free(&data);
	trial->op = chain_read_many(lane->chain, &lane->head, reads.items, reads.count, guard_found,
	                            trial);
}

static void try_call(struct trial *trial);

static void tried(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct trial *trial = arg;

	trial->op = NULL;
	if (error != NULL) {
		no_answer(trial, error);
	} else if (!result->success) {
		would_fail(trial, "it reverts", result->returned);
	} else {
		trial->at++;
		try_call(trial);
	}
}

static void try_call(struct trial *trial)
{
	if (trial->at == trial->count) {
		if (trial->by_safe)
			ask_for_guard(trial);
		else
			finish(trial, true);
		return;
	}
	const struct path_step *call = &trial->calls[trial->at];
	trial->op = chain_simulate(trial->owner->lane->chain, &trial->from, &call->to, call->data,
	                           tried, trial);
}

/* --- what is tried ------------------------------------------------------------------------------
 */

/* The calls of the proposal one by one, from whoever makes them in the end. */
static void try_inner_calls(struct trial *trial, const struct proposal *proposal)
{
	struct path path = proposal_path(&trial->arena, proposal);

	trial->calls = arena_array(&trial->arena, path.count, sizeof(*trial->calls));
	trial->count = path.count;
	for (size_t i = 0; i < path.count; i++)
		trial->calls[i] =
		        (struct path_step){.to = path.calls[i].to,
		                           .data = arena_copy(&trial->arena, path.calls[i].data)};
	if (!path_account_address(&trial->from, &path, path_caller(path.model)))
		trial->count = 0;
}

/* What an account has to send, from that account. */
static void try_first_steps(struct trial *trial, const struct proposal *proposal)
{
	struct path path = proposal_path(&trial->arena, proposal);
	char from[ADDRESS_TEXT_SIZE];

	trial->from = proposal->sender;
	trial->what = arena_printf(&trial->arena, "what %s has to send",
	                           address_text(from, &proposal->sender));
	trial->count = path_first(&trial->calls, &trial->arena, &path);
}

/* What people execute by hand. Anybody may make a Delay module go on; who may execute on a timelock
 * is not known, but what it calls then is. */
static void try_by_hand(struct trial *trial, const struct proposal *proposal)
{
	struct path path = proposal_path(&trial->arena, proposal);

	trial->what = "the operation";
	if (proposal->model != MODEL_DELAY) {
		try_inner_calls(trial, proposal);
		return;
	}
	trial->from = proposal->timelock;
	trial->calls = arena_alloc(&trial->arena, sizeof(*trial->calls));
	trial->count = path_then(trial->calls, &trial->arena, &path) ? 1 : 0;
}

static void fill_from_row(struct trial *trial, const struct proposal *proposal,
                          const struct safe_tx_row *row, const struct safe_view *safe)
{
	struct arena *arena = &trial->arena;

	trial->by_safe = true;
	trial->tx = (struct safe_tx){.chain_id = row->chain_id,
	                             .safe = row->safe,
	                             .to = row->to,
	                             .data = arena_copy(arena, row->data),
	                             .operation = row->operation,
	                             .nonce = row->nonce};
	trial->executor = safe->owner_count > 0 ? safe->owners[0] : row->safe;
	trial->what =
	        row->has_nonce
	                ? arena_printf(arena, "its %s transaction with nonce %llu",
	                               purpose_name(row->purpose), (unsigned long long)row->nonce)
	                : arena_printf(arena, "its %s transaction", purpose_name(row->purpose));
	/* A delegatecall cannot be asked for from outside; what it would call can. */
	if (row->operation != 0) {
		try_inner_calls(trial, proposal);
		return;
	}
	trial->calls = arena_alloc(arena, sizeof(*trial->calls));
	*trial->calls = (struct path_step){.to = row->to, .data = trial->tx.data};
	trial->count = 1;
	trial->from = row->safe;
}

static void start(struct trials *trials, struct subject *subject, const struct proposal *proposal,
                  const struct safe_tx_row *row)
{
	struct trial *trial = trials->trial = xcalloc(1, sizeof(*trial));
	const struct safe_view *safe;

	trial->owner = trials;
	trial->subject = subject;
	if (row == NULL && proposal->state == STATE_DRAFTED) {
		try_first_steps(trial, proposal);
	} else if (row == NULL) {
		try_by_hand(trial, proposal);
	} else if (tracker_safe(trials->lane->tracker, &row->safe, &safe) == 0) {
		fill_from_row(trial, proposal, row, safe);
	}
	if (trial->count > 0 || trial->by_safe) {
		try_call(trial);
		return;
	}
	subject->due.ms = clock_mono().ms + chain_retry_max_ms(trials->lane->config);
	trial_free(trials);
}

/* --- what is due --------------------------------------------------------------------------------
 */

static struct subject *subject_of(struct trials *trials, struct proposal_id proposal,
                                  struct safe_tx_id row)
{
	for (struct subject *s = trials->subjects; s != NULL; s = s->next)
		if (s->proposal.n == proposal.n && s->row.n == row.n)
			return s;
	struct subject *s = xcalloc(1, sizeof(*s));
	s->proposal = proposal;
	s->row = row;
	s->since = s->due = clock_mono();
	s->next = trials->subjects;
	trials->subjects = s;
	return s;
}

/* Signed by enough owners and next in the Safe's order; without a service nobody here knows, so any
 * may be. */
static bool is_executable(const struct trials *trials, const struct config_target *target,
                          const struct proposal *proposal, const struct safe_tx_row *row)
{
	const struct safe_view *safe;

	if ((proposal->flags & FLAG_WITHDRAWING) != 0 || row->purpose == PURPOSE_REJECT ||
	    (row->purpose == PURPOSE_EXECUTE) != (proposal->state == STATE_EXECUTE) ||
	    tracker_safe(trials->lane->tracker, &row->safe, &safe) != 0)
		return false;
	if (row->status == SAFE_TX_DRAFTED)
		return target != NULL && target->service.kind == SERVICE_NONE;
	return row->status == SAFE_TX_QUEUED && row->nonce == safe->nonce && row->threshold > 0 &&
	       row->confirmations >= row->threshold;
}

struct pass {
	struct trials *trials;
	const struct live *live;
	int64_t wait_ms; /* until the next one is due; -1: none */
};

static void consider(struct pass *pass, const struct proposal *proposal,
                     const struct safe_tx_row *row)
{
	struct trials *trials = pass->trials;
	struct subject *subject =
	        subject_of(trials, proposal->id, row != NULL ? row->id : (struct safe_tx_id){0});
	int64_t wait = subject->due.ms - clock_mono().ms;

	subject->seen = true;
	if (subject->doubt == SUSPECT)
		return;
	if (wait <= 0 && trials->trial == NULL)
		start(trials, subject, proposal, row);
	else if (pass->wait_ms < 0 || wait < pass->wait_ms)
		pass->wait_ms = wait;
}

/* No key of ours sends it, and no Safe. */
static bool is_by_hand(const struct config_target *target, const struct proposal *proposal)
{
	if (proposal->state == STATE_EXECUTE)
		return target != NULL && target->execute != EXECUTE_SAFE &&
		       target->executor.file == NULL;
	return proposal->state == STATE_DRAFTED && address_is_zero(&proposal->safe) &&
	       !address_is_zero(&proposal->sender) && (proposal->flags & FLAG_WITHDRAWING) == 0 &&
	       (target == NULL || target->scheduler.file == NULL);
}

static void consider_proposal(struct pass *pass, const struct proposal *proposal)
{
	const struct config_target *target = lane_target(pass->trials->lane, proposal->target);
	const struct safe_tx_list *txs = live_txs(pass->live, proposal);

	if (is_by_hand(target, proposal))
		consider(pass, proposal, NULL);
	for (size_t i = 0; i < txs->count; i++)
		if (is_executable(pass->trials, target, proposal, &txs->items[i]))
			consider(pass, proposal, &txs->items[i]);
}

static bool is_tried(const char *name, void *arg)
{
	const struct trials *trials = arg;
	char text[SUBJECT_SIZE];

	for (const struct subject *s = trials->subjects; s != NULL; s = s->next)
		if (strcmp(proposal_subject(text, s->proposal), name) == 0)
			return true;
	return false;
}

static void forget_unseen(struct trials *trials)
{
	for (struct subject **link = &trials->subjects; *link != NULL;) {
		struct subject *subject = *link;
		bool busy = trials->trial != NULL && trials->trial->subject == subject;
		if (subject->seen || busy) {
			link = &subject->next;
			continue;
		}
		*link = subject->next;
		free(subject);
	}
	/* Nobody can execute it now, or somebody did. */
	troubles_keep(trials->lane->troubles, ALARM_CANNOT_RUN, is_tried, trials);
}

void trials_run(struct trials *trials)
{
	struct lane *lane = trials->lane;
	struct pass pass = {.trials = trials, .wait_ms = -1};

	/* What the store says must be as new as what is tried. */
	if (trials->trial != NULL || !lane->tracked || tracker_is_looking(lane->tracker))
		return;
	for (struct subject *s = trials->subjects; s != NULL; s = s->next)
		s->seen = false;
	const struct live *live = pass.live = live_hold(lane);
	for (size_t i = 0; i < live->proposals.count; i++) {
		const struct proposal *proposal = &live->proposals.items[i];
		if (proposal->state < STATE_EXECUTED && proposal->state != STATE_TIMELOCK)
			consider_proposal(&pass, proposal);
	}
	live_drop(live);
	forget_unseen(trials);
	if (trials->trial == NULL && pass.wait_ms >= 0)
		loop_timer_set(trials->timer, pass.wait_ms);
}

void trials_looked(struct trials *trials)
{
	for (struct subject *s = trials->subjects; s != NULL; s = s->next)
		if (s->doubt == SUSPECT)
			s->doubt = LOOKED_AT;
	trials_run(trials);
}
