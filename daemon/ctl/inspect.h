/* What `inspect` knows while it works: inspect.c measures and shows, inspect_signed.c holds the
 * signatures among the files against the others. */
#ifndef CTL_INSPECT_H
#define CTL_INSPECT_H

#include "common/measure/check.h"
#include "common/measure/measurement.h"
#include "daemon/ctl/options.h"

struct inspected {
	const char *path, *name; /* name: without folders */
	struct measured measured;
	bool is_unread; /* it could not be read; measured is refused with the reason */
	bool is_signed; /* a verified signature is over it, or it is one */
	struct checks checks;
};

struct inspection {
	struct arena arena;
	struct signing
	        signing; /* as the command line says; SIGNING_NONE: nobody must have signed */
	struct inspected *files;
	size_t count;
};

/* Reads what the options name. ERR_INVALID, ERR_IO, ERR_NOT_FOUND with the option. */
int inspection_rule(struct inspection *inspection, const struct ctl_options *options,
                    struct error *error) MUST_USE;
/* After all files are measured. True when a signature is verified over one of them. */
bool inspection_signatures(struct inspection *inspection);

#endif
