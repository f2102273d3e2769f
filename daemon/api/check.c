/* check: what the registry says about a value, and what the KMS would decide about a machine. */
#include "daemon/api/client.h"
#include "daemon/api/report.h"
#include "daemon/govern/preflight.h"

#include <stdio.h>
#include <string.h>

enum { MAX_KINDS = 8, MAX_NAME = 128, MAX_REASON = 400 };

/* What is known so far; the client owns it, and it owns nothing itself. */
struct check_question {
	struct hash32 value;
	char target[MAX_NAME]; /* a new configuration may drop it meanwhile */
	enum kind kinds[MAX_KINDS];
	size_t kind_count;
	bool has_preflight;
	struct preflight preflight;
	char latest_reason[MAX_REASON], final_reason[MAX_REASON];
};

static const enum exit_code codes[] = {
        [CHECK_UNKNOWN] = EXIT_UNKNOWN, [CHECK_NO] = EXIT_NO, [CHECK_YES] = EXIT_YES};

static bool no_answer(struct client *client, const struct error *error)
{
	client_set_op(client, NULL);
	if (error != NULL)
		client_fail(client, EXIT_UNKNOWN, "the chain could not be asked: %s", error->text);
	return error != NULL;
}

static void check_answered(const struct error *error, const struct govern_check *checks,
                           size_t count, const struct block_ref *head,
                           const struct block_ref *final, void *arg)
{
	struct client *client = arg;
	const struct check_question *question = client_state(client);

	if (no_answer(client, error))
		return;
	enum check_answer decided = report_check_sum(checks, count);
	struct jval *view =
	        report_check(&question->value, question->target, checks, count, head, final);
	if (question->has_preflight) {
		decided = report_preflight_sum(&question->preflight);
		jval_add(view, "preflight", report_preflight(&question->preflight));
	}
	client_done(client, codes[decided], view, NULL);
}

static void ask_registry(struct client *client, const struct config_target *target)
{
	const struct check_question *asked = client_state(client);
	const struct govern_question question = {
	        .target = target,
	        .value = asked->value,
	        .kinds = asked->kinds,
	        .kind_count = asked->kind_count,
	};

	client_set_op(client, govern_check(client_parts(client)->govern, &question, check_answered,
	                                   client));
}

/* --- the machine's own question ----------------------------------------------------------------
 */

static void preflight_answered(const struct error *error, const struct preflight *preflight,
                               void *arg)
{
	struct client *client = arg;
	struct check_question *question = client_state(client);

	if (no_answer(client, error))
		return;
	question->has_preflight = true;
	question->preflight = *preflight;
	snprintf(question->latest_reason, MAX_REASON, "%s", preflight->latest.reason);
	snprintf(question->final_reason, MAX_REASON, "%s", preflight->final.reason);
	question->preflight.latest.reason = question->latest_reason;
	question->preflight.final.reason = question->final_reason;
	const struct config_target *target =
	        config_target_find(client_parts(client)->config, question->target);
	if (target == NULL)
		client_fail(client, EXIT_USAGE, "target %s left the configuration",
		            question->target);
	else
		ask_registry(client, target);
}

/* A value that is recorded only as one of a KMS's own is asked about as such. */
static bool is_of_kms(const struct check_question *question)
{
	for (size_t i = 0; i < question->kind_count; i++)
		if (question->kinds[i] != KIND_KMS_MR && question->kinds[i] != KIND_KMS_DEVICE)
			return false;
	return question->kind_count > 0;
}

/* Whether the file speaks of the value and the target at all. */
static bool is_about(struct client *client, const struct boot_info *info, enum boot_role role,
                     const struct config_target *target, const struct hash32 *value)
{
	char ours[ADDRESS_TEXT_SIZE], stated[ADDRESS_TEXT_SIZE];

	if (!hash32_equal(value, &info->compose_hash) &&
	    !hash32_equal(value, &info->os_image_hash) &&
	    !hash32_equal(value, &info->mr_aggregated) && !hash32_equal(value, &info->device_id))
		client_fail(client, EXIT_USAGE,
		            "boot information: none of composeHash, osImageHash, mrAggregated and "
		            "deviceId is the value");
	else if (role == BOOT_ROLE_APP && target->has_app &&
	         !address_equal(&info->app_id, &target->app))
		client_fail(client, EXIT_USAGE,
		            "boot information: appId is %s, the app of target %s is %s",
		            address_text(stated, &info->app_id), target->name,
		            address_text(ours, &target->app));
	else
		return true;
	return false;
}

static void ask_kms(struct client *client, const struct jval *args,
                    const struct config_target *target)
{
	const struct check_question *question = client_state(client);
	bool as_kms = jval_is_true(jval_get(args, "kms")) || is_of_kms(question);
	enum boot_role role = as_kms ? BOOT_ROLE_KMS : BOOT_ROLE_APP;
	struct arena arena = {0};
	struct boot_info info;
	struct error error = {0};

	if (boot_info_read(&info, &arena, jval_get(args, "boot_info"), &error) != 0)
		client_fail(client, EXIT_USAGE, "boot information: %s", error.text);
	else if (is_about(client, &info, role, target, &question->value))
		client_set_op(client, govern_preflight(client_parts(client)->govern, target, role,
		                                       &info, preflight_answered, client));
	arena_free(&arena);
}

void command_check(struct client *client, const struct jval *args)
{
	struct measurement_list found;
	struct arena arena = {0};
	struct hash32 value;

	if (!client_get_value(client, args, &value))
		return;
	const struct config_target *target = client_get_target(client, args, false);
	if (target == NULL)
		return;
	struct check_question *question = xcalloc(1, sizeof(*question));
	question->value = value;
	snprintf(question->target, sizeof(question->target), "%s", target->name);
	store_measurement_list(
	        client_parts(client)->store, &arena,
	        &(struct measurement_filter){.target = target->name, .value = &value}, &found);
	for (size_t i = 0; i < found.count && i < MAX_KINDS; i++)
		question->kinds[question->kind_count++] = found.items[i].kind;
	arena_free(&arena);
	client_keep(client, NULL, question);
	if (jval_get(args, "boot_info") != NULL)
		ask_kms(client, args, target);
	else
		ask_registry(client, target);
}
