#include "daemon/govern/ways.h"

static struct adopt_way way_of(const struct config_target *target)
{
	struct adopt_way way = {.model = target->model};

	if (lifecycle_has_safe(target->model) && target->has_safe)
		way.safe = target->safe;
	if (lifecycle_has_timelock(target->model) && target->has_timelock)
		way.timelock = target->timelock;
	if (target->model == MODEL_DELAY)
		way.avatar = target->avatar;
	return way;
}

static bool same_way(const struct adopt_way *a, const struct adopt_way *b)
{
	return a->model == b->model && address_equal(&a->safe, &b->safe) &&
	       address_equal(&a->timelock, &b->timelock) && address_equal(&a->avatar, &b->avatar);
}

/* The targets of the same way as targets[first]; 0 when an earlier one has it. */
static size_t gather_way(struct governed_way *out, struct arena *arena, const struct lane *lane,
                         size_t first)
{
	const struct config *config = lane->parts->config;
	struct adopt_registry *registries;
	size_t count = 0;

	out->way = way_of(&config->targets[first]);
	registries = arena_array(arena, config->target_count, sizeof(*registries));
	out->targets = arena_array(arena, config->target_count, sizeof(*out->targets));
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		struct adopt_way way = way_of(target);
		if (target->chain != lane->config || !same_way(&way, &out->way))
			continue;
		if (i < first)
			return 0;
		registries[count] = (struct adopt_registry){
		        .kms = target->kms, .app = target->app, .has_app = target->has_app};
		out->targets[count++] = target;
	}
	out->way.registries = registries;
	out->way.registry_count = count;
	return count;
}

size_t ways_list(struct governed_way **out, struct arena *arena, const struct lane *lane)
{
	const struct config *config = lane->parts->config;
	size_t count = 0;

	*out = arena_array(arena, config->target_count, sizeof(**out));
	for (size_t i = 0; i < config->target_count; i++)
		if (config->targets[i].chain == lane->config &&
		    gather_way(&(*out)[count], arena, lane, i) > 0)
			count++;
	return count;
}

/* Ours before foreign before unrelated. */
static bool says_more(enum adopt_verdict verdict, enum adopt_verdict than)
{
	return verdict == ADOPT_OURS ? than != ADOPT_OURS
	                             : verdict == ADOPT_FOREIGN && than == ADOPT_UNRELATED;
}

static void keep_best(const struct governed_way **best, struct adopted *found,
                      const struct governed_way *way, const struct adopted *says)
{
	if (*best != NULL && !says_more(says->verdict, found->verdict))
		return;
	*best = way;
	*found = *says;
}

const struct governed_way *ways_read_safe_tx(struct adopted *found, struct arena *arena,
                                             const struct lane *lane, const struct safe_tx *tx)
{
	const struct governed_way *best = NULL;
	struct governed_way *ways;
	size_t count = ways_list(&ways, arena, lane);

	*found = (struct adopted){.verdict = ADOPT_UNRELATED};
	for (size_t i = 0; i < count; i++) {
		struct adopted says;
		if (!address_equal(&ways[i].way.safe, &tx->safe))
			continue;
		adopt_safe_tx(&says, arena, &ways[i].way, tx);
		keep_best(&best, found, &ways[i], &says);
	}
	return best;
}

const struct governed_way *ways_read_operation(struct adopted *found, struct arena *arena,
                                               const struct lane *lane,
                                               const struct address *timelock,
                                               const struct timelock_batch *batch)
{
	const struct governed_way *best = NULL;
	struct governed_way *ways;
	size_t count = ways_list(&ways, arena, lane);

	*found = (struct adopted){.verdict = ADOPT_UNRELATED};
	for (size_t i = 0; i < count; i++) {
		struct adopted says;
		if (!address_equal(&ways[i].way.timelock, timelock))
			continue;
		adopt_operation(&says, arena, &ways[i].way, batch);
		keep_best(&best, found, &ways[i], &says);
	}
	return best;
}

const struct governed_way *ways_read_entry(struct adopted *found, struct arena *arena,
                                           const struct lane *lane, const struct address *module,
                                           const struct delay_entry *entry)
{
	const struct governed_way *best = NULL;
	struct governed_way *ways;
	size_t count = ways_list(&ways, arena, lane);

	*found = (struct adopted){.verdict = ADOPT_UNRELATED};
	for (size_t i = 0; i < count; i++) {
		struct adopted says;
		if (ways[i].way.model != MODEL_DELAY ||
		    !address_equal(&ways[i].way.timelock, module))
			continue;
		adopt_entry(&says, arena, &ways[i].way, entry);
		keep_best(&best, found, &ways[i], &says);
	}
	return best;
}
