/* What others change in registries and timelocks: which of it is told, with whom it is put down to,
 * and that our own proposals are not. */
#include "common/crypto/hash.h"
#include "common/governance/events.h"
#include "common/governance/timelock.h"
#include "daemon/govern/change_watch.h"
#include "daemon/govern/cause.h"
#include "tests/unit/govern_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hash32 value = {{0xaa, 0xbb}}, operation = {{0x0b}}, safe_hash = {{0x5a}};
static const struct hash32 tx = {{0x77}}, block = {{0xb1}};
static const struct address somebody = {{0x50}}, sender = {{0x5e}};

enum { BLOCK = 1100 };

struct bench {
	struct govern_world *w;
	struct lane *lane;
	unsigned next_index, asked;
	struct address to;  /* of the transaction, as the node tells it */
	struct bytes input; /* may be empty */
	bool unknown;
};

/* --- the node ----------------------------------------------------------------------------------
 */

static struct jval *method(const char *name, const struct jval *params, void *arg)
{
	struct bench *b = arg;

	(void)params;
	if (strcmp(name, "eth_getTransactionByHash") != 0)
		return NULL;
	b->asked++;
	if (b->unknown)
		return jval_new_null();
	struct jval *answer = jval_object();
	char text[ADDRESS_TEXT_SIZE];
	jval_add_hash32(answer, "hash", &tx);
	jval_add_hash32(answer, "blockHash", &block);
	jval_add_string(answer, "from", address_text(text, &sender));
	jval_add_string(answer, "to", address_text(text, &b->to));
	jval_add_hex(answer, "input", b->input);
	return answer;
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	if (govern_world_setup((void **)&b->w) != 0)
		return 1;
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

static void start(struct bench *b, const char *target)
{
	const struct world_options options = {.target = target, .chain = ""};

	govern_world_start(b->w, &options);
	b->lane = world_lane(b->w);
	for (int i = 0; i < 500 && !b->lane->have_head; i++)
		world_run_for(b->w, 10);
	assert_true(b->lane->have_head);
	b->w->node.method = method;
	b->w->node.arg = b;
	b->lane->final.number = 2000;
}

/* --- logs --------------------------------------------------------------------------------------
 */

static void says(struct bench *b, const struct address *contract, const struct hash32 *topic0,
                 const struct hash32 *words, size_t count)
{
	struct seen_log log = {.block_number = BLOCK,
	                       .block_hash = block,
	                       .tx_hash = tx,
	                       .log_index = b->next_index++,
	                       .address = *contract,
	                       .topic0 = *topic0,
	                       .data = bytes_of(words, count * sizeof(*words))};
	struct event event;

	assert_int_equal(event_decode_stored(&event, contract, topic0, log.data), 0);
	log.key = event_key(&event);
	store_begin(b->w->store);
	assert_true(store_log_put(b->w->store, WORLD_CHAIN, &log));
	store_commit(b->w->store);
}

static struct hash32 word_of(const struct address *address)
{
	struct hash32 word = {{0}};

	memcpy(word.b + 12, address->b, sizeof(address->b));
	return word;
}

static void value_says(struct bench *b, const struct hash32 *which)
{
	says(b, &b->w->kms, event_registry_topic0(KIND_OS_IMAGE, ACTION_ADD), which, 1);
}

static void policy_says(struct bench *b, const char *policy, const struct hash32 *which)
{
	struct hash32 words[] = {
	        word_of(&somebody), keccak256(bytes_text(policy)), *which, {{[31] = 1}}};

	says(b, &b->w->kms, event_topic0(EVENT_POLICY), words, ARRAY_LEN(words));
}

static void call_data(uint8_t out[REGISTRY_CALL_SIZE])
{
	registry_encode_call(out, KIND_OS_IMAGE, ACTION_ADD, &value);
}

/* CallExecuted(id, 0, kms, 0, addOsImageHash(value)). */
static void operation_says(struct bench *b, const struct hash32 *id)
{
	struct hash32 words[8] = {*id,   {{0}},           word_of(&b->w->kms),
	                          {{0}}, {{[31] = 0x60}}, {{[31] = REGISTRY_CALL_SIZE}}};
	uint8_t data[REGISTRY_CALL_SIZE];

	call_data(data);
	memcpy(&words[6], data, sizeof(data));
	says(b, &b->w->timelock, event_topic0(EVENT_CALL_EXECUTED), words, ARRAY_LEN(words));
}

static void safe_says(struct bench *b, const struct hash32 *hash)
{
	struct hash32 words[2] = {*hash};

	says(b, &b->w->safe, event_topic0(EVENT_SAFE_SUCCESS), words, 2);
}

/* --- proposals ---------------------------------------------------------------------------------
 */

struct proposing {
	enum model model;
	const char *origin, *source;
	bool with_hash;
};

static void propose(struct bench *b, const struct proposing *how)
{
	struct govern_world *w = b->w;
	struct evidence evidence = {
	        .level = LEVEL_RECOMPUTED, .source = how->source, .artifact = "x", .details = "{}"};
	struct call call = world_call(w, ACTION_ADD, &value);
	struct new_proposal draft = world_draft(w, &call);
	bool created;

	draft.origin = how->origin;
	draft.model = how->model;
	draft.operation_id = operation;
	store_begin(w->store);
	struct measurement_id m = store_measurement_record(w->store, "payments", KIND_OS_IMAGE,
	                                                   &value, &evidence, &created);
	store_commit(w->store);
	struct proposal_id id = world_propose(w, &draft, m);
	store_begin(w->store);
	enum purpose purpose = how->model == MODEL_SAFE_TIMELOCK ? PURPOSE_SCHEDULE : PURPOSE_APPLY;
	const struct safe_tx_row fresh = {
	        .proposal = id,
	        .purpose = purpose,
	        .safe = w->safe,
	        .to = w->kms,
	        .data = call.data,
	};
	struct safe_tx_id row = store_safe_tx_add(w->store, &fresh);
	if (how->with_hash)
		assert_int_equal(store_safe_tx_assign(w->store, row, 7, &safe_hash, &w->error), 0);
	store_commit(w->store);
}

/* --- what was told -----------------------------------------------------------------------------
 */

static bool is_settled(struct bench *b)
{
	struct arena arena = {0};
	struct seen_log_list logs;

	logs = store_log_untold(b->w->store, &arena, WORLD_CHAIN, b->lane->final.number, 1);
	arena_free(&arena);
	return logs.count == 0;
}

static const char *look(struct bench *b, size_t expected)
{
	change_watch_run(b->lane->changes);
	for (int i = 0; i < 900 && !is_settled(b); i++)
		world_run_for(b->w, 10);
	assert_true(is_settled(b));
	assert_int_equal(world_alarms(b->w, "").count, expected);
	return world_alarms(b->w, "").text;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_an_operation_of_ours(void **state)
{
	struct bench *b = *state;

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE_TIMELOCK, "registrard", "folder", false});
	value_says(b, &value);
	policy_says(b, "os-image", &value);
	operation_says(b, &operation);
	look(b, 0);
	assert_int_equal(b->asked, 0); /* and it costs nothing */
}

/* The same call, while ours waits, by an operation that is not ours. */
static void test_the_same_call_by_others(void **state)
{
	struct bench *b = *state;
	const struct hash32 other = {{0x0c}};
	char id[HASH32_TEXT_SIZE];

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE_TIMELOCK, "registrard", "folder", false});
	value_says(b, &value);
	policy_says(b, "os-image", &value);
	operation_says(b, &other);
	const char *text = look(b, 1);
	assert_contains(text, "[registry-changed] os-image 0xaabb");
	assert_contains(text, "it is m1 (proposed, wanted present)");
	assert_contains(text, "(actor in PolicyChanged)");
	assert_contains(text, "by 0x5000000000000000000000000000000000000000");
	assert_contains(text, "sent by 0x5E00000000000000000000000000000000000000");
	assert_contains(text, hash32_text(id, &other));
	assert_contains(text, "block 1100");
}

static void test_a_safe_of_ours(void **state)
{
	struct bench *b = *state;

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE, "registrard", "folder", true});
	value_says(b, &value);
	safe_says(b, &safe_hash);
	look(b, 0);
}

static void test_another_transaction_of_the_safe(void **state)
{
	struct bench *b = *state;
	const struct hash32 other = {{0x5b}};

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE, "registrard", "folder", true});
	value_says(b, &value);
	safe_says(b, &other);
	assert_contains(look(b, 1), "(sender of the transaction)");
}

/* A draft that people imported from its file: nobody here knows its nonce. */
static void test_an_imported_draft(void **state)
{
	struct bench *b = *state;

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE, "registrard", "folder", false});
	value_says(b, &value);
	safe_says(b, &safe_hash);
	look(b, 0);
}

static void test_the_owner_itself(void **state)
{
	struct bench *b = *state;
	uint8_t data[REGISTRY_CALL_SIZE];

	start(b, "");
	propose(b, &(struct proposing){MODEL_DIRECT, "registrard", "folder", false});
	call_data(data);
	b->to = b->w->kms;
	b->input = bytes_of(data, sizeof(data));
	value_says(b, &value);
	look(b, 0);
	assert_int_equal(b->asked, 1);
}

static void test_the_owner_with_another_call(void **state)
{
	struct bench *b = *state;

	start(b, "");
	propose(b, &(struct proposing){MODEL_DIRECT, "registrard", "folder", false});
	b->to = b->w->safe;
	value_says(b, &value);
	look(b, 1);
}

/* What others asked for is ours only as far as somebody here vouches for the value. */
static void test_adopted_with_evidence(void **state)
{
	struct bench *b = *state;

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE_TIMELOCK, "external", "folder", false});
	value_says(b, &value);
	operation_says(b, &operation);
	look(b, 0);
}

static void test_adopted_without_evidence(void **state)
{
	struct bench *b = *state;

	start(b, "");
	propose(b, &(struct proposing){MODEL_SAFE_TIMELOCK, "external", EVIDENCE_CHAIN, false});
	value_says(b, &value);
	operation_says(b, &operation);
	look(b, 1);
}

/* Events that contradict each other, and policies that nobody here knows. */
static void test_policies(void **state)
{
	struct bench *b = *state;
	const struct hash32 other = {{0xcc}};

	start(b, "");
	value_says(b, &value);
	policy_says(b, "os-image", &other);
	look(b, 2);
	policy_says(b, "kms-info", &other);
	assert_contains(look(b, 3), "[policy-changed] policy kms-info of kms");
	policy_says(b, "who-knows", &other);
	const char *text = look(b, 4);
	assert_contains(text, "[policy-changed] policy 0x");
	assert_contains(text, "0xcc");
}

static void test_owners(void **state)
{
	struct bench *b = *state;
	struct hash32 offer[] = {word_of(&b->w->timelock), word_of(&somebody)};
	struct hash32 back[] = {word_of(&somebody), word_of(&b->w->timelock)};
	struct hash32 withdrawn[] = {word_of(&b->w->timelock), {{0}}};

	start(b, "");
	says(b, &b->w->kms, event_topic0(EVENT_OWNERSHIP_STARTED), offer, 2);
	assert_contains(look(b, 1),
	                "[owner-changed] the owner 0xa85233C63b9Ee964Add6F2cffe00Fd84eb32338f");
	says(b, &b->w->kms, event_topic0(EVENT_OWNERSHIP_STARTED), withdrawn, 2);
	assert_contains(look(b, 2), "took back its offer");
	says(b, &b->w->app, event_topic0(EVENT_OWNERSHIP_TRANSFERRED), offer, 2);
	assert_contains(look(b, 3), "which is not the timelock of the target");
	says(b, &b->w->app, event_topic0(EVENT_OWNERSHIP_TRANSFERRED), back, 2);
	assert_contains(look(b, 4), "which is the timelock of the target");
}

static void test_implementations(void **state)
{
	struct bench *b = *state;
	struct hash32 first = word_of(&somebody), second = word_of(&sender);

	start(b, "");
	says(b, &b->w->kms, event_topic0(EVENT_UPGRADED), &first, 1);
	assert_contains(look(b, 1), "changed from another one to 0x50");
	says(b, &b->w->kms, event_topic0(EVENT_UPGRADED), &second, 1);
	assert_contains(look(b, 2),
	                "changed from 0x5000000000000000000000000000000000000000 to 0x5E");
}

static void test_roles(void **state)
{
	struct bench *b = *state;
	struct hash32 granted[] = {timelock_role_executor, {{0}}, word_of(&somebody)};
	struct hash32 revoked[] = {{{9}}, word_of(&somebody), word_of(&somebody)};
	struct hash32 admin[] = {timelock_role_proposer, timelock_role_default_admin, {{9}}};
	struct hash32 delay[] = {{{0}}, {{0xff}}};

	start(b, "");
	says(b, &b->w->timelock, event_topic0(EVENT_ROLE_GRANTED), granted, 3);
	assert_contains(look(b, 1),
	                "EXECUTOR_ROLE of timelock 0xa85233C63b9Ee964Add6F2cffe00Fd84eb32338f "
	                "(payments) was granted to everybody");
	says(b, &b->w->timelock, event_topic0(EVENT_ROLE_REVOKED), revoked, 3);
	assert_contains(look(b, 2), "role 0x0900");
	says(b, &b->w->timelock, event_topic0(EVENT_ROLE_ADMIN), admin, 3);
	assert_contains(look(b, 3), "before by DEFAULT_ADMIN_ROLE");
	says(b, &b->w->timelock, event_topic0(EVENT_MIN_DELAY), delay, 2);
	assert_contains(look(b, 4), "18446744073709551615 or more s");
	/* A Safe's own events are not this file's. */
	struct hash32 owner = word_of(&somebody);
	says(b, &b->w->safe, event_topic0(EVENT_SAFE_OWNER_ADDED), &owner, 1);
	look(b, 4);
}

static void test_what_is_not_final_waits(void **state)
{
	struct bench *b = *state;

	start(b, "");
	b->lane->final.number = BLOCK - 1;
	value_says(b, &value);
	look(b, 0);
	b->lane->final.number = BLOCK;
	look(b, 1);
	/* And is told once. */
	change_watch_run(b->lane->changes);
	world_run_for(b->w, 50);
	assert_int_equal(world_alarms(b->w, "").count, 1);
}

/* An alarm does not wait for ever for who it was. */
static void test_a_sender_that_nobody_knows(void **state)
{
	struct bench *b = *state;

	start(b, "");
	b->unknown = true;
	value_says(b, &value);
	assert_contains(look(b, 1), "by whom the endpoints did not say");
}

static void test_a_flood(void **state)
{
	struct bench *b = *state;
	struct hash32 many = {{0xf0}};

	start(b, "");
	for (unsigned i = 0; i < 300; i++) {
		be32_put(many.b + 28, i);
		value_says(b, &many);
	}
	/* 256 are read at once: 20 and a sum, twice. */
	assert_contains(look(b, 42), "24 more changes like these in transaction 0x77");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_an_operation_of_ours),
	        TEST(test_the_same_call_by_others),
	        TEST(test_a_safe_of_ours),
	        TEST(test_another_transaction_of_the_safe),
	        TEST(test_an_imported_draft),
	        TEST(test_the_owner_itself),
	        TEST(test_the_owner_with_another_call),
	        TEST(test_adopted_with_evidence),
	        TEST(test_adopted_without_evidence),
	        TEST(test_policies),
	        TEST(test_owners),
	        TEST(test_implementations),
	        TEST(test_roles),
	        TEST(test_what_is_not_final_waits),
	        TEST(test_a_sender_that_nobody_knows),
	        TEST(test_a_flood),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
