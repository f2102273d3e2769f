#include "common/governance/events.h"
#include "common/crypto/hash.h"
#include "tests/unit/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct log {
	struct address emitter;
	struct hash32 topics[4];
	size_t topic_count;
	struct bytes data;
};

static struct arena arena;
static struct jval *logs_file;

static struct log read_log(const struct jval *item)
{
	struct log log = {.data = fixture_hex(&arena, item, "data")};
	const struct jval *topics = jval_get(item, "topics");

	assert_int_equal(address_parse(&log.emitter, fixture_string(item, "address"), NULL), 0);
	log.topic_count = jval_count(topics);
	assert_in_range(log.topic_count, 1, 4);
	for (size_t i = 0; i < log.topic_count; i++)
		assert_int_equal(
		        hash32_parse(&log.topics[i], jval_string(jval_at(topics, i)), NULL), 0);
	return log;
}

static int decode(struct event *out, const struct log *log)
{
	return event_decode(out, &log->emitter, log->topics, log->topic_count, log->data);
}

/* The first recorded log of this event in a context that begins with `context`. */
static struct log find_log(const char *context, const char *signature)
{
	const struct jval *logs = jval_get(logs_file, "logs");

	for (size_t i = 0; i < jval_count(logs); i++) {
		const struct jval *item = jval_at(logs, i);
		if (strncmp(fixture_string(item, "context"), context, strlen(context)) == 0 &&
		    strcmp(fixture_string(item, "event"), signature) == 0)
			return read_log(item);
	}
	die("no log of %s in %s", signature, context);
}

static struct event decode_found(const char *context, const char *signature)
{
	struct log log = find_log(context, signature);
	struct event event;

	assert_int_equal(decode(&event, &log), 0);
	assert_true(address_equal(&event.emitter, &log.emitter));
	return event;
}

static void test_topics_are_derived(void **state)
{
	size_t count;
	const struct hash32 *topics = event_topics(&count);

	(void)state;
	assert_int_equal(count, 26);
	for (size_t i = 0; i < count; i++) {
		struct hash32 derived = keccak256(bytes_text(event_signature(&topics[i])));
		assert_true(hash32_equal(&derived, &topics[i]));
		for (size_t k = 0; k < i; k++)
			assert_false(hash32_equal(&topics[k], &topics[i]));
	}
	for (int type = EVENT_SAFE_SUCCESS; type <= EVENT_LAST; type++) {
		if (type != EVENT_REGISTRY)
			assert_non_null(event_signature(event_topic0((enum event_type)type)));
	}
	struct hash32 unknown = {{1}};
	assert_null(event_signature(&unknown));
}

/* The events of a kind are named after its functions: addX(bytes32) emits XAdded(bytes32). */
static void test_registry_topics(void **state)
{
	(void)state;
	for (int k = KIND_OS_IMAGE; k <= KIND_LAST; k++) {
		const char *adds = kind_signature((enum kind)k, ACTION_ADD);
		int len = (int)strcspn(adds + 3, "(");
		for (int a = ACTION_ADD; a <= ACTION_REMOVE; a++) {
			char signature[64];
			snprintf(signature, sizeof(signature), "%.*s%s(bytes32)", len, adds + 3,
			         a == ACTION_ADD ? "Added" : "Removed");
			struct hash32 derived = keccak256(bytes_text(signature));
			const struct hash32 *topic0 =
			        event_registry_topic0((enum kind)k, (enum action)a);
			assert_true(hash32_equal(topic0, &derived));
			struct event event;
			struct address emitter = {{1}};
			assert_int_equal(
			        event_decode(&event, &emitter, topic0, 1, bytes_of(derived.b, 32)),
			        0);
			assert_int_equal(event.registry.kind, k);
			assert_int_equal(event.registry.action, a);
			struct hash32 key = event_key(&event);
			assert_true(hash32_equal(&key, &derived));
		}
	}
}

/* Every recorded log: one of ours decodes and nothing else does; cut or padded it never does. */
static void test_every_recorded_log(void **state)
{
	const struct jval *logs = jval_get(logs_file, "logs");
	size_t ours = 0;

	(void)state;
	assert_int_equal(jval_count(logs), 134);
	for (size_t i = 0; i < jval_count(logs); i++) {
		struct log log = read_log(jval_at(logs, i));
		const char *name = fixture_string(jval_at(logs, i), "event");
		const char *signature = event_signature(&log.topics[0]);
		struct event event;
		if (signature == NULL) {
			assert_int_equal(decode(&event, &log), ERR_NOT_FOUND);
			continue;
		}
		ours++;
		assert_string_equal(signature, name);
		assert_int_equal(decode(&event, &log), 0);
		for (size_t len = 0; len + 32 <= log.data.len; len += 16) {
			struct log cut = log;
			cut.data.len = len;
			assert_int_equal(decode(&event, &cut), ERR_INVALID);
			assert_int_equal(event.type, 0);
		}
		struct log fewer = log, more = log;
		fewer.topic_count = log.topic_count - 1;
		if (fewer.topic_count > 0)
			assert_int_equal(decode(&event, &fewer), ERR_INVALID);
		more.topic_count++;
		if (more.topic_count <= 4)
			assert_int_equal(decode(&event, &more), ERR_INVALID);
	}
	assert_true(ours >= 60);
	struct event event;
	struct address emitter = {{0}};
	assert_int_equal(event_decode(&event, &emitter, NULL, 0, bytes_of(NULL, 0)), ERR_NOT_FOUND);
}

static void test_safe_execution_of_every_version(void **state)
{
	const char *const contexts[] = {"Safe 1.3.0Safe", "Safe 1.4.1Safe", "Safe 1.5.0Safe"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
		struct log log = find_log(contexts[i], "ExecutionSuccess(bytes32,uint256)");
		struct event event;
		struct hash32 expected;
		assert_int_equal(decode(&event, &log), 0);
		assert_int_equal(event.type, EVENT_SAFE_SUCCESS);
		if (log.topic_count == 2)
			expected = log.topics[1];
		else
			memcpy(expected.b, log.data.data, 32);
		assert_true(hash32_equal(&event.safe.safe_tx_hash, &expected));
		assert_true(u256_is_zero(&event.safe.payment));
		event = decode_found(contexts[i], "ExecutionFailure(bytes32,uint256)");
		assert_int_equal(event.type, EVENT_SAFE_FAILURE);
		event = decode_found(contexts[i], "ChangedThreshold(uint256)");
		assert_in_range(event.number, 1, 4);
		event = decode_found(contexts[i], "AddedOwner(address)");
		assert_false(address_is_zero(&event.account));
		event = decode_found(contexts[i], "RemovedOwner(address)");
		assert_int_equal(event.type, EVENT_SAFE_OWNER_REMOVED);
	}
}

static void check_scheduled(const char *context)
{
	struct event event = decode_found(
	        context, "CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)");

	assert_int_equal(event.type, EVENT_CALL_SCHEDULED);
	assert_true(event.call.index < 8);
	assert_true(event.call.delay > 0);
	assert_false(address_is_zero(&event.call.target));
	assert_true(hash32_is_zero(&event.call.predecessor));
	struct hash32 key = event_key(&event);
	assert_true(hash32_equal(&key, &event.call.id));
}

static void test_timelock_events(void **state)
{
	const char *const contexts[] = {"TimelockController OZ 4.9.6",
	                                "TimelockController OZ 5.4.0",
	                                "TimelockController OZ 5.7.0", "tlA"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
		check_scheduled(contexts[i]);
		struct event event = decode_found(
		        contexts[i], "CallExecuted(bytes32,uint256,address,uint256,bytes)");
		assert_int_equal(event.type, EVENT_CALL_EXECUTED);
		assert_false(hash32_is_zero(&event.call.id));
		event = decode_found(contexts[i], "CallSalt(bytes32,bytes32)");
		assert_false(hash32_is_zero(&event.salt.salt));
		event = decode_found(contexts[i], "MinDelayChange(uint256,uint256)");
		assert_true(event.number > 0);
		event = decode_found(contexts[i], "RoleGranted(bytes32,address,address)");
		assert_false(address_is_zero(&event.role.sender));
	}
	struct event event = decode_found("tlA", "Cancelled(bytes32)");
	struct hash32 key = event_key(&event);
	assert_true(hash32_equal(&key, &event.id));
}

static void test_registry_and_policy(void **state)
{
	struct jval *names = fixture_json("tests/fixtures/governance/policy_topics.json");
	struct event added = decode_found("kms", "OsImageHashAdded(bytes32)");
	struct event policy = decode_found("kms", "PolicyChanged(address,bytes32,bytes32,bool)");
	size_t kinds = 0;

	(void)state;
	assert_int_equal(added.registry.kind, KIND_OS_IMAGE);
	assert_false(address_is_zero(&policy.policy.actor));
	for (size_t i = 0; i < jval_count(names); i++) {
		struct log log = find_log("kms", "PolicyChanged(address,bytes32,bytes32,bool)");
		const struct jval *item = jval_at(names, i);
		fixture_fixed(log.topics[2].b, 32, item, "topic2");
		assert_int_equal(decode(&policy, &log), 0);
		if (policy.policy.kind == 0)
			continue;
		assert_string_equal(kind_policy_name(policy.policy.kind),
		                    fixture_string(item, "policy"));
		kinds++;
	}
	assert_int_equal(kinds, KIND_LAST);
	jval_free(names);
}

static void test_ownership(void **state)
{
	struct event started = decode_found("kms", "OwnershipTransferStarted(address,address)");
	struct event moved = decode_found("kms", "OwnershipTransferred(address,address)");
	struct event upgraded = decode_found("kms", "Upgraded(address)");

	(void)state;
	assert_int_equal(started.type, EVENT_OWNERSHIP_STARTED);
	assert_false(address_is_zero(&started.ownership.next));
	assert_int_equal(moved.type, EVENT_OWNERSHIP_TRANSFERRED);
	struct hash32 key = event_key(&upgraded);
	assert_memory_equal(key.b + 12, upgraded.account.b, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_topics_are_derived),
	        cmocka_unit_test(test_registry_topics),
	        cmocka_unit_test(test_every_recorded_log),
	        cmocka_unit_test(test_safe_execution_of_every_version),
	        cmocka_unit_test(test_timelock_events),
	        cmocka_unit_test(test_registry_and_policy),
	        cmocka_unit_test(test_ownership),
	};
	logs_file = fixture_json("tests/fixtures/governance/event_logs.json");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	jval_free(logs_file);
	arena_free(&arena);
	return failed;
}
