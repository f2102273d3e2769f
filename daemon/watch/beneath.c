#include "daemon/watch/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LINKS_MAX = 40, RACE_TRIES = 8 };

struct file_id file_id_of(const struct stat *st)
{
	return (struct file_id){
	        .device = st->st_dev,
	        .inode = st->st_ino,
	        .size = (uint64_t)st->st_size,
	        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

int beneath_open(int root, const char *path, int flags)
{
	struct open_how how = {
	        .flags = (unsigned)(flags | O_CLOEXEC),
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	if (*path == '\0')
		path = ".";
	for (int tries = 0; tries < RACE_TRIES; tries++) {
		long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		/* EPERM is also what container filters say that do not know the call. */
		if (errno == ENOSYS || errno == EPERM)
			return beneath_open_walk(root, path, flags);
		/* EAGAIN: something was renamed meanwhile, so the kernel could not be sure. */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

/* Where beneath_open_walk stands: the folders from the root down to here, and what is still to go.
 */
struct walk {
	int folders[BENEATH_DEPTH_MAX * 2];
	unsigned depth;
	unsigned links;
	char path[PATH_MAX];
	size_t at; /* of what is still to go */
};

static int walk_here(const struct walk *walk, int root)
{
	return walk->depth > 0 ? walk->folders[walk->depth - 1] : root;
}

/* Puts a link's target in front of what is still to go. */
static int walk_link(struct walk *walk, int link)
{
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
	int written;

	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (target[0] == '/')
		return -EXDEV;
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	written = snprintf(joined, sizeof(joined), "%s/%s", target, walk->path + walk->at);
	if (written < 0 || (size_t)written >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(walk->path, joined, (size_t)written + 1);
	walk->at = 0;
	return 0;
}

/* Goes one component further. 1: *fd is the result; 0: go on; else -errno. */
static int walk_step(struct walk *walk, int root, int flags, int *fd)
{
	char name[NAME_MAX + 1];
	const char *rest = walk->path + walk->at;
	size_t skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
	const char *behind = rest + skip + len;
	bool last = behind[strspn(behind, "/")] == '\0';
	struct stat st;
	int here = walk_here(walk, root), next, status = 0;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, rest + skip, len);
	name[len] = '\0';
	walk->at += skip + len;
	if (strcmp(name, "..") == 0) {
		if (walk->depth == 0)
			return -EXDEV;
		close(walk->folders[--walk->depth]);
		here = walk_here(walk, root);
	}
	if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		*fd = last ? openat(here, ".", flags | O_CLOEXEC) : -1;
		return !last ? 0 : *fd < 0 ? -errno : 1;
	}
	next = openat(here, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return -errno;
	if (fstat(next, &st) != 0) {
		status = -errno;
	} else if (S_ISLNK(st.st_mode)) {
		status = walk_link(walk, next);
	} else if (last) {
		*fd = openat(here, name, flags | O_NOFOLLOW | O_CLOEXEC);
		status = *fd < 0 ? -errno : 1;
	} else if (!S_ISDIR(st.st_mode)) {
		status = -ENOTDIR;
	} else if (walk->depth == ARRAY_LEN(walk->folders)) {
		status = -ENAMETOOLONG;
	} else {
		walk->folders[walk->depth++] = next;
		return 0;
	}
	close(next);
	return status;
}

int beneath_open_walk(int root, const char *path, int flags)
{
	struct walk walk = {0};
	int fd = -1, status;

	if (strlen(path) >= sizeof(walk.path))
		return -ENAMETOOLONG;
	if (path[0] == '/')
		return -EXDEV;
	memcpy(walk.path, path, strlen(path) + 1);
	do {
		status = walk_step(&walk, root, flags, &fd);
	} while (status == 0);
	while (walk.depth > 0)
		close(walk.folders[--walk.depth]);
	return status < 0 ? status : fd;
}

static bool fd_path(int fd, char out[PATH_MAX])
{
	char link[64];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, out, PATH_MAX - 1);
	if (len <= 0)
		return false;
	out[len] = '\0';
	return true;
}

bool beneath_real_path(int root, int fd, char *out, size_t size)
{
	char above[PATH_MAX], real[PATH_MAX];
	const char *beneath;
	size_t len;

	out[0] = '\0';
	if (!fd_path(root, above) || !fd_path(fd, real))
		return false;
	len = strcmp(above, "/") == 0 ? 0 : strlen(above);
	if (strncmp(real, above, len) != 0 || (real[len] != '/' && real[len] != '\0'))
		return false;
	beneath = real[len] == '/' ? real + len + 1 : "";
	if (strlen(beneath) >= size)
		return false;
	memcpy(out, beneath, strlen(beneath) + 1);
	return true;
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), tail = strlen(end);

	return len >= tail && strcmp(name + len - tail, end) == 0;
}

bool beneath_skips(const char *name)
{
	/* rsync's temporary names begin with a dot. */
	static const char *const ends[] = {"~",    ".tmp", ".temp",     ".part",      ".partial",
	                                   ".swp", ".swx", ".filepart", ".crdownload"};

	if (name[0] == '.' || name[0] == '#')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (ends_with(name, ends[i]))
			return true;
	}
	return false;
}

bool beneath_reaches(const char *path, bool recursive)
{
	char name[NAME_MAX + 1];
	unsigned depth = 0;

	while (*path != '\0') {
		size_t len = strcspn(path, "/");

		if (len == 0 || len > NAME_MAX)
			return false;
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		if (beneath_skips(name) ||
		    (*path == '/' && (!recursive || ++depth > BENEATH_DEPTH_MAX)))
			return false;
		path += *path == '/';
	}
	return true;
}

const char *beneath_blind_fs(long fs_type)
{
	/* statfs(2) and linux/magic.h; those that this header lacks on older systems as well. An
	 * overlay's lower folders can belong to another host or container. */
	static const struct {
		unsigned long type;
		const char *name;
	} blind[] = {
	        {0x6969, "nfs"},        {0x517b, "smb"},         {0xff534d42, "cifs"},
	        {0xfe534d42, "smb2"},   {0x65735546, "fuse"},    {0x01021997, "9p"},
	        {0x00c36400, "ceph"},   {0x794c7630, "overlay"}, {0x5346414f, "afs"},
	        {0x6b414653, "afs"},    {0x73757245, "coda"},    {0x564c, "ncp"},
	        {0x7461636f, "ocfs2"},  {0x01161970, "gfs2"},    {0x0bd00bd0, "lustre"},
	        {0x47504653, "gpfs"},   {0xaad7aaea, "panfs"},   {0x786f4256, "vboxsf"},
	        {0xbacbacbc, "vmhgfs"}, {0x7c7c6673, "prlfs"},   {0x20030528, "orangefs"},
	        {0x19830326, "beegfs"},
	};

	for (size_t i = 0; i < ARRAY_LEN(blind); i++) {
		if (blind[i].type == ((unsigned long)fs_type & 0xffffffff))
			return blind[i].name;
	}
	return NULL;
}
