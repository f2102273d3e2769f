/* What tests of daemon/govern do in their world: values and proposals as the rest of the daemon
 * leaves them, the loop run until something is so, and what was told. */
#ifndef UNIT_GOVERN_STEPS_H
#define UNIT_GOVERN_STEPS_H

#include "common/store/store_safe_tx.h"
#include "daemon/govern/lane.h"
#include "tests/unit/govern_world.h"

/* --- rows: each in a transaction of its own, of the target "payments" --- */

/* A value as the judge leaves it; govern is woken, when there is one. */
struct measurement_id world_record(struct govern_world *w, enum kind kind,
                                   const struct hash32 *value);
/* The KMS's call about an OS image; its calldata lives in the world's arena. */
struct call world_call(struct govern_world *w, enum action action, const struct hash32 *value);
/* A proposal of this one call, for the test to change before it is made; call is borrowed. */
struct new_proposal world_draft(const struct govern_world *w, const struct call *call);
/* Makes it; its calls serve the measurement, unless that is zero. */
struct proposal_id world_propose(struct govern_world *w, const struct new_proposal *proposal,
                                 struct measurement_id measurement);
/* Its Safe transaction that schedules, drafted. */
struct safe_tx_id world_add_schedule(struct govern_world *w, struct proposal_id id,
                                     struct bytes data);
/* The Safe transaction is in the queue. */
void world_enqueue(struct govern_world *w, struct safe_tx_id tx, uint64_t nonce,
                   const struct hash32 *hash);
/* Along the whole way to this state. */
void world_move(struct govern_world *w, struct proposal_id id, enum proposal_state to);

struct measurement world_measurement(struct govern_world *w, struct measurement_id id);
struct proposal world_proposal(struct govern_world *w, struct proposal_id id);
struct proposal_list world_proposals(struct govern_world *w);
struct safe_tx_list world_safe_txs(struct govern_world *w, struct proposal_id id);

/* How many alarms contain this, and the last of them: "" when there is none. */
struct world_alarms {
	size_t count;
	const char *text, *subject;
};
struct world_alarms world_alarms(struct govern_world *w, const char *part);
bool world_alarmed(struct govern_world *w, const char *part);

/* --- waiting: these fail the test when it does not come true --- */

struct lane *world_lane(struct govern_world *w);
/* Makes the govern of a prepared world and runs until its first look is over. */
struct lane *world_first_look(struct govern_world *w);
void world_until_status(struct govern_world *w, struct measurement_id id,
                        enum measurement_status status);
void world_until_state(struct govern_world *w, struct proposal_id id, enum proposal_state state);
/* The rows, once there are so many. */
struct safe_tx_list world_until_safe_txs(struct govern_world *w, struct proposal_id id,
                                         size_t count);
/* The alarm stays alone for a while. */
struct world_alarms world_until_alarm(struct govern_world *w, const char *part);

/* Fails the test, with both texts, when part is not in text. */
void assert_contains(const char *text, const char *part);

#endif
