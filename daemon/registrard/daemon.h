/* The parts of the main process, in boot order, and their orderly end. */
#ifndef REGISTRARD_DAEMON_H
#define REGISTRARD_DAEMON_H

#include "common/config/config.h"
#include "common/store/store.h"
#include "daemon/io/http.h"
#include "daemon/io/loop.h"
#include "daemon/io/role.h"

struct control;
struct drop;
struct govern;
struct intake;
struct measurer_pool;
struct poller;
struct signer;

struct daemon {
	struct config *config;
	int lock; /* descriptor that holds the lock on state_dir; 0: none */
	struct store *store;
	struct loop *loop;
	struct http *http;
	struct loop_signal *signals[4];
	struct loop_timer *watchdog;
	int64_t watchdog_ms;
	struct signer *signer;
	struct measurer_pool *pool;
	struct govern *govern;
	struct intake *intake;
	struct measurer_pool *poller_pool; /* NULL without endpoints, like the poller */
	struct poller *poller;
	struct drop *drop; /* NULL without http */
	struct control *control;
	bool stopping;
};

int daemon_configure(struct daemon *daemon, const char *path, struct error *error) MUST_USE;
int daemon_lock(struct daemon *daemon, struct error *error) MUST_USE;
int daemon_open_store(struct daemon *daemon, struct error *error) MUST_USE;
void daemon_make_loop(struct daemon *daemon);
int daemon_start_signer(struct daemon *daemon, struct error *error) MUST_USE;
int daemon_start_measurers(struct daemon *daemon, struct error *error) MUST_USE;
int daemon_prepare_http(struct daemon *daemon, struct error *error) MUST_USE;
int daemon_drop_rights(struct daemon *daemon, struct error *error) MUST_USE;
void daemon_start_govern(struct daemon *daemon);
int daemon_start_intake(struct daemon *daemon, struct error *error) MUST_USE;
void daemon_start_poller(struct daemon *daemon);
int daemon_listen(struct daemon *daemon, struct error *error) MUST_USE;
void daemon_ready(struct daemon *daemon);

/* Stages, in reverse of the boot: stop listening, stop taking work, stop governing, end the
 * children, close the store, release the lock. Accepts a daemon that only partly booted. */
void daemon_shut_down(struct daemon *daemon);

#endif
