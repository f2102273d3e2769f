/* Signatures that only the chain can verify: hashes approved in the Safe, and contracts as owners.
 * Facts: Safe 1.3.0 to 1.5.0 (checkSignatures), ERC-1271 and what came before it. */
#ifndef GOVERNANCE_CHAIN_SIGNATURE_H
#define GOVERNANCE_CHAIN_SIGNATURE_H

#include "common/governance/multisend.h"
#include "common/governance/safe_tx.h"

/* Appends approvedHashes(owner, hash), to be asked of the Safe; anything but 0 is a yes. */
void approved_hash_encode(struct buf *out, const struct address *owner, const struct hash32 *hash);
bool approved_hash_answer(struct bytes returned);

/* What a contract owner handed in: the bytes behind a part with v 0, which holds their offset.
 * Points into signature. ERR_INVALID when they are not all there. */
int contract_signature_read(struct bytes *out, struct bytes signature,
                            struct error *error) MUST_USE;
/* Appends the isValidSignature that a Safe of this version sends to its owner: up to 1.4.1 the one
 * of (bytes,bytes) over the preimage of the hash, from 1.5.0 the one of (bytes32,bytes) over the
 * hash. */
void contract_signature_encode(struct buf *out, enum safe_version version, const struct safe_tx *tx,
                               struct bytes signature);
/* Whether this is the magic value that the version asks for. */
bool contract_signature_answer(enum safe_version version, struct bytes returned);

#endif
