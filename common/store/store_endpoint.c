#include "common/store/store_endpoint.h"

#include "common/store/store_internal.h"

void store_endpoint_get(struct store *store, struct arena *arena, const char *target,
                        const char *url, struct endpoint_memory *out)
{
	struct query *query = db_query(store->db, "SELECT e.compose, e.trouble FROM endpoint e"
	                                          " JOIN target t ON t.id = e.target_id"
	                                          " WHERE t.name = ? AND e.url = ?");

	*out = (struct endpoint_memory){0};
	db_bind_text(query, target);
	db_bind_text(query, url);
	if (!db_step(query))
		return;
	out->has_compose = db_fixed(query, out->compose.b, sizeof(out->compose.b));
	out->trouble = db_text(query, arena);
	db_done(query);
}

void store_endpoint_put(struct store *store, const char *target, const char *url,
                        const struct endpoint_memory *memory)
{
	int64_t target_id = store_target_id(store, target);
	struct query *query = db_query(
	        store->db, "INSERT INTO endpoint (target_id, url, compose, trouble, at)"
	                   " VALUES (?, ?, ?, ?, ?) ON CONFLICT (target_id, url) DO UPDATE SET"
	                   " compose = excluded.compose, trouble = excluded.trouble,"
	                   " at = excluded.at");

	db_bind_int(query, target_id);
	db_bind_text(query, url);
	if (memory->has_compose)
		db_bind_blob(query, memory->compose.b, sizeof(memory->compose.b));
	else
		db_bind_null(query);
	db_bind_text(query, memory->trouble);
	db_bind_int(query, store->now.ms);
	db_run(query);
}

bool store_endpoint_showed(struct store *store, int64_t measurement, const char *url, int level)
{
	struct query *query =
	        db_query(store->db, "SELECT 1 FROM evidence WHERE measurement_id = ?"
	                            " AND source = 'endpoint' AND artifact = ? AND level >= ?");

	db_bind_int(query, measurement);
	db_bind_text(query, url);
	db_bind_int(query, level);
	return store_exists(query);
}
