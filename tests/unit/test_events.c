#include "common/governance/events.h"
#include "common/crypto/hash.h"
#include "common/eth/abi.h"
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
	assert_int_equal(count, 49);
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

/* What the store keeps of a log says the same, whichever version's topics it had. */
static void check_stored(const struct event *event, const struct log *log)
{
	struct buf data = {0};
	struct event again;
	struct hash32 key = event_key(event);

	for (size_t i = 1; i < log->topic_count; i++)
		buf_append(&data, log->topics[i].b, 32);
	buf_append_bytes(&data, log->data);
	assert_int_equal(
	        event_decode_stored(&again, &log->emitter, &log->topics[0], buf_bytes(&data)), 0);
	assert_int_equal(again.type, event->type);
	struct hash32 key_again = event_key(&again);
	assert_true(hash32_equal(&key, &key_again));
	for (size_t len = 0; len + 32 <= data.len; len += 16)
		assert_int_equal(event_decode_stored(&again, &log->emitter, &log->topics[0],
		                                     bytes_of(data.data, len)),
		                 ERR_INVALID);
	buf_free(&data);
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
		check_stored(&event, &log);
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
	assert_true(ours >= 90);
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

/* Safe settings, modules and approvals of every version, and the Delay module's queue. */
static void test_safe_settings(void **state)
{
	const char *const contexts[] = {"Safe 1.3.0SafeL2", "Safe 1.4.1SafeL2", "Safe 1.5.0SafeL2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
		struct event enabled = decode_found(contexts[i], "EnabledModule(address)");
		struct event ran = decode_found(contexts[i], "ExecutionFromModuleSuccess(address)");
		struct event disabled = decode_found(contexts[i], "DisabledModule(address)");
		assert_int_equal(enabled.type, EVENT_MODULE_ENABLED);
		assert_int_equal(ran.type, EVENT_MODULE_SUCCESS);
		assert_int_equal(disabled.type, EVENT_MODULE_DISABLED);
		assert_true(address_equal(&enabled.account, &ran.account));
		assert_true(address_equal(&enabled.account, &disabled.account));
	}
	struct event approved = decode_found("Safe 1.4.1SafeL2", "ApproveHash(bytes32,address)");
	struct hash32 key = event_key(&approved);
	assert_int_equal(approved.type, EVENT_HASH_APPROVED);
	assert_true(hash32_equal(&key, &approved.approval.hash));
	assert_false(address_is_zero(&approved.approval.owner));
	struct event admin = decode_found("TimelockController OZ 4.9.6",
	                                  "RoleAdminChanged(bytes32,bytes32,bytes32)");
	assert_int_equal(admin.type, EVENT_ROLE_ADMIN);
	assert_false(hash32_is_zero(&admin.role_admin.next));
}

static void test_delay_module(void **state)
{
	const char *const contexts[] = {"Zodiac Delay 1.0.1", "Zodiac Delay 1.1.0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
		struct event added = decode_found(
		        contexts[i],
		        "TransactionAdded(uint256,bytes32,address,uint256,bytes,uint8)");
		struct hash32 key = event_key(&added);
		uint8_t packed[20 + 32 + 1024 + 1];
		assert_int_equal(added.type, EVENT_DELAY_ADDED);
		assert_true(hash32_equal(&key, &added.delay.hash));
		/* txHash = keccak256(to || value || data || operation) */
		assert_in_range(added.delay.data.len, 0, 1024);
		memcpy(packed, added.delay.to.b, 20);
		memcpy(packed + 20, added.delay.value.b, 32);
		memcpy(packed + 52, added.delay.data.data, added.delay.data.len);
		packed[52 + added.delay.data.len] = added.delay.operation;
		struct hash32 hash = keccak256(bytes_of(packed, 53 + added.delay.data.len));
		assert_true(hash32_equal(&hash, &added.delay.hash));
	}
	struct event nonce = decode_found("Zodiac Delay 1.1.0", "TxNonceSet(uint256)");
	assert_int_equal(nonce.type, EVENT_DELAY_NONCE);
	struct event avatar = decode_found("Zodiac Delay 1.1.0", "AvatarSet(address,address)");
	assert_int_equal(avatar.type, EVENT_DELAY_AVATAR);
	assert_false(address_is_zero(&avatar.ownership.next));
}

static void decode_built(struct event *out, const char *signature, const struct buf *data)
{
	struct hash32 topic0 = keccak256(bytes_text(signature));
	struct address emitter = {{7}};

	assert_int_equal(event_decode(out, &emitter, &topic0, 1, buf_bytes(data)), 0);
}

/* Those of the registries that no recorded log shows. */
static void test_registry_settings(void **state)
{
	struct buf data = {0};
	struct event event;

	(void)state;
	struct abi_writer writer = abi_begin(&data, 1);
	abi_put_bool(&writer, true);
	decode_built(&event, "AllowAnyDeviceSet(bool)", &data);
	assert_int_equal(event.type, EVENT_ALLOW_ANY_DEVICE);
	assert_int_equal(event.number, 1);
	decode_built(&event, "RequireTcbUpToDateSet(bool)", &data);
	assert_int_equal(event.type, EVENT_REQUIRE_TCB);
	data.data[31] = 2;
	struct hash32 topic0 = *event_topic0(EVENT_REQUIRE_TCB);
	struct address emitter = {{7}};
	assert_int_equal(event_decode(&event, &emitter, &topic0, 1, buf_bytes(&data)), ERR_INVALID);
	buf_clear(&data);
	decode_built(&event, "UpgradesDisabled()", &data);
	assert_int_equal(event.type, EVENT_UPGRADES_DISABLED);
	writer = abi_begin(&data, 1);
	abi_put_bytes(&writer, bytes_text("0xabcdef"));
	decode_built(&event, "GatewayAppIdSet(string)", &data);
	assert_int_equal(event.type, EVENT_GATEWAY);
	assert_int_equal(event.text.len, 8);
	decode_built(&event, "KmsInfoSet(bytes)", &data);
	assert_int_equal(event.type, EVENT_KMS_INFO);
	/* A delay beyond all bounds is still seen. */
	buf_clear(&data);
	for (int i = 0; i < 64; i++)
		buf_append_byte(&data, 0xff);
	decode_built(&event, "MinDelayChange(uint256,uint256)", &data);
	assert_true(event.number == UINT64_MAX);
	buf_free(&data);
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
	        cmocka_unit_test(test_safe_settings),
	        cmocka_unit_test(test_delay_module),
	        cmocka_unit_test(test_registry_settings),
	};
	logs_file = fixture_json("tests/fixtures/governance/event_logs.json");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	jval_free(logs_file);
	arena_free(&arena);
	return failed;
}
