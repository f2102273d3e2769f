/* Proposals that something else stands against, which makes one of their calls, too, or waits for
 * their nonce, and is not followed itself: who they are, for as long as that lasts. */
#ifndef GOVERN_CONTESTED_H
#define GOVERN_CONTESTED_H

#include "daemon/govern/lane.h"

struct contested;

struct contested *contested_new(struct lane *lane);
void contested_free(struct contested *contested); /* NULL is fine */

/* One look at everything that a queue, the timelocks or the modules hold: whose it is, is told by
 * the pointer alone. What an earlier look of the same place told of, and this one does not, is
 * over with its end, unless another place still tells of it. */
void contested_begin(struct contested *contested, const void *place);
void contested_end(struct contested *contested);
/* The alarm, and that it was told of in this look; outside of one it has no end but the
 * proposal's. Opens its own transaction. */
void contested_tell(struct contested *contested, struct proposal_id id, const char *text);

#endif
