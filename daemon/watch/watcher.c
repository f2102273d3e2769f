#include "daemon/watch/watcher.h"

#include "common/base/log.h"
#include "daemon/watch/find.h"
#include "daemon/watch/scan.h"
#include "daemon/watch/settle.h"
#include "daemon/watch/unreadable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	OFTEN_MS = 10 * 1000,
	RARELY_MS = 15 * 60 * 1000,
	ABSENT_FIRST_MS = 200, /* how soon a missing folder is looked for, doubled up to the last */
	ABSENT_LAST_MS = 5000,
	BUSY_MS = 1000, /* no descriptors left, someone holds a lease: a little later */
	TROUBLE_MS =
	        10 * 1000, /* a file cannot be read and a change of it would not tell when it can */
	LIMIT_DEFAULT = 65536,
	SLICE = 512, /* entries per pass of the loop */
	READS_PER_PASS = 16,
};

#define EVENTS                                                                                     \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_MODIFY | IN_ATTRIB | IN_CREATE |        \
	 IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

enum mode { ABSENT, INOTIFY, RESCAN };

struct watcher {
	struct loop *loop;
	char *path; /* without a slash at its end; "" is / */
	char *context;
	bool recursive;
	int64_t rescan_ms;
	size_t limit;
	const struct watcher_owner *owner;
	void *arg;
	struct watcher_kernel kernel;

	enum mode mode;
	const char *why; /* RESCAN: what inotify cannot see, or NULL */
	uint64_t device, inode;
	int64_t absent_ms;
	int inotify; /* -1: none */
	struct loop_io *io;
	struct scan *scan;
	struct settle *settle;
	const char *blind; /* found in the walk under way */
	bool overfull;     /* files were left out: walk again soon */
	bool retry;        /* no descriptor left for the root: take again soon */
	void *unreadable;  /* by path */

	struct loop_timer *settled; /* something settles */
	struct loop_timer *step;    /* the walk goes on */
	struct loop_timer *rescan;  /* the next walk; while absent: the next look */

	int64_t walks, overflows;
};

static void attach(struct watcher *w);
static void process(struct watcher *w, const char *events, size_t len);

/* --- what is not there -------------------------------------------------------------------- */

static void detach(struct watcher *w)
{
	loop_io_free(w->io);
	w->io = NULL;
	scan_free(w->scan);
	w->scan = NULL;
	if (w->inotify >= 0)
		close(w->inotify);
	w->inotify = -1;
	loop_timer_cancel(w->step);
	w->mode = ABSENT;
	w->why = NULL;
}

/* The folder is not what we watched any more. What is pending stays so: when the folder is back,
 * it is either there or gone. The timer attaches again, never we ourselves: the caller may stand in
 * the middle of what detach frees. */
static void lost(struct watcher *w, const char *why)
{
	log_unusual(w->context, "the watched folder %s; waiting for it", why);
	detach(w);
	w->absent_ms = ABSENT_FIRST_MS;
	loop_timer_set(w->rescan, 0);
}

static int open_root(const struct watcher *w)
{
	return open(*w->path != '\0' ? w->path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The root, if it still is the folder we watch. It is opened anew each time: an open descriptor
 * would keep a deleted folder, or a mount, from going away. */
static int same_root(struct watcher *w)
{
	struct stat st;
	int root;

	if (w->mode == ABSENT)
		return -1;
	root = open_root(w);
	if (root < 0) {
		/* No descriptors left says nothing about the folder. */
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM)
			lost(w, errno == ENOENT ? "went away" : strerror(errno));
		return -1;
	}
	if (fstat(root, &st) == 0 && st.st_dev == w->device && st.st_ino == w->inode)
		return root;
	close(root);
	lost(w, "was replaced");
	return -1;
}

/* --- inotify, and where it is blind ---------------------------------------------------------- */

static void see_by_walking(struct watcher *w, const char *why)
{
	char every[WALL_TEXT_SIZE];

	w->blind = why;
	if (w->mode == RESCAN)
		return;
	w->mode = RESCAN;
	w->why = why;
	log_unusual(w->context, "%s: looking through the folder every %s instead", why,
	            duration_text(every, w->rescan_ms > 0 ? w->rescan_ms : OFTEN_MS));
}

static void watch_folder(int fd, struct scan_folder *folder, void *arg)
{
	struct watcher *w = arg;
	const char *fs = beneath_blind_fs(w->kernel.fs_type(fd));
	char link[64];
	int watch;

	if (fs != NULL)
		see_by_walking(w, fs);
	if (w->inotify < 0) {
		see_by_walking(w, "no inotify instance (fs.inotify.max_user_instances)");
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	watch = w->kernel.add_watch(w->inotify, link, EVENTS);
	if (watch >= 0)
		scan_set_watch(w->scan, folder, watch);
	else
		see_by_walking(w, errno == ENOSPC ? "inotify watch limit reached "
		                                    "(fs.inotify.max_user_watches)"
		                                  : "inotify refuses a folder");
}

static void folder_dropped(struct scan_folder *folder, void *arg)
{
	struct watcher *w = arg;

	/* Fails when the folder is deleted: then the kernel removed the watch itself. */
	if (folder->watch >= 0 && w->inotify >= 0)
		(void)inotify_rm_watch(w->inotify, folder->watch);
}

static long fs_type_of(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 ? (long)fs.f_type : -1;
}

static void start_inotify(struct watcher *w);

/* --- walking -----------------------------------------------------------------------------------
 */

static void left_out(struct watcher *w)
{
	if (w->overfull)
		return;
	log_unusual(w->context, "more than %zu files wait: the rest is picked up by a later walk",
	            w->limit);
	w->overfull = true;
	loop_timer_set(w->rescan, OFTEN_MS);
}

static void touch(struct watcher *w, const char *path, const struct file_id *seen, int64_t later_ms)
{
	if (settle_touch(w->settle, path, seen, later_ms, loop_now(w->loop)))
		return;
	left_out(w);
}

static void file_found(const char *path, const struct file_id *id, void *arg)
{
	struct watcher *w = arg;

	if (unreadable_has(w->unreadable, path, id) || w->owner->known(path, id, w->arg))
		return;
	if (!settle_notice(w->settle, path, id, loop_now(w->loop)))
		left_out(w);
}

static int64_t interval(const struct watcher *w)
{
	if (w->overfull)
		return OFTEN_MS;
	if (w->rescan_ms > 0)
		return w->rescan_ms;
	return w->mode == RESCAN ? OFTEN_MS : RARELY_MS;
}

static void walk_finished(void *arg)
{
	struct watcher *w = arg;

	w->walks++;
	if (w->blind == NULL && w->mode == RESCAN) {
		log_info(w->context, "inotify sees everything again");
		w->mode = INOTIFY;
	}
	w->why = w->blind;
	loop_timer_set(w->rescan, interval(w));
	w->owner->walked(w->arg);
}

static const struct scan_owner scan_owner = {
        .folder = watch_folder,
        .file = file_found,
        .finished = walk_finished,
        .dropped = folder_dropped,
};

static void walk_on(void *arg)
{
	struct watcher *w = arg;
	int root = same_root(w);

	if (root < 0) {
		if (w->mode != ABSENT)
			loop_timer_set(w->step, BUSY_MS);
		return;
	}
	if (scan_step(w->scan, root, SLICE))
		loop_timer_set(w->step, 0);
	close(root);
	watcher_arm(w);
}

static void walk_all(struct watcher *w)
{
	w->blind = NULL;
	w->overfull = false;
	if (w->inotify < 0)
		start_inotify(w);
	scan_all(w->scan);
	loop_timer_set(w->step, 0);
}

static void rescan_due(void *arg)
{
	struct watcher *w = arg;

	if (w->mode == ABSENT)
		attach(w);
	else
		walk_all(w);
}

/* --- events ---------------------------------------------------------------------------------- */

static void events_ready(int fd, int events, void *arg)
{
	struct watcher *w = arg;
	_Alignas(struct inotify_event) char buffer[16384];

	(void)fd;
	(void)events;
	for (int i = 0; i < READS_PER_PASS && w->inotify >= 0; i++) {
		ssize_t len = read(w->inotify, buffer, sizeof(buffer));

		if (len <= 0)
			break;
		process(w, buffer, (size_t)len);
	}
	if (w->mode != ABSENT)
		watcher_arm(w);
}

static void start_inotify(struct watcher *w)
{
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->inotify >= 0)
		w->io = loop_io_new(w->loop, w->inotify, LOOP_READ, events_ready, w);
}

static void folder_event(struct watcher *w, const char *path, uint32_t mask)
{
	if (!w->recursive)
		return;
	if (mask & IN_MOVED_FROM) {
		scan_drop(w->scan, path);
		w->owner->left(path, w->arg);
	}
	if (mask & (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)) {
		scan_add(w->scan, path);
		loop_timer_set(w->step, 0);
	}
}

static void event(struct watcher *w, const struct scan_folder *folder, const char *name,
                  uint32_t mask)
{
	char *path;

	if (beneath_skips(name)) {
		/* A copy in progress keeps its folder from being judged; a link that others lead
		 * through may have been turned to new content. */
		settle_extend_folder(w->settle, folder->path, loop_now(w->loop));
		if (folder->has_links && (mask & (IN_CREATE | IN_MOVED_TO))) {
			scan_add(w->scan, folder->path);
			loop_timer_set(w->step, 0);
		}
		return;
	}
	path = *folder->path != '\0' ? xasprintf("%s/%s", folder->path, name) : xstrdup(name);
	if (mask & IN_ISDIR)
		folder_event(w, path, mask);
	else
		touch(w, path, NULL, 0);
	free(path);
}

/* About the watched folder itself. */
static void own_event(struct watcher *w, struct scan_folder *folder, uint32_t mask)
{
	if (*folder->path == '\0' && (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))) {
		lost(w, mask & IN_MOVE_SELF ? "was moved away" : "went away");
		return;
	}
	if (mask & IN_IGNORED) {
		scan_forget(w->scan, folder);
	} else if (mask & IN_ATTRIB) {
		scan_add(w->scan, folder->path);
		loop_timer_set(w->step, 0);
	}
}

static void process(struct watcher *w, const char *events, size_t len)
{
	struct inotify_event head;

	for (size_t at = 0; at + sizeof(head) <= len && w->mode != ABSENT;
	     at += sizeof(head) + head.len) {
		struct scan_folder *folder;

		memcpy(&head, events + at, sizeof(head));
		if (head.mask & IN_Q_OVERFLOW) {
			w->overflows++;
			log_unusual(w->context,
			            "inotify queue overflow: looking through the whole folder");
			walk_all(w);
			continue;
		}
		/* Unknown: events of a folder that was dropped meanwhile. */
		folder = scan_watched(w->scan, head.wd);
		if (folder == NULL)
			continue;
		if (head.len > 0)
			event(w, folder, events + at + sizeof(head), head.mask);
		else
			own_event(w, folder, head.mask);
	}
}

void watcher_feed(struct watcher *watcher, const void *events, size_t len)
{
	process(watcher, events, len);
	if (watcher->mode != ABSENT)
		watcher_arm(watcher);
}

/* --- taking --------------------------------------------------------------------------------------
 */

/* What is seen by walking has settled when it is the same at the end as at the beginning. */
static bool has_settled(const struct watcher *w, const struct settled *next,
                        const struct file_id *id)
{
	return next->has_seen ? file_id_equal(&next->seen, id) : w->mode != RESCAN;
}

/* One settled file. False: not one for the caller, there may be others. */
static bool take(struct watcher *w, int root, struct settled *next, struct watcher_file *out)
{
	*out = (struct watcher_file){.path = next->path, .fd = -1};
	switch (find_file(root, next->path, w->recursive, &out->fd, &out->id)) {
	case FOUND_FILE:
		if (has_settled(w, next, &out->id))
			return true;
		touch(w, next->path, &out->id, 0);
		close(out->fd);
		break;
	case FOUND_NONE:
		return true;
	case FOUND_FOLDER:
		if (w->recursive) {
			scan_add(w->scan, next->path);
			loop_timer_set(w->step, 0);
			/* It may have led to another folder before. */
			w->owner->left(next->path, w->arg);
		}
		return true;
	case FOUND_CLOSED:
		log_unusual(w->context, "%s cannot be read: permission denied", next->path);
		unreadable_add(w->unreadable, next->path, &out->id);
		break;
	case FOUND_BUSY:
		touch(w, next->path, NULL, BUSY_MS);
		break;
	case FOUND_TROUBLE:
		log_unusual(w->context, "%s cannot be read: %s", next->path, strerror(errno));
		touch(w, next->path, NULL, TROUBLE_MS);
		break;
	}
	settle_done(w->settle, next->path);
	free(next->path);
	*out = (struct watcher_file){.fd = -1};
	return false;
}

bool watcher_take(struct watcher *watcher, struct watcher_file *out)
{
	struct settled next;
	bool found = false;
	int root;

	*out = (struct watcher_file){.fd = -1};
	if (settle_files(watcher->settle) == 0)
		return false;
	root = same_root(watcher);
	if (root < 0) {
		watcher->retry = watcher->mode != ABSENT;
		return false;
	}
	while (!found && settle_take(watcher->settle, loop_now(watcher->loop), &next))
		found = take(watcher, root, &next, out);
	close(root);
	return found;
}

void watcher_done(struct watcher *watcher, const char *path)
{
	settle_done(watcher->settle, path);
}

void watcher_again(struct watcher *watcher, const char *path, int64_t later_ms)
{
	touch(watcher, path, NULL, later_ms);
	settle_done(watcher->settle, path);
	watcher_arm(watcher);
}

char *watcher_take_folder(struct watcher *watcher)
{
	return settle_take_folder(watcher->settle, loop_now(watcher->loop));
}

void watcher_touch_folder(struct watcher *watcher, const char *folder)
{
	if (!settle_touch_folder(watcher->settle, folder, loop_now(watcher->loop)))
		left_out(watcher);
	watcher_arm(watcher);
}

void watcher_check(struct watcher *watcher, const char *path)
{
	char *whole = xasprintf("%s/%s", watcher->path, path);
	struct stat st;

	if (stat(whole, &st) != 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		touch(watcher, path, NULL, 0);
		watcher_arm(watcher);
	}
	free(whole);
}

static void something_settled(void *arg)
{
	struct watcher *w = arg;

	/* What is not taken now (a busy pool, an absent folder) waits without the timer. */
	settle_advance(w->settle, loop_now(w->loop));
	w->retry = false;
	w->owner->ready(w->arg);
	watcher_arm(w);
}

void watcher_arm(struct watcher *watcher)
{
	struct mono due, now = loop_now(watcher->loop);
	bool waits = settle_due(watcher->settle, &due);

	if (watcher->retry && (!waits || due.ms > now.ms + BUSY_MS)) {
		due.ms = now.ms + BUSY_MS;
		waits = true;
	}
	if (waits)
		loop_timer_set(watcher->settled, due.ms > now.ms ? due.ms - now.ms : 0);
	else
		loop_timer_cancel(watcher->settled);
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

static void still_absent(struct watcher *w, int problem)
{
	if (w->absent_ms == 0) {
		log_unusual(w->context, "the watched folder cannot be opened (%s); waiting for it",
		            strerror(problem));
		w->absent_ms = ABSENT_FIRST_MS;
	}
	loop_timer_set(w->rescan, w->absent_ms);
	w->absent_ms = w->absent_ms * 2 < ABSENT_LAST_MS ? w->absent_ms * 2 : ABSENT_LAST_MS;
}

static void attach(struct watcher *w)
{
	struct stat st;
	int root = open_root(w);

	if (root < 0 || fstat(root, &st) != 0) {
		still_absent(w, errno);
		if (root >= 0)
			close(root);
		return;
	}
	close(root);
	if (w->absent_ms != 0)
		log_info(w->context, "the watched folder is there");
	w->absent_ms = 0;
	w->device = st.st_dev;
	w->inode = st.st_ino;
	w->mode = INOTIFY;
	w->scan = scan_new(w->context, w->recursive, &scan_owner, w);
	walk_all(w);
	/* Files may have settled while the folder was away. */
	w->owner->ready(w->arg);
}

struct watcher *watcher_new(const struct watcher_parts *parts)
{
	struct watcher *w = xcalloc(1, sizeof(*w));
	size_t len = strlen(parts->path);

	while (len > 0 && parts->path[len - 1] == '/')
		len--;
	w->path = xasprintf("%.*s", (int)len, parts->path);
	w->context = xstrdup(parts->path);
	w->loop = parts->loop;
	w->recursive = parts->recursive;
	w->rescan_ms = parts->rescan_ms;
	w->limit = parts->limit != 0 ? parts->limit : LIMIT_DEFAULT;
	w->owner = parts->owner;
	w->arg = parts->arg;
	if (parts->kernel != NULL)
		w->kernel = *parts->kernel;
	if (w->kernel.add_watch == NULL)
		w->kernel.add_watch = inotify_add_watch;
	if (w->kernel.fs_type == NULL)
		w->kernel.fs_type = fs_type_of;
	w->inotify = -1;
	w->settle = settle_new(parts->settle_ms, parts->build_settle_ms, w->limit);
	w->unreadable = unreadable_new();
	w->settled = loop_timer_new(w->loop, something_settled, w);
	w->step = loop_timer_new(w->loop, walk_on, w);
	w->rescan = loop_timer_new(w->loop, rescan_due, w);
	loop_timer_set(w->rescan, 0);
	return w;
}

void watcher_free(struct watcher *watcher)
{
	if (watcher == NULL)
		return;
	detach(watcher);
	loop_timer_free(watcher->settled);
	loop_timer_free(watcher->step);
	loop_timer_free(watcher->rescan);
	settle_free(watcher->settle);
	unreadable_free(watcher->unreadable);
	free(watcher->path);
	free(watcher->context);
	free(watcher);
}

static const char *mode_name(enum mode mode)
{
	switch (mode) {
	case ABSENT:
		return "absent";
	case INOTIFY:
		return "inotify";
	case RESCAN:
		return "rescan";
	}
	return "?";
}

struct jval *watcher_status(const struct watcher *watcher)
{
	struct jval *status = jval_object();

	jval_add_string(status, "path", *watcher->path != '\0' ? watcher->path : "/");
	jval_add_string(status, "mode", mode_name(watcher->mode));
	jval_add_string(status, "why", watcher->why);
	jval_add_int(status, "folders",
	             watcher->scan != NULL ? (int64_t)scan_count(watcher->scan) : 0);
	jval_add_int(status, "pending_files", (int64_t)settle_files(watcher->settle));
	jval_add_int(status, "pending_folders", (int64_t)settle_folders(watcher->settle));
	jval_add_int(status, "walks", watcher->walks);
	jval_add_int(status, "overflows", watcher->overflows);
	jval_add_int(status, "unreadable", (int64_t)unreadable_count(watcher->unreadable));
	return status;
}
