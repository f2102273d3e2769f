#include "tests/unit/death.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int memory_file(void)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create failed");
	return fd;
}

static const char *content(struct arena *arena, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = arena_alloc(arena, (size_t)size + 1);

	if (pread(fd, text, (size_t)size, 0) != size)
		die("cannot read back stderr");
	return text;
}

void death_expect(void (*fn)(void *arg), void *arg, const char *text)
{
	struct arena arena = {0};
	int fd = memory_file(), status;

	fflush(NULL);
	pid_t child = fork();
	if (child < 0)
		die("fork failed");
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL);
		dup2(fd, STDERR_FILENO);
		fn(arg);
		_exit(0);
	}
	while (waitpid(child, &status, 0) != child)
		;
	const char *said = content(&arena, fd);
	close(fd);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || strstr(said, text) == NULL)
		fail_msg("expected an abort saying \"%s\", got status 0x%x saying \"%s\"", text,
		         status, said);
	arena_free(&arena);
}

const char *death_stderr(struct arena *arena, void (*fn)(void *arg), void *arg)
{
	int fd = memory_file();
	int saved = dup(STDERR_FILENO);

	dup2(fd, STDERR_FILENO);
	fn(arg);
	dup2(saved, STDERR_FILENO);
	close(saved);
	const char *text = content(arena, fd);
	close(fd);
	return text;
}
