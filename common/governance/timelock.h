/* OpenZeppelin's TimelockController, 4.x and 5.x alike: calldata, operation ids, roles. */
#ifndef GOVERNANCE_TIMELOCK_H
#define GOVERNANCE_TIMELOCK_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/governance/calls.h"

#define TIMELOCK_MAX_CALLS 256 /* more are ERR_LIMIT when decoding */

struct timelock_batch {
	const struct contract_call *calls;
	size_t count;
	struct hash32 predecessor; /* zero in what we make */
	struct hash32 salt;
	bool single; /* one call by schedule and execute: another id than the batch of that call.
	              * People may make it; we do not. */
};

/* The id the timelock itself gives it (hashOperationBatch, hashOperation). The delay is not in it.
 */
struct hash32 timelock_operation_id(const struct timelock_batch *batch);

/* keccak256(abi.encode("registrard/1", chainId, timelock, targets, values, payloads, predecessor,
 * attempt)); batch->salt is not read. The calls must be in calls_order. */
struct hash32 timelock_salt(const struct timelock_batch *batch, uint64_t chain_id,
                            const struct address *timelock, uint64_t attempt);

/* Each appends the calldata of one function; schedule and execute are those of the batch, or of a
 * single one. */
void timelock_encode_schedule(struct buf *out, const struct timelock_batch *batch, uint64_t delay);
void timelock_encode_execute(struct buf *out, const struct timelock_batch *batch);
void timelock_encode_cancel(struct buf *out, const struct hash32 *id);
void timelock_encode_get_timestamp(struct buf *out, const struct hash32 *id);
void timelock_encode_has_role(struct buf *out, const struct hash32 *role,
                              const struct address *account);

/* Reads scheduleBatch or schedule / executeBatch or execute / cancel. ERR_NOT_FOUND for another
 * selector, ERR_INVALID for anything that the encoder above would not write bit by bit. Payloads
 * point into calldata, the arrays live in the arena. */
int timelock_decode_schedule(struct arena *arena, struct timelock_batch *batch, uint64_t *delay,
                             struct bytes calldata, struct error *error) MUST_USE;
int timelock_decode_execute(struct arena *arena, struct timelock_batch *batch,
                            struct bytes calldata, struct error *error) MUST_USE;
int timelock_decode_cancel(struct hash32 *id, struct bytes calldata) MUST_USE;

/* What getTimestamp answers: 0 unset, 1 done, else the ready time. */
#define TIMELOCK_TIMESTAMP_UNSET 0
#define TIMELOCK_TIMESTAMP_DONE 1

/* Role ids; the executor role held by the zero address means that anybody may execute. */
extern const struct hash32 timelock_role_proposer, timelock_role_executor, timelock_role_canceller;
extern const struct hash32 timelock_role_default_admin;
extern const struct hash32 timelock_role_admin_v4; /* TIMELOCK_ADMIN_ROLE of 4.x */

/* The signatures, for people and for cast. */
#define TIMELOCK_SCHEDULE_SIGNATURE                                                                \
	"scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)"
#define TIMELOCK_EXECUTE_SIGNATURE "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)"
#define TIMELOCK_CANCEL_SIGNATURE "cancel(bytes32)"
#define TIMELOCK_SCHEDULE_ONE_SIGNATURE "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"
#define TIMELOCK_EXECUTE_ONE_SIGNATURE "execute(address,uint256,bytes,bytes32,bytes32)"

#endif
