#include "tests/unit/httpd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
	struct httpd *httpd;
	struct connection *next;
	int fd;
	unsigned number;
	struct loop_io *io;
	struct buf in, out;
};

struct httpd {
	struct loop *loop;
	int fd;
	struct loop_io *io;
	struct connection *connections;
	unsigned accepted;
	char url[64];
	httpd_fn *answer;
	void *arg;
};

static void connection_close(struct connection *connection)
{
	struct connection **link = &connection->httpd->connections;

	while (*link != connection)
		link = &(*link)->next;
	*link = connection->next;
	loop_io_free(connection->io);
	close(connection->fd);
	buf_free(&connection->in);
	buf_free(&connection->out);
	free(connection);
}

/* The length of a whole request at the front of the buffer, 0 while it is not all there. */
static size_t request_length(const struct buf *in, size_t *head)
{
	const char *text = buf_text(in);
	const char *end = strstr(text, "\r\n\r\n");

	if (end == NULL)
		return 0;
	*head = (size_t)(end - text) + 4;
	const char *length = strcasestr(text, "content-length:");
	size_t body = length != NULL && length < end ? strtoul(length + 15, NULL, 10) : 0;
	return in->len >= *head + body ? *head + body : 0;
}

/* False when the connection was closed. */
static bool answer_one(struct connection *connection, size_t head, size_t length)
{
	struct httpd *httpd = connection->httpd;
	struct httpd_reply reply = {.status = 200};
	char *text = strndup(buf_text(&connection->in), head);
	char *rest = strchr(text, '\r');
	char *path = strchr(text, ' ');

	*rest = '\0';
	*path++ = '\0';
	*strchr(path, ' ') = '\0';
	struct httpd_request request = {
	        .method = text,
	        .path = path,
	        .headers = rest + 2,
	        .body = bytes_of(connection->in.data + head, length - head),
	        .connection = connection->number,
	};
	httpd->answer(&request, &reply, httpd->arg);
	free(text);
	buf_consume(&connection->in, length);
	if (!reply.hang && !reply.drop) {
		buf_printf(&connection->out, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n",
		           reply.status, reply.headers, reply.body.len);
		buf_append_bytes(&connection->out, buf_bytes(&reply.body));
	}
	buf_free(&reply.body);
	if (reply.drop)
		connection_close(connection);
	return !reply.drop;
}

static void flush(struct connection *connection)
{
	struct buf *out = &connection->out;

	if (out->len > 0) {
		ssize_t sent = send(connection->fd, out->data, out->len, MSG_NOSIGNAL);
		if (sent > 0)
			buf_consume(out, (size_t)sent);
	}
	loop_io_set(connection->io, out->len > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void connection_ready(int fd, int events, void *arg)
{
	struct connection *connection = arg;
	char data[4096];
	size_t head, length;

	if (events & LOOP_READ) {
		ssize_t got = recv(fd, data, sizeof(data), 0);
		if (got <= 0) {
			connection_close(connection);
			return;
		}
		buf_append(&connection->in, data, (size_t)got);
	}
	while (connection->in.len > 0 && (length = request_length(&connection->in, &head)) > 0)
		if (!answer_one(connection, head, length))
			return;
	flush(connection);
}

static void accept_ready(int fd, int events, void *arg)
{
	struct httpd *httpd = arg;
	struct connection *connection = xcalloc(1, sizeof(*connection));

	(void)events;
	connection->httpd = httpd;
	connection->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (connection->fd < 0)
		die("accept failed");
	connection->number = ++httpd->accepted;
	connection->next = httpd->connections;
	httpd->connections = connection;
	connection->io =
	        loop_io_new(httpd->loop, connection->fd, LOOP_READ, connection_ready, connection);
}

struct httpd *httpd_new(struct loop *loop, httpd_fn *answer, void *arg)
{
	struct httpd *httpd = xcalloc(1, sizeof(*httpd));
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	httpd->loop = loop;
	httpd->answer = answer;
	httpd->arg = arg;
	httpd->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (httpd->fd < 0 || bind(httpd->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(httpd->fd, 64) != 0 || getsockname(httpd->fd, (struct sockaddr *)&at, &len) != 0)
		die("no listening socket");
	snprintf(httpd->url, sizeof(httpd->url), "http://127.0.0.1:%u", ntohs(at.sin_port));
	httpd->io = loop_io_new(loop, httpd->fd, LOOP_READ, accept_ready, httpd);
	return httpd;
}

void httpd_free(struct httpd *httpd)
{
	if (httpd == NULL)
		return;
	while (httpd->connections != NULL)
		connection_close(httpd->connections);
	loop_io_free(httpd->io);
	close(httpd->fd);
	free(httpd);
}

const char *httpd_url(const struct httpd *httpd)
{
	return httpd->url;
}

unsigned httpd_connections(const struct httpd *httpd)
{
	return httpd->accepted;
}
