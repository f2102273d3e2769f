/* Which proposals a look at the chain may leave out: those about which nothing can have changed
 * since they were looked at in full. What a proposal's state follows from is what is stored about
 * it, the logs, the state of its contracts (which changes with a log), the final block and the
 * clocks. As long as the first three are as they were, and the last two move nothing by the pure
 * rules, looking again finds the same.
 *
 * All of this is memory: after a start everything is looked at. */
#ifndef GOVERN_QUIET_H
#define GOVERN_QUIET_H

#include "daemon/govern/observe.h"

struct quiet;

/* When a look is made, and of what. */
struct quiet_time {
	uint64_t epoch; /* lane->epoch */
	struct block_ref head, final;
	struct wall wall;
	struct mono mono;
};

struct quiet *quiet_new(void);
void quiet_free(struct quiet *quiet); /* NULL is fine */
/* mark: live_mark of what is stored about it. deeper, when it is not quiet: what changes only
 * together with a log has to be read, too. */
bool quiet_is(const struct quiet *quiet, const struct quiet_time *time,
              const struct proposal *proposal, uint64_t mark, bool *deeper);
/* It was looked at in full: at this time, when this was stored about it. again: something waits for
 * a later look, which has to be a deeper one. */
void quiet_note(struct quiet *quiet, const struct quiet_time *time, const struct observed *observed,
                uint64_t mark, bool again);
/* The Safe moved: its proposals are looked at again. True when one was quiet at this epoch. */
bool quiet_stir(struct quiet *quiet, uint64_t epoch, const struct address *safe);
/* Forgets all but these, which are ordered by id. */
void quiet_keep(struct quiet *quiet, const struct proposal_list *live);

#endif
