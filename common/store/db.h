/* SQLite behind a narrow door: the only includer of sqlite3, used by this folder alone.
 *
 * Our own database has no outside: a read or write that fails is fatal (die() with the SQL and
 * SQLite's message), because going on with less than the truth would be worse than a restart. The
 * exceptions return an error: opening, and writes whose uniqueness the caller asks about. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "common/base/arena.h"
#include "common/base/clock.h"

struct db;
struct query; /* a prepared statement; owned and cached by the database */

/* Opens or creates (mode 0600), WAL, synchronous=FULL, exclusive lock, foreign keys. ERR_INVALID:
 * not a database or broken; ERR_CONFLICT: another process has it; ERR_IO. */
int db_open(struct db **out, const char *path, struct error *error) MUST_USE;
void db_close(struct db *db); /* NULL is fine */

/* Statements without parameters or rows, outside the rule that writes need a transaction. */
void db_exec(struct db *db, const char *sql);
/* The same, but a failure is the caller's: ERR_CONFLICT, ERR_INVALID or ERR_IO. */
int db_try_exec(struct db *db, const char *sql, struct error *error) MUST_USE;
bool db_in_transaction(const struct db *db);

/* Counts the rows written in these tables from now on; tables ends with NULL and outlives the
 * database. None of them may be WITHOUT ROWID or be written by REPLACE: SQLite tells nothing of it.
 */
void db_watch(struct db *db, const char *const *tables);
/* Grows with every such row, and when something was taken back. */
uint64_t db_writes(const struct db *db);

/* The statement of this SQL, reset and unbound. sql must be a literal: statements are cached by its
 * address. A write outside a transaction, or a statement still in use, aborts. */
struct query *db_query(struct db *db, const char *sql);

/* Each binds the next parameter: ?1, ?2, ... What text and blobs point at must live until the
 * statement was stepped to its end. */
void db_bind_int(struct query *query, int64_t value);
void db_bind_u64(struct query *query, uint64_t value);    /* stored as the same 64 bits */
void db_bind_text(struct query *query, const char *text); /* NULL: SQL NULL */
void db_bind_blob(struct query *query, const void *data, size_t len);
void db_bind_null(struct query *query);

/* True: a row is there, read it. False: no more rows. */
bool db_step(struct query *query) MUST_USE;
/* Ends a query whose remaining rows are not wanted. */
void db_done(struct query *query);
/* For statements without rows. */
void db_run(struct query *query);
/* The same; ERR_CONFLICT when a UNIQUE or PRIMARY KEY constraint refuses it. */
int db_try_run(struct query *query, struct error *error) MUST_USE;
int64_t db_last_id(const struct db *db);
int64_t db_changes(const struct db *db); /* rows that the last write changed */

/* Each reads the next column of the current row: never two in one expression. */
int64_t db_int(struct query *query);
uint64_t db_u64(struct query *query);
struct wall db_wall(struct query *query);
const char *db_text(struct query *query, struct arena *arena); /* NULL for SQL NULL */
struct bytes db_blob(struct query *query, struct arena *arena);
/* A blob of exactly len bytes. False, and out cleared, for SQL NULL. */
bool db_fixed(struct query *query, void *out, size_t len);
/* The same as long as every column of the current row is; 64 bits that nobody outside chooses. */
uint64_t db_row_mark(struct query *query);

/* The array to append item number count to, grown by doubling in the arena. */
void *db_list_room(struct arena *arena, void *items, size_t count, size_t item_size);

#endif
