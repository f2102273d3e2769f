#include "common/store/store_internal.h"

#include "common/base/log.h"

#include <string.h>

const char *measurement_status_name(enum measurement_status status)
{
	switch (status) {
	case MEASUREMENT_NEW:
		return "new";
	case MEASUREMENT_HELD:
		return "held";
	case MEASUREMENT_PROPOSED:
		return "proposed";
	case MEASUREMENT_AUTHORIZED:
		return "authorized";
	case MEASUREMENT_REVOKED:
		return "revoked";
	case MEASUREMENT_REFUSED:
		return "refused";
	}
	return "?";
}

/* --- targets --- */

struct target_row {
	int64_t id;
	uint64_t chain_id;
	struct address kms, app;
	bool has_app;
};

static bool target_find(struct store *store, const char *name, struct target_row *out)
{
	struct query *query =
	        db_query(store->db, "SELECT id, chain_id, kms, app FROM target WHERE name = ?");

	*out = (struct target_row){0};
	db_bind_text(query, name);
	if (!db_step(query))
		return false;
	out->id = db_int(query);
	out->chain_id = db_u64(query);
	db_fixed(query, out->kms.b, sizeof(out->kms.b));
	out->has_app = db_fixed(query, out->app.b, sizeof(out->app.b));
	db_done(query);
	return true;
}

static bool target_same(const struct target_row *row, uint64_t chain_id, const struct address *kms,
                        const struct address *app)
{
	return row->chain_id == chain_id && memcmp(row->kms.b, kms->b, sizeof(kms->b)) == 0 &&
	       row->has_app == (app != NULL) &&
	       (app == NULL || memcmp(row->app.b, app->b, sizeof(app->b)) == 0);
}

void store_target_put(struct store *store, const char *name, uint64_t chain_id,
                      const struct address *kms, const struct address *app)
{
	struct target_row row;
	bool known = target_find(store, name, &row);

	if (known && target_same(&row, chain_id, kms, app))
		return;
	struct query *query = db_query(store->db, "INSERT INTO target (name, chain_id, kms, app) "
	                                          "VALUES (?, ?, ?, ?) ON CONFLICT (name)"
	                                          " DO UPDATE SET chain_id = excluded.chain_id, "
	                                          "kms = excluded.kms, app = excluded.app");
	db_bind_text(query, name);
	db_bind_u64(query, chain_id);
	db_bind_blob(query, kms->b, sizeof(kms->b));
	if (app != NULL)
		db_bind_blob(query, app->b, sizeof(app->b));
	else
		db_bind_null(query);
	db_run(query);
	char digits[2 * sizeof(kms->b) + 1];
	store_event_add(store, "daemon", name, "target %s: chain %llu, registry 0x%s",
	                known ? "changed" : "added", (unsigned long long)chain_id,
	                hex_encode(digits, bytes_of(kms->b, sizeof(kms->b))));
}

int64_t store_target_id(struct store *store, const char *name)
{
	struct target_row row;

	if (!target_find(store, name, &row))
		die("target \"%s\" was never put into the store", name);
	return row.id;
}

/* --- reading --- */

void store_measurement_read(struct query *query, struct arena *arena, struct measurement *out)
{
	out->id.n = db_int(query);
	out->target = db_text(query, arena);
	out->kind = (enum kind)db_int(query);
	db_fixed(query, out->value.b, sizeof(out->value.b));
	out->wanted = db_int(query) != 0;
	out->status = (enum measurement_status)db_int(query);
	out->reason = db_text(query, arena);
	out->level = (enum evidence_level)db_int(query);
	out->is_signed = db_int(query) != 0;
	out->approved = db_int(query) != 0;
	out->first_seen = db_wall(query);
	out->status_since = db_wall(query);
	out->revoke_at = db_wall(query);
	out->urgent = db_int(query) != 0;
	out->has_replaces = db_fixed(query, out->replaces.b, sizeof(out->replaces.b));
}

void store_measurement_read_all(struct query *query, struct arena *arena,
                                struct measurement_list *out)
{
	*out = (struct measurement_list){0};
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		store_measurement_read(query, arena, &out->items[out->count++]);
	}
}

static int read_one(struct query *query, struct arena *arena, struct measurement *out)
{
	*out = (struct measurement){0};
	if (!db_step(query))
		return ERR_NOT_FOUND;
	store_measurement_read(query, arena, out);
	db_done(query);
	return 0;
}

int store_measurement_get(struct store *store, struct arena *arena, struct measurement_id id,
                          struct measurement *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" STORE_MEASUREMENT_COLUMNS
	                            "FROM measurement m JOIN target t ON t.id = m.target_id"
	                            " WHERE m.id = ?");

	db_bind_int(query, id.n);
	return read_one(query, arena, out);
}

int store_measurement_find(struct store *store, struct arena *arena, const char *target,
                           enum kind kind, const struct hash32 *value, struct measurement *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" STORE_MEASUREMENT_COLUMNS
	                            "FROM measurement m JOIN target t ON t.id = m.target_id"
	                            " WHERE t.name = ? AND m.kind = ? AND m.value = ?");

	db_bind_text(query, target);
	db_bind_int(query, kind);
	db_bind_blob(query, value->b, sizeof(value->b));
	return read_one(query, arena, out);
}

/* One statement per index that serves best; the other filters are checked on its rows. */
static const char *const list_sql[] = {
        "SELECT" STORE_MEASUREMENT_COLUMNS "FROM measurement m CROSS JOIN target t"
        " WHERE t.id = m.target_id AND m.value = ?1"
        " AND (?2 = 0 OR m.status = ?2) AND (?3 IS NULL OR t.name = ?3) ORDER BY m.id",
        "SELECT" STORE_MEASUREMENT_COLUMNS "FROM measurement m CROSS JOIN target t"
        " WHERE t.id = m.target_id AND (?1 IS NULL OR m.value = ?1)"
        " AND m.status = ?2 AND (?3 IS NULL OR t.name = ?3) ORDER BY m.id",
        "SELECT" STORE_MEASUREMENT_COLUMNS "FROM measurement m CROSS JOIN target t"
        " WHERE t.id = m.target_id AND (?1 IS NULL OR m.value = ?1)"
        " AND (?2 = 0 OR m.status = ?2) AND (?3 IS NULL OR t.name = ?3) ORDER BY m.id",
};

void store_measurement_list(struct store *store, struct arena *arena,
                            const struct measurement_filter *filter, struct measurement_list *out)
{
	size_t which = filter->value != NULL ? 0 : filter->status != 0 ? 1 : 2;
	struct query *query = db_query(store->db, list_sql[which]);

	if (filter->value != NULL)
		db_bind_blob(query, filter->value->b, sizeof(filter->value->b));
	else
		db_bind_null(query);
	db_bind_int(query, filter->status);
	db_bind_text(query, filter->target);
	store_measurement_read_all(query, arena, out);
}

void store_evidence_list(struct store *store, struct arena *arena, struct measurement_id id,
                         struct evidence_list *out)
{
	struct query *query = db_query(
	        store->db, "SELECT level, is_signed, source, artifact, artifact_sha256, details,"
	                   " at FROM evidence WHERE measurement_id = ? ORDER BY id");

	*out = (struct evidence_list){0};
	db_bind_int(query, id.n);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		struct evidence *item = &out->items[out->count++];
		item->level = (enum evidence_level)db_int(query);
		item->is_signed = db_int(query) != 0;
		item->source = db_text(query, arena);
		item->artifact = db_text(query, arena);
		db_fixed(query, item->artifact_sha256.b, sizeof(item->artifact_sha256.b));
		item->details = db_text(query, arena);
		item->at = db_wall(query);
	}
}

bool store_measurement_is_ours(struct store *store, struct measurement_id id)
{
	struct query *query = db_query(store->db, "SELECT 1 FROM evidence WHERE measurement_id = ?"
	                                          " AND source NOT IN ('" EVIDENCE_QUEUE
	                                          "', '" EVIDENCE_CHAIN "')");

	db_bind_int(query, id.n);
	return store_exists(query);
}

/* --- recording --- */

static struct measurement_id find_or_create(struct store *store, const char *target, enum kind kind,
                                            const struct hash32 *value, bool *created)
{
	int64_t target_id = store_target_id(store, target);
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO measurement (target_id, kind, value, wanted, status, reason, level,"
	        " is_signed, approved, first_seen, status_since)"
	        " VALUES (?1, ?2, ?3, 1, 1, NULL, 1, 0, 0, ?4, ?4)"
	        " ON CONFLICT (target_id, kind, value) DO NOTHING");
	db_bind_int(query, target_id);
	db_bind_int(query, kind);
	db_bind_blob(query, value->b, sizeof(value->b));
	db_bind_int(query, store->now.ms);
	db_run(query);
	*created = db_changes(store->db) > 0;
	if (*created)
		return (struct measurement_id){db_last_id(store->db)};

	query = db_query(
	        store->db,
	        "SELECT id FROM measurement WHERE target_id = ? AND kind = ? AND value = ?");
	db_bind_int(query, target_id);
	db_bind_int(query, kind);
	db_bind_blob(query, value->b, sizeof(value->b));
	if (!db_step(query))
		die("a measurement is neither new nor known");
	struct measurement_id id = {db_int(query)};
	db_done(query);
	return id;
}

static bool evidence_add(struct store *store, struct measurement_id id,
                         const struct evidence *evidence)
{
	struct query *query =
	        db_query(store->db,
	                 "INSERT INTO evidence (measurement_id, level, is_signed, source, artifact,"
	                 " artifact_sha256, details, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	                 " ON CONFLICT DO NOTHING");
	db_bind_int(query, id.n);
	db_bind_int(query, evidence->level);
	db_bind_int(query, evidence->is_signed);
	db_bind_text(query, evidence->source);
	db_bind_text(query, evidence->artifact);
	db_bind_blob(query, evidence->artifact_sha256.b, sizeof(evidence->artifact_sha256.b));
	db_bind_text(query, evidence->details);
	db_bind_int(query, evidence->at.ms != 0 ? evidence->at.ms : store->now.ms);
	db_run(query);
	if (db_changes(store->db) == 0)
		return false;

	query = db_query(store->db, "UPDATE measurement SET level = max(level, ?2),"
	                            " is_signed = max(is_signed, ?3) WHERE id = ?1");
	db_bind_int(query, id.n);
	db_bind_int(query, evidence->level);
	db_bind_int(query, evidence->is_signed);
	db_run(query);
	return true;
}

struct measurement_id store_measurement_record(struct store *store, const char *target,
                                               enum kind kind, const struct hash32 *value,
                                               const struct evidence *evidence, bool *created)
{
	char name[STORE_NAME_SIZE], text[HASH32_TEXT_SIZE];
	struct measurement_id id = find_or_create(store, target, kind, value, created);

	store_name(name, 'm', id.n);
	if (*created)
		store_event_add(store, "measurement", name, "%s %s for %s: new", kind_name(kind),
		                hash32_text(text, value), target);
	if (evidence_add(store, id, evidence))
		store_event_add(store, "measurement", name, "evidence: %s%s, %s %s",
		                evidence_level_name(evidence->level),
		                evidence->is_signed ? " and signed" : "", evidence->source,
		                evidence->artifact);
	return id;
}

/* --- changing --- */

static void measurement_must_get(struct store *store, struct arena *arena, struct measurement_id id,
                                 struct measurement *out)
{
	if (store_measurement_get(store, arena, id, out) != 0)
		die("no measurement m%lld", (long long)id.n);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void store_measurement_change(struct store *store, const struct measurement *measurement,
                              enum measurement_status status, bool wanted, const char *reason)
{
	char name[STORE_NAME_SIZE];
	const char *why = reason != NULL ? reason : "";
	const char *colon = reason != NULL ? ": " : "";

	if (measurement->status == status && measurement->wanted == wanted &&
	    same_text(measurement->reason, reason))
		return;
	struct query *query = db_query(
	        store->db, "UPDATE measurement SET status = ?2, wanted = ?3, reason = ?4,"
	                   " approved = approved AND ?3, status_since = CASE status WHEN "
	                   "?2 THEN status_since ELSE ?5 END,"
	                   /* A revocation is over with the value, or when a person stops
	                    * it. */
	                   " revoke_at = CASE WHEN ?3 OR ?2 IN (2, 5, 6) THEN 0 ELSE "
	                   "revoke_at END,"
	                   " urgent = CASE WHEN ?3 OR ?2 IN (2, 5, 6) THEN 0 ELSE urgent END"
	                   " WHERE id = ?1");
	db_bind_int(query, measurement->id.n);
	db_bind_int(query, status);
	db_bind_int(query, wanted);
	db_bind_text(query, reason);
	db_bind_int(query, store->now.ms);
	db_run(query);

	store_name(name, 'm', measurement->id.n);
	if (measurement->wanted != wanted)
		store_event_add(store, "measurement", name, "wanted %s%s%s",
		                wanted ? "present" : "absent", colon, why);
	if (measurement->status != status)
		store_event_add(store, "measurement", name, "%s -> %s%s%s",
		                measurement_status_name(measurement->status),
		                measurement_status_name(status), colon, why);
	else if (measurement->wanted == wanted)
		store_event_add(store, "measurement", name, "%s%s%s",
		                measurement_status_name(status), colon, why);
}

/* Only a person's approve leads out of these. */
static bool comes_back(const struct measurement *measurement, enum measurement_status status)
{
	bool lifts = status == MEASUREMENT_NEW || status == MEASUREMENT_PROPOSED;

	switch (measurement->status) {
	case MEASUREMENT_NEW:
	case MEASUREMENT_PROPOSED:
		return false;
	case MEASUREMENT_AUTHORIZED:
		return status == MEASUREMENT_NEW;
	case MEASUREMENT_HELD:
	case MEASUREMENT_REVOKED:
	case MEASUREMENT_REFUSED:
		return lifts;
	}
	return false;
}

void store_measurement_set_status(struct store *store, struct measurement_id id,
                                  enum measurement_status status, const char *reason)
{
	struct arena arena = {0};
	struct measurement measurement;

	measurement_must_get(store, &arena, id, &measurement);
	if (comes_back(&measurement, status))
		log_broken(NULL, "m%lld is %s: only an approval makes it %s again", (long long)id.n,
		           measurement_status_name(measurement.status),
		           measurement_status_name(status));
	else /* a removal seen on chain is the last word on the intent */
		store_measurement_change(store, &measurement, status,
		                         measurement.wanted && status != MEASUREMENT_REVOKED,
		                         reason);
	arena_free(&arena);
}

static bool add_is_live(struct store *store, struct measurement_id id)
{
	struct query *query = db_query(
	        store->db, "SELECT 1 FROM call_measurement s JOIN call c ON c.id = s.call_id"
	                   " WHERE s.measurement_id = ? AND c.live = 1 AND c.action = 1");

	db_bind_int(query, id.n);
	return store_exists(query);
}

bool store_measurement_lift(struct store *store, struct measurement_id id, const char *held_for,
                            const char *reason)
{
	struct arena arena = {0};
	struct measurement measurement;
	bool lifts;

	measurement_must_get(store, &arena, id, &measurement);
	lifts = held_for[0] != '\0' && measurement.status == MEASUREMENT_HELD &&
	        measurement.wanted && measurement.reason != NULL &&
	        strncmp(measurement.reason, held_for, strlen(held_for)) == 0;
	if (lifts)
		store_measurement_change(store, &measurement,
		                         add_is_live(store, id) ? MEASUREMENT_PROPOSED
		                                                : MEASUREMENT_NEW,
		                         true, reason);
	arena_free(&arena);
	return lifts;
}

void store_measurement_set_wanted(struct store *store, struct measurement_id id, bool wanted,
                                  const char *reason)
{
	struct arena arena = {0};
	struct measurement measurement;

	measurement_must_get(store, &arena, id, &measurement);
	if (measurement.wanted != wanted)
		store_measurement_change(store, &measurement, measurement.status, wanted, reason);
	arena_free(&arena);
}

/* Where a revocation begins to look: what a person held or what was removed before may stand on
 * chain all the same. */
static enum measurement_status revoke_from(enum measurement_status status)
{
	switch (status) {
	case MEASUREMENT_NEW:
	case MEASUREMENT_HELD:
	case MEASUREMENT_REVOKED:
		return MEASUREMENT_NEW;
	case MEASUREMENT_PROPOSED:
	case MEASUREMENT_AUTHORIZED:
	case MEASUREMENT_REFUSED:
		return status;
	}
	return status;
}

static bool call_is_live(struct store *store, struct measurement_id id)
{
	struct query *query = db_query(
	        store->db, "SELECT 1 FROM call_measurement s JOIN call c ON c.id = s.call_id"
	                   " WHERE s.measurement_id = ? AND c.live = 1");

	db_bind_int(query, id.n);
	return store_exists(query);
}

void store_measurement_revoke(struct store *store, struct measurement_id id, bool urgent,
                              const char *who)
{
	struct arena arena = {0};
	struct measurement measurement;
	char name[STORE_NAME_SIZE];

	measurement_must_get(store, &arena, id, &measurement);
	store_event_add(store, "operator", store_name(name, 'm', id.n), "revoked%s by %s",
	                urgent ? ", urgently," : "", who);
	if (measurement.status != MEASUREMENT_REFUSED) {
		bool again = measurement.revoke_at.ms != 0;
		enum measurement_status status = revoke_from(measurement.status);
		if (status == MEASUREMENT_NEW && call_is_live(store, id))
			status = MEASUREMENT_PROPOSED;
		if (!again)
			store_measurement_change(store, &measurement, status, false,
			                         arena_printf(&arena, "revoked by %s", who));
		struct query *query =
		        db_query(store->db, "UPDATE measurement SET revoke_at = ?2,"
		                            " urgent = max(urgent, ?3) WHERE id = ?1");
		db_bind_int(query, id.n);
		db_bind_int(query, again ? measurement.revoke_at.ms : store->now.ms);
		db_bind_int(query, urgent);
		db_run(query);
	}
	arena_free(&arena);
}

void store_measurement_set_replaces(struct store *store, struct measurement_id id,
                                    const struct hash32 *value)
{
	struct query *query =
	        db_query(store->db, "UPDATE measurement SET replaces = ? WHERE id = ?");

	db_bind_blob(query, value->b, sizeof(value->b));
	db_bind_int(query, id.n);
	db_run(query);
}

void store_measurement_revoking(struct store *store, struct arena *arena, const char *target,
                                struct measurement_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" STORE_MEASUREMENT_COLUMNS
	                            "FROM measurement m JOIN target t ON t.id = m.target_id"
	                            " WHERE t.name = ? AND m.revoke_at <> 0 ORDER BY m.id");

	db_bind_text(query, target);
	store_measurement_read_all(query, arena, out);
}

void store_measurement_approve(struct store *store, struct measurement_id id, const char *who)
{
	struct arena arena = {0};
	struct measurement measurement;
	char name[STORE_NAME_SIZE];

	measurement_must_get(store, &arena, id, &measurement);
	enum measurement_status status = measurement.status;
	if (status == MEASUREMENT_HELD || status == MEASUREMENT_REVOKED)
		status = add_is_live(store, id) ? MEASUREMENT_PROPOSED : MEASUREMENT_NEW;
	store_event_add(store, "operator", store_name(name, 'm', id.n), "approved by %s", who);
	if (measurement.status == MEASUREMENT_REFUSED) {
		store_event_add(store, "measurement", name,
		                "stays refused: what failed verification is never proposed");
	} else {
		store_measurement_change(store, &measurement, status, true,
		                         arena_printf(&arena, "approved by %s", who));
		struct query *query =
		        db_query(store->db, "UPDATE measurement SET approved = 1 WHERE id = ?");
		db_bind_int(query, id.n);
		db_run(query);
	}
	arena_free(&arena);
}
