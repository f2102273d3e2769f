#include "daemon/io/http.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEFAULT_TIMEOUT_MS = 30000,
	CONNECT_TIMEOUT_MS = 10000,
	CONNECTIONS_KEPT = 16,
	CONNECTIONS_PER_HOST = 8,
	LONGEST_RETRY_AFTER_S = 24 * 3600,
	LONGEST_SHOWN_SEGMENT = 12, /* some providers put the key into the first path segment */
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *curl_timer;  /* when curl wants to be called */
	struct loop_timer *later_timer; /* delivers calls that failed before they started */
	struct http_call *active, *finished;
	struct http_call **finished_end;
	uint64_t requests_made;
	bool delivering, freed;
};

enum call_state { CALL_ACTIVE, CALL_FINISHED };

struct http_call {
	struct http *http;
	struct http_call *next;
	struct http_call **link; /* what points at us: active or finished list */
	enum call_state state;
	CURL *easy;
	struct curl_slist *headers;
	struct buf request_body, body;
	size_t max_answer;
	bool too_large;
	void (*done)(const struct http_answer *answer, void *arg);
	void *arg;
	struct http_answer answer;
	char *where; /* the URL as logs may show it */
	char curl_error[CURL_ERROR_SIZE];
	char error[CURL_ERROR_SIZE + HTTP_URL_LOG_SIZE + 64];
};

char *http_url_for_log(char out[HTTP_URL_LOG_SIZE], const char *url)
{
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end != NULL ? scheme_end + 3 : url;
	const char *host_end = host + strcspn(host, "/?#");

	for (const char *p = host_end; p > host; p--)
		if (p[-1] == '@') {
			host = p;
			break;
		}
	const char *segment = *host_end == '/' ? host_end + 1 : host_end;
	size_t len = strcspn(segment, "/?#");
	if (len > LONGEST_SHOWN_SEGMENT || memchr(segment, '@', len) != NULL)
		len = 0;
	bool cut = segment[len] != '\0' && strcmp(segment + len, "/") != 0;
	int scheme_len = scheme_end != NULL ? (int)(scheme_end + 3 - url) : 0;
	snprintf(out, HTTP_URL_LOG_SIZE, "%.*s%.*s%s%.*s%s", scheme_len > 16 ? 0 : scheme_len, url,
	         (int)(host_end - host), host, len > 0 ? "/" : "", (int)len, segment,
	         cut ? "/..." : "");
	return out;
}

/* --- lists -------------------------------------------------------------------------------------
 */

static void unlink_call(struct http_call *call)
{
	if (call->state == CALL_FINISHED && call->http->finished_end == &call->next)
		call->http->finished_end = call->link;
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	call->next = NULL;
	call->link = NULL;
}

static void link_active(struct http_call *call)
{
	struct http *http = call->http;

	call->state = CALL_ACTIVE;
	call->next = http->active;
	if (call->next != NULL)
		call->next->link = &call->next;
	call->link = &http->active;
	http->active = call;
}

static void link_finished(struct http_call *call)
{
	struct http *http = call->http;

	call->state = CALL_FINISHED;
	call->link = http->finished_end;
	*http->finished_end = call;
	http->finished_end = &call->next;
}

static void call_free(struct http_call *call)
{
	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	for (struct curl_slist *item = call->headers; item != NULL; item = item->next)
		bytes_wipe(item->data, strlen(item->data)); /* the bearer token stands in one */
	curl_slist_free_all(call->headers);
	buf_free(&call->request_body);
	buf_free(&call->body);
	free(call->where);
	free(call);
}

/* --- what came back ----------------------------------------------------------------------------
 */

static const char *header(CURL *easy, const char *name)
{
	struct curl_header *found;

	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return NULL;
	return found->value;
}

static int64_t header_date(CURL *easy, const char *name)
{
	const char *text = header(easy, name);
	time_t at = text != NULL ? curl_getdate(text, NULL) : -1;

	return at > 0 ? (int64_t)at : 0;
}

/* Seconds, or a date that is compared with the server's own clock where it tells it. */
static int64_t retry_after_ms(CURL *easy, int64_t server_now)
{
	const char *text = header(easy, "Retry-After");
	int64_t seconds;

	if (text == NULL)
		return -1;
	if (text[0] >= '0' && text[0] <= '9' && text[strspn(text, "0123456789")] == '\0') {
		seconds = strlen(text) > 9 ? LONGEST_RETRY_AFTER_S : strtol(text, NULL, 10);
	} else {
		int64_t at = header_date(easy, "Retry-After");
		if (at == 0)
			return -1;
		seconds = at - (server_now > 0 ? server_now : clock_wall().ms / 1000);
	}
	if (seconds < 0)
		seconds = 0;
	return (seconds < LONGEST_RETRY_AFTER_S ? seconds : LONGEST_RETRY_AFTER_S) * 1000;
}

static void call_failed(struct http_call *call, const char *why)
{
	call->answer = (struct http_answer){.retry_after_ms = -1};
	snprintf(call->error, sizeof(call->error), "%s: %s", call->where, why);
	call->answer.error = call->error;
}

static void call_ended(struct http_call *call, CURLcode result)
{
	struct http_answer *answer = &call->answer;
	char text[64];
	long status = 0;

	if (call->too_large || result == CURLE_FILESIZE_EXCEEDED) {
		snprintf(text, sizeof(text), "answer larger than %zu bytes", call->max_answer);
		call_failed(call, text);
		answer->too_large = true;
	} else if (result != CURLE_OK) {
		call_failed(call, call->curl_error[0] != '\0' ? call->curl_error
		                                              : curl_easy_strerror(result));
	} else {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		answer->status = (int)status;
		answer->body = buf_bytes(&call->body);
		answer->date_seconds = header_date(call->easy, "Date");
		answer->retry_after_ms = retry_after_ms(call->easy, answer->date_seconds);
		if (status == 0)
			call_failed(call, "no HTTP answer");
	}
}

static void final_free(struct http *http)
{
	curl_multi_cleanup(http->multi); /* may still speak to the loop */
	loop_timer_free(http->curl_timer);
	loop_timer_free(http->later_timer);
	curl_global_cleanup();
	free(http);
}

/* Calls back for everything that has finished. Whoever is called may send, cancel or free. */
static void deliver(struct http *http)
{
	if (http->delivering)
		return;
	http->delivering = true;
	while (http->finished != NULL) {
		struct http_call *call = http->finished;
		unlink_call(call);
		call->done(&call->answer, call->arg);
		call_free(call);
	}
	http->delivering = false;
	if (http->freed)
		final_free(http);
}

static void collect(struct http *http)
{
	struct CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call;
		CURLcode result = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		curl_multi_remove_handle(http->multi, call->easy);
		unlink_call(call);
		call_ended(call, result);
		link_finished(call);
	}
	deliver(http);
}

/* --- between curl and the loop -----------------------------------------------------------------
 */

static void socket_ready(int fd, int events, void *arg)
{
	struct http *http = arg;
	int what = 0, running;

	if (events & LOOP_READ)
		what |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		what |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, fd, what, &running);
	collect(http);
}

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct http *http = arg;
	struct loop_io *io = watched;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_io_free(io);
		curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		events |= LOOP_WRITE;
	if (io != NULL)
		loop_io_set(io, events);
	else
		curl_multi_assign(http->multi, fd,
		                  loop_io_new(http->loop, fd, events, socket_ready, http));
	return 0;
}

static void curl_time_is_up(void *arg)
{
	struct http *http = arg;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(http);
}

static int curl_wants_time(CURLM *multi, long after_ms, void *arg)
{
	struct http *http = arg;

	(void)multi;
	if (after_ms < 0)
		loop_timer_cancel(http->curl_timer);
	else
		loop_timer_set(http->curl_timer, after_ms);
	return 0;
}

static void later(void *arg)
{
	deliver(arg);
}

struct http *http_new(struct loop *loop)
{
	struct http *http = xcalloc(1, sizeof(*http));

	/* A server that goes away is an error of the call, not a signal; curl leaves it to us. */
	signal(SIGPIPE, SIG_IGN);
	/* Counted by curl itself: as many cleanups as inits. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		die("libcurl cannot start");
	http->loop = loop;
	http->finished_end = &http->finished;
	http->multi = curl_multi_init();
	if (http->multi == NULL)
		die("no curl handle");
	http->curl_timer = loop_timer_new(loop, curl_time_is_up, http);
	http->later_timer = loop_timer_new(loop, later, http);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, curl_wants_time);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST);
	return http;
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	while (http->active != NULL)
		http_cancel(http->active);
	while (http->finished != NULL)
		http_cancel(http->finished);
	http->freed = true;
	if (!http->delivering) /* else deliver does it when the callback has returned */
		final_free(http);
}

/* --- requests ----------------------------------------------------------------------------------
 */

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t len = size * count;

	if (len > call->max_answer - call->body.len) {
		call->too_large = true;
		return 0;
	}
	buf_append(&call->body, data, len);
	return len;
}

static void add_header(struct http_call *call, const char *name, const char *value)
{
	char *line = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(call->headers, line);

	if (longer == NULL)
		die("out of memory");
	call->headers = longer;
	bytes_wipe(line, strlen(line));
	free(line);
}

static bool is_header_value(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static CURLcode set_limits(struct http_call *call, int64_t timeout_ms)
{
	CURL *easy = call->easy;
	long timeout = timeout_ms > 0 ? (long)timeout_ms : DEFAULT_TIMEOUT_MS;
	long connect = timeout < CONNECT_TIMEOUT_MS ? timeout : CONNECT_TIMEOUT_MS;

	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect);
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->max_answer);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
}

static void set_body(struct http_call *call, const char *method)
{
	CURL *easy = call->easy;
	bool is_post = strcmp(method, "POST") == 0;

	if (call->request_body.len > 0 || is_post) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		                 (curl_off_t)call->request_body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buf_text(&call->request_body));
		add_header(call, "Content-Type", "application/json");
		add_header(call, "Expect", ""); /* no waiting for 100 Continue */
	}
	if (!is_post && (strcmp(method, "GET") != 0 || call->request_body.len > 0))
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* NULL, or why the request cannot be made. */
static const char *prepare(struct http_call *call, const struct http_request *request)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		die("no curl handle");
	call->easy = easy;
	if (request->bearer != NULL && !is_header_value(request->bearer))
		return "the token holds control characters";
	if (set_limits(call, request->timeout_ms) != CURLE_OK)
		return "this libcurl cannot limit the protocols";
	/* curl repeats a request by itself only when a kept connection turns out to be dead. */
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
	if (curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK)
		return "not a usable URL";
	if (request->ca_file != NULL) {
		/* Its folder would be the system's. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		if (curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) != CURLE_OK)
			return "this libcurl takes no authorities of its own";
	}
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "registrard/" REGISTRARD_VERSION);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	set_body(call, request->method);
	add_header(call, "Accept", "application/json");
	if (request->bearer != NULL) {
		char *value = xasprintf("Bearer %s", request->bearer);
		add_header(call, "Authorization", value);
		bytes_wipe(value, strlen(value));
		free(value);
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	return NULL;
}

struct http_call *http_send(struct http *http, const struct http_request *request,
                            void (*done)(const struct http_answer *answer, void *arg), void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));
	char where[HTTP_URL_LOG_SIZE];

	http->requests_made++;
	call->http = http;
	call->done = done;
	call->arg = arg;
	call->max_answer = request->max_answer;
	call->where = xstrdup(http_url_for_log(where, request->url));
	buf_append_bytes(&call->request_body, request->body);

	const char *problem = prepare(call, request);
	if (problem == NULL && curl_multi_add_handle(http->multi, call->easy) != CURLM_OK)
		problem = "libcurl did not take the request";
	if (problem == NULL) {
		link_active(call);
	} else {
		call_failed(call, problem);
		link_finished(call);
		loop_timer_set(http->later_timer, 0);
	}
	return call;
}

void http_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	if (call->state == CALL_ACTIVE)
		curl_multi_remove_handle(call->http->multi, call->easy);
	unlink_call(call);
	call_free(call);
}

uint64_t http_requests_made(const struct http *http)
{
	return http->requests_made;
}

const char *http_version(void)
{
	return curl_version();
}
