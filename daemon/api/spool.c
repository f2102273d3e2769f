#include "daemon/api/spool.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "daemon/watch/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, BLOCK = 4096 };
static const uint64_t flush_every = 8 * MIB;
/* The database lives on the same disk: that one never runs full because of uploads. */
static const uint64_t spared = 64 * MIB;

struct account {
	char *target;
	uint64_t used;     /* bytes on disk, never too small */
	uint64_t reserved; /* announced, not written yet */
};

struct spool {
	char *root;
	uint64_t max_file, quota;
	struct account *accounts;
	size_t account_count;
};

struct spool_upload {
	struct spool *spool;
	struct account *account;
	int fd;
	char *part, *path;
	uint64_t at, until, total, flushed;
};

/* --- names and paths ------------------------------------------------------------------------ */

static bool part_is_good(const char *name, size_t len)
{
	static const char allowed[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char copy[SPOOL_NAME_MAX + 1];

	if (len == 0 || len > SPOOL_NAME_MAX || name[0] == '.' || strspn(name, allowed) < len)
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	return !beneath_skips(copy);
}

bool spool_name_is_good(const char *name)
{
	return part_is_good(name, strlen(name));
}

bool spool_file_is_good(const char *path)
{
	unsigned depth = 0;

	for (;;) {
		size_t len = strcspn(path, "/");
		if (++depth > SPOOL_DEPTH_MAX || !part_is_good(path, len))
			return false;
		if (path[len] == '\0')
			return true;
		path += len + 1;
	}
}

char *spool_watched(struct arena *arena, const char *state_dir, const char *target)
{
	return arena_printf(arena, "%s/drop/%s/builds", state_dir, target);
}

static char *place(struct arena *arena, const struct spool *spool, const char *target,
                   const char *stage, const char *name)
{
	return arena_printf(arena, "%s/%s/%s%s%s", spool->root, target, stage,
	                    name[0] != '\0' ? "/" : "", name);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_folder(const char *path, struct error *error)
{
	if (mkdir(path, 0750) == 0 || (errno == EEXIST && is_folder(path)))
		return 0;
	return error_set_errno(error, "%s", path);
}

static int sync_folder(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd >= 0 && fsync(fd) == 0 ? 0 : error_set_errno(error, "%s", path);

	if (fd >= 0)
		close(fd);
	return rc;
}

/* --- walking -------------------------------------------------------------------------------- */

struct walker {
	void (*file)(const char *path, const struct stat *st, void *arg); /* or NULL */
	void (*folder)(const char *path, const struct stat *st,
	               void *arg); /* after what it holds */
	void *arg;
};

/* Everything beneath path, which is a folder of ours: as deep as we made it ourselves. */
static void walk(const char *path, const struct walker *walker)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	struct stat st;

	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *inside = xasprintf("%s/%s", path, entry->d_name);
		if (lstat(inside, &st) != 0)
			;
		else if (S_ISDIR(st.st_mode))
			walk(inside, walker);
		else if (walker->file != NULL)
			walker->file(inside, &st, walker->arg);
		free(inside);
	}
	closedir(folder);
	if (walker->folder != NULL && lstat(path, &st) == 0)
		walker->folder(path, &st, walker->arg);
}

static void remove_file(const char *path, const struct stat *st, void *arg)
{
	(void)st;
	(void)arg;
	if (unlink(path) != 0)
		log_unusual("drop", "cannot remove %s: %s", path, strerror(errno));
}

static void remove_folder(const char *path, const struct stat *st, void *arg)
{
	(void)st;
	(void)arg;
	if (rmdir(path) != 0)
		log_unusual("drop", "cannot remove %s: %s", path, strerror(errno));
}

static void remove_tree(const char *path)
{
	walk(path, &(struct walker){.file = remove_file, .folder = remove_folder});
}

/* --- room ----------------------------------------------------------------------------------- */

/* As disks count: whole blocks, and one for every name. */
static void add_size(const char *path, const struct stat *st, void *arg)
{
	uint64_t *sum = arg;

	(void)path;
	*sum += BLOCK + ((uint64_t)st->st_size + BLOCK - 1) / BLOCK * BLOCK;
}

static void recount(const struct spool *spool, struct account *account)
{
	char *path = xasprintf("%s/%s", spool->root, account->target);

	account->used = 0;
	walk(path, &(struct walker){.file = add_size, .folder = add_size, .arg = &account->used});
	free(path);
}

static struct account *account_of(const struct spool *spool, const char *target)
{
	for (size_t i = 0; i < spool->account_count; i++)
		if (strcmp(spool->accounts[i].target, target) == 0)
			return &spool->accounts[i];
	return NULL;
}

static int check_room(const struct spool *spool, struct account *account, uint64_t length,
                      struct error *error)
{
	struct statvfs fs;
	uint64_t needed = length + 2 * BLOCK, reserved = 0;

	if (account->used + account->reserved + needed > spool->quota)
		recount(spool, account); /* somebody may have made room */
	if (account->used + account->reserved + needed > spool->quota)
		return error_set(error, ERR_UNAVAILABLE,
		                 "no room: http.quota_mib is %llu, and %llu MiB are taken; builds "
		                 "beneath %s/%s/builds that are recorded may be removed",
		                 (unsigned long long)(spool->quota / MIB),
		                 (unsigned long long)((account->used + account->reserved) / MIB),
		                 spool->root, account->target);
	for (size_t i = 0; i < spool->account_count; i++)
		reserved += spool->accounts[i].reserved;
	if (statvfs(spool->root, &fs) != 0)
		return error_set_errno(error, "%s", spool->root);
	if ((uint64_t)fs.f_bavail * fs.f_frsize < reserved + needed + spared)
		return error_set(error, ERR_UNAVAILABLE, "no room on the disk of %s", spool->root);
	return 0;
}

/* --- looking -------------------------------------------------------------------------------- */

static const char part_suffix[] = ".part";

struct look {
	struct arena *arena;
	struct spool_build *build;
	size_t prefix; /* length of the folder and its slash */
};

static void note_time(struct spool_build *build, const struct stat *st)
{
	int64_t ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;

	if (ms > build->touched.ms)
		build->touched.ms = ms;
}

static void look_at_file(const char *path, const struct stat *st, void *arg)
{
	struct look *look = arg;
	struct spool_build *build = look->build;
	size_t len = strlen(path), suffix = sizeof(part_suffix) - 1;
	bool part = len > suffix && strcmp(path + len - suffix, part_suffix) == 0;

	note_time(build, st);
	build->size += (uint64_t)st->st_size;
	if (build->count == SPOOL_FILES_MAX)
		return; /* somebody else put files here */
	const char *name = path + look->prefix;
	build->files[build->count++] = (struct spool_file){
	        .path = arena_text(look->arena, bytes_of(name, strlen(name) - (part ? suffix : 0))),
	        .size = (uint64_t)st->st_size,
	        .complete = !part,
	};
}

static void look_at_folder(const char *path, const struct stat *st, void *arg)
{
	const struct look *look = arg;

	(void)path;
	note_time(look->build, st);
}

static int by_path(const void *a, const void *b)
{
	const struct spool_file *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order != 0 ? order : x->complete - y->complete;
}

void spool_look(struct spool *spool, struct arena *arena, const char *target, const char *name,
                struct spool_build *out)
{
	const char *done = place(arena, spool, target, "builds", name);
	const char *open_build = place(arena, spool, target, "open", name);

	*out = (struct spool_build){0};
	if (is_folder(done)) {
		out->state = SPOOL_COMPLETE;
		out->folder = done;
	} else if (is_folder(open_build)) {
		out->state = SPOOL_OPEN;
		out->folder = open_build;
	} else {
		return;
	}
	out->files = arena_array(arena, SPOOL_FILES_MAX, sizeof(*out->files));
	struct look look = {arena, out, strlen(out->folder) + 1};
	walk(out->folder,
	     &(struct walker){.file = look_at_file, .folder = look_at_folder, .arg = &look});
	qsort(out->files, out->count, sizeof(*out->files), by_path);
}

void spool_look_file(struct spool *spool, const char *target, const char *name, const char *file,
                     uint64_t *size, bool *complete)
{
	static const char *const stages[] = {"open", "open", "builds"};
	struct arena arena = {0};
	struct stat st;

	*size = 0;
	*complete = false;
	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		const char *path = arena_printf(&arena, "%s/%s/%s/%s/%s%s", spool->root, target,
		                                stages[i], name, file, i == 0 ? part_suffix : "");
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			*size = (uint64_t)st.st_size;
			*complete = i > 0;
			break;
		}
	}
	arena_free(&arena);
}

/* --- uploads -------------------------------------------------------------------------------- */

static size_t count_folders(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	if (folder == NULL)
		return 0;
	while ((entry = readdir(folder)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

/* Whether these bytes may come now. */
static int check_place(struct spool *spool, struct arena *arena, const struct spool_place *at,
                       struct error *error)
{
	struct spool_build build;
	uint64_t there;
	bool complete;

	if (at->total > spool->max_file)
		return error_set(error, ERR_LIMIT, "larger than http.max_file_mib, which is %llu",
		                 (unsigned long long)(spool->max_file / MIB));
	spool_look(spool, arena, at->target, at->name, &build);
	if (build.state == SPOOL_COMPLETE)
		return error_set(error, ERR_CONFLICT, "build %s is complete; a name is used once",
		                 at->name);
	if (build.state == SPOOL_NONE &&
	    count_folders(place(arena, spool, at->target, "open", "")) >= SPOOL_OPEN_MAX)
		return error_set(error, ERR_UNAVAILABLE,
		                 "%d builds are not finished; complete or delete some",
		                 SPOOL_OPEN_MAX);
	spool_look_file(spool, at->target, at->name, at->file, &there, &complete);
	if (at->from > 0 && (complete || there != at->from))
		return error_set(error, ERR_CONFLICT,
		                 complete ? "the file is complete with %llu bytes"
		                          : "%llu bytes are there; go on from them",
		                 (unsigned long long)there);
	if (build.count >= SPOOL_FILES_MAX - 1 && there == 0 && !complete)
		return error_set(error, ERR_UNAVAILABLE, "a build has at most %d files",
		                 SPOOL_FILES_MAX - 1);
	return check_room(spool, account_of(spool, at->target), at->length, error);
}

/* The folders above the file, which are ours to make. */
static int make_folders(const struct spool *spool, struct arena *arena,
                        const struct spool_place *at, struct error *error)
{
	char *path = arena_printf(arena, "%s/%s/open/%s/%s", spool->root, at->target, at->name,
	                          at->file);
	size_t fixed = strlen(path) - strlen(at->file) - 1;

	for (char *slash = path + fixed; slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int rc = make_folder(path, error);
		if (rc != 0)
			return rc;
		*slash = '/';
	}
	if (is_folder(path))
		return error_set(error, ERR_CONFLICT, "%s is a folder of this build", at->file);
	return 0;
}

int spool_begin(struct spool_upload **out, struct spool *spool, const struct spool_place *at,
                struct error *error)
{
	struct arena arena = {0};
	struct account *account = account_of(spool, at->target);
	int rc, fd = -1;

	*out = NULL;
	rc = check_place(spool, &arena, at, error);
	if (rc == 0)
		rc = make_folders(spool, &arena, at, error);
	if (rc == ERR_IO && (errno == ENOTDIR || errno == EEXIST))
		rc = error_set(error, ERR_CONFLICT, "%s leads through a file of this build",
		               at->file);
	char *path = arena_printf(&arena, "%s/%s/open/%s/%s", spool->root, at->target, at->name,
	                          at->file);
	char *part = arena_printf(&arena, "%s%s", path, part_suffix);
	if (rc == 0) {
		fd = open(part,
		          O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_APPEND |
		                  (at->from == 0 ? O_TRUNC : 0),
		          0640);
		if (fd < 0)
			rc = error_set_errno(error, "%s", part);
	}
	if (rc == 0) {
		struct spool_upload *upload = xcalloc(1, sizeof(*upload));
		*upload = (struct spool_upload){.spool = spool,
		                                .account = account,
		                                .fd = fd,
		                                .part = xstrdup(part),
		                                .path = xstrdup(path),
		                                .at = at->from,
		                                .until = at->from + at->length,
		                                .total = at->total,
		                                .flushed = at->from};
		account->reserved += at->length;
		account->used += (uint64_t)2 * BLOCK;
		*out = upload;
	}
	arena_free(&arena);
	return rc;
}

int spool_write(struct spool_upload *upload, struct bytes part, struct error *error)
{
	if (part.len > upload->until - upload->at)
		die("more bytes than were announced");
	while (part.len > 0) {
		ssize_t done = write(upload->fd, part.data, part.len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno == ENOSPC || errno == EDQUOT || errno == EFBIG
			               ? error_set(error, ERR_UNAVAILABLE,
			                           "no room on the disk of %s", upload->spool->root)
			               : error_set_errno(error, "%s", upload->part);
		part = bytes_of(part.data + done, part.len - (size_t)done);
		upload->at += (uint64_t)done;
		upload->account->used += (uint64_t)done;
		upload->account->reserved -= (uint64_t)done;
	}
	/* Starts writing back without waiting, so that the end has little left to wait for. */
	if (upload->at - upload->flushed >= flush_every) {
		(void)sync_file_range(upload->fd, (off_t)upload->flushed,
		                      (off_t)(upload->at - upload->flushed), SYNC_FILE_RANGE_WRITE);
		upload->flushed = upload->at;
	}
	return 0;
}

void spool_leave(struct spool_upload *upload)
{
	upload->account->reserved -= upload->until - upload->at;
	close(upload->fd);
	free(upload->part);
	free(upload->path);
	free(upload);
}

int spool_end(struct spool_upload *upload, bool *complete, struct error *error)
{
	int rc = 0;

	*complete = upload->at == upload->total;
	/* The bytes before the name: a name without the suffix says that all of it is there. */
	if (fdatasync(upload->fd) != 0)
		rc = error_set_errno(error, "%s", upload->part);
	else if (*complete && rename(upload->part, upload->path) != 0)
		rc = error_set_errno(error, "%s", upload->path);
	*complete = *complete && rc == 0;
	spool_leave(upload);
	return rc;
}

/* --- whole builds --------------------------------------------------------------------------- */

static void sync_one(const char *path, const struct stat *st, void *arg)
{
	int *rc = arg;

	(void)st;
	if (*rc == 0)
		*rc = sync_folder(path, NULL);
}

static int check_complete(const struct spool_build *build, struct error *error)
{
	if (build->count == 0)
		return error_set(error, ERR_CONFLICT, "the build has no file");
	for (size_t i = 0; i < build->count; i++)
		if (!build->files[i].complete)
			return error_set(
			        error, ERR_CONFLICT, "%s is incomplete, %llu bytes are there",
			        build->files[i].path, (unsigned long long)build->files[i].size);
	return 0;
}

int spool_commit(struct spool *spool, const char *target, const char *name, struct error *error)
{
	struct arena arena = {0};
	struct spool_build build;
	int rc = 0, synced = 0;

	spool_look(spool, &arena, target, name, &build);
	if (build.state == SPOOL_NONE)
		rc = error_set(error, ERR_NOT_FOUND, "no build is called %s", name);
	if (build.state != SPOOL_OPEN)
		goto out;
	rc = check_complete(&build, error);
	if (rc != 0)
		goto out;
	walk(build.folder, &(struct walker){.folder = sync_one, .arg = &synced});
	const char *done = place(&arena, spool, target, "builds", name);
	if (synced != 0)
		rc = error_set(error, ERR_IO, "%s cannot be written to disk", build.folder);
	else if (renameat2(AT_FDCWD, build.folder, AT_FDCWD, done, RENAME_NOREPLACE) != 0)
		rc = error_set_errno(error, "%s", done);
	if (rc == 0)
		rc = sync_folder(place(&arena, spool, target, "builds", ""), error);
	if (rc == 0)
		rc = sync_folder(place(&arena, spool, target, "open", ""), error);
out:
	arena_free(&arena);
	return rc;
}

static int remove_build(struct spool *spool, struct arena *arena, const char *target,
                        const char *folder, struct error *error)
{
	uint8_t id[8];
	char text[sizeof(id) * 2 + 1];

	/* Out of sight at once, whatever interrupts the rest. */
	random_bytes(id, sizeof(id));
	const char *removed =
	        place(arena, spool, target, "removed", hex_encode(text, bytes_of(id, sizeof(id))));
	if (rename(folder, removed) != 0)
		return error_set_errno(error, "%s", folder);
	remove_tree(removed);
	recount(spool, account_of(spool, target));
	return 0;
}

int spool_remove(struct spool *spool, const char *target, const char *name, struct error *error)
{
	struct arena arena = {0};
	struct spool_build build;
	int rc;

	spool_look(spool, &arena, target, name, &build);
	if (build.state == SPOOL_NONE)
		rc = error_set(error, ERR_NOT_FOUND, "no build is called %s", name);
	else if (build.state == SPOOL_COMPLETE)
		rc = error_set(error, ERR_CONFLICT, "build %s is complete and stays", name);
	else
		rc = remove_build(spool, &arena, target, build.folder, error);
	arena_free(&arena);
	return rc;
}

/* Why it goes, or NULL when it stays. */
static const char *why_removed(const struct spool_cleaning *cleaning, const char *target,
                               const char *name, const struct spool_build *build)
{
	switch (build->state) {
	case SPOOL_NONE:
		break;
	case SPOOL_OPEN:
		if (build->touched.ms < cleaning->open_since.ms &&
		    !cleaning->busy(target, name, cleaning->arg))
			return "was not finished in time";
		break;
	case SPOOL_COMPLETE:
		if (build->touched.ms < cleaning->complete_since.ms &&
		    cleaning->recorded(target, build, cleaning->arg))
			return "is recorded and old";
		break;
	}
	return NULL;
}

static void clean_stage(struct spool *spool, const char *target, const char *stage,
                        const struct spool_cleaning *cleaning)
{
	struct arena arena = {0};
	DIR *folder = opendir(place(&arena, spool, target, stage, ""));
	const struct dirent *entry;
	struct spool_build build;
	struct error error;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		if (!spool_name_is_good(entry->d_name))
			continue;
		spool_look(spool, &arena, target, entry->d_name, &build);
		const char *why = why_removed(cleaning, target, entry->d_name, &build);
		if (why == NULL)
			continue;
		if (remove_build(spool, &arena, target, build.folder, &error) == 0)
			log_info(target, "dropped build %s %s; removed", entry->d_name, why);
		else
			log_unusual(target, "%s", error.text);
	}
	if (folder != NULL)
		closedir(folder);
	arena_free(&arena);
}

void spool_clean(struct spool *spool, const struct spool_cleaning *cleaning)
{
	for (size_t i = 0; i < spool->account_count; i++) {
		clean_stage(spool, spool->accounts[i].target, "open", cleaning);
		clean_stage(spool, spool->accounts[i].target, "builds", cleaning);
	}
}

/* --- life ----------------------------------------------------------------------------------- */

int spool_new(struct spool **out, const char *state_dir, uint64_t max_file, uint64_t quota,
              struct error *error)
{
	struct spool *spool = xcalloc(1, sizeof(*spool));

	*out = NULL;
	spool->root = xasprintf("%s/drop", state_dir);
	spool->max_file = max_file;
	spool->quota = quota;
	int rc = make_folder(spool->root, error);
	if (rc != 0) {
		spool_free(spool);
		return rc;
	}
	*out = spool;
	return 0;
}

int spool_add_target(struct spool *spool, const char *target, struct error *error)
{
	static const char *const stages[] = {"", "/open", "/builds", "/removed"};
	struct arena arena = {0};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(stages) && rc == 0; i++)
		rc = make_folder(arena_printf(&arena, "%s/%s%s", spool->root, target, stages[i]),
		                 error);
	if (rc == 0) {
		const char *removed = place(&arena, spool, target, "removed", "");
		remove_tree(removed);
		rc = make_folder(removed, error);
	}
	if (rc == 0) {
		spool->accounts = xrealloc(spool->accounts,
		                           (spool->account_count + 1) * sizeof(*spool->accounts));
		struct account *account = &spool->accounts[spool->account_count++];
		*account = (struct account){.target = xstrdup(target)};
		recount(spool, account);
	}
	arena_free(&arena);
	return rc;
}

void spool_free(struct spool *spool)
{
	if (spool == NULL)
		return;
	for (size_t i = 0; i < spool->account_count; i++)
		free(spool->accounts[i].target);
	free(spool->accounts);
	free(spool->root);
	free(spool);
}
