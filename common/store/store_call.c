/* Live calls and the measurements they serve. */
#include "common/store/store_internal.h"


struct live_call {
	int64_t id, proposal;
	enum action action;
};

static bool live_call(struct store *store, uint64_t chain_id, const struct address *to,
                      struct bytes data, struct live_call *out)
{
	struct query *query =
	        db_query(store->db, "SELECT id, proposal_id, action FROM call WHERE chain_id = ?"
	                            " AND contract = ? AND data = ? AND live = 1");

	*out = (struct live_call){0};
	db_bind_u64(query, chain_id);
	db_bind_blob(query, to->b, sizeof(to->b));
	db_bind_blob(query, data.data, data.len);
	if (!db_step(query))
		return false;
	out->id = db_int(query);
	out->proposal = db_int(query);
	out->action = (enum action)db_int(query);
	db_done(query);
	return true;
}

int store_call_live(struct store *store, uint64_t chain_id, const struct address *to,
                    struct bytes data, struct proposal_id *out)
{
	struct live_call call;
	bool found = live_call(store, chain_id, to, data, &call);

	*out = (struct proposal_id){call.proposal};
	return found ? 0 : ERR_NOT_FOUND;
}

size_t store_call_proposals(struct store *store, struct arena *arena, uint64_t chain_id,
                            const struct address *to, struct bytes data, struct proposal_id **out)
{
	size_t count = 0;
	struct query *query =
	        db_query(store->db, "SELECT DISTINCT proposal_id FROM call WHERE chain_id = ?"
	                            " AND contract = ? AND data = ? ORDER BY proposal_id");

	*out = NULL;
	db_bind_u64(query, chain_id);
	db_bind_blob(query, to->b, sizeof(to->b));
	db_bind_blob(query, data.data, data.len);
	while (db_step(query)) {
		*out = db_list_room(arena, *out, count, sizeof(**out));
		(*out)[count++].n = db_int(query);
	}
	return count;
}

/* A call that somebody else proposed does not lift what a person here held, refused or does not
 * want: then the link alone is recorded, and the chain's answer will tell. */
static bool may_be_proposed(const struct measurement *measurement, enum action action)
{
	switch (measurement->status) {
	case MEASUREMENT_NEW:
	case MEASUREMENT_PROPOSED:
	case MEASUREMENT_AUTHORIZED:
		return measurement->wanted == (action == ACTION_ADD);
	case MEASUREMENT_HELD:
	case MEASUREMENT_REVOKED:
	case MEASUREMENT_REFUSED:
		return false;
	}
	return false;
}

void store_call_serve(struct store *store, uint64_t chain_id, const struct address *to,
                      struct bytes data, struct measurement_id id)
{
	struct arena arena = {0};
	struct measurement measurement;
	struct live_call call;

	if (!live_call(store, chain_id, to, data, &call))
		die("no live call serves m%lld", (long long)id.n);
	if (store_measurement_get(store, &arena, id, &measurement) != 0)
		die("no measurement m%lld", (long long)id.n);
	struct query *query =
	        db_query(store->db, "INSERT INTO call_measurement (call_id,"
	                            " measurement_id) VALUES (?, ?) ON CONFLICT DO NOTHING");
	db_bind_int(query, call.id);
	db_bind_int(query, id.n);
	db_run(query);
	if (may_be_proposed(&measurement, call.action))
		store_measurement_change(
		        store, &measurement, MEASUREMENT_PROPOSED, measurement.wanted,
		        arena_printf(&arena, "p%lld %s it", (long long)call.proposal,
		                     call.action == ACTION_ADD ? "adds" : "removes"));
	arena_free(&arena);
}

void store_proposal_measurements(struct store *store, struct arena *arena, struct proposal_id id,
                                 struct measurement_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT DISTINCT" STORE_MEASUREMENT_COLUMNS "FROM call c"
	                            " JOIN call_measurement s ON s.call_id = c.id"
	                            " JOIN measurement m ON m.id = s.measurement_id"
	                            " JOIN target t ON t.id = m.target_id"
	                            " WHERE c.proposal_id = ? ORDER BY m.id");

	db_bind_int(query, id.n);
	store_measurement_read_all(query, arena, out);
}

size_t store_measurement_proposals(struct store *store, struct arena *arena,
                                   struct measurement_id id, struct proposal_id **out)
{
	size_t count = 0;
	struct query *query =
	        db_query(store->db, "SELECT DISTINCT c.proposal_id FROM call_measurement s"
	                            " JOIN call c ON c.id = s.call_id WHERE s.measurement_id = ?"
	                            " ORDER BY c.proposal_id");

	*out = NULL;
	db_bind_int(query, id.n);
	while (db_step(query)) {
		*out = db_list_room(arena, *out, count, sizeof(**out));
		(*out)[count++].n = db_int(query);
	}
	return count;
}

size_t store_measurement_carriers(struct store *store, struct arena *arena,
                                  struct measurement_id id, enum action action,
                                  struct proposal_id **out)
{
	size_t count = 0;
	struct query *query =
	        db_query(store->db, "SELECT DISTINCT c.proposal_id FROM call_measurement s"
	                            " JOIN call c ON c.id = s.call_id WHERE s.measurement_id = ?"
	                            " AND c.live = 1 AND c.action = ? ORDER BY c.proposal_id");

	*out = NULL;
	db_bind_int(query, id.n);
	db_bind_int(query, action);
	while (db_step(query)) {
		*out = db_list_room(arena, *out, count, sizeof(**out));
		(*out)[count++].n = db_int(query);
	}
	return count;
}

int store_measurement_pending(struct store *store, struct measurement_id id, enum action *out)
{
	struct query *query =
	        db_query(store->db, "SELECT c.action FROM call_measurement s"
	                            " JOIN call c ON c.id = s.call_id WHERE s.measurement_id = ?"
	                            " AND c.live = 1 ORDER BY c.id DESC LIMIT 1");

	*out = 0;
	db_bind_int(query, id.n);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	*out = (enum action)db_int(query);
	db_done(query);
	return 0;
}
