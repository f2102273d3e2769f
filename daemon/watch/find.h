/* From a path that has settled to an open regular file. */
#ifndef WATCH_FIND_H
#define WATCH_FIND_H

#include "daemon/watch/beneath.h"

enum found {
	FOUND_FILE,
	FOUND_NONE,    /* no file of ours is there (any more) */
	FOUND_FOLDER,  /* a link to a folder that is not reached otherwise */
	FOUND_CLOSED,  /* we may not read it */
	FOUND_BUSY,    /* we cannot look right now */
	FOUND_TROUBLE, /* the file system says no; errno is set */
};

/* Looks at path beneath root (recursive: of a tree, not of one folder). FOUND_FILE: *fd is open
 * for reading and the caller's, *id is what it is now; FOUND_CLOSED: *id alone; else *fd is -1. A
 * link to what has a place of its own in the tree is not a second file. */
enum found find_file(int root, const char *path, bool recursive, int *fd, struct file_id *id);

#endif
