/* What is remembered of a status endpoint across a restart: what it showed last, and what was said
 * about it, so that neither a change nor an alarm is lost or repeated. */
#ifndef STORE_ENDPOINT_H
#define STORE_ENDPOINT_H

#include "common/store/store.h"

struct endpoint_memory {
	bool has_compose;
	struct hash32 compose; /* the compose hash that it showed last */
	const char *trouble;   /* the alarm that holds, or NULL */
};

/* All zero for one that is not known. */
void store_endpoint_get(struct store *store, struct arena *arena, const char *target,
                        const char *url, struct endpoint_memory *out);
void store_endpoint_put(struct store *store, const char *target, const char *url,
                        const struct endpoint_memory *memory);

/* Whether a measurement has evidence from this endpoint that is at least as strong as level. */
bool store_endpoint_showed(struct store *store, int64_t measurement, const char *url, int level);

#endif
