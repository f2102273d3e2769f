/* What moves proposals: drafter, proposer, tracker, executor and checker over one store. */
#ifndef GOVERN_GOVERN_H
#define GOVERN_GOVERN_H

#include "common/config/config.h"
#include "common/store/store_proposal.h"
#include "daemon/chain/chain.h"
#include "daemon/signer/signer.h"

struct govern;
struct govern_op;

struct govern_parts {
	struct loop *loop;
	struct http *http;
	struct store *store;
	struct signer *signer; /* NULL: no target has a key */
	const struct config *config;
};
struct govern *govern_new(const struct govern_parts *parts);
/* After signer_free: answers of the signer would find nobody. */
void govern_free(struct govern *govern);

/* Something new is in the store (a measurement, an approval): look at it soon. */
void govern_wake(struct govern *govern);
/* Called (if set) after every change that a waiting client may care about. */
void govern_on_change(struct govern *govern, void (*changed)(void *arg), void *arg);
struct chain *govern_chain(struct govern *govern, uint64_t chain_id); /* NULL if unknown */

/* The answer of the chain for one (target, kind, value), read now. */
struct govern_check {
	enum kind kind;
	struct address contract;
	const char *getter; /* "isAuthorized(bytes32)" or the mapping's signature */
	enum check_answer latest, final;
};
typedef void govern_check_fn(const struct error *error, const struct govern_check *checks,
                             size_t count, const struct block_ref *head,
                             const struct block_ref *final, void *arg);
/* kinds: the ones recorded for the value, or by default those a Nitro value is registered as. */
struct govern_op *govern_check(struct govern *govern, const struct config_target *target,
                               const struct hash32 *value, const enum kind *kinds,
                               size_t kind_count, govern_check_fn *done, void *arg);
void govern_cancel(struct govern_op *op); /* NULL is fine */

/* doctor: an array of {target, check, result: ok|warning|failure|unknown, found, fix}. The report
 * is the callback's to free. */
typedef void govern_doctor_fn(struct jval *report, void *arg);
struct govern_op *govern_doctor(struct govern *govern, govern_doctor_fn *done, void *arg);

/* Operator decisions. ERR_NOT_FOUND, or ERR_CONFLICT with what is possible instead. */
int govern_withdraw(struct govern *govern, struct proposal_id id, struct error *error) MUST_USE;
/* A draft in another form: "tx-builder" (JSON), "calldata" (hex lines), "cast" (command lines). */
int govern_export(struct govern *govern, struct proposal_id id, const char *format, struct buf *out,
                  struct error *error) MUST_USE;
/* One object per chain: {chain, chain_id, head, final, block_time, last_answer, error}. */
struct jval *govern_status(struct govern *govern);

#endif
