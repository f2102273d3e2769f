/* The database: SQLite in WAL mode, synchronous=FULL, opened by main only. Each room's part of the
 * API is in its own header (store_build.h, store_measurement.h, store_proposal.h, store_safe_tx.h,
 * store_chain.h, store_event.h); all SQL lives in this folder.
 *
 * One event, one transaction: a caller brackets what belongs together with store_begin and
 * store_commit; writing outside a transaction or nesting one is a bug and aborts with the place. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/jval.h"

struct store;

/* Opens or creates <path>, applies missing migrations in one transaction, refuses a database that
 * is newer than the program (ERR_DENIED) or broken. */
int store_open(struct store **out, const char *path, struct error *error) MUST_USE;
void store_close(struct store *store); /* NULL is fine */

void store_begin_at(struct store *store, const char *file, int line);
void store_commit_at(struct store *store, const char *file, int line);
void store_rollback(struct store *store);
#define store_begin(store) store_begin_at(store, __FILE__, __LINE__)
#define store_commit(store) store_commit_at(store, __FILE__, __LINE__)

/* "SQLite 3.40.1" */
const char *store_version(void);

/* A consistent copy into a new file (VACUUM INTO); ERR_CONFLICT when it exists. */
int store_backup(struct store *store, const char *path, struct error *error) MUST_USE;

/* The wall time that writes carry. Set by the loop at the start of each event. */
void store_set_now(struct store *store, struct wall now);

#endif
