/* What became urgent when it stood in the queue already gets another Safe transaction, which
 * competes for the lowest nonce; the first one may still run instead. */
#ifndef GOVERN_HURRY_H
#define GOVERN_HURRY_H

#include "daemon/govern/lane.h"

void hurry_run(struct lane *lane);

#endif
