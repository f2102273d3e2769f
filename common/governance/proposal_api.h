/* The services that keep a Safe's queue of proposals, behind one small interface: the Safe
 * Transaction Service (v2 API) and the Safe Queue Service (v1 API), which replaces it chain by
 * chain. Both are read into the structs of proposal_message.h, and neither is believed where
 * something can be computed. Pure text in both directions. */
#ifndef GOVERNANCE_PROPOSAL_API_H
#define GOVERNANCE_PROPOSAL_API_H

#include "common/governance/proposal_message.h"

enum service_kind { SERVICE_NONE, SERVICE_TX_SERVICE, SERVICE_QUEUE };

struct proposal_api {
	const char *name; /* as in the configuration */

	/* Paths, to stand behind the service's base URL; each is appended to out. */
	void (*path_propose)(struct buf *out, const struct proposal_place *place);
	void (*path_transaction)(struct buf *out,
	                         const struct hash32 *safe_tx_hash); /* GET, DELETE */
	/* What is not executed, lowest nonce first, at most PROPOSAL_PAGE a page; entries with
	 * lower nonces than from_nonce may be among them. */
	void (*path_pending)(struct buf *out, const struct proposal_place *place,
	                     uint64_t from_nonce, uint64_t offset);
	/* Every delegation to this account that counts on this chain. */
	void (*path_delegations)(struct buf *out, const struct proposal_place *place,
	                         const struct address *delegate);
	/* What the service knows of the Safe itself; NULL: it knows nothing of Safes. */
	void (*path_safe)(struct buf *out, const struct proposal_place *place);

	/* The body of the POST; origin as proposal_origin writes it. */
	void (*propose_body)(struct buf *out, const struct safe_tx *tx,
	                     const struct address *sender,
	                     const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin);

	/* One transaction, or a page of them. ERR_DENIED when it is of another Safe or chain, or
	 * its hash is not the hash of its fields; a page leaves such entries out and counts them.
	 */
	int (*parse_tx)(struct arena *arena, struct proposal_tx *out,
	                const struct proposal_place *place, struct bytes body, struct error *error);
	int (*parse_page)(struct arena *arena, struct proposal_page *out,
	                  const struct proposal_place *place, struct bytes body,
	                  struct error *error);

	const char *delete_domain; /* the name in the EIP-712 domain of its delete requests */
};

extern const struct proposal_api tx_service_api, queue_service_api;

/* NULL for SERVICE_NONE. */
const struct proposal_api *proposal_api_of(enum service_kind kind);

/* EIP-712 hash of DeleteRequest(safeTxHash, totp), totp = floor(unix seconds / 3600). */
struct hash32 proposal_delete_hash(const struct proposal_api *api,
                                   const struct proposal_place *place,
                                   const struct hash32 *safe_tx_hash, uint64_t totp);
/* Its body. */
void proposal_delete_body(struct buf *out, const uint8_t signature[SAFE_SIGNATURE_SIZE]);

#endif
