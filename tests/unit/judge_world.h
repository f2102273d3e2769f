/* A store, two targets and what is put into a watched folder: for tests of the verdict over it. */
#ifndef TESTS_JUDGE_WORLD_H
#define TESTS_JUDGE_WORLD_H

#include "common/config/config.h"
#include "common/store/store_build.h"
#include "common/store/store_measurement.h"
#include "tests/unit/scratch.h"

#define FOLDER "/srv/releases/42"

struct world {
	char folder[SCRATCH_PATH];
	struct store *store;
	struct config *config;
	const struct config_target *target; /* with an app; wants recomputed */
	struct arena arena;
};

/* Of cmocka, with a struct world. */
int world_setup(void **state);
int world_teardown(void **state);

/* PCRs made of one repeated byte. */
struct measured world_of(enum format format, uint8_t byte);
struct hash32 world_value_of(uint8_t byte);

void world_put_in(struct world *world, const char *folder, const char *name,
                  struct measured measured);
void world_put(struct world *world, const char *name, struct measured measured);
void world_gone(struct world *world, const char *name);
/* Whether measurements changed. */
bool world_judge_in(struct world *world, const char *folder);
bool world_judge(struct world *world);

bool world_find(struct world *world, enum kind kind, uint8_t byte, struct measurement *out);
struct measurement world_get(struct world *world, uint8_t byte); /* the OS image */
/* Asserts its status, and that its reason has this text in it (NULL: any). */
void world_is(struct world *world, uint8_t byte, enum measurement_status status,
              const char *reason);
void world_set_status(struct world *world, uint8_t byte, enum measurement_status status);
struct build world_build_of(struct world *world, const char *eif);

#endif
