/* What people bring before a Safe or a timelock by other means: exactly the registry calls that we
 * would make ourselves, something more, or nothing that concerns us. Pure: from what would be
 * called to a verdict and a text that lists it call by call. */
#ifndef GOVERNANCE_ADOPT_H
#define GOVERNANCE_ADOPT_H

#include "common/governance/delay.h"
#include "common/governance/lifecycle.h"
#include "common/governance/registry.h"
#include "common/governance/safe_tx.h"
#include "common/governance/timelock.h"

struct adopt_registry {
	struct address kms, app;
	bool has_app;
};
/* One way of governance and everything that is governed by it. */
struct adopt_way {
	enum model model;
	struct address safe, timelock; /* zero: the model has none. With a Delay module: the Safe
	                                * that enqueues, and the module */
	struct address avatar;         /* the Safe that a Delay module moves, else zero */
	const struct adopt_registry *registries;
	size_t registry_count;
};

enum adopt_verdict {
	ADOPT_UNRELATED = 1, /* touches nothing that we govern */
	ADOPT_OURS,          /* known calls alone, in the way that the model asks for */
	ADOPT_FOREIGN,       /* touches or could change what we govern, and is more than that */
};

struct adopt_call {
	struct contract_call call;
	enum kind kind;
	enum action action;
	struct hash32 value;
	size_t registry; /* of the way */
};

struct adopted {
	enum adopt_verdict verdict;
	/* With ADOPT_OURS: the registry calls in their order, of all parts together. */
	struct adopt_call *calls;
	size_t call_count;
	/* One schedule, execution, cancellation or application each; one transaction may hold
	 * several. What follows is that of the only one. */
	size_t parts;
	enum purpose purpose;
	struct timelock_batch batch; /* schedule, execute; with a Delay module its calls alone */
	uint64_t delay;              /* schedule */
	struct hash32 operation_id;  /* schedule, execute, cancel */
	const char *text;            /* for people: what it does, call by call, one line */
};

/* Everything found lives in the arena or points into what was given. */
void adopt_safe_tx(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                   const struct safe_tx *tx);
/* What an account sends, where contracts obey one. */
void adopt_transaction(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                       const struct contract_call *call);
/* An operation that the timelock of the way holds. */
void adopt_operation(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                     const struct timelock_batch *batch);
/* An entry that the Delay module of the way holds. */
void adopt_entry(struct adopted *out, struct arena *arena, const struct adopt_way *way,
                 const struct delay_entry *entry);

#endif
