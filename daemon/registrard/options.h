/* The command line of registrard. */
#ifndef REGISTRARD_OPTIONS_H
#define REGISTRARD_OPTIONS_H

#include <stdbool.h>

enum what_to_do {
	DO_RUN,
	DO_CHECK_CONFIG,
	DO_DUMP_CONFIG,
	DO_VERSION,
	DO_HELP,
	DO_MEASURER,
	DO_SIGNER,
	DO_USAGE
};

struct options {
	enum what_to_do action;
	const char *config_path;
	bool debug;
};

/* Never fails: DO_USAGE after the mistake was printed to stderr. */
struct options options_parse(int argc, char **argv);
void options_help(void);

#endif
