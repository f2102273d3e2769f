#include "daemon/govern/contested.h"

#include <stdlib.h>

struct one {
	struct one *next;
	const void *place;
	struct proposal_id id;
	bool seen; /* in the look under way */
};

struct contested {
	struct lane *lane;
	struct one *first;
	const void *place; /* that is being looked at, else NULL */
};

struct contested *contested_new(struct lane *lane)
{
	struct contested *contested = xcalloc(1, sizeof(*contested));

	contested->lane = lane;
	return contested;
}

void contested_free(struct contested *contested)
{
	if (contested == NULL)
		return;
	while (contested->first != NULL) {
		struct one *next = contested->first->next;
		free(contested->first);
		contested->first = next;
	}
	free(contested);
}

void contested_begin(struct contested *contested, const void *place)
{
	contested->place = place;
	for (struct one *one = contested->first; one != NULL; one = one->next)
		if (one->place == place)
			one->seen = false;
}

static struct one *find(const struct contested *contested, const void *place, struct proposal_id id)
{
	struct one *one = contested->first;

	while (one != NULL && (one->id.n != id.n || (place != NULL && one->place != place)))
		one = one->next;
	return one;
}

void contested_tell(struct contested *contested, struct proposal_id id, const char *text)
{
	char subject[SUBJECT_SIZE];

	lane_alarm(contested->lane, ALARM_CONTESTED, proposal_subject(subject, id), "%s", text);
	if (contested->place == NULL)
		return;
	struct one *one = find(contested, contested->place, id);
	if (one == NULL) {
		one = xcalloc(1, sizeof(*one));
		one->place = contested->place;
		one->id = id;
		one->next = contested->first;
		contested->first = one;
	}
	one->seen = true;
}

void contested_end(struct contested *contested)
{
	char subject[SUBJECT_SIZE];

	for (struct one **link = &contested->first; *link != NULL;) {
		struct one *one = *link;
		if (one->place != contested->place || one->seen) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		if (find(contested, NULL, one->id) == NULL)
			lane_alarm_clear(contested->lane, ALARM_CONTESTED,
			                 proposal_subject(subject, one->id));
		free(one);
	}
	contested->place = NULL;
}
