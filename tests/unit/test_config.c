/* The configuration: what it refuses and on which line, its defaults, and the way back to text. */
#include "common/config/config.h"
#include "common/measure/sigstore.h"

#include "common/config/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKFLOWS "https://github.com/o/r/.github/workflows/"
#define MINISIGN "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"

#define KMS "0x1111111111111111111111111111111111111111"
#define APP "0x2222222222222222222222222222222222222222"
#define SAFE "0x3333333333333333333333333333333333333333"
#define TIMELOCK "0x4444444444444444444444444444444444444444"
#define MODULE "0x5555555555555555555555555555555555555555"

/* A whole configuration; each refusal below replaces one of its lines. */
static const char *const good[] = {
        /* 1 */ "state_dir: /var/lib/lab",
        /* 2 */ "control_socket: /run/lab/control.sock",
        /* 3 */ "measurers: 3",
        /* 4 */ "chains:",
        /* 5 */ "  base:",
        /* 6 */ "    chain_id: 8453",
        /* 7 */ "    rpc: [http://a.example, https://b.example/v1/]",
        /* 8 */ "    quorum: 2",
        /* 9 */ "    poll: 100ms",
        /* 10 */
        "  other: {chain_id: 1, rpc: [http://c.example], confirmations: 12, start_block: 99}",
        /* 11 */ "targets:",
        /* 12 */ "  payments:",
        /* 13 */ "    chain: base",
        /* 14 */ "    kms: \"" KMS "\"",
        /* 15 */ "    app: " APP,
        /* 16 */ "    model: safe+timelock",
        /* 17 */ "    safe: " SAFE,
        /* 18 */ "    timelock: {address: " TIMELOCK "}",
        /* 19 */ "    batch: {quiet: 0s, max_calls: 5}",
        /* 20 */ "    service:",
        /* 21 */ "      kind: tx-service",
        /* 22 */ "      url: https://service.example/tx-service/base/",
        /* 23 */ "    proposer_key_file: /etc/keys/proposer",
        /* 24 */ "watch:",
        /* 25 */ "  - path: /srv/releases/",
        /* 26 */ "    target: payments",
        /* 27 */ "  - {path: /srv/more, target: payments, recursive: no, rescan: 5s}",
        /* 28 */ "endpoints: [{url: 'https://gw.example/prpc/Info?json', target: payments}]",
};

static char *text_with(size_t line, const char *replacement)
{
	struct buf out = {0};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		buf_printf(&out, "%s\n", i + 1 == line ? replacement : good[i]);
	return (char *)out.data;
}

static struct config *parsed(const char *text)
{
	struct config *config;
	struct error error = {0};

	if (config_parse(&config, "lab.yaml", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	return config;
}

struct refusal {
	size_t line;             /* replaced */
	const char *replacement; /* may hold several lines */
	const char *error;       /* all of it up to its end, or a part when it begins with "..." */
};

static const struct refusal refusals[] = {
        /* the text itself */
        {1, "state_dir: [/a", "lab.yaml:2: not valid YAML"},
        {1, "\tstate_dir: /a", "lab.yaml:1: not valid YAML"},
        {3, "state_dir: /b",
         "lab.yaml:3: \"state_dir\" is given a second time; the first is on line 1"},
        {1, "state_dir: &dir /a", "lab.yaml:1: anchors and tags are not supported"},
        {1, "state_dir: *dir", "lab.yaml:1: aliases are not supported"},
        {1, "state_dir: !!str /a", "lab.yaml:1: anchors and tags are not supported"},
        {1, "[a, b]: c", "lab.yaml:1: a key must be a plain word"},
        {1, "state_dir: {a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}}",
         "lab.yaml:1: nested too deeply"},
        {27, "...\n---\nstate_dir: /x", "lab.yaml:28: a second document begins"},
        /* names and shapes */
        {3, "measurer: 2",
         "lab.yaml:3: measurer: unknown option; expected one of state_dir, control_socket, "
         "measurers, http, "
         "chains, targets, watch"},
        {9, "    polls: 1s",
         "lab.yaml:9: chains.base.polls: unknown option; expected one of chain_id, rpc"},
        {22, "      uri: http://x.example",
         "lab.yaml:22: targets.payments.service.uri: unknown option"},
        {27, "  - {path: /srv/more, target: payments, deep: yes}",
         "lab.yaml:27: watch[1].deep: unknown option"},
        {3, "measurers: [2]",
         "lab.yaml:3: measurers: found a list; expected a number of processes from 1 to 16"},
        {3, "measurers:", "lab.yaml:3: measurers: found no value; expected a number of processes"},
        {7, "    rpc: http://a.example",
         "lab.yaml:7: chains.base.rpc: found a single value; expected a list"},
        {7, "    rpc: []", "lab.yaml:7: chains.base.rpc: found a list; expected a list of http"},
        {10, "  other: 1", "lab.yaml:10: chains.other: expected a map of options"},
        {10, "  \"a b\": {chain_id: 1, rpc: [http://c.example]}",
         "lab.yaml:10: chains: \"a b\" is no name"},
        {19, "    batch: 5",
         "lab.yaml:19: targets.payments.batch: found a single value; expected a map"},
        {24, "watch: {}\nx:", "lab.yaml:25: x: unknown option"},
        /* what must be there */
        {6, "    start_block: 1", "lab.yaml:5: chains.base.chain_id: missing; expected a number"},
        {14, "    check: auto", "lab.yaml:12: targets.payments.kms: missing; expected an address"},
        {17, "    check: auto",
         "lab.yaml:12: targets.payments.safe: missing; model safe+timelock needs"},
        {18, "    check: auto",
         "lab.yaml:12: targets.payments.timelock: missing; model safe+timelock needs"},
        {18, "    timelock: {}", "lab.yaml:18: targets.payments.timelock.address: missing"},
        {21, "      poll: 1s",
         "lab.yaml:20: targets.payments.service.kind: missing; expected none, tx-service or queue"},
        {22, "      poll: 1s",
         "lab.yaml:20: targets.payments.service.url: missing; kind tx-service needs"},
        {26, "    settle: 1s",
         "lab.yaml:25: watch[0].target: missing; expected the name of a target"},
        /* values */
        {1, "state_dir: lib/lab",
         "lab.yaml:1: state_dir: found \"lib/lab\"; expected an absolute path"},
        {1, "state_dir: /var/../etc",
         "lab.yaml:1: state_dir: found \"/var/../etc\"; expected an absolute path"},
        {3, "measurers: 0",
         "lab.yaml:3: measurers: found \"0\"; expected a number of processes from 1 to 16"},
        {3, "measurers: -1", "lab.yaml:3: measurers: found \"-1\"; expected"},
        {3, "measurers: 2x", "lab.yaml:3: measurers: found \"2x\"; expected"},
        {6, "    chain_id: 99999999999999999999", "lab.yaml:6: chains.base.chain_id: found"},
        {7, "    rpc: [ftp://a.example, http://b.example]",
         "lab.yaml:7: chains.base.rpc: found \"ftp://a.example\""},
        {7, "    rpc: [http://me:pw@a.example, http://b.example]",
         "lab.yaml:7: chains.base.rpc: found"},
        {7, "    rpc:\n      - http://a.example\n      - http:///x",
         "lab.yaml:9: chains.base.rpc: found \"http:///x\""},
        {7, "    rpc: [http://a.example, http://a.example]",
         "lab.yaml:7: chains.base.rpc: the same endpoint stands twice"},
        {8, "    quorum: 3",
         "lab.yaml:8: chains.base.quorum: 3 answers must agree, but rpc has 2 endpoints; expected "
         "1 to 2"},
        {9, "    poll: 12",
         "lab.yaml:9: chains.base.poll: found \"12\"; expected a duration from 50ms to 1h (ms, s, "
         "m, h, d)"},
        {9, "    poll: 12 blocks",
         "lab.yaml:9: chains.base.poll: found \"12 blocks\"; expected a duration"},
        {9, "    poll: 2h", "lab.yaml:9: chains.base.poll: found \"2h\"; expected a duration"},
        {9, "    confirmations: soon",
         "lab.yaml:9: chains.base.confirmations: found \"soon\"; expected finalized, safe, "
         "latest or a number of blocks from 1 to 100000"},
        {9, "    start_block: -5",
         "lab.yaml:9: chains.base.start_block: found \"-5\"; expected auto or a number"},
        {10, "  other: {chain_id: 8453, rpc: [http://c.example]}",
         "lab.yaml:10: chains.other.chain_id: chains.base has the same id"},
        {13, "    chain: bose",
         "lab.yaml:13: targets.payments.chain: no chain is called \"bose\"; expected"},
        {14, "    kms: 0x1234", "lab.yaml:14: targets.payments.kms: "},
        {14, "    kms: 0x5FbDB2315678afecb367f032d93F642f64180aA3",
         "lab.yaml:14: targets.payments.kms: "},
        {14, "    kms: \"0x0000000000000000000000000000000000000000\"",
         "lab.yaml:14: targets.payments.kms: the zero address"},
        {15, "    app: " KMS, "lab.yaml:15: targets.payments.app: is the same address as kms"},
        {16, "    model: multisig",
         "lab.yaml:16: targets.payments.model: found \"multisig\"; expected safe+timelock"},
        {18, "    timelock: " SAFE,
         "lab.yaml:18: targets.payments.timelock: is the same address as safe"},
        {19, "    batch: {quiet: 1 minute}",
         "lab.yaml:19: targets.payments.batch.quiet: found \"1 minute\"; expected a duration"},
        {19, "    batch: {max_calls: 0}",
         "lab.yaml:19: targets.payments.batch.max_calls: found \"0\"; expected a number of calls"},
        {19, "    execute: direct",
         "lab.yaml:19: targets.payments.execute: direct needs executor_key_file"},
        {19, "    proposer_may_confirm: maybe",
         "lab.yaml:19: targets.payments.proposer_may_confirm: found \"maybe\"; expected yes or no"},
        {19, "    executor_key_password_file: /p",
         "lab.yaml:19: targets.payments.executor_key_password_file: is of no use"},
        {23, "    proposer_key_password_file: /p",
         "lab.yaml:23: targets.payments.proposer_key_password_file: is of no use"},
        {23, "    proposer_key_file: keys/proposer",
         "lab.yaml:23: targets.payments.proposer_key_file: found \"keys/proposer\"; "
         "expected an absolute path, or $CREDENTIALS_DIRECTORY/NAME"},
        {21, "      kind: none",
         "lab.yaml:22: targets.payments.service.url: is of no use with kind none"},
        {25, "  - path: /var/lib/lab/drafts", "lab.yaml:25: watch[0].path: overlaps state_dir"},
        {25, "  - path: /", "lab.yaml:25: watch[0].path: overlaps state_dir"},
        {25, "  - path: /srv/more",
         "lab.yaml:27: watch[1].path: is watched for the same target twice"},
        {26, "    target: payment",
         "lab.yaml:26: watch[0].target: no target is called \"payment\""},
        {28, "endpoints: [{url: ftp://a.example/prpc/Info, target: payments}]",
         "lab.yaml:28: endpoints[0].url: found \"ftp://a.example/prpc/Info\"; expected an http"},
        {28, "endpoints: [{url: 'https://a.example/', target: payments}]",
         "lab.yaml:28: endpoints[0].url: found \"https://a.example\"; expected a path that ends in "
         "/prpc/Info"},
        {28, "endpoints: [{url: 'https://a.example/prpc/Info?x=1', target: payments}]",
         "lab.yaml:28: endpoints[0].url: found"},
        {28, "endpoints: [{url: 'https://a.example/?/prpc/Info', target: payments}]",
         "lab.yaml:28: endpoints[0].url: found"},
        {28, "endpoints: [{url: 'https://u:p@a.example/prpc/Info', target: payments}]",
         "lab.yaml:28: endpoints[0].url: found"},
        {28,
         "endpoints: [{url: 'http://a.example/prpc/Info', target: payments, ca_file: /etc/ca}]",
         "lab.yaml:28: endpoints[0].ca_file: is of no use without https"},
        {28, "endpoints: [{url: 'https://a.example/prpc/Info', target: payment}]",
         "lab.yaml:28: endpoints[0].target: no target is called \"payment\""},
        {28, "endpoints: [{url: 'https://a.example/prpc/Info', target: payments, every: 10ms}]",
         "lab.yaml:28: endpoints[0].every: found \"10ms\""},
        {28,
         "endpoints: [{url: 'http://10.0.0.1:8090/prpc/Info', target: payments, propose: auto}]",
         "lab.yaml:28: endpoints[0].propose: auto needs https"},
        {28,
         "endpoints: [{url: 'http://localhost.example/prpc/Info', target: payments, propose: "
         "auto}]",
         "lab.yaml:28: endpoints[0].propose: auto needs https"},
        {28,
         "endpoints: [{url: 'http://a.example/prpc/Info', target: payments}, {url: "
         "'http://a.example/prpc/Info', target: payments}]",
         "lab.yaml:28: endpoints: http://a.example/prpc/Info stands twice"},
        /* HTTP: in the clear only within the machine */
        {3, "http: {listen: 0.0.0.0:9464}",
         "lab.yaml:3: http.listen: 0.0.0.0:9464 is not an address of this machine alone; expected "
         "127.0.0.1 or [::1], or TLS"},
        {3, "http: {listen: \"[::]:9464\"}",
         "lab.yaml:3: http.listen: [::]:9464 is not an address"},
        {3, "http: {listen: 192.168.1.5:9464}",
         "lab.yaml:3: http.listen: 192.168.1.5:9464 is not an address of this machine"},
        {3, "http: {listen: \"[::ffff:10.0.0.1]:1\"}",
         "lab.yaml:3: http.listen: [::ffff:10.0.0.1]"},
        {3, "http: {listen: localhost:9464}",
         "lab.yaml:3: http.listen: found \"localhost:9464\"; expected a numeric address and a "
         "port"},
        {3, "http: {listen: 127.0.0.1}", "lab.yaml:3: http.listen: found \"127.0.0.1\""},
        {3, "http: {listen: 127.0.0.1:65536}", "lab.yaml:3: http.listen: found"},
        {3, "http: {listen: \"::1:80\"}", "lab.yaml:3: http.listen: found"},
        {3, "http: {listen: \"[::1\"}", "lab.yaml:3: http.listen: found"},
        {3, "http: {max_file_mib: 5}", "lab.yaml:3: http.listen: missing; expected"},
        {3, "http: {listen: 0.0.0.0:1, tls_cert_file: /c}",
         "lab.yaml:3: http.tls_cert_file: is of no use alone"},
        {3, "http: {listen: 127.0.0.1:1, tls_key_file: /k}",
         "lab.yaml:3: http.tls_key_file: is of no use alone"},
        {3, "http: {listen: 127.0.0.1:1, max_file_mib: 10, quota_mib: 9}",
         "lab.yaml:3: http.quota_mib: 9 is less than max_file_mib, which is 10"},
        {19, "    token_file: /t",
         "lab.yaml:19: targets.payments.token_file: is of no use without http.listen"},
        /* known, but not in this version: refused by name */
        {3, "notify: []", "lab.yaml:3: notify: is not available in this version"},
        {16, "    model: delay",
         "lab.yaml:18: targets.payments.timelock: is of no use with model delay"},
        {19, "    delay: {address: " APP ", enqueuer: " SAFE "}",
         "lab.yaml:19: targets.payments.delay: is of no use with model safe+timelock"},
        {19, "    delay: " MODULE, "lab.yaml:19: targets.payments.delay: found a single value"},
        {19, "    scheduler_key_file: /k",
         "lab.yaml:19: targets.payments.scheduler_key_file: is of no use with model safe+timelock"},
        {19, "    scheduler_key_password_file: /k",
         "lab.yaml:19: targets.payments.scheduler_key_password_file: is of no use"},
        {16, "    model: timelock\n    execute: safe",
         "lab.yaml:17: targets.payments.execute: safe needs a Safe, which model timelock has not"},
        {16, "    model: timelock\n    executor_key_file: /k\n    scheduler_key_file: /k",
         "lab.yaml:18: targets.payments.scheduler_key_file: is the same file as executor_key_file"},
        {19, "    known_os: [0x12]",
         "lab.yaml:19: targets.payments.known_os: \"0x12\"; expected 64 hex digits"},
        {19, "    known_os: 12",
         "lab.yaml:19: targets.payments.known_os: found a single value; expected a list of "
         "values of 64 hex digits each"},

        {19, "    require_signed: sigstore",
         "lab.yaml:19: targets.payments.require_signed: found a single value; expected a map"},
        {19, "    require_signed: {}",
         "lab.yaml:19: targets.payments.require_signed.sigstore: missing; expected sigstore or "
         "ed25519"},
        {19, "    require_signed: {sigstore: {trusted_root_file: /r}}",
         "lab.yaml:19: targets.payments.require_signed.sigstore.workflow: missing"},
        {19, "    require_signed: {sigstore: {workflow: '" WORKFLOWS "'}}",
         "lab.yaml:19: targets.payments.require_signed.sigstore.trusted_root_file: missing"},
        {19, "    require_signed: {sigstore: {workflow: github.com/o/r, trusted_root_file: /r}}",
         "lab.yaml:19: targets.payments.require_signed.sigstore.workflow: \"github.com/o/r\": "
         "expected https://<host>/<owner>/<repository>/ and a path"},
        {19,
         "    require_signed: {sigstore: {workflow: '" WORKFLOWS "a.yml', trusted_root_file: /r}}",
         "lab.yaml:19: targets.payments.require_signed.sigstore.workflow: \"" WORKFLOWS
         "a.yml\": expected a beginning that ends in / or @"},
        {19,
         "    require_signed: {sigstore: {workflow: '" WORKFLOWS
         "', trusted_root_file: root.json}}",
         "lab.yaml:19: targets.payments.require_signed.sigstore.trusted_root_file: found "
         "\"root.json\"; expected an absolute path"},
        {19, "    require_signed: {ed25519: {public_keys: []}}",
         "lab.yaml:19: targets.payments.require_signed.ed25519.public_keys: found a list; expected "
         "a list of minisign public keys"},
        {19, "    require_signed: {ed25519: {public_keys: [RWQf]}}",
         "lab.yaml:19: targets.payments.require_signed.ed25519.public_keys: \"RWQf\": 3 bytes, "
         "expected 42; expected the line of a minisign public key"},
        {19, "    require_signed: {ed25519: {public_keys: [" MINISIGN ", " MINISIGN "]}}",
         "lab.yaml:19: targets.payments.require_signed.ed25519.public_keys: \"" MINISIGN
         "\" stands twice"},
        {19,
         "    require_signed: {ed25519: {public_keys: [" MINISIGN
         "]}, sigstore: {workflow: '" WORKFLOWS "', trusted_root_file: /r}}",
         "lab.yaml:19: targets.payments.require_signed.ed25519: stands beside sigstore"},
};

/* A rule is whole, dumped as it was read, and part of nobody else's target. */
static void test_require_signed(void **state)
{
	static const char *const rules[] = {
	        "    require_signed: {sigstore: {workflow: '" WORKFLOWS
	        "', trusted_root_file: /r}}",
	        "    require_signed: {ed25519: {public_keys: [" MINISIGN "]}}",
	};
	struct hash32 digests[ARRAY_LEN(rules)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		char *text = text_with(19, rules[i]);
		struct config *config, *again;
		struct error error = {0};
		struct buf dump = {0};

		if (config_parse(&config, "lab.yaml", bytes_text(text), &error) != 0)
			fail_msg("%s", error.text);
		const struct signing *signing = &config_target_find(config, "payments")->signing;
		assert_int_equal(signing->kind, i == 0 ? SIGNING_SIGSTORE : SIGNING_ED25519);
		digests[i] = signing->digest;
		config_dump(&dump, config);
		assert_int_equal(config_parse(&again, "dump", buf_bytes(&dump), &error), 0);
		const struct signing *read = &config_target_find(again, "payments")->signing;
		assert_true(hash32_equal(&read->digest, &signing->digest));
		if (i == 0) {
			assert_string_equal(signing->issuer, SIGSTORE_GITHUB);
			assert_string_equal(signing->predicate_type, SIGSTORE_MEASUREMENTS_TYPE);
			/* The file is read at the start alone, and must be there then. */
			assert_int_not_equal(config_read_files(config, &error), 0);
			assert_non_null(strstr(error.text,
			                       "targets.payments.require_signed.sigstore."
			                       "trusted_root_file: /r"));
		} else {
			assert_int_equal(config_read_files(config, &error), 0);
		}
		buf_free(&dump);
		config_free(config);
		config_free(again);
		free(text);
	}
	assert_false(hash32_equal(&digests[0], &digests[1]));
}

static void test_trusted_root_is_read(void **state)
{
	char folder[256], *text;
	struct config *config;
	struct error error = {0};

	(void)state;
	assert_non_null(getcwd(folder, sizeof(folder)));
	static const struct {
		const char *file, *why;
	} cases[] = {
	        {"sigstore/synthetic_trusted_root.json", NULL},
	        {"sigstore/expected.json", "expected.json: mediaType: expected application/"},
	        {"tdx", "Is a directory"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[600];
		snprintf(line, sizeof(line),
		         "    require_signed: {sigstore: {workflow: '" WORKFLOWS
		         "', trusted_root_file: %s/tests/fixtures/%s}}",
		         folder, cases[i].file);
		text = text_with(19, line);
		assert_int_equal(config_parse(&config, "lab.yaml", bytes_text(text), &error), 0);
		struct hash32 before = config_target_find(config, "payments")->signing.digest;
		int rc = config_read_files(config, &error);
		if (cases[i].why == NULL) {
			const struct signing *signing =
			        &config_target_find(config, "payments")->signing;
			assert_int_equal(rc, 0);
			assert_int_equal(signing->root.len, 2180);
			assert_false(hash32_equal(&before, &signing->digest));
		} else {
			assert_int_not_equal(rc, 0);
			assert_non_null(strstr(error.text, cases[i].why));
		}
		config_free(config);
		free(text);
	}
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *refusal = &refusals[i];
		char *text = text_with(refusal->line, refusal->replacement);
		struct config *config = (struct config *)-1;
		struct error error = {0};

		int rc = config_parse(&config, "lab.yaml", bytes_text(text), &error);
		if (rc != ERR_INVALID)
			fail_msg("accepted: %s", refusal->replacement);
		assert_null(config);
		assert_int_equal(error.code, ERR_INVALID);
		if (strncmp(error.text, refusal->error, strlen(refusal->error)) != 0)
			fail_msg("%s\n   found: %s\nexpected: %s", refusal->replacement, error.text,
			         refusal->error);
		free(text);
	}
}

static void test_empty(void **state)
{
	struct config *config;
	struct error error = {0};

	(void)state;
	assert_int_equal(config_parse(&config, "lab.yaml", bytes_text(""), &error), ERR_INVALID);
	assert_string_equal(error.text,
	                    "lab.yaml:1: expected options, one \"name: value\" per line");
	assert_int_equal(config_parse(&config, "lab.yaml", bytes_text("- a\n"), &error),
	                 ERR_INVALID);
	assert_int_equal(config_parse(&config, "lab.yaml", bytes_text("measurers: 1\n"), &error),
	                 ERR_INVALID);
	assert_string_equal(error.text, "lab.yaml:1: chains: missing; expected a map of options");
	assert_int_equal(config_load(&config, "/nonexistent/lab.yaml", &error), ERR_IO);
	assert_null(config);
}

static void test_values(void **state)
{
	char *text = text_with(0, NULL);
	struct config *config = parsed(text);

	(void)state;
	assert_string_equal(config->state_dir, "/var/lib/lab");
	assert_int_equal(config->measurers, 3);
	assert_int_equal(config->chain_count, 2);
	const struct config_chain *base = &config->chains[0], *other = &config->chains[1];
	assert_int_equal(base->chain_id, 8453);
	assert_int_equal(other->chain_id, 1);
	assert_string_equal(base->name, "base");
	assert_int_equal(base->rpc.count, 2);
	assert_string_equal(base->rpc.items[1], "https://b.example/v1/");
	assert_int_equal(base->poll_ms, 100);
	assert_int_equal(base->finality, FINALITY_FINALIZED);
	assert_true(base->start_auto);
	assert_int_equal(base->max_fee_gwei, 50);
	assert_int_equal(base->max_gas, 2000000);
	assert_int_equal(base->resend_ms, 180000);
	assert_int_equal(other->quorum, 1);
	assert_int_equal(other->finality, FINALITY_DEPTH);
	assert_int_equal(other->depth, 12);
	assert_false(other->start_auto);
	assert_int_equal(other->start_block, 99);

	const struct config_target *target = config_target_find(config, "payments");
	assert_ptr_equal(target->chain, base);
	assert_true(target->has_app && target->has_safe && target->has_timelock);
	assert_int_equal(target->timelock.b[0], 0x44);
	assert_int_equal(target->model, MODEL_SAFE_TIMELOCK);
	assert_int_equal(target->quiet_ms, 0);
	assert_int_equal(target->max_calls, 5);
	assert_int_equal(target->expire_ms, 14LL * 86400000);
	assert_int_equal(target->min_evidence, LEVEL_RECOMPUTED);
	assert_int_equal(target->service.kind, SERVICE_TX_SERVICE);
	assert_string_equal(target->service.url, "https://service.example/tx-service/base");
	assert_int_equal(target->service.poll_ms, 60000);
	assert_string_equal(target->proposer.file, "/etc/keys/proposer");
	assert_null(target->executor.file);
	assert_null(config_target_find(config, "payment"));

	assert_int_equal(config->watch_count, 2);
	assert_string_equal(config->watches[0].path, "/srv/releases");
	assert_ptr_equal(config->watches[0].target, target);
	assert_true(config->watches[0].recursive);
	assert_int_equal(config->watches[0].settle_ms, 500);
	assert_int_equal(config->watches[0].build_settle_ms, 10000);
	assert_int_equal(config->watches[0].rescan, RESCAN_AUTO);
	assert_false(config->watches[1].recursive);
	assert_int_equal(config->watches[1].rescan, RESCAN_EVERY);
	assert_int_equal(config->watches[1].rescan_ms, 5000);
	config_free(config);
	free(text);
}

static void test_endpoints(void **state)
{
	struct error error = {0};
	struct config *config;
	char *text = text_with(
	        28, "endpoints: [{url: 'https://a.example/prpc/Info?json', target: payments},\n"
	            "  {url: 'http://127.0.0.1:8090/x/prpc/Worker.Info', target: payments, every: "
	            "5s, propose: auto}]");

	(void)state;
	if (config_parse(&config, "lab.yaml", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(config->endpoint_count, 2);
	assert_string_equal(config->endpoints[0].url, "https://a.example/prpc/Info?json");
	assert_ptr_equal(config->endpoints[0].target, config_target_find(config, "payments"));
	assert_int_equal(config->endpoints[0].every_ms, 60000);
	assert_false(config->endpoints[0].propose_auto);
	assert_int_equal(config->endpoints[1].every_ms, 5000);
	assert_true(config->endpoints[1].propose_auto);
	config_free(config);
	free(text);
}

/* As many as a large fleet has, in a time that is not noticed. */
static void test_thousands_of_endpoints(void **state)
{
	struct error error = {0};
	struct config *config;
	struct buf lines = {0};

	(void)state;
	buf_append_text(&lines, "endpoints:\n");
	for (unsigned i = 0; i < 10000; i++)
		buf_printf(&lines,
		           "  - {url: 'https://%040x-8090.gw.example/prpc/Info', target: "
		           "payments}\n",
		           i);
	char *text = text_with(28, buf_text(&lines));
	if (config_parse(&config, "lab.yaml", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(config->endpoint_count, 10000);
	config_free(config);
	buf_free(&lines);
	free(text);
}

static void test_service_defaults_to_none(void **state)
{
	(void)state;
	struct config *config =
	        parsed("chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
	               "targets:\n  t: {chain: c, kms: '" KMS "', model: safe+timelock, safe: " SAFE
	               ", timelock: " TIMELOCK "}\n");
	assert_int_equal(config->targets[0].service.kind, SERVICE_NONE);
	assert_null(config->targets[0].service.url);
	assert_true(config->targets[0].has_timelock);
	assert_false(config->targets[0].has_app);
	assert_int_equal(config->watch_count, 0);
	assert_string_equal(config->state_dir, "/var/lib/registrard");
	config_free(config);
}

static void test_quorum_is_a_majority(void **state)
{
	static const struct {
		const char *rpc;
		unsigned quorum;
	} cases[] = {{"http://a.example", 1},
	             {"http://a.example, http://b.example", 2},
	             {"http://a.example, http://b.example, http://c.example", 2}};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text),
		         "chains: {c: {chain_id: 1, rpc: [%s]}}\ntargets:\n  t: {chain: c, kms: "
		         "'" KMS "', model: safe+timelock, safe: " SAFE ", timelock: " TIMELOCK
		         "}\n",
		         cases[i].rpc);
		struct config *config = parsed(text);
		assert_int_equal(config->chains[0].quorum, cases[i].quorum);
		config_free(config);
	}
}

static void test_credentials(void **state)
{
	char *text = text_with(23, "    proposer_key_file: $CREDENTIALS_DIRECTORY/proposer");

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	struct config *config = parsed(text);
	assert_string_equal(config->targets[0].proposer.file, "$CREDENTIALS_DIRECTORY/proposer");
	config_free(config);

	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/lab", 1);
	config = parsed(text);
	assert_string_equal(config->targets[0].proposer.file, "/run/credentials/lab/proposer");
	config_free(config);
	unsetenv("CREDENTIALS_DIRECTORY");
	free(text);
}

static void check_round_trip(struct config *config)
{
	struct buf first = {0}, second = {0};

	config_dump(&first, config);
	struct config *again = parsed(buf_text(&first));
	config_dump(&second, again);
	assert_string_equal(buf_text(&first), buf_text(&second));
	config_free(again);
	buf_free(&first);
	buf_free(&second);
}

static void test_round_trip(void **state)
{
	char *text = text_with(0, NULL);
	struct config *config = parsed(text);

	(void)state;
	check_round_trip(config);
	config_free(config);
	free(text);
}

static void test_dump_holds_defaults(void **state)
{
	char *text = text_with(0, NULL);
	struct config *config = parsed(text);
	struct buf dump = {0};

	(void)state;
	config_dump(&dump, config);
	assert_non_null(strstr(buf_text(&dump), "\n    resend: 3m\n"));
	assert_non_null(strstr(buf_text(&dump), "\n      quiet: 0s\n"));
	assert_non_null(strstr(buf_text(&dump), "\n    start_block: 99\n"));
	assert_non_null(strstr(buf_text(&dump), "\n    kms: \"" KMS "\"\n"));
	assert_null(strstr(buf_text(&dump), "executor_key_file"));
	buf_free(&dump);
	config_free(config);
	free(text);
}

static void test_example(void **state)
{
	struct config *config;
	struct error error = {0};

	(void)state;
	if (config_load(&config, "config/registrard.example.yaml", &error) != 0)
		fail_msg("%s", error.text);
	assert_string_equal(config->targets[0].name, "payments");
	assert_int_equal(config->watch_count, 1);
	check_round_trip(config);
	config_free(config);
}

/* Any single character changed or cut off is either accepted or refused with a place. */
static void test_damage(void **state)
{
	static const char damage[] = {'\0', ':', '[', '}', '"', '\n', '-', '\t', '&', (char)0xff};
	char *text = text_with(0, NULL);
	size_t len = strlen(text);

	(void)state;
	for (size_t at = 0; at < len; at += 3)
		for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
			struct config *config;
			struct error error = {0};
			char kept = text[at];
			text[at] = damage[i];
			size_t used = i == 0 ? at : len;
			if (config_parse(&config, "lab.yaml", bytes_of(text, used), &error) != 0)
				assert_int_equal(strncmp(error.text, "lab.yaml:", 9), 0);
			config_free(config);
			text[at] = kept;
		}
	free(text);
}

static void check_document(const char *path, void (*write)(struct buf *out))
{
	struct buf expected = {0}, found = {0};
	char chunk[4096];
	size_t got;

	write(&expected);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s is missing; make docs", path);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_append(&found, chunk, got);
	fclose(file);
	if (strcmp(buf_text(&expected), buf_text(&found)) != 0)
		fail_msg("%s is not what the option table says; make docs", path);
	buf_free(&expected);
	buf_free(&found);
}

static void test_documents(void **state)
{
	(void)state;
	check_document("docs/OPTIONS.md", config_options_markdown);
	check_document("docs/registrard.yaml.5", config_options_man);
}

static const struct config_target *only_target(struct config **config, const char *lines)
{
	struct arena arena = {0};
	struct error error;
	const char *text = arena_printf(&arena,
	                                "chains:\n  c: {chain_id: 1, rpc: [http://a.example]}\n"
	                                "targets:\n  t:\n    chain: c\n    kms: \"" KMS "\"\n%s"
	                                "watch: [{path: /srv, target: t}]\n",
	                                lines);

	if (config_parse(config, "lab.yaml", bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	arena_free(&arena);
	return &(*config)->targets[0];
}

/* Each model needs what it uses, and what is not said is what it can do. */
static void test_models(void **state)
{
	struct config *config;

	(void)state;
	const struct config_target *t =
	        only_target(&config, "    model: safe\n    safe: " SAFE "\n");
	assert_int_equal(t->model, MODEL_SAFE);
	assert_false(t->has_timelock);
	config_free(config);
	t = only_target(&config, "    model: timelock\n    timelock: " TIMELOCK "\n");
	assert_int_equal(t->model, MODEL_TIMELOCK);
	assert_int_equal(t->execute, EXECUTE_MANUAL);
	assert_null(t->scheduler.file);
	config_free(config);
	t = only_target(&config, "    model: timelock\n    timelock: " TIMELOCK
	                         "\n    executor_key_file: /e\n    scheduler_key_file: /s\n");
	assert_int_equal(t->execute, EXECUTE_DIRECT);
	assert_string_equal(t->scheduler.file, "/s");
	config_free(config);
	t = only_target(&config, "    model: direct\n");
	assert_int_equal(t->model, MODEL_DIRECT);
	assert_false(t->has_safe);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_require_signed),
	        cmocka_unit_test(test_trusted_root_is_read),
	        cmocka_unit_test(test_empty),
	        cmocka_unit_test(test_values),
	        cmocka_unit_test(test_models),
	        cmocka_unit_test(test_endpoints),
	        cmocka_unit_test(test_thousands_of_endpoints),
	        cmocka_unit_test(test_service_defaults_to_none),
	        cmocka_unit_test(test_quorum_is_a_majority),
	        cmocka_unit_test(test_credentials),
	        cmocka_unit_test(test_round_trip),
	        cmocka_unit_test(test_dump_holds_defaults),
	        cmocka_unit_test(test_example),
	        cmocka_unit_test(test_damage),
	        cmocka_unit_test(test_documents),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
