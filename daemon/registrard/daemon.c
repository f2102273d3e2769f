#include "daemon/registrard/daemon.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "daemon/api/control.h"
#include "daemon/api/drop.h"
#include "daemon/govern/govern.h"
#include "daemon/measurer/pool.h"
#include "daemon/registrard/notify.h"
#include "daemon/sandbox/sandbox.h"
#include "daemon/signer/signer.h"
#include "daemon/watch/intake.h"
#include "daemon/watch/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- configuration and state ------------------------------------------------------------------ */

int daemon_configure(struct daemon *daemon, const char *path, struct error *error)
{
	crypto_init();
	int rc = config_load(&daemon->config, path, error);
	return rc == 0 ? config_read_files(daemon->config, error) : rc;
}

int daemon_lock(struct daemon *daemon, struct error *error)
{
	char path[4096];
	const char *state_dir = daemon->config->state_dir;

	umask(0027);
	if (mkdir(state_dir, 0750) != 0 && errno != EEXIST)
		return error_set_errno(error, "state_dir %s", state_dir);
	snprintf(path, sizeof(path), "%s/lock", state_dir);
	daemon->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (daemon->lock < 0) {
		daemon->lock = 0;
		return error_set_errno(error, "%s", path);
	}
	if (flock(daemon->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(error, ERR_CONFLICT,
		                 "%s is locked: another registrard runs on this state_dir", path);
	return error_set_errno(error, "lock %s", path);
}

int daemon_open_store(struct daemon *daemon, struct error *error)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/registrard.db", daemon->config->state_dir);
	return store_open(&daemon->store, path, error);
}

/* --- loop and signals ------------------------------------------------------------------------- */

static void stop_asked(int signal, void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping) {
		log_unusual(NULL, "second signal %d: leaving at once", signal);
		_exit(EXIT_FAILURE);
	}
	daemon->stopping = true;
	log_info(NULL, "signal %d: stopping", signal);
	loop_stop(daemon->loop);
}

static void reload_asked(int signal, void *arg)
{
	(void)signal;
	(void)arg;
	log_unusual(NULL, "SIGHUP: reloading the configuration is not available in this version; "
	                  "restart instead");
}

static void pass_begins(void *arg)
{
	struct daemon *daemon = arg;

	store_set_now(daemon->store, clock_wall());
}

void daemon_make_loop(struct daemon *daemon)
{
	/* A peer that went away is an error of its write, not the end of the daemon. */
	signal(SIGPIPE, SIG_IGN);
	daemon->loop = loop_new();
	loop_on_pass(daemon->loop, pass_begins, daemon);
	daemon->http = http_new(daemon->loop);
	daemon->signals[0] = loop_signal_new(daemon->loop, SIGTERM, stop_asked, daemon);
	daemon->signals[1] = loop_signal_new(daemon->loop, SIGINT, stop_asked, daemon);
	daemon->signals[2] = loop_signal_new(daemon->loop, SIGHUP, reload_asked, daemon);
}

/* --- children and rights ------------------------------------------------------------------------
 */

int daemon_start_signer(struct daemon *daemon, struct error *error)
{
	return signer_start(&daemon->signer, daemon->loop, daemon->config, error);
}

int daemon_start_measurers(struct daemon *daemon, struct error *error)
{
	const struct config *config = daemon->config;
	int rc = measurer_pool_start(&daemon->pool, daemon->loop, config->measurers, error);

	/* Endpoints have a measurer of their own: neither a flood of builds nor one of answers
	 * keeps the other waiting. */
	if (rc == 0 && config->endpoint_count > 0)
		rc = measurer_pool_start(&daemon->poller_pool, daemon->loop, 1, error);
	return rc;
}

int daemon_prepare_http(struct daemon *daemon, struct error *error)
{
	struct drop_parts parts = {
	        .loop = daemon->loop, .store = daemon->store, .config = daemon->config};

	return drop_new(&daemon->drop, &parts, error);
}

static char *folder_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash == path
	               ? arena_strdup(arena, "/")
	               : arena_text(arena, bytes_of(path, (size_t)(slash - path)));
}

int daemon_drop_rights(struct daemon *daemon, struct error *error)
{
	const struct config *config = daemon->config;
	struct arena arena = {0};
	size_t room = 3 + config->watch_count + config->target_count + config->endpoint_count;
	size_t count = 0;
	const char *last = NULL;
	struct sandbox_path *paths = arena_array(&arena, room, sizeof(*paths));

	paths[count++] = (struct sandbox_path){config->state_dir, true};
	paths[count++] = (struct sandbox_path){folder_of(&arena, config->control_socket), true};
	paths[count++] = (struct sandbox_path){config->path, false};
	for (size_t i = 0; i < config->watch_count; i++)
		/* Its parent: the folder may be deleted and made again. */
		paths[count++] =
		        (struct sandbox_path){folder_of(&arena, config->watches[i].path), false};
	for (size_t i = 0; i < config->target_count; i++)
		if (config->targets[i].service.api_key_file != NULL)
			paths[count++] = (struct sandbox_path){
			        config->targets[i].service.api_key_file, false};
	for (size_t i = 0; i < config->endpoint_count; i++) {
		const char *path = config->endpoints[i].ca_file;
		if (path == NULL || (last != NULL && strcmp(path, last) == 0))
			continue;
		paths[count++] = (struct sandbox_path){path, false};
		last = path;
	}
	int rc = sandbox_confine_files(paths, count, error);
	arena_free(&arena);
	if (rc != ERR_UNAVAILABLE)
		return rc;
	log_info(NULL, "%s", error->text); /* doctor says it, too */
	return 0;
}

/* --- the rooms ----------------------------------------------------------------------------------
 */

static void measurements_made(void *arg)
{
	struct daemon *daemon = arg;

	govern_wake(daemon->govern);
	if (daemon->control != NULL)
		control_changed(daemon->control);
}

static void governed(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->control != NULL)
		control_changed(daemon->control);
}

void daemon_start_govern(struct daemon *daemon)
{
	struct govern_parts parts = {
	        .loop = daemon->loop,
	        .http = daemon->http,
	        .store = daemon->store,
	        .signer = daemon->signer,
	        .config = daemon->config,
	};
	daemon->govern = govern_new(&parts);
	govern_on_change(daemon->govern, governed, daemon);
}

static void watch_dropped(const struct config_watch *watch, void *arg)
{
	intake_watch(arg, watch);
}

int daemon_start_intake(struct daemon *daemon, struct error *error)
{
	struct intake_parts parts = {
	        .loop = daemon->loop,
	        .pool = daemon->pool,
	        .store = daemon->store,
	        .config = daemon->config,
	        .on_measurements = measurements_made,
	        .arg = daemon,
	};
	(void)error;
	daemon->intake = intake_new(&parts);
	intake_start(daemon->intake);
	drop_each_watch(daemon->config, watch_dropped, daemon->intake);
	return 0;
}

void daemon_start_poller(struct daemon *daemon)
{
	struct poller_parts parts = {
	        .loop = daemon->loop,
	        .pool = daemon->poller_pool,
	        .store = daemon->store,
	        .config = daemon->config,
	        .on_measurements = measurements_made,
	        .arg = daemon,
	};
	if (daemon->config->endpoint_count == 0)
		return;
	daemon->poller = poller_new(&parts);
	poller_start(daemon->poller);
}

int daemon_listen(struct daemon *daemon, struct error *error)
{
	struct control_parts parts = {
	        .loop = daemon->loop,
	        .store = daemon->store,
	        .config = daemon->config,
	        .govern = daemon->govern,
	        .intake = daemon->intake,
	        .poller = daemon->poller,
	};
	int rc = control_listen(&daemon->control, &parts, error);
	return rc == 0 ? drop_listen(daemon->drop, error) : rc;
}

/* --- supervision --------------------------------------------------------------------------------
 */

static void watchdog_fired(void *arg)
{
	struct daemon *daemon = arg;

	notify_watchdog();
	loop_timer_set(daemon->watchdog, daemon->watchdog_ms);
}

void daemon_ready(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	log_info(NULL, "ready: %zu chains, %zu targets, %zu watched folders, %zu endpoints",
	         config->chain_count, config->target_count, config->watch_count,
	         config->endpoint_count);
	notify_ready(config->target_count, config->watch_count);
	daemon->watchdog_ms = notify_watchdog_interval_ms();
	if (daemon->watchdog_ms > 0) {
		daemon->watchdog = loop_timer_new(daemon->loop, watchdog_fired, daemon);
		loop_timer_set(daemon->watchdog, daemon->watchdog_ms);
	}
}

void daemon_shut_down(struct daemon *daemon)
{
	notify_stopping();
	/* 1. nobody can ask any more */
	drop_free(daemon->drop);
	control_close(daemon->control);
	/* 2. no new work; artifacts in hand are found again at the next start */
	intake_free(daemon->intake);
	poller_free(daemon->poller);
	/* 3. the children; the signer before those who wait for its answers */
	measurer_pool_free(daemon->pool);
	measurer_pool_free(daemon->poller_pool);
	signer_free(daemon->signer);
	/* 4. what is under way on chains and services is stored already */
	govern_free(daemon->govern);
	http_free(daemon->http);
	/* 5. the loop */
	loop_timer_free(daemon->watchdog);
	for (size_t i = 0; i < ARRAY_LEN(daemon->signals); i++)
		loop_signal_free(daemon->signals[i]);
	loop_free(daemon->loop);
	/* 6. the store, then the lock that guards it */
	store_close(daemon->store);
	if (daemon->lock != 0)
		close(daemon->lock);
	config_free(daemon->config);
}
