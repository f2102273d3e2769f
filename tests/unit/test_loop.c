#include "daemon/io/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_io *io;
	int fired, order[8], orders, begun;
	struct mono due;
};

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	loop_free(world->loop);
	free(world);
	return 0;
}

static void stop(void *arg)
{
	struct world *world = arg;

	world->fired++;
	loop_stop(world->loop);
}

static void again(void *arg)
{
	struct world *world = arg;

	assert_false(loop_timer_pending(world->timer));
	if (++world->fired == 3)
		loop_stop(world->loop);
	else
		loop_timer_set(world->timer, 1);
}

static void test_timer_fires_once_per_set(void **state)
{
	struct world *world = *state;

	world->timer = loop_timer_new(world->loop, again, world);
	assert_false(loop_timer_pending(world->timer));
	loop_timer_set(world->timer, 3600000);
	loop_timer_set(world->timer, 1); /* replaces the hour */
	assert_true(loop_timer_pending(world->timer));
	loop_run(world->loop);
	assert_int_equal(world->fired, 3);
}

/* A long pass: the timer is set at its end, when what libevent takes for now is long ago. */
static void set_late(void *arg)
{
	struct world *world = arg;
	struct mono begin = clock_mono();

	while (clock_mono().ms < begin.ms + 30)
		;
	world->due.ms = clock_mono().ms + 20;
	loop_timer_set(world->timer, 20);
}

static void is_due(void *arg)
{
	struct world *world = arg;

	assert_true(loop_now(world->loop).ms >= world->due.ms);
	loop_stop(world->loop);
}

static void test_a_timer_never_comes_early(void **state)
{
	struct world *world = *state;
	struct loop_timer *first = loop_timer_new(world->loop, set_late, world);

	world->timer = loop_timer_new(world->loop, is_due, world);
	loop_timer_set(first, 0);
	loop_run(world->loop);
	assert_true(clock_mono().ms >= world->due.ms);
}

static void never(void *arg)
{
	(void)arg;
	fail_msg("a cancelled timer fired");
}

static void test_cancelled_and_freed_timers_do_not_fire(void **state)
{
	struct world *world = *state;
	struct loop_timer *cancelled = loop_timer_new(world->loop, never, NULL);
	struct loop_timer *freed = loop_timer_new(world->loop, never, NULL);
	struct loop_timer *last = loop_timer_new(world->loop, stop, world);

	loop_timer_set(cancelled, 0);
	loop_timer_set(freed, 0);
	loop_timer_set(last, 2);
	loop_timer_cancel(cancelled);
	loop_timer_free(freed);
	loop_timer_free(NULL);
	loop_run(world->loop);
	assert_int_equal(world->fired, 1);
}

static void frees_itself(void *arg)
{
	struct world *world = arg;

	loop_timer_free(world->timer);
	loop_stop(world->loop);
}

static void test_a_timer_may_free_itself(void **state)
{
	struct world *world = *state;

	world->timer = loop_timer_new(world->loop, frees_itself, world);
	loop_timer_set(world->timer, -5);
	loop_run(world->loop);
}

static void note(struct world *world, int what)
{
	world->order[world->orders++] = what;
}

static void second(void *arg)
{
	note(arg, 2);
}

static void third(void *arg)
{
	struct world *world = arg;

	note(world, 3);
	loop_stop(world->loop);
}

static void first(void *arg)
{
	struct world *world = arg;

	note(world, 1);
	loop_defer(world->loop, third, world); /* the next pass, not this one */
	loop_undefer(world->loop, never, world);
}

static void test_deferred_calls_run_in_order(void **state)
{
	struct world *world = *state;

	loop_defer(world->loop, first, world);
	loop_defer(world->loop, never, world);
	loop_defer(world->loop, second, world);
	loop_run(world->loop);
	assert_int_equal(world->orders, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(world->order[i], i + 1);
}

static void test_free_runs_what_is_deferred(void **state)
{
	struct world *world = *state;

	loop_defer(world->loop, first, world);
	loop_free(world->loop);
	assert_int_equal(world->orders, 2); /* first, and third that it deferred */
	world->loop = loop_new();
}

static void pipe_ready(int fd, int events, void *arg)
{
	struct world *world = arg;
	char byte;

	assert_int_equal(events, LOOP_READ);
	if (read(fd, &byte, 1) != 1)
		fail();
	if (++world->fired == 3) {
		loop_io_free(world->io);
		loop_stop(world->loop);
	}
}

static void write_ready(int fd, int events, void *arg)
{
	struct loop_io **io = arg;

	assert_int_equal(events, LOOP_WRITE);
	if (write(fd, "abc", 3) != 3)
		fail();
	loop_io_set(*io, 0); /* quiet from now on */
}

static void test_descriptors_are_level_triggered(void **state)
{
	struct world *world = *state;
	struct loop_io *writer;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	world->io = loop_io_new(world->loop, ends[0], LOOP_READ, pipe_ready, world);
	writer = loop_io_new(world->loop, ends[1], 0, write_ready, &writer);
	loop_io_set(writer, LOOP_WRITE);
	loop_run(world->loop);
	assert_int_equal(world->fired, 3); /* three bytes of one write */
	loop_io_free(writer);
	loop_io_free(NULL);
	close(ends[0]);
	close(ends[1]);
}

static void caught(int signal, void *arg)
{
	struct world *world = arg;

	assert_int_equal(signal, SIGUSR1);
	world->fired++;
	loop_stop(world->loop);
}

static void test_signals(void **state)
{
	struct world *world = *state;
	struct loop_signal *handle = loop_signal_new(world->loop, SIGUSR1, caught, world);

	raise(SIGUSR1);
	loop_run(world->loop);
	assert_int_equal(world->fired, 1);
	loop_signal_free(handle);
	loop_signal_free(NULL);
}

static void begin(void *arg)
{
	struct world *world = arg;

	world->begun++;
}

static void test_time_stands_still_within_a_pass(void **state)
{
	struct world *world = *state;
	struct mono before = clock_mono();

	assert_true(loop_now(world->loop).ms >= before.ms);
	loop_on_pass(world->loop, begin, world);
	world->timer = loop_timer_new(world->loop, again, world);
	loop_timer_set(world->timer, 0);
	loop_run(world->loop);
	assert_int_equal(world->begun, 3); /* once before each of three firings */
}

static void test_leftovers_are_freed(void **state)
{
	struct world *world = *state;

	loop_timer_set(loop_timer_new(world->loop, never, NULL), 1);
	loop_io_new(world->loop, STDIN_FILENO, 0, NULL, NULL);
	loop_signal_new(world->loop, SIGUSR2, caught, NULL);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	        WITH_LOOP(test_timer_fires_once_per_set),
	        WITH_LOOP(test_a_timer_never_comes_early),
	        WITH_LOOP(test_cancelled_and_freed_timers_do_not_fire),
	        WITH_LOOP(test_a_timer_may_free_itself),
	        WITH_LOOP(test_deferred_calls_run_in_order),
	        WITH_LOOP(test_free_runs_what_is_deferred),
	        WITH_LOOP(test_descriptors_are_level_triggered),
	        WITH_LOOP(test_signals),
	        WITH_LOOP(test_time_stands_still_within_a_pass),
	        WITH_LOOP(test_leftovers_are_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
