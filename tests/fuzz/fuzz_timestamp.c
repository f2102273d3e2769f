/* RFC 3161 answers, and the authority they lead to: the length of a message, it, twice the length
 * (two bytes) of a certificate and it, of which the second is the root, the answer. What verifies
 * has a time, and does not verify another message, nor with one byte more behind it. */
#include "common/crypto/hash.h"
#include "common/crypto/timestamp.h"
#include "tests/fuzz/fuzz.h"

static struct bytes take(struct bytes *rest, size_t len)
{
	struct bytes out = bytes_of(rest->data, len < rest->len ? len : rest->len);

	*rest = bytes_of(rest->data + out.len, rest->len - out.len);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size);
	struct buf longer = {0};
	int64_t at = 1;

	crypto_init();
	struct bytes message = take(&rest, fuzz_take(&rest));
	struct bytes chain[2];
	for (size_t i = 0; i < ARRAY_LEN(chain); i++) {
		size_t high = fuzz_take(&rest);
		chain[i] = take(&rest, high * 256 + fuzz_take(&rest));
	}
	if (timestamp_verify(rest, message, chain, 2, &at, NULL) != 0) {
		PROPERTY(at == 0);
		return 0;
	}
	PROPERTY(at > 0);
	buf_append_bytes(&longer, message);
	buf_append_byte(&longer, 0);
	PROPERTY(timestamp_verify(rest, buf_bytes(&longer), chain, 2, &at, NULL) == ERR_DENIED);
	buf_clear(&longer);
	buf_append_bytes(&longer, rest);
	buf_append_byte(&longer, 0);
	PROPERTY(timestamp_verify(buf_bytes(&longer), message, chain, 2, &at, NULL) == ERR_INVALID);
	buf_free(&longer);
	return 0;
}
