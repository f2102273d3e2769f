/* The only place that asks for randomness. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len); /* from the kernel; aborts when it has none */
/* Uniform in [0, bound); 0 when bound is 0. */
uint32_t random_below(uint32_t bound);

#endif
