/* The proposer: gives drafted Safe transactions a nonce, has them signed, posts them to the Safe's
 * service, reads them back, and asks the service for the confirmations of those that are pending.
 */
#ifndef GOVERN_PROPOSER_H
#define GOVERN_PROPOSER_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/queue.h"

struct proposer *proposer_new(struct lane *lane);
void proposer_free(struct proposer *proposer);
/* Something may be due: a draft to post, a pending transaction to ask about. */
void proposer_run(struct proposer *proposer);
/* The service of a target; NULL when it has none that can be used. */
struct service *proposer_service(const struct proposer *proposer,
                                 const struct config_target *target);
/* Has the service asked to forget a transaction that is of no use any more, see deletions.h. */
bool proposer_forget(struct proposer *proposer, const struct proposal *proposal,
                     const struct safe_tx_row *row, bool alone);
/* Somebody has read a Safe's queue: the confirmations in it count as asked for. */
void proposer_queue_seen(struct proposer *proposer, const struct queue_view *view);

#endif
