/* What the signer signs: the whole table, as pure functions over the configuration. Whatever is not
 * in it is ERR_DENIED with the reason. A "registry call" is a call of value 0 that adds or removes
 * one value in a KMS or app contract of the target or of another target of the same chain and the
 * same way of governance (Safe, timelock), since one proposal may serve several targets. */
#ifndef SIGNER_POLICY_H
#define SIGNER_POLICY_H

#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/eth/transaction.h"
#include "common/governance/safe_tx.h"

/*  schedule  safe+timelock  scheduleBatch of registry calls, predecessor 0, to the timelock
 *  execute   safe+timelock  executeBatch of the same, to the timelock; also the single execute and
 *                           any predecessor, as people may have scheduled it
 *  schedule  delay          execTransactionFromModule of one registry call, or of a
 *                           MultiSendCallOnly batch of them, to the module
 *  execute   delay          executeNextTx of the same, to the module
 *  apply     safe           one registry call, or a MultiSendCallOnly batch of them
 *  cancel    safe+timelock  cancel(id), to the timelock
 *  reject    either         an empty call of the Safe to itself
 *
 * always of the target's own Safe and chain, value 0, every gas and refund field 0. */
int policy_safe_tx(const struct config *config, const char *target, enum purpose purpose,
                   const struct safe_tx *tx, struct error *error) MUST_USE;

/* Taking a proposal back from the Safe service: totp = unix seconds / 3600,
 * by the clock of the service; at most two days from ours. */
int policy_delete(const struct config *config, const char *target, uint64_t totp, struct wall now,
                  struct error *error) MUST_USE;

/* execute or executeBatch (executeNextTx) of registry calls to the timelock (Delay module) of a
 * target with execute: direct, value 0, within max_fee_gwei and max_gas of its chain. */
int policy_execution(const struct config *config, const char *target,
                     const struct eth_transaction *tx, struct error *error) MUST_USE;

/* scheduleBatch of registry calls, predecessor 0, to the timelock of a target with model timelock,
 * value 0, within the same limits: with the scheduler key, whose use needs nobody else. */
int policy_schedule(const struct config *config, const char *target,
                    const struct eth_transaction *tx, struct error *error) MUST_USE;

/* The cancellation of one operation of that timelock with the same key, within the same limits. tx
 * is as for an execution: its data are the execute or executeBatch of the operation, which must be
 * of registry calls alone. What is signed is cancel(id) with the id that the signer computes of
 * them: put into *out by policy_cancel, so that the key stops nothing else. */
int policy_cancel(struct buf *out, const struct config *config, const char *target,
                  const struct eth_transaction *tx, struct error *error) MUST_USE;

#endif
