/* Whether new blocks come, and whether this machine's clock and the chain's agree: what a halted
 * chain, endpoints that stopped and a wrong clock look like from here. Decides, tells nobody. */
#ifndef GOVERN_BLOCK_WATCH_H
#define GOVERN_BLOCK_WATCH_H

#include "daemon/chain/chain.h"

struct block_watch {
	struct mono moved_at; /* when the head became another one; at first, the start */
	struct block_ref head;
	bool silent, clock_off, clock_ahead;
};

/* What changed with this look: each comes once, until its opposite. */
enum block_news {
	BLOCKS_NOTHING = 0,
	BLOCKS_SILENT = 1,    /* none for longer than the limit */
	BLOCKS_AGAIN = 2,     /* one came after that */
	BLOCKS_CLOCK_OFF = 4, /* a new one whose time is far from ours, or now on the other side */
	BLOCKS_CLOCK_RIGHT = 8,
};

void block_watch_begin(struct block_watch *watch, struct mono now);
/* After every tick, with the head it brought; NULL: it failed. Returns block_news, several at once.
 */
unsigned block_watch_look(struct block_watch *watch, const struct block_ref *head, struct mono now,
                          struct wall wall, int64_t no_block_ms);
/* How far our clock is ahead of the newest block's time, in seconds; negative: behind. */
int64_t block_watch_ahead_s(const struct block_watch *watch, struct wall wall);

#endif
