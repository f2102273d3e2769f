/* How many owners have confirmed what is pending: the one thing only the service knows, asked as
 * rarely as its request budget wants and checked signature by signature. */
#ifndef GOVERN_CONFIRMATIONS_H
#define GOVERN_CONFIRMATIONS_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/queue.h"
#include "daemon/govern/service.h"

struct confirmations *confirmations_new(struct lane *lane);
void confirmations_free(struct confirmations *confirmations);
/* Asks about this queued transaction if it is due. Returns the milliseconds until the next
 * question. Without a service (NULL) only what owners approved on chain is counted. */
int64_t confirmations_poll(struct confirmations *confirmations, struct service *service,
                           const struct config_target *target, const struct safe_tx_row *row);

/* A Safe's queue was read: it answers the questions about what stands in it. */
void confirmations_queue_seen(struct confirmations *confirmations, const struct queue_view *view);

/* Forgets the questions about all others than these, ordered by id; what is under way about them is
 * cancelled. */
void confirmations_keep(struct confirmations *confirmations, const struct safe_tx_list *open);

#endif
