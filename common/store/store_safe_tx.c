/* Safe transactions and the nonces they hold. SQL: status <= 3 is drafted, posting or queued. */
#include "common/store/store_blocked.h"
#include "common/store/store_live.h"

#include "common/store/store_internal.h"

#include "common/base/log.h"

static void safe_tx_event(struct store *store, const struct safe_tx_row *row, const char *text)
{
	char name[STORE_NAME_SIZE];

	store_event_add(store, "safe-tx", store_name(name, 'p', row->proposal.n), "%s %u: %s",
	                purpose_name(row->purpose), row->attempt, text);
}

struct safe_tx_id store_safe_tx_add(struct store *store, const struct safe_tx_row *row)
{
	struct query *query = db_query(
	        store->db, "INSERT INTO safe_tx (proposal_id, purpose, attempt, chain_id, safe, "
	                   "contract, data,"
	                   " operation, status, confirmations, threshold, tx_block, posted_at)"
	                   " SELECT p.id, ?2, 1 + coalesce((SELECT max(attempt) FROM safe_tx WHERE "
	                   "proposal_id = p.id"
	                   " AND purpose = ?2), 0), p.chain_id, ?3, ?4, ?5, ?6, 1, 0, 0, 0, 0"
	                   " FROM proposal p WHERE p.id = ?1");

	db_bind_int(query, row->proposal.n);
	db_bind_int(query, row->purpose);
	db_bind_blob(query, row->safe.b, sizeof(row->safe.b));
	db_bind_blob(query, row->to.b, sizeof(row->to.b));
	db_bind_blob(query, row->data.data, row->data.len);
	db_bind_int(query, row->operation);
	db_run(query);
	if (db_changes(store->db) != 1)
		die("a Safe transaction for p%lld, which does not exist",
		    (long long)row->proposal.n);
	return (struct safe_tx_id){db_last_id(store->db)};
}

/* --- reading --- */

#define SAFE_TX_COLUMNS                                                                            \
	" id, proposal_id, purpose, attempt, chain_id, safe, contract, data, operation, nonce,"    \
	" safe_tx_hash, status, confirmations, threshold, tx, tx_block, posted_at, shares, "       \
	"deleted, displaced, was_signed "

static void read_safe_tx(struct query *query, struct arena *arena, struct safe_tx_row *out)
{
	out->id.n = db_int(query);
	out->proposal.n = db_int(query);
	out->purpose = (enum purpose)db_int(query);
	out->attempt = (unsigned)db_int(query);
	out->chain_id = db_u64(query);
	db_fixed(query, out->safe.b, sizeof(out->safe.b));
	db_fixed(query, out->to.b, sizeof(out->to.b));
	out->data = db_blob(query, arena);
	out->operation = (uint8_t)db_int(query);
	out->nonce = db_u64(query); /* 0 for NULL */
	out->has_nonce = db_fixed(query, out->safe_tx_hash.b, sizeof(out->safe_tx_hash.b));
	out->status = (enum safe_tx_status)db_int(query);
	out->confirmations = (unsigned)db_int(query);
	out->threshold = (unsigned)db_int(query);
	out->has_tx = db_fixed(query, out->tx.b, sizeof(out->tx.b));
	out->tx_block = db_u64(query);
	out->posted_at = db_wall(query);
	out->shares = db_int(query) != 0;
	out->deleted = db_int(query) != 0;
	out->displaced = db_int(query) != 0;
	out->was_signed = db_int(query) != 0;
	out->mark = db_row_mark(query);
}

static void read_more(struct query *query, struct arena *arena, struct safe_tx_list *out)
{
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		read_safe_tx(query, arena, &out->items[out->count++]);
	}
}

static void read_list(struct query *query, struct arena *arena, struct safe_tx_list *out)
{
	*out = (struct safe_tx_list){0};
	read_more(query, arena, out);
}

void store_safe_tx_list(struct store *store, struct arena *arena, struct proposal_id proposal,
                        struct safe_tx_list *out)
{
	struct query *query = db_query(store->db, "SELECT" SAFE_TX_COLUMNS
	                                          "FROM safe_tx WHERE proposal_id = ? ORDER BY id");

	db_bind_int(query, proposal.n);
	read_list(query, arena, out);
}

void store_safe_tx_open(struct store *store, struct arena *arena, uint64_t chain_id,
                        struct safe_tx_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" SAFE_TX_COLUMNS
	                            "FROM safe_tx WHERE chain_id = ? AND status <= 3 ORDER BY id");

	db_bind_u64(query, chain_id);
	read_list(query, arena, out);
}

void store_safe_tx_left(struct store *store, struct arena *arena, uint64_t chain_id,
                        struct safe_tx_list *out)
{
	struct query *query = db_query(store->db, "SELECT" SAFE_TX_COLUMNS
	                                          "FROM safe_tx WHERE chain_id = ? AND status = 7"
	                                          " AND gone = 0 AND purpose <> 4 ORDER BY id");

	db_bind_u64(query, chain_id);
	read_list(query, arena, out);
	query = db_query(store->db, "SELECT" SAFE_TX_COLUMNS
	                            "FROM safe_tx t WHERE chain_id = ? AND status <= 3 AND"
	                            " EXISTS (SELECT 1 FROM proposal p WHERE p.id = t.proposal_id"
	                            " AND (p.state >= 6 OR (p.state >= 3 AND t.purpose <= 2)))"
	                            " ORDER BY id");
	db_bind_u64(query, chain_id);
	read_more(query, arena, out);
}

/* Hands the transactions of live proposals, ordered by proposal, to them. */
static void attach_txs(const struct safe_tx_list *all, struct live *out)
{
	size_t at = 0;

	for (size_t i = 0; i < all->count; i++) {
		while (out->proposals.items[at].id.n != all->items[i].proposal.n)
			at++;
		if (out->txs[at].count++ == 0)
			out->txs[at].items = &all->items[i];
	}
}

void store_live_read(struct store *store, struct arena *arena, uint64_t chain_id, struct live *out)
{
	struct safe_tx_list all;
	struct query *query =
	        db_query(store->db, "SELECT" SAFE_TX_COLUMNS "FROM safe_tx WHERE proposal_id IN"
	                            " (SELECT id FROM proposal WHERE state < 6 AND chain_id = ?)"
	                            " ORDER BY proposal_id, id");

	store_proposal_list(store, arena, PROPOSALS_LIVE, chain_id, &out->proposals);
	out->txs = arena_array(arena, out->proposals.count, sizeof(*out->txs));
	db_bind_u64(query, chain_id);
	read_list(query, arena, &all);
	attach_txs(&all, out);
	store_safe_tx_open(store, arena, chain_id, &out->open);
}

uint64_t store_live_writes(const struct store *store)
{
	return db_writes(store->db);
}

static size_t read_nonces(struct store *store, struct arena *arena, uint64_t chain_id,
                          const struct address *safe, bool only_shared, uint64_t **out)
{
	size_t count = 0;
	struct query *query = db_query(
	        store->db, "SELECT DISTINCT nonce FROM safe_tx WHERE chain_id = ? AND safe = ?"
	                   " AND status <= 3 AND nonce IS NOT NULL AND shares >= ? ORDER BY nonce");

	*out = NULL;
	db_bind_u64(query, chain_id);
	db_bind_blob(query, safe->b, sizeof(safe->b));
	db_bind_int(query, only_shared);
	while (db_step(query)) {
		*out = db_list_room(arena, *out, count, sizeof(**out));
		(*out)[count++] = db_u64(query);
	}
	return count;
}

size_t store_safe_nonces(struct store *store, struct arena *arena, uint64_t chain_id,
                         const struct address *safe, uint64_t **out)
{
	return read_nonces(store, arena, chain_id, safe, false, out);
}

size_t store_safe_shared_nonces(struct store *store, struct arena *arena, uint64_t chain_id,
                                const struct address *safe, uint64_t **out)
{
	return read_nonces(store, arena, chain_id, safe, true, out);
}

void store_safe_tx_at_nonce(struct store *store, struct arena *arena, uint64_t chain_id,
                            const struct address *safe, uint64_t nonce, struct safe_tx_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" SAFE_TX_COLUMNS "FROM safe_tx WHERE chain_id = ?"
	                            " AND safe = ? AND nonce = ? ORDER BY id");

	db_bind_u64(query, chain_id);
	db_bind_blob(query, safe->b, sizeof(safe->b));
	db_bind_u64(query, nonce);
	read_list(query, arena, out);
}

int store_safe_tx_get(struct store *store, struct arena *arena, struct safe_tx_id id,
                      struct safe_tx_row *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" SAFE_TX_COLUMNS "FROM safe_tx WHERE id = ?");

	*out = (struct safe_tx_row){0};
	db_bind_int(query, id.n);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	read_safe_tx(query, arena, out);
	db_done(query);
	return 0;
}

int store_safe_tx_find(struct store *store, struct arena *arena, uint64_t chain_id,
                       const struct address *safe, const struct hash32 *safe_tx_hash,
                       struct safe_tx_row *out)
{
	struct query *query = db_query(store->db, "SELECT" SAFE_TX_COLUMNS
	                                          "FROM safe_tx WHERE safe_tx_hash = ? AND"
	                                          " chain_id = ? AND safe = ? ORDER BY id DESC");

	*out = (struct safe_tx_row){0};
	db_bind_blob(query, safe_tx_hash->b, sizeof(safe_tx_hash->b));
	db_bind_u64(query, chain_id);
	db_bind_blob(query, safe->b, sizeof(safe->b));
	if (!db_step(query))
		return ERR_NOT_FOUND;
	read_safe_tx(query, arena, out);
	db_done(query);
	return 0;
}

static void must_get(struct store *store, struct arena *arena, struct safe_tx_id id,
                     struct safe_tx_row *out)
{
	if (store_safe_tx_get(store, arena, id, out) != 0)
		die("no Safe transaction with row id %lld", (long long)id.n);
}

/* --- changing --- */

static int write_nonce(struct store *store, const struct safe_tx_row *row, uint64_t nonce,
                       const struct hash32 *safe_tx_hash, bool shares, struct error *error)
{
	if (row->status != SAFE_TX_DRAFTED)
		return error_set(error, ERR_CONFLICT,
		                 "the %s transaction %u of p%lld is %s, not drafted",
		                 purpose_name(row->purpose), row->attempt,
		                 (long long)row->proposal.n, safe_tx_status_name(row->status));
	struct query *query =
	        db_query(store->db, "UPDATE safe_tx SET nonce = ?, safe_tx_hash = ?,"
	                            " status = 2, posted_at = ?, shares = ? WHERE id = ?");
	db_bind_u64(query, nonce);
	db_bind_blob(query, safe_tx_hash->b, sizeof(safe_tx_hash->b));
	db_bind_int(query, store->now.ms);
	db_bind_int(query, shares);
	db_bind_int(query, row->id.n);
	if (db_try_run(query, NULL) != 0)
		return error_set(error, ERR_CONFLICT,
		                 "another live transaction of this Safe holds nonce %llu",
		                 (unsigned long long)nonce);
	return 0;
}

static int assign(struct store *store, struct safe_tx_id id, uint64_t nonce,
                  const struct hash32 *safe_tx_hash, bool shares, struct error *error)
{
	struct arena arena = {0};
	struct safe_tx_row row;
	char text[HASH32_TEXT_SIZE];

	must_get(store, &arena, id, &row);
	int rc = write_nonce(store, &row, nonce, safe_tx_hash, shares, error);
	if (rc == 0)
		safe_tx_event(
		        store, &row,
		        arena_printf(&arena, "%s %llu, %s", shares ? "competes for nonce" : "nonce",
		                     (unsigned long long)nonce, hash32_text(text, safe_tx_hash)));
	arena_free(&arena);
	return rc;
}

int store_safe_tx_assign(struct store *store, struct safe_tx_id id, uint64_t nonce,
                         const struct hash32 *safe_tx_hash, struct error *error)
{
	return assign(store, id, nonce, safe_tx_hash, false, error);
}

int store_safe_tx_compete(struct store *store, struct safe_tx_id id, uint64_t nonce,
                          const struct hash32 *safe_tx_hash, struct error *error)
{
	return assign(store, id, nonce, safe_tx_hash, true, error);
}

void store_safe_tx_pin(struct store *store, struct safe_tx_id id, uint64_t nonce,
                       const struct hash32 *safe_tx_hash)
{
	struct query *query = db_query(store->db, "UPDATE safe_tx SET nonce = ?, safe_tx_hash = ?"
	                                          " WHERE id = ? AND status = 1 AND purpose = 4");

	db_bind_u64(query, nonce);
	db_bind_blob(query, safe_tx_hash->b, sizeof(safe_tx_hash->b));
	db_bind_int(query, id.n);
	if (db_try_run(query, NULL) != 0 || db_changes(store->db) != 1)
		die("row id %lld is no drafted rejection, or another one holds nonce %llu",
		    (long long)id.n, (unsigned long long)nonce);
}

void store_safe_tx_unassign(struct store *store, struct safe_tx_id id)
{
	struct arena arena = {0};
	struct safe_tx_row row;

	must_get(store, &arena, id, &row);
	if (row.status > SAFE_TX_POSTING)
		die("the %s transaction %u of p%lld is %s: its nonce cannot be taken back",
		    purpose_name(row.purpose), row.attempt, (long long)row.proposal.n,
		    safe_tx_status_name(row.status));
	struct query *query =
	        db_query(store->db, "UPDATE safe_tx SET nonce = CASE purpose WHEN 4 THEN nonce END,"
	                            " safe_tx_hash = CASE purpose WHEN 4 THEN safe_tx_hash END,"
	                            " status = 1, posted_at = 0, shares = 0 WHERE id = ?");
	db_bind_int(query, id.n);
	db_run(query);
	if (row.has_nonce && row.purpose != PURPOSE_REJECT)
		safe_tx_event(
		        store, &row,
		        arena_printf(&arena, "gives up nonce %llu", (unsigned long long)row.nonce));
	arena_free(&arena);
}

void store_safe_tx_repost(struct store *store, struct safe_tx_id id)
{
	struct query *query =
	        db_query(store->db, "UPDATE safe_tx SET posted_at = ? WHERE id = ? AND status = 2");

	db_bind_int(query, store->now.ms);
	db_bind_int(query, id.n);
	db_run(query);
}

void store_safe_tx_set_displaced(struct store *store, struct safe_tx_id id)
{
	struct arena arena = {0};
	struct safe_tx_row row;

	must_get(store, &arena, id, &row);
	struct query *query = db_query(store->db, "UPDATE safe_tx SET displaced = 1 WHERE id = ?");
	db_bind_int(query, id.n);
	db_run(query);
	safe_tx_event(store, &row, "displaced by something more urgent; drafted again");
	arena_free(&arena);
}

void store_safe_tx_set_deleted(struct store *store, struct safe_tx_id id)
{
	struct arena arena = {0};
	struct safe_tx_row row;

	must_get(store, &arena, id, &row);
	struct query *query = db_query(store->db, "UPDATE safe_tx SET deleted = 1 WHERE id = ?");
	db_bind_int(query, id.n);
	db_run(query);
	if (!row.deleted)
		safe_tx_event(store, &row,
		              "the service forgot it; who has seen it can sign it all the same");
	arena_free(&arena);
}

void store_safe_tx_set_gone(struct store *store, struct safe_tx_id id)
{
	struct query *query =
	        db_query(store->db, "UPDATE safe_tx SET gone = 1 WHERE id = ? AND status = 7");

	db_bind_int(query, id.n);
	db_run(query);
}

static int write_status(struct store *store, struct safe_tx_id id, enum safe_tx_status status,
                        const struct hash32 *tx, uint64_t tx_block)
{
	struct query *query;

	/* Nothing is in front of what is not in the queue. */
	if (status != SAFE_TX_QUEUED)
		store_blocked_clear(store, id);
	query = db_query(
	        store->db,
	        "UPDATE safe_tx SET status = ?, tx = ?, tx_block = ?, gone = 0 WHERE id = ?");

	db_bind_int(query, status);
	if (tx != NULL)
		db_bind_blob(query, tx->b, sizeof(tx->b));
	else
		db_bind_null(query);
	db_bind_u64(query, tx_block);
	db_bind_int(query, id.n);
	return db_try_run(query, NULL);
}

void store_safe_tx_set_status(struct store *store, struct safe_tx_id id, enum safe_tx_status status,
                              const struct hash32 *tx, uint64_t tx_block)
{
	struct arena arena = {0};
	struct safe_tx_row row;
	char text[HASH32_TEXT_SIZE];

	must_get(store, &arena, id, &row);
	if (write_status(store, id, status, tx, tx_block) != 0)
		/* Only a reorganisation deeper than what counts as final gets here. */
		log_broken(NULL,
		           "p%lld: its %s transaction cannot be %s again: nonce %llu is taken",
		           (long long)row.proposal.n, purpose_name(row.purpose),
		           safe_tx_status_name(status), (unsigned long long)row.nonce);
	else if (row.status != status)
		safe_tx_event(store, &row,
		              arena_printf(&arena, "%s -> %s%s%s", safe_tx_status_name(row.status),
		                           safe_tx_status_name(status), tx != NULL ? " in " : "",
		                           tx != NULL ? hash32_text(text, tx) : ""));
	arena_free(&arena);
}

void store_safe_tx_supersede(struct store *store, struct safe_tx_id old, struct safe_tx_id by)
{
	store_safe_tx_set_status(store, old, SAFE_TX_WITHDRAWN, NULL, 0);
	struct query *query = db_query(store->db, "UPDATE safe_tx SET shares = 0 WHERE id = ?");

	db_bind_int(query, by.n);
	db_run(query);
}

void store_safe_tx_set_confirmations(struct store *store, struct safe_tx_id id,
                                     unsigned confirmations, unsigned threshold)
{
	struct arena arena = {0};
	struct safe_tx_row row;

	must_get(store, &arena, id, &row);
	if (row.confirmations != confirmations || row.threshold != threshold) {
		struct query *query = db_query(
		        store->db,
		        "UPDATE safe_tx SET confirmations = ?1, threshold = ?2, was_signed ="
		        " was_signed OR (?2 > 0 AND ?1 >= ?2) WHERE id = ?3");
		db_bind_int(query, confirmations);
		db_bind_int(query, threshold);
		db_bind_int(query, id.n);
		db_run(query);
		safe_tx_event(
		        store, &row,
		        arena_printf(&arena, "%u of %u confirmations", confirmations, threshold));
	}
	arena_free(&arena);
}
