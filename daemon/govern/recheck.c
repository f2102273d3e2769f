#include "daemon/govern/recheck.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "common/store/store_event.h"
#include "common/store/store_finality.h"
#include "common/store/store_measurement.h"
#include "daemon/govern/adopt.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	struct measurement measurement;
	struct check_slot slot;
};

struct recheck {
	struct lane *lane;
	bool due;                      /* about everything */
	struct chain_op *op;           /* under way */
	struct arena arena;            /* of one round */
	struct seen_log_list upgrades; /* final ones that nobody has asked after yet */
	struct asked *asked;
	size_t count;
};

struct recheck *recheck_new(struct lane *lane)
{
	struct recheck *recheck = xcalloc(1, sizeof(*recheck));
	struct arena arena = {0};
	struct finality_row row;

	recheck->lane = lane;
	recheck->due =
	        store_finality_get(lane->parts->store, &arena, lane->config->chain_id, &row) == 0 &&
	        row.stage == FINALITY_RESUMED;
	arena_free(&arena);
	return recheck;
}

void recheck_free(struct recheck *recheck)
{
	if (recheck == NULL)
		return;
	chain_cancel(recheck->op);
	arena_free(&recheck->arena);
	free(recheck);
}

void recheck_begin(struct recheck *recheck)
{
	chain_cancel(recheck->op);
	recheck->op = NULL;
	recheck->due = true;
}

/* --- what the chain says now -------------------------------------------------------------------
 */

static void is_not_there(struct recheck *recheck, const struct measurement *m, const char *subject)
{
	struct lane *lane = recheck->lane;

	if (recheck->due) {
		store_measurement_set_status(
		        lane->parts->store, m->id, MEASUREMENT_HELD,
		        "a reorganisation of final blocks took its registration back");
		lane_alarm_once(lane, ALARM_FINAL_REPLACED, subject,
		                "it was authorized in blocks that were replaced, and is not now: "
		                "held until `registrarctl approve %s`",
		                subject);
	} else {
		store_measurement_set_status(lane->parts->store, m->id, MEASUREMENT_HELD,
		                             "the implementation of its registry changed, and does "
		                             "not have it authorized");
		lane_alarm_once(lane, ALARM_CODE_CONTRADICTS, subject,
		                "it was authorized, and is not since the implementation of its "
		                "registry changed: held until `registrarctl approve %s`",
		                subject);
	}
}

static void is_there_again(struct recheck *recheck, const struct measurement *m,
                           const char *subject)
{
	char value[HASH32_TEXT_SIZE];

	if (recheck->due)
		lane_alarm_once(recheck->lane, ALARM_FINAL_REPLACED, subject,
		                "it was removed in blocks that were replaced, and is authorized "
		                "again");
	else
		lane_alarm_once(recheck->lane, ALARM_CODE_CONTRADICTS, subject,
		                "it is revoked, and its registry, whose implementation changed, "
		                "has it authorized: `registrarctl revoke %s --target %s`",
		                hash32_text(value, &m->value), m->target);
}

static void judge(struct recheck *recheck, const struct asked *asked, enum check_answer answer)
{
	struct lane *lane = recheck->lane;
	const struct measurement *m = &asked->measurement;
	char subject[SUBJECT_SIZE];
	struct measurement now;

	/* Somebody may have decided otherwise while the chain was asked. */
	if (store_measurement_get(lane->parts->store, &recheck->arena, m->id, &now) != 0 ||
	    now.status != m->status)
		return;
	measurement_subject(subject, m->id);
	if (m->status == MEASUREMENT_AUTHORIZED && answer == CHECK_NO)
		is_not_there(recheck, m, subject);
	else if (m->status == MEASUREMENT_REVOKED && answer == CHECK_YES)
		is_there_again(recheck, m, subject);
}

static void answered(const struct error *error, const struct chain_read_result *results,
                     size_t count, void *arg)
{
	struct recheck *recheck = arg;
	struct lane *lane = recheck->lane;
	struct store *store = lane->parts->store;

	(void)count;
	recheck->op = NULL;
	if (error != NULL) {
		log_unusual(lane->config->name,
		            "what was authorized before cannot be asked for yet: %s", error->text);
		return; /* the next tick asks again */
	}
	store_begin(store);
	for (size_t i = 0; i < recheck->count; i++)
		judge(recheck, &recheck->asked[i],
		      check_answer_of(&recheck->asked[i].slot, results, NULL, NULL));
	for (size_t i = 0; i < recheck->upgrades.count; i++)
		store_log_acted(store, lane->config->chain_id, &recheck->upgrades.items[i]);
	if (recheck->due)
		store_finality_checked(store, lane->config->chain_id);
	store_commit(store);
	recheck->due = false;
	lane_changed(lane);
	lane_wake(lane);
}

/* --- what to ask -------------------------------------------------------------------------------
 */

/* What happened before the contract was followed is no news: each value was asked for since. */
static bool is_upgraded(const struct recheck *recheck, const struct address *contract)
{
	for (size_t i = 0; i < recheck->upgrades.count; i++)
		if (address_equal(&recheck->upgrades.items[i].address, contract) &&
		    adopt_is_news(recheck->lane, &recheck->upgrades.items[i]))
			return true;
	return false;
}

static void add_all(struct recheck *recheck, struct reads *reads,
                    const struct config_target *target, enum measurement_status status)
{
	struct measurement_filter filter = {.target = target->name, .status = status};
	struct measurement_list list;

	store_measurement_list(recheck->lane->parts->store, &recheck->arena, &filter, &list);
	struct asked *grown =
	        arena_array(&recheck->arena, recheck->count + list.count, sizeof(*grown));
	if (recheck->count > 0)
		memcpy(grown, recheck->asked, recheck->count * sizeof(*grown));
	recheck->asked = grown;
	for (size_t i = 0; i < list.count; i++) {
		struct asked *asked = &recheck->asked[recheck->count];
		struct registry_call call;
		if (registry_call_for(&call, target, list.items[i].kind) != 0 ||
		    (!recheck->due && !is_upgraded(recheck, &call.contract)))
			continue;
		asked->measurement = list.items[i];
		check_add(&asked->slot, reads, target->check, &call, &list.items[i].value);
		recheck->count++;
	}
}

void recheck_run(struct recheck *recheck)
{
	struct lane *lane = recheck->lane;
	const struct config *config = lane->parts->config;
	struct reads reads = {.arena = &recheck->arena};

	if (recheck->op != NULL || !lane->have_head || lane->stopped)
		return;
	arena_free(&recheck->arena);
	recheck->asked = NULL;
	recheck->count = 0;
	recheck->upgrades =
	        store_log_unacted(lane->parts->store, &recheck->arena, lane->config->chain_id,
	                          event_topic0(EVENT_UPGRADED), 1, lane->final.number);
	/* What an event explains is acted on first, and then asked for no more. */
	if (!recheck->due && (recheck->upgrades.count == 0 || lane_looks_at_others(lane)))
		return;
	for (size_t i = 0; i < config->target_count; i++) {
		if (config->targets[i].chain != lane->config)
			continue;
		add_all(recheck, &reads, &config->targets[i], MEASUREMENT_AUTHORIZED);
		add_all(recheck, &reads, &config->targets[i], MEASUREMENT_REVOKED);
	}
	if (reads.count == 0)
		answered(NULL, NULL, 0, recheck);
	else
		recheck->op = chain_read_many(lane->chain, &lane->final, reads.items, reads.count,
		                              answered, recheck);
}
