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
	EVENT_ROLE_ADMIN,            /* role_admin */
	EVENT_SAFE_GUARD,            /* account: zero for none, as the four below */
	EVENT_SAFE_MODULE_GUARD,     /* account (1.5.0) */
	EVENT_SAFE_FALLBACK,         /* account */
	EVENT_SAFE_SINGLETON,        /* account; ChangedMasterCopy */
	EVENT_MODULE_ENABLED,        /* account; of a Safe or a Delay module */
	EVENT_MODULE_DISABLED,       /* account */
	EVENT_MODULE_SUCCESS,        /* account: the module that made the Safe act */
	EVENT_MODULE_FAILURE,        /* account */
	EVENT_HASH_APPROVED,         /* approval */
	EVENT_DELAY_ADDED,           /* delay */
	EVENT_DELAY_NONCE,           /* number */
	EVENT_DELAY_COOLDOWN,        /* number */
	EVENT_DELAY_EXPIRATION,      /* number */
	EVENT_DELAY_AVATAR,          /* ownership */
	EVENT_DELAY_TARGET,          /* ownership */
	EVENT_APP_IMPLEMENTATION,    /* account: what the KMS deploys new apps with */
	EVENT_APP_REGISTERED,        /* account */
	EVENT_KMS_INFO,              /* text: the new public key */
	EVENT_GATEWAY,               /* text: the new app id */
	EVENT_ALLOW_ANY_DEVICE,      /* number: 0 or 1 */
	EVENT_REQUIRE_TCB,           /* number: 0 or 1 */
	EVENT_UPGRADES_DISABLED,     /* nothing */
};
#define EVENT_LAST EVENT_UPGRADES_DISABLED

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
		struct {
			struct hash32 role, previous, next;
		} role_admin;
		struct {
			struct hash32 hash;
			struct address owner;
		} approval;
		struct {
			struct hash32 hash;
			uint64_t nonce;
			struct address to;
			struct u256 value;
			struct bytes data; /* points into the log */
			uint8_t operation;
		} delay;
		struct address account;
		struct bytes text; /* points into the log */
		uint64_t number;   /* UINT64_MAX: that or more */
	};
};

/* ERR_NOT_FOUND: not one of ours; ERR_INVALID: its topic0, but another shape. */
int event_decode(struct event *out, const struct address *emitter, const struct hash32 *topics,
                 size_t topic_count, struct bytes data) MUST_USE;
/* The same from what the store keeps of a log: the topics after the first and the data, one after
 * the other. */
int event_decode_stored(struct event *out, const struct address *emitter,
                        const struct hash32 *topic0, struct bytes data) MUST_USE;

/* The 32 bytes by which the event is found again: safeTxHash or other hash, operation id, role,
 * measurement, else the account or number in it, left-padded; 0 where there is none of them. */
struct hash32 event_key(const struct event *event);

/* Every topic0 the follower must ask for. */
const struct hash32 *event_topics(size_t *count);
/* The topic0 of one type; EVENT_REGISTRY has ten, see below. */
const struct hash32 *event_topic0(enum event_type type);
const struct hash32 *event_registry_topic0(enum kind kind, enum action action);
/* "CallScheduled(bytes32,...)" for a topic0 of event_topics, NULL for another. */
const char *event_signature(const struct hash32 *topic0);

#endif
