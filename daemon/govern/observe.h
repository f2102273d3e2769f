/* From the store, the logs and pinned reads to the observation that the pure rules take. */
#ifndef GOVERN_OBSERVE_H
#define GOVERN_OBSERVE_H

#include "common/store/store_chain.h"
#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"

struct observed_delay;

/* What the registries' events say about the calls of a batch that no operation of a timelock holds.
 */
struct run_seen {
	bool all, any;  /* were made since the drafting */
	bool all_final; /* in final blocks */
	bool has_last;
	struct seen_log last;
};

/* What one look at the chain finds about one proposal. Zero-initialise, set proposal, target and
 * deeper. */
struct observed {
	const struct proposal *proposal;
	const struct config_target
	        *target;         /* NULL: left the configuration; addresses are its own */
	bool deeper;             /* ask for what changes only together with an event, too */
	struct safe_tx_list txs; /* as stored when the look began */
	struct observation seen;
	bool wants_final;  /* something has to be asked at the final block, too */
	bool awaits_final; /* or nothing yet, but a later final block will say more */
	bool getters_disagree;
	bool txs_changed; /* a stored Safe transaction got another status */

	struct run_seen run; /* models without a timelock */
	size_t timestamp_read;
	struct check_slot *checks; /* one per call, or NULL */
	size_t final_timestamp_read, final_nonce_read;
	struct check_slot *final_checks;
	struct observed_delay *delay; /* model delay only */

	bool in_effect; /* every check answers as wanted at the head, and nothing of it ran */
	size_t min_delay_read, final_min_delay_read;
	bool delay_too_short; /* at the head: the timelock asks for more than its schedule does */
	uint64_t min_delay;   /* with delay_too_short: what it asks for at finality; 0: the same */
	size_t *owner_reads, *final_owner_reads; /* of each call's contract, or NULL */
	bool owner_moved; /* at the head: who was to send the calls owns a contract no more */
	bool owner_moved_final;

	bool has_scheduled_tx, has_executed_tx, has_ended_tx; /* for the history */
	struct hash32 scheduled_tx, executed_tx, ended_tx;
};

struct observe_context {
	struct store *store;
	struct arena *arena;
	struct block_ref head, final;
	struct wall now;
};

/* What the clocks alone say: of the chain's head and ours. */
void observe_clock(struct observation *seen, const struct proposal *proposal,
                   const struct block_ref *head, struct wall now);
/* Appends what must be read at the head. */
void observe_ask_head(struct observed *observed, const struct observe_context *context,
                      struct reads *reads);
/* Takes the answers of the head and the logs, brings the stored Safe transactions in line with the
 * logs (inside the caller's transaction), and decides whether the final block has to be asked. */
void observe_head(struct observed *observed, const struct observe_context *context,
                  const struct chain_read_result *results, const struct safe_view *safe);
/* The same for the final block; only with wants_final. */
void observe_ask_final(struct observed *observed, struct reads *reads);
void observe_final(struct observed *observed, const struct observe_context *context,
                   const struct chain_read_result *results);
/* Whether its checks were asked, at the head or at the final block. */
bool observed_checked(const struct observed *observed);
/* The transaction that explains a move to this state, NULL if none is known. */
const struct hash32 *observed_tx(const struct observed *observed, enum proposal_state to);

#endif
