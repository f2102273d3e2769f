/* The other side of an HTTP server on the loop under test: raw bytes out, answers in. Everything
 * waits by running the loop. */
#ifndef TESTS_BROWSER_H
#define TESTS_BROWSER_H

#include "common/base/buf.h"
#include "common/base/netaddr.h"
#include "daemon/io/loop.h"

struct browser {
	struct loop *loop;
	struct loop_timer *deadline, *tick;
	int fd;
	struct buf in; /* not used up yet */
	bool closed;   /* by the server */
	bool late;
	bool continued; /* a 100 came */
	int status; /* of the last answer */
	struct buf head, body;
	char field[256];
};

void browser_open(struct browser *browser, struct loop *loop, const struct netaddr *at);
void browser_close(struct browser *browser); /* at once, whatever is under way */
/* Sends all of it, or as much as the server takes before it closes. */
void browser_send(struct browser *browser, struct bytes bytes);
void browser_say(struct browser *browser, const char *fmt, ...) PRINTF(2, 3);
/* Waits for the next answer (head_only: to HEAD) and returns its status; 0 when the server closed
 * instead. */
int browser_answer(struct browser *browser, bool head_only);
/* A field of the last answer, "" without. */
const char *browser_field(struct browser *browser, const char *name);
/* Waits until the server closed the connection. */
void browser_until_closed(struct browser *browser);
/* Lets the loop run for a moment; until condition(arg). */
void browser_wait(struct browser *browser);
void browser_until(struct browser *browser, bool (*condition)(void *arg), void *arg);

#endif
