/* What people bring before a Delay module: our own form of entries, another, and something more. */
#include "common/governance/adopt.h"
#include "common/governance/multisend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct arena arena;
static const struct address enqueuer = {{0x5a}}, module = {{0xde}};
static const struct adopt_registry registries[] = {
        {.kms = {{0x4b}}, .app = {{0xa9}}, .has_app = true}};
static const struct adopt_way way = {.model = MODEL_DELAY,
                                     .safe = {{0x5a}},
                                     .timelock = {{0xde}},
                                     .avatar = {{0xaa}},
                                     .registries = registries,
                                     .registry_count = 1};

static struct contract_call call_of(const struct address *to, enum kind kind, uint8_t value)
{
	uint8_t *data = arena_array(&arena, REGISTRY_CALL_SIZE, 1);
	struct hash32 word = {{value}};

	registry_encode_call(data, kind, ACTION_ADD, &word);
	return (struct contract_call){.to = *to, .data = bytes_of(data, REGISTRY_CALL_SIZE)};
}

static const struct address *multisend(size_t which)
{
	size_t count;

	return &multisend_deployments(&count)[which].address;
}

static struct safe_tx tx_of(const struct delay_entry *entry,
                            void (*encode)(struct buf *out, const struct delay_entry *entry))
{
	struct buf data = {0};

	encode(&data, entry);
	struct safe_tx tx = {.chain_id = 1, .safe = enqueuer, .to = module};
	tx.data = arena_copy(&arena, buf_bytes(&data));
	buf_free(&data);
	return tx;
}

static struct adopted read_tx(const struct safe_tx *tx)
{
	struct adopted found;

	adopt_safe_tx(&found, &arena, &way, tx);
	return found;
}

static void expect_text(const struct adopted *found, enum adopt_verdict verdict, const char *part)
{
	if (found->verdict != verdict || strstr(found->text, part) == NULL)
		fail_msg("%d: %s", (int)found->verdict, found->text);
}

static void test_our_form(void **state)
{
	const struct contract_call calls[2] = {call_of(&registries[0].kms, KIND_OS_IMAGE, 1),
	                                       call_of(&registries[0].app, KIND_COMPOSE, 1)};

	(void)state;
	for (size_t count = 1; count <= 2; count++) {
		struct delay_entry entry = delay_entry_of(&arena, calls, count, multisend(2));
		struct hash32 hash = delay_tx_hash(&entry);
		struct safe_tx tx = tx_of(&entry, delay_encode_enqueue);
		struct adopted found = read_tx(&tx);
		expect_text(&found, ADOPT_OURS, "enqueue [add os-image 0x01");
		assert_int_equal(found.purpose, PURPOSE_SCHEDULE);
		assert_int_equal(found.parts, 1);
		assert_int_equal(found.call_count, count);
		assert_true(hash32_equal(&found.operation_id, &hash));

		tx = tx_of(&entry, delay_encode_execute);
		found = read_tx(&tx);
		expect_text(&found, ADOPT_OURS, "execute [");
		assert_int_equal(found.purpose, PURPOSE_EXECUTE);

		adopt_entry(&found, &arena, &way, &entry);
		expect_text(&found, ADOPT_OURS, "add os-image");
		assert_true(hash32_equal(&found.operation_id, &hash));
	}
}

static void test_another_form(void **state)
{
	/* Not in the order that we would make it in, but no more than it says. */
	const struct contract_call calls[2] = {call_of(&registries[0].app, KIND_COMPOSE, 1),
	                                       call_of(&registries[0].kms, KIND_OS_IMAGE, 1)};
	struct delay_entry entry = delay_entry_of(&arena, calls, 2, multisend(2));
	struct adopted found;
	struct buf data = {0};

	(void)state;
	adopt_entry(&found, &arena, &way, &entry);
	expect_text(&found, ADOPT_OURS, "add compose");
	assert_true(address_equal(&found.calls[0].call.to, &registries[0].app));
	/* One call through MultiSendCallOnly: its hash does not follow from the call. */
	multisend_encode(&data, calls, 1);
	entry = (struct delay_entry){
	        .to = *multisend(2), .data = buf_bytes(&data), .operation = DELAY_DELEGATECALL};
	adopt_entry(&found, &arena, &way, &entry);
	expect_text(&found, ADOPT_FOREIGN, "a single call through");
	buf_free(&data);
}

static void test_something_more(void **state)
{
	struct contract_call calls[2] = {call_of(&registries[0].kms, KIND_OS_IMAGE, 1),
	                                 {.to = {{0x77}}, .data = bytes_text("abcd")}};
	struct delay_entry entry = delay_entry_of(&arena, calls, 2, multisend(0));
	struct adopted found;
	struct buf data = {0};

	(void)state;
	adopt_entry(&found, &arena, &way, &entry);
	expect_text(&found, ADOPT_FOREIGN, "add os-image");
	/* A delegatecall of code that is not known. */
	entry = (struct delay_entry){.to = {{0x77}}, .operation = DELAY_DELEGATECALL};
	adopt_entry(&found, &arena, &way, &entry);
	expect_text(&found, ADOPT_FOREIGN, "whatever the module's Safe may do");
	/* Nothing that concerns us. */
	entry = (struct delay_entry){.to = {{0x77}}, .data = bytes_text("abcd")};
	adopt_entry(&found, &arena, &way, &entry);
	assert_int_equal(found.verdict, ADOPT_UNRELATED);
	/* The module's own functions beside its queue. */
	delay_encode_set_nonce(&data, 3);
	struct safe_tx tx = {
	        .chain_id = 1, .safe = enqueuer, .to = module, .data = buf_bytes(&data)};
	found = read_tx(&tx);
	expect_text(&found, ADOPT_FOREIGN, "setTxNonce");
	buf_free(&data);
	/* The enqueuer calls the registry itself. */
	tx.to = registries[0].kms;
	tx.data = calls[0].data;
	found = read_tx(&tx);
	expect_text(&found, ADOPT_FOREIGN, "past the Delay module");
}

/* Whom the contracts obey: a module that enables another one, say, is told while it waits. */
static void test_the_avatar_itself(void **state)
{
	static const uint8_t enable_module[] = {0x61, 0x0b, 0x59, 0x25};
	static const struct address owners[] = {{{0xaa}}, {{0}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		const struct contract_call self = {
		        .to = owners[i], .data = bytes_of(enable_module, sizeof(enable_module))};
		const struct contract_call calls[2] = {
		        self, call_of(&registries[0].kms, KIND_OS_IMAGE, 1)};
		struct delay_entry entry = delay_entry_of(&arena, calls, 2, multisend(2));
		struct adopted found;
		adopt_entry(&found, &arena, &way, &entry);
		expect_text(&found, ADOPT_FOREIGN, "to itself");
		const struct contract_call twice[2] = {self, self};
		entry = delay_entry_of(&arena, twice, 2, multisend(2));
		adopt_entry(&found, &arena, &way, &entry);
		expect_text(&found, ADOPT_FOREIGN, "to itself");
	}
	const struct contract_call single = {
	        .to = {{0xaa}}, .data = bytes_of(enable_module, sizeof(enable_module))};
	struct delay_entry entry = delay_entry_of(&arena, &single, 1, multisend(2));
	struct safe_tx tx = tx_of(&entry, delay_encode_enqueue);
	struct adopted found = read_tx(&tx);
	expect_text(&found, ADOPT_FOREIGN, "to itself");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_our_form),
	        cmocka_unit_test(test_another_form),
	        cmocka_unit_test(test_something_more),
	        cmocka_unit_test(test_the_avatar_itself),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
