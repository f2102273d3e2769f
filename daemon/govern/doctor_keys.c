/* The Safe's service, and the proposer key: the last questions about a target. */
#include "common/governance/tx_service.h"
#include "daemon/govern/doctor.h"
#include "daemon/govern/service_use.h"

#include <string.h>

/* --- the proposer key -------------------------------------------------------------------------
 */

static void judge_delegate(struct target_exam *target, const struct proposal_delegate *found,
                           const char *expired)
{
	struct exam *exam = &target->exam;
	struct row row = {"proposer key", FINDING_OK, ""};
	char key[ADDRESS_TEXT_SIZE], by[ADDRESS_TEXT_SIZE];

	address_text(key, &target->proposer);
	if (found != NULL) {
		exam_row(exam, row, "%s is a delegate of the owner %s", key,
		         address_text(by, &found->delegator));
		return;
	}
	row.result = FINDING_FAILURE;
	row.fix = arena_printf(
	        &exam->arena,
	        "Let an owner of the Safe add %s as a delegate (in the Safe app: a proposer).",
	        key);
	if (expired != NULL)
		exam_row(exam, row, "%s was a delegate until %s", key, expired);
	else
		exam_row(exam, row,
		         "%s is no delegate of an owner: the service refuses what it proposes",
		         key);
}

static bool counts(const struct target_exam *target, const struct proposal_delegate *delegate)
{
	return address_equal(&delegate->delegate, &target->proposer) &&
	       (delegate->every_safe || address_equal(&delegate->safe, &target->target->safe)) &&
	       safe_view_is_owner(&target->safe, &delegate->delegator);
}

static void look_through(struct target_exam *target, const struct proposal_delegate *items,
                         size_t count)
{
	const struct proposal_delegate *found = NULL;
	const char *expired = NULL;
	char now[WALL_TEXT_SIZE];

	wall_text(now, clock_wall());
	for (size_t i = 0; i < count && found == NULL; i++) {
		if (!counts(target, &items[i]))
			continue;
		/* Both are RFC 3339 in UTC, which sorts as text down to the second. */
		if (items[i].expires != NULL && strncmp(items[i].expires, now, 19) < 0)
			expired = items[i].expires;
		else
			found = &items[i];
	}
	judge_delegate(target, found, expired);
}

static void delegates_answered(const struct service_result *result, void *arg)
{
	struct target_exam *target = arg;
	struct exam *exam = &target->exam;
	struct proposal_delegate *items;
	struct error error = result->error;
	size_t count;

	exam->call = NULL;
	if (error.code == 0 &&
	    proposal_parse_delegates(&exam->arena, &items, &count, result->body, &error) == 0)
		look_through(target, items, count);
	else
		exam_row(exam,
		         (struct row){"proposer key", FINDING_UNKNOWN,
		                      "Ask again; when it stays so, look at the service."},
		         "whose delegate it is cannot be read: %s", error.text);
	exam_end(exam);
}

/* True when the key is an owner, which needs no further question. */
static bool judge_owner_key(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	const struct safe_view *safe = &target->safe;
	struct row row = {"proposer key", FINDING_FAILURE, ""};
	char key[ADDRESS_TEXT_SIZE];

	if (!safe_view_is_owner(safe, &target->proposer))
		return false;
	address_text(key, &target->proposer);
	if (safe->threshold == 1) {
		row.fix = "Use a delegate's key: an owner's signature alone would execute.";
		exam_row(exam, row, "%s is an owner of a Safe with threshold 1", key);
	} else if (!target->target->proposer_may_confirm) {
		row.fix = "Use a delegate's key, or set `proposer_may_confirm: yes`: an owner's "
		          "signature is "
		          "a confirmation.";
		exam_row(exam, row, "%s is an owner of the Safe", key);
	} else {
		row.result = FINDING_WARNING;
		row.fix =
		        "A delegate's key would do, and would leave every confirmation to people.";
		exam_row(exam, row, "%s is an owner, and `proposer_may_confirm` lets it confirm",
		         key);
	}
	return true;
}

/* Rows that need no service. True when it has to be asked whose delegate the key is. */
static bool judge_proposer(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	const struct config_target *config = target->target;
	struct row row = {"proposer key", FINDING_OK, ""};
	char key[ADDRESS_TEXT_SIZE];

	if (config->proposer.file == NULL) {
		exam_row(exam, row, "none: drafts are files for the Safe app");
	} else if (!target->has_proposer) {
		row.result = FINDING_FAILURE;
		row.fix = "Look at the journal for what the signer says about the key file.";
		exam_row(exam, row, "the signer has not told its address");
	} else if (!target->have_safe) {
		row.result = FINDING_UNKNOWN;
		row.fix = "Repair the chain or the Safe's address first: other rows say what is "
		          "wrong.";
		exam_row(exam, row, "%s; the Safe's owners are not known",
		         address_text(key, &target->proposer));
	} else if (judge_owner_key(target)) {
		return false;
	} else if (config->service.kind == SERVICE_NONE) {
		row.result = FINDING_WARNING;
		row.fix = "Configure the Safe's service, or take `proposer_key_file` away.";
		exam_row(exam, row, "%s has no service to propose to",
		         address_text(key, &target->proposer));
	} else {
		return true;
	}
	return false;
}

static struct proposal_place place_of(const struct target_exam *target)
{
	return (struct proposal_place){target->target->chain->chain_id, target->target->safe};
}

static void ask_delegates(struct target_exam *target)
{
	const struct proposal_place place = place_of(target);
	struct exam *exam = &target->exam;
	struct buf path = {0};

	if (!judge_proposer(target)) {
		exam_end(exam);
		return;
	}
	if (target->service == NULL) {
		exam_row(exam,
		         (struct row){"proposer key", FINDING_UNKNOWN,
		                      "Repair the service first: its row says what is wrong."},
		         "whose delegate it is cannot be asked");
		exam_end(exam);
		return;
	}
	service_api(target->service)->path_delegations(&path, &place, &target->proposer);
	exam->asking = "proposer key";
	exam->call = service_send(target->service, buf_text(&path), bytes_of(NULL, 0),
	                          delegates_answered, target);
	buf_free(&path);
}

/* --- the service ------------------------------------------------------------------------------
 */

static bool same_owners(const struct safe_view *chain, const struct tx_service_safe *service)
{
	if (chain->owner_count != service->owner_count)
		return false;
	for (size_t i = 0; i < service->owner_count; i++)
		if (!safe_view_is_owner(chain, &service->owners[i]))
			return false;
	return true;
}

static void judge_service(struct target_exam *target, const struct tx_service_safe *service)
{
	struct exam *exam = &target->exam;
	struct row row = {"Safe's service", FINDING_OK, ""};
	const char *url = target->target->service.url;
	char name[HTTP_URL_LOG_SIZE];

	http_url_for_log(name, url);
	if (!target->have_safe)
		exam_row(exam, row, "%s answers", name);
	else if (service->threshold == target->safe.threshold &&
	         same_owners(&target->safe, service))
		exam_row(exam, row, "%s answers, with the chain's owners and threshold", name);
	else {
		row.result = FINDING_FAILURE;
		row.fix = "Set `service.url` to the service of this chain; when it is, its index "
		          "is behind: "
		          "ask again later.";
		exam_row(exam, row, "%s knows threshold %u of %zu owners, the chain %u of %zu",
		         name, service->threshold, service->owner_count, target->safe.threshold,
		         target->safe.owner_count);
	}
}

/* A service that knows nothing of Safes can only be seen to answer about the Safe's queue. */
static bool judge_answer(struct target_exam *target, struct bytes body, struct error *error)
{
	const struct proposal_api *api = service_api(target->service);
	const struct proposal_place place = place_of(target);
	struct arena *arena = &target->exam.arena;
	char name[HTTP_URL_LOG_SIZE];
	struct tx_service_safe safe;
	struct proposal_page page;

	if (api->path_safe != NULL) {
		if (tx_service_parse_safe(arena, &safe, body, error) != 0)
			return false;
		judge_service(target, &safe);
		return true;
	}
	if (api->parse_page(arena, &page, &place, body, error) != 0)
		return false;
	http_url_for_log(name, target->target->service.url);
	exam_row(&target->exam, (struct row){"Safe's service", FINDING_OK, ""},
	         "%s answers: %zu%s in the Safe's queue", name, page.count, page.more ? "+" : "");
	return true;
}

static void service_answered(const struct service_result *result, void *arg)
{
	struct target_exam *target = arg;
	struct exam *exam = &target->exam;
	struct row row = {"Safe's service", FINDING_FAILURE, ""};
	struct error error = result->error;

	exam->call = NULL;
	if (error.code == 0 && judge_answer(target, result->body, &error)) {
		ask_delegates(target);
		return;
	}
	if (error.code == ERR_NOT_FOUND)
		row.fix = "Set `service.url` to the service of the Safe's chain: this one does not "
		          "know the "
		          "Safe.";
	else if (error.code == ERR_UNAVAILABLE)
		row.fix = "Wait for the service, or set `service.url` right: until it answers, "
		          "drafts are "
		          "not proposed.";
	else
		row.fix = "Look at `service.url` and `service.api_key_file`.";
	exam_row(exam, row, "service: %s", error.text);
	service_free(target->service);
	target->service = NULL;
	ask_delegates(target);
}

void keys_start(struct target_exam *target)
{
	struct exam *exam = &target->exam;
	const struct config_service *config = &target->target->service;
	const struct proposal_place place = place_of(target);
	struct buf path = {0};
	struct error error;

	if (config->kind == SERVICE_NONE) {
		exam_row(exam, (struct row){"Safe's service", FINDING_OK, ""},
		         "none: the chain alone is followed");
		ask_delegates(target);
		return;
	}
	if (service_new(&target->service, target->parts->http, config, &error) != 0) {
		exam_row(exam,
		         (struct row){"Safe's service", FINDING_FAILURE,
		                      "Put the API key where `service.api_key_file` says, readable "
		                      "for the daemon."},
		         "%s", error.text);
		ask_delegates(target);
		return;
	}
	/* A person asked: counted, but never refused. */
	service_set_budget(target->service, service_use_of(exam->lane, target->target), NULL);
	const struct proposal_api *api = service_api(target->service);
	if (api->path_safe != NULL)
		api->path_safe(&path, &place);
	else
		api->path_pending(&path, &place, 0, 0);
	exam->asking = "Safe's service";
	exam->call = service_send(target->service, buf_text(&path), bytes_of(NULL, 0),
	                          service_answered, target);
	buf_free(&path);
}
