/* The control socket: what registrarctl talks to. One request per connection:
 *
 *   -> {"command": "...", "args": {...}}\n
 *   <- {"item": ...}\n or {"note": "..."}\n      any number of times: parts of a list, progress
 *   <- {"exit": N, "json": ..., "error": "..."}\n  once, then the daemon closes
 *
 * A descriptor rides along with the last line where the answer is a file (backup). */
#ifndef API_CONTROL_H
#define API_CONTROL_H

#include "common/config/config.h"
#include "common/store/store.h"
#include "daemon/govern/govern.h"
#include "daemon/io/loop.h"

/* What registrarctl exits with: a contract. */
enum exit_code {
	EXIT_YES = 0,     /* yes, or done */
	EXIT_NO = 1,      /* no, not found, timed out */
	EXIT_REFUSED = 2, /* refused, or will not be */
	EXIT_UNKNOWN = 3, /* the chain could not decide */
	EXIT_USAGE = 64,
	EXIT_UNREACHABLE = 69,
};

struct control;
struct intake;
struct poller;

struct control_parts {
	struct loop *loop;
	struct store *store;
	const struct config *config;
	struct govern *govern;
	struct intake *intake;
	struct poller *poller; /* NULL: no endpoints */
};

/* Listens on config->control_socket (mode 0660; its folder decides who gets that far). A socket
 * that nobody answers on is replaced; ERR_CONFLICT when somebody does. parts is copied. */
int control_listen(struct control **out, const struct control_parts *parts,
                   struct error *error) MUST_USE;
/* Something in the store changed: clients that wait or follow are looked at soon. Cheap, from
 * anywhere. */
void control_changed(struct control *control);
void control_close(struct control *control); /* NULL is fine; removes the socket */

#endif
