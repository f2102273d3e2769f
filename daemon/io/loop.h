/* The event loop of main: timers, descriptors, signals. The only includer of libevent. Handles are
 * owned by whoever started them; a callback may free its own handle. One loop per process. */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "common/base/clock.h"

#include <stdbool.h>

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;

/* "libevent 2.1.12-stable" */
const char *loop_version(void);

struct loop *loop_new(void);
/* Runs what is still deferred, then frees the handles that are left. */
void loop_free(struct loop *loop);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
struct mono loop_now(const struct loop *loop); /* cached per pass */
/* begin is called before the first callback of every pass (store_set_now belongs there). */
void loop_on_pass(struct loop *loop, void (*begin)(void *arg), void *arg);

/* Called once after every pass over ready events; frees what was asked to be freed in it. */
void loop_defer(struct loop *loop, void (*run)(void *arg), void *arg);
/* Forgets the deferred calls of exactly this run and arg: for who frees arg earlier. */
void loop_undefer(struct loop *loop, void (*run)(void *arg), void *arg);

/* A timer that is not running until loop_timer_set. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *arg), void *arg);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */
/* Once, and never before that time by clock_mono(); replaces an earlier time. */
void loop_timer_set(struct loop_timer *timer, int64_t after_ms);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_pending(const struct loop_timer *timer);

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
/* Watches a descriptor (not owned) level-triggered until freed. */
struct loop_io *loop_io_new(struct loop *loop, int fd, int events,
                            void (*ready)(int fd, int events, void *arg), void *arg);
void loop_io_set(struct loop_io *io, int events);
void loop_io_free(struct loop_io *io);

struct loop_signal *loop_signal_new(struct loop *loop, int signal,
                                    void (*caught)(int signal, void *arg), void *arg);
void loop_signal_free(struct loop_signal *signal);

#endif
