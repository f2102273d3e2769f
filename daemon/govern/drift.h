/* What stands on chain against what is recorded here, value by value. */
#ifndef GOVERN_DRIFT_H
#define GOVERN_DRIFT_H

#include "daemon/govern/govern.h"

enum drift_verdict {
	DRIFT_OK,
	DRIFT_UNKNOWN_HERE,     /* on chain, and nobody here recorded or vouches for it */
	DRIFT_MISSING_ON_CHAIN, /* recorded as authorized, and not there */
	DRIFT_SHOULD_BE_ABSENT, /* on chain, and revoked, refused or wanted absent here */
	DRIFT_UNDECIDED,        /* the chain gave no answer */
};
const char *drift_verdict_name(enum drift_verdict verdict);

struct drift_row {
	const struct config_target *target; /* that recorded it, else the first with the contract */
	struct address contract;
	enum kind kind; /* of the registry's list */
	struct hash32 value;
	enum check_answer chain; /* at the final block */
	bool recorded;
	struct measurement_id measurement; /* and with it: */
	enum measurement_status status;
	bool wanted, vouched; /* vouched: evidence or an approval of somebody here */
	bool has_tx;          /* of the last event about it that is final */
	struct hash32 tx;
	uint64_t block;
	enum drift_verdict verdict;
};

/* From the answer of the chain and what is recorded. Pure. */
enum drift_verdict drift_judge(const struct drift_row *row);

struct drift {
	const struct drift_row *rows; /* by target, contract, kind, value */
	size_t count;
	const char *unknown; /* NULL, or why something may be missing here */
};
/* drift is valid during the callback. */
typedef void govern_drift_fn(const struct drift *drift, void *arg);
/* Of one target, or of all with NULL. */
struct govern_op *govern_drift(struct govern *govern, const struct config_target *target,
                               govern_drift_fn *done, void *arg);

#endif
