#include "daemon/govern/owner.h"

#include "common/governance/path.h"

bool owner_wanted(struct address *out, const char **name, const struct config_target *target)
{
	const struct path path = {.model = target->model,
	                          .safe = target->safe,
	                          .timelock = target->timelock,
	                          .avatar = target->avatar};
	enum path_account caller = path_caller(target->model);

	*name = caller == PATH_TIMELOCK ? "timelock" : "Safe";
	return path_account_address(out, &path, caller);
}

void owner_ask(struct owner_slots *slots, struct reads *reads, const struct config_target *target)
{
	struct address wanted;
	const char *name;

	*slots = (struct owner_slots){0};
	if (!owner_wanted(&wanted, &name, target))
		return;
	slots->contracts[slots->count++] = target->kms;
	if (target->has_app)
		slots->contracts[slots->count++] = target->app;
	for (size_t i = 0; i < slots->count; i++)
		slots->reads[i] = reads_add_view(reads, &slots->contracts[i], VIEW_OWNER);
}

const char *owner_judge(const struct owner_slots *slots, struct arena *arena,
                        const struct config_target *target, const struct chain_read_result *results)
{
	char contract[ADDRESS_TEXT_SIZE], owned_by[ADDRESS_TEXT_SIZE], needed[ADDRESS_TEXT_SIZE];
	struct address wanted, owner;
	const char *name;

	if (!owner_wanted(&wanted, &name, target))
		return NULL;
	for (size_t i = 0; i < slots->count; i++) {
		const struct chain_read_result *result = &results[slots->reads[i]];
		if (!result->success || view_address(&owner, result->returned) != 0 ||
		    address_equal(&owner, &wanted))
			continue;
		return arena_printf(
		        arena, "%s %s is owned by %s, not by the %s %s of the target",
		        i == 0 ? "kms" : "app", address_text(contract, &slots->contracts[i]),
		        address_text(owned_by, &owner), name, address_text(needed, &wanted));
	}
	return NULL;
}
