/* Asks the status endpoints of the config, thousands of them in one loop, and brings what they show
 * into the store. What an endpoint answers is read by a measurer alone: here it is only hashed, to
 * know the same bytes again, and handed on. An endpoint at rest is one entry of a heap. */
#ifndef WATCH_POLLER_H
#define WATCH_POLLER_H

#include "common/config/config.h"
#include "common/store/store.h"
#include "daemon/measurer/pool.h"

struct poller;

struct poller_parts {
	struct loop *loop;
	struct measurer_pool *pool; /* the poller's own: it counts on every idle worker */
	struct store *store;
	const struct config *config;        /* must outlive the poller */
	int64_t answer_ms;                  /* how long an answer may take; 0: 20 seconds */
	void (*on_measurements)(void *arg); /* after a commit: measurements changed */
	void *arg;
};

/* The targets of the config must be in the store. */
struct poller *poller_new(const struct poller_parts *parts);
void poller_start(struct poller *poller);
void poller_free(struct poller *poller); /* NULL is fine; before its pool */

/* {count, answering, failing, refused, unasked, hosts, in_work, questions, unchanged, measured,
 * trouble: [{url, target, state, error, failures, last_answer}]}: of those in trouble, the first
 * hundred. */
struct jval *poller_status(const struct poller *poller);

#endif
