/* Memory for keys and passwords: pages of their own between guard pages, locked (never in swap),
 * left out of core dumps, empty in a forked child, overwritten before they are given back. */
#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include "common/base/bytes.h"

struct secret {
	uint8_t *data; /* NULL: none */
	size_t len;
};

/* Zeroed. ERR_IO when the system refuses, most often for RLIMIT_MEMLOCK. */
int secret_new(struct secret *out, size_t len, struct error *error) MUST_USE;
/* Overwrites, releases, clears *secret; fine when it is clear already. */
void secret_free(struct secret *secret);

#endif
