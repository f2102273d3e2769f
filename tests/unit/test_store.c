/* The database file: opening, migrating, refusing, transactions, backup, and being killed. */
#include "tests/unit/death.h"
#include "tests/unit/fixture.h"
#include "tests/unit/store_fixture.h"

#include "common/store/db.h"
#include "common/store/migrations.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const char *file_in(struct store_fixture *f, const char *name)
{
	return arena_printf(&f->arena, "%s/%s", f->folder, name);
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* --- opening --- */

static void a_new_file_is_private(void **state)
{
	struct store_fixture *f = *state;

	assert_int_equal(mode_of(f->path), 0600);
	assert_int_equal(mode_of(arena_printf(&f->arena, "%s-wal", f->path)), 0600);
	assert_int_not_equal(access(arena_printf(&f->arena, "%s-shm", f->path), F_OK), 0);
	assert_int_equal(chmod(f->path, 0644), 0); /* as a careless copy leaves it */
	store_fixture_reopen(f);
	assert_int_equal(mode_of(f->path), 0600);
}

static void the_upgrade_is_recorded_once(void **state)
{
	struct store_fixture *f = *state;

	assert_int_equal(store_fixture_number(f, "PRAGMA user_version"), migrations_version());
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM upgrade"),
	                 migrations_version());
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM upgrade WHERE program = "
	                                         "'" REGISTRARD_VERSION "' AND at > 0"),
	                 migrations_version());
}

static int try_open(struct store_fixture *f, const char *path)
{
	struct store *store = (struct store *)f;
	int rc = store_open(&store, path, &f->error);

	if (rc != 0)
		assert_null(store);
	store_close(store);
	return rc;
}

static void a_newer_database_is_refused(void **state)
{
	struct store_fixture *f = *state;
	struct db *db;

	store_close(f->store);
	f->store = NULL;
	assert_int_equal(db_open(&db, f->path, &f->error), 0);
	db_exec(db, "PRAGMA user_version = 4711");
	db_close(db);
	assert_int_equal(try_open(f, f->path), ERR_DENIED);
	assert_non_null(strstr(f->error.text, "the database has version 4711, this program ("));
	assert_non_null(strstr(f->error.text, arena_printf(&f->arena, "knows up to %lld",
	                                                   (long long)migrations_version())));
	/* untouched */
	assert_int_equal(db_open(&db, f->path, &f->error), 0);
	struct query *query = db_query(db, "PRAGMA user_version");
	assert_true(db_step(query));
	assert_int_equal(db_int(query), 4711);
	db_done(query);
	db_exec(db, "PRAGMA user_version = 0");
	db_close(db);
	assert_int_equal(try_open(f, f->path), ERR_INVALID);
}

static void what_is_no_database_is_refused(void **state)
{
	struct store_fixture *f = *state;
	const char *path = file_in(f, "other"), *folder = file_in(f, "folder");
	char text[8192];

	memset(text, 'x', sizeof(text));
	write_file(path, text, sizeof(text));
	assert_int_equal(try_open(f, path), ERR_INVALID);
	assert_non_null(strstr(f->error.text, "not a database"));
	write_file(path, "SQLite format 3", 16); /* cut short */
	assert_int_equal(try_open(f, path), ERR_INVALID);
	unlink(path);

	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_not_equal(try_open(f, folder), 0);
	rmdir(folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(try_open(f, path), ERR_INVALID);
	unlink(path);
	assert_int_equal(symlink(f->path, path), 0);
	assert_int_equal(try_open(f, path), ERR_IO);
	unlink(path);
	assert_int_equal(try_open(f, file_in(f, "no/such/folder")), ERR_IO);
}

static void somebody_elses_database_is_refused(void **state)
{
	struct store_fixture *f = *state;
	const char *path = file_in(f, "other.db");
	struct db *db;

	assert_int_equal(db_open(&db, path, &f->error), 0);
	db_exec(db, "CREATE TABLE t (x)");
	db_close(db);
	assert_int_equal(try_open(f, path), ERR_INVALID);
	assert_non_null(strstr(f->error.text, "not one of registrard"));
	unlink(path);
	write_file(path, "", 0); /* an empty file is a new database */
	assert_int_equal(try_open(f, path), 0);
	unlink(path);
}

static void a_damaged_schema_is_refused(void **state)
{
	struct store_fixture *f = *state;
	char noise[4096];

	store_close(f->store);
	f->store = NULL;
	memset(noise, 0xee, sizeof(noise));
	int fd = open(f->path, O_WRONLY);
	assert_int_equal(pwrite(fd, noise, sizeof(noise), 100), (ssize_t)sizeof(noise));
	close(fd);
	assert_int_equal(try_open(f, f->path), ERR_INVALID);
}

static void a_second_program_is_kept_out(void **state)
{
	struct store_fixture *f = *state;
	int status;

	/* in another process, because locks of one process do not stop itself */
	pid_t child = fork();
	if (child == 0) {
		struct store *store;
		int rc = store_open(&store, f->path, &f->error);
		_exit(rc == ERR_CONFLICT && strstr(f->error.text, "another process") != NULL ? 0
		                                                                             : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* --- migrating --- */

/* Files of earlier versions as they were saved. */
static const struct {
	const char *file;
	int64_t events;
	size_t measurements;
	int64_t artifacts; /* without those that are measured again */
} versions[] = {
        {"v1.db.sql", 153, 12, 12},
        {"v2.db.sql", 165, 16, 14},
        {"v3.db.sql", 165, 16, 14},
};

static void write_version(struct store_fixture *f, const char *path, const char *file)
{
	const char *name = arena_printf(&f->arena, "tests/fixtures/store/%s", file);
	struct db *db;

	assert_int_equal(db_open(&db, path, &f->error), 0);
	db_exec(db, (const char *)fixture_bytes(&f->arena, name).data);
	db_close(db);
}

static int64_t number_in(struct store_fixture *f, const char *path, const char *sql)
{
	struct db *db;

	assert_int_equal(db_open(&db, path, &f->error), 0);
	struct query *query = db_query(db, sql);
	assert_true(db_step(query));
	int64_t number = db_int(query);
	db_done(query);
	db_close(db);
	return number;
}

/* Each with what it holds. */
static void earlier_versions_are_migrated(void **state)
{
	struct store_fixture *f = *state;
	struct store *store;
	int64_t checked;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		const char *path = file_in(f, "old.db");
		write_version(f, path, versions[i].file);
		if (store_open(&store, path, &f->error) != 0)
			fail_msg("%s: %s", versions[i].file, f->error.text);
		assert_int_equal(store_event_verify(store, &checked, &f->error), 0);
		assert_int_equal(checked, versions[i].events);
		struct measurement_list measurements;
		store_measurement_list(store, &f->arena, &(struct measurement_filter){0},
		                       &measurements);
		assert_int_equal(measurements.count, versions[i].measurements);
		struct proposal_list proposals;
		store_proposal_list(store, &f->arena, PROPOSALS_ALL, 0, &proposals);
		assert_int_equal(proposals.count, 10);
		assert_int_equal(proposals.items[0].state, STATE_CONFIRMED);
		assert_int_equal(proposals.items[3].state, STATE_REJECTED);
		assert_int_equal(proposals.items[9].state, STATE_DRAFTED);
		store_close(store);
		assert_int_equal(number_in(f, path, "SELECT count(*) FROM artifact"),
		                 versions[i].artifacts);
		unlink(path);
	}
}

static const char *schema_of(struct store_fixture *f, const char *path)
{
	struct buf out = {0};
	struct db *db;

	assert_int_equal(db_open(&db, path, &f->error), 0);
	struct query *query = db_query(db, "SELECT type || ' ' || name || ' ' || coalesce(sql, '')"
	                                   " FROM sqlite_schema ORDER BY type, name");
	while (db_step(query)) {
		buf_append_text(&out, db_text(query, &f->arena));
		buf_append_byte(&out, '\n');
	}
	db_close(db);
	const char *text = arena_strdup(&f->arena, buf_text(&out));
	buf_free(&out);
	return text;
}

/* Whoever changes a step that was released, instead of adding one, is told so here. */
static void a_migrated_schema_is_the_schema(void **state)
{
	struct store_fixture *f = *state;
	const char *path = file_in(f, "old.db");

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		write_version(f, path, versions[i].file);
		assert_int_equal(try_open(f, path), 0);
		const char *migrated = schema_of(f, path);
		unlink(path);
		if (f->store != NULL)
			store_close(f->store);
		f->store = NULL;
		if (strcmp(migrated, schema_of(f, f->path)) != 0)
			fail_msg("%s: the schema changed without a new migration step",
			         versions[i].file);
	}
}

/* --- transactions --- */

static void begin_twice(void *arg)
{
	struct store_fixture *f = arg;

	store_begin(f->store);
	store_begin(f->store);
}

static void commit_nothing(void *arg)
{
	store_commit(((struct store_fixture *)arg)->store);
}

static void roll_back_nothing(void *arg)
{
	store_rollback(((struct store_fixture *)arg)->store);
}

static void write_outside(void *arg)
{
	store_event_add(((struct store_fixture *)arg)->store, "alarm", "p1", "text");
}

static void back_up_inside(void *arg)
{
	struct store_fixture *f = arg;

	store_begin(f->store);
	if (store_backup(f->store, file_in(f, "copy"), &f->error) != 0)
		die("not this way");
}

static void misuse_aborts_with_the_place(void **state)
{
	death_expect(begin_twice, *state, "test_store.c:");
	death_expect(begin_twice, *state, "transaction inside the one begun at ");
	death_expect(commit_nothing, *state, "commit without a transaction");
	death_expect(roll_back_nothing, *state, "rollback without a transaction");
	death_expect(write_outside, *state, "write outside a transaction: INSERT INTO event");
	death_expect(back_up_inside, *state, "backup inside the transaction begun at");
}

static void a_rollback_leaves_nothing(void **state)
{
	struct store_fixture *f = *state;
	struct hash32 hash = store_fixture_hash(1);
	uint64_t number;

	store_begin(f->store);
	store_cursor_set(f->store, 1, 5, &hash);
	store_rollback(f->store);
	assert_int_equal(store_cursor_get(f->store, 1, &number, &hash), ERR_NOT_FOUND);
	store_begin(f->store);
	store_cursor_set(f->store, 1, 6, &hash);
	store_commit(f->store);
	assert_int_equal(store_cursor_get(f->store, 1, &number, &hash), 0);
}

/* The child writes, says so through the pipe, and is killed before or after its commit. */
static void killed_child(struct store_fixture *f, unsigned n, bool commit)
{
	int pipes[2], status;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	store_close(f->store);
	f->store = NULL;
	pid_t child = fork();
	if (child == 0) {
		if (store_open(&f->store, f->path, &f->error) != 0)
			_exit(1);
		store_begin(f->store);
		for (unsigned i = 0; i < 2000; i++) { /* more than fits into SQLite's cache */
			struct seen_log log = {.block_number = n,
			                       .log_index = i,
			                       .data = bytes_of(f, sizeof(*f)),
			                       .key = store_fixture_hash(n)};
			store_log_put(f->store, 1, &log);
		}
		store_event_add(f->store, "daemon", "", "from the child");
		if (commit)
			store_commit(f->store);
		if (write(pipes[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_kill_leaves_the_old_state_or_the_new_one(void **state)
{
	struct store_fixture *f = *state;
	struct address address = {{0}};
	struct hash32 topic0 = {{0}};
	int64_t checked;

	for (unsigned n = 1; n <= 4; n++) {
		bool commit = n % 2 == 0;
		struct hash32 key = store_fixture_hash(n);
		struct seen_log_list list;
		killed_child(f, n, commit);
		assert_int_equal(store_open(&f->store, f->path, &f->error), 0);
		list = store_log_find(f->store, &f->arena, 1, &address, &topic0, &key);
		assert_int_equal(list.count, commit ? 2000 : 0);
		assert_int_equal(store_event_verify(f->store, &checked, &f->error), 0);
		assert_int_equal(checked, 1 + n / 2);
		assert_int_equal(store_fixture_number(f,
		                                      "SELECT count(*) FROM pragma_integrity_check"
		                                      " WHERE integrity_check <> 'ok'"),
		                 0);
		store_begin(f->store); /* the next child's rows have the same keys */
		store_chain_rewind(f->store, 1, 0);
		store_commit(f->store);
	}
}

static void fill_the_disk(void *arg)
{
	struct store_fixture *f = arg;
	static uint8_t data[1 << 20];

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20});
	if (store_open(&f->store, f->path, &f->error) != 0)
		return;
	store_begin(f->store);
	for (unsigned i = 0; i < 10; i++) {
		struct seen_log log = {.log_index = i, .data = bytes_of(data, sizeof(data))};
		store_log_put(f->store, 1, &log);
	}
	store_commit(f->store);
}

static void a_full_disk_ends_the_program_and_loses_nothing(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);
	int64_t checked;

	store_close(f->store);
	f->store = NULL;
	death_expect(fill_the_disk, f, "(the disk is full or failing; nothing is lost");
	assert_int_equal(store_open(&f->store, f->path, &f->error), 0);
	assert_int_equal(store_fixture_measurement(f, id).status, MEASUREMENT_NEW);
	assert_int_equal(store_event_verify(f->store, &checked, &f->error), 0);
	assert_int_equal(store_fixture_number(f, "SELECT count(*) FROM seen_log"), 0);
}

/* --- backup --- */

static void a_backup_is_a_whole_private_copy(void **state)
{
	struct store_fixture *f = *state;
	const char *path = file_in(f, "it's a copy.db");
	struct measurement_id id = store_fixture_record(f, 1);
	struct store *copy;
	struct measurement measurement;

	assert_int_equal(store_backup(f->store, path, &f->error), 0);
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(store_backup(f->store, path, &f->error), ERR_CONFLICT);
	assert_non_null(strstr(f->error.text, "exists already"));
	assert_int_equal(store_open(&copy, path, &f->error), 0);
	assert_int_equal(store_measurement_get(copy, &f->arena, id, &measurement), 0);
	store_close(copy);
	unlink(path);
	assert_int_equal(store_backup(f->store, file_in(f, "no/folder"), &f->error), ERR_IO);
}

static void a_backup_that_fails_leaves_no_file(void **state)
{
	struct store_fixture *f = *state;

	/* /dev/full takes no byte, and cannot be made anew */
	assert_int_equal(store_backup(f->store, "/dev/full", &f->error), ERR_CONFLICT);
	assert_int_equal(access("/dev/full", F_OK), 0);
	store_begin(f->store); /* and the store goes on */
	store_event_add(f->store, "daemon", "", "still here");
	store_commit(f->store);
}

/* --- the wrapper --- */

static void dynamic_sql(void *arg)
{
	struct store_fixture *f = arg;
	struct db *db;
	char sql[32] = "PRAGMA user_version";

	if (db_open(&db, file_in(f, "x"), &f->error) != 0)
		return;
	db_query(db, sql);
	strcpy(sql, "PRAGMA data_version"); /* allowed: two literals of known size */
	db_query(db, sql);
}

static void broken_sql(void *arg)
{
	struct store_fixture *f = arg;
	struct db *db;

	if (db_open(&db, file_in(f, "x"), &f->error) == 0)
		db_exec(db, "SELECT one FROM nowhere");
}

static void unbound(void *arg)
{
	struct store_fixture *f = arg;
	struct db *db;

	if (db_open(&db, file_in(f, "x"), &f->error) == 0)
		db_run(db_query(db, "SELECT ?1 WHERE 0"));
}

static void in_use(void *arg)
{
	struct store_fixture *f = arg;
	struct db *db;
	static const char sql[] = "SELECT 1 UNION SELECT 2";

	if (db_open(&db, file_in(f, "x"), &f->error) == 0 && db_step(db_query(db, sql)))
		db_query(db, sql);
}

static void the_wrapper_aborts_on_bugs(void **state)
{
	struct store_fixture *f = *state;
	const char *const left[] = {"x", "x-wal", "x-shm"};

	death_expect(dynamic_sql, f, "SQL that is not a literal");
	death_expect(broken_sql, f, "no such table: nowhere [1] in: SELECT one");
	death_expect(unbound, f, "0 parameters bound in");
	death_expect(in_use, f, "statement used while in use");
	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		unlink(file_in(f, left[i]));
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(a_new_file_is_private),
	        WITH_STORE(the_upgrade_is_recorded_once),
	        WITH_STORE(a_newer_database_is_refused),
	        WITH_STORE(what_is_no_database_is_refused),
	        WITH_STORE(somebody_elses_database_is_refused),
	        WITH_STORE(a_damaged_schema_is_refused),
	        WITH_STORE(a_second_program_is_kept_out),
	        WITH_STORE(earlier_versions_are_migrated),
	        WITH_STORE(a_migrated_schema_is_the_schema),
	        WITH_STORE(misuse_aborts_with_the_place),
	        WITH_STORE(a_rollback_leaves_nothing),
	        WITH_STORE(a_kill_leaves_the_old_state_or_the_new_one),
	        WITH_STORE(a_full_disk_ends_the_program_and_loses_nothing),
	        WITH_STORE(a_backup_is_a_whole_private_copy),
	        WITH_STORE(a_backup_that_fails_leaves_no_file),
	        WITH_STORE(the_wrapper_aborts_on_bugs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
