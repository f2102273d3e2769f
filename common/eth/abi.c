#include "common/eth/abi.h"

#include "common/crypto/hash.h"

#include <string.h>

void abi_selector(uint8_t out[ABI_SELECTOR], const char *signature)
{
	struct hash32 hash = keccak256(bytes_text(signature));

	memcpy(out, hash.b, ABI_SELECTOR);
}

/* --- writing -------------------------------------------------------------------------------- */

struct abi_writer abi_begin(struct buf *out, size_t heads)
{
	struct abi_writer writer = {.out = out, .start = out->len, .head = out->len};

	buf_append_zeros(out, heads * ABI_WORD);
	writer.tails = out->len;
	return writer;
}

static void append_count(struct buf *out, size_t count)
{
	struct u256 word = u256_from(count);

	buf_append(out, word.b, sizeof(word.b));
}

struct abi_writer abi_begin_array(struct buf *out, size_t count)
{
	append_count(out, count);
	return abi_begin(out, count);
}

void abi_put_word(struct abi_writer *writer, const struct hash32 *word)
{
	if (writer->head >= writer->tails)
		die("more ABI arguments than heads");
	memcpy(writer->out->data + writer->head, word->b, ABI_WORD);
	writer->head += ABI_WORD;
}

void abi_put_u256(struct abi_writer *writer, const struct u256 *value)
{
	struct hash32 word;

	memcpy(word.b, value->b, ABI_WORD);
	abi_put_word(writer, &word);
}

void abi_put_u64(struct abi_writer *writer, uint64_t value)
{
	struct u256 wide = u256_from(value);

	abi_put_u256(writer, &wide);
}

void abi_put_address(struct abi_writer *writer, const struct address *address)
{
	struct hash32 word = {{0}};

	memcpy(word.b + ABI_WORD - sizeof(address->b), address->b, sizeof(address->b));
	abi_put_word(writer, &word);
}

void abi_put_bool(struct abi_writer *writer, bool value)
{
	abi_put_u64(writer, value);
}

void abi_put_tail(struct abi_writer *writer)
{
	abi_put_u64(writer, writer->out->len - writer->start);
}

void abi_put_bytes(struct abi_writer *writer, struct bytes value)
{
	abi_put_tail(writer);
	append_count(writer->out, value.len);
	buf_append_bytes(writer->out, value);
	buf_append_zeros(writer->out, -value.len % ABI_WORD);
}

void abi_put_bytes_array(struct abi_writer *writer, const struct bytes *items, size_t count)
{
	abi_put_tail(writer);
	struct abi_writer array = abi_begin_array(writer->out, count);
	for (size_t i = 0; i < count; i++)
		abi_put_bytes(&array, items[i]);
}

/* --- reading -------------------------------------------------------------------------------- */

struct abi_reader abi_read(struct bytes frame)
{
	return (struct abi_reader){.frame = frame};
}

static struct abi_reader failed_reader(void)
{
	return (struct abi_reader){.failed = true};
}

struct abi_reader abi_read_call(struct bytes calldata, const uint8_t selector[ABI_SELECTOR])
{
	if (calldata.len < ABI_SELECTOR || memcmp(calldata.data, selector, ABI_SELECTOR) != 0)
		return failed_reader();
	return abi_read(bytes_of(calldata.data + ABI_SELECTOR, calldata.len - ABI_SELECTOR));
}

struct hash32 abi_get_word(struct abi_reader *reader)
{
	struct hash32 word = {{0}};

	if (reader->failed || reader->frame.len - reader->head < ABI_WORD) {
		reader->failed = true;
		return word;
	}
	memcpy(word.b, reader->frame.data + reader->head, ABI_WORD);
	reader->head += ABI_WORD;
	return word;
}

struct u256 abi_get_u256(struct abi_reader *reader)
{
	struct hash32 word = abi_get_word(reader);
	struct u256 value;

	memcpy(value.b, word.b, ABI_WORD);
	return value;
}

uint64_t abi_get_u64(struct abi_reader *reader)
{
	struct u256 wide = abi_get_u256(reader);
	uint64_t value;

	if (u256_to_u64(&value, &wide) != 0)
		reader->failed = true;
	return value;
}

struct address abi_get_address(struct abi_reader *reader)
{
	struct hash32 word = abi_get_word(reader);
	struct address address;
	uint8_t padding = 0;

	for (unsigned i = 0; i < ABI_WORD - sizeof(address.b); i++)
		padding |= word.b[i];
	if (padding != 0) {
		reader->failed = true;
		return (struct address){0};
	}
	memcpy(address.b, word.b + ABI_WORD - sizeof(address.b), sizeof(address.b));
	return address;
}

bool abi_get_bool(struct abi_reader *reader)
{
	uint64_t value = abi_get_u64(reader);

	if (value > 1) {
		reader->failed = true;
		return false;
	}
	return value == 1;
}

struct abi_reader abi_get_tuple(struct abi_reader *reader)
{
	uint64_t offset = abi_get_u64(reader);

	if (reader->failed || offset > reader->frame.len) {
		reader->failed = true;
		return failed_reader();
	}
	return abi_read(bytes_of(reader->frame.data + offset, reader->frame.len - offset));
}

/* What stands behind the offset and the length in the next head. */
static struct abi_reader behind_length(struct abi_reader *reader, uint64_t *length)
{
	struct abi_reader at = abi_get_tuple(reader);

	*length = abi_get_u64(&at);
	if (at.failed) {
		reader->failed = true;
		return failed_reader();
	}
	return abi_read(bytes_of(at.frame.data + at.head, at.frame.len - at.head));
}

struct bytes abi_get_bytes(struct abi_reader *reader)
{
	uint64_t length;
	struct abi_reader at = behind_length(reader, &length);

	/* Contracts do not insist on the padding behind the bytes, so neither do we. */
	if (at.failed || length > at.frame.len) {
		reader->failed = true;
		return (struct bytes){0};
	}
	return bytes_of(at.frame.data, length);
}

struct abi_reader abi_get_array(struct abi_reader *reader, size_t item_words, size_t *count)
{
	uint64_t length;
	struct abi_reader at = behind_length(reader, &length);

	*count = 0;
	if (at.failed || length > at.frame.len / (ABI_WORD * item_words)) {
		reader->failed = true;
		return failed_reader();
	}
	*count = length;
	return at;
}

struct address *abi_get_addresses(struct abi_reader *reader, struct arena *arena, size_t *count)
{
	struct abi_reader items = abi_get_array(reader, 1, count);
	struct address *out = arena_array(arena, *count, sizeof(*out));

	for (size_t i = 0; i < *count; i++)
		out[i] = abi_get_address(&items);
	if (!items.failed)
		return out;
	reader->failed = true;
	*count = 0;
	return NULL;
}

struct u256 *abi_get_u256s(struct abi_reader *reader, struct arena *arena, size_t *count)
{
	struct abi_reader items = abi_get_array(reader, 1, count);
	struct u256 *out = arena_array(arena, *count, sizeof(*out));

	for (size_t i = 0; i < *count; i++)
		out[i] = abi_get_u256(&items);
	if (!items.failed)
		return out;
	reader->failed = true;
	*count = 0;
	return NULL;
}

struct bytes *abi_get_bytes_array(struct abi_reader *reader, struct arena *arena, size_t *count)
{
	struct abi_reader items = abi_get_array(reader, 1, count);
	struct bytes *out = arena_array(arena, *count, sizeof(*out));

	for (size_t i = 0; i < *count; i++)
		out[i] = abi_get_bytes(&items);
	if (!items.failed)
		return out;
	reader->failed = true;
	*count = 0;
	return NULL;
}
