/* The files under state_dir/drafts: what people need to do by hand what registrard does by itself.
 * drafts/p7-<purpose>-<attempt>.json is a Safe Transaction Builder file, .cast the command line. */
#ifndef GOVERN_DRAFT_FILE_H
#define GOVERN_DRAFT_FILE_H

#include "daemon/govern/lane.h"

/* Writes the files of every Safe transaction of the proposal that has none yet. A file that cannot
 * be written is an alarm; the draft in the store is what counts. */
void draft_file_write(struct lane *lane, struct proposal_id id);
/* The files of an execution that is not made through a Safe transaction of ours. */
void draft_file_write_execute(struct lane *lane, const struct proposal *proposal);

/* One draft in the form asked for: "tx-builder", "calldata" or "cast". ERR_INVALID for another. */
struct draft_call {
	uint64_t chain_id;
	struct address safe, to;
	struct bytes data;
	const char *name; /* "p7-schedule-1" */
	const char *description;
	struct wall created_at;
};
int draft_render(struct buf *out, const struct draft_call *draft, const char *format,
                 struct error *error) MUST_USE;
/* The draft that matters now: the latest Safe transaction of the proposal. ERR_NOT_FOUND: none. */
int draft_current(struct draft_call *out, struct arena *arena, struct store *store,
                  const struct proposal *proposal) MUST_USE;

#endif
