/* Proposals, their calls, flags, states and history. */
#ifndef STORE_PROPOSAL_H
#define STORE_PROPOSAL_H

#include "common/governance/lifecycle.h"
#include "common/governance/registry.h"
#include "common/store/store_measurement.h"

/* People see p7. */
struct proposal_id {
	int64_t n;
};

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
	const char *target; /* the target it was drafted for */
	const char *origin; /* "registrard" or "external" */
	uint64_t chain_id;
	enum model model;
	enum proposal_state state;
	unsigned flags;
	struct address safe, timelock; /* its own, whatever the config says now; zero: none */
	struct address sender; /* of what is drafted first: Safe or account; zero: not known */
	struct hash32 salt, predecessor, operation_id;
	bool single;              /* scheduled by `schedule`, not as a batch */
	uint64_t attempt;         /* the number in the salt */
	uint64_t delay, ready_at; /* seconds; 0 unknown */
	uint64_t drafted_after;   /* the final block at drafting: later logs can be about it */
	struct wall created_at, expires_at;
	bool urgent;          /* its Safe transactions compete for the lowest nonce */
	bool redraft;         /* withdrawn for one of its values: the others are drafted again */
	struct wall delay_at; /* its delay was raised after drafting; 0: never */
	uint64_t mark;        /* the same as long as all of this is; calls never change */
	struct call *calls;
	size_t call_count;
};
struct proposal_list {
	struct proposal *items;
	size_t count;
};

struct new_proposal {
	const char *target;
	const char *origin;
	uint64_t chain_id;
	enum model model;
	struct address safe, timelock, sender;
	struct hash32 salt, predecessor, operation_id;
	bool single;
	uint64_t attempt, delay;
	uint64_t drafted_after;
	struct wall expires_at;
	bool urgent;
	const char *reason; /* of the first history row; NULL: "drafted" */
	const struct call *calls;
	size_t call_count;
};

/* Stores the proposal with state drafted, its calls as live, and its first history row. A call
 * (chain, contract, calldata) that a live proposal already carries is ERR_CONFLICT. */
int store_proposal_create(struct store *store, const struct new_proposal *proposal,
                          struct proposal_id *out, struct error *error) MUST_USE;
/* Links a measurement to the live call that serves it, and sets it `proposed`, unless it is held,
 * revoked or refused or wanted otherwise: then the link alone is recorded. */
void store_call_serve(struct store *store, uint64_t chain_id, const struct address *to,
                      struct bytes data, struct measurement_id measurement);
/* The live proposal that carries this call, ERR_NOT_FOUND if none. */
int store_call_live(struct store *store, uint64_t chain_id, const struct address *to,
                    struct bytes data, struct proposal_id *out) MUST_USE;
/* Every proposal that carries or carried this call, ids only, oldest first. */
size_t store_call_proposals(struct store *store, struct arena *arena, uint64_t chain_id,
                            const struct address *to, struct bytes data, struct proposal_id **out);

int store_proposal_get(struct store *store, struct arena *arena, struct proposal_id id,
                       struct proposal *out) MUST_USE;
enum proposal_scope { PROPOSALS_ALL, PROPOSALS_LIVE };
void store_proposal_list(struct store *store, struct arena *arena, enum proposal_scope scope,
                         uint64_t chain_id /* 0: every chain */, struct proposal_list *out);
/* The measurements that a proposal's calls serve. */
void store_proposal_measurements(struct store *store, struct arena *arena, struct proposal_id id,
                                 struct measurement_list *out);
/* The proposals whose calls serve(d) a measurement, ids only. */
size_t store_measurement_proposals(struct store *store, struct arena *arena,
                                   struct measurement_id id, struct proposal_id **out);
/* The live proposals whose call of this action serves the measurement. */
size_t store_measurement_carriers(struct store *store, struct arena *arena,
                                  struct measurement_id id, enum action action,
                                  struct proposal_id **out);
/* What a live proposal is about to do with the measurement; ERR_NOT_FOUND if none is. */
int store_measurement_pending(struct store *store, struct measurement_id id,
                              enum action *out) MUST_USE;

struct state_move {
	enum proposal_state from, to;
	const char *reason;
	const struct hash32 *tx; /* or NULL */
};
/* THE function that changes a state. Refuses (ERR_CONFLICT) when the stored state is not `from` or
 * lifecycle_allows says no. Writes row, history row and event; a terminal state frees the calls and
 * withdraws the Safe transactions that were never posted or can do nothing any more; rejected,
 * cancelled, failed and expired put new and proposed measurements on held with the reason, unless
 * another live call carries them, and on new those that a person decided otherwise about meanwhile
 * or that share the batch with such a one; confirmed sets them authorized / revoked by action,
 * unless the opposite was seen after it was executed. */
int store_proposal_move(struct store *store, struct proposal_id id, const struct state_move *move,
                        struct error *error) MUST_USE;
/* A draft that nobody outside has seen, or something external that a reorganisation took back,
 * gives way: drafted -> cancelled, and its measurements are new again, since nobody has refused
 * them. Those whose only evidence is that others asked for them are held. */
int store_proposal_give_way(struct store *store, struct proposal_id id, const char *reason,
                            struct error *error) MUST_USE;
void store_proposal_set_flags(struct store *store, struct proposal_id id, unsigned flags,
                              const char *reason);
/* Flags it as withdrawing. redraft: for one value, the others go on, unless all was withdrawn. */
void store_proposal_withdraw(struct store *store, struct proposal_id id, bool redraft,
                             const char *reason);
void store_proposal_set_urgent(struct store *store, struct proposal_id id);
/* The timelock asks for more than at drafting. */
void store_proposal_set_delay(struct store *store, struct proposal_id id, uint64_t delay);
/* Who sends it became known after it was drafted. */
void store_proposal_set_sender(struct store *store, struct proposal_id id,
                               const struct address *sender);
void store_proposal_set_ready_at(struct store *store, struct proposal_id id, uint64_t ready_at);

struct history_row {
	struct wall at;
	enum proposal_state from, to; /* from 0 for the first */
	const char *reason;
	bool has_tx;
	struct hash32 tx;
};
struct history_list {
	struct history_row *items;
	size_t count;
};
void store_history_list(struct store *store, struct arena *arena, struct proposal_id id,
                        struct history_list *out);

#endif
