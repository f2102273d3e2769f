#include "daemon/govern/delay_tell.h"

#include "common/base/clock.h"
#include "daemon/govern/adopt.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/observe_delay.h"

#include <string.h>

struct telling {
	struct lane *lane;
	struct arena *arena;
	const struct proposal *proposal;
	const struct observed_delay *delay;
	uint64_t now; /* the chain's */
	char subject[SUBJECT_SIZE];
};

static const char *time_text(struct arena *arena, uint64_t seconds)
{
	char text[WALL_TEXT_SIZE];

	return arena_strdup(arena, wall_text_seconds(text, seconds));
}

/* The entry whose turn it is, as the logs tell it; false when they do not. */
static bool find_front(struct telling *telling, struct delay_added *out)
{
	const struct delay_log of = {telling->lane->parts->store, telling->proposal->chain_id,
	                             &telling->proposal->timelock};
	struct delay_added *list;
	size_t count = delay_added_list(&list, &of, telling->arena);

	for (size_t i = 0; i < count; i++)
		if (list[i].nonce == telling->delay->front) {
			*out = list[i];
			return true;
		}
	return false;
}

/* What the entry in front is here: how it goes on, who may bring it out of the way. */
struct front {
	struct delay_added added;
	struct adopted found;
	struct proposal proposal; /* that follows it; id 0: none */
	bool may_run;             /* nothing here speaks against executing it */
};

static void judge_front(struct telling *telling, struct front *front)
{
	struct lane *lane = telling->lane;

	ways_read_entry(&front->found, telling->arena, lane, &front->added.log.address,
	                &front->added.entry);
	if (adopt_find_operation(lane, telling->arena, &front->added.log.address,
	                         &front->added.hash, &front->proposal) == 0)
		front->may_run = (front->proposal.flags & FLAG_WITHDRAWING) == 0 &&
		                 adopt_may_execute(lane, telling->arena, &front->proposal);
	else
		front->may_run = front->found.verdict == ADOPT_UNRELATED;
}

static const char *write_file(struct telling *telling, const char *what, uint64_t nonce,
                              struct buf *data)
{
	const char *name =
	        arena_printf(telling->arena, "p%lld-%s-%llu", (long long)telling->proposal->id.n,
	                     what, (unsigned long long)nonce);

	draft_file_write_aside(telling->lane, telling->proposal, name, buf_bytes(data),
	                       strcmp(what, "veto") == 0
	                               ? "to be sent by the owner of the Delay module; it passes "
	                                 "over every entry before it, too"
	                               : "to be sent by anybody; it brings the queue on");
	buf_free(data);
	return name;
}

static const char *write_skip(struct telling *telling, uint64_t nonce)
{
	struct buf data = {0};

	delay_encode_skip_expired(&data);
	return write_file(telling, "skip", nonce, &data);
}

static const char *write_veto(struct telling *telling, uint64_t nonce)
{
	struct buf data = {0};

	delay_encode_set_nonce(&data, nonce + 1);
	return write_file(telling, "veto", nonce, &data);
}

static const char *write_execute(struct telling *telling, const struct delay_added *front)
{
	struct buf data = {0};

	delay_encode_execute(&data, &front->entry);
	return write_file(telling, "front", front->nonce, &data);
}

/* Since when it stands in the way, and what brings it out of it. */
static const char *remedy(struct telling *telling, const struct front *in_front)
{
	const struct observed_delay *delay = telling->delay;
	const struct delay_added *front = &in_front->added;
	uint64_t created = delay->front_created_at;
	uint64_t last = delay_last_at(&delay->queue, created);

	if (created == 0)
		return arena_printf(telling->arena,
		                    "with %llu more behind it; execute or skip them in their order",
		                    (unsigned long long)(delay->added.nonce - delay->front - 1));
	if (telling->now > last)
		return arena_printf(telling->arena,
		                    "expired since %s: anybody may send skipExpired(), "
		                    "drafts/%s.cast",
		                    time_text(telling->arena, last),
		                    write_skip(telling, front->nonce));
	if (!in_front->may_run)
		return arena_printf(
		        telling->arena,
		        "not executed since %s, when it could have been; nobody here vouches for "
		        "it: where it is not to run, the module's owner passes over it by "
		        "setTxNonce(%llu), drafts/%s.cast",
		        time_text(telling->arena, delay_ready_at(&delay->queue, created)),
		        (unsigned long long)front->nonce + 1, write_veto(telling, front->nonce));
	return arena_printf(telling->arena,
	                    "not executed since %s, when it could have been: anybody may send "
	                    "executeNextTx, drafts/%s.cast",
	                    time_text(telling->arena, delay_ready_at(&delay->queue, created)),
	                    write_execute(telling, front));
}

/* What concerns us of it, call by call; "" where nothing does. */
static const char *calls_of(struct telling *telling, const struct front *front)
{
	if (front->found.verdict == ADOPT_UNRELATED)
		return "";
	return arena_printf(telling->arena, ": %s", front->found.text);
}

static const char *followed_as(struct telling *telling, const struct front *front)
{
	char subject[SUBJECT_SIZE];

	if (front->proposal.id.n == 0)
		return "";
	return arena_printf(telling->arena, " (%s)", proposal_subject(subject, front->proposal.id));
}

static void tell_blocked(struct telling *telling)
{
	char to[ADDRESS_TEXT_SIZE], module[ADDRESS_TEXT_SIZE];
	struct front front = {0};
	bool found = find_front(telling, &front.added);

	if (found)
		judge_front(telling, &front);
	/* One that goes on here tells its own story. */
	if (!found || (front.proposal.id.n != 0 && front.may_run)) {
		lane_alarm_clear(telling->lane, ALARM_DELAY_BLOCKED, telling->subject);
		return;
	}
	const struct delay_entry *entry = &front.added.entry;
	lane_alarm(telling->lane, ALARM_DELAY_BLOCKED, telling->subject,
	           "entry %llu of the Delay module %s, a %s of %s%s, stands before its own (%llu), "
	           "%s%s",
	           (unsigned long long)front.added.nonce,
	           address_text(module, &telling->proposal->timelock),
	           entry->operation == DELAY_CALL ? "call" : "delegatecall",
	           address_text(to, &entry->to), followed_as(telling, &front),
	           (unsigned long long)telling->delay->added.nonce, remedy(telling, &front),
	           calls_of(telling, &front));
}

static void tell_expired(struct telling *telling)
{
	const struct observed_delay *delay = telling->delay;

	lane_alarm(
	        telling->lane, ALARM_DELAY_EXPIRED, telling->subject,
	        "its entry %llu expired in the Delay module at %s and cannot be executed: anybody "
	        "may send skipExpired(), drafts/%s.cast, after which it can be asked for again",
	        (unsigned long long)delay->added.nonce,
	        time_text(telling->arena, delay_last_at(&delay->queue, delay->created_at)),
	        write_skip(telling, delay->added.nonce));
}

/* Withdrawn: none of our keys can take it out of the queue. */
static void tell_withdrawn(struct telling *telling)
{
	const struct observed_delay *delay = telling->delay;
	const char *name = write_veto(telling, delay->added.nonce);

	lane_alarm(
	        telling->lane, ALARM_NOT_WITHDRAWN, telling->subject,
	        "only the owner of the Delay module can take entry %llu back, by setTxNonce(%llu), "
	        "drafts/%s.cast, which passes over the %llu before it, too",
	        (unsigned long long)delay->added.nonce, (unsigned long long)delay->added.nonce + 1,
	        name, (unsigned long long)(delay->added.nonce - delay->queue.next));
}

void delay_tell(struct lane *lane, struct arena *arena, const struct observed *observed)
{
	const struct observation *seen = &observed->seen;
	struct telling telling = {.lane = lane,
	                          .arena = arena,
	                          .proposal = observed->proposal,
	                          .delay = observed->delay,
	                          .now = seen->chain_now};
	bool waits = seen->operation == OPERATION_PENDING;

	if (observed->delay == NULL || seen->operation == OPERATION_UNKNOWN)
		return;
	proposal_subject(telling.subject, observed->proposal->id);
	if (waits && seen->turn == TURN_OTHERS && seen->chain_now >= seen->ready_at)
		tell_blocked(&telling);
	else
		lane_alarm_clear(lane, ALARM_DELAY_BLOCKED, telling.subject);
	if (waits && seen->withdrawn)
		tell_withdrawn(&telling);
	if (waits && seen->turn == TURN_OVER)
		tell_expired(&telling);
	else
		lane_alarm_clear(lane, ALARM_DELAY_EXPIRED, telling.subject);
}
