/* Turns what lies in the watched folders into artifacts, builds, measurements and evidence in the
 * store. Whatever is finished is stored before anything else hears of it; after a restart the first
 * walk finds what is missing. */
#ifndef WATCH_INTAKE_H
#define WATCH_INTAKE_H

#include "common/config/config.h"
#include "common/store/store.h"
#include "daemon/measurer/pool.h"

struct intake;

struct intake_parts {
	struct loop *loop;
	struct measurer_pool *pool;
	struct store *store;
	const struct config *config;
	void (*on_measurements)(void *arg); /* after a commit: measurements were made or changed */
	void *arg;
};

/* The config must outlive it. */
struct intake *intake_new(const struct intake_parts *parts);
void intake_start(struct intake *intake);
/* Watches a further folder, which is of no config. watch is copied. Before or after intake_start.
 */
void intake_watch(struct intake *intake, const struct config_watch *watch);
void intake_free(struct intake *intake); /* NULL is fine */

/* {files: {seen, measured, unknown, refused, changed_while_read, lost}, in_work,
 * watches: [{target, path, mode, ...}]}; see watcher_status. */
struct jval *intake_status(const struct intake *intake);

#endif
