/* Words of people that take something back: a value, or a proposal. */
#include "common/store/store_event.h"
#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/op.h"

/* --- proposals ----------------------------------------------------------------------------------
 */

static void look_at(struct govern *govern, uint64_t chain_id)
{
	struct lane *lane = govern_lane(govern, chain_id);

	if (lane != NULL)
		lane_track(lane);
}

int govern_withdraw(struct govern *govern, struct proposal_id id, struct error *error)
{
	struct store *store = govern_parts(govern)->store;
	struct arena arena = {0};
	struct proposal proposal;
	char subject[SUBJECT_SIZE];
	int rc = 0;

	proposal_subject(subject, id);
	if (store_proposal_get(store, &arena, id, &proposal) != 0)
		rc = error_set(error, ERR_NOT_FOUND, "no proposal %s", subject);
	else if (lifecycle_is_terminal(proposal.state))
		rc = error_set(error, ERR_CONFLICT, "%s is %s already", subject,
		               proposal_state_name(proposal.state));
	else if (proposal.state == STATE_EXECUTED)
		rc = error_set(error, ERR_CONFLICT,
		               "%s was executed: what it added goes away with `registrarctl "
		               "revoke`",
		               subject);
	if (rc == 0) {
		store_begin(store);
		store_proposal_withdraw(store, id, false, "withdrawn by the operator");
		store_commit(store);
		look_at(govern, proposal.chain_id);
	}
	arena_free(&arena);
	return rc;
}

/* --- whom it concerns ---------------------------------------------------------------------------
 */

/* One revocation being worked out. */
struct revoking {
	struct store *store;
	const struct config *config;
	struct arena *arena;
	const struct govern_revocation *asked;
	struct measurement_list found;
};

static struct measurement *add_found(struct revoking *r, const struct measurement *m)
{
	struct measurement *items = arena_array(r->arena, r->found.count + 1, sizeof(*items));

	for (size_t i = 0; i < r->found.count; i++)
		items[i] = r->found.items[i];
	items[r->found.count] = *m;
	r->found.items = items;
	return &items[r->found.count++];
}

static bool is_found(const struct revoking *r, struct measurement_id id)
{
	for (size_t i = 0; i < r->found.count; i++)
		if (r->found.items[i].id.n == id.n)
			return true;
	return false;
}

/* What others added on chain has no record here: it gets one when a person names its kind. */
static void record_unknown(struct revoking *r)
{
	const struct govern_revocation *asked = r->asked;
	const struct evidence evidence = {
	        .level = LEVEL_CLAIMED, .source = "cli", .artifact = asked->who};
	struct measurement m;
	bool created;

	struct measurement_id id = store_measurement_record(
	        r->store, asked->target->name, asked->kind, &asked->value, &evidence, &created);
	if (store_measurement_get(r->store, r->arena, id, &m) != 0)
		die("m%lld was just recorded and is not there", (long long)id.n);
	add_found(r, &m);
}

static void find_recorded(struct revoking *r, const struct config_target *target,
                          struct measurement_list *out)
{
	struct measurement_filter filter = {.target = target->name, .value = &r->asked->value};

	store_measurement_list(r->store, r->arena, &filter, out);
}

static int find_own(struct revoking *r, struct error *error)
{
	const struct govern_revocation *asked = r->asked;
	struct measurement_list recorded;
	const struct measurement *refused = NULL;

	find_recorded(r, asked->target, &recorded);
	for (size_t i = 0; i < recorded.count; i++) {
		const struct measurement *m = &recorded.items[i];
		if (asked->kind != 0 && m->kind != asked->kind)
			continue;
		if (m->status == MEASUREMENT_REFUSED)
			refused = m;
		else
			add_found(r, m);
	}
	if (r->found.count > 0)
		return 0;
	if (refused != NULL)
		return error_set(error, ERR_DENIED,
		                 "m%lld failed verification and was never proposed",
		                 (long long)refused->id.n);
	if (asked->kind == 0)
		return error_set(error, ERR_NOT_FOUND,
		                 "no such value is recorded for target %s; with --kind also what "
		                 "others added is removed",
		                 asked->target->name);
	record_unknown(r);
	return 0;
}

/* Whether removing the one removes the other. */
static bool same_call(const struct registry_call *a, const struct registry_call *b)
{
	return a->as == b->as && address_equal(&a->contract, &b->contract);
}

static bool is_removed_too(const struct revoking *r, const struct config_target *target,
                           const struct measurement *m)
{
	struct registry_call theirs, ours;

	if (registry_call_for(&theirs, target, m->kind) != 0)
		return false;
	for (size_t i = 0; i < r->found.count; i++) {
		const struct config_target *own =
		        config_target_find(r->config, r->found.items[i].target);
		if (own != NULL && registry_call_for(&ours, own, r->found.items[i].kind) == 0 &&
		    same_call(&theirs, &ours))
			return true;
	}
	return false;
}

static int refuse_shared(const struct measurement *m, struct error *error)
{
	return error_set(error, ERR_DENIED,
	                 "target %s wants it present in the same contract (m%lld, %s, %s); with "
	                 "--shared it is revoked there, too",
	                 m->target, (long long)m->id.n, kind_name(m->kind),
	                 measurement_status_name(m->status));
}

/* Others who want the same call: other targets, or another kind under the same contract. */
static int find_shared(struct revoking *r, struct error *error)
{
	for (size_t t = 0; t < r->config->target_count; t++) {
		const struct config_target *target = &r->config->targets[t];
		struct measurement_list recorded;
		if (target->chain->chain_id != r->asked->target->chain->chain_id)
			continue;
		find_recorded(r, target, &recorded);
		for (size_t i = 0; i < recorded.count; i++) {
			const struct measurement *m = &recorded.items[i];
			if (is_found(r, m->id) || !m->wanted || m->status == MEASUREMENT_REFUSED ||
			    !is_removed_too(r, target, m))
				continue;
			if (!r->asked->shared)
				return refuse_shared(m, error);
			add_found(r, m);
		}
	}
	return 0;
}

/* --- what is done -------------------------------------------------------------------------------
 */

/* What still can add the value is taken back, and followed all the same. */
static void withdraw_additions(struct revoking *r, const struct measurement *m)
{
	struct proposal_id *ids;
	size_t count = store_measurement_carriers(r->store, r->arena, m->id, ACTION_ADD, &ids);

	for (size_t i = 0; i < count; i++) {
		struct proposal proposal;
		if (store_proposal_get(r->store, r->arena, ids[i], &proposal) != 0 ||
		    proposal.state >= STATE_EXECUTED)
			continue;
		store_proposal_withdraw(r->store, ids[i], true,
		                        arena_printf(r->arena, "m%lld in it was revoked by %s",
		                                     (long long)m->id.n, r->asked->who));
		if (r->asked->urgent)
			store_proposal_set_urgent(r->store, ids[i]);
	}
}

/* A removal that is on its way already comes before everything else from now on. */
static void hurry_removals(struct revoking *r, const struct measurement *m)
{
	struct proposal_id *ids;
	size_t count = store_measurement_carriers(r->store, r->arena, m->id, ACTION_REMOVE, &ids);

	for (size_t i = 0; r->asked->urgent && i < count; i++)
		store_proposal_set_urgent(r->store, ids[i]);
}

static int replace(struct revoking *r, const struct measurement *m, struct error *error)
{
	const struct govern_revocation *asked = r->asked;
	const struct evidence evidence = {
	        .level = LEVEL_CLAIMED, .source = "cli", .artifact = asked->who};
	struct measurement replacement;
	bool created;

	struct measurement_id id = store_measurement_record(
	        r->store, m->target, m->kind, &asked->replacement, &evidence, &created);
	store_measurement_approve(r->store, id, asked->who);
	store_measurement_set_replaces(r->store, id, &asked->value);
	if (store_measurement_get(r->store, r->arena, id, &replacement) != 0)
		die("m%lld was just recorded and is not there", (long long)id.n);
	if (replacement.status == MEASUREMENT_REFUSED)
		return error_set(error, ERR_DENIED,
		                 "m%lld failed verification and cannot replace anything",
		                 (long long)id.n);
	add_found(r, &replacement);
	return 0;
}

static int revoke(struct revoking *r, struct error *error)
{
	int rc = find_own(r, error);

	if (rc == 0)
		rc = find_shared(r, error);
	size_t revoked = r->found.count;
	for (size_t i = 0; rc == 0 && i < revoked; i++) {
		const struct measurement *m = &r->found.items[i];
		store_measurement_revoke(r->store, m->id, r->asked->urgent, r->asked->who);
		withdraw_additions(r, m);
		hurry_removals(r, m);
		if (r->asked->has_replacement)
			rc = replace(r, m, error);
	}
	return rc;
}

int govern_revoke(struct govern *govern, struct arena *arena,
                  const struct govern_revocation *revocation, struct measurement_list *out,
                  struct error *error)
{
	const struct govern_parts *parts = govern_parts(govern);
	struct revoking r = {.store = parts->store,
	                     .config = parts->config,
	                     .arena = arena,
	                     .asked = revocation};

	*out = (struct measurement_list){0};
	store_begin(parts->store);
	int rc = revoke(&r, error);
	if (rc != 0) {
		store_rollback(parts->store);
		return rc;
	}
	store_commit(parts->store);
	*out = r.found;
	look_at(govern, revocation->target->chain->chain_id);
	return 0;
}

void govern_keep(struct govern *govern, struct measurement_id id, const char *who)
{
	struct store *store = govern_parts(govern)->store;
	struct arena arena = {0};
	struct proposal_id *ids;
	size_t count = store_measurement_carriers(store, &arena, id, ACTION_REMOVE, &ids);

	for (size_t i = 0; i < count; i++) {
		struct proposal proposal;
		if (store_proposal_get(store, &arena, ids[i], &proposal) != 0 ||
		    proposal.state >= STATE_EXECUTED)
			continue;
		store_proposal_withdraw(store, ids[i], true,
		                        arena_printf(&arena, "m%lld in it was approved by %s",
		                                     (long long)id.n, who));
		look_at(govern, proposal.chain_id);
	}
	arena_free(&arena);
}
