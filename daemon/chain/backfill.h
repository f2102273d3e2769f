/* Reads the history of the followed contracts below the cursor, downward, in small steps beside the
 * ticks; what is done is in the store, so a restart goes on. Inside this room only. */
#ifndef CHAIN_BACKFILL_H
#define CHAIN_BACKFILL_H

#include "common/store/store.h"
#include "daemon/chain/chain.h"

struct backfill;

struct backfill *backfill_new(struct loop *loop, struct chain *chain, struct store *store,
                              void (*found)(size_t new_logs, void *arg), void *arg);
void backfill_free(struct backfill *backfill);

/* Begins or goes on with what the store says is still to be read. There must be a cursor. The
 * addresses are borrowed until the next run or stop. */
void backfill_run(struct backfill *backfill, const struct address *addresses, size_t count);
void backfill_stop(struct backfill *backfill);
bool backfill_running(const struct backfill *backfill);

/* Puts the logs that governance knows into the store; returns how many were not there yet. In the
 * caller's transaction. */
size_t backfill_record(struct store *store, uint64_t chain_id, const struct chain_log *logs,
                       size_t count);

#endif
