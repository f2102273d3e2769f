#include "daemon/govern/hurry.h"

#include "common/base/log.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/live.h"
#include "daemon/govern/nonces.h"
#include "daemon/govern/tracker.h"

static bool goes_forward(const struct safe_tx_row *row)
{
	return row->purpose == PURPOSE_SCHEDULE || row->purpose == PURPOSE_APPLY ||
	       row->purpose == PURPOSE_EXECUTE;
}

/* The row that waits behind others although its proposal is urgent; NULL: none does, or another
 * attempt is on its way. */
static const struct safe_tx_row *held_up(struct lane *lane, struct arena *arena,
                                         const struct proposal *proposal)
{
	const struct safe_tx_row *waits = NULL;
	const struct safe_view *safe;
	struct safe_tx_list txs;

	if (!proposal->urgent || (proposal->flags & FLAG_WITHDRAWING) != 0 ||
	    (proposal->state != STATE_MULTISIG && proposal->state != STATE_EXECUTE) ||
	    tracker_safe(lane->tracker, &proposal->safe, &safe) != 0)
		return NULL;
	uint64_t lowest = nonces_urgent(lane, arena, &proposal->safe, safe->nonce);
	store_safe_tx_list(lane->parts->store, arena, proposal->id, &txs);
	for (size_t i = 0; i < txs.count; i++) {
		const struct safe_tx_row *row = &txs.items[i];
		if (!goes_forward(row) || row->status > SAFE_TX_QUEUED)
			continue;
		if (row->status != SAFE_TX_QUEUED || row->shares || row->nonce <= lowest)
			return NULL;
		waits = row;
	}
	return waits;
}

void hurry_run(struct lane *lane)
{
	struct store *store = lane->parts->store;
	struct arena arena = {0};
	const struct live *live = live_hold(lane);
	char subject[SUBJECT_SIZE];

	for (size_t i = 0; i < live->proposals.count; i++) {
		const struct safe_tx_row *row = held_up(lane, &arena, &live->proposals.items[i]);
		if (row == NULL)
			continue;
		store_begin(store);
		store_safe_tx_add(store, row);
		store_commit(store);
		log_info(proposal_subject(subject, row->proposal),
		         "urgent: drafted again, to compete for the lowest nonce");
		draft_file_write(lane, row->proposal);
		lane_changed(lane);
	}
	live_drop(live);
	arena_free(&arena);
}
