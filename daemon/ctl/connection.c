#include "daemon/ctl/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_LINE = 1 << 28 };

struct connection {
	int fd;
	int passed_fd; /* that came along, -1: none */
	struct buf in;
	size_t scanned; /* of in, without a line's end */
};

static int send_all(int fd, struct bytes data, struct error *error)
{
	while (data.len > 0) {
		ssize_t sent = send(fd, data.data, data.len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return error_set(error, ERR_UNAVAILABLE, "the daemon went away: %s",
			                 strerror(errno));
		data.data += sent;
		data.len -= (size_t)sent;
	}
	return 0;
}

static int connect_to(int fd, const char *path, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, ERR_INVALID, "%s: longer than a socket's path may be",
		                 path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	if (errno == EACCES || errno == EPERM)
		return error_set(error, ERR_DENIED, "%s: %s", path, strerror(errno));
	return error_set(error, ERR_UNAVAILABLE, "no daemon answers on %s: %s", path,
	                 strerror(errno));
}

int connection_open(struct connection **out, const char *socket_path, const char *command,
                    struct jval *args, struct error *error)
{
	struct connection *connection = xcalloc(1, sizeof(*connection));
	struct jval *request = jval_object();
	struct buf line = {0};

	*out = NULL;
	jval_add_string(request, "command", command);
	jval_add(request, "args", args);
	jval_write(&line, request, JVAL_COMPACT);
	buf_append_text(&line, "\n");
	jval_free(request);

	connection->passed_fd = -1;
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = connection->fd < 0 ? error_set_errno(error, "socket")
	                            : connect_to(connection->fd, socket_path, error);
	if (rc == 0)
		rc = send_all(connection->fd, buf_bytes(&line), error);
	buf_free(&line);
	if (rc != 0)
		connection_close(connection);
	else
		*out = connection;
	return rc;
}

void connection_close(struct connection *connection)
{
	if (connection == NULL)
		return;
	if (connection->fd >= 0)
		close(connection->fd);
	if (connection->passed_fd >= 0)
		close(connection->passed_fd);
	buf_free(&connection->in);
	free(connection);
}

static void keep_fd(struct connection *connection, struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		if (connection->passed_fd >= 0)
			close(connection->passed_fd);
		memcpy(&connection->passed_fd, CMSG_DATA(head), sizeof(int));
	}
}

static int receive_some(struct connection *connection, struct error *error)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char chunk[65536];
	struct iovec part = {chunk, sizeof(chunk)};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.room,
	                         .msg_controllen = sizeof(control.room)};

	ssize_t got = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got <= 0)
		return error_set(error, ERR_UNAVAILABLE, "the daemon went away before it answered");
	keep_fd(connection, &message);
	buf_append(&connection->in, chunk, (size_t)got);
	if (connection->in.len > MAX_LINE)
		return error_set(error, ERR_LIMIT, "the daemon's answer is over %d bytes",
		                 MAX_LINE);
	return 0;
}

/* Until something can be read. */
static int wait_readable(int fd, struct mono until, struct error *error)
{
	for (;;) {
		struct pollfd watched = {.fd = fd, .events = POLLIN};
		int64_t left = until.ms != 0 ? until.ms - clock_mono().ms : -1;
		if (until.ms != 0 && left <= 0)
			return error_set(error, ERR_NOT_FOUND, "the time is up");
		int ready = poll(&watched, 1, left > 60000 ? 60000 : (int)left);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return error_set_errno(error, "poll");
	}
}

int connection_next(struct connection *connection, struct jval **out, struct mono until,
                    struct error *error)
{
	struct buf *in = &connection->in;

	*out = NULL;
	for (;;) {
		uint8_t *end = in->len > connection->scanned
		                       ? memchr(in->data + connection->scanned, '\n',
		                                in->len - connection->scanned)
		                       : NULL;
		if (end != NULL) {
			size_t len = (size_t)(end - in->data);
			int rc = jval_parse(out, bytes_of(in->data, len), error);
			buf_consume(in, len + 1);
			connection->scanned = 0;
			return rc;
		}
		connection->scanned = in->len;
		int rc = wait_readable(connection->fd, until, error);
		if (rc == 0)
			rc = receive_some(connection, error);
		if (rc != 0)
			return rc;
	}
}

int connection_take_fd(struct connection *connection)
{
	int fd = connection->passed_fd;

	connection->passed_fd = -1;
	return fd;
}
