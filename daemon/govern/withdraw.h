/* Taking back what was put before signers. A withdrawn proposal gets the rejection of each of its
 * queued Safe transactions, or the cancellation of its operation, as drafts that go the way of
 * every other; and it is followed all the same, since people may carry it to its end first. */
#ifndef GOVERN_WITHDRAW_H
#define GOVERN_WITHDRAW_H

#include "daemon/govern/lane.h"

struct withdraw;

struct withdraw *withdraw_new(struct lane *lane);
void withdraw_free(struct withdraw *withdraw); /* NULL is fine */
/* Looks at the store and does what is due. */
void withdraw_run(struct withdraw *withdraw);

#endif
