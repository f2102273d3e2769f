/* Preloaded into the daemon by the crash test: kills its whole process group with SIGKILL right after the
 * DIE_AT_SYNC-th time that something was forced to the disk, which is what a commit does. */
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int left = -1;

static int synced(long rc)
{
	if (left < 0) {
		const char *at = getenv("DIE_AT_SYNC");
		left = at != NULL ? (int)strtol(at, NULL, 10) : 0;
	}
	if (left > 0 && --left == 0)
		kill(0, SIGKILL);
	return (int)rc;
}

int fdatasync(int fd)
{
	return synced(syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
	return synced(syscall(SYS_fsync, fd));
}
