#include "daemon/govern/owner.h"

bool owner_wanted(struct address *out, const char **name, const struct config_target *target)
{
	switch (target->model) {
	case MODEL_SAFE_TIMELOCK:
	case MODEL_TIMELOCK:
		*out = target->timelock;
		*name = "timelock";
		return true;
	case MODEL_SAFE:
		*out = target->safe;
		*name = "Safe";
		return true;
	case MODEL_DELAY:
		*out = target->avatar;
		*name = "Safe";
		return true;
	case MODEL_DIRECT:
		*out = (struct address){0};
		*name = "owner";
		return false;
	}
	die("no such model: %d", (int)target->model);
}
