/* One request to the daemon over the control socket, and its answer. Blocking, with a deadline. */
#ifndef CTL_CONNECTION_H
#define CTL_CONNECTION_H

#include "common/base/clock.h"
#include "common/base/jval.h"

struct connection;

/* Connects and sends {"command", "args"}. args is taken. ERR_UNAVAILABLE: nobody is there, or it
 * went away; ERR_DENIED: we may not. */
int connection_open(struct connection **out, const char *socket, const char *command,
                    struct jval *args, struct error *error) MUST_USE;
void connection_close(struct connection *connection); /* NULL is fine */

/* The next line, owned by the caller. ERR_UNAVAILABLE: the daemon went away; ERR_NOT_FOUND: until
 * passed (ms 0: no limit); ERR_INVALID: not what a daemon says. */
int connection_next(struct connection *connection, struct jval **out, struct mono until,
                    struct error *error) MUST_USE;
/* The descriptor that came along, now the caller's, or -1. */
int connection_take_fd(struct connection *connection);

#endif
