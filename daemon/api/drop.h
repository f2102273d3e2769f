/* Builds dropped by HTTP, for pipelines that share no disk with the daemon. Every request shows the
 * target's token: "Authorization: Bearer TOKEN".
 *
 *   PUT    /v1/builds/TARGET/NAME/FILE...     a file, whole or (Content-Range) the next part of it
 *   HEAD   /v1/builds/TARGET/NAME/FILE...     how much of it is there: Upload-Offset,
 * Upload-Complete POST   /v1/builds/TARGET/NAME/complete    the build is whole; from now on it is
 * measured GET    /v1/builds/TARGET/NAME             what is there, and what became of it DELETE
 * /v1/builds/TARGET/NAME             gives up a build that is not complete
 *
 * A completed build lies in a folder that is watched like any other. */
#ifndef API_DROP_H
#define API_DROP_H

#include "common/config/config.h"
#include "common/store/store.h"
#include "daemon/io/http_server.h"

struct drop;

struct drop_parts {
	struct loop *loop;
	struct store *store;
	const struct config *config; /* must outlive it */
};

/* Reads the token files and makes the folders: before the process gives its rights up. *out is
 * NULL, and that is no failure, when config has no http. ERR_INVALID: a token that is none. */
int drop_new(struct drop **out, const struct drop_parts *parts, struct error *error) MUST_USE;
/* Listens. ERR_IO when the address cannot be had. NULL is fine. */
int drop_listen(struct drop *drop, struct error *error) MUST_USE;
/* Where it listens. */
const struct netaddr *drop_at(const struct drop *drop);
/* Breaks what is under way; what arrived of it stays. NULL is fine. */
void drop_free(struct drop *drop);

/* The folders that completed builds come to, which intake watches: calls back for each target that
 * has a token. The watch is valid during the call. */
void drop_each_watch(const struct config *config,
                     void (*each)(const struct config_watch *watch, void *arg), void *arg);

#endif
