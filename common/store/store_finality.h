/* What each chain once called final, and whether it stands by it. */
#ifndef STORE_FINALITY_H
#define STORE_FINALITY_H

#include "common/eth/address.h"
#include "common/store/store.h"

enum finality_stage {
	FINALITY_KEPT = 1,    /* nothing that was final was replaced */
	FINALITY_BROKEN = 2,  /* it was: nothing is decided until an operator says so */
	FINALITY_RESUMED = 3, /* one did; what was authorized on the old chain is still to be asked */
};

struct finality_row {
	enum finality_stage stage;
	bool has_block;
	uint64_t number; /* the newest block that ever was final */
	struct hash32 hash;
	struct wall since; /* of the stage */
	char *why;         /* for people; NULL: kept */
};

/* ERR_NOT_FOUND before the first final block. */
int store_finality_get(struct store *store, struct arena *arena, uint64_t chain_id,
                       struct finality_row *out) MUST_USE;
/* A block that is final now; one below the newest known is ignored. */
void store_finality_raise(struct store *store, uint64_t chain_id, uint64_t number,
                          const struct hash32 *hash);
void store_finality_break(struct store *store, uint64_t chain_id, const char *why);
/* From broken to resumed, and from resumed to kept; forgets the block in the first case. */
void store_finality_resume(struct store *store, uint64_t chain_id);
void store_finality_checked(struct store *store, uint64_t chain_id);

/* --- requests to Safe services -----------------------------------------------------------------
 */

/* How many were made for a target on which day (since 1970, UTC); zeros before the first. */
void store_service_use_get(struct store *store, const char *target, int64_t *day,
                           uint64_t *requests);
void store_service_use_set(struct store *store, const char *target, int64_t day,
                           uint64_t requests);

#endif
