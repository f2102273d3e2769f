#include "daemon/watch/find.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static enum found found_error(int error)
{
	errno = -error;
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EXDEV: /* a link out of the tree */
	case ENAMETOOLONG:
	case ENXIO:
		return FOUND_NONE;
	case EACCES:
	case EPERM:
		return FOUND_CLOSED;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* renames all the time, or a lease */
	case EINTR:
		return FOUND_BUSY;
	}
	return FOUND_TROUBLE;
}

static bool belongs_here(int root, int fd, const char *path, bool recursive)
{
	char real[PATH_MAX];

	return !beneath_real_path(root, fd, real, sizeof(real)) || strcmp(real, path) == 0 ||
	       !beneath_reaches(real, recursive);
}

enum found find_file(int root, const char *path, bool recursive, int *fd, struct file_id *id)
{
	struct stat st;
	int opened;
	bool here;

	*fd = -1;
	*id = (struct file_id){0};
	/* A first descriptor without access tells what it is, so that a device or a pipe is never
	 * opened. */
	opened = beneath_open(root, path, O_PATH);
	if (opened < 0)
		return found_error(opened);
	here = belongs_here(root, opened, path, recursive) && fstat(opened, &st) == 0;
	close(opened);
	if (!here)
		return FOUND_NONE;
	if (S_ISDIR(st.st_mode))
		return FOUND_FOLDER;
	if (!S_ISREG(st.st_mode))
		return FOUND_NONE;
	*id = file_id_of(&st);
	opened = beneath_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (opened < 0)
		return found_error(opened);
	if (fstat(opened, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(opened);
		return FOUND_NONE;
	}
	*fd = opened;
	*id = file_id_of(&st);
	return FOUND_FILE;
}
