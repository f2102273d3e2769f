/* Builds over real sockets into a real folder: who may, what is refused, what broken connections,
 * restarts and ends at the worst moment leave behind. */
#include "daemon/api/drop.h"

#include "common/base/jval.h"
#include "common/store/store_build.h"
#include "common/store/store_measurement.h"
#include "daemon/api/spool.h"
#include "tests/unit/browser.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdef-payments"
#define LAB_TOKEN "0123456789abcdef-lab"
enum { BIG = 900 * 1024 };

struct world {
	char root[SCRATCH_PATH];
	struct loop *loop;
	struct store *store;
	struct config *config;
	struct drop *drop;
	struct arena arena;
	struct browser browser;
	bool browsing;
	uint8_t *big;
};

static char *in(struct world *world, const char *fmt, ...)PRINTF(2, 3);
static char *in(struct world *world, const char *fmt, ...)
{
	char tail[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(tail, sizeof(tail), fmt, args);
	va_end(args);
	return arena_printf(&world->arena, "%s/%s", world->root, tail);
}

static void write_file(const char *path, struct bytes text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
	fclose(file);
}

/* --- life ----------------------------------------------------------------------------------- */

static void configure(struct world *world, const char *http)
{
	struct error error = {0};
	char *text = xasprintf(
	        "state_dir: %s/state\nhttp: {listen: 127.0.0.1:0, %s}\n"
	        "chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
	        "targets:\n"
	        "  payments: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
	        "    safe: '0x3333333333333333333333333333333333333333', token_file: %s/token,\n"
	        "    timelock: '0x4444444444444444444444444444444444444444'}\n"
	        "  lab: {chain: c, kms: '0x5111111111111111111111111111111111111111',\n"
	        "    safe: '0x3333333333333333333333333333333333333333', token_file: "
	        "%s/lab-token,\n"
	        "    timelock: '0x4444444444444444444444444444444444444444'}\n"
	        "  closed: {chain: c, kms: '0x6111111111111111111111111111111111111111',\n"
	        "    safe: '0x3333333333333333333333333333333333333333',\n"
	        "    timelock: '0x4444444444444444444444444444444444444444'}\n",
	        world->root, http, world->root, world->root);

	config_free(world->config);
	if (config_parse(&world->config, "test", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	free(text);
}

static void start(struct world *world)
{
	struct error error = {0};
	struct drop_parts parts = {world->loop, world->store, world->config};

	if (drop_new(&world->drop, &parts, &error) != 0 || drop_listen(world->drop, &error) != 0)
		fail_msg("%s", error.text);
}

static void hang_up(struct world *world)
{
	if (world->browsing)
		browser_close(&world->browser);
	world->browsing = false;
}

static void restart(struct world *world)
{
	hang_up(world);
	drop_free(world->drop);
	start(world);
}

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct error error = {0};

	umask(0027);
	snprintf(world->root, sizeof(world->root), "/tmp/rg-drop-XXXXXX");
	assert_non_null(mkdtemp(world->root));
	assert_int_equal(mkdir(in(world, "state"), 0750), 0);
	write_file(in(world, "token"), bytes_text(TOKEN "\n"));
	write_file(in(world, "lab-token"), bytes_text(LAB_TOKEN));
	world->loop = loop_new();
	if (store_open(&world->store, in(world, "state/db"), &error) != 0)
		fail_msg("%s", error.text);
	store_set_now(world->store, clock_wall());
	world->big = xmalloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		world->big[i] = (uint8_t)(i * 31 + i / 251);
	configure(world, "max_file_mib: 1, quota_mib: 2");
	start(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	hang_up(world);
	drop_free(world->drop);
	store_close(world->store);
	loop_free(world->loop);
	config_free(world->config);
	scratch_remove(world->root);
	arena_free(&world->arena);
	free(world->big);
	free(world);
	return 0;
}

/* --- asking --------------------------------------------------------------------------------- */

static struct browser *call(struct world *world)
{
	hang_up(world);
	browser_open(&world->browser, world->loop, drop_at(world->drop));
	world->browsing = true;
	return &world->browser;
}

/* One request over a connection of its own; target and token are payments'. path: behind the
 * target. */
static int ask(struct world *world, const char *method, const char *path, const char *fields,
               struct bytes body)
{
	struct browser *browser = call(world);

	browser_say(browser,
	            "%s /v1/builds/payments/%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	            "\r\nContent-Length: %zu\r\n%s\r\n",
	            method, path, body.len, fields);
	browser_send(browser, body);
	return browser_answer(browser, strcmp(method, "HEAD") == 0);
}

static const struct bytes nothing;

static int put(struct world *world, const char *path, const char *text)
{
	return ask(world, "PUT", path, "", bytes_text(text));
}

/* The bytes [from, to) of the big file. */
static int put_range(struct world *world, const char *path, size_t from, size_t to)
{
	char range[100];

	snprintf(range, sizeof(range), "Content-Range: bytes %zu-%zu/%d\r\n", from, to - 1, BIG);
	return ask(world, "PUT", path, range, bytes_of(world->big + from, to - from));
}

static bool says(struct world *world, const char *text)
{
	return strstr(buf_text(&world->browser.body), text) != NULL;
}

static bool there(struct world *world, const char *path)
{
	struct stat st;

	return lstat(in(world, "state/drop/%s", path), &st) == 0;
}

static void assert_holds(struct world *world, const char *path, struct bytes expected)
{
	struct buf found = {0};
	FILE *file = fopen(in(world, "state/drop/%s", path), "r");
	char chunk[16384];
	size_t got;

	assert_non_null(file);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_append(&found, chunk, got);
	fclose(file);
	assert_true(bytes_equal(buf_bytes(&found), expected));
	buf_free(&found);
}

struct waiting {
	struct world *world;
	const char *path;
	off_t size;
};
static bool is_as_large(void *arg)
{
	const struct waiting *waiting = arg;
	struct stat st;

	return lstat(in(waiting->world, "state/drop/%s", waiting->path), &st) == 0 &&
	       st.st_size >= waiting->size;
}

/* Begins to send the big file and breaks the connection when so much of it is on disk. */
static void break_off(struct world *world, const char *path, size_t sent)
{
	struct browser *browser = call(world);
	char *part = xasprintf("payments/open/%s.part", path);
	struct waiting waiting = {world, part, (off_t)sent};

	browser_say(browser,
	            "PUT /v1/builds/payments/%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	            "\r\nContent-Length: %d\r\n\r\n",
	            path, BIG);
	browser_send(browser, bytes_of(world->big, sent));
	browser_until(browser, is_as_large, &waiting);
	hang_up(world);
	free(part);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void test_a_build(void **state)
{
	struct world *world = *state;
	struct stat st;

	assert_int_equal(put(world, "v1/enclave.eif", "image"), 201);
	assert_true(says(world, "\"complete\":true"));
	assert_int_equal(put(world, "v1/shared/app-compose.json", "{}"), 201);
	assert_int_equal(put(world, "v1/empty", ""), 201);
	assert_false(there(world, "payments/builds/v1"));
	assert_int_equal(ask(world, "GET", "v1", "", nothing), 200);
	assert_true(says(world, "\"state\":\"open\",\"size\":7,\"files\":[{\"path\":\"empty\""));
	assert_int_equal(ask(world, "HEAD", "v1/enclave.eif", "", nothing), 200);
	assert_string_equal(browser_field(&world->browser, "Upload-Offset"), "5");
	assert_string_equal(browser_field(&world->browser, "Upload-Complete"), "?1");
	/* A file may be sent anew while the build is open. */
	assert_int_equal(put(world, "v1/enclave.eif", "better image"), 201);

	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 200);
	assert_true(says(world, "\"state\":\"complete\""));
	assert_false(there(world, "payments/open/v1"));
	assert_holds(world, "payments/builds/v1/enclave.eif", bytes_text("better image"));
	assert_holds(world, "payments/builds/v1/shared/app-compose.json", bytes_text("{}"));
	assert_int_equal(stat(in(world, "state/drop/payments/builds/v1/enclave.eif"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(stat(in(world, "state/drop/payments/builds/v1"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);

	/* Asked twice is fine; anything that would change it is not. */
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 200);
	assert_int_equal(put(world, "v1/more", "x"), 409);
	assert_int_equal(put(world, "v1/enclave.eif", "x"), 409);
	assert_int_equal(ask(world, "DELETE", "v1", "", nothing), 409);
	assert_holds(world, "payments/builds/v1/enclave.eif", bytes_text("better image"));
	assert_int_equal(ask(world, "GET", "v1", "", nothing), 200);
	assert_int_equal(ask(world, "GET", "v2", "", nothing), 404);
	assert_int_equal(ask(world, "POST", "v2/complete", "", nothing), 404);
	assert_int_equal(ask(world, "DELETE", "v2", "", nothing), 404);
	assert_int_equal(ask(world, "HEAD", "v2/x", "", nothing), 404);
}

static int ask_as(struct world *world, const char *target, const char *authorization)
{
	struct browser *browser = call(world);

	browser_say(browser,
	            "PUT /v1/builds/%s/v1/a HTTP/1.1\r\nHost: h\r\n%sContent-Length: 3\r\n\r\nabc",
	            target, authorization);
	return browser_answer(browser, false);
}

static void test_who_may(void **state)
{
	struct world *world = *state;

	assert_int_equal(ask_as(world, "payments", ""), 401);
	assert_string_equal(browser_field(&world->browser, "WWW-Authenticate"), "Bearer");
	char *answer = arena_strdup(&world->arena, buf_text(&world->browser.body));
	assert_int_equal(ask_as(world, "payments", "Authorization: Bearer wrong\r\n"), 401);
	assert_int_equal(ask_as(world, "payments", "Authorization: Bearer " TOKEN "x\r\n"), 401);
	assert_int_equal(ask_as(world, "payments", "Authorization: Bearer " LAB_TOKEN "\r\n"), 401);
	assert_int_equal(ask_as(world, "payments", "Authorization: Basic " TOKEN "\r\n"), 401);
	assert_int_equal(ask_as(world, "payments", "Authorization: Bearer \r\n"), 401);
	assert_int_equal(ask_as(world, "closed", "Authorization: Bearer " TOKEN "\r\n"), 401);
	assert_int_equal(ask_as(world, "closed", "Authorization: Bearer \r\n"), 401);
	/* A target that is not there looks like one that is. */
	assert_int_equal(ask_as(world, "nobody", "Authorization: Bearer " TOKEN "\r\n"), 401);
	assert_string_equal(answer, buf_text(&world->browser.body));
	assert_false(there(world, "payments/open/v1"));
	assert_false(there(world, "closed"));
	assert_int_equal(ask_as(world, "lab", "Authorization: Bearer " LAB_TOKEN "\r\n"), 201);
	assert_true(there(world, "lab/open/v1/a"));
}

static void test_names(void **state)
{
	static const char *const bad[] = {
	        "../v1/a",
	        "v1/../a",
	        "v1/..",
	        "./a",
	        "v1/./a",
	        "v1//a",
	        "v1/a/",
	        ".v1/a",
	        "v1/.hidden",
	        "v1/a%2fb",
	        "v1/%2e%2e/a",
	        "v1/a\\b",
	        "v1/a:b",
	        "v1/a+b",
	        "v1/a.part",
	        "v1/a.tmp",
	        "v1.part/a",
	        "v1/a~",
	        "v1/1/2/3/4/5/6/7/8/9",
	};
	struct world *world = *state;
	char longer[200];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (put(world, bad[i], "x") != 400)
			fail_msg("%s: %d", bad[i], world->browser.status);
	snprintf(longer, sizeof(longer), "v1/%0129d", 1);
	assert_int_equal(put(world, longer, "x"), 400);
	assert_int_equal(put(world, "v1/../../../../etc/passwd", "x"), 400);
	assert_int_equal(put(world, "v1/a?b=c", "x"), 404);
	assert_false(there(world, "payments/open/v1"));
	/* A file where a folder is, a folder where a file is. */
	assert_int_equal(put(world, "v1/a/b", "x"), 201);
	assert_int_equal(put(world, "v1/a", "x"), 409);
	assert_int_equal(put(world, "v1/a/b/c", "x"), 409);
	/* Other methods, other paths. */
	assert_int_equal(ask(world, "PATCH", "v1/a", "", nothing), 405);
	assert_int_equal(ask(world, "PUT", "v1", "", nothing), 405);
	assert_int_equal(ask(world, "POST", "v1/other", "", nothing), 405);
	assert_int_equal(ask(world, "POST", "v1/complete", "", bytes_text("x")), 400);
	browser_say(call(world), "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(browser_answer(&world->browser, false), 404);
}

static void test_resume(void **state)
{
	struct world *world = *state;
	char offset[32];

	break_off(world, "v1/enclave.eif", 300000);
	assert_int_equal(ask(world, "HEAD", "v1/enclave.eif", "", nothing), 200);
	assert_string_equal(browser_field(&world->browser, "Upload-Complete"), "?0");
	snprintf(offset, sizeof(offset), "%s", browser_field(&world->browser, "Upload-Offset"));
	size_t at = strtoul(offset, NULL, 10);
	assert_true(at == 300000);
	/* Not complete yet, and not to be had at the wrong place. */
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 409);
	assert_true(says(world, "enclave.eif is incomplete"));
	assert_int_equal(put_range(world, "v1/enclave.eif", at + 1, BIG), 409);
	assert_string_equal(browser_field(&world->browser, "Upload-Offset"), offset);
	assert_int_equal(put_range(world, "v1/enclave.eif", at - 1, BIG), 409);
	/* The daemon may have been restarted meanwhile. */
	restart(world);
	assert_int_equal(put_range(world, "v1/enclave.eif", at, at + 1000), 202);
	assert_int_equal(put_range(world, "v1/enclave.eif", at + 1000, BIG), 201);
	assert_int_equal(put_range(world, "v1/enclave.eif", 10, BIG), 409);
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 200);
	assert_holds(world, "payments/builds/v1/enclave.eif", bytes_of(world->big, BIG));
	/* Or from the start. */
	break_off(world, "v2/enclave.eif", 1000);
	assert_int_equal(ask(world, "PUT", "v2/enclave.eif", "", bytes_of(world->big, BIG)), 201);
	assert_holds(world, "payments/open/v2/enclave.eif", bytes_of(world->big, BIG));
	assert_false(there(world, "payments/open/v2/enclave.eif.part"));
}

static void test_ranges(void **state)
{
	static const char *const bad[] = {"bytes 0-2/2",  "bytes 0-1/3",
	                                  "bytes 1-0/3",  "bytes 0-2/*",
	                                  "bytes */3",    "items 0-2/3",
	                                  "bytes 0-2/3x", "bytes -2/3",
	                                  "bytes 0-2",    "bytes 00000000000000000000-2/3"};
	struct world *world = *state;
	char field[100];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(field, sizeof(field), "Content-Range: %s\r\n", bad[i]);
		if (ask(world, "PUT", "v1/a", field, bytes_text("abc")) != 400)
			fail_msg("%s: %d", bad[i], world->browser.status);
	}
	assert_int_equal(
	        ask(world, "PUT", "v1/a", "Content-Range: bytes 0-2/3\r\n", bytes_text("abc")),
	        201);
	browser_say(
	        call(world),
	        "PUT /v1/builds/payments/v1/b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	        "\r\n\r\n");
	assert_int_equal(browser_answer(&world->browser, false), 411);
}

static void test_limits(void **state)
{
	struct world *world = *state;
	struct browser *browser;

	/* Refused before any of it is sent. */
	browser = call(world);
	browser_say(
	        browser,
	        "PUT /v1/builds/payments/v1/a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	        "\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(browser_answer(browser, false), 413);
	assert_string_equal(browser_field(browser, "Connection"), "close");
	browser_until_closed(browser);
	assert_int_equal(ask(world, "PUT", "v1/a", "Content-Range: bytes 0-2/1048577\r\n",
	                     bytes_text("abc")),
	                 413);

	/* 2 MiB for all of a target. */
	assert_int_equal(ask(world, "PUT", "v1/a", "", bytes_of(world->big, BIG)), 201);
	assert_int_equal(ask(world, "PUT", "v2/a", "", bytes_of(world->big, BIG)), 201);
	assert_int_equal(ask(world, "PUT", "v3/a", "", bytes_of(world->big, BIG)), 507);
	assert_true(says(world, "http.quota_mib"));
	assert_false(there(world, "payments/open/v3"));
	restart(world);
	assert_int_equal(ask(world, "PUT", "v3/a", "", bytes_of(world->big, BIG)), 507);
	/* Room made by giving up a build, and by hand. */
	assert_int_equal(ask(world, "DELETE", "v1", "", nothing), 204);
	assert_false(there(world, "payments/open/v1"));
	assert_int_equal(ask(world, "PUT", "v3/a", "", bytes_of(world->big, BIG)), 201);
	assert_int_equal(ask(world, "POST", "v3/complete", "", nothing), 200);
	assert_int_equal(ask(world, "PUT", "v4/a", "", bytes_of(world->big, BIG)), 507);
	assert_int_equal(remove(in(world, "state/drop/payments/builds/v3/a")), 0);
	assert_int_equal(ask(world, "PUT", "v4/a", "", bytes_of(world->big, BIG)), 201);
}

/* What is announced counts before it is there. */
static void test_reserved(void **state)
{
	struct world *world = *state;
	struct browser first;

	browser_open(&first, world->loop, drop_at(world->drop));
	struct waiting waiting = {world, "payments/open/v1/a.part", 10};
	browser_say(
	        &first,
	        "PUT /v1/builds/payments/v1/a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	        "\r\nContent-Length: 1048576\r\n\r\n0123456789");
	browser_until(&first, is_as_large, &waiting);
	assert_int_equal(ask(world, "PUT", "v2/a", "", bytes_of(world->big, BIG)), 201);
	assert_int_equal(ask(world, "PUT", "v2/b", "", bytes_of(world->big, BIG / 4)), 507);
	/* Other files of the same build while one is under way. */
	assert_int_equal(put(world, "v1/b", "x"), 201);
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 409);
	browser_close(&first);
	assert_int_equal(ask(world, "DELETE", "v1", "", nothing), 204);
	assert_int_equal(ask(world, "PUT", "v2/b", "", bytes_of(world->big, BIG / 4)), 201);
}

static void test_files_and_builds_are_counted(void **state)
{
	struct world *world = *state;
	char path[64];

	for (int i = 0; i < SPOOL_OPEN_MAX; i++) {
		snprintf(path, sizeof(path), "v%d/a", i);
		assert_int_equal(put(world, path, "x"), 201);
	}
	assert_int_equal(put(world, "more/a", "x"), 507);
	assert_int_equal(put(world, "v3/b", "x"), 201);
	assert_int_equal(ask(world, "POST", "v3/complete", "", nothing), 200);
	assert_int_equal(put(world, "more/a", "x"), 201);
}

/* The same file over two connections: the later one wins, wherever the first one was. */
static void test_concurrent(void **state)
{
	struct world *world = *state;
	struct browser first;
	struct waiting waiting = {world, "payments/open/v1/a.part", 1000};

	browser_open(&first, world->loop, drop_at(world->drop));
	browser_say(
	        &first,
	        "PUT /v1/builds/payments/v1/a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	        "\r\nContent-Length: %d\r\n\r\n",
	        BIG);
	browser_send(&first, bytes_of(world->big, 1000));
	browser_until(&first, is_as_large, &waiting);
	/* It looks alive here and is dead there. */
	assert_int_equal(put_range(world, "v1/a", 1000, BIG), 201);
	assert_int_equal(browser_answer(&first, false), 409);
	browser_until_closed(&first);
	browser_close(&first);
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 200);
	assert_holds(world, "payments/builds/v1/a", bytes_of(world->big, BIG));

	/* Two builds at the same time do not touch each other. */
	browser_open(&first, world->loop, drop_at(world->drop));
	browser_say(
	        &first,
	        "PUT /v1/builds/payments/v2/a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	        "\r\nContent-Length: 2000\r\n\r\n");
	browser_send(&first, bytes_of(world->big, 1000));
	assert_int_equal(put(world, "v3/a", "x"), 201);
	browser_send(&first, bytes_of(world->big + 1000, 1000));
	assert_int_equal(browser_answer(&first, false), 201);
	browser_close(&first);
	assert_holds(world, "payments/open/v2/a", bytes_of(world->big, 2000));

	/* Giving a build up ends what is under way. */
	browser_open(&first, world->loop, drop_at(world->drop));
	waiting.path = "payments/open/v2/b.part";
	browser_say(
	        &first,
	        "PUT /v1/builds/payments/v2/b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " TOKEN
	        "\r\nContent-Length: 2000\r\n\r\n");
	browser_send(&first, bytes_of(world->big, 1000));
	browser_until(&first, is_as_large, &waiting);
	assert_int_equal(ask(world, "DELETE", "v2", "", nothing), 204);
	assert_int_equal(browser_answer(&first, false), 409);
	browser_close(&first);
	assert_false(there(world, "payments/open/v2"));
}

/* Several requests over one connection, sent without waiting. */
static void test_one_connection(void **state)
{
	static const char head[] = "Host: h\r\nAuthorization: Bearer " TOKEN "\r\n";
	struct world *world = *state;
	struct browser *browser = call(world);

	browser_say(browser,
	            "PUT /v1/builds/payments/v1/a HTTP/1.1\r\n%sContent-Length: 3\r\n\r\nabc"
	            "PUT /v1/builds/payments/v1/b HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n"
	            "HEAD /v1/builds/payments/v1/a HTTP/1.1\r\n%s\r\n"
	            "POST /v1/builds/payments/v1/complete HTTP/1.1\r\n%s\r\n"
	            "GET /v1/builds/payments/v1 HTTP/1.1\r\n%sConnection: close\r\n\r\n",
	            head, head, head, head, head);
	assert_int_equal(browser_answer(browser, false), 201);
	assert_int_equal(browser_answer(browser, false), 201);
	assert_int_equal(browser_answer(browser, true), 200);
	assert_int_equal(browser_answer(browser, false), 200);
	assert_int_equal(browser_answer(browser, false), 200);
	assert_true(says(world, "\"state\":\"complete\""));
	browser_until_closed(browser);
	assert_int_equal(browser->in.len, 0);
}

/* The process may end between any two steps; what is then on disk is understood. */
static void test_ends_between_steps(void **state)
{
	struct world *world = *state;

	/* All bytes there, not renamed: goes on with nothing left. */
	assert_int_equal(put(world, "v1/other", "x"), 201);
	write_file(in(world, "state/drop/payments/open/v1/a.part"), bytes_of(world->big, BIG));
	restart(world);
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 409);
	assert_int_equal(ask(world, "HEAD", "v1/a", "", nothing), 200);
	assert_string_equal(browser_field(&world->browser, "Upload-Complete"), "?0");
	assert_int_equal(ask(world, "PUT", "v1/a", "", bytes_of(world->big, BIG)), 201);
	/* Before the build's rename: still open; after it: complete, and completing it again says
	 * so. */
	restart(world);
	assert_int_equal(ask(world, "GET", "v1", "", nothing), 200);
	assert_true(says(world, "\"state\":\"open\""));
	assert_int_equal(rename(in(world, "state/drop/payments/open/v1"),
	                        in(world, "state/drop/payments/builds/v1")),
	                 0);
	restart(world);
	assert_int_equal(ask(world, "POST", "v1/complete", "", nothing), 200);
	assert_true(says(world, "\"state\":\"complete\""));
	/* While a build was being removed. */
	assert_int_equal(mkdir(in(world, "state/drop/payments/removed/x"), 0750), 0);
	write_file(in(world, "state/drop/payments/removed/x/a"), bytes_text("x"));
	restart(world);
	assert_false(there(world, "payments/removed/x"));
	assert_true(there(world, "payments/removed"));
}

static bool is_gone(void *arg)
{
	const struct waiting *waiting = arg;

	return !there(waiting->world, waiting->path);
}

static void test_unfinished_are_removed(void **state)
{
	struct world *world = *state;
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct waiting waiting = {world, "payments/open/old", 0};

	assert_int_equal(put(world, "old/a", "x"), 201);
	assert_int_equal(put(world, "young/a", "x"), 201);
	assert_int_equal(put(world, "done/a", "x"), 201);
	assert_int_equal(ask(world, "POST", "done/complete", "", nothing), 200);
	static const char *const paths[] = {"open/old/a", "open/old", "builds/done/a",
	                                    "builds/done", "open/young"};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_int_equal(
		        utimensat(AT_FDCWD, in(world, "state/drop/payments/%s", paths[i]), old, 0),
		        0);
	restart(world); /* looks at once */
	call(world);
	browser_until(&world->browser, is_gone, &waiting);
	assert_true(there(world, "payments/open/young/a"));
	assert_true(there(world, "payments/builds/done/a"));
}

static void record(struct world *world, const char *folder, const char *file)
{
	store_artifact_put(
	        world->store,
	        &(struct artifact){.target = "payments",
	                           .path = arena_printf(&world->arena, "%s/%s", folder, file),
	                           .folder = folder,
	                           .measured = {.level = LEVEL_CLAIMED}});
}

/* Completed in 1970, with two files. */
static char *put_old(struct world *world, const char *name)
{
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	static const char *const files[] = {"/a.eif", "/notes", ""};
	char *folder = in(world, "state/drop/payments/builds/%s", name);
	char path[80];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", name, i < 2 ? files[i] : "/complete");
		if (i < 2)
			assert_int_equal(put(world, path, "x"), 201);
		else
			assert_int_equal(ask(world, "POST", path, "", nothing), 200);
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_int_equal(utimensat(AT_FDCWD,
		                           arena_printf(&world->arena, "%s%s", folder, files[i]),
		                           old, 0),
		                 0);
	return folder;
}

/* A complete build goes when it is old, all of it is recorded, and nothing waits for a verdict. */
static void test_recorded_are_removed(void **state)
{
	struct world *world = *state;
	static const char *const builds[] = {"recorded", "half", "unjudged"};
	struct waiting waiting = {world, "payments/builds/recorded", 0};
	struct address kms = {{1}};

	char *folders[] = {put_old(world, builds[0]), put_old(world, builds[1]),
	                   put_old(world, builds[2])};
	store_begin(world->store);
	store_target_put(world->store, "payments", 1, &kms, NULL);
	for (size_t i = 0; i < ARRAY_LEN(builds); i++) {
		record(world, folders[i], "a.eif");
		if (i != 1)
			record(world, folders[i], "notes");
		if (i != 2)
			store_folder_judged(world->store, "payments", folders[i]);
	}
	store_commit(world->store);
	restart(world);
	call(world);
	browser_until(&world->browser, is_gone, &waiting);
	assert_true(there(world, "payments/builds/half/a.eif"));
	assert_true(there(world, "payments/builds/unjudged/a.eif"));
	assert_int_equal(put(world, "recorded/a.eif", "y"), 201); /* the name is free again */
}

static void test_bad_files(void **state)
{
	static const char *const bad[] = {"", "\n", "short", "0123456789abcdef 0123456789",
	                                  "0123456789abcdef\nmore"};
	struct world *world = *state;
	struct drop *drop;
	struct drop_parts parts = {world->loop, world->store, world->config};
	struct error error = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		write_file(in(world, "token"), bytes_text(bad[i]));
		assert_int_equal(drop_new(&drop, &parts, &error), ERR_INVALID);
		assert_null(drop);
		assert_non_null(strstr(error.text, "targets.payments: token_file "));
		assert_null(strstr(error.text, "0123456789abcdef"));
	}
	assert_int_equal(remove(in(world, "token")), 0);
	assert_int_equal(drop_new(&drop, &parts, &error), ERR_IO);
	write_file(in(world, "token"), bytes_text(TOKEN));

	/* Certificates that are none, and an address that is taken. */
	configure(world,
	          arena_printf(&world->arena, "tls_cert_file: %s/token, tls_key_file: %s/token",
	                       world->root, world->root));
	parts.config = world->config;
	assert_int_equal(drop_new(&drop, &parts, &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "tls_cert_file"));
	char at[NETADDR_TEXT_SIZE];
	configure(world, "max_file_mib: 1");
	parts.config = world->config;
	world->config->http.listen =
	        arena_strdup(&world->arena, netaddr_text(at, drop_at(world->drop)));
	assert_int_equal(drop_new(&drop, &parts, &error), 0);
	assert_int_equal(drop_listen(drop, &error), ERR_IO);
	assert_non_null(strstr(error.text, "http.listen 127.0.0.1:"));
	drop_free(drop);
}

static void note_watch(const struct config_watch *watch, void *arg)
{
	buf_printf(arg, "%s %s\n", watch->target->name, strstr(watch->path, "/state/"));
}

static void test_watches(void **state)
{
	struct world *world = *state;
	struct buf seen = {0};

	drop_each_watch(world->config, note_watch, &seen);
	assert_string_equal(buf_text(&seen), "payments /state/drop/payments/builds\n"
	                                     "lab /state/drop/lab/builds\n");
	buf_free(&seen);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_a_build),
	        TEST(test_who_may),
	        TEST(test_names),
	        TEST(test_resume),
	        TEST(test_ranges),
	        TEST(test_limits),
	        TEST(test_reserved),
	        TEST(test_files_and_builds_are_counted),
	        TEST(test_concurrent),
	        TEST(test_one_connection),
	        TEST(test_ends_between_steps),
	        TEST(test_unfinished_are_removed),
	        TEST(test_recorded_are_removed),
	        TEST(test_bad_files),
	        TEST(test_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
