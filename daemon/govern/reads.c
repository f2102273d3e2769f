#include "daemon/govern/reads.h"

#include "common/governance/delay.h"
#include "common/governance/timelock.h"

#include <string.h>

size_t reads_add(struct reads *reads, const struct address *to, struct bytes data)
{
	if (reads->count == reads->room) {
		size_t room = reads->room > 0 ? 2 * reads->room : 32;
		struct chain_read *grown = arena_array(reads->arena, room, sizeof(*grown));
		if (reads->count > 0)
			memcpy(grown, reads->items, reads->count * sizeof(*grown));
		reads->items = grown;
		reads->room = room;
	}
	reads->items[reads->count] =
	        (struct chain_read){.to = *to, .data = arena_copy(reads->arena, data)};
	return reads->count++;
}

size_t reads_add_view(struct reads *reads, const struct address *to, enum view view)
{
	return reads_add(reads, to, view_call(view));
}

/* Takes the calldata that the caller has encoded. */
static size_t add_encoded(struct reads *reads, const struct address *to, struct buf *data)
{
	size_t index = reads_add(reads, to, buf_bytes(data));

	buf_free(data);
	return index;
}

size_t reads_add_timestamp(struct reads *reads, const struct address *timelock,
                           const struct hash32 *id)
{
	struct buf data = {0};

	timelock_encode_get_timestamp(&data, id);
	return add_encoded(reads, timelock, &data);
}

size_t reads_add_has_role(struct reads *reads, const struct address *timelock,
                          const struct hash32 *role, const struct address *account)
{
	struct buf data = {0};

	timelock_encode_has_role(&data, role, account);
	return add_encoded(reads, timelock, &data);
}

size_t reads_add_module_enabled(struct reads *reads, const struct address *to,
                                const struct address *module)
{
	struct buf data = {0};

	delay_encode_is_module_enabled(&data, module);
	return add_encoded(reads, to, &data);
}

size_t reads_add_lookup(struct reads *reads, const struct address *to, const uint8_t selector[4],
                        const struct hash32 *key)
{
	uint8_t data[4 + sizeof(key->b)];

	memcpy(data, selector, 4);
	memcpy(data + 4, key->b, sizeof(key->b));
	return reads_add(reads, to, bytes_of(data, sizeof(data)));
}

int reads_u64(uint64_t *out, const struct chain_read_result *result)
{
	*out = 0;
	return result->success && view_u64(out, result->returned) == 0 ? 0 : ERR_UNAVAILABLE;
}

int reads_timestamp(uint64_t *out, const struct chain_read_result *result)
{
	struct u256 wide;

	*out = 0;
	if (!result->success || result->returned.len != sizeof(wide.b))
		return ERR_UNAVAILABLE;
	memcpy(wide.b, result->returned.data, sizeof(wide.b));
	if (u256_to_u64(out, &wide) != 0)
		*out = UINT64_MAX;
	return 0;
}

int registry_call_for(struct registry_call *out, const struct config_target *target, enum kind kind)
{
	bool as_os_image = kind == KIND_COMPOSE && target->compose_registry_kms;

	out->as = as_os_image ? KIND_OS_IMAGE : kind;
	if (kind_contract(out->as) == CONTRACT_APP && !target->has_app)
		return ERR_NOT_FOUND;
	out->contract = kind_contract(out->as) == CONTRACT_APP ? target->app : target->kms;
	return 0;
}

void check_add(struct check_slot *slot, struct reads *reads, enum check_mode mode,
               const struct registry_call *call, const struct hash32 *value)
{
	bool has = kind_has_is_authorized(call->as);
	bool only_is_authorized = has && mode == CHECK_MODE_IS_AUTHORIZED;

	*slot = (struct check_slot){READS_NONE, READS_NONE, call->as};
	if (has && mode != CHECK_MODE_MAPPING)
		slot->is_authorized =
		        reads_add_lookup(reads, &call->contract, is_authorized_selector, value);
	if (!only_is_authorized)
		slot->mapping = reads_add_lookup(reads, &call->contract,
		                                 kind_getter_selector(call->as), value);
}

static enum check_answer read_answer(size_t index, const struct chain_read_result *results)
{
	if (index == READS_NONE || !results[index].success)
		return CHECK_UNKNOWN;
	return check_answer_parse(results[index].returned);
}

enum check_answer check_answer_of(const struct check_slot *slot,
                                  const struct chain_read_result *results, const char **getter,
                                  bool *disagree)
{
	enum check_answer is_authorized = read_answer(slot->is_authorized, results);
	enum check_answer mapping = read_answer(slot->mapping, results);
	bool both = is_authorized != CHECK_UNKNOWN && mapping != CHECK_UNKNOWN;

	if (disagree != NULL)
		*disagree = both && is_authorized != mapping;
	if (getter != NULL)
		*getter = is_authorized != CHECK_UNKNOWN ? "isAuthorized(bytes32)"
		          : mapping != CHECK_UNKNOWN     ? kind_getter_signature(slot->kind)
		                                         : NULL;
	if (both && is_authorized != mapping)
		return CHECK_UNKNOWN;
	return is_authorized != CHECK_UNKNOWN ? is_authorized : mapping;
}
