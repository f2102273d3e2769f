#include "daemon/watch/intake.h"

#include "common/base/log.h"
#include "common/store/store_build.h"
#include "common/store/store_signature.h"
#include "daemon/watch/judge.h"
#include "daemon/watch/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	LOST_MS = 1000,   /* a worker died and not by the file's fault */
	CHANGED_MS = 100, /* somebody writes: beside the settle time, which may be nothing */
	SWEEP = 256,      /* stored paths looked up per pass of the loop, */
	VERDICTS = 64,    /* and folders judged, */
	TAKES = 1024,     /* and files taken */
};

/* One watched folder of the config. */
struct source {
	struct intake *intake;
	const struct config_target *target; /* of the config */
	char *path;                         /* without a slash at its end */
	struct watcher *watcher;
	/* Stored paths, being compared with what is there. */
	struct arena sweep_arena;
	struct path_list sweep;
	size_t swept;
	struct loop_timer *sweep_timer;
	TAILQ_ENTRY(source) link;
};
TAILQ_HEAD(source_list, source);

/* One file that is being measured. */
struct job {
	struct source *source;
	char *path;
	int fd;
	struct file_id id;
	struct measurer_job *handle;
	TAILQ_ENTRY(job) link;
};
TAILQ_HEAD(job_list, job);

/* What is known about one file and not stored yet. */
struct outcome {
	struct source *source;
	char *path;
	bool gone;
	struct file_id id;
	struct measured measured;
	STAILQ_ENTRY(outcome) link;
};
STAILQ_HEAD(outcome_list, outcome);

struct intake {
	struct loop *loop;
	struct measurer_pool *pool;
	struct store *store;
	const struct config *config;
	void (*on_measurements)(void *arg);
	void *arg;
	struct source_list sources;
	struct job_list jobs;
	size_t job_count;
	struct outcome_list outcomes;
	struct arena outcome_arena; /* all outcomes and their texts */
	bool pumps_on;              /* pump_on is deferred */
	int64_t seen, measured, unknown, refused, changed, lost;
};

static void pump(struct intake *intake);

/* --- storing -------------------------------------------------------------------------------------
 */

static char *stored_path(struct arena *arena, const struct source *source, const char *path)
{
	return *path != '\0'
	               ? arena_printf(arena, "%s/%s", source->path, path)
	               : arena_printf(arena, "%s", *source->path != '\0' ? source->path : "/");
}

static const char *stored_folder(struct arena *arena, const char *stored)
{
	const char *slash = strrchr(stored, '/');

	return slash == stored ? "/" : arena_printf(arena, "%.*s", (int)(slash - stored), stored);
}

static void store_outcome(struct intake *intake, const struct outcome *outcome)
{
	struct arena *arena = &intake->outcome_arena;
	const char *path = stored_path(arena, outcome->source, outcome->path);
	const struct file_id *id = &outcome->id;

	if (outcome->gone) {
		store_artifact_gone(intake->store, outcome->source->target->name, path);
		return;
	}
	store_artifact_put(intake->store, &(struct artifact){
	                                          .target = outcome->source->target->name,
	                                          .path = path,
	                                          .folder = stored_folder(arena, path),
	                                          .device = id->device,
	                                          .inode = id->inode,
	                                          .size = id->size,
	                                          .mtime_ns = id->mtime_ns,
	                                          .ctime_ns = id->ctime_ns,
	                                          .measured = outcome->measured,
	                                  });
}

/* All that was found out in one pass of the loop goes into one transaction. */
static void flush(void *arg)
{
	struct intake *intake = arg;
	struct outcome *outcome;

	store_begin(intake->store);
	STAILQ_FOREACH(outcome, &intake->outcomes, link)
	store_outcome(intake, outcome);
	store_commit(intake->store);
	STAILQ_FOREACH(outcome, &intake->outcomes, link)
	watcher_done(outcome->source->watcher, outcome->path);
	STAILQ_INIT(&intake->outcomes);
	arena_free(&intake->outcome_arena);
	pump(intake);
}

static struct outcome *outcome_add(struct intake *intake, struct source *source, const char *path)
{
	struct outcome *outcome = arena_alloc(&intake->outcome_arena, sizeof(*outcome));

	if (STAILQ_EMPTY(&intake->outcomes))
		loop_defer(intake->loop, flush, intake);
	outcome->source = source;
	outcome->path = arena_strdup(&intake->outcome_arena, path);
	STAILQ_INSERT_TAIL(&intake->outcomes, outcome, link);
	return outcome;
}

/* --- measuring
 * ------------------------------------------------------------------------------------ */

static void job_free(struct job *job)
{
	TAILQ_REMOVE(&job->source->intake->jobs, job, link);
	job->source->intake->job_count--;
	measurer_cancel(job->handle);
	close(job->fd);
	free(job->path);
	free(job);
}

static void count(struct intake *intake, const struct measured *measured)
{
	intake->measured++;
	if (measured->refused)
		intake->refused++;
	else if (measured->format == FORMAT_UNKNOWN)
		intake->unknown++;
}

static void measured(const struct measured *found, bool lost, void *arg)
{
	struct job *job = arg;
	struct source *source = job->source;
	struct intake *intake = source->intake;
	struct outcome *outcome;
	struct stat st;
	struct file_id now;

	job->handle = NULL;
	now = fstat(job->fd, &st) == 0 ? file_id_of(&st) : (struct file_id){0};
	if (!file_id_equal(&now, &job->id)) {
		intake->changed++;
		watcher_again(source->watcher, job->path, CHANGED_MS);
	} else if (lost) {
		intake->lost++;
		watcher_again(source->watcher, job->path, LOST_MS);
	} else {
		count(intake, found);
		outcome = outcome_add(intake, source, job->path);
		outcome->id = now;
		outcome->measured = measured_copy(&intake->outcome_arena, found);
	}
	job_free(job);
	/* With an outcome, flush does it. */
	if (STAILQ_EMPTY(&intake->outcomes))
		pump(intake);
}

static bool known(const char *path, const struct file_id *id, void *arg)
{
	struct source *source = arg;
	struct arena arena = {0};
	struct artifact stored;
	bool same;

	same = store_artifact_get(source->intake->store, &arena, source->target->name,
	                          stored_path(&arena, source, path), &stored) == 0 &&
	       !stored.gone &&
	       file_id_equal(id, &(struct file_id){stored.device, stored.inode, stored.size,
	                                           stored.mtime_ns, stored.ctime_ns});
	arena_free(&arena);
	return same;
}

/* The same file twice at once would be stored in either order. */
static bool in_work(const struct intake *intake, const struct source *source, const char *path)
{
	const struct job *job;

	TAILQ_FOREACH(job, &intake->jobs, link)
	{
		if (job->source == source && strcmp(job->path, path) == 0)
			return true;
	}
	return false;
}

static void start_job(struct source *source, struct watcher_file *file)
{
	struct intake *intake = source->intake;
	struct job *job = xcalloc(1, sizeof(*job));
	const char *name = strrchr(file->path, '/');

	job->source = source;
	job->path = file->path;
	job->fd = file->fd;
	job->id = file->id;
	TAILQ_INSERT_TAIL(&intake->jobs, job, link);
	intake->job_count++;
	job->handle =
	        measurer_measure(intake->pool, job->fd,
	                         &(struct measure_how){.name = name != NULL ? name + 1 : job->path,
	                                               .signing = &source->target->signing},
	                         measured, job);
}

static void take(struct source *source, struct watcher_file *file)
{
	struct intake *intake = source->intake;

	if (file->fd < 0) {
		outcome_add(intake, source, file->path)->gone = true;
		free(file->path);
		return;
	}
	if (!in_work(intake, source, file->path) && !known(file->path, &file->id, source)) {
		intake->seen++;
		start_job(source, file);
		return;
	}
	close(file->fd);
	if (in_work(intake, source, file->path))
		watcher_again(source->watcher, file->path, CHANGED_MS);
	else
		watcher_done(source->watcher, file->path);
	free(file->path);
}

/* --- judging
 * ---------------------------------------------------------------------------------------- */

static char *next_folder(struct intake *intake, struct source **of)
{
	char *folder = NULL;

	TAILQ_FOREACH(*of, &intake->sources, link)
	{
		folder = watcher_take_folder((*of)->watcher);
		if (folder != NULL)
			break;
	}
	return folder;
}

/* Some of the quiet folders, in one transaction. True when there may be more. */
static bool judge(struct intake *intake)
{
	struct source *source;
	struct arena arena = {0};
	char *folder = next_folder(intake, &source);
	unsigned judged = 0;
	bool changed = false;

	if (folder == NULL)
		return false;
	store_begin(intake->store);
	while (folder != NULL) {
		changed |= judge_folder(intake->store, source->target,
		                        stored_path(&arena, source, folder));
		free(folder);
		folder = ++judged < VERDICTS ? next_folder(intake, &source) : NULL;
	}
	store_commit(intake->store);
	arena_free(&arena);
	if (changed)
		intake->on_measurements(intake->arg);
	return judged == VERDICTS;
}

/* Gives the pool as much as it can take, from all folders in turn. True when there may be more. */
static bool take_files(struct intake *intake)
{
	struct source *source;
	struct watcher_file file;
	unsigned taken = 0;
	bool more = true;

	while (more && taken < TAKES) {
		more = false;
		TAILQ_FOREACH(source, &intake->sources, link)
		{
			if (measurer_pool_idle(intake->pool) == 0)
				return false;
			if (watcher_take(source->watcher, &file)) {
				take(source, &file);
				taken++;
				more = true;
			}
		}
	}
	return more;
}

static void pump_on(void *arg)
{
	struct intake *intake = arg;

	intake->pumps_on = false;
	pump(intake);
}

static void pump(struct intake *intake)
{
	struct source *source;
	bool more = judge(intake);

	more = take_files(intake) || more;
	if (more && !intake->pumps_on) {
		intake->pumps_on = true;
		loop_defer(intake->loop, pump_on, intake);
	}
	TAILQ_FOREACH(source, &intake->sources, link)
	watcher_arm(source->watcher);
}

static void ready(void *arg)
{
	const struct source *source = arg;

	pump(source->intake);
}

/* --- what is stored and not there any more
 * --------------------------------------------------------- */

/* The path within the watched folder, or NULL when it lies elsewhere. */
static const char *path_within(const struct source *source, const char *stored)
{
	size_t len = strlen(source->path);

	if (strncmp(stored, source->path, len) != 0)
		return NULL;
	if (stored[len] == '\0')
		return stored + len;
	if (stored[len] != '/')
		return NULL;
	return stored + len + 1;
}

static void sweep_on(void *arg)
{
	struct source *source = arg;
	size_t end = source->swept + SWEEP;

	for (; source->swept < source->sweep.count && source->swept < end; source->swept++)
		watcher_check(source->watcher, source->sweep.items[source->swept]);
	if (source->swept < source->sweep.count)
		loop_timer_set(source->sweep_timer, 0);
	else
		arena_free(&source->sweep_arena);
}

static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return len == 0 || (strncmp(path, folder, len) == 0 && path[len] == '/');
}

/* Begins to compare what is stored beneath folder with what is there. */
static void sweep(struct source *source, const char *folder)
{
	struct path_list *paths = &source->sweep;
	bool whole = loop_timer_pending(source->sweep_timer); /* one under way is not cut short */
	size_t kept = 0;

	arena_free(&source->sweep_arena);
	store_artifact_paths(source->intake->store, &source->sweep_arena, source->target->name,
	                     paths);
	for (size_t i = 0; i < paths->count; i++) {
		const char *path = path_within(source, paths->items[i]);

		if (path != NULL && (whole || lies_in(path, folder)))
			paths->items[kept++] = path;
	}
	paths->count = kept;
	source->swept = 0;
	loop_timer_set(source->sweep_timer, 0);
}

static void left(const char *folder, void *arg)
{
	sweep(arg, folder);
}

/* What waits for a verdict, from before a restart or because the rules are others now. */
static void touch_unjudged(struct source *source)
{
	struct arena arena = {0};
	struct path_list folders;

	store_folder_unjudged(source->intake->store, &arena, source->target->name, &folders);
	for (size_t i = 0; i < folders.count; i++) {
		const char *folder = path_within(source, folders.items[i]);

		if (folder != NULL)
			watcher_touch_folder(source->watcher, folder);
	}
	arena_free(&arena);
}

/* --- life
 * -----------------------------------------------------------------------------------------------
 */

static void walked(void *arg)
{
	struct source *source = arg;

	sweep(source, "");
	touch_unjudged(source);
}

static const struct watcher_owner owner = {
        .known = known, .ready = ready, .walked = walked, .left = left};

static void source_add(struct intake *intake, const struct config_watch *watch)
{
	struct source *source = xcalloc(1, sizeof(*source));
	size_t len = strlen(watch->path);

	while (len > 0 && watch->path[len - 1] == '/')
		len--;
	source->intake = intake;
	source->target = watch->target;
	source->path = xasprintf("%.*s", (int)len, watch->path);
	source->sweep_timer = loop_timer_new(intake->loop, sweep_on, source);
	source->watcher = watcher_new(&(struct watcher_parts){
	        .loop = intake->loop,
	        .path = watch->path,
	        .recursive = watch->recursive,
	        .settle_ms = watch->settle_ms,
	        .build_settle_ms = watch->build_settle_ms,
	        .rescan_ms = watch->rescan == RESCAN_EVERY ? watch->rescan_ms : 0,
	        .owner = &owner,
	        .arg = source,
	});
	TAILQ_INSERT_TAIL(&intake->sources, source, link);
}

/* What was measured of it and is not stored yet is found again by whoever watches it next. */
static void source_free(struct source *source)
{
	struct intake *intake = source->intake;
	struct job *job, *next_job;
	struct outcome *outcome, *next;

	TAILQ_REMOVE(&intake->sources, source, link);
	for (job = TAILQ_FIRST(&intake->jobs); job != NULL; job = next_job) {
		next_job = TAILQ_NEXT(job, link);
		if (job->source == source)
			job_free(job);
	}
	for (outcome = STAILQ_FIRST(&intake->outcomes); outcome != NULL; outcome = next) {
		next = STAILQ_NEXT(outcome, link);
		if (outcome->source == source)
			STAILQ_REMOVE(&intake->outcomes, outcome, outcome, link);
	}
	watcher_free(source->watcher);
	loop_timer_free(source->sweep_timer);
	arena_free(&source->sweep_arena);
	free(source->path);
	free(source);
}

static void put_targets(struct intake *intake)
{
	store_begin(intake->store);
	for (size_t i = 0; i < intake->config->target_count; i++) {
		const struct config_target *target = &intake->config->targets[i];

		store_target_put(intake->store, target->name, target->chain->chain_id, &target->kms,
		                 target->has_app ? &target->app : NULL);
		struct hash32 rules = judge_rules(target);
		store_artifact_rule(intake->store, target->name, &target->signing);
		store_folder_rules(intake->store, target->name, &rules);
	}
	store_commit(intake->store);
}

struct intake *intake_new(const struct intake_parts *parts)
{
	struct intake *intake = xcalloc(1, sizeof(*intake));

	intake->loop = parts->loop;
	intake->pool = parts->pool;
	intake->store = parts->store;
	intake->config = parts->config;
	intake->on_measurements = parts->on_measurements;
	intake->arg = parts->arg;
	TAILQ_INIT(&intake->sources);
	TAILQ_INIT(&intake->jobs);
	STAILQ_INIT(&intake->outcomes);
	return intake;
}

void intake_start(struct intake *intake)
{
	put_targets(intake);
	for (size_t i = 0; i < intake->config->watch_count; i++)
		source_add(intake, &intake->config->watches[i]);
}

void intake_watch(struct intake *intake, const struct config_watch *watch)
{
	source_add(intake, watch);
}

void intake_free(struct intake *intake)
{
	if (intake == NULL)
		return;
	while (!TAILQ_EMPTY(&intake->sources))
		source_free(TAILQ_FIRST(&intake->sources));
	loop_undefer(intake->loop, flush, intake);
	loop_undefer(intake->loop, pump_on, intake);
	arena_free(&intake->outcome_arena);
	free(intake);
}

struct jval *intake_status(const struct intake *intake)
{
	struct jval *status = jval_object(), *files = jval_object(), *watches = jval_array();
	const struct source *source;

	jval_add_int(files, "seen", intake->seen);
	jval_add_int(files, "measured", intake->measured);
	jval_add_int(files, "unknown", intake->unknown);
	jval_add_int(files, "refused", intake->refused);
	jval_add_int(files, "changed_while_read", intake->changed);
	jval_add_int(files, "lost", intake->lost);
	jval_add(status, "files", files);
	jval_add_int(status, "in_work", (int64_t)intake->job_count);
	TAILQ_FOREACH(source, &intake->sources, link)
	{
		struct jval *watch = watcher_status(source->watcher);

		jval_add_string(watch, "target", source->target->name);
		jval_push(watches, watch);
	}
	jval_add(status, "watches", watches);
	return status;
}
