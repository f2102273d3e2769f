#include "common/base/netaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	bool loopback;
} good[] = {
        {"127.0.0.1:9464", true},        {"127.255.0.9:1", true}, {"[::1]:65535", true},
        {"[::ffff:127.0.0.1]:80", true}, {"0.0.0.0:80", false},   {"[::]:80", false},
        {"10.0.0.1:0", false},           {"128.0.0.1:80", false}, {"[::ffff:10.0.0.1]:80", false},
        {"[fe80::1]:80", false},
};

static const char *const bad[] = {
        "",
        ":",
        ":80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "127.0.0.1:123456",
        "127.1:80",
        "127.0.0.1:-1",
        "127.0.0.1: 80",
        "localhost:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[]:80",
        "[127.0.0.1]:80",
        "[::1%lo]:80",
        "1.2.3.4.5:80",
        "http://127.0.0.1:80",
        "[1111111111111111111111111111111111111111111111111111111111]:80",
};

static void test_good(void **state)
{
	struct netaddr addr;
	char text[NETADDR_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(netaddr_parse(&addr, good[i].text, NULL), 0);
		assert_string_equal(netaddr_text(text, &addr), good[i].text);
		if (netaddr_is_loopback(&addr) != good[i].loopback)
			fail_msg("%s", good[i].text);
	}
}

static void test_bad(void **state)
{
	struct netaddr addr;
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (netaddr_parse(&addr, bad[i], &error) != ERR_INVALID)
			fail_msg("%s", bad[i]);
		assert_non_null(strstr(error.text, "expected a numeric address and a port"));
		assert_int_equal(addr.len, 0);
		assert_false(netaddr_is_loopback(&addr));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_good),
	        cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
