#include "daemon/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the oldest headers we build with; the kernel's ABI version decides about its use. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE_ACCESS                                                                               \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                           \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                               \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |  \
	 LANDLOCK_ACCESS_FS_TRUNCATE)
/* The rights that a rule for a single file may name. */
#define FILE_ACCESS                                                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

struct landlock {
	int ruleset;
	uint64_t handled;
};

static uint64_t handled_by(long abi)
{
	uint64_t access = READ_ACCESS | WRITE_ACCESS;

	if (abi < 2)
		access &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		access &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
	return access;
}

struct landlock *landlock_new(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
	                   LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return NULL;
	struct landlock_ruleset_attr attr = {.handled_access_fs = handled_by(abi)};
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return NULL;
	struct landlock *landlock = xcalloc(1, sizeof(*landlock));
	*landlock = (struct landlock){.ruleset = ruleset, .handled = attr.handled_access_fs};
	return landlock;
}

void landlock_free(struct landlock *landlock)
{
	if (landlock == NULL)
		return;
	close(landlock->ruleset);
	free(landlock);
}

int landlock_allow(struct landlock *landlock, const char *path, bool writable, struct error *error)
{
	struct stat info;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
		               ? 0
		               : error_set_errno(error, "allowing %s for Landlock", path);
	int rc = 0;
	struct landlock_path_beneath_attr rule = {
	        .parent_fd = fd,
	        .allowed_access = READ_ACCESS | (writable ? WRITE_ACCESS : 0),
	};
	if (fstat(fd, &info) != 0)
		rc = -1;
	else if (!S_ISDIR(info.st_mode))
		rule.allowed_access &= FILE_ACCESS;
	rule.allowed_access &= landlock->handled;
	if (rc == 0)
		rc = (int)syscall(SYS_landlock_add_rule, landlock->ruleset,
		                  LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (rc != 0)
		rc = error_set_errno(error, "allowing %s for Landlock", path);
	close(fd);
	return rc;
}

int landlock_enforce(struct landlock *landlock, struct error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_landlock_restrict_self, landlock->ruleset, 0) != 0)
		return error_set_errno(error, "restricting file access with Landlock");
	return 0;
}
