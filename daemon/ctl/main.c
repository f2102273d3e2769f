/* registrarctl: asks the daemon through its control socket. */
#include "common/crypto/hash.h"
#include "daemon/ctl/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const struct ctl_options *options, const struct error *error)
{
	run_complain("%s", error->text);
	if (options->command != NULL)
		fprintf(stderr, "usage: registrarctl %s %s\n", options->command->name,
		        options->command->usage);
	else
		fprintf(stderr, "registrarctl --help lists the commands\n");
	return EXIT_USAGE;
}

static enum exit_code run(const struct ctl_options *options)
{
	static const struct {
		const char *command;
		enum exit_code (*run)(const struct ctl_options *options);
	} special[] = {{"wait", run_wait},
	               {"log", run_log},
	               {"backup", run_backup},
	               {"check", run_check},
	               {"inspect", run_inspect}};

	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		if (strcmp(special[i].command, options->command->name) == 0)
			return special[i].run(options);
	return run_remote(options);
}

int main(int argc, char **argv)
{
	struct ctl_options options;
	struct error error = {0};
	struct buf help = {0};

	if (ctl_options_parse(&options, argc, argv, &error) != 0)
		return usage(&options, &error);
	if (options.version) {
		puts("registrarctl " REGISTRARD_VERSION);
		return EXIT_YES;
	}
	if (options.help) {
		ctl_help(&help, options.command);
		run_print(&help);
		return EXIT_YES;
	}
	crypto_init();
	return (int)run(&options);
}
