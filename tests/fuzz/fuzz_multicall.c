/* Answers of Multicall3: what was read, encoded as the contract does, is read as the same results.
 * The first byte is how many were asked for. The getters' answers are read from each as well. */
#include "common/eth/abi.h"
#include "common/eth/multicall.h"
#include "common/governance/registry.h"
#include "common/governance/safe_guard.h"
#include "common/governance/views.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 16 };

static void encode(struct buf *out, const struct multicall_result *results, size_t count)
{
	struct abi_writer arguments = abi_begin(out, 1);

	abi_put_tail(&arguments);
	struct abi_writer items = abi_begin_array(out, count);
	for (size_t i = 0; i < count; i++) {
		abi_put_tail(&items);
		struct abi_writer item = abi_begin(out, 2);
		abi_put_bool(&item, results[i].success);
		abi_put_bytes(&item, results[i].returned);
	}
}

static void check_views(struct arena *arena, struct bytes returned)
{
	struct address address, *addresses;
	uint64_t number;
	size_t count;
	char *text;

	if (view_u64(&number, returned) == 0) {
		PROPERTY(returned.len >= ABI_WORD && be64_get(returned.data + 24) == number);
		PROPERTY((check_answer_parse(returned) != CHECK_UNKNOWN) ==
		         (number <= 1 && returned.len == ABI_WORD));
	} else {
		PROPERTY(check_answer_parse(returned) == CHECK_UNKNOWN);
	}
	if (view_address(&address, returned) == 0)
		PROPERTY(memcmp(returned.data + 12, address.b, sizeof(address.b)) == 0);
	if (view_addresses(arena, &addresses, &count, returned) == 0)
		PROPERTY(count <= returned.len / ABI_WORD);
	if (view_text(arena, &text, returned) == 0)
		PROPERTY(strlen(text) <= returned.len);
	if (safe_storage_address(&address, returned) == 0)
		PROPERTY(memmem(returned.data, returned.len, address.b, sizeof(address.b)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct multicall_result results[MOST], second[MOST];
	struct bytes returned = bytes_of(data, size);
	struct arena arena = {0};
	struct buf again = {0};
	size_t count = fuzz_take(&returned) % (MOST + 1);

	check_views(&arena, returned);
	if (multicall_decode(results, count, returned, NULL) == 0) {
		encode(&again, results, count);
		PROPERTY(multicall_decode(second, count, buf_bytes(&again), NULL) == 0);
		for (size_t i = 0; i < count; i++) {
			PROPERTY(results[i].success == second[i].success);
			PROPERTY(bytes_equal(results[i].returned, second[i].returned));
			check_views(&arena, results[i].returned);
		}
	}
	buf_free(&again);
	arena_free(&arena);
	return 0;
}
