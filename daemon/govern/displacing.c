/* govern_displaced: what stands where something urgent would go, asked now. */
#include "common/governance/nonce.h"
#include "daemon/govern/nonces.h"
#include "daemon/govern/op.h"
#include "daemon/govern/proposer.h"
#include "daemon/govern/tracker.h"

#include <stdlib.h>
#include <string.h>

struct displacing {
	struct govern_op op; /* first: it is what the caller holds */
	struct arena arena;
	struct lane *lane;
	struct address safe;
	struct nonce_list urgent; /* what is as urgent already, as it was when this was asked */
	struct queue_look *look;
	struct loop_timer *timer; /* where there is no queue to look at */
	govern_displaced_fn *done;
	void *arg;
};

static void displacing_free(struct govern_op *op)
{
	struct displacing *d = (struct displacing *)op;

	queue_look_cancel(d->look);
	loop_timer_free(d->timer);
	arena_free(&d->arena);
	free(d);
}

static void finish(struct displacing *d, const struct error *error, struct jval *list)
{
	d->done(error, list, d->arg);
	displacing_free(&d->op);
}

static struct jval *new_entry(uint64_t nonce, const struct hash32 *hash)
{
	struct jval *entry = jval_object();

	jval_add_int(entry, "nonce", (int64_t)nonce);
	jval_add_hash32(entry, "safe_tx_hash", hash);
	return entry;
}

/* Who proposed it: NULL when only the queue could tell and has not. */
static const char *proposed_by(char text[ADDRESS_TEXT_SIZE], const struct proposal_tx *tx)
{
	return tx != NULL && tx->has_proposer ? address_lower(text, &tx->proposer) : NULL;
}

static const struct proposal_tx *find_hash(const struct queue_view *view, const struct hash32 *hash)
{
	for (size_t i = 0; view != NULL && i < view->count; i++)
		if (hash32_equal(&view->items[i].safe_tx_hash, hash))
			return &view->items[i];
	return NULL;
}

/* What is followed here, be it proposed by us or by others. */
static void add_followed(struct jval *list, struct displacing *d, const struct safe_tx_row *row,
                         const struct queue_view *view)
{
	struct jval *entry = new_entry(row->nonce, &row->safe_tx_hash);
	char text[ADDRESS_TEXT_SIZE];
	struct proposal proposal = {0};

	bool ours = store_proposal_get(d->lane->parts->store, &d->arena, row->proposal,
	                               &proposal) == 0 &&
	            strcmp(proposal.origin, "external") != 0;
	jval_add_printf(entry, "proposal", "p%lld", (long long)row->proposal.n);
	jval_add_string(entry, "by",
	                ours ? "registrard"
	                     : proposed_by(text, find_hash(view, &row->safe_tx_hash)));
	jval_add_bool(entry, "withdrawing", (proposal.flags & FLAG_WITHDRAWING) != 0);
	jval_push(list, entry);
}

static void add_others(struct jval *list, const struct proposal_tx *tx)
{
	struct jval *entry = new_entry(tx->tx.nonce, &tx->safe_tx_hash);
	char text[ADDRESS_TEXT_SIZE];

	jval_add_string(entry, "proposal", NULL);
	jval_add_string(entry, "by", proposed_by(text, tx));
	jval_add_bool(entry, "withdrawing", false);
	jval_push(list, entry);
}

static uint64_t nonce_of(const struct displacing *d, uint64_t chain_nonce)
{
	return nonce_lowest_free(chain_nonce, (struct nonce_list){0}, d->urgent);
}

/* What is as urgent at this nonce came after the question: it is the answer to it. */
static void add_stored(struct jval *list, struct displacing *d, uint64_t nonce,
                       const struct queue_view *view)
{
	struct safe_tx_list rows;

	store_safe_tx_at_nonce(d->lane->parts->store, &d->arena, d->lane->config->chain_id,
	                       &d->safe, nonce, &rows);
	for (size_t i = 0; i < rows.count; i++)
		if ((rows.items[i].status == SAFE_TX_POSTING ||
		     rows.items[i].status == SAFE_TX_QUEUED) &&
		    !rows.items[i].shares)
			add_followed(list, d, &rows.items[i], view);
}

static void from_store(struct displacing *d, const struct error *error)
{
	struct jval *list = jval_array();
	const struct safe_view *safe;

	if (tracker_safe(d->lane->tracker, &d->safe, &safe) == 0)
		add_stored(list, d, nonce_of(d, safe->nonce), NULL);
	finish(d, error, list);
}

static void queue_seen(const struct error *error, int64_t retry_after_ms,
                       const struct queue_view *view, void *arg)
{
	struct displacing *d = arg;
	struct jval *list;

	(void)retry_after_ms;
	d->look = NULL;
	if (error != NULL) {
		from_store(d, error);
		return;
	}
	uint64_t nonce = nonce_of(d, view->safe.nonce);
	list = jval_array();
	add_stored(list, d, nonce, view);
	for (size_t i = 0; i < view->count; i++) {
		const struct proposal_tx *tx = &view->items[i];
		struct safe_tx_row own;
		if (tx->tx.nonce == nonce &&
		    store_safe_tx_find(d->lane->parts->store, &d->arena, tx->tx.chain_id,
		                       &tx->tx.safe, &tx->safe_tx_hash, &own) != 0)
			add_others(list, tx);
	}
	finish(d, NULL, list);
}

static void no_queue(void *arg)
{
	from_store(arg, NULL);
}

struct govern_op *govern_displaced(struct govern *govern, const struct config_target *target,
                                   govern_displaced_fn *done, void *arg)
{
	struct displacing *d = xcalloc(1, sizeof(*d));
	uint64_t *items;

	d->op.cancel = displacing_free;
	d->lane = govern_lane(govern, target->chain->chain_id);
	d->safe = target->safe;
	d->done = done;
	d->arg = arg;
	d->urgent.count = store_safe_shared_nonces(d->lane->parts->store, &d->arena,
	                                           d->lane->config->chain_id, &d->safe, &items);
	d->urgent.items = items;
	struct service *service = proposer_service(d->lane->proposer, target);
	if (service == NULL) {
		d->timer = loop_timer_new(d->lane->parts->loop, no_queue, d);
		loop_timer_set(d->timer, 0);
		return &d->op;
	}
	struct queue_ask ask = {
	        .lane = d->lane, .service = service, .safe = d->safe, .arena = &d->arena};
	d->look = queue_look_start(&ask, queue_seen, d);
	return &d->op;
}
