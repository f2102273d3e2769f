#include "daemon/govern/proposer.h"

#include "common/base/log.h"
#include "daemon/govern/confirmations.h"
#include "daemon/govern/deletions.h"
#include "daemon/govern/fill.h"
#include "daemon/govern/live.h"
#include "daemon/govern/posting.h"
#include "daemon/govern/service_use.h"

#include <stdlib.h>
#include <string.h>

/* What is remembered about one Safe transaction between tries; lost at a restart without harm. */
struct item {
	struct item *next;
	struct safe_tx_id id;
	struct backoff backoff;
	struct mono since;     /* first tried */
	struct mono next_look; /* when to look in the queue again for what people may have posted */
};

/* The service of one target; targets without one have none. */
struct endpoint {
	const struct config_target *target;
	struct service *service;
};

struct proposer {
	struct lane *lane;
	struct endpoint *endpoints;
	size_t endpoint_count;
	struct item *items;
	struct posting *posting; /* one at a time: nonces are given out in order */
	struct item *posting_item;
	struct confirmations *confirmations;
	struct deletions *deletions;
	struct loop_timer *timer;
};

static void timer_fired(void *arg)
{
	proposer_run(arg);
}

static void open_services(struct proposer *proposer)
{
	const struct govern_parts *parts = proposer->lane->parts;
	struct error error;

	proposer->endpoints = xcalloc(parts->config->target_count, sizeof(*proposer->endpoints));
	for (size_t i = 0; i < parts->config->target_count; i++) {
		const struct config_target *target = &parts->config->targets[i];
		struct endpoint *endpoint = &proposer->endpoints[proposer->endpoint_count];
		if (target->chain != proposer->lane->config || target->service.kind == SERVICE_NONE)
			continue;
		if (service_new(&endpoint->service, parts->http, &target->service, &error) != 0) {
			lane_alarm(proposer->lane, ALARM_SERVICE_UNUSABLE, target->name,
			           "its Safe service cannot be used: %s", error.text);
			continue;
		}
		endpoint->target = target;
		service_set_budget(endpoint->service, service_use_of(proposer->lane, target),
		                   parts->loop);
		proposer->endpoint_count++;
	}
}

struct proposer *proposer_new(struct lane *lane)
{
	struct proposer *proposer = xcalloc(1, sizeof(*proposer));

	proposer->lane = lane;
	proposer->timer = loop_timer_new(lane->parts->loop, timer_fired, proposer);
	proposer->confirmations = confirmations_new(lane);
	proposer->deletions = deletions_new(lane);
	open_services(proposer);
	return proposer;
}

void proposer_free(struct proposer *proposer)
{
	if (proposer == NULL)
		return;
	posting_cancel(proposer->posting);
	confirmations_free(proposer->confirmations);
	deletions_free(proposer->deletions);
	for (size_t i = 0; i < proposer->endpoint_count; i++)
		service_free(proposer->endpoints[i].service);
	free(proposer->endpoints);
	while (proposer->items != NULL) {
		struct item *next = proposer->items->next;
		free(proposer->items);
		proposer->items = next;
	}
	loop_timer_free(proposer->timer);
	free(proposer);
}

struct service *proposer_service(const struct proposer *proposer,
                                 const struct config_target *target)
{
	for (size_t i = 0; i < proposer->endpoint_count; i++)
		if (proposer->endpoints[i].target == target)
			return proposer->endpoints[i].service;
	return NULL;
}

static struct item *item_of(struct proposer *proposer, struct safe_tx_id id)
{
	for (struct item *item = proposer->items; item != NULL; item = item->next)
		if (item->id.n == id.n)
			return item;
	struct item *item = xcalloc(1, sizeof(*item));
	item->id = id;
	item->since = clock_mono();
	item->next = proposer->items;
	proposer->items = item;
	return item;
}

static void wait_for(struct proposer *proposer, int64_t ms)
{
	loop_timer_set(proposer->timer, ms > 0 ? ms : 0);
}

static void posted(const struct posting_result *result, void *arg)
{
	struct proposer *proposer = arg;
	struct item *item = proposer->posting_item;
	struct lane *lane = proposer->lane;
	struct mono now = clock_mono();

	proposer->posting = NULL;
	proposer->posting_item = NULL;
	if (result->error.code == 0) {
		backoff_worked(&item->backoff);
		lane_alarm_clear(lane, ALARM_NOT_PROPOSED, result->subject);
		item->next_look.ms = now.ms + service_interval_ms(result->look_again_ms,
		                                                  now.ms - item->since.ms);
	} else {
		if (result->error.code == ERR_DENIED)
			lane_alarm(lane, ALARM_NOT_PROPOSED, result->subject, "not proposed: %s",
			           result->error.text);
		else
			log_unusual(result->subject, "proposing it waits: %s", result->error.text);
		backoff_failed(&item->backoff, now, result->retry_max_ms);
		if (result->retry_after_ms > 0 &&
		    item->backoff.next.ms < now.ms + result->retry_after_ms)
			item->backoff.next.ms = now.ms + result->retry_after_ms;
	}
	if (result->queued) {
		lane_changed(lane);
		lane_track(lane);
	} else {
		proposer_run(proposer);
	}
}

/* Starts the posting of a row if it is due; else says how long to wait (-1: not ours to post). */
static void try_row(struct proposer *proposer, const struct safe_tx_row *row,
                    const struct proposal *proposal, int64_t *wait_ms)
{
	struct lane *lane = proposer->lane;
	struct mono now = clock_mono();
	const struct config_target *target = lane_target(lane, proposal->target);
	struct service *service = target != NULL ? proposer_service(proposer, target) : NULL;
	struct arena arena = {0};
	/* What an earlier try may have brought there is asked for all the same. */
	bool wanted = service != NULL &&
	              (row->status == SAFE_TX_POSTING ||
	               posting_allowed(lane->parts->store, &arena, proposal, row->purpose) ||
	               fill_allowed(lane->parts->store, &arena, proposal, row));

	arena_free(&arena);
	if (!wanted)
		return;
	struct item *item = item_of(proposer, row->id);
	int64_t until_look = item->next_look.ms - now.ms;
	int64_t wait = backoff_wait_ms(&item->backoff, now);
	if (until_look > wait)
		wait = until_look;
	if (wait <= 0) {
		proposer->posting_item = item;
		proposer->posting = posting_start(lane, service, row, proposal, posted, proposer);
	} else if (*wait_ms < 0 || wait < *wait_ms) {
		*wait_ms = wait;
	}
}

static bool is_open(const struct safe_tx_list *open, struct safe_tx_id id)
{
	for (size_t i = 0; i < open->count; i++)
		if (open->items[i].id.n == id.n)
			return open->items[i].status != SAFE_TX_QUEUED;
	return false;
}

static bool is_to_be_proposed(const char *subject, void *arg)
{
	const struct safe_tx_list *open = arg;
	char name[SUBJECT_SIZE];

	for (size_t i = 0; i < open->count; i++)
		if (open->items[i].status != SAFE_TX_QUEUED &&
		    strcmp(proposal_subject(name, open->items[i].proposal), subject) == 0)
			return true;
	return false;
}

static bool is_in_queue(const char *subject, void *arg)
{
	const struct safe_tx_list *open = arg;
	char name[SUBJECT_SIZE];

	for (size_t i = 0; i < open->count; i++)
		if (open->items[i].status == SAFE_TX_QUEUED &&
		    strcmp(proposal_subject(name, open->items[i].proposal), subject) == 0)
			return true;
	return false;
}

/* What is in the queue or over needs no memory any more. */
static void forget(struct proposer *proposer, const struct safe_tx_list *open)
{
	struct safe_tx_list all = *open;

	for (struct item **link = &proposer->items; *link != NULL;) {
		struct item *item = *link;
		if (item == proposer->posting_item || is_open(open, item->id)) {
			link = &item->next;
			continue;
		}
		*link = item->next;
		free(item);
	}
	confirmations_keep(proposer->confirmations, open);
	troubles_keep(proposer->lane->troubles, ALARM_NOT_PROPOSED, is_to_be_proposed, &all);
	troubles_keep(proposer->lane->troubles, ALARM_QUEUE_LOST, is_in_queue, &all);
}

/* What is in the queue: taken out of it, or asked about. Returns how long that can wait; -1: for
 * ever. */
static int64_t follow_row(struct proposer *proposer, const struct safe_tx_row *row,
                          const struct proposal *proposal)
{
	const struct config_target *target = lane_target(proposer->lane, proposal->target);

	if (row->status != SAFE_TX_QUEUED || row->deleted || target == NULL)
		return -1;
	struct service *service = proposer_service(proposer, target);
	if (service != NULL)
		deletions_consider(proposer->deletions, service, proposal, row, false);
	return confirmations_poll(proposer->confirmations, service, target, row);
}

void proposer_run(struct proposer *proposer)
{
	struct lane *lane = proposer->lane;
	struct arena arena = {0};
	int64_t wait_ms = -1;

	if (lane->stopped)
		return;
	const struct live *live = live_hold(lane);
	const struct safe_tx_list *open = &live->open;
	forget(proposer, open);
	for (size_t i = 0; i < open->count; i++) {
		const struct safe_tx_row *row = &open->items[i];
		const struct proposal *proposal = live_get(live, lane, &arena, row->proposal);
		if (proposal != NULL && row->status != SAFE_TX_QUEUED && proposer->posting == NULL)
			try_row(proposer, row, proposal, &wait_ms);
	}
	for (size_t i = 0; i < open->count; i++) {
		const struct safe_tx_row *row = &open->items[i];
		const struct proposal *proposal = live_get(live, lane, &arena, row->proposal);
		int64_t wait = proposal != NULL ? follow_row(proposer, row, proposal) : -1;
		if (wait >= 0 && (wait_ms < 0 || wait < wait_ms))
			wait_ms = wait;
	}
	if (wait_ms >= 0)
		wait_for(proposer, wait_ms);
	live_drop(live);
	arena_free(&arena);
}

bool proposer_forget(struct proposer *proposer, const struct proposal *proposal,
                     const struct safe_tx_row *row, bool alone)
{
	const struct config_target *target = lane_target(proposer->lane, proposal->target);
	struct service *service = target != NULL ? proposer_service(proposer, target) : NULL;

	return service != NULL &&
	       deletions_consider(proposer->deletions, service, proposal, row, alone);
}

void proposer_queue_seen(struct proposer *proposer, const struct queue_view *view)
{
	confirmations_queue_seen(proposer->confirmations, view);
}
