/* Where an artifact's bytes come from: read once, from front to back, never mapped (a file that
 * shrinks under a mapping is SIGBUS). */
#ifndef MEASURE_SOURCE_H
#define MEASURE_SOURCE_H

#include "common/base/bytes.h"

enum { SOURCE_HEAD = 64 };

struct source {
	int fd;              /* or -1: memory */
	struct bytes memory; /* what is left of it */
	uint64_t offset;     /* of the next byte of fd; the descriptor's own position is not used */
	uint8_t head[SOURCE_HEAD];
	size_t head_len, head_used; /* bytes that were looked at before they were read */
};

struct source source_fd(int fd); /* the descriptor stays the caller's */
struct source source_memory(struct bytes memory);

/* Fills out as far as the source reaches: *got < size only at the end. ERR_IO. */
int source_read(struct source *source, void *out, size_t size, size_t *got,
                struct error *error) MUST_USE;
/* The first bytes (at most SOURCE_HEAD) without using them up. Before the first read. ERR_IO. */
int source_peek(struct source *source, struct bytes *head, struct error *error) MUST_USE;

#endif
