/* How many owners have confirmed: asked of a service that may lie, counted by the chain's owners.
 */
#include "daemon/govern/confirmations.h"

#include "common/crypto/hash.h"
#include "daemon/govern/proposer.h"
#include "common/store/store_event.h"
#include "daemon/govern/tracker.h"
#include "tests/unit/fixture.h"
#include "tests/unit/govern_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char transcripts[] = "tests/fixtures/safe-service/transcripts.json";
static const char tx_hash[] = "0xf272d618511df6685bc62514801994c28e2d1556fa71771febaedd92e656b279";

struct pending {
	struct govern_world *w;
	struct proposal_id proposal;
	struct safe_tx_id row;
};

static const char *recorded(struct govern_world *w, const char *name)
{
	struct jval *file = fixture_json(transcripts);
	const struct jval *list = jval_get(file, "transcripts");
	struct buf text = {0};

	for (size_t i = 0; i < jval_count(list); i++)
		if (strcmp(jval_get_string(jval_at(list, i), "name"), name) == 0)
			jval_write(&text, jval_get(jval_get(jval_at(list, i), "response"), "body"),
			           JVAL_COMPACT);
	jval_free(file);
	assert_true(text.len > 0);
	char *copy = arena_strdup(&w->arena, buf_text(&text));
	buf_free(&text);
	return copy;
}

/* A proposal whose schedule transaction is in the queue; the Safe and the transaction are those of
 * the recorded answers. */
static struct pending begin(struct govern_world *w, const char *hash)
{
	const struct world_options options = {.target = "", .chain = "", .with_service = true};
	struct pending pending = {.w = w};
	struct call call = {.to = w->kms, .action = ACTION_ADD, .kind = KIND_OS_IMAGE};
	uint8_t data[REGISTRY_CALL_SIZE];
	struct hash32 wanted;

	govern_world_prepare(w, &options);
	registry_encode_call(data, KIND_OS_IMAGE, ACTION_ADD, &call.value);
	call.data = bytes_of(data, sizeof(data));
	assert_int_equal(hash32_parse(&wanted, hash, NULL), 0);
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = WORLD_CHAIN,
	                                .model = MODEL_SAFE_TIMELOCK,
	                                .safe = w->safe,
	                                .timelock = w->timelock,
	                                .delay = WORLD_DELAY,
	                                .expires_at = {INT64_MAX},
	                                .calls = &call,
	                                .call_count = 1};
	store_begin(w->store);
	store_target_put(w->store, "payments", WORLD_CHAIN, &w->kms, &w->app);
	assert_int_equal(store_proposal_create(w->store, &proposal, &pending.proposal, &w->error),
	                 0);
	pending.row = store_safe_tx_add(w->store, pending.proposal, PURPOSE_SCHEDULE, &w->safe,
	                                &w->timelock, bytes_text("data"), 0);
	assert_int_equal(store_safe_tx_assign(w->store, pending.row, 42, &wanted, &w->error), 0);
	store_safe_tx_set_status(w->store, pending.row, SAFE_TX_QUEUED, NULL, 0);
	store_commit(w->store);
	w->govern = govern_new(&w->parts);
	return pending;
}

static struct safe_tx_row row(const struct pending *pending)
{
	struct safe_tx_list list;

	store_safe_tx_list(pending->w->store, &pending->w->arena, pending->proposal, &list);
	assert_int_equal(list.count, 1);
	return list.items[0];
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct govern_world *w, int64_t ms)
{
	struct loop_timer *timer = loop_timer_new(w->loop, stop, w->loop);

	loop_timer_set(timer, ms);
	world_run(w);
	loop_timer_free(timer);
}

/* The chain's owners are known after the first tick; then the service is asked, once. */
static void ask(struct pending *pending)
{
	struct govern_world *w = pending->w;
	struct lane *lane = govern_lane(w->govern, WORLD_CHAIN);
	const struct safe_view *safe;

	for (int i = 0; i < 500 && tracker_safe(lane->tracker, &w->safe, &safe) != 0; i++)
		run_for(w, 10);
	proposer_run(lane->proposer);
	for (int i = 0; i < 500 && w->service_requests == 0; i++)
		run_for(w, 10);
	run_for(w, 50);
	assert_int_equal(w->service_requests, 1);
}

static void test_confirmations_are_counted(void **state)
{
	struct govern_world *w = *state;

	w->transaction = recorded(w, "read: threshold reached 2 of 2");
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 2);
	assert_int_equal(row(&pending).threshold, 2);
	assert_non_null(strstr(w->service_path, tx_hash));
	/* Not due again, whatever wakes it. */
	for (int i = 0; i < 20; i++)
		govern_wake(w->govern);
	run_for(w, 50);
	assert_int_equal(w->service_requests, 1);
}

static void test_only_owners_of_today_count(void **state)
{
	struct govern_world *w = *state;
	const struct address other = {{0x99}};

	w->transaction = recorded(w, "read: threshold reached 2 of 2");
	uint8_t owners[96] = {[31] = 0x20, [63] = 1};
	memcpy(owners + 64 + 12, other.b, sizeof(other.b));
	world_says(w, &w->safe, view_call(VIEW_SAFE_OWNERS), bytes_of(owners, sizeof(owners)));
	world_view_number(w, &w->safe, VIEW_SAFE_THRESHOLD, 1);
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 0);
	assert_int_equal(row(&pending).threshold, 1);
}

/* A fully confirmed transaction that is not the one asked about. */
static void test_another_transaction_is_not_believed(void **state)
{
	struct govern_world *w = *state;
	struct event_list events;
	bool alarmed = false;

	w->transaction = recorded(w, "read: threshold reached 2 of 2");
	struct pending pending =
	        begin(w, "0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a");
	ask(&pending);
	assert_int_equal(row(&pending).confirmations, 0);
	store_event_list(w->store, &w->arena, 0, 1000, &events);
	for (size_t i = 0; i < events.count; i++)
		alarmed |= strcmp(events.items[i].type, "alarm") == 0 &&
		           strstr(events.items[i].text, "another transaction") != NULL;
	assert_true(alarmed);
}

static void test_a_service_that_fails_is_left_alone(void **state)
{
	struct govern_world *w = *state;

	w->service_status = 503;
	struct pending pending = begin(w, tx_hash);
	ask(&pending);
	for (int i = 0; i < 20; i++)
		govern_wake(w->govern);
	run_for(w, 50);
	assert_int_equal(w->service_requests, 1);
	assert_int_equal(row(&pending).status, SAFE_TX_QUEUED);
	assert_int_equal(row(&pending).confirmations, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, govern_world_setup, govern_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_confirmations_are_counted),
	        TEST(test_only_owners_of_today_count),
	        TEST(test_another_transaction_is_not_believed),
	        TEST(test_a_service_that_fails_is_left_alone),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
