#include "common/eth/transaction.h"

#include "common/crypto/hash.h"
#include "common/eth/rlp.h"

enum { TYPE_EIP1559 = 0x02 };

static void put_fields(struct buf *out, const struct eth_transaction *tx)
{
	rlp_put_u64(out, tx->chain_id);
	rlp_put_u64(out, tx->nonce);
	rlp_put_u256(out, &tx->max_priority_fee);
	rlp_put_u256(out, &tx->max_fee);
	rlp_put_u64(out, tx->gas);
	rlp_put_string(out, bytes_of(tx->to.b, sizeof(tx->to.b)));
	rlp_put_u256(out, &tx->value);
	rlp_put_string(out, tx->data);
	rlp_put_list(out, (struct bytes){0}); /* the access list */
}

struct hash32 eth_transaction_signing_hash(const struct eth_transaction *tx)
{
	struct buf fields = {0}, envelope = {0};

	put_fields(&fields, tx);
	buf_append_byte(&envelope, TYPE_EIP1559);
	rlp_put_list(&envelope, buf_bytes(&fields));
	struct hash32 hash = keccak256(buf_bytes(&envelope));
	buf_free(&fields);
	buf_free(&envelope);
	return hash;
}

static void put_scalar(struct buf *out, const uint8_t scalar[32])
{
	struct u256 value;

	for (unsigned i = 0; i < sizeof(value.b); i++)
		value.b[i] = scalar[i];
	rlp_put_u256(out, &value);
}

struct hash32 eth_transaction_encode_signed(struct buf *out, const struct eth_transaction *tx,
                                            const struct ecdsa_signature *signature)
{
	struct buf fields = {0};
	size_t start = out->len;

	put_fields(&fields, tx);
	rlp_put_u64(&fields, signature->recovery);
	put_scalar(&fields, signature->r);
	put_scalar(&fields, signature->s);
	buf_append_byte(out, TYPE_EIP1559);
	rlp_put_list(out, buf_bytes(&fields));
	buf_free(&fields);
	return keccak256(bytes_of(out->data + start, out->len - start));
}
