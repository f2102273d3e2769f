#include "daemon/watch/settle.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* Both kinds wait in lists ordered by the time they are due; what is due moves to a second list and
 * is taken from there, so that a pool that is busy costs nothing. */
enum place { WAITING, SETTLED, BLOCKED };

struct folder {
	char *path; /* first: what path_compare reads */
	int64_t due;
	unsigned files; /* of it: waiting, settled or in work */
	enum place place;
	TAILQ_ENTRY(folder) link;
};
TAILQ_HEAD(folder_list, folder);

struct file {
	char *path;
	struct folder *folder;
	int64_t due;
	struct file_id seen;
	bool has_seen;
	enum place place;
	TAILQ_ENTRY(file) link;
};
TAILQ_HEAD(file_list, file);

struct settle {
	int64_t file_ms, folder_ms;
	size_t limit, file_count, folder_count;
	void *files, *folders; /* by path */
	struct file_list waiting, settled;
	/* BLOCKED folders, whose time has come but not their files', are in no list. */
	struct folder_list waiting_folders, settled_folders;
};

static int path_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void *lookup(void *const *root, const char *path)
{
	void *node = tfind(&path, root, path_compare);

	return node != NULL ? *(void **)node : NULL;
}

static void insert(void **root, void *entry)
{
	if (tsearch(entry, root, path_compare) == NULL)
		die("out of memory");
}

struct settle *settle_new(int64_t file_ms, int64_t folder_ms, size_t limit)
{
	struct settle *settle = xcalloc(1, sizeof(*settle));

	settle->file_ms = file_ms;
	settle->folder_ms = folder_ms;
	settle->limit = limit;
	TAILQ_INIT(&settle->waiting);
	TAILQ_INIT(&settle->settled);
	TAILQ_INIT(&settle->waiting_folders);
	TAILQ_INIT(&settle->settled_folders);
	return settle;
}

static void file_free(void *entry)
{
	struct file *file = entry;

	free(file->path);
	free(file);
}

static void folder_free(void *entry)
{
	struct folder *folder = entry;

	free(folder->path);
	free(folder);
}

void settle_free(struct settle *settle)
{
	if (settle == NULL)
		return;
	tdestroy(settle->files, file_free);
	tdestroy(settle->folders, folder_free);
	free(settle);
}

static void folder_unlink(struct settle *settle, struct folder *folder)
{
	if (folder->place == WAITING)
		TAILQ_REMOVE(&settle->waiting_folders, folder, link);
	else if (folder->place == SETTLED)
		TAILQ_REMOVE(&settle->settled_folders, folder, link);
}

/* Puts it where its due time belongs: nearly always at the end. */
static void folder_wait(struct settle *settle, struct folder *folder, int64_t due)
{
	struct folder *before = TAILQ_LAST(&settle->waiting_folders, folder_list);

	while (before != NULL && before->due > due)
		before = TAILQ_PREV(before, folder_list, link);
	folder->due = due;
	folder->place = WAITING;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&settle->waiting_folders, before, folder, link);
	else
		TAILQ_INSERT_HEAD(&settle->waiting_folders, folder, link);
}

static void file_wait(struct settle *settle, struct file *file, int64_t due)
{
	struct file *before = TAILQ_LAST(&settle->waiting, file_list);

	while (before != NULL && before->due > due)
		before = TAILQ_PREV(before, file_list, link);
	file->due = due;
	file->place = WAITING;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&settle->waiting, before, file, link);
	else
		TAILQ_INSERT_HEAD(&settle->waiting, file, link);
}

static struct folder *folder_touch(struct settle *settle, const char *path, struct mono now)
{
	struct folder *folder = lookup(&settle->folders, path);

	if (folder != NULL) {
		folder_unlink(settle, folder);
	} else {
		if (settle->folder_count >= settle->limit)
			return NULL;
		folder = xcalloc(1, sizeof(*folder));
		folder->path = xstrdup(path);
		insert(&settle->folders, folder);
		settle->folder_count++;
	}
	folder_wait(settle, folder, now.ms + settle->folder_ms);
	return folder;
}

bool settle_touch_folder(struct settle *settle, const char *folder, struct mono now)
{
	return folder_touch(settle, folder, now) != NULL;
}

void settle_extend_folder(struct settle *settle, const char *folder, struct mono now)
{
	if (lookup(&settle->folders, folder) != NULL)
		folder_touch(settle, folder, now);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	char *folder = xmalloc(len + 1);

	memcpy(folder, path, len);
	folder[len] = '\0';
	return folder;
}

static struct file *file_add(struct settle *settle, const char *path, struct folder *folder)
{
	struct file *file = xcalloc(1, sizeof(*file));

	file->path = xstrdup(path);
	file->folder = folder;
	folder->files++;
	insert(&settle->files, file);
	settle->file_count++;
	return file;
}

bool settle_touch(struct settle *settle, const char *path, const struct file_id *seen,
                  int64_t later_ms, struct mono now)
{
	struct file *file = lookup(&settle->files, path);
	struct folder *folder;
	char *folder_path;

	if (file == NULL && settle->file_count >= settle->limit)
		return false;
	folder_path = folder_of(path);
	folder = folder_touch(settle, folder_path, now);
	free(folder_path);
	if (folder == NULL)
		return false;
	if (file == NULL)
		file = file_add(settle, path, folder);
	else if (file->place == WAITING)
		TAILQ_REMOVE(&settle->waiting, file, link);
	else
		TAILQ_REMOVE(&settle->settled, file, link);
	file->has_seen = seen != NULL;
	file->seen = seen != NULL ? *seen : (struct file_id){0};
	file_wait(settle, file, now.ms + settle->file_ms + later_ms);
	return true;
}

bool settle_notice(struct settle *settle, const char *path, const struct file_id *seen,
                   struct mono now)
{
	const struct file *file = lookup(&settle->files, path);

	if (file != NULL && (!file->has_seen || file_id_equal(&file->seen, seen)))
		return true;
	return settle_touch(settle, path, seen, 0, now);
}

void settle_advance(struct settle *settle, struct mono now)
{
	struct file *file;
	struct folder *folder;

	while ((file = TAILQ_FIRST(&settle->waiting)) != NULL && file->due <= now.ms) {
		TAILQ_REMOVE(&settle->waiting, file, link);
		TAILQ_INSERT_TAIL(&settle->settled, file, link);
		file->place = SETTLED;
	}
	while ((folder = TAILQ_FIRST(&settle->waiting_folders)) != NULL && folder->due <= now.ms) {
		TAILQ_REMOVE(&settle->waiting_folders, folder, link);
		folder->place = BLOCKED;
		if (folder->files == 0) {
			TAILQ_INSERT_TAIL(&settle->settled_folders, folder, link);
			folder->place = SETTLED;
		}
	}
}

bool settle_take(struct settle *settle, struct mono now, struct settled *out)
{
	struct file *file;

	settle_advance(settle, now);
	file = TAILQ_FIRST(&settle->settled);
	if (file == NULL)
		return false;
	TAILQ_REMOVE(&settle->settled, file, link);
	tdelete(file, &settle->files, path_compare);
	settle->file_count--;
	*out = (struct settled){.path = file->path, .seen = file->seen, .has_seen = file->has_seen};
	free(file);
	return true;
}

void settle_done(struct settle *settle, const char *path)
{
	char *folder_path = folder_of(path);
	struct folder *folder = lookup(&settle->folders, folder_path);

	free(folder_path);
	if (folder == NULL || folder->files == 0)
		die("%s is done and was not taken", path);
	if (--folder->files == 0 && folder->place == BLOCKED) {
		TAILQ_INSERT_TAIL(&settle->settled_folders, folder, link);
		folder->place = SETTLED;
	}
}

char *settle_take_folder(struct settle *settle, struct mono now)
{
	struct folder *folder;
	char *path;

	settle_advance(settle, now);
	folder = TAILQ_FIRST(&settle->settled_folders);
	if (folder == NULL)
		return NULL;
	TAILQ_REMOVE(&settle->settled_folders, folder, link);
	tdelete(folder, &settle->folders, path_compare);
	settle->folder_count--;
	path = folder->path;
	free(folder);
	return path;
}

bool settle_due(const struct settle *settle, struct mono *due)
{
	const struct file *file = TAILQ_FIRST(&settle->waiting);
	const struct folder *folder = TAILQ_FIRST(&settle->waiting_folders);

	if (file == NULL && folder == NULL)
		return false;
	if (folder == NULL || (file != NULL && file->due < folder->due))
		due->ms = file->due;
	else
		due->ms = folder->due;
	return true;
}

size_t settle_files(const struct settle *settle)
{
	return settle->file_count;
}

size_t settle_folders(const struct settle *settle)
{
	return settle->folder_count;
}
