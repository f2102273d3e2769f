#include "daemon/govern/registry_watch.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"

#include <stdio.h>

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

/* A removal seen on chain is the last word: the intent becomes absent until a person says
 * otherwise. An addition is a fact, not a wish: it only shows that the value is there. */
static void act(struct lane *lane, const struct measurement *m, enum action action,
                const struct hash32 *tx)
{
	struct store *store = lane->parts->store;
	char hash[HASH32_TEXT_SIZE], reason[160];

	if (action == ACTION_REMOVE && m->status != MEASUREMENT_REVOKED) {
		snprintf(reason, sizeof(reason), "removed on chain in transaction %s",
		         hash32_text(hash, tx));
		store_measurement_set_wanted(store, m->id, false, reason);
		if (m->status != MEASUREMENT_PROPOSED)
			store_measurement_set_status(store, m->id, MEASUREMENT_REVOKED, reason);
	} else if (action == ACTION_ADD && m->wanted &&
	           (m->status == MEASUREMENT_NEW || m->status == MEASUREMENT_HELD)) {
		snprintf(reason, sizeof(reason), "added on chain in transaction %s",
		         hash32_text(hash, tx));
		store_measurement_set_status(store, m->id, MEASUREMENT_AUTHORIZED, reason);
	}
}

/* Every target of the lane whose contract for the kind is the one that spoke. */
static void apply_log(struct lane *lane, struct arena *arena, const struct seen_log *log,
                      const struct registry_topic *topic)
{
	const struct config *config = lane->parts->config;

	for (size_t t = 0; t < config->target_count; t++) {
		const struct config_target *target = &config->targets[t];
		if (target->chain != lane->config)
			continue;
		struct measurement_filter filter = {.target = target->name, .value = &log->key};
		struct measurement_list list;
		store_measurement_list(lane->parts->store, arena, &filter, &list);
		for (size_t i = 0; i < list.count; i++) {
			struct registry_call call;
			if (registry_call_for(&call, target, list.items[i].kind) == 0 &&
			    call.as == topic->kind && address_equal(&call.contract, &log->address))
				act(lane, &list.items[i], topic->action, &log->tx_hash);
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
	store_log_unacted(lane->parts->store, &arena, lane->config->chain_id, topics, count,
	                  lane->final.number, &logs);
	if (logs.count > 0) {
		store_begin(lane->parts->store);
		for (size_t i = 0; i < logs.count; i++) {
			struct registry_topic topic;
			if (find_topic(&topic, &logs.items[i].topic0))
				apply_log(lane, &arena, &logs.items[i], &topic);
			store_log_acted(lane->parts->store, lane->config->chain_id, &logs.items[i]);
		}
		store_commit(lane->parts->store);
		lane_changed(lane);
	}
	arena_free(&arena);
}
