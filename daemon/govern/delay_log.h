/* What the logs say of a Delay module's queue, and of what it made its avatar do. */
#ifndef GOVERN_DELAY_LOG_H
#define GOVERN_DELAY_LOG_H

#include "common/governance/delay.h"
#include "common/store/store_chain.h"
#include "common/store/store_proposal.h"

/* A module's logs as the store has them. */
struct delay_log {
	struct store *store;
	uint64_t chain_id;
	const struct address *module;
};

/* One TransactionAdded. Whether it still waits is the module's word: txNonce <= nonce. */
struct delay_added {
	uint64_t nonce; /* its number in the queue */
	struct hash32 hash;
	struct delay_entry entry; /* its data in the arena */
	struct seen_log log;
};

/* ERR_INVALID: it does not decode, or the module's hash is not that of its entry. */
int delay_added_of(struct delay_added *out, const struct seen_log *log) MUST_USE;
/* The same entry may be added again: what it is known by when people are told of it. */
struct hash32 delay_added_key(const struct delay_added *added);

/* All that were added to the module's queue, in chain order; an entry that does not decode is left
 * out. */
size_t delay_added_list(struct delay_added **out, const struct delay_log *of, struct arena *arena);
/* The last one with this hash in a block above `after`; ERR_NOT_FOUND: none. */
int delay_added_find(struct delay_added *out, const struct delay_log *of, struct arena *arena,
                     const struct hash32 *hash, uint64_t after) MUST_USE;
/* Every one with this hash in a block above `after`, in chain order. */
size_t delay_added_same(struct delay_added **out, const struct delay_log *of, struct arena *arena,
                        const struct hash32 *hash, uint64_t after);
/* The first setTxNonce since then that passed over the entry; ERR_NOT_FOUND: none (modules before
 * 1.1 do not tell). */
int delay_veto_find(struct seen_log *out, struct store *store, struct arena *arena,
                    uint64_t chain_id, const struct delay_added *added) MUST_USE;
/* The transaction since then in which the module made its avatar act and the registry said that
 * every call of the proposal was made: no other event tells that an entry ran. Of the proposal only
 * chain_id and calls are looked at. ERR_NOT_FOUND: none. */
int delay_run_find(struct seen_log *out, struct store *store, struct arena *arena,
                   const struct proposal *proposal, const struct delay_added *added) MUST_USE;

/* Whether the module made a Safe act, by these logs of one transaction. */
bool delay_made_act(const struct seen_log_list *logs, const struct address *module);

/* Whether an entry of the module from number `next` on makes this call; *hash is then its. What is
 * foreign does not count: it may never run. */
bool delay_elsewhere(const struct delay_log *of, struct arena *arena, uint64_t next,
                     const struct contract_call *call, struct hash32 *hash);

#endif
