#include "common/governance/views.h"

#include "common/eth/abi.h"

#include <string.h>

static const struct {
	const char *signature;
	uint8_t selector[ABI_SELECTOR];
} views[] = {
        [VIEW_SAFE_NONCE] = {"nonce()", {0xaf, 0xfe, 0xd0, 0xe0}},
        [VIEW_SAFE_THRESHOLD] = {"getThreshold()", {0xe7, 0x52, 0x35, 0xb8}},
        [VIEW_SAFE_OWNERS] = {"getOwners()", {0xa0, 0xe6, 0x7e, 0x2b}},
        [VIEW_SAFE_VERSION] = {"VERSION()", {0xff, 0xa1, 0xad, 0x74}},
        [VIEW_MIN_DELAY] = {"getMinDelay()", {0xf2, 0x7a, 0x0c, 0x92}},
        [VIEW_OWNER] = {"owner()", {0x8d, 0xa5, 0xcb, 0x5b}},
        [VIEW_PENDING_OWNER] = {"pendingOwner()", {0xe3, 0x0c, 0x39, 0x78}},
        [VIEW_DELAY_NONCE] = {"txNonce()", {0xc6, 0x63, 0x23, 0xe5}},
        [VIEW_DELAY_END] = {"queueNonce()", {0xde, 0x8d, 0xd9, 0x1d}},
        [VIEW_DELAY_COOLDOWN] = {"txCooldown()", {0xdc, 0xaf, 0xac, 0x09}},
        [VIEW_DELAY_EXPIRATION] = {"txExpiration()", {0x60, 0x5d, 0xf5, 0x9c}},
        [VIEW_AVATAR] = {"avatar()", {0x5a, 0xef, 0x7d, 0xe6}},
        [VIEW_TARGET] = {"target()", {0xd4, 0xb8, 0x39, 0x92}},
};

/* clang-format off */
const struct hash32 proxy_implementation_slot = {{
	0x36, 0x08, 0x94, 0xa1, 0x3b, 0xa1, 0xa3, 0x21, 0x06, 0x67, 0xc8, 0x28, 0x49, 0x2d, 0xb9, 0x8d,
	0xca, 0x3e, 0x20, 0x76, 0xcc, 0x37, 0x35, 0xa9, 0x20, 0xa3, 0xca, 0x50, 0x5d, 0x38, 0x2b, 0xbc}};
const struct hash32 safe_guard_slot = {{
	0x4a, 0x20, 0x4f, 0x62, 0x0c, 0x8c, 0x5c, 0xcd, 0xca, 0x3f, 0xd5, 0x4d, 0x00, 0x3b, 0xad, 0xd8,
	0x5b, 0xa5, 0x00, 0x43, 0x6a, 0x43, 0x1f, 0x0c, 0xbd, 0xa4, 0xf5, 0x58, 0xc9, 0x3c, 0x34, 0xc8}};
/* clang-format on */

const char *view_signature(enum view view)
{
	return views[view].signature;
}

struct bytes view_call(enum view view)
{
	return bytes_of(views[view].selector, ABI_SELECTOR);
}

int view_u64(uint64_t *out, struct bytes returned)
{
	struct abi_reader reader = abi_read(returned);

	*out = abi_get_u64(&reader);
	if (!reader.failed && returned.len == ABI_WORD)
		return 0;
	*out = 0;
	return ERR_INVALID;
}

int view_address(struct address *out, struct bytes returned)
{
	struct abi_reader reader = abi_read(returned);

	*out = abi_get_address(&reader);
	if (!reader.failed && returned.len == ABI_WORD)
		return 0;
	memset(out, 0, sizeof(*out));
	return ERR_INVALID;
}

int view_addresses(struct arena *arena, struct address **out, size_t *count, struct bytes returned)
{
	struct abi_reader reader = abi_read(returned);

	*out = abi_get_addresses(&reader, arena, count);
	return reader.failed ? ERR_INVALID : 0;
}

int view_text(struct arena *arena, char **out, struct bytes returned)
{
	struct abi_reader reader = abi_read(returned);
	struct bytes text = abi_get_bytes(&reader);

	*out = NULL;
	if (reader.failed || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
		return ERR_INVALID;
	*out = arena_text(arena, text);
	return 0;
}
