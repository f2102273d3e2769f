/* Watches one folder, or a whole tree: says which files have settled, which are gone, and which
 * folders have been quiet long enough to be judged. Sees by inotify where it can and by walking
 * the tree where it cannot (network file systems, watch limit), from start-up on and again after
 * every gap. Paths are relative to the watched folder; its own is "". */
#ifndef WATCH_WATCHER_H
#define WATCH_WATCHER_H

#include "common/base/jval.h"
#include "daemon/io/loop.h"
#include "daemon/watch/beneath.h"

struct watcher;

struct watcher_owner {
	/* Whether this very content is known already; asked for what a walk finds. */
	bool (*known)(const char *path, const struct file_id *id, void *arg);
	/* watcher_take or watcher_take_folder may have something. */
	void (*ready)(void *arg);
	/* The whole tree was walked: everything that is there has been touched or is known. */
	void (*walked)(void *arg);
	/* A folder was moved away, and with it everything that lay in it. */
	void (*left)(const char *folder, void *arg);
};

/* What tests put in place of the kernel. NULL members: the real thing. */
struct watcher_kernel {
	int (*add_watch)(int inotify, const char *path, uint32_t mask); /* like inotify_add_watch */
	long (*fs_type)(int fd);                                       /* statfs f_type, -1 unknown */
};

struct watcher_parts {
	struct loop *loop;
	const char *path;                   /* absolute */
	bool recursive;
	int64_t settle_ms, build_settle_ms;
	int64_t rescan_ms;                  /* 0: often where inotify is blind, rarely elsewhere */
	size_t limit;                       /* files remembered at once; 0: the default */
	const struct watcher_owner *owner;
	void *arg;
	const struct watcher_kernel *kernel; /* or NULL */
};

/* Begins to look at once; the callbacks come from the loop. */
struct watcher *watcher_new(const struct watcher_parts *parts);
void watcher_free(struct watcher *watcher); /* NULL is fine */

struct watcher_file {
	char *path;        /* the caller's, to free */
	int fd;            /* regular file, open for reading, the caller's; -1: there is none any more */
	struct file_id id;
};
/* The next settled file. Ends with watcher_done or watcher_again for its path. */
bool watcher_take(struct watcher *watcher, struct watcher_file *out);
/* What was found is stored: its folder may be judged once it is quiet. */
void watcher_done(struct watcher *watcher, const char *path);
/* It has to be looked at once more, after the settle time and later_ms. */
void watcher_again(struct watcher *watcher, const char *path, int64_t later_ms);

/* The next folder in which everything has settled and is done (the caller's, to free), or NULL. */
char *watcher_take_folder(struct watcher *watcher);
/* Has it judged once it is quiet. */
void watcher_touch_folder(struct watcher *watcher, const char *folder);
/* Has watcher_take say so if there is no such file any more. */
void watcher_check(struct watcher *watcher, const char *path);
/* After taking: sets the clock for what settles next. */
void watcher_arm(struct watcher *watcher);

/* Gives raw inotify events to the watcher as if they had been read. For tests. */
void watcher_feed(struct watcher *watcher, const void *events, size_t len);

/* {path, mode: inotify|rescan|absent, why, folders, pending_files, pending_folders, walks, overflows,
 * unreadable} */
struct jval *watcher_status(const struct watcher *watcher);

#endif
