/* The operator's word: commands that change what the store holds. */
#include "daemon/api/client.h"

#include "common/store/store_event.h"
#include "daemon/api/report.h"
#include "daemon/api/revoked.h"

#include <stdio.h>
#include <string.h>

/* The measurements an id stands for: m12 itself, those that p7's calls serve, those of b3's value.
 * ERR_NOT_FOUND, ERR_DENIED, or ERR_INVALID for what is no id. */
static int find_subjects(struct store *store, struct arena *arena, const char *text,
                         struct measurement_list *out, struct error *error)
{
	struct build_list builds;
	char letter;
	int64_t id;

	*out = (struct measurement_list){0};
	if (!client_parse_id(text, &letter, &id))
		return error_set(error, ERR_INVALID,
		                 "\"%s\" is no id; expected one such as m12, p7 or b3",
		                 text != NULL ? text : "");
	if (letter == 'm') {
		out->items = arena_alloc(arena, sizeof(*out->items));
		out->count = store_measurement_get(store, arena, (struct measurement_id){id},
		                                   out->items) == 0;
	} else if (letter == 'p') {
		store_proposal_measurements(store, arena, (struct proposal_id){id}, out);
	} else {
		store_build_list(store, arena, NULL, &builds);
		for (size_t i = 0; i < builds.count; i++) {
			const struct build *build = &builds.items[i];
			if (build->id.n != id)
				continue;
			if (build->status == BUILD_REFUSED)
				return error_set(
				        error, ERR_DENIED,
				        "%s was refused and cannot be approved or held: %s", text,
				        build->reason != NULL ? build->reason
				                              : "it failed verification");
			if (build->has_value)
				store_measurement_list(
				        store, arena,
				        &(struct measurement_filter){.target = build->target,
				                                     .value = &build->value},
				        out);
		}
	}
	return out->count > 0 ? 0 : error_set(error, ERR_NOT_FOUND, "no such thing: %s", text);
}

static bool find_or_fail(struct client *client, struct arena *arena, const struct jval *args,
                         struct measurement_list *out)
{
	struct error error = {0};

	int rc = find_subjects(client_parts(client)->store, arena, jval_get_string(args, "id"), out,
	                       &error);
	if (rc == ERR_INVALID)
		client_done(client, EXIT_USAGE, NULL, error.text);
	else if (rc != 0)
		client_fail_error(client, &error);
	return rc == 0;
}

/* Answers with the measurements as they are now. */
static void done_with(struct client *client, struct arena *arena,
                      const struct measurement_list *subjects)
{
	const struct control_parts *parts = client_parts(client);
	struct jval *list = jval_array();
	struct measurement now;

	for (size_t i = 0; i < subjects->count; i++)
		if (store_measurement_get(parts->store, arena, subjects->items[i].id, &now) == 0)
			jval_push(list, report_measurement(parts->store, arena, &now));
	govern_wake(parts->govern);
	client_wake_others(client);
	client_done(client, EXIT_YES, list, NULL);
}

/* In the caller's transaction. */
static void approve(struct client *client, struct measurement_id id)
{
	const struct control_parts *parts = client_parts(client);

	store_measurement_approve(parts->store, id, client_who(client));
	govern_keep(parts->govern, id, client_who(client));
}

/* A proposal names values by the way: those that somebody took back come back by their own name
 * alone, unless it has no others. */
static void leave_out_unwanted(struct measurement_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		kept += list->items[i].wanted;
	if (kept == 0 || kept == list->count)
		return;
	kept = 0;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].wanted)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

/* Said too early it would be forgotten when the proposal ends. */
static bool goes_on(struct store *store, struct arena *arena, const char *id,
                    const struct measurement_list *subjects, struct proposal *out)
{
	char letter;
	int64_t n;

	if (!client_parse_id(id, &letter, &n) || letter != 'p' ||
	    store_proposal_get(store, arena, (struct proposal_id){n}, out) != 0 ||
	    lifecycle_is_terminal(out->state) || strcmp(out->origin, "registrard") != 0)
		return false;
	for (size_t i = 0; i < subjects->count; i++)
		if (subjects->items[i].status != MEASUREMENT_PROPOSED || !subjects->items[i].wanted)
			return false;
	return true;
}

void command_approve(struct client *client, const struct jval *args)
{
	struct store *store = client_parts(client)->store;
	struct arena arena = {0};
	struct measurement_list subjects;

	if (find_or_fail(client, &arena, args, &subjects)) {
		const struct measurement *refused = NULL;
		if (jval_get_string(args, "id")[0] == 'p')
			leave_out_unwanted(&subjects);
		for (size_t i = 0; i < subjects.count; i++)
			if (subjects.items[i].status == MEASUREMENT_REFUSED)
				refused = &subjects.items[i];
		struct proposal proposal;
		if (goes_on(store, &arena, jval_get_string(args, "id"), &subjects, &proposal)) {
			client_fail(client, EXIT_REFUSED,
			            "p%lld is in state %s and goes on: there is nothing to approve "
			            "before it has ended",
			            (long long)proposal.id.n, proposal_state_name(proposal.state));
		} else if (refused != NULL) {
			client_fail(client, EXIT_REFUSED,
			            "m%lld failed verification and cannot be approved: %s",
			            (long long)refused->id.n,
			            refused->reason != NULL ? refused->reason : "refused");
		} else {
			store_begin(store);
			for (size_t i = 0; i < subjects.count; i++)
				approve(client, subjects.items[i].id);
			store_commit(store);
			done_with(client, &arena, &subjects);
		}
	}
	arena_free(&arena);
}

void command_hold(struct client *client, const struct jval *args)
{
	struct store *store = client_parts(client)->store;
	struct arena arena = {0};
	struct measurement_list subjects;
	char reason[96];

	if (find_or_fail(client, &arena, args, &subjects)) {
		snprintf(reason, sizeof(reason), "held by an operator (%s)", client_who(client));
		store_begin(store);
		for (size_t i = 0; i < subjects.count; i++)
			if (subjects.items[i].status != MEASUREMENT_REFUSED)
				store_measurement_set_status(store, subjects.items[i].id,
				                             MEASUREMENT_HELD, reason);
		store_commit(store);
		done_with(client, &arena, &subjects);
	}
	arena_free(&arena);
}

static bool find_proposal(struct client *client, const struct jval *args, struct proposal_id *out)
{
	const char *text = jval_get_string(args, "id");
	char letter;

	if (client_parse_id(text, &letter, &out->n) && letter == 'p')
		return true;
	client_fail(client, EXIT_USAGE, "\"%s\" is no proposal; expected an id such as p7",
	            text != NULL ? text : "");
	return false;
}

/* Answers with the proposal as it is now, or with why not. */
static void done_with_proposal(struct client *client, struct proposal_id id, int rc,
                               const struct error *error)
{
	struct store *store = client_parts(client)->store;
	struct arena arena = {0};
	struct proposal now;

	if (rc != 0) {
		client_fail_error(client, error);
	} else {
		struct jval *list = jval_array();
		if (store_proposal_get(store, &arena, id, &now) == 0)
			jval_push(list, report_proposal(store, &arena, &now));
		client_wake_others(client);
		client_done(client, EXIT_YES, list, NULL);
	}
	arena_free(&arena);
}

void command_withdraw(struct client *client, const struct jval *args)
{
	struct error error = {0};
	struct proposal_id id;

	if (find_proposal(client, args, &id))
		done_with_proposal(client, id,
		                   govern_withdraw(client_parts(client)->govern, id, &error),
		                   &error);
}

/* A nonce that nothing holds: what its alarm asks for. */
void command_fill(struct client *client, const struct jval *args)
{
	struct error error = {0};
	struct proposal_id id;

	if (find_proposal(client, args, &id))
		done_with_proposal(
		        client, id,
		        govern_fill(client_parts(client)->govern, id, client_who(client), &error),
		        &error);
}

/* A chain of which a final block was replaced: what its alarm asks for. */
void command_resume(struct client *client, const struct jval *args)
{
	const struct control_parts *parts = client_parts(client);
	const char *chain = jval_get_string(args, "chain");
	struct error error = {0};

	if (chain == NULL) {
		client_fail(client, EXIT_USAGE, "which chain? expected its name");
	} else if (govern_resume(parts->govern, chain, &error) != 0) {
		client_fail_error(client, &error);
	} else {
		store_begin(parts->store);
		store_event_add(parts->store, "operator", chain, "followed again, said %s",
		                client_who(client));
		store_commit(parts->store);
		struct jval *json = jval_object();
		jval_add_string(json, "chain", chain);
		client_wake_others(client);
		client_done(client, EXIT_YES, json, NULL);
	}
}

/* --- register ----------------------------------------------------------------------------------
 */

/* The kinds of a value given by hand: the one that was named, else what a Nitro build is. */
static bool get_kinds(struct client *client, const struct jval *args,
                      const struct config_target *target, enum kind kinds[2], size_t *count)
{
	const char *name = jval_get_string(args, "kind");
	struct error error = {0};

	*count = 0;
	if (name == NULL) {
		kinds[(*count)++] = KIND_OS_IMAGE;
		if (target->has_app)
			kinds[(*count)++] = KIND_COMPOSE;
		return true;
	}
	if (kind_parse(&kinds[0], name, &error) != 0) {
		client_fail(client, EXIT_USAGE, "kind \"%s\": %s", name, error.text);
		return false;
	}
	if (kind_contract(kinds[0]) == CONTRACT_APP && !target->has_app &&
	    !target->compose_registry_kms) {
		client_fail(client, EXIT_REFUSED,
		            "kind %s belongs to a DstackApp, and target %s has none", name,
		            target->name);
		return false;
	}
	*count = 1;
	return true;
}

void command_register(struct client *client, const struct jval *args)
{
	struct store *store = client_parts(client)->store;
	struct arena arena = {0};
	struct measurement_list subjects = {0};
	struct hash32 value;
	enum kind kinds[2];
	size_t count;
	bool created;

	if (!client_get_value(client, args, &value))
		return;
	const struct config_target *target = client_get_target(client, args, false);
	if (target == NULL || !get_kinds(client, args, target, kinds, &count))
		return;
	const struct evidence evidence = {
	        .level = LEVEL_CLAIMED,
	        .source = "cli",
	        .artifact = client_who(client),
	};
	subjects.items = arena_array(&arena, count, sizeof(*subjects.items));
	store_begin(store);
	for (size_t i = 0; i < count; i++) {
		subjects.items[i].id = store_measurement_record(store, target->name, kinds[i],
		                                                &value, &evidence, &created);
		approve(client, subjects.items[i].id);
	}
	store_commit(store);
	subjects.count = count;
	done_with(client, &arena, &subjects);
	arena_free(&arena);
}

/* --- revoke ------------------------------------------------------------------------------------
 */

/* What was revoked: an urgent revocation answers only once it is known what it displaces. */
struct revoked {
	size_t count;
	struct measurement_id ids[];
};

static struct jval *report_revoked(struct client *client, const struct revoked *revoked,
                                   const struct jval *displaced /* or NULL */)
{
	struct store *store = client_parts(client)->store;
	struct jval *list = jval_array();
	struct arena arena = {0};
	struct measurement now;

	for (size_t i = 0; i < revoked->count; i++) {
		if (store_measurement_get(store, &arena, revoked->ids[i], &now) != 0)
			continue;
		struct jval *view = report_measurement(store, &arena, &now);
		jval_add(view, "next",
		         revoked_next(store, &arena, client_parts(client)->config, &now));
		if (displaced != NULL)
			jval_add(view, "displaces", jval_copy(displaced));
		jval_push(list, view);
	}
	arena_free(&arena);
	return list;
}

static void displaced_known(const struct error *error, struct jval *displaced, void *arg)
{
	struct client *client = arg;
	const struct revoked *revoked = client_state(client);

	client_set_op(client, NULL);
	if (error != NULL)
		client_note(client,
		            "the Safe's queue could not be asked what is displaced there: %s",
		            error->text);
	struct jval *list = report_revoked(client, revoked, displaced);
	jval_free(displaced);
	client_done(client, EXIT_YES, list, NULL);
}

/* The measurements as revoked; what is urgent in a Safe also says whom it displaces. */
static void answer_revoked(struct client *client, const struct govern_revocation *revocation,
                           const struct measurement_list *subjects)
{
	const struct control_parts *parts = client_parts(client);
	struct revoked *revoked =
	        xcalloc(1, sizeof(*revoked) + subjects->count * sizeof(revoked->ids[0]));

	govern_wake(parts->govern);
	client_wake_others(client);
	for (size_t i = 0; i < subjects->count; i++)
		revoked->ids[revoked->count++] = subjects->items[i].id;
	client_keep(client, NULL, revoked);
	if (revocation->urgent && lifecycle_has_safe(revocation->target->model))
		client_set_op(client, govern_displaced(parts->govern, revocation->target,
		                                       displaced_known, client));
	else
		client_done(client, EXIT_YES, report_revoked(client, revoked, NULL), NULL);
}

/* The replacement, if one was given. False ends the request. */
static bool get_replacement(struct client *client, const struct jval *args,
                            struct govern_revocation *revocation)
{
	const char *text = jval_get_string(args, "replace");
	struct error error = {0};

	if (text == NULL)
		return true;
	revocation->has_replacement = true;
	if (hash32_parse(&revocation->replacement, text, &error) != 0) {
		client_fail(client, EXIT_USAGE, "--replace \"%s\": %s", text, error.text);
		return false;
	}
	if (hash32_equal(&revocation->replacement, &revocation->value)) {
		client_fail(client, EXIT_USAGE, "--replace: a value cannot replace itself");
		return false;
	}
	return true;
}

static bool get_one_kind(struct client *client, const struct jval *args,
                         struct govern_revocation *revocation)
{
	const char *name = jval_get_string(args, "kind");
	enum kind kinds[2];
	size_t count;

	if (name == NULL)
		return true;
	if (!get_kinds(client, args, revocation->target, kinds, &count))
		return false;
	revocation->kind = kinds[0];
	return true;
}

void command_revoke(struct client *client, const struct jval *args)
{
	struct govern_revocation revocation = {
	        .shared = jval_is_true(jval_get(args, "shared")),
	        .urgent = jval_is_true(jval_get(args, "urgent")),
	        .who = client_who(client),
	};
	struct measurement_list subjects;
	struct arena arena = {0};
	struct error error = {0};

	if (!client_get_value(client, args, &revocation.value))
		return;
	revocation.target = client_get_target(client, args, false);
	if (revocation.target == NULL || !get_one_kind(client, args, &revocation) ||
	    !get_replacement(client, args, &revocation))
		return;
	if (govern_revoke(client_parts(client)->govern, &arena, &revocation, &subjects, &error) !=
	    0)
		client_fail_error(client, &error);
	else
		answer_revoked(client, &revocation, &subjects);
	arena_free(&arena);
}
