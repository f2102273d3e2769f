#include "daemon/api/report.h"

#include "common/governance/path.h"
#include "common/store/store_blocked.h"
#include "common/store/store_preflight.h"
#include "daemon/govern/call_log.h"
#include "daemon/govern/drift.h"
#include "daemon/govern/preflight.h"

#include <string.h>

static void add_id(struct jval *object, const char *key, char letter, int64_t id)
{
	jval_add_printf(object, key, "%c%lld", letter, (long long)id);
}

static void add_wall(struct jval *object, const char *key, struct wall at)
{
	char text[WALL_TEXT_SIZE];

	jval_add_string(object, key, at.ms != 0 ? wall_text(text, at) : NULL);
}

static void add_seconds(struct jval *object, const char *key, uint64_t at)
{
	char text[WALL_TEXT_SIZE];
	bool is_date = at != 0 && wall_text_seconds(text, at)[0] != '@';

	/* A timelock can be told to wait for longer than there are dates. */
	jval_add_string(object, key, is_date ? text : NULL);
}

static void add_address(struct jval *object, const char *key, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	jval_add_string(object, key,
	                address_is_zero(address) ? NULL : address_lower(text, address));
}

static void add_hash_if(struct jval *object, const char *key, bool there, const struct hash32 *hash)
{
	jval_add_hash32(object, key, there ? hash : NULL);
}

/* --- measurements -------------------------------------------------------------------------- */

/* What was read from the artifact, and the hash of its bytes as sha256sum prints it. */
static struct jval *report_details(const struct evidence *evidence)
{
	const struct hash32 *sha256 = &evidence->artifact_sha256;
	struct jval *details;
	char text[HASH32_TEXT_SIZE];

	if (evidence->details == NULL ||
	    jval_parse(&details, bytes_text(evidence->details), NULL) != 0)
		details = NULL;
	if (hash32_is_zero(sha256))
		return details != NULL ? details : jval_new_null();
	if (details == NULL)
		details = jval_object();
	jval_add_string(details, "sha256", hash32_text(text, sha256) + strlen("0x"));
	return details;
}

static struct jval *report_evidence(const struct evidence *evidence)
{
	struct jval *view = jval_object();

	jval_add_string(view, "level", evidence_level_name(evidence->level));
	jval_add_bool(view, "signed", evidence->is_signed);
	jval_add_string(view, "source", evidence->source);
	jval_add_string(view, "artifact", evidence->artifact);
	jval_add(view, "details", report_details(evidence));
	return view;
}

static const char *answer_name(enum check_answer answer);

/* What the KMS said about the machines that show it; nothing where nobody asked. */
static void add_preflight(struct jval *measurement, struct store *store, struct arena *arena,
                          struct measurement_id id)
{
	struct preflight_row row;

	if (store_preflight_get(store, arena, id, &row) != 0)
		return;
	struct jval *view = jval_object();
	jval_add_string(view, "call", row.call);
	jval_add_string(view, "allowed", answer_name(row.allowed));
	jval_add_string(view, "reason", row.reason);
	jval_add_string(view, "source", row.source);
	jval_add_string(view, "assumed", row.assumed);
	jval_add_int(view, "block", (int64_t)row.block);
	add_wall(view, "at", row.at);
	jval_add(measurement, "preflight", view);
}

struct jval *report_measurement(struct store *store, struct arena *arena,
                                const struct measurement *measurement)
{
	struct jval *view = jval_object(), *evidences = jval_array(), *proposals = jval_array();
	struct evidence_list evidence;
	struct proposal_id *ids;
	enum action pending;
	int rc = store_measurement_pending(store, measurement->id, &pending);

	store_evidence_list(store, arena, measurement->id, &evidence);
	for (size_t i = 0; i < evidence.count; i++)
		jval_push(evidences, report_evidence(&evidence.items[i]));
	size_t count = store_measurement_proposals(store, arena, measurement->id, &ids);
	for (size_t i = 0; i < count; i++)
		jval_push(proposals,
		          jval_new_string(arena_printf(arena, "p%lld", (long long)ids[i].n)));

	add_id(view, "id", 'm', measurement->id.n);
	jval_add_string(view, "kind", kind_name(measurement->kind));
	jval_add_hash32(view, "value", &measurement->value);
	jval_add_string(view, "target", measurement->target);
	jval_add_string(view, "wanted", measurement->wanted ? "present" : "absent");
	jval_add_string(view, "status", measurement_status_name(measurement->status));
	jval_add_string(view, "reason", measurement->reason);
	jval_add_string(view, "pending", rc == 0 ? action_name(pending) : NULL);
	jval_add(view, "evidence", evidences);
	add_wall(view, "first_seen", measurement->first_seen);
	jval_add(view, "proposals", proposals);
	add_preflight(view, store, arena, measurement->id);
	return view;
}

/* --- proposals ----------------------------------------------------------------------------- */

static struct jval *report_call(struct store *store, struct arena *arena,
                                const struct proposal *proposal, const struct call *call)
{
	struct jval *view = jval_object();

	add_address(view, "to", &call->to);
	jval_add_hex(view, "data", call->data);
	jval_add_string(view, "action", action_name(call->action));
	jval_add_string(view, "kind", kind_name(call->kind));
	jval_add_hash32(view, "value", &call->value);
	/* An owner makes them one by one: this is how far it is. */
	if (path_first_sender(proposal->model) == PATH_OWNER) {
		struct seen_log log;
		bool made = call_log_find(store, arena, proposal, call, &log);
		add_hash_if(view, "tx", made, made ? &log.tx_hash : NULL);
	}
	return view;
}

static void add_int_if(struct jval *object, const char *key, bool there, uint64_t value)
{
	jval_add(object, key, there ? jval_new_int((int64_t)value) : jval_new_null());
}

/* What stands before it in its Safe's order, where something does. */
static void add_blocked(struct jval *object, struct store *store, struct arena *arena,
                        const struct safe_tx_row *row)
{
	struct blocked blocked;

	if (row->status != SAFE_TX_QUEUED ||
	    store_blocked_get(store, arena, row->id, &blocked) != 0)
		return;
	struct jval *view = jval_object();
	jval_add_int(view, "nonce", (int64_t)blocked.nonce);
	add_wall(view, "since", blocked.since);
	jval_add_string(view, "by", blocked.what);
	jval_add(object, "blocked", view);
}

static struct jval *report_safe_tx(struct store *store, struct arena *arena,
                                   const struct safe_tx_row *row)
{
	struct jval *view = jval_object();

	jval_add_string(view, "purpose", purpose_name(row->purpose));
	jval_add_int(view, "attempt", row->attempt);
	add_hash_if(view, "safe_tx_hash", row->has_nonce, &row->safe_tx_hash);
	add_int_if(view, "nonce", row->has_nonce, row->nonce);
	jval_add_int(view, "confirmations", row->confirmations);
	add_int_if(view, "threshold", row->threshold > 0, row->threshold);
	jval_add_string(view, "status", safe_tx_status_name(row->status));
	add_hash_if(view, "tx", row->has_tx, &row->tx);
	add_blocked(view, store, arena, row);
	return view;
}

static struct jval *report_history_row(const struct history_row *row)
{
	struct jval *view = jval_object();

	add_wall(view, "at", row->at);
	jval_add_string(view, "from", row->from != 0 ? proposal_state_name(row->from) : NULL);
	jval_add_string(view, "to", proposal_state_name(row->to));
	jval_add_string(view, "reason", row->reason);
	add_hash_if(view, "tx", row->has_tx, &row->tx);
	return view;
}

const struct safe_tx_row *report_open_safe_tx(const struct safe_tx_list *safe_txs)
{
	for (size_t i = safe_txs->count; i-- > 0;)
		if (safe_txs->items[i].status == SAFE_TX_QUEUED)
			return &safe_txs->items[i];
	return NULL;
}

static struct jval *report_flags(unsigned flags)
{
	struct jval *view = jval_array();

	if (flags & FLAG_OVERDUE)
		jval_push(view, jval_new_string("overdue"));
	if (flags & FLAG_WITHDRAWING)
		jval_push(view, jval_new_string("withdrawing"));
	return view;
}

static void add_open_safe_tx(struct jval *view, const struct safe_tx_row *open)
{
	bool there = open != NULL;

	add_hash_if(view, "safe_tx_hash", there, there ? &open->safe_tx_hash : NULL);
	add_int_if(view, "safe_nonce", there, there ? open->nonce : 0);
	add_int_if(view, "confirmations", there, there ? open->confirmations : 0);
	add_int_if(view, "threshold", there && open->threshold > 0, there ? open->threshold : 0);
}

struct jval *report_proposal(struct store *store, struct arena *arena,
                             const struct proposal *proposal)
{
	struct jval *view = jval_object(), *calls = jval_array(), *txs = jval_array(),
	            *rows = jval_array();
	struct safe_tx_list safe_txs;
	struct history_list history;

	for (size_t i = 0; i < proposal->call_count; i++)
		jval_push(calls, report_call(store, arena, proposal, &proposal->calls[i]));
	store_safe_tx_list(store, arena, proposal->id, &safe_txs);
	for (size_t i = 0; i < safe_txs.count; i++)
		jval_push(txs, report_safe_tx(store, arena, &safe_txs.items[i]));
	store_history_list(store, arena, proposal->id, &history);
	for (size_t i = 0; i < history.count; i++)
		jval_push(rows, report_history_row(&history.items[i]));

	add_id(view, "id", 'p', proposal->id.n);
	jval_add_string(view, "target", proposal->target);
	jval_add_string(view, "origin", proposal->origin);
	jval_add_string(view, "state", proposal_state_name(proposal->state));
	jval_add(view, "flags", report_flags(proposal->flags));
	jval_add(view, "calls", calls);
	add_address(view, "safe", &proposal->safe);
	if (!lifecycle_has_safe(proposal->model))
		add_address(view, "sender", &proposal->sender);
	jval_add(view, "safe_txs", txs);
	add_open_safe_tx(view, report_open_safe_tx(&safe_txs));
	add_hash_if(view, "operation_id", !hash32_is_zero(&proposal->operation_id),
	            &proposal->operation_id);
	add_seconds(view, "ready_at", proposal->ready_at);
	jval_add(view, "history", rows);
	return view;
}

/* --- events and checks --------------------------------------------------------------------- */

struct jval *report_event(const struct event_row *event)
{
	struct jval *view = jval_object();

	jval_add_int(view, "id", event->id);
	add_wall(view, "at", event->at);
	jval_add_string(view, "type", event->type);
	jval_add_string(view, "subject", event->subject);
	jval_add_string(view, "text", event->text);
	jval_add_hash32(view, "hash", &event->hash);
	return view;
}

static const char *answer_name(enum check_answer answer)
{
	switch (answer) {
	case CHECK_UNKNOWN:
		return "unknown";
	case CHECK_NO:
		return "no";
	case CHECK_YES:
		return "yes";
	}
	return "unknown";
}

enum check_answer report_check_sum(const struct govern_check *checks, size_t count)
{
	enum check_answer sum = count > 0 ? CHECK_YES : CHECK_UNKNOWN;

	for (size_t i = 0; i < count; i++) {
		if (checks[i].latest == CHECK_NO || checks[i].final == CHECK_NO)
			return CHECK_NO;
		if (checks[i].latest == CHECK_UNKNOWN || checks[i].final == CHECK_UNKNOWN)
			sum = CHECK_UNKNOWN;
	}
	return sum;
}

static struct jval *report_block(const struct block_ref *block)
{
	struct jval *view;

	if (block == NULL)
		return jval_new_null();
	view = jval_object();
	jval_add_int(view, "number", (int64_t)block->number);
	jval_add_hash32(view, "hash", &block->hash);
	add_seconds(view, "time", block->timestamp);
	return view;
}

struct jval *report_check(const struct hash32 *value, const char *target,
                          const struct govern_check *checks, size_t count,
                          const struct block_ref *head, const struct block_ref *final)
{
	struct jval *view = jval_object(), *list = jval_array();

	for (size_t i = 0; i < count; i++) {
		struct jval *check = jval_object();
		jval_add_string(check, "kind", kind_name(checks[i].kind));
		add_address(check, "contract", &checks[i].contract);
		jval_add_string(check, "getter", checks[i].getter);
		jval_add_string(check, "latest", answer_name(checks[i].latest));
		jval_add_string(check, "final", answer_name(checks[i].final));
		jval_push(list, check);
	}
	jval_add_hash32(view, "value", value);
	jval_add_string(view, "target", target);
	jval_add_string(view, "authorized", answer_name(report_check_sum(checks, count)));
	jval_add(view, "head", report_block(head));
	jval_add(view, "final", report_block(final));
	jval_add(view, "checks", list);
	return view;
}

/* --- preflight ------------------------------------------------------------------------------ */

enum check_answer report_preflight_sum(const struct preflight *preflight)
{
	enum check_answer latest = preflight->latest.allowed, final = preflight->final.allowed;

	if (latest == CHECK_NO || final == CHECK_NO)
		return CHECK_NO;
	return latest == CHECK_YES && final == CHECK_YES ? CHECK_YES : CHECK_UNKNOWN;
}

static struct jval *report_preflight_answer(const struct preflight_answer *answer)
{
	struct jval *view = jval_object();

	jval_add_string(view, "allowed", answer_name(answer->allowed));
	jval_add_string(view, "reason", answer->reason);
	return view;
}

struct jval *report_preflight(const struct preflight *preflight)
{
	struct jval *view = jval_object();

	jval_add_string(view, "call", boot_call_name(preflight->role));
	add_address(view, "contract", &preflight->contract);
	jval_add_string(view, "allowed", answer_name(report_preflight_sum(preflight)));
	jval_add(view, "latest", report_preflight_answer(&preflight->latest));
	jval_add(view, "final", report_preflight_answer(&preflight->final));
	return view;
}

/* --- drift --------------------------------------------------------------------------------- */

struct jval *report_drift(struct store *store, const struct drift_row *row)
{
	static const char *const chains[] = {
	        [CHECK_UNKNOWN] = "unknown", [CHECK_NO] = "absent", [CHECK_YES] = "present"};
	struct jval *view = jval_object();
	enum action pending;
	bool is_pending =
	        row->recorded && store_measurement_pending(store, row->measurement, &pending) == 0;

	jval_add_string(view, "target", row->target->name);
	jval_add_string(view, "kind", kind_name(row->kind));
	jval_add_hash32(view, "value", &row->value);
	add_address(view, "contract", &row->contract);
	jval_add_string(view, "chain", chains[row->chain]);
	jval_add_string(view, "recorded",
	                row->recorded ? measurement_status_name(row->status) : NULL);
	if (row->recorded)
		add_id(view, "measurement", 'm', row->measurement.n);
	else
		jval_add_string(view, "measurement", NULL);
	jval_add_string(view, "wanted", !row->recorded ? NULL : row->wanted ? "present" : "absent");
	jval_add_string(view, "pending", is_pending ? action_name(pending) : NULL);
	jval_add_string(view, "verdict", drift_verdict_name(row->verdict));
	add_hash_if(view, "tx", row->has_tx, &row->tx);
	add_int_if(view, "block", row->has_tx, row->block);
	return view;
}
