/* EIP-1559 transactions (type 2, empty access list): encoding, signing hash. */
#ifndef ETH_TRANSACTION_H
#define ETH_TRANSACTION_H

#include "common/base/buf.h"
#include "common/crypto/ecdsa.h"
#include "common/eth/address.h"

struct eth_transaction {
	uint64_t chain_id, nonce, gas;
	struct u256 max_priority_fee, max_fee; /* wei per gas */
	struct address to;
	struct u256 value;
	struct bytes data; /* not owned */
};

/* keccak256(0x02 || rlp(fields)): what the key signs. */
struct hash32 eth_transaction_signing_hash(const struct eth_transaction *tx);
/* Appends the raw signed transaction to out and returns its hash. */
struct hash32 eth_transaction_encode_signed(struct buf *out, const struct eth_transaction *tx,
                                            const struct ecdsa_signature *signature);

#endif
