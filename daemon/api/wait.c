#include "daemon/api/wait.h"

#include "daemon/api/client.h"
#include "daemon/api/report.h"

#include <stdio.h>
#include <string.h>

enum { MAX_KINDS = 8, MIN_RETRY_MS = 200 };

/* --- the verdict ----------------------------------------------------------------------------- */

static enum wait_verdict judge_builds(struct arena *arena, const struct build_list *builds,
                                      const struct hash32 *value, const char **reason)
{
	const struct build *refused = NULL;

	*reason = "not seen yet";
	for (size_t i = 0; i < builds->count; i++) {
		const struct build *build = &builds->items[i];
		if (!build->has_value || !hash32_equal(&build->value, value))
			continue;
		if (build->status != BUILD_REFUSED)
			return WAIT_ON;
		refused = build;
	}
	if (refused == NULL)
		return WAIT_ON;
	*reason = arena_printf(arena, "only refused builds carry it; b%lld: %s",
	                       (long long)refused->id.n,
	                       refused->reason != NULL ? refused->reason : "refused");
	return WAIT_NEVER;
}

static bool is_hopeless(const struct measurement *measurement)
{
	switch (measurement->status) {
	case MEASUREMENT_NEW:
	case MEASUREMENT_PROPOSED:
	case MEASUREMENT_AUTHORIZED:
		return !measurement->wanted;
	case MEASUREMENT_HELD:
	case MEASUREMENT_REVOKED:
	case MEASUREMENT_REFUSED:
		return true;
	}
	return true;
}

enum wait_verdict wait_judge(struct arena *arena, const struct measurement_list *measurements,
                             const struct build_list *builds, const struct hash32 *value,
                             const char **reason)
{
	enum wait_verdict verdict = WAIT_ASK;

	if (measurements->count == 0)
		return judge_builds(arena, builds, value, reason);
	for (size_t i = 0; i < measurements->count; i++) {
		const struct measurement *m = &measurements->items[i];
		if (is_hopeless(m)) {
			*reason = arena_printf(
			        arena, "m%lld (%s) is %s%s%s%s", (long long)m->id.n,
			        kind_name(m->kind), measurement_status_name(m->status),
			        m->wanted ? "" : ", wanted absent", m->reason != NULL ? ": " : "",
			        m->reason != NULL ? m->reason : "");
			return WAIT_NEVER;
		}
		if (m->status != MEASUREMENT_AUTHORIZED) {
			*reason = arena_printf(arena, "m%lld (%s) is %s", (long long)m->id.n,
			                       kind_name(m->kind),
			                       measurement_status_name(m->status));
			verdict = WAIT_ON;
		}
	}
	if (verdict == WAIT_ASK)
		*reason = "asking the chain";
	return verdict;
}

/* --- the command ----------------------------------------------------------------------------- */

struct waiter {
	struct hash32 value;
	char target[128];
	char told[256]; /* the last progress sent */
	bool asking;
};

static void wait_again(struct client *client, void *state);

/* Progress, once per change. */
static void tell(struct client *client, struct waiter *waiter, const char *text)
{
	if (strncmp(waiter->told, text, sizeof(waiter->told) - 1) == 0)
		return;
	snprintf(waiter->told, sizeof(waiter->told), "%s", text);
	client_note(client, "%s", text);
}

/* What the proposals that carry the value wait for, or the verdict's own reason. */
static void tell_progress(struct client *client, struct waiter *waiter, struct arena *arena,
                          const struct measurement_list *found, const char *reason)
{
	const struct control_parts *parts = client_parts(client);
	struct safe_tx_list safe_txs;
	struct proposal proposal;
	struct proposal_id *ids;

	for (size_t i = 0; i < found->count; i++) {
		size_t count =
		        store_measurement_proposals(parts->store, arena, found->items[i].id, &ids);
		if (count == 0 ||
		    store_proposal_get(parts->store, arena, ids[count - 1], &proposal) != 0 ||
		    lifecycle_is_terminal(proposal.state))
			continue;
		store_safe_tx_list(parts->store, arena, proposal.id, &safe_txs);
		tell(client, waiter,
		     arena_printf(arena, "p%lld is in %s: waits for %s", (long long)proposal.id.n,
		                  proposal_state_name(proposal.state),
		                  report_waiting_for(
		                          arena, config_target_find(parts->config, waiter->target),
		                          &proposal, &safe_txs)));
		return;
	}
	tell(client, waiter, reason);
}

static enum wait_verdict judge_now(struct client *client, const struct waiter *waiter,
                                   struct arena *arena, struct measurement_list *found,
                                   const char **reason)
{
	struct store *store = client_parts(client)->store;
	struct build_list builds = {0};

	store_measurement_list(
	        store, arena,
	        &(struct measurement_filter){.target = waiter->target, .value = &waiter->value},
	        found);
	if (found->count == 0)
		store_build_list(store, arena, waiter->target, &builds);
	return wait_judge(arena, found, &builds, &waiter->value, reason);
}

/* The chain's word counts only for kinds that are still the recorded ones, and still wanted. */
static void chain_answered(const struct error *error, const struct govern_check *checks,
                           size_t count, const struct block_ref *head,
                           const struct block_ref *final, void *arg)
{
	struct client *client = arg;
	struct waiter *waiter = client_state(client);
	struct arena arena = {0};
	struct measurement_list found;
	const char *reason;

	client_set_op(client, NULL);
	waiter->asking = false;
	enum wait_verdict verdict = judge_now(client, waiter, &arena, &found, &reason);
	if (verdict == WAIT_ASK && error == NULL && found.count == count &&
	    report_check_sum(checks, count) == CHECK_YES) {
		client_done(
		        client, EXIT_YES,
		        report_check(&waiter->value, waiter->target, checks, count, head, final),
		        NULL);
	} else if (verdict == WAIT_NEVER) {
		client_done(client, EXIT_REFUSED, NULL, reason);
	} else {
		const struct config_target *target =
		        config_target_find(client_parts(client)->config, waiter->target);
		tell(client, waiter,
		     error != NULL ? error->text
		                   : "recorded as authorized, but the chain does not say yes now");
		client_retry(client, target != NULL && target->chain->poll_ms > MIN_RETRY_MS
		                             ? target->chain->poll_ms
		                             : MIN_RETRY_MS);
	}
	arena_free(&arena);
}

static void ask_chain(struct client *client, struct waiter *waiter,
                      const struct measurement_list *found)
{
	const struct control_parts *parts = client_parts(client);
	const struct config_target *target = config_target_find(parts->config, waiter->target);
	enum kind kinds[MAX_KINDS];
	struct govern_question question = {
	        .target = target, .value = waiter->value, .kinds = kinds};

	if (target == NULL) {
		client_fail(client, EXIT_REFUSED, "target %s is not in the configuration any more",
		            waiter->target);
		return;
	}
	for (size_t i = 0; i < found->count && i < MAX_KINDS; i++)
		kinds[question.kind_count++] = found->items[i].kind;
	waiter->asking = true;
	client_set_op(client, govern_check(parts->govern, &question, chain_answered, client));
}

static void wait_again(struct client *client, void *state)
{
	struct waiter *waiter = state;
	struct arena arena = {0};
	struct measurement_list found;
	const char *reason;

	if (waiter->asking || client_retrying(client))
		return;
	switch (judge_now(client, waiter, &arena, &found, &reason)) {
	case WAIT_ON:
		tell_progress(client, waiter, &arena, &found, reason);
		break;
	case WAIT_ASK:
		ask_chain(client, waiter, &found);
		break;
	case WAIT_NEVER:
		client_done(client, EXIT_REFUSED, NULL, reason);
		break;
	}
	arena_free(&arena);
}

void command_wait(struct client *client, const struct jval *args)
{
	struct hash32 value;

	if (!client_get_value(client, args, &value))
		return;
	const struct config_target *target = client_get_target(client, args, true);
	if (target == NULL)
		return;
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));
	waiter->value = value;
	snprintf(waiter->target, sizeof(waiter->target), "%s", target->name);
	client_keep(client, wait_again, waiter);
	wait_again(client, waiter);
}
