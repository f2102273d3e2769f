/* What `wait` concludes from the records about a value. */
#include "daemon/api/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hash32 value = {{1}}, other = {{2}};

static enum wait_verdict judge(const struct measurement *items, size_t count,
                               const struct build *builds, size_t build_count, char *said,
                               size_t size)
{
	struct arena arena = {0};
	struct measurement_list measurements = {(struct measurement *)items, count};
	struct build_list list = {(struct build *)builds, build_count};
	const char *reason = NULL;

	enum wait_verdict verdict = wait_judge(&arena, &measurements, &list, &value, &reason);
	assert_non_null(reason);
	snprintf(said, size, "%s", reason);
	arena_free(&arena);
	return verdict;
}

static void measurements_decide(void **state)
{
	static const struct {
		enum measurement_status status;
		bool wanted;
		enum wait_verdict alone, beside_authorized;
	} cases[] = {
	        {MEASUREMENT_NEW, true, WAIT_ON, WAIT_ON},
	        {MEASUREMENT_PROPOSED, true, WAIT_ON, WAIT_ON},
	        {MEASUREMENT_AUTHORIZED, true, WAIT_ASK, WAIT_ASK},
	        {MEASUREMENT_HELD, true, WAIT_NEVER, WAIT_NEVER},
	        {MEASUREMENT_REVOKED, true, WAIT_NEVER, WAIT_NEVER},
	        {MEASUREMENT_REFUSED, true, WAIT_NEVER, WAIT_NEVER},
	        {MEASUREMENT_NEW, false, WAIT_NEVER, WAIT_NEVER},
	        {MEASUREMENT_PROPOSED, false, WAIT_NEVER, WAIT_NEVER},
	        {MEASUREMENT_AUTHORIZED, false, WAIT_NEVER, WAIT_NEVER},
	};
	char said[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct measurement one = {.id = {3},
		                          .kind = KIND_OS_IMAGE,
		                          .wanted = cases[i].wanted,
		                          .status = cases[i].status,
		                          .reason = "because"};
		struct measurement two[2] = {{.id = {4},
		                              .kind = KIND_COMPOSE,
		                              .wanted = true,
		                              .status = MEASUREMENT_AUTHORIZED},
		                             one};
		assert_int_equal(judge(&one, 1, NULL, 0, said, sizeof(said)), cases[i].alone);
		if (cases[i].alone == WAIT_NEVER) {
			assert_non_null(strstr(said, "m3 (os-image)"));
			assert_non_null(strstr(said, "because"));
		}
		assert_int_equal(judge(two, 2, NULL, 0, said, sizeof(said)),
		                 cases[i].beside_authorized);
	}
}

static void a_value_not_seen_yet_may_come(void **state)
{
	struct build elsewhere = {
	        .id = {1}, .status = BUILD_REFUSED, .has_value = true, .value = other};
	struct build valueless = {.id = {2}, .status = BUILD_REFUSED};
	const struct build builds[] = {elsewhere, valueless};
	char said[200];

	(void)state;
	assert_int_equal(judge(NULL, 0, NULL, 0, said, sizeof(said)), WAIT_ON);
	assert_int_equal(judge(NULL, 0, builds, 2, said, sizeof(said)), WAIT_ON);
}

static void only_refused_builds_end_it(void **state)
{
	struct build builds[] = {
	        {.id = {1},
	         .status = BUILD_REFUSED,
	         .has_value = true,
	         .value = value,
	         .reason = "bad CRC"},
	        {.id = {2},
	         .status = BUILD_REFUSED,
	         .has_value = true,
	         .value = value,
	         .reason = "debug"},
	};
	char said[200];

	(void)state;
	assert_int_equal(judge(NULL, 0, builds, 2, said, sizeof(said)), WAIT_NEVER);
	assert_non_null(strstr(said, "b2: debug"));
	builds[0].status = BUILD_OPEN;
	assert_int_equal(judge(NULL, 0, builds, 2, said, sizeof(said)), WAIT_ON);
	builds[0].status = BUILD_ACCEPTED;
	assert_int_equal(judge(NULL, 0, builds, 2, said, sizeof(said)), WAIT_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(measurements_decide),
	        cmocka_unit_test(a_value_not_seen_yet_may_come),
	        cmocka_unit_test(only_refused_builds_end_it),
	};
	return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
