/* The files under state_dir/drafts: what people need to do by hand what registrard does by itself.
 * drafts/p7-<purpose>-<attempt>.json is a Safe Transaction Builder file, .cast the command lines,
 * and .calldata what an account without a Safe sends, as a line "to data" per transaction. */
#ifndef GOVERN_DRAFT_FILE_H
#define GOVERN_DRAFT_FILE_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"

/* Writes the files of every Safe transaction of the proposal that has none yet, or of what an
 * account has to send. A file that cannot be written is an alarm; the draft in the store is what
 * counts. */
void draft_file_write(struct lane *lane, struct proposal_id id);
/* The files of a cancellation that an account has to send. */
void draft_file_write_cancel(struct lane *lane, const struct proposal *proposal);
/* The files of the rejection of a draft that people may have put into their queue, with a nonce
 * that nobody here knows: "p7-reject-execute-1". */
void draft_file_write_reject(struct lane *lane, const struct proposal *proposal,
                             const struct safe_tx_row *row);
/* The files of an execution that is not made through a Safe transaction of ours. */
void draft_file_write_execute(struct lane *lane, const struct proposal *proposal);
/* The files of a call beside its own way: name as in "p7-skip-3", note says who sends it. */
void draft_file_write_aside(struct lane *lane, const struct proposal *proposal, const char *name,
                            struct bytes data, const char *note);

#endif
