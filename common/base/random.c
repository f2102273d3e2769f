#include "common/base/random.h"

#include "common/base/error.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *out, size_t len)
{
	uint8_t *at = out;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0); /* allowed: the one place that asks */
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die("getrandom failed");
		at += got;
		len -= (size_t)got;
	}
}

uint32_t random_below(uint32_t bound)
{
	uint64_t wide;

	if (bound == 0)
		return 0;
	/* 64 random bits: the bias of the remainder is below 2^-32. */
	random_bytes(&wide, sizeof(wide));
	return (uint32_t)(wide % bound);
}
