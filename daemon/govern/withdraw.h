/* Taking back what was put before signers. A withdrawn proposal gets the rejection of each of its
 * queued Safe transactions, or the cancellation of its operation, as drafts that go the way of
 * every other; and it is followed all the same, since people may carry it to its end first. */
#ifndef GOVERN_WITHDRAW_H
#define GOVERN_WITHDRAW_H

#include "daemon/govern/lane.h"

struct withdraw;

struct withdraw *withdraw_new(struct lane *lane);
void withdraw_free(struct withdraw *withdraw); /* NULL is fine */
/* Whether the proposal is withdrawn, and its operation stands in a timelock to be cancelled: it is
 * not cancelled yet, as far as the logs up to the head say. */
bool withdraw_cancels(struct lane *lane, struct arena *arena, const struct proposal *proposal);
/* Looks at the store and does what is due. */
void withdraw_run(struct withdraw *withdraw);

#endif
