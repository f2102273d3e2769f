#include "daemon/govern/quiet.h"

#include <stdlib.h>
#include <string.h>

/* A backend that answers with too few logs is asked for them again for half a minute; whatever else
 * may come without a log that we see is found after this. */
enum { LOOK_AGAIN_MS = 60 * 1000 };

/* How a proposal was found. */
struct found {
	struct proposal_id id;
	struct address safe;
	uint64_t epoch, mark;
	struct mono at;
	struct block_ref final;
	struct observation seen;
	bool settled;      /* the answers were whole, and of a kind that changes with a log only */
	bool awaits_final; /* something of it waits for finality */
	bool again;
};

struct quiet {
	struct found *items; /* by id */
	size_t count, room;
};

struct quiet *quiet_new(void)
{
	return xcalloc(1, sizeof(struct quiet));
}

void quiet_free(struct quiet *quiet)
{
	if (quiet == NULL)
		return;
	free(quiet->items);
	free(quiet);
}

/* Where it is, or belongs. */
static size_t place_of(const struct quiet *quiet, struct proposal_id id)
{
	size_t low = 0, high = quiet->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (quiet->items[middle].id.n < id.n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct found *find(const struct quiet *quiet, struct proposal_id id)
{
	size_t at = place_of(quiet, id);

	return at < quiet->count && quiet->items[at].id.n == id.n ? &quiet->items[at] : NULL;
}

/* Whether the clocks alone change what follows from how it was found. */
static bool time_tells(const struct found *found, const struct quiet_time *time,
                       const struct proposal *proposal)
{
	struct observation seen = found->seen;

	observe_clock(&seen, proposal, &time->head, time->wall);
	return seen.past_expiry != found->seen.past_expiry ||
	       lifecycle_next(proposal->model, proposal->state, &seen).moves;
}

static bool same_block(const struct block_ref *a, const struct block_ref *b)
{
	return a->number == b->number && hash32_equal(&a->hash, &b->hash);
}

bool quiet_is(const struct quiet *quiet, const struct quiet_time *time,
              const struct proposal *proposal, uint64_t mark, bool *deeper)
{
	const struct found *found = find(quiet, proposal->id);

	*deeper = found == NULL || found->epoch != time->epoch || found->again;
	return found != NULL && found->settled && found->epoch == time->epoch &&
	       found->mark == mark && time->mono.ms - found->at.ms < LOOK_AGAIN_MS &&
	       !(found->awaits_final && !same_block(&found->final, &time->final)) &&
	       !time_tells(found, time, proposal);
}

/* An owner's own account needs no event to make calls, entries of a Delay module wait for each
 * other and for the clock, and what our keys sent for something withdrawn may arrive. */
static bool is_settled(const struct observed *observed)
{
	const struct proposal *proposal = observed->proposal;
	bool answered = !lifecycle_has_timelock(proposal->model) ||
	                observed->seen.operation != OPERATION_UNKNOWN;

	return answered && !observed->getters_disagree && proposal->model != MODEL_DELAY &&
	       proposal->model != MODEL_DIRECT && (proposal->flags & FLAG_WITHDRAWING) == 0;
}

void quiet_note(struct quiet *quiet, const struct quiet_time *time, const struct observed *observed,
                uint64_t mark, bool again)
{
	const struct proposal *proposal = observed->proposal;
	size_t at = place_of(quiet, proposal->id);

	if (at == quiet->count || quiet->items[at].id.n != proposal->id.n) {
		if (quiet->count == quiet->room) {
			quiet->room = 2 * quiet->room + 16;
			quiet->items = xrealloc(quiet->items, quiet->room * sizeof(*quiet->items));
		}
		memmove(&quiet->items[at + 1], &quiet->items[at],
		        (quiet->count - at) * sizeof(*quiet->items));
		quiet->count++;
	}
	quiet->items[at] =
	        (struct found){.id = proposal->id,
	                       .safe = proposal->safe,
	                       .epoch = time->epoch,
	                       .mark = mark,
	                       .at = time->mono,
	                       .final = time->final,
	                       .seen = observed->seen,
	                       .settled = is_settled(observed),
	                       .awaits_final = observed->wants_final || observed->awaits_final,
	                       .again = again};
}

bool quiet_stir(struct quiet *quiet, uint64_t epoch, const struct address *safe)
{
	bool any = false;

	for (size_t i = 0; i < quiet->count; i++) {
		struct found *found = &quiet->items[i];
		if (!address_equal(&found->safe, safe))
			continue;
		any |= found->settled && found->epoch == epoch;
		found->settled = false;
	}
	return any;
}

void quiet_keep(struct quiet *quiet, const struct proposal_list *live)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < quiet->count; i++) {
		while (at < live->count && live->items[at].id.n < quiet->items[i].id.n)
			at++;
		if (at < live->count && live->items[at].id.n == quiet->items[i].id.n)
			quiet->items[kept++] = quiet->items[i];
	}
	quiet->count = kept;
}
