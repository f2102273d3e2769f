#include "daemon/io/http_head.h"

#include "common/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct arena *arena, struct http_head *head, const char *text)
{
	struct error error = {0};

	return http_head_parse(arena, head, bytes_text(text), &error);
}

static void test_good(void **state)
{
	struct arena arena = {0};
	struct http_head head;

	(void)state;
	assert_int_equal(parse(&arena, &head,
	                       "PUT /v1/builds/a/b/c.eif?x=1 HTTP/1.1\r\nHost: h\r\n"
	                       "content-length:  314572800 \r\nAuthorization: bearer abc.def\r\n"
	                       "Expect: 100-continue\r\nX: a\tb\r\nX: 2\r\n\r\n"),
	                 0);
	assert_string_equal(head.method, "PUT");
	assert_string_equal(head.path, "/v1/builds/a/b/c.eif");
	assert_string_equal(head.query, "x=1");
	assert_int_equal(head.content_length, 314572800);
	assert_true(head.keep_alive);
	assert_true(head.expects_continue);
	assert_string_equal(http_head_bearer(&head), "abc.def");
	assert_string_equal(http_head_field(&head, "x"), "a\tb");
	assert_null(http_head_field(&head, "Content-Range"));

	assert_int_equal(
	        parse(&arena, &head, "GET / HTTP/1.1\r\nHost:\r\nConnection: Close\r\n\r\n"), 0);
	assert_false(head.keep_alive);
	assert_null(head.query);
	assert_null(http_head_bearer(&head));
	assert_int_equal(
	        parse(&arena, &head, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic x\r\n\r\n"),
	        0);
	assert_null(http_head_bearer(&head));
	assert_int_equal(
	        parse(&arena, &head, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \r\n\r\n"),
	        0);
	assert_null(http_head_bearer(&head));
	arena_free(&arena);
}

static const struct {
	const char *text;
	int status;
} bad[] = {
        {"", 400},
        {"\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400}, /* no host */
        {"GET / HTTP/1.0\r\nHost: h\r\n\r\n", 505},
        {"GET / HTTP/2\r\nHost: h\r\n\r\n", 505},
        {"GET / SMTP\r\nHost: h\r\n\r\n", 400},
        {"GET /\r\nHost: h\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: h\r\n\r\n", 400}, /* bare LF */
        {"GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\rx\r\n\r\n", 400}, /* bare CR */
        {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},   /* blank before the colon */
        {"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1,1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n",
         411},
        {"GET / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n", 417},
        {"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
         400},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\nmore", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\n", 400}, /* cut */
};

static void test_bad(void **state)
{
	struct arena arena = {0};
	struct http_head head;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse(&arena, &head, bad[i].text) != ERR_INVALID ||
		    head.refusal != bad[i].status)
			fail_msg("%zu: %s: %d", i, bad[i].text, head.refusal);
	}
	arena_free(&arena);
}

static void test_nul_and_many_fields(void **state)
{
	static const char nul[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
	struct arena arena = {0};
	struct http_head head;
	struct error error = {0};
	struct buf text = {0};

	(void)state;
	assert_int_equal(http_head_parse(&arena, &head, bytes_of(nul, sizeof(nul) - 1), &error),
	                 ERR_INVALID);
	assert_int_equal(head.refusal, 400);
	buf_append_text(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		buf_append_text(&text, "A: b\r\n");
	size_t fits = text.len;
	buf_append_text(&text, "\r\n");
	assert_int_equal(http_head_parse(&arena, &head, buf_bytes(&text), &error), 0);
	assert_int_equal(head.field_count, HTTP_FIELDS_MAX);
	text.len = fits;
	buf_append_text(&text, "A: b\r\n\r\n");
	assert_int_equal(http_head_parse(&arena, &head, buf_bytes(&text), &error), ERR_INVALID);
	assert_int_equal(head.refusal, 431);
	buf_free(&text);
	arena_free(&arena);
}

/* Whatever byte is changed: a verdict, never a crash, and a refusal always has its status. */
static void test_damage(void **state)
{
	char text[] = "PUT /v1/builds/a/b/c HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n"
	              "Content-Range: bytes 0-11/12\r\nAuthorization: Bearer abcdefgh\r\n\r\n";

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char kept = text[i];
		for (unsigned b = 0; b < 256; b++) {
			struct arena arena = {0};
			struct http_head head;
			text[i] = (char)b;
			int rc = http_head_parse(&arena, &head, bytes_of(text, sizeof(text) - 1),
			                         NULL);
			assert_true(rc == 0 ? head.refusal == 0 && head.path[0] == '/'
			                    : head.refusal >= 400);
			arena_free(&arena);
		}
		text[i] = kept;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_good),
	        cmocka_unit_test(test_bad),
	        cmocka_unit_test(test_nul_and_many_fields),
	        cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
