/* Logs: the words of an event, put together again from what was decoded, are the words of the log;
 * and its key is one of them. Input: how many topics, which topic0 (one of ours), topics, data. */
#include "common/governance/events.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_TOPICS = 5 };

static void put_address(struct buf *out, const struct address *address)
{
	buf_append_zeros(out, 12);
	buf_append(out, address->b, sizeof(address->b));
}

static void put_number(struct buf *out, uint64_t number)
{
	struct u256 wide = u256_from(number);

	buf_append(out, wide.b, sizeof(wide.b));
}

static void put_hash(struct buf *out, const struct hash32 *hash)
{
	buf_append(out, hash->b, sizeof(hash->b));
}

static void put_role(struct buf *out, const struct event *event)
{
	put_hash(out, &event->role.role);
	put_address(out, &event->role.account);
	put_address(out, &event->role.sender);
}

static void put_call(struct buf *out, const struct event *event)
{
	put_hash(out, &event->call.id);
	put_number(out, event->call.index);
	put_address(out, &event->call.target);
	buf_append(out, event->call.value.b, sizeof(event->call.value.b));
}

static void put_delay(struct buf *out, const struct event *event)
{
	put_number(out, event->delay.nonce);
	put_hash(out, &event->delay.hash);
	put_address(out, &event->delay.to);
	buf_append(out, event->delay.value.b, sizeof(event->delay.value.b));
}

/* The words in the order of the signature, without those of a dynamic value. */
static void put_words(struct buf *out, const struct event *event)
{
	switch (event->type) {
	case EVENT_SAFE_SUCCESS:
	case EVENT_SAFE_FAILURE:
		put_hash(out, &event->safe.safe_tx_hash);
		buf_append(out, event->safe.payment.b, sizeof(event->safe.payment.b));
		return;
	case EVENT_SAFE_OWNER_ADDED:
	case EVENT_SAFE_OWNER_REMOVED:
	case EVENT_UPGRADED:
	case EVENT_SAFE_GUARD:
	case EVENT_SAFE_MODULE_GUARD:
	case EVENT_SAFE_FALLBACK:
	case EVENT_SAFE_SINGLETON:
	case EVENT_MODULE_ENABLED:
	case EVENT_MODULE_DISABLED:
	case EVENT_MODULE_SUCCESS:
	case EVENT_MODULE_FAILURE:
	case EVENT_APP_IMPLEMENTATION:
	case EVENT_APP_REGISTERED:
		put_address(out, &event->account);
		return;
	case EVENT_SAFE_THRESHOLD:
	case EVENT_MIN_DELAY:
	case EVENT_DELAY_NONCE:
	case EVENT_DELAY_COOLDOWN:
	case EVENT_DELAY_EXPIRATION:
	case EVENT_ALLOW_ANY_DEVICE:
	case EVENT_REQUIRE_TCB:
		put_number(out, event->number);
		return;
	case EVENT_CALL_SCHEDULED:
	case EVENT_CALL_EXECUTED:
		put_call(out, event);
		return;
	case EVENT_CALL_SALT:
		put_hash(out, &event->salt.id);
		put_hash(out, &event->salt.salt);
		return;
	case EVENT_CANCELLED:
		put_hash(out, &event->id);
		return;
	case EVENT_ROLE_GRANTED:
	case EVENT_ROLE_REVOKED:
		put_role(out, event);
		return;
	case EVENT_REGISTRY:
		put_hash(out, &event->registry.value);
		return;
	case EVENT_POLICY:
		put_address(out, &event->policy.actor);
		put_hash(out, &event->policy.policy);
		put_hash(out, &event->policy.value);
		put_number(out, event->policy.enabled);
		return;
	case EVENT_OWNERSHIP_STARTED:
	case EVENT_OWNERSHIP_TRANSFERRED:
	case EVENT_DELAY_AVATAR:
	case EVENT_DELAY_TARGET:
		put_address(out, &event->ownership.previous);
		put_address(out, &event->ownership.next);
		return;
	case EVENT_ROLE_ADMIN:
		put_hash(out, &event->role_admin.role);
		put_hash(out, &event->role_admin.previous);
		put_hash(out, &event->role_admin.next);
		return;
	case EVENT_HASH_APPROVED:
		put_hash(out, &event->approval.hash);
		put_address(out, &event->approval.owner);
		return;
	case EVENT_DELAY_ADDED:
		put_delay(out, event);
		return;
	case EVENT_KMS_INFO:
	case EVENT_GATEWAY:
	case EVENT_UPGRADES_DISABLED:
		return;
	}
	die("an event of no type");
}

/* A number that does not fit is cut to the largest that does. */
static bool is_cut(const struct event *event)
{
	switch (event->type) {
	case EVENT_SAFE_THRESHOLD:
	case EVENT_MIN_DELAY:
	case EVENT_DELAY_NONCE:
	case EVENT_DELAY_COOLDOWN:
	case EVENT_DELAY_EXPIRATION:
		return event->number == UINT64_MAX;
	default: /* nothing that can be cut */
		return false;
	}
}

/* Whether the log ends with a value of its own length, which is not written again here. */
static bool has_tail(const struct event *event)
{
	return event->type == EVENT_CALL_SCHEDULED || event->type == EVENT_CALL_EXECUTED ||
	       event->type == EVENT_DELAY_ADDED || event->type == EVENT_KMS_INFO ||
	       event->type == EVENT_GATEWAY;
}

static bool contains_word(struct bytes words, const struct hash32 *word)
{
	for (size_t at = 0; at + 32 <= words.len; at += 32)
		if (memcmp(words.data + at, word->b, 32) == 0)
			return true;
	return false;
}

static void check_event(const struct event *event, struct bytes log)
{
	struct hash32 key = event_key(event);
	struct buf words = {0};

	/* Of a change of the delay the old one is not kept. */
	if (event->type == EVENT_MIN_DELAY)
		log = bytes_of(log.data + 32, log.len - 32);
	put_words(&words, event);
	if (has_tail(event))
		PROPERTY(words.len < log.len &&
		         (words.len == 0 || memcmp(words.data, log.data, words.len) == 0));
	else if (!is_cut(event))
		PROPERTY(bytes_equal(buf_bytes(&words), log));
	PROPERTY(hash32_is_zero(&key) || is_cut(event) || contains_word(log, &key));
	buf_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address emitter = {{1}};
	struct bytes input = bytes_of(data, size);
	struct hash32 topics[MAX_TOPICS];
	struct buf log = {0};
	struct event event;
	size_t known;

	size_t count = fuzz_take(&input) % (MAX_TOPICS + 1);
	const struct hash32 *ours = event_topics(&known);
	uint8_t choice = fuzz_take(&input);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 && choice < known)
			topics[0] = ours[choice];
		else
			fuzz_fill(&input, topics[i].b, sizeof(topics[i].b));
		if (i > 0)
			put_hash(&log, &topics[i]);
	}
	buf_append_bytes(&log, input);

	int rc = event_decode(&event, &emitter, topics, count, input);
	PROPERTY(count == 0 || (rc == ERR_NOT_FOUND) == (event_signature(&topics[0]) == NULL));
	if (rc == 0) {
		PROPERTY(address_equal(&event.emitter, &emitter));
		check_event(&event, buf_bytes(&log));
	} else {
		PROPERTY(event.type == 0);
	}
	buf_free(&log);
	return 0;
}
