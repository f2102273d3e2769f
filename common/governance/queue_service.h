/* Messages of the Safe Queue Service (v1 API), in the structs of proposal_message.h. What it has no
 * word for: a threshold, block numbers, a trusted flag.
 * https://docs.safe.global/core-api/safe-queue-service-overview */
#ifndef GOVERNANCE_QUEUE_SERVICE_H
#define GOVERNANCE_QUEUE_SERVICE_H

#include "common/governance/proposal_message.h"

/* Paths, to stand behind the service's base URL, without a final slash; one service for every
 * chain, so that a Safe is named with its chain. */
void queue_service_path_propose(struct buf *out);
void queue_service_path_transaction(struct buf *out, const struct hash32 *safe_tx_hash);
void queue_service_path_pending(struct buf *out, uint64_t chain_id, const struct address *safe,
                                uint64_t offset);
void queue_service_path_delegations(struct buf *out, uint64_t chain_id,
                                    const struct address *delegate);

/* The body of the POST. origin as proposal_origin writes it: its name and note become fields of
 * their own. The sender is whom the signature recovers to. */
void queue_service_propose_body(struct buf *out, const struct safe_tx *tx,
                                const uint8_t signature[SAFE_SIGNATURE_SIZE], const char *origin);

/* As tx_service_parse_tx and _page; ERR_DENIED for another chain, too. `trusted` is set when an
 * owner or a delegate of one stands behind the entry. */
int queue_service_parse_tx(struct arena *arena, struct proposal_tx *out,
                           const struct proposal_place *place, struct bytes body,
                           struct error *error) MUST_USE;
int queue_service_parse_page(struct arena *arena, struct proposal_page *out,
                             const struct proposal_place *place, struct bytes body,
                             struct error *error) MUST_USE;

#endif
