#include "common/store/store_chain.h"

#include "common/store/store_internal.h"

#include <stdlib.h>

/* --- the cursor and the recent blocks --- */

static int read_block(struct query *query, uint64_t *number, struct hash32 *hash)
{
	*number = 0;
	*hash = (struct hash32){0};
	if (!db_step(query))
		return ERR_NOT_FOUND;
	*number = db_u64(query);
	db_fixed(query, hash->b, sizeof(hash->b));
	db_done(query);
	return 0;
}

int store_cursor_get(struct store *store, uint64_t chain_id, uint64_t *number, struct hash32 *hash)
{
	struct query *query =
	        db_query(store->db, "SELECT number, hash FROM cursor WHERE chain_id = ?");

	db_bind_u64(query, chain_id);
	return read_block(query, number, hash);
}

static void put_cursor(struct store *store, uint64_t chain_id, uint64_t number,
                       const struct hash32 *hash)
{
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO cursor (chain_id, number, hash) VALUES (?, ?, ?)"
	        " ON CONFLICT DO UPDATE SET number = excluded.number, hash = excluded.hash");

	db_bind_u64(query, chain_id);
	db_bind_u64(query, number);
	db_bind_blob(query, hash->b, sizeof(hash->b));
	db_run(query);
}

void store_cursor_set(struct store *store, uint64_t chain_id, uint64_t number,
                      const struct hash32 *hash)
{
	put_cursor(store, chain_id, number, hash);
	struct query *query =
	        db_query(store->db, "INSERT INTO block (chain_id, number, hash) VALUES (?, ?, ?)"
	                            " ON CONFLICT DO UPDATE SET hash = excluded.hash");
	db_bind_u64(query, chain_id);
	db_bind_u64(query, number);
	db_bind_blob(query, hash->b, sizeof(hash->b));
	db_run(query);
	query = db_query(store->db, "DELETE FROM block WHERE chain_id = ?1 AND number <="
	                            " (SELECT number FROM block WHERE chain_id = ?1"
	                            " ORDER BY number DESC LIMIT 1 OFFSET 512)");
	db_bind_u64(query, chain_id);
	db_run(query);
}

int store_cursor_before(struct store *store, uint64_t chain_id, uint64_t below, uint64_t *number,
                        struct hash32 *hash)
{
	struct query *query = db_query(
	        store->db, "SELECT number, hash FROM block WHERE chain_id = ? AND number < ?"
	                   " ORDER BY number DESC LIMIT 1");

	db_bind_u64(query, chain_id);
	db_bind_u64(query, below);
	return read_block(query, number, hash);
}

static void run_on_chain(struct query *query, uint64_t chain_id)
{
	db_bind_u64(query, chain_id);
	db_run(query);
}

static void run_above(struct query *query, uint64_t chain_id, uint64_t number)
{
	db_bind_u64(query, chain_id);
	db_bind_u64(query, number);
	db_run(query);
}

static void forget_above(struct db *db, uint64_t chain_id, uint64_t number)
{
	run_above(db_query(db, "DELETE FROM seen_log WHERE chain_id = ? AND block_number > ?"),
	          chain_id, number);
	run_above(db_query(db, "DELETE FROM block WHERE chain_id = ? AND number > ?"), chain_id,
	          number);
}

void store_chain_rewind_to(struct store *store, uint64_t chain_id, uint64_t number,
                           const struct hash32 *hash)
{
	forget_above(store->db, chain_id, number);
	store_cursor_set(store, chain_id, number, hash);
}

void store_chain_rewind(struct store *store, uint64_t chain_id, uint64_t number)
{
	uint64_t left;
	struct hash32 hash;
	struct db *db = store->db;

	forget_above(db, chain_id, number);
	if (store_cursor_before(store, chain_id, INT64_MAX, &left, &hash) == 0) {
		put_cursor(store, chain_id, left, &hash);
		return;
	}
	/* Nothing known is still on the chain: the follower starts as on the first day, so that no
	 * gap stays unread. */
	run_on_chain(db_query(db, "DELETE FROM cursor WHERE chain_id = ?"), chain_id);
	run_on_chain(db_query(db, "DELETE FROM backfill WHERE chain_id = ?"), chain_id);
	run_on_chain(db_query(db, "DELETE FROM follow WHERE chain_id = ?"), chain_id);
}

/* --- backfill --- */

int store_backfill_get(struct store *store, uint64_t chain_id, uint64_t *from, uint64_t *next)
{
	struct query *query = db_query(
	        store->db, "SELECT from_block, next_block FROM backfill WHERE chain_id = ?");

	*from = *next = 0;
	db_bind_u64(query, chain_id);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	*from = db_u64(query);
	*next = db_u64(query);
	db_done(query);
	return 0;
}

void store_backfill_set(struct store *store, uint64_t chain_id, uint64_t from, uint64_t next)
{
	struct query *query =
	        db_query(store->db,
	                 "INSERT INTO backfill (chain_id, from_block, next_block) VALUES (?, ?, ?)"
	                 " ON CONFLICT DO UPDATE SET from_block = excluded.from_block, next_block "
	                 "= excluded.next_block");

	db_bind_u64(query, chain_id);
	db_bind_u64(query, from);
	db_bind_u64(query, next);
	db_run(query);
}

bool store_backfill_is_whole(struct store *store, uint64_t chain_id)
{
	struct query *query =
	        db_query(store->db, "SELECT 1 FROM backfill WHERE chain_id = ? AND whole = 0");

	db_bind_u64(query, chain_id);
	return !store_exists(query);
}

void store_backfill_set_whole(struct store *store, uint64_t chain_id, bool whole)
{
	struct query *query =
	        db_query(store->db, "UPDATE backfill SET whole = ? WHERE chain_id = ?");

	db_bind_int(query, whole);
	db_bind_u64(query, chain_id);
	db_run(query);
}

/* --- contracts --- */

bool store_follow_known(struct store *store, uint64_t chain_id, const struct address *contract)
{
	struct query *query =
	        db_query(store->db, "SELECT 1 FROM follow WHERE chain_id = ? AND contract = ?");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, contract->b, sizeof(contract->b));
	bool known = db_step(query);
	if (known)
		db_done(query);
	return known;
}

void store_follow_add(struct store *store, uint64_t chain_id, const struct address *contract)
{
	struct query *query = db_query(store->db, "INSERT INTO follow (chain_id, contract)"
	                                          " VALUES (?, ?) ON CONFLICT DO NOTHING");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, contract->b, sizeof(contract->b));
	db_run(query);
}

/* --- logs --- */

bool store_log_put(struct store *store, uint64_t chain_id, const struct seen_log *log)
{
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO seen_log (chain_id, block_hash, log_index, block_number, tx_hash,"
	        " contract, topic0, key, data, acted, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, "
	        "0)"
	        " ON CONFLICT DO NOTHING");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, log->block_hash.b, sizeof(log->block_hash.b));
	db_bind_int(query, log->log_index);
	db_bind_u64(query, log->block_number);
	db_bind_blob(query, log->tx_hash.b, sizeof(log->tx_hash.b));
	db_bind_blob(query, log->address.b, sizeof(log->address.b));
	db_bind_blob(query, log->topic0.b, sizeof(log->topic0.b));
	db_bind_blob(query, log->key.b, sizeof(log->key.b));
	db_bind_blob(query, log->data.data, log->data.len);
	db_run(query);
	if (db_changes(store->db) == 0)
		return false;
	query = db_query(store->db, "DELETE FROM seen_log WHERE chain_id = ? AND block_number = ?"
	                            " AND block_hash <> ?");
	db_bind_u64(query, chain_id);
	db_bind_u64(query, log->block_number);
	db_bind_blob(query, log->block_hash.b, sizeof(log->block_hash.b));
	db_run(query);
	return true;
}

#define LOG_COLUMNS " block_hash, log_index, block_number, tx_hash, contract, topic0, key, data "

static void read_logs(struct query *query, struct arena *arena, struct seen_log_list *out)
{
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		struct seen_log *log = &out->items[out->count++];
		db_fixed(query, log->block_hash.b, sizeof(log->block_hash.b));
		log->log_index = (unsigned)db_int(query);
		log->block_number = db_u64(query);
		db_fixed(query, log->tx_hash.b, sizeof(log->tx_hash.b));
		db_fixed(query, log->address.b, sizeof(log->address.b));
		db_fixed(query, log->topic0.b, sizeof(log->topic0.b));
		db_fixed(query, log->key.b, sizeof(log->key.b));
		log->data = db_blob(query, arena);
	}
}

struct seen_log_list store_log_find(struct store *store, struct arena *arena, uint64_t chain_id,
                                    const struct address *address, const struct hash32 *topic0,
                                    const struct hash32 *key)
{
	struct seen_log_list list = {0};
	struct query *query = db_query(
	        store->db, "SELECT" LOG_COLUMNS "FROM seen_log WHERE chain_id = ? AND contract = ?"
	                   " AND topic0 = ? AND key = ?"
	                   " ORDER BY block_number, log_index");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, address->b, sizeof(address->b));
	db_bind_blob(query, topic0->b, sizeof(topic0->b));
	db_bind_blob(query, key->b, sizeof(key->b));
	read_logs(query, arena, &list);
	return list;
}

struct seen_log_list store_log_list(struct store *store, struct arena *arena, uint64_t chain_id,
                                    const struct address *address, const struct hash32 *topic0)
{
	struct seen_log_list list = {0};
	struct query *query = db_query(
	        store->db, "SELECT" LOG_COLUMNS "FROM seen_log WHERE chain_id = ? AND contract = ?"
	                   " AND topic0 = ? ORDER BY block_number, log_index");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, address->b, sizeof(address->b));
	db_bind_blob(query, topic0->b, sizeof(topic0->b));
	read_logs(query, arena, &list);
	return list;
}

static int chain_order(const void *a, const void *b)
{
	const struct seen_log *x = a, *y = b;

	if (x->block_number != y->block_number)
		return x->block_number < y->block_number ? -1 : 1;
	return (x->log_index > y->log_index) - (x->log_index < y->log_index);
}

struct seen_log_list store_log_unacted(struct store *store, struct arena *arena, uint64_t chain_id,
                                       const struct hash32 *topic0s, size_t topic_count,
                                       uint64_t upto)
{
	struct seen_log_list list = {0};

	for (size_t i = 0; i < topic_count; i++) {
		struct query *query =
		        db_query(store->db, "SELECT" LOG_COLUMNS
		                            "FROM seen_log WHERE chain_id = ? AND topic0 = ?"
		                            " AND block_number <= ? AND acted = 0");
		db_bind_u64(query, chain_id);
		db_bind_blob(query, topic0s[i].b, sizeof(topic0s[i].b));
		db_bind_u64(query, upto);
		read_logs(query, arena, &list);
	}
	if (list.count > 1)
		qsort(list.items, list.count, sizeof(*list.items), chain_order);
	return list;
}

static void set_acted(struct store *store, uint64_t chain_id, const struct seen_log *log, int acted)
{
	struct query *query = db_query(store->db, "UPDATE seen_log SET acted = ? WHERE chain_id = ?"
	                                          " AND block_hash = ? AND log_index = ?");

	db_bind_int(query, acted);
	db_bind_u64(query, chain_id);
	db_bind_blob(query, log->block_hash.b, sizeof(log->block_hash.b));
	db_bind_int(query, log->log_index);
	db_run(query);
}

void store_log_acted(struct store *store, uint64_t chain_id, const struct seen_log *log)
{
	set_acted(store, chain_id, log, 1);
}

void store_log_act_again(struct store *store, uint64_t chain_id, const struct seen_log *log)
{
	set_acted(store, chain_id, log, 0);
}

/* --- what others made --- */

bool store_outside_note(struct store *store, uint64_t chain_id, const struct address *contract,
                        const struct hash32 *key)
{
	struct query *query =
	        db_query(store->db, "INSERT INTO outside (chain_id, contract, key, at)"
	                            " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, contract->b, sizeof(contract->b));
	db_bind_blob(query, key->b, sizeof(key->b));
	db_bind_int(query, store->now.ms);
	db_run(query);
	return db_changes(store->db) > 0;
}

bool store_outside_known(struct store *store, uint64_t chain_id, const struct address *contract,
                         const struct hash32 *key)
{
	struct query *query =
	        db_query(store->db, "SELECT 1 FROM outside WHERE chain_id = ? AND contract = ?"
	                            " AND key = ?");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, contract->b, sizeof(contract->b));
	db_bind_blob(query, key->b, sizeof(key->b));
	return store_exists(query);
}

/* --- told --- */

void store_watched_add(struct store *store, uint64_t chain_id, const struct address *contract,
                       uint64_t since)
{
	struct query *query = db_query(store->db, "INSERT INTO watched (chain_id, contract, since)"
	                                          " VALUES (?, ?, ?) ON CONFLICT DO NOTHING");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, contract->b, sizeof(contract->b));
	db_bind_u64(query, since);
	db_run(query);
}

int store_watched_since(struct store *store, uint64_t chain_id, const struct address *contract,
                        uint64_t *since)
{
	struct query *query = db_query(
	        store->db, "SELECT since FROM watched WHERE chain_id = ? AND contract = ?");

	*since = 0;
	db_bind_u64(query, chain_id);
	db_bind_blob(query, contract->b, sizeof(contract->b));
	if (!db_step(query))
		return ERR_NOT_FOUND;
	*since = db_u64(query);
	db_done(query);
	return 0;
}

struct seen_log_list store_log_untold(struct store *store, struct arena *arena, uint64_t chain_id,
                                      uint64_t upto, size_t limit)
{
	struct seen_log_list list = {0};
	struct query *query = db_query(
	        store->db,
	        "SELECT l.block_hash, l.log_index, l.block_number, l.tx_hash, l.contract, l.topic0,"
	        " l.key, l.data FROM seen_log l CROSS JOIN watched w"
	        " WHERE l.told = 0 AND l.chain_id = ?1 AND l.block_number <= ?2"
	        " AND w.chain_id = ?1 AND w.contract = l.contract AND l.block_number >= w.since"
	        " ORDER BY l.block_number, l.log_index LIMIT ?3");

	db_bind_u64(query, chain_id);
	db_bind_u64(query, upto);
	db_bind_int(query, (int64_t)limit);
	read_logs(query, arena, &list);
	return list;
}

void store_log_told(struct store *store, uint64_t chain_id, const struct seen_log *log)
{
	struct query *query = db_query(store->db, "UPDATE seen_log SET told = 1 WHERE chain_id = ?"
	                                          " AND block_hash = ? AND log_index = ?");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, log->block_hash.b, sizeof(log->block_hash.b));
	db_bind_int(query, log->log_index);
	db_run(query);
}

struct seen_log_list store_log_of_tx(struct store *store, struct arena *arena, uint64_t chain_id,
                                     const struct seen_log *one)
{
	struct seen_log_list list = {0};
	struct query *query =
	        db_query(store->db, "SELECT" LOG_COLUMNS "FROM seen_log WHERE chain_id = ?"
	                            " AND block_hash = ? AND tx_hash = ? ORDER BY log_index");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, one->block_hash.b, sizeof(one->block_hash.b));
	db_bind_blob(query, one->tx_hash.b, sizeof(one->tx_hash.b));
	read_logs(query, arena, &list);
	return list;
}

/* Logs from before their contract was watched. One of a contract that is not watched at all (yet)
 * is neither news nor history. */
#define HISTORY                                                                                    \
	" told = 0 AND chain_id = ?1 AND EXISTS (SELECT 1 FROM watched w WHERE w.chain_id = ?1"    \
	" AND w.contract = seen_log.contract AND seen_log.block_number < w.since)"

void store_history_untold(struct store *store, struct arena *arena, uint64_t chain_id,
                          struct log_counts *out)
{
	struct query *query = db_query(
	        store->db, "SELECT contract, topic0, count(*), min(block_number), max(block_number)"
	                   " FROM seen_log WHERE" HISTORY
	                   " GROUP BY contract, topic0 ORDER BY contract, topic0");

	*out = (struct log_counts){0};
	db_bind_u64(query, chain_id);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		struct log_count *item = &out->items[out->count++];
		db_fixed(query, item->address.b, sizeof(item->address.b));
		db_fixed(query, item->topic0.b, sizeof(item->topic0.b));
		item->count = db_u64(query);
		item->first_block = db_u64(query);
		item->last_block = db_u64(query);
	}
}

void store_history_told(struct store *store, uint64_t chain_id)
{
	struct query *query = db_query(store->db, "UPDATE seen_log SET told = 1 WHERE" HISTORY);

	db_bind_u64(query, chain_id);
	db_run(query);
}
