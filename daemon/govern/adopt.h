/* Taking over what people brought before a Safe or a timelock by other means: a proposal of origin
 * `external`, followed as ours are. And telling of what is none of ours. */
#ifndef GOVERN_ADOPT_H
#define GOVERN_ADOPT_H

#include "common/governance/proposal_message.h"
#include "daemon/govern/ways.h"

struct adopt_offer {
	const struct governed_way *way;
	const struct adopted *found;  /* ADOPT_OURS, one part: a schedule or what is applied */
	const struct proposal_tx *tx; /* in the Safe's queue; NULL: the timelock has it */
	const char *where;            /* for people: "transaction 0x.. with nonce 7 of the queue" */
	uint64_t drafted_after;       /* logs above this block can be about it */
};
/* Opens its own transaction. Drafts of ours that nobody has seen give way. Another live proposal
 * that carries one of the calls for good is returned, with an alarm that names both: then nothing
 * is stored, and it is to be offered again when that one has ended. Id 0: it was taken. */
struct proposal_id adopt_take(struct lane *lane, struct arena *arena,
                              const struct adopt_offer *offer);

/* The live proposal of this operation; ERR_NOT_FOUND. */
int adopt_find_operation(struct lane *lane, struct arena *arena, const struct address *timelock,
                         const struct hash32 *operation_id, struct proposal *out) MUST_USE;

/* Whether we may help what others made to its end, by proposing or sending its execution: only when
 * every value that it adds is verified or approved, and wanted, here; and nothing wanted is
 * removed. Always so for what we drafted. */
bool adopt_may_execute(struct lane *lane, struct arena *arena, const struct proposal *proposal);

/* An alarm, once for ever about this key of this contract; opens its own transaction. */
void adopt_tell(struct lane *lane, const char *target, const struct address *contract,
                const struct hash32 *key, const char *text);

#endif
