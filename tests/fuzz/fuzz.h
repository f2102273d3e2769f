/* What every fuzz target is made of. A target is one file: it defines LLVMFuzzerTestOneInput, which
 * reads the input with one parser and asserts a property of what came out. Built with clang's
 * fuzzer it searches; linked with replay.c it runs the inputs of its corpus as a test. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"

#include <string.h>

/* Returns 0 always; a broken property aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The name of the property is the condition itself. */
#define PROPERTY(condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			die("not so: %s", #condition);                                             \
	} while (0)

/* Takes the first byte off the input: for targets that choose between parsers. 0 when empty. */
static inline uint8_t fuzz_take(struct bytes *input)
{
	if (input->len == 0)
		return 0;
	uint8_t first = input->data[0];
	*input = bytes_of(input->data + 1, input->len - 1);
	return first;
}

/* Takes up to size bytes into out; what is missing is zero. */
static inline void fuzz_fill(struct bytes *input, void *out, size_t size)
{
	size_t there = input->len < size ? input->len : size;

	memset(out, 0, size);
	if (there > 0)
		memcpy(out, input->data, there);
	*input = bytes_of(input->data + there, input->len - there);
}

#endif
