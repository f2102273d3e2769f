#include "common/store/store_blocked.h"

#include "common/store/store_internal.h"

int store_blocked_get(struct store *store, struct arena *arena, struct safe_tx_id id,
                      struct blocked *out)
{
	struct query *query =
	        db_query(store->db, "SELECT nonce, since, what FROM blocked WHERE safe_tx_id = ?");

	*out = (struct blocked){0};
	db_bind_int(query, id.n);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	out->nonce = db_u64(query);
	out->since = db_wall(query);
	out->what = db_text(query, arena);
	db_done(query);
	return 0;
}

void store_blocked_put(struct store *store, struct safe_tx_id id, const struct blocked *blocked)
{
	struct query *query =
	        db_query(store->db,
	                 "INSERT INTO blocked (safe_tx_id, nonce, since, what) VALUES (?, ?, ?, ?)"
	                 " ON CONFLICT (safe_tx_id) DO UPDATE SET nonce = excluded.nonce,"
	                 " since = excluded.since, what = excluded.what");

	db_bind_int(query, id.n);
	db_bind_u64(query, blocked->nonce);
	db_bind_int(query, blocked->since.ms);
	db_bind_text(query, blocked->what);
	db_run(query);
}

void store_blocked_clear(struct store *store, struct safe_tx_id id)
{
	struct query *query = db_query(store->db, "DELETE FROM blocked WHERE safe_tx_id = ?");

	db_bind_int(query, id.n);
	db_run(query);
}
