/* The schema as an append-only array of steps; a step's index + 1 is the version it leads to. */
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

#include "common/store/db.h"

/* The version this program works with. */
int64_t migrations_version(void);

/* Brings the database there in one transaction and records the upgrade. ERR_DENIED when it is
 * newer than the program; ERR_INVALID when it is somebody else's or broken. */
int migrations_apply(struct db *db, const char *path, struct wall now,
                     struct error *error) MUST_USE;

#endif
