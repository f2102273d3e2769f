/* The verdict over what a status endpoint answered, written into the store: measurements with their
 * evidence, what is held, and alarms. Pure apart from the store; the caller brackets it with a
 * transaction. */
#ifndef WATCH_ENDPOINT_JUDGE_H
#define WATCH_ENDPOINT_JUDGE_H

#include "common/config/config.h"
#include "common/store/store.h"

struct endpoint_answer {
	const struct config_endpoint *endpoint;
	const struct measured *measured;
	bool may_create; /* false: it showed too many new values lately; no more are recorded */
};

enum endpoint_verdict_kind {
	ENDPOINT_GOOD,    /* it shows values, and they are recorded */
	ENDPOINT_NOTHING, /* there is nothing to see (yet); not an alarm */
	ENDPOINT_REFUSED, /* it contradicts itself, or is another app's: nothing of it is recorded
	                   */
};

struct endpoint_verdict {
	enum endpoint_verdict_kind kind;
	const char *reason; /* in the arena; of NOTHING and REFUSED, and of an alarm; else NULL */
	unsigned created;   /* measurements that nobody knew */
	bool changed;       /* a measurement was made or changed */
	bool has_compose;
	struct hash32 compose;
	bool is_revoked; /* it shows a value that was revoked */
};

/* The text of an alarm is written once for as long as it stays the same. */
void endpoint_judge(struct store *store, struct arena *arena, const struct endpoint_answer *answer,
                    struct endpoint_verdict *out);

/* Whether this compose hash was revoked, or is no longer wanted: to be asked while an endpoint goes
 * on showing it. */
bool endpoint_shows_revoked(struct store *store, const struct config_target *target,
                            const struct hash32 *compose);

#endif
