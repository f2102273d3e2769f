/* Under valgrind /proc/self/exe is valgrind itself. Loaded before the C library, this gives the
 * daemon's roles the program that VALGRIND_SELF names instead; they run without valgrind. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int execve(const char *path, char *const argv[], char *const envp[])
{
	const char *self = getenv("VALGRIND_SELF");

	if (self != NULL && strcmp(path, "/proc/self/exe") == 0)
		path = self;
	return (int)syscall(SYS_execve, path, argv, envp);
}
