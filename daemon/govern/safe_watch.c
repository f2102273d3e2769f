#include "daemon/govern/safe_watch.h"

#include "common/governance/events.h"
#include "common/store/store_chain.h"

#include <inttypes.h>

static const enum event_type watched[] = {
        EVENT_SAFE_OWNER_ADDED, EVENT_SAFE_OWNER_REMOVED, EVENT_SAFE_THRESHOLD,
        EVENT_SAFE_GUARD,       EVENT_SAFE_MODULE_GUARD,  EVENT_SAFE_FALLBACK,
        EVENT_SAFE_SINGLETON,   EVENT_MODULE_ENABLED,     EVENT_MODULE_DISABLED,
};

/* What the logs of one transaction say about one Safe. */
struct told {
	struct lane *lane;
	struct arena *arena;
	const struct config_target *target; /* one of those that use the Safe */
	const struct seen_log *log;         /* the first of them */
};

/* A target of the lane with this Safe, NULL if none: the event is of some other contract. */
static const struct config_target *target_of(const struct lane *lane, const struct address *safe)
{
	const struct config *config = lane->parts->config;

	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		if (target->chain == lane->config && target->has_safe &&
		    (address_equal(&target->safe, safe) || address_equal(&target->avatar, safe)))
			return target;
	}
	return NULL;
}

static bool is_signers(enum event_type type)
{
	return type == EVENT_SAFE_OWNER_ADDED || type == EVENT_SAFE_OWNER_REMOVED ||
	       type == EVENT_SAFE_THRESHOLD;
}

static bool read_log(struct event *out, const struct seen_log *log)
{
	return event_decode_stored(out, &log->address, &log->topic0, log->data) == 0;
}

/* --- who did it ---------------------------------------------------------------------------------
 */

/* The Safe's own execution, or the module that made it act, in the same transaction. */
static const char *cause_of(const struct told *told, const struct seen_log_list *logs)
{
	char text[HASH32_TEXT_SIZE], module[ADDRESS_TEXT_SIZE], tx[HASH32_TEXT_SIZE];

	hash32_text(tx, &told->log->tx_hash);
	for (size_t i = 0; i < logs->count; i++) {
		const struct seen_log *log = &logs->items[i];
		struct event event;
		if (!address_equal(&log->address, &told->log->address) || !read_log(&event, log))
			continue;
		if (event.type == EVENT_MODULE_SUCCESS)
			return arena_printf(told->arena, "by module %s in transaction %s",
			                    address_text(module, &event.account), tx);
		if (event.type == EVENT_SAFE_SUCCESS)
			return arena_printf(told->arena, "by safeTxHash %s in transaction %s",
			                    hash32_text(text, &event.safe.safe_tx_hash), tx);
	}
	return arena_printf(told->arena, "in transaction %s", tx);
}

/* --- in words -----------------------------------------------------------------------------------
 */

static const char *signers_text(const struct told *told, const struct event *event)
{
	char text[ADDRESS_TEXT_SIZE];

	if (event->type == EVENT_SAFE_THRESHOLD)
		return arena_printf(told->arena, "the threshold is %" PRIu64, event->number);
	return arena_printf(told->arena, "owner %s %s", address_text(text, &event->account),
	                    event->type == EVENT_SAFE_OWNER_ADDED ? "added" : "removed");
}

/* Everything that the transaction changed about who signs, in one sentence. */
static const char *all_signers_text(const struct told *told, const struct seen_log_list *logs)
{
	const char *all = NULL;

	for (size_t i = 0; i < logs->count; i++) {
		const struct seen_log *log = &logs->items[i];
		struct event event;
		if (!address_equal(&log->address, &told->log->address) || !read_log(&event, log) ||
		    !is_signers(event.type))
			continue;
		const char *one = signers_text(told, &event);
		all = all == NULL ? one : arena_printf(told->arena, "%s, %s", all, one);
	}
	return all;
}

struct wording {
	enum alarm alarm;
	const char *set, *unset; /* the account follows `set` */
};

static struct wording wording_of(enum event_type type)
{
	if (type == EVENT_SAFE_GUARD)
		return (struct wording){ALARM_GUARD_CHANGED, "every transaction now passes guard",
		                        "it has no guard any more"};
	if (type == EVENT_SAFE_MODULE_GUARD)
		return (struct wording){ALARM_GUARD_CHANGED,
		                        "every module transaction now passes guard",
		                        "it has no module guard any more"};
	if (type == EVENT_MODULE_ENABLED)
		return (struct wording){ALARM_MODULE_CHANGED,
		                        "it can be made to act without its owners by module", ""};
	if (type == EVENT_MODULE_DISABLED)
		return (struct wording){ALARM_MODULE_CHANGED, "it does not obey any more module",
		                        ""};
	if (type == EVENT_SAFE_SINGLETON)
		return (struct wording){ALARM_SAFE_CODE_CHANGED, "its code is now at", ""};
	return (struct wording){ALARM_SAFE_CODE_CHANGED,
	                        "calls it does not know are answered by handler",
	                        "it has no fallback handler any more"};
}

static void tell(const struct told *told, const struct event *event)
{
	char safe[ADDRESS_TEXT_SIZE], account[ADDRESS_TEXT_SIZE];
	struct seen_log_list logs;

	logs = store_log_of_tx(told->lane->parts->store, told->arena, told->lane->config->chain_id,
	                       told->log);
	const char *cause = cause_of(told, &logs);
	address_text(safe, &told->log->address);
	if (is_signers(event->type)) {
		lane_alarm_once(told->lane, ALARM_SIGNERS_CHANGED, told->target->name,
		                "Safe %s: %s, %s; what waits for signatures is counted again", safe,
		                all_signers_text(told, &logs), cause);
		return;
	}
	struct wording wording = wording_of(event->type);
	if (address_is_zero(&event->account) && wording.unset[0] != '\0')
		lane_alarm_once(told->lane, wording.alarm, told->target->name, "Safe %s: %s, %s",
		                safe, wording.unset, cause);
	else
		lane_alarm_once(told->lane, wording.alarm, told->target->name, "Safe %s: %s %s, %s",
		                safe, wording.set, address_text(account, &event->account), cause);
}

/* --- the look -----------------------------------------------------------------------------------
 */

/* The transaction's changes of signers are told with the first of them. */
static bool told_before(const struct seen_log_list *logs, size_t index)
{
	const struct seen_log *log = &logs->items[index];
	struct event event;

	for (size_t i = index; i-- > 0;) {
		const struct seen_log *earlier = &logs->items[i];
		if (hash32_equal(&earlier->tx_hash, &log->tx_hash) &&
		    hash32_equal(&earlier->block_hash, &log->block_hash) &&
		    address_equal(&earlier->address, &log->address) && read_log(&event, earlier) &&
		    is_signers(event.type))
			return true;
	}
	return false;
}

static void look_at(struct lane *lane, struct arena *arena, const struct seen_log_list *logs,
                    size_t index)
{
	struct store *store = lane->parts->store;
	const struct seen_log *log = &logs->items[index];
	const struct config_target *target = target_of(lane, &log->address);
	struct told told = {.lane = lane, .arena = arena, .target = target, .log = log};
	struct event event;
	uint64_t since;

	/* What is older than our watch is how people set the Safe up. */
	if (target == NULL || !read_log(&event, log) ||
	    store_watched_since(store, lane->config->chain_id, &log->address, &since) != 0 ||
	    log->block_number < since)
		return;
	if (is_signers(event.type) && told_before(logs, index))
		return;
	tell(&told, &event);
}

void safe_watch_run(struct lane *lane)
{
	struct store *store = lane->parts->store;
	struct hash32 topics[ARRAY_LEN(watched)];
	struct arena arena = {0};
	struct seen_log_list logs;

	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		topics[i] = *event_topic0(watched[i]);
	logs = store_log_unacted(store, &arena, lane->config->chain_id, topics, ARRAY_LEN(topics),
	                         lane->head.number);
	if (logs.count > 0) {
		store_begin(store);
		for (size_t i = 0; i < logs.count; i++) {
			look_at(lane, &arena, &logs, i);
			store_log_acted(store, lane->config->chain_id, &logs.items[i]);
		}
		store_commit(store);
		lane_changed(lane);
	}
	arena_free(&arena);
}
