#include "common/store/store_internal.h"

#include "common/crypto/hash.h"
#include "common/store/migrations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What store_live_read reads. */
static const char *const live_tables[] = {"proposal", "call", "safe_tx", NULL};

int store_open(struct store **out, const char *path, struct error *error)
{
	struct db *db;
	struct wall now = clock_wall();

	*out = NULL;
	crypto_init(); /* the event log's hash chain */
	int rc = db_open(&db, path, error);
	if (rc != 0)
		return rc;
	rc = migrations_apply(db, path, now, error);
	if (rc != 0) {
		db_close(db);
		return rc;
	}
	struct store *store = xcalloc(1, sizeof(*store));
	store->db = db;
	store->now = now;
	db_watch(db, live_tables);
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	db_close(store->db);
	free(store);
}

void store_begin_at(struct store *store, const char *file, int line)
{
	if (store->begin_file != NULL)
		die("%s:%d: transaction inside the one begun at %s:%d", file, line,
		    store->begin_file, store->begin_line);
	db_exec(store->db, "BEGIN IMMEDIATE");
	store->begin_file = file;
	store->begin_line = line;
}

void store_commit_at(struct store *store, const char *file, int line)
{
	if (store->begin_file == NULL)
		die("%s:%d: commit without a transaction", file, line);
	db_exec(store->db, "COMMIT");
	store->begin_file = NULL;
}

void store_rollback(struct store *store)
{
	if (store->begin_file == NULL)
		die("rollback without a transaction");
	db_exec(store->db, "ROLLBACK");
	store->begin_file = NULL;
}

void store_set_now(struct store *store, struct wall now)
{
	store->now = now;
}

/* VACUUM INTO does not sync what it writes, and a name is only durable with its folder. */
static int make_durable(const char *path, struct error *error)
{
	char *folder = xstrdup(path);
	char *slash = strrchr(folder, '/');
	const char *parent = slash == NULL ? "." : slash == folder ? "/" : folder;
	int rc = 0;

	if (slash != NULL && slash != folder)
		*slash = '\0';
	const char *const names[] = {path, parent};
	for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0; i++) {
		int fd = open(names[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) != 0)
			rc = error_set_errno(error, "%s", names[i]);
		if (fd >= 0)
			close(fd);
	}
	free(folder);
	return rc;
}

static char *quoted(const char *text)
{
	struct buf out = {0};

	buf_append_byte(&out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_append_byte(&out, '\'');
		buf_append_byte(&out, (uint8_t)*text);
	}
	buf_append_byte(&out, '\'');
	return (char *)out.data;
}

int store_backup(struct store *store, const char *path, struct error *error)
{
	if (store->begin_file != NULL)
		die("backup inside the transaction begun at %s:%d", store->begin_file,
		    store->begin_line);
	/* Made here, empty, so that the copy never exists with a wider mode. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return error_set(error, ERR_CONFLICT, "%s: exists already", path);
	if (fd < 0)
		return error_set_errno(error, "%s", path);
	close(fd);

	char *name = quoted(path);
	char *sql = xasprintf("VACUUM INTO %s", name);
	int rc = db_try_exec(store->db, sql, error);
	free(sql);
	free(name);
	if (rc == 0)
		rc = make_durable(path, error);
	if (rc != 0)
		unlink(path);
	return rc;
}

char *store_name(char text[STORE_NAME_SIZE], char letter, int64_t id)
{
	snprintf(text, STORE_NAME_SIZE, "%c%lld", letter, (long long)id);
	return text;
}

bool store_exists(struct query *query)
{
	bool found = db_step(query);

	if (found)
		db_done(query);
	return found;
}
