/* What people are given to sign or send: one draft in the forms that tools read. */
#ifndef GOVERN_DRAFT_FORM_H
#define GOVERN_DRAFT_FORM_H

#include "daemon/govern/lane.h"

struct draft_form {
	uint64_t chain_id;
	struct address safe; /* in whose queue it belongs; zero: an account sends it */
	struct address from; /* who sends it; zero: whoever may */
	const struct contract_call
	        *calls; /* one by one, as the Safe app or an account makes them */
	size_t count;
	const struct path_step *steps; /* the transactions themselves */
	size_t step_count;
	const char *name;        /* "p7-schedule-1" */
	const char *description; /* "add os-image 0x..." */
	const char *note;        /* who has to send it and how; NULL: the Safe's owners know */
	struct wall created_at;
};

/* "tx-builder", "calldata" (a line per transaction: to, data) or "cast" (a command line per call).
 * ERR_INVALID for another format. */
int draft_form_render(struct buf *out, const struct draft_form *form, const char *format,
                      struct error *error) MUST_USE;

/* Of one Safe transaction of the proposal. */
struct draft_form draft_form_of_row(struct arena *arena, const struct proposal *proposal,
                                    const struct safe_tx_row *row);
/* The rejection of one of them that has no nonce known here. */
struct draft_form draft_form_reject(struct arena *arena, const struct proposal *proposal,
                                    const struct safe_tx_row *row);
/* What is drafted first, where no Safe sends it. ERR_NOT_FOUND: a Safe does. */
int draft_form_first(struct draft_form *out, struct arena *arena,
                     const struct proposal *proposal) MUST_USE;
/* What executes it after its delay, when that is no Safe transaction of ours. ERR_NOT_FOUND:
 * nothing has to. */
int draft_form_then(struct draft_form *out, struct arena *arena,
                    const struct proposal *proposal) MUST_USE;
/* One call of the timelock or Delay module beside the proposal's own way. */
struct draft_form draft_form_aside(struct arena *arena, const struct proposal *proposal,
                                   const char *name, struct bytes data, const char *note);
/* What cancels its operation, where no Safe does; from is whom the timelock's events name for it.
 */
void draft_form_cancel(struct draft_form *out, struct arena *arena, struct store *store,
                       const struct proposal *proposal);
/* The one that matters now. ERR_NOT_FOUND: none. */
int draft_form_current(struct draft_form *out, struct arena *arena, struct store *store,
                       const struct proposal *proposal) MUST_USE;

#endif
