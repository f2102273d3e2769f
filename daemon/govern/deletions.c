#include "daemon/govern/deletions.h"

#include "common/base/log.h"
#include "common/store/store_event.h"

#include <stdlib.h>

enum { SECONDS_PER_TOTP = 3600, MS_PER_SECOND = 1000 };

/* The one under way. */
struct deletion {
	struct service *service;
	const char *target; /* in the arena */
	struct address sender;
	struct safe_tx_row row; /* without its data */
	char subject[SUBJECT_SIZE];
};

struct tried {
	struct tried *next;
	struct safe_tx_id id;
};

struct deletions {
	struct lane *lane;
	struct tried *tried;
	struct arena arena; /* of the one under way */
	struct deletion now;
	bool busy;
	struct service_call *call;
};

struct deletions *deletions_new(struct lane *lane)
{
	struct deletions *deletions = xcalloc(1, sizeof(*deletions));

	deletions->lane = lane;
	return deletions;
}

void deletions_free(struct deletions *deletions)
{
	if (deletions == NULL)
		return;
	service_cancel(deletions->call);
	while (deletions->tried != NULL) {
		struct tried *next = deletions->tried->next;
		free(deletions->tried);
		deletions->tried = next;
	}
	arena_free(&deletions->arena);
	free(deletions);
}

static void finish(struct deletions *deletions, const char *why_not)
{
	if (why_not != NULL)
		log_info(deletions->now.subject,
		         "its %s transaction stays in the service's queue until its nonce %llu is "
		         "used, and dies with that: %s",
		         purpose_name(deletions->now.row.purpose),
		         (unsigned long long)deletions->now.row.nonce, why_not);
	arena_free(&deletions->arena);
	deletions->busy = false;
	lane_wake(deletions->lane); /* another one may be waiting */
}

static void deleted(const struct service_result *result, void *arg)
{
	struct deletions *deletions = arg;
	struct store *store = deletions->lane->parts->store;

	deletions->call = NULL;
	if (result->error.code != 0 && result->error.code != ERR_NOT_FOUND) {
		finish(deletions, result->error.text);
		return;
	}
	store_begin(store);
	store_safe_tx_set_deleted(store, deletions->now.row.id);
	store_commit(store);
	lane_changed(deletions->lane);
	finish(deletions, NULL);
}

static void signed_one(const struct error *error, const uint8_t signature[65],
                       const struct hash32 *hash, void *arg)
{
	struct deletions *deletions = arg;
	struct deletion *now = &deletions->now;
	struct store *store = deletions->lane->parts->store;
	struct buf path = {0}, body = {0};
	char text[HASH32_TEXT_SIZE];

	(void)hash;
	if (error != NULL) {
		finish(deletions, error->text);
		return;
	}
	store_begin(store);
	store_event_add(store, "safe-tx", now->subject, "%s %u: asking the service to forget %s",
	                purpose_name(now->row.purpose), now->row.attempt,
	                hash32_text(text, &now->row.safe_tx_hash));
	store_commit(store);
	service_api(now->service)->path_transaction(&path, &now->row.safe_tx_hash);
	proposal_delete_body(&body, signature);
	deletions->call =
	        service_delete(now->service, buf_text(&path), buf_bytes(&body), deleted, deletions);
	buf_free(&path);
	buf_free(&body);
}

/* NULL, or why it is not ours to delete. */
static const char *obstacle(const struct deletion *now, const struct proposal_tx *tx)
{
	bool ours = (tx->has_proposer && address_equal(&tx->proposer, &now->sender)) ||
	            (tx->by_delegate && address_equal(&tx->delegate, &now->sender));

	if (!hash32_equal(&tx->safe_tx_hash, &now->row.safe_tx_hash))
		return "the service answers with another transaction";
	if (tx->executed)
		return "it was executed";
	if (tx->confirmation_count > 0)
		return "somebody has signed it";
	return ours ? NULL : "others proposed it";
}

static void read_answered(const struct service_result *result, void *arg)
{
	struct deletions *deletions = arg;
	const struct deletion *now = &deletions->now;
	const struct proposal_place place = {now->row.chain_id, now->row.safe};
	struct proposal_tx tx;
	struct error error;

	deletions->call = NULL;
	if (result->error.code == ERR_NOT_FOUND) {
		deleted(result, arg);
		return;
	}
	if (result->error.code != 0) {
		finish(deletions, result->error.text);
		return;
	}
	if (service_api(now->service)
	            ->parse_tx(&deletions->arena, &tx, &place, result->body, &error) != 0) {
		finish(deletions, error.text);
		return;
	}
	const char *why_not = obstacle(now, &tx);
	if (why_not != NULL) {
		finish(deletions, why_not);
		return;
	}
	signer_sign_delete(
	        deletions->lane->parts->signer, now->target, &now->row.safe_tx_hash,
	        (uint64_t)(service_now(now->service).ms / MS_PER_SECOND / SECONDS_PER_TOTP),
	        signed_one, deletions);
}

static bool was_tried(struct deletions *deletions, struct safe_tx_id id)
{
	for (const struct tried *t = deletions->tried; t != NULL; t = t->next)
		if (t->id.n == id.n)
			return true;
	return false;
}

/* What takes its place is there for people to sign. */
static bool has_rival(struct deletions *deletions, const struct safe_tx_row *row)
{
	struct arena arena = {0};
	struct safe_tx_list txs;
	bool found = false;

	store_safe_tx_at_nonce(deletions->lane->parts->store, &arena, row->chain_id, &row->safe,
	                       row->nonce, &txs);
	for (size_t i = 0; i < txs.count; i++) {
		const struct safe_tx_row *other = &txs.items[i];
		found |= other->status == SAFE_TX_QUEUED &&
		         (row->status == SAFE_TX_WITHDRAWN || other->purpose == PURPOSE_REJECT ||
		          (other->purpose == PURPOSE_CANCEL &&
		           other->proposal.n == row->proposal.n));
	}
	arena_free(&arena);
	return found;
}

static bool is_to_go(const struct proposal *proposal, const struct safe_tx_row *row)
{
	if (row->deleted || row->confirmations > 0 || row->purpose == PURPOSE_REJECT)
		return false;
	return row->status == SAFE_TX_WITHDRAWN ||
	       ((proposal->flags & FLAG_WITHDRAWING) != 0 && row->purpose != PURPOSE_CANCEL);
}

static void start(struct deletions *deletions, struct service *service,
                  const struct proposal *proposal, const struct safe_tx_row *row,
                  const struct address *sender)
{
	struct deletion *now = &deletions->now;
	struct tried *tried = xcalloc(1, sizeof(*tried));
	struct buf path = {0};

	tried->id = row->id;
	tried->next = deletions->tried;
	deletions->tried = tried;
	*now = (struct deletion){.service = service,
	                         .target = arena_strdup(&deletions->arena, proposal->target),
	                         .sender = *sender,
	                         .row = *row};
	now->row.data = bytes_of(NULL, 0);
	proposal_subject(now->subject, proposal->id);
	deletions->busy = true;
	service_api(service)->path_transaction(&path, &row->safe_tx_hash);
	deletions->call =
	        service_send(service, buf_text(&path), bytes_of(NULL, 0), read_answered, deletions);
	buf_free(&path);
}

bool deletions_consider(struct deletions *deletions, struct service *service,
                        const struct proposal *proposal, const struct safe_tx_row *row, bool alone)
{
	struct address sender;

	if (!is_to_go(proposal, row) || !(alone || has_rival(deletions, row)) ||
	    !signer_address(deletions->lane->parts->signer, proposal->target, SIGNER_PROPOSER,
	                    &sender))
		return false;
	if (deletions->busy)
		return deletions->now.row.id.n == row->id.n || !was_tried(deletions, row->id);
	if (was_tried(deletions, row->id))
		return false;
	start(deletions, service, proposal, row, &sender);
	return true;
}
