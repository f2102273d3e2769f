#include "daemon/govern/govern.h"

#include "common/base/log.h"
#include "common/governance/events.h"
#include "common/store/store_event.h"
#include "daemon/chain/follower.h"
#include "daemon/govern/draft_file.h"
#include "daemon/govern/draft_form.h"
#include "daemon/govern/lane.h"
#include "daemon/govern/op.h"
#include "daemon/govern/service_use.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ENDPOINTS = 64 }; /* shown; a chain has a handful */

struct govern {
	struct govern_parts parts;
	struct lane **lanes; /* one per configured chain */
	size_t lane_count;
	void (*changed)(void *arg);
	void *changed_arg;
};

static void add_unique(struct address *list, size_t *count, const struct address *address)
{
	for (size_t i = 0; i < *count; i++)
		if (address_equal(&list[i], address))
			return;
	list[(*count)++] = *address;
}

/* Every contract that may say something about the targets of a lane, and about proposals whose
 * target was pointed elsewhere since. */
static void follow(struct lane *lane)
{
	const struct config *config = lane->parts->config;
	struct arena arena = {0};
	struct proposal_list live;
	size_t count = 0;

	store_proposal_list(lane->parts->store, &arena, PROPOSALS_LIVE, lane->config->chain_id,
	                    &live);
	struct address *list =
	        arena_array(&arena, 5 * config->target_count + 2 * live.count, sizeof(*list));
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		if (target->chain != lane->config)
			continue;
		add_unique(list, &count, &target->kms);
		if (target->has_app)
			add_unique(list, &count, &target->app);
		if (target->has_safe)
			add_unique(list, &count, &target->safe);
		if (target->has_timelock)
			add_unique(list, &count, &target->timelock);
		if (!address_is_zero(&target->avatar))
			add_unique(list, &count, &target->avatar);
	}
	for (size_t i = 0; i < live.count; i++) {
		if (!address_is_zero(&live.items[i].safe))
			add_unique(list, &count, &live.items[i].safe);
		if (lifecycle_has_timelock(live.items[i].model))
			add_unique(list, &count, &live.items[i].timelock);
	}
	follower_set_addresses(lane->follower, list, count);
	arena_free(&arena);
}

static void remember_targets(struct govern *govern)
{
	const struct config *config = govern->parts.config;

	store_begin(govern->parts.store);
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = &config->targets[i];
		store_target_put(govern->parts.store, target->name, target->chain->chain_id,
		                 &target->kms, target->has_app ? &target->app : NULL);
	}
	store_commit(govern->parts.store);
}

/* Files are made after the commit: a crash between the two leaves a draft without them. */
static void write_missing_files(struct lane *lane)
{
	struct arena arena = {0};
	struct proposal_list live;

	store_proposal_list(lane->parts->store, &arena, PROPOSALS_LIVE, lane->config->chain_id,
	                    &live);
	for (size_t i = 0; i < live.count; i++)
		draft_file_write(lane, live.items[i].id);
	arena_free(&arena);
}

struct govern *govern_new(const struct govern_parts *parts)
{
	struct govern *govern = xcalloc(1, sizeof(*govern));

	govern->parts = *parts;
	remember_targets(govern);
	govern->lane_count = parts->config->chain_count;
	govern->lanes = xcalloc(govern->lane_count, sizeof(*govern->lanes));
	for (size_t i = 0; i < govern->lane_count; i++) {
		struct lane *lane = lane_new(govern, &govern->parts, &parts->config->chains[i]);
		govern->lanes[i] = lane;
		follow(lane);
		write_missing_files(lane);
		follower_start(lane->follower);
		lane_wake(lane);
	}
	return govern;
}

void govern_free(struct govern *govern)
{
	if (govern == NULL)
		return;
	for (size_t i = 0; i < govern->lane_count; i++)
		lane_free(govern->lanes[i]);
	free(govern->lanes);
	free(govern);
}

void govern_wake(struct govern *govern)
{
	for (size_t i = 0; i < govern->lane_count; i++)
		lane_wake(govern->lanes[i]);
}

void govern_on_change(struct govern *govern, void (*changed)(void *arg), void *arg)
{
	govern->changed = changed;
	govern->changed_arg = arg;
}

void lane_changed(struct lane *lane)
{
	if (lane->govern->changed != NULL)
		lane->govern->changed(lane->govern->changed_arg);
}

struct lane *govern_lane(struct govern *govern, uint64_t chain_id)
{
	for (size_t i = 0; i < govern->lane_count; i++)
		if (govern->lanes[i]->config->chain_id == chain_id)
			return govern->lanes[i];
	return NULL;
}

const struct govern_parts *govern_parts(const struct govern *govern)
{
	return &govern->parts;
}

struct chain *govern_chain(struct govern *govern, uint64_t chain_id)
{
	struct lane *lane = govern_lane(govern, chain_id);

	return lane != NULL ? lane->chain : NULL;
}

/* --- operator
 * ------------------------------------------------------------------------------------- */

int govern_resume(struct govern *govern, const char *chain, struct error *error)
{
	for (size_t i = 0; i < govern->lane_count; i++)
		if (strcmp(govern->lanes[i]->config->name, chain) == 0)
			return lane_resume(govern->lanes[i], error);
	return error_set(error, ERR_NOT_FOUND, "no chain is called \"%s\"", chain);
}

int govern_export(struct govern *govern, struct proposal_id id, const char *format, struct buf *out,
                  struct error *error)
{
	struct store *store = govern->parts.store;
	struct arena arena = {0};
	struct proposal proposal;
	struct draft_form draft;
	int rc;

	if (store_proposal_get(store, &arena, id, &proposal) != 0)
		rc = error_set(error, ERR_NOT_FOUND, "no proposal p%lld", (long long)id.n);
	else if (draft_form_current(&draft, &arena, store, &proposal) != 0)
		rc = error_set(error, ERR_NOT_FOUND, "p%lld has no draft", (long long)id.n);
	else
		rc = draft_form_render(out, &draft, format, error);
	arena_free(&arena);
	return rc;
}

static struct jval *endpoints_status(const struct lane *lane)
{
	struct jval *list = jval_array();
	struct chain_endpoint endpoints[MAX_ENDPOINTS];
	size_t count = chain_endpoints_known(lane->chain, endpoints, ARRAY_LEN(endpoints));

	for (size_t i = 0; i < count && i < ARRAY_LEN(endpoints); i++) {
		struct jval *row = jval_object();
		jval_add_string(row, "name", endpoints[i].name);
		jval_add_string(row, "trouble", endpoints[i].trouble);
		jval_push(list, row);
	}
	return list;
}

static void add_number(struct jval *object, const char *name, bool there, uint64_t number)
{
	if (there)
		jval_add_int(object, name, (int64_t)number);
	else
		jval_add_string(object, name, NULL);
}

static struct jval *lane_status(const struct lane *lane)
{
	struct jval *status = jval_object();
	char at[WALL_TEXT_SIZE];

	jval_add_string(status, "chain", lane->config->name);
	jval_add_int(status, "chain_id", (int64_t)lane->config->chain_id);
	/* Of a stopped chain, too: how far it is by now. */
	const struct block_ref *head = &lane->blocks.head;
	bool seen = !hash32_is_zero(&head->hash);
	add_number(status, "head", seen, head->number);
	add_number(status, "final", lane->have_head, lane->final.number);
	jval_add_string(status, "block_time", seen ? wall_text_seconds(at, head->timestamp) : NULL);
	jval_add_string(status, "last_answer", seen ? wall_text(at, lane->head_seen) : NULL);
	jval_add_string(status, "error", lane->last_error[0] != '\0' ? lane->last_error : NULL);
	jval_add_string(status, "stopped", chain_held(lane->chain));
	jval_add(status, "endpoints", endpoints_status(lane));
	jval_add(status, "services", service_use_status(lane));
	jval_add(status, "troubles", troubles_status(lane->troubles));
	jval_add_int(status, "requests", (int64_t)chain_requests_made(lane->chain));
	return status;
}

struct jval *govern_status(struct govern *govern)
{
	struct jval *list = jval_array();

	for (size_t i = 0; i < govern->lane_count; i++)
		jval_push(list, lane_status(govern->lanes[i]));
	return list;
}
