#include "daemon/govern/lane.h"

#include "common/governance/delay.h"
#include "common/base/log.h"
#include "daemon/chain/follower.h"
#include "daemon/govern/change_watch.h"
#include "daemon/govern/blockage.h"
#include "daemon/govern/contested.h"
#include "daemon/govern/drafter.h"
#include "daemon/govern/endpoint_preflight.h"
#include "daemon/govern/enqueued.h"
#include "daemon/govern/executions.h"
#include "daemon/govern/executor.h"
#include "daemon/govern/hurry.h"
#include "daemon/govern/leftovers.h"
#include "daemon/govern/live.h"
#include "daemon/govern/proposer.h"
#include "daemon/govern/queue_watch.h"
#include "daemon/govern/recheck.h"
#include "daemon/govern/registry_watch.h"
#include "daemon/govern/safe_watch.h"
#include "daemon/govern/scheduled.h"
#include "daemon/govern/service_use.h"
#include "daemon/govern/tracker.h"
#include "daemon/govern/withdraw.h"
#include "daemon/govern/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What people made by other means, as far as the logs tell. */
static void look_at_others(struct lane *lane)
{
	if (lane->stopped)
		return;
	scheduled_run(lane);
	enqueued_run(lane->enqueued);
}

bool lane_looks_at_others(const struct lane *lane)
{
	return enqueued_is_looking(lane->enqueued) || executions_is_looking(lane->executions);
}

void lane_look_at_final(struct lane *lane)
{
	if (lane->stopped || lane_looks_at_others(lane))
		return;
	registry_watch_run(lane);
	change_watch_run(lane->changes);
}

static void run_stages(void *arg)
{
	struct lane *lane = arg;

	if (lane->stopped)
		return;
	registry_watch_held(lane);
	if (lane->have_head)
		look_at_others(lane);
	if (lane->track_due) {
		lane->track_due = false;
		tracker_run(lane->tracker);
	}
	/* Nothing is drafted before the logs since the last stop were read: a value may have been
	 * added, or removed for good, in the meantime. */
	if (!lane->have_head)
		return;
	endpoint_preflight_run(lane->preflight);
	if (!lane_looks_at_others(lane))
		drafter_run(lane->drafter);
	/* What the store says may be older than the last stop: nobody is asked to sign, and nothing
	 * is sent, for what others did in the meantime. */
	if (!lane->tracked)
		return;
	withdraw_run(lane->withdraw);
	hurry_run(lane);
	queue_watch_run(lane->queue_watch);
	proposer_run(lane->proposer);
	executor_run(lane->executor);
	leftovers_run(lane->leftovers);
	trials_run(lane->trials);
}

/* --- the chain as it comes ---------------------------------------------------------------------
 */

static void tell_silence(struct lane *lane)
{
	const struct block_ref *head = &lane->blocks.head;
	const char *name = lane->config->name;
	char at[WALL_TEXT_SIZE];

	if (hash32_is_zero(&head->hash))
		lane_alarm(lane, ALARM_NO_NEW_BLOCK, name, "no block was seen since the start: %s",
		           lane->last_error);
	else if (lane->last_error[0] != '\0')
		lane_alarm(lane, ALARM_NO_NEW_BLOCK, name, "no new block since %s, block %llu: %s",
		           wall_text_seconds(at, head->timestamp), (unsigned long long)head->number,
		           lane->last_error);
	else
		lane_alarm(lane, ALARM_NO_NEW_BLOCK, name,
		           "no new block since %s: block %llu is the newest that the endpoints "
		           "know; everything waits",
		           wall_text_seconds(at, head->timestamp),
		           (unsigned long long)head->number);
}

static void tell_clock(struct lane *lane, struct wall wall)
{
	int64_t ahead = block_watch_ahead_s(&lane->blocks, wall);
	char at[WALL_TEXT_SIZE], ours[WALL_TEXT_SIZE];

	lane_alarm(lane, ALARM_CLOCK, lane->config->name,
	           "this machine's clock says %s, the newest block %s: %lld minutes %s; set the "
	           "clock, unless it is the chain's",
	           wall_text(ours, wall), wall_text_seconds(at, lane->blocks.head.timestamp),
	           (long long)(ahead < 0 ? -ahead : ahead) / 60, ahead < 0 ? "behind" : "ahead");
}

static void look_around(struct lane *lane, const struct block_ref *head)
{
	struct wall wall = clock_wall();
	const char *name = lane->config->name;
	service_use_look(lane);
	unsigned news = block_watch_look(&lane->blocks, head, clock_mono(), wall,
	                                 lane->config->no_block_ms);

	if (news & BLOCKS_SILENT)
		tell_silence(lane);
	if (news & BLOCKS_CLOCK_OFF) {
		lane_alarm_clear(lane, ALARM_CLOCK, name); /* of the other direction */
		tell_clock(lane, wall);
	}
	if (news & BLOCKS_AGAIN) {
		log_info(name, "new blocks again: block %llu", (unsigned long long)head->number);
		lane_alarm_clear(lane, ALARM_NO_NEW_BLOCK, name);
	}
	if (news & BLOCKS_CLOCK_RIGHT)
		lane_alarm_clear(lane, ALARM_CLOCK, name);
}

static void ticked(const struct block_ref *head, const struct block_ref *final, size_t new_logs,
                   void *arg)
{
	struct lane *lane = arg;

	if (new_logs > 0) {
		lane->epoch++;
		trials_news(lane->trials);
	}
	lane->have_head = true;
	lane->head = *head;
	lane->final = *final;
	lane->head_seen = clock_wall();
	lane->last_error[0] = '\0';
	look_around(lane, head);
	look_at_others(lane);
	executions_run(lane->executions);
	lane_look_at_final(lane);
	safe_watch_run(lane);
	recheck_run(lane->recheck);
	queue_watch_ticked(lane->queue_watch);
	lane->track_due = true;
	run_stages(lane);
}

static void unmoved(const struct block_ref *head, const struct block_ref *final, void *arg)
{
	struct lane *lane = arg;

	(void) final;
	lane->head_seen = clock_wall();
	lane->last_error[0] = '\0';
	look_around(lane, head);
}

static void tick_failed(const struct error *error, void *arg)
{
	struct lane *lane = arg;

	memcpy(lane->last_error, error->text, sizeof(lane->last_error) - 1);
	look_around(lane, NULL);
}

static void reorganised(uint64_t common, uint64_t depth, void *arg)
{
	struct lane *lane = arg;

	(void)depth;
	lane->epoch++;
	lane->reorganised = true;
	lane->reorganised_above = common;
	/* What had ended by what is gone stands there again. */
	lane->scheduled_looked = false;
	enqueued_look_again(lane->enqueued);
}

static void stopped(const char *why, void *arg)
{
	struct lane *lane = arg;
	char *held = xasprintf("%s: nothing is decided on chain %s until `registrarctl resume %s`",
	                       why, lane->config->name, lane->config->name);

	lane->stopped = true;
	chain_hold(lane->chain, held);
	free(held);
	lane_changed(lane);
}

int lane_resume(struct lane *lane, struct error *error)
{
	const char *name = lane->config->name;

	if (!lane->stopped)
		return error_set(error, ERR_CONFLICT, "chain %s is not stopped", name);
	lane->stopped = false;
	recheck_begin(lane->recheck);
	lane->tracked = false; /* the store is behind the chain, as at the start */
	lane->epoch++;
	chain_hold(lane->chain, NULL);
	follower_resume(lane->follower);
	return 0;
}

struct lane *lane_new(struct govern *govern, const struct govern_parts *parts,
                      const struct config_chain *config)
{
	struct lane *lane = xcalloc(1, sizeof(*lane));

	lane->govern = govern;
	lane->parts = parts;
	lane->config = config;
	lane->epoch = 1;
	lane->chain = chain_new(parts->loop, parts->http, config);
	lane->budgets = service_use_load(parts);
	lane->troubles = troubles_new(parts->store, config->chain_id);
	lane->wake = loop_timer_new(parts->loop, run_stages, lane);
	lane->drafter = drafter_new(lane);
	lane->proposer = proposer_new(lane);
	lane->queue_watch = queue_watch_new(lane);
	lane->enqueued = enqueued_new(lane);
	lane->executions = executions_new(lane);
	lane->tracker = tracker_new(lane);
	lane->executor = executor_new(lane);
	lane->trials = trials_new(lane);
	lane->blockage = blockage_new(lane);
	lane->changes = change_watch_new(lane);
	lane->preflight = endpoint_preflight_new(lane);
	lane->withdraw = withdraw_new(lane);
	lane->leftovers = leftovers_new(lane);
	lane->recheck = recheck_new(lane);
	lane->contested = contested_new(lane);
	block_watch_begin(&lane->blocks, clock_mono());
	lane->follower = follower_new(parts->loop, lane->chain, parts->store,
	                              &(struct follower_callbacks){.ticked = ticked,
	                                                           .unmoved = unmoved,
	                                                           .failed = tick_failed,
	                                                           .reorganised = reorganised,
	                                                           .stopped = stopped},
	                              lane);
	return lane;
}

void lane_free(struct lane *lane)
{
	if (lane == NULL)
		return;
	follower_free(lane->follower);
	endpoint_preflight_free(lane->preflight);
	change_watch_free(lane->changes);
	leftovers_free(lane->leftovers);
	withdraw_free(lane->withdraw);
	blockage_free(lane->blockage);
	trials_free(lane->trials);
	recheck_free(lane->recheck);
	contested_free(lane->contested);
	executor_free(lane->executor);
	tracker_free(lane->tracker);
	executions_free(lane->executions);
	enqueued_free(lane->enqueued);
	queue_watch_free(lane->queue_watch);
	proposer_free(lane->proposer);
	drafter_free(lane->drafter);
	loop_timer_free(lane->wake);
	chain_free(lane->chain);
	free(lane->budgets);
	troubles_free(lane->troubles);
	live_drop(lane->live);
	free(lane);
}

void lane_wake(struct lane *lane)
{
	loop_timer_set(lane->wake, 0);
}

void lane_track(struct lane *lane)
{
	lane->track_due = true;
	lane_wake(lane);
}

void lane_doubt(struct lane *lane)
{
	lane->epoch++;
	follower_tick_now(lane->follower);
}

int64_t lane_age_ms(const struct lane *lane, struct wall since)
{
	int64_t ours = clock_wall().ms - since.ms;
	int64_t chains = (int64_t)lane->blocks.head.timestamp * 1000 - since.ms;
	int64_t age = ours < chains ? ours : chains;

	return age > 0 ? age : 0;
}

struct wall lane_expiry(const struct lane *lane, const struct config_target *target)
{
	int64_t ours = clock_wall().ms;
	int64_t chains = (int64_t)lane->head.timestamp * 1000;

	return (struct wall){(ours > chains ? ours : chains) + target->expire_ms};
}

const struct config_target *lane_target(const struct lane *lane, const char *name)
{
	return config_target_find(lane->parts->config, name);
}

/* --- alarms ----------------------------------------------------------------------------------- */

/* Of any length: it may list a whole batch. */
static char *text_of(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		die("out of memory");
	return text;
}

void lane_alarm(struct lane *lane, enum alarm alarm, const char *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = text_of(fmt, args);
	va_end(args);
	troubles_tell(lane->troubles, alarm, subject, text);
	free(text);
}

void lane_alarm_once(struct lane *lane, enum alarm alarm, const char *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = text_of(fmt, args);
	va_end(args);
	store_alarm(lane->parts->store, alarm, subject, "%s", text);
	free(text);
}

bool lane_alarmed(const struct lane *lane, enum alarm alarm, const char *subject)
{
	return troubles_stands(lane->troubles, alarm, subject);
}

void lane_alarm_clear(struct lane *lane, enum alarm alarm, const char *subject)
{
	troubles_over(lane->troubles, alarm, subject);
}

/* --- small things every stage needs -------------------------------------------------------------
 */

char *proposal_subject(char text[SUBJECT_SIZE], struct proposal_id id)
{
	snprintf(text, SUBJECT_SIZE, "p%lld", (long long)id.n);
	return text;
}

char *measurement_subject(char text[SUBJECT_SIZE], struct measurement_id id)
{
	snprintf(text, SUBJECT_SIZE, "m%lld", (long long)id.n);
	return text;
}

struct path proposal_path(struct arena *arena, const struct proposal *proposal)
{
	struct timelock_batch batch = proposal_batch(arena, proposal);
	struct delay_entry entry;
	struct address multisend = {0};

	/* The entry's own hash tells through which of the known ones it goes. */
	if (proposal->model == MODEL_DELAY && batch.count > 1 &&
	    delay_entry_find(&entry, arena, batch.calls, batch.count, &proposal->operation_id) == 0)
		multisend = entry.to;
	return (struct path){.model = proposal->model,
	                     .safe = proposal->safe,
	                     .timelock = proposal->timelock,
	                     .multisend = multisend,
	                     .calls = batch.calls,
	                     .count = batch.count,
	                     .salt = batch.salt,
	                     .predecessor = batch.predecessor,
	                     .single = batch.single,
	                     .delay = proposal->delay};
}

struct timelock_batch proposal_batch(struct arena *arena, const struct proposal *proposal)
{
	struct contract_call *calls = arena_array(arena, proposal->call_count, sizeof(*calls));

	for (size_t i = 0; i < proposal->call_count; i++)
		calls[i] = (struct contract_call){.to = proposal->calls[i].to,
		                                  .data = proposal->calls[i].data};
	return (struct timelock_batch){.calls = calls,
	                               .count = proposal->call_count,
	                               .predecessor = proposal->predecessor,
	                               .salt = proposal->salt,
	                               .single = proposal->single};
}

enum { BACKOFF_FIRST_MS = 1000, BACKOFF_DOUBLINGS = 16 };

void backoff_failed(struct backoff *backoff, struct mono now, int64_t max_ms)
{
	unsigned doublings =
	        backoff->failures < BACKOFF_DOUBLINGS ? backoff->failures : BACKOFF_DOUBLINGS;
	int64_t wait = (int64_t)BACKOFF_FIRST_MS << doublings;

	backoff->failures++;
	backoff->next.ms = now.ms + (wait < max_ms ? wait : max_ms);
}

static int64_t retry_max_ms(int64_t poll_ms, int64_t most_ms)
{
	int64_t wait = RETRY_MAX_POLLS * poll_ms;

	if (wait < BACKOFF_FIRST_MS)
		return BACKOFF_FIRST_MS;
	return wait < most_ms ? wait : most_ms;
}

int64_t service_retry_max_ms(const struct config_target *target)
{
	return retry_max_ms(target->service.poll_ms, SERVICE_RETRY_MAX_MS);
}

int64_t chain_retry_max_ms(const struct config_chain *chain)
{
	return retry_max_ms(chain->poll_ms, CHAIN_RETRY_MAX_MS);
}

void backoff_worked(struct backoff *backoff)
{
	*backoff = (struct backoff){0};
}

bool backoff_ready(const struct backoff *backoff, struct mono now)
{
	return backoff->failures == 0 || now.ms >= backoff->next.ms;
}

int64_t backoff_wait_ms(const struct backoff *backoff, struct mono now)
{
	return backoff_ready(backoff, now) ? 0 : backoff->next.ms - now.ms;
}
