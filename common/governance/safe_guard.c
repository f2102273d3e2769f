#include "common/governance/safe_guard.h"

#include "common/eth/abi.h"

#include <string.h>

void safe_encode_storage_at(struct buf *out, const struct hash32 *slot)
{
	uint8_t selector[ABI_SELECTOR];

	abi_selector(selector, "getStorageAt(uint256,uint256)");
	buf_append(out, selector, sizeof(selector));
	struct abi_writer args = abi_begin(out, 2);
	abi_put_word(&args, slot);
	abi_put_u64(&args, 1);
}

int safe_storage_address(struct address *out, struct bytes returned)
{
	struct abi_reader reader = abi_read(returned);
	struct bytes stored = abi_get_bytes(&reader);

	*out = (struct address){{0}};
	if (reader.failed || stored.len != ABI_WORD)
		return ERR_INVALID;
	struct abi_reader word = abi_read(stored);
	*out = abi_get_address(&word);
	return word.failed ? ERR_INVALID : 0;
}

void safe_guard_encode_check(struct buf *out, const struct safe_tx *tx,
                             const struct address *sender)
{
	uint8_t selector[ABI_SELECTOR];

	abi_selector(selector, "checkTransaction(address,uint256,bytes,uint8,uint256,uint256,"
	                       "uint256,address,address,bytes,address)");
	buf_append(out, selector, sizeof(selector));
	struct abi_writer args = abi_begin(out, 11);
	abi_put_address(&args, &tx->to);
	abi_put_u256(&args, &tx->value);
	abi_put_bytes(&args, tx->data);
	abi_put_u64(&args, tx->operation);
	abi_put_u256(&args, &tx->safe_tx_gas);
	abi_put_u256(&args, &tx->base_gas);
	abi_put_u256(&args, &tx->gas_price);
	abi_put_address(&args, &tx->gas_token);
	abi_put_address(&args, &tx->refund_receiver);
	abi_put_bytes(&args, bytes_of(NULL, 0));
	abi_put_address(&args, sender);
}
