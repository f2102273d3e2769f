#include "common/governance/proposal_api.h"

#include "common/base/jval.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/governance/queue_service.h"
#include "common/governance/tx_service.h"

/* --- the Safe Transaction Service --------------------------------------------------------------
 */

static void tx_path_propose(struct buf *out, const struct proposal_place *place)
{
	tx_service_path_propose(out, &place->safe);
}

static void tx_path_pending(struct buf *out, const struct proposal_place *place,
                            uint64_t from_nonce, uint64_t offset)
{
	tx_service_path_pending(out, &place->safe, from_nonce, offset);
}

/* One service per chain: its address says which. */
static void tx_path_delegations(struct buf *out, const struct proposal_place *place,
                                const struct address *delegate)
{
	(void)place;
	tx_service_path_delegations(out, delegate);
}

static void tx_path_safe(struct buf *out, const struct proposal_place *place)
{
	tx_service_path_safe(out, &place->safe);
}

const struct proposal_api tx_service_api = {
        .name = "tx-service",
        .path_propose = tx_path_propose,
        .path_transaction = tx_service_path_transaction,
        .path_pending = tx_path_pending,
        .path_delegations = tx_path_delegations,
        .path_safe = tx_path_safe,
        .propose_body = tx_service_propose_body,
        .parse_tx = tx_service_parse_tx,
        .parse_page = tx_service_parse_page,
        .delete_domain = "Safe Transaction Service",
};

/* --- the Safe Queue Service --------------------------------------------------------------------
 */

static void queue_path_propose(struct buf *out, const struct proposal_place *place)
{
	(void)place; /* stands in the body */
	queue_service_path_propose(out);
}

/* It has no filter for nonces, and forgets what was executed itself. */
static void queue_path_pending(struct buf *out, const struct proposal_place *place,
                               uint64_t from_nonce, uint64_t offset)
{
	(void)from_nonce;
	queue_service_path_pending(out, place->chain_id, &place->safe, offset);
}

static void queue_path_delegations(struct buf *out, const struct proposal_place *place,
                                   const struct address *delegate)
{
	queue_service_path_delegations(out, place->chain_id, delegate);
}

static void queue_propose_body(struct buf *out, const struct safe_tx *tx,
                               const struct address *sender,
                               const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin)
{
	(void)sender; /* whom the signature recovers to */
	queue_service_propose_body(out, tx, signature, origin);
}

const struct proposal_api queue_service_api = {
        .name = "queue",
        .path_propose = queue_path_propose,
        .path_transaction = queue_service_path_transaction,
        .path_pending = queue_path_pending,
        .path_delegations = queue_path_delegations,
        .path_safe = NULL,
        .propose_body = queue_propose_body,
        .parse_tx = queue_service_parse_tx,
        .parse_page = queue_service_parse_page,
        .delete_domain = "Safe Queue Service",
};

const struct proposal_api *proposal_api_of(enum service_kind kind)
{
	switch (kind) {
	case SERVICE_NONE:
		return NULL;
	case SERVICE_TX_SERVICE:
		return &tx_service_api;
	case SERVICE_QUEUE:
		return &queue_service_api;
	}
	die("no such service: %d", (int)kind);
}

/* --- delete requests ---------------------------------------------------------------------------
 */

static struct hash32 hash_and_free(struct buf *preimage)
{
	struct hash32 hash = keccak256(buf_bytes(preimage));

	buf_free(preimage);
	return hash;
}

static void put_hash_of(struct abi_writer *words, const char *text)
{
	struct hash32 hash = keccak256(bytes_text(text));

	abi_put_word(words, &hash);
}

static struct hash32 delete_domain(const struct proposal_api *api,
                                   const struct proposal_place *place)
{
	struct buf preimage = {0};
	struct abi_writer words = abi_begin(&preimage, 5);

	put_hash_of(&words, "EIP712Domain(string name,string version,uint256 chainId,"
	                    "address verifyingContract)");
	put_hash_of(&words, api->delete_domain);
	put_hash_of(&words, "1.0");
	abi_put_u64(&words, place->chain_id);
	abi_put_address(&words, &place->safe);
	return hash_and_free(&preimage);
}

struct hash32 proposal_delete_hash(const struct proposal_api *api,
                                   const struct proposal_place *place,
                                   const struct hash32 *safe_tx_hash, uint64_t totp)
{
	struct hash32 domain = delete_domain(api, place);
	struct buf preimage = {0};

	struct abi_writer words = abi_begin(&preimage, 3);
	put_hash_of(&words, "DeleteRequest(bytes32 safeTxHash,uint256 totp)");
	abi_put_word(&words, safe_tx_hash);
	abi_put_u64(&words, totp);
	struct hash32 inner = hash_and_free(&preimage);

	buf_append(&preimage, "\x19\x01", 2);
	buf_append(&preimage, domain.b, sizeof(domain.b));
	buf_append(&preimage, inner.b, sizeof(inner.b));
	return hash_and_free(&preimage);
}

void proposal_delete_body(struct buf *out, const uint8_t signature[SAFE_SIGNATURE_SIZE])
{
	struct jval *body = jval_object();

	jval_add_hex(body, "signature", bytes_of(signature, SAFE_SIGNATURE_SIZE));
	jval_write(out, body, JVAL_COMPACT);
	jval_free(body);
}
