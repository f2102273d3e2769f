/* One draft being made, and the parts of making it. Inside this room only: drafter.c leads,
 * draft_there.c finds out what is there already, draft_simulate.c whether it would work and fits
 * into a block, draft_store.c writes it down. */
#ifndef GOVERN_DRAFT_H
#define GOVERN_DRAFT_H

#include "common/governance/multisend.h"
#include "common/governance/path.h"
#include "daemon/govern/gather.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/owner.h"

/* How many salts are asked about in one read; more are asked for only when all of them are known.
 */
enum { DRAFT_ATTEMPTS = 8 };

/* What is found out about the call of one candidate. */
struct draft_call_facts {
	size_t owner_read;    /* READS_NONE: not asked */
	struct address owner; /* of the contract, where the way asks for it */
	uint64_t gas;         /* of the call as a transaction of its own */
};

/* Lives from gathering until it is stored or given up. */
struct draft {
	struct lane *lane;
	struct arena arena;
	const struct config_target *target;
	struct block_ref head, final;
	struct candidate *items;
	struct draft_call_facts *facts; /* one per candidate */
	size_t count;
	bool urgent;  /* removals before which everything else waits */
	bool reduced; /* a candidate was dropped since the chain was asked */

	struct owner_slots owners;
	const char *foreign_owner; /* NULL, or which registry is not owned as the way needs it */
	size_t delay_read, attempt_reads[DRAFT_ATTEMPTS], version_read;
	uint64_t first_attempt;
	bool delay_known;
	enum { ATTEMPT_UNKNOWN, ATTEMPT_FOUND, ATTEMPT_PENDING, ATTEMPT_TAKEN } attempt_seen;
	uint64_t attempt;
	enum safe_version safe_version; /* of the Safe that makes the calls, where one does */

	size_t queue_read, enqueuer_read; /* Delay module: txNonce, VERSION() of who enqueues */
	uint64_t queue_next;

	struct path path; /* of the candidates still in; calls in the arena */
	struct path_step *steps;
	size_t step_count;
	struct address sender;   /* of the steps; zero: nobody knows who that is */
	const char *step_revert; /* what the simulation of a step said */
	struct draft_rehearsal *rehearsal;
	struct draft_multisend *multisend;
};

struct draft *draft_new(struct lane *lane, const struct config_target *target);
void draft_free(struct draft *draft); /* NULL is fine; cancels what is under way */

/* --- draft.c -----------------------------------------------------------------------------------
 */

size_t draft_kept(const struct draft *draft);
/* The calls of the candidates still in, each once and in their order, as the path's. */
void draft_make_batch(struct draft *draft);
/* Gives the path the salt of this attempt. */
void draft_set_attempt(struct draft *draft, uint64_t attempt);
/* What is drafted first and who sends it, from the path as it is now. */
void draft_make_steps(struct draft *draft);
/* Who calls the registry in the end. */
struct address draft_caller(const struct draft *draft, size_t candidate);
/* Whether an operation between drafting and execution has an id in the target's timelock. */
bool draft_has_operation(const struct draft *draft);
/* Drops every candidate that is still in, held with the reason, and alarms. */
void draft_hold(struct draft *draft, enum alarm alarm, const char *reason);

/* --- draft_there.c: what the chain has already -------------------------------------------------
 */

/* What the check answers when nothing has to be done. */
enum check_answer draft_wanted(const struct candidate *candidate);
/* Adds the checks of the candidates still in; at the final block, of those that are there at the
 * head. */
void draft_ask_checks(struct draft *draft, struct reads *reads, bool final);
/* Takes the head's answers; true: something is there, so the final block has to be asked. */
bool draft_take_checks(struct draft *draft, const struct chain_read_result *results);
void draft_take_final_checks(struct draft *draft, const struct chain_read_result *results);
/* Drops what needs no call any more, holds what cannot be checked. */
void draft_settle(struct draft *draft);
/* While a registry belongs to somebody else nothing can be done with what would be drafted: drops
 * every candidate, which stays as it is with the reason, until the owner is right again. True when
 * it did. */
bool draft_stopped_by_owner(struct draft *draft);
/* What this way of governance needs to know of its contracts: the timelock's delay and which
 * operation ids it knows, the Safe's version, the registries' owners. ERR_UNAVAILABLE: no answer;
 * another error: what a person has to know before this can be drafted. */
void draft_ask_way(struct draft *draft, struct reads *reads);
int draft_take_way(struct draft *draft, const struct chain_read_result *results,
                   struct error *error) MUST_USE;
/* Where a Delay module has this very batch waiting already, attempt_seen says so. */
void draft_find_entry(struct draft *draft);
/* Leaves those in the draft that no operation carries or, when there are none, those of one
 * operation, which may be that very batch; the others' turn comes after it. True when some were set
 * apart. */
bool draft_set_apart(struct draft *draft);
/* Where owners send the calls themselves: leaves those of one owner in the draft. */
bool draft_set_owners_apart(struct draft *draft);

/* --- draft_multisend.c: the contract that makes several calls of a Safe -------------------------
 */

/* Finds the MultiSendCallOnly of the Safe's own version and looks at its code. ERR_UNAVAILABLE: no
 * answer; ERR_DENIED with what a person has to know: it cannot be used; NULL: it is in the path. */
typedef void draft_multisend_fn(const struct error *error, void *arg);
void draft_find_multisend(struct draft *draft, draft_multisend_fn *done, void *arg);
void draft_multisend_cancel(struct draft *draft);

/* --- draft_simulate.c: whether it would work ---------------------------------------------------
 */

/* Runs to the end. ERR_UNAVAILABLE: something got no answer. Else each candidate knows whether it
 * reverted, step_revert is set if a step did, and those that do not fit into a block any more are
 * dropped (reduced is set). */
typedef void draft_rehearsed_fn(const struct error *error, void *arg);
void draft_rehearse(struct draft *draft, draft_rehearsed_fn *done, void *arg);
void draft_rehearsal_cancel(struct draft *draft);
bool draft_reverted(const struct draft *draft);
/* Holds what reverted: all of it when a step did. */
void draft_hold_reverted(struct draft *draft);

/* --- draft_store.c ------------------------------------------------------------------------------
 */

/* A person may have said hold, or another draft taken the call, while the chain was asked. */
bool draft_still_wanted(struct draft *draft);
struct proposal_id draft_store(struct draft *draft);

#endif
