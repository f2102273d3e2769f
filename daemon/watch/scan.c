#include "daemon/watch/scan.h"

#include "common/base/log.h"
#include "daemon/watch/unreadable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/* Bounds what a tree gone wild can cost us; opening a folder costs as much as this many entries. */
enum { FOLDERS_MAX = 1 << 17, OPEN_COST = 4 };

struct node {
	struct scan_folder folder; /* first: what the owner sees */
	uint64_t device, inode;
	uint64_t round; /* the walk that came through it last */
	TAILQ_ENTRY(node) link;
};
TAILQ_HEAD(node_list, node);

/* A folder still to be read, in the walk number round. */
struct pending {
	char *path;
	uint64_t round;
	STAILQ_ENTRY(pending) link;
};
STAILQ_HEAD(pending_list, pending);

struct scan {
	char *context;
	bool recursive;
	const struct scan_owner *owner;
	void *arg;
	void *by_identity, *by_watch;
	struct node_list nodes;
	size_t count;
	struct pending_list pendings;
	uint64_t round;
	uint64_t whole;    /* the round that walks everything, 0: none under way */
	size_t whole_left; /* its folders still to be read */
	bool again;        /* another one was asked for meanwhile */
	bool told_limit;
	struct unreadable *unreadable; /* folders */
	DIR *dir;                      /* being read */
	struct node *node;             /* the same */
	uint64_t dir_round;
};

static int number_compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int identity_compare(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int order = number_compare(x->device, y->device);

	return order != 0 ? order : number_compare(x->inode, y->inode);
}

static int watch_compare(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return x->folder.watch < y->folder.watch ? -1 : x->folder.watch > y->folder.watch;
}

struct scan *scan_new(const char *context, bool recursive, const struct scan_owner *owner,
                      void *arg)
{
	struct scan *scan = xcalloc(1, sizeof(*scan));

	scan->context = xstrdup(context);
	scan->recursive = recursive;
	scan->owner = owner;
	scan->arg = arg;
	scan->unreadable = unreadable_new();
	TAILQ_INIT(&scan->nodes);
	STAILQ_INIT(&scan->pendings);
	return scan;
}

static void close_dir(struct scan *scan)
{
	if (scan->dir != NULL)
		closedir(scan->dir);
	scan->dir = NULL;
	scan->node = NULL;
}

static void node_drop(struct scan *scan, struct node *node)
{
	scan->owner->dropped(&node->folder, scan->arg);
	if (node->folder.watch >= 0)
		tdelete(node, &scan->by_watch, watch_compare);
	if (scan->node == node)
		close_dir(scan);
	tdelete(node, &scan->by_identity, identity_compare);
	TAILQ_REMOVE(&scan->nodes, node, link);
	scan->count--;
	free(node->folder.path);
	free(node);
}

static void pending_free(struct pending *pending)
{
	free(pending->path);
	free(pending);
}

void scan_free(struct scan *scan)
{
	struct pending *pending;

	if (scan == NULL)
		return;
	close_dir(scan);
	while (!TAILQ_EMPTY(&scan->nodes))
		node_drop(scan, TAILQ_FIRST(&scan->nodes));
	while ((pending = STAILQ_FIRST(&scan->pendings)) != NULL) {
		STAILQ_REMOVE_HEAD(&scan->pendings, link);
		pending_free(pending);
	}
	unreadable_free(scan->unreadable);
	free(scan->context);
	free(scan);
}

static void todo_push(struct scan *scan, const char *path, uint64_t round)
{
	struct pending *pending = xcalloc(1, sizeof(*pending));

	pending->path = xstrdup(path);
	pending->round = round;
	STAILQ_INSERT_TAIL(&scan->pendings, pending, link);
	scan->whole_left += round == scan->whole;
}

void scan_all(struct scan *scan)
{
	if (scan->whole != 0) {
		scan->again = true;
		return;
	}
	scan->whole = ++scan->round;
	scan->whole_left = 0;
	todo_push(scan, "", scan->whole);
}

void scan_add(struct scan *scan, const char *path)
{
	todo_push(scan, path, ++scan->round);
}

/* Whether the folder still lies where the node says; if so, where we came from is a second way to
 * it (a bind mount, a link). */
static bool node_stands(const struct node *node, int root)
{
	int fd = beneath_open(root, node->folder.path, O_PATH);
	struct stat st;
	bool stands;

	if (fd < 0)
		return false;
	stands = fstat(fd, &st) == 0 && st.st_dev == node->device && st.st_ino == node->inode;
	close(fd);
	return stands;
}

static unsigned depth_of(const char *path)
{
	unsigned depth = *path != '\0';

	for (; *path != '\0'; path++)
		depth += *path == '/';
	return depth;
}

static void tell_limit(struct scan *scan, const char *path, const char *limit)
{
	if (!scan->told_limit)
		log_unusual(scan->context, "%s and perhaps more is not looked into: %s", path,
		            limit);
	scan->told_limit = true;
}

/* The node of the folder fd is open on, or NULL when this walk has been there. */
static struct node *node_visit(struct scan *scan, int root, int fd, const struct pending *pending)
{
	struct node key = {.folder.watch = -1}, *node;
	struct stat st;
	void *at;

	if (fstat(fd, &st) != 0)
		return NULL;
	key.device = st.st_dev;
	key.inode = st.st_ino;
	at = tfind(&key, &scan->by_identity, identity_compare);
	if (at != NULL) {
		node = *(struct node **)at;
		if (node->round == pending->round)
			return NULL;
		if (strcmp(node->folder.path, pending->path) != 0) {
			if (node_stands(node, root))
				return NULL;
			free(node->folder.path);
			node->folder.path = xstrdup(pending->path);
		}
	} else {
		if (scan->count >= FOLDERS_MAX) {
			tell_limit(scan, pending->path, "too many folders");
			return NULL;
		}
		node = xcalloc(1, sizeof(*node));
		*node = key;
		node->folder.path = xstrdup(pending->path);
		if (tsearch(node, &scan->by_identity, identity_compare) == NULL)
			die("out of memory");
		TAILQ_INSERT_TAIL(&scan->nodes, node, link);
		scan->count++;
	}
	node->round = pending->round;
	return node;
}

/* Once: a walk may come by every few seconds. */
static void tell_unreadable(struct scan *scan, const char *path, int problem)
{
	const struct file_id any = {0};

	/* Gone again, replaced, or a link out of the tree: nothing to say. */
	if (problem == ENOENT || problem == ENOTDIR || problem == EXDEV || problem == ELOOP ||
	    unreadable_has(scan->unreadable, path, &any))
		return;
	unreadable_add(scan->unreadable, path, &any);
	log_unusual(scan->context, "%s cannot be read: %s", *path != '\0' ? path : "it",
	            strerror(problem));
}

static void dir_open(struct scan *scan, int root, const struct pending *pending)
{
	int fd = beneath_open(root, pending->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);

	if (fd < 0) {
		tell_unreadable(scan, pending->path, -fd);
		return;
	}
	scan->node = node_visit(scan, root, fd, pending);
	if (scan->node == NULL) {
		close(fd);
		return;
	}
	scan->node->folder.has_links = false;
	scan->owner->folder(fd, &scan->node->folder, scan->arg);
	scan->dir_round = pending->round;
	scan->dir = fdopendir(fd);
	if (scan->dir == NULL)
		die("fdopendir: %s", strerror(errno));
}

/* Follows a link for as long as it stays inside; what the walk reaches by itself is left to it. */
static void visit_link(struct scan *scan, int root, const char *path)
{
	char real[PATH_MAX];
	struct stat st;
	int fd = beneath_open(root, path, O_PATH);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && !(beneath_real_path(root, fd, real, sizeof(real)) &&
	                             beneath_reaches(real, scan->recursive))) {
		if (S_ISREG(st.st_mode)) {
			struct file_id id = file_id_of(&st);

			scan->owner->file(path, &id, scan->arg);
		} else if (S_ISDIR(st.st_mode) && scan->recursive) {
			todo_push(scan, path, scan->dir_round);
		}
	}
	close(fd);
}

static void visit(struct scan *scan, int root, const struct dirent *found)
{
	const char *folder = scan->node->folder.path, *name = found->d_name;
	struct stat st;
	struct file_id id;
	char *path;

	if (beneath_skips(name) || fstatat(dirfd(scan->dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	path = *folder != '\0' ? xasprintf("%s/%s", folder, name) : xstrdup(name);
	if (S_ISREG(st.st_mode)) {
		id = file_id_of(&st);
		scan->owner->file(path, &id, scan->arg);
	} else if (S_ISLNK(st.st_mode)) {
		scan->node->folder.has_links = true;
		visit_link(scan, root, path);
	} else if (S_ISDIR(st.st_mode) && scan->recursive) {
		if (depth_of(path) > BENEATH_DEPTH_MAX)
			tell_limit(scan, path, "too deep");
		else
			todo_push(scan, path, scan->dir_round);
	}
	free(path);
}

/* What the walk over everything did not come through is not there any more. */
static void whole_finished(struct scan *scan)
{
	struct node *node, *next;

	for (node = TAILQ_FIRST(&scan->nodes); node != NULL; node = next) {
		next = TAILQ_NEXT(node, link);
		if (node->round < scan->whole)
			node_drop(scan, node);
	}
	scan->whole = 0;
	if (scan->again) {
		scan->again = false;
		scan_all(scan);
	} else {
		scan->owner->finished(scan->arg);
	}
}

bool scan_step(struct scan *scan, int root, unsigned budget)
{
	struct pending *pending;

	while (budget > 0) {
		const struct dirent *found;

		if (scan->dir != NULL) {
			found = readdir(scan->dir);
			if (found != NULL)
				visit(scan, root, found);
			else
				close_dir(scan);
			budget--;
			continue;
		}
		if (scan->whole != 0 && scan->whole_left == 0)
			whole_finished(scan);
		pending = STAILQ_FIRST(&scan->pendings);
		if (pending == NULL)
			return false;
		STAILQ_REMOVE_HEAD(&scan->pendings, link);
		scan->whole_left -= pending->round == scan->whole;
		dir_open(scan, root, pending);
		pending_free(pending);
		budget -= budget < OPEN_COST ? budget : OPEN_COST;
	}
	return true;
}

static bool lies_beneath(const char *path, const char *above)
{
	size_t len = strlen(above);

	return len == 0 ||
	       (strncmp(path, above, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

void scan_drop(struct scan *scan, const char *path)
{
	struct node *node, *next;

	for (node = TAILQ_FIRST(&scan->nodes); node != NULL; node = next) {
		next = TAILQ_NEXT(node, link);
		if (lies_beneath(node->folder.path, path))
			node_drop(scan, node);
	}
}

void scan_forget(struct scan *scan, struct scan_folder *folder)
{
	scan_set_watch(scan, folder, -1);
	node_drop(scan, (struct node *)folder);
}

struct scan_folder *scan_watched(struct scan *scan, int watch)
{
	struct node key = {.folder.watch = watch};
	void *at = tfind(&key, &scan->by_watch, watch_compare);

	return at != NULL ? &(*(struct node **)at)->folder : NULL;
}

void scan_set_watch(struct scan *scan, struct scan_folder *folder, int watch)
{
	struct scan_folder *other = watch >= 0 ? scan_watched(scan, watch) : NULL;

	if (other == folder)
		return;
	if (other != NULL)
		scan_set_watch(scan, other, -1);
	if (folder->watch >= 0)
		tdelete(folder, &scan->by_watch, watch_compare);
	folder->watch = watch;
	if (watch >= 0 && tsearch(folder, &scan->by_watch, watch_compare) == NULL)
		die("out of memory");
}

size_t scan_count(const struct scan *scan)
{
	return scan->count;
}
