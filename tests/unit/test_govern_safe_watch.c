/* Changes of a Safe become alarms: once, with who is behind them, and not for history. */
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "daemon/govern/safe_watch.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SINCE = 900 };

struct desk {
	struct govern_world *w;
	struct lane *lane;
	unsigned logs;
};

static int setup(void **state)
{
	struct desk *desk = xcalloc(1, sizeof(*desk));

	govern_world_setup((void **)&desk->w);
	govern_world_start(desk->w, &(struct world_options){.target = "", .chain = ""});
	desk->lane = world_lane(desk->w);
	desk->lane->head.number = 1000;
	store_begin(desk->w->store);
	store_watched_add(desk->w->store, WORLD_CHAIN, &desk->w->safe, SINCE);
	store_commit(desk->w->store);
	*state = desk;
	return 0;
}

static int teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->w;

	free(desk);
	return govern_world_teardown(&world);
}

static struct hash32 word_of(const struct address *address)
{
	struct hash32 word = {{0}};

	memcpy(word.b + 12, address->b, sizeof(address->b));
	return word;
}

static void happen(struct desk *desk, uint64_t block, const struct address *contract,
                   enum event_type type, struct hash32 word)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xbb, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .tx_hash = {{0x77, (uint8_t)block}},
	                       .log_index = desk->logs++,
	                       .address = *contract,
	                       .topic0 = *event_topic0(type),
	                       .key = word,
	                       .data = bytes_of(word.b, sizeof(word.b))};

	store_begin(desk->w->store);
	assert_true(store_log_put(desk->w->store, WORLD_CHAIN, &log));
	store_commit(desk->w->store);
}

/* The Safe's own execution in that block. */
static void executed(struct desk *desk, uint64_t block)
{
	uint8_t data[64] = {0x5a, 0xfe};
	struct seen_log log = {.block_number = block,
	                       .block_hash = {{0xbb, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .tx_hash = {{0x77, (uint8_t)block}},
	                       .log_index = desk->logs++,
	                       .address = desk->w->safe,
	                       .topic0 = *event_topic0(EVENT_SAFE_SUCCESS),
	                       .key = {{0x5a, 0xfe}},
	                       .data = bytes_of(data, sizeof(data))};

	store_begin(desk->w->store);
	assert_true(store_log_put(desk->w->store, WORLD_CHAIN, &log));
	store_commit(desk->w->store);
}

static void expect(struct desk *desk, size_t count, const char *text)
{
	safe_watch_run(desk->lane);
	safe_watch_run(desk->lane); /* told once */
	struct world_alarms told = world_alarms(desk->w, "");
	assert_int_equal(told.count, count);
	assert_string_equal(told.subject, "payments");
	assert_contains(told.text, text);
}

static void test_a_guard(void **state)
{
	struct desk *desk = *state;
	struct address guard = {{0x60}}, none = {{0}};

	happen(desk, 950, &desk->w->safe, EVENT_SAFE_GUARD, word_of(&guard));
	executed(desk, 950);
	expect(desk, 1,
	       "[guard-changed] Safe 0xa4dcFd4eDA4a6Dac21037C99ee34f23F1e58a10B: every "
	       "transaction now passes guard 0x6000");
	expect(desk, 1, ", by safeTxHash 0x5afe00");
	expect(desk, 1, " in transaction 0x77b600");
	happen(desk, 951, &desk->w->safe, EVENT_SAFE_GUARD, word_of(&none));
	expect(desk, 2, "it has no guard any more, in transaction 0x77b7");
}

static void test_modules(void **state)
{
	struct desk *desk = *state;
	struct address module = {{0x40}}, actor = {{0x41}};

	happen(desk, 950, &desk->w->safe, EVENT_MODULE_ENABLED, word_of(&module));
	happen(desk, 950, &desk->w->safe, EVENT_MODULE_SUCCESS, word_of(&actor));
	expect(desk, 1, "[module-changed]");
	expect(desk, 1, "without its owners by module 0x40");
	expect(desk, 1, ", by module 0x41");
	happen(desk, 951, &desk->w->safe, EVENT_MODULE_DISABLED, word_of(&module));
	expect(desk, 2, "does not obey any more module 0x40");
}

static void test_signers_in_one_sentence(void **state)
{
	struct desk *desk = *state;
	struct address out = {{0x01}}, in = {{0x02}};
	struct hash32 three = {{[31] = 3}};

	happen(desk, 950, &desk->w->safe, EVENT_SAFE_OWNER_REMOVED, word_of(&out));
	happen(desk, 950, &desk->w->safe, EVENT_SAFE_OWNER_ADDED, word_of(&in));
	happen(desk, 950, &desk->w->safe, EVENT_SAFE_THRESHOLD, three);
	expect(desk, 1,
	       "removed, owner 0x0200000000000000000000000000000000000000 added, the "
	       "threshold is 3");
	/* Another transaction is another alarm. */
	happen(desk, 951, &desk->w->safe, EVENT_SAFE_THRESHOLD, three);
	expect(desk, 2, ": the threshold is 3, in transaction");
}

static void test_code(void **state)
{
	struct desk *desk = *state;
	struct address code = {{0x99}};

	happen(desk, 950, &desk->w->safe, EVENT_SAFE_SINGLETON, word_of(&code));
	expect(desk, 1, "[safe-code-changed]");
	expect(desk, 1, "its code is now at 0x99");
	happen(desk, 951, &desk->w->safe, EVENT_SAFE_FALLBACK, word_of(&code));
	expect(desk, 2, "answered by handler 0x99");
}

static void test_history_and_others_are_not_told(void **state)
{
	struct desk *desk = *state;
	struct address module = {{0x40}}, other = {{0x0f}};

	happen(desk, SINCE - 1, &desk->w->safe, EVENT_MODULE_ENABLED, word_of(&module));
	happen(desk, 950, &other, EVENT_MODULE_ENABLED, word_of(&module)); /* a Delay module */
	safe_watch_run(desk->lane);
	assert_int_equal(world_alarms(desk->w, "").count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_a_guard),
	        TEST(test_modules),
	        TEST(test_signers_in_one_sentence),
	        TEST(test_code),
	        TEST(test_history_and_others_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
