/* What others put into the queue of a Delay module: registry calls alone become a proposal, what is
 * not exactly known is foreign and told once, and nothing is drafted before the module has
 * answered. */
#include "daemon/govern/enqueued.h"

#include "common/eth/abi.h"
#include "common/governance/delay.h"
#include "common/governance/events.h"
#include "common/store/store_chain.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hash32 value = {{0xaa, 0xbb}};
static const struct address kms = {{0x4b}}, avatar = {{0xaa}}, module = {{0xde}}, stranger = {{7}};
static const struct address account = {{0x5a}}; /* who enqueues for us; no Safe */

enum { HEAD = 1000, FINAL = 936, BLOCK = 980, NEXT = 5 /* the entry whose turn it is */ };

struct bench {
	struct govern_world *w;
	struct lane *lane;
	struct jval *(*method)(const char *name, const struct jval *params, void *arg);
	unsigned next_index, asked;
	bool deaf; /* the node does not say whose turn it is in the module */
};

/* What the node is given as its argument is the world. */
static struct bench *bench_of_node;

static struct jval *method(const char *name, const struct jval *params, void *arg)
{
	struct bench *b = bench_of_node;
	const char *data = jval_get_string(jval_at(params, 0), "data");
	struct buf asked = {0};

	buf_append_hex(&asked, view_call(VIEW_DELAY_NONCE));
	bool of_module = strcmp(name, "eth_call") == 0 && strstr(data, buf_text(&asked)) != NULL;
	buf_free(&asked);
	b->asked += of_module;
	if (of_module && b->deaf)
		return jval_new_string("not what was asked for");
	return b->method(name, params, arg);
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	if (govern_world_setup((void **)&b->w) != 0)
		return 1;
	b->method = b->w->node.method;
	b->w->node.method = method;
	bench_of_node = b;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	void *world = b->w;

	free(b);
	return govern_world_teardown(&world);
}

/* A target behind the module, beside the world's own. */
static void prepare(struct bench *b)
{
	struct govern_world *w = b->w;
	char at[4][ADDRESS_TEXT_SIZE];

	govern_world_prepare(
	        w, &(struct world_options){
	                   .target = arena_printf(
	                           &w->arena,
	                           "    batch: {quiet: 1ms}\n"
	                           "  vault:\n    chain: base\n    model: delay\n    kms: \"%s\"\n"
	                           "    safe: \"%s\"\n    execute: manual\n"
	                           "    batch: {quiet: 1ms}\n"
	                           "    delay: {address: \"%s\", enqueuer: \"%s\"}\n",
	                           address_text(at[0], &kms), address_text(at[1], &avatar),
	                           address_text(at[2], &module), address_text(at[3], &account)),
	                   .chain = ""});
	world_view_number(w, &module, VIEW_DELAY_NONCE, NEXT);
	world_view_number(w, &module, VIEW_DELAY_END, NEXT + 1);
	store_begin(w->store);
	store_target_put(w->store, "vault", WORLD_CHAIN, &kms, NULL);
	store_commit(w->store);
}

static void start(struct bench *b)
{
	b->lane = world_first_look(b->w);
}

static void restart(struct bench *b)
{
	govern_free(b->w->govern);
	start(b);
}

static void look(struct bench *b)
{
	enqueued_run(b->lane->enqueued);
	for (int i = 0; i < 900 && enqueued_is_looking(b->lane->enqueued); i++)
		world_run_for(b->w, 10);
	assert_false(enqueued_is_looking(b->lane->enqueued));
	world_run_for(b->w, 30);
}

/* --- what others put there ----------------------------------------------------------------------
 */

static struct contract_call registry_call(struct bench *b, enum action action)
{
	uint8_t data[REGISTRY_CALL_SIZE];

	registry_encode_call(data, KIND_OS_IMAGE, action, &value);
	return (struct contract_call){
	        .to = kms, .data = arena_copy(&b->w->arena, bytes_of(data, sizeof(data)))};
}

static struct delay_entry entry_of(struct bench *b)
{
	const struct contract_call call = registry_call(b, ACTION_ADD);

	return (struct delay_entry){.to = call.to, .data = call.data};
}

static void put(struct bench *b, uint64_t block, const struct address *contract,
                const struct hash32 *topic0, const struct hash32 *key, struct bytes data)
{
	struct seen_log log = {.block_number = block,
	                       .block_hash = node_hash(&b->w->node, block),
	                       .tx_hash = {{0x77, (uint8_t)(block >> 8), (uint8_t)block}},
	                       .log_index = b->next_index++,
	                       .address = *contract,
	                       .topic0 = *topic0,
	                       .key = *key,
	                       .data = data};

	store_begin(b->w->store);
	assert_true(store_log_put(b->w->store, WORLD_CHAIN, &log));
	store_commit(b->w->store);
}

static void is_added_as(struct bench *b, uint64_t block, uint64_t nonce,
                        const struct delay_entry *entry, const struct hash32 *hash)
{
	struct buf data = {0};
	struct abi_writer topics = abi_begin(&data, 2);

	abi_put_u64(&topics, nonce);
	abi_put_word(&topics, hash);
	struct abi_writer rest = abi_begin(&data, 4);
	abi_put_address(&rest, &entry->to);
	abi_put_u256(&rest, &entry->value);
	abi_put_bytes(&rest, entry->data);
	abi_put_u64(&rest, (uint64_t)entry->operation);
	put(b, block, &module, event_topic0(EVENT_DELAY_ADDED), hash, buf_bytes(&data));
	buf_free(&data);
}

static void is_added(struct bench *b, uint64_t block, uint64_t nonce,
                     const struct delay_entry *entry)
{
	struct hash32 hash = delay_tx_hash(entry);

	is_added_as(b, block, nonce, entry, &hash);
}

/* The module made its avatar act, and the registry tells of the value. */
static void ran(struct bench *b, uint64_t block)
{
	struct hash32 key = {{0}};

	memcpy(key.b + 12, module.b, sizeof(module.b));
	put(b, block, &kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), &value,
	    bytes_of(value.b, sizeof(value.b)));
	put(b, block, &avatar, event_topic0(EVENT_MODULE_SUCCESS), &key,
	    bytes_of(key.b, sizeof(key.b)));
}

static struct measurement_id record_for_vault(struct bench *b)
{
	struct evidence evidence = {.level = LEVEL_RECOMPUTED,
	                            .source = "folder",
	                            .artifact = "/srv/enclave.eif",
	                            .details = "{}"};
	bool created;

	store_begin(b->w->store);
	struct measurement_id id = store_measurement_record(b->w->store, "vault", KIND_OS_IMAGE,
	                                                    &value, &evidence, &created);
	store_commit(b->w->store);
	return id;
}

static size_t unacted(struct bench *b)
{
	return store_log_unacted(b->w->store, &b->w->arena, WORLD_CHAIN,
	                         event_topic0(EVENT_DELAY_ADDED), 1, HEAD)
	        .count;
}

static void assert_taken(struct bench *b)
{
	struct proposal_list list = world_proposals(b->w);

	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].origin, "external");
	assert_string_equal(list.items[0].target, "vault");
	assert_int_equal(list.items[0].model, MODEL_DELAY);
	assert_int_equal(list.items[0].call_count, 1);
	assert_true(hash32_equal(&list.items[0].calls[0].value, &value));
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 0);
	assert_int_equal(unacted(b), 0);
}

static void assert_foreign(struct bench *b, const char *part)
{
	assert_int_equal(world_proposals(b->w).count, 0);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 1);
	assert_string_equal(world_alarms(b->w, "[foreign]").subject, "vault");
	assert_contains(world_alarms(b->w, "[foreign]").text, part);
	assert_int_equal(unacted(b), 0);
}

static void assert_nothing(struct bench *b)
{
	assert_int_equal(world_proposals(b->w).count, 0);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 0);
}

/* --- what becomes of it -------------------------------------------------------------------------
 */

static void test_registry_calls_alone_are_followed(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	look(b);
	assert_taken(b);
	struct proposal p = world_proposals(b->w).items[0];
	struct hash32 hash = delay_tx_hash(&entry);
	assert_true(hash32_equal(&p.operation_id, &hash));
	assert_true(p.drafted_after < BLOCK);
	assert_true(address_is_zero(&p.safe)); /* who enqueues is an account */
	unsigned asked = b->asked;
	look(b);
	assert_int_equal(b->asked, asked);
	restart(b);
	look(b);
	assert_taken(b);
}

static void foreign_once(struct bench *b, const struct delay_entry *entry, const char *part)
{
	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, entry);
	look(b);
	assert_foreign(b, part);
	enqueued_look_again(b->lane->enqueued);
	look(b);
	assert_foreign(b, part);
	restart(b);
	look(b);
	assert_foreign(b, part);
}

static void test_more_than_registry_calls(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	entry.value = u256_from(1);
	foreign_once(b, &entry, "entry 5 of the Delay module 0xdE00");
}

static void test_a_delegatecall_of_unknown_code(void **state)
{
	struct delay_entry entry = {
	        .to = stranger, .data = bytes_text("abcd"), .operation = DELAY_DELEGATECALL};

	foreign_once(*state, &entry, "is more than registry calls and none of ours");
}

static void test_the_avatar_itself(void **state)
{
	struct delay_entry entry = {.to = avatar, .data = bytes_text("abcd")};

	foreign_once(*state, &entry, "to itself");
}

/* The calls behind a selector of ours that are not exactly as we would write them. */
static void test_calldata_with_something_behind_it(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);
	struct buf data = {0};

	buf_append_bytes(&data, entry.data);
	buf_append_text(&data, "more");
	entry.data = arena_copy(&b->w->arena, buf_bytes(&data));
	buf_free(&data);
	foreign_once(b, &entry, "entry 5 of");
}

static void test_what_does_not_concern_us(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = {.to = stranger, .data = bytes_text("abcd")};

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	look(b);
	assert_nothing(b);
	assert_int_equal(unacted(b), 0);
}

/* No module tells this: an endpoint makes it up. */
static void test_a_hash_that_is_not_the_entry_s(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	is_added_as(b, BLOCK, NEXT, &entry, &value);
	look(b);
	assert_nothing(b);
	assert_int_equal(unacted(b), 0);
}

/* The same entry twice: one waits, and the other one behind it is the same operation. */
static void test_the_same_entry_twice(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	is_added(b, BLOCK + 1, NEXT + 1, &entry);
	look(b);
	assert_taken(b);
}

/* --- what is over -------------------------------------------------------------------------------
 */

static void test_what_was_passed_over_is_nothing(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT - 1, &entry);
	look(b);
	assert_nothing(b);
	assert_int_equal(unacted(b), 0);
}

/* Added and executed while nobody was there. */
static void test_what_ran_is_put_down(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	store_begin(b->w->store);
	store_watched_add(b->w->store, WORLD_CHAIN, &kms, 0);
	store_watched_add(b->w->store, WORLD_CHAIN, &avatar, 0);
	store_commit(b->w->store);
	start(b);
	is_added(b, 900, NEXT - 1, &entry);
	ran(b, 910);
	look(b);
	assert_taken(b);
	assert_int_equal(world_alarms(b->w, "[unverified]").count, 0);
	restart(b);
	look(b);
	assert_taken(b);
}

static void test_what_ran_before_anybody_looked_is_history(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	is_added(b, 900, NEXT - 1, &entry);
	ran(b, 910);
	look(b);
	assert_nothing(b);
	assert_int_equal(unacted(b), 0);
}

/* --- answers that are wrong or late -------------------------------------------------------------
 */

static void test_nothing_is_drafted_before_the_module_answers(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	b->deaf = true;
	is_added(b, BLOCK, NEXT, &entry);
	struct measurement_id same = record_for_vault(b);
	struct measurement_id other = world_record(b->w, KIND_OS_IMAGE, &value);
	world_run_for(b->w, 300);
	/* Failed, and to be asked again: it still waits. */
	assert_true(lane_looks_at_others(b->lane));
	assert_nothing(b);
	assert_int_equal(world_measurement(b->w, same).status, MEASUREMENT_NEW);
	assert_int_equal(world_measurement(b->w, other).status, MEASUREMENT_NEW);
	b->deaf = false;
	world_until_status(b->w, other, MEASUREMENT_PROPOSED);
	/* What others made serves it, and none of ours beside that. */
	assert_int_equal(world_measurement(b->w, same).status, MEASUREMENT_PROPOSED);
	struct proposal_list list = world_proposals(b->w);
	assert_int_equal(list.count, 2);
	for (size_t i = 0; i < list.count; i++)
		assert_string_equal(list.items[i].origin, strcmp(list.items[i].target, "vault") == 0
		                                                  ? "external"
		                                                  : "registrard");
}

static void test_a_module_that_does_not_say_where_it_stands(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	world_reverts(b->w, &module, view_call(VIEW_DELAY_NONCE));
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	look(b);
	assert_nothing(b);
	assert_int_equal(unacted(b), 1);
	/* Not again before the next block. */
	unsigned asked = b->asked;
	look(b);
	assert_int_equal(b->asked, asked);
	world_view_number(b->w, &module, VIEW_DELAY_NONCE, NEXT);
	b->lane->head.number--;
	b->lane->head.hash = node_hash(&b->w->node, b->lane->head.number);
	look(b);
	assert_taken(b);
}

/* Added while the module was being asked: it was not part of the question. */
static void test_an_entry_that_comes_during_the_look(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b), late = {.to = avatar, .data = bytes_text("abcd")};

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	enqueued_run(b->lane->enqueued);
	assert_true(enqueued_is_looking(b->lane->enqueued));
	is_added(b, BLOCK + 1, NEXT + 1, &late);
	look(b);
	look(b);
	assert_int_equal(world_proposals(b->w).count, 1);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 1);
	assert_int_equal(unacted(b), 0);
}

static void test_stopped_while_the_module_is_asked(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	enqueued_run(b->lane->enqueued);
	assert_true(enqueued_is_looking(b->lane->enqueued));
	restart(b);
	look(b);
	assert_taken(b);
}

/* --- reorganisations ----------------------------------------------------------------------------
 */

/* It was over by what a reorganisation took away: it stands there again. */
static void test_what_a_reorganisation_gives_back(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = entry_of(b);

	prepare(b);
	start(b);
	world_view_number(b->w, &module, VIEW_DELAY_NONCE, NEXT + 1);
	is_added(b, BLOCK, NEXT, &entry);
	look(b);
	assert_nothing(b);
	world_view_number(b->w, &module, VIEW_DELAY_NONCE, NEXT);
	look(b);
	assert_nothing(b); /* nobody asks without a reason */
	enqueued_look_again(b->lane->enqueued);
	look(b);
	assert_taken(b);
}

/* The log is gone, and comes back in another block. */
static void test_foreign_in_another_block_is_told_once(void **state)
{
	struct bench *b = *state;
	struct delay_entry entry = {.to = avatar, .data = bytes_text("abcd")};

	prepare(b);
	start(b);
	is_added(b, BLOCK, NEXT, &entry);
	look(b);
	assert_foreign(b, "to itself");
	store_begin(b->w->store);
	store_chain_rewind(b->w->store, WORLD_CHAIN, FINAL);
	store_commit(b->w->store);
	is_added(b, BLOCK + 2, NEXT, &entry);
	enqueued_look_again(b->lane->enqueued);
	look(b);
	assert_foreign(b, "to itself");
	/* Under another number it is another one. */
	is_added(b, BLOCK + 3, NEXT + 1, &entry);
	look(b);
	assert_int_equal(world_alarms(b->w, "[foreign]").count, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_registry_calls_alone_are_followed),
	        TEST(test_more_than_registry_calls),
	        TEST(test_a_delegatecall_of_unknown_code),
	        TEST(test_the_avatar_itself),
	        TEST(test_calldata_with_something_behind_it),
	        TEST(test_what_does_not_concern_us),
	        TEST(test_a_hash_that_is_not_the_entry_s),
	        TEST(test_the_same_entry_twice),
	        TEST(test_what_was_passed_over_is_nothing),
	        TEST(test_what_ran_is_put_down),
	        TEST(test_what_ran_before_anybody_looked_is_history),
	        TEST(test_nothing_is_drafted_before_the_module_answers),
	        TEST(test_a_module_that_does_not_say_where_it_stands),
	        TEST(test_an_entry_that_comes_during_the_look),
	        TEST(test_stopped_while_the_module_is_asked),
	        TEST(test_what_a_reorganisation_gives_back),
	        TEST(test_foreign_in_another_block_is_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
