#include "daemon/govern/proposers.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"

static bool is_later(const struct seen_log *a, const struct seen_log *b)
{
	return a->block_number > b->block_number ||
	       (a->block_number == b->block_number && a->log_index > b->log_index);
}

static bool account_of(struct address *out, const struct seen_log *log)
{
	struct event event;

	if (event_decode_stored(&event, &log->address, &log->topic0, log->data) != 0)
		return false;
	*out = event.role.account;
	return true;
}

static bool revoked_since(const struct seen_log_list *revoked, const struct seen_log *granted,
                          const struct address *account)
{
	struct address other;

	for (size_t i = 0; i < revoked->count; i++)
		if (is_later(&revoked->items[i], granted) &&
		    account_of(&other, &revoked->items[i]) && address_equal(&other, account))
			return true;
	return false;
}

struct address role_holder_of(struct store *store, uint64_t chain_id,
                              const struct address *timelock, const struct hash32 *role)
{
	struct seen_log_list granted, revoked;
	struct arena arena = {0};
	struct address found = {0}, account;

	granted = store_log_find(store, &arena, chain_id, timelock,
	                         event_topic0(EVENT_ROLE_GRANTED), role);
	revoked = store_log_find(store, &arena, chain_id, timelock,
	                         event_topic0(EVENT_ROLE_REVOKED), role);
	for (size_t i = 0; i < granted.count; i++)
		if (account_of(&account, &granted.items[i]) &&
		    !revoked_since(&revoked, &granted.items[i], &account))
			found = account;
	arena_free(&arena);
	return found;
}

struct address proposer_of(struct lane *lane, const struct config_target *target)
{
	struct address key;

	if (signer_address(lane->parts->signer, target->name, SIGNER_SCHEDULER, &key))
		return key;
	return role_holder_of(lane->parts->store, lane->config->chain_id, &target->timelock,
	                      &timelock_role_proposer);
}
