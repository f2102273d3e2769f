/* The order of a draft: gathered, compared with the chain, rehearsed, stored. */
#include "daemon/govern/drafter.h"

#include "common/base/log.h"
#include "daemon/govern/draft.h"
#include "daemon/govern/draft_file.h"

#include <inttypes.h>
#include <stdlib.h>

struct drafter {
	struct lane *lane;
	struct loop_timer *timer;
	struct draft *draft; /* under way, else NULL */
	struct chain_op *op;
	struct backoff backoff;       /* of the chain, which is everybody's */
	struct backoff *targets;      /* of each target of the configuration, by itself */
	size_t next_target;           /* of the configuration: where the pass over them stands */
	struct measurement_id *aside; /* of that target: they wait for finality */
	size_t aside_count;
	bool waiting; /* something becomes due later: the earliest seen in this pass */
	struct mono due;
	bool again; /* asked to run while a draft was under way */
};

static void end_draft(struct drafter *drafter)
{
	draft_free(drafter->draft);
	drafter->draft = NULL;
}

static void timer_fired(void *arg)
{
	drafter_run(arg);
}

struct drafter *drafter_new(struct lane *lane)
{
	struct drafter *drafter = xcalloc(1, sizeof(*drafter));

	drafter->lane = lane;
	drafter->timer = loop_timer_new(lane->parts->loop, timer_fired, drafter);
	drafter->targets =
	        xcalloc(lane->parts->config->target_count + 1, sizeof(*drafter->targets));
	return drafter;
}

void drafter_free(struct drafter *drafter)
{
	if (drafter == NULL)
		return;
	chain_cancel(drafter->op);
	end_draft(drafter);
	loop_timer_free(drafter->timer);
	free(drafter->aside);
	free(drafter->targets);
	free(drafter);
}

static void pass_on(struct drafter *drafter)
{
	drafter->next_target++;
	drafter->aside_count = 0;
}

/* What of the draft waits for finality keeps nothing else of its target waiting. False: nothing
 * does. */
static bool set_waiting_aside(struct drafter *drafter)
{
	const struct draft *draft = drafter->draft;
	size_t before = drafter->aside_count;

	drafter->aside =
	        xrealloc(drafter->aside, (before + draft->count + 1) * sizeof(*drafter->aside));
	for (size_t i = 0; i < draft->count; i++)
		if (draft->items[i].waits)
			drafter->aside[drafter->aside_count++] = draft->items[i].measurement.id;
	return drafter->aside_count > before;
}

/* The draft under way is over; look whether there is another one. */
static void next(struct drafter *drafter)
{
	end_draft(drafter);
	drafter_run(drafter);
}

static void set_due(struct drafter *drafter, int64_t due)
{
	if (!drafter->waiting || due < drafter->due.ms)
		drafter->due.ms = due;
	drafter->waiting = true;
}

static void fail(struct drafter *drafter, struct backoff *backoff, const struct error *error)
{
	if (backoff->failures == 0)
		log_unusual(drafter->draft->target->name, "drafting waits for the chain: %s",
		            error->text);
	backoff_failed(backoff, clock_mono(), chain_retry_max_ms(drafter->lane->config));
}

/* The chain does not answer, whoever asks. */
static void give_up_chain(struct drafter *drafter, const struct error *error)
{
	fail(drafter, &drafter->backoff, error);
	end_draft(drafter);
	loop_timer_set(drafter->timer, backoff_wait_ms(&drafter->backoff, clock_mono()));
}

/* It may be this target's contracts that do not answer: that keeps no other waiting. */
static void give_up(struct drafter *drafter, const struct error *error)
{
	struct backoff *backoff = &drafter->targets[drafter->next_target];

	fail(drafter, backoff, error);
	set_due(drafter, backoff->next.ms);
	pass_on(drafter);
	next(drafter);
}

static void give_up_because(struct drafter *drafter, const char *what)
{
	struct error error;

	error_set(&error, ERR_UNAVAILABLE, "%s", what);
	give_up(drafter, &error);
}

static bool failed(struct drafter *drafter, const struct error *error)
{
	drafter->op = NULL;
	if (error != NULL)
		give_up(drafter, error);
	return error != NULL;
}

static void worked(struct drafter *drafter)
{
	backoff_worked(&drafter->targets[drafter->next_target]);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void finish(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;
	struct lane *lane = drafter->lane;
	bool scheduled = draft->attempt_seen == ATTEMPT_PENDING;
	char subject[SUBJECT_SIZE];

	worked(drafter);
	if (!draft_still_wanted(draft)) {
		next(drafter);
		return;
	}
	struct proposal_id id = draft_store(draft);
	log_info(proposal_subject(subject, id), "%s for %s: %zu calls",
	         scheduled ? "found scheduled" : "drafted", draft->target->name, draft->path.count);
	draft_file_write(lane, id);
	lane_changed(lane);
	if (scheduled)
		lane_track(lane);
	else
		lane_wake(lane);
	next(drafter);
}

static void ask_again(struct drafter *drafter);

static void rehearsed(const struct error *error, void *arg)
{
	struct drafter *drafter = arg;
	struct draft *draft = drafter->draft;

	if (failed(drafter, error))
		return;
	if (draft_reverted(draft)) {
		draft_hold_reverted(draft);
		next(drafter); /* what did not revert is drafted without the others */
	} else if (draft->reduced) {
		ask_again(drafter);
	} else {
		finish(drafter);
	}
}

/* One that is there under an id of ours is followed; calls that others carry wait for them. */
static void decide_operation(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;

	if (!draft->delay_known || draft->attempt_seen == ATTEMPT_UNKNOWN) {
		give_up_because(drafter, draft->delay_known
		                                 ? "the timelock does not answer getTimestamp"
		                                 : "the timelock does not answer getMinDelay");
	} else if (draft->attempt_seen == ATTEMPT_TAKEN) {
		draft->first_attempt += DRAFT_ATTEMPTS;
		ask_again(drafter);
	} else if (draft->attempt_seen == ATTEMPT_FOUND && draft_set_apart(draft)) {
		draft->reduced = true;
		ask_again(drafter);
	} else {
		draft_make_steps(draft);
		if (draft->attempt_seen == ATTEMPT_PENDING)
			finish(drafter);
		else
			draft_rehearse(draft, rehearsed, drafter);
	}
}

static void found_multisend(const struct error *error, void *arg)
{
	struct drafter *drafter = arg;
	struct draft *draft = drafter->draft;

	if (error != NULL && error->code == ERR_DENIED) {
		draft_hold(draft, ALARM_MULTISEND, error->text);
		next(drafter);
	} else if (failed(drafter, error)) {
		return;
	} else if (path_caller(draft->path.model) == PATH_AVATAR) {
		draft_find_entry(draft); /* its hash has MultiSendCallOnly in it */
		decide_operation(drafter);
	} else {
		draft_make_steps(draft);
		draft_rehearse(draft, rehearsed, drafter);
	}
}

/* --- what the chain answered ------------------------------------------------------------------ */

static void decide(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;

	draft_settle(draft);
	if (draft_kept(draft) == 0 || draft_stopped_by_owner(draft)) {
		worked(drafter);
		if (!set_waiting_aside(drafter))
			pass_on(drafter);
		next(drafter);
	} else if (draft->reduced) {
		ask_again(drafter);
	} else if (path_caller(draft->path.model) == PATH_TIMELOCK) {
		decide_operation(drafter);
	} else if (draft_set_owners_apart(draft)) {
		ask_again(drafter);
	} else if (path_needs_multisend(&draft->path)) {
		draft_find_multisend(draft, found_multisend, drafter);
	} else {
		found_multisend(NULL, drafter);
	}
}

static void final_answered(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg)
{
	struct drafter *drafter = arg;

	(void)count;
	if (failed(drafter, error))
		return;
	draft_take_final_checks(drafter->draft, results);
	/* What is there already is dropped now, so the other answers of the head are not needed. */
	decide(drafter);
}

/* Something is there already: is it there for good? */
static void ask_final(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;
	struct reads reads = {.arena = &draft->arena};

	draft_ask_checks(draft, &reads, true);
	drafter->op = chain_read_many(drafter->lane->chain, &draft->final, reads.items, reads.count,
	                              final_answered, drafter);
}

static void answered(const struct error *error, const struct chain_read_result *results,
                     size_t count, void *arg)
{
	struct drafter *drafter = arg;
	struct draft *draft = drafter->draft;
	struct error problem;

	(void)count;
	if (failed(drafter, error))
		return;
	bool there = draft_take_checks(draft, results);
	if (draft_take_way(draft, results, &problem) == ERR_UNAVAILABLE) {
		give_up(drafter, &problem);
	} else if (problem.code != 0) {
		draft_hold(draft,
		           path_caller(draft->path.model) == PATH_OWNER ? ALARM_OWNER_UNREADABLE
		                                                        : ALARM_MULTISEND,
		           problem.text);
		next(drafter);
	} else if (there) {
		ask_final(drafter);
	} else {
		decide(drafter);
	}
}

/* Reads at the head: the checks, and what this way of governance needs to know. */
static void ask(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;
	struct reads reads = {.arena = &draft->arena};

	draft_make_batch(draft);
	draft_ask_checks(draft, &reads, false);
	draft_ask_way(draft, &reads);
	drafter->op = chain_read_many(drafter->lane->chain, &draft->head, reads.items, reads.count,
	                              answered, drafter);
}

/* Other candidates are another batch: everything that depends on it is asked for once more. */
static void ask_again(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;

	if (draft->reduced)
		draft->first_attempt = 0;
	draft->reduced = false;
	if (draft_kept(draft) > 0)
		ask(drafter);
	else
		next(drafter);
}

static void head_answered(const struct error *error, const struct block_ref *head,
                          const struct block_ref *final, void *arg)
{
	struct drafter *drafter = arg;

	const struct lane *lane = drafter->lane;
	struct error behind;

	drafter->op = NULL;
	/* A removal, and whether there is anything to remove, is not judged by what is old. */
	if (error == NULL && lane->have_head && head->number < lane->head.number) {
		error_set(&behind, ERR_UNAVAILABLE,
		          "the endpoints are at block %" PRIu64 ", below block %" PRIu64
		          " that was read",
		          head->number, lane->head.number);
		error = &behind;
	}
	if (error != NULL) {
		give_up_chain(drafter, error);
		return;
	}
	backoff_worked(&drafter->backoff);
	drafter->draft->head = *head;
	drafter->draft->final = *final;
	ask(drafter);
}

/* --- what is due --------------------------------------------------------------------------------
 */

static bool start(struct drafter *drafter, const struct config_target *target)
{
	struct lane *lane = drafter->lane;
	struct draft *draft = draft_new(lane, target);
	struct gathered gathered;

	drafter->draft = draft;
	store_begin(lane->parts->store);
	gather(&gathered, &draft->arena, lane, target,
	       (struct gather_skip){drafter->aside, drafter->aside_count}, clock_wall());
	store_commit(lane->parts->store);
	if (gathered.wait_ms >= 0)
		set_due(drafter, clock_mono().ms + gathered.wait_ms);
	if (gathered.count == 0) {
		end_draft(drafter);
		return false;
	}
	draft->items = gathered.items;
	draft->count = gathered.count;
	draft->urgent = gathered.urgent;
	draft->facts = arena_array(&draft->arena, draft->count, sizeof(*draft->facts));
	drafter->op = chain_head(lane->chain, head_answered, drafter);
	return true;
}

void drafter_run(struct drafter *drafter)
{
	const struct config *config = drafter->lane->parts->config;
	struct mono now = clock_mono();

	if (drafter->lane->stopped)
		return;
	if (drafter->draft != NULL) {
		drafter->again = true;
		return;
	}
	if (!backoff_ready(&drafter->backoff, now))
		return;
	if (drafter->again)
		drafter->next_target = drafter->aside_count = 0;
	drafter->again = false;
	if (drafter->next_target == 0)
		drafter->waiting = false;
	for (; drafter->next_target < config->target_count; pass_on(drafter)) {
		const struct config_target *target = &config->targets[drafter->next_target];
		const struct backoff *backoff = &drafter->targets[drafter->next_target];
		if (!backoff_ready(backoff, now))
			set_due(drafter, backoff->next.ms);
		else if (target->chain == drafter->lane->config && start(drafter, target))
			return;
	}
	drafter->next_target = 0;
	if (drafter->waiting)
		loop_timer_set(drafter->timer,
		               drafter->due.ms > now.ms ? drafter->due.ms - now.ms : 0);
}
