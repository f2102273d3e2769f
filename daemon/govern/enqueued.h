/* What stands in the queues of Delay modules and is none of ours: any module that is enabled there
 * may add to them. The logs tell what was added; whether it still waits only the module itself
 * does, so a look at new entries costs one question. */
#ifndef GOVERN_ENQUEUED_H
#define GOVERN_ENQUEUED_H

#include "daemon/govern/lane.h"

struct enqueued *enqueued_new(struct lane *lane);
void enqueued_free(struct enqueued *enqueued); /* NULL is fine */

/* The logs up to the head were read: entries of registry calls alone become proposals, others that
 * concern us an alarm. */
void enqueued_run(struct enqueued *enqueued);
/* New entries are being looked at: what they are about is not to be drafted meanwhile. */
bool enqueued_is_looking(const struct enqueued *enqueued);
/* Other logs than before: everything is looked at again. */
void enqueued_look_again(struct enqueued *enqueued);

#endif
