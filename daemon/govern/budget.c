#include "daemon/govern/budget.h"

enum { HOUR_MS = 3600 * 1000 };
#define DAY_MS (24LL * HOUR_MS)

int64_t budget_day(struct wall now)
{
	return now.ms / DAY_MS;
}

/* Another day, be it a later one or, after the clock was set, an earlier one, starts anew. */
static void turn_page(struct budget *budget, struct wall now)
{
	int64_t day = budget_day(now);

	if (budget->day == day)
		return;
	budget->day = day;
	budget->used = 0;
	budget->told = false;
	budget->stored = false;
}

void budget_spend(struct budget *budget, struct wall now)
{
	turn_page(budget, now);
	budget->used++;
	budget->stored = false;
}

bool budget_take(struct budget *budget, struct wall now)
{
	if (budget_used_up(budget, now))
		return false;
	budget_spend(budget, now);
	return true;
}

bool budget_used_up(const struct budget *budget, struct wall now)
{
	return budget->day == budget_day(now) && budget->used >= budget->limit;
}

int64_t budget_wait_ms(struct wall now)
{
	int64_t left = (budget_day(now) + 1) * DAY_MS - now.ms;

	return left < HOUR_MS ? left : HOUR_MS;
}
