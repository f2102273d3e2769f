/* Whose the registries are, in which generation, and what completes a handover that was begun. */
#include "daemon/govern/doctor.h"

#include "common/governance/path.h"
#include "common/governance/timelock.h"
#include "daemon/govern/owner.h"
#include "daemon/govern/proposers.h"

#include <inttypes.h>

/* How many operations that accept the same ownership are looked for: it may have been handed over
 * and back before. */
enum { ATTEMPTS = 8 };

/* acceptOwnership(), which only the pending owner may call. */
static const uint8_t accept_ownership[4] = {0x79, 0xba, 0x50, 0x97};

struct registry {
	const char *name, *owner_name, *generation_name;
	struct address address;
	size_t owner, pending_owner;
	size_t attempts[ATTEMPTS]; /* getTimestamp of the acceptance, where a timelock makes it */
	struct contract_call accept;
};

struct owners_slots {
	struct registry registries[2];
	size_t count;
};

struct ownership {
	const struct registry *registry;
	struct address wanted, owner, pending;
	const char *wanted_name; /* "timelock", "Safe" */
	bool two_step;
};

/* --- asking ------------------------------------------------------------------------------------
 */

/* The acceptance as this way of governance makes it. */
static struct path path_of(const struct target_exam *target, const struct registry *registry,
                           uint64_t attempt)
{
	const struct config_target *config = target->target;
	const struct timelock_batch batch = {.calls = &registry->accept, .count = 1};

	return (struct path){
	        .model = config->model,
	        .safe = config->safe,
	        .timelock = config->timelock,
	        .avatar = config->avatar,
	        .calls = &registry->accept,
	        .count = 1,
	        .salt = timelock_salt(&batch, config->chain->chain_id, &config->timelock, attempt),
	        .delay = target->delay,
	};
}

static bool has_operation(const struct config_target *config)
{
	return path_caller(config->model) == PATH_TIMELOCK;
}

static void ask(struct target_exam *target, struct reads *reads, struct registry registry)
{
	struct owners_slots *slots = target->owners_slots;
	struct hash32 id;

	registry.accept = (struct contract_call){
	        .to = registry.address,
	        .data = bytes_of(accept_ownership, sizeof(accept_ownership))};
	registry.owner = reads_add_view(reads, &registry.address, VIEW_OWNER);
	registry.pending_owner = reads_add_view(reads, &registry.address, VIEW_PENDING_OWNER);
	for (unsigned i = 0; has_operation(target->target) && i < ATTEMPTS; i++) {
		struct path path = path_of(target, &registry, i);
		path_operation_id(&id, &path);
		registry.attempts[i] = reads_add_timestamp(reads, &path.timelock, &id);
	}
	slots->registries[slots->count++] = registry;
}

void owners_ask(struct target_exam *target, struct reads *reads)
{
	const struct config_target *config = target->target;

	target->owners_slots = arena_alloc(&target->exam.arena, sizeof(*target->owners_slots));
	ask(target, reads,
	    (struct registry){.name = "kms",
	                      .owner_name = "kms owner",
	                      .generation_name = "kms generation",
	                      .address = config->kms});
	if (config->has_app)
		ask(target, reads,
		    (struct registry){.name = "app",
		                      .owner_name = "app owner",
		                      .generation_name = "app generation",
		                      .address = config->app});
}

/* --- the calls that complete a handover ---------------------------------------------------------
 */

static struct address sender_of(const struct target_exam *target, const struct path *path,
                                enum path_account account)
{
	struct address sender = {{0}};

	if (path->model == MODEL_DELAY && account == PATH_SAFE)
		return target->target->safe; /* who enqueues, also where it is no Safe */
	if (account == PATH_PROPOSER)
		return proposer_of(target->exam.lane, target->target);
	if (account == PATH_EXECUTOR && target->has_executor)
		return target->executor;
	return path_account_address(&sender, path, account) ? sender : (struct address){{0}};
}

static void add_call(struct jval *calls, const struct target_exam *target, const struct path *path,
                     const struct path_step *step, uint64_t after)
{
	struct address sender = sender_of(target, path, step->sender);
	char text[ADDRESS_TEXT_SIZE];
	struct jval *call = jval_object();

	jval_add_string(call, "purpose", purpose_name(step->purpose));
	jval_add_string(call, "from",
	                address_is_zero(&sender) ? NULL : address_lower(text, &sender));
	jval_add_string(call, "from_name", path_account_name(step->sender));
	jval_add_string(call, "to", address_lower(text, &step->to));
	jval_add_hex(call, "data", step->data);
	jval_add_int(call, "after_seconds", after > INT64_MAX ? INT64_MAX : (int64_t)after);
	jval_push(calls, call);
}

/* The acceptance with the lowest attempt that is not done, and whether it is scheduled already. */
static struct path acceptance(const struct target_exam *target, const struct registry *registry,
                              const struct chain_read_result *results, uint64_t *ready_at)
{
	uint64_t attempt = 0;

	*ready_at = TIMELOCK_TIMESTAMP_UNSET;
	for (unsigned i = 0; has_operation(target->target) && i < ATTEMPTS; i++) {
		attempt = i;
		if (reads_u64(ready_at, &results[registry->attempts[i]]) != 0 ||
		    *ready_at != TIMELOCK_TIMESTAMP_DONE)
			break;
	}
	return path_of(target, registry, attempt);
}

static uint64_t seconds_until(const struct target_exam *target, uint64_t ready_at)
{
	uint64_t now = target->chain->head.timestamp;

	return ready_at > now ? ready_at - now : 0;
}

static void judge_pending(struct target_exam *target, const struct ownership *is,
                          const struct chain_read_result *results)
{
	struct exam *exam = &target->exam;
	struct row row = {is->registry->owner_name, FINDING_FAILURE, ""};
	struct jval *calls = jval_array();
	char owner[ADDRESS_TEXT_SIZE], wanted[ADDRESS_TEXT_SIZE];
	struct path_step *first, then;
	uint64_t ready_at;
	struct path path = acceptance(target, is->registry, results, &ready_at);
	bool scheduled = ready_at > TIMELOCK_TIMESTAMP_DONE;

	path_first(&first, &exam->arena, &path);
	if (!scheduled)
		add_call(calls, target, &path, &first[0], 0);
	if (path_then(&then, &exam->arena, &path))
		add_call(calls, target, &path, &then,
		         scheduled ? seconds_until(target, ready_at) : target->delay);
	row.fix = arena_printf(
	        &exam->arena,
	        "acceptOwnership() (0x79ba5097) must come from the %s%s: send %s, with value 0.",
	        is->wanted_name,
	        scheduled ? ", and is scheduled already"
	        : jval_count(calls) > 1
	                ? arena_printf(&exam->arena,
	                               ", which takes two transactions %" PRIu64 " s apart",
	                               target->delay)
	                : "",
	        jval_count(calls) > 1 ? "these in this order" : "this");
	exam_row(exam, row, "%s; the %s %s is the pending owner and has not accepted",
	         address_text(owner, &is->owner), is->wanted_name,
	         address_text(wanted, &is->wanted));
	exam_calls(exam, calls);
}

/* --- judging -----------------------------------------------------------------------------------
 */

static void judge_wrong(struct target_exam *target, const struct ownership *is)
{
	struct exam *exam = &target->exam;
	struct row row = {.check = is->registry->owner_name, .result = FINDING_FAILURE, .fix = ""};
	char owner[ADDRESS_TEXT_SIZE], wanted[ADDRESS_TEXT_SIZE];

	address_text(owner, &is->owner);
	address_text(wanted, &is->wanted);
	if (address_is_zero(&is->owner)) {
		row.fix = "Set the address of the proxy, not of its implementation; a registry "
		          "that was really given up cannot be changed any more.";
		exam_row(exam, row, "nobody owns it");
		return;
	}
	row.fix = arena_printf(&exam->arena,
	                       "Let the owner call transferOwnership(%s) on it%s, or set the "
	                       "target's addresses right. Nothing is drafted until then.",
	                       wanted,
	                       is->two_step ? ", which the new owner then has to accept" : "");
	exam_row(exam, row, "%s, not the %s %s", owner, is->wanted_name, wanted);
}

static void judge_right(struct target_exam *target, const struct ownership *is)
{
	struct exam *exam = &target->exam;
	char owner[ADDRESS_TEXT_SIZE], pending[ADDRESS_TEXT_SIZE];
	struct row row = {.check = is->registry->owner_name, .result = FINDING_OK, .fix = ""};

	address_text(owner, &is->owner);
	if (address_is_zero(&is->pending) || address_equal(&is->pending, &is->owner)) {
		exam_row(exam, row, "the %s %s", is->wanted_name, owner);
		return;
	}
	row.result = FINDING_WARNING;
	row.fix = "If this transfer is not meant, let the owner call "
	          "transferOwnership(0x0000000000000000000000000000000000000000), which ends it.";
	exam_row(exam, row, "the %s %s, but %s may take it over", is->wanted_name, owner,
	         address_text(pending, &is->pending));
}

/* Model direct: whoever it is sends the calls. */
static void judge_any(struct target_exam *target, struct ownership *is)
{
	is->wanted = is->owner;
	is->wanted_name = "account";
	if (!address_is_zero(&is->owner))
		judge_right(target, is);
	else
		exam_row(&target->exam,
		         (struct row){.check = is->registry->owner_name,
		                      .result = FINDING_FAILURE,
		                      .fix = "Set the address of the proxy, not of its "
		                             "implementation."},
		         "nobody owns it");
}

static int read_address(struct address *out, const struct chain_read_result *result)
{
	*out = (struct address){0};
	return result->success ? view_address(out, result->returned) : ERR_UNAVAILABLE;
}

static void judge(struct target_exam *target, const struct registry *registry,
                  const struct chain_read_result *results)
{
	struct exam *exam = &target->exam;
	struct ownership is = {.registry = registry};
	bool one = owner_wanted(&is.wanted, &is.wanted_name, target->target);

	is.two_step = read_address(&is.pending, &results[registry->pending_owner]) == 0;
	exam_row(exam,
	         (struct row){.check = registry->generation_name, .result = FINDING_OK, .fix = ""},
	         "%s",
	         is.two_step ? "ownership moves in two steps (Ownable2Step)"
	                     : "ownership moves in one step (Ownable): a transfer to a wrong "
	                       "address is for good");
	if (read_address(&is.owner, &results[registry->owner]) != 0)
		exam_row(exam,
		         (struct row){.check = registry->owner_name,
		                      .result = FINDING_FAILURE,
		                      .fix = arena_printf(
		                              &exam->arena,
		                              "Set `%s` of the target to the registry's proxy.",
		                              registry->name)},
		         "it does not answer owner()");
	else if (!one)
		judge_any(target, &is);
	else if (address_equal(&is.owner, &is.wanted))
		judge_right(target, &is);
	else if (address_equal(&is.pending, &is.wanted))
		judge_pending(target, &is, results);
	else
		judge_wrong(target, &is);
}

void owners_judge(struct target_exam *target, const struct chain_read_result *results)
{
	const struct owners_slots *slots = target->owners_slots;

	for (size_t i = 0; i < slots->count; i++)
		judge(target, &slots->registries[i], results);
}
