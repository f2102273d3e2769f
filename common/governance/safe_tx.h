/* Safe transactions: the EIP-712 hash, signatures, execTransaction. Facts: Safe contracts 1.3.0 to
 * 1.5.0 (domain with chainId and verifyingContract). */
#ifndef GOVERNANCE_SAFE_TX_H
#define GOVERNANCE_SAFE_TX_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/eth/address.h"

/* All that enters the hash. safeTxGas, baseGas, gasPrice, gasToken and refundReceiver are always
 * zero in what we make; foreign ones may differ and are then not ours. */
struct safe_tx {
	uint64_t chain_id;
	struct address safe;
	struct address to;
	struct u256 value;
	struct bytes data; /* not owned */
	uint8_t operation; /* 0 call, 1 delegatecall */
	struct u256 safe_tx_gas, base_gas, gas_price;
	struct address gas_token, refund_receiver;
	uint64_t nonce;
};

struct hash32 safe_tx_hash(const struct safe_tx *tx);
/* What that is the hash of: 0x19 0x01, domain separator, hash of the fields. */
#define SAFE_TX_PREIMAGE_SIZE 66
void safe_tx_preimage(uint8_t out[SAFE_TX_PREIMAGE_SIZE], const struct safe_tx *tx);
struct hash32 safe_domain_separator(uint64_t chain_id, const struct address *safe);
/* True when every gas and refund field is zero. */
bool safe_tx_standard_gas(const struct safe_tx *tx);
/* What takes a nonce without doing anything: an empty call of the Safe to itself. */
struct safe_tx safe_tx_rejection(uint64_t chain_id, const struct address *safe, uint64_t nonce);
bool safe_tx_is_rejection(const struct safe_tx *tx);

/* --- signatures ------------------------------------------------------------------------------ */

#define SAFE_SIGNATURE_SIZE 65 /* r, s, v */

/* Who made this 65-byte part over the hash: v 27/28 EIP-712, 31/32 eth_sign. v 0 (contract) and
 * 1 (approved hash) give the owner named in it with *needs_chain set: only the chain can say. */
int safe_signature_owner(struct address *owner, bool *needs_chain, const struct hash32 *hash,
                         const uint8_t part[SAFE_SIGNATURE_SIZE], struct error *error) MUST_USE;

/* --- execTransaction ------------------------------------------------------------------------- */

/* Appends the calldata of execTransaction with these joined signatures. */
void safe_exec_encode(struct buf *out, const struct safe_tx *tx, struct bytes signatures);
/* The reverse. chain_id, safe and nonce are not in the calldata and stay zero; data and signatures
 * point into calldata. ERR_INVALID for any other encoding than the canonical one. */
int safe_exec_decode(struct safe_tx *tx, struct bytes *signatures, struct bytes calldata,
                     struct error *error) MUST_USE;

#endif
