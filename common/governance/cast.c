#include "common/governance/cast.h"

#include "common/governance/delay.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"

/* Appends [a,b,c] in quotes, because a shell would expand the brackets. */
static void append_list(struct buf *out, const struct timelock_batch *batch,
                        void (*append)(struct buf *out, const struct contract_call *call))
{
	buf_append_text(out, " \"[");
	for (size_t i = 0; i < batch->count; i++) {
		if (i > 0)
			buf_append_byte(out, ',');
		append(out, &batch->calls[i]);
	}
	buf_append_text(out, "]\"");
}

static void append_target(struct buf *out, const struct contract_call *call)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_append_text(out, address_text(text, &call->to));
}

static void append_value(struct buf *out, const struct contract_call *call)
{
	char text[U256_TEXT_SIZE];

	buf_append_text(out, u256_decimal(text, &call->value));
}

static void append_payload(struct buf *out, const struct contract_call *call)
{
	buf_append_text(out, "0x");
	buf_append_hex(out, call->data);
}

static void append_word(struct buf *out, const struct hash32 *word)
{
	char text[HASH32_TEXT_SIZE];

	buf_printf(out, " %s", hash32_text(text, word));
}

static void append_one(struct buf *out, const struct contract_call *call)
{
	buf_append_byte(out, ' ');
	append_target(out, call);
	buf_append_byte(out, ' ');
	append_value(out, call);
	buf_append_byte(out, ' ');
	append_payload(out, call);
}

static void append_batch(struct buf *out, const char *signature, const struct timelock_batch *batch)
{
	buf_printf(out, "\"%s\"", signature);
	if (batch->single) {
		append_one(out, &batch->calls[0]);
	} else {
		append_list(out, batch, append_target);
		append_list(out, batch, append_value);
		append_list(out, batch, append_payload);
	}
	append_word(out, &batch->predecessor);
	append_word(out, &batch->salt);
}

static bool registry_arguments(struct buf *out, struct bytes data)
{
	enum kind kind;
	enum action action;
	struct hash32 value;

	if (registry_decode_call(&kind, &action, &value, data, CONTRACT_KMS) != 0 &&
	    registry_decode_call(&kind, &action, &value, data, CONTRACT_APP) != 0)
		return false;
	buf_printf(out, "\"%s\"", kind_signature(kind, action));
	append_word(out, &value);
	return true;
}

static bool timelock_arguments(struct buf *out, struct bytes data)
{
	struct arena arena = {0};
	struct timelock_batch batch;
	struct hash32 id;
	uint64_t delay;
	bool known = true;

	if (timelock_decode_schedule(&arena, &batch, &delay, data, NULL) == 0) {
		append_batch(out,
		             batch.single ? TIMELOCK_SCHEDULE_ONE_SIGNATURE
		                          : TIMELOCK_SCHEDULE_SIGNATURE,
		             &batch);
		buf_printf(out, " %llu", (unsigned long long)delay);
	} else if (timelock_decode_execute(&arena, &batch, data, NULL) == 0) {
		append_batch(out,
		             batch.single ? TIMELOCK_EXECUTE_ONE_SIGNATURE
		                          : TIMELOCK_EXECUTE_SIGNATURE,
		             &batch);
	} else if (timelock_decode_cancel(&id, data) == 0) {
		buf_printf(out, "\"%s\"", TIMELOCK_CANCEL_SIGNATURE);
		append_word(out, &id);
	} else {
		known = false;
	}
	arena_free(&arena);
	return known;
}

static void append_entry(struct buf *out, const char *signature, const struct delay_entry *entry)
{
	const struct contract_call call = {
	        .to = entry->to, .value = entry->value, .data = entry->data};

	buf_printf(out, "\"%s\"", signature);
	append_one(out, &call);
	buf_printf(out, " %d", (int)entry->operation);
}

static bool delay_arguments(struct buf *out, struct bytes data)
{
	struct delay_entry entry;
	uint64_t nonce;

	if (delay_decode_enqueue(&entry, data, NULL) == 0)
		append_entry(out, DELAY_ENQUEUE_SIGNATURE, &entry);
	else if (delay_decode_execute(&entry, data, NULL) == 0)
		append_entry(out, DELAY_EXECUTE_SIGNATURE, &entry);
	else if (delay_decode_set_nonce(&nonce, data) == 0)
		buf_printf(out, "\"%s\" %llu", DELAY_SET_NONCE_SIGNATURE,
		           (unsigned long long)nonce);
	else if (delay_is_skip_expired(data))
		buf_printf(out, "\"%s\"", DELAY_SKIP_SIGNATURE);
	else
		return false;
	return true;
}

/* Appends "signature" and arguments of a call that we know; nothing otherwise. */
static bool append_arguments(struct buf *out, struct bytes data)
{
	return registry_arguments(out, data) || timelock_arguments(out, data) ||
	       delay_arguments(out, data);
}

void cast_send(struct buf *out, const struct contract_call *call, const struct address *from)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "cast send %s ", address_text(text, &call->to));
	if (!append_arguments(out, call->data))
		append_payload(out, call);
	if (!u256_is_zero(&call->value)) {
		buf_append_text(out, " --value ");
		append_value(out, call);
	}
	if (from != NULL)
		buf_printf(out, " --from %s", address_text(text, from));
	else
		buf_append_text(out, " --from \"$OWNER\"");
}
