/* The verdict over one folder, written into the store: builds, and measurements with their
 * evidence. Pure apart from the store; the caller brackets it with a transaction. */
#ifndef WATCH_JUDGE_H
#define WATCH_JUDGE_H

#include "common/config/config.h"
#include "common/store/store.h"

/* Judges the artifacts that the store has of this folder, which has been quiet for long enough.
 * True when a measurement was made or changed. */
bool judge_folder(struct store *store, const struct config_target *target, const char *folder);

/* A digest of all that a verdict takes from the target's configuration. */
struct hash32 judge_rules(const struct config_target *target);

#endif
