#include "daemon/govern/drafter.h"

#include "common/base/log.h"
#include "common/eth/revert.h"
#include "common/governance/timelock.h"
#include "common/store/store_event.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/gather.h"
#include "daemon/govern/scheduled.h"

#include <stdlib.h>
#include <string.h>

/* How many salts are asked about in one read; more are asked for only when all of them are known.
 */
enum { ATTEMPTS = 8 };

/* One draft being made: lives until it is stored or given up. */
struct draft {
	struct drafter *drafter;
	struct arena arena;
	const struct config_target *target;
	struct block_ref head, final;
	struct candidate *items;
	size_t count;
	size_t delay_read, attempt_reads[ATTEMPTS];
	uint64_t first_attempt;
	bool reduced; /* a candidate was dropped since the operation ids were asked for */
	bool delay_known;
	enum { ATTEMPT_UNKNOWN, ATTEMPT_FOUND, ATTEMPT_PENDING, ATTEMPT_TAKEN } attempt_seen;

	struct timelock_batch batch; /* of the candidates still in */
	uint64_t attempt, delay;
	struct buf schedule; /* calldata of scheduleBatch */
	struct simulation *simulations;
	size_t pending;   /* simulations not answered yet */
	bool unavailable; /* one of them got no answer */
	char *schedule_revert;
};

struct simulation {
	struct draft *draft;
	struct candidate *candidate; /* NULL: the schedule itself */
	struct chain_op *op;
};

struct drafter {
	struct lane *lane;
	struct loop_timer *timer;
	struct draft *draft; /* under way, else NULL */
	struct chain_op *op;
	struct backoff backoff;
	size_t next_target; /* of the configuration: where the pass over them stands */
	bool waiting;       /* something becomes due later: the earliest seen in this pass */
	struct mono due;
	bool again; /* asked to run while a draft was under way */
};

static void draft_free(struct drafter *drafter)
{
	struct draft *draft = drafter->draft;

	if (draft == NULL)
		return;
	for (size_t i = 0; draft->simulations != NULL && i <= draft->count; i++)
		chain_cancel(draft->simulations[i].op);
	buf_free(&draft->schedule);
	arena_free(&draft->arena);
	free(draft);
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
	return drafter;
}

void drafter_free(struct drafter *drafter)
{
	if (drafter == NULL)
		return;
	chain_cancel(drafter->op);
	draft_free(drafter);
	loop_timer_free(drafter->timer);
	free(drafter);
}

/* The draft under way is over; look whether there is another one. */
static void next(struct drafter *drafter)
{
	draft_free(drafter);
	drafter_run(drafter);
}

static void give_up(struct drafter *drafter, const struct error *error)
{
	struct mono now = clock_mono();

	if (drafter->backoff.failures == 0)
		log_unusual(drafter->draft->target->name, "drafting waits for the chain: %s",
		            error->text);
	backoff_failed(&drafter->backoff, now, chain_retry_max_ms(drafter->lane->config));
	draft_free(drafter);
	loop_timer_set(drafter->timer, backoff_wait_ms(&drafter->backoff, now));
}

/* --- storing ---------------------------------------------------------------------------------- */

static size_t kept(const struct draft *draft)
{
	size_t count = 0;

	for (size_t i = 0; i < draft->count; i++)
		count += !draft->items[i].dropped;
	return count;
}

static void hold_reverted(struct draft *draft)
{
	struct lane *lane = draft->drafter->lane;
	struct store *store = lane->parts->store;

	store_begin(store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (c->dropped || (!c->reverted && draft->schedule_revert == NULL))
			continue;
		const char *what = c->reverted ? kind_signature(c->call.kind, c->call.action)
		                               : "scheduleBatch";
		const char *from = c->reverted ? "the timelock" : "the Safe";
		const char *said = c->reverted ? c->revert : draft->schedule_revert;
		store_measurement_set_status(store, c->measurement.id, MEASUREMENT_HELD,
		                             arena_printf(&draft->arena,
		                                          "simulation: %s from %s reverts: %s",
		                                          what, from, said));
	}
	store_commit(store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		char subject[SUBJECT_SIZE];
		if (!c->dropped && (c->reverted || draft->schedule_revert != NULL))
			lane_alarm(lane, ALARM_SIMULATION_REVERTS,
			           measurement_subject(subject, c->measurement.id),
			           "not proposed, its simulation reverts: %s",
			           c->reverted ? c->revert : draft->schedule_revert);
	}
	lane_changed(lane);
}

/* A person may have said hold, or another draft taken the call, while the chain was asked. */
static bool still_wanted(struct draft *draft)
{
	struct store *store = draft->drafter->lane->parts->store;

	for (size_t i = 0; i < draft->count; i++) {
		struct measurement now;
		if (!draft->items[i].dropped &&
		    (store_measurement_get(store, &draft->arena, draft->items[i].measurement.id,
		                           &now) != 0 ||
		     now.status != MEASUREMENT_NEW || !now.wanted))
			return false;
	}
	return true;
}

static struct proposal_id store_draft(struct draft *draft)
{
	struct lane *lane = draft->drafter->lane;
	const struct config_target *target = draft->target;
	struct store *store = lane->parts->store;
	struct call *calls = arena_array(&draft->arena, draft->batch.count, sizeof(*calls));
	struct proposal_id id;
	struct error error;
	/* The timelock has this very batch already, e.g. since a backup older than that was
	 * restored: it is followed, and nobody is asked again. */
	bool scheduled = draft->attempt_seen == ATTEMPT_PENDING;

	/* In the order of the batch, which is not the order of the candidates. */
	for (size_t i = 0; i < draft->batch.count; i++)
		for (size_t k = 0; k < draft->count; k++)
			if (!draft->items[k].dropped &&
			    address_equal(&draft->items[k].call.to, &draft->batch.calls[i].to) &&
			    bytes_equal(draft->items[k].call.data, draft->batch.calls[i].data))
				calls[i] = draft->items[k].call;
	struct new_proposal proposal = {
	        .target = target->name,
	        .origin = scheduled ? "external" : "registrard",
	        .chain_id = lane->config->chain_id,
	        .model = target->model,
	        .safe = target->safe,
	        .timelock = target->timelock,
	        .salt = draft->batch.salt,
	        .operation_id = timelock_operation_id(&draft->batch),
	        .attempt = draft->attempt,
	        .delay = draft->delay,
	        .drafted_after = scheduled ? 0 : draft->final.number,
	        .expires_at = {clock_wall().ms + target->expire_ms},
	        .reason = "every call was simulated and would succeed",
	        .calls = calls,
	        .call_count = draft->batch.count,
	};
	store_begin(store);
	if (store_proposal_create(store, &proposal, &id, &error) != 0)
		die("a draft that was checked cannot be stored: %s", error.text);
	for (size_t k = 0; k < draft->count; k++)
		if (!draft->items[k].dropped)
			store_call_serve(store, lane->config->chain_id, &draft->items[k].call.to,
			                 draft->items[k].call.data, draft->items[k].measurement.id);
	struct safe_tx_id tx = store_safe_tx_add(store, id, PURPOSE_SCHEDULE, &target->safe,
	                                         &target->timelock, buf_bytes(&draft->schedule), 0);
	if (scheduled)
		store_safe_tx_set_status(store, tx, SAFE_TX_EXECUTED, NULL, 0);
	store_commit(store);
	return id;
}

static void finish_draft(struct draft *draft)
{
	struct drafter *drafter = draft->drafter;
	struct lane *lane = drafter->lane;
	char subject[SUBJECT_SIZE];

	if (!still_wanted(draft)) {
		next(drafter);
		return;
	}
	bool scheduled = draft->attempt_seen == ATTEMPT_PENDING;
	struct proposal_id id = store_draft(draft);
	log_info(proposal_subject(subject, id), "%s for %s: %zu calls",
	         scheduled ? "found scheduled" : "drafted", draft->target->name,
	         draft->batch.count);
	draft_file_write(lane, id);
	lane_changed(lane);
	if (scheduled)
		lane_track(lane);
	else
		lane_wake(lane);
	next(drafter);
}

/* --- simulation ------------------------------------------------------------------------------- */

static void simulated_all(struct draft *draft)
{
	struct drafter *drafter = draft->drafter;
	bool reverted = draft->schedule_revert != NULL;

	if (draft->unavailable) {
		struct error error;
		error_set(&error, ERR_UNAVAILABLE, "a simulation got no answer");
		give_up(drafter, &error);
		return;
	}
	for (size_t i = 0; i < draft->count; i++)
		reverted |= !draft->items[i].dropped && draft->items[i].reverted;
	backoff_worked(&drafter->backoff);
	if (!reverted) {
		finish_draft(draft);
		return;
	}
	hold_reverted(draft);
	next(drafter); /* what did not revert is drafted without the others */
}

static void simulated(const struct error *error, const struct chain_read_result *result, void *arg)
{
	struct simulation *simulation = arg;
	struct draft *draft = simulation->draft;

	simulation->op = NULL;
	if (error != NULL) {
		draft->unavailable = true;
	} else if (!result->success) {
		char *text =
		        arena_strdup(&draft->arena, revert_text(&draft->arena, result->returned));
		if (simulation->candidate == NULL) {
			draft->schedule_revert = text;
		} else {
			simulation->candidate->reverted = true;
			simulation->candidate->revert = text;
		}
	}
	if (--draft->pending == 0)
		simulated_all(draft);
}

/* Each inner call from its final caller, and the schedule from the Safe. */
static void simulate(struct draft *draft)
{
	struct chain *chain = draft->drafter->lane->chain;
	const struct config_target *target = draft->target;

	draft->simulations =
	        arena_array(&draft->arena, draft->count + 1, sizeof(*draft->simulations));
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		draft->simulations[i] = (struct simulation){.draft = draft, .candidate = c};
		if (c->dropped)
			continue;
		draft->pending++;
		draft->simulations[i].op =
		        chain_simulate(chain, &target->timelock, &c->call.to, c->call.data,
		                       simulated, &draft->simulations[i]);
	}
	struct simulation *last = &draft->simulations[draft->count];
	*last = (struct simulation){.draft = draft};
	draft->pending++;
	last->op = chain_simulate(chain, &target->safe, &target->timelock,
	                          buf_bytes(&draft->schedule), simulated, last);
}

/* --- what the chain has already -----------------------------------------------------------------
 */

/* Two measurements may need the same call (compose_registry: kms); the batch holds it once. */
static bool earlier_has_call(const struct draft *draft, size_t index)
{
	const struct call *call = &draft->items[index].call;

	for (size_t i = 0; i < index; i++)
		if (!draft->items[i].dropped &&
		    address_equal(&draft->items[i].call.to, &call->to) &&
		    bytes_equal(draft->items[i].call.data, call->data))
			return true;
	return false;
}

static void make_batch(struct draft *draft)
{
	struct contract_call *calls = arena_array(&draft->arena, draft->count, sizeof(*calls));
	size_t count = 0;

	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped && !earlier_has_call(draft, i))
			calls[count++] = (struct contract_call){.to = draft->items[i].call.to,
			                                        .data = draft->items[i].call.data};
	draft->batch = (struct timelock_batch){.calls = calls, .count = count};
	calls_order(calls, count);
}

static struct hash32 salt_of(const struct draft *draft, uint64_t attempt)
{
	return timelock_salt(&draft->batch, draft->drafter->lane->config->chain_id,
	                     &draft->target->timelock, attempt);
}

static void ask(struct draft *draft);

static void ask_check(struct draft *draft, const struct candidate *c, struct check_slot *slot,
                      struct reads *reads)
{
	struct registry_call call = {.contract = c->call.to, .as = c->call.kind};

	check_add(slot, reads, draft->target->check, &call, &c->call.value);
}

/* Settles what is there already, holds what cannot be checked. */
static void settle(struct draft *draft)
{
	static const char no_check[] = "the contract answers no check for it: is its address right "
	                               "in the configuration?";
	struct lane *lane = draft->drafter->lane;
	struct store *store = lane->parts->store;
	char subject[SUBJECT_SIZE];

	store_begin(store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (c->dropped || c->head == CHECK_NO)
			continue;
		c->dropped = draft->reduced = true;
		if (c->head == CHECK_UNKNOWN) {
			store_measurement_set_status(store, c->measurement.id, MEASUREMENT_HELD,
			                             no_check);
			lane_alarm_once(lane, ALARM_NO_CHECK,
			                measurement_subject(subject, c->measurement.id),
			                "not proposed: %s", no_check);
		} else if (c->final == CHECK_YES) {
			store_measurement_set_status(store, c->measurement.id,
			                             MEASUREMENT_AUTHORIZED,
			                             "already authorized on chain");
		}
		/* else: on chain but not final yet; it stays new and is looked at again */
	}
	store_commit(store);
	if (draft->reduced)
		lane_changed(lane);
}

/* Nothing of the candidates is the batch that the timelock has, but it has all of their calls. */
static void hold_scheduled(struct draft *draft, const struct hash32 *operation)
{
	struct lane *lane = draft->drafter->lane;
	char hash[HASH32_TEXT_SIZE], subject[SUBJECT_SIZE];
	const char *reason = arena_printf(
	        &draft->arena,
	        "operation %s of the timelock, which is not ours, makes its call already",
	        hash32_text(hash, operation));

	store_begin(lane->parts->store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (c->dropped)
			continue;
		c->dropped = true;
		store_measurement_set_status(lane->parts->store, c->measurement.id,
		                             MEASUREMENT_HELD, reason);
		lane_alarm_once(lane, ALARM_SCHEDULED_ELSEWHERE,
		                measurement_subject(subject, c->measurement.id), "not proposed: %s",
		                reason);
	}
	store_commit(lane->parts->store);
	lane_changed(lane);
}

/* Leaves those in the draft that no operation carries or, when there are none, those of one
 * operation, which may be that very batch; the others' turn comes after it. True when some were set
 * apart. */
static bool set_apart(struct draft *draft)
{
	struct lane *lane = draft->drafter->lane;
	const struct address *timelock = &draft->target->timelock;
	struct hash32 *operations = arena_array(&draft->arena, draft->count, sizeof(*operations));
	const struct hash32 *keep = NULL;
	bool apart = false, some_free = false;

	for (size_t i = 0; i < draft->count; i++) {
		const struct candidate *c = &draft->items[i];
		struct contract_call call = {.to = c->call.to, .data = c->call.data};
		operations[i] = (struct hash32){0};
		if (c->dropped)
			continue;
		if (!scheduled_elsewhere(lane, &draft->arena, timelock, &call, NULL,
		                         &operations[i]))
			some_free = true;
		else if (keep == NULL)
			keep = &operations[i];
	}
	if (keep == NULL)
		return false;
	const struct hash32 kept_operation = some_free ? (struct hash32){0} : *keep;
	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped && !hash32_equal(&operations[i], &kept_operation))
			draft->items[i].dropped = apart = true;
	if (!apart)
		hold_scheduled(draft, &kept_operation);
	return true;
}

static void find_attempt(struct draft *draft, const struct chain_read_result *results)
{
	draft->attempt_seen = ATTEMPT_TAKEN;
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		uint64_t timestamp;
		if (reads_u64(&timestamp, &results[draft->attempt_reads[i]]) != 0) {
			draft->attempt_seen = ATTEMPT_UNKNOWN;
			return;
		}
		if (timestamp != TIMELOCK_TIMESTAMP_DONE) {
			draft->attempt_seen = timestamp == TIMELOCK_TIMESTAMP_UNSET
			                              ? ATTEMPT_FOUND
			                              : ATTEMPT_PENDING;
			draft->attempt = draft->first_attempt + i;
			draft->batch.salt = salt_of(draft, draft->attempt);
			return;
		}
	}
}

static void decide(struct draft *draft)
{
	struct drafter *drafter = draft->drafter;
	struct error error;

	settle(draft);
	if (kept(draft) == 0) {
		backoff_worked(&drafter->backoff);
		drafter->next_target++;
		next(drafter);
	} else if (draft->reduced) {
		draft->reduced = false;
		draft->first_attempt = 0;
		ask(draft);
	} else if (!draft->delay_known || draft->attempt_seen == ATTEMPT_UNKNOWN) {
		error_set(&error, ERR_UNAVAILABLE, "the timelock does not answer %s",
		          draft->delay_known ? "getTimestamp" : "getMinDelay");
		give_up(drafter, &error);
	} else if (draft->attempt_seen == ATTEMPT_TAKEN) {
		draft->first_attempt += ATTEMPTS;
		ask(draft);
	} else if (draft->attempt_seen == ATTEMPT_FOUND && set_apart(draft)) {
		draft->first_attempt = 0;
		if (kept(draft) > 0)
			ask(draft);
		else
			next(drafter);
	} else {
		buf_clear(&draft->schedule);
		timelock_encode_schedule(&draft->schedule, &draft->batch, draft->delay);
		if (draft->attempt_seen == ATTEMPT_PENDING) {
			backoff_worked(&drafter->backoff);
			finish_draft(draft);
		} else {
			simulate(draft);
		}
	}
}

static bool draft_failed(struct drafter *drafter, const struct error *error)
{
	drafter->op = NULL;
	if (error != NULL)
		give_up(drafter, error);
	return error != NULL;
}

static void final_answered(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg)
{
	struct drafter *drafter = arg;
	struct draft *draft = drafter->draft;

	(void)count;
	if (draft_failed(drafter, error))
		return;
	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped && draft->items[i].head == CHECK_YES)
			draft->items[i].final =
			        check_answer_of(&draft->items[i].final_check, results, NULL, NULL);
	/* What is there already is dropped now, so the other answers of the head are not needed. */
	decide(draft);
}

/* Something is there already: is it there for good? */
static void ask_final(struct draft *draft)
{
	struct drafter *drafter = draft->drafter;
	struct reads reads = {.arena = &draft->arena};

	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped && draft->items[i].head == CHECK_YES)
			ask_check(draft, &draft->items[i], &draft->items[i].final_check, &reads);
	drafter->op = chain_read_many(drafter->lane->chain, &draft->final, reads.items, reads.count,
	                              final_answered, drafter);
}

static void answered(const struct error *error, const struct chain_read_result *results,
                     size_t count, void *arg)
{
	struct drafter *drafter = arg;
	struct draft *draft = drafter->draft;
	bool any = false;
	char subject[SUBJECT_SIZE];

	(void)count;
	if (draft_failed(drafter, error))
		return;
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (c->dropped)
			continue;
		bool disagree;
		c->head = check_answer_of(&c->check, results, NULL, &disagree);
		any |= c->head == CHECK_YES;
		if (disagree)
			lane_alarm(drafter->lane, ALARM_CHECKS_DISAGREE,
			           measurement_subject(subject, c->measurement.id),
			           "isAuthorized and the mapping of its contract disagree");
	}
	draft->delay_known = reads_u64(&draft->delay, &results[draft->delay_read]) == 0;
	find_attempt(draft, results);
	if (any)
		ask_final(draft);
	else
		decide(draft);
}

/* Reads at the head: the checks, the delay and which operation ids the timelock knows. */
static void ask(struct draft *draft)
{
	struct drafter *drafter = draft->drafter;
	struct reads reads = {.arena = &draft->arena};
	const struct config_target *target = draft->target;

	make_batch(draft);
	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped)
			ask_check(draft, &draft->items[i], &draft->items[i].check, &reads);
	draft->delay_read = reads_add_view(&reads, &target->timelock, VIEW_MIN_DELAY);
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct timelock_batch batch = draft->batch;
		batch.salt = salt_of(draft, draft->first_attempt + i);
		struct hash32 id = timelock_operation_id(&batch);
		draft->attempt_reads[i] = reads_add_timestamp(&reads, &target->timelock, &id);
	}
	drafter->op = chain_read_many(drafter->lane->chain, &draft->head, reads.items, reads.count,
	                              answered, drafter);
}

static void head_answered(const struct error *error, const struct block_ref *head,
                          const struct block_ref *final, void *arg)
{
	struct drafter *drafter = arg;

	if (draft_failed(drafter, error))
		return;
	drafter->draft->head = *head;
	drafter->draft->final = *final;
	ask(drafter->draft);
}

/* --- what is due --------------------------------------------------------------------------------
 */

static bool start(struct drafter *drafter, const struct config_target *target)
{
	struct lane *lane = drafter->lane;
	struct draft *draft = xcalloc(1, sizeof(*draft));
	struct gathered gathered;

	drafter->draft = draft;
	draft->drafter = drafter;
	draft->target = target;
	store_begin(lane->parts->store);
	gather(&gathered, &draft->arena, lane, target, clock_wall());
	store_commit(lane->parts->store);
	if (gathered.count == 0) {
		int64_t due = clock_mono().ms + gathered.wait_ms;
		if (gathered.wait_ms >= 0 && (!drafter->waiting || due < drafter->due.ms)) {
			drafter->waiting = true;
			drafter->due.ms = due;
		}
		draft_free(drafter);
		return false;
	}
	draft->items = gathered.items;
	draft->count = gathered.count;
	drafter->op = chain_head(lane->chain, head_answered, drafter);
	return true;
}

void drafter_run(struct drafter *drafter)
{
	const struct config *config = drafter->lane->parts->config;
	struct mono now = clock_mono();

	if (drafter->draft != NULL) {
		drafter->again = true;
		return;
	}
	if (!backoff_ready(&drafter->backoff, now))
		return;
	if (drafter->again)
		drafter->next_target = 0;
	drafter->again = false;
	if (drafter->next_target == 0)
		drafter->waiting = false;
	for (; drafter->next_target < config->target_count; drafter->next_target++) {
		const struct config_target *target = &config->targets[drafter->next_target];
		if (target->chain == drafter->lane->config && start(drafter, target))
			return;
	}
	drafter->next_target = 0;
	if (drafter->waiting)
		loop_timer_set(drafter->timer,
		               drafter->due.ms > now.ms ? drafter->due.ms - now.ms : 0);
}
