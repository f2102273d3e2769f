#include "daemon/io/role.h"

#include "common/base/bytes.h"
#include "daemon/io/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* --- the role: says what it sees, line by line, and waits --------------------------------------
 */

static void describe(struct buf *out, int argc, char **argv)
{
	struct sigaction action;
	int death = 0;

	for (int i = 1; i < argc; i++)
		buf_printf(out, "argument %s\n", argv[i]);
	for (int fd = 0; fd < 200; fd++)
		if (fd != STDERR_FILENO && fcntl(fd, F_GETFD) >= 0)
			buf_printf(out, "descriptor %d\n", fd);
	for (char **entry = environ; *entry != NULL; entry++)
		if (strncmp(*entry, "NOTIFY_SOCKET", 13) == 0 ||
		    strncmp(*entry, "WATCHDOG", 8) == 0 || strncmp(*entry, "LISTEN", 6) == 0 ||
		    strncmp(*entry, "KEPT", 4) == 0)
			buf_printf(out, "variable %s\n", *entry);
	if (prctl(PR_GET_PDEATHSIG, &death) == 0)
		buf_printf(out, "dies with its parent by %d\n", death);
	if (sigaction(SIGTERM, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		buf_printf(out, "ignores SIGTERM\n");
	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		buf_printf(out, "SIGPIPE is as it was\n");
}

static int role_main(int argc, char **argv)
{
	struct buf report = {0}, buffer = {0};
	struct message message;
	char word[8] = "";
	int fd;

	describe(&report, argc, argv);
	if (argc > 2 && strcmp(argv[2], "read") == 0 && read(ROLE_SOCKET + 2, word, 5) == 5)
		buf_printf(&report, "second inherited says %s\n", word);
	message = (struct message){.kind = 1, .body = buf_bytes(&report)};
	int rc = message_send(ROLE_SOCKET, &message, -1, NULL);
	if (rc == 0) /* the socket is a blocking one on this side */
		rc = message_receive(ROLE_SOCKET, &message, &buffer, &fd, NULL);
	buf_free(&report);
	buf_free(&buffer);
	return rc == ERR_UNAVAILABLE ? 0 : 1;
}

/* --- the tests ---------------------------------------------------------------------------------
 */

static char *report_of(struct role *role, struct buf *buffer)
{
	struct pollfd waiting = {.fd = role->socket, .events = POLLIN};
	struct message message;
	int fd;

	assert_int_equal(poll(&waiting, 1, 30000), 1);
	assert_int_equal(message_receive(role->socket, &message, buffer, &fd, NULL), 0);
	char *text = xcalloc(1, message.body.len + 1);
	memcpy(text, message.body.data, message.body.len);
	return text;
}

static int status_of(struct role *role)
{
	int status = -1;

	close(role->socket);
	assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
	return status;
}

static void a_role_inherits_what_it_should_and_nothing_else(void **state)
{
	static const char *const arguments[] = {"read", "--config=x", NULL};
	struct buf buffer = {0};
	struct role role;
	int first[2], second[2];

	(void)state;
	assert_int_equal(pipe(first), 0);
	assert_int_equal(pipe(second), 0); /* without close-on-exec: must not leak */
	assert_int_equal(write(second[1], "hello", 5), 5);
	setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
	setenv("WATCHDOG_USEC", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("KEPT", "yes", 1);
	signal(SIGPIPE, SIG_IGN);
	int inherit[] = {first[0], second[0]};
	assert_int_equal(role_start(&role, "sample", arguments, inherit, 2, NULL), 0);
	assert_true((fcntl(role.socket, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(role.socket, F_GETFD) & FD_CLOEXEC) != 0);
	char *report = report_of(&role, &buffer);
	assert_string_equal(report, "argument --role=sample\nargument read\nargument --config=x\n"
	                            "descriptor 0\ndescriptor 1\ndescriptor 3\ndescriptor 4\n"
	                            "descriptor 5\nvariable KEPT=yes\n"
	                            "dies with its parent by 9\nignores SIGTERM\n"
	                            "SIGPIPE is as it was\nsecond inherited says hello\n");
	assert_int_equal(status_of(&role), 0);
	assert_string_equal(getenv("NOTIFY_SOCKET"), "/run/systemd/notify");
	free(report);
	buf_free(&buffer);
	for (int i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
	}
}

/* The inherited descriptors may already have the numbers that others of them shall get. */
static void crossed_numbers_are_sorted_out(void **state)
{
	static const char *const arguments[] = {"read", NULL};
	struct buf buffer = {0};
	struct role role;
	int data[2];

	(void)state;
	assert_int_equal(pipe(data), 0);
	assert_int_equal(write(data[1], "hello", 5), 5);
	int low = fcntl(data[0], F_DUPFD, ROLE_SOCKET); /* a low number, whichever is free */
	int inherit[] = {data[1], low};
	assert_int_equal(role_start(&role, "sample", arguments, inherit, 2, NULL), 0);
	char *report = report_of(&role, &buffer);
	assert_non_null(strstr(report, "second inherited says hello"));
	assert_int_equal(status_of(&role), 0);
	free(report);
	buf_free(&buffer);
	close(low);
	close(data[0]);
	close(data[1]);
}

static void a_role_dies_with_its_parent(void **state)
{
	int through[2];
	pid_t role_pid = 0;

	(void)state;
	assert_int_equal(pipe(through), 0);
	pid_t parent = fork();
	if (parent == 0) {
		struct buf buffer = {0};
		struct role role;
		if (role_start(&role, "sample", NULL, NULL, 0, NULL) != 0)
			_exit(1);
		free(report_of(&role, &buffer));
		if (write(through[1], &role.pid, sizeof(role.pid)) != sizeof(role.pid))
			_exit(1);
		pause();
	}
	close(through[1]);
	assert_int_equal(read(through[0], &role_pid, sizeof(role_pid)), sizeof(role_pid));
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	int status = 0;
	assert_int_equal(waitpid(role_pid, &status, 0), role_pid);
	/* Its socket hangs up at the same moment: either end is right, living on is not. */
	assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || WIFEXITED(status));
	close(through[0]);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--role=sample") == 0)
		return role_main(argc, argv);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_role_inherits_what_it_should_and_nothing_else),
	        cmocka_unit_test(crossed_numbers_are_sorted_out),
	        cmocka_unit_test(a_role_dies_with_its_parent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
