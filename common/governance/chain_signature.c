#include "common/governance/chain_signature.h"

#include "common/eth/abi.h"

#include <string.h>

static const uint8_t approved_hashes_selector[ABI_SELECTOR] = {0x7d, 0x83, 0x29, 0x74};
/* isValidSignature(bytes,bytes) and isValidSignature(bytes32,bytes); each is also the magic value.
 */
static const uint8_t legacy_magic[ABI_SELECTOR] = {0x20, 0xc1, 0x3b, 0x0b};
static const uint8_t hash_magic[ABI_SELECTOR] = {0x16, 0x26, 0xba, 0x7e};

void approved_hash_encode(struct buf *out, const struct address *owner, const struct hash32 *hash)
{
	buf_append(out, approved_hashes_selector, ABI_SELECTOR);
	struct abi_writer arguments = abi_begin(out, 2);
	abi_put_address(&arguments, owner);
	abi_put_word(&arguments, hash);
}

bool approved_hash_answer(struct bytes returned)
{
	struct hash32 word;

	if (returned.len != sizeof(word.b))
		return false;
	memcpy(word.b, returned.data, sizeof(word.b));
	return !hash32_is_zero(&word);
}

int contract_signature_read(struct bytes *out, struct bytes signature, struct error *error)
{
	struct u256 word;
	uint64_t offset, length;

	*out = (struct bytes){0};
	if (signature.len < SAFE_SIGNATURE_SIZE || signature.data[SAFE_SIGNATURE_SIZE - 1] != 0)
		return error_set(error, ERR_INVALID, "no signature of a contract");
	memcpy(word.b, signature.data + sizeof(word.b), sizeof(word.b));
	if (u256_to_u64(&offset, &word) != 0 || offset < SAFE_SIGNATURE_SIZE ||
	    offset > signature.len || signature.len - offset < sizeof(word.b))
		return error_set(error, ERR_INVALID, "its offset lies outside");
	memcpy(word.b, signature.data + offset, sizeof(word.b));
	offset += sizeof(word.b);
	if (u256_to_u64(&length, &word) != 0 || length > signature.len - offset)
		return error_set(error, ERR_INVALID, "it is longer than what was handed in");
	*out = bytes_of(signature.data + offset, length);
	return 0;
}

void contract_signature_encode(struct buf *out, enum safe_version version, const struct safe_tx *tx,
                               struct bytes signature)
{
	bool legacy = version < SAFE_1_5_0;
	uint8_t preimage[SAFE_TX_PREIMAGE_SIZE];
	struct hash32 hash = safe_tx_hash(tx);

	buf_append(out, legacy ? legacy_magic : hash_magic, ABI_SELECTOR);
	struct abi_writer arguments = abi_begin(out, 2);
	if (legacy) {
		safe_tx_preimage(preimage, tx);
		abi_put_bytes(&arguments, bytes_of(preimage, sizeof(preimage)));
	} else {
		abi_put_word(&arguments, &hash);
	}
	abi_put_bytes(&arguments, signature);
}

bool contract_signature_answer(enum safe_version version, struct bytes returned)
{
	const uint8_t *magic = version < SAFE_1_5_0 ? legacy_magic : hash_magic;
	static const uint8_t zeros[ABI_WORD - ABI_SELECTOR];

	return returned.len == ABI_WORD && memcmp(returned.data, magic, ABI_SELECTOR) == 0 &&
	       memcmp(returned.data + ABI_SELECTOR, zeros, sizeof(zeros)) == 0;
}
