/* What one multicall tells about a Delay module: whom it obeys, whom it moves, how long it waits,
 * and whom it does not bind. */
#include "daemon/govern/doctor.h"

#include "common/base/clock.h"

#include <inttypes.h>

enum { SHORT_EXPIRATION = 3600 };

struct delay_slots {
	struct safe_slot avatar;
	size_t version, on_avatar, enqueues;
	size_t owner, moves, through;
	size_t cooldown, expiration, next, end;
	size_t key_enqueues; /* the executor key */
};

void delay_exam_ask(struct target_exam *target, struct reads *reads)
{
	const struct config_target *config = target->target;
	const struct address *module = &config->timelock;
	struct delay_slots *slots = arena_alloc(&target->exam.arena, sizeof(*slots));

	*slots = (struct delay_slots){
	        .avatar = safe_view_ask(reads, &config->avatar),
	        .version = reads_add_view(reads, &config->avatar, VIEW_SAFE_VERSION),
	        .on_avatar = reads_add_module_enabled(reads, &config->avatar, module),
	        .enqueues = reads_add_module_enabled(reads, module, &config->safe),
	        .owner = reads_add_view(reads, module, VIEW_OWNER),
	        .moves = reads_add_view(reads, module, VIEW_AVATAR),
	        .through = reads_add_view(reads, module, VIEW_TARGET),
	        .cooldown = reads_add_view(reads, module, VIEW_DELAY_COOLDOWN),
	        .expiration = reads_add_view(reads, module, VIEW_DELAY_EXPIRATION),
	        .next = reads_add_view(reads, module, VIEW_DELAY_NONCE),
	        .end = reads_add_view(reads, module, VIEW_DELAY_END),
	        .key_enqueues = READS_NONE,
	};
	if (target->has_executor)
		slots->key_enqueues = reads_add_module_enabled(reads, module, &target->executor);
	target->delay_slots = slots;
}

static enum check_answer answer(size_t slot, const struct chain_read_result *results)
{
	return results[slot].success ? check_answer_parse(results[slot].returned) : CHECK_UNKNOWN;
}

static bool is_address(size_t slot, const struct chain_read_result *results,
                       const struct address *wanted)
{
	struct address found;

	return results[slot].success && view_address(&found, results[slot].returned) == 0 &&
	       address_equal(&found, wanted);
}

/* --- whom it obeys and moves -------------------------------------------------------------------
 */

/* Who has to enable the module where. */
static const char *enable_fix(struct target_exam *target, const char *who, const struct address *to,
                              const struct address *module)
{
	char text[ADDRESS_TEXT_SIZE], name[ADDRESS_TEXT_SIZE];

	return arena_printf(&target->exam.arena, "Let %s send enableModule(%s) to %s.", who,
	                    address_text(name, module), address_text(text, to));
}

static void judge_enabled(struct target_exam *target, struct row row, enum check_answer enabled,
                          const char *yes, const char *no)
{
	row.result = enabled == CHECK_YES  ? FINDING_OK
	             : enabled == CHECK_NO ? FINDING_FAILURE
	                                   : FINDING_UNKNOWN;
	if (enabled == CHECK_YES)
		row.fix = "";
	else if (enabled == CHECK_UNKNOWN)
		row.fix = "Set `safe` and `delay` of the target to the right addresses.";
	exam_row(&target->exam, row, "%s",
	         enabled == CHECK_YES  ? yes
	         : enabled == CHECK_NO ? no
	                               : "it does not answer isModuleEnabled");
}

static void judge_modules(struct target_exam *target, const struct chain_read_result *results)
{
	const struct config_target *config = target->target;
	const struct delay_slots *slots = target->delay_slots;

	judge_enabled(
	        target,
	        (struct row){"Delay module on the Safe", FINDING_OK,
	                     enable_fix(target, "the Safe", &config->avatar, &config->timelock)},
	        answer(slots->on_avatar, results), "enabled",
	        "not enabled: nothing that it executes would go through");
	judge_enabled(target,
	              (struct row){"Delay module's enqueuer", FINDING_OK,
	                           enable_fix(target, "the module's owner", &config->timelock,
	                                      &config->safe)},
	              answer(slots->enqueues, results), "enabled",
	              "not enabled: the module refuses what it adds");
	if (is_address(slots->moves, results, &config->avatar) &&
	    is_address(slots->through, results, &config->avatar))
		exam_row(&target->exam, (struct row){"Delay module's avatar", FINDING_OK, ""},
		         "the Safe of the target");
	else
		exam_row(&target->exam,
		         (struct row){
		                 "Delay module's avatar", FINDING_FAILURE,
		                 "Set `safe` of the target to the Safe that the module moves, or "
		                 "`delay` to the module of that Safe."},
		         "avatar() and target() are not both the Safe of the target");
}

/* Who may change every rule of it. */
static void judge_module_owner(struct target_exam *target, const struct chain_read_result *result)
{
	struct row row = {"Delay module's owner", FINDING_OK, ""};
	struct exam *exam = &target->exam;
	struct address owner;
	char text[ADDRESS_TEXT_SIZE];

	if (!result->success || view_address(&owner, result->returned) != 0) {
		row.result = FINDING_FAILURE;
		row.fix = "Set `delay` of the target to the module's address.";
		exam_row(exam, row, "it does not answer owner()");
	} else if (address_equal(&owner, &target->target->avatar)) {
		exam_row(exam, row, "the Safe itself");
	} else if (address_is_zero(&owner)) {
		row.result = FINDING_WARNING;
		row.fix = "Know that an entry that always reverts blocks the queue until it "
		          "expires.";
		exam_row(exam, row, "nobody: entries cannot be vetoed and nothing can be changed");
	} else {
		row.result = FINDING_WARNING;
		row.fix = "Make sure of that account: it may pass over entries, enable modules and "
		          "change cooldown, expiration and avatar.";
		exam_row(exam, row, "%s, not the Safe", address_text(text, &owner));
	}
}

/* --- how long it waits -------------------------------------------------------------------------
 */

static const char *seconds(char text[WALL_TEXT_SIZE], uint64_t number)
{
	return number < INT64_MAX / 1000 ? duration_text(text, (int64_t)number * 1000)
	                                 : "more than a lifetime";
}

static void judge_cooldown(struct target_exam *target, const struct chain_read_result *result)
{
	struct row row = {"Delay module's cooldown", FINDING_OK, ""};
	char text[WALL_TEXT_SIZE];

	if (reads_u64(&target->delay, result) != 0) {
		row.result = FINDING_FAILURE;
		row.fix = "Set `delay` of the target to the module's address.";
		exam_row(&target->exam, row, "it does not answer txCooldown()");
		return;
	}
	if (target->delay == 0) {
		row.result = FINDING_WARNING;
		row.fix = "Let the module's owner call setTxCooldown: nobody has time to look now.";
	}
	exam_row(&target->exam, row, "%s", seconds(text, target->delay));
}

static void judge_expiration(struct target_exam *target, const struct chain_read_result *result)
{
	struct row row = {"Delay module's expiration", FINDING_OK, ""};
	char text[WALL_TEXT_SIZE];
	uint64_t expiration;

	if (reads_u64(&expiration, result) != 0) {
		row.result = FINDING_FAILURE;
		row.fix = "Set `delay` of the target to the module's address.";
		exam_row(&target->exam, row, "it does not answer txExpiration()");
		return;
	}
	if (expiration == 0) {
		exam_row(&target->exam, row, "entries do not expire");
		return;
	}
	if (expiration < SHORT_EXPIRATION && target->target->execute != EXECUTE_DIRECT) {
		row.result = FINDING_WARNING;
		row.fix =
		        "Set `execute: direct`, which is in time, or let the module's owner raise "
		        "it by setTxExpiration.";
	}
	exam_row(&target->exam, row, "%s after the cooldown", seconds(text, expiration));
}

static void judge_queue(struct target_exam *target, const struct chain_read_result *results)
{
	const struct delay_slots *slots = target->delay_slots;
	uint64_t next, end;

	if (reads_u64(&next, &results[slots->next]) != 0 ||
	    reads_u64(&end, &results[slots->end]) != 0 || next > end)
		exam_row(&target->exam,
		         (struct row){"Delay module's queue", FINDING_UNKNOWN, "Ask again."},
		         "it does not answer txNonce() and queueNonce()");
	else if (next == end)
		exam_row(&target->exam, (struct row){"Delay module's queue", FINDING_OK, ""},
		         "empty; the next entry is number %" PRIu64, end);
	else
		exam_row(&target->exam, (struct row){"Delay module's queue", FINDING_OK, ""},
		         "%" PRIu64 " waiting; it is the turn of number %" PRIu64, end - next,
		         next);
}

/* --- whom it does not bind ---------------------------------------------------------------------
 */

/* Not a fault of the configuration, but what the word delay must not hide. */
static void judge_avatar(struct target_exam *target, const struct chain_read_result *results)
{
	const struct chain_read_result *version = &results[target->delay_slots->version];
	struct exam *exam = &target->exam;
	char text[ADDRESS_TEXT_SIZE], *name;
	struct safe_view avatar;

	address_text(text, &target->target->avatar);
	target->version = 0;
	if (safe_view_take(&avatar, &exam->arena, &target->delay_slots->avatar, results) != 0 ||
	    !version->success || view_text(&exam->arena, &name, version->returned) != 0 ||
	    safe_version_parse(&target->version, name, NULL) != 0)
		exam_row(exam,
		         (struct row){"Safe that owns the registry", FINDING_FAILURE,
		                      "Set `safe` of the target to a Safe 1.3.0, 1.4.1 or 1.5.0."},
		         "%s does not answer as a Safe does", text);
	else
		exam_row(exam,
		         (struct row){
		                 "Safe that owns the registry", FINDING_WARNING,
		                 "For a delay that binds everybody let a TimelockController own "
		                 "the registry (model safe+timelock)."},
		         "the module does not bind its own owners: %u of %zu can change the "
		         "registry at once by an ordinary transaction of %s",
		         avatar.threshold, avatar.owner_count, text);
	target->have_version = target->version != 0;
}

static void judge_key(struct target_exam *target, const struct chain_read_result *results)
{
	const struct delay_slots *slots = target->delay_slots;
	enum check_answer enqueues = answer(slots->key_enqueues, results);
	bool owns = is_address(slots->owner, results, &target->executor);
	struct row row = {"executor key", FINDING_OK, ""};
	char key[ADDRESS_TEXT_SIZE];

	address_text(key, &target->executor);
	if (enqueues == CHECK_YES || owns) {
		row.result = FINDING_FAILURE;
		row.fix = "Use another key: one that could also enqueue or veto is refused.";
		exam_row(&target->exam, row, "%s %s", key,
		         owns ? "owns the Delay module" : "is enabled on the Delay module");
	} else if (enqueues == CHECK_UNKNOWN) {
		row.result = FINDING_UNKNOWN;
		row.fix = "Set `delay` of the target to the module's address.";
		exam_row(&target->exam, row, "the module does not answer isModuleEnabled for %s",
		         key);
	} else {
		exam_row(&target->exam, row, "%s can neither enqueue nor veto", key);
	}
}

void delay_exam_judge(struct target_exam *target, const struct chain_read_result *results)
{
	const struct delay_slots *slots = target->delay_slots;

	judge_modules(target, results);
	judge_module_owner(target, &results[slots->owner]);
	judge_cooldown(target, &results[slots->cooldown]);
	judge_expiration(target, &results[slots->expiration]);
	judge_queue(target, results);
	judge_avatar(target, results);
	if (target->has_executor)
		judge_key(target, results);
}
