/* RLP, writing only. Source: Ethereum yellow paper, appendix B. */
#ifndef ETH_RLP_H
#define ETH_RLP_H

#include "common/base/buf.h"
#include "common/eth/address.h"

void rlp_put_string(struct buf *out, struct bytes value);
/* Numbers are strings without leading zeros; 0 is the empty string. */
void rlp_put_u64(struct buf *out, uint64_t value);
void rlp_put_u256(struct buf *out, const struct u256 *value);
/* A list whose items, already encoded, are payload. */
void rlp_put_list(struct buf *out, struct bytes payload);

#endif
