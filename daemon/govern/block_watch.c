#include "daemon/govern/block_watch.h"

#include <stdlib.h>

/* Chains are seconds off, the next block may take minutes: what is hours off is a wrong clock. */
enum { CLOCK_OFF_S = 6 * 3600 };

void block_watch_begin(struct block_watch *watch, struct mono now)
{
	*watch = (struct block_watch){.moved_at = now};
}

int64_t block_watch_ahead_s(const struct block_watch *watch, struct wall wall)
{
	return wall.ms / 1000 - (int64_t)watch->head.timestamp;
}

unsigned block_watch_look(struct block_watch *watch, const struct block_ref *head, struct mono now,
                          struct wall wall, int64_t no_block_ms)
{
	bool first = hash32_is_zero(&watch->head.hash);
	bool moved = head != NULL && !hash32_equal(&head->hash, &watch->head.hash);
	unsigned news = BLOCKS_NOTHING;

	if (moved) {
		watch->head = *head;
		watch->moved_at = now;
		if (watch->silent)
			news |= BLOCKS_AGAIN;
		watch->silent = false;
	} else if (!watch->silent && now.ms - watch->moved_at.ms >= no_block_ms) {
		watch->silent = true;
		news |= BLOCKS_SILENT;
	}
	/* The first head may be as old as it likes: only a new block says what time it is. */
	if (moved && !first) {
		int64_t ahead_s = block_watch_ahead_s(watch, wall);
		bool off = llabs(ahead_s) > CLOCK_OFF_S, ahead = ahead_s > 0;
		if (off && (!watch->clock_off || ahead != watch->clock_ahead))
			news |= BLOCKS_CLOCK_OFF;
		else if (!off && watch->clock_off)
			news |= BLOCKS_CLOCK_RIGHT;
		watch->clock_off = off;
		watch->clock_ahead = ahead;
	}
	return news;
}
