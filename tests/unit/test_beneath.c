/* What lies beneath a root, and what has settled in it: the parts of watching that need no loop. */
#include "daemon/watch/beneath.h"
#include "daemon/watch/find.h"
#include "daemon/watch/settle.h"
#include "daemon/watch/unreadable.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	char root[SCRATCH_PATH];
	int fd;
};

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	scratch_make(world->root, "beneath");
	world->fd = open(world->root, O_PATH | O_DIRECTORY);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	close(world->fd);
	scratch_remove(world->root);
	free(world);
	return 0;
}

static void make(struct world *world, const char *path)
{
	int root = open(world->root, O_PATH);

	assert_int_equal(mkdirat(root, path, 0755), 0);
	close(root);
}

static void put(struct world *world, const char *path, const char *content)
{
	int root = open(world->root, O_PATH);
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
	close(root);
}

static void link_to(struct world *world, const char *target, const char *path)
{
	int root = open(world->root, O_PATH);

	assert_int_equal(symlinkat(target, root, path), 0);
	close(root);
}

static void test_blind_file_systems_are_recognised(void **state)
{
	(void)state;
	assert_string_equal(beneath_blind_fs(0x6969), "nfs");
	assert_string_equal(beneath_blind_fs(0x65735546), "fuse");
	assert_string_equal(beneath_blind_fs(0x01021997), "9p");
	assert_string_equal(beneath_blind_fs(0x794c7630), "overlay");
	assert_string_equal(beneath_blind_fs(0x00c36400), "ceph");
	assert_string_equal(beneath_blind_fs((long)0xfe534d42), "smb2");
	assert_string_equal(beneath_blind_fs((int)0xff534d42), "cifs"); /* signed, as on 32 bits */
	assert_null(beneath_blind_fs(0xef53));                          /* ext4 */
	assert_null(beneath_blind_fs(0x58465342));                      /* xfs */
	assert_null(beneath_blind_fs(0x01021994));                      /* tmpfs */
	assert_null(beneath_blind_fs(-1));
}

static void test_walk_without_openat2_is_the_same(void **state)
{
	struct world *world = *state;
	static const struct {
		const char *path;
		int error; /* 0: opens */
	} cases[] = {
	        {"file", 0},
	        {"a/file", 0},
	        {"a/../file", 0},
	        {"./a//./file", 0},
	        {"", 0},
	        {"a/b/up/file", 0},
	        {"to-file", 0},
	        {"missing", ENOENT},
	        {"file/x", ENOTDIR},
	        {"../x", EXDEV},
	        {"a/../../x", EXDEV},
	        {"/etc/passwd", EXDEV},
	        {"absolute", EXDEV},
	        {"out", EXDEV},
	        {"loop", ELOOP},
	        {"a/b/up/a/b/up/file", 0},
	};

	make(world, "a");
	make(world, "a/b");
	put(world, "file", "x");
	put(world, "a/file", "y");
	link_to(world, "../..", "a/b/up");
	link_to(world, "a/b/../file", "to-file");
	link_to(world, "/etc/passwd", "absolute");
	link_to(world, "a/../../../etc/passwd", "out");
	link_to(world, "loop", "loop");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int by_kernel = beneath_open(world->fd, cases[i].path, O_RDONLY);
		int by_walk = beneath_open_walk(world->fd, cases[i].path, O_RDONLY);
		struct stat one, other;

		assert_int_equal(by_kernel < 0 ? -by_kernel : 0, cases[i].error);
		assert_int_equal(by_walk < 0 ? -by_walk : 0, cases[i].error);
		if (cases[i].error != 0)
			continue;
		fstat(by_kernel, &one);
		fstat(by_walk, &other);
		assert_true(one.st_ino == other.st_ino);
		close(by_kernel);
		close(by_walk);
	}
}

static void test_names_that_are_not_ours_yet(void **state)
{
	static const char *const skipped[] = {
	        ".x",     ".enclave.eif.Xy12Ab", "x~",          "x.tmp",
	        "x.part", "x.partial",           "#x#",         "x.swp",
	        "..data", "x.filepart",          "x.crdownload"};
	static const char *const taken[] = {"enclave.eif", "tmp",       "x.tmpl", "part",
	                                    "a.b",         "x.tmp.eif", "~x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(skipped); i++)
		assert_true(beneath_skips(skipped[i]));
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		assert_false(beneath_skips(taken[i]));
}

static void test_what_a_walk_reaches_by_itself(void **state)
{
	char deep[2 * (BENEATH_DEPTH_MAX + 2) + 1];

	(void)state;
	assert_true(beneath_reaches("", true));
	assert_true(beneath_reaches("a", false));
	assert_false(beneath_reaches("a/b", false));
	assert_true(beneath_reaches("a/b/c", true));
	assert_false(beneath_reaches("a/.b/c", true));
	assert_false(beneath_reaches("a/b.tmp", true));
	for (int i = 0; i < BENEATH_DEPTH_MAX + 2; i++)
		memcpy(deep + (size_t)i * 2, "d/", 3);
	deep[2 * (BENEATH_DEPTH_MAX + 1) - 1] = '\0'; /* in as many folders as are looked into */
	assert_true(beneath_reaches(deep, true));
	deep[2 * (BENEATH_DEPTH_MAX + 1) - 1] = '/';
	deep[2 * (BENEATH_DEPTH_MAX + 2) - 1] = '\0';
	assert_false(beneath_reaches(deep, true));
}

static void test_finding_a_file(void **state)
{
	struct world *world = *state;
	struct file_id id;
	int fd;

	make(world, "a");
	make(world, ".h");
	put(world, "a/file", "x");
	put(world, ".h/file", "y");
	link_to(world, "a/file", "again");
	link_to(world, ".h/file", "hidden");
	link_to(world, ".h", "folder");
	link_to(world, "/etc/passwd", "out");
	assert_int_equal(find_file(world->fd, "a/file", true, &fd, &id), FOUND_FILE);
	assert_int_equal(id.size, 1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	assert_int_equal(find_file(world->fd, "again", true, &fd, &id), FOUND_NONE);
	assert_int_equal(fd, -1);
	/* Only this folder is watched: the link is the only way. */
	assert_int_equal(find_file(world->fd, "again", false, &fd, &id), FOUND_FILE);
	close(fd);
	assert_int_equal(find_file(world->fd, "hidden", true, &fd, &id), FOUND_FILE);
	close(fd);
	assert_int_equal(find_file(world->fd, "folder", true, &fd, &id), FOUND_FOLDER);
	assert_int_equal(find_file(world->fd, "out", true, &fd, &id), FOUND_NONE);
	assert_int_equal(find_file(world->fd, "missing", true, &fd, &id), FOUND_NONE);
	assert_int_equal(find_file(world->fd, "a/file/x", true, &fd, &id), FOUND_NONE);
}

static void test_unreadable_is_forgotten_when_it_changes(void **state)
{
	struct unreadable *unreadable = unreadable_new();
	struct file_id id = {.inode = 1, .size = 2}, other = {.inode = 1, .size = 3};
	char name[16];

	(void)state;
	assert_false(unreadable_has(unreadable, "x", &id));
	unreadable_add(unreadable, "x", &id);
	assert_true(unreadable_has(unreadable, "x", &id));
	assert_false(unreadable_has(unreadable, "x", &other));
	unreadable_add(unreadable, "x", &other);
	assert_true(unreadable_has(unreadable, "x", &other));
	assert_int_equal(unreadable_count(unreadable), 1);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		unreadable_add(unreadable, name, &id);
	}
	assert_true(unreadable_count(unreadable) < 5000);
	unreadable_free(unreadable);
}

/* --- settling: a folder's files take 10, the folder itself 100 ---------------------------------
 */

static const struct mono start = {INT64_MAX / 2};

static struct mono at(int64_t ms)
{
	return (struct mono){start.ms + ms};
}

static bool takes(struct settle *settle, int64_t when, const char *path)
{
	struct settled next;
	bool same;

	if (!settle_take(settle, at(when), &next))
		return path == NULL;
	same = path != NULL && strcmp(next.path, path) == 0;
	free(next.path);
	return same;
}

static bool takes_folder(struct settle *settle, int64_t when, const char *folder)
{
	char *next = settle_take_folder(settle, at(when));
	bool same = folder == NULL ? next == NULL : next != NULL && strcmp(next, folder) == 0;

	free(next);
	return same;
}

static void test_every_touch_begins_anew(void **state)
{
	struct settle *settle = settle_new(10, 100, 100);
	struct mono due;

	(void)state;
	assert_false(settle_due(settle, &due));
	assert_true(settle_touch(settle, "a/x", NULL, 0, at(0)));
	assert_true(settle_touch(settle, "a/y", NULL, 0, at(1)));
	assert_true(settle_touch(settle, "a/x", NULL, 0, at(9)));
	assert_true(settle_due(settle, &due));
	assert_int_equal(due.ms, at(11).ms);
	assert_true(takes(settle, 10, NULL));
	assert_true(takes(settle, 11, "a/y"));
	assert_true(takes(settle, 18, NULL));
	/* Settled and touched before it was taken: waits again. */
	settle_advance(settle, at(19));
	assert_true(settle_touch(settle, "a/x", NULL, 0, at(20)));
	assert_true(takes(settle, 29, NULL));
	assert_true(takes(settle, 30, "a/x"));
	assert_int_equal(settle_files(settle), 0);
	settle_free(settle);
}

static void test_folder_waits_for_its_files(void **state)
{
	struct settle *settle = settle_new(10, 100, 100);

	(void)state;
	assert_true(settle_touch(settle, "a/x", NULL, 0, at(0)));
	assert_true(settle_touch(settle, "top", NULL, 0, at(0)));
	assert_true(takes(settle, 10, "a/x"));
	assert_true(takes(settle, 10, "top"));
	settle_done(settle, "top");
	assert_true(takes_folder(settle, 99, NULL));
	assert_true(takes_folder(settle, 100, ""));
	/* Being measured for long. */
	assert_true(takes_folder(settle, 500, NULL));
	settle_done(settle, "a/x");
	assert_true(takes_folder(settle, 500, "a"));
	assert_int_equal(settle_folders(settle), 0);
	/* A touch while its time has come and its file is in work. */
	assert_true(settle_touch(settle, "a/x", NULL, 0, at(600)));
	assert_true(takes(settle, 610, "a/x"));
	assert_true(takes_folder(settle, 700, NULL));
	settle_extend_folder(settle, "a", at(710));
	settle_extend_folder(settle, "unknown", at(710));
	settle_done(settle, "a/x");
	assert_true(takes_folder(settle, 809, NULL));
	assert_true(takes_folder(settle, 810, "a"));
	assert_int_equal(settle_folders(settle), 0);
	settle_free(settle);
}

static void test_later_ones_do_not_hold_up_others(void **state)
{
	struct settle *settle = settle_new(10, 100, 100);

	(void)state;
	assert_true(settle_touch(settle, "late", NULL, 1000, at(0)));
	assert_true(settle_touch(settle, "soon", NULL, 0, at(5)));
	assert_true(takes(settle, 15, "soon"));
	assert_true(takes(settle, 1009, NULL));
	assert_true(takes(settle, 1010, "late"));
	settle_free(settle);
}

static void test_noticing_does_not_begin_anew(void **state)
{
	struct settle *settle = settle_new(10, 100, 100);
	struct file_id one = {.size = 1}, two = {.size = 2};
	struct settled next;

	(void)state;
	assert_true(settle_notice(settle, "x", &one, at(0)));
	assert_true(settle_notice(settle, "x", &one, at(5)));
	assert_true(settle_take(settle, at(10), &next));
	assert_true(next.has_seen && next.seen.size == 1);
	free(next.path);
	settle_done(settle, "x");
	assert_true(settle_notice(settle, "x", &one, at(20)));
	assert_true(settle_notice(settle, "x", &two, at(25)));
	assert_true(takes(settle, 30, NULL));
	assert_true(takes(settle, 35, "x"));
	/* An event knows better than a walk. */
	assert_true(settle_touch(settle, "y", NULL, 0, at(40)));
	assert_true(settle_notice(settle, "y", &one, at(45)));
	assert_true(settle_take(settle, at(50), &next));
	assert_false(next.has_seen);
	free(next.path);
	settle_free(settle);
}

static void test_settling_is_bounded(void **state)
{
	struct settle *settle = settle_new(10, 100, 3);

	(void)state;
	assert_true(settle_touch(settle, "a/1", NULL, 0, at(0)));
	assert_true(settle_touch(settle, "a/2", NULL, 0, at(0)));
	assert_true(settle_touch(settle, "a/3", NULL, 0, at(0)));
	assert_false(settle_touch(settle, "a/4", NULL, 0, at(0)));
	assert_true(settle_touch(settle, "a/1", NULL, 0, at(1)));
	assert_true(settle_touch_folder(settle, "b", at(0)));
	assert_true(settle_touch_folder(settle, "c", at(0)));
	assert_false(settle_touch_folder(settle, "d", at(0)));
	assert_int_equal(settle_files(settle), 3);
	assert_true(takes(settle, 10, "a/2"));
	assert_true(settle_touch(settle, "a/4", NULL, 0, at(10)));
	settle_free(settle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	        TEST(test_blind_file_systems_are_recognised),
	        TEST(test_walk_without_openat2_is_the_same),
	        TEST(test_names_that_are_not_ours_yet),
	        TEST(test_what_a_walk_reaches_by_itself),
	        TEST(test_finding_a_file),
	        TEST(test_unreadable_is_forgotten_when_it_changes),
	        TEST(test_every_touch_begins_anew),
	        TEST(test_folder_waits_for_its_files),
	        TEST(test_later_ones_do_not_hold_up_others),
	        TEST(test_noticing_does_not_begin_anew),
	        TEST(test_settling_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
