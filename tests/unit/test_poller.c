/* From answers over HTTP to measurements in the store: a real server on the loop, real sandboxed
 * measurers, a real database. Everything waits by running the loop. */
#include "daemon/watch/poller.h"

#include "common/store/store_event.h"
#include "common/store/store_measurement.h"
#include "daemon/io/role.h"
#include "tests/unit/fixture.h"
#include "tests/unit/httpd.h"
#include "tests/unit/patience.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ASKED_MAX = 4096 };

#define INFO "tests/fixtures/info/info_full.json"
#define INFO_APP "2911e1f733466216dedb862d6d669e11256ee7a3"
#define INFO_COMPOSE "0x2911e1f733466216dedb862d6d669e11256ee7a34ce4dbc66c4b807ba7a9c895"

struct world {
	char folder[SCRATCH_PATH];
	struct loop *loop;
	struct patience *patience;
	struct store *store;
	struct config *config;
	struct measurer_pool *pool;
	struct httpd *httpd;
	struct poller *poller;
	struct arena arena;
	int woken;
	/* What the server does, and when it was asked. */
	struct httpd_reply reply;
	struct bytes body;
	unsigned asked;
	int64_t asked_at[ASKED_MAX];
};

static void pass_begins(void *arg)
{
	store_set_now(arg, clock_wall());
}

static void woken(void *arg)
{
	struct world *world = arg;

	world->woken++;
}

static void serve(const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	struct world *world = arg;

	assert_string_equal(request->method, "GET");
	if (world->asked < ASKED_MAX)
		world->asked_at[world->asked] = clock_mono().ms;
	world->asked++;
	reply->status = world->reply.status;
	reply->hang = world->reply.hang;
	reply->drop = world->reply.drop;
	memcpy(reply->headers, world->reply.headers, sizeof(reply->headers));
	buf_append_bytes(&reply->body, world->body);
}

/* --- life ------------------------------------------------------------------------------------- */

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct error error;

	scratch_make(world->folder, "poller");
	world->loop = loop_new();
	world->patience = patience_new(world->loop);
	world->httpd = httpd_new(world->loop, serve, world);
	world->reply.status = 200;
	world->body = fixture_bytes(&world->arena, INFO);
	if (store_open(&world->store, arena_printf(&world->arena, "%s/db", world->folder),
	               &error) != 0 ||
	    measurer_pool_start(&world->pool, world->loop, 1, &error) != 0)
		fail_msg("%s", error.text);
	loop_on_pass(world->loop, pass_begins, world->store);
	store_set_now(world->store, clock_wall());
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	poller_free(world->poller);
	measurer_pool_free(world->pool);
	httpd_free(world->httpd);
	store_close(world->store);
	config_free(world->config);
	patience_free(world->patience);
	loop_free(world->loop);
	scratch_remove(world->folder);
	arena_free(&world->arena);
	free(world);
	return 0;
}

/* So many endpoints of the server, asked every 100 ms. */
static void start(struct world *world, unsigned count, const char *app, int64_t answer_ms)
{
	struct buf text = {0};
	struct error error;

	buf_printf(&text,
	           "chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
	           "targets:\n"
	           "  payments: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
	           "    app: '0x%s', model: safe+timelock,\n"
	           "    safe: '0x3333333333333333333333333333333333333333',\n"
	           "    timelock: '0x4444444444444444444444444444444444444444'}\n"
	           "endpoints:\n",
	           app);
	for (unsigned i = 0; i < count; i++)
		buf_printf(&text,
		           "  - {url: '%s/%u/prpc/Info?json', target: payments, every: 100ms}\n",
		           httpd_url(world->httpd), i);
	if (config_parse(&world->config, "test", buf_bytes(&text), &error) != 0)
		fail_msg("%s", error.text);
	buf_free(&text);
	store_begin(world->store);
	const struct config_target *target = &world->config->targets[0];
	store_target_put(world->store, target->name, 1, &target->kms, &target->app);
	store_commit(world->store);
	world->poller = poller_new(&(struct poller_parts){.loop = world->loop,
	                                                  .pool = world->pool,
	                                                  .store = world->store,
	                                                  .config = world->config,
	                                                  .answer_ms = answer_ms,
	                                                  .on_measurements = woken,
	                                                  .arg = world});
	poller_start(world->poller);
}

static int64_t count_of(struct world *world, const char *key)
{
	struct jval *status = poller_status(world->poller);
	int64_t n;

	assert_int_equal(jval_get_int(status, key, &n), 0);
	jval_free(status);
	return n;
}

/* The error of the first endpoint in trouble; "" for none. */
static const char *trouble(struct world *world)
{
	struct jval *status = poller_status(world->poller);
	const char *error = jval_get_string(jval_at(jval_get(status, "trouble"), 0), "error");
	const char *out = arena_strdup(&world->arena, error != NULL ? error : "");

	jval_free(status);
	return out;
}

static int find(struct world *world, struct measurement *m)
{
	struct hash32 value;

	assert_int_equal(hash32_parse(&value, INFO_COMPOSE, NULL), 0);
	return store_measurement_find(world->store, &world->arena, "payments", KIND_COMPOSE, &value,
	                              m);
}

static size_t alarms(struct world *world)
{
	struct event_list events;
	size_t count = 0;

	store_event_list(world->store, &world->arena, 0, 10000, &events);
	for (size_t i = 0; i < events.count; i++)
		count += strcmp(events.items[i].type, "alarm") == 0;
	return count;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void what_it_shows_is_held(void **state)
{
	struct world *world = *state;
	struct measurement m;

	start(world, 1, INFO_APP, 0);
	UNTIL(world, find(world, &m) == 0);
	assert_int_equal(m.status, MEASUREMENT_HELD);
	assert_int_equal(m.level, LEVEL_CLAIMED);
	UNTIL(world, count_of(world, "answering") == 1);
	assert_true(world->woken >= 1);
	assert_string_equal(trouble(world), "");
	assert_int_equal(alarms(world), 0);
}

static void the_same_bytes_are_measured_once(void **state)
{
	struct world *world = *state;

	start(world, 1, INFO_APP, 0);
	UNTIL(world, count_of(world, "unchanged") >= 5);
	assert_int_equal(count_of(world, "measured"), 1);
	assert_int_equal(world->woken, 1);
	/* About every 100 ms, never earlier than a tenth before. */
	for (unsigned i = 2; i < 5; i++)
		assert_true(world->asked_at[i] - world->asked_at[i - 1] >= 85);
}

static void another_app_is_an_alarm(void **state)
{
	struct world *world = *state;
	struct measurement m;

	start(world, 1, "2222222222222222222222222222222222222222", 0);
	UNTIL(world, count_of(world, "refused") == 1);
	assert_non_null(strstr(trouble(world), "app_id is 0x" INFO_APP));
	assert_int_equal(alarms(world), 1);
	assert_int_equal(find(world, &m), ERR_NOT_FOUND);
	UNTIL(world, count_of(world, "unchanged") >= 2);
	assert_int_equal(alarms(world), 1);
	assert_int_equal(count_of(world, "refused"), 1);
}

static void a_contradiction_is_an_alarm(void **state)
{
	struct world *world = *state;
	struct measurement m;

	world->body = fixture_bytes(&world->arena,
	                            "tests/fixtures/info/info_tampered_compose_event.json");
	start(world, 1, INFO_APP, 0);
	UNTIL(world, count_of(world, "refused") == 1);
	assert_int_equal(alarms(world), 1);
	assert_int_equal(find(world, &m), ERR_NOT_FOUND);
	/* When it is repaired, it is good again. */
	world->body = fixture_bytes(&world->arena, INFO);
	UNTIL(world, count_of(world, "answering") == 1);
	assert_int_equal(find(world, &m), 0);
}

static void what_a_machine_says_that_starts_is_nothing(void **state)
{
	struct world *world = *state;

	world->body = fixture_bytes(&world->arena, "tests/fixtures/info/info_all_default.json");
	start(world, 1, INFO_APP, 0);
	UNTIL(world, count_of(world, "failing") == 1);
	UNTIL(world, count_of(world, "unchanged") >= 2);
	assert_int_equal(count_of(world, "failing"), 1);
	assert_int_equal(count_of(world, "measured"), 1);
	assert_int_equal(alarms(world), 0);
	world->body = fixture_bytes(&world->arena, INFO);
	UNTIL(world, count_of(world, "answering") == 1);
}

static void an_error_is_waited_out(void **state)
{
	struct world *world = *state;

	world->reply.status = 400;
	world->body = fixture_bytes(&world->arena, "tests/fixtures/info/error_400.json");
	start(world, 1, INFO_APP, 0);
	UNTIL(world, world->asked >= 4);
	UNTIL(world, count_of(world, "in_work") == 0);
	assert_int_equal(count_of(world, "failing"), 1);
	assert_string_equal(trouble(world), "HTTP status 400");
	assert_int_equal(count_of(world, "measured"), 0);
	/* Each time twice as long: 200, 400, 800 ms, give or take a tenth. */
	for (unsigned i = 1, pause = 200; i < 4; i++, pause *= 2)
		assert_true(world->asked_at[i] - world->asked_at[i - 1] >= pause - pause / 10 - 5);
	world->reply.status = 200;
	world->body = fixture_bytes(&world->arena, INFO);
	UNTIL(world, count_of(world, "answering") == 1);
	assert_string_equal(trouble(world), "");
}

static void other_statuses_are_failures(void **state)
{
	static const int statuses[] = {204, 301, 302, 404, 500, 503};
	struct world *world = *state;

	start(world, 1, INFO_APP, 0);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		char expected[32];
		world->reply.status = statuses[i];
		snprintf(expected, sizeof(expected), "HTTP status %d", statuses[i]);
		UNTIL(world, strcmp(trouble(world), expected) == 0);
		world->reply.status = 200;
		UNTIL(world, count_of(world, "answering") == 1);
	}
	assert_int_equal(alarms(world), 0);
}

static void too_large_and_too_slow_are_failures(void **state)
{
	struct world *world = *state;
	struct bytes info = world->body;
	struct buf large = {0};

	buf_append_zeros(&large, 1024 * 1024 + 1);
	world->body = buf_bytes(&large);
	start(world, 1, INFO_APP, 150);
	UNTIL(world, strstr(trouble(world), "larger than 1048576 bytes") != NULL);
	world->body = info;
	world->reply.hang = true;
	UNTIL(world, strcasestr(trouble(world), "timed out") != NULL ||
	                     strcasestr(trouble(world), "timeout") != NULL);
	world->reply.hang = false;
	world->reply.drop = true;
	UNTIL(world, strcasestr(trouble(world), "empty reply") != NULL);
	assert_int_equal(count_of(world, "measured"), 0);
	world->reply.drop = false;
	UNTIL(world, count_of(world, "answering") == 1);
	buf_free(&large);
}

static void a_host_that_wants_rest_gets_it(void **state)
{
	struct world *world = *state;

	world->reply.status = 429;
	snprintf(world->reply.headers, sizeof(world->reply.headers), "Retry-After: 1\r\n");
	start(world, 20, INFO_APP, 0);
	UNTIL(world, world->asked >= 1);
	int64_t first = world->asked_at[0];
	world->reply.status = 200;
	UNTIL(world, count_of(world, "answering") == 20);
	/* Those that were under way when it said so may have come; nobody else within the second.
	 */
	for (unsigned i = 4; i < world->asked; i++)
		assert_true(world->asked_at[i] - first >= 1000 - 5);
	assert_int_equal(count_of(world, "hosts"), 1);
}

static void one_host_is_not_flooded(void **state)
{
	struct world *world = *state;

	world->reply.hang = true;
	start(world, 50, INFO_APP, 400);
	UNTIL(world, world->asked == 4);
	UNTIL(world, count_of(world, "failing") > 0);
	assert_true(count_of(world, "in_work") <= 4);
	assert_true(httpd_connections(world->httpd) <= world->asked);
	/* And ends with all of it under way. */
}

static void many_are_asked_in_turn(void **state)
{
	struct world *world = *state;

	start(world, 200, INFO_APP, 0);
	UNTIL(world, count_of(world, "answering") == 200);
	assert_int_equal(count_of(world, "measured"), 200);
	struct measurement m;
	struct evidence_list evidence;
	assert_int_equal(find(world, &m), 0);
	store_evidence_list(world->store, &world->arena, m.id, &evidence);
	assert_int_equal(evidence.count, 200);
}

static void what_is_revoked_while_it_is_shown_is_an_alarm(void **state)
{
	struct world *world = *state;
	struct measurement m;

	start(world, 1, INFO_APP, 0);
	UNTIL(world, count_of(world, "unchanged") >= 1);
	assert_int_equal(find(world, &m), 0);
	store_begin(world->store);
	store_measurement_set_status(world->store, m.id, MEASUREMENT_REVOKED, "removed on chain");
	store_commit(world->store);
	UNTIL(world, alarms(world) == 1);
	int64_t unchanged = count_of(world, "unchanged");
	UNTIL(world, count_of(world, "unchanged") >= unchanged + 3);
	assert_int_equal(alarms(world), 1);
	assert_int_equal(count_of(world, "measured"), 2);
}

static void garbage_harms_nobody(void **state)
{
	struct world *world = *state;
	static const char *const texts[] = {"",
	                                    "{",
	                                    "null",
	                                    "[]",
	                                    "{\"tcb_info\":1,\"app_id\":2}",
	                                    "<html>",
	                                    ".eif",
	                                    "{\"app_id\":\"\",\"tcb_info\":\"{\"}"};

	start(world, 1, INFO_APP, 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int64_t before = count_of(world, "measured");
		world->body = bytes_text(texts[i]);
		UNTIL(world, count_of(world, "measured") > before);
		UNTIL(world, count_of(world, "in_work") == 0);
		assert_int_equal(count_of(world, "answering"), 0);
	}
	world->body = fixture_bytes(&world->arena, INFO);
	UNTIL(world, count_of(world, "answering") == 1);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        WITH_WORLD(what_it_shows_is_held),
	        WITH_WORLD(the_same_bytes_are_measured_once),
	        WITH_WORLD(another_app_is_an_alarm),
	        WITH_WORLD(a_contradiction_is_an_alarm),
	        WITH_WORLD(what_a_machine_says_that_starts_is_nothing),
	        WITH_WORLD(an_error_is_waited_out),
	        WITH_WORLD(other_statuses_are_failures),
	        WITH_WORLD(too_large_and_too_slow_are_failures),
	        WITH_WORLD(a_host_that_wants_rest_gets_it),
	        WITH_WORLD(one_host_is_not_flooded),
	        WITH_WORLD(many_are_asked_in_turn),
	        WITH_WORLD(what_is_revoked_while_it_is_shown_is_an_alarm),
	        WITH_WORLD(garbage_harms_nobody),
	};

	/* This program is also the measurer that the pool starts. */
	if (argc > 1 && strcmp(argv[1], "--role=measurer") == 0)
		return measurer_role_main(ROLE_SOCKET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
