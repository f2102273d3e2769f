/* What the KMS contract answered to what a machine says about itself, for the measurements that
 * status endpoints show. */
#ifndef STORE_PREFLIGHT_H
#define STORE_PREFLIGHT_H

#include "common/store/store_measurement.h"

struct preflight_row {
	enum measurement_status status; /* of the measurement, when it was asked */
	enum check_answer allowed;
	const char *reason;  /* the contract's own, or why it is unknown; may be "" */
	const char *call;    /* "isAppAllowed" */
	const char *source;  /* the endpoint whose machine it is about */
	const char *assumed; /* what the machine did not say: "mrSystem, tcbStatus"; may be "" */
	uint64_t block;      /* final then */
	struct wall at;      /* read only */
};

/* ERR_NOT_FOUND: never asked. */
int store_preflight_get(struct store *store, struct arena *arena, struct measurement_id id,
                        struct preflight_row *out) MUST_USE;
void store_preflight_put(struct store *store, struct measurement_id id,
                         const struct preflight_row *row);
/* Compose hashes of apps and aggregated MRs of KMSs that an endpoint shows, are authorized or
 * approved, and were not asked about since that or since their contracts last spoke (at or below
 * block upto). At most limit, in id order. */
void store_preflight_due(struct store *store, struct arena *arena, uint64_t chain_id, uint64_t upto,
                         size_t limit, struct measurement_list *out);

#endif
