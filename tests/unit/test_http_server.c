/* The server against clients that are slow, silent, greedy or gone. */
#include "daemon/io/http_server.h"

#include "tests/unit/browser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	struct http_server *server;
	struct http_exchange *waiting; /* one that is answered later */
	uint64_t received;
	unsigned begun, ended, gone;
};

static void answer(struct http_exchange *exchange, int status, const char *text)
{
	http_exchange_answer(exchange, &(struct http_reply){.status = status,
	                                                    .type = "text/plain",
	                                                    .body = bytes_text(text)});
}

static void on_begin(struct http_exchange *exchange, const struct http_head *head, void *arg)
{
	struct world *world = arg;

	world->begun++;
	http_exchange_set_own(exchange, world);
	if (strcmp(head->path, "/refused") == 0)
		answer(exchange, 401, "no");
	if (strcmp(head->path, "/later") == 0)
		world->waiting = exchange;
}

static void on_body(struct http_exchange *exchange, struct bytes part, void *own)
{
	struct world *world = own;

	assert_true(part.len > 0);
	world->received += part.len;
	if (memchr(part.data, '!', part.len) != NULL)
		answer(exchange, 507, "enough");
}

static void on_end(struct http_exchange *exchange, void *own)
{
	struct world *world = own;

	world->ended++;
	if (exchange != world->waiting)
		answer(exchange, 200, "fine");
}

static void on_gone(void *own)
{
	struct world *world = own;

	world->gone++;
}

static const struct http_handler handler = {on_begin, on_body, on_end, on_gone};

static void start(struct world *world, struct http_server_parts parts)
{
	struct error error = {0};

	parts.loop = world->loop;
	parts.listen = "127.0.0.1:0";
	parts.handler = &handler;
	parts.arg = world;
	http_server_free(world->server);
	if (http_server_new(&world->server, &parts, &error) != 0)
		fail_msg("%s", error.text);
}

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	start(world, (struct http_server_parts){0});
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	http_server_free(world->server);
	loop_free(world->loop);
	free(world);
	return 0;
}

static void visit(struct world *world, struct browser *browser)
{
	browser_open(browser, world->loop, http_server_at(world->server));
}

static void test_answers(void **state)
{
	struct world *world = *state;
	struct browser browser;

	visit(world, &browser);
	browser_say(&browser, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&browser, false), 200);
	assert_string_equal(buf_text(&browser.body), "fine");
	assert_string_equal(browser_field(&browser, "Content-Type"), "text/plain");
	assert_non_null(strstr(browser_field(&browser, "Date"), " GMT"));
	browser_say(&browser, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&browser, true), 200);
	assert_string_equal(browser_field(&browser, "Content-Length"), "4");
	/* Byte by byte. */
	const char *text = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
	for (const char *p = text; *p != '\0'; p++) {
		browser_send(&browser, bytes_of(p, 1));
		browser_wait(&browser);
	}
	assert_int_equal(browser_answer(&browser, false), 200);
	assert_int_equal(world->received, 3);
	assert_int_equal(world->gone, 0);
	browser_close(&browser);
}

static void test_later(void **state)
{
	struct world *world = *state;
	struct browser browser;

	visit(world, &browser);
	/* What follows waits for its turn. */
	browser_say(&browser,
	            "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
	struct browser other;
	visit(world, &other);
	browser_say(&other, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&other, false), 200);
	browser_close(&other);
	assert_int_equal(world->begun, 2);
	answer(world->waiting, 202, "late");
	world->waiting = NULL;
	assert_int_equal(browser_answer(&browser, false), 202);
	assert_int_equal(browser_answer(&browser, false), 200);
	browser_close(&browser);
}

/* Refused with gigabytes announced: the answer arrives although nobody reads them. */
static void test_early(void **state)
{
	static const char *const paths[] = {"/refused", "/"};
	struct world *world = *state;
	struct browser browser;
	uint8_t *junk = xmalloc(1 << 20);

	memset(junk, '!', 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		visit(world, &browser);
		browser_say(&browser,
		            "PUT %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000000\r\n\r\n",
		            paths[i]);
		browser_send(&browser, bytes_of(junk, 1 << 20));
		assert_int_equal(browser_answer(&browser, false), i == 0 ? 401 : 507);
		assert_string_equal(browser_field(&browser, "Connection"), "close");
		browser_until_closed(&browser);
		browser_close(&browser);
	}
	assert_true(world->received <= 64 * 1024);
	assert_int_equal(world->gone, 0);
	/* With Expect nothing is sent at all. */
	visit(world, &browser);
	browser_say(&browser, "PUT /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: "
	                      "100-continue\r\n\r\n");
	assert_int_equal(browser_answer(&browser, false), 401);
	browser_close(&browser);
	visit(world, &browser);
	browser_say(
	        &browser,
	        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	browser_say(&browser, "hello");
	assert_int_equal(browser_answer(&browser, false), 200);
	assert_true(browser.continued);
	browser_close(&browser);
	free(junk);
}

static void test_not_http(void **state)
{
	struct world *world = *state;
	struct browser browser;
	struct buf large = {0};

	visit(world, &browser);
	browser_say(&browser, "\x16\x03\x01 hello\r\n\r\n");
	assert_int_equal(browser_answer(&browser, false), 400);
	browser_until_closed(&browser);
	browser_close(&browser);
	visit(world, &browser);
	browser_say(&browser,
	            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	assert_int_equal(browser_answer(&browser, false), 411);
	browser_close(&browser);
	/* A head without an end, and one that is too large. */
	buf_append_text(&large, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
	while (large.len < 3 * HTTP_HEAD_MAX)
		buf_append_byte(&large, 'a');
	visit(world, &browser);
	browser_send(&browser, buf_bytes(&large));
	assert_int_equal(browser_answer(&browser, false), 431);
	browser_close(&browser);
	large.len = HTTP_HEAD_MAX - 3;
	buf_append_text(&large, "\r\n\r\n");
	visit(world, &browser);
	browser_send(&browser, buf_bytes(&large));
	assert_int_equal(browser_answer(&browser, false), 431);
	browser_close(&browser);
	assert_int_equal(world->begun, 0);
	buf_free(&large);
}

static void test_slow_heads(void **state)
{
	struct world *world = *state;
	struct browser silent, slow;

	start(world, (struct http_server_parts){.head_ms = 50, .idle_ms = 50});
	visit(world, &silent);
	visit(world, &slow);
	browser_say(&slow, "GET / HTTP/1.1\r\nHo");
	assert_int_equal(browser_answer(&slow, false), 408);
	browser_until_closed(&silent);
	assert_int_equal(silent.in.len, 0);
	browser_close(&slow);
	browser_close(&silent);
	/* Between requests as well. */
	visit(world, &slow);
	browser_say(&slow, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&slow, false), 200);
	browser_until_closed(&slow);
	browser_close(&slow);
}

static bool is_gone(void *arg)
{
	const struct world *world = arg;

	return world->gone > 0;
}

/* A body that trickles, and one whose sender is gone. */
static void test_broken_bodies(void **state)
{
	struct world *world = *state;
	struct browser browser, other;

	start(world, (struct http_server_parts){.stall_ms = 60});
	visit(world, &browser);
	browser_say(&browser, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
	browser_until_closed(&browser);
	assert_int_equal(world->gone, 1);
	assert_int_equal(world->received, 3);
	browser_close(&browser);

	start(world, (struct http_server_parts){0});
	world->gone = 0;
	visit(world, &browser);
	visit(world, &other);
	browser_say(&browser, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
	browser_say(&other, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&other, false), 200);
	browser_close(&browser);
	browser_until(&other, is_gone, world);
	browser_close(&other);
	assert_int_equal(world->gone, 1);
	assert_int_equal(world->ended, 1);
}

/* All places taken by clients that say nothing: whoever comes next is heard. A client in the middle
 * of its body keeps its place. */
static void test_full_house(void **state)
{
	struct world *world = *state;
	struct browser busy, silent[8], next;

	start(world, (struct http_server_parts){.connections = 4});
	visit(world, &busy);
	browser_say(&busy, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		visit(world, &silent[i]);
	visit(world, &next);
	browser_say(&next, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&next, false), 200);
	browser_until_closed(&silent[0]);
	browser_say(&busy, "def");
	assert_int_equal(browser_answer(&busy, false), 200);
	assert_int_equal(world->gone, 0);
	browser_close(&busy);
	browser_close(&next);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		browser_close(&silent[i]);
}

/* Ends with everything under way. */
static void test_the_end(void **state)
{
	struct world *world = *state;
	struct browser body, later;

	visit(world, &body);
	visit(world, &later);
	browser_say(&later, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	browser_say(&body, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
	struct browser other;
	visit(world, &other);
	browser_say(&other, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&other, false), 200);
	http_server_free(world->server);
	world->server = NULL;
	assert_int_equal(world->gone, 2);
	browser_until_closed(&body);
	browser_until_closed(&later);
	browser_close(&body);
	browser_close(&later);
	browser_close(&other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_answers),    TEST(test_later),      TEST(test_early),
	        TEST(test_not_http),   TEST(test_slow_heads), TEST(test_broken_bodies),
	        TEST(test_full_house), TEST(test_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
