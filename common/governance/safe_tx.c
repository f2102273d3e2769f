#include "common/governance/safe_tx.h"

#include "common/crypto/ecdsa.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"

#include <string.h>

/* clang-format off */
/* keccak256("EIP712Domain(uint256 chainId,address verifyingContract)") */
static const struct hash32 domain_typehash = {{0x47, 0xe7, 0x95, 0x34, 0xa2, 0x45, 0x95, 0x2e, 0x8b, 0x16, 0x89, 0x3a, 0x33, 0x6b, 0x85, 0xa3,
	0xd9, 0xea, 0x9f, 0xa8, 0xc5, 0x73, 0xf3, 0xd8, 0x03, 0xaf, 0xb9, 0x2a, 0x79, 0x46, 0x92, 0x18}};
/* keccak256("SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256
 * baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)") */
static const struct hash32 safe_tx_typehash = {{0xbb, 0x83, 0x10, 0xd4, 0x86, 0x36, 0x8d, 0xb6, 0xbd, 0x6f, 0x84, 0x94, 0x02, 0xfd, 0xd7, 0x3a,
	0xd5, 0x3d, 0x31, 0x6b, 0x5a, 0x4b, 0x26, 0x44, 0xad, 0x6e, 0xfe, 0x0f, 0x94, 0x12, 0x86, 0xd8}};
/* clang-format on */

/* execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes) */
static const uint8_t exec_selector[ABI_SELECTOR] = {0x6a, 0x76, 0x12, 0x02};
enum { EXEC_ARGUMENTS = 10 };

static struct hash32 hash_and_free(struct buf *preimage)
{
	struct hash32 hash = keccak256(buf_bytes(preimage));

	buf_free(preimage);
	return hash;
}

struct hash32 safe_domain_separator(uint64_t chain_id, const struct address *safe)
{
	struct buf preimage = {0};
	struct abi_writer words = abi_begin(&preimage, 3);

	abi_put_word(&words, &domain_typehash);
	abi_put_u64(&words, chain_id);
	abi_put_address(&words, safe);
	return hash_and_free(&preimage);
}

static struct hash32 struct_hash(const struct safe_tx *tx)
{
	struct buf preimage = {0};
	struct abi_writer words = abi_begin(&preimage, 11);
	struct hash32 data_hash = keccak256(tx->data);

	abi_put_word(&words, &safe_tx_typehash);
	abi_put_address(&words, &tx->to);
	abi_put_u256(&words, &tx->value);
	abi_put_word(&words, &data_hash);
	abi_put_u64(&words, tx->operation);
	abi_put_u256(&words, &tx->safe_tx_gas);
	abi_put_u256(&words, &tx->base_gas);
	abi_put_u256(&words, &tx->gas_price);
	abi_put_address(&words, &tx->gas_token);
	abi_put_address(&words, &tx->refund_receiver);
	abi_put_u64(&words, tx->nonce);
	return hash_and_free(&preimage);
}

void safe_tx_preimage(uint8_t out[SAFE_TX_PREIMAGE_SIZE], const struct safe_tx *tx)
{
	struct hash32 domain = safe_domain_separator(tx->chain_id, &tx->safe);
	struct hash32 inner = struct_hash(tx);

	out[0] = 0x19;
	out[1] = 0x01;
	memcpy(out + 2, domain.b, 32);
	memcpy(out + 34, inner.b, 32);
}

struct hash32 safe_tx_hash(const struct safe_tx *tx)
{
	uint8_t preimage[SAFE_TX_PREIMAGE_SIZE];

	safe_tx_preimage(preimage, tx);
	return keccak256(bytes_of(preimage, sizeof(preimage)));
}

bool safe_tx_standard_gas(const struct safe_tx *tx)
{
	return u256_is_zero(&tx->safe_tx_gas) && u256_is_zero(&tx->base_gas) &&
	       u256_is_zero(&tx->gas_price) && address_is_zero(&tx->gas_token) &&
	       address_is_zero(&tx->refund_receiver);
}

struct safe_tx safe_tx_rejection(uint64_t chain_id, const struct address *safe, uint64_t nonce)
{
	return (struct safe_tx){.chain_id = chain_id, .safe = *safe, .to = *safe, .nonce = nonce};
}

bool safe_tx_is_rejection(const struct safe_tx *tx)
{
	return address_equal(&tx->to, &tx->safe) && u256_is_zero(&tx->value) && tx->data.len == 0 &&
	       tx->operation == 0 && safe_tx_standard_gas(tx);
}

/* --- signatures ------------------------------------------------------------------------------ */

/* What eth_sign signs instead of the hash itself. */
static struct hash32 eth_sign_digest(const struct hash32 *hash)
{
	static const char prefix[] = "\x19"
	                             "Ethereum Signed Message:\n32";
	uint8_t preimage[sizeof(prefix) - 1 + 32];

	memcpy(preimage, prefix, sizeof(prefix) - 1);
	memcpy(preimage + sizeof(prefix) - 1, hash->b, 32);
	return keccak256(bytes_of(preimage, sizeof(preimage)));
}

/* r holds an address left-padded, as for approved hashes and contract owners. */
static int owner_in_r(struct address *owner, const uint8_t *part, struct error *error)
{
	static const uint8_t zeros[12];

	if (memcmp(part, zeros, sizeof(zeros)) != 0)
		return error_set(error, ERR_INVALID, "the signature's r is no padded address");
	memcpy(owner->b, part + sizeof(zeros), sizeof(owner->b));
	return 0;
}

int safe_signature_owner(struct address *owner, bool *needs_chain, const struct hash32 *hash,
                         const uint8_t part[SAFE_SIGNATURE_SIZE], struct error *error)
{
	struct ecdsa_signature signature;
	uint8_t v = part[64];

	memset(owner, 0, sizeof(*owner));
	*needs_chain = v == 0 || v == 1;
	if (*needs_chain)
		return owner_in_r(owner, part, error);
	bool typed = v == 27 || v == 28;
	if (!typed && v != 31 && v != 32)
		return error_set(error, ERR_INVALID,
		                 "signature with v %u, expected 0, 1, 27, 28, 31 or 32", v);
	struct hash32 digest = typed ? *hash : eth_sign_digest(hash);
	memcpy(signature.r, part, 32);
	memcpy(signature.s, part + 32, 32);
	signature.recovery = (uint8_t)(v - (typed ? 27 : 31));
	return ecdsa_recover(owner->b, &digest, &signature, error);
}

/* --- execTransaction ------------------------------------------------------------------------- */

void safe_exec_encode(struct buf *out, const struct safe_tx *tx, struct bytes signatures)
{
	buf_append(out, exec_selector, sizeof(exec_selector));
	struct abi_writer arguments = abi_begin(out, EXEC_ARGUMENTS);
	abi_put_address(&arguments, &tx->to);
	abi_put_u256(&arguments, &tx->value);
	abi_put_bytes(&arguments, tx->data);
	abi_put_u64(&arguments, tx->operation);
	abi_put_u256(&arguments, &tx->safe_tx_gas);
	abi_put_u256(&arguments, &tx->base_gas);
	abi_put_u256(&arguments, &tx->gas_price);
	abi_put_address(&arguments, &tx->gas_token);
	abi_put_address(&arguments, &tx->refund_receiver);
	abi_put_bytes(&arguments, signatures);
}

int safe_exec_decode(struct safe_tx *tx, struct bytes *signatures, struct bytes calldata,
                     struct error *error)
{
	struct abi_reader arguments = abi_read_call(calldata, exec_selector);
	struct buf again = {0};

	memset(tx, 0, sizeof(*tx));
	struct safe_tx found = {.to = abi_get_address(&arguments)};
	found.value = abi_get_u256(&arguments);
	found.data = abi_get_bytes(&arguments);
	uint64_t operation = abi_get_u64(&arguments);
	found.operation = (uint8_t)operation;
	found.safe_tx_gas = abi_get_u256(&arguments);
	found.base_gas = abi_get_u256(&arguments);
	found.gas_price = abi_get_u256(&arguments);
	found.gas_token = abi_get_address(&arguments);
	found.refund_receiver = abi_get_address(&arguments);
	*signatures = abi_get_bytes(&arguments);
	safe_exec_encode(&again, &found, *signatures);
	bool canonical =
	        !arguments.failed && operation <= 1 && bytes_equal(buf_bytes(&again), calldata);
	buf_free(&again);
	if (!canonical) {
		*signatures = (struct bytes){0};
		return error_set(error, ERR_INVALID, "no canonical execTransaction calldata");
	}
	*tx = found;
	return 0;
}
