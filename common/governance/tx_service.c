#include "common/governance/tx_service.h"

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
	           (unsigned long long)from_nonce, PROPOSAL_PAGE, (unsigned long long)offset);
}

void tx_service_path_delegations(struct buf *out, const struct address *delegate)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "/api/v2/delegates/?delegate=%s", address_text(text, delegate));
}

/* --- bodies
 * ------------------------------------------------------------------------------------------- */

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

/* --- a Safe
 * ------------------------------------------------------------------------------------------- */

static int read_addresses(struct arena *arena, struct address **out, size_t *count,
                          const struct jval *array, struct error *error)
{
	struct address *items = arena_array(arena, jval_count(array), sizeof(*items));

	for (size_t i = 0; i < jval_count(array); i++) {
		const char *text = jval_string(jval_at(array, i));
		if (text == NULL)
			return error_set(error, ERR_INVALID, "owners: expected addresses");
		if (address_parse(&items[i], text, error) != 0)
			return error_prefix(error, "owners");
	}
	*out = items;
	*count = jval_count(array);
	return 0;
}

static int read_safe(struct arena *arena, struct tx_service_safe *out, const struct jval *body,
                     struct error *error)
{
	int rc = service_field_address(&out->safe, body, "address", error);

	if (rc == 0)
		rc = service_field_u64(&out->nonce, body, "nonce", error);
	if (rc == 0)
		rc = service_field_small(&out->threshold, body, "threshold", 1000000, error);
	if (rc == 0)
		rc = read_addresses(arena, &out->owners, &out->owner_count,
		                    jval_get(body, "owners"), error);
	if (rc == 0)
		rc = service_field_address(&out->guard, body, "guard", error);
	out->module_count = jval_count(jval_get(body, "modules"));
	out->version = service_field_text(arena, body, "version");
	return rc;
}

int tx_service_parse_safe(struct arena *arena, struct tx_service_safe *out, struct bytes body,
                          struct error *error)
{
	struct error unread;
	struct jval *value;

	memset(out, 0, sizeof(*out));
	error = error != NULL ? error : &unread;
	int rc = jval_parse(&value, body, error);
	if (rc == 0)
		rc = read_safe(arena, out, value, error);
	if (rc != 0)
		memset(out, 0, sizeof(*out));
	jval_free(value);
	return rc;
}

/* --- transactions
 * ------- */

static int read_about(struct arena *arena, struct proposal_tx *out, const struct jval *item,
                      struct error *error)
{
	const struct jval *required = jval_get(item, "confirmationsRequired");
	int rc = service_field_address(&out->proposer, item, "proposer", error);

	if (rc == 0)
		rc = service_field_address(&out->delegate, item, "proposedByDelegate", error);
	if (rc == 0 && required != NULL && !jval_is_null(required))
		rc = service_field_small(&out->confirmations_required, item,
		                         "confirmationsRequired", 1000000, error);
	out->has_proposer = !address_is_zero(&out->proposer);
	out->by_delegate = !address_is_zero(&out->delegate);
	out->trusted = jval_is_true(jval_get(item, "trusted"));
	out->executed = jval_is_true(jval_get(item, "isExecuted"));
	out->origin = service_field_text(arena, item, "origin");
	return rc;
}

int tx_service_parse_tx(struct arena *arena, struct proposal_tx *out,
                        const struct proposal_place *place, struct bytes body, struct error *error)
{
	const struct service_question question = {
	        .asked = {.chain_id = place->chain_id, .safe = place->safe},
	        .read_about = read_about};

	return service_parse_tx(arena, out, &question, body, error);
}

int tx_service_parse_page(struct arena *arena, struct proposal_page *out,
                          const struct proposal_place *place, struct bytes body,
                          struct error *error)
{
	const struct service_question question = {
	        .asked = {.chain_id = place->chain_id, .safe = place->safe},
	        .read_about = read_about};

	return service_parse_page(arena, out, &question, body, error);
}
