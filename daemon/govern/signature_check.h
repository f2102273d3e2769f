/* Asking the chain about confirmations that nobody else can verify: hashes that owners approved in
 * the Safe, and owners that are contracts. */
#ifndef GOVERN_SIGNATURE_CHECK_H
#define GOVERN_SIGNATURE_CHECK_H

#include "common/governance/proposal_message.h"
#include "daemon/govern/lane.h"

struct signature_check;

/* Each of the given confirmations in their order, `verified` set as the chain says; they live
 * during the callback. On an error nothing is known. Exactly once unless cancelled, never from
 * inside signature_check_start. */
typedef void signature_check_fn(const struct error *error,
                                const struct proposal_confirmation *confirmations, size_t count,
                                void *arg);
/* What it needs of tx is copied. Confirmations that need no chain are handed back as they are. */
struct signature_check *signature_check_start(struct lane *lane, const struct proposal_tx *tx,
                                              signature_check_fn *done, void *arg);
void signature_check_cancel(struct signature_check *check); /* NULL is fine */

/* Whether a confirmation of the transaction needs one. */
bool signature_check_needed(const struct proposal_tx *tx);

#endif
