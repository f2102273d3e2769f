/* Answers of nodes: each is a result or an error, never both, and a value that was read is, written
 * as a request has it, read as the same value. The first byte means nothing. */
#include "common/eth/jsonrpc.h"
#include "tests/fuzz/fuzz.h"

enum { ID = 7 };

static void check_number(const struct jval *value)
{
	struct u256 wide, again;
	uint64_t narrow;

	if (jsonrpc_u256(&wide, value, NULL) != 0) {
		PROPERTY(u256_is_zero(&wide));
		return;
	}
	if (jsonrpc_u64(&narrow, value, NULL) != 0)
		return;
	again = u256_from(narrow);
	PROPERTY(u256_compare(&wide, &again) == 0);
	struct jval *text = jsonrpc_new_quantity(narrow);
	PROPERTY(jsonrpc_u256(&again, text, NULL) == 0 && u256_compare(&wide, &again) == 0);
	jval_free(text);
}

static void check_data(struct arena *arena, const struct jval *value)
{
	struct bytes data, again;
	struct hash32 hash;
	struct address address;

	if (jsonrpc_hex(&data, arena, value, NULL) != 0)
		return;
	struct jval *text = jsonrpc_new_hex(data);
	PROPERTY(jsonrpc_hex(&again, arena, text, NULL) == 0 && bytes_equal(data, again));
	jval_free(text);
	PROPERTY((jsonrpc_hash32(&hash, value, NULL) == 0) == (data.len == sizeof(hash.b)));
	PROPERTY((jsonrpc_address(&address, value, NULL) == 0) == (data.len == sizeof(address.b)));
}

static void check_answer(struct arena *arena, const struct jsonrpc_answer *answer)
{
	PROPERTY(answer->message != NULL);
	if (answer->result == NULL) {
		PROPERTY(answer->has_data || answer->data.len == 0);
		PROPERTY(answer->reverted || !answer->has_data);
		return;
	}
	PROPERTY(!answer->has_data && !answer->reverted && answer->code == 0);
	check_number(answer->result);
	check_data(arena, answer->result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct jsonrpc_answer answer;
	struct arena arena = {0};
	struct jval *document;

	fuzz_take(&text);
	int rc = jsonrpc_parse(&document, &answer, &arena, text, ID, NULL);
	PROPERTY((rc == 0) == (document != NULL));
	PROPERTY(rc == 0 || (answer.result == NULL && answer.code == 0));
	check_answer(&arena, &answer);
	jval_free(document);
	arena_free(&arena);
	return 0;
}
