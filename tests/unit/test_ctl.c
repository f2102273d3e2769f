/* registrarctl without a daemon: its command line, and how answers look. */
#include "daemon/ctl/options.h"
#include "daemon/ctl/render.h"
#include "daemon/ctl/render_registry.h"
#include "daemon/ctl/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define VALUE "0x1111111111111111111111111111111111111111111111111111111111111111"

enum { MAX_WORDS = 12 };

/* Parses a command line of words separated by single spaces. The words live in line. */
static int parse(struct ctl_options *out, char *line, struct error *error)
{
	static char *words[MAX_WORDS + 2]; /* ctl_options points into it */
	static char program[] = "registrarctl";
	int count = 0;

	words[count++] = program;
	for (char *word = line; word != NULL && *word != '\0' && count <= MAX_WORDS;) {
		char *space = strchr(word, ' ');
		if (space != NULL)
			*space++ = '\0';
		words[count++] = word;
		word = space;
	}
	words[count] = NULL;
	return ctl_options_parse(out, count, words, error);
}

static void good_lines(void **state)
{
	static const struct {
		const char *line, *command, *argument, *target;
		bool json;
	} cases[] = {
	        {"status", "status", NULL, NULL, false},
	        {"--json status", "status", NULL, NULL, true},
	        {"status --json", "status", NULL, NULL, true},
	        {"measurements", "measurements", NULL, NULL, false},
	        {"measurements m12 --json", "measurements", "m12", NULL, true},
	        {"measurements " VALUE, "measurements", VALUE, NULL, false},
	        {"proposals p7", "proposals", "p7", NULL, false},
	        {"check --target payments " VALUE, "check", VALUE, "payments", false},
	        {"check " VALUE " --target=payments", "check", VALUE, "payments", false},
	        {"wait " VALUE, "wait", VALUE, NULL, false},
	        {"approve b3", "approve", "b3", NULL, false},
	        {"export p1 --format cast", "export", "p1", NULL, false},
	        {"inspect a.eif b.json -", "inspect", "a.eif", NULL, false},
	        {"backup /tmp/x", "backup", "/tmp/x", NULL, false},
	        {"log --follow", "log", NULL, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ctl_options options;
		struct error error = {0};
		char *line = xstrdup(cases[i].line);
		if (parse(&options, line, &error) != 0)
			fail_msg("%s: %s", cases[i].line, error.text);
		assert_string_equal(options.command->name, cases[i].command);
		assert_int_equal(options.json, cases[i].json);
		assert_string_equal(options.argument != NULL ? options.argument : "",
		                    cases[i].argument != NULL ? cases[i].argument : "");
		assert_string_equal(options.target != NULL ? options.target : "",
		                    cases[i].target != NULL ? cases[i].target : "");
		free(line);
	}
}

static void values_of_options(void **state)
{
	struct ctl_options options;
	struct error error = {0};
	char wait_line[] = "wait " VALUE " --timeout 90s --socket /run/x.sock",
	     plain[] = "wait " VALUE;
	char inspect_line[] = "inspect a b c";

	(void)state;
	assert_int_equal(parse(&options, wait_line, &error), 0);
	assert_int_equal(options.timeout_ms, 90000);
	assert_string_equal(options.socket, "/run/x.sock");
	assert_int_equal(parse(&options, plain, &error), 0);
	assert_int_equal(options.timeout_ms, 72LL * 3600 * 1000);
	assert_string_equal(options.socket, "/run/registrard/control.sock");
	assert_int_equal(parse(&options, inspect_line, &error), 0);
	assert_int_equal(options.file_count, 3);
	assert_string_equal(options.files[2], "c");
}

static void ways_to_ask_for_help(void **state)
{
	static const char *const lines[] = {"help", "--help", "-h", "help wait", "wait --help"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct ctl_options options;
		struct error error = {0};
		char *line = xstrdup(lines[i]);
		assert_int_equal(parse(&options, line, &error), 0);
		assert_true(options.help);
		assert_string_equal(options.command != NULL ? options.command->name : "",
		                    i < 3 ? "" : "wait");
		free(line);
	}
}

static void bad_lines(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
	        {"", "which command?"},
	        {"nonsense", "unknown command \"nonsense\""},
	        {"help nonsense", "unknown command \"nonsense\""},
	        {"status extra", "unexpected argument \"extra\""},
	        {"status --bogus", "unknown option --bogus"},
	        {"status --target", "--target needs a value"},
	        {"status --target x", "status takes no --target"},
	        {"wait", "wait needs an argument"},
	        {"wait 0x12", "value \"0x12\": 2 hex digits, expected 64"},
	        {"wait " VALUE "00", "value \"" VALUE "00\": 66 hex digits"},
	        {"wait " VALUE " --timeout 72", "--timeout: \"72\" is not a duration"},
	        {"check " VALUE, "check needs --target"},
	        {"register " VALUE, "register needs --target"},
	        {"approve", "approve needs an argument"},
	        {"approve x1", "\"x1\" is no id; expected one such as m12, p7 or b3"},
	        {"approve m0", "\"m0\" is no id"},
	        {"approve m", "\"m\" is no id"},
	        {"approve m1 m2", "unexpected argument \"m2\""},
	        {"export m1", "\"m1\" is no proposal"},
	        {"export p1x", "\"p1x\" is no proposal"},
	        {"proposals m1", "\"m1\" is no proposal"},
	        {"inspect", "inspect needs an argument"},
	        {"inspect a --trusted-root r", "--trusted-root and --identity need each other"},
	        {"inspect a --identity r", "--trusted-root and --identity need each other"},
	        {"inspect a --issuer i", "--issuer and --predicate-type need --trusted-root"},
	        {"inspect a --trusted-root r --identity i --public-key k",
	         "--public-key and --trusted-root are two different things"},
	        {"status --public-key k", "status takes no --public-key"},
	        {"backup", "backup needs an argument"},
	        {"log --follow --verify", "--follow and --verify are two different things"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ctl_options options;
		struct error error = {0};
		char *line = xstrdup(cases[i].line);
		if (parse(&options, line, &error) != ERR_INVALID)
			fail_msg("accepted: %s", cases[i].line);
		if (strncmp(error.text, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s\n   found: %s\nexpected: %s", cases[i].line, error.text,
			         cases[i].error);
		free(line);
	}
}

static void help_names_everything(void **state)
{
	struct buf all = {0}, one = {0};

	(void)state;
	ctl_help(&all, NULL);
	for (size_t i = 0; i < ctl_command_count; i++) {
		assert_non_null(strstr(buf_text(&all), ctl_commands[i].name));
		buf_clear(&one);
		ctl_help(&one, &ctl_commands[i]);
		assert_non_null(strstr(buf_text(&one), ctl_commands[i].usage));
		/* What it cannot do without stands in its usage. */
		if (ctl_commands[i].required & OPT_TARGET)
			assert_non_null(strstr(ctl_commands[i].usage, " --target T"));
	}
	buf_free(&all);
	buf_free(&one);
}

/* --- rendering ------------------------------------------------------------------------------- */

static void assert_rendered(void (*render)(struct buf *out, const struct jval *value),
                            const char *json, const char *expected)
{
	struct error error = {0};
	struct buf out = {0};
	struct jval *value;

	if (jval_parse(&value, bytes_text(json), &error) != 0)
		fail_msg("%s", error.text);
	render(&out, value);
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
	jval_free(value);
}

static void columns_are_aligned(void **state)
{
	struct table table = {0};
	struct buf out = {0};

	(void)state;
	table_add(&table, "ID", "VALUE", "LAST");
	table_add(&table, "m1",
	          "0x12\xe2\x80\xa6"
	          "34",
	          "x");
	table_add(&table, "m100", NULL, "");
	table_write(&out, &table, 2);
	assert_string_equal(buf_text(&out), "  ID    VALUE    LAST\n"
	                                    "  m1    0x12\xe2\x80\xa6"
	                                    "34  x\n"
	                                    "  m100  -\n");
	buf_free(&out);
}

/* A file name or an image's metadata must not be able to speak to the terminal. */
static void control_characters_are_shown(void **state)
{
	struct buf out = {0};

	(void)state;
	text_append(&out, "a\x1b[2Jb\n\x7f\xc2\x9b"
	                  "c\xc3\xa9");
	assert_string_equal(buf_text(&out), "a\\x1b[2Jb\\x0a\\x7f\\x9bc\xc3\xa9");
	buf_free(&out);
}

static void render_measurement(struct buf *out, const struct jval *one)
{
	render_measurement_after(out, one, NULL);
}

static void a_measurement_in_full(void **state)
{
	(void)state;
	assert_rendered(render_measurement,
	                "{\"id\":\"m1\",\"kind\":\"os-image\",\"value\":\"0xab\",\"target\":"
	                "\"payments\",\"wanted\":\"present\","
	                "\"status\":\"held\",\"reason\":\"weak\",\"pending\":null,\"evidence\":[{"
	                "\"level\":\"recomputed\","
	                "\"signed\":true,\"source\":\"folder\",\"artifact\":\"/a/"
	                "\\u001b[31m.eif\",\"details\":{\"pcr0\":\"00\","
	                "\"size\":12}}],\"first_seen\":\"2026-01-01T00:00:00.000Z\",\"proposals\":["
	                "\"p1\",\"p2\"]}",
	                "m1  os-image  payments\n"
	                "  value         0xab\n"
	                "  status        held: weak\n"
	                "  wanted        present\n"
	                "  first seen    2026-01-01T00:00:00.000Z\n"
	                "  proposals     p1, p2\n"
	                "  evidence      recomputed, signed, from folder: /a/\\x1b[31m.eif\n"
	                "      pcr0           00\n"
	                "      size           12\n");
}

static void the_same_evidence_is_printed_once(void **state)
{
	static const char evidence[] =
	        "\"evidence\":[{\"level\":\"claimed\",\"signed\":false,\"source\":\"folder\","
	        "\"artifact\":\"/a/m.json\",\"details\":{\"pcr0\":\"00\",\"app_id\":\"\"}}]";
	struct buf text = {0}, out = {0};
	struct jval *first, *second;

	(void)state;
	buf_printf(&text, "{\"id\":\"m1\",%s}", evidence);
	assert_int_equal(jval_parse(&first, buf_bytes(&text), NULL), 0);
	buf_clear(&text);
	buf_printf(&text, "{\"id\":\"m2\",%s}", evidence);
	assert_int_equal(jval_parse(&second, buf_bytes(&text), NULL), 0);
	render_measurement_after(&out, first, NULL);
	assert_non_null(strstr(buf_text(&out), "  evidence      claimed, from folder: /a/m.json\n"
	                                       "      pcr0           00\n"));
	assert_null(strstr(buf_text(&out), "app_id")); /* has no value */
	buf_clear(&out);
	render_measurement_after(&out, second, first);
	assert_non_null(strstr(buf_text(&out), "  evidence      as of m1\n"));
	assert_null(strstr(buf_text(&out), "pcr0"));
	jval_free(first);
	jval_free(second);
	buf_free(&text);
	buf_free(&out);
}

static void a_proposal_in_full(void **state)
{
	(void)state;
	assert_rendered(
	        render_proposal,
	        "{\"id\":\"p7\",\"target\":\"payments\",\"origin\":\"registrard\",\"state\":"
	        "\"multisig\","
	        "\"flags\":[\"overdue\"],\"calls\":[{\"to\":\"0xcc\",\"data\":\"0x\",\"action\":"
	        "\"add\","
	        "\"kind\":\"os-image\",\"value\":\"0xab\"}],\"safe\":\"0x5afe\",\"safe_txs\":[{"
	        "\"purpose\":\"schedule\","
	        "\"attempt\":1,\"safe_tx_hash\":\"0xdd\",\"nonce\":4,\"confirmations\":1,"
	        "\"threshold\":2,"
	        "\"status\":\"queued\",\"tx\":null}],\"safe_tx_hash\":\"0xdd\",\"safe_nonce\":4,"
	        "\"confirmations\":1,"
	        "\"threshold\":2,\"operation_id\":\"0xee\",\"ready_at\":null,\"history\":[{\"at\":"
	        "\"2026-01-01T00:00:00.123Z\",\"from\":null,\"to\":\"drafted\",\"reason\":\"1 "
	        "call\",\"tx\":null},"
	        "{\"at\":\"2026-01-01T00:00:01.000Z\",\"from\":\"drafted\",\"to\":\"multisig\","
	        "\"reason\":\"posted\","
	        "\"tx\":\"0xff\"}]}",
	        "p7  payments  multisig (overdue)  by registrard\n"
	        "  Safe          0x5afe\n"
	        "  nonce         4\n"
	        "  signed        1 of 2\n"
	        "  Safe tx hash  0xdd\n"
	        "  operation     0xee\n"
	        "  ready at      -\n"
	        "  calls\n"
	        "    add  os-image  0xab  on  0xcc\n"
	        "  Safe transactions\n"
	        "    PURPOSE   ATTEMPT  NONCE  STATUS  SIGNED  SAFE TX HASH  TRANSACTION\n"
	        "    schedule  1        4      queued  1 of 2  0xdd          -\n"
	        "  history\n"
	        "    2026-01-01T00:00:00Z  drafted   1 call\n"
	        "    2026-01-01T00:00:01Z  multisig  posted; transaction 0xff\n");
}

/* The rejection of what waits waits for the same. */
static void a_nonce_waits_once(void **state)
{
	struct buf out = {0};
	struct jval *one;

	(void)state;
	assert_int_equal(
	        jval_parse(&one,
	                   bytes_text("{\"safe_txs\":[{\"purpose\":\"schedule\",\"nonce\":7,"
	                              "\"blocked\":{\"nonce\":6,\"since\":"
	                              "\"2026-01-01T00:00:00.1Z\",\"by\":\"p4\"}},"
	                              "{\"purpose\":\"reject\",\"nonce\":7,"
	                              "\"blocked\":{\"nonce\":6,\"since\":"
	                              "\"2026-01-01T00:00:09.1Z\",\"by\":\"p4\"}}]}"),
	                   NULL),
	        0);
	render_proposal(&out, one);
	const char *first = strstr(buf_text(&out),
	                           "nonce 7 waits for nonce 6 since 2026-01-01T00:00:00Z: p4\n");
	assert_non_null(first);
	assert_null(strstr(first + strlen("nonce 7 waits"), "waits for"));
	jval_free(one);
	buf_free(&out);
}

static void a_decision_shows_what_it_did(void **state)
{
	(void)state;
	assert_rendered(render_decided,
	                "[{\"id\":\"p7\",\"target\":\"payments\",\"state\":\"multisig\","
	                "\"flags\":[\"withdrawing\"]}]",
	                "p7  payments  proposal    multisig (withdrawing)\n");
	assert_rendered(render_decided,
	                "[{\"id\":\"m7\",\"target\":\"payments\",\"kind\":\"compose\","
	                "\"value\":\"0xab\",\"status\":\"held\"}]",
	                "m7  payments  compose  0xab  held\n");
}

static void what_is_displaced(void **state)
{
	(void)state;
	assert_rendered(
	        render_revoked,
	        "[{\"id\":\"m1\",\"target\":\"payments\",\"kind\":\"compose\",\"value\":\"0xab\","
	        "\"status\":\"proposed\",\"wanted\":\"absent\","
	        "\"next\":[\"its removal is drafted\",\"twice\",\"twice\"],\"displaces\":["
	        "{\"nonce\":4,\"safe_tx_hash\":\"0x1\",\"proposal\":\"p1\",\"by\":\"registrard\","
	        "\"withdrawing\":false},"
	        "{\"nonce\":4,\"safe_tx_hash\":\"0x2\",\"proposal\":\"p2\",\"by\":\"registrard\","
	        "\"withdrawing\":true},"
	        "{\"nonce\":4,\"safe_tx_hash\":\"0x3\",\"proposal\":null,\"by\":null,"
	        "\"withdrawing\":false}]}]",
	        "m1  payments  compose  0xab  proposed, wanted absent\n"
	        "- its removal is drafted\n"
	        "- twice\n"
	        "displaces nonce 4: 0x1 of p1, which is proposed again\n"
	        "displaces nonce 4: 0x2 of p2, which is being withdrawn\n"
	        "displaces nonce 4: 0x3, proposed by others; who wants it has to propose it again\n"
	        "whichever of them owners execute first uses the nonce; the others with it can run "
	        "no more\n");
}

/* What nobody could answer is no difference. */
static void a_drift_that_is_not_known(void **state)
{
	(void)state;
	assert_rendered(render_drift, "[{\"verdict\":\"ok\"},{\"verdict\":\"ok\"}]",
	                "2 values compared, 0 not as recorded\n");
	assert_rendered(render_drift,
	                "[{\"verdict\":\"ok\"},{\"verdict\":\"undecided\",\"target\":\"t\","
	                "\"kind\":\"compose\",\"value\":\"0xab\",\"chain\":\"unknown\","
	                "\"recorded\":\"held\",\"wanted\":\"present\",\"tx\":\"0x1\"}]",
	                "VERDICT    TARGET  KIND     VALUE  CHAIN    RECORDED  WANTED   "
	                "LAST TRANSACTION\n"
	                "undecided  t       compose  0xab   unknown  held      present  0x1\n"
	                "2 values compared, 0 not as recorded, 1 undecided\n");
}

static void the_last_alarms(void **state)
{
	struct buf out = {0};
	struct jval *status;

	(void)state;
	assert_int_equal(
	        jval_parse(
	                &status,
	                bytes_text("{\"last_alarms\":[{\"id\":9,\"at\":\"2026-01-01T00:00:00.1Z\","
	                           "\"subject\":\"b7\",\"text\":\"[build-refused] no\"}]}"),
	                NULL),
	        0);
	render_status(&out, status);
	assert_non_null(strstr(buf_text(&out),
	                       "\nLAST ALARMS           ABOUT  TEXT\n"
	                       "2026-01-01T00:00:00Z  b7     [build-refused] no\n"));
	jval_free(status);
	buf_free(&out);
}

static void an_event_on_one_line(void **state)
{
	(void)state;
	assert_rendered(render_event,
	                "{\"id\":3,\"at\":\"2026-01-01T00:00:00.500Z\",\"type\":\"alarm\","
	                "\"subject\":\"p7\",\"text\":\"a\\nb\"}",
	                "2026-01-01T00:00:00Z 3 alarm p7: a\\x0ab\n");
}

static void doctor_says_what_to_do(void **state)
{
	(void)state;
	assert_rendered(render_doctor,
	                "[{\"target\":\"payments\",\"check\":\"chain "
	                "id\",\"result\":\"ok\",\"found\":\"8453\",\"fix\":null},"
	                "{\"target\":\"payments\",\"check\":\"owner\",\"result\":\"failure\","
	                "\"found\":\"0x1\",\"fix\":"
	                "\"transfer it\"}]",
	                "OK    payments  chain id  8453\n"
	                "FAIL  payments  owner     0x1\n"
	                "                          -> transfer it\n"
	                "2 checks, 1 not fine\n");
}

/* Whatever a daemon of another version leaves out is shown as missing; nothing breaks. */
static void missing_fields_are_shown_as_such(void **state)
{
	static void (*const all[])(struct buf * out, const struct jval *value) = {
	        render_status,   render_measurements, render_measurement, render_proposals,
	        render_proposal, render_event,        render_check,       render_doctor,
	        render_decided,  render_inspected};
	static const char *const inputs[] = {
	        "null", "{}", "[]", "[{}]", "\"x\"", "[null]", "{\"evidence\":[{}]}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t j = 0; j < ARRAY_LEN(inputs); j++) {
			struct buf out = {0};
			struct jval *value;
			assert_int_equal(jval_parse(&value, bytes_text(inputs[j]), NULL), 0);
			all[i](&out, value);
			assert_null(strstr(buf_text(&out), "(null)"));
			buf_free(&out);
			jval_free(value);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_lines),
	        cmocka_unit_test(values_of_options),
	        cmocka_unit_test(bad_lines),
	        cmocka_unit_test(ways_to_ask_for_help),
	        cmocka_unit_test(help_names_everything),
	        cmocka_unit_test(columns_are_aligned),
	        cmocka_unit_test(control_characters_are_shown),
	        cmocka_unit_test(a_measurement_in_full),
	        cmocka_unit_test(the_same_evidence_is_printed_once),
	        cmocka_unit_test(a_proposal_in_full),
	        cmocka_unit_test(the_last_alarms),
	        cmocka_unit_test(a_drift_that_is_not_known),
	        cmocka_unit_test(what_is_displaced),
	        cmocka_unit_test(a_decision_shows_what_it_did),
	        cmocka_unit_test(a_nonce_waits_once),
	        cmocka_unit_test(an_event_on_one_line),
	        cmocka_unit_test(doctor_says_what_to_do),
	        cmocka_unit_test(missing_fields_are_shown_as_such),
	};
	return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
