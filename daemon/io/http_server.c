/* evhttp gathers a request's whole body before it shows anything of the request, so a wrong token
 * would be found out after gigabytes, held in memory. Here libevent moves bytes (bufferevents, TLS)
 * and the protocol is read by http_head.c. */
#include "daemon/io/http_server.h"

#include "common/base/jval.h"
#include "common/base/log.h"
#include "common/crypto/tls.h"
#include "daemon/io/loop_base.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_MS = 10 * 1000,
	IDLE_MS = 30 * 1000,
	STALL_MS = 20 * 1000,
	ANSWER_MS = 30 * 1000, /* a client that takes its answer slower is dropped */
	LINGER_MS = 2 * 1000,  /* for an answer to arrive before the connection is cut */
	PAUSE_MS = 1000,       /* without accepting, when descriptors ran out */
	CONNECTIONS = 128,
	BACKLOG = 64,
	BUFFER = 64 * 1024, /* bytes read ahead per connection */
};

enum phase {
	PHASE_HEAD,   /* waits for a head */
	PHASE_BODY,   /* the handler gets the body */
	PHASE_WAIT,   /* the handler has all of it and has not answered */
	PHASE_ANSWER, /* the answer is on its way */
	PHASE_LINGER, /* answered early: what still comes is thrown away */
};

struct http_exchange {
	TAILQ_ENTRY(http_exchange) link;
	struct http_server *server;
	struct bufferevent *stream;
	struct loop_timer *timer;
	enum phase phase;
	uint64_t left;  /* of the body */
	uint64_t paced; /* left when the pace was looked at last */
	bool begun;     /* something of this head is there */
	bool head_only, keep;
	void *own;
	char peer[NETADDR_TEXT_SIZE];
};

struct http_server {
	struct http_server_parts parts;
	struct netaddr at;
	int fd;
	struct loop_io *io;
	struct loop_timer *pause;
	TAILQ_HEAD(, http_exchange) exchanges; /* oldest first */
	unsigned count;
};

/* --- one connection ------------------------------------------------------------------------- */

static void drop(struct http_exchange *exchange)
{
	struct http_server *server = exchange->server;
	void *own = exchange->own;
	bool unanswered = exchange->phase == PHASE_BODY || exchange->phase == PHASE_WAIT;

	TAILQ_REMOVE(&server->exchanges, exchange, link);
	server->count--;
	loop_timer_free(exchange->timer);
	bufferevent_free(exchange->stream);
	tls_clear_errors();
	free(exchange);
	if (unanswered && own != NULL)
		server->parts.handler->gone(own);
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
	        {200, "OK"},
	        {201, "Created"},
	        {202, "Accepted"},
	        {204, "No Content"},
	        {400, "Bad Request"},
	        {401, "Unauthorized"},
	        {404, "Not Found"},
	        {405, "Method Not Allowed"},
	        {408, "Request Timeout"},
	        {409, "Conflict"},
	        {411, "Length Required"},
	        {413, "Content Too Large"},
	        {416, "Range Not Satisfiable"},
	        {417, "Expectation Failed"},
	        {431, "Request Header Fields Too Large"},
	        {500, "Internal Server Error"},
	        {503, "Service Unavailable"},
	        {505, "HTTP Version Not Supported"},
	        {507, "Insufficient Storage"},
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Answer";
}

static void add_date(struct evbuffer *out)
{
	time_t now = (time_t)(clock_wall().ms / 1000);
	struct tm parts;
	char text[64];

	if (gmtime_r(&now, &parts) != NULL &&
	    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
		evbuffer_add_printf(out, "Date: %s\r\n", text);
}

void http_exchange_answer(struct http_exchange *exchange, const struct http_reply *reply)
{
	struct evbuffer *out = bufferevent_get_output(exchange->stream);
	/* What was not read of a body cannot be told from the next request. */
	bool early = exchange->phase == PHASE_BODY && exchange->left > 0;

	exchange->own = NULL;
	exchange->keep = exchange->keep && !early;
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", reply->status, reason_of(reply->status));
	add_date(out);
	if (reply->status != 204)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", reply->body.len);
	if (reply->body.len > 0)
		evbuffer_add_printf(out, "Content-Type: %s\r\n",
		                    reply->type != NULL ? reply->type : "application/json");
	evbuffer_add_printf(out,
	                    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	                    "%s%s\r\n",
	                    reply->fields != NULL ? reply->fields : "",
	                    exchange->keep ? "" : "Connection: close\r\n");
	if (!exchange->head_only && reply->body.len > 0)
		evbuffer_add(out, reply->body.data, reply->body.len);
	exchange->phase = PHASE_ANSWER;
	bufferevent_disable(exchange->stream, EV_READ);
	loop_timer_set(exchange->timer, ANSWER_MS);
}

void http_exchange_set_own(struct http_exchange *exchange, void *own)
{
	exchange->own = own;
}

const char *http_exchange_peer(const struct http_exchange *exchange)
{
	return exchange->peer;
}

/* A head that cannot be understood: nothing behind it can be either. */
static void refuse(struct http_exchange *exchange, int status, const char *why)
{
	struct jval *body = jval_object();
	struct buf text = {0};

	jval_add_string(body, "error", why);
	jval_write(&text, body, JVAL_COMPACT);
	buf_append_text(&text, "\n");
	exchange->keep = false;
	http_exchange_answer(exchange,
	                     &(struct http_reply){.status = status, .body = buf_bytes(&text)});
	buf_free(&text);
	jval_free(body);
}

/* --- requests ------------------------------------------------------------------------------- */

static void begin(struct http_exchange *exchange, struct bytes text)
{
	struct http_server *server = exchange->server;
	struct arena arena = {0};
	struct http_head head;
	struct error error = {0};

	exchange->own = NULL;
	if (http_head_parse(&arena, &head, text, &error) != 0) {
		refuse(exchange, head.refusal, error.text);
		goto out;
	}
	exchange->head_only = strcmp(head.method, "HEAD") == 0;
	exchange->keep = head.keep_alive;
	exchange->left = exchange->paced = head.content_length;
	exchange->phase = PHASE_BODY;
	server->parts.handler->begin(exchange, &head, server->parts.arg);
	if (exchange->phase != PHASE_BODY)
		goto out;
	loop_timer_set(exchange->timer, server->parts.stall_ms);
	if (head.expects_continue && exchange->left > 0)
		evbuffer_add_printf(bufferevent_get_output(exchange->stream),
		                    "HTTP/1.1 100 Continue\r\n\r\n");
out:
	arena_free(&arena);
}

/* True when there may be more to do with what is there. */
static bool read_head(struct http_exchange *exchange)
{
	struct evbuffer *in = bufferevent_get_input(exchange->stream);
	size_t len = evbuffer_get_length(in);

	if (len > 0 && !exchange->begun) {
		exchange->begun = true;
		loop_timer_set(exchange->timer, exchange->server->parts.head_ms);
	}
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos > HTTP_HEAD_MAX - 4 || (end.pos < 0 && len >= HTTP_HEAD_MAX)) {
		refuse(exchange, 431, "the head is too large");
		return false;
	}
	if (end.pos < 0)
		return false;
	size_t head_len = (size_t)end.pos + 4;
	struct buf head = {0};
	buf_append(&head, evbuffer_pullup(in, (ssize_t)head_len), head_len);
	evbuffer_drain(in, head_len);
	begin(exchange, buf_bytes(&head));
	buf_wipe(&head); /* a token stood there */
	return true;
}

static bool read_body(struct http_exchange *exchange)
{
	const struct http_handler *handler = exchange->server->parts.handler;
	struct evbuffer *in = bufferevent_get_input(exchange->stream);
	size_t len = evbuffer_get_contiguous_space(in);

	if (exchange->left > 0 && len == 0)
		return false;
	if (len > exchange->left)
		len = (size_t)exchange->left;
	if (len > 0) {
		const uint8_t *data = evbuffer_pullup(in, (ssize_t)len);
		exchange->left -= len;
		handler->body(exchange, bytes_of(data, len), exchange->own);
		evbuffer_drain(in, len);
	}
	if (exchange->phase == PHASE_BODY && exchange->left == 0) {
		exchange->phase = PHASE_WAIT;
		loop_timer_cancel(exchange->timer);
		bufferevent_disable(exchange->stream, EV_READ);
		handler->end(exchange, exchange->own);
	}
	return exchange->phase == PHASE_BODY;
}

static void go_on(struct http_exchange *exchange)
{
	bool more = true;

	while (more)
		switch (exchange->phase) {
		case PHASE_HEAD:
			more = read_head(exchange);
			break;
		case PHASE_BODY:
			more = read_body(exchange);
			break;
		case PHASE_LINGER: {
			struct evbuffer *in = bufferevent_get_input(exchange->stream);
			evbuffer_drain(in, evbuffer_get_length(in));
			more = false;
			break;
		}
		case PHASE_WAIT:
		case PHASE_ANSWER:
			more = false;
			break;
		}
}

/* --- events --------------------------------------------------------------------------------- */

static void on_read(struct bufferevent *stream, void *arg)
{
	struct http_exchange *exchange = arg;

	(void)stream;
	loop_enter(exchange->server->parts.loop);
	go_on(exchange);
}

/* Everything was written. */
static void on_written(struct bufferevent *stream, void *arg)
{
	struct http_exchange *exchange = arg;
	struct http_server *server = exchange->server;

	loop_enter(server->parts.loop);
	if (exchange->phase != PHASE_ANSWER ||
	    evbuffer_get_length(bufferevent_get_output(stream)) > 0)
		return;
	if (exchange->keep) {
		exchange->phase = PHASE_HEAD;
		exchange->begun = false;
		loop_timer_set(exchange->timer, server->parts.idle_ms);
	} else {
		/* Closing with unread bytes would reset the connection and take the answer along.
		 */
		exchange->phase = PHASE_LINGER;
		loop_timer_set(exchange->timer, LINGER_MS);
		if (server->parts.tls == NULL)
			shutdown(bufferevent_getfd(stream), SHUT_WR);
	}
	bufferevent_enable(stream, EV_READ);
	go_on(exchange);
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct http_exchange *exchange = arg;

	(void)stream;
	loop_enter(exchange->server->parts.loop);
	if (what & BEV_EVENT_CONNECTED)
		return;
	drop(exchange);
}

static void on_time(void *arg)
{
	struct http_exchange *exchange = arg;

	if (exchange->phase == PHASE_HEAD && exchange->begun) {
		refuse(exchange, 408, "the head took too long");
		return;
	}
	if (exchange->phase == PHASE_BODY && exchange->paced - exchange->left >= HTTP_SERVER_PACE) {
		exchange->paced = exchange->left;
		loop_timer_set(exchange->timer, exchange->server->parts.stall_ms);
		return;
	}
	drop(exchange);
}

/* --- the listener --------------------------------------------------------------------------- */

/* Makes room at the expense of who has shown least. False when everybody has shown a head. */
static bool make_room(struct http_server *server)
{
	struct http_exchange *exchange;

	if (server->count < server->parts.connections)
		return true;
	TAILQ_FOREACH(exchange, &server->exchanges, link)
	{
		if (exchange->phase == PHASE_HEAD || exchange->phase == PHASE_LINGER) {
			drop(exchange);
			return true;
		}
	}
	return false;
}

static void take(struct http_server *server, int fd, const struct netaddr *peer)
{
	struct event_base *base = loop_event_base(server->parts.loop);
	int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS, on = 1;
	struct http_exchange *exchange = xcalloc(1, sizeof(*exchange));

	/* An answer is small and complete; waiting for more only delays it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	exchange->server = server;
	exchange->stream = server->parts.tls != NULL
	                           ? bufferevent_openssl_socket_new(
	                                     base, fd, tls_server_session(server->parts.tls),
	                                     BUFFEREVENT_SSL_ACCEPTING, options)
	                           : bufferevent_socket_new(base, fd, options);
	if (exchange->stream == NULL)
		die("no bufferevent");
	netaddr_text(exchange->peer, peer);
	exchange->timer = loop_timer_new(server->parts.loop, on_time, exchange);
	loop_timer_set(exchange->timer, server->parts.head_ms);
	bufferevent_setcb(exchange->stream, on_read, on_written, on_event, exchange);
	bufferevent_setwatermark(exchange->stream, EV_READ, 0, BUFFER);
	bufferevent_enable(exchange->stream, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&server->exchanges, exchange, link);
	server->count++;
}

static void knocked(int fd, int events, void *arg);

static void accept_on(void *arg)
{
	struct http_server *server = arg;

	server->io = loop_io_new(server->parts.loop, server->fd, LOOP_READ, knocked, server);
}

static void knocked(int fd, int events, void *arg)
{
	struct http_server *server = arg;
	struct netaddr peer = {.len = sizeof(peer.at)};

	(void)events;
	if (!make_room(server)) {
		loop_io_free(server->io);
		server->io = NULL;
		loop_timer_set(server->pause, PAUSE_MS);
		return;
	}
	int client =
	        accept4(fd, (struct sockaddr *)&peer.at, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client >= 0) {
		take(server, client, &peer);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return; /* the client is gone again */
	log_unusual("http", "no connection can be accepted: %s", strerror(errno));
	loop_io_free(server->io);
	server->io = NULL;
	loop_timer_set(server->pause, PAUSE_MS);
}

static int listen_on(struct http_server *server, struct error *error)
{
	const struct netaddr *at = &server->at;
	int on = 1;

	int rc = netaddr_parse(&server->at, server->parts.listen, error);
	if (rc != 0)
		return rc;
	server->fd = socket(at->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->fd < 0)
		return error_set_errno(error, "http.listen %s", server->parts.listen);
	(void)setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server->fd, (const struct sockaddr *)&at->at, at->len) != 0 ||
	    listen(server->fd, BACKLOG) != 0)
		return error_set_errno(error, "http.listen %s", server->parts.listen);
	server->at.len = sizeof(server->at.at);
	if (getsockname(server->fd, (struct sockaddr *)&server->at.at, &server->at.len) != 0)
		return error_set_errno(error, "http.listen %s", server->parts.listen);
	return 0;
}

int http_server_new(struct http_server **out, const struct http_server_parts *parts,
                    struct error *error)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	*out = NULL;
	server->parts = *parts;
	server->fd = -1;
	TAILQ_INIT(&server->exchanges);
	if (server->parts.head_ms == 0)
		server->parts.head_ms = HEAD_MS;
	if (server->parts.idle_ms == 0)
		server->parts.idle_ms = IDLE_MS;
	if (server->parts.stall_ms == 0)
		server->parts.stall_ms = STALL_MS;
	if (server->parts.connections == 0)
		server->parts.connections = CONNECTIONS;
	int rc = listen_on(server, error);
	if (rc != 0) {
		http_server_free(server);
		return rc;
	}
	server->parts.listen = NULL;
	server->pause = loop_timer_new(parts->loop, accept_on, server);
	accept_on(server);
	*out = server;
	return 0;
}

void http_server_free(struct http_server *server)
{
	if (server == NULL)
		return;
	while (!TAILQ_EMPTY(&server->exchanges))
		drop(TAILQ_FIRST(&server->exchanges));
	loop_io_free(server->io);
	loop_timer_free(server->pause);
	if (server->fd >= 0)
		close(server->fd);
	free(server);
}

const struct netaddr *http_server_at(const struct http_server *server)
{
	return &server->at;
}
