#include "daemon/govern/queue.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_PAGES = 20, /* of PROPOSAL_PAGE: no Safe has so long a queue in good faith */
	MAX_BYTES = 16 * 1024 * 1024,
};

struct queue_look {
	struct queue_ask ask;
	queue_look_fn *done;
	void *arg;
	struct chain_op *op;
	struct service_call *call;
	struct block_ref head;
	struct safe_slot slot;
	struct queue_view view;
	unsigned pages;
	size_t bytes; /* of the pages so far */
};

void queue_look_cancel(struct queue_look *look)
{
	if (look == NULL)
		return;
	chain_cancel(look->op);
	service_cancel(look->call);
	free(look);
}

static void finish(struct queue_look *look, const struct error *error, int64_t retry_after_ms)
{
	struct queue_look ended = *look;

	free(look);
	ended.done(error, retry_after_ms, &ended.view, ended.arg);
}

static void ask_page(struct queue_look *look);

static struct proposal_place place_of(const struct queue_look *look)
{
	return (struct proposal_place){look->ask.lane->config->chain_id, look->ask.safe};
}

static void keep(struct queue_look *look, const struct proposal_page *page)
{
	struct queue_view *view = &look->view;
	struct proposal_tx *items =
	        arena_array(look->ask.arena, view->count + page->count, sizeof(*items));
	size_t count = view->count;

	if (count > 0)
		memcpy(items, view->items, count * sizeof(*items));
	for (size_t i = 0; i < page->count; i++)
		if (page->items[i].trusted && !page->items[i].executed &&
		    page->items[i].tx.nonce >= view->safe.nonce)
			items[count++] = page->items[i];
	view->items = items;
	view->count = count;
}

static void page_answered(const struct service_result *result, void *arg)
{
	struct queue_look *look = arg;
	const struct proposal_place place = place_of(look);
	struct proposal_page page;
	struct error error;

	look->call = NULL;
	if (result->error.code != 0) {
		finish(look, &result->error, result->retry_after_ms);
		return;
	}
	look->bytes += result->body.len;
	if (look->bytes > MAX_BYTES) {
		error_set(&error, ERR_UNAVAILABLE, "the service's queue is larger than %d bytes",
		          MAX_BYTES);
		finish(look, &error, -1);
		return;
	}
	/* What the page's structs point to must outlive the answer. */
	struct bytes body = arena_copy(look->ask.arena, result->body);
	if (service_api(look->ask.service)
	            ->parse_page(look->ask.arena, &page, &place, body, &error) != 0) {
		error_set(&error, ERR_UNAVAILABLE, "the service's queue: %s", error.text);
		finish(look, &error, -1);
		return;
	}
	if (page.refused > 0)
		lane_alarm(look->ask.lane, ALARM_SERVICE_CONTRADICTS, "service",
		           "%zu entries of the Safe's queue contradict themselves: %s",
		           page.refused, page.refusal);
	else
		lane_alarm_clear(look->ask.lane, ALARM_SERVICE_CONTRADICTS, "service");
	keep(look, &page);
	look->view.partial |= page.refused > 0;
	if (page.more && ++look->pages < MAX_PAGES) {
		ask_page(look);
		return;
	}
	look->view.partial |= page.more;
	if (page.more)
		log_unusual("service",
		            "the Safe's queue is longer than %d entries: only the "
		            "lowest nonces of it are looked at",
		            MAX_PAGES * PROPOSAL_PAGE);
	finish(look, NULL, -1);
}

static void ask_page(struct queue_look *look)
{
	const struct proposal_place place = place_of(look);
	struct buf path = {0};

	service_api(look->ask.service)
	        ->path_pending(&path, &place, look->view.safe.nonce,
	                       (uint64_t)look->pages * PROPOSAL_PAGE);
	look->call = service_send(look->ask.service, buf_text(&path), bytes_of(NULL, 0),
	                          page_answered, look);
	buf_free(&path);
}

static void safe_answered(const struct error *error, const struct chain_read_result *results,
                          size_t count, void *arg)
{
	struct queue_look *look = arg;
	struct error problem;

	(void)count;
	look->op = NULL;
	if (error != NULL) {
		finish(look, error, -1);
		return;
	}
	if (safe_view_take(&look->view.safe, look->ask.arena, &look->slot, results) != 0) {
		error_set(&problem, ERR_UNAVAILABLE,
		          "the Safe does not answer nonce, threshold and owners");
		finish(look, &problem, -1);
		return;
	}
	ask_page(look);
}

static void head_answered(const struct error *error, const struct block_ref *head,
                          const struct block_ref *final, void *arg)
{
	struct queue_look *look = arg;
	struct reads reads = {.arena = look->ask.arena};

	(void) final;
	look->op = NULL;
	if (error != NULL) {
		finish(look, error, -1);
		return;
	}
	look->head = *head;
	look->slot = safe_view_ask(&reads, &look->ask.safe);
	look->op = chain_read_many(look->ask.lane->chain, &look->head, reads.items, reads.count,
	                           safe_answered, look);
}

struct queue_look *queue_look_start(const struct queue_ask *ask, queue_look_fn *done, void *arg)
{
	struct queue_look *look = xcalloc(1, sizeof(*look));

	look->ask = *ask;
	look->done = done;
	look->arg = arg;
	look->op = chain_head(ask->lane->chain, head_answered, look);
	return look;
}

const struct proposal_tx *queue_find_same(const struct queue_view *view,
                                          const struct safe_tx_row *row)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct safe_tx *tx = &view->items[i].tx;
		if (address_equal(&tx->to, &row->to) && bytes_equal(tx->data, row->data) &&
		    tx->operation == row->operation && u256_is_zero(&tx->value) &&
		    safe_tx_standard_gas(tx))
			return &view->items[i];
	}
	return NULL;
}

size_t queue_nonces(const struct queue_view *view, struct arena *arena, uint64_t **out)
{
	*out = arena_array(arena, view->count, sizeof(**out));
	for (size_t i = 0; i < view->count; i++)
		(*out)[i] = view->items[i].tx.nonce;
	return view->count;
}
