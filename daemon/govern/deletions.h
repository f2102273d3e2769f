/* Asking a service to forget what is being withdrawn, as long as nobody has signed it: one thing
 * less for people to sign by mistake. It frees nothing, since who has seen it can sign it all the
 * same: its nonce is followed until something has used it. */
#ifndef GOVERN_DELETIONS_H
#define GOVERN_DELETIONS_H

#include "daemon/govern/lane.h"
#include "daemon/govern/service.h"

struct deletions;

struct deletions *deletions_new(struct lane *lane);
/* NULL is fine. The signer must have been freed before: its answer would find nobody. */
void deletions_free(struct deletions *deletions);
/* Tries it, once in the life of the daemon and one at a time, when the row is withdrawn, or queued
 * and its proposal is withdrawing, and what takes its place is in the queue; alone: or nothing has
 * to. True while that is under way or has its turn to come. */
bool deletions_consider(struct deletions *deletions, struct service *service,
                        const struct proposal *proposal, const struct safe_tx_row *row, bool alone);

#endif
