#include "daemon/govern/service_use.h"

#include "common/store/store_finality.h"


struct budget *service_use_load(const struct govern_parts *parts)
{
	const struct config *config = parts->config;
	struct budget *budgets = xcalloc(config->target_count, sizeof(*budgets));

	for (size_t i = 0; i < config->target_count; i++) {
		budgets[i].limit = config->targets[i].service.budget;
		budgets[i].stored = true;
		store_service_use_get(parts->store, config->targets[i].name, &budgets[i].day,
		                      &budgets[i].used);
	}
	return budgets;
}

struct budget *service_use_of(struct lane *lane, const struct config_target *target)
{
	return &lane->budgets[target - lane->parts->config->targets];
}

static bool has_service(const struct lane *lane, const struct config_target *target)
{
	return target->chain == lane->config && target->service.kind != SERVICE_NONE;
}

static void tell_used_up(struct lane *lane, const struct config_target *target,
                         struct budget *budget)
{
	budget->told = true;
	lane_alarm_clear(lane, ALARM_SERVICE_BUDGET, target->name); /* of another day */
	lane_alarm(lane, ALARM_SERVICE_BUDGET, target->name,
	           "its Safe service was asked %llu times today, which is all that "
	           "`service.budget` allows: nothing is proposed and no confirmation counted until "
	           "midnight UTC; the chain is followed all the same",
	           (unsigned long long)budget->used);
}

void service_use_look(struct lane *lane)
{
	const struct config *config = lane->parts->config;

	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		struct budget *budget = &lane->budgets[i];
		if (!has_service(lane, target))
			continue;
		if (!budget->stored) {
			store_begin(lane->parts->store);
			store_service_use_set(lane->parts->store, target->name, budget->day,
			                      budget->used);
			store_commit(lane->parts->store);
			budget->stored = true;
		}
		bool used_up = budget_used_up(budget, clock_wall());
		if (!used_up)
			lane_alarm_clear(lane, ALARM_SERVICE_BUDGET, target->name);
		else if (!budget->told)
			tell_used_up(lane, target, budget);
	}
}

struct jval *service_use_status(const struct lane *lane)
{
	const struct config *config = lane->parts->config;
	struct jval *list = jval_array();
	int64_t today = budget_day(clock_wall());

	for (size_t i = 0; i < config->target_count; i++) {
		const struct budget *budget = &lane->budgets[i];
		if (!has_service(lane, &config->targets[i]))
			continue;
		struct jval *row = jval_object();
		jval_add_string(row, "target", config->targets[i].name);
		jval_add_int(row, "requests_today",
		             budget->day == today ? (int64_t)budget->used : 0);
		jval_add_int(row, "budget", (int64_t)budget->limit);
		jval_push(list, row);
	}
	return list;
}
