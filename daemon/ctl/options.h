/* The command line of registrarctl: one table of commands drives parsing, help and the manual. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_DEFAULT_SOCKET "/run/registrard/control.sock"

enum argument {
	ARGUMENT_NONE,
	ARGUMENT_VALUE,       /* 0x and 64 hex digits */
	ARGUMENT_VALUE_OR_ID, /* ... or m12; may be missing */
	ARGUMENT_PROPOSAL_IF, /* p7; may be missing */
	ARGUMENT_PROPOSAL,
	ARGUMENT_ID, /* m12, p7 or b3 */
	ARGUMENT_CHAIN, /* a chain's name */
	ARGUMENT_FILE,
	ARGUMENT_FILES, /* one or more; "-" is standard input */
};

enum option_bit {
	OPT_TARGET = 1,
	OPT_KIND = 2,
	OPT_TIMEOUT = 4,
	OPT_FORMAT = 8,
	OPT_FOLLOW = 16,
	OPT_VERIFY = 32,
	OPT_KNOWN_OS = 64,
	OPT_TRUSTED_ROOT = 128,
	OPT_IDENTITY = 256,
	OPT_ISSUER = 512,
	OPT_PREDICATE = 1024,
	OPT_PUBLIC_KEY = 2048,
	OPT_SHARED = 1 << 12,
	OPT_URGENT = 1 << 13,
	OPT_REPLACE = 1 << 14,
	OPT_BOOT_INFO = 1 << 16,
	OPT_KMS = 1 << 17,
};

struct jval;

struct ctl_command {
	const char *name;
	enum argument argument;
	unsigned options;    /* option_bits it takes besides --json and --socket */
	unsigned required;   /* those it cannot do without */
	const char *usage;   /* what stands behind its name */
	const char *summary; /* one line */
	const char *help;    /* the rest, for `registrarctl COMMAND --help`; or NULL */
};
extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

struct ctl_options {
	const struct ctl_command *command; /* NULL with help or version alone */
	bool help, version, json, follow, verify, known_os, kms, shared, urgent;
	const char *socket, *target, *kind, *format, *replace;
	/* Who must have signed what is inspected. */
	const char *trusted_root, *identity, *issuer, *predicate_type, *public_key;
	const char *boot_info_file;
	const struct jval *boot_info; /* what stood in it, once it was read */
	int64_t timeout_ms;
	const char *argument; /* the first, or NULL */
	char **files;         /* ARGUMENT_FILES: all of them */
	size_t file_count;
};

/* Rearranges argv so that the arguments stand together; everything points into it. ERR_INVALID says
 * what is wrong and what is expected. */
int ctl_options_parse(struct ctl_options *out, int argc, char **argv, struct error *error) MUST_USE;

struct buf;
/* For everything, or for one command. */
void ctl_help(struct buf *out, const struct ctl_command *command);

#endif
