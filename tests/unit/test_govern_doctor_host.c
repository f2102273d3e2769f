/* What doctor says of dropped builds and of required signatures, from the configuration alone. */
#include "daemon/govern/doctor.h"

#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define WORKFLOWS "https://github.com/o/r/.github/workflows/"

/* top: more options; target: more of the target's. The rows of this machine. */
static struct jval *examine(const char *top, const char *target)
{
	char text[3000];
	struct exam host = {.rows = jval_array(), .subject = "this machine"};
	struct govern_parts parts = {0};
	struct config *config;
	struct error error = {0};

	snprintf(text, sizeof(text),
	         "%s\nchains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
	         "targets:\n  pay: {chain: c, kms: '0x1111111111111111111111111111111111111111', "
	         "safe: '0x2222222222222222222222222222222222222222', "
	         "timelock: '0x3333333333333333333333333333333333333333', %s}\n",
	         top, target);
	if (config_parse(&config, "test", bytes_text(text), &error) != 0 ||
	    config_read_files(config, &error) != 0)
		fail_msg("%s\n%s", error.text, text);
	parts.config = config;
	host_exam(&host, &parts);
	config_free(config);
	arena_free(&host.arena);
	return host.rows;
}

static struct jval *examine_root(const char *path)
{
	char target[1000];

	snprintf(target, sizeof(target),
	         "require_signed: {sigstore: {workflow: '" WORKFLOWS "', trusted_root_file: '%s'}}",
	         path);
	return examine("", target);
}

static void expect(struct jval *rows, const char *check, const char *result, const char *found)
{
	bool seen = false;

	for (size_t i = 0; i < jval_count(rows); i++) {
		const struct jval *row = jval_at(rows, i);
		if (strcmp(jval_get_string(row, "check"), check) != 0)
			continue;
		seen = true;
		assert_non_null(found);
		assert_string_equal(jval_get_string(row, "result"), result);
		if (strstr(jval_get_string(row, "found"), found) == NULL)
			fail_msg("%s: %s", check, jval_get_string(row, "found"));
	}
	assert_int_equal(seen, found != NULL);
	jval_free(rows);
}

static void dropped_builds_have_a_row(void **state)
{
	(void)state;
	expect(examine("", "min_evidence: claimed"), "dropped builds", NULL, NULL);
	expect(examine("http: {listen: '127.0.0.1:1'}", "token_file: /nowhere/token"),
	       "dropped builds", "ok", "listens on 127.0.0.1:1 (this machine alone), for pay");
	expect(examine("http: {listen: '127.0.0.1:1'}", "min_evidence: claimed"), "dropped builds",
	       "warning", "for no target");
	expect(examine("http: {listen: '0.0.0.0:1', tls_cert_file: /c, tls_key_file: /k}",
	               "token_file: /nowhere/token"),
	       "dropped builds", "ok", "listens on 0.0.0.0:1 with TLS, for pay");
	expect(examine("http: {listen: '127.0.0.1:1'}", "token_file: /nowhere/token"),
	       "secret file", "warning", "/nowhere/token: No such file");
}

static void required_signatures_have_a_row(void **state)
{
	(void)state;
	expect(examine("", "min_evidence: claimed"), "required signature", NULL, NULL);
	expect(examine("", "require_signed: {ed25519: {public_keys: "
	                   "[RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3]}}"),
	       "required signature", "ok", "pay: Ed25519, by E7620F1842B4E81F");
	char folder[256], path[400];
	assert_non_null(getcwd(folder, sizeof(folder)));
	snprintf(path, sizeof(path), "%s/tests/fixtures/sigstore/go_public-good.json", folder);
	expect(examine_root(path), "required signature", "ok",
	       "pay: Sigstore, " WORKFLOWS "; 2 authorities and 1 logs in /");

	/* One whose authorities ended. */
	struct arena arena = {0};
	char *root = arena_text(&arena, fixture_bytes(&arena, "tests/fixtures/sigstore/"
	                                                      "go_public-good.json"));
	for (char *at = root; (at = strstr(at, "\"start\": \"20")) != NULL; at++)
		memcpy(at + 10, "29", 2);
	snprintf(path, sizeof(path), "/tmp/root.XXXXXX");
	int fd = mkstemp(path);
	assert_int_equal(write(fd, root, strlen(root)), (ssize_t)strlen(root));
	close(fd);
	expect(examine_root(path), "required signature", "warning", "pay: Sigstore");
	unlink(path);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(dropped_builds_have_a_row),
	        cmocka_unit_test(required_signatures_have_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
