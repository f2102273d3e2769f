/* What the database itself refuses, whatever the program above it does; and that its questions are
 * answered by indices. */
#include "tests/unit/store_fill.h"
#include "tests/unit/store_fixture.h"

#include "common/store/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Statements against a store with target 1, measurement 1 and 2, proposal 1 (live) with call 1,
 * its history, and Safe transaction 1 with nonce 3. */
#define CALL(chain, contract, data, live)                                                          \
	"INSERT INTO call (proposal_id, position, chain_id, contract, data, action, kind, value, " \
	"live)"                                                                                    \
	" SELECT 1, 1 + max(position), " chain ", " contract ", " data                             \
	", 1, 1, zeroblob(32), " live " FROM call"
#define SAFE_TX(purpose, attempt, nonce, hash, status)                                             \
	"INSERT INTO safe_tx (proposal_id, purpose, attempt, chain_id, safe, contract, data,"      \
	" operation, nonce, safe_tx_hash, status, confirmations, threshold, tx_block, posted_at)"  \
	" SELECT 1, " purpose ", " attempt ", chain_id, safe, contract, data, 0, " nonce ", " hash \
	", " status ", 0, 0, 0, 0 FROM safe_tx WHERE id = 1"
#define MEASUREMENT(target, kind, value, wanted, status)                                           \
	"INSERT INTO measurement (target_id, kind, value, wanted, status, level, is_signed, "      \
	"approved,"                                                                                \
	" first_seen, status_since) VALUES (" target ", " kind ", " value ", " wanted ", " status  \
	", 1, 0, 0, 0, 0)"

static const struct {
	const char *sql;
	const char *refusal; /* "" for what is allowed */
} cases[] = {
        /* types and sizes */
        {MEASUREMENT("1", "1", "zeroblob(32)", "1", "1"), ""},
        {MEASUREMENT("1", "1", "zeroblob(31)", "1", "1"), "CHECK constraint failed"},
        {MEASUREMENT("1", "1", "'text'", "1", "1"), "cannot store TEXT value in BLOB column"},
        {MEASUREMENT("1", "0", "zeroblob(32)", "1", "1"), "CHECK constraint failed"},
        {MEASUREMENT("1", "6", "zeroblob(32)", "1", "1"), "CHECK constraint failed"},
        {MEASUREMENT("1", "1", "zeroblob(32)", "2", "1"), "CHECK constraint failed"},
        {MEASUREMENT("1", "1", "zeroblob(32)", "1", "7"), "CHECK constraint failed"},
        {MEASUREMENT("1", "1", "zeroblob(32)", "1", "'x'"),
         "cannot store TEXT value in INTEGER column"},
        {MEASUREMENT("9", "1", "zeroblob(32)", "1", "1"), "FOREIGN KEY constraint failed"},
        {"INSERT INTO target (name, chain_id, kms) VALUES ('x', 1, zeroblob(19))",
         "CHECK constraint failed"},
        {"INSERT INTO target (name, chain_id, kms) VALUES ('', 1, zeroblob(20))",
         "CHECK constraint failed"},
        {"INSERT INTO target (name, chain_id, kms) VALUES ('payments', 1, zeroblob(20))",
         "UNIQUE constraint failed"},
        {"UPDATE measurement SET value = (SELECT value FROM measurement WHERE id = 1) WHERE id = 2",
         "UNIQUE constraint failed"},
        {"DELETE FROM measurement WHERE id = 1", "FOREIGN KEY constraint failed"},
        {"DELETE FROM target", "FOREIGN KEY constraint failed"},
        {"DELETE FROM proposal", "FOREIGN KEY constraint failed"},
        {"INSERT INTO build (target_id, folder, eif, status, first_seen, last_change)"
         " VALUES (1, 'f', '', 4, 0, 0)",
         "CHECK constraint failed"},
        {"INSERT INTO artifact_value (artifact_id, kind, value, level, is_signed)"
         " VALUES (999, 1, zeroblob(32), 1, 0)",
         "FOREIGN KEY constraint failed"},
        {"INSERT INTO artifact_value (artifact_id, kind, value, level, is_signed, os)"
         " VALUES (1, 1, zeroblob(32), 1, 0, zeroblob(31))",
         "CHECK constraint failed"},

        /* proposals */
        {"UPDATE proposal SET state = 11", "CHECK constraint failed"},
        {"UPDATE proposal SET state = 0", "CHECK constraint failed"},
        {"UPDATE proposal SET model = 6", "CHECK constraint failed"},
        {"UPDATE proposal SET flags = 4", "CHECK constraint failed"},
        {"UPDATE proposal SET origin = 'mars'", "CHECK constraint failed"},
        {"UPDATE proposal SET safe = zeroblob(32)", "CHECK constraint failed"},
        {"UPDATE proposal SET state = 6; UPDATE proposal SET state = 5",
         "a terminal state is for ever"},
        {"UPDATE proposal SET state = 9; UPDATE proposal SET state = 9, flags = 1", ""},

        /* one live call per chain, contract and calldata */
        {CALL("1", "zeroblob(20)", "zeroblob(36)", "1"), ""},
        {CALL("1", "zeroblob(20)", "zeroblob(3)", "1"), "CHECK constraint failed"},
        {CALL("chain_id", "contract", "data", "1"), "UNIQUE constraint failed"},
        {CALL("chain_id", "contract", "data", "0"), ""},
        {CALL("chain_id + 1", "contract", "data", "1"), ""},
        {CALL("chain_id", "zeroblob(20)", "data", "1"), ""},
        {"UPDATE call SET position = -1", "CHECK constraint failed"},
        {"INSERT INTO call_measurement VALUES (1, 1)", "UNIQUE constraint failed"},
        {"INSERT INTO call_measurement VALUES (1, 9)", "FOREIGN KEY constraint failed"},
        {"INSERT INTO call_measurement VALUES (1, 2)", ""},

        /* one live Safe transaction per chain, Safe and nonce, but for its rejection */
        {SAFE_TX("1", "2", "3", "zeroblob(32)", "2"), "UNIQUE constraint failed"},
        {SAFE_TX("3", "1", "3", "zeroblob(32)", "3"), "UNIQUE constraint failed"},
        {SAFE_TX("4", "1", "3", "zeroblob(32)", "2"), ""},
        {SAFE_TX("1", "2", "3", "zeroblob(32)", "6") "; UPDATE safe_tx SET shares = 1, status = 2"
                                                     " WHERE attempt = 2",
         ""},
        {SAFE_TX("1", "2", "3", "zeroblob(32)", "6") "; UPDATE safe_tx SET shares = 1; UPDATE "
                                                     "safe_tx SET status = 2",
         "UNIQUE constraint failed"},
        {"UPDATE safe_tx SET shares = 2", "CHECK constraint failed"},
        {"UPDATE safe_tx SET deleted = 2", "CHECK constraint failed"},
        {"UPDATE measurement SET urgent = 2", "CHECK constraint failed"},
        {"UPDATE measurement SET replaces = zeroblob(31)", "CHECK constraint failed"},
        {"UPDATE proposal SET redraft = 2", "CHECK constraint failed"},
        {"UPDATE proposal SET urgent = 2", "CHECK constraint failed"},
        {SAFE_TX("1", "2", "4", "zeroblob(32)", "2"), ""},
        {SAFE_TX("1", "2", "3", "zeroblob(32)", "6"), ""},
        {SAFE_TX("1", "1", "4", "zeroblob(32)", "2"), "UNIQUE constraint failed"},
        {SAFE_TX("1", "2", "4", "NULL", "1"), "CHECK constraint failed"},
        {SAFE_TX("1", "2", "NULL", "zeroblob(32)", "1"), "CHECK constraint failed"},
        {SAFE_TX("1", "2", "NULL", "NULL", "1"), ""},
        {SAFE_TX("1", "2", "NULL", "NULL", "2"), "CHECK constraint failed"},
        {SAFE_TX("1", "2", "NULL", "NULL", "3"), "CHECK constraint failed"},
        {SAFE_TX("6", "1", "4", "zeroblob(32)", "2"), "CHECK constraint failed"},
        {SAFE_TX("1", "0", "4", "zeroblob(32)", "2"), "CHECK constraint failed"},

        /* append-only */
        {"UPDATE event SET text = 'x' WHERE id = 1", "event is append-only"},
        {"DELETE FROM event WHERE id = 1", "event is append-only"},
        {"UPDATE history SET reason = 'x'", "history is append-only"},
        {"DELETE FROM history", "history is append-only"},
        {"UPDATE evidence SET level = 3", "evidence is append-only"},
        {"DELETE FROM evidence", "evidence is append-only"},
        {"INSERT INTO event_head VALUES (2, 0, zeroblob(32))", "CHECK constraint failed"},
        {"INSERT INTO event (at, type, subject, text, hash) VALUES (1, '', '', '', zeroblob(32))",
         "CHECK constraint failed"},

        /* SQLite itself is strict, too */
        {"SELECT \"no such column\" FROM target", "no such column"},
        {"PRAGMA writable_schema = ON; DELETE FROM sqlite_schema", "may not be modified"},
};

static void the_database_refuses(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_id id = store_fixture_record(f, 1);
	struct address address = store_fixture_address(3);
	struct hash32 hash = store_fixture_hash(2);

	store_fixture_record(f, 2);
	struct proposal_id proposal = store_fixture_propose(f, ACTION_ADD, 1, id);
	store_begin(f->store);
	const struct safe_tx_row fresh = {
	        .proposal = proposal,
	        .purpose = PURPOSE_SCHEDULE,
	        .safe = address,
	        .to = address,
	        .data = bytes_of("", 0),
	};
	struct safe_tx_id tx = store_safe_tx_add(f->store, &fresh);
	assert_int_equal(store_safe_tx_assign(f->store, tx, 3, &hash, &f->error), 0);
	store_commit(f->store);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* each case starts from the same state */
		const char *said = store_fixture_sql(
		        f, arena_printf(&f->arena, "BEGIN; %s; ROLLBACK", cases[i].sql));
		bool as_expected = cases[i].refusal[0] == '\0'
		                           ? said[0] == '\0'
		                           : strstr(said, cases[i].refusal) != NULL;
		if (!as_expected)
			fail_msg("\"%s\" instead of \"%s\" for: %s", said, cases[i].refusal,
			         cases[i].sql);
	}
}

/* The questions that grow with the years must not read whole tables or sort them. */
static const char *const indexed[] = {
        "SELECT * FROM measurement WHERE value = ?",
        "SELECT * FROM measurement WHERE status = ? ORDER BY id",
        "SELECT * FROM evidence WHERE measurement_id = ? ORDER BY id",
        "SELECT * FROM artifact WHERE target_id = ? AND folder = ? AND gone = 0 ORDER BY path",
        "SELECT * FROM proposal p CROSS JOIN target t WHERE t.id = p.target_id AND p.state < 6"
        " AND (?1 = 0 OR p.chain_id = ?1) ORDER BY p.id",
        "SELECT * FROM proposal p CROSS JOIN call c WHERE c.proposal_id = p.id AND p.state < 6"
        " ORDER BY p.id, c.position",
        "SELECT * FROM call WHERE chain_id = ? AND contract = ? AND data = ? AND live = 1",
        "SELECT DISTINCT proposal_id FROM call WHERE chain_id = ? AND contract = ? AND data = ?"
        " ORDER BY proposal_id",
        "SELECT * FROM call_measurement WHERE measurement_id = ?",
        "SELECT * FROM history WHERE proposal_id = ? ORDER BY id",
        "SELECT * FROM safe_tx WHERE chain_id = ? AND status <= 3 ORDER BY id",
        "SELECT * FROM safe_tx WHERE proposal_id = ?",
        "SELECT * FROM safe_tx WHERE chain_id = ? AND safe = ? AND nonce = ? ORDER BY id",
        "SELECT * FROM sent_tx WHERE proposal_id = ? ORDER BY id",
        "SELECT DISTINCT nonce FROM sent_tx WHERE chain_id = ? AND sender = ? AND status = 1"
        " AND nonce >= ? ORDER BY nonce",
        "SELECT * FROM sent_tx WHERE chain_id = ? AND sender = ? AND nonce = ? ORDER BY id",
        "SELECT * FROM trouble WHERE chain_id = ? AND alarm = ? AND subject = ?",
        "SELECT * FROM seen_log WHERE chain_id = ? AND contract = ? AND topic0 = ? AND key = ?"
        " ORDER BY block_number, log_index",
        "SELECT * FROM seen_log WHERE chain_id = ? AND topic0 = ? AND block_number <= ? AND acted "
        "= 0",
        "DELETE FROM seen_log WHERE chain_id = ? AND block_number > ?",
        "DELETE FROM seen_log WHERE chain_id = ? AND block_number = ? AND block_hash <> ?",
        "SELECT * FROM event WHERE type = 'alarm' ORDER BY id DESC LIMIT ?",
        "SELECT * FROM event WHERE id > ? ORDER BY id LIMIT ?",
};

static void questions_are_answered_by_indices(void **state)
{
	struct store_fixture *f = *state;
	struct db *db;

	store_close(f->store);
	f->store = NULL;
	assert_int_equal(db_open(&db, f->path, &f->error), 0);
	db_exec(db, "BEGIN");
	for (size_t i = 0; i < ARRAY_LEN(indexed); i++) {
		struct query *query =
		        db_query(db, arena_printf(&f->arena, "EXPLAIN QUERY PLAN %s", indexed[i]));
		for (const char *p = indexed[i]; (p = strchr(p, '?')) != NULL; p++)
			if (strstr(indexed[i], "?1") == NULL || p == strchr(indexed[i], '?'))
				db_bind_null(query);
		while (db_step(query)) {
			db_int(query);
			db_int(query);
			db_int(query);
			const char *step = db_text(query, &f->arena);
			bool scan = strncmp(step, "SCAN", 4) == 0 &&
			            strstr(step, "proposal_live") == NULL &&
			            strstr(step, "event_alarm") == NULL;
			if (scan || strstr(step, "TEMP B-TREE") != NULL)
				fail_msg("%s: %s", step, indexed[i]);
		}
	}
	db_exec(db, "ROLLBACK");
	db_close(db);
}

static void a_filled_store_holds_together(void **state)
{
	struct store_fixture *f = *state;
	struct measurement_list measurements;
	struct proposal_list all, live;
	size_t by_status[8] = {0}, calls = 0, still_live = 0;
	int64_t checked;

	store_fill(f->store, 200, 60);
	store_fixture_reopen(f);
	store_measurement_list(f->store, &f->arena, &(struct measurement_filter){0}, &measurements);
	assert_int_equal(measurements.count, 200);
	for (size_t i = 0; i < measurements.count; i++) {
		const struct measurement *m = &measurements.items[i];
		struct evidence_list evidence;
		struct proposal_id *proposals;
		store_evidence_list(f->store, &f->arena, m->id, &evidence);
		assert_int_equal(evidence.count, 1);
		size_t count = store_measurement_proposals(f->store, &f->arena, m->id, &proposals);
		assert_int_equal(count, m->status == MEASUREMENT_NEW ? 0 : 1);
		by_status[m->status]++;
	}
	assert_int_equal(by_status[MEASUREMENT_REVOKED] + by_status[MEASUREMENT_REFUSED], 0);
	assert_true(by_status[MEASUREMENT_AUTHORIZED] > by_status[MEASUREMENT_HELD]);
	assert_true(by_status[MEASUREMENT_HELD] > 0 && by_status[MEASUREMENT_PROPOSED] > 0 &&
	            by_status[MEASUREMENT_NEW] > 0);

	store_proposal_list(f->store, &f->arena, PROPOSALS_ALL, 0, &all);
	store_proposal_list(f->store, &f->arena, PROPOSALS_LIVE, 0, &live);
	assert_int_equal(all.count, 60);
	for (size_t i = 0; i < all.count; i++) {
		struct proposal one;
		struct measurement_list served;
		assert_int_equal(store_proposal_get(f->store, &f->arena, all.items[i].id, &one), 0);
		assert_int_equal(one.call_count, all.items[i].call_count);
		assert_int_equal(one.state, all.items[i].state);
		store_proposal_measurements(f->store, &f->arena, one.id, &served);
		assert_int_equal(served.count, one.call_count);
		for (size_t k = 0; k < served.count; k++)
			assert_string_equal(served.items[k].target, one.target);
		calls += one.call_count;
		still_live += !lifecycle_is_terminal(one.state);
	}
	assert_int_equal(live.count, still_live);
	assert_int_equal(calls, 200 - by_status[MEASUREMENT_NEW]);
	assert_int_equal(store_event_verify(f->store, &checked, &f->error), 0);
	assert_true(checked > 1000);
}

#define WITH_STORE(test)                                                                           \
	cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_STORE(the_database_refuses),
	        WITH_STORE(questions_are_answered_by_indices),
	        WITH_STORE(a_filled_store_holds_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
