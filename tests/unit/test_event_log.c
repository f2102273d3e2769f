#include "common/measure/event_log.h"

#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define FOLDER "tests/fixtures/tdx/"

static struct event_log parse_text(struct arena *arena, const char *text)
{
	struct event_log log;
	struct error error = {0};

	if (event_log_parse(arena, &log, bytes_text(text), &error) != 0)
		fail_msg("%s", error.text);
	return log;
}

static struct checks judge(struct arena *arena, const struct event_log *log)
{
	struct checks checks = {.arena = arena};

	event_log_judge(log, &checks);
	return checks;
}

static void assert_hex(const void *got, size_t size, const char *want)
{
	char text[2 * SHA384_SIZE + 1];

	assert_string_equal(hex_encode(text, bytes_of(got, size)), want);
}

/* --- digests -----------------------------------------------------------------------------------
 */

static void test_digest_vectors(void **state)
{
	struct jval *file = fixture_json(FOLDER "event_digest_vectors.json");
	const struct jval *vectors = jval_get(file, "vectors");
	struct arena arena = {0};
	uint8_t digest[SHA384_SIZE];

	(void)state;
	assert_int_equal(jval_count(vectors), 7);
	for (size_t i = 0; i < jval_count(vectors); i++) {
		const struct jval *one = jval_at(vectors, i);
		const char *name = fixture_string(one, "event");
		struct bytes payload = fixture_hex(&arena, one, "payload");
		event_digest(digest, 1, name, payload);
		assert_hex(digest, 48, fixture_string(one, "v1_sha384"));
		event_digest(digest, 2, name, payload);
		assert_hex(digest, 48, fixture_string(one, "v2_sha384"));
	}
	arena_free(&arena);
	jval_free(file);
}

/* --- real logs ---------------------------------------------------------------------------------
 */

static int first_event(const char *name, const struct jval *payload, void *arg)
{
	const struct event *event = event_log_find(arg, name);
	char text[4096];

	assert_non_null(event);
	assert_true(event->payload.len < sizeof(text) / 2);
	assert_string_equal(hex_encode(text, event->payload), jval_string(payload));
	return 0;
}

static int real_log(const char *name, const struct jval *entry, void *arg)
{
	const struct jval *want = jval_get(entry, "event_log_expected");
	struct arena arena = {0};
	struct event_log log;

	if (want == NULL)
		return 0;
	struct bytes text =
	        fixture_bytes(&arena, arena_printf(&arena, FOLDER "%s.event_log.json", name));
	assert_int_equal(event_log_parse(&arena, &log, text, NULL), 0);
	assert_int_equal(log.count, fixture_int(want, "events"));
	bool trimmed = strcmp(name, "tdx-lite-attestation") == 0;
	for (size_t i = 0; i < EVENT_LOG_RTMRS; i++) {
		assert_hex(log.rtmr[i], SHA384_SIZE,
		           jval_string(jval_at(jval_get(want, "replay"), i)));
		if (i < 3)
			assert_int_equal(log.has_boot[i], !trimmed);
	}
	assert_hex(log.rtmr3_boot, SHA384_SIZE, fixture_string(want, "rtmr3_boottime"));
	assert_int_equal(jval_each(jval_get(want, "first_before_system_ready"), first_event, &log),
	                 0);
	struct checks checks = judge(&arena, &log);
	assert_true(checks_passed(&checks, "event-digests"));
	assert_true(checks_passed(&checks, "event-rules"));
	++*(int *)arg;
	arena_free(&arena);
	return 0;
}

static void test_real_logs_replay(void **state)
{
	struct jval *expected = fixture_json(FOLDER "expected.json");
	int count = 0;

	(void)state;
	assert_int_equal(jval_each(expected, real_log, &count), 0);
	assert_int_equal(count, 7);
	jval_free(expected);
}

/* --- rules -------------------------------------------------------------------------------------
 */

#define EVENT(name, payload)                                                                       \
	"{\"imr\":3,\"event_type\":134217729,\"digest\":\"\",\"event\":\"" name                    \
	"\",\"event_payload\":\"" payload "\"}"
#define ID20 "1111111111111111111111111111111111111111"
#define OTHER20 "2222222222222222222222222222222222222222"
#define HASH32 "3333333333333333333333333333333333333333333333333333333333333333"
#define OTHER32 "4444444444444444444444444444444444444444444444444444444444444444"
#define START EVENT("system-preparing", "") "," EVENT("app-id", ID20) ","
#define GOOD START EVENT("compose-hash", HASH32)
#define READY EVENT("system-ready", "")

static void test_what_the_application_emits_is_not_trusted(void **state)
{
	struct arena arena = {0};
	struct event_log log =
	        parse_text(&arena, "[" GOOD "," READY "," EVENT("compose-hash", OTHER32) "," EVENT(
	                                   "key-provider", "00") "," EVENT("app-id", OTHER20) "]");

	(void)state;
	assert_int_equal(log.trusted, 4);
	assert_true(log.is_ready);
	assert_hex(event_log_find(&log, "compose-hash")->payload.data, 32, HASH32);
	assert_hex(event_log_find(&log, "app-id")->payload.data, 20, ID20);
	assert_null(event_log_find(&log, "key-provider"));
	struct checks checks = judge(&arena, &log);
	assert_true(checks_passed(&checks, "event-rules"));

	/* They are replayed all the same. */
	struct event_log shorter = parse_text(&arena, "[" GOOD "," READY "]");
	assert_memory_not_equal(log.rtmr[3], shorter.rtmr[3], SHA384_SIZE);
	arena_free(&arena);
}

static void test_rules(void **state)
{
	static const struct {
		const char *log;
		enum check_result result;
		const char *text;
	} cases[] = {
	        {"[" GOOD "]", CHECK_UNDECIDED, "no system-ready event: the boot is not finished"},
	        {"[]", CHECK_UNDECIDED, "no system-ready event: the boot is not finished"},
	        {"[" START READY "]", CHECK_FAILED,
	         "0 compose-hash events before system-ready, expected exactly one"},
	        {"[" GOOD "," EVENT("compose-hash", OTHER32) "," READY "]", CHECK_FAILED,
	         "2 compose-hash events before system-ready, expected exactly one"},
	        {"[" GOOD "," EVENT("app-id", ID20) "," READY "]", CHECK_FAILED,
	         "2 app-id events before system-ready, expected exactly one"},
	        {"[" START EVENT("compose-hash", ID20) "," READY "]", CHECK_FAILED,
	         "event 2 (compose-hash): 20 bytes, expected 32"},
	        {"[" GOOD "," EVENT("instance-id", "00") "," READY "]", CHECK_FAILED,
	         "event 3 (instance-id): 1 bytes, expected 20"},
	        {"[" GOOD "," EVENT("instance-id", "") "," READY "]", CHECK_PASSED, NULL},
	        {"[" GOOD "," EVENT("a:b", "") "," READY "]", CHECK_FAILED,
	         "event 3: a colon in the name"},
	        {"[" GOOD "," READY "," EVENT("a:b", "") "]", CHECK_PASSED, NULL},
	        {"[" GOOD "," EVENT("init-script-hash", HASH32) "," EVENT("init-script-hash",
	                                                                  OTHER32) "," READY "]",
	         CHECK_PASSED, NULL},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct event_log log = parse_text(&arena, cases[i].log);
		struct checks checks = judge(&arena, &log);
		const struct check *check = checks_find(&checks, "event-rules");
		assert_int_equal(check->result, cases[i].result);
		if (cases[i].text != NULL)
			assert_string_equal(check->text, cases[i].text);
	}
	arena_free(&arena);
}

static void test_broken_logs(void **state)
{
	static const struct {
		const char *log, *text;
	} cases[] = {
	        {"{}", "expected an array of events"},
	        {"[1]", "event 0: expected an object"},
	        {"[{\"imr\":4,\"event_type\":1}]", "event 0: imr: expected a number from 0 to 3"},
	        {"[{\"imr\":-1,\"event_type\":1}]", "event 0: imr: expected a number from 0 to 3"},
	        {"[{\"imr\":0,\"event_type\":4294967296}]",
	         "event 0: event_type: expected a number from 0 to 4294967295"},
	        /* A stated digest in RTMR3 could hide a true event. */
	        {"[{\"imr\":3,\"event_type\":1,\"event\":\"x\"}]",
	         "event 0: type 1 for RTMR3; RTMR3, and only it, has type 134217729"},
	        {"[{\"imr\":2,\"event_type\":134217729,\"event\":\"x\"}]",
	         "event 0: type 134217729 for RTMR2; RTMR3, and only it, has type 134217729"},
	        {"[{\"imr\":3,\"event_type\":134217729}]", "event 0: event: expected text"},
	        {"[{\"imr\":0,\"event_type\":1,\"digest\":\"0\"}]",
	         "event 0: digest: 1 hex digits"},
	        {"[{\"imr\":0,\"event_type\":1,\"digest\":\"zz\"}]",
	         "event 0: digest: digit 1 is not hexadecimal"},
	        {"[{\"imr\":0,\"event_type\":1,\"digest\":7}]",
	         "event 0: digest: expected hex text"},
	        {"[{\"imr\":0,\"event_type\":1,\"digest\":\"" HASH32 HASH32 "\"}]",
	         "event 0: a digest of 64 bytes, at most 48"},
	        {"[{\"imr\":3,\"event_type\":134217729,\"event\":\"x\",\"version\":3}]",
	         "event 0: version: expected a number from 0 to 2"},
	        {"[{\"imr\":3,\"event_type\":134217729,\"event\":\"x\",\"version\":0}]",
	         "event 0: version 0, expected 1 or 2"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct event_log log;
		struct error error = {0};
		assert_true(event_log_parse(&arena, &log, bytes_text(cases[i].log), &error) < 0);
		assert_string_equal(error.text, cases[i].text);
		assert_int_equal(log.count, 0);
	}
	arena_free(&arena);
}

static void test_version_2_and_stated_digests(void **state)
{
	struct arena arena = {0};
	struct event_log log = parse_text(
	        &arena,
	        "[{\"imr\":3,\"event_type\":134217729,\"event\":\"compose-hash\","
	        "\"event_payload\":\"deadbeef\",\"version\":2,\"digest\":"
	        "\"5399bc1ea1f6fe6fa79b73613e"
	        "50906407144a4db6cf16b44def81d9a176c3b334b49e58de1c47d440e8eef3e8b21f6f\"}]");

	(void)state;
	assert_null(log.misstated);
	struct event_log first = parse_text(
	        &arena,
	        "[{\"imr\":3,\"event_type\":134217729,\"event\":\"compose-hash\","
	        "\"event_payload\":\"deadbeef\",\"digest\":\"5399bc1ea1f6fe6fa79b73613e"
	        "50906407144a4db6cf16b44def81d9a176c3b334b49e58de1c47d440e8eef3e8b21f6f\"}]");
	assert_ptr_equal(first.misstated, &first.events[0]);
	assert_memory_not_equal(first.rtmr[3], log.rtmr[3], SHA384_SIZE);
	struct checks checks = judge(&arena, &first);
	assert_int_equal(checks_find(&checks, "event-digests")->result, CHECK_FAILED);
	arena_free(&arena);
}

static void test_too_many_events(void **state)
{
	struct arena arena = {0};
	struct buf text = {0};
	struct event_log log;

	(void)state;
	buf_append_text(&text, "[0");
	for (int i = 0; i < EVENT_LOG_MAX; i++)
		buf_append_text(&text, ",0");
	buf_append_text(&text, "]");
	assert_int_equal(event_log_parse(&arena, &log, buf_bytes(&text), NULL), ERR_LIMIT);
	buf_free(&text);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_digest_vectors),
	        cmocka_unit_test(test_real_logs_replay),
	        cmocka_unit_test(test_what_the_application_emits_is_not_trusted),
	        cmocka_unit_test(test_rules),
	        cmocka_unit_test(test_broken_logs),
	        cmocka_unit_test(test_version_2_and_stated_digests),
	        cmocka_unit_test(test_too_many_events),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
