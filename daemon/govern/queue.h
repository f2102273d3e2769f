/* One look at a Safe and at the queue its service keeps for it: what both the posting of a draft
 * and the search for a draft that people posted begin with. */
#ifndef GOVERN_QUEUE_H
#define GOVERN_QUEUE_H

#include "common/store/store_proposal.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/service.h"

struct queue_look;

struct queue_view {
	struct safe_view safe;     /* at the chain's head */
	struct proposal_tx *items; /* trusted, not executed, from safe.nonce on */
	size_t count;
	bool partial; /* something in it could not be read, or it is too long: more may be there */
};

/* The view lives in the arena, which must outlive the look. Exactly one callback unless cancelled.
 */
typedef void queue_look_fn(const struct error *error, int64_t retry_after_ms,
                           const struct queue_view *view, void *arg);
struct queue_ask {
	struct lane *lane;
	struct service *service;
	struct address safe;
	struct arena *arena;
};
struct queue_look *queue_look_start(const struct queue_ask *ask, queue_look_fn *done, void *arg);
void queue_look_cancel(struct queue_look *look); /* NULL is fine */

/* The queued transaction that does exactly what this row does, with standard gas fields, NULL if
 * none. */
const struct proposal_tx *queue_find_same(const struct queue_view *view,
                                          const struct safe_tx_row *row);
/* The nonces that queued transactions hold; allocated in the arena. */
size_t queue_nonces(const struct queue_view *view, struct arena *arena, uint64_t **out);

#endif
