/* The signer as main sees it: typed requests to a process that holds the keys, recomputes every
 * hash and matches every call against the configured targets by itself (the table is in policy.h).
 * It never signs a digest that main computed. */
#ifndef SIGNER_SIGNER_H
#define SIGNER_SIGNER_H

#include "common/base/arena.h"
#include "common/config/config.h"
#include "common/governance/safe_tx.h"
#include "common/eth/transaction.h"
#include "daemon/io/loop.h"

#include <sys/types.h>

struct signer;

/* Opens the key and password files (their content is read by the role alone), starts the role and
 * waits until it has every key. To be called before main gives up its right to open those files: a
 * signer that died is started again with the same descriptors. An error names the target, the
 * option and the file. Without any key in config *out is NULL: signer_address, signer_pid and
 * signer_free accept that. config is not needed afterwards. */
int signer_start(struct signer **out, struct loop *loop, const struct config *config,
                 struct error *error) MUST_USE;
/* Ends the role; requests in hand get no callback. */
void signer_free(struct signer *signer);

/* Whether the target has such a key, and its address (told by the signer at its start). */
enum signer_key { SIGNER_PROPOSER = 1, SIGNER_EXECUTOR = 2, SIGNER_SCHEDULER = 3 };
bool signer_address(const struct signer *signer, const char *target, enum signer_key key,
                    struct address *out);

/* The role's process, -1 while it is being started again. */
pid_t signer_pid(const struct signer *signer);

/* Callbacks come exactly once and never from inside the call. ERR_DENIED: outside the signer's
 * table, with its reason; ERR_UNAVAILABLE: the signer died with the request in hand (it is
 * restarted; ask again). */
typedef void signer_signature_fn(const struct error *error, const uint8_t signature[65],
                                 const struct hash32 *safe_tx_hash, void *arg);
/* A Safe transaction for target: schedule, apply, execute, reject or cancel, as purpose says. */
void signer_sign_safe_tx(struct signer *signer, const char *target, enum purpose purpose,
                         const struct safe_tx *tx, signer_signature_fn *done, void *arg);
/* The Safe service's DeleteRequest for a transaction of target's Safe; totp = unix seconds / 3600.
 * The callback's hash is that of the typed data. */
void signer_sign_delete(struct signer *signer, const char *target,
                        const struct hash32 *safe_tx_hash, uint64_t totp, signer_signature_fn *done,
                        void *arg);

typedef void signer_transaction_fn(const struct error *error, struct bytes raw,
                                   const struct hash32 *tx_hash, void *arg);
/* An EIP-1559 transaction with the target's executor key. */
void signer_sign_execution(struct signer *signer, const char *target,
                           const struct eth_transaction *tx, signer_transaction_fn *done,
                           void *arg);
/* The same with its scheduler key: a schedule on a timelock whose proposer that is. */
void signer_sign_schedule(struct signer *signer, const char *target,
                          const struct eth_transaction *tx, signer_transaction_fn *done, void *arg);
/* The cancellation of an operation of that timelock, with the same key. tx->data are the
 * operation's execute or executeBatch: cancel(id) is made of them by the signer itself. */
void signer_sign_cancel(struct signer *signer, const char *target, const struct eth_transaction *tx,
                        signer_transaction_fn *done, void *arg);

/* The role itself: runs in its own process on the socket; returns the exit status. */
int signer_role_main(int socket);

#endif
