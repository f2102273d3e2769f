/* Which nonce of a Safe a transaction of ours takes, and what else stands at it. */
#ifndef GOVERN_NONCES_H
#define GOVERN_NONCES_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/queue.h"

/* For a transaction that has no nonce yet. */
struct nonce_choice {
	uint64_t nonce;
	bool competes; /* for a nonce that something else holds, which it displaces */
};

/* Leaves those in the view that can still do something: what we withdrew ourselves stands in the
 * queue for nothing, and its nonce can be used. */
void nonces_drop_dead(struct queue_view *view, struct lane *lane, struct arena *arena);

/* The lowest free nonce; for a further attempt that of the one in the queue; for a cancellation
 * that of the execution which it is to prevent; for what is urgent the lowest that is not executed,
 * unless something as urgent holds it. */
struct nonce_choice nonces_choose(const struct queue_view *view, struct lane *lane,
                                  struct arena *arena, const struct safe_tx_row *row,
                                  const struct proposal *proposal);
/* What something urgent would take now. */
uint64_t nonces_urgent(struct lane *lane, struct arena *arena, const struct address *safe,
                       uint64_t chain_nonce);

/* Whether a transaction of ours holds the nonce. */
bool nonces_held(struct lane *lane, struct arena *arena, const struct address *safe,
                 uint64_t nonce);
/* The view without the other transactions of the same proposal and purpose. */
struct queue_view nonces_without(const struct queue_view *view, struct lane *lane,
                                 struct arena *arena, const struct safe_tx_row *row);
/* Whether the nonce that the transaction was given is gone, before anybody has seen it. */
bool nonces_lost(const struct queue_view *view, const struct safe_tx_row *row);
/* Alarms when nothing holds a nonce below something pending. */
void nonces_alarm_hole(const struct queue_view *view, struct lane *lane, struct arena *arena,
                       const char *target);
/* That is over when a queue that was read shows it no more. */
void nonces_queue_seen(const struct queue_view *view, struct lane *lane);

/* "0x.. of p3" or "0x.., which is not ours": a queued transaction, for people; in the arena. */
char *nonces_whose(struct lane *lane, struct arena *arena, const struct proposal_tx *tx,
                   struct proposal_id *proposal /* 0: not ours */);

#endif
