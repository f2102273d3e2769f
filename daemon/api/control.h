/* The control socket: what registrarctl asks. One JSON request a line, answers as JSON lines, the
 * last of them with "exit". Whoever may open the socket may approve; its folder's mode decides. */
#ifndef API_CONTROL_H
#define API_CONTROL_H

#include "common/config/config.h"
#include "common/store/store.h"
#include "daemon/io/loop.h"

struct control;
struct govern;
struct intake;

struct control_parts {
	struct loop *loop;
	struct store *store;
	const struct config *config;
	struct govern *govern;
	struct intake *intake;
};

/* Replaces a socket that nobody listens on any more; ERR_CONFLICT when somebody does. */
int control_listen(struct control **out, const struct control_parts *parts, struct error *error) MUST_USE;
/* Something in the store changed: clients that wait or follow are looked at soon. */
void control_changed(struct control *control);
void control_close(struct control *control); /* NULL is fine; removes the socket */

#endif
