#include "common/governance/txbuilder.h"

#include "common/base/arena.h"
#include "common/crypto/hash.h"
#include "common/governance/registry.h"
#include "common/governance/timelock.h"

#include <stdlib.h>
#include <string.h>

/* --- the checksum ------------------------------------------------------------------------------
 */

struct keys {
	struct arena *arena;
	const char **items;
	size_t count, room;
};

static int collect_key(const char *key, const struct jval *value, void *arg)
{
	struct keys *keys = arg;

	(void)value;
	if (keys->count < keys->room)
		keys->items[keys->count++] = arena_strdup(keys->arena, key);
	return 0;
}

static int key_compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static struct keys sorted_keys(struct arena *arena, const struct jval *object)
{
	struct keys keys = {.arena = arena, .room = jval_count(object)};

	keys.items = arena_array(arena, keys.room, sizeof(*keys.items));
	(void)jval_each(object, collect_key, &keys);
	if (keys.count > 1)
		qsort(keys.items, keys.count, sizeof(*keys.items), key_compare);
	return keys;
}

/* As JSON.stringify writes it: short escapes where there are any, else \u00xx in lower case. */
static void append_string(struct buf *out, const char *text)
{
	static const char shorts[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";

	buf_append_byte(out, '"');
	for (; *text != '\0'; text++) {
		const char *at = strchr(shorts, *text);
		if (at != NULL)
			buf_printf(out, "\\%c", letters[at - shorts]);
		else if ((unsigned char)*text < 0x20)
			buf_printf(out, "\\u%04x", (unsigned)*text);
		else
			buf_append_byte(out, (uint8_t)*text);
	}
	buf_append_byte(out, '"');
}

static void serialize(struct buf *out, const struct jval *value);

static void serialize_keys(struct buf *out, const struct keys *keys, const char *without)
{
	const char *separator = "";

	buf_append_text(out, "{[");
	for (size_t i = 0; i < keys->count; i++) {
		if (without != NULL && strcmp(keys->items[i], without) == 0)
			continue;
		buf_append_text(out, separator);
		append_string(out, keys->items[i]);
		separator = ",";
	}
	buf_append_byte(out, ']');
}

/* meta enters without its checksum and with no name, so that a renamed batch stays valid. */
static void serialize_meta(struct buf *out, const struct jval *meta)
{
	struct arena arena = {0};
	struct keys keys = sorted_keys(&arena, meta);

	serialize_keys(out, &keys, "checksum");
	for (size_t i = 0; i < keys.count; i++) {
		if (strcmp(keys.items[i], "checksum") == 0)
			continue;
		if (strcmp(keys.items[i], "name") == 0)
			buf_append_text(out, "null");
		else
			serialize(out, jval_get(meta, keys.items[i]));
		buf_append_byte(out, ',');
	}
	buf_append_byte(out, '}');
	arena_free(&arena);
}

static void serialize_object(struct buf *out, const struct jval *object, bool is_file)
{
	struct arena arena = {0};
	struct keys keys = sorted_keys(&arena, object);

	serialize_keys(out, &keys, NULL);
	for (size_t i = 0; i < keys.count; i++) {
		const struct jval *value = jval_get(object, keys.items[i]);
		if (is_file && strcmp(keys.items[i], "meta") == 0 && jval_is_object(value))
			serialize_meta(out, value);
		else
			serialize(out, value);
		buf_append_byte(out, ',');
	}
	buf_append_byte(out, '}');
	arena_free(&arena);
}

/* Depth is bounded by the JSON parser. */
static void serialize(struct buf *out, const struct jval *value)
{
	if (jval_is_object(value)) {
		serialize_object(out, value, false);
	} else if (jval_is_array(value)) {
		buf_append_byte(out, '[');
		for (size_t i = 0; i < jval_count(value); i++) {
			if (i > 0)
				buf_append_byte(out, ',');
			serialize(out, jval_at(value, i));
		}
		buf_append_byte(out, ']');
	} else if (jval_is_string(value)) {
		append_string(out, jval_string(value));
	} else {
		jval_write(out, value, JVAL_COMPACT);
	}
}

struct hash32 txbuilder_checksum(const struct jval *file)
{
	struct buf preimage = {0};

	serialize_object(&preimage, file, true);
	struct hash32 checksum = keccak256(buf_bytes(&preimage));
	buf_free(&preimage);
	return checksum;
}

/* --- the file ------------------------------------------------------------------------------------
 */

/* A call of one bytes32 that the app can show by name. */
struct known_call {
	const char *signature; /* "name(bytes32)" */
	const char *argument;
	struct hash32 value;
};

static bool known_call(struct known_call *known, const struct contract_call *call)
{
	enum kind kind;
	enum action action;

	if (timelock_decode_cancel(&known->value, call->data) == 0) {
		known->signature = TIMELOCK_CANCEL_SIGNATURE;
		known->argument = "id";
		return true;
	}
	if (registry_decode_call(&kind, &action, &known->value, call->data, CONTRACT_KMS) != 0 &&
	    registry_decode_call(&kind, &action, &known->value, call->data, CONTRACT_APP) != 0)
		return false;
	known->signature = kind_signature(kind, action);
	known->argument = kind_argument(kind);
	return true;
}

static void add_method(struct jval *transaction, const struct known_call *known)
{
	struct jval *method = jval_object(), *inputs = jval_array(), *input = jval_object(),
	            *values = jval_object();

	jval_add_string(input, "internalType", "bytes32");
	jval_add_string(input, "name", known->argument);
	jval_add_string(input, "type", "bytes32");
	jval_push(inputs, input);
	jval_add(method, "inputs", inputs);
	jval_add_printf(method, "name", "%.*s", (int)strcspn(known->signature, "("),
	                known->signature);
	jval_add_bool(method, "payable", false);
	jval_add(transaction, "contractMethod", method);
	jval_add_hash32(values, known->argument, &known->value);
	jval_add(transaction, "contractInputsValues", values);
}

/* Calldata would win over the method in the app, so the two are never both there; and a key with
 * null is not the same as no key to the checksum (and breaks other readers). */
static struct jval *transaction_of(const struct contract_call *call)
{
	char address[ADDRESS_TEXT_SIZE], value[U256_TEXT_SIZE];
	struct jval *transaction = jval_object();
	struct known_call known;

	jval_add_string(transaction, "to", address_text(address, &call->to));
	jval_add_string(transaction, "value", u256_decimal(value, &call->value));
	if (known_call(&known, call)) {
		jval_add(transaction, "data", jval_new_null());
		add_method(transaction, &known);
	} else {
		jval_add_hex(transaction, "data", call->data);
	}
	return transaction;
}

static struct jval *meta_of(const struct txbuilder_meta *meta)
{
	char address[ADDRESS_TEXT_SIZE];
	struct jval *out = jval_object();

	jval_add_string(out, "name", meta->name);
	jval_add_string(out, "description", meta->description);
	jval_add_string(out, "txBuilderVersion", "2.0.1");
	jval_add_string(out, "createdFromSafeAddress",
	                address_is_zero(&meta->safe) ? "" : address_text(address, &meta->safe));
	jval_add_string(out, "createdFromOwnerAddress", "");
	return out;
}

static struct jval *file_of(const struct txbuilder_meta *meta, struct jval *meta_value,
                            const struct contract_call *calls, size_t count)
{
	struct jval *file = jval_object(), *transactions = jval_array();

	for (size_t i = 0; i < count; i++)
		jval_push(transactions, transaction_of(&calls[i]));
	jval_add_string(file, "version", "1.0");
	jval_add_printf(file, "chainId", "%llu", (unsigned long long)meta->chain_id);
	jval_add_int(file, "createdAt", meta->created_ms);
	jval_add(file, "meta", meta_value);
	jval_add(file, "transactions", transactions);
	return file;
}

void txbuilder_write(struct buf *out, const struct txbuilder_meta *meta,
                     const struct contract_call *calls, size_t count)
{
	struct jval *meta_value = meta_of(meta);
	struct jval *file = file_of(meta, meta_value, calls, count);
	struct hash32 checksum = txbuilder_checksum(file);

	jval_add_hash32(meta_value, "checksum", &checksum);
	jval_write(out, file, JVAL_INDENTED);
	buf_append_byte(out, '\n');
	jval_free(file);
}
