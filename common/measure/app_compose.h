/* app-compose.json of a dstack application. The compose hash is SHA-256 of the file's exact bytes,
 * as the guest computes it: nothing is sorted or written again (the SDK's helper does, and agrees
 * only with files that it wrote itself). */
#ifndef MEASURE_APP_COMPOSE_H
#define MEASURE_APP_COMPOSE_H

#include "common/base/jval.h"
#include "common/measure/compose_images.h"

enum { APP_COMPOSE_MAX_SIZE = 1024 * 1024 };

/* Texts live in the arena; NULL where the file has none. */
struct app_compose {
	struct hash32 hash;
	char *name, *runner;
	int64_t manifest_version;  /* 0: none */
	int64_t event_log_version; /* 1 unless the file says otherwise */
	bool public_tcbinfo;       /* true unless the file says otherwise */
	bool has_compose_file;
	struct compose_images images; /* of its docker_compose_file */
};

/* Whether a JSON document is one: a runner beside a manifest version or a compose file. */
bool app_compose_is(const struct jval *document);
/* ERR_INVALID: not such a file, and why. The hash is that of bytes, whatever their format. */
int app_compose_read(struct arena *arena, struct bytes bytes, struct app_compose *out,
                     struct error *error) MUST_USE;

#endif
