#include "common/store/store_signature.h"

#include "common/store/store_internal.h"

void store_signature_put(struct store *store, struct measurement_id id, const struct hash32 *rule)
{
	char name[STORE_NAME_SIZE];
	struct query *query = db_query(store->db, "INSERT INTO signature (measurement_id, rule, at)"
	                                          " VALUES (?, ?, ?) ON CONFLICT DO NOTHING");

	db_bind_int(query, id.n);
	db_bind_blob(query, rule->b, sizeof(rule->b));
	db_bind_int(query, store->now.ms);
	db_run(query);
	if (db_changes(store->db) > 0)
		store_event_add(store, "measurement", store_name(name, 'm', id.n),
		                "signed as require_signed wants");
}

bool store_signature_has(struct store *store, struct measurement_id id, const struct hash32 *rule)
{
	struct query *query = db_query(
	        store->db, "SELECT 1 FROM signature WHERE measurement_id = ? AND rule = ?");

	db_bind_int(query, id.n);
	db_bind_blob(query, rule->b, sizeof(rule->b));
	return store_exists(query);
}

const char *store_measurement_lacks(struct store *store, struct arena *arena,
                                    const struct measurement *measurement,
                                    const struct evidence_demand *demand, const char *undecided)
{
	const struct signing *signing = demand->signing;
	bool is_weak = measurement->level < demand->level;
	bool is_unsigned = signing->kind != SIGNING_NONE &&
	                   !store_signature_has(store, measurement->id, &signing->digest);

	if ((!is_weak && !is_unsigned) || measurement->approved)
		return NULL;
	const char *level = evidence_level_name(measurement->level);
	const char *wanted = evidence_level_name(demand->level);
	const char *kind = signing_kind_name(signing->kind);
	if (!is_unsigned)
		return arena_printf(arena, MEASUREMENT_HELD_FOR_EVIDENCE "%s, the target wants %s",
		                    level, wanted);
	return arena_printf(arena,
	                    MEASUREMENT_HELD_FOR_EVIDENCE
	                    "%s%sunsigned, the target wants %s%sa signature (%s)%s%s",
	                    is_weak ? level : "", is_weak ? " and " : "", is_weak ? wanted : "",
	                    is_weak ? " and " : "", kind, undecided != NULL ? "; " : "",
	                    undecided != NULL ? undecided : "");
}

void store_artifact_rule(struct store *store, const char *target, const struct signing *signing)
{
	int64_t target_id = store_target_id(store, target);
	struct query *query = db_query(
	        store->db, "UPDATE target SET signing = ?2 WHERE id = ?1 AND signing IS NOT ?2");

	db_bind_int(query, target_id);
	if (signing->kind != SIGNING_NONE)
		db_bind_blob(query, signing->digest.b, sizeof(signing->digest.b));
	else
		db_bind_null(query);
	db_run(query);
	if (db_changes(store->db) == 0)
		return;
	query = db_query(store->db, "DELETE FROM artifact_signature WHERE artifact_id IN"
	                            " (SELECT id FROM artifact WHERE target_id = ?)");
	db_bind_int(query, target_id);
	db_run(query);
	/* No file has this time: the next walk measures it. */
	query = db_query(store->db, "UPDATE artifact SET mtime_ns = -1 WHERE target_id = ?1 AND"
	                            " (format IN (0, 16, 17) OR (?2 AND blake2b IS NULL))");
	db_bind_int(query, target_id);
	db_bind_int(query, signing->kind == SIGNING_ED25519);
	db_run(query);
}
