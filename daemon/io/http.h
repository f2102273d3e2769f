/* HTTP client on the loop. The only includer of libcurl. Connections are kept and reused; TLS
 * certificates are always verified; redirects are not followed; the proxy variables of the
 * environment are ignored (what the daemon talks to stands in its configuration alone). */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "common/base/buf.h"
#include "daemon/io/loop.h"

struct http;      /* shared connections, limits */
struct http_call; /* one request under way */

/* libcurl's and its libraries' versions, as it names them. */
const char *http_version(void);

struct http *http_new(struct loop *loop);
void http_free(struct http *http); /* cancels what is under way without calling back */

struct http_request {
	const char *method;         /* "GET", "POST", "DELETE" */
	const char *url;            /* http or https only; redirects are not followed */
	struct bytes body;          /* copied; sent as application/json when len > 0 */
	const char *bearer;         /* NULL or a token for Authorization; never logged */
	const char *ca_file;        /* NULL, or whom to believe instead of the system's authorities: PEM */
	bool once;                  /* never sent again by itself on a connection that died under it */
	int64_t timeout_ms;         /* whole request */
	size_t max_answer;          /* bytes; more is a failure */
};

struct http_answer {
	int status;                 /* 0: no answer, error says why */
	struct bytes body;          /* valid during the callback */
	int64_t retry_after_ms;     /* from Retry-After, else -1 */
	const char *error;          /* with status 0; names the server with http_url_for_log */
	bool too_large;             /* with status 0: it was the answer's size */
	int64_t date_seconds;       /* from the Date header, 0 if absent */
};

/* done is called exactly once, never from inside http_send, unless the call is cancelled first. */
struct http_call *http_send(struct http *http, const struct http_request *request,
                            void (*done)(const struct http_answer *answer, void *arg), void *arg);
void http_cancel(struct http_call *call); /* NULL is fine */

/* A URL as logs and errors may show it: scheme, host, port and at most a short first path segment.
 * User info, query and the rest of the path are left out, since API keys stand there. Returns out. */
#define HTTP_URL_LOG_SIZE 160
char *http_url_for_log(char out[HTTP_URL_LOG_SIZE], const char *url);

/* Requests made so far, for metrics. */
uint64_t http_requests_made(const struct http *http);

#endif
