#include "common/governance/queue_service.h"

#include "common/governance/service_message.h"

/* --- paths ------------------------------------------------------------------------------------ */

static const char transactions[] = "/api/v1/multisig-transactions";

void queue_service_path_propose(struct buf *out)
{
	buf_append_text(out, transactions);
}

void queue_service_path_transaction(struct buf *out, const struct hash32 *safe_tx_hash)
{
	char text[HASH32_TEXT_SIZE];

	buf_printf(out, "%s/%s", transactions, hash32_text(text, safe_tx_hash));
}

void queue_service_path_pending(struct buf *out, uint64_t chain_id, const struct address *safe,
                                uint64_t offset)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "%s/queue?safes=%s:%llu&nonce_order=asc&limit=%d&offset=%llu", transactions,
	           address_text(text, safe), (unsigned long long)chain_id, PROPOSAL_PAGE,
	           (unsigned long long)offset);
}

void queue_service_path_delegations(struct buf *out, uint64_t chain_id,
                                    const struct address *delegate)
{
	char text[ADDRESS_TEXT_SIZE];

	buf_printf(out, "/api/v1/delegates?chainId=%llu&delegate=%s", (unsigned long long)chain_id,
	           address_text(text, delegate));
}

/* --- what is sent ----------------------------------------------------------------------------- */

static void add_origin(struct jval *body, const char *origin)
{
	struct jval *value;

	if (jval_parse(&value, bytes_text(origin), NULL) == 0) {
		jval_add_string(body, "originName", jval_get_string(value, "name"));
		jval_add_string(body, "notes", jval_get_string(value, "note"));
	}
	jval_free(value);
}

void queue_service_propose_body(struct buf *out, const struct safe_tx *tx,
                                const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin)
{
	struct jval *body = jval_object(), *signatures = jval_array();
	char text[2 + 2 * SAFE_SIGNATURE_SIZE + 1] = "0x";

	jval_add_int(body, "chainId", (int64_t)tx->chain_id);
	service_add_address(body, "safe", &tx->safe);
	service_add_address(body, "to", &tx->to);
	service_add_u256(body, "value", &tx->value);
	jval_add_hex(body, "data", tx->data);
	jval_add_int(body, "nonce", (int64_t)tx->nonce);
	jval_add_int(body, "operation", tx->operation);
	service_add_u256(body, "safeTxGas", &tx->safe_tx_gas);
	service_add_u256(body, "baseGas", &tx->base_gas);
	service_add_u256(body, "gasPrice", &tx->gas_price);
	service_add_address(body, "gasToken", &tx->gas_token);
	service_add_address(body, "refundReceiver", &tx->refund_receiver);
	add_origin(body, origin);
	hex_encode(text + 2, bytes_of(signature, SAFE_SIGNATURE_SIZE));
	jval_push(signatures, jval_new_string(text));
	jval_add(body, "signatures", signatures);
	jval_write(out, body, JVAL_COMPACT);
	jval_free(body);
}

/* --- what comes back -------------------------------------------------------------------------- */

/* The hash that was recomputed is of the asked chain already, so that this can only be a lie about
 * it, or a service that mixes chains up. */
static int check_chain_id(const struct proposal_tx *tx, const struct jval *item,
                          struct error *error)
{
	int64_t chain_id;

	if (jval_get_int(item, "chainId", &chain_id) != 0)
		return error_set(error, ERR_INVALID, "chainId: expected a number");
	if (chain_id < 0 || (uint64_t)chain_id != tx->tx.chain_id)
		return error_set(error, ERR_DENIED,
		                 "chainId: %lld is another chain than the one asked about",
		                 (long long)chain_id);
	return 0;
}

static const char *origin_of(struct arena *arena, const struct jval *item)
{
	struct jval *origin = jval_object();
	struct buf text = {0};

	jval_add_string(origin, "name", jval_get_string(item, "originName"));
	jval_add_string(origin, "note", jval_get_string(item, "notes"));
	jval_write(&text, origin, JVAL_COMPACT);
	const char *copy = arena_strdup(arena, buf_text(&text));
	buf_free(&text);
	jval_free(origin);
	return copy;
}

static int read_about(struct arena *arena, struct proposal_tx *out, const struct jval *item,
                      struct error *error)
{
	int rc = check_chain_id(out, item, error);

	if (rc == 0)
		rc = service_field_address(&out->proposer, item, "proposer", error);
	if (rc == 0)
		rc = service_field_address(&out->delegate, item, "proposedByDelegate", error);
	out->has_proposer = !address_is_zero(&out->proposer);
	out->by_delegate = !address_is_zero(&out->delegate);
	out->trusted = out->has_proposer || out->confirmation_count > 0;
	out->executed = jval_get_string(item, "txHash") != NULL;
	out->origin = origin_of(arena, item);
	return rc;
}

int queue_service_parse_tx(struct arena *arena, struct proposal_tx *out,
                           const struct proposal_place *place, struct bytes body,
                           struct error *error)
{
	const struct service_question question = {
	        .asked = {.chain_id = place->chain_id, .safe = place->safe},
	        .read_about = read_about};

	return service_parse_tx(arena, out, &question, body, error);
}

int queue_service_parse_page(struct arena *arena, struct proposal_page *out,
                             const struct proposal_place *place, struct bytes body,
                             struct error *error)
{
	const struct service_question question = {
	        .asked = {.chain_id = place->chain_id, .safe = place->safe},
	        .read_about = read_about};

	return service_parse_page(arena, out, &question, body, error);
}
