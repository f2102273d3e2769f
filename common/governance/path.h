/* The ways of governance: how the calls of a proposal come to the registry under each model. Pure:
 * who sends what to whom first, in whose name the registry is called in the end, and what executes
 * it after a delay. A model is one entry of the table in path.c. */
#ifndef GOVERNANCE_PATH_H
#define GOVERNANCE_PATH_H

#include "common/base/arena.h"
#include "common/governance/calls.h"
#include "common/governance/lifecycle.h"

struct path {
	enum model model;
	struct address safe, timelock; /* zero: the model has none. With a Delay module: the Safe
	                                * that enqueues (zero: no Safe does) and the module */
	struct address avatar;         /* whom a Delay module makes act */
	struct address multisend;      /* MultiSendCallOnly of the version of the Safe that makes
	                                * several calls at once, where one does */
	const struct contract_call *calls; /* in calls_order, at least one */
	size_t count;
	struct hash32 salt;        /* of the operation, where there is one */
	struct hash32 predecessor; /* zero in what we make */
	bool single;               /* of a timelock: the form without a batch, which others made */
	uint64_t delay;            /* seconds that the schedule asks for, where there is one */
};

/* Who sends a transaction or calls the registry. */
enum path_account {
	PATH_SAFE = 1, /* the Safe of the path */
	PATH_TIMELOCK, /* the timelock of the path */
	PATH_PROPOSER, /* an account with the timelock's PROPOSER_ROLE */
	PATH_EXECUTOR, /* whoever may execute on the timelock */
	PATH_OWNER,    /* whoever owner() of the called contract names */
	PATH_ENQUEUER, /* an account that is enabled on the Delay module and no Safe */
	PATH_AVATAR,   /* the Safe that the Delay module makes act */
	PATH_ANYBODY,
};
/* The account where the path itself tells it; false for those that only the chain knows. */
bool path_account_address(struct address *out, const struct path *path, enum path_account account);
/* "the Safe", "the timelock's proposer", ... */
const char *path_account_name(enum path_account account);

/* One transaction: of a Safe (operation as in the SafeTx), else of an externally owned account. */
struct path_step {
	enum purpose purpose;
	enum path_account sender;
	struct address to;
	struct bytes data; /* in the arena */
	uint8_t operation; /* 0 call, 1 delegatecall; always 0 where the sender is no Safe */
};

/* Whether there is such a way; every function below dies without. */
bool path_exists(enum model model);
/* What is drafted first: one transaction, or, for a model whose owner can send but single calls,
 * one per call in their order. Returns how many. */
size_t path_first(struct path_step **out, struct arena *arena, const struct path *path);
/* The purpose of those, and who sends them (with a Delay module: where a Safe enqueues). */
enum purpose path_first_purpose(enum model model);
enum path_account path_first_sender(enum model model);
/* In whose name the registry is called in the end. */
enum path_account path_caller(enum model model);
/* What executes it when its delay is over; false: nothing has to. */
bool path_then(struct path_step *out, struct arena *arena, const struct path *path);
/* Whether several calls need MultiSendCallOnly. */
bool path_needs_multisend(const struct path *path);
/* The id under which the chain knows the batch between the two; false: it has none. */
bool path_operation_id(struct hash32 *out, const struct path *path);

#endif
