#include "daemon/watch/poller.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/crypto/hash.h"
#include "daemon/io/http.h"
#include "daemon/watch/endpoint.h"
#include "daemon/watch/endpoint_judge.h"
#include "daemon/watch/schedule.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	AT_ONCE = 32,         /* endpoints under way, each with at most one answer in memory */
	AT_ONCE_PER_HOST = 4, /* of them behind one gateway */
	ANSWER_MAX = 1024 * 1024,
	ANSWER_MS = 20 * 1000,
	SPREAD_START_MS = 5 * 60 * 1000, /* the first questions come within this, or `every` */
	REST_MS = 60 * 1000,             /* of a host that asks for it without saying how long */
	REST_LONGEST_MS = 60 * 60 * 1000,
	LOST_MS = 1000,        /* a measurer died and not by the answer's fault */
	NEW_VALUES_A_DAY = 24, /* of one endpoint */
	DAY_MS = 24 * 3600 * 1000,
	SHOWN_IN_STATUS = 100,
};

enum state { STATE_UNASKED, STATE_ANSWERING, STATE_FAILING, STATE_REFUSED };

struct endpoint {
	struct poller *poller;
	const struct config_endpoint *config;
	struct schedule_item *item;
	/* Under way: one of these at most. */
	struct http_call *call;
	struct measurer_job *job;
	bool queued;
	int fd;                  /* the answer, sealed; -1: none */
	struct hash32 under_way; /* its digest */
	/* What is known. */
	enum state state;
	bool known; /* bytes with the digest `last` were judged */
	struct hash32 last;
	enum endpoint_verdict_kind judged; /* with known */
	char *reason;
	bool has_compose, is_revoked;
	struct hash32 compose;
	unsigned failures, new_values;
	struct mono new_since;
	struct wall last_answer;
	char *error;
	TAILQ_ENTRY(endpoint) link; /* of those that wait for a measurer */
};

/* What a measurer found and the store does not know yet. */
struct finding {
	struct endpoint *endpoint;
	struct measured measured;
	STAILQ_ENTRY(finding) link;
};

struct poller {
	struct loop *loop;
	struct http
	        *http; /* its own: thousands of servers would push out the chains' connections */
	struct measurer_pool *pool;
	struct store *store;
	const struct config *config;
	int64_t answer_ms;
	void (*on_measurements)(void *arg);
	void *arg;
	struct schedule *schedule;
	struct loop_timer *timer;
	struct endpoint *endpoints;
	size_t count;
	TAILQ_HEAD(, endpoint) queue;
	STAILQ_HEAD(, finding) findings;
	struct arena findings_arena;
	bool pumps_on;
	int64_t unchanged, measured;
};

static void pump_soon(struct poller *poller);

/* --- the end of a question --------------------------------------------------------------------
 */

static void end(struct endpoint *endpoint, int64_t pause_ms)
{
	struct poller *poller = endpoint->poller;
	struct mono due = {loop_now(poller->loop).ms + pause_ms};

	if (endpoint->fd >= 0)
		close(endpoint->fd);
	endpoint->fd = -1;
	schedule_done(poller->schedule, endpoint->item, due);
	pump_soon(poller);
}

static int64_t pause_of(const struct endpoint *endpoint)
{
	uint32_t random;

	random_bytes(&random, sizeof(random));
	return endpoint_pause(endpoint->config->every_ms, endpoint->failures, random);
}

static void set_state(struct endpoint *endpoint, enum state state, const char *error)
{
	const char *target = endpoint->config->target->name, *url = endpoint->config->url;
	bool was_failing = endpoint->state == STATE_FAILING;

	if (state == STATE_FAILING && !was_failing)
		log_unusual(target, "%s: %s", url, error);
	else if (was_failing && state != STATE_FAILING)
		log_info(target, "%s answers again", url);
	endpoint->state = state;
	free(endpoint->error);
	endpoint->error = error != NULL ? xstrdup(error) : NULL;
}

static void fail(struct endpoint *endpoint, const char *error, int64_t at_least_ms)
{
	int64_t pause;

	endpoint->failures++;
	set_state(endpoint, STATE_FAILING, error);
	pause = pause_of(endpoint);
	end(endpoint, pause > at_least_ms ? pause : at_least_ms);
}

/* --- judging ----------------------------------------------------------------------------------
 */

/* Whether it still may bring values that nobody knows. */
static bool may_create(struct endpoint *endpoint)
{
	struct mono now = loop_now(endpoint->poller->loop);

	if (now.ms - endpoint->new_since.ms >= DAY_MS) {
		endpoint->new_since = now;
		endpoint->new_values = 0;
	}
	return endpoint->new_values < NEW_VALUES_A_DAY;
}

/* It answered, and these bytes were judged, now or earlier. */
static void settle(struct endpoint *endpoint)
{
	static const enum state states[] = {
	        [ENDPOINT_GOOD] = STATE_ANSWERING,
	        [ENDPOINT_NOTHING] = STATE_FAILING,
	        [ENDPOINT_REFUSED] = STATE_REFUSED,
	};

	endpoint->failures = 0;
	set_state(endpoint, states[endpoint->judged], endpoint->reason);
	end(endpoint, pause_of(endpoint));
}

static void conclude(struct endpoint *endpoint, const struct endpoint_verdict *verdict)
{
	endpoint->new_values += verdict->created;
	endpoint->has_compose = verdict->has_compose;
	endpoint->compose = verdict->compose;
	endpoint->is_revoked = verdict->is_revoked;
	endpoint->known = true;
	endpoint->last = endpoint->under_way;
	endpoint->judged = verdict->kind;
	free(endpoint->reason);
	endpoint->reason = verdict->reason != NULL ? xstrdup(verdict->reason) : NULL;
	settle(endpoint);
}

/* All that was found out in one pass of the loop goes into one transaction. */
static void flush(void *arg)
{
	struct poller *poller = arg;
	struct arena arena = poller->findings_arena;
	struct finding *finding, *next;
	bool changed = false;

	finding = STAILQ_FIRST(&poller->findings);
	STAILQ_INIT(&poller->findings);
	poller->findings_arena = (struct arena){0};
	store_begin(poller->store);
	for (; finding != NULL; finding = next) {
		struct endpoint *endpoint = finding->endpoint;
		struct endpoint_verdict verdict;
		struct endpoint_answer answer = {
		        .endpoint = endpoint->config,
		        .measured = &finding->measured,
		        .may_create = may_create(endpoint),
		};

		next = STAILQ_NEXT(finding, link);
		endpoint_judge(poller->store, &arena, &answer, &verdict);
		changed |= verdict.changed;
		conclude(endpoint, &verdict);
	}
	store_commit(poller->store);
	arena_free(&arena);
	if (changed)
		poller->on_measurements(poller->arg);
}

/* --- measuring --------------------------------------------------------------------------------
 */

static void measured(const struct measured *found, bool lost, void *arg)
{
	struct endpoint *endpoint = arg;
	struct poller *poller = endpoint->poller;
	struct arena *arena = &poller->findings_arena;
	struct finding *finding;

	endpoint->job = NULL;
	pump_soon(poller);
	if (lost) {
		end(endpoint, LOST_MS);
		return;
	}
	poller->measured++;
	if (STAILQ_EMPTY(&poller->findings))
		loop_defer(poller->loop, flush, poller);
	finding = arena_alloc(arena, sizeof(*finding));
	finding->endpoint = endpoint;
	finding->measured = measured_copy(arena, found);
	STAILQ_INSERT_TAIL(&poller->findings, finding, link);
}

static void measure_waiting(struct poller *poller)
{
	char where[HTTP_URL_LOG_SIZE];
	struct measure_how how = {.name = where};
	struct endpoint *endpoint;

	while ((endpoint = TAILQ_FIRST(&poller->queue)) != NULL &&
	       measurer_pool_idle(poller->pool) > 0) {
		TAILQ_REMOVE(&poller->queue, endpoint, link);
		endpoint->queued = false;
		http_url_for_log(where, endpoint->config->url);
		how.is_kms = endpoint->config->is_kms;
		endpoint->job =
		        measurer_measure(poller->pool, endpoint->fd, &how, measured, endpoint);
	}
}

/* The bytes as a file that nobody can change any more, or -1. */
static int sealed(struct bytes bytes)
{
	int fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;
	ssize_t n = 0;

	while (fd >= 0 && done < bytes.len && n >= 0) {
		n = write(fd, bytes.data + done, bytes.len - done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0 &&
	    (n < 0 || fcntl(fd, F_ADD_SEALS,
	                    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* --- asking -----------------------------------------------------------------------------------
 */

static void refused_by_host(struct endpoint *endpoint, const struct http_answer *answer,
                            const char *error)
{
	struct poller *poller = endpoint->poller;
	int64_t rest = answer->retry_after_ms >= 0 ? answer->retry_after_ms : REST_MS;

	if (rest > REST_LONGEST_MS)
		rest = REST_LONGEST_MS;
	schedule_rest(poller->schedule, endpoint->item,
	              (struct mono){loop_now(poller->loop).ms + rest});
	fail(endpoint, error, rest);
}

/* Bytes that were judged already say nothing new, unless what they show was revoked meanwhile. */
static bool is_news(struct endpoint *endpoint)
{
	if (!endpoint->known || !hash32_equal(&endpoint->last, &endpoint->under_way))
		return true;
	return endpoint->has_compose &&
	       endpoint_shows_revoked(endpoint->poller->store, endpoint->config->target,
	                              &endpoint->compose) != endpoint->is_revoked;
}

static void take_answer(struct endpoint *endpoint, struct bytes body)
{
	struct poller *poller = endpoint->poller;

	endpoint->last_answer = clock_wall();
	endpoint->under_way = sha256(body);
	if (!is_news(endpoint)) {
		poller->unchanged++;
		settle(endpoint);
		return;
	}
	endpoint->fd = sealed(body);
	if (endpoint->fd < 0) {
		fail(endpoint, "no memory file for the answer", 0);
		return;
	}
	endpoint->queued = true;
	TAILQ_INSERT_TAIL(&poller->queue, endpoint, link);
	measure_waiting(poller);
}

static void answered(const struct http_answer *answer, void *arg)
{
	struct endpoint *endpoint = arg;
	char error[64];

	endpoint->call = NULL;
	if (answer->status == 200) {
		take_answer(endpoint, answer->body);
		return;
	}
	snprintf(error, sizeof(error), "HTTP status %d", answer->status);
	if (answer->status == 0)
		fail(endpoint, answer->error, 0);
	else if (answer->status == 429 || (answer->status == 503 && answer->retry_after_ms >= 0))
		refused_by_host(endpoint, answer, error);
	else
		fail(endpoint, error, 0);
}

static void ask(struct endpoint *endpoint)
{
	struct http_request request = {
	        .method = "GET",
	        .url = endpoint->config->url,
	        .ca_file = endpoint->config->ca_file,
	        .timeout_ms = endpoint->poller->answer_ms,
	        .max_answer = ANSWER_MAX,
	};

	endpoint->call = http_send(endpoint->poller->http, &request, answered, endpoint);
}

static void pump(void *arg)
{
	struct poller *poller = arg;
	struct mono now = loop_now(poller->loop), next;
	struct endpoint *endpoint;

	poller->pumps_on = false;
	measure_waiting(poller);
	while ((endpoint = schedule_take(poller->schedule, now)) != NULL)
		ask(endpoint);
	if (schedule_next(poller->schedule, &next))
		loop_timer_set(poller->timer, next.ms > now.ms ? next.ms - now.ms : 0);
	else
		loop_timer_cancel(poller->timer);
}

static void pump_soon(struct poller *poller)
{
	if (!poller->pumps_on) {
		poller->pumps_on = true;
		loop_defer(poller->loop, pump, poller);
	}
}

/* --- life -------------------------------------------------------------------------------------
 */

struct poller *poller_new(const struct poller_parts *parts)
{
	struct poller *poller = xcalloc(1, sizeof(*poller));

	poller->loop = parts->loop;
	poller->http = http_new(parts->loop);
	poller->pool = parts->pool;
	poller->store = parts->store;
	poller->config = parts->config;
	poller->answer_ms = parts->answer_ms > 0 ? parts->answer_ms : ANSWER_MS;
	poller->on_measurements = parts->on_measurements;
	poller->arg = parts->arg;
	poller->schedule = schedule_new(AT_ONCE, AT_ONCE_PER_HOST);
	poller->timer = loop_timer_new(parts->loop, pump, poller);
	poller->count = parts->config->endpoint_count;
	poller->endpoints = xcalloc(poller->count + 1, sizeof(*poller->endpoints));
	TAILQ_INIT(&poller->queue);
	STAILQ_INIT(&poller->findings);
	return poller;
}

void poller_start(struct poller *poller)
{
	struct mono now = loop_now(poller->loop);

	for (size_t i = 0; i < poller->count; i++) {
		struct endpoint *endpoint = &poller->endpoints[i];
		const struct config_endpoint *config = &poller->config->endpoints[i];
		int64_t spread =
		        config->every_ms < SPREAD_START_MS ? config->every_ms : SPREAD_START_MS;
		char *host = endpoint_host(config->url);

		endpoint->poller = poller;
		endpoint->config = config;
		endpoint->fd = -1;
		endpoint->new_since = now;
		endpoint->item = schedule_add(
		        poller->schedule, host,
		        (struct mono){now.ms + random_below((uint32_t)spread)}, endpoint);
		free(host);
	}
	pump_soon(poller);
}

void poller_free(struct poller *poller)
{
	if (poller == NULL)
		return;
	for (size_t i = 0; i < poller->count; i++) {
		struct endpoint *endpoint = &poller->endpoints[i];

		if (endpoint->poller == NULL)
			continue;
		http_cancel(endpoint->call);
		measurer_cancel(endpoint->job);
		if (endpoint->fd >= 0)
			close(endpoint->fd);
		free(endpoint->error);
		free(endpoint->reason);
	}
	loop_undefer(poller->loop, flush, poller);
	loop_undefer(poller->loop, pump, poller);
	loop_timer_free(poller->timer);
	http_free(poller->http);
	schedule_free(poller->schedule);
	arena_free(&poller->findings_arena);
	free(poller->endpoints);
	free(poller);
}

/* --- status -----------------------------------------------------------------------------------
 */

static const char *state_name(enum state state)
{
	switch (state) {
	case STATE_UNASKED:
		return "unasked";
	case STATE_ANSWERING:
		return "answering";
	case STATE_FAILING:
		return "failing";
	case STATE_REFUSED:
		return "refused";
	}
	return "?";
}

static struct jval *show(const struct endpoint *endpoint)
{
	struct jval *row = jval_object();
	char text[WALL_TEXT_SIZE];

	jval_add_string(row, "url", endpoint->config->url);
	jval_add_string(row, "target", endpoint->config->target->name);
	jval_add_string(row, "state", state_name(endpoint->state));
	jval_add_string(row, "error", endpoint->error);
	jval_add_int(row, "failures", endpoint->failures);
	jval_add_string(row, "last_answer",
	                endpoint->last_answer.ms != 0 ? wall_text(text, endpoint->last_answer)
	                                              : NULL);
	return row;
}

struct jval *poller_status(const struct poller *poller)
{
	static const enum state states[] = {STATE_ANSWERING, STATE_FAILING, STATE_REFUSED,
	                                    STATE_UNASKED};
	struct jval *status = jval_object(), *trouble = jval_array();
	int64_t counts[STATE_REFUSED + 1] = {0};

	for (size_t i = 0; i < poller->count; i++) {
		const struct endpoint *endpoint = &poller->endpoints[i];

		counts[endpoint->state]++;
		if (endpoint->error != NULL && jval_count(trouble) < SHOWN_IN_STATUS)
			jval_push(trouble, show(endpoint));
	}
	jval_add_int(status, "count", (int64_t)poller->count);
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		jval_add_int(status, state_name(states[i]), counts[states[i]]);
	jval_add_int(status, "hosts", (int64_t)schedule_hosts(poller->schedule));
	jval_add_int(status, "in_work", (int64_t)schedule_active(poller->schedule));
	jval_add_int(status, "questions", (int64_t)http_requests_made(poller->http));
	jval_add_int(status, "unchanged", poller->unchanged);
	jval_add_int(status, "measured", poller->measured);
	jval_add(status, "trouble", trouble);
	return status;
}
