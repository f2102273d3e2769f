#include "daemon/govern/nonce_user.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/govern/tracker.h"

static bool is_later(const struct seen_log *a, const struct seen_log *b)
{
	return a->block_number > b->block_number ||
	       (a->block_number == b->block_number && a->log_index > b->log_index);
}

/* The last one of two lists in chain order that is left, taken from its end. */
static const struct seen_log *take_last(struct seen_log_list *a, struct seen_log_list *b)
{
	const struct seen_log *last_a = a->count > 0 ? &a->items[a->count - 1] : NULL;
	const struct seen_log *last_b = b->count > 0 ? &b->items[b->count - 1] : NULL;

	if (last_a != NULL && (last_b == NULL || is_later(last_a, last_b))) {
		a->count--;
		return last_a;
	}
	if (last_b != NULL)
		b->count--;
	return last_b;
}

/* Every execution spends one nonce and leaves one event: the last event belongs to the nonce before
 * the current one, and so on backwards. */
int nonce_user_find(struct lane *lane, struct arena *arena, const struct address *safe,
                    uint64_t nonce, struct nonce_user *out)
{
	struct store *store = lane->parts->store;
	struct seen_log_list succeeded, failed;
	const struct safe_view *view;
	const struct seen_log *log = NULL;

	*out = (struct nonce_user){0};
	if (tracker_safe(lane->tracker, safe, &view) != 0 || nonce >= view->nonce)
		return ERR_NOT_FOUND;
	succeeded = store_log_list(store, arena, lane->config->chain_id, safe,
	                           event_topic0(EVENT_SAFE_SUCCESS));
	failed = store_log_list(store, arena, lane->config->chain_id, safe,
	                        event_topic0(EVENT_SAFE_FAILURE));
	for (uint64_t at = view->nonce; at > nonce; at--) {
		log = take_last(&succeeded, &failed);
		if (log == NULL)
			return ERR_NOT_FOUND;
	}
	out->safe_tx_hash = log->key;
	out->tx = log->tx_hash;
	out->failed = hash32_equal(&log->topic0, event_topic0(EVENT_SAFE_FAILURE));
	return 0;
}

const char *nonce_user_text(struct lane *lane, struct arena *arena, const struct address *safe,
                            uint64_t nonce)
{
	char hash[HASH32_TEXT_SIZE], tx[HASH32_TEXT_SIZE];
	struct nonce_user user;

	if (nonce_user_find(lane, arena, safe, nonce, &user) != 0)
		return arena_printf(arena, "nonce %llu was used by another transaction",
		                    (unsigned long long)nonce);
	return arena_printf(arena, "nonce %llu was used by safeTxHash %s%s in transaction %s",
	                    (unsigned long long)nonce, hash32_text(hash, &user.safe_tx_hash),
	                    user.failed ? " (which failed)" : "", hash32_text(tx, &user.tx));
}
