#include "daemon/io/http.h"
#include "tests/unit/httpd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	struct http *http;
	struct httpd *httpd;
	char script[64]; /* what the next answer shall be */
	char seen_method[16], seen_body[256], seen_headers[1024];
	unsigned served, connection;
	/* the answer of the last call */
	int done, status;
	char body[256], error[512];
	int64_t retry_after_ms, date_seconds;
	bool in_send;
};

static void serve(const struct httpd_request *request, struct httpd_reply *reply, void *arg)
{
	struct world *world = arg;

	world->served++;
	world->connection = request->connection;
	snprintf(world->seen_method, sizeof(world->seen_method), "%s", request->method);
	snprintf(world->seen_headers, sizeof(world->seen_headers), "%s", request->headers);
	snprintf(world->seen_body, sizeof(world->seen_body), "%.*s", (int)request->body.len,
	         (const char *)request->body.data);
	if (strcmp(world->script, "hang") == 0) {
		reply->hang = true;
	} else if (strcmp(world->script, "drop") == 0) {
		reply->drop = true;
	} else if (strcmp(world->script, "large") == 0) {
		buf_append_zeros(&reply->body, 100001);
	} else if (strcmp(world->script, "redirect") == 0) {
		reply->status = 302;
		snprintf(reply->headers, sizeof(reply->headers), "Location: %s/elsewhere\r\n",
		         httpd_url(world->httpd));
	} else if (strncmp(world->script, "429 ", 4) == 0) {
		reply->status = 429;
		snprintf(reply->headers, sizeof(reply->headers),
		         "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: %s\r\n",
		         world->script + 4);
	} else {
		buf_append_text(&reply->body, "fine");
	}
}

static void done(const struct http_answer *answer, void *arg)
{
	struct world *world = arg;

	assert_false(world->in_send);
	world->done++;
	world->status = answer->status;
	world->retry_after_ms = answer->retry_after_ms;
	world->date_seconds = answer->date_seconds;
	snprintf(world->body, sizeof(world->body), "%.*s", (int)answer->body.len,
	         (const char *)answer->body.data);
	snprintf(world->error, sizeof(world->error), "%s",
	         answer->error != NULL ? answer->error : "");
	assert_true((answer->status == 0) == (answer->error != NULL));
	assert_int_equal(answer->too_large, strcmp(world->script, "large") == 0);
	loop_stop(world->loop);
}

static int setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new();
	world->http = http_new(world->loop);
	world->httpd = httpd_new(world->loop, serve, world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	http_free(world->http);
	httpd_free(world->httpd);
	loop_free(world->loop);
	free(world);
	return 0;
}

static struct http_call *send_to(struct world *world, const char *url, struct http_request request)
{
	request.url = url;
	if (request.method == NULL)
		request.method = "GET";
	if (request.timeout_ms == 0)
		request.timeout_ms = 5000;
	if (request.max_answer == 0)
		request.max_answer = 100000;
	world->in_send = true;
	struct http_call *call = http_send(world->http, &request, done, world);
	world->in_send = false;
	return call;
}

static void ask(struct world *world, const char *script, struct http_request request)
{
	char url[128];
	int before = world->done;

	snprintf(world->script, sizeof(world->script), "%s", script);
	snprintf(url, sizeof(url), "%s/a/b?c=d", httpd_url(world->httpd));
	send_to(world, url, request);
	loop_run(world->loop);
	assert_int_equal(world->done, before + 1);
}

static void test_get_and_post(void **state)
{
	struct world *world = *state;

	ask(world, "", (struct http_request){0});
	assert_int_equal(world->status, 200);
	assert_string_equal(world->body, "fine");
	assert_string_equal(world->seen_method, "GET");
	assert_non_null(strstr(world->seen_headers, "User-Agent: registrard/"));
	assert_null(strstr(world->seen_headers, "Authorization"));

	ask(world, "",
	    (struct http_request){
	            .method = "POST", .body = bytes_text("{\"a\":1}"), .bearer = "t0ken"});
	assert_string_equal(world->seen_method, "POST");
	assert_string_equal(world->seen_body, "{\"a\":1}");
	assert_non_null(strstr(world->seen_headers, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(world->seen_headers, "Authorization: Bearer t0ken\r\n"));
	assert_null(strstr(world->seen_headers, "Expect"));

	ask(world, "", (struct http_request){.method = "DELETE", .body = bytes_text("{}")});
	assert_string_equal(world->seen_method, "DELETE");
	assert_string_equal(world->seen_body, "{}");
	assert_int_equal(http_requests_made(world->http), 3);
}

static void test_one_connection_serves_many(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 20; i++)
		ask(world, "", (struct http_request){0});
	assert_int_equal(world->served, 20);
	assert_int_equal(httpd_connections(world->httpd), 1);
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {
	        {"7", 7000},
	        {"0", 0},
	        {"99999999999", 86400000},
	        {"Sun, 06 Nov 1994 08:50:37 GMT", 60000}, /* against the server's own clock */
	        {"Sun, 06 Nov 1994 08:00:00 GMT", 0},
	        {"soon", -1},
	        {"-5", -1},
	};
	struct world *world = *state;
	char script[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(script, sizeof(script), "429 %s", cases[i].value);
		ask(world, script, (struct http_request){0});
		assert_int_equal(world->status, 429);
		assert_int_equal(world->retry_after_ms, cases[i].ms);
		assert_int_equal(world->date_seconds, 784111777);
	}
	ask(world, "", (struct http_request){0});
	assert_int_equal(world->retry_after_ms, -1);
	assert_int_equal(world->date_seconds, 0);
}

static void test_failures_have_a_reason_and_no_secret(void **state)
{
	struct world *world = *state;

	ask(world, "hang", (struct http_request){.timeout_ms = 50});
	assert_int_equal(world->status, 0);
	assert_non_null(strstr(world->error, "127.0.0.1"));
	assert_null(strstr(world->error, "c=d"));

	ask(world, "large", (struct http_request){0});
	assert_int_equal(world->status, 0);
	assert_non_null(strstr(world->error, "larger than 100000 bytes"));

	ask(world, "drop", (struct http_request){0});
	assert_int_equal(world->status, 0);

	ask(world, "redirect", (struct http_request){0});
	assert_int_equal(world->status, 302);

	ask(world, "", (struct http_request){.bearer = "a\r\nX: y"});
	assert_int_equal(world->status, 0);
	assert_null(strstr(world->error, "X: y"));
}

static void test_only_http(void **state)
{
	static const char *const urls[] = {
	        "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x", "", "http://",
	        "http://127.0.0.1:1/"};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		send_to(world, urls[i], (struct http_request){0});
		loop_run(world->loop);
		assert_int_equal(world->done, i + 1);
		assert_int_equal(world->status, 0);
	}
	assert_int_equal(world->served, 0);
}

static void test_cancelled_calls_never_call_back(void **state)
{
	struct world *world = *state;
	struct http_call *first, *failed;

	snprintf(world->script, sizeof(world->script), "hang");
	first = send_to(world, httpd_url(world->httpd), (struct http_request){0});
	failed = send_to(world, "nonsense://", (struct http_request){0});
	send_to(world, "nonsense://", (struct http_request){0});
	http_cancel(first);
	http_cancel(failed);
	http_cancel(NULL);
	loop_run(world->loop);
	assert_int_equal(world->done, 1);
	/* Under way while http_free runs in the teardown: */
	send_to(world, httpd_url(world->httpd), (struct http_request){0});
	send_to(world, "nonsense://", (struct http_request){0});
}

static void free_in_callback(const struct http_answer *answer, void *arg)
{
	struct world *world = arg;

	assert_int_equal(answer->status, 200);
	http_free(world->http);
	world->http = NULL;
	loop_stop(world->loop);
}

static void test_free_from_inside_a_callback(void **state)
{
	struct world *world = *state;
	struct http_request request = {.method = "GET",
	                               .url = httpd_url(world->httpd),
	                               .timeout_ms = 1000,
	                               .max_answer = 100};

	http_send(world->http, &request, free_in_callback, world);
	http_send(world->http, &request, free_in_callback, world);
	loop_run(world->loop);
	assert_null(world->http);
}

static void test_url_for_log(void **state)
{
	static const char *const cases[][2] = {
	        {"https://eth.example/v2/0123456789abcdef", "https://eth.example/v2/..."},
	        {"https://a.example/0123456789abcdef0123456789abcdef/", "https://a.example/..."},
	        {"https://user:secret@b.example:8545/rpc?key=1", "https://b.example:8545/rpc/..."},
	        {"https://b.example?key=1", "https://b.example/..."},
	        {"http://127.0.0.1:8545", "http://127.0.0.1:8545"},
	        {"http://127.0.0.1:8545/", "http://127.0.0.1:8545"},
	        {"http://c.example/rpc", "http://c.example/rpc"},
	        {"http://c.example/rpc#k", "http://c.example/rpc/..."},
	        {"http://u:p@/w@d.example/x", "http:///..."},
	        {"nonsense", "nonsense"},
	        {"", ""},
	};
	char text[HTTP_URL_LOG_SIZE], longer[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(http_url_for_log(text, cases[i][0]), cases[i][1]);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "http://", 7);
	assert_int_equal(strlen(http_url_for_log(text, longer)), HTTP_URL_LOG_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_get_and_post, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_one_connection_serves_many, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_failures_have_a_reason_and_no_secret, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_only_http, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_cancelled_calls_never_call_back, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_free_from_inside_a_callback, setup, teardown),
	        cmocka_unit_test(test_url_for_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
