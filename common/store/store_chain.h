/* What was read from a chain: cursor, recent block hashes, and the logs that matter. */
#ifndef STORE_CHAIN_H
#define STORE_CHAIN_H

#include "common/store/store.h"
#include "common/eth/address.h"

struct seen_log {
	uint64_t block_number;
	struct hash32 block_hash, tx_hash;
	unsigned log_index;
	struct address address;
	struct hash32 topic0;
	struct hash32
	        key; /* the indexed or first 32-byte value: safeTxHash, operation id, measurement */
	struct bytes data; /* topics 1.. and data, concatenated */
};
struct seen_log_list {
	struct seen_log *items;
	size_t count;
};

/* The last block scanned forward. ERR_NOT_FOUND before the first scan. */
int store_cursor_get(struct store *store, uint64_t chain_id, uint64_t *number,
                     struct hash32 *hash) MUST_USE;
/* Moves the cursor forward and remembers (number, hash) among the recent ones (the last 512 kept).
 */
void store_cursor_set(struct store *store, uint64_t chain_id, uint64_t number,
                      const struct hash32 *hash);
/* The newest remembered block below `below`, ERR_NOT_FOUND when none is left. */
int store_cursor_before(struct store *store, uint64_t chain_id, uint64_t below, uint64_t *number,
                        struct hash32 *hash) MUST_USE;
/* A reorganisation: forgets blocks and logs above number. The cursor goes to the newest remembered
 * block that is left, or the second to the block that is given. */
void store_chain_rewind(struct store *store, uint64_t chain_id, uint64_t number);
void store_chain_rewind_to(struct store *store, uint64_t chain_id, uint64_t number,
                           const struct hash32 *hash);

/* Backfill of history below the first forward scan: [from, next) is still to be scanned downward;
 * done when next <= from. */
int store_backfill_get(struct store *store, uint64_t chain_id, uint64_t *from,
                       uint64_t *next) MUST_USE;
/* Whether `from` reaches back to where history begins: the oldest contract, or the block that the
 * configuration names. True until somebody says otherwise. */
bool store_backfill_is_whole(struct store *store, uint64_t chain_id);
void store_backfill_set_whole(struct store *store, uint64_t chain_id, bool whole);
void store_backfill_set(struct store *store, uint64_t chain_id, uint64_t from, uint64_t next);

/* The contracts whose history is read or being read: one that is not among them yet needs a
 * backfill. */
bool store_follow_known(struct store *store, uint64_t chain_id, const struct address *contract);
void store_follow_add(struct store *store, uint64_t chain_id, const struct address *contract);

/* Idempotent; true when the log was not there yet. What was stored of another block of that number
 * goes: a chain has one. */
bool store_log_put(struct store *store, uint64_t chain_id, const struct seen_log *log);
/* Logs with this address, topic0 and key in chain order. */
struct seen_log_list store_log_find(struct store *store, struct arena *arena, uint64_t chain_id,
                                    const struct address *address, const struct hash32 *topic0,
                                    const struct hash32 *key);

/* The same for every key. */
struct seen_log_list store_log_list(struct store *store, struct arena *arena, uint64_t chain_id,
                                    const struct address *address, const struct hash32 *topic0);

/* Logs of these topic0s at or below block upto that nobody has acted on yet, in chain order; and
 * the mark that somebody has. A log that arrives late (backfill) is unacted, too. */
struct seen_log_list store_log_unacted(struct store *store, struct arena *arena, uint64_t chain_id,
                                       const struct hash32 *topic0s, size_t topic_count,
                                       uint64_t upto);
void store_log_acted(struct store *store, uint64_t chain_id, const struct seen_log *log);
/* What had been done about it is to be done anew. */
void store_log_act_again(struct store *store, uint64_t chain_id, const struct seen_log *log);

/* --- changes that people are told about, once each ---------------------------------------------
 */

/* The first block whose logs of the contract are news; the first call decides. */
void store_watched_add(struct store *store, uint64_t chain_id, const struct address *contract,
                       uint64_t since);
/* ERR_NOT_FOUND: it is not watched. */
int store_watched_since(struct store *store, uint64_t chain_id, const struct address *contract,
                        uint64_t *since) MUST_USE;
/* Up to limit news at or below block upto that nobody was told about yet, in chain order. */
struct seen_log_list store_log_untold(struct store *store, struct arena *arena, uint64_t chain_id,
                                      uint64_t upto, size_t limit);
void store_log_told(struct store *store, uint64_t chain_id, const struct seen_log *log);
/* Every log of the transaction in that block, in chain order. */
struct seen_log_list store_log_of_tx(struct store *store, struct arena *arena, uint64_t chain_id,
                                     const struct seen_log *one);

/* History that nobody was told about: how many logs of each contract and topic0; and the mark that
 * somebody was. */
struct log_count {
	struct address address;
	struct hash32 topic0;
	uint64_t count, first_block, last_block;
};
struct log_counts {
	struct log_count *items;
	size_t count;
};
void store_history_untold(struct store *store, struct arena *arena, uint64_t chain_id,
                          struct log_counts *out);
void store_history_told(struct store *store, uint64_t chain_id);

/* What others brought before a Safe or a timelock (contract) under this safeTxHash or operation id
 * (key) is remembered as told. True when it was not yet. */
bool store_outside_note(struct store *store, uint64_t chain_id, const struct address *contract,
                        const struct hash32 *key);
bool store_outside_known(struct store *store, uint64_t chain_id, const struct address *contract,
                         const struct hash32 *key);

#endif
