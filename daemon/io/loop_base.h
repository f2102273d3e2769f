/* The inside of the loop, for the other file of this room that drives libevent (http_server.c). */
#ifndef IO_LOOP_BASE_H
#define IO_LOOP_BASE_H

#include "daemon/io/loop.h"

struct event_base;
struct event_base *loop_event_base(struct loop *loop);
/* First thing in every callback from libevent: the first one of a pass reads the clock. */
void loop_enter(struct loop *loop);

#endif
