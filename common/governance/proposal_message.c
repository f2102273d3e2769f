#include "common/governance/proposal_message.h"

#include "common/governance/service_message.h"

#include <string.h>

/* --- members of a body
 * ------- */

void service_add_u256(struct jval *object, const char *key, const struct u256 *value)
{
	char text[U256_TEXT_SIZE];

	jval_add_string(object, key, u256_decimal(text, value));
}

void service_add_address(struct jval *object, const char *key, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	jval_add_string(object, key, address_text(text, address));
}

/* --- fields
 * ------------------------------------------------------------------------------------------- */

/* A number as decimal text or as a JSON integer: versions and services differ. null is zero: a
 * wrong guess would give another hash. */
static int field_u256(struct u256 *out, const struct jval *object, const char *key,
                      struct error *error)
{
	const char *text = jval_get_string(object, key);
	int64_t number;

	memset(out, 0, sizeof(*out));
	if (jval_is_null(jval_get(object, key)))
		return 0;
	if (text != NULL)
		return u256_parse(out, text, error) == 0 ? 0 : error_prefix(error, "%s", key);
	if (jval_get_int(object, key, &number) != 0 || number < 0)
		return error_set(error, ERR_INVALID, "%s: expected a number", key);
	*out = u256_from((uint64_t)number);
	return 0;
}

int service_field_u64(uint64_t *out, const struct jval *object, const char *key,
                      struct error *error)
{
	struct u256 wide;
	int rc = field_u256(&wide, object, key, error);

	*out = 0;
	if (rc != 0)
		return rc;
	if (u256_to_u64(out, &wide) != 0)
		return error_set(error, ERR_LIMIT, "%s: too large", key);
	return 0;
}

int service_field_small(unsigned *out, const struct jval *object, const char *key, unsigned limit,
                        struct error *error)
{
	uint64_t number;
	int rc = service_field_u64(&number, object, key, error);

	*out = 0;
	if (rc != 0)
		return rc;
	if (number > limit)
		return error_set(error, ERR_LIMIT, "%s: %llu, at most %u", key,
		                 (unsigned long long)number, limit);
	*out = (unsigned)number;
	return 0;
}

int service_field_address(struct address *out, const struct jval *object, const char *key,
                          struct error *error)
{
	const struct jval *value = jval_get(object, key);

	memset(out, 0, sizeof(*out));
	if (value == NULL || jval_is_null(value))
		return 0;
	if (!jval_is_string(value))
		return error_set(error, ERR_INVALID, "%s: expected an address", key);
	return address_parse(out, jval_string(value), error) == 0 ? 0
	                                                          : error_prefix(error, "%s", key);
}

/* Hex of any length; null means empty. */
static int field_bytes(struct arena *arena, struct bytes *out, const struct jval *object,
                       const char *key, struct error *error)
{
	const struct jval *value = jval_get(object, key);
	const char *text = jval_string(value);

	*out = (struct bytes){0};
	if (value == NULL || jval_is_null(value))
		return 0;
	if (text == NULL || strncmp(text, "0x", 2) != 0 || strlen(text) % 2 != 0)
		return error_set(error, ERR_INVALID, "%s: expected 0x hex", key);
	size_t len = strlen(text) / 2 - 1;
	uint8_t *memory = arena_alloc(arena, len + 1);
	if (hex_decode(memory, len, text, error) != 0)
		return error_prefix(error, "%s", key);
	*out = bytes_of(memory, len);
	return 0;
}

const char *service_field_text(struct arena *arena, const struct jval *object, const char *key)
{
	return arena_strdup(arena, jval_get_string(object, key));
}

/* --- transactions
 * --------------------------------------------------------------------------------------- */

static int read_hashed_fields(struct arena *arena, struct safe_tx *tx, const struct jval *item,
                              struct error *error)
{
	unsigned operation;
	int rc = service_field_address(&tx->to, item, "to", error);

	if (rc == 0)
		rc = field_u256(&tx->value, item, "value", error);
	if (rc == 0)
		rc = field_bytes(arena, &tx->data, item, "data", error);
	if (rc == 0)
		rc = service_field_small(&operation, item, "operation", 1, error);
	if (rc == 0)
		tx->operation = (uint8_t)operation;
	if (rc == 0)
		rc = field_u256(&tx->safe_tx_gas, item, "safeTxGas", error);
	if (rc == 0)
		rc = field_u256(&tx->base_gas, item, "baseGas", error);
	if (rc == 0)
		rc = field_u256(&tx->gas_price, item, "gasPrice", error);
	if (rc == 0)
		rc = service_field_address(&tx->gas_token, item, "gasToken", error);
	if (rc == 0)
		rc = service_field_address(&tx->refund_receiver, item, "refundReceiver", error);
	if (rc == 0)
		rc = service_field_u64(&tx->nonce, item, "nonce", error);
	return rc;
}

/* The hash must be the hash of the fields: else the service shows one thing and asks to sign
 * another. */
static int check_hash(struct proposal_tx *out, const struct jval *item, struct error *error)
{
	char said[HASH32_TEXT_SIZE], is[HASH32_TEXT_SIZE];
	const char *text = jval_get_string(item, "safeTxHash");
	struct hash32 hash;

	if (text == NULL)
		return error_set(error, ERR_INVALID, "safeTxHash: expected a hash");
	if (hash32_parse(&hash, text, error) != 0)
		return error_prefix(error, "safeTxHash");
	out->safe_tx_hash = safe_tx_hash(&out->tx);
	if (!hash32_equal(&hash, &out->safe_tx_hash))
		return error_set(error, ERR_DENIED,
		                 "safeTxHash: the service says %s, but its fields hash to %s",
		                 hash32_text(said, &hash), hash32_text(is, &out->safe_tx_hash));
	return 0;
}

/* A confirmation whose signature nobody can be recovered from stays in the list, unverified. */
static int read_confirmation(struct arena *arena, struct proposal_confirmation *out,
                             const struct hash32 *hash, const struct jval *item,
                             struct error *error)
{
	struct bytes signature;
	struct address owner;
	bool needs_chain;
	int rc = service_field_address(&out->owner, item, "owner", error);

	if (rc == 0)
		rc = field_bytes(arena, &signature, item, "signature", error);
	if (rc != 0)
		return rc;
	if (signature.len < SAFE_SIGNATURE_SIZE ||
	    safe_signature_owner(&owner, &needs_chain, hash, signature.data, NULL) != 0 ||
	    !address_equal(&owner, &out->owner))
		return 0;
	out->verified = !needs_chain;
	out->needs_chain = needs_chain;
	if (needs_chain)
		out->signature = signature;
	return 0;
}

static bool already_listed(const struct proposal_tx *tx, const struct address *owner)
{
	for (size_t i = 0; i < tx->confirmation_count; i++) {
		if (address_equal(&tx->confirmations[i].owner, owner))
			return true;
	}
	return false;
}

static int read_confirmations(struct arena *arena, struct proposal_tx *out,
                              const struct jval *array, struct error *error)
{
	if (jval_count(array) > PROPOSAL_MAX_CONFIRMATIONS)
		return error_set(error, ERR_LIMIT, "confirmations: %zu, at most %d",
		                 jval_count(array), PROPOSAL_MAX_CONFIRMATIONS);
	out->confirmations = arena_array(arena, jval_count(array), sizeof(*out->confirmations));
	for (size_t i = 0; i < jval_count(array); i++) {
		struct proposal_confirmation next = {0};
		int rc = read_confirmation(arena, &next, &out->safe_tx_hash, jval_at(array, i),
		                           error);
		if (rc != 0)
			return error_prefix(error, "confirmations[%zu]", i);
		if (!already_listed(out, &next.owner))
			out->confirmations[out->confirmation_count++] = next;
	}
	return 0;
}

static int read_tx(struct arena *arena, struct proposal_tx *out,
                   const struct service_question *question, const struct jval *item,
                   struct error *error)
{
	const struct safe_tx *asked = &question->asked;
	char text[ADDRESS_TEXT_SIZE];

	*out = (struct proposal_tx){.tx = *asked};
	int rc = service_field_address(&out->tx.safe, item, "safe", error);
	if (rc == 0 && !address_equal(&out->tx.safe, &asked->safe))
		rc = error_set(error, ERR_DENIED,
		               "safe: %s is another Safe than the one asked about",
		               address_text(text, &out->tx.safe));
	if (rc == 0)
		rc = read_hashed_fields(arena, &out->tx, item, error);
	if (rc == 0)
		rc = check_hash(out, item, error);
	if (rc == 0)
		rc = read_confirmations(arena, out, jval_get(item, "confirmations"), error);
	if (rc == 0)
		rc = question->read_about(arena, out, item, error);
	if (rc != 0)
		memset(out, 0, sizeof(*out));
	return rc;
}

int service_parse_tx(struct arena *arena, struct proposal_tx *out,
                     const struct service_question *question, struct bytes body,
                     struct error *error)
{
	struct error unread;
	struct jval *value;

	memset(out, 0, sizeof(*out));
	error = error != NULL ? error : &unread;
	int rc = jval_parse(&value, body, error);
	if (rc == 0)
		rc = read_tx(arena, out, question, value, error);
	jval_free(value);
	return rc;
}

static void read_page(struct arena *arena, struct proposal_page *out,
                      const struct service_question *question, const struct jval *page)
{
	const struct jval *results = jval_get(page, "results");

	out->items = arena_array(arena, jval_count(results), sizeof(*out->items));
	for (size_t i = 0; i < jval_count(results); i++) {
		struct error refusal = {0};
		if (read_tx(arena, &out->items[out->count], question, jval_at(results, i),
		            &refusal) == 0)
			out->count++;
		else if (out->refused++ == 0)
			out->refusal = arena_printf(arena, "results[%zu]: %s", i, refusal.text);
	}
	out->more = jval_is_string(jval_get(page, "next"));
}

int service_parse_page(struct arena *arena, struct proposal_page *out,
                       const struct service_question *question, struct bytes body,
                       struct error *error)
{
	struct jval *value;

	memset(out, 0, sizeof(*out));
	int rc = jval_parse(&value, body, error);
	if (rc == 0 && !jval_is_array(jval_get(value, "results")))
		rc = error_set(error, ERR_INVALID, "results: expected a list");
	if (rc == 0 && jval_count(jval_get(value, "results")) > PROPOSAL_PAGE)
		rc = error_set(error, ERR_LIMIT, "results: %zu, at most %d",
		               jval_count(jval_get(value, "results")), PROPOSAL_PAGE);
	if (rc == 0)
		read_page(arena, out, question, value);
	jval_free(value);
	return rc;
}

/* --- delegates
 * -------------------------------------------------------------------------------------------- */

static int read_delegate(struct arena *arena, struct proposal_delegate *out,
                         const struct jval *item, struct error *error)
{
	int rc = service_field_address(&out->delegate, item, "delegate", error);

	if (rc == 0)
		rc = service_field_address(&out->delegator, item, "delegator", error);
	out->every_safe = jval_is_null(jval_get(item, "safe"));
	if (rc == 0 && !out->every_safe)
		rc = service_field_address(&out->safe, item, "safe", error);
	out->label = service_field_text(arena, item, "label");
	out->expires = service_field_text(arena, item, "expiryDate");
	return rc;
}

int proposal_parse_delegates(struct arena *arena, struct proposal_delegate **out, size_t *count,
                             struct bytes body, struct error *error)
{
	struct error unread;
	struct jval *value;

	*out = NULL;
	*count = 0;
	error = error != NULL ? error : &unread;
	int rc = jval_parse(&value, body, error);
	const struct jval *results = rc == 0 ? jval_get(value, "results") : NULL;
	if (rc == 0 && !jval_is_array(results))
		rc = error_set(error, ERR_INVALID, "results: expected a list");
	struct proposal_delegate *items = arena_array(arena, jval_count(results), sizeof(*items));
	for (size_t i = 0; rc == 0 && i < jval_count(results); i++) {
		rc = read_delegate(arena, &items[i], jval_at(results, i), error);
		if (rc != 0)
			rc = error_prefix(error, "results[%zu]", i);
	}
	if (rc == 0) {
		*out = items;
		*count = jval_count(results);
	}
	jval_free(value);
	return rc;
}

/* --- refusals
 * --------------------------------------------------------------------------------------------- */

enum { REFUSAL_MAX = 300 };

/* One line for a log: what is no printable ASCII becomes a space. */
static void append_line(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len && out->len < REFUSAL_MAX; i++) {
		bool plain = text[i] >= ' ' && text[i] <= '~';
		buf_append_byte(out, plain ? (uint8_t)text[i] : ' ');
	}
}

static void append_value(struct buf *out, const struct jval *value)
{
	if (jval_is_object(value))
		value = jval_get(value, "msg"); /* FastAPI's detail entries */
	const char *text = jval_string(value);
	if (text != NULL)
		append_line(out, text, strlen(text));
}

struct refusal {
	struct buf *out;
	size_t parts;
};

/* Keys that only name the place where every refusal stands. */
static bool says_nothing(const char *key)
{
	static const char *const keys[] = {"nonFieldErrors", "detail", "message", "exception"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return false;
}

static int visit_refusal(const char *key, const struct jval *value, void *arg)
{
	struct refusal *refusal = arg;

	if (strcmp(key, "trace") == 0 || (!jval_is_string(value) && !jval_is_array(value)))
		return 0;
	append_line(refusal->out, refusal->parts == 0 ? ": " : "; ", 2);
	refusal->parts++;
	if (!says_nothing(key)) {
		append_line(refusal->out, key, strlen(key));
		append_line(refusal->out, ": ", 2);
	}
	if (jval_is_string(value))
		append_value(refusal->out, value);
	for (size_t i = 0; i < jval_count(value); i++) {
		if (i > 0)
			append_line(refusal->out, ", ", 2);
		append_value(refusal->out, jval_at(value, i));
	}
	return 0;
}

void proposal_error(struct buf *out, int status, struct bytes body)
{
	struct buf line = {0};
	struct refusal refusal = {.out = &line};
	struct jval *value;

	buf_printf(&line, "%d", status);
	int parsed = jval_parse(&value, body, NULL);
	if (parsed == 0)
		(void)jval_each(value, visit_refusal, &refusal);
	else if (body.len > 0) {
		append_line(&line, ": ", 2);
		append_line(&line, (const char *)body.data, body.len);
	}
	jval_free(value);
	buf_append_bytes(out, buf_bytes(&line));
	buf_free(&line);
}
