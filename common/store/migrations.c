#include "common/store/migrations.h"

/* Numbers in CHECK constraints are the hand-numbered enums of the headers: they never change.
 * Columns named *_at and the like are milliseconds since 1970; uint64 values are stored as the
 * same 64 bits. */
static const char initial[] =
        "CREATE TABLE upgrade ("
        " version INTEGER PRIMARY KEY,"
        " at INTEGER NOT NULL,"
        " program TEXT NOT NULL"
        ") STRICT;"

        "CREATE TABLE target ("
        " id INTEGER PRIMARY KEY,"
        " name TEXT NOT NULL UNIQUE CHECK (name <> ''),"
        " chain_id INTEGER NOT NULL,"
        " kms BLOB NOT NULL CHECK (length(kms) = 20),"
        " app BLOB CHECK (length(app) = 20)"
        ") STRICT;"

        /* --- what was measured --- */
        "CREATE TABLE measurement ("
        " id INTEGER PRIMARY KEY,"
        " target_id INTEGER NOT NULL REFERENCES target (id),"
        " kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),"
        " value BLOB NOT NULL CHECK (length(value) = 32),"
        " wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),"
        " status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 6),"
        " reason TEXT,"
        " level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),"
        " is_signed INTEGER NOT NULL CHECK (is_signed IN (0, 1)),"
        " approved INTEGER NOT NULL CHECK (approved IN (0, 1)),"
        " first_seen INTEGER NOT NULL,"
        " status_since INTEGER NOT NULL,"
        " UNIQUE (target_id, kind, value)"
        ") STRICT;"
        "CREATE INDEX measurement_value ON measurement (value);"
        "CREATE INDEX measurement_status ON measurement (status);"

        "CREATE TABLE evidence ("
        " id INTEGER PRIMARY KEY,"
        " measurement_id INTEGER NOT NULL REFERENCES measurement (id),"
        " level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),"
        " is_signed INTEGER NOT NULL CHECK (is_signed IN (0, 1)),"
        " source TEXT NOT NULL,"
        " artifact TEXT NOT NULL,"
        " artifact_sha256 BLOB NOT NULL CHECK (length(artifact_sha256) = 32),"
        " details TEXT,"
        " at INTEGER NOT NULL,"
        " UNIQUE (measurement_id, source, artifact, artifact_sha256, level, is_signed)"
        ") STRICT;"
        "CREATE INDEX evidence_measurement ON evidence (measurement_id, id);"

        "CREATE TABLE artifact ("
        " id INTEGER PRIMARY KEY,"
        " target_id INTEGER NOT NULL REFERENCES target (id),"
        " path TEXT NOT NULL,"
        " folder TEXT NOT NULL,"
        " device INTEGER NOT NULL,"
        " inode INTEGER NOT NULL,"
        " size INTEGER NOT NULL,"
        " mtime_ns INTEGER NOT NULL,"
        " ctime_ns INTEGER NOT NULL,"
        " gone INTEGER NOT NULL CHECK (gone IN (0, 1)),"
        " format INTEGER NOT NULL CHECK (format >= 0),"
        " refused INTEGER NOT NULL CHECK (refused IN (0, 1)),"
        " refusal TEXT,"
        " level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 3),"
        " is_signed INTEGER NOT NULL CHECK (is_signed IN (0, 1)),"
        " pcr0 BLOB NOT NULL CHECK (length(pcr0) = 48),"
        " pcr1 BLOB NOT NULL CHECK (length(pcr1) = 48),"
        " pcr2 BLOB NOT NULL CHECK (length(pcr2) = 48),"
        " pcr8 BLOB CHECK (length(pcr8) = 48),"
        " value BLOB NOT NULL CHECK (length(value) = 32),"
        " sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"
        " measured_size INTEGER NOT NULL,"
        " details TEXT,"
        " UNIQUE (target_id, path)"
        ") STRICT;"
        "CREATE INDEX artifact_folder ON artifact (target_id, folder, path) WHERE gone = 0;"

        /* Folders in which something changed since their builds were judged. */
        "CREATE TABLE unjudged ("
        " target_id INTEGER NOT NULL REFERENCES target (id),"
        " folder TEXT NOT NULL,"
        " PRIMARY KEY (target_id, folder)"
        ") STRICT, WITHOUT ROWID;"

        "CREATE TABLE build ("
        " id INTEGER PRIMARY KEY,"
        " target_id INTEGER NOT NULL REFERENCES target (id),"
        " folder TEXT NOT NULL,"
        " eif TEXT NOT NULL,"
        " status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 3),"
        " reason TEXT,"
        " value BLOB CHECK (length(value) = 32),"
        " first_seen INTEGER NOT NULL,"
        " last_change INTEGER NOT NULL,"
        " UNIQUE (target_id, folder, eif)"
        ") STRICT;"

        /* --- what is proposed --- */
        "CREATE TABLE proposal ("
        " id INTEGER PRIMARY KEY,"
        " target_id INTEGER NOT NULL REFERENCES target (id),"
        " origin TEXT NOT NULL CHECK (origin IN ('registrard', 'external')),"
        " chain_id INTEGER NOT NULL,"
        " model INTEGER NOT NULL CHECK (model BETWEEN 1 AND 5),"
        " state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 10),"
        " flags INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 3),"
        " safe BLOB NOT NULL CHECK (length(safe) = 20),"
        " timelock BLOB NOT NULL CHECK (length(timelock) = 20),"
        " salt BLOB NOT NULL CHECK (length(salt) = 32),"
        " operation_id BLOB NOT NULL CHECK (length(operation_id) = 32),"
        " attempt INTEGER NOT NULL,"
        " delay INTEGER NOT NULL,"
        " ready_at INTEGER NOT NULL,"
        " drafted_after INTEGER NOT NULL,"
        " created_at INTEGER NOT NULL,"
        " expires_at INTEGER NOT NULL"
        ") STRICT;"
        "CREATE INDEX proposal_live ON proposal (id) WHERE state < 6;"
        "CREATE TRIGGER proposal_terminal BEFORE UPDATE OF state ON proposal"
        " WHEN OLD.state >= 6 AND NEW.state <> OLD.state"
        " BEGIN SELECT RAISE(ABORT, 'a terminal state is for ever'); END;"

        "CREATE TABLE call ("
        " id INTEGER PRIMARY KEY,"
        " proposal_id INTEGER NOT NULL REFERENCES proposal (id),"
        " position INTEGER NOT NULL CHECK (position >= 0),"
        " chain_id INTEGER NOT NULL,"
        " contract BLOB NOT NULL CHECK (length(contract) = 20),"
        " data BLOB NOT NULL CHECK (length(data) >= 4),"
        " action INTEGER NOT NULL CHECK (action IN (1, 2)),"
        " kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),"
        " value BLOB NOT NULL CHECK (length(value) = 32),"
        " live INTEGER NOT NULL CHECK (live IN (0, 1)),"
        " UNIQUE (proposal_id, position)"
        ") STRICT;"
        "CREATE UNIQUE INDEX call_live ON call (chain_id, contract, data) WHERE live = 1;"

        "CREATE TABLE call_measurement ("
        " call_id INTEGER NOT NULL REFERENCES call (id),"
        " measurement_id INTEGER NOT NULL REFERENCES measurement (id),"
        " PRIMARY KEY (call_id, measurement_id)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX call_measurement_served ON call_measurement (measurement_id, call_id);"

        "CREATE TABLE history ("
        " id INTEGER PRIMARY KEY,"
        " proposal_id INTEGER NOT NULL REFERENCES proposal (id),"
        " at INTEGER NOT NULL,"
        " from_state INTEGER NOT NULL CHECK (from_state BETWEEN 0 AND 10),"
        " to_state INTEGER NOT NULL CHECK (to_state BETWEEN 1 AND 10),"
        " reason TEXT NOT NULL,"
        " tx BLOB CHECK (length(tx) = 32)"
        ") STRICT;"
        "CREATE INDEX history_proposal ON history (proposal_id, id);"

        "CREATE TABLE safe_tx ("
        " id INTEGER PRIMARY KEY,"
        " proposal_id INTEGER NOT NULL REFERENCES proposal (id),"
        " purpose INTEGER NOT NULL CHECK (purpose BETWEEN 1 AND 5),"
        " attempt INTEGER NOT NULL CHECK (attempt >= 1),"
        " chain_id INTEGER NOT NULL,"
        " safe BLOB NOT NULL CHECK (length(safe) = 20),"
        " contract BLOB NOT NULL CHECK (length(contract) = 20),"
        " data BLOB NOT NULL,"
        " operation INTEGER NOT NULL CHECK (operation IN (0, 1)),"
        " nonce INTEGER,"
        " safe_tx_hash BLOB CHECK (length(safe_tx_hash) = 32),"
        " status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 7),"
        " confirmations INTEGER NOT NULL CHECK (confirmations >= 0),"
        " threshold INTEGER NOT NULL CHECK (threshold >= 0),"
        " tx BLOB CHECK (length(tx) = 32),"
        " tx_block INTEGER NOT NULL,"
        " posted_at INTEGER NOT NULL,"
        " CHECK ((nonce IS NULL) = (safe_tx_hash IS NULL)),"
        " CHECK (nonce IS NOT NULL OR status NOT IN (2, 3)),"
        " UNIQUE (proposal_id, purpose, attempt)"
        ") STRICT;"
        "CREATE INDEX safe_tx_open ON safe_tx (chain_id, id) WHERE status <= 3;"
        /* A reject (4) takes the nonce of what it rejects. */
        "CREATE UNIQUE INDEX safe_tx_nonce ON safe_tx (chain_id, safe, nonce)"
        " WHERE status <= 3 AND nonce IS NOT NULL AND purpose <> 4;"
        "CREATE UNIQUE INDEX safe_tx_reject_nonce ON safe_tx (chain_id, safe, nonce)"
        " WHERE status <= 3 AND nonce IS NOT NULL AND purpose = 4;"

        "CREATE TABLE sent_tx ("
        " id INTEGER PRIMARY KEY,"
        " proposal_id INTEGER NOT NULL REFERENCES proposal (id),"
        " chain_id INTEGER NOT NULL,"
        " sender BLOB NOT NULL CHECK (length(sender) = 20),"
        " nonce INTEGER NOT NULL,"
        " attempt INTEGER NOT NULL CHECK (attempt >= 1),"
        " raw BLOB NOT NULL CHECK (length(raw) > 0),"
        " tx_hash BLOB NOT NULL CHECK (length(tx_hash) = 32),"
        " max_fee BLOB NOT NULL CHECK (length(max_fee) = 32),"
        " max_priority_fee BLOB NOT NULL CHECK (length(max_priority_fee) = 32),"
        " status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 4),"
        " sent_at INTEGER NOT NULL,"
        " UNIQUE (chain_id, tx_hash)"
        ") STRICT;"
        "CREATE INDEX sent_tx_proposal ON sent_tx (proposal_id, id);"
        "CREATE UNIQUE INDEX sent_tx_live ON sent_tx (chain_id, sender, nonce, attempt)"
        " WHERE status = 1;"

        /* --- what was read from chains --- */
        "CREATE TABLE cursor ("
        " chain_id INTEGER PRIMARY KEY,"
        " number INTEGER NOT NULL,"
        " hash BLOB NOT NULL CHECK (length(hash) = 32)"
        ") STRICT;"
        "CREATE TABLE block ("
        " chain_id INTEGER NOT NULL,"
        " number INTEGER NOT NULL,"
        " hash BLOB NOT NULL CHECK (length(hash) = 32),"
        " PRIMARY KEY (chain_id, number)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE backfill ("
        " chain_id INTEGER PRIMARY KEY,"
        " from_block INTEGER NOT NULL,"
        " next_block INTEGER NOT NULL"
        ") STRICT;"
        "CREATE TABLE follow ("
        " chain_id INTEGER NOT NULL,"
        " contract BLOB NOT NULL CHECK (length(contract) = 20),"
        " PRIMARY KEY (chain_id, contract)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE seen_log ("
        " chain_id INTEGER NOT NULL,"
        " block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),"
        " log_index INTEGER NOT NULL CHECK (log_index >= 0),"
        " block_number INTEGER NOT NULL,"
        " tx_hash BLOB NOT NULL CHECK (length(tx_hash) = 32),"
        " contract BLOB NOT NULL CHECK (length(contract) = 20),"
        " topic0 BLOB NOT NULL CHECK (length(topic0) = 32),"
        " key BLOB NOT NULL CHECK (length(key) = 32),"
        " data BLOB NOT NULL,"
        " acted INTEGER NOT NULL CHECK (acted IN (0, 1)),"
        " PRIMARY KEY (chain_id, block_hash, log_index)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE INDEX seen_log_key ON seen_log"
        " (chain_id, contract, topic0, key, block_number, log_index);"
        "CREATE INDEX seen_log_unacted ON seen_log (chain_id, topic0, block_number) WHERE acted = "
        "0;"
        "CREATE INDEX seen_log_block ON seen_log (chain_id, block_number);"

        /* --- what happened --- */
        "CREATE TABLE event ("
        " id INTEGER PRIMARY KEY,"
        " at INTEGER NOT NULL,"
        " type TEXT NOT NULL CHECK (type <> ''),"
        " subject TEXT NOT NULL,"
        " text TEXT NOT NULL,"
        " hash BLOB NOT NULL CHECK (length(hash) = 32)"
        ") STRICT;"
        /* Where the log ends: without it, rows cut off the end would leave no trace. */
        "CREATE TABLE event_head ("
        " one INTEGER PRIMARY KEY CHECK (one = 1),"
        " id INTEGER NOT NULL,"
        " hash BLOB NOT NULL CHECK (length(hash) = 32)"
        ") STRICT;"
        "INSERT INTO event_head VALUES (1, 0, zeroblob(32));"

        "CREATE TRIGGER event_no_update BEFORE UPDATE ON event"
        " BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;"
        "CREATE TRIGGER event_no_delete BEFORE DELETE ON event"
        " BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;"
        "CREATE TRIGGER history_no_update BEFORE UPDATE ON history"
        " BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;"
        "CREATE TRIGGER history_no_delete BEFORE DELETE ON history"
        " BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;"
        "CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence"
        " BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;"
        "CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence"
        " BEGIN SELECT RAISE(ABORT, 'evidence is append-only'); END;";

/* What an artifact states beyond one enclave's value. */
static const char many_values[] =
        "CREATE TABLE artifact_value ("
        " id INTEGER PRIMARY KEY,"
        " artifact_id INTEGER NOT NULL REFERENCES artifact (id),"
        " kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),"
        " value BLOB NOT NULL CHECK (length(value) = 32),"
        " level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),"
        " is_signed INTEGER NOT NULL CHECK (is_signed IN (0, 1)),"
        " os BLOB CHECK (length(os) = 32)," /* under a genuine quote */
        " app_id BLOB CHECK (length(app_id) = 20),"
        " UNIQUE (artifact_id, kind, value)"
        ") STRICT;"
        /* By which builds were judged; other rules judge them again. */
        "ALTER TABLE target ADD COLUMN rules BLOB CHECK (length(rules) = 32);"
        /* What was none of ours may be now: the next walk measures it again. */
        "DELETE FROM artifact WHERE format = 0;";

/* What is remembered of status endpoints. */
static const char endpoints[] = "CREATE TABLE endpoint ("
                                " target_id INTEGER NOT NULL REFERENCES target (id),"
                                " url TEXT NOT NULL CHECK (url <> ''),"
                                " compose BLOB CHECK (length(compose) = 32),"
                                " trouble TEXT,"
                                " at INTEGER NOT NULL,"
                                " PRIMARY KEY (target_id, url)"
                                ") STRICT, WITHOUT ROWID;";

/* What others made: an operation in a form that we do not write, and what was told once about what
 * is none of ours. */
static const char outside[] =
        "ALTER TABLE proposal ADD COLUMN predecessor BLOB NOT NULL CHECK (length(predecessor) = 32)"
        " DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';"
        "ALTER TABLE proposal ADD COLUMN single INTEGER NOT NULL CHECK (single IN (0, 1)) DEFAULT "
        "0;"
        "CREATE INDEX safe_tx_hashed ON safe_tx (safe_tx_hash) WHERE safe_tx_hash IS NOT NULL;"
        "CREATE TABLE outside ("
        " chain_id INTEGER NOT NULL,"
        " contract BLOB NOT NULL CHECK (length(contract) = 20)," /* Safe or timelock */
        " key BLOB NOT NULL CHECK (length(key) = 32),"           /* safeTxHash or operation id */
        " at INTEGER NOT NULL,"
        " PRIMARY KEY (chain_id, contract, key)"
        ") STRICT, WITHOUT ROWID;";

/* What people take back, and who may share a nonce of a Safe with what they displace. */
static const char revocations[] =
        /* When a person asked for its removal; 0: nobody does. */
        "ALTER TABLE measurement ADD COLUMN revoke_at INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE measurement ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0"
        " CHECK (urgent IN (0, 1));"
        /* The value whose removal stands in the same batch. */
        "ALTER TABLE measurement ADD COLUMN replaces BLOB CHECK (length(replaces) = 32);"
        "CREATE INDEX measurement_revoke ON measurement (target_id, id) WHERE revoke_at <> 0;"
        "ALTER TABLE proposal ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0"
        " CHECK (urgent IN (0, 1));"
        /* Withdrawn for one of its values: the others are drafted again. */
        "ALTER TABLE proposal ADD COLUMN redraft INTEGER NOT NULL DEFAULT 0"
        " CHECK (redraft IN (0, 1));"
        "ALTER TABLE safe_tx ADD COLUMN shares INTEGER NOT NULL DEFAULT 0"
        " CHECK (shares IN (0, 1));"
        "ALTER TABLE safe_tx ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0"
        " CHECK (deleted IN (0, 1));"
        "DROP INDEX safe_tx_nonce;"
        "CREATE UNIQUE INDEX safe_tx_nonce ON safe_tx (chain_id, safe, nonce)"
        " WHERE status <= 3 AND nonce IS NOT NULL AND purpose <> 4 AND shares = 0;"
        "CREATE UNIQUE INDEX safe_tx_shared_nonce ON safe_tx (chain_id, safe, nonce)"
        " WHERE status <= 3 AND nonce IS NOT NULL AND purpose <> 4 AND shares = 1;";

/* Which logs were looked at as changes that somebody else made; since when each contract is watched
 * for them (what is older is history); whether history reaches back to the oldest contract; and
 * what the registries answered to a machine's own boot information. Logs read before are history.
 */
static const char changes[] =
        "ALTER TABLE seen_log ADD COLUMN told INTEGER NOT NULL CHECK (told IN (0, 1)) DEFAULT 1;"
        "CREATE INDEX seen_log_untold ON seen_log (chain_id, block_number, log_index) WHERE told = "
        "0;"
        "CREATE TABLE watched ("
        " chain_id INTEGER NOT NULL,"
        " contract BLOB NOT NULL CHECK (length(contract) = 20),"
        " since INTEGER NOT NULL,"
        " PRIMARY KEY (chain_id, contract)"
        ") STRICT, WITHOUT ROWID;"
        "ALTER TABLE backfill ADD COLUMN whole INTEGER NOT NULL CHECK (whole IN (0, 1)) DEFAULT 1;"
        "CREATE TABLE preflight ("
        " measurement_id INTEGER PRIMARY KEY REFERENCES measurement (id),"
        " status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 6)," /* of the measurement, then */
        " allowed INTEGER NOT NULL CHECK (allowed BETWEEN 0 AND 2),"
        " reason TEXT NOT NULL,"
        " call TEXT NOT NULL,"
        " source TEXT NOT NULL,"
        " assumed TEXT NOT NULL,"
        " block_number INTEGER NOT NULL,"
        " at INTEGER NOT NULL"
        ") STRICT;";

/* Until then every proposal was sent by its Safe. */
static const char senders[] =
        "ALTER TABLE proposal ADD COLUMN sender BLOB NOT NULL CHECK (length(sender) = 20)"
        " DEFAULT x'0000000000000000000000000000000000000000';"
        "UPDATE proposal SET sender = safe;";

/* Who signed what. */
static const char signatures[] =
        "CREATE TABLE artifact_signature ("
        " artifact_id INTEGER PRIMARY KEY REFERENCES artifact (id),"
        " kind INTEGER NOT NULL CHECK (kind IN (1, 2)),"
        " is_decided INTEGER NOT NULL CHECK (is_decided IN (0, 1)),"
        " reason TEXT,"
        " signer TEXT,"
        " key_id BLOB NOT NULL CHECK (length(key_id) = 8),"
        " bytes BLOB NOT NULL CHECK (length(bytes) = 64)"
        ") STRICT;"
        "CREATE TABLE artifact_subject ("
        " artifact_id INTEGER NOT NULL REFERENCES artifact_signature (artifact_id)"
        " ON DELETE CASCADE,"
        " position INTEGER NOT NULL,"
        " name TEXT NOT NULL,"
        " sha256 BLOB NOT NULL CHECK (length(sha256) = 32),"
        " PRIMARY KEY (artifact_id, position)"
        ") STRICT, WITHOUT ROWID;"
        /* Measurements that somebody signed as a rule wants it. */
        "CREATE TABLE signature ("
        " measurement_id INTEGER NOT NULL REFERENCES measurement (id),"
        " rule BLOB NOT NULL CHECK (length(rule) = 32),"
        " at INTEGER NOT NULL,"
        " PRIMARY KEY (measurement_id, rule)"
        ") STRICT, WITHOUT ROWID;"
        "ALTER TABLE artifact ADD COLUMN blake2b BLOB CHECK (length(blake2b) = 64);"
        /* The rule that files were measured by; NULL: none. */
        "ALTER TABLE target ADD COLUMN signing BLOB CHECK (length(signing) = 32);"
        /* What was none of ours may be now: the next walk measures it again. */
        "DELETE FROM artifact WHERE format = 0;";

/* When a timelock began to ask for a longer delay than a proposal's, and what stands before a Safe
 * transaction in its Safe's order. */
static const char standstill[] =
        "ALTER TABLE proposal ADD COLUMN delay_at INTEGER NOT NULL DEFAULT 0;"
        "CREATE TABLE blocked ("
        " safe_tx_id INTEGER PRIMARY KEY REFERENCES safe_tx (id),"
        " nonce INTEGER NOT NULL,"
        " since INTEGER NOT NULL,"
        " what TEXT NOT NULL"
        ") STRICT;";

/* Which Safe transactions were overtaken, not refused. */
static const char overtaken[] = "ALTER TABLE safe_tx ADD COLUMN displaced INTEGER NOT NULL"
                                " DEFAULT 0 CHECK (displaced IN (0, 1));";

/* The newest block of each chain that ever was final, and what became of that. Requests to each
 * target's Safe service by day (UTC, days since 1970). */
static const char finality[] = "CREATE TABLE finality ("
                               " chain_id INTEGER PRIMARY KEY,"
                               " stage INTEGER NOT NULL CHECK (stage BETWEEN 1 AND 3),"
                               " number INTEGER NOT NULL,"
                               " hash BLOB CHECK (length(hash) = 32),"
                               " since INTEGER NOT NULL,"
                               " why TEXT,"
                               " CHECK (stage = 1 OR why IS NOT NULL)"
                               ") STRICT;"
                               "CREATE TABLE service_use ("
                               " target_id INTEGER PRIMARY KEY REFERENCES target (id),"
                               " day INTEGER NOT NULL,"
                               " requests INTEGER NOT NULL CHECK (requests >= 0)"
                               ") STRICT;";

static const char troubles[] =
        "CREATE TABLE trouble ("
        " chain_id INTEGER NOT NULL,"
        " alarm TEXT NOT NULL,"
        " subject TEXT NOT NULL,"
        " text TEXT NOT NULL,"
        " since INTEGER NOT NULL,"
        " PRIMARY KEY (chain_id, alarm, subject)"
        ") STRICT;"
        "ALTER TABLE safe_tx ADD COLUMN was_signed INTEGER NOT NULL DEFAULT 0"
        " CHECK (was_signed IN (0, 1));"
        "UPDATE safe_tx SET was_signed = 1 WHERE threshold > 0 AND confirmations >= threshold;"
        "CREATE INDEX sent_tx_nonce ON sent_tx (chain_id, sender, nonce);";

/* The status shows the last of many events. */
static const char alarms[] = "CREATE INDEX event_alarm ON event (id) WHERE type = 'alarm';";

/* Until now a key scheduled (the selector of scheduleBatch) or executed. */
static const char cancellations[] =
        "ALTER TABLE sent_tx ADD COLUMN purpose INTEGER NOT NULL DEFAULT 3"
        " CHECK (purpose IN (1, 3, 5));"
        "UPDATE sent_tx SET purpose = 1 WHERE instr(raw, x'8f2a0bb0') > 0;";

/* What had no nonce was in no queue that we know. */
static const char leftovers[] = "ALTER TABLE safe_tx ADD COLUMN gone INTEGER NOT NULL DEFAULT 0"
                                " CHECK (gone IN (0, 1));"
                                "UPDATE safe_tx SET gone = 1 WHERE status = 7 AND nonce IS NULL;"
                                "CREATE INDEX safe_tx_left ON safe_tx (chain_id, id)"
                                " WHERE status = 7 AND gone = 0;";

/* Both tables keep what is over: who carried a call, and what had a nonce, is asked for ever more
 * often among ever more. */
static const char lookups[] =
        "CREATE INDEX call_made ON call (chain_id, contract, data, proposal_id);"
        "CREATE INDEX safe_tx_of_nonce ON safe_tx (chain_id, safe, nonce) WHERE nonce IS NOT NULL;";

/* Append only: what stands here has been applied somewhere. */
static const struct {
	const char *sql;
	const char *undo; /* how a person goes back, or why that is impossible */
} steps[] = {
        {initial, "nothing before it: remove the file"},
        {many_values, "DROP TABLE artifact_value; ALTER TABLE target DROP COLUMN rules; DELETE "
                      "FROM artifact WHERE format > 4;"
                      " DELETE FROM upgrade WHERE version = 2; PRAGMA user_version = 1"},
        {endpoints, "DROP TABLE endpoint; DELETE FROM upgrade WHERE version = 3;"
                    " PRAGMA user_version = 2"},
        {outside, "DROP TABLE outside; DROP INDEX safe_tx_hashed; ALTER TABLE proposal DROP COLUMN"
                  " single; ALTER TABLE proposal DROP COLUMN predecessor; DELETE FROM upgrade WHERE"
                  " version = 4; PRAGMA user_version = 3"},
        {revocations,
         "withdraw or end what is urgent; DROP INDEX safe_tx_shared_nonce; DROP INDEX "
         "safe_tx_nonce;"
         " CREATE UNIQUE INDEX safe_tx_nonce ON safe_tx (chain_id, safe, nonce) WHERE status <= 3"
         " AND nonce IS NOT NULL AND purpose <> 4; DROP INDEX measurement_revoke;"
         " ALTER TABLE measurement DROP COLUMN revoke_at; ALTER TABLE measurement DROP COLUMN "
         "urgent; ALTER TABLE measurement DROP COLUMN replaces; ALTER TABLE proposal DROP COLUMN "
         "urgent; ALTER TABLE proposal DROP COLUMN redraft; ALTER TABLE safe_tx DROP COLUMN "
         "shares; ALTER TABLE safe_tx DROP COLUMN deleted; and the row of `upgrade` and "
         "user_version as above"},
        {changes, "DROP TABLE preflight; DROP TABLE watched; ALTER TABLE backfill DROP COLUMN"
                  " whole; DROP INDEX seen_log_untold; ALTER TABLE seen_log DROP COLUMN told;"
                  " DELETE FROM upgrade WHERE version = 6; PRAGMA user_version = 5"},
        {senders,
         "ALTER TABLE proposal DROP COLUMN sender; and the row of `upgrade` and user_version"
         " as above"},
        {signatures, "DROP TABLE artifact_subject; DROP TABLE artifact_signature; DROP TABLE"
                     " signature; ALTER TABLE artifact DROP COLUMN blake2b; ALTER TABLE target DROP"
                     " COLUMN signing; DELETE FROM artifact WHERE format > 15; and the row"
                     " of `upgrade` and user_version as above"},
        {standstill, "DROP TABLE blocked; ALTER TABLE proposal DROP COLUMN delay_at; and the row of"
                     " `upgrade` and user_version as above"},
        {overtaken, "ALTER TABLE safe_tx DROP COLUMN displaced; and the row of `upgrade` and"
                    " user_version as above"},
        {finality, "DROP TABLE finality; DROP TABLE service_use; and the row of `upgrade` and"
                   " user_version as above"},
        {troubles, "DROP TABLE trouble; DROP INDEX sent_tx_nonce; ALTER TABLE safe_tx DROP COLUMN"
                   " was_signed; and the row of `upgrade` and user_version as above"},
        {alarms, "DROP INDEX event_alarm; and the row of `upgrade` and user_version as above"},
        {cancellations, "ALTER TABLE sent_tx DROP COLUMN purpose; and the row of `upgrade` and"
                        " user_version as above"},
        {leftovers, "DROP INDEX safe_tx_left; ALTER TABLE safe_tx DROP COLUMN gone; and the row of"
                    " `upgrade` and user_version as above"},
        {lookups, "DROP INDEX call_made; DROP INDEX safe_tx_of_nonce; and the row of `upgrade` and"
                  " user_version as above"},
};

/* "rgdr": PRAGMA application_id, so that somebody else's SQLite file is recognised. */
#define APPLICATION_ID 0x72676472
#define TEXT_OF(x) #x
#define PRAGMA_TEXT(name, value) "PRAGMA " name " = " TEXT_OF(value)

int64_t migrations_version(void)
{
	return ARRAY_LEN(steps);
}

static int64_t single(struct db *db, const char *sql)
{
	struct query *query = db_query(db, sql);

	if (!db_step(query))
		die("no row: %s", sql);
	int64_t value = db_int(query);
	db_done(query);
	return value;
}

static void apply(struct db *db, int64_t version, struct wall now)
{
	struct arena arena = {0};

	db_exec(db, steps[version].sql);
	db_exec(db, arena_printf(&arena, "PRAGMA user_version = %lld", (long long)version + 1));
	arena_free(&arena);
	struct query *query =
	        db_query(db, "INSERT INTO upgrade (version, at, program) VALUES (?, ?, ?)");
	db_bind_int(query, version + 1);
	db_bind_int(query, now.ms);
	db_bind_text(query, REGISTRARD_VERSION);
	db_run(query);
}

int migrations_apply(struct db *db, const char *path, struct wall now, struct error *error)
{
	int64_t version = single(db, "PRAGMA user_version");
	int64_t application = single(db, "PRAGMA application_id");

	if (application != APPLICATION_ID) {
		if (version != 0 || single(db, "SELECT count(*) FROM sqlite_schema") != 0)
			return error_set(error, ERR_INVALID,
			                 "%s: a database, but not one of registrard", path);
	} else if (version < 1) {
		return error_set(error, ERR_INVALID, "%s: the database names no version", path);
	} else if (version > migrations_version()) {
		return error_set(
		        error, ERR_DENIED,
		        "%s: the database has version %lld, this program (%s) knows up to %lld;"
		        " use a newer registrard",
		        path, (long long)version, REGISTRARD_VERSION,
		        (long long)migrations_version());
	} else if (version == migrations_version()) {
		return 0;
	}

	db_exec(db, "BEGIN IMMEDIATE");
	db_exec(db, PRAGMA_TEXT("application_id", APPLICATION_ID));
	while (version < migrations_version())
		apply(db, version++, now);
	if (single(db, "SELECT count(*) FROM pragma_foreign_key_check") != 0)
		die("%s: the migration broke a reference", path);
	db_exec(db, "COMMIT");
	return 0;
}
