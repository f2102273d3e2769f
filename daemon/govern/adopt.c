#include "daemon/govern/adopt.h"

#include "common/base/log.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "daemon/govern/contested.h"

#include <string.h>

int adopt_find_operation(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct hash32 *operation_id, struct proposal *out)
{
	struct proposal_list live;

	*out = (struct proposal){0};
	store_proposal_list(lane->parts->store, arena, PROPOSALS_LIVE, lane->config->chain_id,
	                    &live);
	for (size_t i = 0; i < live.count; i++)
		if (lifecycle_has_timelock(live.items[i].model) &&
		    address_equal(&live.items[i].timelock, timelock) &&
		    hash32_equal(&live.items[i].operation_id, operation_id)) {
			*out = live.items[i];
			return 0;
		}
	return ERR_NOT_FOUND;
}

void adopt_tell(struct lane *lane, const char *target, const struct address *contract,
                const struct hash32 *key, const char *text)
{
	struct store *store = lane->parts->store;

	store_begin(store);
	if (store_outside_note(store, lane->config->chain_id, contract, key))
		lane_alarm_once(lane, ALARM_FOREIGN, target, "%s", text);
	store_commit(store);
}

uint64_t adopt_drafted_after(const struct lane *lane, const struct seen_log *log)
{
	uint64_t before = log->block_number > 0 ? log->block_number - 1 : 0;

	return before < lane->final.number ? before : lane->final.number;
}

bool adopt_is_news(struct lane *lane, const struct seen_log *log)
{
	uint64_t since;

	return store_watched_since(lane->parts->store, lane->config->chain_id, &log->address,
	                           &since) == 0 &&
	       log->block_number >= since;
}

/* It may have been seen done before the log that tells in which transaction. */
static bool was_executed_in(struct store *store, struct arena *arena,
                            const struct proposal *proposal, const struct hash32 *tx)
{
	struct history_list history;

	store_history_list(store, arena, proposal->id, &history);
	for (size_t i = 0; i < history.count; i++)
		if (history.items[i].to == STATE_EXECUTED &&
		    (!history.items[i].has_tx || hash32_equal(&history.items[i].tx, tx)))
			return true;
	return false;
}

bool adopt_is_recorded(struct lane *lane, struct arena *arena, const struct contract_call *call,
                       const struct hash32 *operation_id, const struct hash32 *tx)
{
	struct store *store = lane->parts->store;
	struct proposal_id *ids;
	size_t count = store_call_proposals(store, arena, lane->config->chain_id, &call->to,
	                                    call->data, &ids);

	for (size_t i = 0; i < count; i++) {
		struct proposal proposal;
		if (store_proposal_get(store, arena, ids[i], &proposal) == 0 &&
		    hash32_equal(&proposal.operation_id, operation_id) &&
		    was_executed_in(store, arena, &proposal, tx))
			return true;
	}
	return false;
}

static bool may_be_added(struct lane *lane, const struct measurement *m)
{
	const struct config_target *target = lane_target(lane, m->target);

	if (!m->wanted || m->status == MEASUREMENT_HELD || m->status == MEASUREMENT_REFUSED)
		return false;
	return m->approved || (target != NULL && m->level >= target->min_evidence &&
	                       store_measurement_is_ours(lane->parts->store, m->id));
}

static bool may_be_made(struct lane *lane, const struct call *call,
                        const struct measurement_list *served)
{
	bool known = false, good = true;

	for (size_t i = 0; i < served->count; i++) {
		const struct measurement *m = &served->items[i];
		if (!hash32_equal(&m->value, &call->value))
			continue;
		known = true;
		good &= call->action == ACTION_ADD ? may_be_added(lane, m) : !m->wanted;
	}
	return good && (known || call->action == ACTION_REMOVE);
}

bool adopt_is_external(const struct proposal *proposal)
{
	return strcmp(proposal->origin, "external") == 0;
}

/* Whether it all stands on chain already, as others brought it there on another way. */
static bool is_done(const struct measurement_list *served)
{
	for (size_t i = 0; i < served->count; i++)
		if (served->items[i].status != MEASUREMENT_AUTHORIZED &&
		    served->items[i].status != MEASUREMENT_REVOKED)
			return false;
	return served->count > 0;
}

bool adopt_may_execute(struct lane *lane, struct arena *arena, const struct proposal *proposal)
{
	struct measurement_list served;

	if (!adopt_is_external(proposal))
		return true;
	store_proposal_measurements(lane->parts->store, arena, proposal->id, &served);
	if (is_done(&served))
		return false;
	for (size_t i = 0; i < proposal->call_count; i++)
		if (!may_be_made(lane, &proposal->calls[i], &served))
			return false;
	return true;
}

/* --- who stands in the way ----------------------------------------------------------------------
 */

/* A draft of ours that is nowhere but here. */
static bool can_give_way(struct store *store, struct arena *arena, const struct proposal *proposal)
{
	struct safe_tx_list txs;
	struct sent_tx_list sent;

	if (strcmp(proposal->origin, "registrard") != 0 || proposal->state != STATE_DRAFTED)
		return false;
	store_safe_tx_list(store, arena, proposal->id, &txs);
	for (size_t i = 0; i < txs.count; i++)
		if (txs.items[i].status != SAFE_TX_DRAFTED)
			return false;
	store_sent_tx_list(store, arena, proposal->id, &sent);
	return sent.count == 0;
}

/* The live proposals that carry one of the calls; each once. */
static size_t holders_of(struct lane *lane, struct arena *arena, const struct adopted *found,
                         struct proposal **out)
{
	size_t count = 0;

	*out = arena_array(arena, found->call_count, sizeof(**out));
	for (size_t i = 0; i < found->call_count; i++) {
		const struct contract_call *call = &found->calls[i].call;
		struct proposal_id id;
		bool known = false;
		if (store_call_live(lane->parts->store, lane->config->chain_id, &call->to,
		                    call->data, &id) != 0)
			continue;
		for (size_t k = 0; k < count; k++)
			known |= (*out)[k].id.n == id.n;
		if (!known &&
		    store_proposal_get(lane->parts->store, arena, id, &(*out)[count]) == 0)
			count++;
	}
	return count;
}

/* Says so, and returns the other one, when another live proposal carries one of the calls for good.
 */
static struct proposal_id contested_by(struct lane *lane, struct arena *arena,
                                       const struct adopt_offer *offer,
                                       const struct proposal *holders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (can_give_way(lane->parts->store, arena, &holders[i]))
			continue;
		if (offer->run != NULL)
			return holders[i].id;
		contested_tell(lane->contested, holders[i].id,
		               arena_printf(arena,
		                            "%s makes one of its calls, too (%s): one of the two "
		                            "has to be rejected or cancelled",
		                            offer->where, offer->found->text));
		return holders[i].id;
	}
	return (struct proposal_id){0};
}

/* --- the nonce ----------------------------------------------------------------------------------
 */

/* Who waits under the nonce of a transaction in the queue. */
struct rivals {
	struct proposal_id first; /* 0: nobody */
	bool competes; /* one of them competes for it already: there is no room for more */
};

static struct rivals rivals_of(struct lane *lane, struct arena *arena, const struct safe_tx *tx)
{
	struct rivals rivals = {{0}, false};
	struct safe_tx_list list;

	store_safe_tx_at_nonce(lane->parts->store, arena, lane->config->chain_id, &tx->safe,
	                       tx->nonce, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct safe_tx_row *row = &list.items[i];
		if (row->purpose == PURPOSE_REJECT ||
		    (row->status != SAFE_TX_POSTING && row->status != SAFE_TX_QUEUED))
			continue;
		if (rivals.first.n == 0)
			rivals.first = row->proposal;
		rivals.competes |= row->shares;
	}
	return rivals;
}

/* --- whom it serves -----------------------------------------------------------------------------
 */

static const enum kind kinds[] = {KIND_OS_IMAGE, KIND_COMPOSE, KIND_KMS_MR, KIND_KMS_DEVICE,
                                  KIND_DEVICE};

struct taking {
	struct lane *lane;
	struct arena *arena;
	const struct adopt_offer *offer;
	struct proposal_id proposal;
};

/* What people here have decided about the value, or not: NULL when the call is as they want it. */
static const char *objection(struct arena *arena, const struct measurement *m,
                             const struct config_target *target, enum action action)
{
	if (action == ACTION_REMOVE)
		return m->wanted ? "which is wanted here" : NULL;
	if (!m->wanted)
		return "which is not wanted here";
	if (m->status == MEASUREMENT_HELD || m->status == MEASUREMENT_REFUSED)
		return arena_printf(arena, "which is %s here: %s",
		                    measurement_status_name(m->status),
		                    m->reason != NULL ? m->reason : "");
	if (m->level < target->min_evidence && !m->approved)
		return arena_printf(arena, "which nobody here has verified (evidence %s)",
		                    evidence_level_name(m->level));
	return NULL;
}

static void serve(const struct taking *taking, const struct config_target *target,
                  const struct measurement *m, const struct adopt_call *call)
{
	struct lane *lane = taking->lane;
	char subject[SUBJECT_SIZE], value[HASH32_TEXT_SIZE];
	const char *why = objection(taking->arena, m, target, call->action);

	store_call_serve(lane->parts->store, lane->config->chain_id, &call->call.to,
	                 call->call.data, m->id);
	/* Nobody waits for what is there. */
	if (taking->offer->run != NULL && m->status == MEASUREMENT_AUTHORIZED)
		store_measurement_set_status(lane->parts->store, m->id, m->status, m->reason);
	if (why != NULL && taking->offer->run == NULL)
		lane_alarm_once(lane, ALARM_UNWANTED, measurement_subject(subject, m->id),
		                "p%lld, made by others (%s), would %s %s %s, %s",
		                (long long)taking->proposal.n, taking->offer->where,
		                action_name(call->action), kind_name(call->kind),
		                hash32_text(value, &call->value), why);
}

/* Every measurement of every target that this call is about. */
static bool serve_known(const struct taking *taking, const struct adopt_call *call)
{
	struct lane *lane = taking->lane;
	const struct config *config = lane->parts->config;
	bool any = false;

	for (size_t t = 0; t < config->target_count; t++) {
		const struct config_target *target = &config->targets[t];
		for (size_t k = 0; k < ARRAY_LEN(kinds) && target->chain == lane->config; k++) {
			struct registry_call registry;
			struct measurement m;
			if (registry_call_for(&registry, target, kinds[k]) != 0 ||
			    registry.as != call->kind ||
			    !address_equal(&registry.contract, &call->call.to) ||
			    store_measurement_find(lane->parts->store, taking->arena, target->name,
			                           kinds[k], &call->value, &m) != 0)
				continue;
			serve(taking, target, &m, call);
			any = true;
		}
	}
	return any;
}

/* A value that nobody here has seen: this is what a breach looks like. */
static void serve_unknown(const struct taking *taking, const struct adopt_call *call)
{
	struct lane *lane = taking->lane;
	struct store *store = lane->parts->store;
	const struct config_target *target = taking->offer->way->targets[call->registry];
	struct evidence evidence = {
	        .level = LEVEL_CLAIMED,
	        .source = taking->offer->tx != NULL && taking->offer->run == NULL ? EVIDENCE_QUEUE
	                                                                          : EVIDENCE_CHAIN,
	        .artifact = taking->offer->where,
	};
	const char *reason =
	        arena_printf(taking->arena, "proposed by others in p%lld, never verified here",
	                     (long long)taking->proposal.n);
	char subject[SUBJECT_SIZE], value[HASH32_TEXT_SIZE];
	bool created;

	struct measurement_id id = store_measurement_record(store, target->name, call->kind,
	                                                    &call->value, &evidence, &created);
	store_call_serve(store, lane->config->chain_id, &call->call.to, call->call.data, id);
	store_measurement_set_status(store, id, MEASUREMENT_PROPOSED, reason);
	if (taking->offer->run != NULL)
		return;
	lane_alarm_once(lane, ALARM_UNVERIFIED, measurement_subject(subject, id),
	                "p%lld, made by others (%s), would add %s %s to %s, which was never "
	                "verified here: who asked for it?",
	                (long long)taking->proposal.n, taking->offer->where, kind_name(call->kind),
	                hash32_text(value, &call->value), target->name);
}

static void serve_all(const struct taking *taking)
{
	const struct adopted *found = taking->offer->found;

	for (size_t i = 0; i < found->call_count; i++)
		if (!serve_known(taking, &found->calls[i]) && found->calls[i].action == ACTION_ADD)
			serve_unknown(taking, &found->calls[i]);
}

/* --- storing ------------------------------------------------------------------------------------
 */

static struct proposal_id create(struct lane *lane, struct arena *arena,
                                 const struct adopt_offer *offer)
{
	const struct adopted *found = offer->found;
	const struct config_target *target = offer->way->targets[found->calls[0].registry];
	struct call *calls = arena_array(arena, found->call_count, sizeof(*calls));
	struct proposal_id id;
	struct error error;

	for (size_t i = 0; i < found->call_count; i++)
		calls[i] = (struct call){.to = found->calls[i].call.to,
		                         .data = found->calls[i].call.data,
		                         .action = found->calls[i].action,
		                         .kind = found->calls[i].kind,
		                         .value = found->calls[i].value};
	struct new_proposal proposal = {
	        .target = target->name,
	        .origin = "external",
	        .chain_id = lane->config->chain_id,
	        .model = offer->way->way.model,
	        .safe = offer->by_account ? (struct address){{0}} : offer->way->way.safe,
	        .timelock = offer->way->way.timelock,
	        .salt = found->batch.salt,
	        .predecessor = found->batch.predecessor,
	        .single = found->batch.single,
	        .operation_id = found->operation_id,
	        .delay = found->delay,
	        .drafted_after = offer->drafted_after,
	        .expires_at = lane_expiry(lane, target),
	        .reason = arena_printf(arena, "made by others: %s", offer->where),
	        .calls = calls,
	        .call_count = found->call_count,
	};
	if (store_proposal_create(lane->parts->store, &proposal, &id, &error) != 0)
		die("what others made cannot be stored although nothing stands in its way: %s",
		    error.text);
	return id;
}

/* Everybody can see it in the queue, or on chain, already. */
static void add_queued(struct lane *lane, struct proposal_id id, const struct adopt_offer *offer,
                       const struct rivals *rivals)
{
	struct store *store = lane->parts->store;
	const struct safe_tx *tx = &offer->tx->tx;
	const struct hash32 *hash = &offer->tx->safe_tx_hash;
	char subject[SUBJECT_SIZE];
	struct error error;
	const struct safe_tx_row fresh = {
	        .proposal = id,
	        .purpose = offer->found->purpose,
	        .safe = tx->safe,
	        .to = tx->to,
	        .data = tx->data,
	        .operation = tx->operation,
	};
	struct safe_tx_id row = store_safe_tx_add(store, &fresh);
	int rc = rivals->first.n == 0 ? store_safe_tx_assign(store, row, tx->nonce, hash, &error)
	                              : store_safe_tx_compete(store, row, tx->nonce, hash, &error);

	if (rc != 0)
		die("a nonce with room is taken: %s", error.text);
	if (offer->run != NULL)
		store_safe_tx_set_status(store, row, SAFE_TX_EXECUTED, &offer->run->tx_hash,
		                         offer->run->block_number);
	else
		store_safe_tx_set_status(store, row, SAFE_TX_QUEUED, NULL, 0);
	if (rivals->first.n != 0 && offer->run == NULL)
		lane_alarm_once(lane, ALARM_CONTESTED, proposal_subject(subject, rivals->first),
		                "p%lld, made by others (%s), has the nonce of its transaction: "
		                "whichever is executed first ends the other",
		                (long long)id.n, offer->where);
}

static void give_way(struct lane *lane, struct arena *arena, const struct adopt_offer *offer,
                     const struct proposal *draft)
{
	const char *reason =
	        arena_printf(arena, "gives way to %s, which others made", offer->where);
	char subject[SUBJECT_SIZE];
	struct error error;

	if (store_proposal_give_way(lane->parts->store, draft->id, reason, &error) != 0)
		die("a draft does not give way: %s", error.text);
	log_info(proposal_subject(subject, draft->id), "%s", reason);
}

struct proposal_id adopt_take(struct lane *lane, struct arena *arena,
                              const struct adopt_offer *offer)
{
	struct store *store = lane->parts->store;
	struct rivals rivals = {{0}, false};
	struct proposal *holders;
	size_t count = holders_of(lane, arena, offer->found, &holders);
	char subject[SUBJECT_SIZE];

	struct proposal_id other = contested_by(lane, arena, offer, holders, count);
	if (other.n != 0)
		return other;
	if (offer->tx != NULL)
		rivals = rivals_of(lane, arena, &offer->tx->tx);
	if (rivals.competes && offer->run != NULL)
		return rivals.first;
	if (rivals.competes) {
		contested_tell(lane->contested, rivals.first,
		               arena_printf(arena,
		                            "%s is a further transaction with its nonce (%s)",
		                            offer->where, offer->found->text));
		return rivals.first;
	}
	store_begin(store);
	for (size_t i = 0; i < count; i++)
		give_way(lane, arena, offer, &holders[i]);
	struct taking taking = {.lane = lane,
	                        .arena = arena,
	                        .offer = offer,
	                        .proposal = create(lane, arena, offer)};
	if (offer->tx != NULL)
		add_queued(lane, taking.proposal, offer, &rivals);
	serve_all(&taking);
	store_commit(store);
	log_info(proposal_subject(subject, taking.proposal), "made by others: %s: %s", offer->where,
	         offer->found->text);
	lane_changed(lane);
	lane_track(lane);
	return (struct proposal_id){0};
}
