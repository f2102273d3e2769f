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
/* Not kept, but for the target. */
struct govern_question {
	const struct config_target *target;
	struct hash32 value;
	const enum kind *kinds; /* those recorded; none: the ones a Nitro value is registered as */
	size_t kind_count;
};
struct govern_op *govern_check(struct govern *govern, const struct govern_question *question,
                               govern_check_fn *done, void *arg);
void govern_cancel(struct govern_op *op); /* NULL is fine */

/* doctor: an array of {target, check, result: ok|warning|failure|unknown, found, fix}. The report
 * is the callback's to free. */
typedef void govern_doctor_fn(struct jval *report, void *arg);
struct govern_op *govern_doctor(struct govern *govern, govern_doctor_fn *done, void *arg);

/* Operator decisions. ERR_NOT_FOUND, or ERR_CONFLICT with what is possible instead. A proposal that
 * signers may have seen is rejected or cancelled on chain, and followed until the chain says so. */
int govern_withdraw(struct govern *govern, struct proposal_id id, struct error *error) MUST_USE;

/* Has an empty transaction proposed for the lowest nonce that nothing holds below something of the
 * proposal. ERR_NOT_FOUND, or ERR_CONFLICT: there is no such nonce. Said twice it is done once. */
int govern_fill(struct govern *govern, struct proposal_id id, const char *who,
                struct error *error) MUST_USE;

/* A value that is not to be authorized any more. */
struct govern_revocation {
	const struct config_target *target;
	struct hash32 value;
	enum kind kind;       /* 0: every kind that the value is recorded as */
	bool shared;          /* also for those who want the same call of the same contract */
	bool urgent;          /* before everything else in the Safe */
	bool has_replacement; /* registered as the same kinds, in the same batch */
	struct hash32 replacement;
	const char *who;
};
/* Records the word, and withdraws what is still about to add the value; *out is what was revoked
 * and, after that, what replaces it. ERR_NOT_FOUND: no such value is recorded; ERR_DENIED: another
 * measurement that wants it, or a replacement that failed verification, in words. */
int govern_revoke(struct govern *govern, struct arena *arena,
                  const struct govern_revocation *revocation, struct measurement_list *out,
                  struct error *error) MUST_USE;
/* What a person approved is not removed: withdraws what is about to. In the caller's transaction.
 */
void govern_keep(struct govern *govern, struct measurement_id id, const char *who);

/* What stands where something urgent of the target's Safe would go, asked of its service now: an
 * array of {nonce, safe_tx_hash, proposal (or null), by ("registrard" or the proposer's address)}.
 * With an error the queue could not be asked, and the array holds what the store knows. The array
 * is the callback's to free. */
typedef void govern_displaced_fn(const struct error *error, struct jval *displaced, void *arg);
struct govern_op *govern_displaced(struct govern *govern, const struct config_target *target,
                                   govern_displaced_fn *done, void *arg);
/* Goes on with a chain that was stopped because a final block was replaced. */
int govern_resume(struct govern *govern, const char *chain, struct error *error) MUST_USE;
/* A draft in another form: "tx-builder" (JSON), "calldata" (hex lines), "cast" (command lines). */
int govern_export(struct govern *govern, struct proposal_id id, const char *format, struct buf *out,
                  struct error *error) MUST_USE;
/* One object per chain: {chain, chain_id, head, final, block_time, last_answer, error, stopped,
 * endpoints [{name, trouble}], services [{target, requests_today, budget}], troubles [{alarm,
 * subject, since, text, do}], requests}. */
struct jval *govern_status(struct govern *govern);

#endif
