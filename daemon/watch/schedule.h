/* Which of thousands of endpoints is asked next: a heap of due times, and limits on how many are
 * asked at once, in all and of one host. Only bookkeeping: no clock, no descriptor. */
#ifndef WATCH_SCHEDULE_H
#define WATCH_SCHEDULE_H

#include "common/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

struct schedule;
struct schedule_item;

/* At most total under way at once, and at most per_host of one host. */
struct schedule *schedule_new(unsigned total, unsigned per_host);
void schedule_free(struct schedule *schedule); /* NULL is fine; frees the items */

struct schedule_item *schedule_add(struct schedule *schedule, const char *host, struct mono due,
                                   void *owner);

/* The owner of an item that is due and may be asked now, or NULL. Hosts take turns. The item is
 * under way until schedule_done. */
void *schedule_take(struct schedule *schedule, struct mono now);
/* It is no longer under way; due says when it is asked next. */
void schedule_done(struct schedule *schedule, struct schedule_item *item, struct mono due);
/* Nothing of this item's host is taken before until. */
void schedule_rest(struct schedule *schedule, struct schedule_item *item, struct mono until);

/* When the next item is due that is not due yet; false: none. Items that are due and wait for a
 * limit are taken after a schedule_done. */
bool schedule_next(const struct schedule *schedule, struct mono *at);

size_t schedule_active(const struct schedule *schedule);
size_t schedule_hosts(const struct schedule *schedule);

#endif
