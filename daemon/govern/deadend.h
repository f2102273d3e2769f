/* Proposals that stand but cannot, or need not, go on as they are: what is done about them. */
#ifndef GOVERN_DEADEND_H
#define GOVERN_DEADEND_H

#include "daemon/govern/observe.h"

/* After the tracker moved the proposal, in its transaction. True when something was changed. */
bool deadend_look(struct lane *lane, struct arena *arena, const struct observed *observed);
/* Whether the next look has to ask again, although nothing may happen until then: what was seen is
 * not final yet. */
bool deadend_waits(struct lane *lane, const struct observed *observed);

#endif
