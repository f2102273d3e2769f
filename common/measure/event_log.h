/* The event log of a dstack trust domain, and the RTMRs that it replays to. Digests of runtime
 * events are always recomputed from name and payload: what the log states for them is only
 * compared. */
#ifndef MEASURE_EVENT_LOG_H
#define MEASURE_EVENT_LOG_H

#include "common/crypto/hash.h"
#include "common/measure/check.h"

enum {
	EVENT_LOG_MAX = 8192, /* entries */
	EVENT_LOG_RTMRS = 4,
	EVENT_RUNTIME = 0x08000001, /* type of the events that extend RTMR3 */
};

struct event {
	unsigned imr; /* 0 to 3: which RTMR it extends */
	uint32_t type;
	unsigned version; /* of a runtime event's digest: 1 or 2 */
	const char *name;
	struct bytes payload; /* of a runtime event; empty for others */
	struct bytes stated;  /* digest as the log gives it; may be empty for runtime events */
	uint8_t digest[SHA384_SIZE]; /* what is extended */
};

struct event_log {
	struct event *events;
	size_t count;
	size_t trusted; /* events up to and with the first system-ready; those behind it are the
	                 * application's and may have any name. All, without one. */
	bool is_ready;  /* there is a system-ready */
	/* The log has boot events for RTMR 0 to 2: more than the ACPI ones that trimmed logs keep.
	 */
	bool has_boot[EVENT_LOG_RTMRS];
	uint8_t rtmr[EVENT_LOG_RTMRS][SHA384_SIZE]; /* replayed */
	uint8_t rtmr3_boot[SHA384_SIZE];            /* replayed up to and with boot-mr-done */
	const struct event
	        *misstated; /* the first runtime event whose stated digest is wrong, or NULL */
};

/* array: a JSON array of entries. Everything in *out lives in the arena. ERR_INVALID, ERR_LIMIT. */
int event_log_read(struct arena *arena, struct event_log *out, const struct jval *array,
                   struct error *error) MUST_USE;
/* The same from its JSON text. */
int event_log_parse(struct arena *arena, struct event_log *out, struct bytes text,
                    struct error *error) MUST_USE;
/* Recomputes and replays events whose imr, type, version, name, payload and stated are set; takes
 * over the array. */
int event_log_build(struct event_log *out, struct event *events, size_t count,
                    struct error *error) MUST_USE;

/* The first runtime event of that name up to the first system-ready, or NULL. */
const struct event *event_log_find(const struct event_log *log, const char *name);

/* Adds "event-digests" (stated digests) and "event-rules" (exactly one app-id of 20 bytes and one
 * compose-hash of 32, known lengths, a finished boot). */
void event_log_judge(const struct event_log *log, struct checks *checks);

/* The digest of a runtime event; version is 1 or 2. */
void event_digest(uint8_t out[SHA384_SIZE], unsigned version, const char *name,
                  struct bytes payload);

#endif
