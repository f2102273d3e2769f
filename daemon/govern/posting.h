/* Bringing one drafted Safe transaction into its service's queue. Without a proposer key: finding
 * out whether people brought it there. */
#ifndef GOVERN_POSTING_H
#define GOVERN_POSTING_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/service.h"

struct posting;

struct posting_result {
	struct error error; /* code 0: in the queue, or nothing to do before look_again_ms */
	bool queued;
	int64_t retry_after_ms; /* said by the service; -1: not */
	int64_t look_again_ms;
	int64_t retry_max_ms; /* no longer than this between two tries */
	char subject[SUBJECT_SIZE];
};
typedef void posting_fn(const struct posting_result *result, void *arg);

/* Whether a Safe transaction of this purpose may be put before signers now. What brings the
 * proposal forward: it is live, nobody withdrew it, and none of its measurements is held, be it by
 * a person or by a contradiction that came up after drafting, or wanted otherwise since. What takes
 * it back: somebody withdrew it, and there is still something to take back. */
bool posting_allowed(struct store *store, struct arena *arena, const struct proposal *proposal,
                     enum purpose purpose);

/* What it needs of row and proposal is copied. Exactly one callback unless cancelled. */
struct posting *posting_start(struct lane *lane, struct service *service,
                              const struct safe_tx_row *row, const struct proposal *proposal,
                              posting_fn *done, void *arg);
/* NULL is fine. The signer must have been freed before: its answer would find nobody. */
void posting_cancel(struct posting *posting);

#endif
