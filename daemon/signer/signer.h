/* The signer as main sees it: typed requests to a process that holds the keys, recomputes every
 * hash and matches every call against the configured targets by itself. It never signs a digest
 * that main computed. */
#ifndef SIGNER_SIGNER_H
#define SIGNER_SIGNER_H

#include "common/base/arena.h"
#include "common/config/config.h"
#include "common/governance/safe_tx.h"
#include "common/eth/transaction.h"
#include "daemon/io/loop.h"

struct signer;

/* Starts the role when any target of config has a key; keys are read by the role alone. */
int signer_start(struct signer **out, struct loop *loop, const struct config *config, struct error *error) MUST_USE;
void signer_free(struct signer *signer);

/* Whether the target has such a key, and its address (told by the signer at its start). */
enum signer_key { SIGNER_PROPOSER = 1, SIGNER_EXECUTOR = 2 };
bool signer_address(const struct signer *signer, const char *target, enum signer_key key, struct address *out);

/* Callbacks come exactly once. ERR_DENIED: outside the signer's table, with its reason;
 * ERR_UNAVAILABLE: the signer died with the request in hand (it is restarted; ask again). */
typedef void signer_signature_fn(const struct error *error, const uint8_t signature[65],
                                 const struct hash32 *safe_tx_hash, void *arg);
/* A Safe transaction for target: schedule, apply, execute, reject or cancel, as purpose says. */
void signer_sign_safe_tx(struct signer *signer, const char *target, enum purpose purpose,
                         const struct safe_tx *tx, signer_signature_fn *done, void *arg);

typedef void signer_transaction_fn(const struct error *error, struct bytes raw,
                                   const struct hash32 *tx_hash, void *arg);
/* An EIP-1559 transaction with the target's executor key. */
void signer_sign_execution(struct signer *signer, const char *target, const struct eth_transaction *tx,
                           signer_transaction_fn *done, void *arg);

#endif
