#include "common/governance/multisend.h"

#include "common/eth/abi.h"

#include <string.h>

static const uint8_t multisend_selector[ABI_SELECTOR] = {0x8d, 0x80, 0xff,
                                                         0x0a}; /* multiSend(bytes) */

/* Packed without padding: operation, to, value, length of data, data. */
enum { ENTRY_HEAD = 1 + 20 + 32 + 32 };

void multisend_encode(struct buf *out, const struct contract_call *calls, size_t count)
{
	struct buf packed = {0};

	for (size_t i = 0; i < count; i++) {
		struct u256 length = u256_from(calls[i].data.len);
		buf_append_byte(&packed, 0);
		buf_append(&packed, calls[i].to.b, sizeof(calls[i].to.b));
		buf_append(&packed, calls[i].value.b, sizeof(calls[i].value.b));
		buf_append(&packed, length.b, sizeof(length.b));
		buf_append_bytes(&packed, calls[i].data);
	}
	buf_append(out, multisend_selector, sizeof(multisend_selector));
	struct abi_writer arguments = abi_begin(out, 1);
	abi_put_bytes(&arguments, buf_bytes(&packed));
	buf_free(&packed);
}

/* Takes one entry from the front of packed. */
static int entry_read(struct contract_call *call, struct bytes *packed, struct error *error)
{
	struct u256 length_word;
	uint64_t length;

	if (packed->len < ENTRY_HEAD)
		return error_set(error, ERR_INVALID, "multiSend entry of %zu bytes", packed->len);
	const uint8_t *at = packed->data;
	if (at[0] != 0)
		return error_set(error, ERR_INVALID,
		                 "multiSend entry with operation %u, expected 0", at[0]);
	memcpy(call->to.b, at + 1, sizeof(call->to.b));
	memcpy(call->value.b, at + 21, sizeof(call->value.b));
	memcpy(length_word.b, at + 53, sizeof(length_word.b));
	if (u256_to_u64(&length, &length_word) != 0 || length > packed->len - ENTRY_HEAD)
		return error_set(error, ERR_INVALID, "multiSend entry is longer than its payload");
	call->data = bytes_of(at + ENTRY_HEAD, length);
	*packed = bytes_of(at + ENTRY_HEAD + length, packed->len - ENTRY_HEAD - length);
	return 0;
}

static bool is_canonical(struct bytes calldata, const struct contract_call *calls, size_t count)
{
	struct buf again = {0};

	multisend_encode(&again, calls, count);
	bool same = bytes_equal(buf_bytes(&again), calldata);
	buf_free(&again);
	return same;
}

int multisend_decode(struct arena *arena, struct contract_call **calls, size_t *count,
                     struct bytes calldata, struct error *error)
{
	struct abi_reader arguments = abi_read_call(calldata, multisend_selector);
	struct bytes packed = abi_get_bytes(&arguments);
	struct contract_call *found = arena_array(arena, MULTISEND_MAX_CALLS, sizeof(*found));
	size_t found_count = 0;

	*calls = NULL;
	*count = 0;
	if (arguments.failed)
		return error_set(error, ERR_INVALID, "no multiSend calldata");
	while (packed.len > 0) {
		if (found_count == MULTISEND_MAX_CALLS)
			return error_set(error, ERR_LIMIT, "multiSend of more than %d calls",
			                 MULTISEND_MAX_CALLS);
		int rc = entry_read(&found[found_count], &packed, error);
		if (rc != 0)
			return rc;
		found_count++;
	}
	if (!is_canonical(calldata, found, found_count))
		return error_set(error, ERR_INVALID, "multiSend calldata is not canonical");
	*calls = found;
	*count = found_count;
	return 0;
}

/* --- where it stands ------------------------------------------------------------------------- */

static const char *const version_texts[] = {
        [SAFE_1_3_0] = "1.3.0",
        [SAFE_1_4_1] = "1.4.1",
        [SAFE_1_5_0] = "1.5.0",
};

const char *safe_version_text(enum safe_version version)
{
	return version_texts[version];
}

int safe_version_parse(enum safe_version *out, const char *text, struct error *error)
{
	*out = 0;
	for (size_t i = 1; i < ARRAY_LEN(version_texts); i++) {
		size_t len = strlen(version_texts[i]);
		if (strncmp(text, version_texts[i], len) == 0 &&
		    (text[len] == '\0' || strcmp(text + len, "+L2") == 0)) {
			*out = (enum safe_version)i;
			return 0;
		}
	}
	return error_set(error, ERR_INVALID, "Safe version '%s', expected 1.3.0, 1.4.1 or 1.5.0",
	                 text);
}

/* clang-format off */
/* The eip155 set exists because some chains refuse the transaction that deploys the canonical one. */
static const struct multisend_deployment deployments[] = {
	{SAFE_1_3_0, "canonical",
	 {{0x40, 0xa2, 0xac, 0xcb, 0xd9, 0x2b, 0xca, 0x93, 0x8b, 0x02, 0x01, 0x0e, 0x17, 0xa5, 0xb8, 0x92, 0x9b, 0x49, 0x13, 0x0d}},
	 {{0xa9, 0x86, 0x5a, 0xc2, 0xd9, 0xc7, 0xa1, 0x59, 0x16, 0x19, 0xb1, 0x88, 0xc4, 0xd8, 0x81, 0x67,
	   0xb5, 0x0d, 0xf6, 0xcc, 0x0c, 0x53, 0x27, 0xfc, 0xbd, 0x1c, 0x8c, 0x75, 0xf7, 0xc0, 0x66, 0xad}}},
	{SAFE_1_3_0, "eip155",
	 {{0xa1, 0xda, 0xbe, 0xf3, 0x3b, 0x3b, 0x82, 0xc7, 0x81, 0x4b, 0x6d, 0x82, 0xa7, 0x9e, 0x50, 0xf4, 0xac, 0x44, 0x10, 0x2b}},
	 {{0xa9, 0x86, 0x5a, 0xc2, 0xd9, 0xc7, 0xa1, 0x59, 0x16, 0x19, 0xb1, 0x88, 0xc4, 0xd8, 0x81, 0x67,
	   0xb5, 0x0d, 0xf6, 0xcc, 0x0c, 0x53, 0x27, 0xfc, 0xbd, 0x1c, 0x8c, 0x75, 0xf7, 0xc0, 0x66, 0xad}}},
	{SAFE_1_4_1, "canonical",
	 {{0x96, 0x41, 0xd7, 0x64, 0xfc, 0x13, 0xc8, 0xb6, 0x24, 0xc0, 0x44, 0x30, 0xc7, 0x35, 0x6c, 0x1c, 0x7c, 0x81, 0x02, 0xe2}},
	 {{0xec, 0xd5, 0xbd, 0x14, 0xa0, 0x8c, 0x5d, 0x21, 0x22, 0x37, 0x99, 0x00, 0xb2, 0xf2, 0x72, 0xbd,
	   0xf1, 0x07, 0xa7, 0xe9, 0x24, 0x23, 0xc1, 0x0d, 0xd5, 0xfe, 0x32, 0x54, 0x38, 0x6c, 0x99, 0x39}}},
	{SAFE_1_5_0, "canonical",
	 {{0xa8, 0x3c, 0x33, 0x6b, 0x20, 0x40, 0x1a, 0xf7, 0x73, 0xb6, 0x21, 0x9b, 0xa5, 0x02, 0x71, 0x74, 0x33, 0x8d, 0x18, 0x36}},
	 {{0xcd, 0xbd, 0xce, 0xc3, 0x8d, 0x2f, 0x1c, 0x7d, 0x96, 0x1b, 0x00, 0x29, 0xff, 0x84, 0x16, 0xb7,
	   0xe8, 0x6e, 0x99, 0x74, 0xd6, 0xf0, 0xe9, 0xc9, 0x58, 0x0c, 0x7d, 0x17, 0xfc, 0xfb, 0x66, 0x63}}},
};
/* clang-format on */

const struct multisend_deployment *multisend_deployments(size_t *count)
{
	*count = ARRAY_LEN(deployments);
	return deployments;
}

const struct multisend_deployment *multisend_deployment_at(const struct address *address)
{
	for (size_t i = 0; i < ARRAY_LEN(deployments); i++) {
		if (address_equal(&deployments[i].address, address))
			return &deployments[i];
	}
	return NULL;
}
