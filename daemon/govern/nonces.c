#include "daemon/govern/nonces.h"

#include "common/governance/nonce.h"

static bool find_own(struct lane *lane, struct arena *arena, const struct proposal_tx *tx,
                     struct safe_tx_row *out)
{
	return store_safe_tx_find(lane->parts->store, arena, tx->tx.chain_id, &tx->tx.safe,
	                          &tx->safe_tx_hash, out) == 0;
}

void nonces_drop_dead(struct queue_view *view, struct lane *lane, struct arena *arena)
{
	size_t kept = 0;

	for (size_t i = 0; i < view->count; i++) {
		struct safe_tx_row own;
		if (!find_own(lane, arena, &view->items[i], &own) ||
		    own.status != SAFE_TX_WITHDRAWN)
			view->items[kept++] = view->items[i];
	}
	view->count = kept;
}

static struct nonce_list own_nonces(struct lane *lane, struct arena *arena,
                                    const struct address *safe)
{
	uint64_t *items;
	size_t count =
	        store_safe_nonces(lane->parts->store, arena, lane->config->chain_id, safe, &items);

	return (struct nonce_list){items, count};
}

static struct nonce_list urgent_nonces(struct lane *lane, struct arena *arena,
                                       const struct address *safe)
{
	uint64_t *items;
	size_t count = store_safe_shared_nonces(lane->parts->store, arena, lane->config->chain_id,
	                                        safe, &items);

	return (struct nonce_list){items, count};
}

static struct nonce_list queued_nonces(const struct queue_view *view, struct arena *arena)
{
	uint64_t *items;
	size_t count = queue_nonces(view, arena, &items);

	return (struct nonce_list){items, count};
}

static bool holds(struct nonce_list list, uint64_t nonce)
{
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i] == nonce)
			return true;
	return false;
}

uint64_t nonces_urgent(struct lane *lane, struct arena *arena, const struct address *safe,
                       uint64_t chain_nonce)
{
	struct nonce_list none = {0};

	return nonce_lowest_free(chain_nonce, none, urgent_nonces(lane, arena, safe));
}

/* The nonce of the proposal's own execution that may still run. */
static bool execution_nonce(struct lane *lane, struct arena *arena, const struct safe_tx_row *row,
                            uint64_t chain_nonce, uint64_t *out)
{
	struct safe_tx_list txs;

	store_safe_tx_list(lane->parts->store, arena, row->proposal, &txs);
	for (size_t i = txs.count; i-- > 0;) {
		const struct safe_tx_row *tx = &txs.items[i];
		if (tx->purpose == PURPOSE_EXECUTE && tx->has_nonce && tx->nonce >= chain_nonce &&
		    (tx->status == SAFE_TX_POSTING || tx->status == SAFE_TX_QUEUED)) {
			*out = tx->nonce;
			return true;
		}
	}
	return false;
}

/* What an earlier attempt, which people have before them, holds: they sign one or the other. */
static bool earlier_nonce(struct lane *lane, struct arena *arena, const struct safe_tx_row *row,
                          uint64_t chain_nonce, uint64_t *out)
{
	struct safe_tx_list txs;

	store_safe_tx_list(lane->parts->store, arena, row->proposal, &txs);
	for (size_t i = txs.count; i-- > 0;) {
		const struct safe_tx_row *tx = &txs.items[i];
		if (tx->purpose == row->purpose && tx->attempt < row->attempt &&
		    tx->status == SAFE_TX_QUEUED && tx->nonce >= chain_nonce) {
			*out = tx->nonce;
			return true;
		}
	}
	return false;
}

/* What it has to compete for, if anything: what it replaces, or what it is to prevent. */
static bool rival_nonce(struct lane *lane, struct arena *arena, const struct safe_tx_row *row,
                        uint64_t chain_nonce, uint64_t *out)
{
	bool found = earlier_nonce(lane, arena, row, chain_nonce, out) ||
	             (row->purpose == PURPOSE_CANCEL &&
	              execution_nonce(lane, arena, row, chain_nonce, out));

	return found && !holds(urgent_nonces(lane, arena, &row->safe), *out);
}

struct nonce_choice nonces_choose(const struct queue_view *view, struct lane *lane,
                                  struct arena *arena, const struct safe_tx_row *row,
                                  const struct proposal *proposal)
{
	struct nonce_list queued = queued_nonces(view, arena);
	struct nonce_list own = own_nonces(lane, arena, &row->safe);
	uint64_t nonce;

	if (proposal->urgent)
		nonce = nonces_urgent(lane, arena, &row->safe, view->safe.nonce);
	else if (!rival_nonce(lane, arena, row, view->safe.nonce, &nonce))
		nonce = nonce_lowest_free(view->safe.nonce, queued, own);
	return (struct nonce_choice){.nonce = nonce,
	                             .competes = holds(queued, nonce) || holds(own, nonce)};
}

bool nonces_held(struct lane *lane, struct arena *arena, const struct address *safe, uint64_t nonce)
{
	return holds(own_nonces(lane, arena, safe), nonce);
}

struct queue_view nonces_without(const struct queue_view *view, struct lane *lane,
                                 struct arena *arena, const struct safe_tx_row *row)
{
	struct queue_view out = {.safe = view->safe,
	                         .items = arena_array(arena, view->count, sizeof(*out.items))};

	for (size_t i = 0; i < view->count; i++) {
		struct safe_tx_row own;
		if (!find_own(lane, arena, &view->items[i], &own) ||
		    own.proposal.n != row->proposal.n || own.purpose != row->purpose)
			out.items[out.count++] = view->items[i];
	}
	return out;
}

bool nonces_lost(const struct queue_view *view, const struct safe_tx_row *row)
{
	if (row->nonce < view->safe.nonce)
		return true;
	for (size_t i = 0; i < view->count && !row->shares; i++)
		if (view->items[i].tx.nonce == row->nonce &&
		    !hash32_equal(&view->items[i].safe_tx_hash, &row->safe_tx_hash))
			return true;
	return false;
}

static bool has_hole(const struct queue_view *view, struct lane *lane, struct arena *arena,
                     uint64_t *hole)
{
	return nonce_hole(hole, view->safe.nonce, queued_nonces(view, arena),
	                  own_nonces(lane, arena, &view->safe.safe));
}

void nonces_alarm_hole(const struct queue_view *view, struct lane *lane, struct arena *arena,
                       const char *target)
{
	char safe[ADDRESS_TEXT_SIZE];
	uint64_t hole;

	if (has_hole(view, lane, arena, &hole))
		lane_alarm(lane, ALARM_NONCE_HOLE, target,
		           "nothing holds nonce %llu of the Safe %s: what is pending above it "
		           "cannot run until something does",
		           (unsigned long long)hole, address_text(safe, &view->safe.safe));
}

void nonces_queue_seen(const struct queue_view *view, struct lane *lane)
{
	const struct config *config = lane->parts->config;
	struct arena arena = {0};
	uint64_t hole;

	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		if (target->chain == lane->config &&
		    address_equal(&target->safe, &view->safe.safe) &&
		    lane_alarmed(lane, ALARM_NONCE_HOLE, target->name) &&
		    !has_hole(view, lane, &arena, &hole))
			lane_alarm_clear(lane, ALARM_NONCE_HOLE, target->name);
	}
	arena_free(&arena);
}

char *nonces_whose(struct lane *lane, struct arena *arena, const struct proposal_tx *tx,
                   struct proposal_id *proposal)
{
	char hash[HASH32_TEXT_SIZE];
	struct safe_tx_row own;

	*proposal = (struct proposal_id){0};
	hash32_text(hash, &tx->safe_tx_hash);
	if (!find_own(lane, arena, tx, &own))
		return arena_printf(arena, "%s, which is not ours", hash);
	*proposal = own.proposal;
	return arena_printf(arena, "%s of p%lld", hash, (long long)own.proposal.n);
}
