/* The append-only event log with a hash chain: hash = SHA256(previous hash || id || at || type ||
 * subject || text), numbers as 8 bytes big-endian and each text behind its length, so that
 * `registrarctl log --verify` finds any later change. */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "common/store/store.h"

struct event_row {
	int64_t id;
	struct wall at;
	const char *type;    /* "measurement", "build", "proposal", "safe-tx", "chain", "operator",
	                        "alarm", "warning", "daemon" */
	const char *subject; /* "m12", "p7", "b3", a chain's or target's name */
	const char *text;    /* one line for people */
	struct hash32 hash;
};
struct event_list {
	struct event_row *items;
	size_t count;
};

/* Appends in the current transaction. */
void store_event_add(struct store *store, const char *type, const char *subject, const char *fmt,
                     ...) PRINTF(4, 5);
/* Up to limit events with id > after. */
void store_event_list(struct store *store, struct arena *arena, int64_t after, size_t limit,
                      struct event_list *out);
/* The last alarms, the newest first. */
void store_alarm_latest(struct store *store, struct arena *arena, size_t limit,
                        struct event_list *out);
/* 0 and the number of events checked, or ERR_INVALID naming the first bad id. */
int store_event_verify(struct store *store, int64_t *checked, struct error *error) MUST_USE;

#endif
