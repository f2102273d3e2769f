#include "common/governance/timelock.h"

#include "common/crypto/hash.h"
#include "common/eth/abi.h"

#include <string.h>

static const uint8_t schedule_selector[ABI_SELECTOR] = {0x8f, 0x2a, 0x0b, 0xb0};
static const uint8_t execute_selector[ABI_SELECTOR] = {0xe3, 0x83, 0x35, 0xe5};
static const uint8_t schedule_one_selector[ABI_SELECTOR] = {0x01, 0xd5, 0x06, 0x2a};
static const uint8_t execute_one_selector[ABI_SELECTOR] = {0x13, 0x40, 0x08, 0xd3};
static const uint8_t cancel_selector[ABI_SELECTOR] = {0xc4, 0xd2, 0x52, 0xf5};
static const uint8_t timestamp_selector[ABI_SELECTOR] = {0xd4, 0x5c, 0x44, 0x35};
static const uint8_t has_role_selector[ABI_SELECTOR] = {0x91, 0xd1, 0x48, 0x54};

/* clang-format off */
const struct hash32 timelock_role_proposer = {{0xb0, 0x9a, 0xa5, 0xae, 0xb3, 0x70, 0x2c, 0xfd, 0x50, 0xb6, 0xb6, 0x2b, 0xc4, 0x53, 0x26, 0x04,
	0x93, 0x8f, 0x21, 0x24, 0x8a, 0x27, 0xa1, 0xd5, 0xca, 0x73, 0x60, 0x82, 0xb6, 0x81, 0x9c, 0xc1}};
const struct hash32 timelock_role_executor = {{0xd8, 0xaa, 0x0f, 0x31, 0x94, 0x97, 0x1a, 0x2a, 0x11, 0x66, 0x79, 0xf7, 0xc2, 0x09, 0x0f, 0x69,
	0x39, 0xc8, 0xd4, 0xe0, 0x1a, 0x2a, 0x8d, 0x7e, 0x41, 0xd5, 0x5e, 0x53, 0x51, 0x46, 0x9e, 0x63}};
const struct hash32 timelock_role_canceller = {{0xfd, 0x64, 0x3c, 0x72, 0x71, 0x0c, 0x63, 0xc0, 0x18, 0x02, 0x59, 0xab, 0xa6, 0xb2, 0xd0, 0x54,
	0x51, 0xe3, 0x59, 0x1a, 0x24, 0xe5, 0x8b, 0x62, 0x23, 0x93, 0x78, 0x08, 0x57, 0x26, 0xf7, 0x83}};
const struct hash32 timelock_role_default_admin = {{0}};
const struct hash32 timelock_role_admin_v4 = {{0x5f, 0x58, 0xe3, 0xa2, 0x31, 0x63, 0x49, 0x92, 0x3c, 0xe3, 0x78, 0x0f, 0x8d, 0x58, 0x7d, 0xb2,
	0xd7, 0x23, 0x78, 0xae, 0xd6, 0x6a, 0x82, 0x61, 0xc9, 0x16, 0x54, 0x4f, 0xa6, 0x84, 0x6c, 0xa5}};
/* clang-format on */

/* --- writing ------------------------------------------------------------------------------------
 */

/* The three arrays that every batch function begins with. */
static void put_calls(struct abi_writer *arguments, const struct timelock_batch *batch)
{
	abi_put_tail(arguments);
	struct abi_writer targets = abi_begin_array(arguments->out, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		abi_put_address(&targets, &batch->calls[i].to);
	abi_put_tail(arguments);
	struct abi_writer values = abi_begin_array(arguments->out, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		abi_put_u256(&values, &batch->calls[i].value);
	abi_put_tail(arguments);
	struct abi_writer payloads = abi_begin_array(arguments->out, batch->count);
	for (size_t i = 0; i < batch->count; i++)
		abi_put_bytes(&payloads, batch->calls[i].data);
}

/* The three arguments that both single functions begin with. */
static void put_one_call(struct abi_writer *arguments, const struct timelock_batch *batch)
{
	if (batch->count != 1)
		die("a single operation of %zu calls", batch->count);
	abi_put_address(arguments, &batch->calls[0].to);
	abi_put_u256(arguments, &batch->calls[0].value);
	abi_put_bytes(arguments, batch->calls[0].data);
}

/* The five arguments of executeBatch and hashOperationBatch, or of their single forms. */
static void put_batch(struct buf *out, const struct timelock_batch *batch)
{
	struct abi_writer arguments = abi_begin(out, 5);

	if (batch->single)
		put_one_call(&arguments, batch);
	else
		put_calls(&arguments, batch);
	abi_put_word(&arguments, &batch->predecessor);
	abi_put_word(&arguments, &batch->salt);
}

static struct hash32 hash_and_free(struct buf *preimage)
{
	struct hash32 hash = keccak256(buf_bytes(preimage));

	buf_free(preimage);
	return hash;
}

struct hash32 timelock_operation_id(const struct timelock_batch *batch)
{
	struct buf preimage = {0};

	put_batch(&preimage, batch);
	return hash_and_free(&preimage);
}

struct hash32 timelock_salt(const struct timelock_batch *batch, uint64_t chain_id,
                            const struct address *timelock, uint64_t attempt)
{
	struct buf preimage = {0};
	struct abi_writer arguments = abi_begin(&preimage, 8);

	abi_put_bytes(&arguments, bytes_text("registrard/1"));
	abi_put_u64(&arguments, chain_id);
	abi_put_address(&arguments, timelock);
	put_calls(&arguments, batch);
	abi_put_word(&arguments, &batch->predecessor);
	abi_put_u64(&arguments, attempt);
	return hash_and_free(&preimage);
}

void timelock_encode_schedule(struct buf *out, const struct timelock_batch *batch, uint64_t delay)
{
	buf_append(out, batch->single ? schedule_one_selector : schedule_selector, ABI_SELECTOR);
	struct abi_writer arguments = abi_begin(out, 6);
	if (batch->single)
		put_one_call(&arguments, batch);
	else
		put_calls(&arguments, batch);
	abi_put_word(&arguments, &batch->predecessor);
	abi_put_word(&arguments, &batch->salt);
	abi_put_u64(&arguments, delay);
}

void timelock_encode_execute(struct buf *out, const struct timelock_batch *batch)
{
	buf_append(out, batch->single ? execute_one_selector : execute_selector, ABI_SELECTOR);
	put_batch(out, batch);
}

static void encode_with_id(struct buf *out, const uint8_t selector[ABI_SELECTOR],
                           const struct hash32 *id)
{
	buf_append(out, selector, ABI_SELECTOR);
	buf_append(out, id->b, sizeof(id->b));
}

void timelock_encode_cancel(struct buf *out, const struct hash32 *id)
{
	encode_with_id(out, cancel_selector, id);
}

void timelock_encode_get_timestamp(struct buf *out, const struct hash32 *id)
{
	encode_with_id(out, timestamp_selector, id);
}

void timelock_encode_has_role(struct buf *out, const struct hash32 *role,
                              const struct address *account)
{
	buf_append(out, has_role_selector, sizeof(has_role_selector));
	struct abi_writer arguments = abi_begin(out, 2);
	abi_put_word(&arguments, role);
	abi_put_address(&arguments, account);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* Three arrays of one length, then predecessor and salt. */
static int read_batch(struct arena *arena, struct timelock_batch *batch,
                      struct abi_reader *arguments, struct error *error)
{
	size_t targets, values, payloads;
	struct address *target = abi_get_addresses(arguments, arena, &targets);
	struct u256 *value = abi_get_u256s(arguments, arena, &values);
	struct bytes *payload = abi_get_bytes_array(arguments, arena, &payloads);

	batch->predecessor = abi_get_word(arguments);
	batch->salt = abi_get_word(arguments);
	if (arguments->failed || targets != values || targets != payloads)
		return error_set(error, ERR_INVALID, "no batch of a timelock");
	if (targets > TIMELOCK_MAX_CALLS)
		return error_set(error, ERR_LIMIT, "batch of %zu calls, at most %d", targets,
		                 TIMELOCK_MAX_CALLS);
	struct contract_call *calls = arena_array(arena, targets, sizeof(*calls));
	for (size_t i = 0; i < targets; i++)
		calls[i] = (struct contract_call){target[i], value[i], payload[i]};
	batch->calls = calls;
	batch->count = targets;
	return 0;
}

/* One call, then predecessor and salt. */
static int read_one(struct arena *arena, struct timelock_batch *batch, struct abi_reader *arguments,
                    struct error *error)
{
	struct contract_call *call = arena_array(arena, 1, sizeof(*call));

	call->to = abi_get_address(arguments);
	call->value = abi_get_u256(arguments);
	call->data = abi_get_bytes(arguments);
	batch->predecessor = abi_get_word(arguments);
	batch->salt = abi_get_word(arguments);
	if (arguments->failed)
		return error_set(error, ERR_INVALID, "no operation of a timelock");
	batch->calls = call;
	batch->count = 1;
	batch->single = true;
	return 0;
}

static int read_operation(struct arena *arena, struct timelock_batch *batch,
                          struct abi_reader *arguments, bool single, struct error *error)
{
	return single ? read_one(arena, batch, arguments, error)
	              : read_batch(arena, batch, arguments, error);
}

/* Strict: what was read must encode to the same bytes, so no two calldatas mean one batch. */
static int require_same(struct buf *again, struct bytes calldata, struct error *error)
{
	bool same = bytes_equal(buf_bytes(again), calldata);

	buf_free(again);
	return same ? 0 : error_set(error, ERR_INVALID, "batch calldata is not canonical");
}

static bool has_selector(struct bytes calldata, const uint8_t selector[ABI_SELECTOR])
{
	return calldata.len >= ABI_SELECTOR && memcmp(calldata.data, selector, ABI_SELECTOR) == 0;
}

int timelock_decode_schedule(struct arena *arena, struct timelock_batch *batch, uint64_t *delay,
                             struct bytes calldata, struct error *error)
{
	bool single = has_selector(calldata, schedule_one_selector);
	struct abi_reader arguments =
	        abi_read_call(calldata, single ? schedule_one_selector : schedule_selector);
	struct timelock_batch found = {0};
	struct buf again = {0};

	memset(batch, 0, sizeof(*batch));
	*delay = 0;
	if (!single && !has_selector(calldata, schedule_selector))
		return error_set(error, ERR_NOT_FOUND, "no call of schedule or scheduleBatch");
	int rc = read_operation(arena, &found, &arguments, single, error);
	uint64_t found_delay = abi_get_u64(&arguments);
	if (rc != 0)
		return rc;
	if (arguments.failed)
		return error_set(error, ERR_INVALID, "the delay is not a number of seconds");
	timelock_encode_schedule(&again, &found, found_delay);
	rc = require_same(&again, calldata, error);
	if (rc != 0)
		return rc;
	*batch = found;
	*delay = found_delay;
	return 0;
}

int timelock_decode_execute(struct arena *arena, struct timelock_batch *batch,
                            struct bytes calldata, struct error *error)
{
	bool single = has_selector(calldata, execute_one_selector);
	struct abi_reader arguments =
	        abi_read_call(calldata, single ? execute_one_selector : execute_selector);
	struct timelock_batch found = {0};
	struct buf again = {0};

	memset(batch, 0, sizeof(*batch));
	if (!single && !has_selector(calldata, execute_selector))
		return error_set(error, ERR_NOT_FOUND, "no call of execute or executeBatch");
	int rc = read_operation(arena, &found, &arguments, single, error);
	if (rc != 0)
		return rc;
	timelock_encode_execute(&again, &found);
	rc = require_same(&again, calldata, error);
	if (rc != 0)
		return rc;
	*batch = found;
	return 0;
}

int timelock_decode_cancel(struct hash32 *id, struct bytes calldata)
{
	memset(id, 0, sizeof(*id));
	if (!has_selector(calldata, cancel_selector))
		return ERR_NOT_FOUND;
	if (calldata.len != ABI_SELECTOR + sizeof(id->b))
		return ERR_INVALID;
	memcpy(id->b, calldata.data + ABI_SELECTOR, sizeof(id->b));
	return 0;
}
