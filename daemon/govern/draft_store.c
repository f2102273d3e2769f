#include "daemon/govern/draft.h"

bool draft_still_wanted(struct draft *draft)
{
	struct store *store = draft->lane->parts->store;

	for (size_t i = 0; i < draft->count; i++) {
		const struct candidate *c = &draft->items[i];
		struct measurement now;
		struct proposal_id live;
		if (!c->dropped &&
		    (store_measurement_get(store, &draft->arena, c->measurement.id, &now) != 0 ||
		     now.status != c->measurement.status || now.wanted != c->measurement.wanted ||
		     store_call_live(store, draft->lane->config->chain_id, &c->call.to,
		                     c->call.data, &live) == 0))
			return false;
	}
	return true;
}

/* In the order of the batch, which is not the order of the candidates. */
static struct call *calls_of(struct draft *draft)
{
	const struct path *path = &draft->path;
	struct call *calls = arena_array(&draft->arena, path->count, sizeof(*calls));

	for (size_t i = 0; i < path->count; i++)
		for (size_t k = 0; k < draft->count; k++)
			if (!draft->items[k].dropped &&
			    address_equal(&draft->items[k].call.to, &path->calls[i].to) &&
			    bytes_equal(draft->items[k].call.data, path->calls[i].data))
				calls[i] = draft->items[k].call;
	return calls;
}

/* What a Safe sends is followed one by one; what others send is known by the chain alone. */
static void store_steps(struct draft *draft, struct proposal_id id, bool scheduled)
{
	struct store *store = draft->lane->parts->store;

	for (size_t i = 0; i < draft->step_count; i++) {
		const struct path_step *step = &draft->steps[i];
		if (step->sender != PATH_SAFE)
			continue;
		const struct safe_tx_row fresh = {
		        .proposal = id,
		        .purpose = step->purpose,
		        .safe = draft->path.safe,
		        .to = step->to,
		        .data = step->data,
		        .operation = step->operation,
		};
		struct safe_tx_id tx = store_safe_tx_add(store, &fresh);
		if (scheduled)
			store_safe_tx_set_status(store, tx, SAFE_TX_EXECUTED, NULL, 0);
	}
}

struct proposal_id draft_store(struct draft *draft)
{
	struct lane *lane = draft->lane;
	const struct config_target *target = draft->target;
	const struct path *path = &draft->path;
	struct store *store = lane->parts->store;
	struct proposal_id id;
	struct error error;
	/* The timelock has this very batch already, e.g. since a backup older than that was
	 * restored: it is followed, and nobody is asked again. */
	bool scheduled = draft->attempt_seen == ATTEMPT_PENDING;
	struct new_proposal proposal = {
	        .target = target->name,
	        .origin = scheduled ? "external" : "registrard",
	        .chain_id = lane->config->chain_id,
	        .model = path->model,
	        .safe = path->safe,
	        .timelock = path->timelock,
	        .sender = draft->sender,
	        .salt = path->salt,
	        .attempt = draft->attempt,
	        .delay = path->delay,
	        .drafted_after = scheduled ? 0 : draft->final.number,
	        .expires_at = lane_expiry(lane, target),
	        .urgent = draft->urgent,
	        .reason = "every call was simulated and would succeed",
	        .calls = calls_of(draft),
	        .call_count = path->count,
	};

	path_operation_id(&proposal.operation_id, path);
	store_begin(store);
	if (store_proposal_create(store, &proposal, &id, &error) != 0)
		die("a draft that was checked cannot be stored: %s", error.text);
	for (size_t k = 0; k < draft->count; k++)
		if (!draft->items[k].dropped)
			store_call_serve(store, lane->config->chain_id, &draft->items[k].call.to,
			                 draft->items[k].call.data, draft->items[k].measurement.id);
	store_steps(draft, id, scheduled);
	store_commit(store);
	return id;
}
