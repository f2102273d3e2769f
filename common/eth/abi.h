/* The contract ABI, as far as governance needs it: a writer of head and tail by hand, and a reader
 * that refuses what does not fit. Source: Solidity's "Contract ABI Specification". */
#ifndef ETH_ABI_H
#define ETH_ABI_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/eth/address.h"

enum { ABI_WORD = 32, ABI_SELECTOR = 4 };

/* The first four bytes of keccak256 of a signature such as "cancel(bytes32)". */
void abi_selector(uint8_t out[ABI_SELECTOR], const char *signature);

/* --- writing -------------------------------------------------------------------------------- */

/* One tuple (an argument list, a struct, the items of an array) being appended to out. Its heads
 * are reserved by abi_begin and filled in order by one abi_put each; tails go to the end of out. */
struct abi_writer {
	struct buf *out;
	size_t start; /* where the tuple begins: offsets count from here */
	size_t head;  /* the next head word to fill */
	size_t tails; /* where the heads end */
};

struct abi_writer abi_begin(struct buf *out, size_t heads);
/* Appends the item count and begins the items of an array, one head each. */
struct abi_writer abi_begin_array(struct buf *out, size_t count);

void abi_put_word(struct abi_writer *writer, const struct hash32 *word);
void abi_put_u64(struct abi_writer *writer, uint64_t value);
void abi_put_u256(struct abi_writer *writer, const struct u256 *value);
void abi_put_address(struct abi_writer *writer, const struct address *address);
void abi_put_bool(struct abi_writer *writer, bool value);
void abi_put_bytes(struct abi_writer *writer, struct bytes value); /* bytes and string */
void abi_put_bytes_array(struct abi_writer *writer, const struct bytes *items, size_t count);
/* For any other dynamic type: points the next head at the end of out, where the caller then
 * appends it (abi_begin for a tuple, abi_begin_array for an array). */
void abi_put_tail(struct abi_writer *writer);

/* --- reading -------------------------------------------------------------------------------- */

/* One tuple being read head by head. A getter that does not fit (short input, an offset or length
 * outside it, padding that is not zero) answers zero and sets failed for good; read everything,
 * then ask once. What is returned as struct bytes points into the input. */
struct abi_reader {
	struct bytes frame; /* offsets count from its start */
	size_t head;
	bool failed;
};

struct abi_reader abi_read(struct bytes frame);
/* After the four bytes of the selector; failed when the calldata starts with another one. */
struct abi_reader abi_read_call(struct bytes calldata, const uint8_t selector[ABI_SELECTOR]);

struct hash32 abi_get_word(struct abi_reader *reader);
uint64_t abi_get_u64(struct abi_reader *reader); /* failed when larger */
struct u256 abi_get_u256(struct abi_reader *reader);
struct address abi_get_address(struct abi_reader *reader);
bool abi_get_bool(struct abi_reader *reader);
struct bytes abi_get_bytes(struct abi_reader *reader);
/* A dynamic tuple behind an offset. */
struct abi_reader abi_get_tuple(struct abi_reader *reader);
/* An array behind an offset: its items, each item_words heads wide (1 for dynamic items), and
 * their number, which the input's size bounds. */
struct abi_reader abi_get_array(struct abi_reader *reader, size_t item_words, size_t *count);

/* Whole arrays into an arena. On failure NULL and *count 0. */
struct address *abi_get_addresses(struct abi_reader *reader, struct arena *arena, size_t *count);
struct u256 *abi_get_u256s(struct abi_reader *reader, struct arena *arena, size_t *count);
struct bytes *abi_get_bytes_array(struct abi_reader *reader, struct arena *arena, size_t *count);

#endif
