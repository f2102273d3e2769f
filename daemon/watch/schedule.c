#include "daemon/watch/schedule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { BUCKETS = 4096 };

struct host {
	char *name;
	unsigned active;
	struct mono rest_until;
	TAILQ_HEAD(, schedule_item) ready; /* due, and waiting for their turn */
	bool runnable;                     /* is in the list of that name */
	TAILQ_ENTRY(host) turn;
	SLIST_ENTRY(host) link;
};

struct schedule_item {
	struct host *host;
	struct mono due;
	void *owner;
	TAILQ_ENTRY(schedule_item) link;
	SLIST_ENTRY(schedule_item) all;
};

struct schedule {
	unsigned total, per_host;
	size_t active, host_count;
	struct schedule_item **heap; /* not due yet, the next one first */
	size_t waiting, count, room; /* in the heap; all; fit into the heap */
	TAILQ_HEAD(, host) runnable;
	SLIST_HEAD(, schedule_item) items;
	SLIST_HEAD(, host) buckets[BUCKETS];
};

/* --- the heap ----------------------------------------------------------------------------------
 */

static bool is_before(const struct schedule_item *a, const struct schedule_item *b)
{
	return a->due.ms < b->due.ms;
}

static void heap_push(struct schedule *schedule, struct schedule_item *item)
{
	size_t at = schedule->waiting++;

	while (at > 0 && is_before(item, schedule->heap[(at - 1) / 2])) {
		schedule->heap[at] = schedule->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	schedule->heap[at] = item;
}

static struct schedule_item *heap_pop(struct schedule *schedule)
{
	struct schedule_item **heap = schedule->heap, *first = heap[0];
	struct schedule_item *last = heap[--schedule->waiting];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < schedule->waiting) {
		if (child + 1 < schedule->waiting && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}

/* --- hosts -------------------------------------------------------------------------------------
 */

static struct host *host_of(struct schedule *schedule, const char *name)
{
	uint32_t hash = 2166136261U; /* FNV-1a */
	struct host *host;

	for (const char *p = name; *p != '\0'; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619U;
	SLIST_FOREACH(host, &schedule->buckets[hash % BUCKETS], link)
	{
		if (strcmp(host->name, name) == 0)
			return host;
	}
	host = xcalloc(1, sizeof(*host));
	host->name = xstrdup(name);
	host->rest_until.ms = INT64_MIN;
	TAILQ_INIT(&host->ready);
	SLIST_INSERT_HEAD(&schedule->buckets[hash % BUCKETS], host, link);
	schedule->host_count++;
	return host;
}

/* After any change of what decides whether a host may be asked. */
static void host_changed(struct schedule *schedule, struct host *host)
{
	bool runnable = !TAILQ_EMPTY(&host->ready) && host->active < schedule->per_host;

	if (runnable == host->runnable)
		return;
	host->runnable = runnable;
	if (runnable)
		TAILQ_INSERT_TAIL(&schedule->runnable, host, turn);
	else
		TAILQ_REMOVE(&schedule->runnable, host, turn);
}

static void collect_due(struct schedule *schedule, struct mono now)
{
	while (schedule->waiting > 0 && schedule->heap[0]->due.ms <= now.ms) {
		struct schedule_item *item = heap_pop(schedule);
		if (item->host->rest_until.ms > now.ms) {
			item->due = item->host->rest_until;
			heap_push(schedule, item);
			continue;
		}
		TAILQ_INSERT_TAIL(&item->host->ready, item, link);
		host_changed(schedule, item->host);
	}
}

/* --- the room's own words ----------------------------------------------------------------------
 */

struct schedule *schedule_new(unsigned total, unsigned per_host)
{
	struct schedule *schedule = xcalloc(1, sizeof(*schedule));

	schedule->total = total;
	schedule->per_host = per_host;
	TAILQ_INIT(&schedule->runnable);
	SLIST_INIT(&schedule->items);
	for (size_t i = 0; i < BUCKETS; i++)
		SLIST_INIT(&schedule->buckets[i]);
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (!SLIST_EMPTY(&schedule->buckets[i])) {
			struct host *host = SLIST_FIRST(&schedule->buckets[i]);
			SLIST_REMOVE_HEAD(&schedule->buckets[i], link);
			free(host->name);
			free(host);
		}
	}
	while (!SLIST_EMPTY(&schedule->items)) {
		struct schedule_item *item = SLIST_FIRST(&schedule->items);
		SLIST_REMOVE_HEAD(&schedule->items, all);
		free(item);
	}
	free(schedule->heap);
	free(schedule);
}

struct schedule_item *schedule_add(struct schedule *schedule, const char *host, struct mono due,
                                   void *owner)
{
	struct schedule_item *item = xcalloc(1, sizeof(*item));

	item->host = host_of(schedule, host);
	item->due = due;
	item->owner = owner;
	if (schedule->count == schedule->room) {
		schedule->room = schedule->room > 0 ? 2 * schedule->room : 64;
		schedule->heap =
		        xrealloc(schedule->heap, schedule->room * sizeof(struct schedule_item *));
	}
	schedule->count++;
	SLIST_INSERT_HEAD(&schedule->items, item, all);
	heap_push(schedule, item);
	return item;
}

void *schedule_take(struct schedule *schedule, struct mono now)
{
	struct schedule_item *item;
	struct host *host;

	collect_due(schedule, now);
	host = TAILQ_FIRST(&schedule->runnable);
	if (host == NULL || schedule->active >= schedule->total)
		return NULL;
	item = TAILQ_FIRST(&host->ready);
	TAILQ_REMOVE(&host->ready, item, link);
	schedule->active++;
	host->active++;
	/* To the end of the line. */
	TAILQ_REMOVE(&schedule->runnable, host, turn);
	host->runnable = false;
	host_changed(schedule, host);
	return item->owner;
}

void schedule_done(struct schedule *schedule, struct schedule_item *item, struct mono due)
{
	schedule->active--;
	item->host->active--;
	item->due = due;
	heap_push(schedule, item);
	host_changed(schedule, item->host);
}

void schedule_rest(struct schedule *schedule, struct schedule_item *item, struct mono until)
{
	struct host *host = item->host;

	if (until.ms <= host->rest_until.ms)
		return;
	host->rest_until = until;
	while (!TAILQ_EMPTY(&host->ready)) {
		struct schedule_item *ready = TAILQ_FIRST(&host->ready);
		TAILQ_REMOVE(&host->ready, ready, link);
		ready->due = until;
		heap_push(schedule, ready);
	}
	host_changed(schedule, host);
}

bool schedule_next(const struct schedule *schedule, struct mono *at)
{
	*at = schedule->waiting > 0 ? schedule->heap[0]->due : (struct mono){0};
	return schedule->waiting > 0;
}

size_t schedule_active(const struct schedule *schedule)
{
	return schedule->active;
}

size_t schedule_hosts(const struct schedule *schedule)
{
	return schedule->host_count;
}
