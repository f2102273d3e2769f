/* Changes of the registries that were made without us and at once: by a Safe in a transaction that
 * was in no queue we saw (model `safe`), by the owner's account (model `direct`). Each costs a
 * question, for what exactly was executed only the transaction tells. What an operation of a
 * timelock or an entry of a Delay module did is scheduled.c's and enqueued.c's. */
#ifndef GOVERN_EXECUTIONS_H
#define GOVERN_EXECUTIONS_H

#include "daemon/govern/lane.h"

struct executions *executions_new(struct lane *lane);
void executions_free(struct executions *executions); /* NULL is fine */

/* The logs up to the head were read: known calls alone are put down as a proposal, which is
 * followed to its end; what is more than that is an alarm. */
void executions_run(struct executions *executions);
bool executions_is_looking(const struct executions *executions);

#endif
