#include "daemon/govern/tracker.h"

#include "common/base/log.h"
#include "common/store/store_event.h"
#include "daemon/govern/blockage.h"
#include "daemon/govern/deadend.h"
#include "daemon/govern/delay_tell.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/live.h"
#include "daemon/govern/nonce_user.h"
#include "daemon/govern/quiet.h"
#include "daemon/govern/trial.h"

#include <stdlib.h>
#include <string.h>

/* One look at the chain: lives from tracker_run to the end of its last answer. */
struct look {
	struct arena arena;
	struct observe_context context;
	struct quiet_time time;
	const struct live *live;   /* held: what is stored, when the look began */
	struct observed *observed; /* one per proposal about which there may be news */
	uint64_t *marks;           /* live_mark of each */
	size_t count;
	struct safe_slot *safes;
	size_t safe_count;
};

struct tracker {
	struct lane *lane;
	struct chain_op *op;
	struct look *look; /* under way, else NULL */
	struct quiet *quiet;
	bool again; /* asked to run while running */
	struct backoff backoff;
	struct loop_timer *retry; /* a chain that stands still brings no tick */
	struct arena views_arena; /* owns views */
	struct safe_view *views;
	size_t view_count;
	bool signers_changed; /* of a Safe, since the look before */
	uint64_t safe_moves;
};

static void retry_due(void *arg)
{
	tracker_run(arg);
}

struct tracker *tracker_new(struct lane *lane)
{
	struct tracker *tracker = xcalloc(1, sizeof(*tracker));

	tracker->lane = lane;
	tracker->quiet = quiet_new();
	tracker->retry = loop_timer_new(lane->parts->loop, retry_due, tracker);
	return tracker;
}

static void look_free(struct tracker *tracker)
{
	if (tracker->look == NULL)
		return;
	live_drop(tracker->look->live);
	arena_free(&tracker->look->arena);
	free(tracker->look);
	tracker->look = NULL;
}

void tracker_free(struct tracker *tracker)
{
	if (tracker == NULL)
		return;
	chain_cancel(tracker->op);
	look_free(tracker);
	loop_timer_free(tracker->retry);
	quiet_free(tracker->quiet);
	arena_free(&tracker->views_arena);
	free(tracker);
}

bool tracker_is_looking(const struct tracker *tracker)
{
	return tracker->look != NULL;
}

int tracker_safe(const struct tracker *tracker, const struct address *safe,
                 const struct safe_view **out)
{
	*out = NULL;
	for (size_t i = 0; i < tracker->view_count; i++)
		if (address_equal(&tracker->views[i].safe, safe)) {
			*out = &tracker->views[i];
			return 0;
		}
	return ERR_NOT_FOUND;
}

uint64_t tracker_safe_moves(const struct tracker *tracker)
{
	return tracker->safe_moves;
}

static void finish(struct tracker *tracker)
{
	look_free(tracker);
	if (tracker->again) {
		tracker->again = false;
		tracker_run(tracker);
	}
}

/* --- Safes ------------------------------------------------------------------------------------ */

static void ask_safe(struct look *look, struct reads *reads, const struct address *safe)
{
	for (size_t i = 0; i < look->safe_count; i++)
		if (address_equal(&look->safes[i].safe, safe))
			return;
	look->safes[look->safe_count++] = safe_view_ask(reads, safe);
}

/* Somebody who counted for a Safe may not any more, and the other way round. */
static bool signs_as_before(const struct tracker *tracker, const struct safe_view *now)
{
	const struct safe_view *before;

	if (tracker_safe(tracker, &now->safe, &before) != 0)
		return true;
	return hash32_equal(&before->signers, &now->signers);
}

/* A log tells what moved the nonce, but it may come later than the nonce: whose proposals were left
 * out of this look are looked at next. */
static void compare_safe(struct tracker *tracker, const struct safe_view *now)
{
	const struct safe_view *before;
	bool same_signers = signs_as_before(tracker, now);

	tracker->signers_changed |= !same_signers;
	if (tracker_safe(tracker, &now->safe, &before) == 0 && same_signers &&
	    before->nonce == now->nonce)
		return;
	tracker->safe_moves++;
	if (quiet_stir(tracker->quiet, tracker->look->time.epoch, &now->safe))
		tracker->again = true;
}

static void take_safes(struct tracker *tracker, const struct chain_read_result *results)
{
	const struct look *look = tracker->look;
	struct arena arena = {0};
	struct safe_view *views = arena_array(&arena, look->safe_count, sizeof(*views));
	size_t count = 0;

	for (size_t i = 0; i < look->safe_count; i++) {
		const struct safe_slot *slot = &look->safes[i];
		if (safe_view_take(&views[count], &arena, slot, results) == 0)
			compare_safe(tracker, &views[count++]);
		else
			lane_alarm(tracker->lane, ALARM_SAFE_UNREADABLE,
			           tracker->lane->config->name,
			           "the Safe does not answer nonce, threshold and owners");
	}
	if (count == look->safe_count)
		lane_alarm_clear(tracker->lane, ALARM_SAFE_UNREADABLE, tracker->lane->config->name);
	arena_free(&tracker->views_arena);
	tracker->views_arena = arena;
	tracker->views = views;
	tracker->view_count = count;
}

/* --- moves ------------------------------------------------------------------------------------ */

/* Scheduled or executed, by whomever, or ended: what our keys sent for it was mined or lost the
 * race, and holds its nonce no longer. */
static void settle_sent(struct store *store, const struct observed *observed)
{
	struct arena arena = {0};
	struct sent_tx_list list;

	store_sent_tx_list(store, &arena, observed->proposal->id, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct hash32 *hash = &list.items[i].tx_hash;
		bool ours =
		        (observed->has_executed_tx && hash32_equal(hash, &observed->executed_tx)) ||
		        (observed->has_scheduled_tx &&
		         hash32_equal(hash, &observed->scheduled_tx)) ||
		        (observed->has_ended_tx && hash32_equal(hash, &observed->ended_tx));
		if (list.items[i].status == SENT_STORED)
			store_sent_tx_set_status(store, list.items[i].id,
			                         ours ? SENT_MINED : SENT_REPLACED);
	}
	arena_free(&arena);
}

static enum alarm alarm_of_end(enum proposal_state end)
{
	switch (end) {
	case STATE_REJECTED:
		return ALARM_REJECTED;
	case STATE_CANCELLED:
		return ALARM_CANCELLED;
	case STATE_FAILED:
		return ALARM_FAILED;
	case STATE_EXPIRED:
		return ALARM_EXPIRED;
	case STATE_DRAFTED:
	case STATE_MULTISIG:
	case STATE_TIMELOCK:
	case STATE_EXECUTE:
	case STATE_EXECUTED:
	case STATE_CONFIRMED:
		break;
	}
	die("no alarm for %s", proposal_state_name(end));
}

/* What used the nonce of a transaction that came to nothing; "" where that is not the story. */
static const char *end_cause(struct tracker *tracker, const struct observed *observed,
                             enum proposal_state end)
{
	struct arena *arena = &tracker->look->arena;

	for (size_t i = observed->txs.count; end == STATE_REJECTED && i-- > 0;) {
		const struct safe_tx_row *row = &observed->txs.items[i];
		if (row->status == SAFE_TX_REPLACED)
			return arena_printf(
			        arena, " (%s)",
			        nonce_user_text(tracker->lane, arena, &row->safe, row->nonce));
	}
	return "";
}

static bool removes_any(const struct proposal *proposal)
{
	for (size_t i = 0; i < proposal->call_count; i++)
		if (proposal->calls[i].action == ACTION_REMOVE)
			return true;
	return false;
}

static void tell_end(struct tracker *tracker, const struct observed *observed,
                     const struct transition *end)
{
	char subject[SUBJECT_SIZE];

	proposal_subject(subject, observed->proposal->id);
	if ((observed->proposal->flags & FLAG_WITHDRAWING) != 0 && end->to != STATE_FAILED)
		return; /* as somebody wished */
	lane_alarm_once(tracker->lane, alarm_of_end(end->to), subject,
	                "%s: %s%s; its measurements are held until `registrarctl approve %s`%s",
	                proposal_state_name(end->to), end->reason,
	                end_cause(tracker, observed, end->to), subject,
	                removes_any(observed->proposal)
	                        ? ", what it was to remove until `registrarctl revoke`"
	                        : "");
}

/* Why a proposal goes there, for its history. Back: with the transaction that had brought it where
 * it was and is gone, and since which block the chain is another one. */
static const char *reason_of(struct tracker *tracker, const struct transition *next, bool back)
{
	const struct lane *lane = tracker->lane;

	if (!back || !lane->reorganised)
		return next->reason;
	return arena_printf(&tracker->look->arena, "%s: the blocks above %llu were replaced",
	                    next->reason, (unsigned long long)lane->reorganised_above);
}

static const struct hash32 *tx_of(struct tracker *tracker, const struct observed *observed,
                                  enum proposal_state from, enum proposal_state to)
{
	struct history_list history;

	/* Out of the timelock's delay the clock alone moves it, no transaction. */
	if (from == STATE_TIMELOCK && to == STATE_EXECUTE)
		return NULL;
	if (to > from)
		return observed_tx(observed, to);
	store_history_list(tracker->lane->parts->store, &tracker->look->arena,
	                   observed->proposal->id, &history);
	for (size_t i = history.count; i-- > 0;)
		if (history.items[i].has_tx)
			return &history.items[i].tx;
	return NULL;
}

/* A draft may have given way to what others made while the chain was asked. */
static bool is_where_it_was(struct tracker *tracker, const struct proposal *proposal)
{
	struct proposal now;

	return store_proposal_get(tracker->lane->parts->store, &tracker->look->arena, proposal->id,
	                          &now) == 0 &&
	       now.state == proposal->state;
}

static bool move(struct tracker *tracker, const struct observed *observed)
{
	struct store *store = tracker->lane->parts->store;
	const struct proposal *proposal = observed->proposal;
	enum proposal_state state = proposal->state;
	bool moved = false;
	struct error error;
	char subject[SUBJECT_SIZE];

	proposal_subject(subject, proposal->id);
	/* At most one pass through the states; the table has no cycle without a new observation. */
	for (int steps = 0; steps < STATE_EXPIRED; steps++) {
		struct transition next = lifecycle_next(proposal->model, state, &observed->seen);
		if (!next.moves || (!moved && !is_where_it_was(tracker, proposal)))
			break;
		const char *reason = reason_of(tracker, &next, next.to < state);
		const struct state_move move = {state, next.to, reason,
		                                tx_of(tracker, observed, state, next.to)};
		if (store_proposal_move(store, proposal->id, &move, &error) != 0) {
			log_broken(subject, "%s", error.text);
			break;
		}
		log_info(subject, "%s -> %s: %s", proposal_state_name(state),
		         proposal_state_name(next.to), reason);
		if (state == STATE_DRAFTED || next.to == STATE_EXECUTED ||
		    lifecycle_is_terminal(next.to))
			settle_sent(store, observed);
		if (lifecycle_is_terminal(next.to) && next.to != STATE_CONFIRMED)
			tell_end(tracker, observed, &next);
		state = next.to;
		moved = true;
	}
	return moved;
}

static void note_ready_at(struct store *store, const struct observed *observed)
{
	if (observed->seen.operation == OPERATION_PENDING &&
	    observed->seen.ready_at != observed->proposal->ready_at)
		store_proposal_set_ready_at(store, observed->proposal->id, observed->seen.ready_at);
}

/* What was posted and can still be executed is followed for ever; old ones are pointed out. */
static void note_overdue(struct tracker *tracker, const struct observed *observed,
                         enum proposal_state state)
{
	static const char why[] = "older than expire and can still be executed";
	struct store *store = tracker->lane->parts->store;
	const struct proposal *proposal = observed->proposal;
	char subject[SUBJECT_SIZE];
	struct proposal now;

	if (!observed->seen.past_expiry || !observed->seen.ever_posted ||
	    lifecycle_is_terminal(state) || (proposal->flags & FLAG_OVERDUE) != 0 ||
	    store_proposal_get(store, &tracker->look->arena, proposal->id, &now) != 0)
		return;
	/* Somebody may have withdrawn it while the chain was asked. */
	store_proposal_set_flags(store, proposal->id, now.flags | FLAG_OVERDUE, why);
	lane_alarm_once(tracker->lane, ALARM_OVERDUE, proposal_subject(subject, proposal->id),
	                "overdue: %s", why);
}

static void concluded(struct tracker *tracker, bool moved)
{
	struct lane *lane = tracker->lane;
	bool first = !lane->tracked;

	lane->tracked = true;
	backoff_worked(&tracker->backoff);
	lane->reorganised = false;
	troubles_drop_ended(lane->troubles);
	finish(tracker);
	if (moved || first || tracker->signers_changed)
		lane_wake(lane);
	tracker->signers_changed = false;
	blockage_run(lane->blockage);
	trials_looked(lane->trials);
}

static void conclude(struct tracker *tracker)
{
	struct look *look = tracker->look;
	struct store *store = tracker->lane->parts->store;
	bool *changed = arena_array(&look->arena, look->count, sizeof(*changed));
	bool any = false;

	store_begin(store);
	for (size_t i = 0; i < look->count; i++) {
		struct observed *observed = &look->observed[i];
		note_ready_at(store, observed);
		bool moved = move(tracker, observed);
		if (!moved)
			note_overdue(tracker, observed, observed->proposal->state);
		changed[i] = deadend_look(tracker->lane, &look->arena, observed);
		/* In another state other questions are asked, by the deeper look, too. */
		quiet_note(tracker->quiet, &look->time, observed, look->marks[i],
		           moved || deadend_waits(tracker->lane, observed));
		any |= moved || changed[i] || observed->txs_changed;
	}
	store_commit(store);

	for (size_t i = 0; i < look->count; i++) {
		const struct observed *observed = &look->observed[i];
		char subject[SUBJECT_SIZE];
		if (changed[i] || observed->txs_changed)
			draft_file_write(tracker->lane, observed->proposal->id);
		if (observed->getters_disagree)
			lane_alarm(tracker->lane, ALARM_CHECKS_DISAGREE,
			           proposal_subject(subject, observed->proposal->id),
			           "isAuthorized and the mapping of a contract disagree: its "
			           "checks are unknown");
		else if (observed_checked(observed))
			lane_alarm_clear(tracker->lane, ALARM_CHECKS_DISAGREE,
			                 proposal_subject(subject, observed->proposal->id));
		delay_tell(tracker->lane, &look->arena, observed);
	}
	if (any)
		lane_changed(tracker->lane);
	concluded(tracker, any);
}

/* --- the round of questions ------------------------------------------------------------------- */

static bool chain_failed(struct tracker *tracker, const struct error *error)
{
	tracker->op = NULL;
	if (error == NULL)
		return false;
	struct lane *lane = tracker->lane;
	struct mono now = clock_mono();

	if (tracker->backoff.failures == 0)
		log_unusual(lane->config->name, "could not read the proposals' state: %s",
		            error->text);
	tracker->again = false;
	backoff_failed(&tracker->backoff, now, chain_retry_max_ms(lane->config));
	loop_timer_set(tracker->retry, backoff_wait_ms(&tracker->backoff, now));
	finish(tracker);
	return true;
}

static void final_answered(const struct error *error, const struct chain_read_result *results,
                           size_t count, void *arg)
{
	struct tracker *tracker = arg;
	struct look *look = tracker->look;

	(void)count;
	if (chain_failed(tracker, error))
		return;
	store_begin(look->context.store);
	for (size_t i = 0; i < look->count; i++)
		if (look->observed[i].wants_final)
			observe_final(&look->observed[i], &look->context, results);
	store_commit(look->context.store);
	conclude(tracker);
}

static void ask_final(struct tracker *tracker)
{
	struct look *look = tracker->look;
	struct reads reads = {.arena = &look->arena};

	for (size_t i = 0; i < look->count; i++)
		if (look->observed[i].wants_final)
			observe_ask_final(&look->observed[i], &reads);
	if (reads.count == 0)
		conclude(tracker);
	else
		tracker->op = chain_read_many(tracker->lane->chain, &look->context.final,
		                              reads.items, reads.count, final_answered, tracker);
}

static void head_answered(const struct error *error, const struct chain_read_result *results,
                          size_t count, void *arg)
{
	struct tracker *tracker = arg;
	struct look *look = tracker->look;

	(void)count;
	if (chain_failed(tracker, error))
		return;
	take_safes(tracker, results);
	store_begin(look->context.store);
	for (size_t i = 0; i < look->count; i++) {
		const struct safe_view *safe;
		struct observed *observed = &look->observed[i];
		/* Now, not when the question was asked: posting goes on beside us. */
		store_safe_tx_list(look->context.store, &look->arena, observed->proposal->id,
		                   &observed->txs);
		if (tracker_safe(tracker, &observed->proposal->safe, &safe) != 0)
			safe = NULL;
		observe_head(observed, &look->context, results, safe);
	}
	store_commit(look->context.store);
	ask_final(tracker);
}

static void begin_look(struct tracker *tracker)
{
	struct lane *lane = tracker->lane;
	struct look *look = tracker->look = xcalloc(1, sizeof(*look));

	look->context = (struct observe_context){
	        .store = lane->parts->store,
	        .arena = &look->arena,
	        .head = lane->head,
	        .final = lane->final,
	        .now = clock_wall(),
	};
	look->time = (struct quiet_time){
	        .epoch = lane->epoch,
	        .head = lane->head,
	        .final = lane->final,
	        .wall = look->context.now,
	        .mono = clock_mono(),
	};
	look->live = live_hold(lane);
	quiet_keep(tracker->quiet, &look->live->proposals);
}

/* Asks about the proposal, unless nothing can have changed. */
static void ask_proposal(struct tracker *tracker, struct reads *reads, size_t index)
{
	struct look *look = tracker->look;
	const struct proposal *proposal = &look->live->proposals.items[index];
	uint64_t mark = live_mark(look->live, index);
	bool deeper;

	if (quiet_is(tracker->quiet, &look->time, proposal, mark, &deeper))
		return;
	look->marks[look->count] = mark;
	struct observed *observed = &look->observed[look->count++];
	observed->proposal = proposal;
	observed->target = lane_target(tracker->lane, proposal->target);
	observed->deeper = deeper;
	observe_ask_head(observed, &look->context, reads);
}

void tracker_run(struct tracker *tracker)
{
	struct lane *lane = tracker->lane;

	if (tracker->look != NULL) {
		tracker->again = true;
		return;
	}
	if (!lane->have_head || lane->stopped)
		return;
	begin_look(tracker);
	struct look *look = tracker->look;
	const struct proposal_list *all = &look->live->proposals;
	struct reads reads = {.arena = &look->arena};
	look->observed = arena_array(&look->arena, all->count, sizeof(*look->observed));
	look->marks = arena_array(&look->arena, all->count, sizeof(*look->marks));
	look->safes = arena_array(&look->arena, all->count, sizeof(*look->safes));
	for (size_t i = 0; i < all->count; i++) {
		ask_proposal(tracker, &reads, i);
		if (!address_is_zero(&all->items[i].safe))
			ask_safe(look, &reads, &all->items[i].safe);
	}
	if (reads.count == 0)
		concluded(tracker, false);
	else
		tracker->op = chain_read_many(lane->chain, &look->context.head, reads.items,
		                              reads.count, head_answered, tracker);
}
