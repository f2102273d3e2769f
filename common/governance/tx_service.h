/* Messages of the Safe Transaction Service (v2 API): paths, the body it wants, and what only it
 * says. */
#ifndef GOVERNANCE_TX_SERVICE_H
#define GOVERNANCE_TX_SERVICE_H

#include "common/governance/proposal_message.h"

/* Paths, to stand behind the service's base URL; each is appended to out. */
void tx_service_path_safe(struct buf *out, const struct address *safe);
void tx_service_path_propose(struct buf *out, const struct address *safe);
void tx_service_path_transaction(struct buf *out,
                                 const struct hash32 *safe_tx_hash); /* GET, DELETE */
/* What is not executed, from this nonce on, lowest first; at most PROPOSAL_PAGE a page. */
void tx_service_path_pending(struct buf *out, const struct address *safe, uint64_t from_nonce,
                             uint64_t offset);
/* Every delegation to this account, for one Safe or for all of the delegator's. */
void tx_service_path_delegations(struct buf *out, const struct address *delegate);

/* Appends the body of the POST; the hash is computed here. origin as proposal_origin writes it. */
void tx_service_propose_body(struct buf *out, const struct safe_tx *tx,
                             const struct address *sender,
                             const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin);

struct tx_service_safe {
	struct address safe;
	uint64_t nonce;
	unsigned threshold;
	struct address *owners;
	size_t owner_count;
	struct address guard;
	size_t module_count;
	const char *version; /* "1.4.1+L2"; NULL when the service does not know it */
};
int tx_service_parse_safe(struct arena *arena, struct tx_service_safe *out, struct bytes body,
                          struct error *error) MUST_USE;

/* One transaction. ERR_DENIED when it is of another Safe or its hash is not the hash of its fields.
 */
int tx_service_parse_tx(struct arena *arena, struct proposal_tx *out,
                        const struct proposal_place *place, struct bytes body,
                        struct error *error) MUST_USE;
int tx_service_parse_page(struct arena *arena, struct proposal_page *out,
                          const struct proposal_place *place, struct bytes body,
                          struct error *error) MUST_USE;

#endif
