#include "common/store/db.h"

#include "common/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CACHE_SLOTS = 512, BUSY_MS = 500 };

struct query {
	struct db *db;
	const char *sql;
	sqlite3_stmt *stmt;
	int bound, column;
};

struct db {
	sqlite3 *handle;
	char *path;
	const char *const *watched; /* tables, ends with NULL; or NULL */
	uint64_t writes;            /* to those */
	size_t cached;
	struct query *cache[CACHE_SLOTS]; /* open addressing on the literal's address */
};

static _Noreturn void fatal(const struct db *db, const char *sql)
{
	int code = sqlite3_extended_errcode(db->handle);
	const char *hint = "";

	if ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_IOERR)
		hint = " (the disk is full or failing; nothing is lost, restart when it has room)";
	die("database %s: %s [%d]%s in: %s", db->path, sqlite3_errmsg(db->handle), code, hint, sql);
}

static int error_of(const struct db *db, struct error *error, const char *doing)
{
	int code = sqlite3_extended_errcode(db->handle);
	const char *text = sqlite3_errmsg(db->handle);

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(error, ERR_CONFLICT, "%s: cannot %s: another process has it open",
		                 db->path, doing);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
	case SQLITE_ERROR:
		return error_set(error, ERR_INVALID, "%s: cannot %s: %s", db->path, doing, text);
	default:
		return error_set(error, ERR_IO, "%s: cannot %s: %s [%d]", db->path, doing, text,
		                 code);
	}
}

/* SQLite would create the file with the umask's mode; its WAL inherits whatever this one has. */
static int make_private(const char *path, struct error *error)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return error_set_errno(error, "%s", path);
	int rc = 0;
	if (fstat(fd, &st) != 0)
		rc = error_set_errno(error, "%s", path);
	else if (!S_ISREG(st.st_mode))
		rc = error_set(error, ERR_INVALID, "%s: not a regular file", path);
	else if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) != 0)
		rc = error_set_errno(error, "%s: cannot make it private", path);
	close(fd);
	return rc;
}

static int configure(struct db *db, struct error *error)
{
	static const struct {
		int option, value;
	} options[] = {
	        {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
	        {SQLITE_DBCONFIG_DQS_DDL, 0},     {SQLITE_DBCONFIG_DQS_DML, 0},
	        {SQLITE_DBCONFIG_ENABLE_FKEY, 1}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1},
	};

	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (sqlite3_db_config(db->handle, options[i].option, options[i].value, NULL) !=
		    SQLITE_OK)
			die("this SQLite lacks option %d", options[i].option);
	/* EXCLUSIVE before WAL: then the WAL's index lives in our memory and no second process
	 * can open the database. The empty transaction takes the lock now. Temporary
	 * data stays in memory: a confined daemon can open no file elsewhere. */
	return db_try_exec(db,
	                   "PRAGMA cell_size_check = ON;"
	                   "PRAGMA locking_mode = EXCLUSIVE;"
	                   "PRAGMA journal_mode = WAL;"
	                   "PRAGMA synchronous = FULL;"
	                   "PRAGMA foreign_keys = ON;"
	                   "PRAGMA trusted_schema = OFF;"
	                   "PRAGMA temp_store = MEMORY;"
	                   "PRAGMA journal_size_limit = 8388608;"
	                   "BEGIN IMMEDIATE; COMMIT",
	                   error);
}

int db_open(struct db **out, const char *path, struct error *error)
{
	*out = NULL;
	int rc = make_private(path, error);
	if (rc != 0)
		return rc;
	struct db *db = xcalloc(1, sizeof(*db));
	db->path = xstrdup(path);
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		rc = error_of(db, error, "open");
	else
		rc = configure(db, error);
	if (rc != 0)
		db_close(db);
	else
		*out = db;
	return rc;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++) {
		if (db->cache[i] != NULL)
			sqlite3_finalize(db->cache[i]->stmt);
		free(db->cache[i]);
	}
	if (sqlite3_close(db->handle) != SQLITE_OK)
		die("database %s: closed while in use", db->path);
	free(db->path);
	free(db);
}

static void row_written(void *arg, int how, const char *schema, const char *table,
                        sqlite3_int64 row)
{
	struct db *db = arg;

	(void)how;
	(void)schema;
	(void)row;
	for (const char *const *watched = db->watched; *watched != NULL; watched++)
		db->writes += strcmp(*watched, table) == 0;
}

void db_watch(struct db *db, const char *const *tables)
{
	db->watched = tables;
	sqlite3_update_hook(db->handle, row_written, db);
}

uint64_t db_writes(const struct db *db)
{
	return db->writes;
}

void db_exec(struct db *db, const char *sql)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		fatal(db, sql);
	/* What was read since the write is not so. */
	db->writes += strncmp(sql, "ROLLBACK", strlen("ROLLBACK")) == 0;
}

int db_try_exec(struct db *db, const char *sql, struct error *error)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return error_of(db, error, "use");
	return 0;
}

bool db_in_transaction(const struct db *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

static struct query *prepare(struct db *db, const char *sql, size_t slot)
{
	struct query *query = xcalloc(1, sizeof(*query));

	if (++db->cached > CACHE_SLOTS / 2)
		die("more SQL statements than the cache is made for");
	query->db = db;
	query->sql = sql;
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt,
	                       NULL) != SQLITE_OK)
		fatal(db, sql);
	db->cache[slot] = query;
	return query;
}

struct query *db_query(struct db *db, const char *sql)
{
	size_t slot = (uintptr_t)sql / 8 * 31 % CACHE_SLOTS;

	while (db->cache[slot] != NULL && db->cache[slot]->sql != sql)
		slot = (slot + 1) % CACHE_SLOTS;
	struct query *query = db->cache[slot];
	if (query == NULL)
		query = prepare(db, sql, slot);
	if (strcmp(sqlite3_sql(query->stmt), sql) != 0)
		die("SQL that is not a literal: %s", sql);
	if (sqlite3_stmt_busy(query->stmt))
		die("statement used while in use: %s", sql);
	if (!sqlite3_stmt_readonly(query->stmt) && !db_in_transaction(db))
		die("write outside a transaction: %s", sql);
	query->bound = query->column = 0;
	return query;
}

static void check_bind(struct query *query, int rc)
{
	if (rc != SQLITE_OK)
		fatal(query->db, query->sql);
}

void db_bind_int(struct query *query, int64_t value)
{
	check_bind(query, sqlite3_bind_int64(query->stmt, ++query->bound, value));
}

void db_bind_u64(struct query *query, uint64_t value)
{
	db_bind_int(query, (int64_t)value);
}

void db_bind_text(struct query *query, const char *text)
{
	if (text == NULL)
		db_bind_null(query);
	else
		check_bind(query,
		           sqlite3_bind_text(query->stmt, ++query->bound, text, -1, SQLITE_STATIC));
}

void db_bind_blob(struct query *query, const void *data, size_t len)
{
	/* A NULL pointer would become SQL NULL, and an empty blob is not NULL. */
	check_bind(query, sqlite3_bind_blob64(query->stmt, ++query->bound, len > 0 ? data : "", len,
	                                      SQLITE_STATIC));
}

void db_bind_null(struct query *query)
{
	check_bind(query, sqlite3_bind_null(query->stmt, ++query->bound));
}

static void check_bound(const struct query *query)
{
	if (query->bound != sqlite3_bind_parameter_count(query->stmt))
		die("%d parameters bound in: %s", query->bound, query->sql);
}

/* Bindings point at memory of the caller: they must not outlive the call. */
static void release(struct query *query)
{
	sqlite3_reset(query->stmt);
	sqlite3_clear_bindings(query->stmt);
}

bool db_step(struct query *query)
{
	check_bound(query);
	int rc = sqlite3_step(query->stmt);
	query->column = 0;
	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		fatal(query->db, query->sql);
	release(query);
	return false;
}

void db_done(struct query *query)
{
	release(query);
}

void db_run(struct query *query)
{
	if (db_step(query))
		die("rows where none were expected: %s", query->sql);
}

int db_try_run(struct query *query, struct error *error)
{
	check_bound(query);
	int rc = sqlite3_step(query->stmt);
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY) {
		error_set(error, ERR_CONFLICT, "%s", sqlite3_errmsg(query->db->handle));
		release(query);
		return ERR_CONFLICT;
	}
	if (rc != SQLITE_DONE)
		fatal(query->db, query->sql);
	release(query);
	return 0;
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(const struct db *db)
{
	return sqlite3_changes64(db->handle);
}

int64_t db_int(struct query *query)
{
	return sqlite3_column_int64(query->stmt, query->column++);
}

uint64_t db_u64(struct query *query)
{
	return (uint64_t)db_int(query);
}

struct wall db_wall(struct query *query)
{
	return (struct wall){db_int(query)};
}

static struct bytes column_bytes(struct query *query)
{
	/* The pointer first, then the size: SQLite's documented order. */
	const void *data = sqlite3_column_blob(query->stmt, query->column);
	int len = sqlite3_column_bytes(query->stmt, query->column);

	query->column++;
	return bytes_of(data, (size_t)len);
}

const char *db_text(struct query *query, struct arena *arena)
{
	if (sqlite3_column_type(query->stmt, query->column) == SQLITE_NULL) {
		query->column++;
		return NULL;
	}
	return arena_text(arena, column_bytes(query));
}

struct bytes db_blob(struct query *query, struct arena *arena)
{
	return arena_copy(arena, column_bytes(query));
}

bool db_fixed(struct query *query, void *out, size_t len)
{
	bool present = sqlite3_column_type(query->stmt, query->column) != SQLITE_NULL;
	struct bytes found = column_bytes(query);

	memset(out, 0, len);
	if (!present)
		return false;
	if (found.len != len)
		die("%zu bytes in column %d, expected %zu, in: %s", found.len, query->column, len,
		    query->sql);
	memcpy(out, found.data, len);
	return true;
}

static uint64_t mix(uint64_t mark, const void *data, size_t len)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < len; i++)
		mark = (mark ^ byte[i]) * 0x100000001b3; /* FNV-1a */
	return mark;
}

uint64_t db_row_mark(struct query *query)
{
	uint64_t mark = 0xcbf29ce484222325;

	for (int i = 0; i < sqlite3_column_count(query->stmt); i++) {
		int type = sqlite3_column_type(query->stmt, i);
		mark = mix(mark, &type, sizeof(type));
		if (type == SQLITE_INTEGER) {
			int64_t value = sqlite3_column_int64(query->stmt, i);
			mark = mix(mark, &value, sizeof(value));
		} else if (type != SQLITE_NULL) {
			const void *data = sqlite3_column_blob(query->stmt, i);
			int len = sqlite3_column_bytes(query->stmt, i);
			mark = mix(mix(mark, &len, sizeof(len)), data, (size_t)len);
		}
	}
	return mark;
}

void *db_list_room(struct arena *arena, void *items, size_t count, size_t item_size)
{
	if (count == 0)
		return arena_array(arena, 8, item_size);
	if (count < 8 || (count & (count - 1)) != 0)
		return items;
	return memcpy(arena_array(arena, 2 * count, item_size), items, count * item_size);
}

const char *store_version(void)
{
	return "SQLite " SQLITE_VERSION;
}
