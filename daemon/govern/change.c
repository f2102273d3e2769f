#include "daemon/govern/change.h"

#include "common/crypto/hash.h"
#include "common/governance/timelock.h"
#include "daemon/govern/owner.h"

#include <inttypes.h>
#include <string.h>

/* The policies of PolicyChanged that are no list of values, and the event that comes with each. */
static const struct {
	const char *name;
	enum event_type companion;
} policies[] = {
        {"app-implementation", EVENT_APP_IMPLEMENTATION},
        {"implementation-upgrade", EVENT_UPGRADED},
        {"kms-info", EVENT_KMS_INFO},
        {"gateway-app-id", EVENT_GATEWAY},
        {"registered-app", EVENT_APP_REGISTERED},
        {"allow-any-device", EVENT_ALLOW_ANY_DEVICE},
        {"require-tcb-up-to-date", EVENT_REQUIRE_TCB},
        {"upgrades-disabled", EVENT_UPGRADES_DISABLED},
};

/* A log being put into words. */
struct reading {
	struct lane *lane;
	struct arena *arena;
	const struct seen_log *log;
	const struct seen_log_list *transaction;
	struct event event;
	const char *role;  /* of the contract that spoke */
	const char *where; /* "kms 0x…" */
	struct change *out;
};

const char *change_role(const struct lane *lane, const struct address *contract,
                        const struct config_target **target)
{
	const struct config *config = lane->parts->config;

	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *t = &config->targets[i];
		*target = t;
		if (t->chain != lane->config)
			continue;
		if (address_equal(&t->kms, contract))
			return "kms";
		if (t->has_app && address_equal(&t->app, contract))
			return "app";
		if (t->has_timelock && address_equal(&t->timelock, contract))
			return t->model == MODEL_DELAY ? "Delay module" : "timelock";
	}
	*target = NULL;
	return NULL;
}

static const char *address_in(struct arena *arena, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	return arena_strdup(arena, address_text(text, address));
}

static const char *hash_in(struct arena *arena, const struct hash32 *hash)
{
	char text[HASH32_TEXT_SIZE];

	return arena_strdup(arena, hash32_text(text, hash));
}

static const char *target_names(const struct reading *r)
{
	const struct config *config = r->lane->parts->config;
	struct buf names = {0};

	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *t = &config->targets[i];
		bool its = t->chain == r->lane->config &&
		           (address_equal(&t->kms, &r->log->address) ||
		            (t->has_app && address_equal(&t->app, &r->log->address)) ||
		            (t->has_timelock && address_equal(&t->timelock, &r->log->address)));
		if (its)
			buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", t->name);
	}
	const char *out = arena_text(r->arena, buf_bytes(&names));
	buf_free(&names);
	return out;
}

/* --- what else the transaction says ------------------------------------------------------------
 */

static bool sibling(const struct reading *r, size_t i, struct event *out)
{
	const struct seen_log *log = &r->transaction->items[i];

	return address_equal(&log->address, &r->log->address) &&
	       event_decode_stored(out, &log->address, &log->topic0, log->data) == 0;
}

/* PolicyChanged says the same as this event of a value. */
static bool is_about(const struct event *policy, const struct event *registry)
{
	return policy->policy.kind == registry->registry.kind &&
	       policy->policy.enabled == (registry->registry.action == ACTION_ADD) &&
	       hash32_equal(&policy->policy.value, &registry->registry.value);
}

static const char *policy_name(const struct hash32 *policy, enum event_type *companion)
{
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		struct hash32 hash = keccak256(bytes_text(policies[i].name));
		if (hash32_equal(&hash, policy)) {
			*companion = policies[i].companion;
			return policies[i].name;
		}
	}
	return NULL;
}

static bool says_the_same(const struct event *policy, const struct event *other)
{
	enum event_type companion;

	if (policy->policy.kind != 0)
		return other->type == EVENT_REGISTRY && is_about(policy, other);
	return policy_name(&policy->policy.policy, &companion) != NULL && companion == other->type;
}

/* The PolicyChanged that comes with an event names who called; the event itself says more. */
static void find_actor(struct reading *r)
{
	for (size_t i = 0; i < r->transaction->count; i++) {
		struct event policy;
		if (sibling(r, i, &policy) && policy.type == EVENT_POLICY &&
		    says_the_same(&policy, &r->event)) {
			r->out->has_actor = true;
			r->out->actor = policy.policy.actor;
			r->out->actor_source = "PolicyChanged";
			return;
		}
	}
}

static bool is_said_by_another(const struct reading *r)
{
	for (size_t i = 0; i < r->transaction->count; i++) {
		struct event other;
		if (sibling(r, i, &other) && other.type != EVENT_POLICY &&
		    says_the_same(&r->event, &other))
			return true;
	}
	return false;
}

/* --- values ------------------------------------------------------------------------------------
 */

/* Whether anybody here knows the value that was added or removed. */
static const char *recorded(const struct reading *r, enum kind kind, const struct hash32 *value)
{
	struct lane *lane = r->lane;
	const struct config *config = lane->parts->config;

	for (size_t i = 0; i < config->target_count; i++) {
		struct measurement_filter filter = {.target = config->targets[i].name,
		                                    .value = value};
		struct measurement_list list;
		if (config->targets[i].chain != lane->config)
			continue;
		store_measurement_list(lane->parts->store, r->arena, &filter, &list);
		for (size_t k = 0; k < list.count; k++) {
			struct registry_call call;
			if (registry_call_for(&call, &config->targets[i], list.items[k].kind) ==
			            0 &&
			    call.as == kind && address_equal(&call.contract, &r->log->address))
				return arena_printf(r->arena, "m%lld (%s, wanted %s)",
				                    (long long)list.items[k].id.n,
				                    measurement_status_name(list.items[k].status),
				                    list.items[k].wanted ? "present" : "absent");
		}
	}
	return "not recorded here";
}

static void read_value(struct reading *r, enum kind kind, enum action action,
                       const struct hash32 *value)
{
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, kind, action, value);
	r->out->alarm = ALARM_REGISTRY_CHANGED;
	r->out->is_call = true;
	r->out->call.to = r->log->address;
	r->out->call.data = arena_copy(r->arena, bytes_of(data, sizeof(data)));
	r->out->text = arena_printf(r->arena, "%s %s was %s %s; it is %s", kind_name(kind),
	                            hash_in(r->arena, value),
	                            action == ACTION_ADD ? "added to" : "removed from", r->where,
	                            recorded(r, kind, value));
}

static bool read_policy(struct reading *r)
{
	const struct event *event = &r->event;
	enum event_type companion;

	if (is_said_by_another(r))
		return false;
	r->out->has_actor = true;
	r->out->actor = event->policy.actor;
	r->out->actor_source = "PolicyChanged";
	if (event->policy.kind != 0) {
		read_value(r, event->policy.kind,
		           event->policy.enabled ? ACTION_ADD : ACTION_REMOVE,
		           &event->policy.value);
		return true;
	}
	const char *name = policy_name(&event->policy.policy, &companion);
	r->out->alarm = ALARM_POLICY_CHANGED;
	r->out->is_notice = name != NULL && companion == EVENT_APP_REGISTERED;
	r->out->text = arena_printf(r->arena, "policy %s of %s: %s %s",
	                            name != NULL ? name : hash_in(r->arena, &event->policy.policy),
	                            r->where, hash_in(r->arena, &event->policy.value),
	                            event->policy.enabled ? "enabled" : "disabled");
	return true;
}

/* --- owners, code, roles -----------------------------------------------------------------------
 */

static void read_ownership(struct reading *r)
{
	const char *next = address_in(r->arena, &r->event.ownership.next);
	const char *previous = address_in(r->arena, &r->event.ownership.previous);
	struct address wanted;
	const char *name, *then;
	bool one = owner_wanted(&wanted, &name, r->out->target);

	r->out->alarm = ALARM_OWNER_CHANGED;
	if (r->event.type == EVENT_OWNERSHIP_STARTED) {
		r->out->text = address_is_zero(&r->event.ownership.next)
		                       ? arena_printf(r->arena,
		                                      "the owner %s of %s took back its offer of "
		                                      "the ownership",
		                                      previous, r->where)
		                       : arena_printf(r->arena,
		                                      "the owner %s of %s offers the ownership "
		                                      "to %s, which has to accept it",
		                                      previous, r->where, next);
		return;
	}
	if (!one || address_equal(&r->log->address, &r->out->target->timelock))
		then = "";
	else if (address_equal(&wanted, &r->event.ownership.next))
		then = arena_printf(r->arena, ", which is the %s of the target", name);
	else
		then = arena_printf(r->arena,
		                    ", which is not the %s of the target: nothing is drafted until "
		                    "it is again",
		                    name);
	r->out->text = arena_printf(r->arena, "the owner of %s changed from %s to %s%s", r->where,
	                            previous, next, then);
}

/* The last upgrade before this one, if its history was read. */
static void read_upgrade(struct reading *r)
{
	struct seen_log_list logs;
	const char *before = "another one";

	logs = store_log_list(r->lane->parts->store, r->arena, r->lane->config->chain_id,
	                      &r->log->address, &r->log->topic0);
	for (size_t i = 0; i < logs.count; i++) {
		const struct seen_log *log = &logs.items[i];
		struct event event;
		bool earlier = log->block_number < r->log->block_number ||
		               (log->block_number == r->log->block_number &&
		                log->log_index < r->log->log_index);
		if (earlier &&
		    event_decode_stored(&event, &log->address, &log->topic0, log->data) == 0)
			before = address_in(r->arena, &event.account);
	}
	r->out->alarm = ALARM_IMPLEMENTATION_CHANGED;
	r->out->text = arena_printf(r->arena, "the implementation of %s changed from %s to %s",
	                            r->where, before, address_in(r->arena, &r->event.account));
}

static const char *role_name(struct arena *arena, const struct hash32 *role)
{
	static const struct {
		const struct hash32 *role;
		const char *name;
	} names[] = {
	        {&timelock_role_proposer, "PROPOSER_ROLE"},
	        {&timelock_role_executor, "EXECUTOR_ROLE"},
	        {&timelock_role_canceller, "CANCELLER_ROLE"},
	        {&timelock_role_default_admin, "DEFAULT_ADMIN_ROLE"},
	        {&timelock_role_admin_v4, "TIMELOCK_ADMIN_ROLE"},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (hash32_equal(role, names[i].role))
			return names[i].name;
	return arena_printf(arena, "role %s", hash_in(arena, role));
}

static void read_role(struct reading *r)
{
	bool granted = r->event.type == EVENT_ROLE_GRANTED;
	bool anybody = address_is_zero(&r->event.role.account);

	r->out->alarm = ALARM_ROLE_CHANGED;
	r->out->has_actor = true;
	r->out->actor = r->event.role.sender;
	r->out->actor_source = granted ? "RoleGranted" : "RoleRevoked";
	r->out->text = arena_printf(
	        r->arena, "%s of %s was %s %s", role_name(r->arena, &r->event.role.role), r->where,
	        granted ? "granted to" : "revoked from",
	        anybody ? "everybody (address 0)" : address_in(r->arena, &r->event.role.account));
}

static void read_role_admin(struct reading *r)
{
	r->out->alarm = ALARM_ROLE_CHANGED;
	r->out->text = arena_printf(r->arena, "%s of %s is now administered by %s, before by %s",
	                            role_name(r->arena, &r->event.role_admin.role), r->where,
	                            role_name(r->arena, &r->event.role_admin.next),
	                            role_name(r->arena, &r->event.role_admin.previous));
}

static void read_delay(struct reading *r)
{
	r->out->alarm = ALARM_DELAY_CHANGED;
	r->out->text =
	        arena_printf(r->arena, "the minimum delay of %s is now %" PRIu64 "%s s", r->where,
	                     r->event.number, r->event.number == UINT64_MAX ? " or more" : "");
}

/* --- the Delay module ---------------------------------------------------------------------------
 */

static void read_module(struct reading *r)
{
	const char *next = address_in(r->arena, &r->event.ownership.next);

	r->out->alarm = ALARM_DELAY_CHANGED;
	if (r->event.type == EVENT_DELAY_NONCE)
		r->out->text = arena_printf(
		        r->arena, "every entry of %s below number %" PRIu64 " was passed over",
		        r->where, r->event.number);
	else if (r->event.type == EVENT_DELAY_AVATAR || r->event.type == EVENT_DELAY_TARGET)
		r->out->text = arena_printf(
		        r->arena, "the %s of %s is now %s",
		        r->event.type == EVENT_DELAY_AVATAR ? "avatar" : "target", r->where, next);
	else
		r->out->text = arena_printf(
		        r->arena, "the %s of %s is now %" PRIu64 "%s s",
		        r->event.type == EVENT_DELAY_COOLDOWN ? "cooldown" : "expiration", r->where,
		        r->event.number, r->event.number == UINT64_MAX ? " or more" : "");
}

/* Modules of a Safe are its own story; these are who may add to the queue. */
static bool read_enqueuer(struct reading *r)
{
	if (!address_equal(&r->log->address, &r->out->target->timelock))
		return false;
	r->out->alarm = ALARM_MODULE_CHANGED;
	r->out->text = arena_printf(
	        r->arena, "%s %s add entries to %s", address_in(r->arena, &r->event.account),
	        r->event.type == EVENT_MODULE_ENABLED ? "may now" : "may no longer", r->where);
	return true;
}

/* --- settings of the registries ----------------------------------------------------------------
 */

static void read_registered(struct reading *r)
{
	const struct config_target *target;
	const char *role = change_role(r->lane, &r->event.account, &target);

	/* Anybody may register an app of theirs: an alarm would be anybody's to raise. */
	r->out->is_notice = role == NULL || strcmp(role, "app") != 0;
	r->out->text = arena_printf(r->arena, "app %s was registered at %s",
	                            address_in(r->arena, &r->event.account), r->where);
}

static void read_flag(struct reading *r, const char *on, const char *off)
{
	r->out->text = arena_printf(r->arena, "%s: %s", r->where, r->event.number != 0 ? on : off);
}

static void read_setting(struct reading *r)
{
	r->out->alarm = ALARM_POLICY_CHANGED;
	if (r->event.type == EVENT_APP_IMPLEMENTATION)
		r->out->text =
		        arena_printf(r->arena, "%s deploys new apps with the implementation %s now",
		                     r->where, address_in(r->arena, &r->event.account));
	else if (r->event.type == EVENT_APP_REGISTERED)
		read_registered(r);
	else if (r->event.type == EVENT_KMS_INFO)
		r->out->text = arena_printf(
		        r->arena, "the public keys in %s were changed (kmsInfo)", r->where);
	else if (r->event.type == EVENT_GATEWAY)
		r->out->text = arena_printf(r->arena, "the gateway app id of %s is now \"%.80s\"",
		                            r->where, arena_text(r->arena, r->event.text));
	else if (r->event.type == EVENT_ALLOW_ANY_DEVICE)
		read_flag(r, "any device is allowed now, whatever the list says",
		          "only devices on the list are allowed now");
	else if (r->event.type == EVENT_REQUIRE_TCB)
		read_flag(r, "machines need an up-to-date TCB now",
		          "machines no longer need an up-to-date TCB");
	else
		r->out->text = arena_printf(r->arena, "%s can never be upgraded again", r->where);
}

static bool read_known(struct reading *r)
{
	switch (r->event.type) {
	case EVENT_REGISTRY:
		read_value(r, r->event.registry.kind, r->event.registry.action,
		           &r->event.registry.value);
		return true;
	case EVENT_POLICY:
		return read_policy(r);
	case EVENT_OWNERSHIP_STARTED:
	case EVENT_OWNERSHIP_TRANSFERRED:
		read_ownership(r);
		return true;
	case EVENT_UPGRADED:
		read_upgrade(r);
		return true;
	case EVENT_ROLE_GRANTED:
	case EVENT_ROLE_REVOKED:
		read_role(r);
		return true;
	case EVENT_ROLE_ADMIN:
		read_role_admin(r);
		return true;
	case EVENT_MIN_DELAY:
		read_delay(r);
		return true;
	case EVENT_DELAY_NONCE:
	case EVENT_DELAY_COOLDOWN:
	case EVENT_DELAY_EXPIRATION:
	case EVENT_DELAY_AVATAR:
	case EVENT_DELAY_TARGET:
		read_module(r);
		return true;
	case EVENT_MODULE_ENABLED:
	case EVENT_MODULE_DISABLED:
		return read_enqueuer(r);
	case EVENT_APP_IMPLEMENTATION:
	case EVENT_APP_REGISTERED:
	case EVENT_KMS_INFO:
	case EVENT_GATEWAY:
	case EVENT_ALLOW_ANY_DEVICE:
	case EVENT_REQUIRE_TCB:
	case EVENT_UPGRADES_DISABLED:
		read_setting(r);
		return true;
	case EVENT_SAFE_SUCCESS:
	case EVENT_SAFE_FAILURE:
	case EVENT_SAFE_OWNER_ADDED:
	case EVENT_SAFE_OWNER_REMOVED:
	case EVENT_SAFE_THRESHOLD:
	case EVENT_SAFE_GUARD:
	case EVENT_SAFE_MODULE_GUARD:
	case EVENT_SAFE_FALLBACK:
	case EVENT_SAFE_SINGLETON:
	case EVENT_MODULE_SUCCESS:
	case EVENT_MODULE_FAILURE:
	case EVENT_HASH_APPROVED:
	case EVENT_CALL_SCHEDULED:
	case EVENT_CALL_EXECUTED:
	case EVENT_CALL_SALT:
	case EVENT_CANCELLED:
	case EVENT_DELAY_ADDED:
		return false; /* of Safes and queues, and what happens in a timelock */
	}
	die("no such event: %d", (int)r->event.type);
}

bool change_read(struct change *out, struct lane *lane, struct arena *arena,
                 const struct seen_log *log, const struct seen_log_list *transaction)
{
	struct reading r = {
	        .lane = lane, .arena = arena, .log = log, .transaction = transaction, .out = out};

	*out = (struct change){0};
	r.role = change_role(lane, &log->address, &out->target);
	if (r.role == NULL ||
	    event_decode_stored(&r.event, &log->address, &log->topic0, log->data) != 0)
		return false;
	r.where = arena_printf(arena, "%s %s (%s)", r.role, address_in(arena, &log->address),
	                       target_names(&r));
	if (!read_known(&r))
		return false;
	if (!out->has_actor)
		find_actor(&r);
	return true;
}
