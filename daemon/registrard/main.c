/* registrard: boot in order, run the loop, shut down in stages. This file is the tour of the
 * house: each step says why it stands where it stands. */
#include "common/base/log.h"
#include "daemon/measurer/pool.h"
#include "daemon/registrard/daemon.h"
#include "daemon/registrard/options.h"
#include "daemon/signer/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

static int print_config(const struct options *options)
{
	struct config *config;
	struct error error;

	if (config_load(&config, options->config_path, &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		return EXIT_CONFIG;
	}
	if (options->action == DO_DUMP_CONFIG) {
		struct buf text = {0};
		config_dump(&text, config);
		fputs(buf_text(&text), stdout);
		buf_free(&text);
	} else {
		printf("%s: ok (%zu chains, %zu targets, %zu watched folders)\n",
		       options->config_path, config->chain_count, config->target_count,
		       config->watch_count);
	}
	config_free(config);
	return 0;
}

/* One line with every library's version: the first thing asked for in a bug report. */
static void log_versions(void)
{
	log_info(NULL, "registrard %s, %s, %s, %s, %s", REGISTRARD_VERSION, loop_version(),
	         http_version(), store_version(), crypto_version());
}

static int run(const struct options *options)
{
	struct daemon daemon = {0};
	struct error error = {0};
	int status = EXIT_FAILURE;

	log_versions();
	/* The configuration first: nothing may be touched on the word of a broken one. */
	if (daemon_configure(&daemon, options->config_path, &error) != 0) {
		status = EXIT_CONFIG;
		goto out;
	}
	/* The lock on state_dir before the database: two daemons would each think they are alone.
	 */
	if (daemon_lock(&daemon, &error) != 0)
		goto out;
	if (daemon_open_store(&daemon, &error) != 0)
		goto out;
	/* The loop before everything that waits on it. */
	daemon_make_loop(&daemon);
	/* Both kinds of children before main drops its rights: key files are opened here for the
	 * last time, and the children must not inherit main's own restrictions by accident. */
	if (daemon_start_signer(&daemon, &error) != 0)
		goto out;
	if (daemon_start_measurers(&daemon, &error) != 0)
		goto out;
	/* Tokens and the TLS key are read while they still can be. */
	if (daemon_prepare_http(&daemon, &error) != 0)
		goto out;
	if (daemon_drop_rights(&daemon, &error) != 0)
		goto out;
	/* Governance before intake: what the store holds from last time is followed from the start.
	 */
	daemon_start_govern(&daemon);
	if (daemon_start_intake(&daemon, &error) != 0)
		goto out;
	/* After intake, which puts the targets into the store. */
	daemon_start_poller(&daemon);
	/* The sockets last: whoever reaches one finds a daemon that can answer. */
	if (daemon_listen(&daemon, &error) != 0)
		goto out;
	daemon_ready(&daemon);

	loop_run(daemon.loop);
	status = EXIT_SUCCESS;
out:
	if (status != EXIT_SUCCESS)
		log_broken(NULL, "%s", error.text);
	daemon_shut_down(&daemon);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = options_parse(argc, argv);

	log_set_level(options.debug ? LOG_DEBUG : LOG_INFO);
	switch (options.action) {
	case DO_RUN:
		return run(&options);
	case DO_CHECK_CONFIG:
	case DO_DUMP_CONFIG:
		return print_config(&options);
	case DO_VERSION:
		printf("registrard %s\n", REGISTRARD_VERSION);
		return 0;
	case DO_HELP:
		options_help();
		return 0;
	case DO_MEASURER:
		return measurer_role_main(ROLE_SOCKET);
	case DO_SIGNER:
		return signer_role_main(ROLE_SOCKET);
	case DO_USAGE:
		break;
	}
	fprintf(stderr, "try: registrard --help\n");
	return EXIT_USAGE;
}
