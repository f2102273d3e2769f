/* What a registry's own events say about one call of a proposal. */
#ifndef GOVERN_CALL_LOG_H
#define GOVERN_CALL_LOG_H

#include "common/store/store_chain.h"
#include "common/store/store_proposal.h"

/* The last event that says what the call does, made since the proposal was drafted. */
bool call_log_find(struct store *store, struct arena *arena, const struct proposal *proposal,
                   const struct call *call, struct seen_log *out);
/* Whether the opposite was said later than that. */
bool call_log_undone(struct store *store, struct arena *arena, const struct proposal *proposal,
                     const struct call *call, const struct seen_log *done);
bool seen_log_is_later(const struct seen_log *a, const struct seen_log *b);

#endif
