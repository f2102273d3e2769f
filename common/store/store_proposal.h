/* Proposals, their calls, Safe transactions, executor transactions, history, nonces. */
#ifndef STORE_PROPOSAL_H
#define STORE_PROPOSAL_H

#include "common/governance/lifecycle.h"
#include "common/governance/registry.h"
#include "common/store/store_measurement.h"

struct proposal_id { int64_t n; };  /* people see p7 */
struct safe_tx_id { int64_t n; };

enum proposal_flag { FLAG_OVERDUE = 1, FLAG_WITHDRAWING = 2 };

struct call {
	int64_t id;
	struct address to;
	struct bytes data;
	enum action action;
	enum kind kind;
	struct hash32 value;
};

struct proposal {
	struct proposal_id id;
	const char *target;         /* the target it was drafted for */
	const char *origin;         /* "registrard" or "external" */
	uint64_t chain_id;
	enum model model;
	enum proposal_state state;
	unsigned flags;
	struct address safe, timelock;   /* zero when the model has none; its own, whatever the config says now */
	struct hash32 salt, operation_id;
	uint64_t attempt;           /* the number in the salt */
	uint64_t delay, ready_at;   /* seconds; 0 unknown */
	uint64_t drafted_after;     /* the final block at drafting: only logs after it can be about it */
	struct wall created_at, expires_at;
	struct call *calls;
	size_t call_count;
};
struct proposal_list { struct proposal *items; size_t count; };

struct new_proposal {
	const char *target;
	const char *origin;
	uint64_t chain_id;
	enum model model;
	struct address safe, timelock;
	struct hash32 salt, operation_id;
	uint64_t attempt, delay;
	uint64_t drafted_after;
	struct wall expires_at;
	const struct call *calls;
	size_t call_count;
};

/* Stores the proposal with state drafted, its calls as live, and its first history row. A call
 * (chain, contract, calldata) that a live proposal already carries is ERR_CONFLICT. */
int store_proposal_create(struct store *store, const struct new_proposal *proposal, struct proposal_id *out,
                          struct error *error) MUST_USE;
/* Links a measurement to the live call that serves it, and sets it `proposed`. */
void store_call_serve(struct store *store, uint64_t chain_id, const struct address *to, struct bytes data,
                      struct measurement_id measurement);
/* The live proposal that carries this call, ERR_NOT_FOUND if none. */
int store_call_live(struct store *store, uint64_t chain_id, const struct address *to, struct bytes data,
                    struct proposal_id *out) MUST_USE;

int store_proposal_get(struct store *store, struct arena *arena, struct proposal_id id,
                       struct proposal *out) MUST_USE;
enum proposal_scope { PROPOSALS_ALL, PROPOSALS_LIVE };
void store_proposal_list(struct store *store, struct arena *arena, enum proposal_scope scope,
                         uint64_t chain_id /* 0: every chain */, struct proposal_list *out);
/* The measurements that a proposal's calls serve. */
void store_proposal_measurements(struct store *store, struct arena *arena, struct proposal_id id,
                                 struct measurement_list *out);
/* The proposals whose calls serve(d) a measurement, ids only. */
size_t store_measurement_proposals(struct store *store, struct arena *arena, struct measurement_id id,
                                   struct proposal_id **out);

/* THE function that changes a state. Refuses (ERR_CONFLICT) when the stored state is not `from` or
 * lifecycle_allows says no. Writes row, history row and event; a terminal state frees the calls,
 * and rejected, cancelled, failed and expired put the measurements on held with the reason
 * (withdrawn drafts too); confirmed sets them authorized / revoked by action. */
int store_proposal_move(struct store *store, struct proposal_id id, enum proposal_state from,
                        enum proposal_state to, const char *reason, const struct hash32 *tx /* or NULL */,
                        struct error *error) MUST_USE;
void store_proposal_set_flags(struct store *store, struct proposal_id id, unsigned flags, const char *reason);
void store_proposal_set_ready_at(struct store *store, struct proposal_id id, uint64_t ready_at);

struct history_row {
	struct wall at;
	enum proposal_state from, to; /* from 0 for the first */
	const char *reason;
	bool has_tx;
	struct hash32 tx;
};
struct history_list { struct history_row *items; size_t count; };
void store_history_list(struct store *store, struct arena *arena, struct proposal_id id, struct history_list *out);

/* --- Safe transactions ---------------------------------------------------------------------- */

struct safe_tx_row {
	struct safe_tx_id id;
	struct proposal_id proposal;
	enum purpose purpose;
	unsigned attempt;
	uint64_t chain_id;
	struct address safe, to;
	struct bytes data;
	uint8_t operation;
	bool has_nonce;             /* nonce and safe_tx_hash are set together */
	uint64_t nonce;
	struct hash32 safe_tx_hash;
	enum safe_tx_status status;
	unsigned confirmations, threshold;
	bool has_tx;                /* the transaction on chain that executed (or replaced) it */
	struct hash32 tx;
	uint64_t tx_block;
	struct wall posted_at;      /* 0: never */
};
struct safe_tx_list { struct safe_tx_row *items; size_t count; };

/* attempt is 1 + the highest of that purpose; returned row id. */
struct safe_tx_id store_safe_tx_add(struct store *store, struct proposal_id proposal, enum purpose purpose,
                                    const struct address *safe, const struct address *to, struct bytes data,
                                    uint8_t operation);
/* drafted -> posting with its nonce; two live rows of one (chain, Safe) with the same nonce are
 * ERR_CONFLICT (a reject shares the nonce of what it rejects). */
int store_safe_tx_assign(struct store *store, struct safe_tx_id id, uint64_t nonce,
                         const struct hash32 *safe_tx_hash, struct error *error) MUST_USE;
/* Back to drafted without nonce: only before it was ever accepted by a service. */
void store_safe_tx_unassign(struct store *store, struct safe_tx_id id);
void store_safe_tx_set_status(struct store *store, struct safe_tx_id id, enum safe_tx_status status,
                              const struct hash32 *tx /* or NULL */, uint64_t tx_block);
void store_safe_tx_set_confirmations(struct store *store, struct safe_tx_id id, unsigned confirmations, unsigned threshold);
void store_safe_tx_list(struct store *store, struct arena *arena, struct proposal_id proposal, struct safe_tx_list *out);
/* Drafted, posting or queued ones of a chain, oldest first. */
void store_safe_tx_open(struct store *store, struct arena *arena, uint64_t chain_id, struct safe_tx_list *out);
/* Nonces that live own transactions of this Safe hold, ascending. */
size_t store_safe_nonces(struct store *store, struct arena *arena, uint64_t chain_id, const struct address *safe,
                         uint64_t **out);

/* --- executor transactions ------------------------------------------------------------------- */

enum sent_status { SENT_STORED = 1, SENT_MINED = 2, SENT_FAILED = 3, SENT_REPLACED = 4 };
struct sent_tx {
	int64_t id;
	struct proposal_id proposal;
	uint64_t chain_id, nonce;
	struct address from;
	struct bytes raw;
	struct hash32 tx_hash;
	struct u256 max_fee, max_priority_fee;
	unsigned attempt;           /* of the same nonce: 1, 2, ... */
	enum sent_status status;
	struct wall sent_at;
};
struct sent_tx_list { struct sent_tx *items; size_t count; };
/* Persisted before it is sent. */
int64_t store_sent_tx_add(struct store *store, const struct sent_tx *tx);
void store_sent_tx_set_status(struct store *store, int64_t id, enum sent_status status);
void store_sent_tx_list(struct store *store, struct arena *arena, struct proposal_id proposal, struct sent_tx_list *out);
/* The highest nonce of live own transactions of this address, ERR_NOT_FOUND if none. */
int store_sent_nonce_max(struct store *store, uint64_t chain_id, const struct address *from, uint64_t *out) MUST_USE;

#endif
