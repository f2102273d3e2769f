/* What happens after `revoke`, and what people have to do, in words. */
#ifndef API_REVOKED_H
#define API_REVOKED_H

#include "common/base/jval.h"
#include "common/config/config.h"
#include "common/store/store_proposal.h"

/* An array of sentences about a measurement as a revocation left it: revoked, or what replaces it.
 * The arena holds what is read on the way. */
struct jval *revoked_next(struct store *store, struct arena *arena, const struct config *config,
                          const struct measurement *measurement);

#endif
