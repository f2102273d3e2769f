/* What no single option can tell: the checks that span several of them. */
#include "common/base/netaddr.h"
#include "common/config/options.h"
#include "common/measure/sigstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int place_fail(const struct place *place, const char *option, const char *fmt, ...)
{
	const struct tree_node *node = tree_get(place->node, option);
	unsigned line = node != NULL ? node->line : place->node != NULL ? place->node->line : 1;
	char what[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return error_set(place->error, ERR_INVALID, "%s:%u: %s%s%s: %s", place->file, line,
	                 place->path, place->path[0] != '\0' ? "." : "", option, what);
}

static int check_rpc(const struct place *place, const struct config_chain *chain)
{
	for (size_t i = 0; i < chain->rpc.count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(chain->rpc.items[i], chain->rpc.items[j]) == 0)
				return place_fail(place, "rpc",
				                  "the same endpoint stands twice: %s",
				                  chain->rpc.items[i]);
	return 0;
}

int check_chain(const struct place *place, void *base)
{
	struct config_chain *chain = base;
	int rc = check_rpc(place, chain);

	if (rc != 0)
		return rc;
	if (chain->quorum == 0)
		chain->quorum = (unsigned)chain->rpc.count / 2 + 1;
	if (chain->quorum > chain->rpc.count)
		return place_fail(
		        place, "quorum",
		        "%u answers must agree, but rpc has %zu endpoints; expected 1 to %zu",
		        chain->quorum, chain->rpc.count, chain->rpc.count);
	for (const struct config_chain *other = place->config->chains; other < chain; other++)
		if (other->chain_id == chain->chain_id)
			return place_fail(place, "chain_id",
			                  "chains.%s has the same id; expected one entry per chain",
			                  other->name);
	return 0;
}

/* Tokens and builds cross no network in the clear. */
int check_http(const struct place *place, void *base)
{
	const struct config_http *http = &((struct config *)base)->http;
	struct netaddr addr;
	struct error error;

	if (http->listen == NULL)
		return 0;
	if ((http->tls_cert_file == NULL) != (http->tls_key_file == NULL))
		return place_fail(place,
		                  http->tls_cert_file == NULL ? "tls_key_file" : "tls_cert_file",
		                  "is of no use alone; TLS needs tls_cert_file and tls_key_file");
	if (netaddr_parse(&addr, http->listen, &error) != 0)
		die("http.listen was read, but cannot be read again");
	if (http->tls_cert_file == NULL && !netaddr_is_loopback(&addr))
		return place_fail(place, "listen",
		                  "%s is not an address of this machine alone; expected 127.0.0.1 "
		                  "or [::1], or TLS (tls_cert_file and tls_key_file)",
		                  http->listen);
	if (http->quota_mib < http->max_file_mib)
		return place_fail(place, "quota_mib",
		                  "%llu is less than max_file_mib, which is %llu",
		                  (unsigned long long)http->quota_mib,
		                  (unsigned long long)http->max_file_mib);
	return 0;
}

static int check_delay(const struct place *place, const struct config_target *target)
{
	const struct config_named *named = &target->named;

	if (target->model != MODEL_DELAY)
		return named->has_delay ? place_fail(place, "delay", "is of no use with model %s",
		                                     model_name(target->model))
		                        : 0;
	if (named->has_timelock)
		return place_fail(place, "timelock", "is of no use with model delay");
	if (!named->has_delay)
		return place_fail(
		        place, "delay",
		        "missing; model delay needs the module's address and its enqueuer");
	return 0;
}

static int check_model(const struct place *place, const struct config_target *target)
{
	if (lifecycle_has_safe(target->model) && !target->named.has_safe)
		return place_fail(place, "safe", "missing; model %s needs the address of the Safe",
		                  model_name(target->model));
	if (lifecycle_has_timelock(target->model) && target->model != MODEL_DELAY &&
	    !target->named.has_timelock)
		return place_fail(place, "timelock",
		                  "missing; model %s needs the address of the timelock",
		                  model_name(target->model));
	return check_delay(place, target);
}

/* What stands in for Safe and timelock, so that the rest need not ask which model it is. */
static void take_named(struct config_target *target)
{
	const struct config_named *named = &target->named;
	bool delay = target->model == MODEL_DELAY;

	target->safe = delay ? named->enqueuer : named->safe;
	target->has_safe = delay ? named->has_enqueuer : named->has_safe;
	target->timelock = delay ? named->delay : named->timelock;
	target->has_timelock = delay ? named->has_delay : named->has_timelock;
	if (delay)
		target->avatar = named->safe;
}

/* "delay.enqueuer" stands in the section delay. */
static int same_address(const struct place *place, const char *option, const char *other)
{
	const char *dot = strchr(option, '.');
	char section[32], path[256];
	struct place inside = *place;

	if (dot == NULL)
		return place_fail(place, option, "is the same address as %s", other);
	snprintf(section, sizeof(section), "%.*s", (int)(dot - option), option);
	snprintf(path, sizeof(path), "%s.%s", place->path, section);
	inside.path = path;
	inside.node = tree_get(place->node, section);
	return place_fail(&inside, dot + 1, "is the same address as %s", other);
}

static int check_addresses(const struct place *place, const struct config_target *target)
{
	const struct {
		const char *option;
		const struct address *address;
		bool there;
	} roles[] = {
	        {"kms", &target->kms, true},
	        {"app", &target->app, target->has_app},
	        {"safe", &target->named.safe, target->named.has_safe},
	        {"timelock", &target->named.timelock, target->named.has_timelock},
	        {"delay.address", &target->named.delay, target->named.has_delay},
	        {"delay.enqueuer", &target->named.enqueuer, target->named.has_enqueuer},
	};

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		for (size_t j = 0; j < i; j++)
			if (roles[i].there && roles[j].there &&
			    address_equal(roles[i].address, roles[j].address))
				return same_address(place, roles[i].option, roles[j].option);
	return 0;
}

/* The scheduler's key is the power to schedule anything: it stands alone. */
static int check_scheduler(const struct place *place, const struct config_target *target)
{
	const struct config_key *scheduler = &target->scheduler;

	if (scheduler->password_file != NULL && scheduler->file == NULL)
		return place_fail(place, "scheduler_key_password_file",
		                  "is of no use without scheduler_key_file");
	if (scheduler->file == NULL)
		return 0;
	if (target->model != MODEL_TIMELOCK)
		return place_fail(place, "scheduler_key_file",
		                  "is of no use with model %s; expected model timelock",
		                  model_name(target->model));
	if (target->executor.file != NULL && strcmp(scheduler->file, target->executor.file) == 0)
		return place_fail(place, "scheduler_key_file",
		                  "is the same file as executor_key_file; expected another key");
	return 0;
}

/* What was not said is what the model can do. */
static int check_execute(const struct place *place, struct config_target *target)
{
	bool said = tree_get(place->node, "execute") != NULL;

	if (!lifecycle_has_timelock(target->model) || lifecycle_has_safe(target->model))
		return 0;
	if (said && target->execute == EXECUTE_SAFE)
		return place_fail(place, "execute",
		                  "safe needs a Safe, which model %s has not; expected direct or "
		                  "manual",
		                  model_name(target->model));
	if (!said)
		target->execute = target->executor.file != NULL ? EXECUTE_DIRECT : EXECUTE_MANUAL;
	return 0;
}

static int check_keys(const struct place *place, const struct config_target *target)
{
	if (target->proposer.password_file != NULL && target->proposer.file == NULL)
		return place_fail(place, "proposer_key_password_file",
		                  "is of no use without proposer_key_file");
	if (target->executor.password_file != NULL && target->executor.file == NULL)
		return place_fail(place, "executor_key_password_file",
		                  "is of no use without executor_key_file");
	if (target->execute == EXECUTE_DIRECT && target->executor.file == NULL)
		return place_fail(place, "execute", "direct needs executor_key_file");
	return 0;
}

static int check_service(const struct place *place, const struct config_target *target)
{
	const struct config_service *service = &target->service;
	const struct tree_node *node = tree_get(place->node, "service");
	char path[256];
	snprintf(path, sizeof(path), "%s.service", place->path);
	struct place inside = *place;
	inside.path = path;
	if (node != NULL)
		inside.node = node;

	if (service->kind != SERVICE_NONE && service->url == NULL)
		return place_fail(&inside, "url", "missing; kind %s needs the service's address",
		                  proposal_api_of(service->kind)->name);
	if (service->kind == SERVICE_NONE && service->url != NULL)
		return place_fail(&inside, "url",
		                  "is of no use with kind none; expected kind tx-service or queue");
	if (service->kind == SERVICE_NONE && service->api_key_file != NULL)
		return place_fail(&inside, "api_key_file",
		                  "is of no use with kind none; expected kind tx-service or queue");
	return 0;
}

/* Defaults stand here: in the table they would make a signature required everywhere. */
int check_sigstore(const struct place *place, void *base)
{
	struct signing *signing = &((struct config_target *)base)->signing;
	struct error error;

	if (place->node == NULL)
		return 0;
	if (sigstore_workflow_check(signing->workflow, &error) != 0)
		return place_fail(place, "workflow", "%s", error.text);
	signing->kind = SIGNING_SIGSTORE;
	if (signing->issuer == NULL)
		signing->issuer = SIGSTORE_GITHUB;
	if (signing->predicate_type == NULL)
		signing->predicate_type = SIGSTORE_MEASUREMENTS_TYPE;
	return 0;
}

int check_signing(const struct place *place, void *base)
{
	struct signing *signing = &((struct config_target *)base)->signing;

	if (place->node == NULL)
		return 0;
	if (signing->kind != SIGNING_NONE && signing->keys.count > 0)
		return place_fail(place, "ed25519", "stands beside sigstore; expected one of them");
	if (signing->keys.count > 0)
		signing->kind = SIGNING_ED25519;
	if (signing->kind == SIGNING_NONE)
		return place_fail(place, "sigstore", "missing; expected sigstore or ed25519");
	signing_seal(signing);
	return 0;
}

int check_target(const struct place *place, void *base)
{
	struct config_target *target = base;
	int rc = check_model(place, target);

	take_named(target);

	if (rc == 0)
		rc = check_addresses(place, target);
	if (rc == 0)
		rc = check_execute(place, target);
	if (rc == 0)
		rc = check_service(place, target);
	if (rc == 0)
		rc = check_keys(place, target);
	if (rc == 0)
		rc = check_scheduler(place, target);
	if (rc == 0 && target->token_file != NULL && place->config->http.listen == NULL)
		rc = place_fail(place, "token_file", "is of no use without http.listen");
	return rc;
}

static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/' || folder[len - 1] == '/');
}

int check_watch(const struct place *place, void *base)
{
	const struct config_watch *watch = base;
	const char *state_dir = place->config->state_dir;

	if (lies_in(watch->path, state_dir) || lies_in(state_dir, watch->path))
		return place_fail(place, "path",
		                  "overlaps state_dir (%s), where the daemon itself writes",
		                  state_dir);
	for (const struct config_watch *other = place->config->watches; other < watch; other++)
		if (strcmp(other->path, watch->path) == 0 && other->target == watch->target)
			return place_fail(place, "path", "is watched for the same target twice");
	return 0;
}

/* --- endpoints ------------------------------------------------------------------------------ */

/* What a URL asks for, by its rest from the path on. */
enum asked { ASKED_NOTHING, ASKED_INFO, ASKED_KMS };

static enum asked what_is_asked(const char *path)
{
	static const struct {
		const char *name;
		enum asked asked;
	} names[] = {
	        {"/prpc/Info", ASKED_INFO},
	        {"/prpc/Worker.Info", ASKED_INFO},
	        {"/prpc/Onboard.GetAttestationInfo", ASKED_KMS},
	};
	static const char *const queries[] = {"", "?json", "?json=true", "?json=1"};
	size_t len = strcspn(path, "?");
	enum asked asked = ASKED_NOTHING;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t tail = strlen(names[i].name);
		if (len >= tail && strncmp(path + len - tail, names[i].name, tail) == 0)
			asked = names[i].asked;
	}
	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		if (strcmp(path + len, queries[i]) == 0)
			return asked;
	return ASKED_NOTHING;
}

/* What nobody between two machines can change: https, and what stays on this one. */
static bool is_safe_way(const char *url, const char *host, size_t len)
{
	static const char *const here[] = {"localhost", "127.0.0.1", "[::1]"};

	if (strncmp(url, "https://", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(here); i++) {
		size_t name = strlen(here[i]);
		if (len >= name && strncasecmp(host, here[i], name) == 0 &&
		    (len == name || host[name] == ':'))
			return true;
	}
	return false;
}

int check_endpoint(const struct place *place, void *base)
{
	struct config_endpoint *endpoint = base;
	const char *host = strstr(endpoint->url, "://") + 3;
	size_t len = strcspn(host, "/?");
	enum asked asked = what_is_asked(host + len);

	if (asked == ASKED_NOTHING)
		return place_fail(
		        place, "url",
		        "found \"%s\"; expected a path that ends in /prpc/Info, "
		        "/prpc/Worker.Info or (of a KMS) /prpc/Onboard.GetAttestationInfo, "
		        "and then nothing or ?json",
		        endpoint->url);
	endpoint->is_kms = asked == ASKED_KMS;
	if (!endpoint->is_kms && !endpoint->target->has_app)
		return place_fail(place, "target",
		                  "%s has no app, which the endpoint's app_id must be",
		                  endpoint->target->name);
	if (endpoint->ca_file != NULL && strncmp(endpoint->url, "https://", 8) != 0)
		return place_fail(place, "ca_file", "is of no use without https");
	if (endpoint->propose_auto && !is_safe_way(endpoint->url, host, len))
		return place_fail(place, "propose",
		                  "auto needs https, or an address of this machine");
	return 0;
}

static int by_url(const void *a, const void *b)
{
	const struct config_endpoint *x = *(const struct config_endpoint *const *)a;
	const struct config_endpoint *y = *(const struct config_endpoint *const *)b;

	return strcmp(x->url, y->url);
}

/* Thousands of them: sorted, not compared each with each. */
int check_config(const struct place *place, void *base)
{
	const struct config *config = base;
	size_t count = config->endpoint_count;
	const struct config_endpoint **sorted = xcalloc(count + 1, sizeof(*sorted));
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &config->endpoints[i];
	qsort(sorted, count, sizeof(*sorted), by_url);
	for (size_t i = 1; i < count && rc == 0; i++)
		if (strcmp(sorted[i - 1]->url, sorted[i]->url) == 0)
			rc = place_fail(place, "endpoints",
			                "%s stands twice; one endpoint belongs to one target",
			                sorted[i]->url);
	free(sorted);
	return rc;
}
