/* Builds dropped by HTTP, on disk beneath state_dir/drop:
 *
 *   TARGET/open/NAME/...      not finished yet: files, and FILE.part while one is incomplete
 *   TARGET/builds/NAME/...    finished, watched like any folder; one rename brings a build here
 *   TARGET/removed/...        on its way out
 *
 * The tree itself is the state, so that nothing has to be brought in line after a restart. */
#ifndef API_SPOOL_H
#define API_SPOOL_H

#include "common/base/arena.h"
#include "common/base/clock.h"

enum {
	SPOOL_NAME_MAX = 128,  /* bytes of a build's name, and of one part of a file's path */
	SPOOL_DEPTH_MAX = 8,   /* parts of a file's path */
	SPOOL_FILES_MAX = 256, /* per build */
	SPOOL_OPEN_MAX = 64,   /* builds not finished, per target */
};

struct spool;
struct spool_upload;

/* max_file and quota in bytes; makes the folder. */
int spool_new(struct spool **out, const char *state_dir, uint64_t max_file, uint64_t quota,
              struct error *error) MUST_USE;
void spool_free(struct spool *spool); /* NULL is fine; uploads must be left before */
/* Makes the target's folders, and empties what was on its way out. */
int spool_add_target(struct spool *spool, const char *target, struct error *error) MUST_USE;
/* The folder of the target that is to be watched. */
char *spool_watched(struct arena *arena, const char *state_dir, const char *target);

/* [A-Za-z0-9._-], no leading dot, and no name that a watched folder leaves unread. */
bool spool_name_is_good(const char *name);
bool spool_file_is_good(const char *path); /* such names, joined by "/" */

enum spool_state { SPOOL_NONE, SPOOL_OPEN, SPOOL_COMPLETE };
struct spool_file {
	const char *path;
	uint64_t size; /* so far */
	bool complete;
};
struct spool_build {
	enum spool_state state;
	const char *folder; /* where it lies */
	struct spool_file *files;
	size_t count;
	uint64_t size;
	struct wall touched; /* when something of it changed last */
};
/* Target and names must be good; files are sorted by path. */
void spool_look(struct spool *spool, struct arena *arena, const char *target, const char *name,
                struct spool_build *out);
/* *size is 0 and *complete false for a file of which nothing is there. */
void spool_look_file(struct spool *spool, const char *target, const char *name, const char *file,
                     uint64_t *size, bool *complete);

struct spool_place {
	const char *target, *name, *file; /* good ones */
	uint64_t from, length, total;     /* bytes from .. from+length of total */
};
/* Opens the file for these bytes; from must be what is there, or 0 to begin anew. ERR_CONFLICT: it
 * is not, or the build is complete; ERR_LIMIT: larger than a file may be; ERR_UNAVAILABLE: no room.
 */
int spool_begin(struct spool_upload **out, struct spool *spool, const struct spool_place *place,
                struct error *error) MUST_USE;
/* ERR_UNAVAILABLE: no room, ERR_IO. */
int spool_write(struct spool_upload *upload, struct bytes part, struct error *error) MUST_USE;
/* All bytes were written: *complete when the file is. Frees upload whatever happens. */
int spool_end(struct spool_upload *upload, bool *complete, struct error *error) MUST_USE;
/* No more bytes will come; what is there stays. Frees upload. */
void spool_leave(struct spool_upload *upload);

/* Makes the open build complete: a build that is already is fine. ERR_NOT_FOUND: no such build;
 * ERR_CONFLICT: it has no file, or one that is incomplete. */
int spool_commit(struct spool *spool, const char *target, const char *name,
                 struct error *error) MUST_USE;
/* Removes an open build. ERR_NOT_FOUND, ERR_CONFLICT: it is complete. */
int spool_remove(struct spool *spool, const char *target, const char *name,
                 struct error *error) MUST_USE;
/* What is old: open builds not touched since, except those that busy speaks up for, and complete
 * ones that recorded lets go. */
struct spool_cleaning {
	struct wall open_since, complete_since;
	bool (*busy)(const char *target, const char *name, void *arg);
	bool (*recorded)(const char *target, const struct spool_build *build, void *arg);
	void *arg;
};
void spool_clean(struct spool *spool, const struct spool_cleaning *cleaning);

#endif
