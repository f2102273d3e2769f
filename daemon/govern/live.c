#include "daemon/govern/live.h"

#include <stdlib.h>

struct live_copy {
	struct live live; /* first: what users hold */
	struct arena arena;
	uint64_t writes; /* of the store, when it was read */
	unsigned users;  /* the lane is one, as long as it is the newest */
};

void live_drop(const struct live *live)
{
	struct live_copy *copy = (struct live_copy *)live;

	if (copy == NULL || --copy->users > 0)
		return;
	arena_free(&copy->arena);
	free(copy);
}

const struct live *live_hold(struct lane *lane)
{
	struct store *store = lane->parts->store;
	struct live_copy *copy = (struct live_copy *)lane->live;

	if (copy == NULL || copy->writes != store_live_writes(store)) {
		live_drop(lane->live);
		copy = xcalloc(1, sizeof(*copy));
		copy->writes = store_live_writes(store);
		copy->users = 1;
		store_live_read(store, &copy->arena, lane->config->chain_id, &copy->live);
		lane->live = &copy->live;
	}
	copy->users++;
	return &copy->live;
}

const struct proposal *live_find(const struct live *live, struct proposal_id id)
{
	size_t low = 0, high = live->proposals.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (live->proposals.items[middle].id.n < id.n)
			low = middle + 1;
		else
			high = middle;
	}
	return low < live->proposals.count && live->proposals.items[low].id.n == id.n
	               ? &live->proposals.items[low]
	               : NULL;
}

const struct proposal *live_get(const struct live *live, struct lane *lane, struct arena *arena,
                                struct proposal_id id)
{
	const struct proposal *found = live_find(live, id);

	if (found != NULL)
		return found;
	struct proposal *over = arena_alloc(arena, sizeof(*over));
	return store_proposal_get(lane->parts->store, arena, id, over) == 0 ? over : NULL;
}

const struct safe_tx_list *live_txs(const struct live *live, const struct proposal *proposal)
{
	return &live->txs[proposal - live->proposals.items];
}

uint64_t live_mark(const struct live *live, size_t index)
{
	uint64_t mark = live->proposals.items[index].mark;

	/* The order counts, and so does how many there are. */
	for (size_t i = 0; i < live->txs[index].count; i++)
		mark = mark * 0x100000001b3 + live->txs[index].items[i].mark;
	return mark;
}
