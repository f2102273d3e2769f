/* What lies in a Safe's queue although it is of no use any more: an execution of what was cancelled
 * or executed otherwise, a schedule of what others scheduled, an attempt that another one overtook.
 * It can only revert, and holds up what has a higher nonce. What nobody has signed, and nothing
 * waits behind, the service is asked to forget; everything else gets a rejection, which is followed
 * to its end although the proposal is over. */
#ifndef GOVERN_LEFTOVERS_H
#define GOVERN_LEFTOVERS_H

#include "daemon/govern/lane.h"

struct leftovers;

struct leftovers *leftovers_new(struct lane *lane);
void leftovers_free(struct leftovers *leftovers); /* NULL is fine */
/* Looks at the store and does what is due. */
void leftovers_run(struct leftovers *leftovers);

#endif
