#include "daemon/registrard/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPT_CHECK = 256, OPT_DUMP, OPT_FOREGROUND, OPT_ROLE, OPT_DEBUG, OPT_VERSION };

static const struct option table[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, OPT_CHECK},
        {"dump-config", no_argument, NULL, OPT_DUMP},
        {"foreground", no_argument, NULL, OPT_FOREGROUND},
        {"debug", no_argument, NULL, OPT_DEBUG},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, 'h'},
        {"role", required_argument, NULL, OPT_ROLE},
        {NULL, 0, NULL, 0},
};

static enum what_to_do role_action(const char *role)
{
	if (strcmp(role, "measurer") == 0)
		return DO_MEASURER;
	if (strcmp(role, "signer") == 0)
		return DO_SIGNER;
	fprintf(stderr, "registrard: no role \"%s\"\n", role);
	return DO_USAGE;
}

struct options options_parse(int argc, char **argv)
{
	struct options options = {.config_path = "/etc/registrard/registrard.yaml"};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.config_path = optarg;
			break;
		case OPT_CHECK:
			options.action = DO_CHECK_CONFIG;
			break;
		case OPT_DUMP:
			options.action = DO_DUMP_CONFIG;
			break;
		case OPT_FOREGROUND:
			break; /* the only way it runs: a supervisor keeps it, it never detaches */
		case OPT_DEBUG:
			options.debug = true;
			break;
		case OPT_VERSION:
			options.action = DO_VERSION;
			break;
		case 'h':
			options.action = DO_HELP;
			break;
		case OPT_ROLE:
			options.action = role_action(optarg);
			break;
		default:
			options.action = DO_USAGE;
			return options;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "registrard: unexpected argument \"%s\"\n", argv[optind]);
		options.action = DO_USAGE;
	}
	return options;
}

void options_help(void)
{
	puts("usage: registrard [--config FILE] [--check-config | --dump-config] [--foreground]\n"
	     "\n"
	     "  -c, --config FILE   default /etc/registrard/registrard.yaml\n"
	     "      --check-config  check the configuration, say what is wrong, start nothing\n"
	     "      --dump-config   print the whole effective configuration\n"
	     "      --foreground    stay in the foreground (it always does; for scripts)\n"
	     "      --debug         log for developers, too\n"
	     "      --version, --help\n"
	     "\n"
	     "It watches build outputs, verifies measurements, proposes them to the Safe that "
	     "governs\n"
	     "DstackKms/DstackApp, and follows each one until the chain confirms it. Ask it with\n"
	     "registrarctl. Manual: registrard(8).");
}
