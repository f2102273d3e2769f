/* Changes of registries and timelocks that no proposal here made: each is an alarm with the
 * transaction and who did it, once, when it is final. What happened before a contract was followed
 * is summed up instead. */
#ifndef GOVERN_CHANGE_WATCH_H
#define GOVERN_CHANGE_WATCH_H

#include "daemon/govern/lane.h"

struct change_watch;

struct change_watch *change_watch_new(struct lane *lane);
void change_watch_free(struct change_watch *watch); /* NULL is fine */
/* Looks at what became final; after every tick. */
void change_watch_run(struct change_watch *watch);

#endif
