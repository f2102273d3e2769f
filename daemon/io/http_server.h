/* HTTP/1.1 server on the loop, with TLS if asked. Bodies reach the handler part by part as they
 * come; nothing of them is kept here. Connections, heads and times are bounded: a head must be
 * complete soon, a body must come on at a minimal pace, and when all places are taken the oldest
 * connection that has not shown a complete head yet gives way. */
#ifndef IO_HTTP_SERVER_H
#define IO_HTTP_SERVER_H

#include "common/base/netaddr.h"
#include "daemon/io/http_head.h"
#include "daemon/io/loop.h"

struct http_server;
struct http_exchange; /* one request and its answer */
struct tls_server;

struct http_handler {
	/* The head is there; it is valid during the call. Answer now, or have the body and answer
	 * later. head->content_length bytes of body follow. */
	void (*begin)(struct http_exchange *exchange, const struct http_head *head, void *arg);
	/* The next part of the body. An answer from here ends the exchange: the rest is not read.
	 */
	void (*body)(struct http_exchange *exchange, struct bytes part, void *own);
	/* The whole body was there. Comes also without any body. Answer now or later. */
	void (*end)(struct http_exchange *exchange, void *own);
	/* The connection broke, stalled or was closed before there was an answer. Exactly once, and
	 * not after http_exchange_answer. Only for exchanges that have an own. */
	void (*gone)(void *own);
};

struct http_server_parts {
	struct loop *loop;
	const char *listen;     /* "127.0.0.1:9464" */
	struct tls_server *tls; /* or NULL; not owned */
	const struct http_handler *handler;
	void *arg;
	/* 0: the default. Times of one connection, in milliseconds. */
	int64_t head_ms;      /* from the first byte to the end of the head, TLS included: 10 s */
	int64_t idle_ms;      /* between two requests: 30 s */
	int64_t stall_ms;     /* at least HTTP_SERVER_PACE bytes of body in so long: 20 s */
	unsigned connections; /* at once: 128 */
};
enum { HTTP_SERVER_PACE = 16 * 1024 };

/* parts is copied. ERR_IO when the address cannot be had. */
int http_server_new(struct http_server **out, const struct http_server_parts *parts,
                    struct error *error) MUST_USE;
/* Breaks what is under way: gone is called. NULL is fine. */
void http_server_free(struct http_server *server);
/* Where it listens; the port is the real one. */
const struct netaddr *http_server_at(const struct http_server *server);

struct http_reply {
	int status;
	const char *fields; /* further header fields, each ending in CR LF; NULL: none */
	const char *type;   /* of the body; NULL: application/json */
	struct bytes body;  /* copied; not sent for HEAD */
};
/* Once per exchange, which must not be used afterwards; never calls back. */
void http_exchange_answer(struct http_exchange *exchange, const struct http_reply *reply);
/* What body, end and gone are given for this exchange. */
void http_exchange_set_own(struct http_exchange *exchange, void *own);
/* "127.0.0.1:54321": the other side, for logs. */
const char *http_exchange_peer(const struct http_exchange *exchange);

#endif
