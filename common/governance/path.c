#include "common/governance/path.h"

#include "common/base/error.h"
#include "common/governance/delay.h"
#include "common/governance/multisend.h"
#include "common/governance/timelock.h"

struct way {
	enum purpose purpose;
	enum path_account sender, caller;
	size_t (*first)(struct path_step *steps, struct arena *arena, const struct path *path);
	void (*then)(struct path_step *step, struct arena *arena, const struct path *path);
};

static const struct way *way_of(enum model model);

static struct path_step step_of(const struct path *path)
{
	const struct way *way = way_of(path->model);

	return (struct path_step){.purpose = way->purpose, .sender = way->sender};
}

/* Takes what was encoded. */
static struct bytes keep(struct arena *arena, struct buf *data)
{
	struct bytes copy = arena_copy(arena, buf_bytes(data));

	buf_free(data);
	return copy;
}

/* --- through a timelock ----------------------------------------------------------------------- */

static struct timelock_batch batch_of(const struct path *path)
{
	return (struct timelock_batch){.calls = path->calls,
	                               .count = path->count,
	                               .predecessor = path->predecessor,
	                               .salt = path->salt,
	                               .single = path->single};
}

static size_t first_schedule(struct path_step *steps, struct arena *arena, const struct path *path)
{
	struct timelock_batch batch = batch_of(path);
	struct buf data = {0};

	timelock_encode_schedule(&data, &batch, path->delay);
	steps[0] = step_of(path);
	steps[0].to = path->timelock;
	steps[0].data = keep(arena, &data);
	return 1;
}

static void then_execute(struct path_step *step, struct arena *arena, const struct path *path)
{
	struct timelock_batch batch = batch_of(path);
	struct buf data = {0};

	timelock_encode_execute(&data, &batch);
	*step = (struct path_step){.purpose = PURPOSE_EXECUTE,
	                           .sender = lifecycle_has_safe(path->model) ? PATH_SAFE
	                                                                     : PATH_EXECUTOR,
	                           .to = path->timelock,
	                           .data = keep(arena, &data)};
}

/* --- through a Delay module ------------------------------------------------------------------- */

static struct delay_entry entry_of(struct arena *arena, const struct path *path)
{
	if (path->count > 1 && address_is_zero(&path->multisend))
		die("a Safe's batch without the address of MultiSendCallOnly");
	return delay_entry_of(arena, path->calls, path->count, &path->multisend);
}

static size_t first_enqueue(struct path_step *steps, struct arena *arena, const struct path *path)
{
	struct delay_entry entry = entry_of(arena, path);
	struct buf data = {0};

	delay_encode_enqueue(&data, &entry);
	steps[0] = step_of(path);
	if (address_is_zero(&path->safe))
		steps[0].sender = PATH_ENQUEUER;
	steps[0].to = path->timelock;
	steps[0].data = keep(arena, &data);
	return 1;
}

static void then_next(struct path_step *step, struct arena *arena, const struct path *path)
{
	struct delay_entry entry = entry_of(arena, path);
	struct buf data = {0};

	delay_encode_execute(&data, &entry);
	*step = (struct path_step){.purpose = PURPOSE_EXECUTE,
	                           .sender = PATH_ANYBODY,
	                           .to = path->timelock,
	                           .data = keep(arena, &data)};
}

/* --- without a delay -------------------------------------------------------------------------- */

static size_t first_each(struct path_step *steps, struct arena *arena, const struct path *path)
{
	for (size_t i = 0; i < path->count; i++) {
		steps[i] = step_of(path);
		steps[i].to = path->calls[i].to;
		steps[i].data = arena_copy(arena, path->calls[i].data);
	}
	return path->count;
}

/* A delegatecall to code that can only call. */
static size_t first_together(struct path_step *steps, struct arena *arena, const struct path *path)
{
	struct buf data = {0};

	if (path->count == 1)
		return first_each(steps, arena, path);
	if (address_is_zero(&path->multisend))
		die("a Safe's batch without the address of MultiSendCallOnly");
	multisend_encode(&data, path->calls, path->count);
	steps[0] = step_of(path);
	steps[0].to = path->multisend;
	steps[0].data = keep(arena, &data);
	steps[0].operation = 1;
	return 1;
}

/* --- the table -------------------------------------------------------------------------------- */

/* clang-format off */
static const struct way ways[] = {
	[MODEL_SAFE_TIMELOCK] = {PURPOSE_SCHEDULE, PATH_SAFE, PATH_TIMELOCK, first_schedule, then_execute},
	[MODEL_SAFE] = {PURPOSE_APPLY, PATH_SAFE, PATH_SAFE, first_together, NULL},
	[MODEL_TIMELOCK] = {PURPOSE_SCHEDULE, PATH_PROPOSER, PATH_TIMELOCK, first_schedule, then_execute},
	[MODEL_DELAY] = {PURPOSE_SCHEDULE, PATH_SAFE, PATH_AVATAR, first_enqueue, then_next},
	[MODEL_DIRECT] = {PURPOSE_APPLY, PATH_OWNER, PATH_OWNER, first_each, NULL},
};
/* clang-format on */

bool path_exists(enum model model)
{
	return (size_t)model < ARRAY_LEN(ways) && ways[model].first != NULL;
}

static const struct way *way_of(enum model model)
{
	if (!path_exists(model))
		die("no way of governance for model %d", (int)model);
	return &ways[model];
}

size_t path_first(struct path_step **out, struct arena *arena, const struct path *path)
{
	*out = arena_array(arena, path->count, sizeof(**out));
	return way_of(path->model)->first(*out, arena, path);
}

enum purpose path_first_purpose(enum model model)
{
	return way_of(model)->purpose;
}

enum path_account path_first_sender(enum model model)
{
	return way_of(model)->sender;
}

enum path_account path_caller(enum model model)
{
	return way_of(model)->caller;
}

bool path_then(struct path_step *out, struct arena *arena, const struct path *path)
{
	const struct way *way = way_of(path->model);

	*out = (struct path_step){0};
	if (way->then == NULL)
		return false;
	way->then(out, arena, path);
	return true;
}

bool path_needs_multisend(const struct path *path)
{
	const struct way *way = way_of(path->model);

	return (way->first == first_together || way->first == first_enqueue) && path->count > 1;
}

bool path_operation_id(struct hash32 *out, const struct path *path)
{
	const struct way *way = way_of(path->model);

	*out = (struct hash32){0};
	if (way->first == first_schedule) {
		struct timelock_batch batch = batch_of(path);
		*out = timelock_operation_id(&batch);
	} else if (way->first == first_enqueue) {
		struct arena arena = {0};
		struct delay_entry entry = entry_of(&arena, path);
		*out = delay_tx_hash(&entry);
		arena_free(&arena);
	} else {
		return false;
	}
	return true;
}

/* --- accounts --------------------------------------------------------------------------------- */

bool path_account_address(struct address *out, const struct path *path, enum path_account account)
{
	*out = (struct address){0};
	switch (account) {
	case PATH_SAFE:
		*out = path->safe;
		return true;
	case PATH_TIMELOCK:
		*out = path->timelock;
		return true;
	case PATH_AVATAR:
		*out = path->avatar;
		return true;
	case PATH_PROPOSER:
	case PATH_EXECUTOR:
	case PATH_OWNER:
	case PATH_ENQUEUER:
	case PATH_ANYBODY:
		return false;
	}
	die("no such account: %d", (int)account);
}

const char *path_account_name(enum path_account account)
{
	switch (account) {
	case PATH_SAFE:
		return "the Safe";
	case PATH_TIMELOCK:
		return "the timelock";
	case PATH_PROPOSER:
		return "the timelock's proposer";
	case PATH_EXECUTOR:
		return "the timelock's executor";
	case PATH_OWNER:
		return "the contract's owner";
	case PATH_ENQUEUER:
		return "the Delay module's enqueuer";
	case PATH_AVATAR:
		return "the Delay module's avatar";
	case PATH_ANYBODY:
		return "anybody";
	}
	die("no such account: %d", (int)account);
}
