#include "daemon/chain/rpc.h"

#include "common/base/log.h"
#include "common/base/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REQUEST_TIMEOUT_MS = 20000,
	MAX_ANSWER = 32 * 1024 * 1024,
	FIRST_BACKOFF_MS = 1000,
	LONGEST_BACKOFF_MS = 60 * 1000,
	LONGEST_BACKOFF_POLLS = 5,
	/* Whoever is slow costs each question some seconds before another one is asked. */
	SHORTEST_PUT_OFF_MS = 10 * 1000,
	LONGEST_RETRY_AFTER_MS = 10 * 60 * 1000,
	COMPLAIN_EVERY_MS = 60 * 1000,
	/* Failures in a row after which it is said in the log and the chain id is asked again. */
	DOUBTFUL_AFTER = 3,
};

enum identity { IDENTITY_UNKNOWN, IDENTITY_RIGHT, IDENTITY_WRONG };

struct endpoint {
	const char *url;
	char name[HTTP_URL_LOG_SIZE];
	enum identity identity;
	uint64_t foreign_chain; /* the wrong chain it was last found on; 0: none */
	unsigned failures;      /* in a row */
	char trouble[256];      /* the last one's text */
	struct mono not_before;
	struct mono put_off_until; /* second choice until then */
	char put_off_why[64];
	struct http_call *probe; /* eth_chainId under way */
	uint64_t probe_id;
	struct rpc *rpc;
};

enum call_state { CALL_WAITING, CALL_SENT, CALL_DOOMED };

struct rpc_call {
	struct rpc *rpc;
	struct rpc_call *prev, *next;
	enum call_state state;
	size_t endpoint;
	uint64_t id;
	const char *method;
	struct buf body;
	struct http_call *http;
	void (*done)(const struct rpc_answer *answer, void *arg);
	void *arg;
};

struct rpc {
	struct loop *loop;
	struct http *http;
	const struct config_chain *config;
	struct endpoint *endpoints;
	size_t count;
	struct rpc_call *calls;
	struct loop_timer *doomed_timer;
	uint64_t last_id, requests_made;
	bool complained;
	struct mono complained_at;
	char *held;
};

/* --- health ------------------------------------------------------------------------------------
 */

size_t rpc_count(const struct rpc *rpc)
{
	return rpc->count;
}

const char *rpc_name(const struct rpc *rpc, size_t endpoint)
{
	return rpc->endpoints[endpoint].name;
}

bool rpc_usable(const struct rpc *rpc, size_t endpoint)
{
	const struct endpoint *e = &rpc->endpoints[endpoint];

	/* One on another chain is asked who it is again after its wait, and used only then. */
	return loop_now(rpc->loop).ms >= e->not_before.ms;
}

void rpc_explain(const struct rpc *rpc, struct buf *out)
{
	for (size_t i = 0; i < rpc->count; i++) {
		const struct endpoint *e = &rpc->endpoints[i];
		int64_t wait = e->not_before.ms - loop_now(rpc->loop).ms;
		if (e->identity == IDENTITY_WRONG)
			buf_printf(out, "%s%s is on another chain", out->len > 0 ? "; " : "",
			           e->name);
		else if (wait > 0)
			buf_printf(out, "%sno request for %" PRId64 " s after: %s",
			           out->len > 0 ? "; " : "", (wait + 999) / 1000, e->trouble);
	}
}

bool rpc_second_choice(const struct rpc *rpc, size_t endpoint)
{
	return loop_now(rpc->loop).ms < rpc->endpoints[endpoint].put_off_until.ms;
}

const char *rpc_trouble(const struct rpc *rpc, size_t endpoint)
{
	const struct endpoint *e = &rpc->endpoints[endpoint];

	/* Also while it is asked again: it was when it last said. */
	if (e->identity == IDENTITY_WRONG || e->foreign_chain != 0)
		return "it is on another chain";
	if (e->failures > 0 || !rpc_usable(rpc, endpoint))
		return e->trouble;
	return rpc_second_choice(rpc, endpoint) ? e->put_off_why : NULL;
}

void rpc_complain(struct rpc *rpc, const char *text)
{
	struct mono now = loop_now(rpc->loop);

	if (rpc->complained && now.ms - rpc->complained_at.ms < COMPLAIN_EVERY_MS)
		return;
	rpc->complained = true;
	rpc->complained_at = now;
	log_unusual(rpc->config->name, "%s", text);
}

/* A chain that is looked at often is also tried again soon. */
static int64_t longest_backoff_ms(const struct rpc *rpc)
{
	int64_t wait = LONGEST_BACKOFF_POLLS * rpc->config->poll_ms;

	if (wait < FIRST_BACKOFF_MS)
		return FIRST_BACKOFF_MS;
	return wait < LONGEST_BACKOFF_MS ? wait : LONGEST_BACKOFF_MS;
}

/* One lost answer costs nothing; from the second in a row on, the wait doubles. */
static int64_t backoff_ms(const struct rpc *rpc, unsigned failures)
{
	int64_t wait = FIRST_BACKOFF_MS, longest = longest_backoff_ms(rpc);

	if (failures < 2)
		return 0;
	for (unsigned i = 2; i < failures && wait < longest; i++)
		wait *= 2;
	if (wait > longest)
		wait = longest;
	return wait / 2 + random_below((uint32_t)(wait / 2));
}

void rpc_put_off(struct rpc *rpc, size_t endpoint, const char *why)
{
	struct endpoint *e = &rpc->endpoints[endpoint];

	if (e->put_off_until.ms == 0)
		log_info(rpc->config->name, "RPC endpoint %s %s: asked after the others", e->name,
		         why);
	snprintf(e->put_off_why, sizeof(e->put_off_why), "it %s", why);
	int64_t wait = longest_backoff_ms(rpc);
	e->put_off_until.ms =
	        loop_now(rpc->loop).ms + (wait > SHORTEST_PUT_OFF_MS ? wait : SHORTEST_PUT_OFF_MS);
}

static void note_failure(struct endpoint *e, int64_t retry_after_ms, const char *why)
{
	int64_t wait = backoff_ms(e->rpc, ++e->failures);

	if (retry_after_ms > LONGEST_RETRY_AFTER_MS)
		retry_after_ms = LONGEST_RETRY_AFTER_MS;
	if (retry_after_ms > wait)
		wait = retry_after_ms;
	e->not_before.ms = loop_now(e->rpc->loop).ms + wait;
	snprintf(e->trouble, sizeof(e->trouble), "%.250s", why);
	if (e->failures == DOUBTFUL_AFTER)
		log_unusual(e->rpc->config->name, "RPC endpoint fails: %s", why);
	if (e->failures >= DOUBTFUL_AFTER && e->identity == IDENTITY_RIGHT)
		e->identity = IDENTITY_UNKNOWN; /* who comes back may be another */
}

static void note_success(struct endpoint *e)
{
	if (e->failures >= DOUBTFUL_AFTER)
		log_info(e->rpc->config->name, "RPC endpoint %s answers again", e->name);
	e->failures = 0;
	e->not_before.ms = 0;
}

/* --- what an answer means ----------------------------------------------------------------------
 */

static bool says_any(const char *message, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasestr(message, words[i]) != NULL)
			return true;
	return false;
}

static bool is_rate_limit(const struct jsonrpc_answer *json, const char *method)
{
	static const char *const words[] = {
	        "rate limit",   "too many requests", "request count", "quota",
	        "credits",      "throttl",           "no backend",    "compute units",
	        "rate-limited", "requests per",      "over capacity",
	};

	if (json->reverted)
		return false;
	if (json->code == -32016 || json->code == -32029 || json->code == -32097 ||
	    json->code == 429)
		return true;
	if (says_any(json->message, words, ARRAY_LEN(words)))
		return true;
	/* "limit exceeded"; for eth_getLogs the same code also means too many results. */
	return json->code == -32005 && strcmp(method, "eth_getLogs") != 0;
}

static bool is_behind(const struct jsonrpc_answer *json)
{
	static const char *const words[] = {
	        "unknown block",     "header not found",
	        "block not found",   "BlockOutOfRange",
	        "header for hash",   "could not find block",
	        "block is not avai", "cannot find the block",
	        "block height is",   "after last accepted block",
	};

	return !json->reverted && (json->code == -32001 || json->code == -39001 ||
	                           says_any(json->message, words, ARRAY_LEN(words)));
}

static enum rpc_outcome outcome_of(const struct jsonrpc_answer *json, const char *method)
{
	if (json->result != NULL)
		return RPC_RESULT;
	if (is_rate_limit(json, method))
		return RPC_UNAVAILABLE;
	return is_behind(json) ? RPC_BEHIND : RPC_ERROR;
}

/* What arrived for one request, taken apart; document and arena own what json borrows. */
struct reading {
	struct jval *document;
	struct arena arena;
	struct rpc_answer answer;
	char text[sizeof(((struct error *)0)->text)];
};

static void read_http_failure(struct reading *reading, const char *name,
                              const struct http_answer *http, const char *why)
{
	reading->answer.outcome = RPC_UNAVAILABLE;
	if (http->too_large || http->status == 413) {
		reading->answer.outcome = RPC_ERROR;
		reading->answer.json.code = RPC_CODE_TOO_LARGE;
		reading->answer.json.message = "too large";
	}
	if (http->status == 0)
		snprintf(reading->text, sizeof(reading->text), "%s", http->error);
	else if (http->status == 200)
		snprintf(reading->text, sizeof(reading->text), "%s: %.300s", name, why);
	else
		snprintf(reading->text, sizeof(reading->text), "%s: HTTP status %d", name,
		         http->status);
}

static void read_answer(struct reading *reading, struct endpoint *e, const char *method,
                        uint64_t id, const struct http_answer *http)
{
	struct error error = {0};
	struct rpc_answer *answer = &reading->answer;

	*reading = (struct reading){.answer = {.endpoint = (size_t)(e - e->rpc->endpoints)}};
	answer->json.message = "";
	answer->text = reading->text;
	/* Several providers put their JSON-RPC error under a 4xx status. */
	bool readable = http->status == 200 || http->status == 400 || http->status == 404;
	if (!readable || jsonrpc_parse(&reading->document, &answer->json, &reading->arena,
	                               http->body, id, &error) != 0)
		read_http_failure(reading, e->name, http, error.text);
	else
		answer->outcome = outcome_of(&answer->json, method);
	if (reading->document != NULL && answer->outcome != RPC_RESULT)
		snprintf(reading->text, sizeof(reading->text), "%s: %s: %.300s (code %" PRId64 ")",
		         e->name, method, answer->json.message, answer->json.code);
	if (answer->outcome == RPC_UNAVAILABLE)
		note_failure(e, http->retry_after_ms, reading->text);
	else
		note_success(e);
}

static void reading_free(struct reading *reading)
{
	jval_free(reading->document);
	arena_free(&reading->arena);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static void call_free(struct rpc_call *call)
{
	if (call->prev != NULL)
		call->prev->next = call->next;
	else
		call->rpc->calls = call->next;
	if (call->next != NULL)
		call->next->prev = call->prev;
	buf_free(&call->body);
	free(call);
}

static void answered(const struct http_answer *http, void *arg)
{
	struct rpc_call *call = arg;
	struct endpoint *e = &call->rpc->endpoints[call->endpoint];
	struct reading reading;
	void (*done)(const struct rpc_answer *answer, void *arg) = call->done;
	void *done_arg = call->arg;

	call->http = NULL;
	read_answer(&reading, e, call->method, call->id, http);
	call_free(call);
	done(&reading.answer, done_arg);
	reading_free(&reading);
}

static struct http_call *send_body(struct endpoint *e, const struct buf *body,
                                   void (*done)(const struct http_answer *http, void *arg),
                                   void *arg)
{
	const struct http_request request = {
	        .method = "POST",
	        .url = e->url,
	        .body = buf_bytes(body),
	        .timeout_ms = REQUEST_TIMEOUT_MS,
	        .max_answer = MAX_ANSWER,
	};

	e->rpc->requests_made++;
	return http_send(e->rpc->http, &request, done, arg);
}

static void send_call(struct rpc_call *call)
{
	call->state = CALL_SENT;
	call->http = send_body(&call->rpc->endpoints[call->endpoint], &call->body, answered, call);
}

static void doom_waiting(struct rpc *rpc, size_t endpoint)
{
	for (struct rpc_call *call = rpc->calls; call != NULL; call = call->next)
		if (call->endpoint == endpoint && call->state == CALL_WAITING)
			call->state = CALL_DOOMED;
	loop_timer_set(rpc->doomed_timer, 0);
}

static struct rpc_call *find_doomed(struct rpc *rpc)
{
	struct rpc_call *call = rpc->calls;

	while (call != NULL && call->state != CALL_DOOMED)
		call = call->next;
	return call;
}

/* Looks from the start each time: a callback may cancel or start others. */
static void tell_doomed(void *arg)
{
	struct rpc *rpc = arg;
	struct rpc_call *call;

	while ((call = find_doomed(rpc)) != NULL) {
		const struct endpoint *e = &rpc->endpoints[call->endpoint];
		char text[sizeof(e->trouble) + 32];
		struct rpc_answer answer = {
		        .outcome = RPC_UNAVAILABLE, .endpoint = call->endpoint, .text = text};
		void (*done)(const struct rpc_answer *answer, void *arg) = call->done;
		void *done_arg = call->arg;
		if (e->identity == IDENTITY_WRONG)
			snprintf(text, sizeof(text), "%s is on another chain", e->name);
		else
			snprintf(text, sizeof(text), "%s", e->trouble);
		call_free(call);
		done(&answer, done_arg);
	}
}

/* --- which chain is it? ------------------------------------------------------------------------
 */

static void judge_identity(struct endpoint *e, const struct rpc_answer *answer)
{
	uint64_t chain_id, wanted = e->rpc->config->chain_id;
	struct error error;

	if (answer->outcome == RPC_UNAVAILABLE)
		return;
	if (jsonrpc_u64(&chain_id, answer->json.result, &error) != 0) {
		log_unusual(e->rpc->config->name, "RPC endpoint %s does not tell its chain id: %s",
		            e->name, answer->outcome == RPC_RESULT ? error.text : answer->text);
		snprintf(e->trouble, sizeof(e->trouble), "%s does not tell its chain id", e->name);
		e->not_before.ms = loop_now(e->rpc->loop).ms + longest_backoff_ms(e->rpc);
		return;
	}
	e->identity = chain_id == wanted ? IDENTITY_RIGHT : IDENTITY_WRONG;
	if (chain_id == wanted) {
		e->foreign_chain = 0;
		return;
	}
	e->not_before.ms = loop_now(e->rpc->loop).ms + longest_backoff_ms(e->rpc);
	if (chain_id != e->foreign_chain)
		log_unusual(e->rpc->config->name,
		            "RPC endpoint %s is on chain %" PRIu64 ", not on %" PRIu64
		            ": it is not used",
		            e->name, chain_id, wanted);
	e->foreign_chain = chain_id;
}

static void identity_answered(const struct http_answer *http, void *arg)
{
	struct endpoint *e = arg;
	struct rpc *rpc = e->rpc;
	size_t index = (size_t)(e - rpc->endpoints);
	struct reading reading;

	e->probe = NULL;
	read_answer(&reading, e, "eth_chainId", e->probe_id, http);
	judge_identity(e, &reading.answer);
	reading_free(&reading);
	if (e->identity != IDENTITY_RIGHT) {
		doom_waiting(rpc, index);
		return;
	}
	for (struct rpc_call *call = rpc->calls; call != NULL; call = call->next)
		if (call->endpoint == index && call->state == CALL_WAITING)
			send_call(call);
}

static void ask_identity(struct endpoint *e)
{
	struct buf body = {0};

	e->probe_id = ++e->rpc->last_id;
	jsonrpc_request(&body, e->probe_id, (struct jsonrpc_call){.method = "eth_chainId"});
	e->probe = send_body(e, &body, identity_answered, e);
	buf_free(&body);
}

/* --- the rest of the interface -----------------------------------------------------------------
 */

void rpc_hold(struct rpc *rpc, const char *why)
{
	char *copy = why != NULL ? xstrdup(why) : NULL;

	free(rpc->held);
	rpc->held = copy;
}

const char *rpc_held(const struct rpc *rpc)
{
	return rpc->held;
}

void rpc_doubt(struct rpc *rpc, size_t endpoint)
{
	rpc->endpoints[endpoint].identity = IDENTITY_UNKNOWN;
}

struct rpc_call *rpc_ask(struct rpc *rpc, size_t endpoint, struct jsonrpc_call what,
                         void (*done)(const struct rpc_answer *answer, void *arg), void *arg)
{
	struct rpc_call *call = xcalloc(1, sizeof(*call));
	struct endpoint *e = &rpc->endpoints[endpoint];

	call->rpc = rpc;
	call->endpoint = endpoint;
	call->id = ++rpc->last_id;
	call->method = what.method;
	call->done = done;
	call->arg = arg;
	call->next = rpc->calls;
	if (call->next != NULL)
		call->next->prev = call;
	rpc->calls = call;
	jsonrpc_request(&call->body, call->id, what);
	if (e->identity == IDENTITY_WRONG && rpc_usable(rpc, endpoint))
		e->identity = IDENTITY_UNKNOWN;
	switch (e->identity) {
	case IDENTITY_RIGHT:
		send_call(call);
		break;
	case IDENTITY_UNKNOWN:
		if (e->probe == NULL)
			ask_identity(e);
		break;
	case IDENTITY_WRONG:
		doom_waiting(rpc, endpoint);
		break;
	}
	return call;
}

void rpc_cancel(struct rpc_call *call)
{
	if (call == NULL)
		return;
	http_cancel(call->http);
	call_free(call);
}

struct rpc *rpc_new(struct loop *loop, struct http *http, const struct config_chain *config)
{
	struct rpc *rpc = xcalloc(1, sizeof(*rpc));

	rpc->loop = loop;
	rpc->http = http;
	rpc->config = config;
	rpc->count = config->rpc.count;
	rpc->endpoints = xcalloc(rpc->count, sizeof(*rpc->endpoints));
	for (size_t i = 0; i < rpc->count; i++) {
		rpc->endpoints[i].rpc = rpc;
		rpc->endpoints[i].url = config->rpc.items[i];
		http_url_for_log(rpc->endpoints[i].name, config->rpc.items[i]);
	}
	rpc->doomed_timer = loop_timer_new(loop, tell_doomed, rpc);
	return rpc;
}

void rpc_free(struct rpc *rpc)
{
	if (rpc == NULL)
		return;
	while (rpc->calls != NULL)
		rpc_cancel(rpc->calls);
	for (size_t i = 0; i < rpc->count; i++)
		http_cancel(rpc->endpoints[i].probe);
	loop_timer_free(rpc->doomed_timer);
	free(rpc->endpoints);
	free(rpc->held);
	free(rpc);
}

uint64_t rpc_requests_made(const struct rpc *rpc)
{
	return rpc->requests_made;
}
