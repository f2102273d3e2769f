#include "daemon/govern/registry_watch.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_proposal.h"

#include <stdio.h>
#include <string.h>

static const enum kind kinds[] = {KIND_OS_IMAGE, KIND_COMPOSE, KIND_KMS_MR, KIND_KMS_DEVICE,
                                  KIND_DEVICE};

struct registry_topic {
	enum kind kind;
	enum action action;
};

static bool find_topic(struct registry_topic *out, const struct hash32 *topic0)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (enum action action = ACTION_ADD; action <= ACTION_REMOVE; action++)
			if (hash32_equal(topic0, event_registry_topic0(kinds[i], action))) {
				*out = (struct registry_topic){kinds[i], action};
				return true;
			}
	return false;
}

/* One event of a registry that became final, and what it is about. */
struct spoken {
	struct lane *lane;
	struct arena *arena;
	const struct seen_log *log;
	struct registry_topic topic;
};

static bool is_later(const struct seen_log *a, const struct seen_log *b)
{
	return a->block_number > b->block_number ||
	       (a->block_number == b->block_number && a->log_index > b->log_index);
}

/* The last final log of this kind comes after the event. */
static bool followed_by(const struct spoken *spoken, const struct address *contract,
                        const struct hash32 *topic0, const struct hash32 *key)
{
	const struct lane *lane = spoken->lane;
	struct seen_log_list logs;

	logs = store_log_find(lane->parts->store, spoken->arena, lane->config->chain_id, contract,
	                      topic0, key);
	while (logs.count > 0 && logs.items[logs.count - 1].block_number > lane->final.number)
		logs.count--;
	return logs.count > 0 && is_later(&logs.items[logs.count - 1], spoken->log);
}

/* History is read downwards beside the ticks: the last event decides, not the one read last. */
static bool superseded(const struct spoken *spoken)
{
	enum action opposite = spoken->topic.action == ACTION_ADD ? ACTION_REMOVE : ACTION_ADD;

	return followed_by(spoken, &spoken->log->address,
	                   event_registry_topic0(spoken->topic.kind, opposite), &spoken->log->key);
}

/* A removal of what a live proposal adds: undone after its execution, or only before it? */
static bool undoes_live_call(const struct spoken *spoken)
{
	struct lane *lane = spoken->lane;
	struct proposal proposal;
	struct proposal_id live;
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, spoken->topic.kind, ACTION_ADD, &spoken->log->key);
	return store_call_live(lane->parts->store, lane->config->chain_id, &spoken->log->address,
	                       bytes_of(data, sizeof(data)), &live) == 0 &&
	       store_proposal_get(lane->parts->store, spoken->arena, live, &proposal) == 0 &&
	       proposal.state == STATE_EXECUTED &&
	       !followed_by(spoken, &proposal.timelock, event_topic0(EVENT_CALL_EXECUTED),
	                    &proposal.operation_id);
}

/* A removal seen on chain is the last word: the intent becomes absent until a person says
 * otherwise. Who has approved the value since then, and waits for it to be added, has. */
static void act_on_removal(const struct spoken *spoken, const struct measurement *m)
{
	struct store *store = spoken->lane->parts->store;
	bool waits = m->status == MEASUREMENT_NEW || m->status == MEASUREMENT_PROPOSED;
	bool undoes = m->status == MEASUREMENT_PROPOSED && undoes_live_call(spoken);
	char hash[HASH32_TEXT_SIZE], reason[160], subject[SUBJECT_SIZE];

	/* What others removed may have been confirmed as theirs before it was looked at here. */
	if ((m->status == MEASUREMENT_REVOKED && !m->wanted) || (waits && m->approved && !undoes))
		return;
	snprintf(reason, sizeof(reason), "removed on chain in transaction %s",
	         hash32_text(hash, &spoken->log->tx_hash));
	if (m->wanted)
		lane_alarm_once(spoken->lane, ALARM_REMOVED_ON_CHAIN,
		                measurement_subject(subject, m->id), "%s", reason);
	store_measurement_set_wanted(store, m->id, false, reason);
	if (m->status != MEASUREMENT_PROPOSED || undoes)
		store_measurement_set_status(store, m->id, MEASUREMENT_REVOKED, reason);
}

/* An addition is a fact, not a wish: it only shows that the value is there. */
static void act_on_addition(const struct spoken *spoken, const struct measurement *m)
{
	char hash[HASH32_TEXT_SIZE], reason[160];

	if (!m->wanted || (m->status != MEASUREMENT_NEW && m->status != MEASUREMENT_HELD))
		return;
	snprintf(reason, sizeof(reason), "added on chain in transaction %s",
	         hash32_text(hash, &spoken->log->tx_hash));
	store_measurement_set_status(spoken->lane->parts->store, m->id, MEASUREMENT_AUTHORIZED,
	                             reason);
}

/* Every target of the lane whose contract for the kind is the one that spoke. */
static void apply(const struct spoken *spoken)
{
	const struct lane *lane = spoken->lane;
	const struct config *config = lane->parts->config;
	const struct seen_log *log = spoken->log;

	for (size_t t = 0; t < config->target_count; t++) {
		const struct config_target *target = &config->targets[t];
		if (target->chain != lane->config)
			continue;
		struct measurement_filter filter = {.target = target->name, .value = &log->key};
		struct measurement_list list;
		store_measurement_list(lane->parts->store, spoken->arena, &filter, &list);
		for (size_t i = 0; i < list.count; i++) {
			struct registry_call call;
			if (registry_call_for(&call, target, list.items[i].kind) != 0 ||
			    call.as != spoken->topic.kind ||
			    !address_equal(&call.contract, &log->address))
				continue;
			if (spoken->topic.action == ACTION_REMOVE)
				act_on_removal(spoken, &list.items[i]);
			else
				act_on_addition(spoken, &list.items[i]);
		}
	}
}

void registry_watch_run(struct lane *lane)
{
	struct hash32 topics[2 * ARRAY_LEN(kinds)];
	struct arena arena = {0};
	struct seen_log_list logs;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		for (enum action action = ACTION_ADD; action <= ACTION_REMOVE; action++)
			topics[count++] = *event_registry_topic0(kinds[i], action);
	logs = store_log_unacted(lane->parts->store, &arena, lane->config->chain_id, topics, count,
	                         lane->final.number);
	if (logs.count > 0) {
		store_begin(lane->parts->store);
		for (size_t i = 0; i < logs.count; i++) {
			struct spoken spoken = {
			        .lane = lane, .arena = &arena, .log = &logs.items[i]};
			if (find_topic(&spoken.topic, &logs.items[i].topic0) &&
			    !superseded(&spoken))
				apply(&spoken);
			store_log_acted(lane->parts->store, lane->config->chain_id, &logs.items[i]);
		}
		store_commit(lane->parts->store);
		lane_changed(lane);
	}
	arena_free(&arena);
}

/* --- what is held and was decided on chain already ----------------------------------------------
 */

/* The last final event about the value, in *last; false when there is none. */
static bool last_event(struct lane *lane, struct arena *arena, const struct registry_call *call,
                       const struct measurement *m, struct seen_log *last)
{
	struct seen_log_list logs;
	bool found = false;

	for (enum action action = ACTION_ADD; action <= ACTION_REMOVE; action++) {
		logs = store_log_find(lane->parts->store, arena, lane->config->chain_id,
		                      &call->contract, event_registry_topic0(call->as, action),
		                      &m->value);
		for (size_t i = 0; i < logs.count; i++) {
			if (logs.items[i].block_number > lane->final.number ||
			    (found && !is_later(&logs.items[i], last)))
				continue;
			*last = logs.items[i];
			found = true;
		}
	}
	return found;
}

static bool is_held_for_evidence(const struct measurement *m)
{
	return m->wanted && m->reason != NULL &&
	       strncmp(m->reason, MEASUREMENT_HELD_FOR_EVIDENCE,
	               strlen(MEASUREMENT_HELD_FOR_EVIDENCE)) == 0;
}

void registry_watch_held(struct lane *lane)
{
	struct measurement_filter filter = {.status = MEASUREMENT_HELD};
	struct store *store = lane->parts->store;
	struct measurement_list list;
	struct arena arena = {0};

	if (!lane->have_head)
		return;
	store_measurement_list(store, &arena, &filter, &list);
	if (list.count == 0 || list.items[list.count - 1].id.n <= lane->held_seen) {
		arena_free(&arena);
		return;
	}
	store_begin(store);
	for (size_t i = 0; i < list.count; i++) {
		const struct measurement *m = &list.items[i];
		const struct config_target *target = lane_target(lane, m->target);
		struct registry_call call;
		struct seen_log last;
		struct spoken spoken = {.lane = lane, .arena = &arena, .log = &last};

		if (m->id.n <= lane->held_seen)
			continue;
		lane->held_seen = m->id.n;
		if (target == NULL || target->chain != lane->config || !is_held_for_evidence(m) ||
		    registry_call_for(&call, target, m->kind) != 0 ||
		    !last_event(lane, &arena, &call, m, &last) ||
		    !find_topic(&spoken.topic, &last.topic0))
			continue;
		if (spoken.topic.action == ACTION_REMOVE)
			act_on_removal(&spoken, m);
		else
			act_on_addition(&spoken, m);
	}
	store_commit(store);
	arena_free(&arena);
}
