/* The events that the follower reads, from raw logs to structs. Facts: Safe 1.3.0 (nothing indexed)
 * and later, TimelockController 4.x and 5.x, DstackKms/DstackApp of both generations. */
#ifndef GOVERNANCE_EVENTS_H
#define GOVERNANCE_EVENTS_H

#include "common/governance/registry.h"

enum event_type {
	EVENT_SAFE_SUCCESS = 1,      /* safe */
	EVENT_SAFE_FAILURE,          /* safe */
	EVENT_SAFE_OWNER_ADDED,      /* account */
	EVENT_SAFE_OWNER_REMOVED,    /* account */
	EVENT_SAFE_THRESHOLD,        /* number */
	EVENT_CALL_SCHEDULED,        /* call */
	EVENT_CALL_EXECUTED,         /* call */
	EVENT_CALL_SALT,             /* salt */
	EVENT_CANCELLED,             /* id */
	EVENT_MIN_DELAY,             /* number: the new one */
	EVENT_ROLE_GRANTED,          /* role */
	EVENT_ROLE_REVOKED,          /* role */
	EVENT_REGISTRY,              /* registry: a value was added or removed */
	EVENT_POLICY,                /* policy */
	EVENT_OWNERSHIP_STARTED,     /* ownership */
	EVENT_OWNERSHIP_TRANSFERRED, /* ownership */
	EVENT_UPGRADED,              /* account: the new implementation */
};
#define EVENT_LAST EVENT_UPGRADED

struct event {
	enum event_type type;
	struct address emitter;
	union {
		struct {
			struct hash32 safe_tx_hash;
			struct u256 payment;
		} safe;
		struct {
			struct hash32 id;
			uint64_t index;
			struct address target;
			struct u256 value;
			struct bytes data;         /* points into the log */
			struct hash32 predecessor; /* scheduled only */
			uint64_t delay;            /* scheduled only; seconds */
		} call;
		struct {
			struct hash32 id, salt;
		} salt;
		struct hash32 id;
		struct {
			struct hash32 role;
			struct address account, sender;
		} role;
		struct {
			enum kind kind;
			enum action action;
			struct hash32 value;
		} registry;
		struct {
			struct address actor;
			struct hash32 policy, value;
			bool enabled;
			enum kind kind; /* 0: not a policy of a measurement */
		} policy;
		struct {
			struct address previous, next;
		} ownership;
		struct address account;
		uint64_t number;
	};
};

/* ERR_NOT_FOUND: not one of ours; ERR_INVALID: its topic0, but another shape. */
int event_decode(struct event *out, const struct address *emitter, const struct hash32 *topics,
                 size_t topic_count, struct bytes data) MUST_USE;

/* The 32 bytes by which the event is found again: safeTxHash, operation id, role, measurement, else
 * the account or number in it, left-padded. */
struct hash32 event_key(const struct event *event);

/* Every topic0 the follower must ask for. */
const struct hash32 *event_topics(size_t *count);
/* The topic0 of one type; EVENT_REGISTRY has ten, see below. */
const struct hash32 *event_topic0(enum event_type type);
const struct hash32 *event_registry_topic0(enum kind kind, enum action action);
/* "CallScheduled(bytes32,...)" for a topic0 of event_topics, NULL for another. */
const char *event_signature(const struct hash32 *topic0);

#endif
