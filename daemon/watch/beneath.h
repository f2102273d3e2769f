/* A watched folder seen from its root: opening what lies beneath it and nothing else, names that
 * are not ours yet, and file systems on which inotify is blind. */
#ifndef WATCH_BENEATH_H
#define WATCH_BENEATH_H

#include "common/base/bytes.h"

#include <sys/stat.h>

/* How deep folders are looked into. */
enum { BENEATH_DEPTH_MAX = 32 };

/* What must not change while a file is read: the same numbers mean the same content. */
struct file_id {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
};
struct file_id file_id_of(const struct stat *st);
bool file_id_equal(const struct file_id *a, const struct file_id *b);

/* Opens path, which is relative to the folder root ("" is that folder itself), without ever leaving
 * it: symbolic links are followed as long as they stay inside. Returns a descriptor
 * (close-on-exec) or -errno; -EXDEV when the path leads out. */
int beneath_open(int root, const char *path, int flags);
/* The same for kernels without openat2: one component at a time. */
int beneath_open_walk(int root, const char *path, int flags);

/* Writes the real path of fd relative to the folder root into out ("" for that folder itself).
 * False when it is not beneath it or cannot be told. */
bool beneath_real_path(int root, int fd, char *out, size_t size);

/* Hidden and temporary names (.x, x~, x.tmp, x.part, rsync's, editors'): not looked at until they
 * are renamed to their own. */
bool beneath_skips(const char *name);
/* Whether a walk from the root reaches path by itself, without a symbolic link's help. */
bool beneath_reaches(const char *path, bool recursive);

/* The name of a file system on which others can write unseen by inotify, for statfs's f_type; or
 * NULL for a local one. */
const char *beneath_blind_fs(long fs_type);

#endif
