/* Halted chains, and clocks that are wrong or jump: `now` comes from the test. */
#include "daemon/govern/block_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LIMIT_MS = 600000 };
static const int64_t day_ms = 24 * 3600 * 1000;

struct scene {
	struct block_watch watch;
	struct mono now;
	struct wall wall;
	struct block_ref head;
};

static struct scene begin(void)
{
	struct scene scene = {.now = {5}, .wall = {1700000000000}};

	block_watch_begin(&scene.watch, scene.now);
	scene.head = (struct block_ref){.number = 1, .hash = {{1}}, .timestamp = 1700000000};
	return scene;
}

static unsigned look(struct scene *scene)
{
	return block_watch_look(&scene->watch, &scene->head, scene->now, scene->wall, LIMIT_MS);
}

static unsigned look_in_vain(struct scene *scene)
{
	return block_watch_look(&scene->watch, NULL, scene->now, scene->wall, LIMIT_MS);
}

static void pass(struct scene *scene, int64_t ms)
{
	scene->now.ms += ms;
	scene->wall.ms += ms;
}

static void next_block(struct scene *scene, int64_t seconds)
{
	pass(scene, seconds * 1000);
	scene->head.number++;
	scene->head.hash.b[1]++;
	scene->head.timestamp += (uint64_t)seconds;
}

static void test_a_chain_that_goes(void **state)
{
	static const int64_t every[] = {1, 2, 12, 60, 599};
	struct scene scene = begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(every); i++)
		for (int k = 0; k < 20; k++) {
			assert_int_equal(look(&scene), BLOCKS_NOTHING);
			pass(&scene, 1);
			assert_int_equal(look(&scene), BLOCKS_NOTHING);
			next_block(&scene, every[i]);
		}
}

static void test_a_chain_that_stops_is_told_once(void **state)
{
	struct scene scene = begin();

	(void)state;
	assert_int_equal(look(&scene), BLOCKS_NOTHING);
	pass(&scene, LIMIT_MS - 1);
	assert_int_equal(look(&scene), BLOCKS_NOTHING);
	pass(&scene, 1);
	assert_int_equal(look(&scene), BLOCKS_SILENT);
	pass(&scene, 10 * LIMIT_MS);
	assert_int_equal(look(&scene), BLOCKS_NOTHING);
	next_block(&scene, 3600);
	assert_int_equal(look(&scene), BLOCKS_AGAIN);
	/* Endpoints that answer nothing are the same silence. */
	pass(&scene, LIMIT_MS);
	assert_int_equal(look_in_vain(&scene), BLOCKS_SILENT);
}

static void test_no_block_ever(void **state)
{
	struct scene scene = begin();

	(void)state;
	assert_int_equal(look_in_vain(&scene), BLOCKS_NOTHING);
	pass(&scene, LIMIT_MS);
	assert_int_equal(look_in_vain(&scene), BLOCKS_SILENT);
}

static void test_jumps_of_the_clock_are_no_silence(void **state)
{
	struct scene scene = begin();

	(void)state;
	assert_int_equal(look(&scene), BLOCKS_NOTHING);
	for (int i = 0; i < 4; i++) {
		scene.wall.ms += i % 2 == 0 ? day_ms : -day_ms;
		pass(&scene, 1000);
		assert_int_equal(look(&scene), BLOCKS_NOTHING);
	}
}

static void test_a_clock_wrong_by_a_day(void **state)
{
	struct scene scene = begin();

	(void)state;
	scene.wall.ms += day_ms;
	assert_int_equal(look(&scene), BLOCKS_NOTHING); /* the head may just be old */
	next_block(&scene, 12);
	assert_int_equal(look(&scene), BLOCKS_CLOCK_OFF);
	assert_int_equal(block_watch_ahead_s(&scene.watch, scene.wall), day_ms / 1000);
	next_block(&scene, 12);
	assert_int_equal(look(&scene), BLOCKS_NOTHING);
	scene.wall.ms -= day_ms;
	next_block(&scene, 12);
	assert_int_equal(look(&scene), BLOCKS_CLOCK_RIGHT);
	scene.wall.ms -= day_ms;
	next_block(&scene, 12);
	assert_int_equal(look(&scene), BLOCKS_CLOCK_OFF);
	assert_int_equal(block_watch_ahead_s(&scene.watch, scene.wall), -day_ms / 1000);
	scene.wall.ms += 2 * day_ms; /* from one wrong day to the other */
	next_block(&scene, 12);
	assert_int_equal(look(&scene), BLOCKS_CLOCK_OFF);
	next_block(&scene, 12);
	assert_int_equal(look(&scene), BLOCKS_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_chain_that_goes),
	        cmocka_unit_test(test_a_chain_that_stops_is_told_once),
	        cmocka_unit_test(test_no_block_ever),
	        cmocka_unit_test(test_jumps_of_the_clock_are_no_silence),
	        cmocka_unit_test(test_a_clock_wrong_by_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
