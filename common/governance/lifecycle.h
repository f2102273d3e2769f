/* The life of a proposal: its states, the legal transitions, and the pure rules that choose the
 * next state from what was observed. No clock, no network, no store. Stored numbers never change.
 */
#ifndef GOVERNANCE_LIFECYCLE_H
#define GOVERNANCE_LIFECYCLE_H

#include "common/base/bytes.h"

enum proposal_state {
	STATE_DRAFTED = 1,
	STATE_MULTISIG = 2,
	STATE_TIMELOCK = 3,
	STATE_EXECUTE = 4,
	STATE_EXECUTED = 5,
	STATE_CONFIRMED = 6,
	STATE_REJECTED = 7,
	STATE_CANCELLED = 8,
	STATE_FAILED = 9,
	STATE_EXPIRED = 10,
};

enum model {
	MODEL_SAFE_TIMELOCK = 1,
	MODEL_SAFE = 2,
	MODEL_TIMELOCK = 3,
	MODEL_DELAY = 4,
	MODEL_DIRECT = 5,
};

enum purpose {
	PURPOSE_SCHEDULE = 1,
	PURPOSE_APPLY = 2,
	PURPOSE_EXECUTE = 3,
	PURPOSE_REJECT = 4,
	PURPOSE_CANCEL = 5
};

/* Life of one Safe transaction. */
enum safe_tx_status {
	SAFE_TX_DRAFTED = 1,  /* encoded; no nonce, or a nonce and not yet posted */
	SAFE_TX_POSTING = 2,  /* nonce and hash stored, POST about to be or being made */
	SAFE_TX_QUEUED = 3,   /* seen trusted in the service */
	SAFE_TX_EXECUTED = 4, /* ExecutionSuccess seen */
	SAFE_TX_FAILED = 5,   /* ExecutionFailure seen: nonce burnt, nothing done */
	SAFE_TX_REPLACED = 6, /* its nonce was used by another transaction */
	SAFE_TX_WITHDRAWN = 7,
};

const char *proposal_state_name(enum proposal_state state); /* "drafted", ... */
const char *model_name(enum model model);
const char *purpose_name(enum purpose purpose);
const char *safe_tx_status_name(enum safe_tx_status status);

bool lifecycle_is_terminal(enum proposal_state state);
bool lifecycle_has_timelock(enum model model);
bool lifecycle_has_safe(enum model model);

/* One row of the const table of legal transitions. */
struct lifecycle_rule {
	enum proposal_state from, to;
	unsigned models; /* bit 1 << enum model */
	const char *why; /* what makes it legal; back moves are for reorganisations only */
};
const struct lifecycle_rule *lifecycle_rules(size_t *count);
/* Whether that table holds from -> to for this model. */
bool lifecycle_allows(enum model model, enum proposal_state from, enum proposal_state to);

/* What is known about the operation in the timelock at the latest pinned block. */
enum operation_seen { OPERATION_UNKNOWN = 0, OPERATION_UNSET, OPERATION_PENDING, OPERATION_DONE };

/* In a Delay module an entry waits for its turn beside its ready time, and its time may end. */
enum turn_seen {
	TURN_OURS = 0, /* so in every other model */
	TURN_OTHERS,   /* another entry is before it */
	TURN_OVER,     /* it expired there: whether it still waits or was passed over */
};

/* What is known about the Safe transaction that brings the proposal forward first: the schedule
 * (or apply) one; its latest attempt. */
enum safe_tx_seen {
	SAFE_SEEN_NOTHING = 0, /* not posted, not seen anywhere */
	SAFE_SEEN_QUEUED,      /* in the queue, awaiting signatures or execution */
	SAFE_SEEN_EXECUTED,    /* ExecutionSuccess at the latest block */
	SAFE_SEEN_FAILED,      /* ExecutionFailure, deeper than finality */
	SAFE_SEEN_REPLACED,    /* its nonce was used by another one, deeper than finality */
};

/* Every call's check taken together. */
enum checks_seen { CHECKS_UNKNOWN = 0, CHECKS_AS_WANTED, CHECKS_CONTRADICT };

struct observation {
	uint64_t chain_now; /* timestamp of the pinned block, seconds */
	enum operation_seen operation;
	uint64_t ready_at;     /* with OPERATION_PENDING: unix seconds */
	enum turn_seen turn;   /* Delay module only */
	bool cancelled_latest; /* a Cancelled event newer than the schedule, at the latest block; in
	                        * a Delay module: it was passed over without being executed */
	bool cancelled_final;  /* the same, at finality */
	enum safe_tx_seen safe_tx;
	bool executed_latest; /* models without timelock: the batch ran at the latest block */
	bool executed_final;  /* what executed it is deeper than finality */
	enum checks_seen checks_final; /* at the finalized block */
	bool explained_later; /* a later call of ours or seen on chain explains a contradiction */
	bool withdrawn;       /* somebody withdrew it */
	bool displaced;       /* what was posted lost its nonce to something more urgent, and is
	                       * drafted again */
	bool ever_posted;     /* any Safe transaction of it was POSTed or seen outside */
	bool past_expiry;     /* older than the target's expire */
};

struct transition {
	bool moves;
	enum proposal_state to;
	char reason[160]; /* for people: what was seen */
};

/* The pure rule. Precedence: check > operation > Safe transaction > service. Never proposes a
 * transition that lifecycle_allows refuses. May move states 2-5 back when what moved them is gone.
 *
 * The check decides where nothing of the proposal can still run: in executed(5), and in 1-4 when
 * nothing was posted or its way ended at finality while every check reads as wanted ("already in
 * effect"). Without an answer about the operation (OPERATION_UNKNOWN) nothing moves but a draft
 * that is seen in the queue or withdrawn, and an executed proposal by its check. */
struct transition lifecycle_next(enum model model, enum proposal_state state,
                                 const struct observation *seen);

#endif
