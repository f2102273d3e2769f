/* Proposals, their history, and the one function that changes a state. */
#include "common/store/store_internal.h"

#include <string.h>

/* --- creating --- */

static int64_t insert_proposal(struct store *store, const struct new_proposal *proposal)
{
	int64_t target = store_target_id(store, proposal->target);
	struct query *query = db_query(
	        store->db, "INSERT INTO proposal (target_id, origin, chain_id, model, "
	                   "state, flags, safe, timelock, sender,"
	                   " salt, predecessor, single, operation_id, attempt, delay, "
	                   "ready_at, drafted_after, created_at, expires_at, urgent)"
	                   " VALUES (?, ?, ?, ?, 1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)");

	db_bind_int(query, target);
	db_bind_text(query, proposal->origin);
	db_bind_u64(query, proposal->chain_id);
	db_bind_int(query, proposal->model);
	db_bind_blob(query, proposal->safe.b, sizeof(proposal->safe.b));
	db_bind_blob(query, proposal->timelock.b, sizeof(proposal->timelock.b));
	db_bind_blob(query, proposal->sender.b, sizeof(proposal->sender.b));
	db_bind_blob(query, proposal->salt.b, sizeof(proposal->salt.b));
	db_bind_blob(query, proposal->predecessor.b, sizeof(proposal->predecessor.b));
	db_bind_int(query, proposal->single);
	db_bind_blob(query, proposal->operation_id.b, sizeof(proposal->operation_id.b));
	db_bind_u64(query, proposal->attempt);
	db_bind_u64(query, proposal->delay);
	db_bind_u64(query, proposal->drafted_after);
	db_bind_int(query, store->now.ms);
	db_bind_int(query, proposal->expires_at.ms);
	db_bind_int(query, proposal->urgent);
	db_run(query);
	return db_last_id(store->db);
}

static int conflict_of(struct store *store, uint64_t chain_id, const struct call *call,
                       struct error *error)
{
	struct proposal_id holder;
	char value[HASH32_TEXT_SIZE];

	hash32_text(value, &call->value);
	if (store_call_live(store, chain_id, &call->to, call->data, &holder) != 0)
		return error_set(error, ERR_CONFLICT, "the call %s %s %s stands twice in it",
		                 action_name(call->action), kind_name(call->kind), value);
	return error_set(error, ERR_CONFLICT, "p%lld already carries the call %s %s %s",
	                 (long long)holder.n, action_name(call->action), kind_name(call->kind),
	                 value);
}

static int insert_call(struct store *store, int64_t proposal, uint64_t chain_id, size_t position,
                       const struct call *call)
{
	struct query *query = db_query(
	        store->db,
	        "INSERT INTO call (proposal_id, position, chain_id, contract, data, action,"
	        " kind, value, live) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)");

	db_bind_int(query, proposal);
	db_bind_int(query, (int64_t)position);
	db_bind_u64(query, chain_id);
	db_bind_blob(query, call->to.b, sizeof(call->to.b));
	db_bind_blob(query, call->data.data, call->data.len);
	db_bind_int(query, call->action);
	db_bind_int(query, call->kind);
	db_bind_blob(query, call->value.b, sizeof(call->value.b));
	return db_try_run(query, NULL);
}

static void insert_history(struct store *store, int64_t proposal, int from, enum proposal_state to,
                           const char *reason, const struct hash32 *tx)
{
	struct query *query = db_query(
	        store->db, "INSERT INTO history (proposal_id, at, from_state, to_state, reason, tx)"
	                   " VALUES (?, ?, ?, ?, ?, ?)");

	db_bind_int(query, proposal);
	db_bind_int(query, store->now.ms);
	db_bind_int(query, from);
	db_bind_int(query, to);
	db_bind_text(query, reason);
	if (tx != NULL)
		db_bind_blob(query, tx->b, sizeof(tx->b));
	else
		db_bind_null(query);
	db_run(query);
}

int store_proposal_create(struct store *store, const struct new_proposal *proposal,
                          struct proposal_id *out, struct error *error)
{
	char name[STORE_NAME_SIZE];
	int rc = 0;
	size_t i;

	*out = (struct proposal_id){0};
	if (!db_in_transaction(store->db))
		die("a proposal is made inside a transaction");
	db_exec(store->db, "SAVEPOINT proposal_create");
	int64_t id = insert_proposal(store, proposal);
	for (i = 0; i < proposal->call_count && rc == 0; i++)
		rc = insert_call(store, id, proposal->chain_id, i, &proposal->calls[i]);
	if (rc != 0) {
		db_exec(store->db, "ROLLBACK TO proposal_create; RELEASE proposal_create");
		return conflict_of(store, proposal->chain_id, &proposal->calls[i - 1], error);
	}
	db_exec(store->db, "RELEASE proposal_create");
	const char *reason = proposal->reason != NULL                    ? proposal->reason
	                     : strcmp(proposal->origin, "external") == 0 ? "found outside"
	                                                                 : "drafted";
	insert_history(store, id, 0, STATE_DRAFTED, reason, NULL);
	store_event_add(store, "proposal", store_name(name, 'p', id), "%s: %zu call%s for %s",
	                reason, proposal->call_count, proposal->call_count == 1 ? "" : "s",
	                proposal->target);
	out->n = id;
	return 0;
}

/* --- reading --- */

#define PROPOSAL_COLUMNS                                                                           \
	" p.id, t.name, p.origin, p.chain_id, p.model, p.state, p.flags, p.safe, p.timelock, "     \
	"p.sender, "                                                                               \
	"p.salt, p.predecessor, p.single,"                                                         \
	" p.operation_id, p.attempt, p.delay, p.ready_at, p.drafted_after, p.created_at, "         \
	"p.expires_at, p.urgent, p.redraft, p.delay_at "

static void read_proposal(struct query *query, struct arena *arena, struct proposal *out)
{
	out->id.n = db_int(query);
	out->target = db_text(query, arena);
	out->origin = db_text(query, arena);
	out->chain_id = db_u64(query);
	out->model = (enum model)db_int(query);
	out->state = (enum proposal_state)db_int(query);
	out->flags = (unsigned)db_int(query);
	db_fixed(query, out->safe.b, sizeof(out->safe.b));
	db_fixed(query, out->timelock.b, sizeof(out->timelock.b));
	db_fixed(query, out->sender.b, sizeof(out->sender.b));
	db_fixed(query, out->salt.b, sizeof(out->salt.b));
	db_fixed(query, out->predecessor.b, sizeof(out->predecessor.b));
	out->single = db_int(query) != 0;
	db_fixed(query, out->operation_id.b, sizeof(out->operation_id.b));
	out->attempt = db_u64(query);
	out->delay = db_u64(query);
	out->ready_at = db_u64(query);
	out->drafted_after = db_u64(query);
	out->created_at = db_wall(query);
	out->expires_at = db_wall(query);
	out->urgent = db_int(query) != 0;
	out->redraft = db_int(query) != 0;
	out->delay_at = db_wall(query);
	out->mark = db_row_mark(query);
}

#define CALL_COLUMNS " c.proposal_id, c.id, c.contract, c.data, c.action, c.kind, c.value "

static void read_call(struct query *query, struct arena *arena, struct call *out)
{
	out->id = db_int(query);
	db_fixed(query, out->to.b, sizeof(out->to.b));
	out->data = db_blob(query, arena);
	out->action = (enum action)db_int(query);
	out->kind = (enum kind)db_int(query);
	db_fixed(query, out->value.b, sizeof(out->value.b));
}

/* Hands the rows of a query ordered by proposal to the proposals, which are in the same order. */
static void attach_calls(struct query *query, struct arena *arena, struct proposal_list *list)
{
	struct call *calls = NULL;
	size_t count = 0, at = 0;

	while (db_step(query)) {
		int64_t proposal = db_int(query);
		calls = db_list_room(arena, calls, count, sizeof(*calls));
		read_call(query, arena, &calls[count++]);
		while (at < list->count && list->items[at].id.n != proposal)
			at++;
		if (at == list->count)
			die("a call of p%lld, which was not asked for", (long long)proposal);
		list->items[at].call_count++;
	}
	for (size_t i = 0; i < list->count; i++) {
		list->items[i].calls = calls;
		if (calls != NULL)
			calls += list->items[i].call_count;
	}
}

int store_proposal_get(struct store *store, struct arena *arena, struct proposal_id id,
                       struct proposal *out)
{
	struct query *query =
	        db_query(store->db, "SELECT" PROPOSAL_COLUMNS
	                            "FROM proposal p JOIN target t ON t.id = p.target_id"
	                            " WHERE p.id = ?");

	*out = (struct proposal){0};
	db_bind_int(query, id.n);
	if (!db_step(query))
		return ERR_NOT_FOUND;
	read_proposal(query, arena, out);
	db_done(query);
	query = db_query(store->db, "SELECT" CALL_COLUMNS "FROM call c WHERE c.proposal_id = ?"
	                            " ORDER BY c.position");
	db_bind_int(query, id.n);
	attach_calls(query, arena, &(struct proposal_list){.items = out, .count = 1});
	return 0;
}

/* state < 6 is "not terminal" in SQL: the partial index proposal_live needs it literally. */
static const char *const list_sql[] = {
        [PROPOSALS_ALL] = "SELECT" PROPOSAL_COLUMNS "FROM proposal p CROSS JOIN target t"
                          " WHERE t.id = p.target_id AND (?1 = 0 OR p.chain_id = ?1) ORDER BY p.id",
        [PROPOSALS_LIVE] = "SELECT" PROPOSAL_COLUMNS "FROM proposal p CROSS JOIN target t"
                           " WHERE t.id = p.target_id AND p.state < 6"
                           " AND (?1 = 0 OR p.chain_id = ?1) ORDER BY p.id",
};

static const char *const list_calls_sql[] = {
        [PROPOSALS_ALL] = "SELECT" CALL_COLUMNS "FROM proposal p CROSS JOIN call c"
                          " WHERE c.proposal_id = p.id AND (?1 = 0 OR p.chain_id = ?1)"
                          " ORDER BY p.id, c.position",
        [PROPOSALS_LIVE] = "SELECT" CALL_COLUMNS "FROM proposal p CROSS JOIN call c"
                           " WHERE c.proposal_id = p.id AND p.state < 6"
                           " AND (?1 = 0 OR p.chain_id = ?1) ORDER BY p.id, c.position",
};

void store_proposal_list(struct store *store, struct arena *arena, enum proposal_scope scope,
                         uint64_t chain_id, struct proposal_list *out)
{
	struct query *query = db_query(store->db, list_sql[scope]);

	*out = (struct proposal_list){0};
	db_bind_u64(query, chain_id);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		read_proposal(query, arena, &out->items[out->count++]);
	}
	query = db_query(store->db, list_calls_sql[scope]);
	db_bind_u64(query, chain_id);
	attach_calls(query, arena, out);
}

void store_history_list(struct store *store, struct arena *arena, struct proposal_id id,
                        struct history_list *out)
{
	struct query *query =
	        db_query(store->db, "SELECT at, from_state, to_state, reason, tx FROM history"
	                            " WHERE proposal_id = ? ORDER BY id");

	*out = (struct history_list){0};
	db_bind_int(query, id.n);
	while (db_step(query)) {
		out->items = db_list_room(arena, out->items, out->count, sizeof(*out->items));
		struct history_row *row = &out->items[out->count++];
		row->at = db_wall(query);
		row->from = (enum proposal_state)db_int(query);
		row->to = (enum proposal_state)db_int(query);
		row->reason = db_text(query, arena);
		row->has_tx = db_fixed(query, row->tx.b, sizeof(row->tx.b));
	}
}

/* --- moving --- */

struct served {
	struct measurement measurement;
	enum action action;
};

static int64_t executed_at(struct store *store, struct proposal_id id)
{
	struct query *query = db_query(
	        store->db, "SELECT max(at) FROM history WHERE proposal_id = ? AND to_state = 5");
	int64_t at = INT64_MAX;

	db_bind_int(query, id.n);
	if (db_step(query)) {
		at = db_int(query);
		db_done(query);
	}
	return at;
}

/* Another live call, since this proposal's own were freed. */
static bool is_carried(struct store *store, struct measurement_id id)
{
	struct query *query = db_query(
	        store->db, "SELECT 1 FROM call_measurement s JOIN call c ON c.id = s.call_id"
	                   " WHERE s.measurement_id = ? AND c.live = 1");

	db_bind_int(query, id.n);
	return store_exists(query);
}

/* A later call may have undone it before it was final: then what was seen later stands. And what
 * landed although it was revoked meanwhile is about to be removed again. */
static void confirm_measurement(struct store *store, const struct served *served, int64_t executed,
                                const char *reason)
{
	const struct measurement *measurement = &served->measurement;
	bool add = served->action == ACTION_ADD;
	enum measurement_status now = add ? MEASUREMENT_AUTHORIZED : MEASUREMENT_REVOKED;
	enum measurement_status undone = add ? MEASUREMENT_REVOKED : MEASUREMENT_AUTHORIZED;

	if (measurement->status == undone && measurement->status_since.ms >= executed)
		return;
	if (add && !measurement->wanted && is_carried(store, measurement->id))
		return;
	/* A person has decided otherwise since: the drafter looks whether it is there. */
	if (!add && measurement->wanted) {
		if (measurement->status == MEASUREMENT_PROPOSED)
			store_measurement_change(store, measurement, MEASUREMENT_NEW, true, reason);
		return;
	}
	store_measurement_change(store, measurement, now, add && measurement->wanted, reason);
}

/* Whether what the proposal was about to do is not what a person wants of it now. */
static bool decided_otherwise(const struct served *served)
{
	const struct measurement *measurement = &served->measurement;

	return served->action == ACTION_ADD ? measurement->revoke_at.ms != 0 : measurement->wanted;
}

/* What people refused is not asked again; what the chain has said meanwhile, or another live call
 * still carries, is left as it is. What nobody refused, but shared a batch with something that was
 * taken back, goes on by itself, as approved as it was. */
static void free_measurement(struct store *store, const struct served *served, bool redraft,
                             const char *reason)
{
	const struct measurement *measurement = &served->measurement;
	bool goes_on = redraft || decided_otherwise(served);

	if (is_carried(store, measurement->id))
		return;
	if (measurement->status == MEASUREMENT_PROPOSED || measurement->status == MEASUREMENT_NEW)
		store_measurement_change(store, measurement,
		                         goes_on ? MEASUREMENT_NEW : MEASUREMENT_HELD,
		                         measurement->wanted, reason);
}

static size_t served_list(struct store *store, struct arena *arena, struct proposal_id id,
                          struct served **out)
{
	size_t count = 0;
	struct query *query =
	        db_query(store->db, "SELECT" STORE_MEASUREMENT_COLUMNS ", c.action FROM call c"
	                            " JOIN call_measurement s ON s.call_id = c.id"
	                            " JOIN measurement m ON m.id = s.measurement_id"
	                            " JOIN target t ON t.id = m.target_id"
	                            " WHERE c.proposal_id = ? ORDER BY m.id");

	*out = NULL;
	db_bind_int(query, id.n);
	while (db_step(query)) {
		*out = db_list_room(arena, *out, count, sizeof(**out));
		struct served *item = &(*out)[count++];
		store_measurement_read(query, arena, &item->measurement);
		item->action = (enum action)db_int(query);
	}
	return count;
}

static bool is_redraft(struct store *store, struct proposal_id id)
{
	struct query *query =
	        db_query(store->db, "SELECT 1 FROM proposal WHERE id = ? AND redraft = 1");

	db_bind_int(query, id.n);
	return store_exists(query);
}

/* Runs after the proposal's own calls were freed. */
static void release_measurement(struct store *store, const struct served *served,
                                const char *reason)
{
	const struct measurement *measurement = &served->measurement;
	enum measurement_status status = MEASUREMENT_AUTHORIZED; /* until it is removed */

	if (measurement->status != MEASUREMENT_PROPOSED || is_carried(store, measurement->id))
		return;
	if (served->action == ACTION_ADD)
		status = decided_otherwise(served) ||
		                         store_measurement_is_ours(store, measurement->id)
		                 ? MEASUREMENT_NEW
		                 : MEASUREMENT_HELD;
	store_measurement_change(store, measurement, status, measurement->wanted, reason);
}

/* Its calls are free for others. What was encoded and never posted can be signed by nobody any
 * more, so that it holds no nonce; nor do an execution or a cancellation of what is over: in the
 * queue they stand for nothing. */
static void free_calls(struct store *store, struct proposal_id id)
{
	struct query *query = db_query(store->db, "UPDATE call SET live = 0 WHERE proposal_id = ?");

	db_bind_int(query, id.n);
	db_run(query);
	query = db_query(store->db, "UPDATE safe_tx SET status = 7 WHERE proposal_id = ?"
	                            " AND (status = 1 OR (status <= 3 AND purpose IN (3, 5)))");
	db_bind_int(query, id.n);
	db_run(query);
}

static const char *end_reason(struct arena *arena, struct proposal_id id, enum proposal_state state,
                              const char *reason)
{
	return arena_printf(arena, "p%lld %s: %s", (long long)id.n, proposal_state_name(state),
	                    reason);
}

static void end_proposal(struct store *store, struct proposal_id id, enum proposal_state state,
                         const char *reason)
{
	struct arena arena = {0};
	struct served *served;

	free_calls(store, id);
	size_t count = served_list(store, &arena, id, &served);
	const char *why = end_reason(&arena, id, state, reason);
	int64_t executed = executed_at(store, id);
	bool redraft = is_redraft(store, id);
	for (size_t i = 0; i < count; i++) {
		if (state == STATE_CONFIRMED)
			confirm_measurement(store, &served[i], executed, why);
		else
			free_measurement(store, &served[i], redraft, why);
	}
	arena_free(&arena);
}

static int check_move(struct store *store, struct proposal_id id, const struct state_move *move,
                      struct error *error)
{
	struct query *query = db_query(store->db, "SELECT state, model FROM proposal WHERE id = ?");

	db_bind_int(query, id.n);
	if (!db_step(query))
		return error_set(error, ERR_NOT_FOUND, "no proposal p%lld", (long long)id.n);
	enum proposal_state stored = (enum proposal_state)db_int(query);
	enum model model = (enum model)db_int(query);
	db_done(query);
	if (stored != move->from)
		return error_set(error, ERR_CONFLICT, "p%lld is %s, not %s", (long long)id.n,
		                 proposal_state_name(stored), proposal_state_name(move->from));
	if (!lifecycle_allows(model, move->from, move->to))
		return error_set(error, ERR_CONFLICT, "p%lld (%s) cannot go from %s to %s",
		                 (long long)id.n, model_name(model),
		                 proposal_state_name(move->from), proposal_state_name(move->to));
	return 0;
}

static int enter_state(struct store *store, struct proposal_id id, const struct state_move *move,
                       struct error *error)
{
	char name[STORE_NAME_SIZE];
	int rc = check_move(store, id, move, error);

	if (rc != 0)
		return rc;
	struct query *query = db_query(store->db, "UPDATE proposal SET state = ? WHERE id = ?");
	db_bind_int(query, move->to);
	db_bind_int(query, id.n);
	db_run(query);
	insert_history(store, id.n, move->from, move->to, move->reason, move->tx);
	store_event_add(store, "proposal", store_name(name, 'p', id.n), "%s -> %s: %s",
	                proposal_state_name(move->from), proposal_state_name(move->to),
	                move->reason);
	return 0;
}

int store_proposal_move(struct store *store, struct proposal_id id, const struct state_move *move,
                        struct error *error)
{
	int rc = enter_state(store, id, move, error);

	if (rc == 0 && lifecycle_is_terminal(move->to))
		end_proposal(store, id, move->to, move->reason);
	return rc;
}

int store_proposal_give_way(struct store *store, struct proposal_id id, const char *reason,
                            struct error *error)
{
	struct arena arena = {0};
	struct served *served;
	const struct state_move move = {STATE_DRAFTED, STATE_CANCELLED, reason, NULL};
	int rc = enter_state(store, id, &move, error);

	if (rc != 0)
		return rc;
	free_calls(store, id);
	size_t count = served_list(store, &arena, id, &served);
	const char *why = end_reason(&arena, id, STATE_CANCELLED, reason);
	for (size_t i = 0; i < count; i++)
		release_measurement(store, &served[i], why);
	arena_free(&arena);
	return 0;
}

static const char *flags_text(unsigned flags)
{
	switch (flags) {
	case FLAG_OVERDUE:
		return "overdue";
	case FLAG_WITHDRAWING:
		return "withdrawing";
	case FLAG_OVERDUE | FLAG_WITHDRAWING:
		return "overdue and withdrawing";
	default:
		return "no longer flagged";
	}
}

void store_proposal_set_flags(struct store *store, struct proposal_id id, unsigned flags,
                              const char *reason)
{
	char name[STORE_NAME_SIZE];
	struct query *query =
	        db_query(store->db, "UPDATE proposal SET flags = ?1 WHERE id = ?2 AND flags <> ?1");

	db_bind_int(query, flags);
	db_bind_int(query, id.n);
	db_run(query);
	if (db_changes(store->db) > 0)
		store_event_add(store, "proposal", store_name(name, 'p', id.n), "%s: %s",
		                flags_text(flags), reason);
}

void store_proposal_withdraw(struct store *store, struct proposal_id id, bool redraft,
                             const char *reason)
{
	struct query *query = db_query(
	        store->db, "UPDATE proposal SET redraft = ?2 AND (flags & 2 = 0 OR redraft)"
	                   " WHERE id = ?1");

	db_bind_int(query, id.n);
	db_bind_int(query, redraft);
	db_run(query);
	query = db_query(store->db, "SELECT flags FROM proposal WHERE id = ?");
	db_bind_int(query, id.n);
	if (!db_step(query))
		die("no proposal p%lld", (long long)id.n);
	unsigned flags = (unsigned)db_int(query);
	db_done(query);
	store_proposal_set_flags(store, id, flags | FLAG_WITHDRAWING, reason);
}

void store_proposal_set_urgent(struct store *store, struct proposal_id id)
{
	struct query *query = db_query(store->db, "UPDATE proposal SET urgent = 1 WHERE id = ?");

	db_bind_int(query, id.n);
	db_run(query);
}

void store_proposal_set_delay(struct store *store, struct proposal_id id, uint64_t delay)
{
	char name[STORE_NAME_SIZE];
	struct query *query =
	        db_query(store->db, "UPDATE proposal SET delay = ?, delay_at = ? WHERE id = ?");

	db_bind_u64(query, delay);
	db_bind_int(query, store->now.ms);
	db_bind_int(query, id.n);
	db_run(query);
	store_event_add(store, "proposal", store_name(name, 'p', id.n),
	                "its schedule asks for a delay of %llu seconds from now on",
	                (unsigned long long)delay);
}

void store_proposal_set_sender(struct store *store, struct proposal_id id,
                               const struct address *sender)
{
	struct query *query = db_query(store->db, "UPDATE proposal SET sender = ? WHERE id = ?");

	db_bind_blob(query, sender->b, sizeof(sender->b));
	db_bind_int(query, id.n);
	db_run(query);
}

void store_proposal_set_ready_at(struct store *store, struct proposal_id id, uint64_t ready_at)
{
	struct query *query = db_query(store->db, "UPDATE proposal SET ready_at = ? WHERE id = ?");

	db_bind_u64(query, ready_at);
	db_bind_int(query, id.n);
	db_run(query);
}
