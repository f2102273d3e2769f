/* The option table: what the configuration may hold. It alone drives reading, defaults, limits,
 * --dump-config, docs/OPTIONS.md and the man page. Inside this room only. */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "common/config/config.h"
#include "common/config/tree.h"

enum option_type {
	OPTION_PATH,               /* char *: absolute */
	OPTION_SECRET_FILE,        /* char *: absolute, or $CREDENTIALS_DIRECTORY/... */
	OPTION_URL,                /* char *: http or https, without trailing slash */
	OPTION_URL_LIST,           /* struct text_list */
	OPTION_HASH_LIST,          /* struct hash_list: 64 hex digits each */
	OPTION_KEY_LIST,           /* struct signing_keys: minisign public keys */
	OPTION_TEXT,               /* char *: one line, at most `max` bytes */
	OPTION_LISTEN,             /* char *: numeric address and port; NULL: "off" */
	OPTION_NUMBER,             /* unsigned integer of `size` bytes */
	OPTION_BOOL,               /* bool */
	OPTION_DURATION,           /* int64_t milliseconds */
	OPTION_CHOICE,             /* enum or bool of `size` bytes, one of `choices` */
	OPTION_CHOICE_OR_NUMBER,   /* the number in `also` (uint64_t) */
	OPTION_CHOICE_OR_DURATION, /* the duration in `also` (int64_t) */
	OPTION_ADDRESS,            /* struct address; `also`: bool "it is there", or none */
	OPTION_CHAIN,              /* const struct config_chain *, by name */
	OPTION_TARGET,             /* const struct config_target *, by name */
	OPTION_SECTION,            /* a map of further options of the same struct */
	OPTION_NAMED,              /* a map of name -> section: array, `also` its count */
	OPTION_ITEMS,              /* a list of sections: array, `also` its count */
	OPTION_ABSENT,             /* known, but not available in this version */
};

enum option_flag {
	OPTION_REQUIRED = 1, /* where its section is written */
	OPTION_SECRET = 2,   /* names a file that holds a secret */
	OPTION_SHORT = 4,    /* a section that may be written as the value of its first option */
};

struct choice {
	const char *name; /* NULL: what a number or duration sets */
	unsigned value;
	bool absent; /* known, but not available in this version */
};

struct option {
	const char *name;
	enum option_type type;
	unsigned flags;
	uint64_t min, max;
	const char *fallback;     /* the default as the file would say it; NULL: none */
	const char *fallback_doc; /* how the documentation says it, if different */
	const char *unit;         /* of a number */
	const char *help;
	size_t offset, size;    /* of the field */
	size_t also, also_size; /* of the second field; also_size 0: none */
	const struct choice *choices;
	size_t choice_count;
	const struct section *section;
};

/* What a check that spans options needs to say where something is wrong. */
struct place {
	const char *file;
	const char *path;             /* "targets.payments" */
	const struct tree_node *node; /* NULL: the section is not written */
	const struct config *config;
	struct error *error;
};

struct section {
	const struct option *options;
	size_t count;
	size_t struct_size; /* of one entry of OPTION_NAMED / OPTION_ITEMS */
	size_t name_offset; /* char * name of one entry of OPTION_NAMED */
	int (*check)(const struct place *place,
	             void *base); /* or NULL; after all its options are read */
};

extern const struct section config_section;

/* ERR_INVALID with "file:line: path.option: ..."; the line is the option's, or the section's. */
int place_fail(const struct place *place, const char *option, const char *fmt, ...) PRINTF(3, 4);

int check_chain(const struct place *place, void *base);
int check_http(const struct place *place, void *base);
int check_target(const struct place *place, void *base);
int check_sigstore(const struct place *place, void *base);
int check_signing(const struct place *place, void *base);
int check_watch(const struct place *place, void *base);
int check_endpoint(const struct place *place, void *base);
int check_config(const struct place *place, void *base);

#endif
