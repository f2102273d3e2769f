/* Which measurements of a target are to be drafted now. */
#ifndef GOVERN_GATHER_H
#define GOVERN_GATHER_H

#include "common/store/store_proposal.h"
#include "daemon/govern/lane.h"

/* A measurement on its way into a draft, to be added or removed as its call says. */
struct candidate {
	struct measurement measurement;
	struct hash32 group; /* what has the same stays in one batch */
	struct wall since;   /* when it became what it is: the batch waits for quiet */
	struct call call;    /* data lives in the arena */
	struct check_slot check, final_check;
	enum check_answer head, final;
	bool dropped;  /* decided otherwise; not in the draft */
	bool waits;    /* dropped until what the head shows is final */
	bool reverted; /* its simulation did */
	char *revert;  /* what it said */
};

struct gathered {
	struct candidate *items;
	size_t count;
	int64_t wait_ms; /* when something else becomes due, -1: nothing waits */
	bool urgent;     /* removals that a person called urgent, and what belongs to them alone */
};

/* What is left out of a look: it waits for finality, and nothing else waits for it. */
struct gather_skip {
	const struct measurement_id *ids;
	size_t count;
};

/* Takes what is new and wanted, is not weaker evidence than the target accepts, and what people
 * revoked and no addition under way may still bring, when it was quiet long enough or fills a
 * batch; at most max_calls. Settles on the way, in the caller's transaction, what
 * needs no draft: values that a live proposal carries already are linked to it, values whose last
 * event on chain is a removal become absent, kinds without a contract are held. */
void gather(struct gathered *out, struct arena *arena, struct lane *lane,
            const struct config_target *target, struct gather_skip skip, struct wall now);
/* Whether a live proposal in a state before this one adds what the call is about. */
bool gather_is_being_added(struct lane *lane, struct arena *arena, const struct call *call,
                           enum proposal_state before);

#endif
