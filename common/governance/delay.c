#include "common/governance/delay.h"

#include "common/crypto/hash.h"
#include "common/eth/abi.h"
#include "common/governance/multisend.h"

#include <string.h>

static const uint8_t enqueue_selector[ABI_SELECTOR] = {0x46, 0x87, 0x21, 0xa7};
static const uint8_t execute_selector[ABI_SELECTOR] = {0xee, 0x07, 0x2b, 0xaf};
static const uint8_t skip_selector[ABI_SELECTOR] = {0xb1, 0x9d, 0x47, 0x58};
static const uint8_t set_nonce_selector[ABI_SELECTOR] = {0x46, 0xba, 0x23, 0x07};
static const uint8_t tx_hash_selector[ABI_SELECTOR] = {0x42, 0x7e, 0x23, 0x2f};
static const uint8_t created_at_selector[ABI_SELECTOR] = {0x25, 0x81, 0x48, 0xcc};
static const uint8_t module_enabled_selector[ABI_SELECTOR] = {0x2d, 0x9a, 0xd5, 0x3d};

struct hash32 delay_tx_hash(const struct delay_entry *entry)
{
	struct buf packed = {0};

	buf_append(&packed, entry->to.b, sizeof(entry->to.b));
	buf_append(&packed, entry->value.b, sizeof(entry->value.b));
	buf_append(&packed, entry->data.data, entry->data.len);
	buf_append_byte(&packed, (uint8_t)entry->operation);
	struct hash32 hash = keccak256(buf_bytes(&packed));
	buf_free(&packed);
	return hash;
}

/* --- an entry and its calls --------------------------------------------------------------------
 */

struct delay_entry delay_entry_of(struct arena *arena, const struct contract_call *calls,
                                  size_t count, const struct address *multisend)
{
	struct buf data = {0};

	if (count == 1)
		return (struct delay_entry){.to = calls[0].to,
		                            .value = calls[0].value,
		                            .data = arena_copy(arena, calls[0].data),
		                            .operation = DELAY_CALL};
	multisend_encode(&data, calls, count);
	struct delay_entry entry = {.to = *multisend,
	                            .data = arena_copy(arena, buf_bytes(&data)),
	                            .operation = DELAY_DELEGATECALL};
	buf_free(&data);
	return entry;
}

int delay_entry_calls(struct arena *arena, struct contract_call **calls, size_t *count,
                      const struct delay_entry *entry, struct error *error)
{
	*calls = NULL;
	*count = 0;
	switch (entry->operation) {
	case DELAY_CALL:
		*calls = arena_array(arena, 1, sizeof(**calls));
		**calls = (struct contract_call){entry->to, entry->value, entry->data};
		*count = 1;
		return 0;
	case DELAY_DELEGATECALL:
		break;
	}
	if (multisend_deployment_at(&entry->to) == NULL || !u256_is_zero(&entry->value))
		return error_set(error, ERR_INVALID,
		                 "a delegatecall of a contract that is no known MultiSendCallOnly");
	return multisend_decode(arena, calls, count, entry->data, error);
}

int delay_entry_find(struct delay_entry *out, struct arena *arena,
                     const struct contract_call *calls, size_t count, const struct hash32 *hash)
{
	size_t deployments;
	const struct multisend_deployment *known = multisend_deployments(&deployments);

	for (size_t i = 0; i < deployments; i++) {
		*out = delay_entry_of(arena, calls, count, &known[i].address);
		struct hash32 found = delay_tx_hash(out);
		if (hash32_equal(&found, hash))
			return 0;
	}
	*out = (struct delay_entry){0};
	return ERR_NOT_FOUND;
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void put_entry(struct buf *out, const uint8_t selector[ABI_SELECTOR],
                      const struct delay_entry *entry)
{
	buf_append(out, selector, ABI_SELECTOR);
	struct abi_writer arguments = abi_begin(out, 4);
	abi_put_address(&arguments, &entry->to);
	abi_put_u256(&arguments, &entry->value);
	abi_put_bytes(&arguments, entry->data);
	abi_put_u64(&arguments, (uint64_t)entry->operation);
}

static void put_number(struct buf *out, const uint8_t selector[ABI_SELECTOR], uint64_t number)
{
	buf_append(out, selector, ABI_SELECTOR);
	struct abi_writer arguments = abi_begin(out, 1);
	abi_put_u64(&arguments, number);
}

void delay_encode_enqueue(struct buf *out, const struct delay_entry *entry)
{
	put_entry(out, enqueue_selector, entry);
}

void delay_encode_execute(struct buf *out, const struct delay_entry *entry)
{
	put_entry(out, execute_selector, entry);
}

void delay_encode_skip_expired(struct buf *out)
{
	buf_append(out, skip_selector, ABI_SELECTOR);
}

void delay_encode_set_nonce(struct buf *out, uint64_t nonce)
{
	put_number(out, set_nonce_selector, nonce);
}

void delay_encode_tx_hash(struct buf *out, uint64_t nonce)
{
	put_number(out, tx_hash_selector, nonce);
}

void delay_encode_tx_created_at(struct buf *out, uint64_t nonce)
{
	put_number(out, created_at_selector, nonce);
}

void delay_encode_is_module_enabled(struct buf *out, const struct address *module)
{
	buf_append(out, module_enabled_selector, ABI_SELECTOR);
	struct abi_writer arguments = abi_begin(out, 1);
	abi_put_address(&arguments, module);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static bool has_selector(struct bytes calldata, const uint8_t selector[ABI_SELECTOR])
{
	return calldata.len >= ABI_SELECTOR && memcmp(calldata.data, selector, ABI_SELECTOR) == 0;
}

/* Strict: what was read must encode to the same bytes, so no two calldatas mean one entry. */
static int read_entry(struct delay_entry *out, struct bytes calldata,
                      const uint8_t selector[ABI_SELECTOR], struct error *error)
{
	struct abi_reader arguments = abi_read_call(calldata, selector);
	struct delay_entry found;
	struct buf again = {0};

	memset(out, 0, sizeof(*out));
	if (!has_selector(calldata, selector))
		return error_set(error, ERR_NOT_FOUND, "another function of the module");
	found.to = abi_get_address(&arguments);
	found.value = abi_get_u256(&arguments);
	found.data = abi_get_bytes(&arguments);
	uint64_t operation = abi_get_u64(&arguments);
	if (arguments.failed || operation > DELAY_DELEGATECALL)
		return error_set(error, ERR_INVALID, "no transaction of a Delay module");
	found.operation = (enum delay_operation)operation;
	put_entry(&again, selector, &found);
	bool same = bytes_equal(buf_bytes(&again), calldata);
	buf_free(&again);
	if (!same)
		return error_set(error, ERR_INVALID,
		                 "the calldata of a Delay module's transaction is not canonical");
	*out = found;
	return 0;
}

int delay_decode_enqueue(struct delay_entry *entry, struct bytes calldata, struct error *error)
{
	return read_entry(entry, calldata, enqueue_selector, error);
}

int delay_decode_execute(struct delay_entry *entry, struct bytes calldata, struct error *error)
{
	return read_entry(entry, calldata, execute_selector, error);
}

int delay_decode_set_nonce(uint64_t *nonce, struct bytes calldata)
{
	struct abi_reader arguments = abi_read_call(calldata, set_nonce_selector);

	*nonce = 0;
	if (!has_selector(calldata, set_nonce_selector))
		return ERR_NOT_FOUND;
	uint64_t found = abi_get_u64(&arguments);
	if (arguments.failed || calldata.len != ABI_SELECTOR + ABI_WORD)
		return ERR_INVALID;
	*nonce = found;
	return 0;
}

bool delay_is_skip_expired(struct bytes calldata)
{
	return calldata.len == ABI_SELECTOR && has_selector(calldata, skip_selector);
}

/* --- times --------------------------------------------------------------------------------------
 */

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > DELAY_NEVER - b ? DELAY_NEVER : a + b;
}

uint64_t delay_ready_at(const struct delay_queue *queue, uint64_t created_at)
{
	return add(created_at, queue->cooldown);
}

uint64_t delay_last_at(const struct delay_queue *queue, uint64_t created_at)
{
	if (queue->expiration == 0)
		return DELAY_NEVER;
	return add(delay_ready_at(queue, created_at), queue->expiration);
}
