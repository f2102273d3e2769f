#include "daemon/io/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 16, MAX_INHERIT = 64 };

/* Everything the child needs, made before fork: after it only async-signal-safe calls are allowed,
 * because another thread of the parent may hold the allocator's lock. */
struct plan {
	char program[ROLE_PROGRAM_SIZE];
	char *argv[MAX_ARGUMENTS + 3];
	char **environment;
	int descriptors[MAX_INHERIT + 1]; /* what becomes ROLE_SOCKET, +1, ... */
	size_t count;
	int null;
	pid_t parent;
};

/* A role must not answer for main towards the service manager. CREDENTIALS_DIRECTORY stays: paths
 * in the configuration may be relative to it. */
static bool is_systemd_variable(const char *entry)
{
	static const char *const names[] = {
	        "NOTIFY_SOCKET=",  "WATCHDOG_USEC=",  "WATCHDOG_PID=",   "LISTEN_FDS=",
	        "LISTEN_PID=",     "LISTEN_PIDFDID=", "LISTEN_FDNAMES=", "INVOCATION_ID=",
	        "JOURNAL_STREAM=", "MAINPID=",        "MANAGERPID=",     "SYSTEMD_EXEC_PID=",
	        "FDSTORE=",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static char **role_environment(void)
{
	size_t count = 0, kept = 0;

	while (environ[count] != NULL)
		count++;
	char **out = xcalloc(count + 1, sizeof(*out));
	for (size_t i = 0; i < count; i++)
		if (!is_systemd_variable(environ[i]))
			out[kept++] = environ[i];
	return out;
}

/* In the child: puts the descriptors where the role expects them and closes all others. Copies go
 * above the final numbers first, so that no move overwrites a descriptor that is still needed. */
static bool arrange_descriptors(struct plan *plan)
{
	int first_free = ROLE_SOCKET + (int)plan->count;

	for (size_t i = 0; i < plan->count; i++) {
		plan->descriptors[i] = fcntl(plan->descriptors[i], F_DUPFD_CLOEXEC, first_free);
		if (plan->descriptors[i] < 0)
			return false;
	}
	if (dup2(plan->null, STDIN_FILENO) < 0 || dup2(plan->null, STDOUT_FILENO) < 0)
		return false;
	for (size_t i = 0; i < plan->count; i++)
		if (dup2(plan->descriptors[i], ROLE_SOCKET + (int)i) < 0)
			return false;
	return close_range((unsigned)first_free, ~0U, 0) == 0;
}

/* Main decides when its roles end: they ignore what a terminal or the service manager sends to
 * the whole group, and end with their socket or their parent. */
static bool set_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, i == SIGINT || i == SIGTERM || i == SIGHUP ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static _Noreturn void become_role(struct plan *plan)
{
	static const char trouble[] = "<3>a role could not be started\n";

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == plan->parent &&
	    arrange_descriptors(plan) && set_signals())
		execve(plan->program, plan->argv, plan->environment);
	ssize_t ignored = write(STDERR_FILENO, trouble, sizeof(trouble) - 1);
	(void)ignored;
	_exit(127);
}

const char *role_program(char path[ROLE_PROGRAM_SIZE])
{
	static const char self[] = "/proc/self/exe";
	struct stat running, named;
	ssize_t len = readlink(self, path, ROLE_PROGRAM_SIZE - 1);

	/* valgrind answers readlink with our path, but stat with its own file. */
	if (len > 0) {
		path[len] = '\0';
		if (stat(self, &running) == 0 && stat(path, &named) == 0 &&
		    (running.st_dev != named.st_dev || running.st_ino != named.st_ino))
			return path;
	}
	return memcpy(path, self, sizeof(self));
}

static int make_plan(struct plan *plan, char *role_flag, const char *const *arguments,
                     const int *inherit, size_t inherit_count)
{
	size_t argc = 0;

	if (inherit_count > MAX_INHERIT)
		die("a role with %zu descriptors", inherit_count);
	plan->argv[argc++] = (char *)"registrard";
	plan->argv[argc++] = role_flag;
	for (size_t i = 0; arguments != NULL && arguments[i] != NULL; i++) {
		if (i == MAX_ARGUMENTS)
			die("a role with more than %d arguments", MAX_ARGUMENTS);
		plan->argv[argc++] = (char *)arguments[i];
	}
	plan->count = 1 + inherit_count;
	for (size_t i = 0; i < inherit_count; i++)
		plan->descriptors[1 + i] = inherit[i];
	plan->parent = getpid();
	role_program(plan->program);
	plan->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return plan->null < 0 ? -1 : 0;
}

int role_start(struct role *out, const char *name, const char *const *arguments, const int *inherit,
               size_t inherit_count, struct error *error)
{
	struct plan plan = {.null = -1};
	int pair[2] = {-1, -1}, rc = 0;
	pid_t pid = -1;

	*out = (struct role){.pid = -1, .socket = -1};
	char *flag = xasprintf("--role=%s", name);
	if (make_plan(&plan, flag, arguments, inherit, inherit_count) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 ||
	    fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
		rc = error_set_errno(error, "starting the %s", name);
		goto done;
	}
	plan.descriptors[0] = pair[1];
	plan.environment = role_environment();
	pid = fork();
	if (pid == 0)
		become_role(&plan);
	if (pid < 0) {
		rc = error_set_errno(error, "starting the %s", name);
		goto done;
	}
	*out = (struct role){.pid = pid, .socket = pair[0]};
	pair[0] = -1;
done:
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	if (plan.null >= 0)
		close(plan.null);
	free(plan.environment);
	free(flag);
	return rc;
}
