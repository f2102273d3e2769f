/* Preloaded into the daemon: whenever it waits for nobody's answer and nothing came for IDLE_MS of
 * real time, the time it waits for is there. All its clocks move by what was skipped, so two days
 * pass as fast as their events can be answered. The offset (milliseconds) stands in the file
 * IDLE_CLOCK; only main moves it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_MS = 40, MOST_FILES = 1024 };

static volatile int64_t *offset;
static char asked[MOST_FILES];
static int awaited;
static int is_role; /* a child with --role: it follows */
static int (*machine_clock)(clockid_t id, struct timespec *now);
static int (*machine_wait)(int epoll, struct epoll_event *events, int max, int timeout);

static int has_role(void)
{
	char line[4096] = "";
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, line, sizeof(line) - 1);

	close(fd);
	for (char *arg = line; len > 0 && arg < line + len; arg += strlen(arg) + 1)
		if (strncmp(arg, "--role", strlen("--role")) == 0)
			return 1;
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("IDLE_CLOCK");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	size_t size = sizeof(*offset);
	int how = PROT_READ | PROT_WRITE;
	void *page = mmap(NULL, size, how, MAP_SHARED, fd, 0); /* allowed: a bench's own */

	if (page == MAP_FAILED)
		abort();
	close(fd);
	offset = page;
	is_role = has_role();
	*(void **)&machine_wait = dlsym(RTLD_NEXT, "epoll_wait");
}

int clock_gettime(clockid_t id, struct timespec *now) /* allowed: this is it */
{
	/* Others may ask before our constructor ran. */
	if (machine_clock == NULL)
		*(void **)&machine_clock = dlsym(RTLD_NEXT, "clock_gettime");
	int64_t skipped = offset != NULL ? *offset : 0;
	int rc = machine_clock(id, now);
	int64_t nanoseconds = now->tv_nsec + skipped % 1000 * 1000000;

	if (rc == 0 && id != CLOCK_PROCESS_CPUTIME_ID && id != CLOCK_THREAD_CPUTIME_ID) {
		now->tv_sec += skipped / 1000 + nanoseconds / 1000000000;
		now->tv_nsec = nanoseconds % 1000000000;
	}
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

/* --- whose answer is awaited: what was written to, and not read from since
 * ------------------------
 */

static void *next_of(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void note(int fd, ssize_t done, char is_asked)
{
	if (fd < 0 || fd >= MOST_FILES || done <= 0 || asked[fd] == is_asked)
		return;
	asked[fd] = is_asked;
	awaited += is_asked ? 1 : -1;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	ssize_t (*machine)(int, const void *, size_t, int);

	*(void **)&machine = next_of("send");
	ssize_t done = machine(fd, data, len, flags);
	note(fd, done, 1);
	return done;
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
	ssize_t (*machine)(int, void *, size_t, int);

	*(void **)&machine = next_of("recv");
	ssize_t done = machine(fd, data, len, flags);
	note(fd, done, 0);
	return done;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*machine)(int, const struct msghdr *, int);

	*(void **)&machine = next_of("sendmsg");
	ssize_t done = machine(fd, message, flags);
	note(fd, done, 1);
	return done;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t (*machine)(int, struct msghdr *, int);

	*(void **)&machine = next_of("recvmsg");
	ssize_t done = machine(fd, message, flags);
	note(fd, done, 0);
	return done;
}

int close(int fd)
{
	int (*machine)(int);

	*(void **)&machine = next_of("close");
	note(fd, 1, 0);
	return machine(fd);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
	if (is_role || awaited > 0 || (timeout >= 0 && timeout <= IDLE_MS))
		return machine_wait(epoll, events, max, timeout);
	int count = machine_wait(epoll, events, max, IDLE_MS);
	if (count != 0 || timeout < 0)
		return count != 0 ? count : machine_wait(epoll, events, max, timeout);
	*offset += timeout - IDLE_MS;
	return 0;
}
