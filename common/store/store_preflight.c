#include "common/store/store_preflight.h"

#include "common/store/store_internal.h"

int store_preflight_get(struct store *store, struct arena *arena, struct measurement_id id,
                        struct preflight_row *out)
{
	struct query *query =
	        db_query(store->db, "SELECT status, allowed, reason, call, source, assumed,"
	                            " block_number, at FROM preflight WHERE measurement_id = ?");

	*out = (struct preflight_row){0};
	db_bind_int(query, id.n);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	out->status = (enum measurement_status)db_int(query);
	out->allowed = (enum check_answer)db_int(query);
	out->reason = db_text(query, arena);
	out->call = db_text(query, arena);
	out->source = db_text(query, arena);
	out->assumed = db_text(query, arena);
	out->block = db_u64(query);
	out->at = db_wall(query);
	db_done(query);
	return 0;
}

void store_preflight_put(struct store *store, struct measurement_id id,
                         const struct preflight_row *row)
{
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO preflight (measurement_id, status, allowed, reason, call, source,"
	        " assumed, block_number, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (measurement_id) DO UPDATE SET status = excluded.status,"
	        " allowed = excluded.allowed, reason = excluded.reason, call = excluded.call,"
	        " source = excluded.source, assumed = excluded.assumed,"
	        " block_number = excluded.block_number, at = excluded.at");

	db_bind_int(query, id.n);
	db_bind_int(query, row->status);
	db_bind_int(query, row->allowed);
	db_bind_text(query, row->reason);
	db_bind_text(query, row->call);
	db_bind_text(query, row->source);
	db_bind_text(query, row->assumed);
	db_bind_u64(query, row->block);
	db_bind_int(query, store->now.ms);
	db_run(query);
}

void store_preflight_due(struct store *store, struct arena *arena, uint64_t chain_id, uint64_t upto,
                         size_t limit, struct measurement_list *out)
{
	struct query *query = db_query(
	        store->db, "SELECT" STORE_MEASUREMENT_COLUMNS
	                   "FROM measurement m JOIN target t ON t.id = m.target_id"
	                   " LEFT JOIN preflight p ON p.measurement_id = m.id"
	                   " WHERE m.status IN (1, 3, 4) AND (m.status = 4 OR m.approved = 1)"
	                   " AND m.kind IN (2, 3) AND t.chain_id = ?1"
	                   " AND EXISTS (SELECT 1 FROM evidence e WHERE e.measurement_id = m.id"
	                   " AND e.source = 'endpoint')"
	                   " AND (p.measurement_id IS NULL OR p.status <> m.status OR EXISTS"
	                   " (SELECT 1 FROM seen_log l WHERE l.chain_id = ?1"
	                   " AND l.block_number > p.block_number AND l.block_number <= ?2"
	                   " AND l.contract IN (t.kms, t.app)))"
	                   " ORDER BY m.id LIMIT ?3");

	db_bind_u64(query, chain_id);
	db_bind_u64(query, upto);
	db_bind_int(query, (int64_t)limit);
	store_measurement_read_all(query, arena, out);
}
