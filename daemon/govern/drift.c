#include "daemon/govern/drift.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/chain/follower.h"
#include "daemon/govern/cause.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/op.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A value that somebody spoke of: the registry by an event, or somebody here by recording it. */
struct entry {
	struct drift_row row;
	unsigned log_index;
	struct check_slot slot;
};

struct drift_op {
	struct govern_op op; /* first: it is what the caller holds */
	struct arena arena;
	struct govern *govern;
	const struct config_target *only;
	size_t next_chain; /* of the configuration */
	struct entry *entries;
	size_t count, room;
	size_t first; /* of the chain at hand */
	const char *unknown;
	struct chain_op *pending;
	struct loop_timer *later; /* the callback never comes from inside the call */
	govern_drift_fn *done;
	void *arg;
};

const char *drift_verdict_name(enum drift_verdict verdict)
{
	static const char *const names[] = {
	        [DRIFT_OK] = "ok",
	        [DRIFT_UNKNOWN_HERE] = "unknown-here",
	        [DRIFT_MISSING_ON_CHAIN] = "missing-on-chain",
	        [DRIFT_SHOULD_BE_ABSENT] = "should-be-absent",
	        [DRIFT_UNDECIDED] = "undecided",
	};

	return names[verdict];
}

enum drift_verdict drift_judge(const struct drift_row *row)
{
	bool refused = row->recorded && row->status == MEASUREMENT_REFUSED;

	switch (row->chain) {
	case CHECK_UNKNOWN:
		return DRIFT_UNDECIDED;
	case CHECK_NO:
		return row->recorded && row->wanted && row->status == MEASUREMENT_AUTHORIZED
		               ? DRIFT_MISSING_ON_CHAIN
		               : DRIFT_OK;
	case CHECK_YES:
		if (!row->recorded)
			return DRIFT_UNKNOWN_HERE;
		if (refused || !row->wanted)
			return DRIFT_SHOULD_BE_ABSENT;
		return row->vouched ? DRIFT_OK : DRIFT_UNKNOWN_HERE;
	}
	die("no such answer: %d", (int)row->chain);
}

/* --- gathering ---------------------------------------------------------------------------------
 */

static void add(struct drift_op *op, const struct entry *entry)
{
	if (op->count == op->room) {
		op->room = op->room > 0 ? 2 * op->room : 64;
		op->entries = xrealloc(op->entries, op->room * sizeof(*op->entries));
	}
	op->entries[op->count++] = *entry;
}

static bool is_asked_for(const struct drift_op *op, const struct lane *lane,
                         const struct address *contract)
{
	const struct config_target *only = op->only;

	return only == NULL || (only->chain == lane->config &&
	                        (address_equal(&only->kms, contract) ||
	                         (only->has_app && address_equal(&only->app, contract))));
}

static void add_logs(struct drift_op *op, struct lane *lane, const struct entry *like,
                     enum action action)
{
	struct arena arena = {0};
	struct seen_log_list logs;

	logs = store_log_list(lane->parts->store, &arena, lane->config->chain_id,
	                      &like->row.contract, event_registry_topic0(like->row.kind, action));
	for (size_t i = 0; i < logs.count; i++) {
		const struct seen_log *log = &logs.items[i];
		struct entry entry = *like;
		if (log->block_number > lane->final.number)
			continue;
		entry.row.value = log->key;
		entry.row.has_tx = true;
		entry.row.tx = log->tx_hash;
		entry.row.block = log->block_number;
		entry.log_index = log->log_index;
		add(op, &entry);
	}
	arena_free(&arena);
}

/* Everything that a contract of the target said about its lists. The same contract under another
 * target says it twice, and is merged. */
static void add_contract(struct drift_op *op, struct lane *lane, const struct config_target *target,
                         enum kind kind)
{
	bool is_app = kind_contract(kind) == CONTRACT_APP;
	struct entry like = {.row = {.target = target,
	                             .contract = is_app ? target->app : target->kms,
	                             .kind = kind}};

	if ((is_app && !target->has_app) || !is_asked_for(op, lane, &like.row.contract))
		return;
	for (enum action action = ACTION_ADD; action <= ACTION_REMOVE; action++)
		add_logs(op, lane, &like, action);
}

static void add_recorded(struct drift_op *op, struct lane *lane, const struct config_target *target)
{
	struct store *store = lane->parts->store;
	struct measurement_filter filter = {.target = target->name};
	struct measurement_list list;
	struct arena arena = {0};

	store_measurement_list(store, &arena, &filter, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct measurement *m = &list.items[i];
		struct registry_call call;
		if (registry_call_for(&call, target, m->kind) != 0 ||
		    !is_asked_for(op, lane, &call.contract))
			continue;
		add(op, &(struct entry){.row = {.target = target,
		                                .contract = call.contract,
		                                .kind = call.as,
		                                .value = m->value,
		                                .recorded = true,
		                                .measurement = m->id,
		                                .status = m->status,
		                                .wanted = m->wanted,
		                                .vouched = m->approved ||
		                                           cause_is_vouched_for(store, m->id)}});
	}
	arena_free(&arena);
}

/* --- one row per value -------------------------------------------------------------------------
 */

static int compare_values(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = address_compare(&x->row.contract, &y->row.contract);

	if (order == 0)
		order = (int)x->row.kind - (int)y->row.kind;
	return order != 0 ? order : hash32_compare(&x->row.value, &y->row.value);
}

/* Which of two records of a value speaks for it: the one that wants most. */
static int weight(const struct drift_row *row)
{
	return (row->recorded ? 1 : 0) + (row->recorded && row->wanted ? 2 : 0) +
	       (row->recorded && row->status == MEASUREMENT_AUTHORIZED ? 4 : 0);
}

static bool is_later(const struct entry *a, const struct entry *b)
{
	if (a->row.has_tx != b->row.has_tx)
		return a->row.has_tx;
	return a->row.block > b->row.block ||
	       (a->row.block == b->row.block && a->log_index > b->log_index);
}

static void merge_into(struct entry *into, const struct entry *from)
{
	struct entry both = weight(&from->row) > weight(&into->row) ? *from : *into;
	const struct entry *spoken = is_later(from, into) ? from : into;

	both.row.has_tx = spoken->row.has_tx;
	both.row.tx = spoken->row.tx;
	both.row.block = spoken->row.block;
	both.log_index = spoken->log_index;
	both.row.vouched = into->row.vouched || from->row.vouched;
	*into = both;
}

static void merge(struct drift_op *op)
{
	size_t kept = op->first;

	if (op->count - op->first < 2)
		return;
	qsort(op->entries + op->first, op->count - op->first, sizeof(*op->entries), compare_values);
	for (size_t i = op->first + 1; i < op->count; i++)
		if (compare_values(&op->entries[kept], &op->entries[i]) == 0)
			merge_into(&op->entries[kept], &op->entries[i]);
		else
			op->entries[++kept] = op->entries[i];
	op->count = kept + 1;
}

/* --- chains, one after the other ---------------------------------------------------------------
 */

static void next_chain(struct drift_op *op);

static void drift_free(struct govern_op *base)
{
	struct drift_op *op = (struct drift_op *)base;

	chain_cancel(op->pending);
	loop_timer_free(op->later);
	free(op->entries);
	arena_free(&op->arena);
	free(op);
}

static int compare_rows(const void *a, const void *b)
{
	const struct drift_row *x = a, *y = b;
	int order;

	if (x->target != y->target)
		return x->target < y->target ? -1 : 1; /* of one array: the configuration's */
	order = (int)kind_contract(x->kind) - (int)kind_contract(y->kind);
	if (order == 0)
		order = (int)x->kind - (int)y->kind;
	return order != 0 ? order : hash32_compare(&x->value, &y->value);
}

static void finish(struct drift_op *op)
{
	struct drift_row *rows = arena_array(&op->arena, op->count, sizeof(*rows));
	struct drift drift = {.rows = rows, .count = op->count, .unknown = op->unknown};

	for (size_t i = 0; i < op->count; i++)
		rows[i] = op->entries[i].row;
	if (op->count > 1)
		qsort(rows, op->count, sizeof(*rows), compare_rows);
	op->done(&drift, op->arg);
	drift_free(&op->op);
}

/* The first reason is enough. */
static void note_unknown(struct drift_op *op, const char *why)
{
	if (op->unknown == NULL)
		op->unknown = why;
}

static void answered(const struct error *error, const struct chain_read_result *results,
                     size_t count, void *arg)
{
	struct drift_op *op = arg;

	(void)count;
	op->pending = NULL;
	if (error != NULL)
		note_unknown(op, arena_printf(&op->arena, "the chain could not be asked: %s",
		                              error->text));
	for (size_t i = op->first; i < op->count; i++) {
		struct entry *entry = &op->entries[i];
		entry->row.chain = error != NULL
		                           ? CHECK_UNKNOWN
		                           : check_answer_of(&entry->slot, results, NULL, NULL);
		entry->row.verdict = drift_judge(&entry->row);
	}
	next_chain(op);
}

/* Why the logs in the store are not all there were. */
static const char *history_gap(struct drift_op *op, const struct lane *lane)
{
	struct store *store = lane->parts->store;
	uint64_t from, next;

	if (store_backfill_get(store, lane->config->chain_id, &from, &next) != 0)
		return arena_printf(&op->arena, "the history of chain %s was not read yet",
		                    lane->config->name);
	if (next > from)
		return arena_printf(&op->arena,
		                    "the history of chain %s is still being read: %" PRIu64
		                    " blocks to go",
		                    lane->config->name, next - from);
	if (!store_backfill_is_whole(store, lane->config->chain_id))
		return arena_printf(&op->arena,
		                    "what happened on chain %s before block %" PRIu64
		                    " is not known, since the endpoints serve no old state: set "
		                    "`start_block` of the chain to where history begins",
		                    lane->config->name, from);
	return NULL;
}

static void ask(struct drift_op *op, struct lane *lane)
{
	struct reads reads = {.arena = &op->arena};

	for (size_t i = op->first; i < op->count; i++) {
		struct entry *entry = &op->entries[i];
		struct registry_call call = {.contract = entry->row.contract,
		                             .as = entry->row.kind};
		check_add(&entry->slot, &reads, entry->row.target->check, &call, &entry->row.value);
	}
	op->pending =
	        chain_read_many(lane->chain, &lane->final, reads.items, reads.count, answered, op);
}

/* Everything that is known of one chain's registries; false: nothing that a question is due for. */
static bool gather_chain(struct drift_op *op, struct lane *lane)
{
	const struct config *config = lane->parts->config;
	bool used = false;

	op->first = op->count;
	for (size_t t = 0; t < config->target_count; t++) {
		const struct config_target *target = &config->targets[t];
		if (target->chain != lane->config ||
		    (op->only != NULL && op->only->chain != lane->config))
			continue;
		used = true;
		if (!lane->have_head)
			continue;
		for (int kind = KIND_OS_IMAGE; kind <= KIND_LAST; kind++)
			add_contract(op, lane, target, (enum kind)kind);
		add_recorded(op, lane, target);
	}
	if (used && !lane->have_head)
		note_unknown(op, arena_printf(&op->arena, "chain %s was not read yet%s%s",
		                              lane->config->name,
		                              lane->last_error[0] != '\0' ? ": " : "",
		                              lane->last_error));
	else if (used)
		note_unknown(op, history_gap(op, lane));
	merge(op);
	return op->count > op->first;
}

static void next_chain(struct drift_op *op)
{
	const struct config *config = govern_parts(op->govern)->config;

	while (op->next_chain < config->chain_count) {
		const struct config_chain *chain = &config->chains[op->next_chain++];
		struct lane *lane = govern_lane(op->govern, chain->chain_id);
		if (gather_chain(op, lane)) {
			ask(op, lane);
			return;
		}
	}
	finish(op);
}

static void begin(void *arg)
{
	next_chain(arg);
}

struct govern_op *govern_drift(struct govern *govern, const struct config_target *target,
                               govern_drift_fn *done, void *arg)
{
	struct drift_op *op = xcalloc(1, sizeof(*op));

	op->op.cancel = drift_free;
	op->govern = govern;
	op->only = target;
	op->done = done;
	op->arg = arg;
	op->later = loop_timer_new(govern_parts(govern)->loop, begin, op);
	loop_timer_set(op->later, 0);
	return &op->op;
}
