#include "tests/unit/judge_world.h"

#include "daemon/watch/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char config_text[] =
        "chains: {c: {chain_id: 1, rpc: [http://a.example]}}\n"
        "targets:\n"
        "  payments: {chain: c, kms: '0x1111111111111111111111111111111111111111',\n"
        "    app: '0x2222222222222222222222222222222222222222', model: safe+timelock,\n"
        "    safe: '0x3333333333333333333333333333333333333333',\n"
        "    timelock: '0x4444444444444444444444444444444444444444', min_evidence: recomputed}\n"
        "  easy: {chain: c, kms: '0x1111111111111111111111111111111111111111', model: "
        "safe+timelock,\n"
        "    safe: '0x3333333333333333333333333333333333333333',\n"
        "    timelock: '0x4444444444444444444444444444444444444444', min_evidence: claimed}\n";

static void put_targets(struct world *world)
{
	store_begin(world->store);
	for (size_t i = 0; i < world->config->target_count; i++) {
		const struct config_target *target = &world->config->targets[i];

		store_target_put(world->store, target->name, 1, &target->kms,
		                 target->has_app ? &target->app : NULL);
	}
	store_commit(world->store);
}

int world_setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct error error = {0};

	scratch_make(world->folder, "judge");
	if (store_open(&world->store, arena_printf(&world->arena, "%s/db", world->folder),
	               &error) != 0 ||
	    config_parse(&world->config, "test", bytes_text(config_text), &error) != 0)
		fail_msg("%s", error.text);
	store_set_now(world->store, (struct wall){1700000000000});
	put_targets(world);
	world->target = config_target_find(world->config, "payments");
	*state = world;
	return 0;
}

int world_teardown(void **state)
{
	struct world *world = *state;

	store_close(world->store);
	config_free(world->config);
	scratch_remove(world->folder);
	arena_free(&world->arena);
	free(world);
	return 0;
}

/* PCRs made of one repeated byte. */
struct measured world_of(enum format format, uint8_t byte)
{
	struct measured measured = {
	        .format = format,
	        .level = format == FORMAT_EIF ? LEVEL_RECOMPUTED : LEVEL_CLAIMED,
	        .size = 1000,
	        .details = "{\"image_name\":\"demo\"}",
	};

	memset(&measured.pcrs, byte, 3 * SHA384_SIZE);
	measured.value = pcrs_value(&measured.pcrs);
	memset(measured.sha256.b, byte ^ (int)format, sizeof(measured.sha256.b));
	return measured;
}

struct hash32 world_value_of(uint8_t byte)
{
	return world_of(FORMAT_EIF, byte).value;
}

void world_put_in(struct world *world, const char *folder, const char *name,
                  struct measured measured)
{
	struct artifact artifact = {
	        .target = world->target->name,
	        .path = arena_printf(&world->arena, "%s/%s", folder, name),
	        .folder = folder,
	        .measured = measured,
	};

	store_begin(world->store);
	store_artifact_put(world->store, &artifact);
	store_commit(world->store);
}

void world_put(struct world *world, const char *name, struct measured measured)
{
	world_put_in(world, FOLDER, name, measured);
}

void world_gone(struct world *world, const char *name)
{
	store_begin(world->store);
	store_artifact_gone(world->store, world->target->name,
	                    arena_printf(&world->arena, FOLDER "/%s", name));
	store_commit(world->store);
}

bool world_judge_in(struct world *world, const char *folder)
{
	struct path_list left;
	bool changed;

	store_begin(world->store);
	changed = judge_folder(world->store, world->target, folder);
	store_commit(world->store);
	store_folder_unjudged(world->store, &world->arena, world->target->name, &left);
	for (size_t i = 0; i < left.count; i++)
		assert_string_not_equal(left.items[i], folder);
	return changed;
}

bool world_judge(struct world *world)
{
	return world_judge_in(world, FOLDER);
}

bool world_find(struct world *world, enum kind kind, uint8_t byte, struct measurement *out)
{
	struct hash32 value = world_value_of(byte);

	return store_measurement_find(world->store, &world->arena, world->target->name, kind,
	                              &value, out) == 0;
}

struct measurement world_get(struct world *world, uint8_t byte)
{
	struct measurement m;

	assert_true(world_find(world, KIND_OS_IMAGE, byte, &m));
	return m;
}

void world_is(struct world *world, uint8_t byte, enum measurement_status status, const char *reason)
{
	struct measurement m = world_get(world, byte);

	assert_string_equal(measurement_status_name(m.status), measurement_status_name(status));
	if (reason == NULL)
		return;
	assert_non_null(m.reason);
	if (strstr(m.reason, reason) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", reason, m.reason);
}

void world_set_status(struct world *world, uint8_t byte, enum measurement_status status)
{
	store_begin(world->store);
	store_measurement_set_status(world->store, world_get(world, byte).id, status, "as if");
	store_commit(world->store);
}

struct build world_build_of(struct world *world, const char *eif)
{
	struct build_list builds;

	store_build_folder(world->store, &world->arena, world->target->name, FOLDER, &builds);
	for (size_t i = 0; i < builds.count; i++) {
		if (strcmp(builds.items[i].eif, eif) == 0)
			return builds.items[i];
	}
	fail_msg("no build %s", eif);
	return (struct build){0};
}
