#include "daemon/io/loop.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "daemon/io/loop_base.h"

#include <event2/event.h>
#include <stdlib.h>

/* Everything that hangs on the loop stands in one list, so that loop_free can clean up after an
 * owner that did not. */
struct handle {
	struct loop *loop;
	struct event *event;
	struct handle *prev, *next;
};

struct loop_timer {
	struct handle handle;
	void (*fire)(void *arg);
	void *arg;
	struct mono due;
};

struct loop_io {
	struct handle handle;
	int fd;
	void (*ready)(int fd, int events, void *arg);
	void *arg;
};

struct loop_signal {
	struct handle handle;
	void (*caught)(int signal, void *arg);
	void *arg;
};

struct deferred {
	struct deferred *next;
	void (*run)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct handle *handles;
	struct deferred *deferred, **deferred_end;
	void (*begin)(void *arg);
	void *begin_arg;
	struct mono now;
	bool in_pass, stopping;
};

static void libevent_says(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_unusual("libevent", "%s", text);
	else
		log_debug("libevent", "%s", text);
}

static void libevent_gives_up(int code)
{
	die("libevent gave up with code %d", code);
}

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	event_set_log_callback(libevent_says);
	event_set_fatal_callback(libevent_gives_up);
	loop->base = event_base_new();
	if (loop->base == NULL)
		die("no event base");
	loop->deferred_end = &loop->deferred;
	return loop;
}

static void attach(struct loop *loop, struct handle *handle, struct event *event)
{
	if (event == NULL)
		die("no event");
	handle->loop = loop;
	handle->event = event;
	handle->next = loop->handles;
	if (handle->next != NULL)
		handle->next->prev = handle;
	loop->handles = handle;
}

/* The handle is the first member of every kind, so freeing it frees the whole. */
static void release(struct handle *handle)
{
	event_free(handle->event);
	if (handle->prev != NULL)
		handle->prev->next = handle->next;
	else
		handle->loop->handles = handle->next;
	if (handle->next != NULL)
		handle->next->prev = handle->prev;
	free(handle);
}

/* Runs what is there now; what is deferred meanwhile waits for the end of the next pass. */
static void run_deferred(struct loop *loop)
{
	/* Taken one by one, so that loop_undefer reaches those that have not run yet. */
	struct deferred **last = loop->deferred_end;
	bool more = loop->deferred != NULL;

	while (more) {
		struct deferred *item = loop->deferred;
		more = &item->next != last;
		loop->deferred = item->next;
		if (loop->deferred == NULL)
			loop->deferred_end = &loop->deferred;
		item->run(item->arg);
		free(item);
	}
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	while (loop->deferred != NULL)
		run_deferred(loop);
	while (loop->handles != NULL)
		release(loop->handles);
	event_base_free(loop->base);
	free(loop);
}

void loop_enter(struct loop *loop)
{
	if (loop->in_pass)
		return;
	loop->in_pass = true;
	loop->now = clock_mono();
	if (loop->begin != NULL)
		loop->begin(loop->begin_arg);
}

void loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
		if (loop->deferred != NULL)
			flags |= EVLOOP_NONBLOCK;
		if (event_base_loop(loop->base, flags) < 0)
			die("the event loop failed");
		if (loop->deferred != NULL) {
			loop_enter(loop);
			run_deferred(loop);
		}
		loop->in_pass = false;
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

struct mono loop_now(const struct loop *loop)
{
	return loop->in_pass ? loop->now : clock_mono();
}

void loop_on_pass(struct loop *loop, void (*begin)(void *arg), void *arg)
{
	loop->begin = begin;
	loop->begin_arg = arg;
}

void loop_defer(struct loop *loop, void (*run)(void *arg), void *arg)
{
	struct deferred *item = xcalloc(1, sizeof(*item));

	item->run = run;
	item->arg = arg;
	*loop->deferred_end = item;
	loop->deferred_end = &item->next;
}

static void nothing(void *arg)
{
	(void)arg;
}

void loop_undefer(struct loop *loop, void (*run)(void *arg), void *arg)
{
	for (struct deferred *item = loop->deferred; item != NULL; item = item->next)
		if (item->run == run && item->arg == arg)
			item->run = nothing;
}

/* --- timers ------------------------------------------------------------------------------------
 */

static void add_timer(struct loop_timer *timer, int64_t after_ms)
{
	struct timeval after = {0};

	if (after_ms > 0) {
		after.tv_sec = (time_t)(after_ms / 1000);
		after.tv_usec = (suseconds_t)(after_ms % 1000 * 1000);
	}
	if (event_add(timer->handle.event, &after) != 0)
		die("cannot set a timer");
}

/* libevent counts from the time it cached at the beginning of the pass, by a coarse clock: a timer
 * may come early, and who then finds that nothing is due yet would wait for ever. */
static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	loop_enter(timer->handle.loop);
	int64_t early_ms = timer->due.ms - timer->handle.loop->now.ms;
	if (early_ms > 0)
		add_timer(timer, early_ms);
	else
		timer->fire(timer->arg); /* may free the timer */
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *arg), void *arg)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	timer->fire = fire;
	timer->arg = arg;
	attach(loop, &timer->handle, event_new(loop->base, -1, 0, timer_fired, timer));
	return timer;
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer != NULL)
		release(&timer->handle);
}

void loop_timer_set(struct loop_timer *timer, int64_t after_ms)
{
	timer->due.ms = clock_mono().ms + (after_ms > 0 ? after_ms : 0);
	add_timer(timer, after_ms);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	event_del(timer->handle.event);
}

bool loop_timer_pending(const struct loop_timer *timer)
{
	return event_pending(timer->handle.event, EV_TIMEOUT, NULL) != 0;
}

/* --- descriptors -------------------------------------------------------------------------------
 */

static void io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	int events = 0;

	if (what & EV_READ)
		events |= LOOP_READ;
	if (what & EV_WRITE)
		events |= LOOP_WRITE;
	loop_enter(io->handle.loop);
	io->ready((int)fd, events, io->arg); /* may free the handle */
}

static short libevent_events(int events)
{
	int what = EV_PERSIST;

	if (events & LOOP_READ)
		what |= EV_READ;
	if (events & LOOP_WRITE)
		what |= EV_WRITE;
	return (short)what;
}

static void io_watch(struct loop_io *io, int events)
{
	if (events != 0 && event_add(io->handle.event, NULL) != 0)
		die("cannot watch descriptor %d", io->fd);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, int events,
                            void (*ready)(int fd, int events, void *arg), void *arg)
{
	struct loop_io *io = xcalloc(1, sizeof(*io));

	io->fd = fd;
	io->ready = ready;
	io->arg = arg;
	attach(loop, &io->handle, event_new(loop->base, fd, libevent_events(events), io_ready, io));
	io_watch(io, events);
	return io;
}

void loop_io_set(struct loop_io *io, int events)
{
	struct event *event = io->handle.event;

	if (event_get_events(event) == libevent_events(events))
		return;
	event_del(event);
	if (event_assign(event, io->handle.loop->base, io->fd, libevent_events(events), io_ready,
	                 io) != 0)
		die("cannot watch descriptor %d", io->fd);
	io_watch(io, events);
}

void loop_io_free(struct loop_io *io)
{
	if (io != NULL)
		release(&io->handle);
}

/* --- signals -----------------------------------------------------------------------------------
 */

static void signal_caught(evutil_socket_t number, short what, void *arg)
{
	struct loop_signal *handle = arg;

	(void)what;
	loop_enter(handle->handle.loop);
	handle->caught((int)number, handle->arg); /* may free the handle */
}

struct loop_signal *loop_signal_new(struct loop *loop, int signal,
                                    void (*caught)(int signal, void *arg), void *arg)
{
	struct loop_signal *handle = xcalloc(1, sizeof(*handle));

	handle->caught = caught;
	handle->arg = arg;
	attach(loop, &handle->handle, evsignal_new(loop->base, signal, signal_caught, handle));
	if (event_add(handle->handle.event, NULL) != 0)
		die("cannot watch signal %d", signal);
	return handle;
}

void loop_signal_free(struct loop_signal *signal)
{
	if (signal != NULL)
		release(&signal->handle);
}

struct event_base *loop_event_base(struct loop *loop)
{
	return loop->base;
}

const char *loop_version(void)
{
	return "libevent " LIBEVENT_VERSION;
}
