#include "daemon/watch/worth.h"

#include <string.h>

static bool belongs_to_app(enum kind kind)
{
	return kind == KIND_COMPOSE || kind == KIND_DEVICE;
}

/* Whose machine it is. A KMS is nobody's app. */
static bool judge_app(const struct config_target *target, const struct measured_value *value,
                      struct checks *checks, struct worth *out)
{
	char stated[41], wanted[41];

	if (!value->has_app_id)
		return checks_add(checks, "app", CHECK_UNDECIDED, "no app id is stated");
	hex_encode(stated, bytes_of(value->app_id, sizeof(value->app_id)));
	if (!belongs_to_app(value->kind))
		return checks_add(checks, "app", CHECK_UNDECIDED,
		                  "app id %s: a KMS, or what every app on the host shares", stated);
	if (!target->has_app)
		return checks_add(checks, "app", CHECK_UNDECIDED,
		                  "app id %s, and the target has no app to compare it with",
		                  stated);
	hex_encode(wanted, bytes_of(target->app.b, sizeof(target->app.b)));
	out->is_wrong = memcmp(value->app_id, target->app.b, sizeof(value->app_id)) != 0;
	return checks_add(checks, "app", out->is_wrong ? CHECK_FAILED : CHECK_PASSED,
	                  "app id %s, the target's app is %s", stated, wanted);
}

static bool judge_os(const struct config_target *target, const struct measured_value *value,
                     struct checks *checks)
{
	char os[65];

	hex_encode(os, bytes_of(value->os.b, sizeof(value->os.b)));
	for (size_t i = 0; i < target->known_os.count; i++)
		if (hash32_equal(&target->known_os.items[i], &value->os))
			return checks_add(checks, "known-os", CHECK_PASSED,
			                  "%s is listed in known_os", os);
	return checks_add(checks, "known-os", CHECK_UNDECIDED, "%s is not listed in known_os", os);
}

void worth_of(const struct config_target *target, const struct measured_value *value,
              struct checks *checks, struct worth *out)
{
	*out = (struct worth){.level = value->level, .is_signed = value->is_signed};
	bool is_ours = true;
	if (value->is_quoted || value->has_app_id)
		is_ours = judge_app(target, value, checks, out);
	if (value->is_quoted && judge_os(target, value, checks) && is_ours)
		out->level = LEVEL_ATTESTED;
}
