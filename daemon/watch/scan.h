/* Walks a tree a slice at a time and remembers its folders: their place, their identity and the
 * watch that stands on each. A folder is watched before it is read, so nothing slips between. */
#ifndef WATCH_SCAN_H
#define WATCH_SCAN_H

#include "daemon/watch/beneath.h"

struct scan;

struct scan_folder {
	char *path;             /* relative to the root; "" is the root itself */
	int watch;              /* the owner's watch descriptor, -1: none */
	bool has_links;         /* holds symbolic links */
};

struct scan_owner {
	/* About to read this folder (fd is open on it): time to watch it, if it is not. */
	void (*folder)(int fd, struct scan_folder *folder, void *arg);
	/* A regular file of a name that is not skipped. */
	void (*file)(const char *path, const struct file_id *id, void *arg);
	/* The walk left no folder out that scan_all asked for. */
	void (*finished)(void *arg);
	/* A folder is not there any more, or not looked at any more; it is freed afterwards. */
	void (*dropped)(struct scan_folder *folder, void *arg);
};

/* context stands in front of log lines. */
struct scan *scan_new(const char *context, bool recursive, const struct scan_owner *owner, void *arg);
void scan_free(struct scan *scan); /* NULL is fine; drops every folder */

/* Asks for a walk over everything, or over one folder and what is new beneath it. */
void scan_all(struct scan *scan);
void scan_add(struct scan *scan, const char *path);
/* Walks on, about budget entries far; root is open on the tree's root. True when there is more. */
bool scan_step(struct scan *scan, int root, unsigned budget);

/* Forgets the folder and all beneath it: it was moved away. */
void scan_drop(struct scan *scan, const char *path);
/* Forgets this folder alone: its watch is gone, and probably so is it. Frees it. */
void scan_forget(struct scan *scan, struct scan_folder *folder);
/* The folder of that watch, or NULL. */
struct scan_folder *scan_watched(struct scan *scan, int watch);
void scan_set_watch(struct scan *scan, struct scan_folder *folder, int watch);
size_t scan_count(const struct scan *scan);

#endif
