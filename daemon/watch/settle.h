/* What changed in a tree, and since when it has been quiet: a file settles when nothing happened to
 * it for a while, a folder when nothing happened in it and none of its files waits or is in work.
 * Only bookkeeping: no clock, no descriptor. Paths are relative to the tree ("" is its root). */
#ifndef WATCH_SETTLE_H
#define WATCH_SETTLE_H

#include "common/base/clock.h"
#include "daemon/watch/beneath.h"

struct settle;

/* limit bounds how many files, and how many folders, are remembered at once. */
struct settle *settle_new(int64_t file_ms, int64_t folder_ms, size_t limit);
void settle_free(struct settle *settle); /* NULL is fine */

/* Something happened to the file: its time, and that of its folder, begin anew. seen is what it
 * was (NULL: not looked at); later_ms is added to the file's time. False when the limit is reached
 * and the file was not taken in. */
bool settle_touch(struct settle *settle, const char *path, const struct file_id *seen, int64_t later_ms,
                  struct mono now);
/* The same for what a walk found: does nothing to a file that waits already, unless it waits as
 * something else than it is now. */
bool settle_notice(struct settle *settle, const char *path, const struct file_id *seen, struct mono now);
/* Something happened in the folder. False when the limit is reached. */
bool settle_touch_folder(struct settle *settle, const char *folder, struct mono now);
/* The same, but only for a folder that is waited for already. */
void settle_extend_folder(struct settle *settle, const char *folder, struct mono now);

struct settled {
	char *path;          /* the caller's, to free */
	struct file_id seen; /* as of the last touch */
	bool has_seen;
};
/* The next file that has settled. Its folder does not settle before settle_done(path). */
bool settle_take(struct settle *settle, struct mono now, struct settled *out);
void settle_done(struct settle *settle, const char *path);
/* The next folder that has settled (the caller's, to free), or NULL. */
char *settle_take_folder(struct settle *settle, struct mono now);

/* What has settled by now can be taken. */
void settle_advance(struct settle *settle, struct mono now);
/* When the next file or folder settles, of those that had not at the last advance or take; false
 * when there is none. */
bool settle_due(const struct settle *settle, struct mono *due);
size_t settle_files(const struct settle *settle);   /* waiting or settled, not taken */
size_t settle_folders(const struct settle *settle);

#endif
