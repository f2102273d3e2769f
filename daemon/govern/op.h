/* What the files behind govern.h's operations share. Inside this room only. */
#ifndef GOVERN_OP_H
#define GOVERN_OP_H

#include "daemon/govern/govern.h"

/* The first member of every operation. */
struct govern_op {
	void (*cancel)(struct govern_op *op); /* frees it, too */
};

const struct govern_parts *govern_parts(const struct govern *govern);

#endif
