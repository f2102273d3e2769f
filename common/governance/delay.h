/* The Zodiac Delay module, 1.0.x and 1.1.x: a queue between an enabled module and an avatar (a
 * Safe). Calldata, hashes, times. Strict FIFO: only entry txNonce can run, from txCreatedAt +
 * txCooldown on and, when txExpiration is not 0, up to that long after. Anybody may run it
 * (executeNextTx) or pass over what expired (skipExpired); the owner may pass over anything
 * (setTxNonce). */
#ifndef GOVERNANCE_DELAY_H
#define GOVERNANCE_DELAY_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/governance/calls.h"

enum delay_operation { DELAY_CALL = 0, DELAY_DELEGATECALL = 1 };

/* What stands in the queue: one transaction of the avatar. */
struct delay_entry {
	struct address to;
	struct u256 value;
	struct bytes data; /* not owned */
	enum delay_operation operation;
};

/* The hash that the module keeps: keccak256(to || value || data || operation), packed. It has no
 * nonce in it: the same entry enqueued twice has the same hash. */
struct hash32 delay_tx_hash(const struct delay_entry *entry);

/* The entry that makes these calls of the avatar: the call itself if there is one, else a
 * delegatecall of multisend (MultiSendCallOnly, as the avatar's version has it). Its data lives in
 * the arena. */
struct delay_entry delay_entry_of(struct arena *arena, const struct contract_call *calls,
                                  size_t count, const struct address *multisend);
/* The reverse. ERR_INVALID for a delegatecall of anything but a known MultiSendCallOnly deployment
 * with a canonical batch. */
int delay_entry_calls(struct arena *arena, struct contract_call **calls, size_t *count,
                      const struct delay_entry *entry, struct error *error) MUST_USE;

/* The entry with this hash that makes these calls, whichever known MultiSendCallOnly it goes
 * through; ERR_NOT_FOUND: none has it. */
int delay_entry_find(struct delay_entry *out, struct arena *arena,
                     const struct contract_call *calls, size_t count,
                     const struct hash32 *hash) MUST_USE;

/* Each appends the calldata of one function. */
void delay_encode_enqueue(struct buf *out, const struct delay_entry *entry);
void delay_encode_execute(struct buf *out, const struct delay_entry *entry);
void delay_encode_skip_expired(struct buf *out);
void delay_encode_set_nonce(struct buf *out, uint64_t nonce);
void delay_encode_tx_hash(struct buf *out, uint64_t nonce);       /* txHash(uint256) */
void delay_encode_tx_created_at(struct buf *out, uint64_t nonce); /* txCreatedAt(uint256) */
/* The same function on a Safe and on the module. */
void delay_encode_is_module_enabled(struct buf *out, const struct address *module);

/* Reads execTransactionFromModule / executeNextTx / setTxNonce. ERR_NOT_FOUND for another selector,
 * ERR_INVALID for anything that the encoder above would not write bit by bit. Data points into
 * calldata. */
int delay_decode_enqueue(struct delay_entry *entry, struct bytes calldata,
                         struct error *error) MUST_USE;
int delay_decode_execute(struct delay_entry *entry, struct bytes calldata,
                         struct error *error) MUST_USE;
int delay_decode_set_nonce(uint64_t *nonce, struct bytes calldata) MUST_USE;
bool delay_is_skip_expired(struct bytes calldata);

/* How the module stands at one block. */
struct delay_queue {
	uint64_t next, end;  /* txNonce, queueNonce: [next, end) is waiting */
	uint64_t cooldown;   /* seconds */
	uint64_t expiration; /* seconds after the cooldown; 0: never */
};
#define DELAY_NEVER UINT64_MAX

/* Unix seconds: from when an entry created then may run, and the last second at which it may
 * (DELAY_NEVER: it does not expire). */
uint64_t delay_ready_at(const struct delay_queue *queue, uint64_t created_at);
uint64_t delay_last_at(const struct delay_queue *queue, uint64_t created_at);

/* The signatures, for people and for cast. */
#define DELAY_ENQUEUE_SIGNATURE "execTransactionFromModule(address,uint256,bytes,uint8)"
#define DELAY_EXECUTE_SIGNATURE "executeNextTx(address,uint256,bytes,uint8)"
#define DELAY_SKIP_SIGNATURE "skipExpired()"
#define DELAY_SET_NONCE_SIGNATURE "setTxNonce(uint256)"

#endif
