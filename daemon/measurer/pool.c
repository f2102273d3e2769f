#include "daemon/measurer/pool.h"

#include "common/base/log.h"
#include "common/measure/detect.h"
#include "daemon/io/role.h"
#include "daemon/measurer/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_WORKERS = 64,
	RECYCLE_JOBS = 1000,         /* a worker is replaced after so many artifacts ... */
	RECYCLE_CPU_MS = 120 * 1000, /* ... or so much CPU time, far below its limit */
	BASE_LIMIT_MS = 60 * 1000,   /* for one artifact, and more for a large one: */
	LIMIT_BYTES_PER_MS = 20000,  /* the slowest disk and processor that we wait for */
	REAP_EVERY_MS = 5,
	REAP_TRIES = 200,    /* after them a worker that hung up but lives is killed */
	FIRST_PAUSE_MS = 50, /* before a worker that died at its start is started again */
	LAST_PAUSE_MS = 30 * 1000,
	GIVE_UP_STARTS = 5, /* then the artifact that waits for it is given back */
};

struct measurer_job {
	struct worker *worker;
	uint32_t id;
	int fd;
	char *name;
	struct measure_how how; /* its name is the one above */
	bool sent;
	measurer_done_fn *done;
	void *arg;
};

enum worker_state {
	WORKER_PAUSED,   /* no process; timer starts one */
	WORKER_STARTING, /* until it says WIRE_READY */
	WORKER_READY,
	WORKER_ENDING, /* hung up or killed; timer reaps it */
};

struct worker {
	struct measurer_pool *pool;
	enum worker_state state;
	bool was_ready; /* this process said WIRE_READY */
	struct role role;
	struct loop_io *io;
	struct loop_timer *timer;
	struct measurer_job *job;
	const char *killed_for; /* why we killed it, or NULL */
	unsigned reap_tries, failed_starts, jobs_done;
};

struct measurer_pool {
	struct loop *loop;
	uint32_t last_id;
	struct buf buffer;
	unsigned count;
	struct worker workers[];
};

static void start_worker(struct worker *worker);

/* --- the end of a job --------------------------------------------------------------------------
 */

static void finish_job(struct worker *worker, const struct measured *measured, bool lost)
{
	struct measurer_job *job = worker->job;

	worker->job = NULL;
	job->done(measured, lost, job->arg);
	free(job->name);
	free(job);
}

static void refuse_job(struct worker *worker, bool lost, const char *fmt, ...) PRINTF(3, 4);
static void refuse_job(struct worker *worker, bool lost, const char *fmt, ...)
{
	struct error text;
	struct measured measured = {
	        .format = format_of_name(worker->job->name),
	        .refused = true,
	        .level = LEVEL_CLAIMED,
	};
	va_list args;

	va_start(args, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	measured.refusal = text.text;
	log_unusual(worker->job->name, "%s", text.text);
	finish_job(worker, &measured, lost);
}

/* --- the end of a worker -----------------------------------------------------------------------
 */

static void kill_worker(struct worker *worker, const char *why)
{
	worker->killed_for = why;
	if (worker->role.pid > 0)
		kill(worker->role.pid, SIGKILL);
}

static void hang_up(struct worker *worker)
{
	loop_io_free(worker->io);
	worker->io = NULL;
	if (worker->role.socket >= 0)
		close(worker->role.socket);
	worker->role.socket = -1;
}

/* Signals that a process brings upon itself; any other came from outside. */
static bool is_own_fault(int number)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
	                             SIGABRT, SIGSYS, SIGXCPU, SIGXFSZ};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (faults[i] == number)
			return true;
	return false;
}

static const char *meaning(int number)
{
	switch (number) {
	case SIGSYS:
		return "a system call outside its filter";
	case SIGXCPU:
		return "its limit on CPU time";
	case SIGABRT:
		return "its limit on memory, or a broken invariant";
	default: /* the rest is common knowledge */
		return strsignal(number);
	}
}

/* What the end of the process means for the artifact in its hand. */
static void conclude_job(struct worker *worker, int status)
{
	if (worker->killed_for != NULL)
		refuse_job(worker, false, "the measurer was ended by main: %s", worker->killed_for);
	else if (WIFSIGNALED(status))
		refuse_job(worker, !is_own_fault(WTERMSIG(status)),
		           "the measurer was ended by SIG%s (%s)", sigabbrev_np(WTERMSIG(status)),
		           meaning(WTERMSIG(status)));
	else
		refuse_job(worker, false, "the measurer ended with status %d", WEXITSTATUS(status));
}

static int64_t pause_after(unsigned failed_starts)
{
	int64_t pause = FIRST_PAUSE_MS;

	for (unsigned i = 1; i < failed_starts && pause < LAST_PAUSE_MS; i++)
		pause *= 2;
	return pause < LAST_PAUSE_MS ? pause : LAST_PAUSE_MS;
}

/* The worker has no process any more. */
static void worker_gone(struct worker *worker)
{
	worker->state = WORKER_PAUSED;
	worker->role.pid = -1;
	if (worker->was_ready) {
		loop_timer_set(worker->timer, 0);
		return;
	}
	worker->failed_starts++;
	int64_t pause = pause_after(worker->failed_starts);
	log_unusual("measurer",
	            "a worker died at its start (%u in a row); the next try is in %lld ms",
	            worker->failed_starts, (long long)pause);
	loop_timer_set(worker->timer, pause);
	if (worker->job != NULL && worker->failed_starts >= GIVE_UP_STARTS)
		refuse_job(worker, true, "no measurer could be started");
}

static void reap(struct worker *worker)
{
	int status = 0;
	pid_t got = waitpid(worker->role.pid, &status, WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR)) {
		if (++worker->reap_tries == REAP_TRIES && worker->killed_for == NULL)
			kill_worker(worker, "it hung up and went on");
		loop_timer_set(worker->timer, REAP_EVERY_MS);
		return;
	}
	/* A process that somebody else reaped is gone as well, without telling how. */
	bool told = got == worker->role.pid;
	if (worker->job != NULL && worker->job->sent) {
		if (told)
			conclude_job(worker, status);
		else
			refuse_job(worker, true, "the measurer ended, nobody knows how");
	} else if (worker->killed_for == NULL) {
		log_unusual("measurer", "worker %d ended by itself (%s %d)", (int)worker->role.pid,
		            WIFSIGNALED(status) ? "signal" : "status",
		            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	worker_gone(worker);
}

static void begin_end(struct worker *worker)
{
	hang_up(worker);
	worker->state = WORKER_ENDING;
	worker->reap_tries = 0;
	loop_timer_set(worker->timer, 0);
}

static void end_worker(struct worker *worker, const char *why)
{
	kill_worker(worker, why);
	begin_end(worker);
}

/* --- work --------------------------------------------------------------------------------------
 */

static int64_t time_limit(int fd)
{
	struct stat info;
	int64_t size = fstat(fd, &info) == 0 && info.st_size > 0 ? info.st_size : 0;

	return BASE_LIMIT_MS + size / LIMIT_BYTES_PER_MS;
}

static void send_job(struct worker *worker)
{
	struct measurer_job *job = worker->job;
	struct buf body = {0};
	struct error error;

	wire_put_how(&body, &job->how);
	struct message message = {.kind = WIRE_MEASURE, .id = job->id, .body = buf_bytes(&body)};
	if (message_send(worker->role.socket, &message, job->fd, &error) == 0) {
		job->sent = true;
		loop_timer_set(worker->timer, time_limit(job->fd));
	} else {
		/* It just died: the job waits for its successor. */
		log_debug("measurer", "%s", error.text);
		end_worker(worker, "it took no work");
	}
	buf_free(&body);
}

/* A worker that did its share is replaced by a fresh one, so that its limits need no raising. */
static void after_answer(struct worker *worker, uint64_t cpu_ms)
{
	loop_timer_cancel(worker->timer);
	worker->jobs_done++;
	if (worker->jobs_done >= RECYCLE_JOBS || cpu_ms >= RECYCLE_CPU_MS)
		end_worker(worker, "its share of work is done");
}

/* True when the message is what a sound measurer says now. */
static bool take_answer(struct worker *worker, const struct message *message)
{
	struct field_reader reader = {.rest = message->body};
	struct arena arena = {0};
	struct measured measured;
	char *failure = NULL;

	if (worker->job == NULL || !worker->job->sent || message->id != worker->job->id)
		return false;
	uint64_t cpu_ms = field_get_u64(&reader);
	if (message->kind == WIRE_MEASURED)
		wire_get_measured(&reader, &arena, &measured);
	else if (message->kind == WIRE_FAILED)
		failure = wire_get_text(&reader, &arena);
	else
		reader.failed = true;
	bool sound = field_reader_done(&reader);
	if (sound) {
		after_answer(worker, cpu_ms);
		if (failure != NULL)
			refuse_job(worker, true, "it cannot be read: %s", failure);
		else
			finish_job(worker, &measured, false);
	}
	arena_free(&arena);
	return sound;
}

static bool take_message(struct worker *worker, const struct message *message)
{
	if (worker->state == WORKER_READY)
		return take_answer(worker, message);
	if (message->kind != WIRE_READY || message->id != 0 || message->body.len != 0)
		return false;
	worker->state = WORKER_READY;
	worker->was_ready = true;
	worker->failed_starts = 0;
	loop_timer_cancel(worker->timer);
	if (worker->job != NULL)
		send_job(worker);
	return true;
}

static void socket_ready(int fd, int events, void *arg)
{
	struct worker *worker = arg;
	struct message message;
	struct error error;
	int received;

	(void)events;
	int rc = message_receive(fd, &message, &worker->pool->buffer, &received, &error);
	if (rc == ERR_NOT_FOUND)
		return;
	if (received >= 0)
		close(received);
	if (rc == ERR_UNAVAILABLE)
		begin_end(worker);
	else if (rc != 0 || received >= 0 || !take_message(worker, &message))
		end_worker(worker, "its answer was not understood");
}

static void timer_fired(void *arg)
{
	struct worker *worker = arg;

	switch (worker->state) {
	case WORKER_PAUSED:
		start_worker(worker);
		break;
	case WORKER_STARTING:
		end_worker(worker, "it did not get ready in time");
		break;
	case WORKER_READY:
		end_worker(worker, "it took too long");
		break;
	case WORKER_ENDING:
		reap(worker);
		break;
	}
}

static void start_worker(struct worker *worker)
{
	struct error error;

	worker->was_ready = false;
	worker->killed_for = NULL;
	worker->jobs_done = 0;
	if (worker->job != NULL)
		worker->job->sent = false;
	if (role_start(&worker->role, "measurer", NULL, NULL, 0, &error) != 0) {
		log_unusual("measurer", "%s", error.text);
		worker_gone(worker);
		return;
	}
	worker->state = WORKER_STARTING;
	worker->io = loop_io_new(worker->pool->loop, worker->role.socket, LOOP_READ, socket_ready,
	                         worker);
	loop_timer_set(worker->timer, BASE_LIMIT_MS);
}

/* --- the pool ----------------------------------------------------------------------------------
 */

int measurer_pool_start(struct measurer_pool **out, struct loop *loop, unsigned workers,
                        struct error *error)
{
	*out = NULL;
	if (workers < 1 || workers > MAX_WORKERS)
		return error_set(error, ERR_INVALID, "%u measurers, expected 1 to %d", workers,
		                 MAX_WORKERS);
	struct measurer_pool *pool = xcalloc(1, sizeof(*pool) + workers * sizeof(pool->workers[0]));
	pool->loop = loop;
	pool->count = workers;
	for (unsigned i = 0; i < workers; i++) {
		struct worker *worker = &pool->workers[i];
		*worker = (struct worker){.pool = pool, .role = {.pid = -1, .socket = -1}};
		worker->timer = loop_timer_new(loop, timer_fired, worker);
		start_worker(worker);
	}
	*out = pool;
	return 0;
}

void measurer_pool_free(struct measurer_pool *pool)
{
	if (pool == NULL)
		return;
	for (unsigned i = 0; i < pool->count; i++) {
		struct worker *worker = &pool->workers[i];
		kill_worker(worker, "the daemon ends");
		hang_up(worker);
		while (worker->role.pid > 0 && waitpid(worker->role.pid, NULL, 0) < 0 &&
		       errno == EINTR)
			continue;
		loop_timer_free(worker->timer);
		if (worker->job != NULL) {
			free(worker->job->name);
			free(worker->job);
		}
	}
	buf_free(&pool->buffer);
	free(pool);
}

unsigned measurer_pool_idle(const struct measurer_pool *pool)
{
	unsigned idle = 0;

	for (unsigned i = 0; i < pool->count; i++)
		idle += pool->workers[i].job == NULL;
	return idle;
}

/* A worker that can begin at once, else one that will come back: its job waits for that. */
static struct worker *choose_worker(struct measurer_pool *pool)
{
	struct worker *best = NULL;

	for (unsigned i = 0; i < pool->count; i++) {
		struct worker *worker = &pool->workers[i];
		if (worker->job == NULL && (best == NULL || (worker->state == WORKER_READY &&
		                                             best->state != WORKER_READY)))
			best = worker;
	}
	if (best == NULL)
		die("more artifacts than idle measurers");
	return best;
}

struct measurer_job *measurer_measure(struct measurer_pool *pool, int fd,
                                      const struct measure_how *how, measurer_done_fn *done,
                                      void *arg)
{
	struct worker *worker = choose_worker(pool);
	struct measurer_job *job = xcalloc(1, sizeof(*job));

	*job = (struct measurer_job){
	        .worker = worker,
	        .id = ++pool->last_id,
	        .fd = fd,
	        .name = xstrdup(how->name),
	        .how = *how,
	        .done = done,
	        .arg = arg,
	};
	job->how.name = job->name;
	worker->job = job;
	if (worker->state == WORKER_READY)
		send_job(worker);
	return job;
}

void measurer_cancel(struct measurer_job *job)
{
	if (job == NULL)
		return;
	struct worker *worker = job->worker;
	worker->job = NULL;
	/* It would go on hashing something that nobody waits for. */
	if (job->sent && worker->state == WORKER_READY)
		end_worker(worker, "its work was cancelled");
	free(job->name);
	free(job);
}
