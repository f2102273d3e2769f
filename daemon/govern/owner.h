/* Who must own the registries of a target so that its way of governance works. */
#ifndef GOVERN_OWNER_H
#define GOVERN_OWNER_H

#include "daemon/govern/lane.h"

/* The owner that the target's model needs, and what people call it ("timelock", "Safe"). False:
 * the model takes whoever owns the contract. */
bool owner_wanted(struct address *out, const char **name, const struct config_target *target);

/* Asks who owns the registries of a target, beside other reads at one block. */
struct owner_slots {
	struct address contracts[2];
	size_t reads[2], count; /* count 0: nothing to ask */
};
void owner_ask(struct owner_slots *slots, struct reads *reads, const struct config_target *target);
/* NULL when each is owned as the model needs it (or does not answer owner() at all), else in words
 * which is not. */
const char *owner_judge(const struct owner_slots *slots, struct arena *arena,
                        const struct config_target *target,
                        const struct chain_read_result *results);

#endif
