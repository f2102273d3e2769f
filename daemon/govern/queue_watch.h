/* What people bring into the queues of our Safes. A look costs a request of the service's budget,
 * so it is made once after a start, when a transaction that we do not know ran, and whenever the
 * queue is read anyhow. */
#ifndef GOVERN_QUEUE_WATCH_H
#define GOVERN_QUEUE_WATCH_H

#include "daemon/govern/lane.h"
#include "daemon/govern/queue.h"

struct queue_watch *queue_watch_new(struct lane *lane);
void queue_watch_free(struct queue_watch *watch);

/* The logs up to the head were read: which Safe ran something that we do not know? */
void queue_watch_ticked(struct queue_watch *watch);
/* Looks where a look is due. */
void queue_watch_run(struct queue_watch *watch);
/* A look at this Safe's queue is wanted instead of a question about one transaction; false when no
 * service is asked for it, or when one was made less than so many polls ago. */
#define QUEUE_WATCH_EVERY 4
bool queue_watch_want(struct queue_watch *watch, const struct address *safe);
/* Somebody has read this Safe's queue: what is ours in it becomes a proposal, what is foreign an
 * alarm. Drafts that nobody has seen may have given way afterwards. */
void queue_watch_seen(struct queue_watch *watch, const struct queue_view *view);

/* The first transaction in the queue that makes a call of the proposal and nothing but registry
 * calls; NULL if none. */
const struct proposal_tx *queue_watch_overlap(const struct lane *lane, struct arena *arena,
                                              const struct queue_view *view,
                                              const struct proposal *proposal);

#endif
