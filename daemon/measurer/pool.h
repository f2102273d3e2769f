/* The measurer pool as main sees it: a few sandboxed processes that are handed one descriptor at a
 * time, and whose death costs exactly the artifact in hand. */
#ifndef MEASURER_POOL_H
#define MEASURER_POOL_H

#include "common/measure/measurement.h"
#include "daemon/io/loop.h"

struct measurer_pool;
struct measurer_job;

int measurer_pool_start(struct measurer_pool **out, struct loop *loop, unsigned workers,
                        struct error *error) MUST_USE;
void measurer_pool_free(struct measurer_pool *pool);

/* How many jobs can start at once right now. A job beyond that is a bug of the caller. */
unsigned measurer_pool_idle(const struct measurer_pool *pool);

/* done is called exactly once, never from inside measurer_measure. measured is always there: a
 * worker that crashed, hung or hit a limit gives a refused one that says so, with lost set: true
 * when trying the same bytes again can help (killed from outside), false when it was their fault. */
typedef void measurer_done_fn(const struct measured *measured, bool lost, void *arg);
/* fd stays the caller's and must stay open until done; how is copied, but its signing stays the
 * caller's as well. Whoever gave the fd compares fstat before and after. */
struct measurer_job *measurer_measure(struct measurer_pool *pool, int fd,
                                      const struct measure_how *how, measurer_done_fn *done, void *arg);
void measurer_cancel(struct measurer_job *job); /* NULL is fine */

/* The role itself: runs in its own process on the socket; returns the exit status. */
int measurer_role_main(int socket);

#endif
