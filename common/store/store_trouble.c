#include "common/store/store_trouble.h"

#include "common/store/store_internal.h"

size_t store_trouble_list(struct store *store, struct arena *arena, uint64_t chain_id,
                          struct trouble_row **out)
{
	struct query *query =
	        db_query(store->db, "SELECT alarm, subject, text, since FROM trouble"
	                            " WHERE chain_id = ? ORDER BY since, alarm, subject");
	size_t count = 0;

	*out = NULL;
	db_bind_u64(query, chain_id);
	while (db_step(query)) {
		struct trouble_row row;
		const char *name = db_text(query, arena);
		row.subject = db_text(query, arena);
		row.text = db_text(query, arena);
		row.since = db_wall(query);
		if (alarm_parse(&row.alarm, name) != 0)
			continue;
		*out = db_list_room(arena, *out, count, sizeof(**out));
		(*out)[count++] = row;
	}
	return count;
}

void store_trouble_put(struct store *store, uint64_t chain_id, const struct trouble_row *row)
{
	struct query *query =
	        db_query(store->db, "INSERT INTO trouble (chain_id, alarm, subject, text, since)"
	                            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (chain_id, alarm, subject)"
	                            " DO UPDATE SET text = excluded.text, since = excluded.since");

	db_bind_u64(query, chain_id);
	db_bind_text(query, alarm_name(row->alarm));
	db_bind_text(query, row->subject);
	db_bind_text(query, row->text);
	db_bind_int(query, row->since.ms);
	db_run(query);
}

void store_trouble_clear(struct store *store, uint64_t chain_id, enum alarm alarm,
                         const char *subject)
{
	struct query *query = db_query(
	        store->db, "DELETE FROM trouble WHERE chain_id = ? AND alarm = ? AND subject = ?");

	db_bind_u64(query, chain_id);
	db_bind_text(query, alarm_name(alarm));
	db_bind_text(query, subject);
	db_run(query);
}
