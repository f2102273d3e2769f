/* Hashes the streams of an EIF while it is read: what goes to PCR0 beside what goes to PCR1 or
 * PCR2, and the whole file. Bytes travel in a small ring of blocks, so memory stays flat. With two
 * threads each of the first two is a thread of its own, started in hasher_new (before a sandbox
 * forbids it); without, everything happens in hasher_submit with the same results. */
#ifndef MEASURE_HASHER_H
#define MEASURE_HASHER_H

#include "common/crypto/hash.h"

enum hash_stream {
	STREAM_IMAGE = 1, /* PCR0's content: kernel, command line, every ramdisk */
	STREAM_BOOT = 2,  /* PCR1's: kernel, command line, first ramdisk */
	STREAM_APP = 4,   /* PCR2's: the other ramdisks */
};

enum { HASH_BLOCK_SIZE = 512 * 1024, HASH_BLOCK_PARTS = 64 };

/* A stretch of a block's bytes and the streams (bits) it belongs to. */
struct hash_part {
	uint32_t at, len;
	unsigned streams;
};

struct hash_block {
	uint8_t *data; /* HASH_BLOCK_SIZE bytes */
	size_t len;    /* bytes filled; all of them go into the whole file's digest */
	struct hash_part parts[HASH_BLOCK_PARTS];
	size_t part_count;
};

struct hashes {
	uint8_t image[SHA384_SIZE], boot[SHA384_SIZE], app[SHA384_SIZE];
	struct hash32 file;
	uint8_t blake2b[BLAKE2B_SIZE]; /* of the whole file, when it was wanted, else zeros */
};

struct hasher;

struct hasher *hasher_new(bool threads);
void hasher_free(struct hasher *hasher); /* NULL is fine */

/* Whether the next file's BLAKE2b-512 is computed, too. Before its first block. */
void hasher_want_blake2b(struct hasher *hasher, bool wanted);
/* The next block to fill; waits until one is free. One at a time: submit it before asking again. */
struct hash_block *hasher_block(struct hasher *hasher);
void hasher_submit(struct hasher *hasher, struct hash_block *block);
/* Waits until everything submitted is hashed, gives the digests, and starts again from nothing.
 * Memory of the ring goes back to the system. */
void hasher_finish(struct hasher *hasher, struct hashes *out);

#endif
