/* Which measurements of a target are to be drafted now. */
#ifndef GOVERN_GATHER_H
#define GOVERN_GATHER_H

#include "common/store/store_proposal.h"
#include "daemon/govern/lane.h"

/* A measurement on its way into a draft. */
struct candidate {
	struct measurement measurement;
	struct call call; /* data lives in the arena */
	struct check_slot check, final_check;
	enum check_answer head, final;
	bool dropped;  /* decided otherwise; not in the draft */
	bool reverted; /* its simulation did */
	char *revert;  /* what it said */
};

struct gathered {
	struct candidate *items;
	size_t count;
	int64_t wait_ms; /* with count 0: when something becomes due, -1: nothing waits */
};

/* Takes what is new and wanted, is not older evidence than the target accepts, and was quiet long
 * enough or fills a batch; at most max_calls. Settles on the way, in the caller's transaction, what
 * needs no draft: values that a live proposal carries already are linked to it, values whose last
 * event on chain is a removal become absent, kinds without a contract are held. */
void gather(struct gathered *out, struct arena *arena, struct lane *lane,
            const struct config_target *target, struct wall now);

#endif
