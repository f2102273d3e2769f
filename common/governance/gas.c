#include "common/governance/gas.h"

enum {
	TRANSACTION = 21000,
	/* execTransaction: nonce, hash, events, and the signatures of twenty owners. */
	SAFE_FRAME = 300000,
	/* scheduleBatch, executeBatch: roles, the hash of the operation, its entry. */
	TIMELOCK_FRAME = 80000,
	/* One event per call, memory, and the call itself. */
	PER_CALL = 12000,
	/* 40 as the floor of EIP-7623, and 8 for its copy in an event. */
	PER_BYTE = 48,
	EIP_7825_CAP = 1 << 24,
};

static uint64_t frame_of(enum path_account sender)
{
	/* Anybody may be a Safe. */
	return sender == PATH_SAFE || sender == PATH_ANYBODY ? SAFE_FRAME : TRANSACTION;
}

static uint64_t sum(const uint64_t *items, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += items[i];
	return total;
}

static uint64_t largest(const uint64_t *items, size_t count)
{
	uint64_t most = 0;

	for (size_t i = 0; i < count; i++)
		most = items[i] > most ? items[i] : most;
	return most;
}

/* EIP-150: a call keeps a 64th back at each of its two or three levels. */
static uint64_t with_reserve(uint64_t gas)
{
	return gas + gas / 16;
}

/* Around the calls: what carries them, by the size of what is sent. */
static uint64_t carriage(const struct path *path, const struct path_step *step)
{
	return frame_of(step->sender) + path->count * PER_CALL + step->data.len * PER_BYTE;
}

struct gas_use gas_of(const struct path *path, const uint64_t *inner)
{
	struct arena arena = {0};
	struct path_step *first, then;
	struct gas_use use;

	path_first(&first, &arena, path);
	if (path_then(&then, &arena, path)) {
		/* A Delay module keeps less than a timelock, and its avatar signs nothing. */
		use.first = carriage(path, first) + TIMELOCK_FRAME;
		use.run = carriage(path, &then) + TIMELOCK_FRAME + sum(inner, path->count);
	} else if (path_first_sender(path->model) == PATH_OWNER) {
		use.first = use.run = largest(inner, path->count);
	} else {
		use.first = use.run = carriage(path, first) + sum(inner, path->count);
	}
	arena_free(&arena);
	return (struct gas_use){with_reserve(use.first), with_reserve(use.run)};
}

uint64_t gas_room(uint64_t block_limit)
{
	if (block_limit == 0)
		return UINT64_MAX;
	return block_limit / 2 < EIP_7825_CAP ? block_limit / 2 : EIP_7825_CAP;
}
