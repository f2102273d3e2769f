/* An entry in a Delay module: from logs and reads to what the rules of the lifecycle decide. A real
 * store, and a module that answers as the test says. */
#include "daemon/govern/observe_delay.h"

#include "common/eth/abi.h"
#include "common/governance/events.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { DRAFTED_AFTER = 1000, CREATED = 3000, COOLDOWN = 600, EXPIRATION = 100, OURS = 3 };

/* How the module stands at one block. */
struct answers {
	bool silent;
	uint64_t next, end, expiration;
	bool other_hash; /* it keeps another entry under our number */
	enum check_answer mapping;
};

struct world {
	struct store_fixture *f;
	struct config_target target;
	struct observe_context context;
	struct answers head, final;
	struct proposal_id id;
	struct proposal proposal;
	struct observed seen;
	struct delay_entry entry;
	struct hash32 hash;
	unsigned logs;
};

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	store_fixture_setup((void **)&w->f);
	w->target = (struct config_target){.name = (char *)"payments",
	                                   .model = MODEL_DELAY,
	                                   .kms = store_fixture_address(1),
	                                   .safe = store_fixture_address(3),
	                                   .timelock = store_fixture_address(4),
	                                   .avatar = store_fixture_address(5),
	                                   .has_safe = true,
	                                   .has_timelock = true};
	w->context = (struct observe_context){.store = w->f->store,
	                                      .arena = &w->f->arena,
	                                      .head = {.number = 1100, .timestamp = CREATED + 10},
	                                      .final = {.number = 1050},
	                                      .now = {STORE_FIXTURE_START}};
	w->head = w->final = (struct answers){.next = OURS, .end = OURS + 1, .mapping = CHECK_NO};
	struct measurement_id measurement = store_fixture_record(w->f, 1);
	struct call call = store_fixture_call(w->f, ACTION_ADD, 1);
	w->entry = (struct delay_entry){.to = call.to, .data = call.data};
	w->hash = delay_tx_hash(&w->entry);
	struct new_proposal proposal = {.target = "payments",
	                                .origin = "registrard",
	                                .chain_id = STORE_FIXTURE_CHAIN,
	                                .model = MODEL_DELAY,
	                                .safe = w->target.safe,
	                                .timelock = w->target.timelock,
	                                .operation_id = w->hash,
	                                .drafted_after = DRAFTED_AFTER,
	                                .expires_at = {STORE_FIXTURE_START + 1000},
	                                .calls = &call,
	                                .call_count = 1};
	store_begin(w->f->store);
	assert_int_equal(store_proposal_create(w->f->store, &proposal, &w->id, &w->f->error), 0);
	store_call_serve(w->f->store, STORE_FIXTURE_CHAIN, &call.to, call.data, measurement);
	store_commit(w->f->store);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *fixture = w->f;

	free(w);
	return store_fixture_teardown(&fixture);
}

/* --- the chain ----------------------------------------------------------------------------------
 */

static struct chain_read_result word(struct arena *arena, uint64_t value)
{
	uint8_t bytes[32] = {0};

	be64_put(bytes + 24, value);
	return (struct chain_read_result){true, arena_copy(arena, bytes_of(bytes, 32))};
}

static bool asks(const struct chain_read *read, const char *signature)
{
	uint8_t selector[ABI_SELECTOR];

	abi_selector(selector, signature);
	return memcmp(read->data.data, selector, sizeof(selector)) == 0;
}

static struct chain_read_result answer_one(const struct world *w, const struct chain_read *read,
                                           const struct answers *answers)
{
	struct arena *arena = &w->f->arena;
	uint64_t number =
	        read->data.len == 36 ? be64_get(read->data.data + 28) : 0; /* the argument */

	if (memcmp(read->data.data, kind_getter_selector(KIND_OS_IMAGE), 4) == 0)
		return word(arena, answers->mapping == CHECK_YES);
	if (memcmp(read->data.data, is_authorized_selector, 4) == 0 || answers->silent)
		return (struct chain_read_result){.success = false};
	if (asks(read, "txNonce()"))
		return word(arena, answers->next);
	if (asks(read, "queueNonce()"))
		return word(arena, answers->end);
	if (asks(read, "txCooldown()"))
		return word(arena, COOLDOWN);
	if (asks(read, "txExpiration()"))
		return word(arena, answers->expiration);
	if (asks(read, "txCreatedAt(uint256)"))
		return word(arena, number < answers->end ? CREATED - OURS + number : 0);
	if (asks(read, "nonce()"))
		return word(arena, 1);
	assert_true(asks(read, "txHash(uint256)"));
	assert_in_range(number, OURS - 1, OURS + 1);
	if (answers->other_hash)
		return word(arena, 7);
	return (struct chain_read_result){true, bytes_of(w->hash.b, sizeof(w->hash.b))};
}

static struct chain_read_result *answer(const struct world *w, const struct reads *reads,
                                        const struct answers *answers)
{
	struct chain_read_result *results =
	        arena_array(&w->f->arena, reads->count, sizeof(*results));

	for (size_t i = 0; i < reads->count; i++)
		results[i] = answer_one(w, &reads->items[i], answers);
	return results;
}

static struct hash32 tx_of(unsigned n)
{
	return (struct hash32){{0x77, (uint8_t)n}};
}

static void happen(struct world *w, struct seen_log log)
{
	log.block_hash = (struct hash32){
	        {0xbb, (uint8_t)(log.block_number >> 8), (uint8_t)log.block_number}};
	log.tx_hash = tx_of((unsigned)log.block_number);
	log.log_index = w->logs++;
	store_begin(w->f->store);
	assert_true(store_log_put(w->f->store, STORE_FIXTURE_CHAIN, &log));
	store_commit(w->f->store);
}

/* The entry enters the queue under this number. */
static void is_added(struct world *w, uint64_t block, uint64_t nonce)
{
	struct buf data = {0};
	struct abi_writer topics = abi_begin(&data, 2);

	abi_put_u64(&topics, nonce);
	abi_put_word(&topics, &w->hash);
	struct abi_writer rest = abi_begin(&data, 4);
	abi_put_address(&rest, &w->entry.to);
	abi_put_u256(&rest, &w->entry.value);
	abi_put_bytes(&rest, w->entry.data);
	abi_put_u64(&rest, (uint64_t)w->entry.operation);
	happen(w, (struct seen_log){.block_number = block,
	                            .address = w->target.timelock,
	                            .topic0 = *event_topic0(EVENT_DELAY_ADDED),
	                            .key = w->hash,
	                            .data = buf_bytes(&data)});
	buf_free(&data);
}

static void is_passed_over(struct world *w, uint64_t block, uint64_t nonce)
{
	struct chain_read_result number = word(&w->f->arena, nonce);
	struct hash32 key;

	memcpy(key.b, number.returned.data, sizeof(key.b));
	happen(w, (struct seen_log){.block_number = block,
	                            .address = w->target.timelock,
	                            .topic0 = *event_topic0(EVENT_DELAY_NONCE),
	                            .key = key,
	                            .data = number.returned});
}

static void safe_obeys(struct world *w, uint64_t block, const struct address *module)
{
	struct hash32 key = {{0}};

	memcpy(key.b + 12, module->b, sizeof(module->b));
	happen(w, (struct seen_log){.block_number = block,
	                            .address = w->target.avatar,
	                            .topic0 = *event_topic0(EVENT_MODULE_SUCCESS),
	                            .key = key,
	                            .data = bytes_of(key.b, sizeof(key.b))});
}

static void registry_says(struct world *w, uint64_t block, enum action action)
{
	struct hash32 value = store_fixture_hash(1);

	happen(w, (struct seen_log){.block_number = block,
	                            .address = w->entry.to,
	                            .topic0 = *event_registry_topic0(KIND_OS_IMAGE, action),
	                            .key = value,
	                            .data = bytes_of(value.b, sizeof(value.b))});
}

/* --- one look -----------------------------------------------------------------------------------
 */

static enum proposal_state look_without(struct world *w, const struct config_target *target)
{
	struct reads reads = {.arena = &w->f->arena}, final = {.arena = &w->f->arena};

	assert_int_equal(store_proposal_get(w->f->store, &w->f->arena, w->id, &w->proposal), 0);
	w->seen = (struct observed){.proposal = &w->proposal, .target = target};
	store_safe_tx_list(w->f->store, &w->f->arena, w->id, &w->seen.txs);
	observe_ask_head(&w->seen, &w->context, &reads);
	store_begin(w->f->store);
	observe_head(&w->seen, &w->context, answer(w, &reads, &w->head), NULL);
	store_commit(w->f->store);
	if (w->seen.wants_final) {
		observe_ask_final(&w->seen, &final);
		store_begin(w->f->store);
		observe_final(&w->seen, &w->context, answer(w, &final, &w->final));
		store_commit(w->f->store);
	}
	struct transition next =
	        lifecycle_next(w->proposal.model, w->proposal.state, &w->seen.seen);
	return next.moves ? next.to : 0;
}

static enum proposal_state look(struct world *w)
{
	return look_without(w, &w->target);
}

static void be_in(struct world *w, enum proposal_state state)
{
	static const enum proposal_state way[] = {STATE_DRAFTED, STATE_MULTISIG, STATE_TIMELOCK,
	                                          STATE_EXECUTE, STATE_EXECUTED};

	for (size_t i = 0; way[i] != state; i++)
		store_fixture_move(w->f, w->id, way[i], way[i + 1], "to begin with");
}

/* --- waiting ------------------------------------------------------------------------------------
 */

static void test_waits_for_its_time_and_its_turn(void **state)
{
	struct world *w = *state;

	is_added(w, 1010, OURS);
	assert_int_equal(look(w), STATE_TIMELOCK);
	assert_int_equal(w->seen.seen.ready_at, CREATED + COOLDOWN);
	be_in(w, STATE_TIMELOCK);
	w->context.head.timestamp = CREATED + COOLDOWN - 1;
	assert_int_equal(look(w), 0);
	w->context.head.timestamp = CREATED + COOLDOWN;
	w->head.next = OURS - 2;
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.turn, TURN_OTHERS);
	assert_true(w->seen.delay->has_front);
	assert_int_equal(w->seen.delay->front, OURS - 2);
	assert_int_equal(w->seen.delay->front_created_at, CREATED - 2);
	w->head.next = OURS;
	assert_int_equal(look(w), STATE_EXECUTE);
}

static void test_a_look_that_tells_nothing(void **state)
{
	struct world *w = *state;

	be_in(w, STATE_TIMELOCK);
	is_added(w, 1010, OURS);
	w->head.silent = true;
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNKNOWN);
	/* Logs and state speak of different entries: one of them is of another block. */
	w->head.silent = false;
	w->head.other_hash = true;
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNKNOWN);
	w->head.other_hash = false;
	w->head.next = w->head.end = OURS;
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNKNOWN);
}

/* What stood there before this proposal was drafted is another one's. */
static void test_an_earlier_entry_is_none_of_it(void **state)
{
	struct world *w = *state;

	is_added(w, DRAFTED_AFTER, OURS);
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNSET);
}

static void test_it_expires_where_it_stands(void **state)
{
	struct world *w = *state;

	is_added(w, 1010, OURS);
	be_in(w, STATE_EXECUTE);
	w->head.expiration = EXPIRATION;
	w->context.head.timestamp = CREATED + COOLDOWN + EXPIRATION;
	assert_int_equal(look(w), 0);
	w->context.head.timestamp++;
	assert_int_equal(look(w), STATE_TIMELOCK);
	assert_int_equal(w->seen.seen.turn, TURN_OVER);
	/* Its owner gives it more time. */
	store_fixture_move(w->f, w->id, STATE_EXECUTE, STATE_TIMELOCK, "expired");
	w->head.expiration = 0;
	assert_int_equal(look(w), STATE_EXECUTE);
}

/* --- passed -------------------------------------------------------------------------------------
 */

static void test_executed_is_what_safe_and_registry_say(void **state)
{
	struct world *w = *state;

	is_added(w, 1010, OURS);
	be_in(w, STATE_EXECUTE);
	w->head.next = w->head.end;
	registry_says(w, 1060, ACTION_ADD);
	safe_obeys(w, 1060, &w->target.timelock);
	assert_int_equal(look(w), STATE_EXECUTED);
	const struct hash32 executed = tx_of((uint8_t)1060);
	assert_true(hash32_equal(observed_tx(&w->seen, STATE_EXECUTED), &executed));
	assert_false(w->seen.seen.executed_final);

	store_fixture_move(w->f, w->id, STATE_EXECUTE, STATE_EXECUTED, "executed");
	w->final.next = w->final.end;
	w->final.mapping = CHECK_YES;
	assert_int_equal(look(w), 0);
	w->context.final.number = 1060;
	assert_int_equal(look(w), STATE_CONFIRMED);
}

/* The counter alone tells nothing, nor does half of what it takes. */
static void test_passed_is_not_executed(void **state)
{
	struct world *w = *state;
	const struct address other = store_fixture_address(9);

	registry_says(w, 1005, ACTION_ADD); /* before it was there */
	safe_obeys(w, 1005, &w->target.timelock);
	is_added(w, 1010, OURS);
	be_in(w, STATE_EXECUTE);
	registry_says(w, 1020, ACTION_ADD); /* by the Safe's own owners */
	registry_says(w, 1021, ACTION_ADD); /* by another module */
	safe_obeys(w, 1021, &other);
	safe_obeys(w, 1022, &w->target.timelock); /* another entry of this one */
	w->head.next = w->final.next = OURS + 1;
	is_passed_over(w, 1040, OURS + 1);
	assert_int_equal(look(w), STATE_CANCELLED);
	const struct hash32 veto = tx_of((uint8_t)1040);
	assert_true(hash32_equal(observed_tx(&w->seen, STATE_CANCELLED), &veto));
	/* Not yet at finality. */
	w->final.next = OURS;
	assert_int_equal(look(w), 0);
	assert_true(w->seen.seen.cancelled_latest);
	/* What it asked for is there all the same. */
	w->final.next = OURS + 1;
	w->final.mapping = CHECK_YES;
	assert_int_equal(look(w), STATE_EXECUTED);
}

static void test_skipped_after_its_time(void **state)
{
	struct world *w = *state;

	is_added(w, 1010, OURS);
	be_in(w, STATE_TIMELOCK);
	w->head.expiration = EXPIRATION;
	w->head.next = w->final.next = OURS + 1;
	is_passed_over(w, 1020, OURS - 1); /* an earlier veto, not of this one */
	w->context.head.timestamp = CREATED + COOLDOWN + EXPIRATION + 1;
	assert_int_equal(look(w), STATE_EXPIRED);
	/* In its time nobody but the owner can have passed over it, told or not. */
	w->context.head.timestamp = CREATED + COOLDOWN + EXPIRATION;
	assert_int_equal(look(w), STATE_CANCELLED);
}

/* Without its target nobody follows the avatar: a missing log says nothing. */
static void test_nothing_ends_unseen(void **state)
{
	struct world *w = *state;

	is_added(w, 1010, OURS);
	be_in(w, STATE_EXECUTE);
	w->head.next = w->final.next = OURS + 1;
	assert_int_equal(look_without(w, NULL), 0);
	assert_int_equal(w->seen.seen.operation, OPERATION_UNKNOWN);
}

static void test_the_same_entry_again(void **state)
{
	struct world *w = *state;

	/* Vetoed by others once; the later one counts. */
	is_added(w, 1005, OURS - 1);
	is_passed_over(w, 1006, OURS);
	is_added(w, 1010, OURS);
	assert_int_equal(look(w), STATE_TIMELOCK);
	assert_int_equal(w->seen.delay->added.nonce, OURS);
}

static void test_added_once_more_it_keeps_its_place(void **state)
{
	struct world *w = *state;

	is_added(w, 1010, OURS);
	is_added(w, 1020, OURS + 1);
	w->head.end = w->final.end = OURS + 2;
	w->context.head.timestamp = CREATED + COOLDOWN;
	assert_int_equal(look(w), STATE_EXECUTE);
	assert_int_equal(w->seen.delay->added.nonce, OURS);
	/* It ran: the other one is nothing of it. */
	safe_obeys(w, 1030, &w->target.timelock);
	registry_says(w, 1030, ACTION_ADD);
	w->head.next = w->final.next = OURS + 1;
	assert_int_equal(look(w), STATE_EXECUTED);
	assert_int_equal(w->seen.delay->added.nonce, OURS);
}

static void test_far_back_in_the_queue(void **state)
{
	struct world *w = *state;

	w->head.end = 40;
	w->head.next = 0;
	is_added(w, 1010, OURS);
	be_in(w, STATE_TIMELOCK);
	assert_int_equal(look(w), 0);
	assert_int_equal(w->seen.delay->front, 0);
	assert_int_equal(w->seen.delay->front_created_at, CREATED - OURS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_waits_for_its_time_and_its_turn),
	        TEST(test_a_look_that_tells_nothing),
	        TEST(test_an_earlier_entry_is_none_of_it),
	        TEST(test_it_expires_where_it_stands),
	        TEST(test_executed_is_what_safe_and_registry_say),
	        TEST(test_passed_is_not_executed),
	        TEST(test_skipped_after_its_time),
	        TEST(test_nothing_ends_unseen),
	        TEST(test_the_same_entry_again),
	        TEST(test_added_once_more_it_keeps_its_place),
	        TEST(test_far_back_in_the_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
