#include "daemon/watch/endpoint_judge.h"

#include "common/store/store_endpoint.h"
#include "common/store/alarm.h"
#include "common/store/store_signature.h"
#include "daemon/watch/worth.h"

#include <stdio.h>
#include <string.h>

#define SOURCE "endpoint"

/* How the reason of a hold ends that is only about where the value is known from. Being one for
 * evidence, it ends by itself when a build carries the value. */
#define KNOWN_FROM_ENDPOINT ", known from a status endpoint alone"

/* How an alarm begins that holds on while the endpoint stays where it went back to. */
#define BACK_AND_FORTH "changes its compose hash back and forth"

struct judgement {
	struct store *store;
	struct arena *arena;
	const struct config_endpoint *endpoint;
	const struct measured *measured;
	struct endpoint_memory memory;
	struct endpoint_verdict *verdict;
	const char *trouble; /* the alarm to be held, or NULL */
	struct worth worth[MEASURED_VALUES];
	struct checks checks[MEASURED_VALUES];
};

/* --- whether it may be believed at all --------------------------------------------------------
 */

static void refuse(struct judgement *j, const char *fmt, ...) PRINTF(2, 3);
static void refuse(struct judgement *j, const char *fmt, ...)
{
	struct error text;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	j->verdict->kind = ENDPOINT_REFUSED;
	j->verdict->reason = arena_printf(j->arena, "refused: %s", text.text);
	j->trouble = j->verdict->reason;
}

static void say_nothing(struct judgement *j, const char *why)
{
	j->verdict->kind = ENDPOINT_NOTHING;
	j->verdict->reason = why;
	j->trouble = j->memory.trouble; /* it said nothing that would end an alarm */
}

/* What a value is worth to the target; false, with a refusal, when it is another app's. A KMS has
 * no app. */
static bool is_ours(struct judgement *j, size_t index)
{
	const struct measured_value *value = &j->measured->values[index];
	const struct config_target *target = j->endpoint->target;
	char stated[2 * sizeof(target->app.b) + 1], ours[2 * sizeof(target->app.b) + 1];

	j->checks[index].arena = j->arena;
	worth_of(target, value, &j->checks[index], &j->worth[index]);
	if (j->endpoint->is_kms)
		return true;
	if (!value->has_app_id)
		refuse(j, "it shows measurements but no app_id");
	else if (memcmp(value->app_id, target->app.b, sizeof(target->app.b)) != 0)
		refuse(j, "app_id is 0x%s, the app of target %s is 0x%s",
		       hex_encode(stated, bytes_of(value->app_id, sizeof(value->app_id))),
		       target->name,
		       hex_encode(ours, bytes_of(target->app.b, sizeof(target->app.b))));
	else
		return true;
	return false;
}

/* The measurer says what is missing, if it can. */
static const char *why_nothing(const struct judgement *j)
{
	struct jval *details = NULL;
	const char *missing = NULL;

	if (j->measured->details != NULL &&
	    jval_parse(&details, bytes_text(j->measured->details), NULL) == 0)
		missing = jval_get_string(details, "missing");
	missing = arena_strdup(j->arena, missing != NULL ? missing : "it shows no measurement");
	jval_free(details);
	return missing;
}

static bool is_believable(struct judgement *j)
{
	const struct measured *measured = j->measured;
	bool is_kms = j->endpoint->is_kms;

	if (measured->refused) {
		refuse(j, "%s", measured->refusal);
	} else if (measured->format != (is_kms ? FORMAT_KMS_INFO : FORMAT_GUEST_INFO)) {
		say_nothing(j, is_kms ? "not the answer of a KMS that is set up"
		                      : "not the answer of a dstack guest agent");
	} else if (measured->value_count == 0) {
		say_nothing(j, why_nothing(j));
	} else {
		for (size_t i = 0; i < measured->value_count; i++)
			if (!is_ours(j, i))
				return false;
		return true;
	}
	return false;
}

/* --- evidence ---------------------------------------------------------------------------------
 */

static const char *details_of(const struct judgement *j, const struct checks *checks)
{
	struct jval *details = NULL;
	struct buf text = {0};
	const char *out;

	if (j->measured->details == NULL ||
	    jval_parse(&details, bytes_text(j->measured->details), NULL) != 0 ||
	    !jval_is_object(details)) {
		jval_free(details);
		details = jval_object();
	}
	checks_append(details, checks);
	jval_add_string(details, "format", format_name(j->measured->format));
	jval_add_int(details, "size", (int64_t)j->measured->size);
	jval_write(&text, details, JVAL_COMPACT);
	out = arena_text(j->arena, buf_bytes(&text));
	buf_free(&text);
	jval_free(details);
	return out;
}

/* Adds the answer as evidence, unless the same endpoint is evidence of that strength already: an
 * answer changes with every reboot, and what it proves does not. Has the measurement in *m after
 * it; true when nobody knew it before. */
static bool record(struct judgement *j, size_t index, struct measurement *m)
{
	const struct measured_value *value = &j->measured->values[index];
	const struct worth *worth = &j->worth[index];
	const char *target = j->endpoint->target->name;
	struct measurement_id id;
	struct evidence evidence = {
	        .level = worth->level,
	        .is_signed = worth->is_signed,
	        .source = SOURCE,
	        .artifact = j->endpoint->url,
	        .artifact_sha256 = j->measured->sha256,
	};

	bool created;

	if (store_measurement_find(j->store, j->arena, target, value->kind, &value->value, m) ==
	            0 &&
	    store_endpoint_showed(j->store, m->id.n, j->endpoint->url, (int)worth->level))
		return false;
	evidence.details = details_of(j, &j->checks[index]);
	id = store_measurement_record(j->store, target, value->kind, &value->value, &evidence,
	                              &created);
	j->verdict->changed = true;
	j->verdict->created += created;
	if (store_measurement_get(j->store, j->arena, id, m) != 0)
		die("m%lld was just recorded and is not there", (long long)id.n);
	return created;
}

/* --- holding and lifting ----------------------------------------------------------------------
 */

static void hold(struct judgement *j, const struct measurement *m, const char *reason)
{
	store_measurement_set_status(j->store, m->id, MEASUREMENT_HELD, reason);
	j->verdict->changed = true;
}

static bool is_held_as_ours(const struct measurement *m)
{
	size_t tail = strlen(KNOWN_FROM_ENDPOINT), len = m->reason != NULL ? strlen(m->reason) : 0;

	return m->status == MEASUREMENT_HELD && len > tail &&
	       strcmp(m->reason + len - tail, KNOWN_FROM_ENDPOINT) == 0;
}

/* Whether a new value waits for a person, or goes on by itself. */
static void weigh(struct judgement *j, const struct measurement *m, bool created)
{
	const struct config_target *target = j->endpoint->target;
	const struct evidence_demand demand = {target->min_evidence, &target->signing};
	const char *lacks = store_measurement_lacks(j->store, j->arena, m, &demand, NULL);
	const char *level = evidence_level_name(m->level);

	if (created && !j->endpoint->propose_auto)
		hold(j, m,
		     arena_printf(j->arena, MEASUREMENT_HELD_FOR_EVIDENCE "%s" KNOWN_FROM_ENDPOINT,
		                  level));
	else if (!m->wanted)
		return; /* its removal does not depend on what is found */
	else if (lacks != NULL && m->status == MEASUREMENT_NEW)
		hold(j, m, lacks);
	else if (lacks == NULL && (j->endpoint->propose_auto || !is_held_as_ours(m)))
		/* Only what is held for its evidence. */
		j->verdict->changed |=
		        store_measurement_lift(j->store, m->id, MEASUREMENT_HELD_FOR_EVIDENCE,
		                               arena_printf(j->arena, "evidence %s, shown by %s",
		                                            level, j->endpoint->url));
}

/* --- alarms -----------------------------------------------------------------------------------
 */

static bool is_revoked(const struct measurement *m)
{
	return m->status == MEASUREMENT_REVOKED || !m->wanted;
}

static void look_for_revoked(struct judgement *j, const struct measurement *m)
{
	char text[HASH32_TEXT_SIZE];

	if (!is_revoked(m))
		return;
	j->verdict->is_revoked = true;
	j->trouble =
	        arena_printf(j->arena, "shows the %s %s (m%lld), which was revoked",
	                     kind_name(m->kind), hash32_text(text, &m->value), (long long)m->id.n);
}

/* Before its evidence is recorded: whether the endpoint comes back to what it showed earlier. */
static void look_for_return(struct judgement *j, const struct hash32 *compose)
{
	char now[HASH32_TEXT_SIZE], before[HASH32_TEXT_SIZE];
	const struct hash32 *low = compose, *high = &j->memory.compose;
	struct measurement m;

	if (!j->memory.has_compose)
		return;
	if (hash32_equal(compose, &j->memory.compose)) {
		if (j->memory.trouble != NULL &&
		    strncmp(j->memory.trouble, BACK_AND_FORTH, strlen(BACK_AND_FORTH)) == 0)
			j->trouble = j->memory.trouble;
		return;
	}
	if (store_measurement_find(j->store, j->arena, j->endpoint->target->name, KIND_COMPOSE,
	                           compose, &m) != 0 ||
	    !store_endpoint_showed(j->store, m.id.n, j->endpoint->url, LEVEL_CLAIMED))
		return;
	/* The same text whichever way it went. */
	if (hash32_compare(low, high) > 0) {
		low = high;
		high = compose;
	}
	j->trouble = arena_printf(j->arena, BACK_AND_FORTH " between %s and %s",
	                          hash32_text(now, low), hash32_text(before, high));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void remember(struct judgement *j)
{
	const struct config_endpoint *endpoint = j->endpoint;
	const struct endpoint_verdict *verdict = j->verdict;
	struct endpoint_memory memory = j->memory;

	if (verdict->has_compose) {
		memory.has_compose = true;
		memory.compose = verdict->compose;
	}
	memory.trouble = j->trouble;
	if (j->trouble != NULL && !same_text(j->trouble, j->memory.trouble))
		store_alarm(j->store, ALARM_ENDPOINT, endpoint->target->name, "%s %s",
		            endpoint->url, j->trouble);
	if (memory.has_compose != j->memory.has_compose ||
	    !hash32_equal(&memory.compose, &j->memory.compose) ||
	    !same_text(memory.trouble, j->memory.trouble))
		store_endpoint_put(j->store, endpoint->target->name, endpoint->url, &memory);
}

/* --- the whole answer --------------------------------------------------------------------------
 */

/* Whether all values are known, or may be made: an endpoint that makes up values is not let fill
 * the store. */
static bool may_record(struct judgement *j, bool may_create)
{
	struct measurement m;

	for (size_t i = 0; i < j->measured->value_count && !may_create; i++) {
		const struct measured_value *value = &j->measured->values[i];
		if (store_measurement_find(j->store, j->arena, j->endpoint->target->name,
		                           value->kind, &value->value, &m) != 0) {
			refuse(j, "it showed too many new values within a day; no more are "
			          "recorded");
			return false;
		}
	}
	return true;
}

static void take(struct judgement *j)
{
	const struct measured_value *compose = measured_find(j->measured, KIND_COMPOSE);
	struct measurement m;
	bool created;

	j->verdict->kind = ENDPOINT_GOOD;
	if (compose != NULL) {
		j->verdict->has_compose = true;
		j->verdict->compose = compose->value;
		look_for_return(j, &compose->value);
	}
	for (size_t i = 0; i < j->measured->value_count; i++) {
		created = record(j, i, &m);
		weigh(j, &m, created);
		look_for_revoked(j, &m);
	}
	j->verdict->reason = j->trouble;
}

void endpoint_judge(struct store *store, struct arena *arena, const struct endpoint_answer *answer,
                    struct endpoint_verdict *out)
{
	struct judgement j = {
	        .store = store,
	        .arena = arena,
	        .endpoint = answer->endpoint,
	        .measured = answer->measured,
	        .verdict = out,
	};

	*out = (struct endpoint_verdict){.kind = ENDPOINT_NOTHING};
	store_endpoint_get(store, arena, j.endpoint->target->name, j.endpoint->url, &j.memory);
	if (is_believable(&j) && may_record(&j, answer->may_create))
		take(&j);
	remember(&j);
}

bool endpoint_shows_revoked(struct store *store, const struct config_target *target,
                            const struct hash32 *compose)
{
	struct arena arena = {0};
	struct measurement m;
	bool revoked = store_measurement_find(store, &arena, target->name, KIND_COMPOSE, compose,
	                                      &m) == 0 &&
	               is_revoked(&m);

	arena_free(&arena);
	return revoked;
}
