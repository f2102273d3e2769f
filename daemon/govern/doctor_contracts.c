/* What one multicall tells about a target's contracts: getters, owners, the Safe, the timelock. */
#include "daemon/govern/doctor.h"

#include "common/governance/cast.h"
#include "common/governance/multisend.h"
#include "common/governance/path.h"
#include "common/governance/timelock.h"
#include "daemon/govern/proposers.h"

#include <string.h>

/* A registry contract: which one, and where the answers about it stand. */
struct registry_slot {
	const char *name; /* "kms", "app" */
	const char *check_name;
	struct address address;
	struct check_slot check;
};

struct target_slots {
	struct registry_slot registries[2];
	size_t registry_count;
	struct safe_slot safe;
	size_t version;
	size_t min_delay;
	size_t safe_proposes, safe_executes, anybody_executes;
	size_t key_proposes, key_cancels, key_executes; /* the executor key */
	struct scheduler_slots {
		size_t proposes, executes, cancels, administers, administers_v4;
	} scheduler;
};

/* --- asking -----------------------------------------------------------------------------------
 */

static void ask_registry(struct target_exam *target, struct reads *reads,
                         struct registry_slot registry, enum kind kind)
{
	struct target_slots *slots = target->slots;
	const struct hash32 zero = {0};
	const struct registry_call call = {.contract = registry.address, .as = kind};

	/* Both getters, whatever the configuration says: doctor shows which there are. */
	check_add(&registry.check, reads, CHECK_MODE_AUTO, &call, &zero);
	slots->registries[slots->registry_count++] = registry;
}

static void ask_timelock(struct target_exam *target, struct reads *reads)
{
	const struct config_target *config = target->target;
	const struct address nobody = {0}, *timelock = &config->timelock;
	struct target_slots *slots = target->slots;

	slots->min_delay = reads_add_view(reads, timelock, VIEW_MIN_DELAY);
	slots->anybody_executes =
	        reads_add_has_role(reads, timelock, &timelock_role_executor, &nobody);
	if (config->has_safe) {
		slots->safe_proposes =
		        reads_add_has_role(reads, timelock, &timelock_role_proposer, &config->safe);
		slots->safe_executes =
		        reads_add_has_role(reads, timelock, &timelock_role_executor, &config->safe);
	}
	if (target->has_executor) {
		const struct address *key = &target->executor;
		slots->key_proposes =
		        reads_add_has_role(reads, timelock, &timelock_role_proposer, key);
		slots->key_cancels =
		        reads_add_has_role(reads, timelock, &timelock_role_canceller, key);
		slots->key_executes =
		        reads_add_has_role(reads, timelock, &timelock_role_executor, key);
	}
}

static void ask_scheduler(struct target_exam *target, struct reads *reads)
{
	const struct address *timelock = &target->target->timelock, *key = &target->scheduler;

	target->slots->scheduler = (struct scheduler_slots){
	        .proposes = reads_add_has_role(reads, timelock, &timelock_role_proposer, key),
	        .executes = reads_add_has_role(reads, timelock, &timelock_role_executor, key),
	        .cancels = reads_add_has_role(reads, timelock, &timelock_role_canceller, key),
	        .administers =
	                reads_add_has_role(reads, timelock, &timelock_role_default_admin, key),
	        .administers_v4 = reads_add_has_role(reads, timelock, &timelock_role_admin_v4, key),
	};
}

void contracts_ask(struct target_exam *target, struct reads *reads)
{
	const struct config_target *config = target->target;

	target->slots = arena_alloc(&target->exam.arena, sizeof(*target->slots));
	ask_registry(target, reads,
	             (struct registry_slot){
	                     .name = "kms", .check_name = "kms check", .address = config->kms},
	             KIND_OS_IMAGE);
	if (config->has_app)
		ask_registry(target, reads,
		             (struct registry_slot){.name = "app",
		                                    .check_name = "app check",
		                                    .address = config->app},
		             KIND_COMPOSE);
	owners_ask(target, reads);
	if (config->has_safe) {
		target->slots->safe = safe_view_ask(reads, &config->safe);
		target->slots->version = reads_add_view(reads, &config->safe, VIEW_SAFE_VERSION);
	}
	if (config->model == MODEL_DELAY)
		delay_exam_ask(target, reads);
	else if (config->has_timelock)
		ask_timelock(target, reads);
	if (target->has_scheduler)
		ask_scheduler(target, reads);
}

/* --- getters ----------------------------------------------------------------------------------
 */

static bool answers(size_t slot, const struct chain_read_result *results)
{
	return results[slot].success && check_answer_parse(results[slot].returned) != CHECK_UNKNOWN;
}

static void judge_check(struct target_exam *target, const struct registry_slot *registry,
                        const struct chain_read_result *results)
{
	struct exam *exam = &target->exam;
	struct row row = {registry->check_name, FINDING_OK, ""};
	bool direct = answers(registry->check.is_authorized, results);
	bool mapping = answers(registry->check.mapping, results);
	enum check_mode mode = target->target->check;
	const char *getter = kind_getter_signature(registry->check.kind);
	bool disagree;

	(void)check_answer_of(&registry->check, results, NULL, &disagree);
	if (!direct && !mapping) {
		row.result = FINDING_FAILURE;
		row.fix = arena_printf(
		        &exam->arena,
		        "Set `%s` of the target to the registry's proxy: without a getter "
		        "nothing can be confirmed.",
		        registry->name);
		exam_row(exam, row, "neither %s nor %s answers", IS_AUTHORIZED_SIGNATURE, getter);
	} else if (disagree) {
		row.result = FINDING_FAILURE;
		row.fix = "Ask who maintains the contract which getter is right, and set `check` "
		          "to it.";
		exam_row(exam, row, "%s and %s disagree", IS_AUTHORIZED_SIGNATURE, getter);
	} else if ((mode == CHECK_MODE_IS_AUTHORIZED && !direct) ||
	           (mode == CHECK_MODE_MAPPING && !mapping)) {
		row.result = FINDING_FAILURE;
		row.fix = "Set `check: auto`, which takes the getter that is there.";
		exam_row(exam, row, "only %s answers, and `check` asks for the other one",
		         direct ? IS_AUTHORIZED_SIGNATURE : getter);
	} else {
		exam_row(exam, row, "%s%s%s", direct ? IS_AUTHORIZED_SIGNATURE : "",
		         direct && mapping ? " and " : "", mapping ? getter : "");
	}
}

/* --- the Safe ---------------------------------------------------------------------------------
 */

static void judge_version(struct target_exam *target, const struct chain_read_result *result)
{
	struct exam *exam = &target->exam;
	char *text;

	if (!result->success || view_text(&exam->arena, &text, result->returned) != 0)
		exam_row(exam,
		         (struct row){"Safe's version", FINDING_FAILURE,
		                      "Set `safe` of the target to the Safe's address."},
		         "it does not answer %s", view_signature(VIEW_SAFE_VERSION));
	else if (safe_version_parse(&target->version, text, NULL) != 0)
		exam_row(exam,
		         (struct row){"Safe's version", FINDING_FAILURE,
		                      "Move to a Safe 1.3.0, 1.4.1 or 1.5.0: what others hash and "
		                      "emit is not known "
		                      "here."},
		         "%s", text);
	else
		exam_row(exam, (struct row){"Safe's version", FINDING_OK, ""}, "%s", text);
	target->have_version = target->version != 0;
}

static void judge_owners(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	const struct safe_view *safe = &target->safe;
	struct row row = {"Safe's owners", FINDING_OK, ""};
	char text[ADDRESS_TEXT_SIZE];
	struct buf list = {0};

	for (size_t i = 0; i < safe->owner_count; i++)
		buf_printf(&list, "%s%s", i > 0 ? ", " : "", address_text(text, &safe->owners[i]));
	if (safe->threshold == 1) {
		row.result = FINDING_WARNING;
		row.fix = "Raise the threshold: a single lost key decides now.";
	}
	exam_row(exam, row, "threshold %u of %zu: %s", safe->threshold, safe->owner_count,
	         buf_text(&list));
	buf_free(&list);
}

/* Who adds to a Delay module's queue without a service may be any account. */
static bool enqueues_by_hand(const struct target_exam *target,
                             const struct chain_read_result *results)
{
	const struct chain_read_result *version = &results[target->slots->version];

	return target->target->model == MODEL_DELAY &&
	       target->target->service.kind == SERVICE_NONE &&
	       (!version->success || version->returned.len == 0);
}

static void judge_safe(struct target_exam *target, const struct chain_read_result *results)
{
	struct exam *exam = &target->exam;
	char text[ADDRESS_TEXT_SIZE];

	if (enqueues_by_hand(target, results)) {
		exam_row(exam, (struct row){"Safe's version", FINDING_OK, ""},
		         "the enqueuer %s is no Safe: the files say what it has to send",
		         address_text(text, &target->target->safe));
		return;
	}
	judge_version(target, &results[target->slots->version]);
	target->have_safe =
	        safe_view_take(&target->safe, &exam->arena, &target->slots->safe, results) == 0;
	if (target->have_safe) {
		/* The answers are gone after this callback; what the view points to is not. */
		judge_owners(target);
		return;
	}
	exam_row(exam,
	         (struct row){"Safe's owners", FINDING_FAILURE,
	                      "Set `safe` of the target to the Safe's address."},
	         "it does not answer nonce, threshold and owners");
}

/* --- the timelock -----------------------------------------------------------------------------
 */

static enum check_answer role(size_t slot, const struct chain_read_result *results)
{
	return results[slot].success ? check_answer_parse(results[slot].returned) : CHECK_UNKNOWN;
}

static void judge_delay(struct target_exam *target, const struct chain_read_result *result)
{
	struct exam *exam = &target->exam;
	char text[WALL_TEXT_SIZE];

	if (reads_u64(&target->delay, result) != 0)
		exam_row(exam,
		         (struct row){"timelock's delay", FINDING_FAILURE,
		                      "Set `timelock` of the target to the TimelockController's "
		                      "address."},
		         "it does not answer %s", view_signature(VIEW_MIN_DELAY));
	else if (target->delay == 0)
		exam_row(exam,
		         (struct row){"timelock's delay", FINDING_WARNING,
		                      "Schedule updateDelay: nobody has time to look now."},
		         "0 s");
	else
		exam_row(exam, (struct row){"timelock's delay", FINDING_OK, ""}, "%s",
		         target->delay < INT64_MAX / 1000
		                 ? duration_text(text, (int64_t)target->delay * 1000)
		                 : "more than a lifetime");
}

static void judge_proposer_role(struct target_exam *target, enum check_answer has)
{
	struct exam *exam = &target->exam;
	char safe[ADDRESS_TEXT_SIZE];

	address_text(safe, &target->target->safe);
	if (has == CHECK_YES)
		exam_row(exam, (struct row){"timelock's proposer", FINDING_OK, ""},
		         "the Safe has PROPOSER_ROLE");
	else if (has == CHECK_NO)
		exam_row(exam,
		         (struct row){"timelock's proposer", FINDING_FAILURE,
		                      arena_printf(&exam->arena,
		                                   "Let an admin of the timelock grant "
		                                   "PROPOSER_ROLE to the Safe %s.",
		                                   safe)},
		         "the Safe does not have PROPOSER_ROLE: its schedule would revert");
	else
		exam_row(exam,
		         (struct row){"timelock's proposer", FINDING_UNKNOWN,
		                      "Set `timelock` of the target to the TimelockController's "
		                      "address."},
		         "it does not answer hasRole");
}

struct executors {
	enum check_answer anybody, safe, key; /* key: CHECK_NO without one */
};

static void judge_executor_role(struct target_exam *target, struct executors who)
{
	struct exam *exam = &target->exam;
	struct row row = {"timelock's executor", FINDING_FAILURE, ""};
	bool open = who.anybody == CHECK_YES;

	if (who.anybody == CHECK_UNKNOWN) {
		row.result = FINDING_UNKNOWN;
		row.fix = "Set `timelock` of the target to the TimelockController's address.";
		exam_row(exam, row, "it does not answer hasRole");
		return;
	}
	switch (target->target->execute) {
	case EXECUTE_SAFE:
		if (open || who.safe == CHECK_YES)
			row.result = FINDING_OK;
		else
			row.fix = "Let an admin of the timelock grant EXECUTOR_ROLE to the Safe, "
			          "or set "
			          "`execute` to direct or manual.";
		break;
	case EXECUTE_DIRECT:
		if (open || who.key == CHECK_YES)
			row.result = FINDING_OK;
		else
			row.fix = "Let an admin of the timelock grant EXECUTOR_ROLE to the "
			          "executor key, "
			          "or set `execute` to another way.";
		break;
	case EXECUTE_MANUAL:
		row.result = FINDING_OK;
		break;
	}
	exam_row(exam, row, "%s",
	         open                    ? "open: anybody may execute"
	         : who.key == CHECK_YES  ? "the executor key has EXECUTOR_ROLE"
	         : who.safe == CHECK_YES ? "the Safe has EXECUTOR_ROLE"
	                                 : "neither open nor held by the Safe or the executor key");
}

/* It may push what is mature and nothing more. */
static void judge_executor_key(struct target_exam *target, enum check_answer proposes,
                               enum check_answer cancels)
{
	struct exam *exam = &target->exam;
	struct row row = {"executor key", FINDING_OK, ""};
	char key[ADDRESS_TEXT_SIZE];

	address_text(key, &target->executor);
	if (proposes == CHECK_YES || cancels == CHECK_YES) {
		row.result = FINDING_FAILURE;
		row.fix = "Revoke the role, or use another key: an executor key that could also "
		          "schedule or "
		          "cancel is refused.";
		exam_row(exam, row, "%s has the timelock's %s", key,
		         proposes == CHECK_YES ? "PROPOSER_ROLE" : "CANCELLER_ROLE");
	} else if (proposes == CHECK_UNKNOWN || cancels == CHECK_UNKNOWN) {
		row.result = FINDING_UNKNOWN;
		row.fix = "Set `timelock` of the target to the TimelockController's address.";
		exam_row(exam, row, "the timelock does not answer hasRole for %s", key);
	} else {
		exam_row(exam, row, "%s can neither schedule nor cancel", key);
	}
}

/* It can schedule anything without anybody's signature: it must not be stronger still. */
static void judge_scheduler_key(struct target_exam *target, const struct chain_read_result *results)
{
	const struct scheduler_slots *slots = &target->slots->scheduler;
	struct exam *exam = &target->exam;
	struct row row = {"scheduler key", FINDING_FAILURE, ""};
	enum check_answer proposes = role(slots->proposes, results);
	enum check_answer executes = role(slots->executes, results);
	bool administers = role(slots->administers, results) == CHECK_YES ||
	                   role(slots->administers_v4, results) == CHECK_YES;
	char key[ADDRESS_TEXT_SIZE];

	address_text(key, &target->scheduler);
	if (proposes == CHECK_UNKNOWN || executes == CHECK_UNKNOWN) {
		row.result = FINDING_UNKNOWN;
		row.fix = "Set `timelock` of the target to the TimelockController's address.";
		exam_row(exam, row, "the timelock does not answer hasRole for %s", key);
	} else if (executes == CHECK_YES || administers) {
		row.fix = "Revoke the role, or use another key: a scheduler key that could also "
		          "execute or administer is refused.";
		exam_row(exam, row, "%s %s", key,
		         executes == CHECK_YES ? "has the timelock's EXECUTOR_ROLE"
		                               : "administers the timelock's roles");
	} else if (proposes == CHECK_NO) {
		row.fix = arena_printf(
		        &exam->arena,
		        "Let an admin of the timelock grant PROPOSER_ROLE to %s, or take "
		        "`scheduler_key_file` away.",
		        key);
		exam_row(exam, row, "%s does not have PROPOSER_ROLE", key);
	} else {
		row.result = FINDING_WARNING;
		bool cancels = role(slots->cancels, results) == CHECK_YES;
		row.fix = cancels ? "Without `scheduler_key_file` people schedule from the drafted "
		                    "files."
		                  : "With CANCELLER_ROLE it would also cancel what is taken back "
		                    "after it was scheduled; without, people send the drafted "
		                    "file of the cancellation.";
		exam_row(exam, row,
		         "%s: whoever has it can schedule anything; only the delay and the "
		         "cancellers are left%s",
		         key, cancels ? "; it can cancel, too" : "; it cannot cancel");
	}
}

/* Where no Safe schedules: whom the timelock's history names. */
static void judge_eoa_proposer(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	struct address proposer = proposer_of(exam->lane, target->target);
	char text[ADDRESS_TEXT_SIZE];

	if (address_is_zero(&proposer))
		exam_row(exam,
		         (struct row){"timelock's proposer", FINDING_UNKNOWN,
		                      "Ask again when the timelock's history is read."},
		         "nobody is known to have PROPOSER_ROLE");
	else
		exam_row(exam, (struct row){"timelock's proposer", FINDING_OK, ""}, "%s",
		         address_text(text, &proposer));
}

static void judge_timelock(struct target_exam *target, const struct chain_read_result *results)
{
	const struct target_slots *slots = target->slots;
	const struct config_target *config = target->target;
	struct executors who = {.anybody = role(slots->anybody_executes, results),
	                        .safe = CHECK_NO,
	                        .key = CHECK_NO};

	if (config->has_safe)
		who.safe = role(slots->safe_executes, results);
	if (config->model == MODEL_TIMELOCK)
		judge_eoa_proposer(target);
	else if (config->has_safe)
		judge_proposer_role(target, role(slots->safe_proposes, results));
	if (target->has_scheduler)
		judge_scheduler_key(target, results);
	if (target->has_executor)
		who.key = role(slots->key_executes, results);
	judge_executor_role(target, who);
	if (target->has_executor)
		judge_executor_key(target, role(slots->key_proposes, results),
		                   role(slots->key_cancels, results));
}

void contracts_judge(struct target_exam *target, const struct chain_read_result *results)
{
	const struct target_slots *slots = target->slots;
	bool by_timelock = target->target->has_timelock && target->target->model != MODEL_DELAY;

	if (by_timelock)
		judge_delay(target, &results[slots->min_delay]);
	for (size_t i = 0; i < slots->registry_count; i++)
		judge_check(target, &slots->registries[i], results);
	if (target->target->has_safe)
		judge_safe(target, results);
	if (by_timelock)
		judge_timelock(target, results);
	else if (target->target->model == MODEL_DELAY)
		delay_exam_judge(target, results);
	owners_judge(target, results); /* an acceptance needs the delay */
}
