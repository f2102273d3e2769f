/* What it takes to send a transaction and to see what became of it, so that no endpoint by itself
 * can make it fail, cost more or get lost. Callbacks come as in chain.h. */
#ifndef CHAIN_SENDING_H
#define CHAIN_SENDING_H

#include "daemon/chain/chain.h"

/* What each endpoint finds for itself and no two need agree on: eth_estimateGas, a tip. All are
 * asked; numbers are what at least a quorum of them answered, the smallest first, valid during the
 * callback. While fewer than half of them lie, the one in the middle is not beyond what the others
 * say. ERR_DENIED: a quorum refused; the text has the words of one, or the decoded revert. */
typedef void chain_numbers_fn(const struct error *error, const uint64_t *numbers, size_t count,
                              void *arg);
struct chain_op *chain_numbers(struct chain *chain, const char *method,
                               struct jval *params /* taken */, chain_numbers_fn *done, void *arg);

/* What a block says about gas and its price, as a quorum sees it. ERR_UNAVAILABLE also when it is
 * not on the chain any more. */
struct chain_header {
	bool has_base_fee;
	struct u256 base_fee; /* wei */
	uint64_t gas_limit;   /* 0: not told */
};
typedef void chain_header_fn(const struct error *error, const struct chain_header *header,
                             void *arg);
struct chain_op *chain_header(struct chain *chain, const struct block_ref *at,
                              chain_header_fn *done, void *arg);

/* Hands a signed transaction to every endpoint that can be asked, since one could keep it to
 * itself. error: none of them took it; the text has the words of one ("already known" is such). */
typedef void chain_broadcast_fn(const struct error *error, void *arg);
struct chain_op *chain_broadcast(struct chain *chain, struct bytes raw, chain_broadcast_fn *done,
                                 void *arg);

/* What became of a transaction, as a quorum sees it. */
enum chain_receipt { RECEIPT_NONE, RECEIPT_SUCCESS, RECEIPT_REVERTED };
typedef void chain_receipt_fn(const struct error *error, enum chain_receipt receipt, void *arg);
struct chain_op *chain_receipt(struct chain *chain, const struct hash32 *hash,
                               chain_receipt_fn *done, void *arg);

#endif
