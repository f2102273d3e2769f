/* Safe transactions with the nonces they hold, and the transactions of the executor key. */
#ifndef STORE_SAFE_TX_H
#define STORE_SAFE_TX_H

#include "common/store/store_proposal.h"

struct safe_tx_id {
	int64_t n;
};

struct safe_tx_row {
	struct safe_tx_id id;
	struct proposal_id proposal;
	enum purpose purpose;
	unsigned attempt;
	uint64_t chain_id;
	struct address safe, to;
	struct bytes data;
	uint8_t operation;
	bool has_nonce; /* nonce and safe_tx_hash are set together */
	uint64_t nonce;
	struct hash32 safe_tx_hash;
	enum safe_tx_status status;
	unsigned confirmations, threshold;
	bool was_signed; /* by as many owners as were needed, once */
	bool has_tx;     /* the transaction on chain that executed (or replaced) it */
	struct hash32 tx;
	uint64_t tx_block;
	struct wall posted_at; /* when its nonce was assigned for the POST; 0: never */
	bool shares;           /* it competes for a nonce that something else holds */
	bool displaced;        /* what used its nonce was more urgent: another attempt follows */
	bool deleted;          /* its service forgot it; it may be executed all the same */
	uint64_t mark;         /* the same as long as all of this is */
};
struct safe_tx_list {
	struct safe_tx_row *items;
	size_t count;
};

/* A draft: of the row only proposal, purpose, safe, to, data and operation are looked at. attempt
 * is 1 + the highest of that purpose; returned row id. */
struct safe_tx_id store_safe_tx_add(struct store *store, const struct safe_tx_row *row);
/* For a rejection: it stays drafted, but this nonce is the only one it will ever have. */
void store_safe_tx_pin(struct store *store, struct safe_tx_id id, uint64_t nonce,
                       const struct hash32 *safe_tx_hash);
/* drafted -> posting with its nonce, ERR_CONFLICT from any other status; two live rows of one
 * (chain, Safe) with the same nonce are ERR_CONFLICT (a reject shares the nonce of what it
 * rejects). */
int store_safe_tx_assign(struct store *store, struct safe_tx_id id, uint64_t nonce,
                         const struct hash32 *safe_tx_hash, struct error *error) MUST_USE;
/* The same for one that competes for the nonce of what it displaces: only another such one is in
 * the way. */
int store_safe_tx_compete(struct store *store, struct safe_tx_id id, uint64_t nonce,
                          const struct hash32 *safe_tx_hash, struct error *error) MUST_USE;
/* Back to drafted without nonce (a rejection keeps its one): only before it was ever accepted by a
 * service. */
void store_safe_tx_unassign(struct store *store, struct safe_tx_id id);
/* Its nonce counts as assigned now: the clock was set back behind posted_at. */
void store_safe_tx_repost(struct store *store, struct safe_tx_id id);
void store_safe_tx_set_status(struct store *store, struct safe_tx_id id, enum safe_tx_status status,
                              const struct hash32 *tx /* or NULL */, uint64_t tx_block);
/* by competed for the nonce of old and is in the queue now: old is withdrawn and by holds the nonce
 * alone. Old may be executed all the same. */
void store_safe_tx_supersede(struct store *store, struct safe_tx_id old, struct safe_tx_id by);
void store_safe_tx_set_confirmations(struct store *store, struct safe_tx_id id,
                                     unsigned confirmations, unsigned threshold);
/* Nobody refused it: it was only overtaken. */
void store_safe_tx_set_displaced(struct store *store, struct safe_tx_id id);
/* The service forgot it. */
void store_safe_tx_set_deleted(struct store *store, struct safe_tx_id id);
/* It is withdrawn, and stands in no queue any more: there is nothing left to be done about it. */
void store_safe_tx_set_gone(struct store *store, struct safe_tx_id id);
int store_safe_tx_get(struct store *store, struct arena *arena, struct safe_tx_id id,
                      struct safe_tx_row *out) MUST_USE;
/* The one with this hash, whatever became of it. */
int store_safe_tx_find(struct store *store, struct arena *arena, uint64_t chain_id,
                       const struct address *safe, const struct hash32 *safe_tx_hash,
                       struct safe_tx_row *out) MUST_USE;
void store_safe_tx_list(struct store *store, struct arena *arena, struct proposal_id proposal,
                        struct safe_tx_list *out);
/* Drafted, posting or queued ones of a chain, oldest first. */
void store_safe_tx_open(struct store *store, struct arena *arena, uint64_t chain_id,
                        struct safe_tx_list *out);
/* What may lie in a queue for nothing: withdrawn ones that are not gone, no rejections; and open
 * ones of proposals that are further, or over. Oldest first of each. */
void store_safe_tx_left(struct store *store, struct arena *arena, uint64_t chain_id,
                        struct safe_tx_list *out);
/* Nonces that live own transactions of this Safe hold, ascending. */
size_t store_safe_nonces(struct store *store, struct arena *arena, uint64_t chain_id,
                         const struct address *safe, uint64_t **out);

/* Those of them that compete for theirs. */
size_t store_safe_shared_nonces(struct store *store, struct arena *arena, uint64_t chain_id,
                                const struct address *safe, uint64_t **out);
/* Every transaction, of whatever proposal and status, that holds or held the nonce. */
void store_safe_tx_at_nonce(struct store *store, struct arena *arena, uint64_t chain_id,
                            const struct address *safe, uint64_t nonce, struct safe_tx_list *out);

/* --- executor transactions ------------------------------------------------------------------- */

enum sent_status { SENT_STORED = 1, SENT_MINED = 2, SENT_FAILED = 3, SENT_REPLACED = 4 };
struct sent_tx {
	int64_t id;
	struct proposal_id proposal;
	enum purpose purpose; /* schedule, execute or cancel */
	uint64_t chain_id, nonce;
	struct address from;
	struct bytes raw;
	struct hash32 tx_hash;
	struct u256 max_fee, max_priority_fee;
	unsigned attempt; /* of the same nonce: 1, 2, ... */
	enum sent_status status;
	struct wall sent_at;
};
struct sent_tx_list {
	struct sent_tx *items;
	size_t count;
};
/* Persisted before it is sent. */
int64_t store_sent_tx_add(struct store *store, const struct sent_tx *tx);
void store_sent_tx_set_status(struct store *store, int64_t id, enum sent_status status);
void store_sent_tx_list(struct store *store, struct arena *arena, struct proposal_id proposal,
                        struct sent_tx_list *out);
/* Every one, of whatever proposal and status, that was made with the nonce. */
void store_sent_tx_of_nonce(struct store *store, struct arena *arena, uint64_t chain_id,
                            const struct address *from, uint64_t nonce, struct sent_tx_list *out);
/* The lowest nonce from `least` on that no live transaction of this address holds. */
uint64_t store_sent_nonce_free(struct store *store, uint64_t chain_id, const struct address *from,
                               uint64_t least);

#endif
