/* The watcher on real folders with real inotify; the kernel is replaced only where its limits
 * cannot be reached at will. Everything waits by running the loop. */
#include "daemon/watch/watcher.h"

#include "common/base/log.h"
#include "tests/unit/patience.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>

enum { SETTLE_MS = 30, BUILD_SETTLE_MS = 60, FILES_MAX = 1024 };

/* What the watcher said about one path last. */
struct seen {
	char *path;
	struct file_id id;
	int settled, gone;
	char content[64];
};

struct world {
	char root[SCRATCH_PATH];
	struct loop *loop;
	struct patience *patience;
	struct watcher *watcher;
	struct seen files[FILES_MAX];
	size_t count;
	char *folders[FILES_MAX];
	size_t folder_count;
	char *left[8];
	size_t left_count;
	int walks;
	bool hold;      /* takes nothing */
	bool forgetful; /* knows nothing */
};

static struct seen *seen(struct world *world, const char *path)
{
	for (size_t i = 0; i < world->count; i++) {
		if (strcmp(world->files[i].path, path) == 0)
			return &world->files[i];
	}
	assert_true(world->count < FILES_MAX);
	world->files[world->count].path = xstrdup(path);
	return &world->files[world->count++];
}

static int settled(struct world *world, const char *path)
{
	return seen(world, path)->settled;
}

static bool known(const char *path, const struct file_id *id, void *arg)
{
	struct world *world = arg;
	struct seen *file = seen(world, path);

	return !world->forgetful && file->settled > 0 && file_id_equal(&file->id, id);
}

static void take_all(struct world *world)
{
	struct watcher_file file;
	char *folder;

	while (watcher_take(world->watcher, &file)) {
		struct seen *entry = seen(world, file.path);

		if (file.fd >= 0) {
			ssize_t len = read(file.fd, entry->content, sizeof(entry->content) - 1);

			entry->content[len > 0 ? len : 0] = '\0';
			entry->settled++;
			entry->id = file.id;
			close(file.fd);
		} else {
			entry->gone++;
			entry->id = (struct file_id){0};
		}
		watcher_done(world->watcher, file.path);
		free(file.path);
	}
	while ((folder = watcher_take_folder(world->watcher)) != NULL)
		world->folders[world->folder_count++] = folder;
	watcher_arm(world->watcher);
}

static void ready(void *arg)
{
	struct world *world = arg;

	if (!world->hold)
		take_all(world);
	loop_stop(world->loop);
}

static void walked(void *arg)
{
	struct world *world = arg;

	world->walks++;
	loop_stop(world->loop);
}

static void left(const char *folder, void *arg)
{
	struct world *world = arg;

	world->left[world->left_count++] = xstrdup(folder);
	loop_stop(world->loop);
}

static const struct watcher_owner owner = {
        .known = known, .ready = ready, .walked = walked, .left = left};

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	scratch_make(world->root, "watcher");
	world->loop = loop_new();
	world->patience = patience_new(world->loop);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	watcher_free(world->watcher);
	patience_free(world->patience);
	loop_free(world->loop);
	scratch_remove(world->root);
	for (size_t i = 0; i < world->count; i++)
		free(world->files[i].path);
	for (size_t i = 0; i < world->folder_count; i++)
		free(world->folders[i]);
	for (size_t i = 0; i < world->left_count; i++)
		free(world->left[i]);
	free(world);
	return 0;
}

static struct watcher_parts parts(struct world *world)
{
	return (struct watcher_parts){
	        .loop = world->loop,
	        .path = world->root,
	        .recursive = true,
	        .settle_ms = SETTLE_MS,
	        .build_settle_ms = BUILD_SETTLE_MS,
	        .owner = &owner,
	        .arg = world,
	};
}

static void start_with(struct world *world, struct watcher_parts with)
{
	world->watcher = watcher_new(&with);
}

/* Started, and through its first walk. */
static void start(struct world *world)
{
	start_with(world, parts(world));
	UNTIL(world, world->walks == 1);
}

static const char *in(struct world *world, const char *path)
{
	static char whole[8][256];
	static unsigned next;
	char *out = whole[next++ % ARRAY_LEN(whole)];

	snprintf(out, sizeof(whole[0]), "%s/%s", world->root, path);
	return out;
}

static void put(struct world *world, const char *path, const char *content)
{
	int fd = open(in(world, path), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static void make(struct world *world, const char *path)
{
	assert_int_equal(mkdir(in(world, path), 0755), 0);
}

static bool is_mode(struct world *world, const char *mode)
{
	struct jval *status = watcher_status(world->watcher);
	bool is = strcmp(jval_get_string(status, "mode"), mode) == 0;

	jval_free(status);
	return is;
}

static int64_t status_int(struct world *world, const char *key)
{
	struct jval *status = watcher_status(world->watcher);
	int64_t value = -1;

	assert_int_equal(jval_get_int(status, key, &value), 0);
	jval_free(status);
	return value;
}

static void test_written_file_settles_and_its_folder_after_it(void **state)
{
	struct world *world = *state;

	start(world);
	assert_true(is_mode(world, "inotify"));
	put(world, "enclave.eif", "bytes");
	UNTIL(world, settled(world, "enclave.eif") == 1);
	assert_string_equal(seen(world, "enclave.eif")->content, "bytes");
	assert_int_equal(world->folder_count, 0);
	UNTIL(world, world->folder_count == 1);
	assert_string_equal(world->folders[0], "");
}

static void test_arrived_while_down(void **state)
{
	struct world *world = *state;

	make(world, "a");
	make(world, "a/b");
	put(world, "one", "1");
	put(world, "a/b/two", "2");
	start(world);
	UNTIL(world, settled(world, "one") == 1 && settled(world, "a/b/two") == 1);
	UNTIL(world, world->folder_count == 2);
}

static void test_known_content_is_not_offered_again(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);

	put(world, "one", "1");
	with.rescan_ms = 20;
	start_with(world, with);
	UNTIL(world, settled(world, "one") == 1);
	UNTIL(world, world->walks >= 5);
	assert_int_equal(settled(world, "one"), 1);
	assert_int_equal(world->folder_count <= 1, 1);
}

static void test_slow_write_settles_once(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);
	int fd;

	with.settle_ms = 10 * SETTLE_MS; /* a busy machine delays a piece */
	start_with(world, with);
	fd = open(in(world, "slow"), O_WRONLY | O_CREAT, 0644);
	/* Each piece comes well before the file has settled. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(write(fd, "x", 1), 1);
		patience_pass(world->patience, SETTLE_MS / 3);
		assert_int_equal(settled(world, "slow"), 0);
	}
	close(fd);
	UNTIL(world, settled(world, "slow") == 1);
	assert_string_equal(seen(world, "slow")->content, "xxxxxxxxxxxxxxxxxxxx");
	UNTIL(world, world->folder_count == 1);
	assert_int_equal(settled(world, "slow"), 1);
}

static void test_rename_into_place(void **state)
{
	struct world *world = *state;

	start(world);
	put(world, ".enclave.eif.Xy12Ab", "rsync");
	put(world, "enclave.eif.part", "download");
	put(world, "m.json.tmp", "half");
	put(world, "backup~", "old");
	put(world, "other", "o");
	UNTIL(world, settled(world, "other") == 1);
	assert_int_equal(world->count, 1); /* no other name was even looked at */
	rename(in(world, ".enclave.eif.Xy12Ab"), in(world, "enclave.eif"));
	rename(in(world, "m.json.tmp"), in(world, "m.json"));
	UNTIL(world, settled(world, "enclave.eif") == 1 && settled(world, "m.json") == 1);
	assert_string_equal(seen(world, "enclave.eif")->content, "rsync");
}

static void test_hidden_copy_keeps_the_folder_open(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);

	with.build_settle_ms = 10 * BUILD_SETTLE_MS;
	start_with(world, with);
	put(world, "m.json", "{}");
	UNTIL(world, settled(world, "m.json") == 1);
	for (int i = 0; i < 12; i++) {
		put(world, ".enclave.eif.Xy12Ab", "more");
		patience_pass(world->patience, BUILD_SETTLE_MS / 4);
		assert_int_equal(world->folder_count, 0);
	}
	rename(in(world, ".enclave.eif.Xy12Ab"), in(world, "enclave.eif"));
	UNTIL(world, world->folder_count == 1);
	assert_int_equal(settled(world, "enclave.eif"), 1);
}

static void test_new_folders_without_a_window(void **state)
{
	struct world *world = *state;

	start(world);
	/* All of it is there before the first event is read. */
	for (int i = 0; i < 20; i++) {
		char name[64];

		snprintf(name, sizeof(name), "r%d", i);
		make(world, name);
		snprintf(name, sizeof(name), "r%d/deep", i);
		make(world, name);
		snprintf(name, sizeof(name), "r%d/deep/file", i);
		put(world, name, "x");
	}
	UNTIL(world, world->count == 20 && world->folder_count == 20);
	/* And what comes later is seen by their own watches. */
	put(world, "r7/deep/later", "y");
	UNTIL(world, settled(world, "r7/deep/later") == 1);
	assert_int_equal(status_int(world, "folders"), 41);
	assert_int_equal(world->walks, 1);
}

static void test_folder_renamed_into_place(void **state)
{
	struct world *world = *state;

	start(world);
	make(world, ".staging");
	put(world, ".staging/file", "x");
	rename(in(world, ".staging"), in(world, "release"));
	UNTIL(world, settled(world, "release/file") == 1);
	rename(in(world, "release"), in(world, "final"));
	UNTIL(world, settled(world, "final/file") == 1);
	assert_int_equal(world->left_count, 1);
	assert_string_equal(world->left[0], "release");
	watcher_check(world->watcher, "release/file");
	watcher_check(world->watcher, "final/file");
	UNTIL(world, seen(world, "release/file")->gone == 1);
	assert_int_equal(seen(world, "final/file")->gone, 0);
	put(world, "final/file", "changed");
	UNTIL(world, settled(world, "final/file") == 2);
	assert_string_equal(seen(world, "final/file")->content, "changed");
}

static void test_removed_file_is_gone(void **state)
{
	struct world *world = *state;

	put(world, "one", "1");
	put(world, "two", "2");
	start(world);
	UNTIL(world, world->folder_count == 1);
	unlink(in(world, "one"));
	rename(in(world, "two"), in(world, "three"));
	UNTIL(world, seen(world, "one")->gone == 1 && seen(world, "two")->gone == 1 &&
	                     settled(world, "three") == 1);
	UNTIL(world, world->folder_count == 2);
}

static void test_not_recursive(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);

	make(world, "sub");
	put(world, "sub/deep", "no");
	with.recursive = false;
	start_with(world, with);
	UNTIL(world, world->walks == 1);
	make(world, "sub2");
	put(world, "sub2/deep", "no");
	put(world, "flat", "yes");
	UNTIL(world, world->folder_count == 1);
	assert_int_equal(world->count, 1);
	assert_int_equal(settled(world, "flat"), 1);
}

static void test_overflow_walks_everything(void **state)
{
	struct world *world = *state;
	struct inotify_event overflow = {.wd = -1, .mask = IN_Q_OVERFLOW};

	put(world, "one", "1");
	start(world);
	UNTIL(world, settled(world, "one") == 1);
	world->forgetful = true; /* so that only the walk can tell */
	watcher_feed(world->watcher, &overflow, sizeof(overflow));
	UNTIL(world, world->walks == 2);
	UNTIL(world, settled(world, "one") == 2);
	assert_int_equal(status_int(world, "overflows"), 1);
}

static void test_root_deleted_and_made_again(void **state)
{
	struct world *world = *state;

	put(world, "one", "1");
	start(world);
	UNTIL(world, world->folder_count == 1);
	scratch_remove(world->root);
	UNTIL(world, is_mode(world, "absent"));
	assert_int_equal(mkdir(world->root, 0755), 0);
	put(world, "two", "2");
	UNTIL(world, settled(world, "two") == 1);
	assert_true(is_mode(world, "inotify"));
	put(world, "three", "3");
	UNTIL(world, settled(world, "three") == 1);
}

static void test_root_moved_away_and_replaced(void **state)
{
	struct world *world = *state;
	char old[80];

	start(world);
	snprintf(old, sizeof(old), "%s.old", world->root);
	rename(world->root, old);
	assert_int_equal(mkdir(world->root, 0755), 0);
	put(world, "new", "n");
	UNTIL(world, settled(world, "new") == 1);
	scratch_remove(old);
}

static void test_root_missing_at_start(void **state)
{
	struct world *world = *state;

	assert_int_equal(rmdir(world->root), 0);
	start_with(world, parts(world));
	patience_pass(world->patience, 5);
	assert_true(is_mode(world, "absent"));
	assert_int_equal(mkdir(world->root, 0755), 0);
	put(world, "one", "1");
	UNTIL(world, settled(world, "one") == 1);
}

static int watches_left;

static int add_watch_limited(int inotify, const char *path, uint32_t mask)
{
	if (watches_left <= 0) {
		errno = ENOSPC;
		return -1;
	}
	watches_left--;
	return inotify_add_watch(inotify, path, mask);
}

static void test_watch_limit_falls_back_to_walking(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);
	const struct watcher_kernel kernel = {.add_watch = add_watch_limited};

	make(world, "a");
	make(world, "b");
	with.kernel = &kernel;
	with.rescan_ms = 40;
	watches_left = 1; /* the root's */
	start_with(world, with);
	UNTIL(world, world->walks == 1);
	assert_true(is_mode(world, "rescan"));
	put(world, "b/unseen", "x");
	UNTIL(world, settled(world, "b/unseen") == 1);
	/* And back when there is room again. */
	watches_left = INT_MAX;
	UNTIL(world, is_mode(world, "inotify"));
}

static long fs_type_nfs(int fd)
{
	(void)fd;
	return 0x6969;
}

static int add_watch_blind(int inotify, const char *path, uint32_t mask)
{
	(void)mask;
	/* Inotify takes the watch and never says anything, as on NFS. */
	return inotify_add_watch(inotify, path, IN_DELETE_SELF);
}

static void test_network_file_system_is_walked(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);
	const struct watcher_kernel kernel = {.fs_type = fs_type_nfs, .add_watch = add_watch_blind};
	struct jval *status;

	with.kernel = &kernel;
	with.rescan_ms = 20; /* as `rescan: 20ms` would */
	start_with(world, with);
	UNTIL(world, world->walks == 1);
	status = watcher_status(world->watcher);
	assert_string_equal(jval_get_string(status, "mode"), "rescan");
	assert_string_equal(jval_get_string(status, "why"), "nfs");
	jval_free(status);
	make(world, "new");
	put(world, "new/one", "1");
	UNTIL(world, settled(world, "new/one") == 1);
	put(world, "new/one", "22");
	UNTIL(world, settled(world, "new/one") == 2);
	UNTIL(world, world->folder_count >= 1);
}

static void test_growing_where_inotify_is_blind(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);
	const struct watcher_kernel kernel = {.fs_type = fs_type_nfs, .add_watch = add_watch_blind};
	int fd;

	with.kernel = &kernel;
	with.rescan_ms = 3600000; /* the first walk only */
	fd = open(in(world, "grows"), O_WRONLY | O_CREAT, 0644);
	start_with(world, with);
	UNTIL(world, world->walks == 1);
	/* It was seen empty; it settles as something else, so it has to settle once more. */
	world->hold = true;
	assert_int_equal(write(fd, "all", 3), 3);
	close(fd);
	world->hold = false;
	UNTIL(world, settled(world, "grows") == 1);
	assert_string_equal(seen(world, "grows")->content, "all");
}

static void test_links_inside_are_followed_and_out_never(void **state)
{
	struct world *world = *state;
	char outside[] = "/tmp/watcher-outside.XXXXXX", target[80];
	int fd;

	assert_non_null(mkdtemp(outside));
	snprintf(target, sizeof(target), "%s/secret", outside);
	fd = open(target, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, "s", 1), 1);
	close(fd);
	make(world, "release-42");
	put(world, "release-42/file", "42");
	make(world, ".store");
	make(world, ".store/43");
	put(world, ".store/43/file", "43");
	/* Reached by itself: seen once, in its own place. */
	assert_int_equal(symlink("release-42", in(world, "current")), 0);
	/* Reached only through the link. */
	assert_int_equal(symlink(".store/43", in(world, "next")), 0);
	assert_int_equal(symlink(".store/43/file", in(world, "latest")), 0);
	/* Round and round. */
	assert_int_equal(symlink("..", in(world, ".store/up")), 0);
	assert_int_equal(symlink(".", in(world, "self")), 0);
	assert_int_equal(symlink("../.store", in(world, ".store/round")), 0);
	assert_int_equal(symlink(".store", in(world, "store")), 0);
	/* Out. */
	assert_int_equal(symlink(outside, in(world, "out")), 0);
	assert_int_equal(symlink(target, in(world, "out-file")), 0);
	assert_int_equal(symlink("../../etc/passwd", in(world, "passwd")), 0);
	assert_int_equal(symlink("/proc/self/fd", in(world, "magic")), 0);
	assert_int_equal(symlink("nowhere", in(world, "dangling")), 0);
	start(world);
	UNTIL(world, settled(world, "release-42/file") == 1 && settled(world, "latest") == 1);
	UNTIL(world, world->folder_count >= 2);
	for (size_t i = 0; i < world->count; i++) {
		const char *content = world->files[i].content;

		assert_true(strcmp(content, "42") == 0 || strcmp(content, "43") == 0);
	}
	/* Turned to new content while we look. */
	assert_int_equal(symlink(target, in(world, "out-later")), 0);
	assert_int_equal(symlink("release-42/file", in(world, "again")), 0);
	UNTIL(world, seen(world, "out-later")->gone == 1 && seen(world, "again")->gone == 1);
	make(world, ".other");
	put(world, ".other/new", "44");
	assert_int_equal(symlink(".other", in(world, "fresh")), 0);
	UNTIL(world, settled(world, "fresh/new") == 1);
	scratch_remove(outside);
}

static void test_links_turned_by_others(void **state)
{
	struct world *world = *state;

	/* The layout of a Kubernetes volume. */
	make(world, "..v1");
	put(world, "..v1/m.json", "one");
	assert_int_equal(symlink("..v1", in(world, "..data")), 0);
	assert_int_equal(symlink("..data/m.json", in(world, "m.json")), 0);
	start(world);
	UNTIL(world, settled(world, "m.json") == 1);
	make(world, "..v2");
	put(world, "..v2/m.json", "two");
	assert_int_equal(symlink("..v2", in(world, "..data_tmp")), 0);
	rename(in(world, "..data_tmp"), in(world, "..data"));
	UNTIL(world, settled(world, "m.json") == 2);
	assert_string_equal(seen(world, "m.json")->content, "two");
}

static void test_only_regular_files(void **state)
{
	struct world *world = *state;

	assert_int_equal(mkfifo(in(world, "pipe"), 0644), 0);
	start(world);
	assert_int_equal(mkfifo(in(world, "pipe2"), 0644), 0);
	assert_int_equal(symlink("pipe", in(world, "to-pipe")), 0);
	put(world, "file", "x");
	UNTIL(world, settled(world, "file") == 1 && seen(world, "pipe2")->gone == 1 &&
	                     seen(world, "to-pipe")->gone == 1);
	assert_int_equal(settled(world, "pipe") + settled(world, "pipe2"), 0);
}

static void test_more_files_than_are_remembered(void **state)
{
	struct world *world = *state;
	struct watcher_parts with = parts(world);

	for (int i = 0; i < 30; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put(world, name, "x");
	}
	with.limit = 10;
	start_with(world, with);
	world->hold = true;
	UNTIL(world, world->walks == 1);
	assert_int_equal(status_int(world, "pending_files"), 10);
	world->hold = false;
	/* Later walks would pick up the rest in time; an overflow asks for them now. */
	for (int round = 1; round <= 3; round++) {
		struct inotify_event overflow = {.wd = -1, .mask = IN_Q_OVERFLOW};
		int total = 0;

		UNTIL(world, status_int(world, "pending_files") == 0);
		for (size_t i = 0; i < world->count; i++)
			total += world->files[i].settled;
		assert_int_equal(total, round * 10);
		watcher_feed(world->watcher, &overflow, sizeof(overflow));
		UNTIL(world, world->walks == round + 1);
	}
	assert_int_equal(status_int(world, "pending_files"), 0);
}

static void test_again_is_offered_again(void **state)
{
	struct world *world = *state;
	struct watcher_file file;

	put(world, "one", "1");
	start(world);
	world->hold = true;
	UNTIL(world, watcher_take(world->watcher, &file));
	close(file.fd);
	assert_null(watcher_take_folder(world->watcher));
	watcher_again(world->watcher, file.path, 0);
	free(file.path);
	world->hold = false;
	UNTIL(world, settled(world, "one") == 1);
	UNTIL(world, world->folder_count == 1);
}

static void test_freed_in_the_middle(void **state)
{
	struct world *world = *state;

	make(world, "a");
	put(world, "a/one", "1");
	start_with(world, parts(world));
	watcher_free(world->watcher);
	start_with(world, parts(world));
	UNTIL(world, world->walks == 1); /* pending, not settled */
	watcher_free(world->watcher);
	world->watcher = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	        TEST(test_written_file_settles_and_its_folder_after_it),
	        TEST(test_arrived_while_down),
	        TEST(test_known_content_is_not_offered_again),
	        TEST(test_slow_write_settles_once),
	        TEST(test_rename_into_place),
	        TEST(test_hidden_copy_keeps_the_folder_open),
	        TEST(test_new_folders_without_a_window),
	        TEST(test_folder_renamed_into_place),
	        TEST(test_removed_file_is_gone),
	        TEST(test_not_recursive),
	        TEST(test_overflow_walks_everything),
	        TEST(test_root_deleted_and_made_again),
	        TEST(test_root_moved_away_and_replaced),
	        TEST(test_root_missing_at_start),
	        TEST(test_watch_limit_falls_back_to_walking),
	        TEST(test_network_file_system_is_walked),
	        TEST(test_growing_where_inotify_is_blind),
	        TEST(test_links_inside_are_followed_and_out_never),
	        TEST(test_links_turned_by_others),
	        TEST(test_only_regular_files),
	        TEST(test_more_files_than_are_remembered),
	        TEST(test_again_is_offered_again),
	        TEST(test_freed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
