/* Preloaded into the daemon and its roles: their wall clock is the machine's plus the seconds (an
 * int64_t) that stand in the file WALL_CLOCK_OFFSET. It is mapped before any sandbox closes, so
 * whoever writes to it moves the clock of processes that may not open a file any more. Monotonic
 * time is left alone. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none;
static const volatile int64_t *offset = &none;
static int (*machine)(clockid_t id, struct timespec *now);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("WALL_CLOCK_OFFSET");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	size_t size = sizeof(*offset);
	void *page = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0); /* allowed: a test's own */

	if (page == MAP_FAILED)
		abort(); /* a test that believes to have moved a clock must not go on */
	close(fd);
	offset = page;
}

int clock_gettime(clockid_t id, struct timespec *now) /* allowed: this is it */
{
	if (machine == NULL)
		*(void **)&machine = dlsym(RTLD_NEXT, "clock_gettime");
	int rc = machine(id, now);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		now->tv_sec += *offset;
	return rc;
}

int gettimeofday(struct timeval *now, void *zone) /* allowed: this is it */
{
	struct timespec at;
	int rc = clock_gettime(CLOCK_REALTIME, &at); /* allowed: the one above */

	(void)zone;
	*now = (struct timeval){at.tv_sec, at.tv_nsec / 1000};
	return rc;
}

time_t time(time_t *out) /* allowed: this is it */
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at); /* allowed: the one above */
	if (out != NULL)
		*out = at.tv_sec;
	return at.tv_sec;
}
