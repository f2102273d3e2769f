#include "daemon/signer/wire.h"

#include "daemon/io/message.h"

#include <stdio.h>
#include <string.h>

static void put_text(struct buf *body, const char *text)
{
	field_put_bytes(body, bytes_text(text));
}

/* A NUL inside would make two readers see two texts. */
static const char *get_text(struct field_reader *reader, struct arena *arena)
{
	struct bytes text = field_get_bytes(reader);

	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
		reader->failed = true;
	return reader->failed ? "" : arena_text(arena, text);
}

static struct field_reader reader_of(struct bytes body)
{
	return (struct field_reader){.rest = body};
}

static int finish(const struct field_reader *reader)
{
	return field_reader_done(reader) ? 0 : ERR_INVALID;
}

void wire_put_hello(struct buf *body, const struct wire_hello *hello)
{
	put_text(body, hello->config_name);
	field_put_u32(body, (uint32_t)hello->file_count);
	for (size_t i = 0; i < hello->file_count; i++)
		put_text(body, hello->files[i]);
}

int wire_get_hello(struct arena *arena, struct wire_hello *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);

	*out = (struct wire_hello){.config_name = get_text(&reader, arena)};
	uint32_t count = field_get_u32(&reader);
	if (count > WIRE_MAX_FILES)
		return ERR_INVALID;
	for (size_t i = 0; i < count; i++)
		out->files[i] = get_text(&reader, arena);
	out->file_count = count;
	return finish(&reader);
}

void wire_put_ready(struct buf *body, const struct wire_ready *ready)
{
	field_put_u32(body, (uint32_t)ready->count);
	for (size_t i = 0; i < ready->count; i++) {
		put_text(body, ready->keys[i].target);
		field_put_u8(body, ready->keys[i].key);
		field_put_fixed(body, ready->keys[i].address.b, sizeof(ready->keys[i].address.b));
	}
}

int wire_get_ready(struct arena *arena, struct wire_ready *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);
	uint32_t count = field_get_u32(&reader);

	*out = (struct wire_ready){0};
	if (count > WIRE_MAX_KEYS)
		return ERR_INVALID;
	struct wire_key *keys = arena_array(arena, count, sizeof(*keys));
	for (size_t i = 0; i < count; i++) {
		keys[i].target = get_text(&reader, arena);
		keys[i].key = field_get_u8(&reader);
		field_get_fixed(&reader, keys[i].address.b, sizeof(keys[i].address.b));
	}
	*out = (struct wire_ready){.keys = keys, .count = count};
	return finish(&reader);
}

void wire_put_safe_tx(struct buf *body, const struct wire_safe_tx *request)
{
	const struct safe_tx *tx = &request->tx;

	put_text(body, request->target);
	field_put_u8(body, (uint8_t)request->purpose);
	field_put_u64(body, tx->chain_id);
	field_put_fixed(body, tx->safe.b, sizeof(tx->safe.b));
	field_put_fixed(body, tx->to.b, sizeof(tx->to.b));
	field_put_fixed(body, tx->value.b, sizeof(tx->value.b));
	field_put_bytes(body, tx->data);
	field_put_u8(body, tx->operation);
	field_put_fixed(body, tx->safe_tx_gas.b, sizeof(tx->safe_tx_gas.b));
	field_put_fixed(body, tx->base_gas.b, sizeof(tx->base_gas.b));
	field_put_fixed(body, tx->gas_price.b, sizeof(tx->gas_price.b));
	field_put_fixed(body, tx->gas_token.b, sizeof(tx->gas_token.b));
	field_put_fixed(body, tx->refund_receiver.b, sizeof(tx->refund_receiver.b));
	field_put_u64(body, tx->nonce);
}

int wire_get_safe_tx(struct arena *arena, struct wire_safe_tx *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);
	struct safe_tx *tx = &out->tx;

	*out = (struct wire_safe_tx){.target = get_text(&reader, arena)};
	out->purpose = (enum purpose)field_get_u8(&reader);
	tx->chain_id = field_get_u64(&reader);
	field_get_fixed(&reader, tx->safe.b, sizeof(tx->safe.b));
	field_get_fixed(&reader, tx->to.b, sizeof(tx->to.b));
	field_get_fixed(&reader, tx->value.b, sizeof(tx->value.b));
	tx->data = field_get_bytes(&reader);
	tx->operation = field_get_u8(&reader);
	field_get_fixed(&reader, tx->safe_tx_gas.b, sizeof(tx->safe_tx_gas.b));
	field_get_fixed(&reader, tx->base_gas.b, sizeof(tx->base_gas.b));
	field_get_fixed(&reader, tx->gas_price.b, sizeof(tx->gas_price.b));
	field_get_fixed(&reader, tx->gas_token.b, sizeof(tx->gas_token.b));
	field_get_fixed(&reader, tx->refund_receiver.b, sizeof(tx->refund_receiver.b));
	tx->nonce = field_get_u64(&reader);
	return finish(&reader);
}

void wire_put_delete(struct buf *body, const struct wire_delete *request)
{
	put_text(body, request->target);
	field_put_fixed(body, request->safe_tx_hash.b, sizeof(request->safe_tx_hash.b));
	field_put_u64(body, request->totp);
}

int wire_get_delete(struct arena *arena, struct wire_delete *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);

	*out = (struct wire_delete){.target = get_text(&reader, arena)};
	field_get_fixed(&reader, out->safe_tx_hash.b, sizeof(out->safe_tx_hash.b));
	out->totp = field_get_u64(&reader);
	return finish(&reader);
}

void wire_put_execution(struct buf *body, const struct wire_execution *request)
{
	const struct eth_transaction *tx = &request->tx;

	put_text(body, request->target);
	field_put_u64(body, tx->chain_id);
	field_put_u64(body, tx->nonce);
	field_put_u64(body, tx->gas);
	field_put_fixed(body, tx->max_priority_fee.b, sizeof(tx->max_priority_fee.b));
	field_put_fixed(body, tx->max_fee.b, sizeof(tx->max_fee.b));
	field_put_fixed(body, tx->to.b, sizeof(tx->to.b));
	field_put_fixed(body, tx->value.b, sizeof(tx->value.b));
	field_put_bytes(body, tx->data);
}

int wire_get_execution(struct arena *arena, struct wire_execution *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);
	struct eth_transaction *tx = &out->tx;

	*out = (struct wire_execution){.target = get_text(&reader, arena)};
	tx->chain_id = field_get_u64(&reader);
	tx->nonce = field_get_u64(&reader);
	tx->gas = field_get_u64(&reader);
	field_get_fixed(&reader, tx->max_priority_fee.b, sizeof(tx->max_priority_fee.b));
	field_get_fixed(&reader, tx->max_fee.b, sizeof(tx->max_fee.b));
	field_get_fixed(&reader, tx->to.b, sizeof(tx->to.b));
	field_get_fixed(&reader, tx->value.b, sizeof(tx->value.b));
	tx->data = field_get_bytes(&reader);
	return finish(&reader);
}

void wire_put_signature(struct buf *body, const struct wire_signature *answer)
{
	field_put_fixed(body, answer->signature, sizeof(answer->signature));
	field_put_fixed(body, answer->hash.b, sizeof(answer->hash.b));
}

int wire_get_signature(struct wire_signature *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);

	field_get_fixed(&reader, out->signature, sizeof(out->signature));
	field_get_fixed(&reader, out->hash.b, sizeof(out->hash.b));
	return finish(&reader);
}

void wire_put_transaction(struct buf *body, const struct wire_transaction *answer)
{
	field_put_bytes(body, answer->raw);
	field_put_fixed(body, answer->hash.b, sizeof(answer->hash.b));
}

int wire_get_transaction(struct wire_transaction *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);

	*out = (struct wire_transaction){.raw = field_get_bytes(&reader)};
	field_get_fixed(&reader, out->hash.b, sizeof(out->hash.b));
	return finish(&reader);
}

void wire_put_refused(struct buf *body, const struct error *reason)
{
	field_put_u8(body, (uint8_t)-reason->code);
	put_text(body, reason->text);
}

int wire_get_refused(struct error *out, struct bytes body)
{
	struct field_reader reader = reader_of(body);
	uint8_t code = field_get_u8(&reader);
	struct bytes text = field_get_bytes(&reader);

	*out = (struct error){.code = ERR_DENIED};
	if (code >= -ERR_INVALID && code <= -ERR_DENIED)
		out->code = -code;
	snprintf(out->text, sizeof(out->text), "%.*s", (int)text.len,
	         text.len > 0 ? (const char *)text.data : "");
	return finish(&reader);
}
