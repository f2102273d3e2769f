/* Taking over what people brought before a Safe or a timelock by other means: a proposal of origin
 * `external`, followed as ours are. And telling of what is none of ours. */
#ifndef GOVERN_ADOPT_H
#define GOVERN_ADOPT_H

#include "common/governance/proposal_message.h"
#include "common/store/store_chain.h"
#include "daemon/govern/ways.h"

struct adopt_offer {
	const struct governed_way *way;
	const struct adopted *found; /* ADOPT_OURS, one part: a schedule or what is applied */
	const struct proposal_tx
	        *tx;            /* the Safe's; NULL: the timelock has it, or an account made it */
	const char *where;      /* for people: "transaction 0x.. with nonce 7 of the queue" */
	uint64_t drafted_after; /* logs above this block can be about it */
	bool by_account;        /* who enqueues for the way is no Safe */
	/* Nobody saw it before it was executed, as this log tells: it is put down, and no alarm
	 * comes of it, for each change that it made tells its own. NULL: it waits. */
	const struct seen_log *run;
};
/* Opens its own transaction. Drafts of ours that nobody has seen give way. Another live proposal
 * that carries one of the calls for good is returned, with an alarm that names both: then nothing
 * is stored, and it is to be offered again when that one has ended. Id 0: it was taken. Of what
 * ran there is no alarm: the other one finds its calls in effect. */
struct proposal_id adopt_take(struct lane *lane, struct arena *arena,
                              const struct adopt_offer *offer);

/* The live proposal of this operation; ERR_NOT_FOUND. */
int adopt_find_operation(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct hash32 *operation_id, struct proposal *out) MUST_USE;

/* For an offer about this log: what a reorganisation may put into an earlier block, but not into a
 * final one. */
uint64_t adopt_drafted_after(const struct lane *lane, const struct seen_log *log);
/* Whether the contract was followed when the log was made: else it is history. */
bool adopt_is_news(struct lane *lane, const struct seen_log *log);
/* Whether a proposal of this operation that makes this call was executed in this transaction. */
bool adopt_is_recorded(struct lane *lane, struct arena *arena, const struct contract_call *call,
                       const struct hash32 *operation_id, const struct hash32 *tx);

/* Made by others, and followed here. */
bool adopt_is_external(const struct proposal *proposal);
/* Whether we may help what others made to its end, by proposing or sending its execution: only when
 * every value that it adds is verified or approved, and wanted, here; nothing wanted is removed; and
 * something of it is still to be done. Always so for what we drafted. */
bool adopt_may_execute(struct lane *lane, struct arena *arena, const struct proposal *proposal);

/* An alarm, once for ever about this key of this contract; opens its own transaction. */
void adopt_tell(struct lane *lane, const char *target, const struct address *contract,
                const struct hash32 *key, const char *text);

#endif
