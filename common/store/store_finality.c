#include "common/store/store_finality.h"

#include "common/store/store_internal.h"

int store_finality_get(struct store *store, struct arena *arena, uint64_t chain_id,
                       struct finality_row *out)
{
	struct query *query =
	        db_query(store->db,
	                 "SELECT stage, number, hash, since, why FROM finality WHERE chain_id = ?");

	*out = (struct finality_row){0};
	db_bind_u64(query, chain_id);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	out->stage = (enum finality_stage)db_int(query);
	out->number = db_u64(query);
	out->has_block = db_fixed(query, out->hash.b, sizeof(out->hash.b));
	out->since = db_wall(query);
	const char *why = db_text(query, arena);
	out->why = why != NULL ? arena_strdup(arena, why) : NULL;
	db_done(query);
	return 0;
}

void store_finality_raise(struct store *store, uint64_t chain_id, uint64_t number,
                          const struct hash32 *hash)
{
	struct query *query =
	        db_query(store->db, "INSERT INTO finality (chain_id, stage, number, hash, since)"
	                            " VALUES (?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET"
	                            " number = excluded.number, hash = excluded.hash"
	                            " WHERE hash IS NULL OR number < excluded.number");

	db_bind_u64(query, chain_id);
	db_bind_u64(query, number);
	db_bind_blob(query, hash->b, sizeof(hash->b));
	db_bind_int(query, store->now.ms);
	db_run(query);
}

void store_finality_break(struct store *store, uint64_t chain_id, const char *why)
{
	struct query *query = db_query(
	        store->db, "UPDATE finality SET stage = 2, why = ?, since = ? WHERE chain_id = ?");

	db_bind_text(query, why);
	db_bind_int(query, store->now.ms);
	db_bind_u64(query, chain_id);
	db_run(query);
}

void store_finality_resume(struct store *store, uint64_t chain_id)
{
	struct query *query =
	        db_query(store->db, "UPDATE finality SET stage = 3, since = ?, number = 0,"
	                            " hash = NULL WHERE chain_id = ? AND stage = 2");

	db_bind_int(query, store->now.ms);
	db_bind_u64(query, chain_id);
	db_run(query);
}

void store_finality_checked(struct store *store, uint64_t chain_id)
{
	struct query *query =
	        db_query(store->db, "UPDATE finality SET stage = 1, since = ?, why = NULL"
	                            " WHERE chain_id = ? AND stage = 3");

	db_bind_int(query, store->now.ms);
	db_bind_u64(query, chain_id);
	db_run(query);
}

/* --- requests to Safe services --- */

void store_service_use_get(struct store *store, const char *target, int64_t *day,
                           uint64_t *requests)
{
	struct query *query =
	        db_query(store->db, "SELECT u.day, u.requests FROM service_use u"
	                            " JOIN target t ON t.id = u.target_id WHERE t.name = ?");

	*day = 0;
	*requests = 0;
	db_bind_text(query, target);
	if (!db_step(query))
		return;
	*day = db_int(query);
	*requests = db_u64(query);
	db_done(query);
}

void store_service_use_set(struct store *store, const char *target, int64_t day, uint64_t requests)
{
	int64_t id = store_target_id(store, target);
	struct query *query = db_query(
	        store->db, "INSERT INTO service_use (target_id, day, requests) VALUES (?, ?, ?)"
	                   " ON CONFLICT DO UPDATE SET day = excluded.day,"
	                   " requests = excluded.requests");

	db_bind_int(query, id);
	db_bind_int(query, day);
	db_bind_u64(query, requests);
	db_run(query);
}
