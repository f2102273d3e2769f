/* Transactions of our executor and scheduler keys: stored before they are sent. */
#include "common/store/store_safe_tx.h"

#include "common/store/store_internal.h"

static int64_t sent_tx_find(struct store *store, const struct sent_tx *tx)
{
	struct query *query =
	        db_query(store->db, "SELECT id FROM sent_tx WHERE chain_id = ? AND tx_hash = ?");
	int64_t id = 0;

	db_bind_u64(query, tx->chain_id);
	db_bind_blob(query, tx->tx_hash.b, sizeof(tx->tx_hash.b));
	if (db_step(query)) {
		id = db_int(query);
		db_done(query);
	}
	return id;
}

int64_t store_sent_tx_add(struct store *store, const struct sent_tx *tx)
{
	char name[STORE_NAME_SIZE], text[HASH32_TEXT_SIZE];
	int64_t known = sent_tx_find(store, tx);

	if (known != 0)
		return known;
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO sent_tx (proposal_id, purpose, chain_id, sender, nonce, attempt,"
	        " raw, tx_hash, max_fee, max_priority_fee, status, sent_at)"
	        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)");
	db_bind_int(query, tx->proposal.n);
	db_bind_int(query, tx->purpose);
	db_bind_u64(query, tx->chain_id);
	db_bind_blob(query, tx->from.b, sizeof(tx->from.b));
	db_bind_u64(query, tx->nonce);
	db_bind_int(query, tx->attempt);
	db_bind_blob(query, tx->raw.data, tx->raw.len);
	db_bind_blob(query, tx->tx_hash.b, sizeof(tx->tx_hash.b));
	db_bind_blob(query, tx->max_fee.b, sizeof(tx->max_fee.b));
	db_bind_blob(query, tx->max_priority_fee.b, sizeof(tx->max_priority_fee.b));
	db_bind_int(query, store->now.ms);
	db_run(query);
	int64_t id = db_last_id(store->db);
	store_event_add(store, "proposal", store_name(name, 'p', tx->proposal.n),
	                "transaction %s, nonce %llu, attempt %u", hash32_text(text, &tx->tx_hash),
	                (unsigned long long)tx->nonce, tx->attempt);
	return id;
}

void store_sent_tx_set_status(struct store *store, int64_t id, enum sent_status status)
{
	struct query *query = db_query(store->db, "UPDATE sent_tx SET status = ? WHERE id = ?");

	db_bind_int(query, status);
	db_bind_int(query, id);
	db_run(query);
}

#define SELECT_SENT                                                                                \
	"SELECT id, proposal_id, purpose, chain_id, nonce, sender, raw, tx_hash, max_fee,"         \
	" max_priority_fee, attempt, status, sent_at FROM sent_tx"

static void read_list(struct query *query, struct arena *arena, struct sent_tx_list *out)
{
	*out = (struct sent_tx_list){0};
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		struct sent_tx *item = &out->items[out->count++];
		item->id = db_int(query);
		item->proposal.n = db_int(query);
		item->purpose = (enum purpose)db_int(query);
		item->chain_id = db_u64(query);
		item->nonce = db_u64(query);
		db_fixed(query, item->from.b, sizeof(item->from.b));
		item->raw = db_blob(query, arena);
		db_fixed(query, item->tx_hash.b, sizeof(item->tx_hash.b));
		db_fixed(query, item->max_fee.b, sizeof(item->max_fee.b));
		db_fixed(query, item->max_priority_fee.b, sizeof(item->max_priority_fee.b));
		item->attempt = (unsigned)db_int(query);
		item->status = (enum sent_status)db_int(query);
		item->sent_at = db_wall(query);
	}
}

void store_sent_tx_list(struct store *store, struct arena *arena, struct proposal_id proposal,
                        struct sent_tx_list *out)
{
	struct query *query = db_query(store->db, SELECT_SENT " WHERE proposal_id = ? ORDER BY id");

	db_bind_int(query, proposal.n);
	read_list(query, arena, out);
}

void store_sent_tx_of_nonce(struct store *store, struct arena *arena, uint64_t chain_id,
                            const struct address *from, uint64_t nonce, struct sent_tx_list *out)
{
	struct query *query =
	        db_query(store->db, SELECT_SENT " WHERE chain_id = ? AND sender = ? AND nonce = ?"
	                                        " ORDER BY id");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, from->b, sizeof(from->b));
	db_bind_u64(query, nonce);
	read_list(query, arena, out);
}

uint64_t store_sent_nonce_free(struct store *store, uint64_t chain_id, const struct address *from,
                               uint64_t least)
{
	struct query *query =
	        db_query(store->db, "SELECT DISTINCT nonce FROM sent_tx WHERE chain_id = ?"
	                            " AND sender = ? AND status = 1 AND nonce >= ? ORDER BY nonce");
	bool gap = false;

	db_bind_u64(query, chain_id);
	db_bind_blob(query, from->b, sizeof(from->b));
	db_bind_u64(query, least);
	while (db_step(query)) {
		gap = gap || db_u64(query) != least;
		if (!gap)
			least++;
	}
	return least;
}
