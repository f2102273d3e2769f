#include "daemon/govern/safe_view.h"

#include "common/crypto/hash.h"

struct safe_slot safe_view_ask(struct reads *reads, const struct address *safe)
{
	return (struct safe_slot){
	        .safe = *safe,
	        .nonce = reads_add_view(reads, safe, VIEW_SAFE_NONCE),
	        .threshold = reads_add_view(reads, safe, VIEW_SAFE_THRESHOLD),
	        .owners = reads_add_view(reads, safe, VIEW_SAFE_OWNERS),
	};
}

static struct hash32 signers_of(const struct safe_view *view)
{
	struct buf buf = {0};
	uint8_t threshold[8];

	be64_put(threshold, view->threshold);
	buf_append(&buf, threshold, sizeof(threshold));
	for (size_t i = 0; i < view->owner_count; i++)
		buf_append(&buf, view->owners[i].b, sizeof(view->owners[i].b));
	struct hash32 hash = sha256(buf_bytes(&buf));
	buf_free(&buf);
	return hash;
}

int safe_view_take(struct safe_view *out, struct arena *arena, const struct safe_slot *slot,
                   const struct chain_read_result *results)
{
	const struct chain_read_result *owners = &results[slot->owners];
	uint64_t threshold;

	*out = (struct safe_view){.safe = slot->safe};
	if (reads_u64(&out->nonce, &results[slot->nonce]) != 0 ||
	    reads_u64(&threshold, &results[slot->threshold]) != 0 || threshold == 0 ||
	    threshold > UINT16_MAX || !owners->success ||
	    view_addresses(arena, &out->owners, &out->owner_count, owners->returned) != 0)
		return ERR_UNAVAILABLE;
	out->threshold = (unsigned)threshold;
	out->signers = signers_of(out);
	return 0;
}

bool safe_view_is_owner(const struct safe_view *view, const struct address *account)
{
	for (size_t i = 0; i < view->owner_count; i++)
		if (address_equal(&view->owners[i], account))
			return true;
	return false;
}
