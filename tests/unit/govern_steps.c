#include "tests/unit/govern_steps.h"

#include "common/store/store_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { STEP_MS = 10, STEPS = 500 };

/* --- rows ------------------------------------------------------------------------------------- */

static void begin(struct govern_world *w)
{
	store_begin(w->store);
	store_target_put(w->store, "payments", WORLD_CHAIN, &w->kms, &w->app);
}

struct measurement_id world_record(struct govern_world *w, enum kind kind,
                                   const struct hash32 *value)
{
	struct evidence evidence = {.level = LEVEL_RECOMPUTED,
	                            .source = "folder",
	                            .artifact = "/srv/enclave.eif",
	                            .details = "{}"};
	bool created;

	begin(w);
	struct measurement_id id =
	        store_measurement_record(w->store, "payments", kind, value, &evidence, &created);
	store_commit(w->store);
	if (w->govern != NULL)
		govern_wake(w->govern);
	return id;
}

struct call world_call(struct govern_world *w, enum action action, const struct hash32 *value)
{
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, action, value);
	return (struct call){.to = w->kms,
	                     .data = arena_copy(&w->arena, bytes_of(data, sizeof(data))),
	                     .action = action,
	                     .kind = KIND_OS_IMAGE,
	                     .value = *value};
}

struct new_proposal world_draft(const struct govern_world *w, const struct call *call)
{
	return (struct new_proposal){.target = "payments",
	                             .origin = "registrard",
	                             .chain_id = WORLD_CHAIN,
	                             .model = MODEL_SAFE_TIMELOCK,
	                             .safe = w->safe,
	                             .timelock = w->timelock,
	                             .delay = WORLD_DELAY,
	                             .expires_at = {INT64_MAX},
	                             .calls = call,
	                             .call_count = 1};
}

struct proposal_id world_propose(struct govern_world *w, const struct new_proposal *proposal,
                                 struct measurement_id measurement)
{
	struct proposal_id id;

	begin(w);
	assert_int_equal(store_proposal_create(w->store, proposal, &id, &w->error), 0);
	for (size_t i = 0; measurement.n != 0 && i < proposal->call_count; i++)
		store_call_serve(w->store, WORLD_CHAIN, &proposal->calls[i].to,
		                 proposal->calls[i].data, measurement);
	store_commit(w->store);
	return id;
}

struct safe_tx_id world_add_schedule(struct govern_world *w, struct proposal_id id,
                                     struct bytes data)
{
	store_begin(w->store);
	const struct safe_tx_row fresh = {
	        .proposal = id,
	        .purpose = PURPOSE_SCHEDULE,
	        .safe = w->safe,
	        .to = w->timelock,
	        .data = data,
	};
	struct safe_tx_id tx = store_safe_tx_add(w->store, &fresh);
	store_commit(w->store);
	return tx;
}

void world_enqueue(struct govern_world *w, struct safe_tx_id tx, uint64_t nonce,
                   const struct hash32 *hash)
{
	store_begin(w->store);
	assert_int_equal(store_safe_tx_assign(w->store, tx, nonce, hash, &w->error), 0);
	store_safe_tx_set_status(w->store, tx, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->store);
}

void world_move(struct govern_world *w, struct proposal_id id, enum proposal_state to)
{
	const struct state_move move = {world_proposal(w, id).state, to, "for the test", NULL};

	store_begin(w->store);
	assert_int_equal(store_proposal_move(w->store, id, &move, &w->error), 0);
	store_commit(w->store);
}

struct measurement world_measurement(struct govern_world *w, struct measurement_id id)
{
	struct measurement measurement;

	assert_int_equal(store_measurement_get(w->store, &w->arena, id, &measurement), 0);
	return measurement;
}

struct proposal world_proposal(struct govern_world *w, struct proposal_id id)
{
	struct proposal proposal;

	assert_int_equal(store_proposal_get(w->store, &w->arena, id, &proposal), 0);
	return proposal;
}

struct proposal_list world_proposals(struct govern_world *w)
{
	struct proposal_list list;

	store_proposal_list(w->store, &w->arena, PROPOSALS_ALL, 0, &list);
	return list;
}

struct safe_tx_list world_safe_txs(struct govern_world *w, struct proposal_id id)
{
	struct safe_tx_list list;

	store_safe_tx_list(w->store, &w->arena, id, &list);
	return list;
}

struct world_alarms world_alarms(struct govern_world *w, const char *part)
{
	struct world_alarms alarms = {.text = "", .subject = ""};
	struct event_list events;

	store_event_list(w->store, &w->arena, 0, 100000, &events);
	for (size_t i = 0; i < events.count; i++) {
		const struct event_row *event = &events.items[i];
		if (strcmp(event->type, "alarm") != 0 || strstr(event->text, part) == NULL)
			continue;
		alarms.count++;
		alarms.text = event->text;
		alarms.subject = event->subject;
	}
	return alarms;
}

bool world_alarmed(struct govern_world *w, const char *part)
{
	return world_alarms(w, part).count > 0;
}

/* --- waiting ---------------------------------------------------------------------------------- */

struct lane *world_lane(struct govern_world *w)
{
	return govern_lane(w->govern, WORLD_CHAIN);
}

struct lane *world_first_look(struct govern_world *w)
{
	w->govern = govern_new(&w->parts);
	struct lane *lane = world_lane(w);

	for (int i = 0; i < STEPS && !lane->tracked; i++)
		world_run_for(w, STEP_MS);
	assert_true(lane->tracked);
	return lane;
}

void world_until_status(struct govern_world *w, struct measurement_id id,
                        enum measurement_status status)
{
	for (int i = 0; i < STEPS && world_measurement(w, id).status != status; i++)
		world_run_for(w, STEP_MS);
	assert_int_equal(world_measurement(w, id).status, status);
}

void world_until_state(struct govern_world *w, struct proposal_id id, enum proposal_state state)
{
	for (int i = 0; i < STEPS && world_proposal(w, id).state != state; i++)
		world_run_for(w, STEP_MS);
	assert_int_equal(world_proposal(w, id).state, state);
}

struct safe_tx_list world_until_safe_txs(struct govern_world *w, struct proposal_id id,
                                         size_t count)
{
	for (int i = 0; i < STEPS && world_safe_txs(w, id).count < count; i++)
		world_run_for(w, STEP_MS);
	assert_int_equal(world_safe_txs(w, id).count, count);
	return world_safe_txs(w, id);
}

struct world_alarms world_until_alarm(struct govern_world *w, const char *part)
{
	for (int i = 0; i < STEPS && world_alarms(w, part).count == 0; i++)
		world_run_for(w, STEP_MS);
	world_run_for(w, 5 * STEP_MS);
	assert_int_equal(world_alarms(w, part).count, 1);
	return world_alarms(w, part);
}

void assert_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no \"%s\" in \"%s\"", part, text);
}
