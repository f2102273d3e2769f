#include "common/governance/service_message.h"

#include <string.h>

/* --- paths
 * ------------------------------------------------------------------------------------------ */

/* Every path ends with a slash before its query: the service redirects otherwise, and a redirected
 * POST loses its body. */

void tx_service_path_safe(struct buf *out, const struct address *safe)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "/api/v1/safes/%s/", address_text(text, safe));
}

void tx_service_path_propose(struct buf *out, const struct address *safe)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "/api/v2/safes/%s/multisig-transactions/", address_text(text, safe));
}

void tx_service_path_transaction(struct buf *out, const struct hash32 *safe_tx_hash)
{
	char text[HASH32_TEXT_SIZE];

	buf_printf(out, "/api/v2/multisig-transactions/%s/", hash32_text(text, safe_tx_hash));
}

void tx_service_path_pending(struct buf *out, const struct address *safe, uint64_t from_nonce,
                             uint64_t offset)
{
	tx_service_path_propose(out, safe);
	buf_printf(out, "?executed=false&nonce__gte=%llu&ordering=nonce&limit=%d&offset=%llu",
	           (unsigned long long)from_nonce, TX_SERVICE_PAGE, (unsigned long long)offset);
}

void tx_service_path_delegates(struct buf *out, const struct address *safe)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "/api/v2/delegates/?safe=%s", address_text(text, safe));
}

void tx_service_path_delegations(struct buf *out, const struct address *delegate)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "/api/v2/delegates/?delegate=%s", address_text(text, delegate));
}

/* --- origin
 * ------------------------------------------------------------------------------------------- */

/* How many digits of value and evidence are shown, from the fullest form down. */
static const struct detail {
	int value, evidence;
} details[] = {{64, 64}, {64, 16}, {64, 8}, {16, 8}, {8, 8}, {8, 0}};

static void append_digits(struct buf *out, const struct hash32 *value, int digits)
{
	char text[HASH32_TEXT_SIZE];

	buf_printf(out, "%.*s%s", 2 + digits, hash32_text(text, value), digits < 64 ? ".." : "");
}

static bool same_value(const struct tx_service_note *a, const struct tx_service_note *b)
{
	return a->action == b->action && hash32_equal(&a->value, &b->value);
}

/* True when an earlier note already stands for this value; its kind is named there. */
static bool named_before(const struct tx_service_note *notes, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (same_value(&notes[i], &notes[at]))
			return true;
	}
	return false;
}

static size_t count_values(const struct tx_service_note *notes, size_t count)
{
	size_t values = 0;

	for (size_t i = 0; i < count; i++)
		values += !named_before(notes, i);
	return values;
}

/* "add os-image+compose 0x.., evidence 0x.." */
static void append_value(struct buf *out, const struct tx_service_note *notes, size_t count,
                         size_t at, const struct detail *detail)
{
	buf_printf(out, "%s %s", action_name(notes[at].action), kind_name(notes[at].kind));
	for (size_t i = at + 1; i < count; i++) {
		if (same_value(&notes[i], &notes[at]))
			buf_printf(out, "+%s", kind_name(notes[i].kind));
	}
	buf_append_byte(out, ' ');
	append_digits(out, &notes[at].value, detail->value);
	if (detail->evidence > 0 && !hash32_is_zero(&notes[at].evidence)) {
		buf_append_text(out, ", evidence ");
		append_digits(out, &notes[at].evidence, detail->evidence);
	}
}

/* What a signer has to know about this transaction before its values. */
static const char *purpose_prefix(enum purpose purpose)
{
	switch (purpose) {
	case PURPOSE_SCHEDULE:
	case PURPOSE_APPLY:
		return "";
	case PURPOSE_EXECUTE:
		return "execute: ";
	case PURPOSE_REJECT:
		return "reject: ";
	case PURPOSE_CANCEL:
		return "cancel: ";
	}
	die("no such purpose: %d", (int)purpose);
}

/* The whole origin with the first `shown` values. */
static void write_origin(struct buf *out, enum purpose purpose, const struct tx_service_note *notes,
                         size_t count, size_t shown, const struct detail *detail)
{
	size_t written = 0, values = count_values(notes, count);

	buf_clear(out);
	buf_printf(out, "{\"name\":\"registrard\",\"note\":\"%s", purpose_prefix(purpose));
	for (size_t i = 0; i < count && written < shown; i++) {
		if (named_before(notes, i))
			continue;
		if (written++ > 0)
			buf_append_text(out, "; ");
		append_value(out, notes, count, i, detail);
	}
	if (written < values)
		buf_printf(out, "%s+%zu more", written > 0 ? "; " : "", values - written);
	buf_append_text(out, "\"}");
}

char *tx_service_origin(char text[TX_SERVICE_ORIGIN_SIZE], enum purpose purpose,
                        const struct tx_service_note *notes, size_t count)
{
	struct buf out = {0};
	size_t shown = count_values(notes, count), level = 0;

	write_origin(&out, purpose, notes, count, shown, &details[level]);
	while (out.len >= TX_SERVICE_ORIGIN_SIZE && level + 1 < ARRAY_LEN(details))
		write_origin(&out, purpose, notes, count, shown, &details[++level]);
	while (out.len >= TX_SERVICE_ORIGIN_SIZE && shown > 0)
		write_origin(&out, purpose, notes, count, --shown, &details[level]);
	memcpy(text, buf_text(&out), out.len + 1);
	buf_free(&out);
	return text;
}

/* --- bodies
 * ------------------------------------------------------------------------------------------- */

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

void tx_service_propose_body(struct buf *out, const struct safe_tx *tx,
                             const struct address *sender,
                             const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin)
{
	struct jval *body = jval_object();
	struct hash32 hash = safe_tx_hash(tx);

	service_add_address(body, "to", &tx->to);
	service_add_u256(body, "value", &tx->value);
	jval_add_hex(body, "data", tx->data);
	jval_add_int(body, "operation", tx->operation);
	service_add_u256(body, "safeTxGas", &tx->safe_tx_gas);
	service_add_u256(body, "baseGas", &tx->base_gas);
	service_add_u256(body, "gasPrice", &tx->gas_price);
	service_add_address(body, "gasToken", &tx->gas_token);
	service_add_address(body, "refundReceiver", &tx->refund_receiver);
	jval_add_printf(body, "nonce", "%llu", (unsigned long long)tx->nonce);
	jval_add_hash32(body, "contractTransactionHash", &hash);
	service_add_address(body, "sender", sender);
	jval_add_hex(body, "signature", bytes_of(signature, SAFE_SIGNATURE_SIZE));
	jval_add_string(body, "origin", origin);
	jval_write(out, body, JVAL_COMPACT);
	jval_free(body);
}
