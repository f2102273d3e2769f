/* What the chain has already: values in effect, operation ids in use, calls that others scheduled.
 */
#include "daemon/govern/draft.h"

#include "common/governance/timelock.h"
#include "daemon/govern/delay_log.h"
#include "daemon/govern/scheduled.h"

/* --- values ----------------------------------------------------------------------------------- */

enum check_answer draft_wanted(const struct candidate *candidate)
{
	return candidate->call.action == ACTION_ADD ? CHECK_YES : CHECK_NO;
}

void draft_ask_checks(struct draft *draft, struct reads *reads, bool final)
{
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		struct registry_call call = {.contract = c->call.to, .as = c->call.kind};
		if (c->dropped || (final && c->head != draft_wanted(c)))
			continue;
		check_add(final ? &c->final_check : &c->check, reads, draft->target->check, &call,
		          &c->call.value);
	}
}

bool draft_take_checks(struct draft *draft, const struct chain_read_result *results)
{
	char subject[SUBJECT_SIZE];
	bool any = false;

	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		bool disagree;
		if (c->dropped)
			continue;
		c->head = check_answer_of(&c->check, results, NULL, &disagree);
		any |= c->head == draft_wanted(c);
		if (disagree)
			lane_alarm(draft->lane, ALARM_CHECKS_DISAGREE,
			           measurement_subject(subject, c->measurement.id),
			           "isAuthorized and the mapping of its contract disagree");
		else
			lane_alarm_clear(draft->lane, ALARM_CHECKS_DISAGREE,
			                 measurement_subject(subject, c->measurement.id));
	}
	return any;
}

void draft_take_final_checks(struct draft *draft, const struct chain_read_result *results)
{
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		if (!c->dropped && c->head == draft_wanted(c))
			c->final = check_answer_of(&c->final_check, results, NULL, NULL);
	}
}

static void record_there(struct store *store, const struct candidate *c)
{
	if (c->call.action == ACTION_ADD)
		store_measurement_set_status(store, c->measurement.id, MEASUREMENT_AUTHORIZED,
		                             "already authorized on chain");
	else
		store_measurement_set_status(store, c->measurement.id, MEASUREMENT_REVOKED,
		                             "not authorized on chain any more");
}

/* Its addition ran in blocks that the node asked now does not have yet, or still may run. */
static bool may_come(struct draft *draft, const struct candidate *c)
{
	return c->call.action == ACTION_REMOVE &&
	       gather_is_being_added(draft->lane, &draft->arena, &c->call, STATE_CONFIRMED);
}

void draft_settle(struct draft *draft)
{
	static const char no_check[] = "the contract answers no check for it: is its address right "
	                               "in the configuration?";
	struct lane *lane = draft->lane;
	struct store *store = lane->parts->store;
	char subject[SUBJECT_SIZE];

	store_begin(store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		bool there = c->head == draft_wanted(c);
		if (c->dropped || (c->head != CHECK_UNKNOWN && !there))
			continue;
		c->dropped = draft->reduced = true;
		if (c->head == CHECK_UNKNOWN) {
			store_measurement_set_status(store, c->measurement.id, MEASUREMENT_HELD,
			                             no_check);
			lane_alarm_once(lane, ALARM_NO_CHECK,
			                measurement_subject(subject, c->measurement.id),
			                "not proposed: %s", no_check);
		} else if (c->final == draft_wanted(c) && !may_come(draft, c)) {
			record_there(store, c);
		} else {
			c->waits = true; /* on chain but not final yet: looked at again */
		}
	}
	store_commit(store);
	if (draft->reduced)
		lane_changed(lane);
}

/* --- the way ---------------------------------------------------------------------------------- */

static void ask_attempts(struct draft *draft, struct reads *reads)
{
	struct hash32 id;

	for (unsigned i = 0; i < DRAFT_ATTEMPTS; i++) {
		draft_set_attempt(draft, draft->first_attempt + i);
		path_operation_id(&id, &draft->path);
		draft->attempt_reads[i] = reads_add_timestamp(reads, &draft->path.timelock, &id);
	}
}

static void find_attempt(struct draft *draft, const struct chain_read_result *results)
{
	draft->attempt_seen = ATTEMPT_TAKEN;
	for (unsigned i = 0; i < DRAFT_ATTEMPTS; i++) {
		uint64_t timestamp;
		if (reads_timestamp(&timestamp, &results[draft->attempt_reads[i]]) != 0) {
			draft->attempt_seen = ATTEMPT_UNKNOWN;
			return;
		}
		if (timestamp != TIMELOCK_TIMESTAMP_DONE) {
			draft->attempt_seen = timestamp == TIMELOCK_TIMESTAMP_UNSET
			                              ? ATTEMPT_FOUND
			                              : ATTEMPT_PENDING;
			draft_set_attempt(draft, draft->first_attempt + i);
			return;
		}
	}
}

void draft_ask_way(struct draft *draft, struct reads *reads)
{
	owner_ask(&draft->owners, reads, draft->target);
	switch (path_caller(draft->path.model)) {
	case PATH_TIMELOCK:
		draft->delay_read = reads_add_view(reads, &draft->path.timelock, VIEW_MIN_DELAY);
		ask_attempts(draft, reads);
		break;
	case PATH_SAFE:
		draft->version_read = reads_add_view(reads, &draft->path.safe, VIEW_SAFE_VERSION);
		break;
	case PATH_OWNER:
		for (size_t i = 0; i < draft->count; i++)
			if (!draft->items[i].dropped)
				draft->facts[i].owner_read =
				        reads_add_view(reads, &draft->items[i].call.to, VIEW_OWNER);
		break;
	case PATH_AVATAR:
		draft->version_read = reads_add_view(reads, &draft->path.avatar, VIEW_SAFE_VERSION);
		draft->enqueuer_read =
		        reads_add_view(reads, &draft->target->safe, VIEW_SAFE_VERSION);
		draft->delay_read =
		        reads_add_view(reads, &draft->path.timelock, VIEW_DELAY_COOLDOWN);
		draft->queue_read = reads_add_view(reads, &draft->path.timelock, VIEW_DELAY_NONCE);
		break;
	case PATH_PROPOSER:
	case PATH_EXECUTOR:
	case PATH_ENQUEUER:
	case PATH_ANYBODY:
		die("no registry is called by %s",
		    path_account_name(path_caller(draft->path.model)));
	}
}

static int take_version(struct draft *draft, const struct chain_read_result *result,
                        struct error *error)
{
	char *text;

	if (!result->success || view_text(&draft->arena, &text, result->returned) != 0)
		return error_set(error, ERR_INVALID,
		                 "the Safe does not answer %s: is its address right in the "
		                 "configuration?",
		                 view_signature(VIEW_SAFE_VERSION));
	return safe_version_parse(&draft->safe_version, text, error);
}

static int take_owners(struct draft *draft, const struct chain_read_result *results,
                       struct error *error)
{
	char contract[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < draft->count; i++) {
		struct draft_call_facts *facts = &draft->facts[i];
		if (draft->items[i].dropped)
			continue;
		const struct chain_read_result *result = &results[facts->owner_read];
		if (!result->success || view_address(&facts->owner, result->returned) != 0)
			return error_set(error, ERR_INVALID,
			                 "the contract %s does not answer owner()",
			                 address_text(contract, &draft->items[i].call.to));
	}
	return 0;
}

/* The module's queue, and whether who adds to it is a Safe: what is none sends by itself. */
static int take_module(struct draft *draft, const struct chain_read_result *results,
                       struct error *error)
{
	const struct chain_read_result *enqueuer = &results[draft->enqueuer_read];
	enum safe_version version;
	char *text;
	bool is_safe = enqueuer->success &&
	               view_text(&draft->arena, &text, enqueuer->returned) == 0 &&
	               safe_version_parse(&version, text, NULL) == 0;

	draft->path.safe = is_safe ? draft->target->safe : (struct address){0};
	draft->delay_known = reads_u64(&draft->path.delay, &results[draft->delay_read]) == 0;
	if (!draft->delay_known || reads_u64(&draft->queue_next, &results[draft->queue_read]) != 0)
		return error_set(error, ERR_UNAVAILABLE,
		                 "the Delay module does not answer txCooldown and txNonce: is its "
		                 "address right in the configuration?");
	return take_version(draft, &results[draft->version_read], error);
}

int draft_take_way(struct draft *draft, const struct chain_read_result *results,
                   struct error *error)
{
	*error = (struct error){0};
	draft->foreign_owner = owner_judge(&draft->owners, &draft->arena, draft->target, results);
	switch (path_caller(draft->path.model)) {
	case PATH_TIMELOCK:
		draft->delay_known =
		        reads_u64(&draft->path.delay, &results[draft->delay_read]) == 0;
		find_attempt(draft, results);
		return 0;
	case PATH_SAFE:
		return take_version(draft, &results[draft->version_read], error);
	case PATH_OWNER:
		return take_owners(draft, results, error);
	case PATH_AVATAR:
		return take_module(draft, results, error);
	case PATH_PROPOSER:
	case PATH_EXECUTOR:
	case PATH_ENQUEUER:
	case PATH_ANYBODY:
		break;
	}
	die("no registry is called by %s", path_account_name(path_caller(draft->path.model)));
}

bool draft_stopped_by_owner(struct draft *draft)
{
	struct lane *lane = draft->lane;
	const char *target = draft->target->name;

	if (draft->foreign_owner == NULL) {
		lane_alarm_clear(lane, ALARM_OWNER_ELSEWHERE, target);
		return false;
	}
	lane_alarm(lane, ALARM_OWNER_ELSEWHERE, target,
	           "nothing is drafted: %s; it goes on by itself once the owner is right",
	           draft->foreign_owner);
	store_begin(lane->parts->store);
	for (size_t i = 0; i < draft->count; i++) {
		struct candidate *c = &draft->items[i];
		/* What waits for its first draft shows why; it is not held, for nobody here can or
		 * need decide anything. */
		if (!c->dropped && c->measurement.status == MEASUREMENT_NEW)
			store_measurement_set_status(lane->parts->store, c->measurement.id,
			                             MEASUREMENT_NEW, draft->foreign_owner);
		c->dropped = true;
	}
	store_commit(lane->parts->store);
	lane_changed(lane);
	return true;
}

bool draft_set_owners_apart(struct draft *draft)
{
	const struct address *owner = NULL;

	if (path_caller(draft->path.model) != PATH_OWNER)
		return false;
	for (size_t i = 0; i < draft->count; i++) {
		if (draft->items[i].dropped)
			continue;
		if (owner == NULL)
			owner = &draft->facts[i].owner;
		else if (!address_equal(owner, &draft->facts[i].owner))
			draft->items[i].dropped = draft->reduced = true;
	}
	return draft->reduced;
}

/* --- operations ------------------------------------------------------------------------------- */

static struct delay_log log_of(const struct draft *draft)
{
	return (struct delay_log){
	        .store = draft->lane->parts->store,
	        .chain_id = draft->lane->config->chain_id,
	        .module = &draft->path.timelock,
	};
}

void draft_find_entry(struct draft *draft)
{
	const struct delay_log of = log_of(draft);
	struct delay_added added;
	struct hash32 hash;

	path_operation_id(&hash, &draft->path);
	draft->attempt_seen = delay_added_find(&added, &of, &draft->arena, &hash, 0) == 0 &&
	                                      added.nonce >= draft->queue_next
	                              ? ATTEMPT_PENDING
	                              : ATTEMPT_FOUND;
}

/* Nothing of the candidates is the batch that the timelock has, but it has all of their calls. */
static void hold_scheduled(struct draft *draft, const struct hash32 *operation)
{
	bool entry = draft->path.model == MODEL_DELAY;
	char hash[HASH32_TEXT_SIZE];

	draft_hold(draft, ALARM_SCHEDULED_ELSEWHERE,
	           arena_printf(&draft->arena,
	                        "%s %s of the %s, which is not ours, makes its call already",
	                        entry ? "entry" : "operation", hash32_text(hash, operation),
	                        entry ? "Delay module" : "timelock"));
}

static bool is_elsewhere(struct draft *draft, const struct contract_call *call,
                         struct hash32 *operation)
{
	const struct delay_log of = log_of(draft);

	if (draft->path.model == MODEL_DELAY)
		return delay_elsewhere(&of, &draft->arena, draft->queue_next, call, operation);
	return scheduled_elsewhere(draft->lane, &draft->arena, &draft->path.timelock, call, NULL,
	                           operation);
}

bool draft_set_apart(struct draft *draft)
{
	struct hash32 *operations = arena_array(&draft->arena, draft->count, sizeof(*operations));
	const struct hash32 *keep = NULL;
	bool apart = false, some_free = false;

	/* Others asked for it meanwhile, may just have, or people decided. */
	if (!draft_still_wanted(draft) || lane_looks_at_others(draft->lane)) {
		for (size_t i = 0; i < draft->count; i++)
			draft->items[i].dropped = true;
		return true;
	}
	for (size_t i = 0; i < draft->count; i++) {
		const struct candidate *c = &draft->items[i];
		struct contract_call call = {.to = c->call.to, .data = c->call.data};
		operations[i] = (struct hash32){0};
		if (c->dropped)
			continue;
		if (!is_elsewhere(draft, &call, &operations[i]))
			some_free = true;
		else if (keep == NULL)
			keep = &operations[i];
	}
	if (keep == NULL)
		return false;
	const struct hash32 kept_operation = some_free ? (struct hash32){0} : *keep;
	for (size_t i = 0; i < draft->count; i++)
		if (!draft->items[i].dropped && !hash32_equal(&operations[i], &kept_operation))
			draft->items[i].dropped = apart = true;
	if (!apart)
		hold_scheduled(draft, &kept_operation);
	return true;
}
