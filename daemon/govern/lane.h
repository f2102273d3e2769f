/* Everything that governs one chain: its follower and the stages that take their work from the
 * store. Stages do not call each other with data; they change the store and wake the lane. */
#ifndef GOVERN_LANE_H
#define GOVERN_LANE_H

#include "common/governance/path.h"
#include "common/governance/timelock.h"
#include "common/store/alarm.h"
#include "common/store/store_safe_tx.h"
#include "daemon/govern/block_watch.h"
#include "daemon/govern/govern.h"
#include "daemon/govern/reads.h"
#include "daemon/govern/safe_view.h"
#include "daemon/govern/troubles.h"

struct follower;
struct drafter;
struct proposer;
struct tracker;
struct executor;
struct trials;
struct blockage;
struct change_watch;
struct endpoint_preflight;
struct withdraw;
struct recheck;
struct contested;
struct queue_watch;
struct enqueued;
struct executions;
struct budget;
struct live;

struct lane {
	struct govern *govern;
	const struct govern_parts *parts;
	const struct config_chain *config;
	struct chain *chain;
	struct follower *follower;
	struct drafter *drafter;
	struct proposer *proposer;
	struct tracker *tracker;
	struct executor *executor;
	struct trials *trials;
	struct blockage *blockage;
	struct change_watch *changes;
	struct endpoint_preflight *preflight;
	struct withdraw *withdraw;
	struct leftovers *leftovers;
	struct recheck *recheck;
	struct contested *contested;
	struct queue_watch *queue_watch;
	struct enqueued *enqueued;
	struct executions *executions;
	bool track_due; /* the tracker's next look was asked for */
	/* Grows whenever logs were read, blocks were replaced, or somebody doubts what is known:
	 * what was concluded before may not hold any more. */
	uint64_t epoch;
	const struct live *live; /* live.h: as read last, or NULL */
	bool have_head;
	bool tracked; /* the tracker compared the store with the chain since the start */
	struct block_ref head, final; /* of the last tick */
	struct wall head_seen;        /* when it was answered */
	bool scheduled_looked;        /* at every operation of the timelocks since the start */
	int64_t held_seen;            /* held measurements up to this id were looked at */
	char last_error[160];         /* of the chain; "" while it answers */
	bool stopped;                 /* a final block was replaced: nothing is decided */
	bool reorganised;             /* since the last look of the tracker ... */
	uint64_t reorganised_above;   /* ... the blocks above this one were replaced */
	struct block_watch blocks;
	struct budget *budgets; /* service_use.h */
	struct loop_timer *wake;
	struct troubles *troubles; /* what was alarmed about and is not over */
};

/* NULL when no such chain is configured. */
struct lane *govern_lane(struct govern *govern, uint64_t chain_id);

struct lane *lane_new(struct govern *govern, const struct govern_parts *parts,
                      const struct config_chain *config);
void lane_free(struct lane *lane);

/* Something changed in the store: every stage of the lane looks at it in the next loop pass, but
 * for the tracker, which costs a question to the chain: it runs at each tick and after lane_track.
 */
void lane_wake(struct lane *lane);
void lane_track(struct lane *lane);
/* What is known about the chain may be behind: it is asked again, about everything, at once. */
void lane_doubt(struct lane *lane);
/* What people made by other means is being asked about: what it is about is neither drafted nor
 * told of meanwhile. */
bool lane_looks_at_others(const struct lane *lane);
/* What became final in the registries is acted on and told of, once it is known who made it. */
void lane_look_at_final(struct lane *lane);
/* An operator's word after lane->stopped. ERR_CONFLICT when it is not. */
int lane_resume(struct lane *lane, struct error *error) MUST_USE;
/* How long ago that was by our clock and by the chain's, whichever says less: a clock that jumps
 * makes nothing old. Never negative. */
int64_t lane_age_ms(const struct lane *lane, struct wall since);
/* When what is drafted now expires. It counts from the later of the two clocks: one that is set
 * right afterwards makes nothing end early. */
struct wall lane_expiry(const struct lane *lane, const struct config_target *target);
/* A target by its name; NULL when it left the configuration. */
const struct config_target *lane_target(const struct lane *lane, const char *name);
/* A waiting client may care. */
void lane_changed(struct lane *lane);

/* An alarm: journal and event log, once for the same text about the same subject. Opens its own
 * transaction. */
void lane_alarm(struct lane *lane, enum alarm alarm, const char *subject, const char *fmt, ...)
        PRINTF(4, 5);
/* The same inside the caller's transaction, for what can happen only once: it is committed together
 * with what it is about, so that no crash comes between the two. */
void lane_alarm_once(struct lane *lane, enum alarm alarm, const char *subject, const char *fmt, ...)
        PRINTF(4, 5);
/* Whether such an alarm about the subject was told and is not over. */
bool lane_alarmed(const struct lane *lane, enum alarm alarm, const char *subject);
/* This trouble with the subject is over: the same text alarms again next time. */
void lane_alarm_clear(struct lane *lane, enum alarm alarm, const char *subject);

/* p7 */
#define SUBJECT_SIZE 24
char *proposal_subject(char text[SUBJECT_SIZE], struct proposal_id id);
char *measurement_subject(char text[SUBJECT_SIZE], struct measurement_id id);

/* The way of a proposal, as it was drafted; MultiSendCallOnly is not in it. */
struct path proposal_path(struct arena *arena, const struct proposal *proposal);
/* The proposal's calls as the timelock's batch, in the order and form in which it is scheduled. */
struct timelock_batch proposal_batch(struct arena *arena, const struct proposal *proposal);

/* A failure that is worth another try after a while: 1 s, 2 s, 4 s, ... up to max_ms. */
enum { CHAIN_RETRY_MAX_MS = 60 * 1000, SERVICE_RETRY_MAX_MS = 300 * 1000, RETRY_MAX_POLLS = 10 };
/* The longest wait between two tries: who is asked often is also tried again soon. */
int64_t service_retry_max_ms(const struct config_target *target);
int64_t chain_retry_max_ms(const struct config_chain *chain);

struct backoff {
	unsigned failures;
	struct mono next; /* not before */
};
void backoff_failed(struct backoff *backoff, struct mono now, int64_t max_ms);
void backoff_worked(struct backoff *backoff);
bool backoff_ready(const struct backoff *backoff, struct mono now);
int64_t backoff_wait_ms(const struct backoff *backoff, struct mono now);

#endif
