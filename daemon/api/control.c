#include "daemon/api/control.h"

#include "common/base/log.h"
#include "daemon/api/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MAX_CLIENTS = 256,
	MAX_REQUEST = 64 * 1024,
	REQUEST_MS = 10 * 1000, /* a request must be complete by then */
	STALL_MS = 60 * 1000,   /* a client that takes nothing for so long is dropped */
	ACCEPT_PAUSE_MS = 1000, /* when descriptors ran out */
	TICK_MS = 1000,         /* how long a change may go unnoticed by who waits */
};

struct client {
	struct client *prev, *next;
	struct control *control;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer; /* for the request, then for a stalled answer */
	struct loop_timer *retry; /* of a command that goes on by itself */
	char who[32];
	struct buf in, out;
	int out_fd; /* rides along with the last byte of out, -1: none */
	bool asked, answered;
	struct govern_op *op;
	void (*again)(struct client *client, void *state);
	void *state;
};

struct control {
	struct control_parts parts;
	struct wall started;
	char *path;
	int fd;
	struct loop_io *io;
	struct loop_timer *pause, *wake, *tick;
	struct client *clients;
	size_t client_count;
};

/* --- one client ---------------------------------------------------------------------------- */

static void client_drop(struct client *client)
{
	struct control *control = client->control;

	if (client->prev != NULL)
		client->prev->next = client->next;
	else
		control->clients = client->next;
	if (client->next != NULL)
		client->next->prev = client->prev;
	control->client_count--;

	govern_cancel(client->op);
	loop_io_free(client->io);
	loop_timer_free(client->timer);
	loop_timer_free(client->retry);
	close(client->fd);
	if (client->out_fd >= 0)
		close(client->out_fd);
	buf_free(&client->in);
	buf_free(&client->out);
	free(client->state);
	free(client);
}

/* Sends what is there; the descriptor goes with it. False when the client is gone. */
static bool client_send(struct client *client)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {client->out.data, client->out.len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (client->out_fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &client->out_fd, sizeof(int));
	}
	ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	if (sent > 0 && client->out_fd >= 0) {
		close(client->out_fd);
		client->out_fd = -1;
	}
	buf_consume(&client->out, (size_t)sent);
	loop_timer_set(client->timer, STALL_MS);
	return true;
}

/* After anything that may have produced output: asks for the events that are now of interest. */
static void client_settle(struct client *client)
{
	loop_io_set(client->io, client->out.len > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	if (client->out.len > 0 && !loop_timer_pending(client->timer))
		loop_timer_set(client->timer, STALL_MS);
	if (client->out.len == 0 && client->asked)
		loop_timer_cancel(client->timer);
}

static void client_run(struct client *client)
{
	struct jval *request;
	struct error error = {0};
	const char *name;

	if (jval_parse(&request, buf_bytes(&client->in), &error) != 0) {
		client_fail(client, EXIT_USAGE, "request: %s", error.text);
		return;
	}
	name = jval_get_string(request, "command");
	for (size_t i = 0; i < command_count && name != NULL; i++)
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(client, jval_get(request, "args"));
			jval_free(request);
			return;
		}
	client_fail(client, EXIT_USAGE, "unknown command \"%s\"", name != NULL ? name : "");
	jval_free(request);
}

/* False when the client is gone. What comes after the request is read and forgotten: reading is how
 * the end of the connection is noticed. */
static bool client_read(struct client *client)
{
	char chunk[4096];
	ssize_t got = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	if (client->asked)
		return true;
	char *end = memchr(chunk, '\n', (size_t)got);
	buf_append(&client->in, chunk, end != NULL ? (size_t)(end - chunk) : (size_t)got);
	if (client->in.len > MAX_REQUEST) {
		client->asked = true;
		client_fail(client, EXIT_USAGE, "request over %d bytes", MAX_REQUEST);
	} else if (end != NULL) {
		client->asked = true;
		client_run(client);
	}
	return true;
}

static void client_ready(int fd, int events, void *arg)
{
	struct client *client = arg;

	(void)fd;
	if ((events & LOOP_READ) && !client_read(client)) {
		client_drop(client);
		return;
	}
	if (client->out.len > 0 && !client_send(client)) {
		client_drop(client);
		return;
	}
	if (client->out.len == 0 && client->answered) {
		client_drop(client);
		return;
	}
	if (client->out.len == 0 && client->again != NULL)
		client->again(client, client->state);
	client_settle(client);
}

static void client_late(void *arg)
{
	client_drop(arg);
}

static void client_retry_now(void *arg)
{
	struct client *client = arg;

	if (!client->answered && client->again != NULL)
		client->again(client, client->state);
	client_settle(client);
}

/* --- what commands see --------------------------------------------------------------------- */

const struct control_parts *client_parts(const struct client *client)
{
	return &client->control->parts;
}

struct wall client_daemon_start(const struct client *client)
{
	return client->control->started;
}

const char *client_who(const struct client *client)
{
	return client->who;
}

static void client_line(struct client *client, struct jval *line)
{
	jval_write(&client->out, line, JVAL_COMPACT);
	buf_append_text(&client->out, "\n");
	jval_free(line);
	loop_io_set(client->io, LOOP_READ | LOOP_WRITE);
}

void client_note(struct client *client, const char *fmt, ...)
{
	struct jval *line = jval_object();
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	jval_add_string(line, "note", text);
	client_line(client, line);
}

void client_item(struct client *client, struct jval *item)
{
	struct jval *line = jval_object();

	jval_add(line, "item", item);
	client_line(client, line);
}

void client_done(struct client *client, enum exit_code code, struct jval *json, const char *error)
{
	struct jval *line = jval_object();

	if (client->answered)
		die("a request was answered twice");
	client->answered = true;
	loop_timer_cancel(client->retry);
	jval_add_int(line, "exit", (int)code);
	jval_add(line, "json", json != NULL ? json : jval_new_null());
	jval_add_string(line, "error", error);
	client_line(client, line);
}

void client_fail(struct client *client, enum exit_code code, const char *fmt, ...)
{
	char text[768];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	client_done(client, code, NULL, text);
}

void client_fail_error(struct client *client, const struct error *error)
{
	switch ((enum err)error->code) {
	case ERR_NOT_FOUND:
		client_done(client, EXIT_NO, NULL, error->text);
		return;
	case ERR_INVALID:
	case ERR_LIMIT:
	case ERR_CONFLICT:
	case ERR_DENIED:
		client_done(client, EXIT_REFUSED, NULL, error->text);
		return;
	case ERR_IO:
	case ERR_UNAVAILABLE:
		client_done(client, EXIT_UNKNOWN, NULL, error->text);
		return;
	}
	die("an error without a code");
}

void client_done_fd(struct client *client, struct jval *json, int fd)
{
	client->out_fd = fd;
	client_done(client, EXIT_YES, json, NULL);
}

void client_set_op(struct client *client, struct govern_op *op)
{
	client->op = op;
}

void client_keep(struct client *client, void (*again)(struct client *client, void *state),
                 void *state)
{
	client->again = again;
	client->state = state;
	if (again != NULL && !loop_timer_pending(client->control->tick))
		loop_timer_set(client->control->tick, TICK_MS);
}

void *client_state(const struct client *client)
{
	return client->state;
}

void client_retry(struct client *client, int64_t retry_ms)
{
	loop_timer_set(client->retry, retry_ms);
}

bool client_retrying(const struct client *client)
{
	return loop_timer_pending(client->retry);
}

void client_wake_others(const struct client *client)
{
	control_changed(client->control);
}

size_t client_backlog(const struct client *client)
{
	return client->out.len;
}

/* --- the socket ---------------------------------------------------------------------------- */

static void client_new(struct control *control, int fd)
{
	struct client *client = xcalloc(1, sizeof(*client));
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	snprintf(client->who, sizeof(client->who), "uid %u", (unsigned)peer.uid);
	client->control = control;
	client->fd = fd;
	client->out_fd = -1;
	client->next = control->clients;
	if (client->next != NULL)
		client->next->prev = client;
	control->clients = client;
	control->client_count++;
	client->io = loop_io_new(control->parts.loop, fd, LOOP_READ, client_ready, client);
	client->timer = loop_timer_new(control->parts.loop, client_late, client);
	client->retry = loop_timer_new(control->parts.loop, client_retry_now, client);
	loop_timer_set(client->timer, REQUEST_MS);
}

static void accept_ready(int listener, int events, void *arg)
{
	static const char busy[] =
	        "{\"exit\":69,\"json\":null,\"error\":\"too many clients; try again\"}\n";
	struct control *control = arg;

	(void)events;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_unusual("control", "cannot take a client: %s", strerror(errno));
			loop_io_set(control->io, 0);
			loop_timer_set(control->pause, ACCEPT_PAUSE_MS);
		}
		return;
	}
	if (control->client_count >= MAX_CLIENTS) {
		ssize_t ignored = send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)ignored;
		close(fd);
		return;
	}
	client_new(control, fd);
}

static void accept_again(void *arg)
{
	struct control *control = arg;

	loop_io_set(control->io, LOOP_READ);
}

/* Everybody who waits, once. A client's own callback cannot drop another one. */
static void wake_all(void *arg)
{
	struct control *control = arg;
	bool any = false;

	for (struct client *client = control->clients; client != NULL; client = client->next)
		if (client->again != NULL && !client->answered) {
			any = true;
			client->again(client, client->state);
			client_settle(client);
		}
	if (any)
		loop_timer_set(control->tick, TICK_MS);
}

void control_changed(struct control *control)
{
	if (!loop_timer_pending(control->wake))
		loop_timer_set(control->wake, 0);
}

/* Whether a daemon answers there. */
static bool answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	bool yes = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	           errno == EAGAIN;
	close(fd);
	return yes;
}

/* Makes room for our socket: only a socket that nobody answers on is removed. */
static int remove_stale(const struct sockaddr_un *address, struct error *error)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(error, ERR_CONFLICT, "%s: exists and is no socket",
		                 address->sun_path);
	if (answers(address))
		return error_set(error, ERR_CONFLICT, "%s: another registrard answers there",
		                 address->sun_path);
	if (unlink(address->sun_path) != 0)
		return error_set_errno(error, "%s: cannot remove the old socket",
		                       address->sun_path);
	return 0;
}

static int listen_at(int *out, const char *path, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*out = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, ERR_LIMIT, "%s: longer than a socket's path may be", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	int rc = remove_stale(&address, error);
	if (rc != 0)
		return rc;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(error, "%s", path);
	mode_t before = umask(0117); /* never open to all, not even for a moment */
	bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	umask(before);
	if (!bound || chmod(path, 0660) != 0 || listen(fd, 16) != 0) {
		rc = error_set_errno(error, "%s: cannot listen", path);
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

int control_listen(struct control **out, const struct control_parts *parts, struct error *error)
{
	int fd;

	*out = NULL;
	int rc = listen_at(&fd, parts->config->control_socket, error);
	if (rc != 0)
		return rc;
	struct control *control = xcalloc(1, sizeof(*control));
	control->parts = *parts;
	control->started = clock_wall();
	control->path = xstrdup(parts->config->control_socket);
	control->fd = fd;
	control->io = loop_io_new(parts->loop, fd, LOOP_READ, accept_ready, control);
	control->pause = loop_timer_new(parts->loop, accept_again, control);
	control->wake = loop_timer_new(parts->loop, wake_all, control);
	control->tick = loop_timer_new(parts->loop, wake_all, control);
	*out = control;
	return 0;
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	while (control->clients != NULL)
		client_drop(control->clients);
	loop_io_free(control->io);
	loop_timer_free(control->pause);
	loop_timer_free(control->wake);
	loop_timer_free(control->tick);
	close(control->fd);
	unlink(control->path);
	free(control->path);
	free(control);
}
