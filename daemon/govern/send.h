/* One transaction of the executor or scheduler key: roles, gas, fee, signature, sending. */
#ifndef GOVERN_SEND_H
#define GOVERN_SEND_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"

struct send;

struct send_request {
	struct proposal_id proposal;
	const char *target;   /* whose key */
	enum purpose purpose; /* schedule and cancel: the scheduler key; execute: the executor */
	enum model model;
	enum proposal_state state; /* in which it is sent, and in no other */
	struct address from, to;   /* that key's, the timelock or Delay module */
	struct bytes data;
	struct bytes cancelled; /* what would execute the operation; for a cancellation */
	bool has_previous;      /* sent before and not mined: same nonce, higher fee */
	struct bytes previous_raw;
	uint64_t previous_nonce;
	unsigned previous_attempt;
	struct u256 previous_max_fee, previous_priority_fee;
};

/* Runs to the end; done is called exactly once. error NULL: stored and sent. ERR_DENIED: will not
 * work without a person (a role, a revert, the fee limit); ERR_UNAVAILABLE: try again. The request
 * is copied. */
typedef void send_done_fn(const struct error *error, void *arg);
struct send *send_start(struct lane *lane, const struct send_request *request, send_done_fn *done,
                        void *arg);
/* NULL is fine. The signer must have been freed before: its answer would find nobody. */
void send_cancel(struct send *send);

/* Hands a stored transaction to the chain again; what it answers does not matter. */
void send_again(struct lane *lane, struct bytes raw);

enum signer_key send_key(enum purpose purpose);
/* "scheduled", "executed", "cancelled": what it is to be. */
const char *send_done_text(enum purpose purpose);

/* Whether a transaction of this purpose was sent for the proposal and not seen to its end: it may
 * still be mined. */
bool send_is_under_way(struct store *store, struct arena *arena, struct proposal_id id,
                       enum purpose purpose);

#endif
