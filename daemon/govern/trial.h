/* Whether what could be executed now would go through. A Safe keeps nonce and signatures when its
 * transaction reverts, so the chain shows nothing of it; it is tried by eth_call instead: what is
 * signed and next in its Safe's order, and what people execute by hand. */
#ifndef GOVERN_TRIAL_H
#define GOVERN_TRIAL_H

#include "daemon/govern/lane.h"

struct trials;

struct trials *trials_new(struct lane *lane);
void trials_free(struct trials *trials);
/* Tries what is due: at once when it could be executed for the first time, then less often. */
void trials_run(struct trials *trials);
/* The tracker has looked. */
void trials_looked(struct trials *trials);
/* Logs were read: what would have gone through may not now, and the other way round. */
void trials_news(struct trials *trials);

#endif
