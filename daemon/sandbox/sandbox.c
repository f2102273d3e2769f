#include "daemon/sandbox/sandbox.h"

#include "daemon/io/role.h"
#include "daemon/sandbox/landlock.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
        __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
	MEBIBYTE = 1024 * 1024,
	MEASURER_DATA = 192 * MEBIBYTE,
	MEASURER_CPU_SECONDS = 900, /* the pool replaces a worker long before */
	SIGNER_DATA = 128 * MEBIBYTE,
	ROLE_DESCRIPTORS = 80, /* ROLE_SOCKET, what it inherited, and one in hand */
};

/* --- system calls ------------------------------------------------------------------------------
 */

/* What any of our roles needs to compute, answer and end. Calls with conditions follow below. */
static const int common_calls[] = {
        SCMP_SYS(recvmsg),       SCMP_SYS(sendmsg),      SCMP_SYS(close),
        SCMP_SYS(futex),         SCMP_SYS(munmap),       SCMP_SYS(madvise),
        SCMP_SYS(mremap),        SCMP_SYS(brk),          SCMP_SYS(exit),
        SCMP_SYS(exit_group),    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(getpid),        SCMP_SYS(gettid),       SCMP_SYS(restart_syscall),
        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(sched_yield),
        SCMP_SYS(getrusage),     SCMP_SYS(getrandom),    SCMP_SYS(set_robust_list),
        SCMP_SYS(rseq),
};
static const int measurer_calls[] = {SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(lseek)};
static const int signer_calls[] = {SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(poll),
                                   SCMP_SYS(ppoll)};
/* What even a sanitized build gives up. */
static const int never_calls[] = {SCMP_SYS(execve),  SCMP_SYS(execveat), SCMP_SYS(socket),
                                  SCMP_SYS(connect), SCMP_SYS(bind),     SCMP_SYS(listen)};

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int rc = seccomp_rule_add(filter, action, calls[i], 0);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Memory may be mapped without a file behind it and never executable; a process may signal itself
 * (abort); of the inherited descriptors only stderr may be written to. */
static int add_conditional_calls(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
	                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
	                          SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		                      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		                      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
		                      SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0));
	return rc;
}

static int add_profile(scmp_filter_ctx filter, enum sandbox_profile profile)
{
	if (SANITIZED)
		return add_calls(filter, SCMP_ACT_KILL_PROCESS, never_calls,
		                 ARRAY_LEN(never_calls));
	int rc = add_calls(filter, SCMP_ACT_ALLOW, common_calls, ARRAY_LEN(common_calls));
	if (rc == 0)
		rc = add_conditional_calls(filter);
	if (rc != 0)
		return rc;
	switch (profile) {
	case SANDBOX_MEASURER:
		return add_calls(filter, SCMP_ACT_ALLOW, measurer_calls, ARRAY_LEN(measurer_calls));
	case SANDBOX_SIGNER:
		return add_calls(filter, SCMP_ACT_ALLOW, signer_calls, ARRAY_LEN(signer_calls));
	}
	return -EINVAL;
}

static int filter_calls(enum sandbox_profile profile, struct error *error)
{
	scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);

	if (filter == NULL)
		return error_set(error, ERR_IO, "seccomp is not available");
	/* TSYNC: the threads that were started before lose the same rights. */
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = add_profile(filter, profile);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc != 0) {
		errno = -rc;
		return error_set_errno(error, "loading the system call filter");
	}
	return 0;
}

/* --- limits ------------------------------------------------------------------------------------
 */

/* The hard limit on CPU time lies above the soft one: SIGXCPU tells what happened, SIGKILL not. */
enum { CPU_GRACE_SECONDS = 5 };

static int limit(int resource, rlim_t value, struct error *error)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
		return error_set_errno(error, "reading resource limit %d", resource);
	if (now.rlim_max < value)
		value = now.rlim_max;
	rlim_t hard = resource == RLIMIT_CPU ? value + CPU_GRACE_SECONDS : value;
	now.rlim_max = now.rlim_max < hard ? now.rlim_max : hard;
	now.rlim_cur = value;
	if (setrlimit((__rlimit_resource_t)resource, &now) != 0)
		return error_set_errno(error, "setting resource limit %d", resource);
	return 0;
}

/* A log that goes to a plain file must stay writable; pipes and the journal are not limited. */
static bool stderr_is_file(void)
{
	struct stat info;
	return fstat(STDERR_FILENO, &info) == 0 && S_ISREG(info.st_mode);
}

static int set_limits(enum sandbox_profile profile, struct error *error)
{
	int rc = limit(RLIMIT_CORE, 0, error);

	if (rc == 0)
		rc = limit(RLIMIT_NOFILE, ROLE_DESCRIPTORS, error);
	if (rc == 0 && !stderr_is_file())
		rc = limit(RLIMIT_FSIZE, 0, error);
	if (rc != 0 || SANITIZED)
		return rc;
	rc = limit(RLIMIT_NPROC, 0, error);
	if (rc != 0)
		return rc;
	switch (profile) {
	case SANDBOX_MEASURER:
		rc = limit(RLIMIT_DATA, MEASURER_DATA, error);
		return rc != 0 ? rc : limit(RLIMIT_CPU, MEASURER_CPU_SECONDS, error);
	case SANDBOX_SIGNER: /* lives for months: no limit on CPU time */
		return limit(RLIMIT_DATA, SIGNER_DATA, error);
	}
	return 0;
}

void sandbox_forbid_dumps(void)
{
	static const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		die("core dumps cannot be switched off");
}

int sandbox_enter(enum sandbox_profile profile, struct error *error)
{
	int rc = set_limits(profile, error);

	if (rc != 0)
		return rc;
	/* No rule at all: nothing can be opened even if the filter had a hole. */
	struct landlock *landlock = landlock_new();
	if (landlock != NULL && !SANITIZED)
		rc = landlock_enforce(landlock, error);
	landlock_free(landlock);
	return rc != 0 ? rc : filter_calls(profile, error);
}

/* --- main's files ------------------------------------------------------------------------------
 */

bool sandbox_landlock_available(void)
{
	struct landlock *landlock = landlock_new();
	bool available = landlock != NULL;

	landlock_free(landlock);
	return available;
}

int sandbox_confine_files(const struct sandbox_path *paths, size_t count, struct error *error)
{
	/* Not all of /etc and /run: keys and credentials live there. */
	static const struct sandbox_path basics[] = {

	        {"/usr", false},
	        {"/lib", false},
	        {"/lib64", false},
	        {"/etc/ld.so.cache", false},
	        {"/etc/ssl", false},
	        {"/etc/ca-certificates", false},
	        {"/etc/pki", false},
	        {"/etc/resolv.conf", false},
	        {"/etc/hosts", false},
	        {"/etc/host.conf", false},
	        {"/etc/nsswitch.conf", false},
	        {"/etc/gai.conf", false},
	        {"/etc/services", false},
	        {"/etc/localtime", false},
	        {"/etc/passwd", false},
	        {"/run/systemd/resolve", false},
	        {"/proc", false},
	        {"/sys/devices/system/cpu", false},
	        {"/dev/null", true},
	        {"/dev/urandom", false},
	        {"/dev/random", false},
	};
	char program[ROLE_PROGRAM_SIZE];
	struct landlock *landlock = landlock_new();

	if (landlock == NULL)
		return error_set(error, ERR_UNAVAILABLE, "this kernel has no Landlock");
	int rc = landlock_allow(landlock, role_program(program), false, error);
	for (size_t i = 0; i < ARRAY_LEN(basics) && rc == 0; i++)
		rc = landlock_allow(landlock, basics[i].path, basics[i].writable, error);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = landlock_allow(landlock, paths[i].path, paths[i].writable, error);
	if (rc == 0)
		rc = landlock_enforce(landlock, error);
	landlock_free(landlock);
	return rc;
}
