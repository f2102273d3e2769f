#include "tests/unit/store_fixture.h"

#include "common/store/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void open_store(struct store_fixture *f)
{
	if (store_open(&f->store, f->path, &f->error) != 0)
		fail_msg("%s", f->error.text);
	store_set_now(f->store, (struct wall){f->now});
}

int store_fixture_setup(void **state)
{
	struct store_fixture *f = xcalloc(1, sizeof(*f));
	struct address kms = store_fixture_address(1), app = store_fixture_address(2);

	snprintf(f->folder, sizeof(f->folder), "/tmp/registrard-store.XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		die("mkdtemp failed");
	snprintf(f->path, sizeof(f->path), "%s/registrard.db", f->folder);
	f->now = STORE_FIXTURE_START;
	open_store(f);
	store_begin(f->store);
	store_target_put(f->store, "payments", STORE_FIXTURE_CHAIN, &kms, &app);
	store_commit(f->store);
	*state = f;
	return 0;
}

int store_fixture_teardown(void **state)
{
	struct store_fixture *f = *state;
	const char *suffixes[] = {"", "-wal", "-shm", "-journal"};

	store_close(f->store);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		unlink(arena_printf(&f->arena, "%s%s", f->path, suffixes[i]));
	int rc = rmdir(f->folder); /* a test that leaves files behind fails here */
	if (rc != 0)
		fprintf(stderr, "%s is not empty\n", f->folder);
	arena_free(&f->arena);
	free(f);
	return rc;
}

void store_fixture_reopen(struct store_fixture *f)
{
	store_close(f->store);
	open_store(f);
}

void store_fixture_pass(struct store_fixture *f, int64_t ms)
{
	f->now += ms;
	store_set_now(f->store, (struct wall){f->now});
}

/* As a second program would open it. */
static struct db *open_beside(struct store_fixture *f)
{
	struct db *db;

	store_close(f->store);
	if (db_open(&db, f->path, &f->error) != 0)
		fail_msg("%s", f->error.text);
	return db;
}

const char *store_fixture_sql(struct store_fixture *f, const char *sql)
{
	struct db *db = open_beside(f);
	int rc = db_try_exec(db, sql, &f->error);

	db_close(db);
	open_store(f);
	return rc == 0 ? "" : arena_strdup(&f->arena, f->error.text);
}

int64_t store_fixture_number(struct store_fixture *f, const char *sql)
{
	struct db *db = open_beside(f);
	struct query *query = db_query(db, sql);
	int64_t number = 0;

	if (db_step(query))
		number = db_int(query);
	db_done(query);
	db_close(db);
	open_store(f);
	return number;
}

struct hash32 store_fixture_hash(unsigned n)
{
	struct hash32 hash = {{0xab}};

	be32_put(hash.b + 28, n);
	return hash;
}

struct address store_fixture_address(unsigned n)
{
	struct address address = {{0xcd}};

	be32_put(address.b + 16, n);
	return address;
}

struct measurement_id store_fixture_record(struct store_fixture *f, unsigned n)
{
	struct hash32 value = store_fixture_hash(n);
	struct evidence evidence = {.level = LEVEL_RECOMPUTED,
	                            .source = "folder",
	                            .artifact = "/srv/release/enclave.eif",
	                            .artifact_sha256 = store_fixture_hash(1000000 + n),
	                            .details = "{}"};
	bool created;

	store_begin(f->store);
	struct measurement_id id = store_measurement_record(f->store, "payments", KIND_OS_IMAGE,
	                                                    &value, &evidence, &created);
	store_commit(f->store);
	return id;
}

struct call store_fixture_call(struct store_fixture *f, enum action action, unsigned n)
{
	struct hash32 value = store_fixture_hash(n);
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, action, &value);
	return (struct call){.to = store_fixture_address(1),
	                     .data = arena_copy(&f->arena, bytes_of(data, sizeof(data))),
	                     .action = action,
	                     .kind = KIND_OS_IMAGE,
	                     .value = value};
}

struct proposal_id store_fixture_propose(struct store_fixture *f, enum action action, unsigned n,
                                         struct measurement_id id)
{
	struct call call = store_fixture_call(f, action, n);
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = STORE_FIXTURE_CHAIN,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = store_fixture_address(3),
	                                .timelock = store_fixture_address(4),
	                                .calls = &call,
	                                .call_count = 1};
	struct proposal_id out;

	store_begin(f->store);
	assert_int_equal(store_proposal_create(f->store, &proposal, &out, &f->error), 0);
	store_call_serve(f->store, STORE_FIXTURE_CHAIN, &call.to, call.data, id);
	store_commit(f->store);
	return out;
}

void store_fixture_move(struct store_fixture *f, struct proposal_id id, enum proposal_state from,
                        enum proposal_state to, const char *reason)
{
	const struct state_move move = {from, to, reason, NULL};

	store_begin(f->store);
	if (store_proposal_move(f->store, id, &move, &f->error) != 0)
		fail_msg("%s", f->error.text);
	store_commit(f->store);
}

struct measurement store_fixture_measurement(struct store_fixture *f, struct measurement_id id)
{
	struct measurement measurement;

	assert_int_equal(store_measurement_get(f->store, &f->arena, id, &measurement), 0);
	return measurement;
}

const char *store_fixture_last_event(struct store_fixture *f)
{
	struct event_list list;

	store_event_list(f->store, &f->arena, 0, 1000000, &list);
	if (list.count == 0)
		return "";
	const struct event_row *row = &list.items[list.count - 1];
	return arena_printf(&f->arena, "%s %s: %s", row->type, row->subject, row->text);
}
