#include "daemon/govern/service.h"

#include "daemon/govern/budget.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 20000, MAX_ANSWER = 8 * 1024 * 1024, MAX_KEY = 4096 };

enum { AGE_DIVISOR = 5, MAX_INTERVAL_MS = 2 * 3600 * 1000 };

struct service {
	const struct proposal_api *api;
	struct http *http;
	char *url;
	char *api_key;         /* or NULL */
	struct budget *budget; /* not owned; or NULL */
	struct loop *loop;     /* NULL: never refuses */
	int64_t ahead_ms;      /* its clock, of ours */
};

struct service_call {
	struct service *service;
	struct http_call *http;     /* NULL: refused */
	struct loop_timer *refusal; /* tells so */
	struct wall refused_at;
	uint64_t limit;
	service_fn *done;
	void *arg;
};

static int read_api_key(char **out, const char *path, struct error *error)
{
	char text[MAX_KEY];
	ssize_t len = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*out = NULL;
	if (fd >= 0) {
		len = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (len < 0)
		return error_set_errno(error, "api_key_file %s", path);
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] == '\0')
		return error_set(error, ERR_INVALID,
		                 "api_key_file %s: empty; expected the key on one line", path);
	*out = xstrdup(text);
	bytes_wipe(text, sizeof(text));
	return 0;
}

int service_new(struct service **out, struct http *http, const struct config_service *config,
                struct error *error)
{
	char *key = NULL;

	*out = NULL;
	if (config->api_key_file != NULL && read_api_key(&key, config->api_key_file, error) != 0)
		return error->code;
	struct service *service = xcalloc(1, sizeof(*service));
	service->api = proposal_api_of(config->kind);
	service->http = http;
	service->url = xstrdup(config->url);
	service->api_key = key;
	*out = service;
	return 0;
}

void service_free(struct service *service)
{
	if (service == NULL)
		return;
	if (service->api_key != NULL)
		bytes_wipe(service->api_key, strlen(service->api_key));
	free(service->api_key);
	free(service->url);
	free(service);
}

const struct proposal_api *service_api(const struct service *service)
{
	return service->api;
}

void service_cancel(struct service_call *call)
{
	if (call == NULL)
		return;
	http_cancel(call->http);
	loop_timer_free(call->refusal);
	free(call);
}

struct wall service_now(const struct service *service)
{
	return (struct wall){clock_wall().ms + service->ahead_ms};
}

void service_set_budget(struct service *service, struct budget *budget, struct loop *loop)
{
	service->budget = budget;
	service->loop = loop;
}

/* --- over the budget ---------------------------------------------------------------------------
 */

static void refused(void *arg)
{
	struct service_call call = *(struct service_call *)arg;
	struct service_result result = {.retry_after_ms = budget_wait_ms(call.refused_at)};

	loop_timer_free(call.refusal);
	free(arg);
	error_set(&result.error, ERR_UNAVAILABLE,
	          "the budget of %llu requests to the Safe service is used up for today",
	          (unsigned long long)call.limit);
	call.done(&result, call.arg);
}

static struct service_call *refuse(struct service *service, struct service_call *call,
                                   struct wall now)
{
	call->refused_at = now;
	call->limit = service->budget->limit;
	call->refusal = loop_timer_new(service->loop, refused, call);
	loop_timer_set(call->refusal, 0);
	return call;
}

/* --- requests ----------------------------------------------------------------------------------
 */

static void judge(struct service_result *result, const struct http_answer *answer)
{
	struct buf text = {0};

	if (answer->status >= 200 && answer->status < 300)
		return;
	if (answer->status == 0) {
		error_set(&result->error, ERR_UNAVAILABLE, "%s", answer->error);
		return;
	}
	proposal_error(&text, answer->status, answer->body);
	enum err code = answer->status == 404                            ? ERR_NOT_FOUND
	                : answer->status == 429 || answer->status >= 500 ? ERR_UNAVAILABLE
	                                                                 : ERR_DENIED;
	error_set(&result->error, code, "%s", buf_text(&text));
	buf_free(&text);
}

static void answered(const struct http_answer *answer, void *arg)
{
	struct service_call call = *(struct service_call *)arg;
	struct service_result result = {.retry_after_ms = answer->retry_after_ms,
	                                .body = answer->body};

	free(arg);
	if (answer->date_seconds > 0)
		call.service->ahead_ms = answer->date_seconds * 1000 - clock_wall().ms;
	judge(&result, answer);
	call.done(&result, call.arg);
}

static struct service_call *start(struct service *service, const char *method, const char *path,
                                  struct bytes body, struct service_call *call)
{
	struct wall now = clock_wall();

	if (service->budget != NULL && service->loop == NULL)
		budget_spend(service->budget, now);
	else if (service->budget != NULL && !budget_take(service->budget, now))
		return refuse(service, call, now);
	char *url = xasprintf("%s%s", service->url, path);
	struct http_request request = {
	        .method = method,
	        .url = url,
	        .body = body,
	        .bearer = service->api_key,
	        .once = body.len > 0,
	        .timeout_ms = TIMEOUT_MS,
	        .max_answer = MAX_ANSWER,
	};
	call->service = service;
	call->http = http_send(service->http, &request, answered, call);
	free(url);
	return call;
}

static struct service_call *new_call(service_fn *done, void *arg)
{
	struct service_call *call = xcalloc(1, sizeof(*call));

	call->done = done;
	call->arg = arg;
	return call;
}

struct service_call *service_send(struct service *service, const char *path, struct bytes body,
                                  service_fn *done, void *arg)
{
	return start(service, body.len > 0 ? "POST" : "GET", path, body, new_call(done, arg));
}

struct service_call *service_delete(struct service *service, const char *path, struct bytes body,
                                    service_fn *done, void *arg)
{
	return start(service, "DELETE", path, body, new_call(done, arg));
}

int64_t service_interval_ms(int64_t poll_ms, int64_t age_ms)
{
	int64_t by_age = age_ms / AGE_DIVISOR;

	if (by_age > MAX_INTERVAL_MS)
		by_age = MAX_INTERVAL_MS;
	return by_age > poll_ms ? by_age : poll_ms;
}
