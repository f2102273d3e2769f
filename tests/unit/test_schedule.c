/* Whose turn it is: due times, limits and rests, against a model that looks at everything. */
#include "daemon/watch/schedule.h"

#include "daemon/watch/endpoint.h"

#include "common/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mono at(int64_t ms)
{
	return (struct mono){ms};
}

static void in_order_of_time(void **state)
{
	static const int64_t due[] = {50, 10, 40, 20, 30, 10};
	struct schedule *schedule = schedule_new(100, 100);
	int64_t last = 0, *taken;
	struct mono next;

	(void)state;
	assert_false(schedule_next(schedule, &next));
	for (size_t i = 0; i < ARRAY_LEN(due); i++)
		schedule_add(schedule, "h", at(due[i]), (void *)(uintptr_t)&due[i]);
	assert_true(schedule_next(schedule, &next));
	assert_int_equal(next.ms, 10);
	assert_null(schedule_take(schedule, at(9)));
	for (int64_t now = 10; now <= 50; now += 10) {
		while ((taken = schedule_take(schedule, at(now))) != NULL) {
			assert_true(*taken >= last && *taken == now);
			last = *taken;
		}
	}
	assert_int_equal(schedule_active(schedule), ARRAY_LEN(due));
	assert_false(schedule_next(schedule, &next));
	schedule_free(schedule); /* with all of them under way */
}

struct item {
	struct schedule_item *item;
	unsigned host;
	bool under_way;
	int64_t due;
};

static void limits_hold_and_nobody_starves(void **state)
{
	enum { ITEMS = 300, HOSTS = 7, TOTAL = 9, PER_HOST = 3, STEPS = 20000 };
	struct schedule *schedule = schedule_new(TOTAL, PER_HOST);
	struct item items[ITEMS] = {0}, *taken;
	unsigned active[HOSTS] = {0}, asked[ITEMS] = {0}, total = 0;
	int64_t rest[HOSTS] = {0};
	char host[8];

	(void)state;
	for (unsigned i = 0; i < ITEMS; i++) {
		items[i].host = random_below(HOSTS);
		items[i].due = random_below(100);
		snprintf(host, sizeof(host), "h%u", items[i].host);
		items[i].item = schedule_add(schedule, host, at(items[i].due), &items[i]);
	}
	assert_int_equal(schedule_hosts(schedule), HOSTS);
	for (int64_t now = 0; now < STEPS; now++) {
		while ((taken = schedule_take(schedule, at(now))) != NULL) {
			assert_false(taken->under_way);
			assert_true(taken->due <= now && rest[taken->host] <= now);
			taken->under_way = true;
			asked[taken - items]++;
			total++;
			active[taken->host]++;
			assert_true(total <= TOTAL && active[taken->host] <= PER_HOST);
		}
		for (unsigned i = 0; i < ITEMS; i++) {
			struct item *item = &items[i];
			if (!item->under_way || random_below(3) != 0)
				continue;
			if (random_below(200) == 0) {
				rest[item->host] = now + 1 + random_below(20);
				schedule_rest(schedule, item->item, at(rest[item->host]));
			}
			item->under_way = false;
			item->due = now + 1 + random_below(200);
			total--;
			active[item->host]--;
			schedule_done(schedule, item->item, at(item->due));
		}
		assert_int_equal(schedule_active(schedule), total);
	}
	for (unsigned i = 0; i < ITEMS; i++)
		assert_true(asked[i] > 10);
	schedule_free(schedule);
}

static void a_host_that_rests_rests(void **state)
{
	struct schedule *schedule = schedule_new(10, 1);
	int a = 1, b = 2, c = 3;
	struct schedule_item *first = schedule_add(schedule, "x", at(0), &a);
	struct mono next;

	(void)state;
	schedule_add(schedule, "x", at(1), &b);
	assert_ptr_equal(schedule_take(schedule, at(1)), &a);
	assert_null(schedule_take(schedule, at(1))); /* one at a time */
	schedule_add(schedule, "y", at(1), &c);
	schedule_rest(schedule, first, at(1000));
	schedule_done(schedule, first, at(10));
	assert_ptr_equal(schedule_take(schedule, at(999)), &c);
	assert_null(schedule_take(schedule, at(999)));
	assert_true(schedule_next(schedule, &next));
	assert_int_equal(next.ms, 1000);
	assert_non_null(schedule_take(schedule, at(1000)));
	schedule_free(schedule);
}

/* --- endpoints --- */

static void pauses_stay_within_their_bounds(void **state)
{
	static const uint32_t randoms[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
	static const int64_t everies[] = {100, 60000, 3600000, 7 * 24 * 3600000LL};

	(void)state;
	for (size_t e = 0; e < ARRAY_LEN(everies); e++) {
		for (unsigned failures = 0; failures < 100; failures++) {
			int64_t wanted = everies[e], longest = ENDPOINT_LONGEST_PAUSE_MS;
			if (longest < wanted)
				longest = wanted;
			for (unsigned i = 0; i < failures && wanted < longest; i++)
				wanted *= 2;
			if (wanted > longest)
				wanted = longest;
			for (size_t r = 0; r < ARRAY_LEN(randoms); r++) {
				int64_t pause = endpoint_pause(everies[e], failures, randoms[r]);
				assert_true(pause >= wanted - wanted / 10);
				assert_true(pause <= wanted + wanted / 10);
			}
		}
		/* The whole breadth is used. */
		assert_int_equal(endpoint_pause(everies[e], 0, 0), everies[e] - everies[e] / 10);
		assert_true(endpoint_pause(everies[e], 0, 0xffffffff) >=
		            everies[e] + everies[e] / 10 - 1);
	}
}

static void apps_behind_a_gateway_share_its_limit(void **state)
{
#define ID "3f265a43fce3aab1a8dbcf9e7ee4b2f1b17cdc0a"
	static const struct {
		const char *url, *host;
	} cases[] = {
	        {"https://" ID "-8090.gw.example/prpc/Info?json", "gw.example"},
	        {"https://" ID "-8090s.GW.example:8443/prpc/Info", "gw.example:8443"},
	        {"https://" ID ".gw.example/prpc/Info", "gw.example"},
	        {"https://" ID "/prpc/Info", ID},
	        {"https://" ID ".", ID "."},
	        {"https://3f265a-8090.gw.example/prpc/Info", "3f265a-8090.gw.example"},
	        {"http://127.0.0.1:8090/prpc/Info", "127.0.0.1:8090"},
	        {"https://a.Example", "a.example"},
	        {"https://" ID "x.gw.example/", ID "x.gw.example"},
	        {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *host = endpoint_host(cases[i].url);
		assert_string_equal(host, cases[i].host);
		free(host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(in_order_of_time),
	        cmocka_unit_test(limits_hold_and_nobody_starves),
	        cmocka_unit_test(a_host_that_rests_rests),
	        cmocka_unit_test(pauses_stay_within_their_bounds),
	        cmocka_unit_test(apps_behind_a_gateway_share_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
