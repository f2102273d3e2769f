#include "common/eth/multicall.h"

#include "common/eth/abi.h"

const struct address multicall_address = {{0xca, 0x11, 0xbd, 0xe0, 0x59, 0x77, 0xb3,
                                           0x63, 0x11, 0x67, 0x02, 0x88, 0x62, 0xbe,
                                           0x2a, 0x17, 0x39, 0x76, 0xca, 0x11}};

/* keccak of its 3,808 bytes on every chain where it was deployed by the signed transaction that
 * https://www.multicall3.com names. */
static const struct hash32 well_known = {{0xd5, 0xc1, 0x5d, 0xf6, 0x87, 0xb1, 0x6f, 0x2f,
                                          0xf9, 0x92, 0xfc, 0x8d, 0x76, 0x7b, 0x42, 0x16,
                                          0x32, 0x31, 0x84, 0xa2, 0xbb, 0xc6, 0xee, 0x2f,
                                          0x9c, 0x39, 0x8c, 0x31, 0x8e, 0x77, 0x08, 0x91}};

bool multicall_is_known(const struct hash32 *code_hash, const struct hash32 *others, size_t count)
{
	bool known = hash32_equal(code_hash, &well_known);

	for (size_t i = 0; i < count && !known; i++)
		known = hash32_equal(code_hash, &others[i]);
	return known;
}

/* aggregate3((address,bool,bytes)[]) */
static const uint8_t aggregate3[ABI_SELECTOR] = {0x82, 0xad, 0x56, 0xcb};

void multicall_encode(struct buf *out, const struct multicall_call *calls, size_t count)
{
	buf_append(out, aggregate3, sizeof(aggregate3));
	struct abi_writer arguments = abi_begin(out, 1);
	abi_put_tail(&arguments);
	struct abi_writer items = abi_begin_array(out, count);
	for (size_t i = 0; i < count; i++) {
		abi_put_tail(&items);
		struct abi_writer call = abi_begin(out, 3);
		abi_put_address(&call, &calls[i].to);
		abi_put_bool(&call, true);
		abi_put_bytes(&call, calls[i].data);
	}
}

int multicall_decode(struct multicall_result *results, size_t count, struct bytes returned,
                     struct error *error)
{
	struct abi_reader reader = abi_read(returned);
	size_t answered;
	struct abi_reader items = abi_get_array(&reader, 1, &answered);
	bool failed = reader.failed || answered != count;

	for (size_t i = 0; i < count; i++)
		results[i] = (struct multicall_result){0};
	if (failed)
		return error_set(error, ERR_INVALID, "Multicall3 answered %zu of %zu calls",
		                 answered, count);
	for (size_t i = 0; i < count; i++) {
		struct abi_reader item = abi_get_tuple(&items);
		results[i].success = abi_get_bool(&item);
		results[i].returned = abi_get_bytes(&item);
		failed |= item.failed;
	}
	if (failed) {
		for (size_t i = 0; i < count; i++)
			results[i] = (struct multicall_result){0};
		return error_set(error, ERR_INVALID, "Multicall3's answer is not well-formed");
	}
	return 0;
}
