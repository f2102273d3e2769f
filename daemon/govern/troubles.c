#include "daemon/govern/troubles.h"

#include "common/base/clock.h"
#include "common/store/store_proposal.h"
#include "common/store/store_trouble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXTS_PER_SUBJECT = 8,
	/* What stands in the store is told again soon after a restart, or it is over. */
	RETOLD_WITHIN_MS = 3600 * 1000,
};

struct trouble {
	struct trouble *next;
	enum alarm alarm;
	char *subject, *text;
	struct wall since; /* of the first of the same alarm and subject */
	bool told;         /* in this run */
};

struct troubles {
	struct store *store;
	uint64_t chain_id;
	struct mono started;
	struct trouble *first; /* newest first */
};

static bool is_about(const struct trouble *trouble, enum alarm alarm, const char *subject)
{
	return trouble->alarm == alarm && strcmp(trouble->subject, subject) == 0;
}

static void drop(struct trouble **link)
{
	struct trouble *trouble = *link;

	*link = trouble->next;
	free(trouble->subject);
	free(trouble->text);
	free(trouble);
}

static struct trouble *add(struct troubles *troubles, enum alarm alarm, const char *subject,
                           const char *text)
{
	struct trouble *trouble = xcalloc(1, sizeof(*trouble));

	trouble->alarm = alarm;
	trouble->subject = xstrdup(subject);
	trouble->text = xstrdup(text);
	trouble->next = troubles->first;
	troubles->first = trouble;
	return trouble;
}

struct troubles *troubles_new(struct store *store, uint64_t chain_id)
{
	struct troubles *troubles = xcalloc(1, sizeof(*troubles));
	struct arena arena = {0};
	struct trouble_row *rows;
	size_t count = store_trouble_list(store, &arena, chain_id, &rows);

	troubles->store = store;
	troubles->chain_id = chain_id;
	troubles->started = clock_mono();
	for (size_t i = 0; i < count; i++)
		add(troubles, rows[i].alarm, rows[i].subject, rows[i].text)->since = rows[i].since;
	arena_free(&arena);
	return troubles;
}

void troubles_free(struct troubles *troubles)
{
	if (troubles == NULL)
		return;
	while (troubles->first != NULL)
		drop(&troubles->first);
	free(troubles);
}

/* --- telling ------------------------------------------------------------------------------------
 */

/* False when it was told already; *since: when the first of its kind was. Several troubles of one
 * subject may come in turn, so more than the last is kept; the oldest is forgotten. */
static bool is_news(struct troubles *troubles, enum alarm alarm, const char *subject,
                    const char *text, struct wall *since)
{
	size_t count = 0;

	*since = clock_wall();
	for (struct trouble **link = &troubles->first; *link != NULL;) {
		const struct trouble *one = *link;
		if (!is_about(one, alarm, subject)) {
			link = &(*link)->next;
			continue;
		}
		if (one->told && strcmp(one->text, text) == 0)
			return false;
		if ((one->told || clock_mono().ms - troubles->started.ms < RETOLD_WITHIN_MS) &&
		    one->since.ms < since->ms)
			*since = one->since;
		if (!one->told || ++count == TEXTS_PER_SUBJECT)
			drop(link);
		else
			link = &(*link)->next;
	}
	return true;
}

void troubles_tell(struct troubles *troubles, enum alarm alarm, const char *subject,
                   const char *text)
{
	struct wall since;

	if (!is_news(troubles, alarm, subject, text, &since))
		return;
	struct trouble *trouble = add(troubles, alarm, subject, text);
	trouble->since = since;
	trouble->told = true;
	store_begin(troubles->store);
	store_alarm(troubles->store, alarm, subject, "%s", text);
	if (alarm_remedy(alarm) != NULL)
		store_trouble_put(
		        troubles->store, troubles->chain_id,
		        &(struct trouble_row){alarm, trouble->subject, trouble->text, since});
	store_commit(troubles->store);
}

bool troubles_stands(const struct troubles *troubles, enum alarm alarm, const char *subject)
{
	for (const struct trouble *one = troubles->first; one != NULL; one = one->next)
		if (one->told && is_about(one, alarm, subject))
			return true;
	return false;
}

/* --- over ---------------------------------------------------------------------------------------
 */

void troubles_over(struct troubles *troubles, enum alarm alarm, const char *subject)
{
	bool any = false;

	for (struct trouble **link = &troubles->first; *link != NULL;) {
		if (!is_about(*link, alarm, subject)) {
			link = &(*link)->next;
			continue;
		}
		drop(link);
		any = true;
	}
	if (!any || alarm_remedy(alarm) == NULL)
		return;
	store_begin(troubles->store);
	store_trouble_clear(troubles->store, troubles->chain_id, alarm, subject);
	store_commit(troubles->store);
}

/* One alarm and subject after the other, since each may have several texts. */
static const struct trouble *find_over(const struct troubles *troubles, enum alarm alarm,
                                       troubles_keep_fn *keeps, void *arg)
{
	const struct trouble *one = troubles->first;

	while (one != NULL && ((alarm != 0 && one->alarm != alarm) || keeps(one->subject, arg)))
		one = one->next;
	return one;
}

static void drop_unless(struct troubles *troubles, enum alarm alarm, troubles_keep_fn *keeps,
                        void *arg)
{
	const struct trouble *one;

	while ((one = find_over(troubles, alarm, keeps, arg)) != NULL) {
		char *subject = xstrdup(one->subject);
		troubles_over(troubles, one->alarm, subject);
		free(subject);
	}
}

void troubles_keep(struct troubles *troubles, enum alarm alarm, troubles_keep_fn *keeps, void *arg)
{
	drop_unless(troubles, alarm, keeps, arg);
}

static bool is_not_of_the_dead(const char *subject, void *arg)
{
	const struct troubles *troubles = arg;
	struct arena arena = {0};
	struct proposal proposal;
	long long id;
	char rest;

	if (sscanf(subject, "p%lld%c", &id, &rest) != 1)
		return true;
	bool ended = store_proposal_get(troubles->store, &arena, (struct proposal_id){id},
	                                &proposal) != 0 ||
	             lifecycle_is_terminal(proposal.state);
	arena_free(&arena);
	return !ended;
}

void troubles_drop_ended(struct troubles *troubles)
{
	drop_unless(troubles, 0, is_not_of_the_dead, troubles);
}

/* --- for people ---------------------------------------------------------------------------------
 */

static bool is_newest(const struct troubles *troubles, const struct trouble *trouble)
{
	const struct trouble *one = troubles->first;

	while (!is_about(one, trouble->alarm, trouble->subject))
		one = one->next;
	return one == trouble;
}

static struct jval *row_of(const struct trouble *trouble)
{
	struct arena arena = {0};
	struct jval *row = jval_object();
	char since[WALL_TEXT_SIZE];

	jval_add_string(row, "alarm", alarm_name(trouble->alarm));
	jval_add_string(row, "subject", trouble->subject);
	jval_add_string(row, "since", wall_text(since, trouble->since));
	jval_add_string(row, "text", trouble->text);
	jval_add_string(row, "do", alarm_remedy_for(&arena, trouble->alarm, trouble->subject));
	arena_free(&arena);
	return row;
}

struct jval *troubles_status(const struct troubles *troubles)
{
	struct jval *list = jval_array();
	const struct trouble *before = NULL;

	/* From the end of the list to its head: oldest first. */
	for (;;) {
		const struct trouble *oldest = NULL;
		for (const struct trouble *one = troubles->first; one != before; one = one->next)
			if (one->told && alarm_remedy(one->alarm) != NULL &&
			    is_newest(troubles, one))
				oldest = one;
		if (oldest == NULL)
			return list;
		jval_push(list, row_of(oldest));
		before = oldest;
	}
}
