#include "daemon/watch/unreadable.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { UNREADABLE_MAX = 4096 };

struct closed_file {
	char *path; /* first: what path_compare reads */
	struct file_id id;
};

struct unreadable {
	void *by_path;
	size_t count;
};

static int path_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void closed_file_free(void *entry)
{
	struct closed_file *file = entry;

	free(file->path);
	free(file);
}

static struct closed_file *lookup(const struct unreadable *unreadable, const char *path)
{
	void *at = tfind(&path, &unreadable->by_path, path_compare);

	return at != NULL ? *(struct closed_file **)at : NULL;
}

struct unreadable *unreadable_new(void)
{
	return xcalloc(1, sizeof(struct unreadable));
}

static void clear(struct unreadable *unreadable)
{
	tdestroy(unreadable->by_path, closed_file_free);
	unreadable->by_path = NULL;
	unreadable->count = 0;
}

void unreadable_free(struct unreadable *unreadable)
{
	if (unreadable == NULL)
		return;
	clear(unreadable);
	free(unreadable);
}

void unreadable_add(struct unreadable *unreadable, const char *path, const struct file_id *id)
{
	struct closed_file *file = lookup(unreadable, path);

	if (file == NULL) {
		if (unreadable->count >= UNREADABLE_MAX)
			clear(unreadable);
		file = xcalloc(1, sizeof(*file));
		file->path = xstrdup(path);
		if (tsearch(file, &unreadable->by_path, path_compare) == NULL)
			die("out of memory");
		unreadable->count++;
	}
	file->id = *id;
}

bool unreadable_has(const struct unreadable *unreadable, const char *path, const struct file_id *id)
{
	const struct closed_file *file = lookup(unreadable, path);

	return file != NULL && file_id_equal(&file->id, id);
}

size_t unreadable_count(const struct unreadable *unreadable)
{
	return unreadable->count;
}
