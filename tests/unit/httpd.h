/* A small HTTP/1.1 server on the loop under test, whose every answer is the test's own. */
#ifndef TESTS_HTTPD_H
#define TESTS_HTTPD_H

#include "common/base/buf.h"
#include "daemon/io/loop.h"

struct httpd;

struct httpd_request {
	const char *method, *path, *headers; /* headers: the raw lines */
	struct bytes body;
	unsigned connection; /* counted from 1 */
};

struct httpd_reply {
	int status;        /* 200 unless changed */
	char headers[256]; /* further lines, each ending in \r\n */
	struct buf body;
	bool hang; /* never answers */
	bool drop; /* closes the connection instead of answering */
};

typedef void httpd_fn(const struct httpd_request *request, struct httpd_reply *reply, void *arg);

struct httpd *httpd_new(struct loop *loop, httpd_fn *answer, void *arg);
void httpd_free(struct httpd *httpd);
const char *httpd_url(const struct httpd *httpd); /* "http://127.0.0.1:PORT" */
unsigned httpd_connections(const struct httpd *httpd);

#endif
