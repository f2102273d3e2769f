#include "common/governance/adopt.h"

#include "common/governance/call_text.h"
#include "common/governance/multisend.h"

#include <string.h>

/* One reading: what was found so far. */
struct reading {
	const struct adopt_way *way;
	struct arena *arena;
	struct adopted *out;
	struct buf text;
	size_t room;  /* of out->calls */
	bool related; /* something of it touches what we govern */
	bool more;    /* something of it is no known call */
};

/* --- what is touched -------------------------------------------------------------------------- */

static bool is_set_and(const struct address *ours, const struct address *other)
{
	return !address_is_zero(ours) && address_equal(ours, other);
}

/* The registry that the contract belongs to, and as what; false: none of ours. */
static bool find_registry(const struct adopt_way *way, const struct address *to, size_t *index,
                          enum contract_role *role)
{
	for (size_t i = 0; i < way->registry_count; i++) {
		const struct adopt_registry *registry = &way->registries[i];
		*index = i;
		*role = address_equal(to, &registry->kms) ? CONTRACT_KMS : CONTRACT_APP;
		if (*role == CONTRACT_KMS ||
		    (registry->has_app && address_equal(to, &registry->app)))
			return true;
	}
	return false;
}

static bool names(struct bytes data, const struct address *address)
{
	return !address_is_zero(address) && data.len >= sizeof(address->b) &&
	       memmem(data.data, data.len, address->b, sizeof(address->b)) != NULL;
}

/* A call of somebody else's contract that carries one of our addresses may reach it from there:
 * another timelock, a module, a Safe that owns this one. */
static bool names_ours(const struct adopt_way *way, struct bytes data)
{
	for (size_t i = 0; i < way->registry_count; i++)
		if (names(data, &way->registries[i].kms) ||
		    (way->registries[i].has_app && names(data, &way->registries[i].app)))
			return true;
	return names(data, &way->timelock);
}

/* --- noting ----------------------------------------------------------------------------------- */

static void separate(struct reading *reading)
{
	size_t len = reading->text.len;

	if (len > 0 && reading->text.data[len - 1] != '[')
		buf_append_text(&reading->text, "; ");
}

static void note_foreign(struct reading *reading, const struct contract_call *call, const char *why)
{
	reading->related = reading->more = true;
	separate(reading);
	call_text(&reading->text, call);
	if (why != NULL)
		buf_printf(&reading->text, " (%s)", why);
}

static void note_unrelated(struct reading *reading, const struct contract_call *call)
{
	reading->more = true;
	separate(reading);
	call_text(&reading->text, call);
}

static void note_registry(struct reading *reading, const struct adopt_call *call)
{
	struct adopted *out = reading->out;
	char to[ADDRESS_TEXT_SIZE], value[HASH32_TEXT_SIZE];

	if (out->call_count == reading->room) {
		size_t room = reading->room > 0 ? 2 * reading->room : 8;
		struct adopt_call *calls = arena_array(reading->arena, room, sizeof(*calls));
		if (out->call_count > 0)
			memcpy(calls, out->calls, out->call_count * sizeof(*calls));
		out->calls = calls;
		reading->room = room;
	}
	out->calls[out->call_count++] = *call;
	reading->related = true;
	separate(reading);
	buf_printf(&reading->text, "%s %s %s on %s", action_name(call->action),
	           kind_name(call->kind), hash32_text(value, &call->value),
	           address_text(to, &call->call.to));
}

/* --- calls ------------------------------------------------------------------------------------ */

/* In whose name a call is made. */
enum caller { CALLER_SAFE, CALLER_TIMELOCK };

/* Whether registry calls come from there under this model. */
static const char *wrong_caller(const struct adopt_way *way, enum caller caller)
{
	bool timelock = lifecycle_has_timelock(way->model) && !address_is_zero(&way->timelock);

	if (caller == CALLER_TIMELOCK || !timelock)
		return NULL;
	return way->model == MODEL_DELAY ? "from the Safe itself, past the Delay module"
	                                 : "from the Safe itself, past the timelock";
}

/* True when the call goes to a registry of ours, and was noted. */
static bool read_registry(struct reading *reading, const struct contract_call *call,
                          enum caller caller)
{
	struct adopt_call found = {.call = *call};
	enum contract_role role;

	if (!find_registry(reading->way, &call->to, &found.registry, &role))
		return false;
	const char *wrong = wrong_caller(reading->way, caller);
	if (registry_decode_call(&found.kind, &found.action, &found.value, call->data, role) != 0)
		note_foreign(reading, call, NULL);
	else if (!u256_is_zero(&call->value))
		note_foreign(reading, call, "a registry call with a value");
	else if (wrong != NULL)
		note_foreign(reading, call, wrong);
	else
		note_registry(reading, &found);
	return true;
}

/* What the timelock itself would call. */
static void read_inner(struct reading *reading, const struct contract_call *call)
{
	const struct adopt_way *way = reading->way;

	if (read_registry(reading, call, CALLER_TIMELOCK))
		return;
	if (is_set_and(&way->timelock, &call->to) || is_set_and(&way->safe, &call->to))
		note_foreign(reading, call, NULL);
	else if (is_set_and(&way->avatar, &call->to))
		note_foreign(reading, call, "the Safe that owns the contracts, to itself");
	else if (names_ours(way, call->data))
		note_foreign(reading, call, "names a contract of ours");
	else
		note_unrelated(reading, call);
}

static void read_batch(struct reading *reading, const struct timelock_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		read_inner(reading, &batch->calls[i]);
	if (batch->count == 0)
		reading->more = true;
}

/* --- the Delay module --------------------------------------------------------------------------
 */

/* Whoever executes it has to name the entry itself, which must follow from its calls. */
static bool follows_from(struct arena *arena, const struct contract_call *calls, size_t count,
                         const struct delay_entry *entry)
{
	const struct hash32 hash = delay_tx_hash(entry);
	struct delay_entry found;

	return delay_entry_find(&found, arena, calls, count, &hash) == 0;
}

static void read_entry(struct reading *reading, const struct delay_entry *entry)
{
	const struct contract_call whole = {entry->to, entry->value, entry->data};
	struct contract_call *calls;
	size_t count;

	reading->out->operation_id = delay_tx_hash(entry);
	if (delay_entry_calls(reading->arena, &calls, &count, entry, NULL) != 0 || count == 0) {
		note_foreign(reading, &whole,
		             "a delegatecall: it can do whatever the module's Safe may do");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct contract_call call = calls[i];
		/* 1.5.0 sends what goes to nobody to the Safe itself. */
		if (entry->operation == DELAY_DELEGATECALL && address_is_zero(&call.to))
			call.to = reading->way->avatar;
		read_inner(reading, &call);
	}
	if (!follows_from(reading->arena, calls, count, entry)) {
		reading->more = true;
		buf_append_text(&reading->text, " (a single call through MultiSendCallOnly)");
	}
	reading->out->batch = (struct timelock_batch){.calls = calls, .count = count};
}

/* A call of our Delay module by the Safe that enqueues. */
static void read_module(struct reading *reading, const struct contract_call *call)
{
	struct adopted *out = reading->out;
	struct delay_entry entry;

	out->parts++;
	if (u256_is_zero(&call->value) && delay_decode_enqueue(&entry, call->data, NULL) == 0) {
		out->purpose = PURPOSE_SCHEDULE;
	} else if (u256_is_zero(&call->value) &&
	           delay_decode_execute(&entry, call->data, NULL) == 0) {
		out->purpose = PURPOSE_EXECUTE;
	} else {
		note_foreign(reading, call, NULL);
		return;
	}
	separate(reading);
	buf_append_text(&reading->text,
	                out->purpose == PURPOSE_SCHEDULE ? "enqueue [" : "execute [");
	read_entry(reading, &entry);
	buf_append_byte(&reading->text, ']');
}

/* --- the timelock ----------------------------------------------------------------------------- */

/* A call of our timelock by the Safe. */
static void read_timelock(struct reading *reading, const struct contract_call *call)
{
	struct adopted *out = reading->out, found = {0};
	char id[HASH32_TEXT_SIZE];

	if (!u256_is_zero(&call->value)) {
		note_foreign(reading, call, NULL);
	} else if (timelock_decode_schedule(reading->arena, &found.batch, &found.delay, call->data,
	                                    NULL) == 0) {
		found.purpose = PURPOSE_SCHEDULE;
	} else if (timelock_decode_execute(reading->arena, &found.batch, call->data, NULL) == 0) {
		found.purpose = PURPOSE_EXECUTE;
	} else if (timelock_decode_cancel(&found.operation_id, call->data) == 0) {
		found.purpose = PURPOSE_CANCEL;
		reading->related = true;
		separate(reading);
		buf_printf(&reading->text, "cancel operation %s",
		           hash32_text(id, &found.operation_id));
	} else {
		note_foreign(reading, call, NULL);
	}
	if (found.purpose == PURPOSE_SCHEDULE || found.purpose == PURPOSE_EXECUTE) {
		found.operation_id = timelock_operation_id(&found.batch);
		separate(reading);
		if (found.purpose == PURPOSE_SCHEDULE)
			buf_printf(&reading->text, "schedule after %llu s [",
			           (unsigned long long)found.delay);
		else
			buf_append_text(&reading->text, "execute [");
		read_batch(reading, &found.batch);
		buf_append_byte(&reading->text, ']');
	}
	out->parts++;
	out->purpose = found.purpose;
	out->batch = found.batch;
	out->delay = found.delay;
	out->operation_id = found.operation_id;
}

/* What the Safe itself would call. */
static void read_outer(struct reading *reading, const struct contract_call *call)
{
	const struct adopt_way *way = reading->way;

	if (read_registry(reading, call, CALLER_SAFE))
		return;
	if (is_set_and(&way->timelock, &call->to) && way->model == MODEL_DELAY)
		read_module(reading, call);
	else if (is_set_and(&way->timelock, &call->to) && lifecycle_has_timelock(way->model))
		read_timelock(reading, call);
	else if (address_equal(&call->to, &way->safe) && call->data.len > 0)
		note_foreign(reading, call, NULL);
	else if (names_ours(way, call->data))
		note_foreign(reading, call, "names a contract of ours");
	else
		note_unrelated(reading, call);
}

/* --- Safe transactions ------------------------------------------------------------------------ */

/* Code that runs as the Safe can do anything in its name. MultiSendCallOnly can only call. */
static void read_delegatecall(struct reading *reading, const struct safe_tx *tx)
{
	const struct contract_call call = {.to = tx->to, .value = tx->value, .data = tx->data};
	struct contract_call *calls;
	size_t count;

	if (multisend_deployment_at(&tx->to) == NULL ||
	    multisend_decode(reading->arena, &calls, &count, tx->data, NULL) != 0 || count == 0) {
		note_foreign(reading, &call, "a delegatecall: it can do whatever the Safe may do");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		/* 1.5.0 sends what goes to nobody to the Safe itself. */
		if (address_is_zero(&calls[i].to))
			calls[i].to = tx->safe;
		read_outer(reading, &calls[i]);
	}
}

/* Adding and removing one value, or adding it twice: what is there in the end depends on the order,
 * and nobody means it. */
static bool repeats(const struct adopted *found)
{
	for (size_t i = 0; i < found->call_count; i++)
		for (size_t k = 0; k < i; k++)
			if (address_equal(&found->calls[i].call.to, &found->calls[k].call.to) &&
			    found->calls[i].kind == found->calls[k].kind &&
			    hash32_equal(&found->calls[i].value, &found->calls[k].value))
				return true;
	return false;
}

static void finish(struct reading *reading)
{
	struct adopted *out = reading->out;

	if (repeats(out)) {
		reading->more = true;
		buf_append_text(&reading->text, " (one value twice)");
	}
	out->text = arena_strdup(reading->arena, buf_text(&reading->text));
	buf_free(&reading->text);
	out->verdict = !reading->related ? ADOPT_UNRELATED
	               : reading->more   ? ADOPT_FOREIGN
	                                 : ADOPT_OURS;
	if (out->verdict == ADOPT_OURS)
		return;
	*out = (struct adopted){.verdict = out->verdict, .text = out->text};
}

void adopt_safe_tx(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                   const struct safe_tx *tx)
{
	const struct contract_call call = {.to = tx->to, .value = tx->value, .data = tx->data};
	struct reading reading = {.way = way, .arena = arena, .out = out};

	*out = (struct adopted){0};
	if (tx->operation == 0)
		read_outer(&reading, &call);
	else
		read_delegatecall(&reading, tx);
	if (out->call_count > 0 && out->parts == 0) {
		out->parts = 1;
		out->purpose = PURPOSE_APPLY;
	}
	if (reading.related && !safe_tx_standard_gas(tx)) {
		reading.more = true;
		buf_append_text(&reading.text, " (with gas or refund fields that are not zero)");
	}
	if (reading.related && tx->operation == 1 && !u256_is_zero(&tx->value)) {
		reading.more = true;
		buf_append_text(&reading.text, " (with a value)");
	}
	finish(&reading);
}

void adopt_transaction(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                       const struct contract_call *call)
{
	struct reading reading = {.way = way, .arena = arena, .out = out};

	*out = (struct adopted){.parts = 1, .purpose = PURPOSE_APPLY};
	read_outer(&reading, call);
	finish(&reading);
}

void adopt_operation(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                     const struct timelock_batch *batch)
{
	struct reading reading = {.way = way, .arena = arena, .out = out};

	*out = (struct adopted){.parts = 1, .purpose = PURPOSE_SCHEDULE, .batch = *batch};
	out->operation_id = timelock_operation_id(batch);
	read_batch(&reading, batch);
	finish(&reading);
}

void adopt_entry(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                 const struct delay_entry *entry)
{
	struct reading reading = {.way = way, .arena = arena, .out = out};

	*out = (struct adopted){.parts = 1, .purpose = PURPOSE_SCHEDULE};
	read_entry(&reading, entry);
	finish(&reading);
}
