/* The executor: brings what is mature to execution, through the Safe again, with the executor key,
 * or by writing down what a person has to send. */
#ifndef GOVERN_EXECUTOR_H
#define GOVERN_EXECUTOR_H

#include "daemon/govern/lane.h"

struct executor *executor_new(struct lane *lane);
void executor_free(struct executor *executor);
/* Look at every proposal in state `execute`. */
void executor_run(struct executor *executor);

#endif
