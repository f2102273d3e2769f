/* What stands in front of our Safe transactions: a Safe executes in the order of its nonces. Which
 * lower nonce is waited for, whose it is (a proposal of ours, somebody's, nobody's: a hole), and
 * since when. Kept in the store for `status` and `proposals`; an alarm when it lasts, at once for a
 * hole. */
#ifndef GOVERN_BLOCKAGE_H
#define GOVERN_BLOCKAGE_H

#include "daemon/govern/lane.h"
#include "daemon/govern/queue.h"

struct blockage;

struct blockage *blockage_new(struct lane *lane);
void blockage_free(struct blockage *blockage); /* NULL is fine */
/* The tracker has looked: every queued transaction is compared with its Safe's nonce. */
void blockage_run(struct blockage *blockage);
/* Somebody has read this Safe's queue. */
void blockage_seen(struct blockage *blockage, const struct queue_view *view);

/* The lowest nonce that nothing holds below something of the proposal that is queued, and that;
 * false: none is known. */
bool blockage_hole(struct blockage *blockage, struct arena *arena, struct proposal_id proposal,
                   struct safe_tx_row *above, uint64_t *nonce);

#endif
