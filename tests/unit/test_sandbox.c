#include "daemon/sandbox/sandbox.h"

#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Runs body in a child and returns how that ended. */
static int in_child(void (*body)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		body();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void assert_killed_by_filter(void (*body)(void))
{
	int status = in_child(body);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_fine(void (*body)(void))
{
	int status = in_child(body);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void enter(enum sandbox_profile profile)
{
	struct error error;

	if (sandbox_enter(profile, &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		_exit(99);
	}
}

/* --- what is still possible --------------------------------------------------------------------
 */

static void measure_in_peace(void)
{
	char byte;
	int null = open("/dev/null", O_RDONLY);

	enter(SANDBOX_MEASURER);
	if (read(null, &byte, 1) != 0 || close(null) != 0)
		_exit(1);
	char *memory = malloc(5 << 20);
	if (memory == NULL)
		_exit(2);
	memset(memory, 1, 5 << 20);
	free(memory);
	log_info(NULL, "the sandbox can still log");
}

static void sign_in_peace(void)
{
	uint8_t random[16];

	enter(SANDBOX_SIGNER);
	if (syscall(SYS_getrandom, random, sizeof(random), 0) != sizeof(random))
		_exit(1);
	log_info(NULL, "the sandbox can still log");
}

static void roles_can_do_their_work(void **state)
{
	(void)state;
	assert_fine(measure_in_peace);
	assert_fine(sign_in_peace);
}

/* --- what is not -------------------------------------------------------------------------------
 */

static void open_a_file(void)
{
	enter(SANDBOX_MEASURER);
	_exit(open("/etc/hostname", O_RDONLY) >= 0);
}

static void fork_a_process(void)
{
	enter(SANDBOX_MEASURER);
	_exit(syscall(SYS_fork) >= 0);
}

static void map_a_file(void)
{
	int exe = open("/proc/self/exe", O_RDONLY);
	enter(SANDBOX_MEASURER);
	_exit(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, exe, 0) != MAP_FAILED); /* allowed: a test */
}

static void map_code(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	enter(SANDBOX_MEASURER);
	_exit(mmap(NULL, 4096, PROT_EXEC, flags, -1, 0) != MAP_FAILED); /* allowed: a test */
}

static void write_to_another_descriptor(void)
{
	int null = open("/dev/null", O_WRONLY);
	enter(SANDBOX_MEASURER);
	_exit(write(null, "x", 1) >= 0);
}

static void signal_another_process(void)
{
	enter(SANDBOX_SIGNER);
	_exit(kill(getppid(), 0) == 0);
}

static void read_in_the_signer(void)
{
	char byte;
	enter(SANDBOX_SIGNER);
	_exit(read(STDIN_FILENO, &byte, 1) >= 0);
}

static void open_a_socket(void)
{
	enter(SANDBOX_SIGNER);
	_exit(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static void execute_a_program(void)
{
	enter(SANDBOX_MEASURER);
	execl("/bin/true", "true", (char *)NULL);
}

static void whatever_is_outside_the_profile_ends_the_process(void **state)
{
	(void)state;
	assert_killed_by_filter(open_a_socket);
	assert_killed_by_filter(execute_a_program);
	if (SANITIZED) /* its runtime needs the rest */
		return;
	assert_killed_by_filter(open_a_file);
	assert_killed_by_filter(fork_a_process);
	assert_killed_by_filter(map_a_file);
	assert_killed_by_filter(map_code);
	assert_killed_by_filter(write_to_another_descriptor);
	assert_killed_by_filter(signal_another_process);
	assert_killed_by_filter(read_in_the_signer);
}

static void use_too_much_memory(void)
{
	enter(SANDBOX_MEASURER);
	void *volatile memory = malloc((size_t)1 << 30);
	_exit(memory != NULL);
}

static void show_limits(void)
{
	struct rlimit limit;

	enter(SANDBOX_MEASURER);
	/* prlimit64 is not in the filter: what was set must be seen from what happens. */
	_exit(SANITIZED && (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0));
}

static void memory_is_limited(void **state)
{
	(void)state;
	if (!SANITIZED)
		assert_fine(use_too_much_memory);
	else
		assert_fine(show_limits);
}

static void forbid_dumps(void)
{
	struct rlimit limit;

	sandbox_forbid_dumps();
	_exit(prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &limit) != 0 ||
	      limit.rlim_cur != 0 || limit.rlim_max != 0);
}

static void dumps_can_be_forbidden(void **state)
{
	(void)state;
	assert_fine(forbid_dumps);
}

/* --- main's files ------------------------------------------------------------------------------
 */

static char folder[64];

static void touch(const char *name, int expected)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	if ((fd >= 0 ? 0 : errno) != expected) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		_exit(1);
	}
	if (fd >= 0)
		close(fd);
}

static void look(const char *name, int expected)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDONLY);
	if ((fd >= 0 ? 0 : errno) != expected) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		_exit(2);
	}
	if (fd >= 0)
		close(fd);
}

static void confine(void)
{
	char state_dir[80], watched[80], missing[80], one_file[80];
	struct error error;

	snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
	snprintf(watched, sizeof(watched), "%s/watched", folder);
	snprintf(missing, sizeof(missing), "%s/missing", folder);
	snprintf(one_file, sizeof(one_file), "%s/config.yaml", folder);
	const struct sandbox_path paths[] = {
	        {state_dir, true}, {watched, false}, {missing, false}, {one_file, false}};
	if (sandbox_confine_files(paths, ARRAY_LEN(paths), &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		_exit(3);
	}
	touch("state/new", 0);
	look("state/new", 0);
	look("watched/artifact", 0);
	look("config.yaml", 0);
	touch("watched/artifact", EACCES);
	look("keys/key", EACCES);
	touch("new", EACCES);
	pid_t child = fork();
	if (child == 0) { /* roles can be started, and inherit it */
		look("keys/key", EACCES);
		execl("/proc/self/exe", "registrard", "--confined", folder, (char *)NULL);
		_exit(4);
	}
	int status = 1;
	_exit(waitpid(child, &status, 0) != child || status != 0);
}

static void make(const char *name, const char *content)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (content == NULL) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

static void main_opens_only_what_it_needs(void **state)
{
	static const char *const made[] = {"state/new", "state", "watched/artifact", "watched",
	                                   "keys/key",  "keys",  "config.yaml",      ""};
	struct error error;

	(void)state;
	if (!sandbox_landlock_available()) {
		assert_int_equal(sandbox_confine_files(NULL, 0, &error), ERR_UNAVAILABLE);
		skip();
	}
	strcpy(folder, "/tmp/sandbox-XXXXXX"); /* allowed: a constant */
	assert_non_null(mkdtemp(folder));
	make("state", NULL);
	make("watched", NULL);
	make("keys", NULL);
	make("watched/artifact", "a");
	make("keys/key", "secret");
	make("config.yaml", "x: y");
	assert_fine(confine);
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", folder, made[i]);
		assert_int_equal(remove(path), 0);
	}
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "--confined") == 0) {
		snprintf(folder, sizeof(folder), "%s", argv[2]);
		look("keys/key", EACCES);
		return 0;
	}
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(roles_can_do_their_work),
	        cmocka_unit_test(whatever_is_outside_the_profile_ends_the_process),
	        cmocka_unit_test(memory_is_limited),
	        cmocka_unit_test(dumps_can_be_forbidden),
	        cmocka_unit_test(main_opens_only_what_it_needs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
