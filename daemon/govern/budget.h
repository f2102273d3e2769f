/* How often a target's Safe service was asked today, and how often it may be. Days are UTC's. */
#ifndef GOVERN_BUDGET_H
#define GOVERN_BUDGET_H

#include "common/base/clock.h"

#include <stdbool.h>

struct budget {
	uint64_t limit; /* requests a day */
	int64_t day;    /* since 1970; of what follows */
	uint64_t used;
	bool stored; /* the store knows this count */
	bool told;   /* that it is used up, today */
};

/* Counts a request. False: there is none left today, and it must not be made. */
bool budget_take(struct budget *budget, struct wall now);
/* Counts one that is made in any case: a person asked for it. */
void budget_spend(struct budget *budget, struct wall now);
/* Nothing is left today. */
bool budget_used_up(const struct budget *budget, struct wall now);
/* When to look again after a refusal: at the next midnight, in an hour at the latest, since the
 * clock may be set meanwhile. */
int64_t budget_wait_ms(struct wall now);
int64_t budget_day(struct wall now);

#endif
